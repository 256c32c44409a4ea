"""Oracles of chapter 8's exercises held against the library and statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from test_exercise_oracles import all_cases

from rlhw import exercises, overoptimisation
from rlhw.evaluation import attainable, best_of_n_kl, best_of_n_reward


def test_best_of_n():
    expected = exercises.question("ch8-best-of-n").expected
    for probs, rewards, n in all_cases("ch8-best-of-n"):
        both = best_of_n_reward(probs, rewards, n), best_of_n_kl(probs, rewards, n)
        assert expected(probs, rewards, n) == pytest.approx(both, abs=1e-9)


def test_win_rate():
    """statsmodels takes the confidence, not z, and whole or half counts."""
    from scipy.stats import norm

    expected = exercises.question("ch8-win-rate").expected
    for wins, losses, ties, z in all_cases("ch8-win-rate"):
        n = wins + losses + ties
        rate, low, high = expected(wins, losses, ties, z)
        ends = proportion_confint(wins + ties / 2, n, alpha=2 * norm.sf(z), method="wilson")
        assert rate == (wins + ties / 2) / n
        assert (low, high) == pytest.approx(ends, abs=1e-9)


def test_attainable():
    expected = exercises.question("ch8-attainable").expected
    for rewards, log_weights, beta in all_cases("ch8-attainable"):
        twice = np.stack([rewards, rewards]), beta, np.stack([log_weights, log_weights])
        assert expected(rewards, log_weights, beta) == pytest.approx(attainable(*twice)[0], rel=1e-9)


def test_fit():
    expected = exercises.question("ch8-fit").expected
    for kl, gold in all_cases("ch8-fit"):
        a, b, _ = overoptimisation.fit_form(overoptimisation.rl_form, np.sqrt(kl), gold)
        peak = overoptimisation.peak_rl(a, b)
        assert expected(kl, gold) == pytest.approx((a, b, peak), abs=1e-6)


def test_recall():
    beta_free = exercises.question("ch8-recall").expected()
    assert beta_free == pytest.approx((0.8320184, 0.0822829, 2.4), abs=1e-6)
