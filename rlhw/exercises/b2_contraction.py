"""Question b2-contraction: how many sweeps are surely enough."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The first sweep of value iteration changed $v$ by $c$ in the maximum norm: $\lVert v_1 - v_0\rVert = c$. From this alone,
and from the contraction, say after how many sweeps in all the values are *surely* within `tolerance` of $v^\ast$. Write
`sweeps_enough(gamma, change, tolerance)`: the smallest whole number $k$ for which the contraction guarantees
that $\lVert v_k - v^\ast\rVert$ is at most `tolerance`, for every process with this $\gamma$ (between 0 and 1, neither of
them). First find a bound of $\lVert v_0 - v^\ast\rVert$.
"""

STUB = """
def sweeps_enough(gamma, change, tolerance):
    ...
"""


def sweeps_enough(gamma, change, tolerance):
    start = change / (1 - gamma)
    return max(0, int(np.ceil(np.log(tolerance / start) / np.log(gamma))))


def sweeps_enough_by_counting(gamma, change, tolerance):
    error, k = change / (1 - gamma), 0
    while error > tolerance:
        error, k = gamma * error, k + 1
    return k


def sweeps_enough_by_another_base(gamma, change, tolerance):
    steps = math.log2(change) - math.log2(1 - gamma) - math.log2(tolerance)
    return max(0, int(steps / -math.log2(gamma)) + 1)


def _count(first, gamma, tolerance):
    return max(0, math.ceil(math.log(tolerance / first) / math.log(gamma)))


def start_taken_for_change(gamma, change, tolerance):
    return _count(change, gamma, tolerance)


def one_too_few(gamma, change, tolerance):
    return _count(change / (1 - gamma), gamma, tolerance) - 1


def one_too_many(gamma, change, tolerance):
    return _count(change / (1 - gamma), gamma, tolerance) + 1


def not_rounded(gamma, change, tolerance):
    return math.log(tolerance / (change / (1 - gamma))) / math.log(gamma)


def factor_multiplied(gamma, change, tolerance):
    return _count(change * (1 - gamma), gamma, tolerance)


def twice(gamma, change, tolerance):
    return 2 * _count(change / (1 - gamma), gamma, tolerance)


def linear(gamma, change, tolerance):
    return math.ceil(change / (1 - gamma) / tolerance)


def relative(gamma, change, tolerance):
    return _count(1.0, gamma, tolerance)


def draw(rng):
    # Not near an edge: a rounding must not decide the count.
    while True:
        gamma, change = float(rng.uniform(0.6, 0.97)), float(rng.uniform(2.0, 9.0))
        tolerance = float(10 ** rng.uniform(-6, -2))
        exact = not_rounded(gamma, change, tolerance)
        if 0.02 < exact % 1 < 0.98:
            return gamma, change, tolerance


def expected(gamma, change, tolerance):
    """The whole numbers one by one: what is still to come is change · γᵏ (1 + γ + γ² + …)."""
    k, power = 0, 1.0
    while change * power > tolerance * (1 - gamma):
        k, power = k + 1, power * gamma
    return k


QUESTION = Question(
    name="b2-contraction",
    title="How many sweeps are enough",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The error at the start is at most c/(1 - gamma), and each sweep multiplies it by gamma or less.",
    expected=expected,
    parts=(Part("any gamma", 8, draw, cases=8),),
    right={
        "model": sweeps_enough,
        "counting": sweeps_enough_by_counting,
        "another base": sweeps_enough_by_another_base,
    },
    wrong={
        "start taken for change": Wrong(
            start_taken_for_change,
            "You took the first change for the first error. Many more changes may follow: together at most c/(1 - gamma).",
        ),
        "one too few": Wrong(
            one_too_few,
            "This is one sweep too few: a whole number that is rounded down does not guarantee it any more.",
        ),
        "one too many": Wrong(
            one_too_many,
            "One sweep fewer is guaranteed as well; the smallest number was asked for.",
        ),
        "not rounded": Wrong(
            not_rounded,
            "A number of sweeps is whole: round up to the next one.",
        ),
        "factor multiplied": Wrong(
            factor_multiplied,
            "You multiplied the change by 1 - gamma. The sum of c, gamma c, gamma² c, … is c divided by it.",
        ),
        "twice": Wrong(
            twice,
            "This is twice what is needed. A sweep multiplies the error by gamma, not by its square root.",
        ),
        "linear": Wrong(
            linear,
            "You divided the error by the tolerance, as if every sweep took away the same amount. It takes the same share.",
        ),
        "relative": Wrong(
            relative,
            "The change c does not occur in your count: you asked when gamma^k is small, not when the error is.",
        ),
    },
)
