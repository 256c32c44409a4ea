"""Question ch7-recall: three questions from chapters 5 and 6."""

import math
from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers, to six decimals or as a formula. (1) A reward model gives two answers the scores 0.4 and $-0.7$, and a
person chose the second. What is the Bradley-Terry loss of this comparison, in nats? (2) An answer of three tokens has
the score 2. Its tokens have the log-ratios $\log(\pi/\pi_{\text{ref}})$ of 0.5, $-0.2$ and 1.2, and $\beta = 0.1$. With
the KL-shaped reward, what is the reward of the *last* token? (3) Since a token was drawn, its probability has become 1.5
times as large. Its advantage is $-2$. What is PPO's clipped loss of this token, at $\varepsilon = 0.2$?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """(1) two scores in one softmax; (2) what is left of the whole answer's when the first two are paid; (3) the least bound."""
    loss = -math.log(math.exp(-0.7) / (math.exp(0.4) + math.exp(-0.7)))
    whole = 2 - Fraction(1, 10) * (Fraction(5, 10) - Fraction(2, 10) + Fraction(12, 10))
    last = whole + Fraction(1, 10) * (Fraction(5, 10) - Fraction(2, 10))
    surrogate = min(ratio * -2.0 for ratio in (1.5, min(max(1.5, 0.8), 1.2)))
    return loss, float(last), -surrogate


LOSS = float(np.log1p(np.exp(1.1)))

RIGHT = {
    "value": (1.387335, 1.88, 3.0),
    "computed": (-np.log(1 / (1 + np.exp(1.1))), 2 - 0.1 * 1.2, 1.5 * 2),
    "list": [LOSS, 1.88, 3],
    "array": np.array([LOSS, 1.88, 3.0]),
    "fractions": (LOSS, Fraction(47, 25), 3),
}

QUESTION = Question(
    name="ch7-recall",
    title="Three questions from chapters 5 and 6",
    stars=1,
    minutes=6,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) Minus the logarithm of the probability of what was chosen. (2) The "
        "token's own price, and the score on top. (3) The smaller one of two products, and then the sign of a loss."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "the other chosen": Wrong(
            (float(np.log1p(np.exp(-1.1))), 1.88, 3.0),
            "In question 1 you gave the loss for the other choice. The person chose the answer that the model likes "
            "less.",
        ),
        "log-probability": Wrong(
            (-LOSS, 1.88, 3.0),
            "In question 1 you gave the log-probability of the choice. A loss is to become small: which sign does it "
            "have?",
        ),
        "probability": Wrong(
            (float(1 / (1 + np.exp(1.1))), 1.88, 3.0),
            "In question 1 you gave the probability of the choice. The loss is minus its logarithm.",
        ),
        "margin": Wrong(
            (1.1, 1.88, 3.0),
            "In question 1 you gave the difference of the scores. Through which function does it become a loss?",
        ),
        "in bits": Wrong(
            (LOSS / float(np.log(2.0)), 1.88, 3.0),
            "In question 1 you used the logarithm of base 2. In nats equal scores cost 0.693, not 1.",
        ),
        "paid for leaving": Wrong(
            (LOSS, 2.12, 3.0),
            "In question 2 the price has the wrong sign: leaving the reference costs, it is not paid for.",
        ),
        "score alone": Wrong(
            (LOSS, 2.0, 3.0),
            "In question 2 you gave the score alone. The last token pays a price for leaving the reference, as every "
            "token does.",
        ),
        "whole answer": Wrong(
            (LOSS, 1.85, 3.0),
            "In question 2 you charged the last token for all three. Each token pays for its own log-ratio.",
        ),
        "price alone": Wrong(
            (LOSS, -0.12, 3.0),
            "In question 2 the score is missing. It comes on top of the price, at the last token.",
        ),
        "score shared out": Wrong(
            (LOSS, 2 / 3 - 0.12, 3.0),
            "In question 2 you shared the score out among the tokens. All of it comes at the last one.",
        ),
        "clipped all the same": Wrong(
            (LOSS, 1.88, 2.4),
            "In question 3 you used the clamped ratio. For a negative advantage the ratio has gone the wrong way "
            "here, and of the two products the smaller one counts.",
        ),
        "surrogate": Wrong(
            (LOSS, 1.88, -3.0),
            "In question 3 you gave the surrogate, which is to grow. The loss is minus that.",
        ),
        "no ratio": Wrong(
            (LOSS, 1.88, 2.0),
            "In question 3 you left the ratio out. The token was drawn when its probability was another one.",
        ),
    },
)
