"""Variances of importance weights: against the recursion over states, against many drawn estimates, and in their limits."""

import math

import numpy as np
import pytest

from rlhw.exact_episodes import weight_second_moment
from rlhw.importance import (
    ordinary_variance,
    per_decision_variance,
    second_moment,
    weight_variance,
    weighted_variance,
)
from rlhw.mdp import MDP

TARGET, BEHAVIOR, REWARDS = np.array([0.7, 0.3]), np.array([0.4, 0.6]), np.array([1.4, -0.3])


@pytest.mark.parametrize("horizon", [1, 4, 13])
def test_one_state_is_the_simplest_of_decision_processes(horizon):
    one = MDP(np.ones((1, 2, 1)), REWARDS[None], 0.9, np.ones(1))
    moment = weight_second_moment(one, TARGET[None], BEHAVIOR[None], horizon)
    assert weight_variance(TARGET, BEHAVIOR, horizon) == pytest.approx(moment - 1, rel=1e-12)


def test_with_one_step_no_decision_follows_a_reward():
    ordinary = ordinary_variance(TARGET, BEHAVIOR, REWARDS, 1)
    assert per_decision_variance(TARGET, BEHAVIOR, REWARDS, 1) == pytest.approx(ordinary, rel=1e-12)
    assert per_decision_variance(TARGET, BEHAVIOR, REWARDS, 2) < 0.99 * ordinary_variance(TARGET, BEHAVIOR, REWARDS, 2)


def test_where_the_policies_agree_all_three_are_the_variance_of_the_return():
    value = TARGET @ REWARDS
    expected = 6 * float(TARGET @ (REWARDS - value) ** 2)
    for variance in (ordinary_variance, weighted_variance, per_decision_variance):
        assert variance(TARGET, TARGET, REWARDS, 6) == pytest.approx(expected, rel=1e-12)
    assert second_moment(TARGET, TARGET) == pytest.approx(1, rel=1e-15)


def test_many_weighted_estimates_scatter_as_the_formula_says():
    """Estimates from 4,000 episodes each, drawn 20,000 times as counts of what can happen in three steps.

    A sample variance of 20,000 numbers that are nearly normal is off by 5 √(2/20,000) = 5 % with probability 6e-7; the
    formula itself is off by terms of order 1/4,000.
    """
    episodes, repeats, horizon = 4_000, 20_000, 3
    k = np.arange(horizon + 1)
    ways = np.array([math.comb(horizon, i) for i in k])
    law = ways * BEHAVIOR[0] ** k * BEHAVIOR[1] ** (horizon - k)
    weights = (TARGET[0] / BEHAVIOR[0]) ** k * (TARGET[1] / BEHAVIOR[1]) ** (horizon - k)
    returns = k * REWARDS[0] + (horizon - k) * REWARDS[1]
    counts = np.random.default_rng(7).multinomial(episodes, law, size=repeats)
    estimates = counts @ (weights * returns) / (counts @ weights)
    drawn = episodes * estimates.var()
    assert drawn == pytest.approx(weighted_variance(TARGET, BEHAVIOR, REWARDS, horizon), rel=0.053)
    assert drawn != pytest.approx(ordinary_variance(TARGET, BEHAVIOR, REWARDS, horizon), rel=0.2), (
        "the wrong form shows"
    )


def test_what_the_behavior_never_does_is_named():
    with pytest.raises(ValueError, match=r"behavior must give action 1 some probability: target takes it"):
        weight_variance(TARGET, np.array([1.0, 0.0]), 3)
    assert weight_variance(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 3) == pytest.approx(7, rel=1e-12)
