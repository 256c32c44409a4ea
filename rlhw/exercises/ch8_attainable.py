"""Question ch8-attainable: the best objective there is, from weighted samples."""

import math
from fractions import Fraction

import numpy as np
from scipy.special import logsumexp

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The largest objective that any policy can reach on a question is
$J^\ast = \beta\log\mathbb E_{y\sim\pi_{\text{ref}}}[e^{r(y)/\beta}]$. You have $N$ answers, drawn from another law $q$ that
meets the good answers more often: `rewards` holds their rewards, `log_weights` the logarithms of
$\pi_{\text{ref}}(y)/q(y)$.

Finish `attainable(rewards, log_weights, beta)`: return the estimate of $J^\ast$ in which the expectation is replaced by the
mean over the $N$ answers, each with its weight. Rewards may be in the thousands; the exponential of such a number is not.
"""

STUB = """
def attainable(rewards, log_weights, beta):
    exponents = ...
    ...
"""


def attainable(rewards, log_weights, beta):
    exponents = rewards / beta + log_weights
    top = exponents.max()
    return beta * (top + np.log(np.mean(np.exp(exponents - top))))


def attainable_by_scipy(rewards, log_weights, beta):
    return beta * (logsumexp(rewards / beta + log_weights) - np.log(len(rewards)))


def attainable_one_by_one(rewards, log_weights, beta):
    total = -np.inf
    for reward, log_weight in zip(rewards, log_weights, strict=True):
        total = np.logaddexp(total, reward / beta + log_weight)
    return float(beta * (total - math.log(len(rewards))))


def overflowing(rewards, log_weights, beta):
    return beta * np.log(np.mean(np.exp(log_weights) * np.exp(rewards / beta)))


def unweighted(rewards, log_weights, beta):
    return attainable(rewards, np.zeros_like(rewards), beta)


def mean_reward(rewards, log_weights, beta):
    return np.mean(np.exp(log_weights) * rewards)


def best_seen(rewards, log_weights, beta):
    return rewards.max()


def summed(rewards, log_weights, beta):
    return beta * logsumexp(rewards / beta + log_weights)


def beta_forgotten(rewards, log_weights, beta):
    return logsumexp(rewards / beta + log_weights) - np.log(len(rewards))


def multiplied(rewards, log_weights, beta):
    return (logsumexp(rewards * beta + log_weights) - np.log(len(rewards))) / beta


def weights_tempered(rewards, log_weights, beta):
    return beta * (logsumexp((rewards + log_weights) / beta) - np.log(len(rewards)))


def weights_turned_round(rewards, log_weights, beta):
    return attainable(rewards, -log_weights, beta)


def weights_not_logs(rewards, log_weights, beta):
    return attainable(rewards, np.exp(log_weights), beta)


def drawn(rng, shift):
    """The weights stay below 0.9, as those of good answers do, so that leaving them out always shows."""
    count = int(rng.integers(5, 12))
    weights = rng.uniform(0.2, 0.9, count)
    rewards = shift + rng.normal(1.0, 0.8, count)
    return rewards, np.log(weights), float(rng.uniform(0.3, 0.8))


def expected(rewards, log_weights, beta):
    """Less the best reward everything is at most 1: so the sum may be taken term by term, smallest first, with math.fsum."""
    best = float(max(rewards))
    terms = [math.exp(float(w) + (float(r) - best) / beta) for r, w in zip(rewards, log_weights, strict=True)]
    return best + beta * math.log(Fraction(math.fsum(sorted(terms))) / len(rewards))


QUESTION = Question(
    name="ch8-attainable",
    title="The best that is possible",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="It is beta times the logarithm of the mean of weight · exp(reward/beta). Yours differs.",
    expected=expected,
    parts=(
        Part("small rewards", 4, lambda rng: drawn(rng, 0.0)),
        Part("rewards in the thousands", 2, lambda rng: drawn(rng, 1500.0)),
    ),
    right={
        "largest taken out": attainable,
        "scipy": attainable_by_scipy,
        "one by one": attainable_one_by_one,
    },
    wrong={
        "overflows": Wrong(
            overflowing,
            "Right for small rewards. The exponential of a reward in the thousands is infinite: take the largest exponent "
            "out of the sum first.",
        ),
        "no weights": Wrong(
            unweighted,
            "You left out the weights. The answers come from another law than the reference, one that meets good answers "
            "more often: without weights the estimate is too high.",
        ),
        "mean reward": Wrong(
            mean_reward,
            "You estimated the reference's own reward. The best policy earns more: the mean is taken of exp(r/beta), and the "
            "logarithm after it.",
        ),
        "best answer seen": Wrong(
            best_seen,
            "You took the best answer seen. To give it always, a policy would have to pay for leaving the reference.",
        ),
        "summed": Wrong(
            summed,
            "You summed where a mean was asked for: log N is still to be subtracted.",
        ),
        "beta forgotten": Wrong(
            beta_forgotten,
            "Your logarithm is right; to be in units of the reward it must be multiplied by beta.",
        ),
        "multiplied by beta": Wrong(
            multiplied,
            "You multiplied the rewards by beta and divided at the end. A dear KL (large beta) makes the reward count less: "
            "divide first, multiply at the end.",
        ),
        "weights divided by beta": Wrong(
            weights_tempered,
            "You divided the logarithms of the weights by beta too. Only the reward is; a weight is no reward.",
        ),
        "weights turned round": Wrong(
            weights_turned_round,
            "You divided by the weights. They are already reference over sampling law: multiply.",
        ),
        "weights for their logarithms": Wrong(
            weights_not_logs,
            "You added the weights themselves in the exponent. There their logarithms belong, as they are given.",
        ),
    },
)
