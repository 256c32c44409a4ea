"""Dynamic programming against an independent implementation, known answers, ties, and processes that do not end."""

import numpy as np
import pytest

from benchmarks.dynamic_programming import processes, sparse_mdp
from rlhw.dynamic_programming import (
    action_values,
    bellman_expectation,
    bellman_optimality,
    discounted_visits,
    error_bound,
    greedy_policy,
    plant,
    policy_evaluation,
    policy_iteration,
    solve_policy,
    value_iteration,
)
from rlhw.mdp import MDP, episodes, uniform_policy
from rlhw.worlds import CLIFF, cliff, gridworld, random_mdp, random_walk

AGREEMENT = 1e-9


def quantecon_values(mdp, method):
    from quantecon.markov import DiscreteDP

    return DiscreteDP(mdp.rewards, mdp.transitions, mdp.gamma).solve(method=method, epsilon=1e-10, max_iter=10_000).v


def test_four_ways_to_the_best_values_agree_on_a_hundred_random_processes():
    """Value iteration, policy iteration, direct solve and quantecon within 1e-9 of each other."""
    worst, count, changed = 0.0, 0, 0.0
    for mdp in processes():
        by_sweeps, policy, _ = value_iteration(mdp, tolerance=AGREEMENT / 10)
        by_rounds, best, _ = policy_iteration(mdp)
        solved = [solve_policy(mdp, policy), solve_policy(mdp, best)]
        values = np.array([by_sweeps, by_rounds, *solved, quantecon_values(mdp, "policy_iteration")])
        worst, count = max(worst, float(np.ptp(values, axis=0).max())), count + 1
        # The control: the same comparison finds rewards that are off by a hundred-millionth.
        off = MDP(mdp.transitions, mdp.rewards + 1e-8, mdp.gamma, mdp.start)
        changed += float(np.abs(policy_iteration(off)[0] - values[1]).max()) > AGREEMENT
    assert count == changed == 100
    assert worst <= AGREEMENT


def test_quantecon_by_sweeps_agrees_as_well():
    for seed in range(5):
        mdp = random_mdp(8, 3, np.random.default_rng(seed), gamma=0.85)
        assert np.abs(quantecon_values(mdp, "value_iteration") - policy_iteration(mdp)[0]).max() <= 1e-9


def test_the_random_processes_are_of_many_kinds():
    gammas, sizes, sparse = zip(
        *((mdp.gamma, mdp.rewards.shape, (mdp.transitions == 0).mean() > 0.3) for mdp in processes()), strict=True
    )
    assert max(gammas) > 0.97
    assert min(gammas) < 0.55
    assert len(set(sizes)) > 50
    assert 30 <= sum(sparse) <= 50


def test_a_walk_has_the_values_of_the_gamblers_ruin():
    mdp = random_walk(19)
    expected = np.append(np.arange(20) / 20, 0.0)
    np.testing.assert_allclose(solve_policy(mdp, uniform_policy(mdp)), expected, atol=1e-12)
    swept, sweeps = policy_evaluation(mdp, uniform_policy(mdp), tolerance=1e-12)
    np.testing.assert_allclose(swept, expected, atol=1e-9)
    assert sweeps > 1000, "without a discount only the walk's end makes the values settle"


def test_an_open_grid_has_the_values_of_the_distance_and_both_ways_of_going_there():
    mdp = gridworld(("S..", "...", "..G"))
    v, policy, rounds = policy_iteration(mdp)
    distance = np.array([[4, 3, 2], [3, 2, 1], [2, 1, 0]]).ravel()
    np.testing.assert_allclose(v, -distance, atol=1e-12)
    assert rounds <= 3
    for found in (policy, value_iteration(mdp, 1e-9)[1]):
        np.testing.assert_array_equal(found[0], [0, 0.5, 0.5, 0], "right and down are tied in the corner")


def test_the_cliff_is_walked_along_its_edge():
    mdp = cliff()
    v = policy_iteration(mdp)[0]
    start = sum(len(row) for row in CLIFF[:3])
    assert v[start] == pytest.approx(-13, abs=1e-9)
    np.testing.assert_allclose(value_iteration(mdp, 1e-9)[0], v, atol=1e-9)


@pytest.mark.parametrize("gamma", [0.3, 0.9, 0.999])
def test_policy_iteration_ends_where_everything_is_tied(gamma):
    """Every action twice, and a chain of symmetric states: rounding alone would tell twins apart."""
    rng = np.random.default_rng(4)
    mdp = random_mdp(12, 3, rng, gamma)
    swap = np.arange(12)[::-1]
    transitions = (mdp.transitions + mdp.transitions[swap][:, :, swap]) / 2
    rewards = (mdp.rewards + mdp.rewards[swap]) / 2
    twins = MDP(np.tile(transitions, (1, 2, 1)), np.tile(rewards, (1, 2)) + 1e-16, gamma, mdp.start)
    v, policy, rounds = policy_iteration(twins)
    assert rounds <= 10
    np.testing.assert_allclose(v, v[swap], rtol=1e-9)
    np.testing.assert_allclose(v, policy_iteration(MDP(transitions, rewards, gamma, mdp.start))[0], rtol=1e-9)
    np.testing.assert_array_equal(policy[:, :3], policy[:, 3:], "twin actions share")


def test_answers_do_not_depend_on_the_unit_of_reward():
    mdp = random_mdp(9, 3, np.random.default_rng(1), gamma=0.8)
    v, policy, rounds = policy_iteration(mdp)
    for unit in (1e-9, 1e9):
        scaled = policy_iteration(MDP(mdp.transitions, unit * mdp.rewards, mdp.gamma, mdp.start))
        np.testing.assert_allclose(scaled[0], unit * v, rtol=1e-9)
        np.testing.assert_array_equal(scaled[1], policy)
        assert scaled[2] == rounds


def test_the_value_of_the_greedy_policy_keeps_its_bound_and_can_come_near_it():
    """v* - v_greedy <= 2γ/(1 - γ) · error; a process where it is attained but for a hair: two actions, the wrong one tied."""
    for seed in range(20):
        mdp = sparse_mdp(10, 3, np.random.default_rng(seed), 0.9)
        best = policy_iteration(mdp)[0]
        for size in (0.01, 0.3):
            guess = best + size * np.random.default_rng(seed).uniform(-1, 1, 10)
            loss = (best - solve_policy(mdp, greedy_policy(mdp, guess))).max()
            assert loss <= 2 * 0.9 / 0.1 * np.abs(guess - best).max() + 1e-12
    gamma, error = 0.9, 0.5
    stay, leave = np.eye(2)[[0, 1]], np.eye(2)[[1, 1]]
    pay = 2 * gamma * error - 1e-6  # staying pays nothing, leaving a little: a wrong guess makes staying look better
    mdp = MDP(np.stack([stay, leave], axis=1), np.array([[0.0, pay], [pay, pay]]), gamma, np.eye(2)[0])
    best = policy_iteration(mdp)[0]
    guess = best + error * np.array([1.0, -1.0])
    loss = (best - solve_policy(mdp, greedy_policy(mdp, guess))).max()
    assert loss == pytest.approx(2 * gamma / (1 - gamma) * error, rel=1e-4)


def test_the_stopping_rule_is_sharp_where_all_values_move_together():
    one = MDP(np.ones((1, 1, 1)), np.ones((1, 1)), 0.9, np.ones(1))
    v, sweeps = policy_evaluation(one, np.ones((1, 1)), tolerance=0.5)
    assert abs(v[0] - 10) == pytest.approx(error_bound(0.9, 0.9 ** (sweeps - 1)), rel=1e-9)
    assert abs(v[0] - 10) <= 0.5 < abs(v[0] - 10) / 0.9


def test_visits_are_what_simulated_episodes_count():
    """False alarm below 1e-6: means of 20,000 episodes within 6 standard errors; a start that is not counted is caught."""
    mdp, rng = plant(0.8), np.random.default_rng(0)
    policy = np.array([[0.7, 0.3], [0.4, 0.6], [0.5, 0.5]])
    found = episodes(mdp, policy, 20_000, rng)
    weights = 0.8 ** np.arange(found.mask.shape[1]) * found.mask
    counts = np.array([(weights * (found.states[:, :-1] == s)).sum(axis=1) for s in range(3)])
    exact = discounted_visits(mdp, policy)
    error = 6 * counts.std(axis=1) / np.sqrt(20_000)
    assert np.all(np.abs(counts.mean(axis=1) - exact) <= error)
    late = exact - mdp.start
    assert np.any(np.abs(counts.mean(axis=1) - late) > error), "the control"


def test_visits_and_values_tell_the_same_about_every_policy():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mdp = random_mdp(7, 3, rng, gamma=0.9)
        policy = rng.dirichlet(np.ones(3), 7)
        earned = discounted_visits(mdp, policy) @ (policy * mdp.rewards).sum(axis=1)
        assert earned == pytest.approx(mdp.start @ solve_policy(mdp, policy), abs=1e-12)
        assert discounted_visits(mdp, policy).sum() == pytest.approx(10, abs=1e-9)


def test_nothing_is_earned_after_the_end():
    mdp = plant(0.9)
    assert discounted_visits(mdp, uniform_policy(mdp))[2] == 0
    assert solve_policy(mdp, uniform_policy(mdp))[2] == 0


def test_operators_leave_their_input_alone():
    mdp, v = plant(), np.array([1.0, 2.0, 0.0])
    for out in (bellman_optimality(mdp, v), bellman_expectation(mdp, uniform_policy(mdp), v), action_values(mdp, v)):
        assert out is not v
    np.testing.assert_array_equal(v, [1.0, 2.0, 0.0])


ROOM = MDP(  # hall, room, end; action 0 stays for nothing, action 1 goes on at a cost of 1
    np.stack([np.eye(3), np.eye(3)[[1, 2, 2]]], axis=1),
    np.array([[0.0, -1.0], [0.0, -1.0], [0.0, 0.0]]),
    1.0,
    np.eye(3)[0],
)


def test_a_policy_that_never_ends_is_refused_with_its_state():
    stay_in_room = np.eye(2)[[1, 0, 0]]
    for solve in (solve_policy, discounted_visits, lambda *pair: policy_evaluation(*pair, 1e-3)):
        with pytest.raises(ValueError, match=r"policy never ends from state 0, and gamma is 1"):
            solve(ROOM, stay_in_room)
    beside = MDP(np.stack([np.eye(3), np.eye(3)[[2, 2, 2]]], axis=1), ROOM.rewards, 1.0, ROOM.start)
    with pytest.raises(ValueError, match=r"policy never ends from state 1"):
        solve_policy(beside, stay_in_room)


def test_free_staying_is_no_way_out():
    with pytest.raises(ValueError, match="policy never ends from state 0"):
        value_iteration(ROOM, 1e-9)
    np.testing.assert_allclose(policy_iteration(ROOM)[0], [-2, -1, 0], atol=1e-12)


def test_rewards_without_end_are_refused():
    paid = MDP(ROOM.transitions, ROOM.rewards + np.array([[0.5, 0], [0, 0], [0, 0]]), 1.0, ROOM.start)
    with pytest.raises(ValueError, match="policy never ends from state 0"):
        policy_iteration(paid)
    with pytest.raises(
        ValueError, match=r"tolerance 1e-09 was not reached in 500 sweeps: the last one changed a value by 0\.5"
    ):
        value_iteration(paid, 1e-9, max_sweeps=500)


@pytest.mark.parametrize(
    "solve", [solve_policy, discounted_visits, lambda mdp, policy: policy_evaluation(mdp, policy, 0.1)]
)
def test_what_is_no_policy_is_refused_with_its_state(solve):
    for wrong, words in (
        (np.array([[0.5, 0.5], [0.7, 0.7], [1.0, 0.0]]), r"policy\[1\] is 1\.4"),
        (np.array([[0.5, 0.5], [1.0, 0.0], [1.5, -0.5]]), r"policy\[2, 1\] is -0\.5"),
        (np.full((2, 2), 0.5), r"policy must have the shape \(3, 2\)"),
    ):
        with pytest.raises(ValueError, match=words):
            solve(plant(), wrong)
