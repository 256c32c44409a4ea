"""Learners of values: their means against exact ones, planted bugs that must be seen, and many learners as one.

Statistical tests hold the mean of 4,000 learners within 5.5 standard errors in each of five states: a false alarm has
probability 1.9e-7 by the normal law.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.prediction import (
    ALARM,
    EXACT,
    HALF,
    PASSES,
    POLICY,
    STEP,
    WALK,
    constant,
    counted_twice,
    doubled,
    last,
    loop,
    stream,
    z_scores,
)
from rlhw.mdp import Episodes, episodes, uniform_policy
from rlhw.prediction_moments import expected_td
from rlhw.temporal_difference import (
    backward_view,
    lambda_returns,
    mc_prediction,
    n_step_returns,
    n_step_td,
    returns,
    td_lambda,
    td_prediction,
)

ZERO = np.zeros(7)


@pytest.fixture(scope="module")
def walks():
    """20 episodes for each of 4,000 learners."""
    return list(stream(WALK, 4000, 20, seed=7))


@pytest.fixture(scope="module")
def exact():
    """Mean and variances of TD(0) from V = 0 after 20 episodes."""
    mean, covariance = expected_td(WALK, POLICY, ZERO, STEP, 20)
    return mean[-1], np.diagonal(covariance[-1])


def test_the_mean_of_td_is_its_expected_recursion_and_planted_bugs_are_seen(walks, exact):
    assert z_scores(last(td_prediction(iter(walks), ZERO, 1.0, constant)), *exact) < ALARM
    assert z_scores(last(td_prediction(iter(walks), ZERO, 1.0, doubled)), *exact) > 2 * ALARM
    assert z_scores(last(td_prediction(counted_twice(walks), ZERO, 1.0, constant)), *exact) > 2 * ALARM


def test_n_step_td_of_one_step_and_td_of_lambda_zero_are_td(walks):
    few = [Episodes(*(table[:50] for table in walk)) for walk in walks]
    plain = list(td_prediction(iter(few), HALF, 1.0, constant))
    for learner in (
        n_step_td(iter(few), HALF, 1.0, constant, n=1),
        td_lambda(iter(few), HALF, 1.0, constant, lam=0.0),
    ):
        np.testing.assert_allclose(list(learner), plain, atol=1e-12)
    other = last(n_step_td(iter(few), HALF, 1.0, constant, n=2))
    assert np.abs(other - plain[-1]).max() > 0.01


def test_the_mean_of_monte_carlo_is_v_whatever_the_step(walks):
    mean = EXACT + (ZERO - EXACT) * (1 - STEP * PASSES) ** 20
    tables = last(mc_prediction(iter(walks), ZERO, 1.0, constant))
    assert z_scores(tables, mean, tables.var(axis=0)) < ALARM
    tables = last(mc_prediction(iter(walks), ZERO, 1.0, doubled))
    assert z_scores(tables, mean, tables.var(axis=0)) > 2 * ALARM


def test_first_visits_are_unbiased_and_a_visit_counted_twice_is_seen():
    # One state, one number: 5.5 standard errors are a false alarm of 3.8e-8.
    walks = list(stream(loop(), 4000, 10, seed=8))

    def distance(every):
        found = last(mc_prediction(iter(walks), np.zeros(2), 1.0, lambda n: 1 / n, every_visit=every))[:, 0]
        return abs(found.mean() - 4) / (found.std() / np.sqrt(len(found)))

    assert distance(every=False) < ALARM
    assert distance(every=True) > 1.5 * ALARM


def test_a_constant_step_rests_beside_v_and_decaying_ones_come_nearer():
    mean, _ = expected_td(WALK, POLICY, HALF, STEP, 1000)
    np.testing.assert_allclose(EXACT[1] - mean[100, 1], 0.0262, atol=1e-4)
    np.testing.assert_allclose(mean[1000], mean[900], atol=1e-12)
    assert 0.0269 < EXACT[1] - mean[1000, 1] < 0.0271
    walks = list(stream(WALK, 50, 120, seed=9))
    constant_end = last(td_prediction(iter(walks), HALF, 1.0, constant))
    decaying_end = last(td_prediction(iter(walks), HALF, 1.0, lambda n: n**-0.7))
    errors = [np.sqrt(np.mean((table - EXACT) ** 2, axis=1)).mean() for table in (constant_end, decaying_end)]
    assert errors[1] < 0.8 * errors[0]


def test_learners_side_by_side_do_what_each_does_alone():
    walks = list(stream(WALK, 3, 6, seed=10))
    for learn in (
        lambda s: mc_prediction(s, HALF, 1.0, lambda n: n**-0.7),
        lambda s: td_prediction(s, HALF, 1.0, lambda n: n**-0.7),
        lambda s: n_step_td(s, HALF, 1.0, lambda n: n**-0.7, n=3),
        lambda s: td_lambda(s, HALF, 1.0, lambda n: n**-0.7, lam=0.7),
    ):
        together = last(learn(iter(walks)))
        alone = [last(learn(Episodes(*(t[k : k + 1] for t in walk)) for walk in walks))[0] for k in range(3)]
        np.testing.assert_allclose(together, alone, atol=1e-12)
        assert np.abs(together[0] - together[1]).max() > 0.01


def test_targets_of_padded_rows_are_those_of_the_rows_alone():
    walk = episodes(WALK, POLICY, 6, np.random.default_rng(11))
    values = np.append(np.linspace(0.1, 0.6, 6), 0.0)
    values[0] = 0.0
    for n, length in enumerate(walk.mask.sum(axis=1)):
        own, table = walk.rewards[n, :length], values[walk.states[n, : length + 1]]
        whole = values[walk.states]
        np.testing.assert_allclose(returns(walk.rewards, 0.9)[n, :length], returns(own, 0.9))
        padded = n_step_returns(walk.rewards, whole, 0.9, 3)[n, :length]
        np.testing.assert_allclose(padded, n_step_returns(own, table, 0.9, 3))
        padded = lambda_returns(walk.rewards, whole, 0.9, 0.8)[n, :length]
        np.testing.assert_allclose(padded, lambda_returns(own, table, 0.9, 0.8))


def test_a_cut_episode_is_refused_by_monte_carlo_and_bootstrapped_by_td():
    short = episodes(WALK, POLICY, 4, np.random.default_rng(12), max_steps=2)
    with pytest.raises(ValueError, match=r"^stream holds an episode that was cut in state \d, .* Raise max_steps, or"):
        list(mc_prediction(iter([short]), HALF, 1.0, constant))
    (table,) = td_prediction(iter([short]), HALF, 1.0, constant)
    np.testing.assert_array_equal(table[:, 1:6], 0.5)


def test_a_cut_is_seen_when_another_learner_went_on():
    states = np.array([[3, 4, 5, 6], [3, 2, 3, 4]])
    walk = Episodes(states, np.zeros((2, 3), int), np.zeros((2, 3)), np.ones((2, 3), bool))
    with pytest.raises(ValueError, match=r"cut in state 4, which is no end"):
        list(mc_prediction(iter([walk]), HALF, 1.0, constant))


def test_rewards_of_whole_numbers_are_not_cut_to_whole_numbers():
    rewards, values = np.array([1, 2, 3]), np.array([9, 8, 7, 0])
    np.testing.assert_allclose(returns(rewards, 0.5), [2.75, 3.5, 3.0])
    np.testing.assert_allclose(n_step_returns(rewards, values, 0.5, 2), [3.75, 3.5, 3.0])
    np.testing.assert_allclose(lambda_returns(rewards, values, 0.5, 0.5), [4.125, 4.5, 3.0])
    np.testing.assert_allclose(
        backward_view(np.array([0, 1, 2]), np.array([0, 1]), np.zeros(3, int), 1.0, 0.5), [0.5, 1, 0]
    )


def test_an_empty_stream_gives_nothing():
    assert list(td_prediction(iter([]), HALF, 1.0, constant)) == []


def test_episodes_from_every_start_have_the_exact_means():
    # The mean return from each state, 2,000 episodes each; one mean a state, five states, 5.5 standard errors.
    for state in range(1, 6):
        walk = replace(WALK, start=np.eye(7)[state])
        first = returns(episodes(walk, uniform_policy(walk), 2000, np.random.default_rng(state)).rewards, 1.0)[:, 0]
        error = np.sqrt(EXACT[state] * (1 - EXACT[state]) / 2000)
        assert abs(first.mean() - EXACT[state]) < ALARM * error
        assert abs(first.mean() - EXACT[state] - 0.1) > ALARM * error
