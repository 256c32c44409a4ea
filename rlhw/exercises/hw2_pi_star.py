"""Question hw2-pi-star: the best policies that never give a forbidden answer, what they imply and what they attain."""

from decimal import Decimal, localcontext

import numpy as np

from rlhw.exercises.forms import all_close, as_lists, from_the_last_row, recipes, row_by_row
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
To each of N prompts there are K answers. The reference gives them the probabilities `ref_probs`, none of them 0, and they
earn `rewards`; both have N rows and K columns. Some answers are forbidden: `allowed` is False there, and a policy may not
give them at all. Every prompt has an allowed answer. Among the policies that keep to this, $\pi^\ast$ is the one that
makes

$J(\pi) = \mathbb E_{y\sim\pi}[r(x, y)] - \beta\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}}), \qquad
\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}}) = \sum_{y:\ \pi(y\mid x) > 0}\pi(y\mid
x)\log\frac{\pi(y\mid x)}{\pi_{\text{ref}}(y\mid x)}$

largest for each prompt. The reference stays as it is: it goes on giving the forbidden answers, and a policy that does not
pays for the difference.

Write `pi_star(ref_probs, rewards, allowed, beta)`. Return three things: the probabilities of $\pi^\ast$ (N rows, K
columns); its *implicit rewards* $\beta\log\frac{\pi^\ast(y\mid x)}{\pi_{\text{ref}}(y\mid x)}$ (N rows, K columns, and 0
where an answer is forbidden); and $J^\ast = J(\pi^\ast)$ of each prompt (N numbers). All must also be right for rewards
of a thousand, of either sign, side by side too.

Before you write: how do implicit rewards and rewards differ, and what has $J^\ast$ to do with it?

Worked: one prompt, $\beta = 1$, reference (0.25, 0.25, 0.5), rewards ($\log 3$, 0, 9), the third answer forbidden. Then
$\pi^\ast$ is (0.75, 0.25, 0), the implicit rewards are ($\log 3$, 0, 0), and $J^\ast$ is 0: what the first answer earns
is just what it costs never to give the third.
"""

STUB = """
def pi_star(ref_probs, rewards, allowed, beta):
    ...
    return policy, implicit, jstar
"""


def pi_star(ref_probs, rewards, allowed, beta):
    exponents = np.where(allowed, np.log(ref_probs) + rewards / beta, -np.inf)
    largest = exponents.max(axis=1, keepdims=True)
    weights = np.exp(exponents - largest)
    log_z = largest + np.log(weights.sum(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    return policy, np.where(allowed, rewards - beta * log_z, 0.0), beta * log_z[:, 0]


def pi_star_by_loop(ref_probs, rewards, allowed, beta):
    import math

    policies, implicit, best = [], [], []
    for ref, reward, may in zip(ref_probs.tolist(), rewards.tolist(), allowed.tolist(), strict=True):
        most = max(r for r, ok in zip(reward, may, strict=True) if ok)
        weights = [p * math.exp((r - most) / beta) if ok else 0.0 for p, r, ok in zip(ref, reward, may, strict=True)]
        best.append(most + beta * math.log(sum(weights)))
        policies.append([w / sum(weights) for w in weights])
        implicit.append([r - best[-1] if ok else 0.0 for r, ok in zip(reward, may, strict=True)])
    return policies, implicit, best


def pi_star_by_allowed_answers(ref_probs, rewards, allowed, beta):
    policy, implicit, jstar = np.zeros(rewards.shape), np.zeros(rewards.shape), np.zeros(len(rewards))
    for n, may in enumerate(allowed):
        log_weights = np.log(ref_probs[n, may]) + rewards[n, may] / beta
        log_policy = log_weights - np.logaddexp.reduce(log_weights)
        policy[n, may] = np.exp(log_policy)
        implicit[n, may] = beta * (log_policy - np.log(ref_probs[n, may]))
        jstar[n] = policy[n] @ (rewards[n] - implicit[n])
    return [policy, implicit, jstar]


def zero_weight(ref_probs, rewards, allowed, beta):
    return np.where(allowed, np.log(ref_probs) + rewards / beta, -np.inf)


def zero_probability(ref_probs, rewards, allowed, beta):
    return np.log(ref_probs * allowed) + rewards / beta


def log_z_of(log_weights):
    return np.logaddexp.reduce(log_weights, axis=1, keepdims=True)


def log_z_centred(log_weights):
    largest = log_weights.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(log_weights - largest).sum(axis=1, keepdims=True))


def log_z_one_by_one(log_weights):
    total = log_weights[:, :1]
    for column in range(1, log_weights.shape[1]):
        total = np.logaddexp(total, log_weights[:, column : column + 1])
    return total


def from_rewards(policy, ref_probs, rewards, beta, log_z):
    return rewards - beta * log_z


def beta_log_z(policy, implicit, rewards, beta, log_z):
    return beta * log_z[:, 0]


def reward_less_price(policy, implicit, rewards, beta, log_z):
    return (policy * (rewards - implicit)).sum(axis=1)


def variant(
    weights=zero_weight, normaliser=log_z_of, implied=from_rewards, objective=beta_log_z, kept=lambda allowed: allowed
):
    """In steps, each of which is done in several ways, right or wrong. `kept` says where implicit rewards stand."""

    def answer(ref_probs, rewards, allowed, beta):
        log_weights = weights(ref_probs, rewards, allowed, beta)
        log_z = normaliser(log_weights)
        policy = np.exp(log_weights - log_z)
        implicit = np.where(kept(allowed), implied(policy, ref_probs, rewards, beta, log_z), 0.0)
        return policy, implicit, objective(policy, implicit, rewards, beta, log_z)

    return answer


def renormalised(ref_probs, rewards, allowed, beta):
    rest = np.where(allowed, ref_probs, 0.0)
    return pi_star(np.where(allowed, rest / rest.sum(axis=1, keepdims=True), ref_probs), rewards, allowed, beta)


def forbidden_in_z(ref_probs, rewards, allowed, beta):
    policy, implicit, jstar = pi_star(ref_probs, rewards, np.ones_like(allowed), beta)
    return np.where(allowed, policy, 0.0), np.where(allowed, implicit, 0.0), jstar


def normalised_after(ref_probs, rewards, allowed, beta):
    _, implicit, jstar = pi_star(ref_probs, rewards, np.ones_like(allowed), beta)
    return pi_star(ref_probs, rewards, allowed, beta)[0], np.where(allowed, implicit, 0.0), jstar


def zero_times_infinity(ref_probs, rewards, allowed, beta):
    policy, implicit, _ = pi_star(ref_probs, rewards, allowed, beta)
    return policy, implicit, (policy * (rewards - beta * np.log(policy / ref_probs))).sum(axis=1)


def overflows(ref_probs, rewards, allowed, beta):
    weights = np.where(allowed, ref_probs * np.exp(rewards / beta), 0.0)
    z = weights.sum(axis=1, keepdims=True)
    return weights / z, np.where(allowed, rewards - beta * np.log(z), 0.0), beta * np.log(z[:, 0])


def draw(rng, forbidden):
    """Rewards about β apart, so that no answer takes all; one answer or two of each prompt are forbidden, the best among them."""
    prompts, k, beta = int(rng.integers(2, 4)), int(rng.integers(4, 6)), float(rng.uniform(0.2, 0.6))
    rewards = beta * (rng.permuted(np.tile(np.arange(k), (prompts, 1)), axis=1) + rng.uniform(-0.3, 0.3, (prompts, k)))
    allowed = np.ones((prompts, k), dtype=bool)
    if forbidden:
        allowed[np.arange(prompts), rewards.argmax(axis=1)] = False
        allowed[0, rewards[0].argmin()] = False
    ref_probs = rng.dirichlet(np.full(k, 3.0), prompts) * 0.9 + 0.1 / k
    return ref_probs, rewards + rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0), allowed, beta


def draw_large(rng):
    """Rewards near a thousand, or near minus a thousand; and one allowed answer of the last prompt with the other sign."""
    ref_probs, rewards, allowed, beta = draw(rng, True)
    far = np.full(rewards.shape, rng.choice([-1.0, 1.0]) * rng.uniform(900.0, 1100.0))
    far[-1, rng.choice(np.flatnonzero(allowed[-1]))] *= -1.0
    return ref_probs, rewards + far, allowed, beta


def expected(ref_probs, rewards, allowed, beta):
    """The weights themselves, in decimal numbers of 40 digits; then what the policy earns and pays, summed up."""
    policies, implicit = np.zeros(rewards.shape), np.zeros(rewards.shape)
    best = np.zeros(len(rewards))
    with localcontext() as context:
        context.prec, price = 40, Decimal(beta)
        for n in range(len(rewards)):
            ref = {k: Decimal(float(ref_probs[n, k])) for k in np.flatnonzero(allowed[n])}
            reward = {k: Decimal(float(rewards[n, k])) for k in ref}
            weights = {k: ref[k] * (reward[k] / price).exp() for k in ref}
            policy = {k: weights[k] / sum(weights.values()) for k in ref}
            implied = {k: price * (policy[k] / ref[k]).ln() for k in ref}
            for k in ref:
                policies[n, k], implicit[n, k] = float(policy[k]), float(implied[k])
            best[n] = float(sum(policy[k] * (reward[k] - implied[k]) for k in ref))
    return policies, implicit, best


RIGHT = {
    "model": pi_star,
    "loop": pi_star_by_loop,
    "allowed answers only": pi_star_by_allowed_answers,
    **recipes(
        variant,
        {"no weight": zero_weight, "no probability": zero_probability},
        {"logaddexp": log_z_of, "centred": log_z_centred, "one by one": log_z_one_by_one},
        {"rewards less beta log Z": from_rewards},
        {"beta log Z": beta_log_z, "reward less price": reward_less_price},
    ),
    "as lists": as_lists(pi_star),
    "row by row": row_by_row(pi_star, 3),
    "from the last row": from_the_last_row(pi_star, 3),
}

QUESTION = Question(
    name="hw2-pi-star",
    title="The best policy that keeps to the rules",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (π*, its implicit rewards, J*): the reference times e to the reward over β on the allowed answers, made to "
        "sum to one; β times the logarithm of its ratio to the reference; its reward less β times its KL. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("everything allowed", 2, lambda rng: draw(rng, False)),
        Part("forbidden answers", 2, lambda rng: draw(rng, True)),
        Part("rewards of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "renormalised reference": Wrong(
            renormalised,
            "You made the reference sum to one over the allowed answers first. The policy comes out right, but KL is to the "
            "reference as it is: never to give what it gives has a price.",
        ),
        "rules ignored": Wrong(
            variant(weights=lambda ref_probs, rewards, allowed, beta: np.log(ref_probs) + rewards / beta),
            "Your policy gives forbidden answers.",
        ),
        "forbidden earn 0": Wrong(
            variant(
                weights=lambda ref_probs, rewards, allowed, beta: (
                    np.log(ref_probs) + np.where(allowed, rewards / beta, 0.0)
                )
            ),
            "You gave forbidden answers the reward 0. That makes them no more than a little worse, or even better: their weight "
            "is 0, whatever they would earn.",
        ),
        "forbidden in Z": Wrong(
            forbidden_in_z,
            "Your policy does not sum to one: the forbidden answers still stand in what you divided by.",
        ),
        "normalised after": Wrong(
            normalised_after,
            "Your policy is right. In implicit rewards and J* the forbidden answers still have a part: their Z is that of all "
            "answers.",
        ),
        "implicit at forbidden": Wrong(
            variant(kept=lambda allowed: np.ones_like(allowed)),
            "Where an answer is forbidden its implicit reward was to be 0 in your table.",
        ),
        "rewards themselves": Wrong(
            variant(implied=lambda policy, ref_probs, rewards, beta, log_z: rewards),
            "You returned the rewards for the implicit ones. They agree only up to a shift of each prompt: which?",
        ),
        "beta forgotten in the implicit": Wrong(
            variant(implied=lambda policy, ref_probs, rewards, beta, log_z: rewards / beta - log_z),
            "Your implicit rewards are log-ratios. β belongs in front.",
        ),
        "implicit upside down": Wrong(
            variant(implied=lambda policy, ref_probs, rewards, beta, log_z: beta * log_z - rewards),
            "Your implicit rewards have the wrong sign: the ratio is upside down.",
        ),
        "log Z for the best": Wrong(
            variant(objective=lambda policy, implicit, rewards, beta, log_z: log_z[:, 0]),
            "Policy and implicit rewards are right. You returned log Z, and J* is β log Z.",
        ),
        "reward without the price": Wrong(
            variant(objective=lambda policy, implicit, rewards, beta, log_z: (policy * rewards).sum(axis=1)),
            "Policy and implicit rewards are right. J* is not what π* earns alone: β times its KL comes off.",
        ),
        "price added": Wrong(
            variant(
                objective=lambda policy, implicit, rewards, beta, log_z: (policy * (rewards + implicit)).sum(axis=1)
            ),
            "Policy and implicit rewards are right. In J* the price of KL has its sign flipped: you pay the policy for "
            "leaving the reference.",
        ),
        "greedy objective": Wrong(
            lambda ref_probs, rewards, allowed, beta: (
                *pi_star(ref_probs, rewards, allowed, beta)[:2],
                np.where(allowed, rewards, -np.inf).max(axis=1),
            ),
            "Policy and implicit rewards are right. The largest reward is what one gets when leaving the reference costs "
            "nothing.",
        ),
        "multiplied by beta": Wrong(
            variant(
                weights=lambda ref_probs, rewards, allowed, beta: zero_weight(ref_probs, rewards, allowed, 1 / beta)
            ),
            "You multiplied the rewards by β. The dearer it is to leave the reference, the nearer to it the best policy is.",
        ),
        "no reference": Wrong(
            variant(
                weights=lambda ref_probs, rewards, allowed, beta: zero_weight(
                    np.ones_like(ref_probs), rewards, allowed, beta
                )
            ),
            "The reference has no part in your weights.",
        ),
        "logarithm of the policy": Wrong(
            variant(implied=lambda policy, ref_probs, rewards, beta, log_z: beta * np.log(policy / ref_probs)),
            "Right for ordinary rewards. Where a probability is rounded to 0 its logarithm is lost: get the implicit reward "
            "from the logarithm of the weights, before e is raised to it.",
        ),
        "zero times infinity": Wrong(
            zero_times_infinity,
            "J* is nan where a probability is 0, for 0 times the logarithm of 0 is nan. The sum in KL runs over the answers "
            "that the policy gives.",
        ),
        "log of a sum that overflows": Wrong(
            variant(normaliser=lambda log_weights: np.log(np.exp(log_weights).sum(axis=1, keepdims=True))),
            "Right for ordinary rewards, but e to the power of thousands is infinite, or 0, before you take the logarithm. "
            "Which function of numpy adds exponentials in logarithms?",
        ),
        "one Z for all": Wrong(
            variant(
                normaliser=lambda log_weights: np.full((len(log_weights), 1), np.logaddexp.reduce(log_weights.ravel()))
            ),
            "You divided by one number for all prompts. Each prompt's probabilities sum to one.",
        ),
        "overflows": Wrong(
            overflows,
            "Right for ordinary rewards, but e to the power of thousands is infinite, or 0, and you divide by it. The same "
            "number taken from all exponents of a prompt changes no ratio.",
        ),
    },
    agrees=all_close,
)
