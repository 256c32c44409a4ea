"""The forms of over-optimisation against closed forms, scipy's optimisers, and points that are made from known coefficients."""

import math

import numpy as np
import pytest
import scipy.optimize
import sympy

from rlhw.overoptimisation import best_of_n_form, fit_form, peak_best_of_n, peak_rl, rl_form

FORMS = {"best_of_n": (best_of_n_form, peak_best_of_n), "rl": (rl_form, peak_rl)}
every_form = pytest.mark.parametrize("name", FORMS)
D, A, B = sympy.symbols("d a b", positive=True)
SYMBOLS = {"best_of_n": D * (A - B * D), "rl": D * (A - B * sympy.log(D))}


def coefficients(count: int = 40) -> list[tuple[float, float]]:
    rng = np.random.default_rng(2022)
    return [(float(a), float(b)) for a, b in zip(rng.uniform(0.2, 3, count), rng.uniform(0.3, 1.5, count), strict=True)]


@every_form
def test_a_form_is_what_the_symbols_say(name):
    form, _ = FORMS[name]
    exact = sympy.lambdify((D, A, B), SYMBOLS[name], "numpy")
    d = np.random.default_rng(1).uniform(0.01, 6, 50)
    for a, b in coefficients():
        np.testing.assert_allclose(form(d, a, b), exact(d, a, b), rtol=1e-12, atol=1e-13)
        assert form(np.zeros(1), a, b).tolist() == [0.0]
    other = FORMS["rl" if name == "best_of_n" else "best_of_n"][0]
    assert np.abs(other(d, 1.3, 0.7) - exact(d, 1.3, 0.7)).max() > 0.1, "the two forms would pass for each other"


@every_form
def test_a_peak_is_where_the_slope_is_zero(name):
    """Against sympy's solution, and against a maximiser that knows no slope."""
    form, peak = FORMS[name]
    (where,) = sympy.solve(sympy.diff(SYMBOLS[name], D), D)
    for a, b in coefficients():
        found = peak(a, b)
        assert found == pytest.approx(float(where.subs({A: a, B: b})), rel=1e-12)
        if 0.05 < found < 50:
            best = scipy.optimize.minimize_scalar(
                lambda d, a=a, b=b: -float(form(d, a, b)),
                bounds=(0, 3 * found),
                method="bounded",
                options={"xatol": 1e-9},
            )
            assert found == pytest.approx(best.x, rel=1e-6)
            # without the 2 or without the -1 it would be off by a factor
            assert abs(best.x - {"best_of_n": a / b, "rl": math.exp(a / b)}[name]) > 0.01


@every_form
def test_without_a_fall_there_is_no_peak(name):
    _, peak = FORMS[name]
    assert peak(1.0, 0.0) == peak(1.0, -0.5) == math.inf


def test_at_the_ends():
    assert peak_best_of_n(-1.0, 0.5) == 0.0
    assert peak_rl(1e4, 1.0) == math.inf
    assert 0 < peak_rl(-1.0, 0.5) < 0.1


@every_form
def test_a_fit_finds_the_coefficients_that_made_the_points(name):
    form, _ = FORMS[name]
    d = np.concatenate([[0.0], np.random.default_rng(3).uniform(0.1, 5, 12)])
    for a, b in [*coefficients(), (-0.4, 0.2), (0.7, -0.3)]:
        assert fit_form(form, d, form(d, a, b)) == pytest.approx((a, b, 1.0), rel=1e-9, abs=1e-10)


@every_form
def test_a_fit_is_the_least_square_one(name):
    """scipy's curve_fit, which iterates, finds the same coefficients in noise; R² is squared error over variance."""
    form, _ = FORMS[name]
    rng = np.random.default_rng(4)
    for a, b in coefficients(10):
        d = rng.uniform(0.05, 4, 30)
        gold = form(d, a, b) + 0.1 * rng.standard_normal(30)
        fit = fit_form(form, d, gold)
        expected, _ = scipy.optimize.curve_fit(form, d, gold, p0=(1.0, 1.0), ftol=1e-14, xtol=1e-14)
        np.testing.assert_allclose(fit[:2], expected, rtol=1e-6)
        assert fit[2] == pytest.approx(1 - np.mean((gold - form(d, *expected)) ** 2) / np.var(gold), rel=1e-6)
        assert np.abs(np.subtract(fit[:2], np.polyfit(d, gold, 1)[::-1])).max() > 0.01, "a straight line would pass"


def test_a_form_may_do_worse_than_the_mean():
    assert fit_form(best_of_n_form, np.arange(1.0, 5.0), np.array([9.0, 9.0, 9.0, 9.5]))[2] < 0


@every_form
@pytest.mark.parametrize("d", [-0.1, math.nan, math.inf])
def test_a_distance_that_cannot_be_is_refused(name, d):
    with pytest.raises(ValueError, match=r"^d must be 0 or more and finite: it is the square root of a KL, in nats\.$"):
        FORMS[name][0](np.array([1.0, d]), 1.0, 1.0)


@pytest.mark.parametrize(
    ("d", "gold", "sentence"),
    [
        ([1, 2, 3], [1, 2], r"equally long; got \(3,\) and \(2,\)"),
        ([1, 2], [1, math.nan], "two rows of finite numbers"),
        ([0, 2, 2], [0, 1, 1.1], "two different distances above 0 or more"),
        ([1, 2, 3], [1, 1, 1], "gold must vary"),
    ],
)
def test_points_that_fix_no_form_are_refused(d, gold, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_form(rl_form, np.array(d), np.array(gold))
