"""The table that pairs each exported function of the widgets' JavaScript with its twin in Python.

`call` hands a point to the twin where the library takes it in another form: tensors, or scores and wins of whole prompts.
`points` draws arguments off any grid, extreme ones among them. 1e-12 relative holds; `floor` is the absolute difference
that rounding explains where a result is a difference of larger numbers: some units of the last place of those.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import numpy as np

from rlhw.widgets.aligned_tokens import AlignedTokens
from rlhw.widgets.bandit_race import BanditRace
from rlhw.widgets.baseline_estimates import BaselineEstimates
from rlhw.widgets.best_of_n import BestOfN
from rlhw.widgets.bradley_terry import BradleyTerry
from rlhw.widgets.clipped_surrogate import ClippedSurrogate
from rlhw.widgets.dpo_loss import DPOLoss
from rlhw.widgets.gae_weights import GAEWeights
from rlhw.widgets.gridworld import Gridworld
from rlhw.widgets.importance_weights import ImportanceWeights
from rlhw.widgets.kl_estimators import KLEstimators
from rlhw.widgets.overoptimisation import Overoptimisation
from rlhw.widgets.reward_calibration import RewardCalibration
from rlhw.widgets.softmax_policy import SoftmaxPolicy
from rlhw.widgets.tilted_policy import TiltedPolicy
from rlhw.widgets.token_by_token import TokenByToken
from rlhw.widgets.walk import Walk

WIDGETS = (
    SoftmaxPolicy,
    BaselineEstimates,
    TokenByToken,
    BradleyTerry,
    RewardCalibration,
    KLEstimators,
    BestOfN,
    Overoptimisation,
    AlignedTokens,
    ClippedSurrogate,
    GAEWeights,
    TiltedPolicy,
    DPOLoss,
    BanditRace,
    ImportanceWeights,
    Gridworld,
    Walk,
)
RELATIVE = 1e-12
LAST_PLACES = 1e-14


def on_arrays(function: Callable, *point: object) -> object:
    """The function's answer; lists become arrays on the way in."""
    return function(*(np.array(part) if isinstance(part, list) else part for part in point))


def tensor(part: object) -> object:
    """A list as a float64 tensor; a number as it is."""
    import torch

    return torch.tensor(part, dtype=torch.double) if isinstance(part, list) else part


def on_tensors(function: Callable, *point: object) -> np.ndarray:
    """The function's answer; lists become float64 tensors on the way in."""
    return function(*map(tensor, point)).numpy()


def gradient(function: Callable, first: list[float], *rest: object) -> np.ndarray:
    """The gradient of the sum of the function's values for its first argument, by automatic differentiation."""
    free, *others = map(tensor, (first, *rest))
    free.requires_grad_()
    function(free, *others).sum().backward()
    return free.grad.numpy()


def clipped(loss: Callable, ratios: list[float], advantages: list[float], clip: float) -> np.ndarray:
    """The surrogate at ratios to an old policy that gave each token the probability one: minus the loss."""
    return -on_tensors(lambda new, gain: loss(new, 0 * new, gain, clip), np.log(ratios).tolist(), advantages)


def clipped_gradient(loss: Callable, ratios: list[float], advantages: list[float], clip: float) -> np.ndarray:
    """The surrogate's gradient for the log-probabilities of the new policy."""
    return -gradient(lambda new, gain: loss(new, 0 * new, gain, clip), np.log(ratios).tolist(), advantages)


def advantages(gae: Callable, rewards: list[float], values: list[float], gamma: float, lam: float) -> np.ndarray:
    """GAE's advantages of the tokens of one answer."""
    import torch

    rows = torch.tensor([rewards, values], dtype=torch.double)
    return gae(rows[:1], rows[1:], torch.ones_like(rows[:1], dtype=torch.bool), gamma, lam)[0][0].numpy()


def first_advantage(gae: Callable, *point: object) -> float:
    return float(advantages(gae, *point)[0])


def n_step_estimates(gae: Callable, rewards: list[float], values: list[float], gamma: float) -> list[float]:
    """The first n tokens as an episode of their own, whose last reward holds the critic's word on what follows."""
    ends = [gamma * value for value in values[1:]] + [0.0]
    cut = [[*rewards[:n], rewards[n] + ends[n]] for n in range(len(rewards))]
    return [first_advantage(gae, part, values[: len(part)], gamma, 1.0) for part in cut]


def n_step_weights(gae: Callable, lam: float, count: int) -> list[float]:
    """GAE of the episodes in which one n-step estimate is 1 and the others are 0."""
    zeros, ones = [0.0] * count, np.eye(count).tolist()
    inner = [first_advantage(gae, zeros, ones[n], 1.0, lam) for n in range(1, count)]
    return [*inner, first_advantage(gae, ones[-1], zeros, 1.0, lam)]


def td_errors(gae: Callable, *point: object) -> np.ndarray:
    return advantages(gae, *point, 0.0)


def td_weights(gae: Callable, gamma: float, lam: float, count: int) -> list[float]:
    """GAE of the episodes in which one TD error is 1 and the others are 0."""
    return [first_advantage(gae, row, [0.0] * count, gamma, lam) for row in np.eye(count).tolist()]


def proportions(divide: Callable, weights: list[float]) -> np.ndarray:
    return divide(weights, sum(weights))


def partition(dot: Callable, reference: list[float], rewards: list[float], beta: float) -> float:
    return float(dot(reference, np.exp(np.array(rewards) / beta)))


def best_objective(attainable: Callable, reference: list[float], rewards: list[float], beta: float) -> float:
    """J* of one prompt, taken twice; its answers are samples of the uniform law, with their weights."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(len(reference) * np.array(reference))
    return attainable(np.array([rewards, rewards]), beta, np.array([log_weights, log_weights]))[0]


def relative_entropy(rel_entr: Callable, first: list[float], second: list[float]) -> float:
    return float(rel_entr(first, second).sum())


def pair_gradient(loss: Callable, *point: object) -> np.ndarray:
    """The gradients of a loss of pairs for the log-probabilities of the chosen answers and of the rejected ones."""
    chosen, rejected, *more = point
    swapped = gradient(lambda second, first, *rest: loss(first, second, *rest), rejected, chosen, *more)
    return np.stack([gradient(loss, *point), swapped])


def on_votes(function: Callable, margins: list[float], votes: list[float], *more: object) -> object:
    """The answer of a function of scores "B 2" and wins "B 2 2": `votes` are shares of one vote a pair, for the first."""
    import torch

    first, wins = torch.tensor(votes, dtype=torch.double), torch.zeros(len(votes), 2, 2, dtype=torch.double)
    wins[:, 0, 1], wins[:, 1, 0] = first, 1 - first
    scores = torch.stack([torch.tensor(margins, dtype=torch.double), torch.zeros_like(first)], 1)
    return function(scores, wins, *more)


def curve_on_votes(function: Callable, *point: object) -> dict[str, object]:
    """The parts of a reliability curve, by name."""
    return {name: np.asarray(part) for name, part in vars(on_votes(function, *point)).items()}


def mean_on_votes(function: Callable, *point: object) -> float:
    return float(on_votes(function, *point).mean())


def annotator(simulated: type, first: float, second: float, temperature: float) -> float:
    """The annotator's probability on two texts that are worth these gold rewards: it looks at nothing else."""
    from rlhw.tiny_tldr import sample_post

    worth, post = {"first": first, "second": second}, sample_post(np.random.default_rng(0))
    with mock.patch("rlhw.tiny_tldr.summaries.gold_reward", lambda _, text: worth[text]):
        return simulated(temperature).probability(post, "first", "second")


def estimates(function: Callable, logprobs: list[float], ref_logprobs: list[float], kind: str) -> np.ndarray:
    """Estimates of the KL, in float64."""
    import torch

    return function(*(torch.tensor(part, dtype=torch.double) for part in (logprobs, ref_logprobs)), kind).numpy()


def summed(function: Callable, *laws: list[float]) -> float:
    """The sum of what a function of two laws says of each outcome."""
    return float(function(*map(np.array, laws)).sum())


def statistic(function: Callable, observed: list[float], expected: list[float]) -> float:
    return float(function(observed, expected).statistic)


def deviation(covariance: Callable, values: list[float], law: list[float]) -> float:
    return float(np.sqrt(covariance(values, aweights=law, ddof=0)))


def inverted(search: Callable, law: list[float], uniforms: list[float]) -> np.ndarray:
    """The outcome at whose step of the distribution function each uniform number lies."""
    return np.minimum(search(np.cumsum(law), uniforms, side="right"), len(law) - 1)


def grid_model(gridworld: Callable, layout: list[str], slip: float, rewards: list[float]) -> dict[str, np.ndarray]:
    mdp = gridworld(tuple(layout), gamma=0.5, step_reward=0.0, slip=slip, cell_rewards=np.array(rewards))
    return {"transitions": mdp.transitions, "rewards": mdp.rewards}


def on_mdp(function: Callable, transitions: list, rewards: list, gamma: float, values: list[float]) -> np.ndarray:
    from rlhw.mdp import MDP

    start = np.full(len(rewards), 1 / len(rewards))
    return function(MDP(np.array(transitions), np.array(rewards), gamma, start), np.array(values))


def farthest(norm: Callable, first: list[float], second: list[float]) -> float:
    return norm(np.subtract(first, second), np.inf)


def uniforms(state: type, seed: int, count: int) -> np.ndarray:
    return state(seed).random_sample(count)


def walks(random_walk: Callable, states: int, seed: int, count: int) -> list[list[int]]:
    """Walks of the model under the uniform policy, its action drawn by one uniform number a step."""
    from rlhw.mdp import invert, uniform_policy

    mdp, draw = random_walk(states), function("numpy.random:RandomState")(seed).random_sample
    law, found = np.cumsum(uniform_policy(mdp), axis=1), []
    for _ in range(count):
        walk = np.flatnonzero(mdp.start)
        while not mdp.terminal[walk[-1]]:
            action = invert(law[walk[-1:]], draw(1))
            walk = np.append(walk, mdp.step(walk[-1:], action, np.array([0.5]))[1])
        found.append(walk.tolist())
    return found


def walk_values(random_walk: Callable, states: int) -> np.ndarray:
    """v of the uniform policy as the solution of its linear equations."""
    mdp = random_walk(states)
    inner = slice(1, states + 1)
    chain = mdp.transitions.mean(axis=1)[inner, inner]
    return np.pad(np.linalg.solve(np.eye(states) - chain, mdp.rewards.mean(axis=1)[inner]), 1)


def learned(prediction: Callable, walk: list[int], values: list[float], step: float, **how: object) -> np.ndarray:
    """The values after one walk, which pays 1 at an end on the right."""
    from rlhw.mdp import Episodes

    moves = len(walk) - 1
    rewards = np.zeros((1, moves))
    rewards[0, -1] = walk[-1] == len(values) - 1
    episode = Episodes(np.array([walk]), np.zeros((1, moves), int), rewards, np.ones((1, moves), bool))
    (table,) = prediction([episode], np.array(values), 1.0, lambda visits: step, **how)
    return table[0]


def n_step(n_step_td: Callable, walk: list[int], values: list[float], step: float, n: int, moves: int) -> np.ndarray:
    """By n steps; TD(0) has a function of its own, which also learns from the first moves of a walk."""
    if n == 1:
        return learned(function("rlhw.temporal_difference:td_prediction"), walk[: moves + 1], values, step)
    return learned(n_step_td, walk, values, step, n=n)


def every_visit(mc_prediction: Callable, *point: object) -> np.ndarray:
    return learned(mc_prediction, *point, every_visit=True)


def inner_error(norm: Callable, values: list[float], exact: list[float]) -> float:
    return norm(np.subtract(values, exact)[1:-1]) / np.sqrt(len(values) - 2)


def reward_at(frontier: Callable, law: list[float], rewards: list[float], kl: float) -> float:
    """The frontier's reward at this KL, by scipy's root finder."""
    from scipy.optimize import brentq

    def point(power: float) -> tuple[float, float]:
        (at,), (reward,) = frontier(np.array(law), np.array(rewards), np.array([10.0**power]))
        return at, reward

    return point(brentq(lambda power: point(power)[0] - kl, -3, 9, xtol=1e-14, rtol=1e-14))[1]


def played(play: Callable, means: list[float], epsilon: float, c: float, pulls: int, seed: int) -> dict[str, object]:
    """The parts of one play of arms that pay 0 or 1, by name, with the numbers that RandomState(seed) would give."""
    from rlhw.bandits import BernoulliBandit
    from rlhw.regret import rule

    bits = np.random.MT19937()
    bits.state = np.random.RandomState(seed).get_state(legacy=False)  # the generator of the page
    one = play(BernoulliBandit(np.array(means)), rule(c=c, epsilon=lambda _: epsilon), pulls, np.random.Generator(bits))
    return {"actions": one.actions, "rewards": one.rewards, "regret": one.regret}


def counted(binomial: object, probability: float, horizon: int) -> np.ndarray:
    return binomial.pmf(np.arange(horizon + 1), horizon, probability)


def weights_by_count(weigh: Callable, target: list[float], behavior: list[float], horizon: int) -> np.ndarray:
    """The last weight of episodes that took the first action 0 to T times."""
    rows = np.tri(horizon + 1, horizon, -1, dtype=int)  # row k: k ones, which stand for the first action
    return weigh(*(np.where(rows == 1, policy[0], policy[1]) for policy in (target, behavior)))[:, -1]


def undiscounted(estimate: Callable, weights: list[list[float]], rewards: list[list[float]]) -> object:
    """An estimate from episodes whose value is that of the plain sum of rewards."""
    return estimate(np.array(weights), np.array(rewards), 1.0)


@dataclass(frozen=True)
class Twin:
    points: Callable[[np.random.Generator], tuple]
    floor: Callable[..., float] = lambda *arguments: 0.0
    call: Callable = on_arrays


def logits(rng: np.random.Generator) -> list[float]:
    """Two to five logits: half of them within the sliders' range, half so far apart that some p underflow to tiny."""
    width = 4.0 if rng.random() < 0.5 else float(rng.uniform(5, 300))
    return rng.uniform(-width, width, size=rng.integers(2, 6)).tolist()


def numbers(rng: np.random.Generator, count: int) -> list[float]:
    return (rng.standard_normal(count) * 10 ** rng.uniform(-2, 2)).tolist()


def actions(rng: np.random.Generator, arms: int, count: int = 20) -> list[int]:
    return rng.integers(0, arms, size=count).tolist()


def policy(rng: np.random.Generator) -> tuple:
    return (logits(rng),)


def policy_action(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, int(rng.integers(len(s)))


def policy_actions_weights(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, actions(rng, len(s)), numbers(rng, 20)


def policy_rewards(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, numbers(rng, len(s))


def policy_rewards_baseline(rng: np.random.Generator) -> tuple:
    return *policy_rewards(rng), float(rng.normal())


def policy_rewards_actions_baseline(rng: np.random.Generator) -> tuple:
    s, rewards = policy_rewards(rng)
    return s, rewards, actions(rng, len(s)), float(rng.normal())


def margins(rng: np.random.Generator, count: int) -> list[float]:
    """Differences of scores: some equal to zero, some so large that a probability rounds to one, some in between."""
    drawn = rng.standard_normal(count) * 10 ** rng.uniform(-2, 3)
    return np.where(rng.random(count) < 0.1, 0.0, drawn).tolist()


def two_rewards_temperature(rng: np.random.Generator) -> tuple:
    return *rng.uniform(-10, 10, size=2).tolist(), float(10 ** rng.uniform(-2, 1))


def chosen_rejected(rng: np.random.Generator) -> tuple:
    shift = float(rng.normal(scale=10))
    return [margin + shift for margin in margins(rng, 20)], [shift] * 20


def margins_votes(rng: np.random.Generator) -> tuple:
    """Pairs with one vote each, or with shares of votes."""
    votes = rng.integers(0, 2, size=60) if rng.random() < 0.5 else rng.random(60)
    return margins(rng, 60), votes.astype(float).tolist()


def margins_votes_bins(rng: np.random.Generator) -> tuple:
    return *margins_votes(rng), int(rng.integers(1, 25))


def law(rng: np.random.Generator, outcomes: int) -> list[float]:
    """A law over some outcomes: near the even one, or with some of them very unlikely."""
    return np.maximum(rng.dirichlet(np.full(outcomes, 10 ** rng.uniform(-1, 1))), 1e-9).tolist()


def two_laws(rng: np.random.Generator) -> tuple:
    outcomes = int(rng.integers(2, 7))
    return law(rng, outcomes), law(rng, outcomes)


def logprobs_kind(rng: np.random.Generator) -> tuple:
    """Log-probabilities that differ by much or hardly at all."""
    first = -rng.exponential(size=20) * 3
    return (
        first.tolist(),
        (first + rng.standard_normal(20) * 10 ** rng.uniform(-6, 1)).tolist(),
        f"k{rng.integers(1, 4)}",
    )


def values_law(rng: np.random.Generator) -> tuple:
    outcomes = int(rng.integers(2, 7))
    return numbers(rng, outcomes), law(rng, outcomes)


def law_rewards(rng: np.random.Generator) -> tuple:
    """A law over answers and their rewards, which are all different or share a few levels."""
    p = law(rng, int(rng.integers(2, 7)))
    rewards = rng.normal(size=len(p)) if rng.random() < 0.5 else rng.integers(0, 3, size=len(p)) / 2
    return (np.array(p) / sum(p)).tolist(), rewards.tolist()


def law_rewards_n(rng: np.random.Generator) -> tuple:
    return *law_rewards(rng), int(rng.integers(1, 65))


def law_rewards_kl(rng: np.random.Generator) -> tuple:
    """A KL between nothing and that of the best answer alone."""
    p = rng.dirichlet(np.full(5, 3.0))
    rewards = rng.permutation(5) + rng.uniform(-0.4, 0.4, 5)
    return p.tolist(), rewards.tolist(), float(-np.log(p[rewards.argmax()]) * rng.uniform(0.1, 0.9))


def distances_coefficients(rng: np.random.Generator) -> tuple:
    """Distances, the clone's own among them, and coefficients of either sign."""
    return [0.0, *rng.uniform(0, 6, 10).tolist()], float(rng.normal(1, 1)), float(rng.normal(0.5, 0.5))


def falling(rng: np.random.Generator) -> tuple:
    """Coefficients of a form that turns."""
    return float(rng.normal(0.5, 1)), float(rng.uniform(0.05, 2))


def ratios_advantages_clip(rng: np.random.Generator) -> tuple:
    """Tokens on both sides of the clip and between, with advantages of both signs and some of zero."""
    gains = np.where(rng.random(30) < 0.1, 0.0, numbers(rng, 30))
    return rng.uniform(0.01, 2.5, size=30).tolist(), gains.tolist(), float(rng.uniform(0.05, 0.5))


def share(rng: np.random.Generator) -> float:
    """A number from 0 to 1, now and then one of these."""
    return float(rng.choice([0.0, 1.0])) if rng.random() < 0.1 else float(rng.random())


def rewards_values_gamma(rng: np.random.Generator) -> tuple:
    tokens = int(rng.integers(1, 9))
    return numbers(rng, tokens), numbers(rng, tokens), share(rng)


def answers(rng: np.random.Generator) -> list[float]:
    """Probabilities of two to six answers; one in six is zero, the first never."""
    weights = rng.random(rng.integers(2, 7)) ** rng.uniform(0.5, 6)
    weights[1:] *= rng.random(len(weights) - 1) > 1 / 6
    return (weights / weights.sum()).tolist()


def answers_rewards(rng: np.random.Generator) -> tuple:
    reference = answers(rng)
    return reference, rng.uniform(-3, 3, size=len(reference)).tolist()


def answers_rewards_beta(rng: np.random.Generator) -> tuple:
    return *answers_rewards(rng), float(10 ** rng.uniform(-2, 1))


def answers_rewards_betas(rng: np.random.Generator) -> tuple:
    return *answers_rewards(rng), (10 ** rng.uniform(-2, 1, size=7)).tolist()


def two_policies(rng: np.random.Generator) -> tuple:
    """The second gives every answer."""
    first = answers(rng)
    second = rng.uniform(0.01, 1, size=len(first))
    return first, (second / second.sum()).tolist()


def pairs(rng: np.random.Generator) -> tuple:
    """Log-probabilities of whole answers, chosen and rejected, under the policy and under the reference; and β."""
    first, second = -rng.exponential(30, size=(2, 20))
    moved = rng.standard_normal((2, 20)) * 10 ** rng.uniform(-2, 2)
    rows = [first + moved[0], second + moved[1], first, second]
    return *(row.tolist() for row in rows), float(10 ** rng.uniform(-1.5, 0.5))


def pairs_smoothing(rng: np.random.Generator) -> tuple:
    return *pairs(rng), float(rng.choice([0.0, rng.uniform(0, 0.5)]))


def rewards_of(rng: np.random.Generator) -> tuple:
    logprobs, _, reference, _, beta = pairs(rng)
    return logprobs, reference, beta


def arms(rng: np.random.Generator) -> list[float]:
    """Chances of two to six arms that pay 0 or 1; some arms may be equally good."""
    return rng.choice(np.round(rng.uniform(0.02, 0.98, 6), 3), size=rng.integers(2, 7)).tolist()


def values_epsilon(rng: np.random.Generator) -> tuple:
    """Values with ties or without, and ε."""
    return rng.choice(rng.standard_normal(4), size=rng.integers(2, 8)).tolist(), share(rng)


def estimates_counts_c(rng: np.random.Generator) -> tuple:
    """What is known of arms that were all pulled."""
    counts = rng.integers(1, 500, size=rng.integers(2, 7))
    return rng.random(len(counts)).tolist(), counts.tolist(), float(rng.uniform(0, 3))


def race(rng: np.random.Generator) -> tuple:
    """Arms, a rule that explores by chance or by bounds, pulls and a seed."""
    by_chance, by_bounds = (share(rng), 0.0), (0.0, float(rng.uniform(0, 2)))
    rule = by_chance if rng.random() < 0.5 else by_bounds
    return arms(rng), *rule, int(rng.integers(1, 40)), int(rng.integers(100_000))


def costs_divergences(rng: np.random.Generator) -> tuple:
    """Gaps, one of them 0, and a divergence for each arm that is not best."""
    costs = rng.uniform(0, 2, 5) * (np.arange(5) != rng.integers(5))
    return costs.tolist(), np.where(costs > 0, 10 ** rng.uniform(-3, 1, 5), 0.0).tolist()


def two_positive_policies(rng: np.random.Generator, most: int = 5) -> tuple:
    """A target that may leave actions out, and a behavior that takes them all."""
    target = rng.dirichlet(np.ones(rng.integers(2, most + 1)))
    target[1:] *= rng.random(len(target) - 1) > 1 / 6
    behavior = 0.1 / len(target) + 0.9 * rng.dirichlet(np.ones(len(target)))
    return (target / target.sum()).tolist(), behavior.tolist()


def policies_horizon(rng: np.random.Generator) -> tuple:
    return *two_positive_policies(rng), int(rng.integers(1, 31))


def two_actions_horizon(rng: np.random.Generator) -> tuple:
    return *two_positive_policies(rng, most=2), int(rng.integers(1, 31))


def policies_rewards_horizon(rng: np.random.Generator) -> tuple:
    target, behavior, horizon = policies_horizon(rng)
    return target, behavior, rng.normal(size=len(target)).tolist(), horizon


def chances_taken(rng: np.random.Generator) -> tuple:
    """The probabilities that two policies gave to the actions of some episodes; the target may never take one."""
    shape = rng.integers(1, 9, size=2)
    return (rng.random(shape) * (rng.random(shape) > 0.05)).tolist(), rng.uniform(0.05, 1, shape).tolist()


def weights_rewards(rng: np.random.Generator) -> tuple:
    shape = rng.integers(1, 9, size=2)
    return rng.exponential(size=shape).tolist(), rng.normal(size=shape).tolist()


def near_square(target: list[float], behavior: list[float], rewards: list[float], horizon: int) -> float:
    """What rounding can do to a variance: some last places of the mean square, from which a square is taken off."""
    moment = sum(p * p / q for p, q in zip(target, behavior, strict=True)) ** horizon
    return 10 * LAST_PLACES * moment * (horizon * float(np.max(np.abs(rewards)))) ** 2


def layout(rng: np.random.Generator) -> list[str]:
    """Up to five rows and columns of floor, walls and ends, at least one floor and one end among them."""
    signs = rng.choice(list("..##G"), size=rng.integers(2, 6, size=2))
    signs[0, 0], signs[-1, -1] = rng.permutation(["G", "."])
    return ["".join(row) for row in signs]


def layout_slip_rewards(rng: np.random.Generator) -> tuple:
    rooms = layout(rng)
    return rooms, share(rng), numbers(rng, sum(sign != "#" for row in rooms for sign in row))


def decision_process(rng: np.random.Generator) -> tuple:
    """A random model, its last action now and then a copy of its first, with a discount and values."""
    states, actions = rng.integers(1, 7, size=2)
    transitions, rewards = (
        rng.dirichlet(np.full(states, 0.5), size=(states, actions)),
        rng.normal(size=(states, actions)),
    )
    if rng.random() < 0.5:
        transitions[:, -1], rewards[:, -1] = transitions[:, 0], rewards[:, 0]
    return transitions.tolist(), rewards.tolist(), float(rng.uniform(0, 0.999)), numbers(rng, states)


def walk_values_step(rng: np.random.Generator) -> tuple:
    """A walk on one to nine states, any values before it, and a step size."""
    states = int(rng.integers(1, 10))
    walk = [int(rng.integers(1, states + 1))]
    while 0 < walk[-1] <= states:
        walk.append(walk[-1] + int(rng.choice([-1, 1])))
    return walk, rng.normal(size=states + 2).tolist(), float(rng.uniform(0.01, 0.9))


def walk_values_step_n_moves(rng: np.random.Generator) -> tuple:
    """TD(0) on the first moves of a walk or on all, n steps on all."""
    walk, values, step = walk_values_step(rng)
    if rng.random() < 0.7:
        return walk, values, step, 1, int(rng.integers(1, len(walk) + 1))
    return walk, values, step, int(rng.integers(2, 20)), len(walk) - 1


def near_pairs(*point: object) -> float:
    """What rounding can do to β times a difference of log-probabilities, or to its square."""
    *logprobs, beta = point[:5]
    size = 4 * float(np.max(np.abs(logprobs)))
    return LAST_PLACES * size * max(1.0, beta, size, 1 / beta)


def largest(*values: object) -> float:
    return LAST_PLACES * float(np.max(np.abs(np.concatenate([np.ravel(value) for value in values]))))


TWINS = {
    # exp of a large negative number is subnormal below 1e-300: there the last places are lost on both sides
    "softmax": Twin(policy, lambda s: 1e-300),
    "score": Twin(policy_action, lambda s, action: LAST_PLACES),
    "weightedScores": Twin(policy_actions_weights, lambda s, y, weights: largest(weights)),
    "exactGradient": Twin(policy_rewards, lambda s, rewards: largest(rewards)),
    "sampleActions": Twin(lambda rng: (logits(rng), rng.random(100).tolist())),
    "reinforceEstimates": Twin(policy_rewards_actions_baseline, lambda s, r, y, b: largest(r, b)),
    "squaredScoreNorms": Twin(policy, lambda s: LAST_PLACES),
    "gradientVariance": Twin(policy_rewards_baseline, lambda s, r, b: largest(np.square(r), b * b)),
    "optimalBaseline": Twin(policy_rewards, lambda s, rewards: largest(rewards)),
    "mean": Twin(lambda rng: (numbers(rng, 57),), largest),
    "variance": Twin(lambda rng: (numbers(rng, 57),), lambda values: largest(np.square(values))),
    "logs": Twin(lambda rng: (law(rng, 6),)),
    # k3 is the sum of an exponential and the ratio itself: where they cancel, the last places of the ratio are left
    "klEstimate": Twin(logprobs_kind, lambda p, q, kind: largest(np.subtract(p, q)), estimates),
    "divergence": Twin(two_laws, lambda p, q: largest(np.log(p), np.log(q)), summed),
    # scipy asks that both laws sum to the same to 1e-8
    "chiSquare": Twin(two_laws, lambda p, q: largest(1 / np.array(q)), statistic),
    "deviation": Twin(values_law, lambda values, p: 1e-7 * float(np.max(np.abs(values))), deviation),
    "drawOutcomes": Twin(lambda rng: (law(rng, 5), rng.random(100).tolist()), call=inverted),
    # below 1e-12 a probability of the best of n is a difference of two powers that are nearly equal
    "bestOfNKL": Twin(law_rewards_n, lambda p, r, n: 1e-11),
    "bestOfNReward": Twin(law_rewards_n, lambda p, r, n: n * largest(r)),
    "withoutTies": Twin(
        lambda rng: (int(rng.integers(1, 500)),), lambda n: LAST_PLACES, lambda log, n: log(n) - (n - 1) / n
    ),
    "frontierReward": Twin(law_rewards_kl, lambda p, r, kl: 1e-11 * float(np.ptp(r)), reward_at),
    "bestOfNForm": Twin(distances_coefficients, lambda d, a, b: 50 * largest(a, b)),
    "rlForm": Twin(distances_coefficients, lambda d, a, b: 50 * largest(a, b)),
    "peakBestOfN": Twin(falling),
    "peakRL": Twin(falling),
    "cumulativeSum": Twin(lambda rng: (numbers(rng, 57),), lambda values: 57 * largest(values)),
    "dot": Twin(lambda rng: (numbers(rng, 5), numbers(rng, 5)), lambda a, b: largest(np.multiply(a, b))),
    # what is below 1e-300 is subnormal, as above
    "sigmoid": Twin(lambda rng: (margins(rng, 2)[0],), lambda value: 1e-300),
    # the annotator takes 1 + tanh, which keeps no digits of a small probability
    "preferenceProbability": Twin(two_rewards_temperature, lambda r, s, t: LAST_PLACES, annotator),
    "bradleyTerryLoss": Twin(chosen_rejected, lambda chosen, rejected: 1e-300, on_tensors),
    "bradleyTerryGradient": Twin(chosen_rejected, lambda chosen, rejected: 1e-300, gradient),
    "pairAccuracy": Twin(margins_votes, lambda m, votes: LAST_PLACES, on_votes),
    "meanLoss": Twin(margins_votes, lambda m, votes: 0.0, mean_on_votes),
    # the library comes to the ratio by log and exp
    "clippedSurrogate": Twin(ratios_advantages_clip, lambda rho, a, clip: largest(a), clipped),
    "clippedGradient": Twin(ratios_advantages_clip, lambda rho, a, clip: largest(a), clipped_gradient),
    "nStepEstimates": Twin(rewards_values_gamma, lambda r, v, gamma: 9 * largest(r, v), n_step_estimates),
    "nStepWeights": Twin(lambda rng: (share(rng), int(rng.integers(1, 9))), lambda *_: LAST_PLACES, n_step_weights),
    "tdErrors": Twin(rewards_values_gamma, lambda r, v, gamma: largest(r, v), td_errors),
    "tdWeights": Twin(lambda rng: (share(rng), share(rng), int(rng.integers(1, 9))), call=td_weights),
    "firstAdvantage": Twin(
        lambda rng: (*rewards_values_gamma(rng), share(rng)), lambda r, v, *_: 9 * largest(r, v), first_advantage
    ),
    "shares": Twin(lambda rng: (rng.random(rng.integers(1, 7)).tolist(),), call=proportions),
    # an exponent of 300 has its own last places, and 300 of them are lost in its exp
    "tilted": Twin(answers_rewards_beta, lambda p, r, beta: LAST_PLACES * (1 + 6 / beta)),
    "partition": Twin(answers_rewards_beta, call=partition),
    "bestObjective": Twin(answers_rewards_beta, lambda p, r, beta: largest(r, beta), best_objective),
    "frontier": Twin(answers_rewards_betas, lambda p, r, betas: LAST_PLACES * (10 + 60 / min(betas))),
    "relativeEntropy": Twin(two_policies, lambda first, second: 10 * LAST_PLACES, relative_entropy),
    "implicitReward": Twin(rewards_of, lambda p, ref, beta: beta * largest(p, ref), on_tensors),
    "dpoLoss": Twin(pairs_smoothing, near_pairs, on_tensors),
    "ipoLoss": Twin(pairs, near_pairs, on_tensors),
    "dpoGradient": Twin(pairs_smoothing, near_pairs, pair_gradient),
    "ipoGradient": Twin(pairs, near_pairs, pair_gradient),
    "smoothedOptimum": Twin(lambda rng: (float(rng.uniform(0.5, 1)),), lambda share: LAST_PLACES),
    "explore": Twin(values_epsilon, lambda *_: LAST_PLACES),
    "upperBounds": Twin(estimates_counts_c),
    "gaps": Twin(lambda rng: (arms(rng),)),
    "regret": Twin(lambda rng: (numbers(rng, 4), actions(rng, 4)), lambda means, _: 40 * largest(means)),
    "play": Twin(race, lambda *_: 40 * LAST_PLACES, played),
    # near q a divergence is what is left of two terms that cancel
    "bernoulliKL": Twin(lambda rng: (arms(rng), float(rng.uniform(0.02, 0.98))), lambda *_: 10 * LAST_PLACES),
    "laiRobbins": Twin(costs_divergences),
    "growth": Twin(
        lambda rng: (float(rng.uniform(0, 50)), rng.integers(1, 3000, 20).tolist()), call=lambda log, c, t: c * log(t)
    ),
    "countLaw": Twin(lambda rng: (share(rng), int(rng.integers(1, 31))), lambda *_: 1e-300, counted),
    "weightsByCount": Twin(two_actions_horizon, call=weights_by_count),
    "weightVariance": Twin(policies_horizon, lambda *_: LAST_PLACES),
    "ordinaryVariance": Twin(policies_rewards_horizon, near_square),
    "weightedVariance": Twin(policies_rewards_horizon, near_square),
    "perDecisionVariance": Twin(policies_rewards_horizon, near_square),
    "importanceWeights": Twin(chances_taken),
    "ordinaryEstimates": Twin(weights_rewards, lambda w, r: 10 * largest(w, r), undiscounted),
    "perDecisionEstimates": Twin(weights_rewards, lambda w, r: 10 * largest(w, r), undiscounted),
    "weightedEstimate": Twin(weights_rewards, lambda w, r: 100 * largest(r), undiscounted),
    # a sum of three chances, in another order
    "gridModel": Twin(layout_slip_rewards, lambda rooms, slip, rewards: largest(rewards, 1.0), grid_model),
    "actionValues": Twin(decision_process, lambda p, r, gamma, v: 10 * largest(r, v), on_mdp),
    "bellmanOptimality": Twin(decision_process, lambda p, r, gamma, v: 10 * largest(r, v), on_mdp),
    "greedyPolicy": Twin(decision_process, call=on_mdp),
    "errorBound": Twin(lambda rng: (float(rng.uniform(0, 0.999)), float(rng.exponential()))),
    "greatestChange": Twin(lambda rng: (numbers(rng, 9), numbers(rng, 9)), call=farthest),
    "uniformNumbers": Twin(lambda rng: (int(rng.integers(2**32)), int(rng.integers(1, 1000))), call=uniforms),
    "randomWalks": Twin(lambda rng: tuple(map(int, (rng.integers(1, 12), rng.integers(2**32), 3))), call=walks),
    "exactValues": Twin(lambda rng: (int(rng.integers(1, 30)),), lambda states: states**2 * LAST_PLACES, walk_values),
    "nStepTD": Twin(walk_values_step_n_moves, lambda walk, v, *_: len(walk) * largest(v, 1.0), n_step),
    "monteCarlo": Twin(walk_values_step, lambda walk, v, step: len(walk) * largest(v, 1.0), every_visit),
    "rootMeanSquare": Twin(lambda rng: (numbers(rng, 9), numbers(rng, 9)), call=inner_error),
    "calibration": Twin(margins_votes_bins, lambda m, votes, bins: LAST_PLACES, curve_on_votes),
}


def function(address: str) -> Callable:
    """The Python function with the address "module:name"."""
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name)


def in_python(name: str, address: str, points: list[tuple]) -> list:
    """What the twin answers at each of the points."""
    twin = function(address)
    return [TWINS[name].call(twin, *point) for point in points]


def close(left: object, right: object, floor: float) -> bool:
    """Whether two answers agree: numbers, arrays of one shape, lists of lists, or records with the same parts."""
    if isinstance(left, dict) or isinstance(right, dict):
        same = isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys()
        return same and all(close(left[part], right[part], floor) for part in left)
    if isinstance(left, list) and isinstance(right, list) and isinstance(left[0], list):  # of different lengths
        return len(left) == len(right) and all(map(close, left, right, [floor] * len(left)))
    return np.shape(left) == np.shape(right) and np.allclose(left, right, rtol=RELATIVE, atol=floor, equal_nan=False)


def differences(name: str, points: list[tuple], ours: list, theirs: list) -> list[str]:
    """A sentence for each point at which the two sides differ by more than the tolerance."""
    return [
        f"{name}{point}: JavaScript {left}, Python {right}"
        for point, left, right in zip(points, ours, theirs, strict=True)
        if not close(left, right, TWINS[name].floor(*point))
    ]
