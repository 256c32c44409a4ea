"""Question ch9-scale-bias: the weight of a prompt under GRPO's scale."""

from itertools import product
from math import comb, sqrt

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Answers to a prompt are right (reward 1) with probability $p$, else wrong (reward 0). Of $K$ answers $m$ are right. GRPO's
advantage is the reward less the mean of the group, over the group's standard deviation (the one with $K - 1$; where all
rewards are equal the advantage is 0). The mean update is then $w\,\nabla p$. Write `weight(p, k)`, which returns $w$.
Begun for you: given $m$, the update's mean is $\sqrt{\frac{K-1}{K}}\,\sqrt{\frac mK(1-\frac mK)}\;\frac{\nabla p}{p(1-p)}$.
"""

STUB = """
def weight(p, k):
    given_m = [np.sqrt((k - 1) / k) * np.sqrt(m / k * (1 - m / k)) for m in range(k + 1)]
    ...  # their mean over m, and what else multiplies ∇p
"""


def weight(p, k):
    given_m = [np.sqrt((k - 1) / k) * np.sqrt(m / k * (1 - m / k)) for m in range(k + 1)]
    chances = np.array([1.0])
    for _ in range(k):
        chances = np.convolve(chances, [1 - p, p])  # of 0, 1, 2, … right answers so far
    return chances @ given_m / (p * (1 - p))


def weight_by_binomials(p, k):
    total = 0.0
    for m in range(k + 1):
        total += comb(k, m) * p**m * (1 - p) ** (k - m) * sqrt(m * (k - m) * (k - 1) / k**3)
    return float(total) / (p - p * p)


def spread(p, k, power=0.5):
    return sum(comb(k, m) * p**m * (1 - p) ** (k - m) * (m / k * (1 - m / k)) ** power for m in range(k + 1))


def not_divided(p, k):
    return weight(p, k) * p * (1 - p)


def limit(p, k):
    return 1 / sqrt(p * (1 - p))


def deviation_with_k(p, k):
    return weight(p, k) * sqrt(k / (k - 1))


def no_binomial(p, k):
    """The number of groups with m right ones forgotten."""
    return sum(p**m * (1 - p) ** (k - m) * sqrt((k - 1) / k) * sqrt(m / k * (1 - m / k)) for m in range(k + 1)) / (
        p * (1 - p)
    )


def without_root(p, k):
    return sqrt((k - 1) / k) * spread(p, k, 1.0) / (p * (1 - p))


def no_scale(p, k):
    return (k - 1) / k


def tied_left_out(p, k):
    return weight(p, k) / (1 - p**k - (1 - p) ** k)


def wrong_root(p, k):
    return weight(p, k) * sqrt(p * (1 - p))


def draw(rng):
    return float(rng.uniform(0.05, 0.95)), int(rng.integers(3, 9))


def expected(p, k):
    """By a sum over all 2^K groups, for a policy with one logit: a right answer has the score 1 - p, a wrong one -p."""
    total = 0.0
    for group in product((0.0, 1.0), repeat=k):
        rewards = np.array(group)
        if rewards.min() < rewards.max():
            advantages = (rewards - rewards.mean()) / rewards.std(ddof=1)
            chance = np.prod(np.where(rewards == 1, p, 1 - p))
            total += chance * float(advantages @ np.where(rewards == 1, 1 - p, -p)) / k
    return total / (p * (1 - p))


QUESTION = Question(
    name="ch9-scale-bias",
    title="What the scale weighs",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The weight is the mean over m of what is given, with the chance of m right answers, over p (1 - p). Yours differs.",
    expected=expected,
    parts=(Part("any prompt, any K", 4, draw),),
    right={"model": weight, "binomial coefficients": weight_by_binomials},
    wrong={
        "not divided": Wrong(
            not_divided,
            "The sum is right. What multiplies ∇p was asked for, and the sum still has to be divided by p (1 - p).",
        ),
        "limit": Wrong(
            limit, "That is the weight for very large K. A small group seldom sees how rare right answers are."
        ),
        "deviation with K": Wrong(
            deviation_with_k,
            "Your standard deviation divides by K. With K - 1 it is larger, and the weight smaller by the root of (K - 1)/K.",
        ),
        "no binomial coefficient": Wrong(
            no_binomial,
            "Your chance is that of one group with m right answers. How many such groups are there?",
        ),
        "without the root": Wrong(
            without_root,
            "You averaged m/K (1 - m/K) itself. It is its root that the division by the deviation leaves.",
        ),
        "no scale": Wrong(
            no_scale,
            "That is the weight of the centred rewards, the same for every prompt. The scale was to be divided by.",
        ),
        "tied groups left out": Wrong(
            tied_left_out,
            "You averaged over groups whose rewards differ. Those that are all right or all wrong count, with update zero.",
        ),
        "root of the variance": Wrong(
            wrong_root,
            "You divided by the root of p (1 - p). By p (1 - p) itself: it comes from the mean scores, 1/p and 1/(1 - p).",
        ),
    },
)
