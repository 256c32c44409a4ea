"""The law of a decoding step's attention: one more token of k answers to each prompt, which read their prompt together."""

from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import Array, assert_close


def read_by_hand(query: Array, keys: Array, values: Array, bias: Array, scaling: float) -> Array:
    """One head of one answer: the mean of the values "C E", weighted by the softmax of s k·q + bias over its columns "C"."""
    weights = np.exp(scaling * keys @ query + bias - 50.0)
    return weights @ values / weights.sum()


def check_attend(attend: Callable) -> None:
    """fn(query "N H 1 D", prompt keys "B G P D" and values "B G P E", answer keys "N G R D" and values "N G R E", prompt bias
    "B 1 1 P", answer bias "R", scaling) -> "N 1 H E", for the N = B k answers in the order of their prompts.

    Each answer reads its own prompt and itself in one softmax; H/G heads after one another share keys. Minus 10^30 hides.
    """
    rng = np.random.default_rng(31)
    for b, k, groups, shared in ((1, 1, 1, 1), (3, 4, 2, 1), (2, 3, 2, 3), (4, 1, 1, 2)):
        n, heads, p, r, d, e = b * k, groups * shared, 5, 3, 4, 6
        query = rng.standard_normal((n, heads, 1, d))
        prompts = rng.standard_normal((b, groups, p, d)), rng.standard_normal((b, groups, p, e))
        answers = rng.standard_normal((n, groups, r, d)), rng.standard_normal((n, groups, r, e))
        prompt_bias, answer_bias = rng.standard_normal((b, 1, 1, p)), rng.standard_normal(r)
        prompt_bias[:, 0, 0, 0], answer_bias[-1] = -1e30, -1e30
        expected = np.empty((n, 1, heads, e))
        for i, h in np.ndindex(n, heads):
            keys, values = (
                np.concatenate([x[i // k, h // shared], y[i, h // shared]])
                for x, y in zip(prompts, answers, strict=True)
            )
            bias = np.concatenate([prompt_bias[i // k, 0, 0], answer_bias])
            expected[i, 0, h] = read_by_hand(query[i, h, 0], keys, values, bias, 0.7)
        got = attend(query, *prompts, *answers, prompt_bias, answer_bias, 0.7)
        law = f"{k} answers to each of {b} prompts read prompt and answer in one softmax ({heads} heads, {groups} of keys)"
        assert_close(got, expected, law)
