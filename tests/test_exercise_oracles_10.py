"""Oracles of chapter 10's exercises held against the library's formulas."""

import numpy as np
import pytest
from test_exercise_oracles import all_cases

from rlhw import exercises
from rlhw.scaling import cache_bytes, decode_floor, global_mean, state_bytes


def test_reduce():
    """The mean over processes of what the oracle hands over is the library's mean over all answers."""
    expected = exercises.question("ch10-reduce").expected
    for sums, counts in all_cases("ch10-reduce"):
        np.testing.assert_allclose(expected(sums, counts).mean(0), global_mean(sums, counts), rtol=1e-12)


def test_memory():
    expected = exercises.question("ch10-memory").expected
    for parameters, processes in all_cases("ch10-memory"):
        copy = 2 * parameters
        known = [copy + state_bytes(parameters, processes, method) for method in ("ddp", "zero1", "zero2")]
        assert expected(parameters, processes) == pytest.approx(known, rel=1e-12)


def test_floor():
    expected = exercises.question("ch10-floor").expected
    for parameters, layers, width, texts, prompt, new, rate in all_cases("ch10-floor"):
        caches = [cache_bytes(layers, width, prompt + written, texts) for written in range(new)]
        seconds = sum(decode_floor(2 * parameters, cache, rate) for cache in caches)
        assert expected(parameters, layers, width, texts, prompt, new, rate) == pytest.approx(
            (seconds, texts * new / seconds)
        )


def test_recall():
    """By hand."""
    assert exercises.question("ch10-recall").expected() == pytest.approx((3.0, 1.2214027581601699, 4.5))
