"""Question ch5-read-out: the score at the last token."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A reward model gives a score at each token, and the score of an answer is read at its last token. A batch of $N$
answers stands in one array, so the shorter ones are filled up on the right: `scores` is an array of N rows and T
columns, and `mask`, of the same shape, is `True` at the tokens of the answer and `False` at the padding. Every answer
has at least one token.

Finish `last_scores(scores, mask)`: return the N scores at the answers' last tokens. What stands in `scores` at the
padding means nothing. It can be 0, any other number, or even nan.
"""

STUB = """
def last_scores(scores, mask):
    lengths = mask.sum(axis=1)
    ...
"""


def last_scores(scores, mask):
    lengths = mask.sum(axis=1)
    return scores[np.arange(len(scores)), lengths - 1]


def last_scores_by_loop(scores, mask):
    return [row[real][-1] for row, real in zip(scores, mask, strict=True)]


def last_scores_from_the_right(scores, mask):
    backwards = mask[:, ::-1]
    pads = backwards.argmax(axis=1)
    return np.take_along_axis(scores[:, ::-1], pads[:, None], axis=1)[:, 0]


def last_column(scores, mask):
    return scores[:, -1]


def last_of_the_longest(scores, mask):
    return scores[:, mask.sum(axis=1).max() - 1]


def first_pad(scores, mask):
    return scores[np.arange(len(scores)), mask.sum(axis=1)]


def one_token_early(scores, mask):
    return scores[np.arange(len(scores)), mask.sum(axis=1) - 2]


def first_token(scores, mask):
    return scores[np.arange(len(scores)), mask.argmax(axis=1)]


def summed(scores, mask):
    return np.where(mask, scores, 0.0).sum(axis=1)


def averaged(scores, mask):
    return np.where(mask, scores, 0.0).sum(axis=1) / mask.sum(axis=1)


def largest(scores, mask):
    return np.where(mask, scores, -np.inf).max(axis=1)


def last_that_is_not_zero(scores, mask):
    places = np.where(scores != 0.0, np.arange(scores.shape[1]), 0)
    return scores[np.arange(len(scores)), places.max(axis=1)]


def masked_by_a_product(scores, mask):
    last = mask & (mask.cumsum(axis=1) == mask.sum(axis=1, keepdims=True))
    return (scores * last).sum(axis=1)


def draw(rng):
    """Two pads or more a row, the last of them with score 0, the others with any; the best score is never the last."""
    answers, tokens = int(rng.integers(3, 6)), int(rng.integers(7, 11))
    lengths = rng.integers(3, tokens - 1, answers)
    lengths[:2] = 3, tokens - 2
    mask = np.arange(tokens) < rng.permutation(lengths)[:, None]
    scores = 2.0 * rng.standard_normal((answers, tokens))
    scores[:, -1] = 0.0
    rows = np.arange(answers)
    scores[rows, rng.integers(1, mask.sum(axis=1) - 1)] = np.abs(scores).max(axis=1) + 1.0
    return scores, mask


def draw_nan(rng):
    scores, mask = draw(rng)
    return np.where(mask, scores, np.nan), mask


def expected(scores, mask):
    answers, tokens = mask.shape
    return np.array([scores[n, max(t for t in range(tokens) if mask[n, t])] for n in range(answers)])


RIGHT = {
    "model": last_scores,
    "loop, as a list": last_scores_by_loop,
    "from the right": last_scores_from_the_right,
}

QUESTION = Question(
    name="ch5-read-out",
    title="The score at the last token",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry n is the score of row n at its last column where the mask is True. Yours differs.",
    expected=expected,
    parts=(
        Part("numbers at the padding", 4, draw),
        Part("nan at the padding", 2, draw_nan),
    ),
    right=RIGHT,
    wrong={
        "last column": Wrong(
            last_column,
            "You read the last column of the array. For every answer that was filled up, that is a pad.",
        ),
        "last of the longest": Wrong(
            last_of_the_longest,
            "You read all rows in one column, where the longest answer ends. The others ended before.",
        ),
        "first pad": Wrong(
            first_pad,
            "You read one place too late, at the first pad: columns are counted from 0.",
        ),
        "one token early": Wrong(
            one_token_early,
            "You read one place too early, at the token before the last. The last token (its end mark, where there is "
            "one) belongs to the answer.",
        ),
        "first token": Wrong(
            first_token,
            "You read at the first token of each answer: among equal values argmax takes the first one.",
        ),
        "summed": Wrong(
            summed,
            "You added the scores of all tokens of the answer. That is another way to read a reward model; here only the "
            "last token counts.",
        ),
        "averaged": Wrong(
            averaged,
            "You averaged over the tokens of the answer. The model was asked after its last token only, when it had seen "
            "all of it.",
        ),
        "largest": Wrong(
            largest,
            "You took the largest score of each answer, wherever it stands. Only the one at the last token was asked for.",
        ),
        "last that is not zero": Wrong(
            last_that_is_not_zero,
            "You looked for the padding by its score. A pad can have any score, and a token can score 0: what is padding "
            "stands in the mask.",
        ),
        "masked by a product": Wrong(
            masked_by_a_product,
            "Right as long as the padding holds numbers. But nan times 0 is nan: multiplying by a mask does not remove "
            "what stands there. Choose the entries instead.",
        ),
    },
)
