"""Question b5-recall: three questions from before."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The discount is $\gamma = 0.9$. Give, as three numbers: (1) the TD error of a step with reward 1 from a state of value
$V(s) = 4$ to a state of value $V(s') = 3$; (2) the value of a state that pays 2 at every step and is never left; (3)
the importance ratio of an action that the target takes with probability 0.6 and the behavior with probability 0.2.
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return -0.3, 20.0, 3.0


RIGHT = {
    "value": (-0.3, 20.0, 3.0),
    "computed": (1 + 0.9 * 3 - 4, 2 / (1 - 0.9), 0.6 / 0.2),
    "array": np.array([-0.3, 20.0, 3.0]),
    "fractions": (Fraction(-3, 10), 20, 3),
}

QUESTION = Question(
    name="b5-recall",
    title="Three questions from before",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) Target minus estimate. (2) Bellman's equation, or a geometric sum. "
        "(3) Target over behavior."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "no discount": Wrong(
            (0.0, 20.0, 3.0),
            "In question 1 the next value was not discounted.",
        ),
        "sign flipped": Wrong(
            (0.3, 20.0, 3.0),
            "In question 1 the sign is turned round. The TD error is the target minus the estimate; here things went worse "
            "than expected.",
        ),
        "reward discounted too": Wrong(
            (-0.4, 20.0, 3.0),
            "In question 1 you discounted the reward as well. It is paid in this step; only what follows is discounted.",
        ),
        "target only": Wrong(
            (3.7, 20.0, 3.0),
            "In question 1 you have the target. How far is it from the estimate?",
        ),
        "states exchanged": Wrong(
            (1.6, 20.0, 3.0),
            "In question 1 the two values are exchanged: the discounted one is that of the state where the step ends.",
        ),
        "first reward left out": Wrong(
            (-0.3, 18.0, 3.0),
            "In question 2 your sum begins one step late. The first reward is not discounted.",
        ),
        "discount for what is left": Wrong(
            (-0.3, 2 / 0.9, 3.0),
            "In question 2 you divided by the discount. The sum 2 + 2 gamma + 2 gamma² + … is 2 over (1 - gamma).",
        ),
        "upside down": Wrong(
            (-0.3, 20.0, 1 / 3),
            "In question 3 the ratio is upside down: actions that the target likes more must count more.",
        ),
        "difference": Wrong(
            (-0.3, 20.0, 0.4),
            "In question 3 you took the difference of the probabilities. An importance weight is their ratio.",
        ),
    },
)
