"""Question b4-recall: three questions from chapters B1 to B3."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers. (1) Four actions have the estimates $(1, 3, 3, 0)$. With which probability does $\epsilon$-greedy
with $\epsilon = 0.2$ take the second? (2) A step pays 2 and leads to a state worth 4 with probability ¼, else to the
end; $\gamma = \frac12$. What is the action's value? (3) $V(s) = 1$, a step from $s$ pays 2 and leads to $s'$ with
$V(s') = 3$; $\gamma = 0.9$. What is $V(s)$ after one step of TD(0) of size $0.1$?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return 0.45, 2.5, 1.37


RIGHT = {
    "value": (0.45, 2.5, 1.37),
    "list": [0.45, 2.5, 1.37],
    "computed": (0.2 / 4 + 0.8 / 2, 2 + 0.5 * 0.25 * 4, 1 + 0.1 * (2 + 0.9 * 3 - 1)),
    "array": np.array([0.45, 2.5, 1.37]),
    "fractions": (Fraction(9, 20), Fraction(5, 2), Fraction(137, 100)),
}

QUESTION = Question(
    name="b4-recall",
    title="Three questions from chapters B1 to B3",
    stars=1,
    minutes=6,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) The best actions share. (2) Reward now, and the discounted mean of what "
        "comes. (3) The old value moves a tenth of the way to its target."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "ties get everything": Wrong(
            (0.85, 2.5, 1.37),
            "In question 1 each of the two best actions got the whole 0.8: then the probabilities sum to more than 1.",
        ),
        "exploring spares the best": Wrong(
            (0.4, 2.5, 1.37),
            "In question 1 the share from exploring is missing: a uniform draw takes the best actions too.",
        ),
        "greedy": Wrong((0.5, 2.5, 1.37), "In question 1 you have the greedy rule, which never explores."),
        "no discount": Wrong(
            (0.45, 3.0, 1.37), "In question 2 the discount is missing from what comes after the step."
        ),
        "chance left out": Wrong(
            (0.45, 4.0, 1.37),
            "In question 2 the good state was taken for sure. It comes one time in four; the end is worth 0.",
        ),
        "reward left out": Wrong((0.45, 0.5, 1.37), "In question 2 the reward of the step itself is missing."),
        "target for value": Wrong(
            (0.45, 2.5, 4.7),
            "In question 3 you have the target. The step goes only a tenth of the way from the old value to it.",
        ),
        "error not taken from the old value": Wrong(
            (0.45, 2.5, 1.47),
            "In question 3 a tenth of the target was added. What is added is a tenth of target minus old value.",
        ),
        "discount left out of td": Wrong((0.45, 2.5, 1.4), "In question 3 the discount of V(s') is missing."),
    },
)
