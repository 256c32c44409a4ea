"""Laws of what is computed from a sequence's tokens: log-probabilities, masked sums and means, divergences, cloning, read-outs.

Masks here have holes, and what stands under them is spoiled with NaN, infinities and numbers beyond measure: none of it
may reach a value, and the gradient there is exactly zero.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import (
    Array,
    assert_close,
    expected_value,
    gradient_of,
    log_probabilities_of,
    numerical_gradient,
    policies,
)

SPOILS = (np.nan, np.inf, -np.inf, 1e300)


def masked_values(seed: int = 4) -> Iterator[tuple[Array, Array, np.random.Generator]]:
    """Values "*B T" and masks of the same shape: each row keeps two entries or more, of different number and with holes."""
    rng = np.random.default_rng(seed)
    for shape in ((5,), (3, 6), (2, 3, 4)):
        mask = rng.random(shape) < 0.5
        mask[..., [1, -1]] = True
        mask.flat[0] = False
        yield 2.0 * rng.standard_normal(shape) + 1.0, mask, rng


def whole_answers(seed: int = 17) -> Iterator[tuple[Array, Array, np.random.Generator]]:
    """Values "B K R" and the masks of answers: from the left, of one token to the whole length."""
    rng = np.random.default_rng(seed)
    for lengths in ([[1, 4, 2], [3, 2, 4]], [[2], [3], [1]]):
        mask = np.arange(5) < np.array(lengths)[..., None]
        yield 2.0 * rng.standard_normal(mask.shape) + 1.0, mask, rng


def rows_of(reduce: Callable[[Array], float], values: Array, mask: Array) -> Array:
    """`reduce` of the kept entries of each row: the oracle of whatever sums over the last axis."""
    width = values.shape[-1]
    rows = zip(values.reshape(-1, width), mask.reshape(-1, width), strict=True)
    return np.array([reduce(row[keep]) for row, keep in rows]).reshape(values.shape[:-1])


def check_token_logprobs(token_logprobs: Callable) -> None:
    """The log-softmax of each position's logits at its token, in extended precision; its gradient; logits of thousands."""
    rng = np.random.default_rng(5)
    for shape, symbols in (((3,), 2), ((4,), 5), ((2, 3), 4), ((2, 2, 3), 3)):
        logits = 2.0 * rng.standard_normal((*shape, symbols)) + rng.normal()
        tokens, weights = rng.integers(symbols, size=shape), rng.standard_normal(shape)

        def picked(logits: Array, tokens: Array = tokens) -> Array:
            return np.take_along_axis(log_probabilities_of(logits), tokens[..., None], axis=-1)[..., 0]

        law = "each token's log-probability is the log-softmax of its own position's logits, at the token"
        assert_close(token_logprobs(logits, tokens), picked(logits), law)
        lifted = logits + 900.0 * rng.standard_normal((*shape, 1))
        law = "a number added to all logits of a position changes nothing"
        assert_close(token_logprobs(lifted, tokens), picked(logits), law)
        slope = numerical_gradient(lambda z, w=weights, f=picked: float(np.sum(w * f(z))), logits)
        law = "the gradient at a position is one at its token, less the probabilities"
        assert_close(gradient_of(token_logprobs, logits, tokens, weights=weights), slope, law, tolerance=1e-7)
    far = token_logprobs(np.array([[0.0, 3000.0, 1000.0]] * 2), np.array([0, 1]))
    assert_close(far, np.array([-3000.0, 0.0]), "the log of a probability that underflows is still finite")


def _reduction(fn: Callable, reduce: Callable[[Array], float], law: str, cases: Callable = masked_values) -> None:
    """fn(values, mask) is `reduce` of each row's kept entries, and nothing of it comes from under the mask."""
    for values, mask, rng in cases():
        expected = rows_of(reduce, values, mask)
        assert_close(fn(values, mask), expected, law)
        assert_close(fn(values, np.ones_like(mask)), rows_of(reduce, values, np.ones_like(mask)), law)
        for spoil in SPOILS:
            assert_close(
                fn(np.where(mask, values, spoil), mask), expected, "what stands under the mask changes nothing"
            )
        lost = np.asarray(fn(np.where(mask, np.nan, values), mask))
        law_of_nan = "what is kept is not hidden, be it no number at all"
        assert np.isnan(lost).all(), f"{law_of_nan}; yours makes {lost.flat[0]:.6g} of kept NaN."
        weights = rng.standard_normal(expected.shape)
        slope = numerical_gradient(lambda x, m=mask, w=weights: float(np.sum(w * rows_of(reduce, x, m))), values)
        gradient = gradient_of(fn, np.where(mask, values, np.nan), mask, weights=weights)
        assert_close(gradient[~mask], slope[~mask], "the gradient under the mask is exactly zero", tolerance=0.0)
        assert_close(gradient, slope, f"the gradient is that of this: {law}", tolerance=1e-7)


def check_masked_sum(masked_sum: Callable) -> None:
    """The sum of each row's kept entries, zero where none is kept; nothing comes from under the mask."""
    _reduction(masked_sum, np.sum, "the masked sum adds up the kept entries of each row")
    none = masked_sum(np.full((2, 3), np.nan), np.zeros((2, 3), dtype=bool))
    assert_close(none, np.zeros(2), "a row of which nothing is kept has sum zero")


def check_masked_mean(masked_mean: Callable) -> None:
    """The mean of each row's kept entries, over their number; nothing comes from under the mask."""
    _reduction(masked_mean, np.mean, "the masked mean is the sum of a row's kept entries over their number")


def check_bc_loss(bc_loss: Callable) -> None:
    """Minus the sum of each answer's log-probabilities, eos included; an answer's loss does not depend on the others."""
    _reduction(
        bc_loss, lambda kept: -np.sum(kept), "the cloning loss is minus the sum of the answer's log-probabilities"
    )
    logprobs, mask, _ = list(masked_values())[1]
    parts = [bc_loss(logprobs[rows], mask[rows]) for rows in (slice(1), slice(1, 3))]
    law = "an answer's loss is the same in a batch of other answers"
    assert_close(np.concatenate(parts), bc_loss(logprobs, mask), law)


def check_whiten(whiten: Callable) -> None:
    """(v - m)/s with the mean m and the standard deviation s of all kept entries together, 0 at the others (to 1e-6: a
    small number may stand beside s²); nothing comes from under the mask; equal values give zeros.
    """
    for values, mask, rng in masked_values():

        def whitened(x: Array, mask: Array = mask) -> Array:
            return np.where(mask, (x - x[mask].mean()) / x[mask].std(), 0.0)

        law = "whitening takes off the mean of all kept entries and divides by their standard deviation"
        assert_close(whiten(values, mask), whitened(values), law, tolerance=1e-6)
        for spoil in SPOILS:
            got = whiten(np.where(mask, values, spoil), mask)
            assert_close(got, whitened(values), "what stands under the mask changes nothing", tolerance=1e-6)
        weights = rng.standard_normal(values.shape)
        slope = numerical_gradient(lambda x, w=weights, f=whitened: float(np.sum(w * f(x))), values)
        gradient = gradient_of(whiten, np.where(mask, values, np.nan), mask, weights=weights)
        assert_close(gradient[~mask], slope[~mask], "the gradient under the mask is exactly zero", tolerance=0.0)
        assert_close(gradient, slope, "the gradient is that of the whitened values", tolerance=1e-6)
    equal = whiten(np.full((2, 3), 7.0), np.array([[True, True, False], [True, False, False]]))
    assert_close(equal, np.zeros((2, 3)), "entries that are all equal are whitened to zero")


def check_sum_of_tokens(sum_of_tokens: Callable) -> None:
    """scores "B K R" and mask -> "B K": the sum of the scores of an answer's tokens; padding is not read."""
    _reduction(sum_of_tokens, np.sum, "an answer's reward is the sum of its tokens' scores", whole_answers)


def check_last_token(last_token: Callable) -> None:
    """scores "B K R" and mask -> "B K": the score at an answer's last token, its eos; padding is not read."""
    _reduction(last_token, lambda kept: kept[-1], "an answer's reward is the score at its last token", whole_answers)


def check_kl_estimate(kl_estimate: Callable) -> None:
    """k1 = log(p/q), k2 = k1²/2, k3 = q/p - 1 - log(q/p), p first: under p, k1 and k3 have mean KL(p‖q), by enumeration."""
    tokens = np.array([[-1.2, -0.3, -2.0], [-0.7, -0.1, 0.0]])
    law = "an estimate has the shape of its log-probabilities: one number a token"
    assert_close(kl_estimate(tokens, 2 * tokens, "k1"), -tokens, law)
    for logits, rng in policies(seed=6):
        p = log_probabilities_of(logits)
        q = log_probabilities_of(logits + rng.standard_normal(len(logits)))
        divergence = expected_value(logits, p - q)
        k1, k2, k3 = (kl_estimate(p, q, kind) for kind in ("k1", "k2", "k3"))
        for kind, estimate in (("k1", k1), ("k3", k3)):
            law = f"the expectation of {kind} under its first law p is KL(p‖q)"
            assert_close(expected_value(logits, estimate), divergence, law)
        assert np.all(np.asarray(k3) >= -1e-12), f"k3 is never negative; yours is {np.min(k3):.6g}."
        law = "k1 is log p - log q, so p and q exchanged flip its sign"
        assert_close(kl_estimate(q, p, "k1"), -np.asarray(k1), law)
        assert_close(k1, p - q, "k1 is log p - log q")
        assert_close(k2, (p - q) ** 2 / 2, "k2 is half the square of k1")
        assert_close(k3, np.exp(q - p) - 1 - (q - p), "k3 is q/p - 1 - log(q/p)")
        slopes = {"k1": np.ones(len(p)), "k2": p - q, "k3": 1 - np.exp(q - p)}
        for kind, slope in slopes.items():
            _kl_gradient(kl_estimate, kind, p, q, slope)


def _kl_gradient(kl_estimate: Callable, kind: str, p: Array, q: Array, slope: Array) -> None:
    """Both arguments carry a gradient; the caller detaches the one that is to stand still."""
    for argument, expected in ((0, slope), (1, -slope)):
        gradient = gradient_of(kl_estimate, p, q, kind, weights=np.ones(len(p)), argument=argument)
        law = f"the gradient of {kind} is that of its formula"
        assert_close(gradient, expected, law, tolerance=1e-7)
