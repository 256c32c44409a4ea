"""Question ch1-first-wrong-line: the first wrong line."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A student "proves" that a baseline may look at the sampled answer. Two arms, $p = (\frac12, \frac12)$, rewards $r =
(1, 0)$, and the baseline $b(y) = r(y)$.

1. $\mathbb E[(r(y) - b(y))\,\nabla\log p_y] = \mathbb E[r(y)\,\nabla\log p_y] - \mathbb E[b(y)\,\nabla\log p_y]$,
   as the expectation is linear.
2. $\mathbb E[b(y)\,\nabla\log p_y] = \sum_y p_y\, b(y)\,\nabla\log p_y$, by definition.
3. $\sum_y p_y\, b(y)\,\nabla\log p_y = b(y)\sum_y p_y\,\nabla\log p_y$, as $b$ does not depend on $\theta$.
4. $\sum_y p_y\,\nabla\log p_y = 0$, the score identity.
5. So $\mathbb E[(r(y) - b(y))\,\nabla\log p_y] = \mathbb E[r(y)\,\nabla\log p_y]$.

Which is the first wrong line? And what is the component for arm 0 of $\mathbb E[b(y)\,\nabla\log p_y]$, which the
proof takes for 0? Answer with the pair (line, number).
"""

STUB = """
answer = None  # such as (5, 1.0)
"""


def expected():
    return 3.0, 0.25


RIGHT = {
    "value": (3, 0.25),
    "list": [3, 0.25],
    "quotient": (3, 1 / 4),
    "two floats": (3.0, 0.25),
    "fraction": (3, Fraction(1, 4)),
    "array": np.array([3, 0.25]),
    "numpy numbers": (np.int64(3), np.float64(0.25)),
}

QUESTION = Question(
    name="ch1-first-wrong-line",
    title="The first wrong line",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Give a pair: the number of the first line that does not follow, then the component for arm 0, a sum of two terms.",
    expected=expected,
    parts=(Part("line and number", 6, cases=1),),
    right=RIGHT,
    wrong={
        "conclusion": Wrong(
            (5, 0.25),
            "Your number is right. Line 5 is false, but it only inherits an error: look for the earlier line that"
            " it takes it from.",
        ),
        "score identity": Wrong(
            (4, 0.25),
            "Your number is right, but line 4 holds for every policy: the scores, weighted by their "
            "probabilities, sum to 0. The error is made before it.",
        ),
        "definition": Wrong(
            (2, 0.25),
            "Your number is right. Line 2 only writes an expectation over two arms as a sum, and that is allowed "
            "whatever b depends on.",
        ),
        "linearity": Wrong(
            (1, 0.25),
            "Your number is right. Line 1 holds: an expectation is linear even when both parts depend on the same y.",
        ),
        "believes the zero": Wrong(
            (3, 0.0),
            "The line is right. But the number is then not what the proof claims: put p and b into the sum of "
            "line 2 and work it out.",
        ),
        "factor missing": Wrong(
            (3, 0.5),
            "The line is right. In your number a factor is missing: each term is probability times baseline times"
            " score, and here two of the three are one half.",
        ),
        "sign or arm": Wrong(
            (3, -0.25),
            "The line is right and so is the size of the number. Its sign belongs to arm 1, or to p - 1_y: the "
            "score of arm 0 has a positive component at arm 0.",
        ),
        "probability twice": Wrong(
            (3, 0.125),
            "The line is right. Your number is half of what it should be: the probability of arm 0 was multiplied"
            " in twice.",
        ),
    },
)
