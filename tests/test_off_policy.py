"""Estimates from another policy's episodes: exact means by enumeration, closed forms, and the mean of off-policy TD."""

import numpy as np
import pytest

from rlhw import importance
from rlhw.dynamic_programming import solve_policy
from rlhw.exact_episodes import (
    enumerate_episodes,
    mean_and_variance,
    weight_second_moment,
    weighted_mean_and_variance,
)
from rlhw.exploration import constant, power
from rlhw.mdp import MDP, episodes, uniform_policy
from rlhw.off_policy import (
    check_coverage,
    corrected_error,
    corrected_target,
    discounted_return,
    importance_weights,
    off_policy_td,
    ordinary_importance_sampling,
    per_decision_importance_sampling,
    taken,
)
from rlhw.worlds import random_walk
from tests.control_means import WIDTH, far, td_means
from tests.test_control import small_world

PI, MU, REWARDS = np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.array([1.0, 0.0])


def endless(rewards=REWARDS):
    """One state, the same choice at every step."""
    return MDP(np.ones((1, 2, 1)), rewards[None], 0.99, np.ones(1))


def weighed(mdp, target, behavior, horizon):
    """Every episode of the behavior, with its probability and weights."""
    chances, found = enumerate_episodes(mdp, behavior, horizon)
    return chances, importance_weights(taken(target, found), taken(behavior, found)), found.rewards


@pytest.mark.parametrize("horizon", [1, 4, 9])
def test_enumeration_agrees_with_the_closed_forms_of_the_simplest_episode(horizon):
    mdp = endless()
    chances, weights, rewards = weighed(mdp, PI[None], MU[None], horizon)
    assert len(chances) == 2**horizon
    found = {
        "weight": mean_and_variance(chances, weights[:, -1]),
        "ordinary": mean_and_variance(chances, ordinary_importance_sampling(weights, rewards, 1.0)),
        "per decision": mean_and_variance(chances, per_decision_importance_sampling(weights, rewards, 1.0)),
    }
    value = horizon * float(PI @ REWARDS)
    assert found["weight"] == pytest.approx((1.0, importance.weight_variance(PI, MU, horizon)), rel=1e-10)
    exact = importance.ordinary_variance(PI, MU, REWARDS, horizon)
    assert found["ordinary"] == pytest.approx((value, exact), rel=1e-10)
    exact = importance.per_decision_variance(PI, MU, REWARDS, horizon)
    assert found["per decision"] == pytest.approx((value, exact), rel=1e-10)
    assert weight_second_moment(mdp, PI[None], MU[None], horizon) == pytest.approx(found["weight"][1] + 1, rel=1e-10)


def test_both_means_are_the_value_when_every_episode_has_ended():
    """A walk of one state ends at its first step; a discount makes the tail of a longer one negligible."""
    mdp = random_walk(1)
    target = np.array([[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]])
    chances, weights, rewards = weighed(mdp, target, uniform_policy(mdp), 3)
    for estimate in (ordinary_importance_sampling, per_decision_importance_sampling):
        mean, _ = mean_and_variance(chances, estimate(weights, rewards, 1.0))
        assert mean == pytest.approx(solve_policy(mdp, target)[1], abs=1e-12)


def test_with_one_episode_the_weighted_estimate_is_about_the_wrong_policy():
    chances, weights, rewards = weighed(endless(), PI[None], MU[None], 3)
    returns = discounted_return(rewards, 1.0)
    means = [weighted_mean_and_variance(chances, weights[:, -1], returns, n)[0] for n in (1, 2, 4)]
    assert means[0] == pytest.approx(3 * MU @ REWARDS, abs=1e-12), "one weight over itself is one: the behavior's value"
    assert means[0] < means[1] < means[2] < 3 * PI @ REWARDS


def test_sampled_means_agree_with_the_exact_value_and_a_ratio_used_twice_is_caught():
    """1e-7 for each of the two estimates; the weights are bounded, so that 40,000 means are near normal."""
    mdp = small_world()
    target = np.array([[0.8, 0.2], [0.3, 0.7], [0.2, 0.8], [0.5, 0.5]])
    behavior = uniform_policy(mdp)
    played = episodes(mdp, behavior, 40_000, np.random.default_rng(1), max_steps=8)
    chance = taken(target, played), taken(behavior, played)
    chances, weights, rewards = weighed(mdp, target, behavior, 2)
    exact, _ = mean_and_variance(chances, ordinary_importance_sampling(weights, rewards, mdp.gamma))
    sampled, twice = importance_weights(*chance), importance_weights(*chance) ** 2
    for estimate in (ordinary_importance_sampling, per_decision_importance_sampling):
        assert far(estimate(sampled[:, :2], played.rewards[:, :2], mdp.gamma), exact) < WIDTH
        assert far(estimate(twice[:, :2], played.rewards[:, :2], mdp.gamma), exact) > 3 * WIDTH


def td_distance(error, gain, step=0.2, believed=0.2):
    mdp = small_world()
    target = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.5, 0.5]])
    behavior = np.array([[0.4, 0.6], [0.5, 0.5], [0.7, 0.3], [0.5, 0.5]])
    settings = {"error": error, "step_size": constant(step), "learners": 4000, "steps": 20}
    *_, last = off_policy_td(mdp, target, behavior, **settings, rng=np.random.default_rng(2))
    return far(last.values, td_means(mdp, target, behavior, gain, believed, 20))


def no_correction(values, after, rewards, ratios, gamma):
    return rewards + gamma * after - values


def test_the_mean_of_off_policy_td_is_that_of_its_own_recursion_and_biased_learners_are_caught():
    """Three numbers, 1e-7 each: with the error corrected, with the target corrected."""
    on_error, on_target = (lambda rho: (rho, rho)), (lambda rho: (rho, 1.0))
    assert td_distance(corrected_error, on_error) < WIDTH
    assert td_distance(corrected_target, on_target) < WIDTH
    assert td_distance(corrected_error, on_error, step=0.4) > 3 * WIDTH, "step size doubled"
    assert td_distance(no_correction, on_error) > 3 * WIDTH, "no ratio"


@pytest.mark.parametrize("error", [corrected_error, corrected_target])
def test_with_decaying_steps_it_comes_to_the_targets_value(error):
    mdp = small_world()
    target = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.5, 0.5]])
    settings = {"error": error, "step_size": power(0.8), "learners": 400, "steps": 500}
    *_, last = off_policy_td(mdp, target, uniform_policy(mdp), **settings, rng=np.random.default_rng(3))
    exact = solve_policy(mdp, target)
    assert np.abs(last.values.mean(axis=0) - exact).max() < 0.05
    assert np.abs(solve_policy(mdp, uniform_policy(mdp)) - exact).max() > 0.15, "the behavior's value is another"


def test_what_is_not_covered_is_named():
    with pytest.raises(ValueError, match=r"state 1 target takes action 0 with probability 0\.3, behavior never does"):
        check_coverage(np.array([[0.5, 0.5], [0.3, 0.7]]), np.array([[0.5, 0.5], [0.0, 1.0]]))
