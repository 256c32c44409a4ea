"""Question ch10-floor: how fast a model can write at most."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A model has `parameters` parameters in 16 bits, `layers` layers, and in each layer keys and values of `width` numbers a token,
in 16 bits too. It writes `texts` texts at once; each has a prompt of `prompt` tokens and gets `new` tokens more. The memory is
read at `rate` bytes a second, and nothing else takes time. The step that writes new token number $j = 1, 2, \dots$ reads all
weights, and the keys and values of the prompt and of the $j - 1$ tokens before it.

Finish `floor(parameters, layers, width, texts, prompt, new, rate)`: return two numbers, the seconds of all `new` steps
together, and the tokens a second of all texts together.
"""

STUB = """
def floor(parameters, layers, width, texts, prompt, new, rate):
    weights = ...
    token = ...  # bytes of the keys and values of one token of one text
    ...
"""


def floor(parameters, layers, width, texts, prompt, new, rate):
    weights, token = 2 * parameters, 2 * layers * width * 2
    length = prompt + (new - 1) / 2
    seconds = new * (weights + texts * token * length) / rate
    return seconds, texts * new / seconds


def floor_by_steps(parameters, layers, width, texts, prompt, new, rate):
    steps = prompt + np.arange(new)
    seconds = np.sum(2 * parameters + 4 * layers * width * texts * steps) / rate
    return np.array([seconds, new * texts / seconds])


def _with(seconds, texts, new):
    return seconds, texts * new / seconds


def values_forgotten(parameters, layers, width, texts, prompt, new, rate):
    length = prompt + (new - 1) / 2
    return _with(new * (2 * parameters + texts * 2 * layers * width * length) / rate, texts, new)


def cache_forgotten(parameters, layers, width, texts, prompt, new, rate):
    return _with(new * 2 * parameters / rate, texts, new)


def weights_each(parameters, layers, width, texts, prompt, new, rate):
    length = prompt + (new - 1) / 2
    return _with(new * texts * (2 * parameters + 4 * layers * width * length) / rate, texts, new)


def prompt_only(parameters, layers, width, texts, prompt, new, rate):
    return _with(new * (2 * parameters + texts * 4 * layers * width * prompt) / rate, texts, new)


def at_the_end(parameters, layers, width, texts, prompt, new, rate):
    return _with(new * (2 * parameters + texts * 4 * layers * width * (prompt + new)) / rate, texts, new)


def one_token_too_many(parameters, layers, width, texts, prompt, new, rate):
    length = prompt + (new + 1) / 2
    return _with(new * (2 * parameters + texts * 4 * layers * width * length) / rate, texts, new)


def float32(parameters, layers, width, texts, prompt, new, rate):
    seconds, tokens = floor(parameters, layers, width, texts, prompt, new, rate)
    return 2 * seconds, tokens / 2


def of_one_text(parameters, layers, width, texts, prompt, new, rate):
    seconds, tokens = floor(parameters, layers, width, texts, prompt, new, rate)
    return seconds, tokens / texts


def one_step(parameters, layers, width, texts, prompt, new, rate):
    seconds, tokens = floor(parameters, layers, width, texts, prompt, new, rate)
    return seconds / new, tokens


def drawn(rng):
    layers, width = int(rng.integers(4, 30)), 64 * int(rng.integers(6, 30))
    parameters = 12 * layers * width**2 + int(rng.integers(10**5, 10**6))
    texts, prompt, new = (int(rng.integers(*ends)) for ends in ((24, 96), (300, 900), (20, 60)))
    return parameters, layers, width, texts, prompt, new, float(rng.uniform(0.3, 3.0)) * 1e12


def expected(parameters, layers, width, texts, prompt, new, rate):
    """Bytes in exact integers, step by step."""
    read = 0
    for number in range(1, new + 1):
        read += 2 * parameters
        read += sum(2 for _ in range(2)) * layers * width * texts * (prompt + number - 1)
    return read / rate, texts * new * rate / read


QUESTION = Question(
    name="ch10-floor",
    title="The floor under a sampler",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Every step reads all weights once, and the keys and values of all tokens so far. Yours differs.",
    expected=expected,
    parts=(Part("two numbers", 6, drawn),),
    right={"mean length": floor, "step by step": floor_by_steps},
    wrong={
        "values forgotten": Wrong(
            values_forgotten, "A token leaves a key and a value in each layer. You counted one of the two."
        ),
        "cache forgotten": Wrong(
            cache_forgotten, "You read the weights and no keys and values. With many texts those are the larger part."
        ),
        "weights for each text": Wrong(
            weights_each,
            "You read the weights once for each text. One reading serves all texts of a step: that is why they are "
            "written together.",
        ),
        "prompt alone": Wrong(
            prompt_only, "The cache grows: step j also reads the j - 1 tokens that were written before."
        ),
        "length at the end": Wrong(
            at_the_end, "You took the full length for every step. At step j only the prompt and j - 1 tokens are there."
        ),
        "one token too many": Wrong(
            one_token_too_many,
            "A token too many in each step: token j is written from the prompt and the j - 1 tokens before it, so the first step "
            "reads the prompt alone.",
        ),
        "four bytes": Wrong(float32, "Twice the seconds: you counted 4 bytes a number. 16 bits are 2."),
        "one text": Wrong(
            of_one_text, "Your seconds are right. The tokens a second were asked for all texts together."
        ),
        "one step": Wrong(
            one_step, "Your tokens a second are right. The seconds of all steps together were asked for."
        ),
    },
)
