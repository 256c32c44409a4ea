"""What a training or a sampling costs in bytes, operations and seconds, as formulas; and the right mean over processes.

Plain arithmetic: nothing here is measured. The tests hold each formula against tensors that are counted. Chapter 10.
"""

import numpy as np
from jaxtyping import Float

Array = np.ndarray
Number = int | float

# What the processes share out; of all else each has the whole.
SHARED_OUT = {
    "ddp": (),
    "zero1": ("moments",),
    "zero2": ("moments", "gradients"),
    "fsdp": ("moments", "gradients", "weights"),
}


def global_mean(sums: Float[Array, "W D"], counts: Float[Array, " W"]) -> Float[Array, " D"]:
    """The mean over all answers, from each process's sum over its answers and their number: Σ_w G_w / Σ_w n_w.

    The mean of the processes' means is another number wherever their counts differ. Raises ValueError unless there is one
    count for each sum, none negative, and one answer at least.

    >>> global_mean(np.array([[6.0], [6.0]]), np.array([1.0, 3.0]))
    array([3.])
    """
    total = np.sum(counts)
    if np.shape(counts) != np.shape(sums)[:1] or np.min(counts) < 0 or not total > 0:
        raise ValueError(f"counts must be one number a process, none negative and not all 0; got {np.asarray(counts)}.")
    return np.sum(sums, axis=0) / total


def state_bytes(
    parameters: int,
    processes: int = 1,
    method: str = "ddp",
    *,
    weights: Number = 4.0,
    gradients: Number = 4.0,
    moments: Number = 8.0,
) -> float:
    """Bytes of weights, gradients and optimizer state on each process, activations not counted.

    weights, gradients, moments: bytes a parameter; in float32 with Adam 4, 4 and 8. method: "ddp" keeps all of it on every
    process, "zero1" shares the moments out, "zero2" the gradients too, "fsdp" (ZeRO-3) all three. Raises ValueError for
    another method or no process. Source: Rajbhandari et al. (2020), section 5.

    >>> [state_bytes(1000, 4, method) for method in ("ddp", "zero1", "zero2", "fsdp")]
    [16000.0, 10000.0, 7000.0, 4000.0]
    """
    if method not in SHARED_OUT:
        raise ValueError(f"method must be one of {', '.join(SHARED_OUT)}; got {method!r}.")
    if processes < 1:
        raise ValueError(f"processes must be 1 or more; got {processes}.")
    sizes = {"weights": weights, "gradients": gradients, "moments": moments}
    return parameters * sum(size / processes if name in SHARED_OUT[method] else size for name, size in sizes.items())


def cache_bytes(layers: int, width: int, tokens: Number, sequences: int = 1, size: Number = 2.0) -> float:
    """Bytes of the keys and values of `sequences` texts of `tokens` tokens: 2 L D T N, times the bytes of one number.

    width: numbers in a layer's key of one token, all heads together; with grouped queries key-value heads times head size.

    >>> cache_bytes(12, 768, tokens=1)
    36864.0
    """
    return 2.0 * layers * width * tokens * sequences * size


def decode_floor(weight_bytes: Number, cache_bytes: Number, rate: Number) -> float:
    """Seconds that a decoding step takes at least: weights and cache are read once, at `rate` bytes a second.

    Raises ValueError when the rate is not above 0.

    >>> decode_floor(weight_bytes=250e6, cache_bytes=750e6, rate=1e12)
    0.001
    """
    if not rate > 0:
        raise ValueError(f"rate must be above 0 bytes a second; got {rate}.")
    return (weight_bytes + cache_bytes) / rate


def operations_a_token(matrix: int, layers: int, width: int, context: Number, *, training: bool = True) -> float:
    """Multiplications and additions for a token: 6 P + 12 L D c in training, a third of it in a forward pass alone.

    matrix: parameters that are multiplied with (the output head once, embeddings that are only looked up not at all).
    context: how many tokens a token looks at on average, itself included: (T + 1)/2 under a causal mask. A multiplication and
    an addition count as two; the backward pass takes twice the forward one. Source: Chowdhery et al. (2022), appendix B, who take
    the whole length for the context.

    >>> operations_a_token(100, layers=2, width=4, context=3.0)
    888.0
    """
    forward = 2.0 * matrix + 4.0 * layers * width * context
    return 3.0 * forward if training else forward


def utilisation(tokens: Number, seconds: Number, operations: Number, peak: Number) -> float:
    """MFU: the share of the device's peak that went into tokens somebody wanted.

    tokens: useful ones, padding not counted; operations: those that the formula asks for a token, not those that were done;
    peak: operations a second. Raises ValueError unless seconds and peak are above 0.

    >>> utilisation(tokens=1000.0, seconds=2.0, operations=6e9, peak=1e13)
    0.3
    """
    if not (seconds > 0 and peak > 0):
        raise ValueError(f"seconds and peak must be above 0; got {seconds} and {peak}.")
    return tokens * operations / (seconds * peak)


def spacing(number: Number, bits: int) -> float:
    """The gap between the floating-point numbers of `bits` significant bits around a number: 2^(⌊log2 |x|⌋ - bits + 1).

    bits: 8 in bfloat16, 11 in float16, 24 in float32. Rounding is off by half of it at most. Denormal numbers and the ends of
    the range are left out. Raises ValueError when the number is 0 or not finite.

    >>> spacing(-30.0, bits=8)
    0.125
    """
    if not (np.isfinite(number) and number != 0):
        raise ValueError(f"number must be finite and not 0; got {number}.")
    exponent = np.frexp(number)[1] - 1
    return float(np.ldexp(1.0, int(exponent) - bits + 1))


def truncated_weights(log_ratios: Float[Array, " N"], limit: Number) -> Float[Array, " N"]:
    """Weights for samples of another policy μ: min(π/μ, C), from log π - log μ. Their mean under μ is 1 or less.

    Raises ValueError when the limit C is not above 0. Source: Ionides (2008); Yao et al. (2025) for samples of an engine.

    >>> truncated_weights(np.log([0.5, 1.0, 8.0]), limit=2.0)
    array([0.5, 1. , 2. ])
    """
    if not limit > 0:
        raise ValueError(f"limit must be above 0; got {limit}.")
    # The minimum of logarithms: the exponential of a large ratio overflows.
    return np.exp(np.minimum(log_ratios, np.log(limit)))


def ring_bytes(size: Number, processes: int) -> float:
    """Bytes that each process sends in a ring all-reduce of `size` bytes: 2 (W - 1)/W of them.

    Raises ValueError when there is no process.

    >>> ring_bytes(1000.0, 4)
    1500.0
    """
    if processes < 1:
        raise ValueError(f"processes must be 1 or more; got {processes}.")
    return 2.0 * size * (processes - 1) / processes
