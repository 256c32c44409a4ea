"""Oracles of chapter B2's exercises held against the library."""

import numpy as np
from test_exercise_oracles import all_cases

from rlhw import exercises
from rlhw.dynamic_programming import bellman_optimality, policy_iteration, solve_policy
from rlhw.mdp import MDP


def process(transitions, rewards, gamma):
    return MDP(transitions, rewards, gamma, np.full(len(rewards), 1 / len(rewards)))


def test_backup():
    expected = exercises.question("b2-bellman-backup").expected
    for transitions, rewards, gamma, v in all_cases("b2-bellman-backup"):
        ours = bellman_optimality(process(transitions, rewards, gamma), v)
        np.testing.assert_allclose(expected(transitions, rewards, gamma, v), ours, atol=1e-12)


def test_solve():
    expected = exercises.question("b2-solve").expected
    for transitions, rewards, gamma, policy in all_cases("b2-solve"):
        ours = solve_policy(process(transitions, rewards, gamma), policy)
        np.testing.assert_allclose(expected(transitions, rewards, gamma, policy), ours, atol=1e-9)


def test_so_many_sweeps_are_enough_and_one_fewer_is_not():
    """On the process for which the bound is sharp: one state, one action, a reward of `change`, from zero."""
    expected = exercises.question("b2-contraction").expected
    for gamma, change, tolerance in all_cases("b2-contraction"):
        mdp = process(np.ones((1, 1, 1)), np.array([[change]]), gamma)
        best, v, errors = policy_iteration(mdp)[0], np.zeros(1), []
        for _ in range(expected(gamma, change, tolerance) + 1):
            errors.append(float(np.abs(v - best).max()))
            v = bellman_optimality(mdp, v)
        assert errors[-1] <= tolerance < errors[-2]
