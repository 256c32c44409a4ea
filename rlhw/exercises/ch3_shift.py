"""Question ch3-shift: which row speaks about which token."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
A language model has read a row of L tokens: a prompt of `prompt_length` tokens, then an answer. `tokens` are these L
integers, counted from 0. `logits` has L rows of V numbers; row $i$ was computed after reading token $i$, so it speaks
about token $i + 1$. Return the log-probabilities of the answer's tokens, in their order: an array of
`L - prompt_length` numbers.

For example, with 6 tokens of which 4 are the prompt's, two numbers are asked for, those of tokens 4 and 5. The first
line turns logits into log-probabilities; finish `answer_logprobs(logits, tokens, prompt_length)`.
"""

STUB = """
def answer_logprobs(logits, tokens, prompt_length):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    ...
"""


def answer_logprobs(logits, tokens, prompt_length):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    rows = log_p[prompt_length - 1 : -1]
    answer = tokens[prompt_length:]
    return rows[np.arange(len(answer)), answer]


def answer_logprobs_by_loop(logits, tokens, prompt_length):
    result = []
    for place in range(prompt_length, len(tokens)):
        before = logits[place - 1]
        weights = np.exp(before - max(before))
        result.append(np.log(weights[tokens[place]] / weights.sum()))
    return np.array(result)


def answer_logprobs_by_shifting_all(logits, tokens, prompt_length):
    largest = logits.max(axis=1, keepdims=True)
    log_p = logits - largest - np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
    of_next = np.take_along_axis(log_p[:-1], tokens[1:, None], axis=1)[:, 0]
    return of_next[prompt_length - 1 :]


def logprobs_at(logits, rows, words):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return log_p[rows, words]


def not_shifted(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens))
    return logprobs_at(logits, places, tokens[places])


def other_way(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens))
    return logprobs_at(logits, places, tokens[places - 1])


def shifted_twice(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens))
    return logprobs_at(logits, places - 2, tokens[places])


def rolled_round(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens))
    return logprobs_at(logits, places, np.roll(tokens, -1)[places])


def prompt_included(logits, tokens, prompt_length):
    places = np.arange(1, len(tokens))
    return logprobs_at(logits, places - 1, tokens[places])


def prompt_instead(logits, tokens, prompt_length):
    places = np.arange(1, prompt_length)
    return logprobs_at(logits, places - 1, tokens[places])


def first_missing(logits, tokens, prompt_length):
    places = np.arange(prompt_length + 1, len(tokens))
    return logprobs_at(logits, places - 1, tokens[places])


def last_missing(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens) - 1)
    return logprobs_at(logits, places - 1, tokens[places])


def one_too_many(logits, tokens, prompt_length):
    places = np.arange(prompt_length - 1, len(tokens))
    return logprobs_at(logits, places - 1, tokens[places])


def added_up(logits, tokens, prompt_length):
    places = np.arange(prompt_length, len(tokens))
    return logprobs_at(logits, places - 1, tokens[places]).sum()


def draw(rng):
    prompt_length, answer_length = int(rng.integers(3, 6)), int(rng.integers(3, 7))
    length, vocabulary = prompt_length + answer_length, int(rng.integers(4, 8))
    logits = 2.0 * rng.standard_normal((length, vocabulary))
    return logits, rng.integers(vocabulary, size=length), prompt_length


def expected(logits, tokens, prompt_length):
    """Each row with the token that it speaks about, written down for the whole text; then the pairs that are prompt go."""
    spoken_about = dict(enumerate(zip(logits, tokens[1:], strict=False), start=1))
    chances = {place: probabilities_of(row)[token] for place, (row, token) in spoken_about.items()}
    return np.log([chance for place, chance in chances.items() if place >= prompt_length])


RIGHT = {
    "model": answer_logprobs,
    "loop": answer_logprobs_by_loop,
    "shift all, then cut": answer_logprobs_by_shifting_all,
}

QUESTION = Question(
    name="ch3-shift",
    title="Which row speaks about which token",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Ask for each token of the answer: which row was computed just before it was read? Yours differs.",
    expected=expected,
    parts=(Part("any row of tokens", 6, draw),),
    right=RIGHT,
    wrong={
        "not shifted": Wrong(
            not_shifted,
            "You read each token's probability in the row of the same number. That row has already seen the "
            "token: it speaks about what comes after it.",
        ),
        "other way": Wrong(
            other_way,
            "You shifted the wrong way: row i was asked about token i - 1, which lies behind it. A model predicts "
            "what is still to come.",
        ),
        "shifted twice": Wrong(
            shifted_twice,
            "There are two places between your rows and your tokens: it was shifted twice. Many libraries shift "
            "inside; look which of the two has done it already.",
        ),
        "rolled round": Wrong(
            rolled_round,
            "Your last number asks the last row about the first token of the prompt: the tokens were rolled round."
            " And the answer's first token is missing at the other end.",
        ),
        "prompt included": Wrong(
            prompt_included,
            "The shift is right, but the prompt's tokens are in your answer too. The prompt was given; nobody "
            "asks how likely it was.",
        ),
        "prompt instead": Wrong(
            prompt_instead,
            "The shift is right, but you kept the prompt's tokens and cut the answer's away.",
        ),
        "first missing": Wrong(
            first_missing,
            "The answer's first token is missing: after the shift all numbers stand one place further to the "
            "front, and your cut stayed where it was. Which row speaks about the first token of the answer?",
        ),
        "last missing": Wrong(
            last_missing,
            "The answer's last token is missing. It is often the end mark, and a model that never learns it never stops.",
        ),
        "one too many": Wrong(
            one_too_many,
            "You have one number too many, in front: it belongs to the last token of the prompt.",
        ),
        "added up": Wrong(
            added_up,
            "You added the numbers up. That is the log-probability of the whole answer; here each token's own is asked for.",
        ),
    },
)
