"""Chapter 7, first half: the best policy of a reward and a price of KL, by enumeration and by a minimiser that knows no formula."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from rlhw.evaluation import tilted
from rlhw.laws import assert_close

TOLERANCE = 1e-9
# The chapter's three answers: reference, rewards, price of a nat.
REFERENCE, REWARDS, BETA = np.array([0.6, 0.3, 0.1]), np.array([0.0, 1.0, 2.0]), 0.5


def law(rng, k):
    return rng.dirichlet(np.ones(k))


def questions(seed=7):
    """(reference, rewards, beta) of K answers, one of them impossible under the reference in every second question."""
    rng = np.random.default_rng(seed)
    for number, k in enumerate((2, 3, 5, 4)):
        reference = law(rng, k)
        if number % 2:
            reference[rng.integers(k)] = 0.0
            reference /= reference.sum()
        yield reference, 1.5 * rng.standard_normal(k), float(rng.uniform(0.3, 1.5))


def divergence(p, q):
    """By a loop: 0 log 0 is 0, and what q cannot give makes it infinite."""
    total = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0:
            total += math.inf if b == 0 else a * math.log(a / b)
    return total


def objective(policy, reference, rewards, beta):
    return float(policy @ rewards) - beta * divergence(policy, reference)


def numerically_best(reference, rewards, beta):
    """The maximiser over logits of the answers that the reference can give: no formula, from three starts."""
    here = reference > 0

    def policy(logits):
        full = np.zeros(len(reference))
        full[here] = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        return full

    runs = [
        minimize(
            lambda z: -objective(policy(z), reference, rewards, beta),
            np.random.default_rng(start).standard_normal(here.sum()),
            tol=1e-15,
            options={"gtol": 1e-10},
        )
        for start in range(3)
    ]
    best = min(runs, key=lambda run: run.fun)
    return policy(best.x), -float(best.fun)


@pytest.mark.equation("eq-example-best", way="enumeration")
def test_example_best(equation):
    def check(z, policy):
        weights = [p * math.exp(r / BETA) for p, r in zip(REFERENCE, REWARDS, strict=True)]
        assert abs(z - sum(weights)) < 5e-4
        assert np.allclose(policy, np.array(weights) / sum(weights), atol=5e-4, rtol=0)
        assert np.allclose(policy, numerically_best(REFERENCE, REWARDS, BETA)[0], atol=5e-4, rtol=0)

    equation.holds(check, 8.277, [0.072, 0.268, 0.660])
    equation.rejects("times beta", check, 2.178, [0.600, 0.300, 0.100])
    equation.rejects("reference forgotten", check, 62.987, [0.016, 0.117, 0.867])
    equation.rejects("not divided by the sum", check, 8.277, [0.6, 2.217, 5.460])


@pytest.mark.equation("eq-example-jstar", way="enumeration")
def test_example_jstar(equation):
    def check(reward, kl, value, log_z):
        best, most = numerically_best(REFERENCE, REWARDS, BETA)
        numbers = [float(best @ REWARDS), divergence(best, REFERENCE), most, most]
        assert np.allclose([reward, kl, value, log_z], numbers, atol=6e-4, rtol=0)

    equation.holds(check, 1.587, 1.061, 1.057, BETA * math.log(8.277))
    equation.rejects("the KL the other way round", check, 1.587, 1.113, 1.031, 1.057)
    equation.rejects("KL not paid for", check, 1.587, 1.061, 1.587, 1.057)
    equation.rejects("log Z without beta", check, 1.587, 1.061, 1.057, 2.113)


@pytest.mark.equation("eq-objective-one-question", way="simulation", false_alarm=1e-6)
def test_objective_one_question(equation):
    """The mean of r - beta log(pi/pi_ref) over 200,000 samples, within five standard errors."""
    rng = np.random.default_rng(1)

    def check(formula):
        for reference, rewards, beta in questions():
            policy = np.where(reference > 0, law(rng, len(reference)), 0)
            policy = policy / policy.sum()
            with np.errstate(divide="ignore", invalid="ignore"):
                earned = rewards - beta * np.log(policy / reference)
            drawn = earned[rng.choice(len(policy), size=200_000, p=policy)]
            error = drawn.std() / math.sqrt(len(drawn))
            assert abs(drawn.mean() - formula(policy, reference, rewards, beta)) < 5 * error

    equation.holds(check, objective)
    equation.rejects("KL added", check, lambda p, q, r, b: float(p @ r) + b * divergence(p, q))
    equation.rejects(
        "KL the other way round", check, lambda p, q, r, b: float(p @ r) - b * divergence(q + 1e-12, p + 1e-12)
    )
    equation.rejects("without beta", check, lambda p, q, r, b: float(p @ r) - divergence(p, q))


@pytest.mark.equation("eq-best-policy", way="closed form")
def test_best_policy(equation):
    def check(formula):
        for question in questions():
            best, _ = numerically_best(*question)
            assert np.abs(formula(*question) - best).max() < 1e-6
            assert np.array_equal(formula(*question) > 0, question[0] > 0), "it can give what the reference can"

    def of(weights):
        return weights / weights.sum()

    equation.holds(check, lambda q, r, b: of(q * np.exp(r / b)))
    equation.holds(check, tilted)
    equation.rejects("times beta", check, lambda q, r, b: of(q * np.exp(r * b)))
    equation.rejects("reference forgotten", check, lambda q, r, b: of(np.exp(r / b)))
    equation.rejects("sign flipped", check, lambda q, r, b: of(q * np.exp(-r / b)))
    equation.rejects("square root of the reference", check, lambda q, r, b: of(np.sqrt(q) * np.exp(r / b)))


def check_gap(formula):
    """For random policies: the objective is what the formula says of Z and the divergence from the best policy."""
    rng = np.random.default_rng(2)
    for reference, rewards, beta in questions():
        z = sum(q * math.exp(r / beta) for q, r in zip(reference, rewards, strict=True))
        best, most = numerically_best(reference, rewards, beta)
        for _ in range(5):
            policy = law(rng, len(reference)) * (reference > 0)
            policy /= policy.sum()
            value = objective(policy, reference, rewards, beta)
            assert_close(formula(beta, z, policy, best), value, "the gap to the best policy", 1e-5)
            assert value <= most + 1e-9


@pytest.mark.equation("eq-gap-exact", way="enumeration")
def test_gap_exact(equation):
    equation.holds(check_gap, lambda b, z, p, best: b * math.log(z) - b * divergence(p, best))
    equation.rejects(
        "KL the other way round", check_gap, lambda b, z, p, best: b * math.log(z) - b * divergence(best, p)
    )
    equation.rejects("KL without beta", check_gap, lambda b, z, p, best: b * math.log(z) - divergence(p, best))
    equation.rejects("log Z without beta", check_gap, lambda b, z, p, best: math.log(z) - b * divergence(p, best))


@pytest.mark.equation("eq-kl-nonnegative", way="enumeration")
def test_kl_nonnegative(equation):
    def check(middle, bound):
        rng = np.random.default_rng(3)
        for k in (2, 3, 6):
            for zero in (False, True):
                p, q = law(rng, k), law(rng, k)
                if zero:
                    p[0] = 0.0
                    p /= p.sum()
                left = -divergence(p, q)
                assert left <= middle(p, q) + 1e-12 <= bound + 2e-12
                assert left < -1e-6, "equal only for equal laws"
                # Where q is p spread over more answers, the first step is an equality: no smaller number would do.
                spread = np.append(0.7 * p, 0.3)
                assert_close(-divergence(np.append(p, 0.0), spread), middle(np.append(p, 0.0), spread), "Jensen", 1e-9)
            assert_close(divergence(p, p), 0.0, "zero for equal laws", TOLERANCE)
            assert_close(middle(q, q), bound, "the second step is an equality where q has no more answers", TOLERANCE)

    equation.holds(check, lambda p, q: math.log(q[p > 0].sum()), 0.0)
    equation.rejects("sum over all answers", check, lambda p, q: math.log(q.sum()), 0.0)
    equation.rejects("Jensen the other way round", check, lambda p, q: -1.0 + math.log(q[p > 0].sum()), 0.0)
    equation.rejects("bounded by one", check, lambda p, q: math.log(q[p > 0].sum()), 1.0)


@pytest.mark.equation("eq-z-bounds", way="enumeration")
def test_z_bounds(equation):
    def check(low, high):
        for reference, rewards, beta in questions():
            here, largest = reference > 0, float(np.abs(rewards[reference > 0]).max())
            for r in (rewards, np.full(len(rewards), largest), np.full(len(rewards), -largest)):
                z = sum(q * math.exp(a / beta) for q, a in zip(reference[here], r[here], strict=True))
                assert low(largest, beta) <= z * (1 + 1e-12)
                assert z <= high(largest, beta) * (1 + 1e-12)
            assert_close(low(largest, beta), z, "reached where all rewards are -M", 1e-9)

    equation.holds(check, lambda m, b: math.exp(-m / b), lambda m, b: math.exp(m / b))
    equation.rejects("times beta", check, lambda m, b: math.exp(-m * b), lambda m, b: math.exp(m * b))
    equation.rejects("bounds exchanged", check, lambda m, b: math.exp(m / b), lambda m, b: math.exp(-m / b))
    equation.rejects("low end 0", check, lambda m, b: 0.0, lambda m, b: math.exp(m / b))


@pytest.mark.equation("eq-reward-turned-round", way="enumeration")
def test_reward_turned_round(equation):
    def check(formula):
        for reference, rewards, beta in questions():
            best, most = numerically_best(reference, rewards, beta)
            for y in np.flatnonzero(best > 1e-6):
                assert_close(formula(best[y], reference[y], beta, most), float(rewards[y]), "the reward", 1e-4)

    # beta log Z is J*, found without Z.
    equation.holds(check, lambda p, q, b, most: b * math.log(p / q) + most)
    equation.rejects("Z forgotten", check, lambda p, q, b, most: b * math.log(p / q))
    equation.rejects("log Z without beta", check, lambda p, q, b, most: b * math.log(p / q) + most / b)
    equation.rejects("reference over policy", check, lambda p, q, b, most: b * math.log(q / p) + most)


@pytest.mark.equation("eq-gap-lines", way="enumeration")
def test_gap_lines(equation):
    def check(right):
        rng = np.random.default_rng(4)
        for reference, rewards, beta in questions():
            best, most = numerically_best(reference, rewards, beta)
            policy = law(rng, len(reference))
            for y in np.flatnonzero(best > 1e-6):
                left = rewards[y] - beta * math.log(policy[y] / reference[y])
                assert_close(right(policy[y], best[y], beta, most), float(left), "answer by answer", 1e-4)

    equation.holds(check, lambda p, best, b, most: most - b * math.log(p / best))
    equation.rejects("sign flipped", check, lambda p, best, b, most: most + b * math.log(p / best))
    equation.rejects("Z forgotten", check, lambda p, best, b, most: -b * math.log(p / best))
    equation.rejects("without beta", check, lambda p, best, b, most: most - math.log(p / best))


@pytest.mark.equation("eq-z-geometric", way="enumeration")
def test_z_geometric(equation):
    def check(closed, least):
        for beta in (1.6, 2.3, 5.0):
            assert beta > least
            total = sum(math.exp(n / beta - n * math.log(2)) for n in range(1, 5000))
            assert_close(closed(math.exp(1 / beta)), total, "the sum over all lengths", 1e-9)
        assert abs(least - 1.44) < 5e-3
        # Just above the sum stands still, just below each term is larger than the one before it.
        assert math.exp(1 / (least * 1.001)) < 2 <= math.exp(1 / (least * 0.999))

    equation.holds(check, lambda e: e / (2 - e), 1 / math.log(2))
    equation.rejects("beginning at zero", check, lambda e: 2 / (2 - e), 1 / math.log(2))
    equation.rejects("sign of the denominator", check, lambda e: e / (e - 2), 1 / math.log(2))
    equation.rejects("log 2 for one over it", check, lambda e: e / (2 - e), math.log(2))


@pytest.mark.equation("eq-gap-prompts", way="enumeration")
def test_gap_prompts(equation):
    def check(gap, best_value):
        rng, parts = np.random.default_rng(5), list(questions())
        chances, beta = law(rng, len(parts)), 0.8
        solved = [numerically_best(q, r, beta) for q, r, _ in parts]
        logs = [math.log(sum(a * math.exp(b / beta) for a, b in zip(q, r, strict=True))) for q, r, _ in parts]
        policies = [(lambda p: p / p.sum())(law(rng, len(q)) * (q > 0)) for q, _, _ in parts]
        values = [objective(p, q, r, beta) for p, (q, r, _) in zip(policies, parts, strict=True)]
        best = float(chances @ [most for _, most in solved])
        kls = [divergence(p, b) for p, (b, _) in zip(policies, solved, strict=True)]
        assert_close(best_value(beta, chances, np.array(logs)), best, "the best value of many questions", 1e-6)
        assert_close(gap(beta, chances, np.array(kls)), best - float(chances @ values), "its gap", 1e-5)

    mean = lambda b, w, values: b * float(w @ values)  # noqa: E731
    equation.holds(check, mean, mean)
    equation.rejects("sum for mean", check, lambda b, w, v: b * float(v.sum()), mean)
    equation.rejects("KL without beta", check, lambda b, w, v: float(w @ v), mean)
    equation.rejects("log of the mean of Z", check, mean, lambda b, w, v: b * math.log(float(w @ np.exp(v))))
