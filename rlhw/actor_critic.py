"""Policy gradients on a Markov decision process: the theorem, exact; REINFORCE, one-step actor-critic, and GAE in numpy.

The policy is a table of logits, π(a|s) = softmax(θ_s)_a, and the objective J(θ) = Σ_s start(s) v_π(s): what an episode
earns, discounted, from its start state. Chapter B6. Steps that are limited by a KL stand in `rlhw.trust_region`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from rlhw.dynamic_programming import action_values, discounted_visits, solve_policy
from rlhw.mdp import MDP, Episodes, episodes, invert

Array = np.ndarray


def state_softmax(logits: Float[Array, "*R A"]) -> Float[Array, "*R A"]:
    """The policy of a table of logits: π(a|s) = exp(θ_sa) / Σ_b exp(θ_sb), one softmax for each state.

    Raises ValueError when a logit is not finite, naming its place.

    >>> state_softmax(np.log([[1.0, 3.0], [2.0, 2.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    if not np.all(np.isfinite(logits)):
        place = ", ".join(str(i) for i in np.argwhere(~np.isfinite(logits))[0])
        raise ValueError(f"logits must be finite; logits[{place}] is not.")
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def objective(mdp: MDP, logits: Float[Array, "S A"]) -> float:
    """J(θ) = Σ_s start(s) v_π(s): the expected discounted sum of rewards of an episode. Exact, by one linear solve.

    >>> from rlhw.worlds import random_walk
    >>> round(objective(random_walk(5), np.zeros((7, 2))), 6)  # from the middle: left and right are equally far
    0.5
    """
    return float(mdp.start @ solve_policy(mdp, state_softmax(logits)))


def exact_advantages(mdp: MDP, policy: Float[Array, "S A"]) -> Float[Array, "S A"]:
    """A_π(s, a) = q_π(s, a) - v_π(s): what the action brings beyond the policy's average there. Σ_a π(a|s) A_π(s, a) = 0.

    >>> from rlhw.mdp import uniform_policy
    >>> from rlhw.worlds import random_walk
    >>> mdp = random_walk(1)
    >>> exact_advantages(mdp, uniform_policy(mdp))[1]  # left and right of the only cell
    array([-0.5,  0.5])
    """
    values = solve_policy(mdp, policy)
    return action_values(mdp, values) - values[:, None]


def policy_gradient(mdp: MDP, logits: Float[Array, "S A"]) -> Float[Array, "S A"]:
    """The policy-gradient theorem for a table of logits, exact: ∂J/∂θ_sa = d_π(s) π(a|s) A_π(s, a).

    d_π(s) = Σ_t γ^t P(s_t = s) counts visits discounted from the start: without γ^t it is the gradient of nothing that
    anybody asked for. Source: Sutton et al. (2000), theorem 1.

    >>> from rlhw.worlds import random_walk
    >>> policy_gradient(random_walk(1), np.zeros((3, 2)))[1]
    array([-0.25,  0.25])
    """
    policy = state_softmax(logits)
    return discounted_visits(mdp, policy)[:, None] * policy * exact_advantages(mdp, policy)


def reinforce_gradients(
    policy: Float[Array, "S A"], seen: Episodes, gamma: float, baseline: Float[Array, " S"]
) -> Float[Array, "N S A"]:
    """One estimate of the gradient an episode: Σ_t γ^t (G_t - b(s_t)) ∇ log π(a_t|s_t), G_t the discounted return from t.

    Unbiased for every baseline of states that was fixed before the episodes were drawn by this very policy, if they ran
    to their end. Source: Sutton & Barto (2018), section 13.4.

    >>> one = Episodes(np.array([[0, 1]]), np.array([[1]]), np.array([[3.0]]), np.array([[True]]))
    >>> reinforce_gradients(np.full((2, 2), 0.5), one, gamma=0.9, baseline=np.array([1.0, 0.0]))[0]
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    states = seen.states[:, :-1]
    advantages, _ = gae(seen.rewards, baseline[states], seen.mask, gamma, lam=1.0)
    weights = gamma ** np.arange(states.shape[1]) * advantages
    scores = np.eye(policy.shape[1])[seen.actions] - policy[states]
    estimates = np.zeros((len(states), *policy.shape))
    np.add.at(estimates, (np.arange(len(states))[:, None], states), weights[..., None] * scores)
    return estimates


class Learned(NamedTuple):
    """After an update of `reinforce`: logits, baseline, and of its episodes the mean return and the number of steps."""

    logits: Float[Array, "S A"]
    values: Float[Array, " S"]
    earned: float
    steps: int


def reinforce(
    mdp: MDP, *, step_size: float, value_rate: float, batch: int, steps: int, rng: np.random.Generator
) -> Iterator[Learned]:
    """REINFORCE with a learned baseline, from the uniform policy: a step along the mean estimate of `batch` episodes.

    The baseline of a state moves by `value_rate` towards the mean return seen from there, after the step: the episodes
    of a step never saw it. value_rate = 0 leaves it at 0: no baseline. Raises ValueError when batch is below 1. Source:
    Williams (1992).

    >>> from rlhw.worlds import random_walk
    >>> rng, setting = np.random.default_rng(0), {"step_size": 0.5, "value_rate": 0.1, "batch": 10, "steps": 50}
    >>> *_, last = reinforce(random_walk(5), rng=rng, **setting)
    >>> objective(random_walk(5), last.logits) > 0.9
    True
    """
    if batch < 1:
        raise ValueError(f"batch must be 1 or more episodes a step; got {batch}.")
    logits, values = np.zeros(mdp.rewards.shape), np.zeros(len(mdp.start))
    for _ in range(steps):
        policy = state_softmax(logits)
        seen = episodes(mdp, policy, batch, rng)
        logits = logits + step_size * reinforce_gradients(policy, seen, mdp.gamma, values).mean(axis=0)
        returns, _ = gae(seen.rewards, np.zeros(seen.rewards.shape), seen.mask, mdp.gamma, lam=1.0)
        visited, here = seen.states[:, :-1][seen.mask], returns[seen.mask]
        visits = np.bincount(visited, minlength=len(values))
        errors = np.bincount(visited, here - values[visited], minlength=len(values))
        values = values + value_rate * errors / np.maximum(visits, 1)
        yield Learned(logits, values, float(returns[:, 0].mean()), int(seen.mask.sum()))


class Step(NamedTuple):
    """One step of R actor-critics side by side: what each saw, and its tables after it has learned from that."""

    states: Int[Array, " R"]
    actions: Int[Array, " R"]
    rewards: Float[Array, " R"]
    following: Int[Array, " R"]
    logits: Float[Array, "R S A"]
    values: Float[Array, "R S"]


def actor_critic(
    mdp: MDP, *, step_size: float, value_rate: float, runs: int, steps: int, rng: np.random.Generator
) -> Iterator[Step]:
    """One-step actor-critic: `runs` independent learners, each from the uniform policy and a critic that says 0.

    At each step δ = r + γ V(s') - V(s); the critic moves V(s) by value_rate δ, the actor θ by step_size γ^t δ ∇ log π(a|s).
    After a terminal state the next episode begins, and t with it. Raises ValueError when there is no terminal state: γ^t
    would go to 0 and the actor would fall asleep. Source: Sutton & Barto (2018), section 13.5.

    >>> from rlhw.worlds import random_walk
    >>> rng = np.random.default_rng(0)
    >>> *_, last = actor_critic(random_walk(5), step_size=0.5, value_rate=0.2, runs=3, steps=2000, rng=rng)
    >>> [objective(random_walk(5), logits) > 0.9 for logits in last.logits]
    [True, True, True]
    """
    if not mdp.terminal.any():
        raise ValueError("mdp must have a terminal state: actor_critic learns from episodes that end.")
    each, first_law = np.arange(runs), np.broadcast_to(np.cumsum(mdp.start), (runs, len(mdp.start)))
    logits, values = np.zeros((runs, *mdp.rewards.shape)), np.zeros((runs, len(mdp.start)))
    states, discount = invert(first_law, rng.random(runs)), np.ones(runs)
    for _ in range(steps):
        policies = state_softmax(logits[each, states])
        actions = invert(np.cumsum(policies, axis=1), rng.random(runs))
        rewards, following = mdp.step(states, actions, rng.random(runs))
        # A terminal state earns 0 and leads to itself, so its value never leaves 0.
        errors = rewards + mdp.gamma * values[each, following] - values[each, states]
        logits, values = logits.copy(), values.copy()
        values[each, states] += value_rate * errors
        scores = np.eye(policies.shape[1])[actions] - policies
        logits[each, states] += step_size * (discount * errors)[:, None] * scores
        yield Step(states, actions, rewards, following, logits, values)
        ended = mdp.terminal[following]
        states = np.where(ended, invert(first_law, rng.random(runs)), following)
        discount = np.where(ended, 1.0, mdp.gamma * discount)


def gae(
    rewards: Float[Array, "*N T"], values: Float[Array, "*N T"], mask: Bool[Array, "*N T"], gamma: float, lam: float
) -> tuple[Float[Array, "*N T"], Float[Array, "*N T"]]:
    """(advantages, returns) by one matrix: A_t = Σ_l (γλ)^l δ_{t+l} with δ_t = r_t + γ V_{t+1} - V_t, and A_t + V_t.

    `rlhw.ppo.gae` runs backwards through time; this multiplies all TD errors by the table of (γλ)^l. The same law holds
    both. After a row's last step V is 0, and under the mask all is 0. λ = 1 gives the Monte Carlo return less V_t, λ = 0
    the TD error. Raises ValueError when gamma or lam is outside [0, 1]. Source: Schulman et al. (2016), equation 16.

    >>> gae(np.array([1.0, 2.0]), np.array([0.5, 1.0]), np.array([True, True]), gamma=1.0, lam=0.5)
    (array([2., 1.]), array([2.5, 2. ]))
    """
    _unit("gamma", gamma)
    _unit("lam", lam)
    rewards, values = np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)
    following = np.concatenate([values[..., 1:], np.zeros((*values.shape[:-1], 1))], axis=-1)
    errors = rewards + gamma * following - values
    steps = np.arange(values.shape[-1])
    later = steps[:, None] - steps
    weights = np.where(later >= 0, (gamma * lam) ** np.abs(later), 0.0)
    advantages = errors @ weights
    return advantages, advantages + values


def _unit(name: str, number: float) -> None:
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be in [0, 1]; got {number}.")
