"""Question ch10-recall: three questions from earlier chapters."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers, to six decimals or as a formula. (1) A batch has two answers. Their tokens have the log-probabilities
$-1, -2, -0.5$ and $-2.5$ (the second answer is one token long). What is the cloning loss of chapter 3, in nats an answer?
(2) When an answer was sampled, a token had log-probability $-2.0$; now it has $-1.8$. What is its ratio $\rho$?
(3) Three answers to a prompt have the rewards 1, 2 and 6. What is the advantage of the *third*, with leave-one-out?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """By products of probabilities, by their quotient, and by a loop over the others."""
    first, second = np.exp(-1.0) * np.exp(-2.0) * np.exp(-0.5), np.exp(-2.5)
    others = [reward for place, reward in enumerate((1.0, 2.0, 6.0)) if place != 2]
    return -(np.log(first) + np.log(second)) / 2, np.exp(-1.8) / np.exp(-2.0), 6.0 - sum(others) / len(others)


FIRST, SECOND, THIRD = 3.0, np.exp(0.2), 4.5

QUESTION = Question(
    name="ch10-recall",
    title="Three questions from earlier chapters",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) The mean over answers of the sum over tokens. (2) The exponential of a "
        "difference. (3) The reward less the mean of the others."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right={
        "computed": ((3.5 + 2.5) / 2, np.exp(-1.8 + 2.0), 6 - (1 + 2) / 2),
        "typed": (3.0, 1.221403, 4.5),
        "array": np.array([FIRST, SECOND, THIRD]),
    },
    wrong={
        "mean over tokens": Wrong(
            (1.5, SECOND, THIRD),
            "In question 1 you took the mean over all four tokens. The loss of an answer is a sum; the mean is over answers.",
        ),
        "mean of the means": Wrong(
            ((3.5 / 3 + 2.5) / 2, SECOND, THIRD),
            "In question 1 you divided each answer by its length. That weighs words of short answers more.",
        ),
        "summed": Wrong(
            (6.0, SECOND, THIRD),
            "In question 1 you summed over the answers; nats an answer is a mean.",
        ),
        "sign of the loss": Wrong(
            (-3.0, SECOND, THIRD),
            "In question 1 the sign is that of J: the loss is minus the log-probability.",
        ),
        "upside down": Wrong(
            (FIRST, np.exp(-0.2), THIRD),
            "In question 2 your ratio is then over now. The new policy stands above.",
        ),
        "not exponentiated": Wrong(
            (FIRST, 0.2, THIRD),
            "In question 2 you gave the log-ratio.",
        ),
        "quotient of the logarithms": Wrong(
            (FIRST, -1.8 / -2.0, THIRD),
            "In question 2 you divided log-probabilities. A ratio of probabilities is a difference of logarithms.",
        ),
        "mean of all": Wrong(
            (FIRST, SECOND, 3.0),
            "In question 3 the baseline holds the answer's own reward. Leave it out.",
        ),
        "baseline": Wrong(
            (FIRST, SECOND, 1.5),
            "In question 3 you gave the baseline. The advantage is what is left of the reward.",
        ),
    },
)
