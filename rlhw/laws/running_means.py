"""Laws of estimates that are updated one reward at a time."""

from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import assert_close


def _step_sizes() -> list[np.ndarray]:
    rng = np.random.default_rng(40)
    return [rng.uniform(0.05, 0.95, size=7), 1 / np.arange(1.0, 9.0), np.full(5, 0.3), np.array([0.4])]


def check_running_estimates(running_estimates: Callable) -> None:
    """Each reward moves the estimate by α times (reward - estimate): step sizes 1/n give the mean, a table goes row by row."""
    rng = np.random.default_rng(41)
    rewards = rng.normal(size=8)
    means = np.array([rewards[:n].mean() for n in range(1, 9)])
    assert_close(running_estimates(rewards, 1 / np.arange(1.0, 9.0)), means, "step sizes 1/n give the mean so far")
    for steps in _step_sizes():
        rows = rng.normal(size=(3, len(steps)))
        expected = np.zeros_like(rows)
        for i in range(3):
            q = 0.7
            for n, step in enumerate(steps):
                q = (1 - step) * q + step * rows[i, n]
                expected[i, n] = q
        assert_close(running_estimates(rows, steps, 0.7), expected, "the estimate moves by α times (reward - estimate)")


def check_recency_weights(recency_weights: Callable) -> None:
    """The weight of Q_0 and of each reward: what a unit in that place adds to the last estimate."""
    for steps in _step_sizes():
        expected = []
        for place in range(len(steps) + 1):
            q = float(place == 0)
            for n, step in enumerate(steps, start=1):
                q = (1 - step) * q + step * float(place == n)
            expected.append(q)
        law = "a weight is what a unit in its place adds to the last estimate"
        assert_close(recency_weights(steps), np.array(expected), law)


def check_squared_errors(squared_errors: Callable) -> None:
    """The mean squared error as a sum over independent causes: the start, each reward's noise, each move of the mean."""
    law = "the squared error adds up those of the start, of the noise and of the moves"
    for steps in _step_sizes():
        for variance, start, drift in ((1.3, 0.0, 0.0), (0.4, 2.0, 0.0), (0.7, 0.5, 0.2)):
            expected = []
            for n in range(1, len(steps) + 1):
                kept = [float(np.prod(1 - steps[i:n])) for i in range(n + 1)]  # of an error before reward i + 1
                noise = sum((steps[i] * kept[i + 1]) ** 2 for i in range(n))
                expected.append(start * kept[0] ** 2 + variance * noise + drift * sum(k**2 for k in kept[:n]))
            got = squared_errors(steps, variance=variance, start=start, drift=drift)
            assert_close(got, np.array(expected), law)
    assert_close(
        squared_errors(np.array([0.5]), variance=2.0), [0.5], "the start is exact and the mean stands, unless said"
    )


def check_best_constant_step(best_constant_step: Callable) -> None:
    """No other constant has a smaller error in the long run, found here by running each for long."""
    for variance, drift in ((1.0, 0.5), (2.0, 0.04), (0.3, 0.9)):

        def error(step: float, variance: float = variance, drift: float = drift) -> float:
            e = 0.0
            for _ in range(600):
                e = (1 - step) ** 2 * (e + drift) + step**2 * variance
            return e

        low, high = 0.02, 0.98
        for _ in range(90):
            left, right = low + (high - low) / 3, high - (high - low) / 3
            low, high = (low, right) if error(left) < error(right) else (left, high)
        law = "the step size is the one with the least error in the long run"
        assert_close(best_constant_step(variance, drift), (low + high) / 2, law, 1e-5)
