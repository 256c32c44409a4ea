"""Chapter B4's oracles held against the library, a second implementation."""

import numpy as np

from rlhw import exercises
from rlhw.control import q_learning_target
from rlhw.exercises.question import draw_cases
from rlhw.off_policy import importance_weights, ordinary_importance_sampling, per_decision_importance_sampling


def cases_of(name):
    asked = exercises.question(name)
    return [(asked, case) for seed in range(10) for group in draw_cases(asked, seed).values() for case in group]


def test_q_learning_against_the_library():
    for asked, case in cases_of("b4-q-learning"):
        q, s, a, r, s2, over, gamma, alpha = case
        (target,) = q_learning_target(np.array([r]), q[[s2]] * (not over), gamma)
        q = q.copy()
        q[s, a] += alpha * (target - q[s, a])
        np.testing.assert_allclose(asked.expected(*case), q, atol=1e-7)


def test_importance_sampling_against_the_library():
    for asked, (pi, mu, rewards, gamma) in cases_of("b4-importance-sampling"):
        weights, rows = importance_weights(pi[None], mu[None]), rewards[None]
        both = [
            estimate(weights, rows, gamma)[0]
            for estimate in (ordinary_importance_sampling, per_decision_importance_sampling)
        ]
        np.testing.assert_allclose(asked.expected(pi, mu, rewards, gamma), both, rtol=1e-9)


def test_the_treasure_by_simulation():
    """2,000 learners of 30 episodes; each of the two numbers is 5.33 standard errors off once in ten million."""
    asked, rng = exercises.question("b4-glie"), np.random.default_rng(0)
    k = np.arange(1, 31)[:, None]
    steps = (rng.random((2000, 30, 2)) < 1 / k) & (rng.integers(0, 2, (2000, 30, 2)) == 1)
    found = np.all(steps, axis=2).sum(axis=1)
    visits, never = asked.expected(2, 2, 30)
    assert abs(found.mean() - visits) < 5.33 * found.std() / 2000**0.5
    assert abs((found == 0).mean() - never) < 5.33 * (never * (1 - never) / 2000) ** 0.5
