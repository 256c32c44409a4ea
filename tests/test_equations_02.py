"""Chapter 2: the estimates of a five-armed and of random bandits, by enumeration and central differences."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp

from rlhw import laws, symbolic
from rlhw.laws import assert_close, enumerate_sequences, numerical_gradient, probabilities_of
from rlhw.policy_gradient import (
    gradient_variance,
    leave_one_out,
    optimal_baseline,
    squared_score_norms,
    weighted_scores,
)

TOLERANCE = 1e-7


def bandits():
    """Policies with rewards that are not centred and a noise level."""
    for logits, rng in laws.policies(seed=11):
        yield logits, 2.0 + rng.standard_normal(len(logits)), float(rng.uniform(0.2, 1.5))


def slope(logits, rewards):
    """∇_z J by central differences."""
    return numerical_gradient(lambda z: float(probabilities_of(z) @ rewards), logits)


def noisy_estimates(logits, rewards, sd, baseline):
    """All estimates with their probabilities when the noise is ± sd with even odds: mean 0, variance sd²."""
    p = probabilities_of(logits)
    for y in range(len(p)):
        for noise in (-sd, sd):
            yield p[y] / 2, (rewards[y] + noise - baseline) * (np.eye(len(p))[y] - p)


@pytest.mark.equation("eq-example-five-arms", way="closed form")
def test_five_arms(equation):
    def check(mean):
        tenths = [sp.Rational(n, 10) for n in (40, 50, 44, 36, 42)]
        assert mean(tenths) == sp.Rational(424, 100)

    equation.holds(check, lambda r: sum(r) / 5)
    equation.rejects("middle of the extremes", check, lambda r: (max(r) + min(r)) / 2)


@pytest.mark.equation("eq-estimate-mean", way="enumeration")
def test_estimate_mean(equation):
    def check(shift):
        for logits, rewards, sd in bandits():
            for b in (0.0, 1.7, -3.0):
                rows = noisy_estimates(logits, rewards, sd, b)
                mean = sum(w * (row + shift(logits, b)) for w, row in rows)
                assert_close(mean, slope(logits, rewards), "the mean of the estimate is the gradient", TOLERANCE)

    equation.holds(check, lambda logits, b: np.zeros(len(logits)))
    equation.rejects("baseline not multiplied by the score", check, lambda logits, b: np.full(len(logits), -b))


@pytest.mark.equation("eq-score-norm", way="closed form")
def test_score_norm(equation):
    equation.holds(laws.check_squared_score_norms, squared_score_norms)
    square = lambda z: probabilities_of(z) ** 2  # noqa: E731
    wrong = lambda z: 1.0 - probabilities_of(z) + square(z).sum()  # noqa: E731
    equation.rejects("factor two lost", laws.check_squared_score_norms, wrong)
    wrong = lambda z: 1.0 - 2.0 * probabilities_of(z) + square(z)  # noqa: E731
    equation.rejects("own square for the sum", laws.check_squared_score_norms, wrong)


@pytest.mark.equation("eq-total-variance", way="enumeration")
def test_total_variance(equation):
    def check(formula):
        for logits, rewards, sd in bandits():
            for b in (0.0, 1.3):
                rows = list(noisy_estimates(logits, rewards, sd, b))
                gradient = slope(logits, rewards)
                spread = sum(w * np.sum((row - gradient) ** 2) for w, row in rows)
                assert_close(formula(logits, rewards, b, sd), spread, "the total variance", TOLERANCE)

    def right(logits, rewards, b, sd):
        return gradient_variance(logits, rewards, b, sd**2)

    equation.holds(check, right)
    wrong = lambda z, r, b, sd: right(z, r, b, sd) + np.sum(slope(z, r) ** 2)  # noqa: E731
    equation.rejects("second moment for variance", check, wrong)
    equation.rejects("standard deviation for variance", check, lambda z, r, b, sd: gradient_variance(z, r, b, sd))
    equation.rejects("noise left out", check, lambda z, r, b, sd: gradient_variance(z, r, b))


@pytest.mark.equation("eq-optimal-baseline", way="symbolic")
def test_optimal_baseline(equation):
    z, r, b = symbolic.logits_of(2), sp.symbols("r1:3", real=True), sp.Symbol("b", real=True)
    p = symbolic.softmax(z)
    squares = [sum((int(i == y) - p[i]) ** 2 for i in range(2)) for y in range(2)]
    moment = sum(p[y] * (r[y] - b) ** 2 * squares[y] for y in range(2))

    def check(best):
        vanishing = sp.diff(moment, b).subs(b, best)
        assert symbolic.is_zero(vanishing), "the derivative of the variance does not vanish there"

    def average(weights):
        return sum(p[y] * r[y] * weights[y] for y in range(2)) / sum(p[y] * weights[y] for y in range(2))

    equation.holds(check, average(squares))
    equation.holds(laws.check_optimal_baseline, optimal_baseline)
    equation.rejects("the value", check, average([sp.Integer(1)] * 2))
    equation.rejects("length for squared length", check, average([sp.sqrt(s) for s in squares]))


@pytest.mark.equation("eq-variance-parabola", way="enumeration")
def test_variance_parabola(equation):
    def check(excess):
        for logits, rewards, sd in bandits():
            best = optimal_baseline(logits, rewards)
            mean_square = float(probabilities_of(logits) @ squared_score_norms(logits))
            for b in (-1.0, 0.4, 3.0):
                rows = list(noisy_estimates(logits, rewards, sd, b))
                spread = sum(w * np.sum((row - slope(logits, rewards)) ** 2) for w, row in rows)
                lowest = gradient_variance(logits, rewards, best, sd**2)
                assert_close(lowest + excess(b - best, mean_square), spread, "the parabola in b", TOLERANCE)

    equation.holds(check, lambda gap, square: gap**2 * square)
    equation.rejects("not squared", check, lambda gap, square: abs(gap) * square)
    equation.rejects("score's length left out", check, lambda gap, square: gap**2)


@pytest.mark.equation("eq-two-arm-baseline", way="closed form")
def test_two_arm_baseline(equation):
    def check(best, value):
        for p1, r1, r2 in ((0.9, 1.0, 0.0), (0.3, -2.0, 5.0), (0.55, 4.0, 4.5)):
            p = np.array([p1, 1 - p1])
            law = "the best baseline of two arms"
            assert_close(best(*p, r1, r2), optimal_baseline(np.log(p), np.array([r1, r2])), law, TOLERANCE)
            assert_close(value(*p, r1, r2), p @ [r1, r2], "the value of two arms", TOLERANCE)

    swapped = lambda p1, p2, r1, r2: p2 * r1 + p1 * r2  # noqa: E731
    straight = lambda p1, p2, r1, r2: p1 * r1 + p2 * r2  # noqa: E731
    equation.holds(check, swapped, straight)
    equation.rejects("probabilities in their places", check, straight, straight)
    equation.rejects("value with swapped probabilities", check, swapped, swapped)


@pytest.mark.equation("eq-value-can-hurt", way="enumeration")
def test_value_can_hurt(equation):
    logits, rewards = np.log([0.9, 0.1]), np.array([1.0, 0.0])

    def check(none, value, best):
        for b, number in ((0.0, none), (0.9, value), (0.1, best)):
            rows = list(noisy_estimates(logits, rewards, 0.0, b))
            spread = sum(w * np.sum((row - slope(logits, rewards)) ** 2) for w, row in rows)
            assert_close(number, spread, f"the variance with b = {b}", TOLERANCE)

    equation.holds(check, 0.0018, 0.1152, 0.0)
    equation.rejects("none and value exchanged", check, 0.1152, 0.0018, 0.0)
    equation.rejects("one component only", check, 0.0009, 0.0576, 0.0)


@pytest.mark.equation("eq-price-of-noise", way="enumeration")
def test_price_of_noise(equation):
    def check(second_order):
        for logits, rewards, sd in bandits():
            rows = list(noisy_estimates(logits, rewards, sd, 0.5))
            gradient = slope(logits, rewards)
            curvature = np.stack(
                [numerical_gradient(lambda z, r=rewards, i=i: slope(z, r)[i], logits, 1e-4) for i in range(len(logits))]
            )
            covariance = sum(w * np.outer(row - gradient, row - gradient) for w, row in rows)

            def error(step, rows=rows, z=logits, r=rewards, g=gradient, h=curvature, c=covariance):
                after = sum(w * float(probabilities_of(z + step * row) @ r) for w, row in rows)
                formula = float(probabilities_of(z) @ r) + step * float(g @ g) + second_order(step, g, h, c)
                return abs(after - formula)

            # A remainder of order η³ falls by 8 when η is halved, one of order η² by 4; the steps stay clear of rounding.
            errors = [error(step) for step in (0.08, 0.04, 0.02)]
            assert all(b < a / 5.5 or b < 1e-8 for a, b in pairwise(errors)), (
                f"the remainder is not of third order: {errors}"
            )

    def right(step, g, h, c):
        return step**2 / 2 * float(g @ h @ g + np.trace(h @ c))

    equation.holds(check, right)
    equation.rejects("no price for the noise", check, lambda step, g, h, c: step**2 / 2 * float(g @ h @ g))
    equation.rejects("half left out", check, lambda step, g, h, c: 2 * right(step, g, h, c))
    equation.rejects("sign flipped", check, lambda step, g, h, c: -right(step, g, h, c))


@pytest.mark.equation("eq-running-mean", way="closed form")
def test_running_mean(equation):
    rewards = np.random.default_rng(12).standard_normal(9)

    def check(rate):
        b = 0.0
        for n, reward in enumerate(rewards, start=1):
            b = b + rate(n) * (reward - b)
            assert_close(b, rewards[:n].mean(), f"the mean of the first {n} rewards")

    equation.holds(check, lambda n: 1 / n)
    equation.rejects("one too many", check, lambda n: 1 / (n + 1))
    equation.rejects("a constant rate", check, lambda n: 0.1 if n > 1 else 1.0)


@pytest.mark.equation("eq-learned-baseline", way="finite difference")
def test_learned_baseline(equation):
    def check(candidate):
        for logits, rewards, sd in bandits():
            p = probabilities_of(logits)

            def squared_error(b, p=p, r=rewards, sd=sd):
                return float(p @ ((r - b[0]) ** 2 + sd**2))

            rate = numerical_gradient(squared_error, np.array([candidate(logits, rewards)]))
            assert_close(rate, np.zeros(1), "the squared error is lowest there", TOLERANCE)

    equation.holds(check, lambda logits, rewards: float(probabilities_of(logits) @ rewards))
    equation.rejects("b* of the variance", check, optimal_baseline)
    equation.rejects("plain mean of the arms", check, lambda logits, rewards: float(rewards.mean()))


@pytest.mark.equation("eq-learned-variance", way="enumeration")
def test_learned_variance(equation):
    """The law of b_n by its two moments, iterated to rest; the estimates by enumeration around a three-point b_n."""

    def check(factor, square=True):
        for (logits, rewards, sd), rate in zip(bandits(), (0.1, 0.5, 0.9) * 4, strict=False):
            p, gradient = probabilities_of(logits), slope(logits, rewards)
            value = float(p @ rewards)
            reward_variance = float(p @ (rewards - value) ** 2) + sd**2
            moment = 0.0
            for _ in range(2000):
                moment = (1 - rate) ** 2 * moment + rate**2 * reward_variance
            # A baseline of mean V and this variance: V or V ± spread, the latter with probability 1/4 each.
            spread, total = (2 * moment) ** 0.5, 0.0
            for b, weight in ((value, 0.5), (value - spread, 0.25), (value + spread, 0.25)):
                rows = noisy_estimates(logits, rewards, sd, b)
                total += weight * sum(w * np.sum((row - gradient) ** 2) for w, row in rows)
            mean_square = float(p @ squared_score_norms(logits)) if square else 1.0
            formula = gradient_variance(logits, rewards, value, sd**2) + factor(rate) * reward_variance * mean_square
            assert_close(formula, total, "the variance with a learned baseline", TOLERANCE)

    equation.holds(check, lambda a: a / (2 - a))
    equation.rejects("rate alone", check, lambda a: a)
    equation.rejects("upside down", check, lambda a: (2 - a) / a)
    equation.rejects("score's length left out", check, lambda a: a / (2 - a), square=False)


def expected_group_update(logits, rewards, samples, baseline):
    """E[(1/N) Σ_n (r_{y_n} - b_n) g_{y_n}], by enumeration of all K^N groups."""
    p, mean = probabilities_of(logits), np.zeros(len(logits))
    for sequence in enumerate_sequences(len(logits), samples):
        actions = np.array(sequence)
        earned = rewards[actions]
        mean += np.prod(p[actions]) * weighted_scores(logits, actions, earned - baseline(earned)).mean(axis=0)
    return mean


@pytest.mark.equation("eq-leave-one-out", way="enumeration")
def test_leave_one_out(equation):
    def check(baseline):
        for logits, rewards, _ in list(bandits())[:6]:
            got = expected_group_update(logits, rewards, 3, baseline)
            assert_close(got, slope(logits, rewards), "leave-one-out is unbiased", TOLERANCE)

    equation.holds(check, leave_one_out)
    equation.rejects("own reward included", check, lambda r: np.full(len(r), r.mean()))
    equation.rejects("own reward", check, lambda r: r.copy())
    equation.rejects("largest of the others", check, lambda r: np.full(len(r), r.max()))


@pytest.mark.equation("eq-group-mean", way="enumeration")
def test_group_mean(equation):
    def check(factor):
        for samples in (2, 3, 4):
            for logits, rewards, _ in list(bandits())[:4]:
                got = expected_group_update(logits, rewards, samples, lambda r: np.full(len(r), r.mean()))
                law = f"the group's mean shrinks the gradient, N = {samples}"
                assert_close(got, factor(samples) * slope(logits, rewards), law, TOLERANCE)

    equation.holds(check, lambda n: (n - 1) / n)
    equation.rejects("no shrinking", check, lambda n: 1.0)
    equation.rejects("upside down", check, lambda n: n / (n - 1))


@pytest.mark.equation("eq-batch-variance", way="enumeration")
def test_batch_variance(equation):
    def check(factor):
        for samples in (2, 3):
            for logits, rewards, _ in list(bandits())[:6]:
                p, gradient, spread = probabilities_of(logits), slope(logits, rewards), 0.0
                for sequence in enumerate_sequences(len(logits), samples):
                    actions = np.array(sequence)
                    mean = weighted_scores(logits, actions, rewards[actions] - 0.5).mean(axis=0)
                    spread += np.prod(p[actions]) * np.sum((mean - gradient) ** 2)
                one = gradient_variance(logits, rewards, 0.5)
                assert_close(factor(samples) * one, spread, f"the variance of a mean of {samples}", TOLERANCE)

    equation.holds(check, lambda n: 1 / n)
    equation.rejects("square root", check, lambda n: 1 / n**0.5)
    equation.rejects("no gain", check, lambda n: 1.0)


@pytest.mark.equation("eq-entropy-gradient", way="finite difference")
def test_entropy_gradient(equation):
    def check(formula):
        for logits, _ in laws.policies(seed=13):
            p = probabilities_of(logits)
            rate = numerical_gradient(lambda z: float(-probabilities_of(z) @ np.log(probabilities_of(z))), logits)
            assert_close(formula(p, float(-p @ np.log(p))), rate, "the gradient of the entropy", TOLERANCE)

    equation.holds(check, lambda p, h: -p * (np.log(p) + h))
    equation.rejects("entropy left out", check, lambda p, h: -p * np.log(p))
    equation.rejects("sign flipped", check, lambda p, h: p * (np.log(p) + h))
    equation.rejects("one for the entropy", check, lambda p, h: -p * (np.log(p) + 1.0))
