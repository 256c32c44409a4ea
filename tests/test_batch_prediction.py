"""A fixed batch: counts by hand, where batch TD comes to rest, and what is refused. The equations are in test_equations_b3."""

import numpy as np
import pytest

from rlhw.batch_prediction import batch_mc, batch_td, certainty_equivalence, empirical_model
from rlhw.mdp import Episodes, episodes, uniform_policy
from rlhw.worlds import random_mdp, random_walk

WALK = random_walk(5)


def test_the_counts_of_a_batch_by_hand():
    states = np.array([[0, 1, 0, 3], [1, 1, 3, 3]])
    rewards = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0]])
    mask = np.array([[True] * 3, [True, True, False]])
    model = empirical_model(Episodes(states, np.zeros((2, 3), int), rewards, mask), 4)
    np.testing.assert_array_equal(model.visits, [2, 3, 0, 0])
    np.testing.assert_allclose(model.transitions[0], [0, 0.5, 0, 0.5])
    np.testing.assert_allclose(model.transitions[1], [1 / 3, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(model.rewards, [2.5, 10 / 3, 0, 0])


def test_mean_returns_by_a_plain_loop():
    batch = episodes(WALK, uniform_policy(WALK), 30, np.random.default_rng(0))
    found = {}
    for row in range(30):
        steps = batch.mask[row].sum()
        for t in range(steps):
            earned = sum(0.9**i * r for i, r in enumerate(batch.rewards[row, t:steps]))
            found.setdefault(batch.states[row, t], []).append(earned)
    expected = [np.mean(found.get(s, [0.0])) for s in range(7)]
    np.testing.assert_allclose(batch_mc(batch, 7, 0.9), expected, atol=1e-12)
    assert np.abs(batch_mc(batch, 7, 1.0) - expected).max() > 0.01


def test_batch_td_settles_at_the_certainty_equivalence_and_not_at_the_mean_returns():
    batch = episodes(WALK, uniform_policy(WALK), 20, np.random.default_rng(1))
    known = certainty_equivalence(batch, 7, 1.0)
    step = 0.9 / empirical_model(batch, 7).visits.max()
    np.testing.assert_allclose(batch_td(batch, np.full(7, 0.5) * ~WALK.terminal, 1.0, step, 4000), known, atol=1e-9)
    assert np.abs(batch_mc(batch, 7, 1.0) - known).max() > 0.01


def test_with_much_data_it_is_the_value_itself():
    # Continuing episodes of a random MDP, cut after 50 steps: with 300,000 steps the estimate is near the solved values.
    mdp = random_mdp(4, 2, np.random.default_rng(2), gamma=0.8)
    batch = episodes(mdp, uniform_policy(mdp), 6000, np.random.default_rng(3), max_steps=50)
    policy = uniform_policy(mdp)
    onward, rewards = np.einsum("sa,sat->st", policy, mdp.transitions), np.sum(policy * mdp.rewards, axis=1)
    values = np.linalg.solve(np.eye(4) - 0.8 * onward, rewards)
    gap = np.abs(certainty_equivalence(batch, 4, 0.8) - values).max()
    assert gap < 0.05
    assert np.abs(certainty_equivalence(batch, 4, 0.7) - values).max() > 2 * gap


def test_a_discount_outside_its_range_is_refused():
    batch = episodes(WALK, uniform_policy(WALK), 5, np.random.default_rng(4))
    for gamma in (-0.1, 1.1, float("nan")):
        for call in (
            lambda g: certainty_equivalence(batch, 7, g),
            lambda g: batch_mc(batch, 7, g),
            lambda g: batch_td(batch, np.zeros(7), g, 0.01, 1),
        ):
            with pytest.raises(ValueError, match=r"^gamma must be in \[0, 1\]; got"):
                call(gamma)


def test_a_batch_without_an_end_is_refused_when_nothing_is_discounted():
    states = np.array([[0, 1, 0]])
    batch = Episodes(states, np.zeros((1, 2), int), np.ones((1, 2)), np.ones((1, 2), bool))
    with pytest.raises(
        ValueError, match=r"^batch shows no way to an end from some state: take gamma below 1, or whole"
    ):
        certainty_equivalence(batch, 2, 1.0)
    np.testing.assert_allclose(certainty_equivalence(batch, 2, 0.5), [2.0, 2.0])
