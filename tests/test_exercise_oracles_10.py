"""Oracles of chapter 10's exercises held against the library's formulas; their wrong answers are never right by luck."""

import numpy as np
import pytest

# As a module: its tests, taken in by name, would be collected here once more.
import test_exercise_oracles as earlier

from rlhw import exercises
from rlhw.scaling import cache_bytes, decode_floor, global_mean, state_bytes

NAMES = ["ch10-floor", "ch10-memory", "ch10-recall", "ch10-reduce"]


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers(name):
    earlier.test_a_wrong_answer_is_never_right_by_luck(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odd", ["text", 3, {}, [None], float("nan"), np.zeros(3)])
def test_odd_answers(name, odd):
    earlier.test_odd_answers_get_a_verdict(name, odd)


def test_reduce():
    """The mean over processes of what the oracle hands over is the library's mean over all answers."""
    expected = exercises.question("ch10-reduce").expected
    for sums, counts in earlier.all_cases("ch10-reduce"):
        np.testing.assert_allclose(expected(sums, counts).mean(0), global_mean(sums, counts), rtol=1e-12)


def test_memory():
    expected = exercises.question("ch10-memory").expected
    for parameters, processes in earlier.all_cases("ch10-memory"):
        copy = 2 * parameters
        known = [copy + state_bytes(parameters, processes, method) for method in ("ddp", "zero1", "zero2")]
        assert expected(parameters, processes) == pytest.approx(known, rel=1e-12)


def test_floor():
    expected = exercises.question("ch10-floor").expected
    for parameters, layers, width, texts, prompt, new, rate in earlier.all_cases("ch10-floor"):
        caches = [cache_bytes(layers, width, prompt + written, texts) for written in range(new)]
        seconds = sum(decode_floor(2 * parameters, cache, rate) for cache in caches)
        assert expected(parameters, layers, width, texts, prompt, new, rate) == pytest.approx(
            (seconds, texts * new / seconds)
        )


def test_recall():
    """By hand."""
    assert exercises.question("ch10-recall").expected() == pytest.approx((3.0, 1.2214027581601699, 4.5))
