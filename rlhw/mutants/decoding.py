"""Wrong attentions of a decoding step, on arrays: one plain attention, wrong in the way of its name."""

import numpy as np
from scipy.special import softmax

SUBJECTS = {"check_attend": "rlhw.decoding_step:attend"}


def _attend(
    query, prompt_keys, prompt_values, answer_keys, answer_values, prompt_bias, answer_bias, scaling, *, repeated=np.repeat,
    grouped=np.repeat, weigh=lambda scores, p: softmax(scores, -1),
):  # fmt: skip
    """Keys and values repeated for each answer and each head, and one softmax over prompt and answer."""
    n, heads, p = len(query), query.shape[1], prompt_keys.shape[2]
    k, shared = n // len(prompt_keys), heads // prompt_keys.shape[1]

    def whole(prompts, answers):
        return grouped(np.concatenate([repeated(prompts, k, axis=0), answers], 2), shared, axis=1)

    keys, values = whole(prompt_keys, answer_keys), whole(prompt_values, answer_values)
    bias = np.concatenate(
        [repeated(prompt_bias, k, axis=0), np.broadcast_to(answer_bias, (n, 1, 1, len(answer_bias)))], -1
    )
    weights = weigh(scaling * query @ keys.swapaxes(-1, -2) + bias, p)
    return (weights @ values).swapaxes(1, 2)


def _tiled(rows, times, axis):
    """All of them one after the other, as often as asked: not each one so often."""
    return np.concatenate([rows] * times, axis)


def _apart(scores, p):
    return np.concatenate([softmax(scores[..., :p], -1), softmax(scores[..., p:], -1)], -1)


def _halved(scores, p):
    return _apart(scores, p) / 2


def _unhidden(*inputs):
    *rest, prompt_bias, answer_bias, scaling = inputs
    return _attend(*rest, 0 * prompt_bias, answer_bias, scaling)


def _all_columns(*inputs):
    *rest, answer_bias, scaling = inputs
    return _attend(*rest, np.where(answer_bias < -1e20, 0.0, answer_bias), scaling)


MUTANTS = {
    "check_attend": {
        "prompts one after the other": lambda *inputs: _attend(*inputs, repeated=_tiled),
        "heads share keys in turn": lambda *inputs: _attend(*inputs, grouped=_tiled),
        "two softmaxes": lambda *inputs: _attend(*inputs, weigh=_apart),
        "two softmaxes, halved": lambda *inputs: _attend(*inputs, weigh=_halved),
        "padding is seen": _unhidden,
        "columns to come are seen": _all_columns,
        "not scaled": lambda *inputs: _attend(*inputs[:-1], 1.0),
        "the answer alone": lambda *inputs: _attend(
            *inputs, weigh=lambda scores, p: softmax(np.where(np.arange(scores.shape[-1]) < p, -1e30, scores), -1)
        ),
        "the prompt alone": lambda *inputs: _attend(
            *inputs, weigh=lambda scores, p: softmax(np.where(np.arange(scores.shape[-1]) < p, scores, -1e30), -1)
        ),
        "axes as they were": lambda *inputs: _attend(*inputs).swapaxes(1, 2),
    },
}
