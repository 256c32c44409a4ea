"""Exact moments of targets and of TD(0): limits that are known otherwise, and what is refused. More in test_equations_b3."""

import numpy as np
import pytest

from rlhw.mdp import MDP, uniform_policy
from rlhw.prediction_moments import expected_td, lambda_moments, n_step_moments
from rlhw.worlds import random_mdp, random_walk

WALK = random_walk(5)
POLICY = uniform_policy(WALK)
V = np.append(np.arange(6) / 6, 0.0)


def test_the_whole_return_of_the_walk_is_a_coin():
    """It is 1 with probability v, else 0: mean v, variance v (1 - v)."""
    for values in (V, np.zeros(7), np.linspace(0, 1, 7) * (V > 0)):
        mean, variance = lambda_moments(WALK, POLICY, values, 1.0)
        np.testing.assert_allclose(mean, V, atol=1e-12)
        np.testing.assert_allclose(variance, V * (1 - V), atol=1e-12)
        mean, variance = n_step_moments(WALK, POLICY, values, 250)
        np.testing.assert_allclose(mean, V, atol=1e-12)
        np.testing.assert_allclose(variance, V * (1 - V), atol=1e-12)


def test_lambda_zero_is_one_step_also_without_an_end():
    mdp = random_mdp(5, 3, np.random.default_rng(0), gamma=0.9)
    values, policy = np.random.default_rng(1).standard_normal(5), uniform_policy(mdp)
    one, zero = n_step_moments(mdp, policy, values, 1), lambda_moments(mdp, policy, values, 0.0)
    np.testing.assert_allclose(one, zero, atol=1e-12)
    assert np.abs(np.array(n_step_moments(mdp, policy, values, 2)) - zero).max() > 0.01


def test_without_a_step_nothing_moves_and_the_covariance_is_zero():
    mean, covariance = expected_td(WALK, POLICY, V, 0.0, 3)
    np.testing.assert_allclose(mean, np.tile(V, (4, 1)))
    np.testing.assert_allclose(covariance, 0, atol=1e-12)
    moved, _ = expected_td(WALK, POLICY, np.zeros(7), 0.1, 3)
    assert moved[-1, 5] > 0.01


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"^n must be 1 or more steps; got 0\."):
        n_step_moments(WALK, POLICY, V, 0)
    for lam in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"^lam must be in \[0, 1\]"):
            lambda_moments(WALK, POLICY, V, lam)
    for step in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"^step must be in \[0, 1\]"):
            expected_td(WALK, POLICY, V, step, 1)
    for call in (
        lambda p: n_step_moments(WALK, p, V, 1),
        lambda p: lambda_moments(WALK, p, V, 0.5),
        lambda p: expected_td(WALK, p, V, 0.1, 1),
    ):
        with pytest.raises(ValueError, match=r"^policy must sum to 1 in every row"):
            call(POLICY * 0.9)


def test_a_policy_that_never_ends_is_refused_where_that_matters():
    there = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])  # action 0 stays, action 1 ends
    mdp = MDP(there, np.array([[0.0, 1.0], [0.0, 0.0]]), 1.0, np.array([1.0, 0.0]))
    stays = np.array([[1.0, 0.0], [0.5, 0.5]])
    for call in (
        lambda: lambda_moments(mdp, stays, np.zeros(2), 1.0),
        lambda: expected_td(mdp, stays, np.zeros(2), 0.1, 1),
    ):
        with pytest.raises(ValueError, match=r"^policy never ends from state 0: there is no whole episode"):
            call()
    mean, _ = lambda_moments(mdp, stays, np.zeros(2), 0.9)
    np.testing.assert_allclose(mean, 0.0)
