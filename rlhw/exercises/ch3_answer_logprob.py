"""Question ch3-answer-logprob: the log-probability of an answer."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
A batch holds N answers, filled up to T tokens. `logits[n, t]` are the V logits that the model gave for the place of
token `tokens[n, t]`: nothing has to be shifted here. `mask[n, t]` is True where a token belongs to the answer, its
last token, the end mark, included. Return $\log\pi_\theta(y\mid x)$ of each answer in nats: an array of N numbers.

What stands where the mask is False has no part in an answer. Any token may stand there, and any logits, NaN too.
Answers may have hundreds of tokens.
"""

STUB = """
def answer_logprob(logits, tokens, mask):
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]  # (N, T): the logit of each token
    ...
"""


def answer_logprob(logits, tokens, mask):
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    largest = logits.max(axis=-1)
    log_total = largest + np.log(np.exp(logits - largest[..., None]).sum(axis=-1))
    return np.where(mask, chosen - log_total, 0.0).sum(axis=-1)


def answer_logprob_by_loop(logits, tokens, mask):
    result = []
    for n in range(len(tokens)):
        total = 0.0
        for t in range(len(tokens[n])):
            if mask[n, t]:
                weights = np.exp(logits[n, t] - max(logits[n, t]))
                total += np.log(weights[tokens[n, t]] / weights.sum())
        result.append(total)
    return np.array(result)


def answer_logprob_by_flat_tokens(logits, tokens, mask):
    answer_of, _ = np.nonzero(mask)
    rows, words = logits[mask], tokens[mask]
    log_p = rows[np.arange(len(rows)), words] - np.logaddexp.reduce(rows, axis=1)
    return np.bincount(answer_of, weights=log_p, minlength=len(mask))


def token_logprobs(logits, tokens):
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return np.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0]


def mean_over_tokens(logits, tokens, mask):
    return np.where(mask, token_logprobs(logits, tokens), 0.0).sum(axis=-1) / mask.sum(axis=-1)


def mask_ignored(logits, tokens, mask):
    return token_logprobs(logits, tokens).sum(axis=-1)


def mask_multiplied(logits, tokens, mask):
    return (token_logprobs(logits, tokens) * mask).sum(axis=-1)


def probability(logits, tokens, mask):
    return np.where(mask, np.exp(token_logprobs(logits, tokens)), 1.0).prod(axis=-1)


def log_of_product(logits, tokens, mask):
    return np.log(probability(logits, tokens, mask))


def base_two(logits, tokens, mask):
    return np.where(mask, token_logprobs(logits, tokens), 0.0).sum(axis=-1) / np.log(2.0)


def not_normalised(logits, tokens, mask):
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return np.where(mask, chosen, 0.0).sum(axis=-1)


def end_mark_dropped(logits, tokens, mask):
    followed = np.zeros_like(mask)
    followed[:, :-1] = mask[:, 1:]
    return np.where(followed, token_logprobs(logits, tokens), 0.0).sum(axis=-1)


def likeliest_token(logits, tokens, mask):
    return np.where(mask, token_logprobs(logits, logits.argmax(axis=-1)), 0.0).sum(axis=-1)


def loss(logits, tokens, mask):
    return -np.where(mask, token_logprobs(logits, tokens), 0.0).sum(axis=-1)


def whole_batch(logits, tokens, mask):
    return np.where(mask, token_logprobs(logits, tokens), 0.0).sum()


def batch_of(rng, answers, lengths, vocabulary):
    longest = int(lengths.max())
    logits = 2.0 * rng.standard_normal((answers, longest, vocabulary))
    tokens = rng.integers(vocabulary, size=(answers, longest))
    return logits, tokens, np.arange(longest) < lengths[:, None]


def draw(rng):
    answers, longest = int(rng.integers(3, 6)), int(rng.integers(5, 9))
    # One answer fills its row, all others are shorter.
    lengths = np.append(rng.integers(2, longest, size=answers - 1), longest)
    return batch_of(rng, answers, rng.permutation(lengths), int(rng.integers(4, 8)))


def draw_nan(rng):
    logits, tokens, mask = draw(rng)
    return np.where(mask[..., None], logits, np.nan), tokens, mask


def draw_long(rng):
    return batch_of(rng, 2, np.array([260, int(rng.integers(220, 250))]), 50)


def expected(logits, tokens, mask):
    """Token by token, by the definition of a probability."""
    return np.array(
        [
            math.fsum(math.log(probabilities_of(logits[n, t])[tokens[n, t]]) for t in np.flatnonzero(mask[n]))
            for n in range(len(tokens))
        ]
    )


RIGHT = {
    "model": answer_logprob,
    "loop": answer_logprob_by_loop,
    "flat tokens": answer_logprob_by_flat_tokens,
}

QUESTION = Question(
    name="ch3-answer-logprob",
    title="The log-probability of an answer",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="An answer's probability is the product of its tokens' probabilities; its logarithm is asked for. Yours differs.",
    expected=expected,
    parts=(
        Part("any batch", 3, draw),
        Part("NaN where the mask is False", 2, draw_nan),
        Part("hundreds of tokens", 1, draw_long, cases=1),
    ),
    right=RIGHT,
    wrong={
        "mean over tokens": Wrong(
            mean_over_tokens,
            "You divided by the number of tokens. The probability of an answer is a product over its tokens, and "
            "the logarithm of a product is no mean.",
        ),
        "mask ignored": Wrong(
            mask_ignored,
            "You counted all T columns. What fills up the short answers was never said by anybody.",
        ),
        "mask multiplied": Wrong(
            mask_multiplied,
            "Your answer is right until NaN stands where the mask is False: 0 times NaN is NaN. Choose what to "
            "add up, instead of multiplying it away.",
        ),
        "probability": Wrong(
            probability,
            "These are the probabilities of the answers. Their logarithms were asked for.",
        ),
        "log of product": Wrong(
            log_of_product,
            "Right for short answers, but the product of hundreds of probabilities is smaller than any number "
            "that the computer knows, and the logarithm of 0 is minus infinity. Take the logarithms earlier.",
        ),
        "base two": Wrong(
            base_two,
            "You have bits: logarithms to base 2. Nats were asked for, the natural logarithm.",
        ),
        "not normalised": Wrong(
            not_normalised,
            "You added up the logits of the tokens. A logit is no log-probability: adding 5 to all logits of a "
            "place changes your answer, but no probability.",
        ),
        "end mark dropped": Wrong(
            end_mark_dropped,
            "The last token of each answer is missing. To stop there was a choice of the model too, and has a "
            "probability.",
        ),
        "likeliest token": Wrong(
            likeliest_token,
            "You took at each place the likeliest token. The answer is made of the tokens that stand in it, "
            "likely or not.",
        ),
        "loss": Wrong(
            loss,
            "The size is right, but the sign is that of a loss. A probability is at most 1: which sign does its "
            "logarithm have?",
        ),
        "whole batch": Wrong(
            whole_batch,
            "You added the answers of the batch together. One number for each of the N answers was asked for.",
        ),
    },
)
