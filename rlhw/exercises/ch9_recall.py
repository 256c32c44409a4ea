"""Question ch9-recall: three questions from chapters 2 and 6."""

import math
from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers, to six decimals or as a formula. (1) Four answers to one question earn $(2, 5, 1, 4)$. What is the
leave-one-out baseline of the *second*? (2) The policy gives an answer the probability 0.3, the reference gives it 0.1.
What is $k_3$ of this answer, the estimate of the KL of the policy from the reference? (3) A token's ratio is 0.7, its
advantage $-1$, and $\varepsilon = 0.2$. What is PPO's clipped surrogate of this token, the number that is made large?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """The mean of a list without its second; k3 as a fraction and a logarithm; the lesser of both products."""
    others = [2, 1, 4]
    ratio = Fraction(1, 3)
    return sum(others) / 3, float(ratio - 1) - math.log(ratio), sorted([-0.7, -max(0.7, 0.8)])[0]


FIRST, SECOND, THIRD = 7 / 3, 1 / 3 - 1 + float(np.log(3.0)), -0.8

RIGHT = {
    "typed": (2.333333, 0.431946, -0.8),
    "computed": ((2 + 1 + 4) / 3, np.exp(-np.log(3.0)) - 1 + np.log(3.0), min(-0.7, -0.8)),
    "array": np.array([FIRST, SECOND, THIRD]),
}

QUESTION = Question(
    name="ch9-recall",
    title="Three questions from chapters 2 and 6",
    stars=1,
    minutes=6,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) The mean of the others. (2) The log-ratio, and one over the ratio less 1. "
        "(3) The smaller one of two products."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "mean of all": Wrong(
            (3.0, SECOND, THIRD),
            "In question 1 you gave the mean of all four. The second answer's own reward must not be in its baseline.",
        ),
        "advantage": Wrong(
            (5 - 7 / 3, SECOND, THIRD),
            "In question 1 you gave the advantage of the second answer. The baseline is what is subtracted from its reward.",
        ),
        "divided by four": Wrong(
            (7 / 4, SECOND, THIRD),
            "In question 1 you divided the sum of the others by four. How many others are there?",
        ),
        "k1": Wrong(
            (FIRST, float(np.log(3.0)), THIRD),
            "In question 2 you gave the log-ratio itself, which is k1.",
        ),
        "k2": Wrong(
            (FIRST, float(np.log(3.0) ** 2 / 2), THIRD),
            "In question 2 you gave half the square of the log-ratio, which is k2.",
        ),
        "upside down": Wrong(
            (FIRST, 3 - 1 - float(np.log(3.0)), THIRD),
            "In question 2 your ratio is upside down. On answers of the policy it is the reference over the policy.",
        ),
        "not clipped": Wrong(
            (FIRST, SECOND, -0.7),
            "In question 3 you gave the larger of the two products. A bad token that has already lost is left alone: the "
            "smaller one counts.",
        ),
        "loss": Wrong(
            (FIRST, SECOND, 0.8),
            "In question 3 you gave the loss. The surrogate has the other sign.",
        ),
        "upper end": Wrong(
            (FIRST, SECOND, -1.2),
            "In question 3 you took the upper end of the interval. The ratio is below it: it is moved to the nearer end.",
        ),
    },
)
