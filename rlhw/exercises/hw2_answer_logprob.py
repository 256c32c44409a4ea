"""Question hw2-answer-logprob: the log-probabilities of K answers to one prompt, from logits that speak of the next token."""

import math

import numpy as np

from rlhw.exercises.forms import as_lists, from_the_last_row, is_close, recipes, row_by_row
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
To save time a language model reads each prompt once, and then the K answers to it. What it gives after a token are
logits of the *next* token, V numbers each (V is the size of the vocabulary; a softmax turns them into probabilities):

- `prompt_logits[n]`: the logits after the last token of prompt $n$. They speak of the first token of each of its answers.
- `logits[n, k, t]`: the logits after token $t$ of answer $k$ to prompt $n$, tokens counted from 0.
- `tokens[n, k, t]`: that token's number.
- `mask[n, k, t]`: True where the token belongs to the answer, its last one, the end mark, included. The tokens of an
  answer come first in its row; padding follows. Every answer has a token.

Write `answer_logprob(prompt_logits, logits, tokens, mask)` for N prompts, K answers to each, and at most T tokens an
answer. Return N rows and K columns: $\log\pi(y\mid x)$ of each answer, in nats. Answers may have hundreds of tokens. At
the padding stand any tokens and any logits, and the logits after an answer's last token speak of nothing: nan may stand
there too.

Worked: V = 2, prompt logits (0, 0), one answer of the tokens (1, 0), logits after its first token ($\log 3$, 0): the
probability is $\frac12\cdot\frac34$, and its logarithm $-0.9808$.
"""

STUB = """
def answer_logprob(prompt_logits, logits, tokens, mask):
    ...
"""


def answer_logprob(prompt_logits, logits, tokens, mask):
    before = np.empty_like(logits)  # before[n, k, t]: the logits that speak of token t
    before[:, :, 0] = prompt_logits[:, None]
    before[:, :, 1:] = logits[:, :, :-1]
    chosen = np.take_along_axis(before, tokens[..., None], axis=-1)[..., 0]
    largest = before.max(axis=-1)
    log_total = largest + np.log(np.exp(before - largest[..., None]).sum(axis=-1))
    return np.where(mask, chosen - log_total, 0.0).sum(axis=-1)


def answer_logprob_by_loop(prompt_logits, logits, tokens, mask):
    result = np.zeros(mask.shape[:2])
    for n in range(mask.shape[0]):
        for k in range(mask.shape[1]):
            speaking = prompt_logits[n]
            for t in range(int(mask[n, k].sum())):
                weights = np.exp(speaking - speaking.max())
                result[n, k] += np.log(weights[tokens[n, k, t]] / weights.sum())
                speaking = logits[n, k, t]
    return result


def answer_logprob_by_flat_tokens(prompt_logits, logits, tokens, mask):
    n, k, t = np.nonzero(mask)
    rows = np.where((t == 0)[:, None], prompt_logits[n], logits[n, k, t - 1])
    log_p = rows[np.arange(len(t)), tokens[n, k, t]] - np.logaddexp.reduce(rows, axis=1)
    result = np.zeros(mask.shape[:2])
    np.add.at(result, (n, k), log_p)
    return result.tolist()


def stacked(prompt_logits, logits):
    n, k, _, v = logits.shape
    first = np.broadcast_to(prompt_logits[:, None, None], (n, k, 1, v))
    return np.concatenate([first, logits[:, :, :-1]], axis=2)


def rolled(prompt_logits, logits):
    before = np.roll(logits, 1, axis=2)
    before[:, :, 0] = prompt_logits[:, None]
    return before


def reduced(before):
    return before - np.logaddexp.reduce(before, axis=-1, keepdims=True)


def centred(before):
    moved = before - before.max(axis=-1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))


def taken(log_p, tokens):
    return np.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0]


def one_hot(log_p, tokens):
    return np.where(np.arange(log_p.shape[-1]) == tokens[..., None], log_p, 0.0).sum(axis=-1)


def summed(log_p, mask):
    return np.where(mask, log_p, 0.0).sum(axis=-1)


def variant(before=stacked, normalise=reduced, choose=taken, finish=summed):
    """In four steps, each of which is done in several ways, right or wrong."""

    def answer(prompt_logits, logits, tokens, mask):
        return finish(choose(normalise(before(prompt_logits, logits)), tokens), mask)

    return answer


def end_mark_dropped(log_p, mask):
    return summed(log_p, np.concatenate([mask[..., 1:], np.zeros_like(mask[..., :1])], axis=-1))


def first_dropped(log_p, mask):
    return summed(log_p[..., 1:], mask[..., 1:])


def prompt_for_all(prompt_logits, logits):
    return np.broadcast_to(prompt_logits[:, None, None], logits.shape)


def last_row_of_prompts(prompt_logits, logits):
    return stacked(np.broadcast_to(prompt_logits[-1:], prompt_logits.shape), logits)


def draw_with(rng, lengths, vocabulary):
    longest = int(lengths.max())
    logits = 2.0 * rng.standard_normal((*lengths.shape, longest, vocabulary))
    tokens = rng.integers(vocabulary, size=(*lengths.shape, longest))
    prompt_logits = 2.0 * rng.standard_normal((len(lengths), vocabulary))
    return prompt_logits, logits, tokens, np.arange(longest) < lengths[..., None]


def draw(rng):
    """One answer has a single token, one fills its row."""
    lengths = rng.integers(2, 6, size=(int(rng.integers(2, 4)), int(rng.integers(2, 4))))
    lengths.flat[:2] = 1, 6
    return draw_with(rng, rng.permuted(lengths.ravel()).reshape(lengths.shape), int(rng.integers(4, 8)))


def draw_nan(rng):
    prompt_logits, logits, tokens, mask = draw(rng)
    speaks = np.concatenate([mask[..., 1:], np.zeros_like(mask[..., :1])], axis=-1)
    return prompt_logits, np.where(speaks[..., None], logits, np.nan), tokens, mask


def draw_long(rng):
    return draw_with(rng, np.array([[260, int(rng.integers(220, 250))]]), 40)


def expected(prompt_logits, logits, tokens, mask):
    """Token by token, by the definition of a probability."""
    n, k, _ = mask.shape

    def one(i, j):
        speaking = [prompt_logits[i], *logits[i, j]]
        return math.fsum(math.log(probabilities_of(speaking[t])[tokens[i, j, t]]) for t in np.flatnonzero(mask[i, j]))

    return np.array([[one(i, j) for j in range(k)] for i in range(n)])


RIGHT = {
    "model": answer_logprob,
    "loop": answer_logprob_by_loop,
    "flat tokens": answer_logprob_by_flat_tokens,
    **recipes(
        variant,
        {"stacked": stacked, "rolled": rolled},
        {"logaddexp": reduced, "centred": centred},
        {"taken": taken, "one-hot": one_hot},
    ),
    "as lists": as_lists(answer_logprob),
    "row by row": row_by_row(answer_logprob, 4),
    "from the last row": from_the_last_row(answer_logprob_by_loop, 4),
}

QUESTION = Question(
    name="hw2-answer-logprob",
    title="K answers to one prompt",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "The probability of an answer is the product of its tokens' probabilities, the first by the prompt's logits, each "
        "other one by the logits after the token before it; its logarithm is asked for, N rows and K columns. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("any batch", 3, draw),
        Part("nan behind the answers", 2, draw_nan),
        Part("hundreds of tokens", 1, draw_long, cases=1),
    ),
    right=RIGHT,
    wrong={
        "not shifted": Wrong(
            variant(before=lambda prompt_logits, logits: logits),
            "You scored each token by the logits that were given after it. They speak of the next token: the prompt's logits "
            "score token 0, and `logits[n, k, t]` scores token t + 1.",
        ),
        "first token left out": Wrong(
            variant(finish=first_dropped),
            "The first token of each answer is missing. It has a probability too: the prompt's logits speak of it.",
        ),
        "shifted the wrong way": Wrong(
            variant(before=lambda prompt_logits, logits: np.concatenate([logits[:, :, 1:], logits[:, :, :1]], axis=2)),
            "You shifted the wrong way: token t was scored by the logits after token t + 1, which had seen it.",
        ),
        "prompt for all": Wrong(
            variant(before=prompt_for_all),
            "You scored every token by the prompt's logits. After a token the model knows more than after the prompt.",
        ),
        "another prompt": Wrong(
            variant(before=last_row_of_prompts),
            "All answers begin with the logits of one prompt. Each prompt has its own.",
        ),
        "mean over tokens": Wrong(
            variant(finish=lambda log_p, mask: summed(log_p, mask) / mask.sum(axis=-1)),
            "You divided by the number of tokens. A product over tokens is asked for, and the logarithm of a product is no "
            "mean.",
        ),
        "mask multiplied": Wrong(
            variant(finish=lambda log_p, mask: (log_p * mask).sum(axis=-1)),
            "Right until nan stands behind an answer: 0 times nan is nan. Choose what to add up, instead of multiplying it "
            "away.",
        ),
        "mask ignored": Wrong(
            variant(finish=lambda log_p, mask: log_p.sum(axis=-1)),
            "You counted all T columns. What fills up the short answers was never said by anybody.",
        ),
        "end mark dropped": Wrong(
            variant(finish=end_mark_dropped),
            "The last token of each answer is missing. To stop there was a choice of the model too, and has a probability.",
        ),
        "probability": Wrong(
            variant(finish=lambda log_p, mask: np.where(mask, np.exp(log_p), 1.0).prod(axis=-1)),
            "These are the probabilities of the answers. Their logarithms were asked for.",
        ),
        "log of product": Wrong(
            variant(finish=lambda log_p, mask: np.log(np.where(mask, np.exp(log_p), 1.0).prod(axis=-1))),
            "Right for short answers, but the product of hundreds of probabilities is smaller than any number that the "
            "computer knows. Take the logarithms earlier.",
        ),
        "base two": Wrong(
            variant(finish=lambda log_p, mask: summed(log_p, mask) / np.log(2.0)),
            "You have bits: logarithms to base 2. Nats were asked for, the natural logarithm.",
        ),
        "not normalised": Wrong(
            variant(normalise=lambda before: before),
            "You added up logits. A logit is no log-probability: adding 5 to all logits of a place changes your answer, but "
            "no probability.",
        ),
        "loss": Wrong(
            variant(finish=lambda log_p, mask: -summed(log_p, mask)),
            "The size is right, but the sign is that of a loss. A probability is at most 1: which sign has its logarithm?",
        ),
        "all answers of a prompt": Wrong(
            variant(finish=lambda log_p, mask: summed(log_p, mask).sum(axis=-1)),
            "You added the answers to a prompt together. One number for each of its K answers was asked for.",
        ),
    },
    agrees=is_close,
)
