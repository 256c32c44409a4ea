"""Chapter 8: the frontier, estimates of J*, best of n, win rates and judges, and the forms of over-optimisation."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize, minimize_scalar

from rlhw.evaluation import (
    attainable,
    best_of_n_kl,
    best_of_n_reward,
    effective_samples,
    frontier,
    tilted,
    win_rate,
)
from rlhw.laws import assert_close
from rlhw.laws.evaluation import best_of_n, contests, divergence, objective, optimum, rivals, worlds
from rlhw.pipeline.attained import best_of_n as from_pool

TOLERANCE = 1e-7
REF, REWARDS = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
BEN = np.array([0.3, 0.3, 0.4])


def best(ref, rewards, beta):
    """π*, from its definition."""
    weights = ref * np.exp((rewards - rewards.max()) / beta)
    return weights / weights.sum()


def point(ref, rewards, beta):
    """(KL, reward) of π*, from its definition."""
    law = best(ref, rewards, beta)
    return divergence(law, ref), float(law @ rewards)


def greatest(ref, rewards, kl):
    """The largest reward of a policy at so much KL, by a search over logits that knows nothing of π*."""

    def law(z):
        weights = np.exp(z - z.max())
        return weights / weights.sum()

    found = minimize(
        lambda z: -float(law(z) @ rewards), np.log(ref) + 0.1 * rewards, method="SLSQP", tol=1e-12,
        constraints={"type": "ineq", "fun": lambda z: kl - divergence(law(z), ref)}, options={"maxiter": 500},
    )  # fmt: skip
    return -float(found.fun)


@pytest.mark.equation("eq-example-ann", way="enumeration")
def test_example_ann(equation):
    def check(law, reward, kl):
        pairs = best_of_n(REF, REWARDS, 2)
        assert np.allclose(law, pairs, atol=1e-12)
        assert abs(reward - pairs @ REWARDS) < 1e-12
        assert abs(kl - divergence(pairs, REF)) < 5e-5

    equation.holds(check, [0.25, 0.39, 0.36], 1.11, 0.1406)
    equation.holds(check, [0.25, 0.39, 0.36], best_of_n_reward(REF, REWARDS, 2), best_of_n_kl(REF, REWARDS, 2))
    equation.rejects(
        "KL the other way round", check, [0.25, 0.39, 0.36], 1.11, divergence(REF, np.array([0.25, 0.39, 0.36]))
    )
    equation.rejects("log 2 - 1/2", check, [0.25, 0.39, 0.36], 1.11, math.log(2) - 0.5)
    equation.rejects("the worse of two", check, [0.75, 0.21, 0.04], 0.29, 0.1406)


@pytest.mark.equation("eq-example-ben", way="closed form")
def test_example_ben(equation):
    def check(reward, kl):
        likeliest = math.prod((b / r) ** b for b, r in zip(BEN, REF, strict=True))
        assert abs(reward - sum(BEN * REWARDS)) < 1e-12
        assert abs(kl - math.log(likeliest)) < 5e-5

    equation.holds(check, 1.10, 0.1240)
    equation.rejects("KL the other way round", check, 1.10, divergence(REF, BEN))
    equation.rejects("in bits", check, 1.10, 0.1240 / math.log(2))


@pytest.mark.equation("eq-frontier-tangent", way="enumeration")
def test_frontier_tangent(equation):
    def check(line):
        """No policy lies above the line, and π* lies on it: near π*, between it and the reference, and far from both."""
        for ref, rewards, beta, rng in worlds(seed=81):
            kl, reward = point(ref, rewards, beta)
            for policy in [best(ref, rewards, beta), *rivals(best(ref, rewards, beta), ref, rng)]:
                above = policy @ rewards - line(beta, reward, divergence(policy, ref), kl)
                assert above < 1e-12, "a policy lies above"
            touching = best(ref, rewards, beta)
            assert abs(touching @ rewards - line(beta, reward, divergence(touching, ref), kl)) < 1e-12
            other = rivals(touching, ref, rng)
            assert all(p @ rewards < line(beta, reward, divergence(p, ref), kl) - 1e-9 for p in other)

    equation.holds(check, lambda beta, reward, kl, known: reward + beta * (kl - known))
    equation.rejects("slope one over beta", check, lambda beta, reward, kl, known: reward + (kl - known) / beta)
    equation.rejects("no slope", check, lambda beta, reward, kl, known: reward)
    equation.rejects("sign flipped", check, lambda beta, reward, kl, known: reward - beta * (kl - known))


@pytest.mark.equation("eq-frontier-slope", way="finite difference")
def test_frontier_slope(equation):
    def check(rise, spread, slope):
        for ref, rewards, beta, _ in worlds(seed=82):
            h = 1e-4 * beta
            (kl_low, low), (kl_high, high) = (point(ref, rewards, b) for b in (beta - h, beta + h))
            law = best(ref, rewards, beta)
            variance = float(law @ rewards**2 - (law @ rewards) ** 2)
            assert_close(rise(variance, beta), (high - low) / (2 * h), "dR/dβ", 1e-6)
            assert_close(spread(variance, beta), (kl_high - kl_low) / (2 * h), "dKL/dβ", 1e-6)
            assert_close(slope(beta), (high - low) / (kl_high - kl_low), "dR/dKL", 1e-6)
            kls, earned = frontier(ref, rewards, np.array([beta]))
            assert_close((kls[0], earned[0]), point(ref, rewards, beta), "the library's point", TOLERANCE)

    equation.holds(check, lambda v, b: -v / b**2, lambda v, b: -v / b**3, lambda b: b)
    equation.rejects("price upside down", check, lambda v, b: -v / b**2, lambda v, b: -v / b**3, lambda b: 1 / b)
    equation.rejects("sign flipped", check, lambda v, b: v / b**2, lambda v, b: v / b**3, lambda b: b)
    equation.rejects("one power less", check, lambda v, b: -v / b, lambda v, b: -v / b**2, lambda b: b)


@pytest.mark.equation("eq-tangent-intercept", way="enumeration")
def test_tangent_intercept(equation):
    def check(intercept):
        for ref, rewards, beta, _ in worlds(seed=83):
            kl, reward = point(ref, rewards, beta)
            known = optimum(ref, rewards, beta)
            assert_close(intercept(reward, beta, kl), known, "J* = β log Z", TOLERANCE)

    equation.holds(check, lambda reward, beta, kl: reward - beta * kl)
    equation.rejects("kl added", check, lambda reward, beta, kl: reward + beta * kl)
    equation.rejects("the reward alone", check, lambda reward, beta, kl: reward)
    equation.rejects("kl over beta", check, lambda reward, beta, kl: reward - kl / beta)


@pytest.mark.equation("eq-frontier-end", way="closed form")
def test_frontier_end(equation):
    """At β = 1/200 of the least difference between two levels; one of the problems has two best answers."""

    def check(reward_end, kl_end):
        for ref, rewards in ((REF, REWARDS), (np.array([0.1, 0.25, 0.65]), np.array([1.5, 1.5, -0.3]))):
            kl, reward = point(ref, rewards, 0.005)
            assert_close(reward_end(ref, rewards), reward, "the reward where β goes to 0", 1e-9)
            assert_close(kl_end(ref, rewards), kl, "the KL where β goes to 0", 1e-9)

    def share(ref, rewards):
        return ref[rewards == rewards.max()].sum()

    equation.holds(check, lambda ref, rewards: rewards.max(), lambda ref, rewards: -math.log(share(ref, rewards)))
    equation.rejects(
        "one of two best answers",
        check,
        lambda ref, rewards: rewards.max(),
        lambda ref, rewards: -math.log(ref[rewards.argmax()]),
    )
    equation.rejects("infinite KL", check, lambda ref, rewards: rewards.max(), lambda ref, rewards: math.inf)


@pytest.mark.equation("eq-vertical-distance", way="enumeration")
def test_vertical_distance(equation):
    """The left side by a search over policies at the same KL; the right side by a search over prices."""

    def check(distance):
        for ref, rewards, _, rng in worlds(seed=84):
            end = -math.log(ref[rewards == rewards.max()].sum())
            for _ in range(3):
                policy = 0.4 * ref + 0.6 * rng.dirichlet(np.full(len(ref), 3.0))
                kl = divergence(policy, ref)
                assert kl < end
                known = greatest(ref, rewards, kl) - policy @ rewards
                assert_close(distance(policy, ref, rewards), known, "distance from the frontier", 1e-5)

    def least(price):
        def over(policy, ref, rewards):
            prices = np.geomspace(0.02, 200, 500)
            values = [price(b, policy, ref, rewards) for b in prices]
            near = int(np.argmin(values))
            found = minimize_scalar(
                lambda b: price(b, policy, ref, rewards), method="bounded", options={"xatol": 1e-10},
                bounds=(prices[max(0, near - 1)], prices[min(len(prices) - 1, near + 1)]),
            )  # fmt: skip
            return float(min(found.fun, *values))

        return over

    equation.holds(check, least(lambda b, p, ref, r: b * divergence(p, best(ref, r, b))))
    equation.rejects("price left out", check, least(lambda b, p, ref, r: divergence(p, best(ref, r, b))))
    equation.rejects("KL the other way round", check, least(lambda b, p, ref, r: b * divergence(best(ref, r, b), p)))
    equation.rejects("the gap at one price", check, lambda p, ref, r: 1.0 * divergence(p, best(ref, r, 1.0)))


@pytest.mark.equation("eq-jstar-low", way="enumeration")
def test_jstar_low(equation):
    """The mean of the estimate over all N-tuples of answers of a small reference."""

    def check(bound, strict):
        for ref, rewards, beta, _ in worlds(seed=85):
            for n in (1, 2, 4):
                mean = 0.0
                for draws in product(range(len(ref)), repeat=n):
                    chosen = rewards[list(draws)]
                    rows = np.stack([chosen, chosen])
                    mean += np.prod(ref[list(draws)]) * attainable(rows, beta)[0]
                assert mean <= bound(ref, rewards, beta) + 1e-12
                assert strict(mean, optimum(ref, rewards, beta))

    equation.holds(check, optimum, lambda mean, known: mean < known - 1e-6)
    equation.rejects("unbiased", check, optimum, lambda mean, known: abs(mean - known) < 1e-6)
    equation.rejects("below the mean reward", check, lambda ref, rewards, beta: ref @ rewards, lambda mean, known: True)


@pytest.mark.equation("eq-example-six-facts", way="enumeration")
def test_example_six_facts(equation):
    def check(value, stated):
        z = sum(
            math.prod(0.35 if right else 0.65 for right in facts) * math.exp(sum(facts) / 0.1)
            for facts in product((0, 1), repeat=6)
        )
        assert abs(value - 0.1 * math.log(z)) < 1e-9
        assert abs(stated - value) < 5e-4

    equation.holds(check, 0.6 * math.log(0.65 + 0.35 * math.exp(10)), 5.370)
    equation.rejects("one fact", check, 0.1 * math.log(0.65 + 0.35 * math.exp(10)), 5.370)
    equation.rejects("shares swapped", check, 0.6 * math.log(0.35 + 0.65 * math.exp(10)), 5.370)
    equation.rejects("beta in place of one over beta", check, 0.6 * math.log(0.65 + 0.35 * math.exp(0.1)), 5.370)


@pytest.mark.equation("eq-kl-at-most-log-n", way="enumeration")
def test_kl_at_most_log_n(equation):
    rng = np.random.default_rng(86)

    def check(form, most):
        for n in (1, 2, 7, 40):
            for beta in (0.02, 0.5, 4.0):
                weights = best(np.full(n, 1 / n), rng.standard_normal(n), beta)
                known = divergence(weights, np.full(n, 1 / n))
                assert_close(form(weights), known, "KL from the uniform law", TOLERANCE)
                assert known <= most(n) + 1e-12
        sure = np.eye(40)[3]
        assert abs(divergence(sure, np.full(40, 1 / 40)) - most(40)) < 1e-12, "the bound is reached by one sample"

    def entropy(w):
        return -float(np.sum(w[w > 0] * np.log(w[w > 0])))

    equation.holds(check, lambda w: math.log(len(w)) - entropy(w), math.log)
    equation.rejects("entropy added", check, lambda w: math.log(len(w)) + entropy(w), math.log)
    equation.rejects("log of the root", check, lambda w: math.log(len(w)) - entropy(w), lambda n: math.log(n) / 2)
    equation.rejects("in bits", check, lambda w: math.log2(len(w)) - entropy(w), math.log2)


@pytest.mark.equation("eq-mixture", way="enumeration")
def test_mixture(equation):
    def check(weight):
        for ref, rewards, beta, rng in worlds(seed=87):
            policy = rng.dirichlet(np.ones(len(ref)))
            mixture = (ref + policy) / 2
            weights = weight(ref, policy, mixture)
            z = math.exp(optimum(ref, rewards, beta) / beta)
            assert_close(mixture @ (weights * np.exp(rewards / beta)) / z, 1.0, "the mean is Z", TOLERANCE)
            assert weights.max() <= 2 + 1e-12
            everything = np.log(weights * mixture * len(ref))
            library = attainable(np.stack([rewards] * 2), beta, np.stack([everything] * 2))[0]
            assert_close(library, optimum(ref, rewards, beta), "the library takes the weights so", TOLERANCE)

    equation.holds(check, lambda ref, policy, mixture: ref / mixture)
    equation.rejects("ratio to the policy", check, lambda ref, policy, mixture: ref / policy)
    equation.rejects("upside down", check, lambda ref, policy, mixture: mixture / ref)
    equation.rejects("no weights", check, lambda ref, policy, mixture: np.ones(len(ref)))


@pytest.mark.equation("eq-best-of-n-reward", way="enumeration")
def test_best_of_n_reward(equation):
    def levels(probs, rewards):
        for level in np.unique(rewards):
            yield level, probs[rewards <= level].sum(), probs[rewards < level].sum()

    def check(form):
        for probs, rewards, n in contests():
            known = best_of_n(probs, rewards, n) @ rewards
            found = sum(level * form(upper, lower, n) for level, upper, lower in levels(probs, rewards))
            assert_close(found, known, "the expected greatest of n", TOLERANCE)
            assert_close(best_of_n_reward(probs, rewards, n), known, "the library", TOLERANCE)

    equation.holds(check, lambda upper, lower, n: upper**n - lower**n)
    equation.rejects("power of the difference", check, lambda upper, lower, n: (upper - lower) ** n)
    equation.rejects("n times the probability", check, lambda upper, lower, n: n * (upper - lower))
    equation.rejects("one sample less", check, lambda upper, lower, n: upper ** max(1, n - 1) - lower ** max(1, n - 1))


@pytest.mark.equation("eq-best-of-n-kl", way="enumeration")
def test_best_of_n_kl(equation):
    def check(form, most):
        for probs, rewards, n in contests():
            known = divergence(best_of_n(probs, rewards, n), probs)
            parts = [(probs[rewards <= r].sum(), probs[rewards < r].sum()) for r in np.unique(rewards)]
            found = sum(form(u**n - low**n, u - low) for u, low in parts if u**n - low**n > 0)
            assert_close(found, known, "KL of the best of n", TOLERANCE)
            assert_close(best_of_n_kl(probs, rewards, n), known, "the library", TOLERANCE)
            assert known <= most(n) + 1e-12
        many = best_of_n_kl(np.full(50_000, 1 / 50_000), np.arange(50_000.0), 6)
        assert abs(many - most(6)) < 1e-3, "the bound is reached without ties"

    bound = lambda n: math.log(n) - (n - 1) / n  # noqa: E731
    equation.holds(check, lambda q, p: q * math.log(q / p), bound)
    equation.rejects("averaged under the reference", check, lambda q, p: p * math.log(q / p), bound)
    equation.rejects("ratio upside down", check, lambda q, p: q * math.log(p / q), bound)
    equation.rejects("log n as the bound", check, lambda q, p: q * math.log(q / p), math.log)
    equation.rejects("a bound that is too low", check, lambda q, p: q * math.log(q / p), lambda n: math.log(n) - 1)


@pytest.mark.equation("eq-dart", way="closed form")
def test_dart(equation):
    def check(form):
        for n in (1, 2, 5, 64):
            density = lambda u, n=n: n * u ** (n - 1)  # noqa: E731
            known = quad(lambda u, f=density: f(u) * math.log(f(u)) if f(u) > 0 else 0.0, 0, 1, epsabs=1e-12)[0]
            assert_close(form(n), known, "KL of the largest of n darts", TOLERANCE)

    equation.holds(check, lambda n: math.log(n) - (n - 1) / n)
    equation.rejects("without the second term", check, math.log)
    equation.rejects("added", check, lambda n: math.log(n) + (n - 1) / n)
    equation.rejects("the other way round", check, lambda n: n - 1 - math.log(n))


@pytest.mark.equation("eq-best-of-n-win", way="enumeration")
def test_best_of_n_win(equation):
    def check(form, most):
        for probs, rewards, n in contests():
            first = best_of_n(probs, rewards, n)
            wins = (rewards[:, None] > rewards) + 0.5 * (rewards[:, None] == rewards)
            known = float(first @ wins @ probs)
            found = sum(
                ((probs[rewards <= r].sum()) ** n - probs[rewards < r].sum() ** n)
                * form(probs[rewards <= r].sum(), probs[rewards < r].sum())
                for r in np.unique(rewards)
            )
            assert_close(found, known, "how often the best of n wins", TOLERANCE)
            assert known <= most(n) + 1e-12
        steps = np.linspace(0, 1, 20_001)
        no_ties = np.sum((steps[1:] ** 6 - steps[:-1] ** 6) * (steps[1:] + steps[:-1]) / 2)
        assert abs(no_ties - most(6)) < 1e-3

    equation.holds(check, lambda upper, lower: (upper + lower) / 2, lambda n: n / (n + 1))
    equation.rejects("ties as wins", check, lambda upper, lower: upper, lambda n: n / (n + 1))
    equation.rejects("ties as losses", check, lambda upper, lower: lower, lambda n: n / (n + 1))
    equation.rejects("(n - 1)/n", check, lambda upper, lower: (upper + lower) / 2, lambda n: (n - 1) / n)


@pytest.mark.equation("eq-best-of-n-pool", way="enumeration")
def test_best_of_n_pool(equation):
    rng = np.random.default_rng(88)
    chosen_by, judged_by = rng.standard_normal((2, 7))

    def check(weight):
        for n in (1, 2, 4, 7):
            subsets = [max(s, key=lambda i: chosen_by[i]) for s in combinations(range(7), n)]
            known = float(np.mean(judged_by[subsets]))
            ordered = judged_by[np.argsort(chosen_by)]
            found = sum(weight(i, n) * r for i, r in enumerate(ordered))
            assert_close(found, known, "the mean over all subsets", TOLERANCE)
            library = from_pool(chosen_by[None], judged_by[None], n)[1]
            assert_close(library, [known], "the library", TOLERANCE)

    equation.holds(check, lambda i, n: math.comb(i, n - 1) / math.comb(7, n))
    equation.rejects("one too many", check, lambda i, n: math.comb(i, n) / math.comb(7, n))
    equation.rejects("with replacement", check, lambda i, n: ((i + 1) ** n - i**n) / 7**n)
    equation.rejects("not divided", check, lambda i, n: math.comb(i, n - 1))


@pytest.mark.equation("eq-wilson", way="closed form")
def test_wilson(equation):
    """Against the two win rates that lie exactly 1.96 of their own standard errors away, found by bisection."""

    def check(ends):
        for won, n in ((35, 64), (3, 9), (1, 40), (352, 640)):
            share = won / n
            far = lambda w: (share - w) / math.sqrt(w * (1 - w) / n)  # noqa: E731, B023
            low = brentq(lambda w, far=far: far(w) - 1.96, 1e-9, share)
            high = brentq(lambda w, far=far: far(w) + 1.96, share, 1 - 1e-9)
            assert_close(ends(share, n), (low, high), "the ends of the interval", 1e-6)
            assert_close(win_rate(won, n - won)[1:], (low, high), "the library", 1e-4)

    def wilson(share, n, shift=1.0, inner=1.0):
        middle = share + shift * 1.96**2 / (2 * n)
        half = 1.96 * math.sqrt(share * (1 - share) / n + inner * 1.96**2 / (4 * n**2))
        return (middle - half) / (1 + shift * 1.96**2 / n), (middle + half) / (1 + shift * 1.96**2 / n)

    equation.holds(check, wilson)
    equation.rejects("Wald's", check, lambda share, n: wilson(share, n, shift=0.0, inner=0.0))
    equation.rejects("term inside the root left out", check, lambda share, n: wilson(share, n, inner=0.0))
    equation.rejects(
        "not squared", check, lambda share, n: tuple(e * (1 + 1.96**2 / n) / (1 + 1.96 / n) for e in wilson(share, n))
    )


@pytest.mark.equation("eq-win-rate-size", way="closed form")
def test_win_rate_size(equation):
    def check(count):
        for half in (0.1, 0.05, 0.013):
            width = lambda n: 1.96 * math.sqrt(0.25 / n + 1.96**2 / (4 * n**2)) / (1 + 1.96**2 / n)  # noqa: E731
            known = brentq(lambda n: width(n) - half, 1, 1e6)  # noqa: B023
            assert_close(count(half) / known, 1.0, "prompts for a half-width at one half", 1e-6)

    equation.holds(check, lambda half: 1.96**2 * (1 / (4 * half**2) - 1))
    equation.rejects("one over the half-width", check, lambda half: 1.96**2 * (1 / (4 * half) - 1))
    equation.rejects("Wald's", check, lambda half: 1.96**2 / (4 * half**2))
    equation.rejects("1.96 not squared", check, lambda half: 1.96 * (1 / (4 * half**2) - 1))


@pytest.mark.equation("eq-paired", way="enumeration")
def test_paired(equation):
    rng = np.random.default_rng(89)

    def check(form):
        for _ in range(3):
            probs, a, b = rng.dirichlet(np.ones(6)), rng.standard_normal(6), rng.standard_normal(6)
            mean = lambda x: float(probs @ x)  # noqa: E731, B023
            known = mean((a - b) ** 2) - mean(a - b) ** 2
            va, vb = mean(a**2) - mean(a) ** 2, mean(b**2) - mean(b) ** 2
            assert_close(form(va, vb, mean(a * b) - mean(a) * mean(b)), known, "variance of a difference", TOLERANCE)

    equation.holds(check, lambda va, vb, c: va + vb - 2 * c)
    equation.rejects("separate prompts", check, lambda va, vb, c: va + vb)
    equation.rejects("sign flipped", check, lambda va, vb, c: va + vb + 2 * c)
    equation.rejects("covariance once", check, lambda va, vb, c: va + vb - c)


@pytest.mark.equation("eq-two-variances", way="enumeration")
def test_two_variances(equation):
    """Prompts are one of two, answers one of two within each: all draws of 2 prompts with 3 answers."""
    means, steps = np.array([-1.0, 1.7]), np.array([-0.6, 0.6])

    def check(form):
        values = []
        for prompts in product(means, repeat=2):
            for noise in product(steps, repeat=6):
                values.append(
                    np.mean([m + e for m, es in zip(prompts, (noise[:3], noise[3:]), strict=True) for e in es])
                )
        known = float(np.var(values))
        assert_close(form(float(np.var(means)), float(np.var(steps)), 2, 3), known, "variance of the mean", TOLERANCE)

    equation.holds(check, lambda between, within, n, k: between / n + within / (n * k))
    equation.rejects("answers as draws", check, lambda between, within, n, k: (between + within) / (n * k))
    equation.rejects("answers ignored", check, lambda between, within, n, k: (between + within) / n)
    equation.rejects("counts swapped", check, lambda between, within, n, k: between / k + within / (n * k))


@pytest.mark.equation("eq-lapsing-judge", way="enumeration")
def test_lapsing_judge(equation):
    def check(form):
        for w, lapse in ((0.62, 0.2), (0.3, 0.45), (0.5, 0.1)):
            seen = sum(
                (lapse if coin else 1 - lapse) * (0.5 if coin else chance) * won
                for coin in (0, 1)
                for won, chance in ((1, w), (0, 1 - w))
            )
            assert_close(form(w, lapse), seen, "what a judge with lapses says", TOLERANCE)

    equation.holds(check, lambda w, lapse: (1 - lapse) * w + lapse / 2)
    equation.rejects("lapses always lose", check, lambda w, lapse: (1 - lapse) * w)
    equation.rejects("every lapse turns the choice", check, lambda w, lapse: (1 - lapse) * w + lapse * (1 - w))
    equation.rejects("lapse not halved", check, lambda w, lapse: (1 - lapse) * w + lapse)


@pytest.mark.equation("eq-both-orders", way="enumeration")
def test_both_orders(equation):
    """A judge that is a table of odds: e^(Δ/τ) for the better answer, times e^ψ for the one shown first."""

    def check(form, between):
        for margin, tau, bias in ((0.4, 0.5, 0.7), (1.3, 0.9, -0.4), (0.2, 0.3, 2.0)):
            odds = [math.exp(margin / tau + side * bias) for side in (1, -1)]
            known = sum(o / (1 + o) for o in odds) / 2
            assert_close(form(margin / tau, bias), known, "both orders", TOLERANCE)
            assert between(form(margin / tau, bias), 1 / (1 + math.exp(-margin / tau)))

    sigmoid = lambda t: 1 / (1 + math.exp(-t))  # noqa: E731
    shrunk = lambda seen, true: 0.5 < seen < true  # noqa: E731
    equation.holds(check, lambda s, bias: sigmoid(s + bias) / 2 + sigmoid(s - bias) / 2, shrunk)
    equation.rejects("first place always", check, lambda s, bias: sigmoid(s + bias), shrunk)
    equation.rejects("it cancels wholly", check, lambda s, bias: sigmoid(s), lambda seen, true: seen == true)
    equation.rejects(
        "it widens",
        check,
        lambda s, bias: sigmoid(s + bias) / 2 + sigmoid(s - bias) / 2,
        lambda seen, true: seen > true,
    )


@pytest.mark.equation("eq-regressional", way="closed form")
def test_regressional(equation):
    """The conditional mean by numerical integration of the two normal densities."""

    def check(share):
        for vr, ve, seen in ((1.0, 1.0, 1.3), (0.7, 2.1, -0.8), (2.4, 0.3, 0.5)):
            weigh = lambda r: math.exp(-(r**2) / (2 * vr) - (seen - r) ** 2 / (2 * ve))  # noqa: E731, B023
            top, bottom = (quad(lambda r, p=p: r**p * weigh(r), -40, 40, points=[seen], limit=400)[0] for p in (1, 0))  # noqa: B023
            assert_close(share(vr, ve) * seen, top / bottom, "gold behind a noisy reward", TOLERANCE)

    equation.holds(check, lambda vr, ve: vr / (vr + ve))
    equation.rejects("share of the error", check, lambda vr, ve: ve / (vr + ve))
    equation.rejects("standard deviations", check, lambda vr, ve: math.sqrt(vr / (vr + ve)))
    equation.rejects("nothing lost", check, lambda vr, ve: 1.0)


COEFFICIENTS = ((1.3, 0.4), (0.7, 0.55), (2.2, 0.9))


def turn(form, a, b):
    """(d, reward) where a form is greatest, by a search."""
    found = minimize_scalar(lambda d: -form(d, a, b), bounds=(1e-9, 60.0), method="bounded", options={"xatol": 1e-12})
    return float(found.x), -float(found.fun)


def bon(d, a, b):
    return d * (a - b * d)


def rl(d, a, b):
    return d * (a - b * math.log(d))


@pytest.mark.equation("eq-gao-peak", way="finite difference")
def test_gao_peak(equation):
    """Where the slope of each form vanishes, by central differences, and changes from up to down."""

    def check(of_bon, of_rl):
        for a, b in COEFFICIENTS:
            for form, peak in ((bon, of_bon(a, b)), (rl, of_rl(a, b))):
                slope = lambda d: (form(d + 1e-5, a, b) - form(d - 1e-5, a, b)) / 2e-5  # noqa: E731, B023
                assert abs(slope(peak)) < 1e-6, "the form still rises or falls there"
                assert slope(0.9 * peak) > 0 > slope(1.1 * peak)

    right = lambda a, b: a / (2 * b), lambda a, b: math.exp(a / b - 1)
    equation.holds(check, *right)
    equation.rejects("best-of-n's for RL", check, right[0], right[0])
    equation.rejects("where the gain is gone", check, lambda a, b: a / b, lambda a, b: math.exp(a / b))
    equation.rejects("log to the base ten", check, right[0], lambda a, b: 10 ** (a / b - 1))


@pytest.mark.equation("eq-gao-most", way="closed form")
def test_gao_most(equation):
    def check(of_bon, of_rl):
        for a, b in COEFFICIENTS:
            for form, most in ((bon, of_bon(a, b)), (rl, of_rl(a, b))):
                assert_close(most, turn(form, a, b)[1], "the greatest reward of the form", TOLERANCE)

    right = lambda a, b: a**2 / (4 * b), lambda a, b: b * math.exp(a / b - 1)
    equation.holds(check, *right)
    equation.rejects("half", check, lambda a, b: a**2 / (2 * b), right[1])
    equation.rejects("a for b", check, right[0], lambda a, b: a * math.exp(a / b - 1))
    equation.rejects("the place for the height", check, lambda a, b: a / (2 * b), lambda a, b: math.exp(a / b - 1))


def test_the_library_agrees_with_the_forms_of_the_page():
    from rlhw.overoptimisation import best_of_n_form, peak_best_of_n, peak_rl, rl_form

    for a, b in COEFFICIENTS:
        assert best_of_n_form(1.7, a, b) == pytest.approx(bon(1.7, a, b), abs=1e-12)
        assert rl_form(1.7, a, b) == pytest.approx(rl(1.7, a, b), abs=1e-12)
        assert peak_best_of_n(a, b) == pytest.approx(turn(bon, a, b)[0], rel=1e-5)
        assert peak_rl(a, b) == pytest.approx(turn(rl, a, b)[0], rel=1e-5)


def test_effective_samples_of_the_page():
    """(Σw)²/Σw² of weights that are not normalised: as the page writes it."""
    rewards, log_weights = np.array([[0.2, 1.1, -0.4]]), np.array([[0.1, -0.3, 0.6]])
    weights = np.exp(rewards / 0.7 + log_weights)
    assert_close(
        effective_samples(rewards, 0.7, log_weights), weights.sum(1) ** 2 / (weights**2).sum(1), "N_eff", TOLERANCE
    )


def test_ann_and_ben_stand_where_the_page_says():
    """1.128 and 1.101 at their own KL, so 0.018 and 0.001 below the frontier; they change places at a price of 0.60."""
    ann = best_of_n(REF, REWARDS, 2)
    for policy, stated, below in ((ann, 1.128, 0.018), (BEN, 1.101, 0.001)):
        most = greatest(REF, REWARDS, divergence(policy, REF))
        assert abs(most - stated) < 5e-4
        assert abs(most - policy @ REWARDS - below) < 5e-4
    same = (ann - BEN) @ REWARDS / (divergence(ann, REF) - divergence(BEN, REF))
    assert abs(same - 0.60) < 5e-3
    for beta, ahead in ((1.0, BEN), (0.3, ann)):
        values = {id(p): objective(p, REF, REWARDS, beta) for p in (ann, BEN)}
        assert max(values, key=values.get) == id(ahead)
    assert_close(tilted(REF, REWARDS, 0.8), best(REF, REWARDS, 0.8), "the library's π*", TOLERANCE)
