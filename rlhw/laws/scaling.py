"""Laws of scaling: means over processes, bytes that are laid out one by one, operations that are counted, gaps between numbers."""

import itertools
import math
import struct
from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import assert_close


def check_global_mean(global_mean: Callable) -> None:
    """The mean over all rows together, whichever process has them; one process may have none."""
    rng = np.random.default_rng(101)
    for shares in ((1, 3), (2, 5, 4), (0, 3, 1), (6,), (1,)):
        rows = [rng.normal(1.0, 2.0, size=(count, 3)) for count in shares]
        sums, counts = np.array([part.sum(axis=0) for part in rows]), np.array(shares, dtype=float)
        expected = np.concatenate(rows).mean(axis=0)
        assert_close(global_mean(sums, counts), expected, "the mean is taken over all answers of all processes")


def check_state_bytes(state_bytes: Callable) -> None:
    """Every process writes down what it holds of each parameter; the largest list is the answer (parameters share out evenly)."""
    shared_by = {"ddp": "", "zero1": "m", "zero2": "gm", "fsdp": "wgm"}
    for parameters, processes in ((12, 1), (12, 4), (60, 3), (700, 7)):
        for method, letters in shared_by.items():
            for sizes in ({"w": 4.0, "g": 4.0, "m": 8.0}, {"w": 2.0, "g": 3.0, "m": 12.0}):
                held = [0.0] * processes
                for number, (rank, (kind, size)) in itertools.product(
                    range(parameters), itertools.product(range(processes), sizes.items())
                ):
                    if kind not in letters or number % processes == rank:
                        held[rank] += size
                named = dict(zip(("weights", "gradients", "moments"), sizes.values(), strict=True))
                got = state_bytes(parameters, processes, method, **named)
                assert_close(got, max(held), f"what {method} shares out lies on one process only, all else on each")
        for method in shared_by:
            got = state_bytes(parameters=parameters, method=method)
            assert_close(got, 16.0 * parameters, "one process, float32 and Adam: 16 bytes a parameter")


def check_cache_bytes(cache_bytes: Callable) -> None:
    """Two arrays a layer, keys and values, one row a text and token."""
    for layers, width, tokens, texts, size in ((2, 8, 5, 3, 4), (3, 4, 1, 7, 2), (1, 16, 9, 1, 4)):
        arrays = [np.zeros((texts, tokens, width), dtype=f"f{size}") for _ in range(2 * layers)]
        got = cache_bytes(layers, width, tokens, texts, size)
        assert_close(got, float(sum(array.nbytes for array in arrays)), "a cache is two arrays a layer")
    assert_close(cache_bytes(1, 10, 3), 120.0, "one text, and 2 bytes a number, unless something else is said")


def check_decode_floor(decode_floor: Callable) -> None:
    """Both are read, one after the other, at the same rate."""
    for weights, cache, rate in ((3.0, 5.0, 2.0), (10.0, 0.5, 0.25), (1.0, 7.0, 16.0)):
        assert_close(decode_floor(weights, cache, rate), weights / rate + cache / rate, "each byte is read once")


def _counted(rows: list[int], layers: int, width: int, matrices: list[tuple[int, int]]) -> float:
    """Multiplications and additions of a forward pass, one by one: each token looks at so many tokens."""
    total = 0
    for looked_at in rows:
        total += sum(2 * inputs * outputs for inputs, outputs in matrices)
        # For each token that is looked at: the score is an inner product, and its value is added with a weight.
        total += layers * looked_at * (2 * width + 2 * width)
    return float(total)


def check_operations_a_token(operations_a_token: Callable) -> None:
    """The mean over the tokens of a text, each operation counted; the backward pass takes two forward passes."""
    for layers, width, length in ((1, 4, 6), (3, 5, 9)):
        matrices = [(width, 3 * width), (width, width)] * layers + [(width, 11)]
        parameters, causal = sum(a * b for a, b in matrices), list(range(1, length + 1))
        forward = _counted(causal, layers, width, matrices) / length
        got = operations_a_token(parameters, layers, width, (length + 1) / 2, training=False)
        assert_close(got, forward, "a forward pass multiplies and adds once for each parameter, key and value")
        got = operations_a_token(matrix=parameters, layers=layers, width=width, context=(length + 1) / 2)
        assert_close(got, 3 * forward, "training is a forward pass and a backward pass of twice the operations")


def check_utilisation(utilisation: Callable) -> None:
    """Operations that useful tokens ask for, a second, over the peak."""
    for tokens, seconds, operations, peak in ((30.0, 2.0, 5.0, 400.0), (7.0, 0.5, 3.0, 100.0)):
        asked = sum(operations for _ in range(int(tokens)))
        law = "the share is operations asked for a second, over the peak"
        assert_close(utilisation(tokens, seconds, operations, peak), asked / seconds / peak, law)


def _next(number: float, bits: int) -> float:
    """The gap from a double to the next one with so many significant bits: from its own 64 bits."""
    (pattern,) = struct.unpack("<q", struct.pack("<d", number))
    kept = pattern & ~((1 << (53 - bits)) - 1)
    low, high = (struct.unpack("<d", struct.pack("<q", kept + (step << (53 - bits))))[0] for step in (0, 1))
    return abs(high - low)


def check_spacing(spacing: Callable) -> None:
    """The distance to the next number with as many significant bits, read off the bits of the double itself."""
    rng = np.random.default_rng(102)
    numbers = [*(rng.normal(size=20) * 10.0 ** rng.integers(-6, 6, size=20)), 1.0, -1.0, 2.0, -30.0, 0.5, 0.0078125]
    for bits, number in itertools.product((8, 11, 24), numbers):
        law = "the gap is that of the numbers with as many significant bits"
        assert_close(spacing(float(number), bits) / _next(float(number), bits), 1.0, law)


def check_truncated_weights(truncated_weights: Callable) -> None:
    """min(π/μ, C), sample by sample; a ratio beyond all floating-point numbers is C."""
    rng = np.random.default_rng(103)
    for limit in (0.5, 1.0, 3.0):
        ratios = np.exp(rng.normal(0.0, 1.5, size=12))
        expected = np.array([ratio if ratio < limit else limit for ratio in ratios.tolist()])
        assert_close(
            truncated_weights(np.log(ratios), limit), expected, "a weight is the ratio, and C where that is less"
        )
        got = truncated_weights(np.array([0.0, 5000.0, -5000.0]), limit)
        assert_close(got, [min(1.0, limit), limit, 0.0], "no ratio is too large for its logarithm")


def check_ring_bytes(ring_bytes: Callable) -> None:
    """A ring in slow motion: every process sends one piece a step to its neighbour until all have the sum of all."""
    for processes in (1, 2, 3, 5):
        size = 61.0
        parts = [[{rank} for _ in range(processes)] for rank in range(processes)]
        sent, everybody = [0.0] * processes, set(range(processes))
        for step in range(2 * (processes - 1)):
            moves = [(rank, (rank - step) % processes) for rank in range(processes)]
            pieces = [set(parts[rank][piece]) for rank, piece in moves]
            for (rank, piece), content in zip(moves, pieces, strict=True):
                parts[(rank + 1) % processes][piece] |= content
                sent[rank] += size / processes
        assert all(content == everybody for row in parts for content in row)
        assert_close(
            ring_bytes(size, processes), math.fsum(sent) / processes, "each sends a piece in each of 2 (W - 1) steps"
        )
