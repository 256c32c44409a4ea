"""Running estimates: against means, numpy's weights, simulation, and a fixed point by algebra."""

import jaxtyping
import numpy as np
import pytest

from rlhw.running_means import best_constant_step, recency_weights, running_estimates, squared_errors


def test_weights_times_rewards_is_the_estimate():
    rng = np.random.default_rng(0)
    steps, rewards = rng.uniform(size=9), rng.normal(size=9)
    weights = recency_weights(steps)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ np.append(0.3, rewards) == pytest.approx(running_estimates(rewards, steps, 0.3)[-1], abs=1e-12)


def test_steps_of_one_over_n_forget_the_start_and_weigh_all_alike():
    np.testing.assert_allclose(recency_weights(1 / np.arange(1.0, 6.0)), [0, 0.2, 0.2, 0.2, 0.2, 0.2], atol=1e-15)


def test_squared_errors_are_those_of_many_runs():
    # 40,000 runs; a mean of squares of normals has a standard error of e sqrt(2/40,000), 6 of them: false alarm under 2e-9.
    rng, steps = np.random.default_rng(1), np.array([0.7, 0.4, 0.4, 0.2])
    truth = 1.5 + np.cumsum(0.3**0.5 * rng.standard_normal((40_000, 4)), axis=1)
    found = running_estimates(truth + 1.1 * rng.standard_normal(truth.shape), steps)
    measured = ((found - truth) ** 2).mean(axis=0)
    exact = squared_errors(steps, variance=1.21, start=2.25, drift=0.3)
    assert np.all(np.abs(measured - exact) < 6 * exact * (2 / 40_000) ** 0.5)
    # A step size that is doubled is caught.
    biased = running_estimates(truth + 1.1 * rng.standard_normal(truth.shape), np.minimum(1.0, 2 * steps))
    assert np.any(np.abs(((biased - truth) ** 2).mean(axis=0) - exact) > 6 * exact * (2 / 40_000) ** 0.5)


@pytest.mark.parametrize("drift", [1e-4, 0.02, 3.0])
def test_the_best_constant_step_is_where_gain_and_drift_balance(drift):
    step = best_constant_step(0.8, drift)
    assert 0 < step < 1
    assert step**2 / (1 - step) == pytest.approx(drift / 0.8, rel=1e-9)


def test_bad_input_gets_one_sentence(monkeypatch):
    # Outside the tests nobody checks shapes.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"step_sizes must be in \[0, 1\]; they lie between 0.5 and 1.5"):
        recency_weights(np.array([0.5, 1.5]))
    for rewards in (np.ones(3), np.ones((2, 5))):
        with pytest.raises(ValueError, match=rf"one for each reward; got 4 for {rewards.shape[-1]} rewards"):
            running_estimates(rewards, np.full(4, 0.5))
    for wrong in ({"variance": -1.0}, {"variance": 1.0, "start": -0.1}, {"variance": 1.0, "drift": -0.01}):
        with pytest.raises(ValueError, match="variance, start and drift must be 0 or more"):
            squared_errors(np.full(4, 0.5), **wrong)
    with pytest.raises(ValueError, match=r"variance and drift must be positive; got 1.0 and 0.0"):
        best_constant_step(1.0, 0.0)
