"""Question ch5-recall: three questions from earlier chapters."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers. (1) Four samples for one question earn the rewards 3, 1, 6, 2. What is the advantage of the third
sample, when the baseline is the mean of the others? (2) A model gives the tokens of a prompt the log-probabilities
$-1.2$ and $-0.7$, and those of the answer after it $-0.3$, $-1.1$, and $-0.4$ for its end mark. What is
$\log\pi(y\mid x)$? (3) Two annotators labelled 200 pairs "left" or "right". They agreed on 168; the first said "left"
150 times, the second 140 times. What is Cohen's $\kappa$?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """From the raw data: the rewards, the tokens, and all ways to hold a label of one against a label of the other."""
    rewards = [3, 1, 6, 2]
    tokens = [("prompt", -1.2), ("prompt", -0.7), ("answer", -0.3), ("answer", -1.1), ("answer", -0.4)]
    first, second = np.arange(200) < 150, np.arange(200) < 140
    advantage = rewards[2] - (rewards[0] + rewards[1] + rewards[3]) / 3
    disagreed_by_chance = float(np.mean(first[:, None] != second))
    return advantage, sum(value for part, value in tokens if part == "answer"), 1 - (32 / 200) / disagreed_by_chance


RIGHT = {
    "value": (4.0, -1.8, 0.6),
    "list": [4, -1.8, 0.6],
    "computed": (6 - 6 / 3, -0.3 - 1.1 - 0.4, (0.84 - 0.6) / (1 - 0.6)),
    "array": np.array([4.0, -1.8, 0.6]),
    "fractions": (4, Fraction(-9, 5), Fraction(3, 5)),
}

QUESTION = Question(
    name="ch5-recall",
    title="Three questions from earlier chapters",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) A reward less a mean that it is not part of. (2) All tokens of the "
        "answer, and no others. (3) Agreement beyond chance, as a part of what was possible."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "mean of all": Wrong(
            (3.0, -1.8, 0.6),
            "In question 1 you subtracted the mean of all four rewards. The sample's own reward must not be in its baseline.",
        ),
        "divided by four": Wrong(
            (4.5, -1.8, 0.6),
            "In question 1 you divided the sum of the others by four. How many others are there?",
        ),
        "baseline itself": Wrong(
            (2.0, -1.8, 0.6),
            "In question 1 you gave the baseline. The advantage is what the sample earned beyond it.",
        ),
        "prompt counted": Wrong(
            (4.0, -3.7, 0.6),
            "In question 2 the tokens of the prompt are counted too. π(y | x) takes the prompt as given.",
        ),
        "end mark left out": Wrong(
            (4.0, -1.4, 0.6),
            "In question 2 the end mark is missing. That the answer stops there is part of the answer.",
        ),
        "mean of the tokens": Wrong(
            (4.0, -0.6, 0.6),
            "In question 2 you averaged. Probabilities of tokens in a row are multiplied: what happens to their logarithms?",
        ),
        "loss": Wrong(
            (4.0, 1.8, 0.6),
            "In question 2 you gave the loss. The logarithm of a probability below 1 is negative.",
        ),
        "raw agreement": Wrong(
            (4.0, -1.8, 0.84),
            "In question 3 you gave the share of pairs on which they agree. Both say left most of the time, so they would "
            "agree often without looking.",
        ),
        "chance is one half": Wrong(
            (4.0, -1.8, 0.68),
            "In question 3 you took chance for one half. Neither of the two says left half of the time.",
        ),
        "not divided": Wrong(
            (4.0, -1.8, 0.24),
            "In question 3 you have the agreement beyond chance. It is still to be divided by the most that it could be.",
        ),
    },
)
