"""Question ch4-recall: three questions from chapters 1 to 3."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers. (1) For one question, the teacher gives answer 0 the probability 0.5 and the policy gives it 0.8.
Cloning is REINFORCE on the policy's own answers with a certain weight: what is the weight of answer 0? (2) Three
sampled answers to one question earned $(1, 0, 5)$. What is the weight of the first one's score with the leave-one-out
baseline? (3) A model read two tokens of a prompt, then three of an answer, the last one its end mark. It gave these
five tokens the log-probabilities $(-0.2, -0.4, -0.7, -1.4, -0.2)$. What is $\log\pi_\theta(y\mid x)$?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 0.625, -1.5, -2.3


RIGHT = {
    "value": (0.625, -1.5, -2.3),
    "list": [0.625, -1.5, -2.3],
    "computed": (0.5 / 0.8, 1 - (0 + 5) / 2, -0.7 - 1.4 - 0.2),
    "array": np.array([0.625, -1.5, -2.3]),
    "fractions": (Fraction(5, 8), Fraction(-3, 2), Fraction(-23, 10)),
}

QUESTION = Question(
    name="ch4-recall",
    title="Three questions from chapters 1 to 3",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) How many times more likely is the answer for the teacher? "
        "(2) The reward against the mean of the others. (3) A sum over what the model itself said."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "ratio upside down": Wrong(
            (1.6, -1.5, -2.3),
            "In question 1 the ratio is upside down. The policy gives this answer too often already, so it should "
            "count for less than 1.",
        ),
        "weight of the teacher's answers": Wrong(
            (1.0, -1.5, -2.3),
            "In question 1 you gave the weight of an answer that the teacher drew. Here the policy draws the "
            "answers, and draws this one more often than the teacher would.",
        ),
        "difference for ratio": Wrong(
            (-0.3, -1.5, -2.3),
            "In question 1 you took a difference. That is a component of the gradient of J_MLE; the weight that "
            "turns one expectation into another is a ratio.",
        ),
        "mean of all": Wrong(
            (0.625, -1.0, -2.3),
            "In question 2 the baseline still holds the sample's own reward. It has to be left out.",
        ),
        "sign of the weight": Wrong(
            (0.625, 1.5, -2.3),
            "In question 2 the sign is turned round: this answer did worse than the others, so it has to become "
            "less likely.",
        ),
        "baseline itself": Wrong(
            (0.625, 2.5, -2.3),
            "In question 2 you gave the baseline. The weight is what remains of the reward when it is taken off.",
        ),
        "prompt included": Wrong(
            (0.625, -1.5, -2.9),
            "In question 3 the prompt's tokens are in your sum. The prompt stands behind the bar: it is given.",
        ),
        "mean over tokens": Wrong(
            (0.625, -1.5, -2.3 / 3),
            "In question 3 you divided by the number of tokens. That is no longer the logarithm of the answer's "
            "probability.",
        ),
        "end mark dropped": Wrong(
            (0.625, -1.5, -2.1),
            "In question 3 the end mark is missing. To stop is a choice of the model and has a probability like "
            "every other token.",
        ),
        "probability": Wrong(
            (0.625, -1.5, float(np.exp(-2.3))),
            "In question 3 you gave the probability of the answer. Its logarithm was asked for.",
        ),
    },
)
