"""Question b4-importance-sampling: the value of another policy from one episode."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
One episode was played by a policy $\mu$. Given are, for its $T$ steps, the probabilities `pi` and `mu` that the two
policies give to the actions taken, and the `rewards`. Return two estimates of the value of $\pi$, as an array: the
*ordinary* one (the whole discounted return by the product of all ratios), and the *per-decision* one (each discounted
reward by the product of the ratios up to and including its own step). The first reward is not discounted. Begun for you:
the ratios.
"""

STUB = """
def estimates(pi, mu, rewards, gamma):
    ratios = pi / mu
    ...
"""


def estimates(pi, mu, rewards, gamma):
    weights = np.cumprod(pi / mu)
    discounted = gamma ** np.arange(len(rewards)) * rewards
    return np.array([weights[-1] * discounted.sum(), weights @ discounted])


def estimates_by_loop(pi, mu, rewards, gamma):
    weight, discount, total, per_decision = 1.0, 1.0, 0.0, 0.0
    for p, m, r in zip(pi, mu, rewards, strict=True):
        weight *= p / m
        total += discount * r
        per_decision += weight * discount * r
        discount *= gamma
    return [weight * total, per_decision]


def estimates_backwards(pi, mu, rewards, gamma):
    value = 0.0
    for p, m, r in zip(pi[::-1], mu[::-1], rewards[::-1], strict=True):
        value = p / m * (r + gamma * value)
    return np.prod(pi) / np.prod(mu) * np.polyval(rewards[::-1], gamma), value


def _with(weights, discount=lambda gamma, n: gamma ** np.arange(n)):
    def wrong(pi, mu, rewards, gamma):
        ordinary, own = weights(pi / mu)
        discounted = discount(gamma, len(rewards)) * rewards
        return np.array([ordinary * discounted.sum(), own @ discounted])

    return wrong


def upside_down(pi, mu, rewards, gamma):
    return estimates(mu, pi, rewards, gamma)


def exchanged(pi, mu, rewards, gamma):
    return estimates(pi, mu, rewards, gamma)[::-1]


def divided_by_weights(pi, mu, rewards, gamma):
    weights = np.cumprod(pi / mu)
    discounted = gamma ** np.arange(len(rewards)) * rewards
    return np.array([discounted.sum(), weights @ discounted / weights.sum()])


def unweighted(pi, mu, rewards, gamma):
    return np.full(2, (gamma ** np.arange(len(rewards)) * rewards).sum())


def draw(rng):
    steps = int(rng.integers(3, 7))
    return (
        rng.uniform(0.1, 0.9, steps),
        rng.uniform(0.1, 0.9, steps),
        rng.uniform(0.5, 2.0, steps),
        float(rng.uniform(0.5, 0.9)),
    )


def expected(pi, mu, rewards, gamma):
    """By sums of products, a loop in a loop."""
    products = [np.prod([pi[k] / mu[k] for k in range(t + 1)]) for t in range(len(pi))]
    ordinary = sum(gamma**t * products[-1] * rewards[t] for t in range(len(pi)))
    return np.array([ordinary, sum(gamma**t * products[t] * rewards[t] for t in range(len(pi)))])


QUESTION = Question(
    name="b4-importance-sampling",
    title="The value of another policy from one episode",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "The first is the product of all ratios times the discounted return; the second weighs each discounted reward by "
        "the ratios so far. Yours differs."
    ),
    expected=expected,
    parts=(Part("any episode", 8, draw),),
    right={"model": estimates, "loop": estimates_by_loop, "backwards": estimates_backwards},
    wrong={
        "upside down": Wrong(
            upside_down,
            "The ratio is upside down: what π does often and μ seldom must count for more, so π stands above.",
        ),
        "own ratio only": Wrong(
            _with(lambda rho: (rho[-1], rho)),
            "Each reward got the ratio of its own step. It also took all the steps before to come there: multiply.",
        ),
        "sum of ratios": Wrong(
            _with(lambda rho: (rho.sum(), np.cumsum(rho))),
            "You added the ratios up. The probability of an episode is a product, so ratios multiply.",
        ),
        "mean of ratios": Wrong(
            _with(lambda rho: (rho.mean(), np.cumsum(rho) / np.arange(1, len(rho) + 1))),
            "You averaged the ratios. Independent choices multiply their probabilities; a mean has no such meaning.",
        ),
        "one step late": Wrong(
            _with(lambda rho: (np.prod(rho), np.concatenate([[1.0], np.cumprod(rho)[:-1]]))),
            "The first number is right. In the second the ratio of a reward's own step is missing: that action earned it.",
        ),
        "from here on": Wrong(
            _with(lambda rho: (np.prod(rho), np.cumprod(rho[::-1])[::-1])),
            "The first number is right. In the second you multiplied the ratios from the step to the end; those so far count.",
        ),
        "ordinary twice": Wrong(
            _with(lambda rho: (np.prod(rho), np.full(len(rho), np.prod(rho)))),
            "Both numbers are the ordinary estimate. Per decision, no reward is weighted by choices made after it.",
        ),
        "gamma forgotten": Wrong(
            _with(lambda rho: (np.prod(rho), np.cumprod(rho)), lambda gamma, n: np.ones(n)),
            "The weights are right; the rewards are not discounted.",
        ),
        "first reward discounted": Wrong(
            _with(lambda rho: (np.prod(rho), np.cumprod(rho)), lambda gamma, n: gamma ** np.arange(1, n + 1)),
            "Everything is discounted one step too far: the first reward counts in full.",
        ),
        "exchanged": Wrong(exchanged, "Both numbers are right, in the wrong order: the ordinary estimate comes first."),
        "divided by weights": Wrong(
            divided_by_weights,
            "You divided by the sum of the weights. Over many episodes that is weighted importance sampling; of one "
            "episode it is the return itself.",
        ),
        "unweighted": Wrong(unweighted, "This is the plain return: an estimate of the value of μ, not of π."),
    },
)
