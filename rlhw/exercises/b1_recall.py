"""Question b1-recall: three questions about means and variances."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
An arm pays 10 with probability 0.3 and nothing otherwise. Give, as three numbers: (1) the mean of one reward; (2)
the variance of the *mean* of 21 independent rewards; (3) the mean of the first four rewards of another arm was 2.5
and its fifth is 5: the mean of all five.
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 3.0, 1.0, 3.0


RIGHT = {
    "value": (3.0, 1.0, 3.0),
    "list": [3, 1, 3],
    "computed": (10 * 0.3, 10**2 * 0.3 * 0.7 / 21, 2.5 + (5 - 2.5) / 5),
    "array": np.array([3.0, 1.0, 3.0]),
    "fractions": (Fraction(3), Fraction(21, 21), Fraction(3)),
}

QUESTION = Question(
    name="b1-recall",
    title="Three questions about means",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) Reward times probability. (2) The variance of one reward, and what "
        "averaging does to it. (3) Move a part of the way to the new reward."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "probability for the mean": Wrong(
            (0.3, 1.0, 3.0),
            "In question 1 you gave the probability. The mean is what is paid, times how likely it is.",
        ),
        "variance of one reward": Wrong(
            (3.0, 21.0, 3.0),
            "In question 2 you have the variance of one reward. The mean of n independent ones has one n-th of it.",
        ),
        "standard deviation": Wrong(
            (3.0, 21**0.5 / 21, 3.0),
            "In question 2 a standard deviation was divided by n. Divide the variance by n, and take no root.",
        ),
        "reward not squared": Wrong(
            (3.0, 0.1, 3.0),
            "In question 2 the 10 entered once. A variance is a mean of squares, so it grows with the square of what is paid.",
        ),
        "variance of a coin": Wrong(
            (3.0, 0.01, 3.0),
            "In question 2 you took the variance p(1 - p) of an arm that pays 1. This one pays 10.",
        ),
        "second moment": Wrong(
            (3.0, 30 / 21, 3.0),
            "In question 2 you have the mean of the squares. The square of the mean is still to be subtracted.",
        ),
        "half-way": Wrong(
            (3.0, 1.0, 3.75),
            "In question 3 old mean and new reward weigh the same. The old mean stands for four rewards, the new one is one.",
        ),
        "a fourth of the way": Wrong(
            (3.0, 1.0, 3.125),
            "In question 3 the step was 1/4. There are five rewards now, so the mean moves a fifth of the way.",
        ),
    },
)
