"""Question ch6-recall: three questions from earlier chapters."""

import math
from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers, to six decimals or as a formula. (1) A policy gives two answers the probabilities $(0.9, 0.1)$, its
reference gives them $(0.6, 0.4)$. What is $\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}})$ in nats? (2) An answer was
drawn while the policy gave it the probability 0.4; by now the policy gives it 0.5. Its reward less the baseline is
$-0.6$. The answer stands for answers of the policy *as it is now*: with which weight does its score
$\nabla\log\pi_\theta(y\mid x)$ go into the update? (3) An annotator has the temperature $\tau = 0.4$. Two answers to
one prompt have the gold rewards 1.9 and 1.3. A reward model has learned all that votes of this annotator can tell. What
is the difference of its scores, the first less the second?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """(1) and (3) from probabilities: cross-entropy less entropy, and the log-odds of the annotator's choice."""
    now, before, advantage = Fraction(1, 2), Fraction(2, 5), Fraction(-3, 5)
    cross_entropy = -(0.9 * math.log(0.6) + 0.1 * math.log(0.4))
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    first = 1 / (1 + math.exp(-(1.9 - 1.3) / 0.4))
    return cross_entropy - entropy, float(now / before * advantage), math.log(first / (1 - first))


KL = float(0.9 * np.log(1.5) + 0.1 * np.log(0.25))

RIGHT = {
    "value": (0.226289, -0.75, 1.5),
    "computed": (0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4), 0.5 / 0.4 * -0.6, (1.9 - 1.3) / 0.4),
    "list": [KL, -0.75, 1.5],
    "array": np.array([KL, -0.75, 1.5]),
    "fractions": (KL, Fraction(-3, 4), Fraction(3, 2)),
}

QUESTION = Question(
    name="ch6-recall",
    title="Three questions from earlier chapters",
    stars=1,
    minutes=6,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) A mean under the policy of a log-ratio, in nats. (2) A ratio of "
        "probabilities times what the answer earned beyond the baseline. (3) Gold in the annotator's units."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "other direction": Wrong(
            (0.6 * np.log(0.6 / 0.9) + 0.4 * np.log(0.4 / 0.1), -0.75, 1.5),
            "In question 1 you took the KL of the reference from the policy. Under whose probabilities is KL(π ‖ "
            "π_ref) a mean?",
        ),
        "negative": Wrong(
            (-KL, -0.75, 1.5),
            "In question 1 the ratio is upside down: a KL is never negative.",
        ),
        "in bits": Wrong(
            (KL / np.log(2.0), -0.75, 1.5),
            "In question 1 you used the logarithm of base 2, which gives bits. Nats were asked for.",
        ),
        "cross-entropy": Wrong(
            (-(0.9 * np.log(0.6) + 0.1 * np.log(0.4)), -0.75, 1.5),
            "In question 1 you gave the cross-entropy. The KL is what remains of it when the policy's own entropy is "
            "taken off.",
        ),
        "not weighted": Wrong(
            (np.log(0.9 / 0.6) + np.log(0.1 / 0.4), -0.75, 1.5),
            "In question 1 you added the log-ratios up as they are. Each counts as often as the policy gives that "
            "answer.",
        ),
        "weight upside down": Wrong(
            (KL, -0.48, 1.5),
            "In question 2 the ratio is upside down. The policy gives this answer more often now than when it was "
            "drawn, so a sample has to count for more.",
        ),
        "no ratio": Wrong(
            (KL, -0.6, 1.5),
            "In question 2 you took the answer for one of the policy as it is now. But it was drawn under other "
            "probabilities.",
        ),
        "ratio alone": Wrong(
            (KL, 1.25, 1.5),
            "In question 2 you gave the ratio alone. What the answer earned beyond the baseline belongs to the weight.",
        ),
        "weight positive": Wrong(
            (KL, 0.75, 1.5),
            "In question 2 the sign is lost: the answer earned less than the baseline and has to become less likely.",
        ),
        "gold units": Wrong(
            (KL, -0.75, 0.6),
            "In question 3 you gave the difference of gold. The annotator's votes do not show gold; they show how "
            "clear the difference is to that annotator.",
        ),
        "multiplied by the temperature": Wrong(
            (KL, -0.75, 0.24),
            "In question 3 you multiplied by τ. That is the way back, from scores to gold.",
        ),
        "probability": Wrong(
            (KL, -0.75, 1.0 / (1.0 + np.exp(-1.5))),
            "In question 3 you gave the probability that the first answer is preferred. It is the logistic function "
            "of the difference that was asked for.",
        ),
    },
)
