"""Question b3-recall: three questions from chapters B1 and B2."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers. (1) The mean of four rewards is 3. The fifth reward is 8: what is the running mean after it? (2) A
state pays 1 and leads, with equal odds, to a state of value 10 or to the end. With $\gamma = 0.9$, what is its value?
(3) Value iteration with $\gamma = 0.5$ starts 8 away from the true values (in the largest entry). How far off is it
after three sweeps, at most?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 4.0, 5.5, 1.0


RIGHT = {
    "value": (4.0, 5.5, 1.0),
    "computed": [3 + (8 - 3) / 5, 1 + 0.9 * (0.5 * 10 + 0.5 * 0), 0.5**3 * 8],
    "array": np.array([4.0, 5.5, 1.0]),
    "fractions": (Fraction(4), Fraction(11, 2), 1),
}

QUESTION = Question(
    name="b3-recall",
    title="Three questions from B1 and B2",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) Old mean plus a share of the surprise. (2) Reward plus gamma times the "
        "mean value of what comes next. (3) Each sweep shrinks the error by gamma."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "divided by the old count": Wrong(
            (4.25, 5.5, 1.0),
            "In question 1 you moved by a quarter of the difference. With the new one there are five rewards.",
        ),
        "mean of mean and reward": Wrong(
            (5.5, 5.5, 1.0),
            "In question 1 you took the middle of the old mean and the new reward. The old mean stands for four rewards, "
            "the new one for one.",
        ),
        "no discount": Wrong(
            (4.0, 6.0, 1.0),
            "In question 2 the next value is not discounted: it comes one step later.",
        ),
        "reward discounted": Wrong(
            (4.0, 5.4, 1.0),
            "In question 2 you discounted the reward too. It is paid now; only what comes after it is a step away.",
        ),
        "best for mean": Wrong(
            (4.0, 10.0, 1.0),
            "In question 2 you took the better of the two outcomes. Nobody chooses here: the odds are equal, and the end is "
            "worth 0.",
        ),
        "reward left out": Wrong(
            (4.0, 4.5, 1.0),
            "In question 2 the reward of the step itself is missing.",
        ),
        "one sweep": Wrong(
            (4.0, 5.5, 4.0),
            "In question 3 you let one sweep go by. There are three, and each halves the bound.",
        ),
        "linear": Wrong(
            (4.0, 5.5, 12.0),
            "In question 3 you multiplied by three times gamma. The factors multiply: gamma to the third.",
        ),
    },
)
