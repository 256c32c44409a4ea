"""Linear values: worlds with exact answers, what is refused, and that learners are right on average."""

import numpy as np
import pytest

from benchmarks.linear_worlds import (
    CHAIN,
    CHAIN_EXPECTED,
    CHAIN_FEATURES,
    CHAIN_VALUES,
    GROUPS,
    STAR,
    STAR_EXPECTED,
    STAR_WEIGHTS,
    WALK,
    WALK_EXPECTED,
    WALK_VALUES,
    WALK_WEIGHTS,
    star_samples,
    walk_samples,
)
from rlhw.function_approximation import (
    bellman_error,
    expected_transitions,
    least_squares_mc,
    lstd,
    on_policy_weights,
    projected_bellman_error,
    projection,
    td_system,
    transitions_along,
    value_error,
)
from rlhw.linear_learning import gradient_correction, gradient_mc, growth_rate, semi_gradient_td
from rlhw.mdp import MDP, episodes, uniform_policy
from rlhw.worlds import random_mdp

WEIGHTS = np.array([1 / 3, 2 / 3])
# Each statistical test compares a few means at 5.8 standard errors: a right learner fails once in 10^7 components.
STANDARD_ERRORS = 5.8


def test_a_table_has_no_error_left():
    """One feature a state: both closed forms are v itself, and every error is zero."""
    mdp = random_mdp(5, 2, np.random.default_rng(0), gamma=0.85)
    policy = np.random.default_rng(1).dirichlet(np.ones(2), size=5)
    table = expected_transitions(mdp, policy, np.eye(5))
    d = on_policy_weights(mdp, policy)
    v = np.linalg.solve(np.eye(5) - 0.85 * table.next_features, table.rewards)
    for w in (lstd(*table, 0.85, d), least_squares_mc(np.eye(5), v, d)):
        np.testing.assert_allclose(w, v, atol=1e-9)
    assert bellman_error(*table, 0.85, d, v) < 1e-20
    assert projected_bellman_error(*table, 0.85, d, v) < 1e-20


def test_the_walks_samples_follow_the_law_that_they_claim():
    """Returns of real episodes against the Bernoulli law, and visits against the weights: 4,000 episodes, z < 5.8."""
    found = episodes(WALK, uniform_policy(WALK), 4_000, np.random.default_rng(2))
    paid = found.rewards.sum(axis=1)
    assert set(np.unique(paid)) == {0.0, 1.0}
    assert abs(paid.mean() - WALK_VALUES[5]) < STANDARD_ERRORS * 0.5 / 4_000**0.5
    visits = np.stack([(found.states[:, :-1] == s).sum(axis=1) for s in range(1, 10)], axis=1).astype(float)
    expected = WALK_WEIGHTS[1:10] * 25.0  # 25 steps an episode: 5 times 5
    z = np.abs(visits.mean(axis=0) - expected) / (visits.std(axis=0) / 4_000**0.5)
    assert z.max() < STANDARD_ERRORS


def expected_path(matrix, vector, steps, w):
    for step in steps:
        w = w + step * (vector - matrix @ w)
    return w


def off_by(ends, exact):
    """How many standard errors the mean over runs lies from the exact recursion, in its worst component."""
    return float((np.abs(ends.mean(axis=0) - exact) / (ends.std(axis=0) / len(ends) ** 0.5)).max())


@pytest.mark.parametrize(("factor", "right"), [(1.0, True), (2.0, False), (1.1, False)])
def test_gradient_mc_is_right_on_average(factor, right):
    """False alarm 3 · 7e-9. A doubled step size, and even one a tenth too large, is caught."""
    samples, steps = walk_samples(np.random.default_rng(3), 40, 4000), np.full(40, 0.1)
    ends = gradient_mc(np.zeros((4000, 3)), samples.features, samples.returns, factor * steps)[-1]
    second = GROUPS.T @ (WALK_WEIGHTS[:, None] * GROUPS)
    exact = expected_path(second, GROUPS.T @ (WALK_WEIGHTS * WALK_VALUES), steps, np.zeros(3))
    assert (off_by(ends, exact) < STANDARD_ERRORS) == right


@pytest.mark.parametrize(("fault", "right"), [("", True), ("step doubled", False), ("ratio left out", False)])
def test_off_policy_td_follows_the_expected_recursion(fault, right):
    """Independent draws of the star's states. False alarm 8 · 7e-9."""
    rng, runs, count = np.random.default_rng(4), 4000, 30
    states = rng.integers(7, size=(count, runs))
    actions = (rng.random((count, runs)) < 1 / 7).astype(int)
    _, after = STAR.mdp.step(states.ravel(), actions.ravel(), rng.random(states.size))
    ratios = (STAR.target / STAR.behavior)[states, actions]
    if fault == "ratio left out":
        ratios = np.ones_like(ratios)
    steps = np.full(count, 0.04 if fault == "step doubled" else 0.02)
    rows = STAR.features[states], np.zeros(states.shape), STAR.features[after.reshape(states.shape)]
    ends = semi_gradient_td(np.tile(STAR.w, (runs, 1)), *rows, STAR.mdp.gamma, steps, ratios)[-1]
    matrix, vector = td_system(*STAR_EXPECTED, STAR.mdp.gamma, STAR_WEIGHTS)
    exact = expected_path(matrix, vector, np.full(count, 0.02), STAR.w)
    assert (off_by(ends, exact) < STANDARD_ERRORS) == right


def test_lstd_of_expected_and_of_many_sampled_transitions_agree():
    """40 batches of 5,000 transitions: their mean lies within 5.8 standard errors plus LSTD's own small-sample bias."""
    samples = walk_samples(np.random.default_rng(5), 5000, 40)
    found = np.array([lstd(*(part[:, i] for part in samples.transitions), 1.0, np.ones(5000)) for i in range(40)])
    exact = lstd(*WALK_EXPECTED, 1.0, WALK_WEIGHTS)
    np.testing.assert_allclose(exact, [0.375, 0.5, 0.625], atol=1e-9)
    error = found.std(axis=0) / 40**0.5
    assert np.all(np.abs(found.mean(axis=0) - exact) < STANDARD_ERRORS * error + 2e-3)
    together = lstd(*samples.transitions, 1.0, np.ones((5000, 40)))
    flat = lstd(*(part.reshape(-1, *part.shape[2:]) for part in samples.transitions), 1.0, np.ones(200_000))
    np.testing.assert_allclose(together, flat, atol=1e-12)


def test_the_star_is_as_published():
    assert np.all(STAR.mdp.rewards == 0)
    np.testing.assert_allclose(STAR_WEIGHTS, np.full(7, 1 / 7), atol=1e-12)
    np.testing.assert_allclose(STAR.features @ STAR.w, [3, 3, 3, 3, 3, 3, 12])
    assert np.linalg.matrix_rank(STAR.features) == 7, "every function of the state can be expressed"
    assert STAR.mdp.gamma == 0.99


def test_only_all_three_legs_together_run_away():
    gamma = STAR.mdp.gamma
    table = np.einsum("sa,sat->st", STAR.target, STAR.mdp.transitions)
    behaving = expected_transitions(STAR.mdp, STAR.behavior, STAR.features)
    assert growth_rate(td_system(*STAR_EXPECTED, gamma, STAR_WEIGHTS)[0]) > 0.2
    for rows, discount, d in (
        (STAR_EXPECTED, 0.0, STAR_WEIGHTS),
        (STAR_EXPECTED, gamma, on_policy_weights(STAR.mdp, STAR.target)),
        (behaving, gamma, STAR_WEIGHTS),
        ((np.eye(7), np.zeros(7), table), gamma, STAR_WEIGHTS),
    ):
        assert growth_rate(td_system(*rows, discount, d)[0]) < 1e-12


def test_the_sampled_runs_do_as_the_growth_rates_say():
    transitions, ratios = star_samples(np.random.default_rng(6), 800, 8)
    start, gamma = np.tile(STAR.w, (8, 1)), STAR.mdp.gamma
    away = semi_gradient_td(start, *transitions, gamma, np.full(800, 0.01), ratios)[-1]
    cured = gradient_correction(start, *transitions, gamma, np.full(800, 0.005), np.full(800, 0.05), ratios)[-1]
    assert np.linalg.norm(away, axis=1).min() > 8 * np.linalg.norm(STAR.w)
    assert np.linalg.norm(cured, axis=1).max() < np.linalg.norm(STAR.w)


def test_the_bound_needs_its_condition():
    """In the chain TD's error is within the bound on-policy, and 12 times the least error at a share of 0.6."""
    bound = 1 / np.sqrt(1 - CHAIN.gamma**2)
    ratios = []
    for d in (WEIGHTS, np.array([0.6, 0.4])):
        td = CHAIN_FEATURES @ lstd(*CHAIN_EXPECTED, CHAIN.gamma, d)
        best = projection(CHAIN_FEATURES, d) @ CHAIN_VALUES
        ratios.append((value_error(td, CHAIN_VALUES, d) / value_error(best, CHAIN_VALUES, d)) ** 0.5)
    assert ratios[0] < bound < 12 < ratios[1]


def test_an_end_with_features_is_refused_by_name():
    features = GROUPS.copy()
    features[10, 1] = 0.5
    with pytest.raises(ValueError, match=r"features of state 10 must be zero"):
        expected_transitions(WALK, uniform_policy(WALK), features)


def test_a_policy_that_does_not_sum_to_one_is_refused_by_its_state():
    policy = uniform_policy(WALK)
    policy[3] = [0.5, 0.6]
    for refused in (lambda: expected_transitions(WALK, policy, GROUPS), lambda: on_policy_weights(WALK, policy)):
        with pytest.raises(ValueError, match=r"policy.*3"):
            refused()


def test_a_policy_that_misses_states_gives_them_no_weight():
    """The second action is never taken, so state 2 is left for good."""
    transitions = np.array([[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1]]], dtype=float)
    mdp = MDP(transitions, np.ones((3, 2)), 0.9, np.array([0.0, 0.0, 1.0]))
    d = on_policy_weights(mdp, np.tile([1.0, 0.0], (3, 1)))
    np.testing.assert_allclose(d, [0.5, 0.5, 0.0], atol=1e-12)
    assert np.all(d >= 0)


def test_transitions_along_a_trajectory():
    states = np.array([[0, 1], [1, 1], [0, 0]])
    found = transitions_along(np.array([[1.0], [2.0]]), states, np.array([[5.0, 6.0], [7.0, 8.0]]))
    np.testing.assert_array_equal(found.features[..., 0], [[1, 2], [2, 2]])
    np.testing.assert_array_equal(found.next_features[..., 0], [[2, 2], [1, 1]])
    np.testing.assert_array_equal(found.rewards, [[5, 6], [7, 8]])
