"""Oracles of chapter 8's exercises held against the library and statsmodels; their wrong answers are never right by luck."""

import numpy as np
import pytest

# As a module: its tests, taken in by name, would be collected here once more.
import test_exercise_oracles as earlier
from statsmodels.stats.proportion import proportion_confint

from rlhw import exercises, overoptimisation
from rlhw.evaluation import attainable, best_of_n_kl, best_of_n_reward

NAMES = ["ch8-attainable", "ch8-best-of-n", "ch8-fit", "ch8-recall", "ch8-win-rate"]


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers(name):
    earlier.test_a_wrong_answer_is_never_right_by_luck(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odd", ["text", 3, {}, [None], float("nan"), np.zeros(3)])
def test_odd_answers(name, odd):
    earlier.test_odd_answers_get_a_verdict(name, odd)


def test_best_of_n():
    expected = exercises.question("ch8-best-of-n").expected
    for probs, rewards, n in earlier.all_cases("ch8-best-of-n"):
        both = best_of_n_reward(probs, rewards, n), best_of_n_kl(probs, rewards, n)
        assert expected(probs, rewards, n) == pytest.approx(both, abs=1e-9)


def test_win_rate():
    """statsmodels takes the confidence, not z, and whole or half counts."""
    from scipy.stats import norm

    expected = exercises.question("ch8-win-rate").expected
    for wins, losses, ties, z in earlier.all_cases("ch8-win-rate"):
        n = wins + losses + ties
        rate, low, high = expected(wins, losses, ties, z)
        ends = proportion_confint(wins + ties / 2, n, alpha=2 * norm.sf(z), method="wilson")
        assert rate == (wins + ties / 2) / n
        assert (low, high) == pytest.approx(ends, abs=1e-9)


def test_attainable():
    expected = exercises.question("ch8-attainable").expected
    for rewards, log_weights, beta in earlier.all_cases("ch8-attainable"):
        twice = np.stack([rewards, rewards]), beta, np.stack([log_weights, log_weights])
        assert expected(rewards, log_weights, beta) == pytest.approx(attainable(*twice)[0], rel=1e-9)


def test_fit():
    expected = exercises.question("ch8-fit").expected
    for kl, gold in earlier.all_cases("ch8-fit"):
        a, b, _ = overoptimisation.fit_form(overoptimisation.rl_form, np.sqrt(kl), gold)
        peak = overoptimisation.peak_rl(a, b)
        assert expected(kl, gold) == pytest.approx((a, b, peak), abs=1e-6)


def test_recall():
    beta_free = exercises.question("ch8-recall").expected()
    assert beta_free == pytest.approx((0.8320184, 0.0822829, 2.4), abs=1e-6)
