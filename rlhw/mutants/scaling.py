"""Wrong means over processes, bytes counted twice or not at all, and gaps between numbers that are another format's."""

import numpy as np

from rlhw.scaling import cache_bytes, operations_a_token, ring_bytes, spacing, state_bytes

SUBJECTS = {
    "check_global_mean": "rlhw.scaling:global_mean",
    "check_state_bytes": "rlhw.scaling:state_bytes",
    "check_cache_bytes": "rlhw.scaling:cache_bytes",
    "check_decode_floor": "rlhw.scaling:decode_floor",
    "check_operations_a_token": "rlhw.scaling:operations_a_token",
    "check_utilisation": "rlhw.scaling:utilisation",
    "check_spacing": "rlhw.scaling:spacing",
    "check_truncated_weights": "rlhw.scaling:truncated_weights",
    "check_ring_bytes": "rlhw.scaling:ring_bytes",
}

GLOBAL_MEAN = {
    "mean of the processes' means": lambda s, n: np.mean(s / np.maximum(n, 1)[:, None], axis=0),
    "divided by the processes": lambda s, n: np.mean(s, axis=0),
    "sum of the means": lambda s, n: np.sum(s / np.maximum(n, 1)[:, None], axis=0),
    "divided by the first count": lambda s, n: np.sum(s, axis=0) / max(n[0], 1),
    "divided by the largest count": lambda s, n: np.mean(s, axis=0) / np.max(n),
}

_NEXT = {"ddp": "zero1", "zero1": "zero2", "zero2": "fsdp", "fsdp": "fsdp"}

STATE_BYTES = {
    "one stage too far": lambda parameters, processes=1, method="ddp", **sizes: state_bytes(
        parameters, processes, _NEXT[method], **sizes
    ),
    "all is shared out": lambda parameters, processes=1, method="ddp", **sizes: state_bytes(
        parameters, processes, "fsdp", **sizes
    ),
    "nothing is shared out": lambda parameters, processes=1, method="ddp", **sizes: state_bytes(
        parameters, processes, "ddp", **sizes
    ),
    "Adam has one moment": lambda parameters, processes=1, method="ddp", *, weights=4.0, gradients=4.0, moments=8.0: (
        state_bytes(parameters, processes, method, weights=weights, gradients=gradients, moments=moments / 2)
    ),
    "gradients forgotten": lambda parameters, processes=1, method="ddp", *, weights=4.0, gradients=4.0, moments=8.0: (
        state_bytes(parameters, processes, method, weights=weights, gradients=0.0, moments=moments)
    ),
    "of all processes together": lambda parameters, processes=1, method="ddp", **sizes: (
        processes * state_bytes(parameters, processes, method, **sizes)
    ),
}

CACHE_BYTES = {
    "values forgotten": lambda *a, **k: cache_bytes(*a, **k) / 2,
    "texts forgotten": lambda layers, width, tokens, sequences=1, size=2.0: cache_bytes(layers, width, tokens, 1, size),
    "always 2 bytes": lambda layers, width, tokens, sequences=1, size=2.0: cache_bytes(
        layers, width, tokens, sequences
    ),
    "one layer": lambda layers, *a, **k: cache_bytes(1, *a, **k),
    "every token looks at every token": lambda layers, width, tokens, *a, **k: cache_bytes(
        layers, width, tokens**2, *a, **k
    ),
}

DECODE_FLOOR = {
    "cache forgotten": lambda weights, cache, rate: weights / rate,
    "the larger of both": lambda weights, cache, rate: max(weights, cache) / rate,
    "multiplied": lambda weights, cache, rate: (weights + cache) * rate,
    "weights written back": lambda weights, cache, rate: (2 * weights + cache) / rate,
}


def _operations(multiplied=2.0, looked=4.0, backward=3.0):
    def count(matrix, layers, width, context, *, training=True):
        return (multiplied * matrix + looked * layers * width * context) * (backward if training else 1.0)

    return count


OPERATIONS = {
    "additions forgotten": _operations(multiplied=1.0, looked=2.0),
    "attention forgotten": _operations(looked=0.0),
    "values not weighed": _operations(looked=2.0),
    "backward as dear as forward": _operations(backward=2.0),
    "with recomputation": _operations(backward=4.0),
    "layers forgotten": lambda matrix, layers, width, context, **k: operations_a_token(matrix, 1, width, context, **k),
}

UTILISATION = {
    "upside down": lambda tokens, seconds, operations, peak: seconds * peak / (tokens * operations),
    "not a second": lambda tokens, seconds, operations, peak: tokens * operations / peak,
    "tokens a second": lambda tokens, seconds, operations, peak: tokens / seconds / peak,
    "times the seconds": lambda tokens, seconds, operations, peak: tokens * operations * seconds / peak,
}

SPACING = {
    "always that of 1": lambda x, bits: 2.0 ** (1 - bits),
    "one bit more": lambda x, bits: spacing(x, bits + 1),
    "one bit less": lambda x, bits: spacing(x, bits - 1),
    "in proportion": lambda x, bits: abs(x) * 2.0 ** (1 - bits),
    "exponent rounded up": lambda x, bits: float(2.0 ** (np.ceil(np.log2(abs(x))) - bits + 1)),
}

TRUNCATED_WEIGHTS = {
    "not truncated": lambda log_ratios, limit: np.exp(log_ratios),
    "log-ratio truncated at C": lambda log_ratios, limit: np.exp(np.minimum(log_ratios, limit)),
    "masked": lambda log_ratios, limit: np.where(log_ratios < np.log(limit), np.exp(np.minimum(log_ratios, 700)), 0.0),
    "from below": lambda log_ratios, limit: np.maximum(np.exp(np.minimum(log_ratios, 700)), limit),
    "normalised": lambda log_ratios, limit: (
        np.exp(np.minimum(log_ratios, np.log(limit))) / np.mean(np.exp(np.minimum(log_ratios, np.log(limit))))
    ),
}

RING_BYTES = {
    "each sends all to each": lambda size, w: size * (w - 1),
    "only the sum is formed": lambda size, w: ring_bytes(size, w) / 2,
    "twice the size": lambda size, w: 2.0 * size,
    "one step more": lambda size, w: 2.0 * size * w / (w + 1),
}

MUTANTS = {
    "check_global_mean": GLOBAL_MEAN,
    "check_state_bytes": STATE_BYTES,
    "check_cache_bytes": CACHE_BYTES,
    "check_decode_floor": DECODE_FLOOR,
    "check_operations_a_token": OPERATIONS,
    "check_utilisation": UTILISATION,
    "check_spacing": SPACING,
    "check_truncated_weights": TRUNCATED_WEIGHTS,
    "check_ring_bytes": RING_BYTES,
}
