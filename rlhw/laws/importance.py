"""Laws of the exact variances of importance weights and of the estimates made with them, by enumeration of all episodes."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import Array, assert_close


def check_weight_variance(weight_variance: Callable) -> None:
    """The variance of the product of ratios over all episodes of the behavior policy; 0 where the policies agree."""
    for target, behavior, _, horizon in _problems():
        chances, weights, _ = _episodes(target, behavior, np.zeros(len(target)), horizon)
        law = "Var[W] is the mean square of the episodes' weights less the square of their mean, which is 1"
        assert_close(weight_variance(target, behavior, horizon), chances @ (weights[:, -1] - 1) ** 2, law)
    same = np.array([0.3, 0.7])
    assert_close(weight_variance(same, same, 9), 0.0, "where the policies agree every weight is 1", tolerance=1e-12)


def check_ordinary_variance(ordinary_variance: Callable) -> None:
    """The variance of weight times return over all episodes."""
    _check(
        ordinary_variance, lambda weights, paid: weights[:, -1] * paid.sum(1), "Var[W G] is that of weight times return"
    )


def check_per_decision_variance(per_decision_variance: Callable) -> None:
    """The variance of the rewards, each times the ratios up to its own step, over all episodes."""
    law = "each reward is weighed by the ratios up to its own step, and the sum has this variance"
    _check(per_decision_variance, lambda weights, paid: (weights * paid).sum(1), law)


def check_weighted_variance(weighted_variance: Callable) -> None:
    """The mean of W² (G - v)² over all episodes: what the delta method says of Σ W G / Σ W."""
    for target, behavior, rewards, horizon in _problems():
        chances, weights, paid = _episodes(target, behavior, rewards, horizon)
        value = float(chances @ (weights[:, -1] * paid.sum(1)))
        expected = chances @ (weights[:, -1] * (paid.sum(1) - value)) ** 2
        got = weighted_variance(target, behavior, rewards, horizon)
        assert_close(got, expected, "for many episodes the variance is E[W² (G - v)²], shared by n")
        shifted = weighted_variance(target, behavior, rewards + 3.0, horizon)
        assert_close(got, shifted, "a constant added to every reward changes nothing in the weighted estimate")


def _problems() -> Iterator[tuple[Array, Array, Array, int]]:
    """Targets, behaviors, rewards and horizons; in the third the target leaves an action out, in the fourth both do."""
    yield np.array([0.8, 0.2]), np.array([0.45, 0.55]), np.array([1.3, -0.4]), 6
    yield np.array([0.2, 0.5, 0.3]), np.array([0.35, 0.25, 0.4]), np.array([0.7, -1.1, 2.3]), 4
    yield np.array([0.65, 0.0, 0.35]), np.array([0.5, 0.2, 0.3]), np.array([-0.6, 5.0, 0.9]), 3
    yield np.array([0.3, 0.7, 0.0]), np.array([0.6, 0.4, 0.0]), np.array([1.7, 0.2, 4.0]), 1


def _episodes(target: Array, behavior: Array, rewards: Array, horizon: int) -> tuple[Array, Array, Array]:
    """Of every episode its probability "N" under the behavior policy, its running weights and its rewards "N T"."""
    rows = np.array(list(itertools.product(np.flatnonzero(behavior), repeat=horizon)))
    chances = behavior[rows].prod(axis=1)
    return chances, np.cumprod(target[rows] / behavior[rows], axis=1), rewards[rows]


def _check(variance: Callable, estimate: Callable, law: str) -> None:
    for target, behavior, rewards, horizon in _problems():
        chances, weights, paid = _episodes(target, behavior, rewards, horizon)
        values = estimate(weights, paid)
        expected = chances @ (values - chances @ values) ** 2
        assert_close(variance(target, behavior, rewards, horizon), expected, law)
