"""Question ch3-recall: three questions from chapters 1 and 2."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A softmax policy gives three answers the probabilities $p = (0.25, 0.55, 0.2)$; the teacher gives them $(0.6, 0.1,
0.3)$. Give three numbers: (1) the component for answer 0 of the gradient of $J_{\text{MLE}}$ with respect to the
logits; (2) the same component of the expected update when the answers are drawn from the policy itself and each score
has weight 1.

(3) Another policy has two arms with $p = (0.8, 0.2)$, which pay $(3, 1)$ without noise. What is the best constant
baseline $b^\ast = \mathbb E[r\,|g|^2]/\mathbb E[|g|^2]$, with $g = \mathbf 1_y - p$?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 0.35, 0.0, 1.4


RIGHT = {
    "value": (0.35, 0.0, 1.4),
    "list": [0.35, 0, 1.4],
    "computed": (
        0.6 * (1 - 0.25) - 0.1 * 0.25 - 0.3 * 0.25,
        0.25 * (1 - 0.25) - 0.55 * 0.25 - 0.2 * 0.25,
        (0.8 * 0.04 * 3 + 0.2 * 0.64 * 1) / (0.8 * 0.04 + 0.2 * 0.64),
    ),
    "array": np.array([0.35, 0.0, 1.4]),
    "fractions": (Fraction(7, 20), 0, Fraction(7, 5)),
}

QUESTION = Question(
    name="ch3-recall",
    title="Three questions from chapters 1 and 2",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) What the teacher says against what the policy says. "
        "(2) Nobody is told which answers were good. (3) A weighted mean of the two payments."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "loss gradient": Wrong(
            (-0.35, 0.0, 1.4),
            "Question 1 has the sign of a loss. The teacher gives answer 0 more often than the policy, so its "
            "logit has to rise.",
        ),
        "one score": Wrong(
            (0.75, 0.0, 1.4),
            "In question 1 you gave the score of answer 0. The teacher draws the other answers too, and their "
            "scores push this logit down.",
        ),
        "own term only": Wrong(
            (0.45, 0.0, 1.4),
            "In question 1 only the draws of answer 0 were counted. When the teacher draws another answer, this "
            "component of the score is negative.",
        ),
        "policy left out": Wrong(
            (0.6, 0.0, 1.4),
            "In question 1 you gave what happens, the teacher's probability. What was expected has to be taken off.",
        ),
        "cloning without a teacher": Wrong(
            (0.35, 0.35, 1.4),
            "In question 2 the answers come from the policy, not from the teacher. Weight 1 alone does not make it cloning.",
        ),
        "one term of the mean": Wrong(
            (0.35, 0.1875, 1.4),
            "In question 2 only the draws of answer 0 were counted. The expectation runs over all three answers.",
        ),
        "value for best baseline": Wrong(
            (0.35, 0.0, 2.6),
            "In question 3 you gave V, the mean reward. The arm with the longer score has more say in the best "
            "baseline, and that is here the rare one.",
        ),
        "norm not squared": Wrong(
            (0.35, 0.0, 2.0),
            "In question 3 your two arms count the same. That is so for the lengths of their scores, or without "
            "any weights; it is the squares of the lengths that weigh.",
        ),
        "equally likely": Wrong(
            (0.35, 0.0, (3 * 0.04 + 1 * 0.64) / (0.04 + 0.64)),
            "In question 3 you weighed by the squares alone. Both expectations also have the probabilities of the arms.",
        ),
    },
)
