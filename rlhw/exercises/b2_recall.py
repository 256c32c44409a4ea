"""Question b2-recall: three questions from the bandits."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers. (1) Four arms have the estimates $(1, 3, 3, 0)$. With what probability does the $\epsilon$-greedy
rule with $\epsilon = 0.2$, which shares among ties, pull the second arm? (2) A policy pulls three arms with
probabilities $(0.5, 0.3, 0.2)$; they pay 4, 0 and 10. What is its expected reward? (3) The mean of three rewards is 2;
the fourth reward is 6. What is the mean now?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 0.45, 4.0, 3.0


RIGHT = {
    "value": (0.45, 4, 3),
    "computed": [0.2 / 4 + 0.8 / 2, 0.5 * 4 + 0.3 * 0 + 0.2 * 10, 2 + (6 - 2) / 4],
    "array": np.array([0.45, 4.0, 3.0]),
    "fractions": (Fraction(9, 20), 4, 3),
}

QUESTION = Question(
    name="b2-recall",
    title="Three questions from the bandits",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) Explore among four, and two share the rest. (2) Each reward times its "
        "probability. (3) A step of one quarter towards the new reward."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "ties each get all": Wrong(
            (0.85, 4, 3),
            "In question 1 both best arms got the whole 0.8: then the probabilities sum to 1.8. They share it.",
        ),
        "no share of exploring": Wrong(
            (0.4, 4, 3),
            "In question 1 the best arms get their share of the exploring pulls as well: those go to all four arms.",
        ),
        "explores among the others": Wrong(
            (0.4 + 0.2 / 3, 4, 3),
            "In question 1 an exploring pull chooses among all four arms; you seem to have taken three.",
        ),
        "probability of either": Wrong(
            (0.9, 4, 3),
            "In question 1 you have the probability of pulling one of the two best arms; one of them was asked for.",
        ),
        "plain mean of rewards": Wrong(
            (0.45, 14 / 3, 3),
            "In question 2 you took the plain mean of the rewards. The policy does not pull the arms equally often.",
        ),
        "the best reward": Wrong(
            (0.45, 10, 3),
            "In question 2 you gave what the best arm pays. The policy pulls it one time in five.",
        ),
        "the likeliest reward": Wrong(
            (0.45, 2, 3),
            "In question 2 you left out the arm that pays 10: it is rarely pulled, but it counts.",
        ),
        "step of one third": Wrong(
            (0.45, 4, 2 + 4 / 3),
            "In question 3 the step is one over the number of rewards with the new one counted: a quarter.",
        ),
        "mean of mean and reward": Wrong(
            (0.45, 4, 4),
            "In question 3 you averaged the old mean and the new reward as equals; the old mean stands for three rewards.",
        ),
    },
)
