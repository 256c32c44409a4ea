"""Question b6-recall: three questions from chapters 1, B2 and B3."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
In a state $s$ two actions have the action values $q = (4, 1)$, and the policy takes them with the probabilities $(\frac14,
\frac34)$. A critic says $V(s) = 2$. One action is taken; it pays $r = 1$ and leads to a state $s'$ of which the critic
says $V(s') = 3$; the discount is $\gamma = 0.9$. Give, as three numbers: (1) the advantage of the second action in $s$;
(2) the TD error of this step; (3) the component for the first action's logit of $\mathbb E_{a\sim\pi}[V(s)\,\nabla\log
\pi(a\mid s)]$.
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    return -0.75, 1.7, 0.0


QUESTION = Question(
    name="b6-recall",
    title="Three questions from chapters 1, B2 and B3",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) An action value less the policy's average of them. (2) Reward plus "
        "discounted next value less the value. (3) A number that does not look at the action."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right={
        "value": (-0.75, 1.7, 0.0),
        "list": [-0.75, 1.7, 0],
        "computed": (1 - (0.25 * 4 + 0.75 * 1), 1 + 0.9 * 3 - 2, 0),
        "array": np.array([-0.75, 1.7, 0.0]),
        "fractions": (Fraction(-3, 4), Fraction(17, 10), 0),
    },
    wrong={
        "plain mean": Wrong(
            (-1.5, 1.7, 0.0),
            "In question 1 you subtracted the plain mean of the two action values. The policy does not take them "
            "equally often.",
        ),
        "critic for the value": Wrong(
            (-1.0, 1.7, 0.0),
            "In question 1 you subtracted what the critic says. The advantage is about the true value, the policy's "
            "average of q.",
        ),
        "best action subtracted": Wrong(
            (-3.0, 1.7, 0.0),
            "In question 1 you compared with the best action. The advantage compares with what the policy does on "
            "average.",
        ),
        "sign of the advantage": Wrong(
            (0.75, 1.7, 0.0),
            "The size in question 1 is right, but the second action is worse than the average: its advantage is negative.",
        ),
        "first action": Wrong(
            (2.25, 1.7, 0.0),
            "In question 1 you have the advantage of the first action; the second was asked for.",
        ),
        "not discounted": Wrong(
            (-0.75, 2.0, 0.0),
            "In question 2 the next value is not discounted: it speaks of rewards that come one step later.",
        ),
        "own value kept": Wrong(
            (-0.75, 3.7, 0.0),
            "In question 2 you have what the step turned out to be worth. The TD error is that less what was expected.",
        ),
        "values exchanged": Wrong(
            (-0.75, -0.2, 0.0),
            "In question 2 the two values have changed places: the next one is what the step led to.",
        ),
        "one term only": Wrong(
            (-0.75, 1.7, 1.5),
            "In question 3 you took the score of the first action alone. The expectation runs over both actions, each "
            "with its probability.",
        ),
        "gradient of the value": Wrong(
            (-0.75, 1.7, 0.375),
            "In question 3 only the term of the first action was counted, with its probability. When the second one is "
            "taken the component is negative.",
        ),
    },
)
