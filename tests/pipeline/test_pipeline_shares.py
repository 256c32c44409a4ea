"""The share of what can be attained against its formula, its interval in a simulation, and best-of-n against all subsets."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from rlhw.pipeline.attained import best_of_n, share


def posts(rng, count=60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(objectives, start, best) of posts that differ much from one another; the share is 0.6 in truth."""
    start, room = rng.normal(0, 10, count), rng.gamma(4.0, 0.5, count)
    return start + 0.6 * room + rng.normal(0, 0.5, count), start, start + room


def test_share_is_the_ratio_of_means_and_what_posts_have_in_common_does_not_widen_it():
    found = posts(np.random.default_rng(0))
    got = share(*found, np.random.default_rng(1))
    assert got[0] == pytest.approx((found[0].sum() - found[1].sum()) / (found[2].sum() - found[1].sum()), abs=1e-12)
    assert got[1] < got[0] < got[2]
    shift = np.random.default_rng(2).normal(0, 100, 60)
    shifted = share(*(part + shift for part in found), np.random.default_rng(1))
    np.testing.assert_allclose(shifted, got, atol=1e-9)
    assert got[2] - got[1] < 0.3, (
        "an interval of unpaired posts would be wider than 1: their start has a deviation of 10"
    )
    mean_of_ratios = np.mean((found[0] - found[1]) / (found[2] - found[1]))
    assert abs(mean_of_ratios - got[0]) > 1e-3


def test_the_interval_of_a_share_covers():
    """Of 200 intervals at least 171 hold the truth: false alarm below 1e-4 where the coverage is 0.93. Half as wide is found."""
    assert binom(200, 0.93).cdf(170) < 1e-4
    rng, held, halved = np.random.default_rng(3), 0, 0
    for _ in range(200):
        middle, low, high = share(*posts(rng), rng)
        held += low <= 0.6 <= high
        halved += (low + middle) / 2 <= 0.6 <= (high + middle) / 2
    assert held >= 171
    assert halved < 171


def test_a_best_below_the_start_is_refused():
    start = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"^best must lie above start on average; it is 0\.5 below it"):
        share(start, start, start - 0.5, np.random.default_rng(0))


def check_best_of_n(fn) -> None:
    rng = np.random.default_rng(4)
    chosen_by, judged_by = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    for n in range(1, 7):
        wanted = [
            np.mean([judged[max(subset, key=lambda i: by[i])] for subset in combinations(range(6), n)])
            for by, judged in zip(chosen_by, judged_by, strict=True)
        ]
        kl, rewards = fn(chosen_by, judged_by, n)
        np.testing.assert_allclose(rewards, wanted, atol=1e-12)
        assert kl == pytest.approx(math.log(n) - (n - 1) / n, abs=1e-12)


def drawn_again(chosen_by, judged_by, n):
    """A mutant: the n answers are drawn with replacement, so that the best of them all is met too rarely."""
    steps = np.linspace(0, 1, chosen_by.shape[1] + 1) ** n
    ordered = np.take_along_axis(judged_by, chosen_by.argsort(axis=1), axis=1)
    return math.log(n) - (n - 1) / n, ordered @ np.diff(steps)


def test_best_of_n_is_the_mean_over_all_subsets():
    check_best_of_n(best_of_n)
    mutants = {
        "drawn with replacement": drawn_again,
        "the worst": lambda chosen, judged, n: best_of_n(-chosen, judged, n),
        "judged by what chose": lambda chosen, judged, n: best_of_n(chosen, chosen, n),
        "no KL": lambda chosen, judged, n: (0.0, best_of_n(chosen, judged, n)[1]),
    }
    for mutant in mutants.values():
        with pytest.raises(AssertionError):
            check_best_of_n(mutant)


def test_best_of_n_of_the_first_numbers():
    """The greatest of n of 1, …, N is n (N + 1)/(n + 1) on average."""
    numbers = np.random.default_rng(5).permutation(np.arange(1.0, 17.0))[None]
    for n in (1, 2, 4, 16):
        assert best_of_n(numbers, numbers, n)[1] == pytest.approx(n * 17 / (n + 1), abs=1e-12)
    for n in (0, 17):
        with pytest.raises(ValueError, match=f"^n must be from 1 to the 16 answers of a prompt; got {n}"):
            best_of_n(numbers, numbers, n)
