"""Chapter B4's oracles held against the library, a second implementation; no wrong answer is right by luck."""

import numpy as np
import pytest

from rlhw import exercises
from rlhw.control import q_learning_target
from rlhw.exercises.question import _same, draw_cases, outputs_of
from rlhw.off_policy import importance_weights, ordinary_importance_sampling, per_decision_importance_sampling

NAMES = ["b4-recall", "b4-q-learning", "b4-importance-sampling", "b4-glie"]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_answer_is_never_right_by_luck(name):
    """In each part a known wrong answer fails every case, or passes every one where its mistake does not show."""
    asked = exercises.question(name)
    drawn = [draw_cases(asked, seed) for seed in range(15)]
    known = [{part: [asked.expected(*case) for case in group] for part, group in cases.items()} for cases in drawn]
    for key, wrong in asked.wrong.items():
        passed = {part.name: set() for part in asked.parts}
        for cases, expected in zip(drawn, known, strict=True):
            with np.errstate(all="ignore"):
                outputs = outputs_of(wrong.answer, cases)
            for part, group in outputs.items():
                passed[part] |= {_same(asked, got, right) for got, right in zip(group, expected[part], strict=True)}
        assert all(len(seen) == 1 for seen in passed.values()), f"{key}: {passed}"
        assert any(seen == {False} for seen in passed.values()), f"{key} is right everywhere"


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
