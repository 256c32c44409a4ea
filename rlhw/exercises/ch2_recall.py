"""Question ch2-recall: three questions from chapter 1."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A policy over three arms has $p = (0.2, 0.3, 0.5)$; the arms pay $r = (1, 0, 2)$. Give, as three numbers: (1) the
component for arm 0 of the score of $y = 0$; (2) the component for arm 0 of the exact gradient of the expected
reward; (3) the component for arm 0 of $\mathbb E_{y\sim p}[5\,\nabla\log p_y]$.
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 0.8, -0.04, 0.0


RIGHT = {
    "value": (0.8, -0.04, 0.0),
    "list": [0.8, -0.04, 0],
    "computed": (1 - 0.2, 0.2 * (1 - (0.2 * 1 + 0.3 * 0 + 0.5 * 2)), 0),
    "array": np.array([0.8, -0.04, 0.0]),
    "fractions": (Fraction(4, 5), Fraction(-1, 25), 0),
}

QUESTION = Question(
    name="ch2-recall",
    title="Three questions from chapter 1",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) What happened minus what was expected. "
        "(2) A probability times an advantage. (3) A constant is a reward too."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "loss gradient": Wrong(
            (-0.8, -0.04, 0.0),
            "Question 1 has the wrong sign: raising the logit of y makes y more likely, so this component of the "
            "score is positive.",
        ),
        "gradient of p": Wrong(
            (0.16, -0.04, 0.0),
            "In question 1 you differentiated p_0. The score is the derivative of its logarithm, which has no "
            "factor p_0 in front.",
        ),
        "value left out": Wrong(
            (0.8, 0.2, 0.0),
            "In question 2 the value V was not subtracted. Arm 0 earns less than the average of the policy, so it"
            " has to lose.",
        ),
        "probability left out": Wrong(
            (0.8, -0.2, 0.0),
            "In question 2 you have the advantage of arm 0. The exact gradient is smaller, because arm 0 is drawn"
            " only one time in five.",
        ),
        "plain mean as value": Wrong(
            (0.8, 0.0, 0.0),
            "In question 2 you seem to have taken the plain mean of the three rewards for V. The policy does not "
            "draw the arms equally often.",
        ),
        "sign of advantage": Wrong(
            (0.8, 0.04, 0.0),
            "The size in question 2 is right, but the sign is turned round: the advantage is the reward minus V, "
            "in this order.",
        ),
        "no expectation": Wrong(
            (0.8, -0.04, 4.0),
            "In question 3 you took five times the score of y = 0. The expectation runs over all three arms, each"
            " with its probability.",
        ),
        "one term only": Wrong(
            (0.8, -0.04, 0.8),
            "In question 3 only the term of arm 0 was counted. When one of the other arms is drawn, the first "
            "component of the score is negative.",
        ),
    },
)
