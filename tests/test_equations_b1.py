"""Chapter B1: arms that pay 0 or 1, two worlds, and step sizes: by enumeration, linear algebra and exact laws."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from rlhw.laws import assert_close
from rlhw.regret import bernoulli_kl, explore, gaussian_kl, rule, upper_bounds
from rlhw.running_means import best_constant_step, recency_weights, running_estimates, squared_errors

TOLERANCE = 1e-9


def leaning(estimates, counts):
    """Probabilities of two arms that depend on all a rule may see, none of them 0."""
    odds = np.exp(1.3 * (estimates[0] - estimates[1]) - 0.4 * (counts[0] - counts[1]))
    return np.array([odds, 1.0]) / (1 + odds)


def histories(worlds, pulls, player=leaning):
    """Every history of two arms that pay 0 or 1: (probability in each world, pulls of each arm, rewards)."""
    for path in itertools.product(itertools.product((0, 1), (0, 1)), repeat=pulls):
        chances, totals, counts = np.ones(len(worlds)), np.zeros(2), np.zeros(2, dtype=int)
        for arm, reward in path:
            p = player(totals / np.maximum(counts, 1), counts)[arm]
            chances *= [p * (means[arm] if reward else 1 - means[arm]) for means in worlds]
            totals[arm] += reward
            counts[arm] += 1
        yield chances, counts, [reward for _, reward in path]


@pytest.mark.equation("eq-b1-example", way="closed form")
def test_example(equation):
    def check(cost):
        means, pulled = [sp.Rational(n, 10) for n in (3, 5, 7, 4)], (2, 3, 4, 1)
        assert cost(means, pulled) == sp.Rational(17, 10)

    equation.holds(check, lambda r, m: sum(n * (max(r) - k) for k, n in zip(r, m, strict=True)))
    equation.rejects("not counted", check, lambda r, m: sum(max(r) - k for k in r))
    equation.rejects("what was earned", check, lambda r, m: sum(n * k for k, n in zip(r, m, strict=True)))


@pytest.mark.equation("eq-b1-decomposition", way="enumeration")
def test_decomposition(equation):
    means, pulls = np.array([0.35, 0.8]), 5
    rows = list(histories([means], pulls))

    def check(by_pulls, by_return):
        regret = sum(w[0] * sum((max(means) - means[k]) * n for k, n in enumerate(m)) for w, m, _ in rows)
        expected_pulls = sum(w[0] * m for w, m, _ in rows)
        assert_close(by_pulls(expected_pulls), regret, "gaps times expected pulls", TOLERANCE)
        assert_close(by_return(sum(w[0] * sum(paid) for w, _, paid in rows)), regret, "T r* - E[G]", TOLERANCE)

    def pulled(m):
        return float((max(means) - means) @ m)

    def returned(g):
        return float(pulls * max(means) - g)

    equation.holds(check, pulled, returned)
    equation.rejects("means for gaps", check, lambda m: float(means @ m), returned)
    equation.rejects("sign flipped", check, pulled, lambda g: float(g - pulls * max(means)))
    equation.rejects("against the mean arm", check, pulled, lambda g: float(pulls * means.mean() - g))


def step_sizes():
    rng = np.random.default_rng(50)
    return [rng.uniform(0.1, 0.9, size=6), 1 / np.arange(1.0, 7.0), np.full(6, 0.35)]


@pytest.mark.equation("eq-b1-weights", way="closed form")
def test_weights(equation):
    rng = np.random.default_rng(51)

    def check(weights):
        for steps in step_sizes():
            rewards, start = rng.normal(size=6), float(rng.normal())
            q = start
            for step, reward in zip(steps, rewards, strict=True):
                q = q + step * (reward - q)
            assert_close(weights(steps) @ np.append(start, rewards), q, "weights times what was seen", TOLERANCE)

    def last_step_left_out(steps):
        weights = recency_weights(steps)
        return np.append(weights[0], weights[1:] * (1 - steps))

    equation.holds(check, recency_weights)
    equation.rejects("product from i instead of i + 1", check, last_step_left_out)
    equation.rejects("product forgotten", check, lambda a: np.append(np.prod(1 - a), a))
    equation.rejects("start forgotten", check, lambda a: np.append(0.0, recency_weights(a)[1:]))


@pytest.mark.equation("eq-b1-telescope", way="symbolic")
def test_telescope(equation):
    def check(formula, limit):
        n = sp.symbols("n", positive=True, integer=True)
        product = sp.Integer(1)
        for i in range(1, 12):
            product *= 1 - sp.Rational(1, (i + 1) ** 2)
            assert formula(sp.Integer(i)) == product
        assert sp.limit(formula(n), n, sp.oo) == limit

    equation.holds(check, lambda n: (n + 2) / (2 * (n + 1)), sp.Rational(1, 2))
    equation.rejects("one off", check, lambda n: (n + 1) / (2 * n), sp.Rational(1, 2))
    equation.rejects("dies out", check, lambda n: (n + 2) / (2 * (n + 1)), sp.Integer(0))


def enumerated_errors(steps, start, sd):
    """E(Q_n - r)² when the noise is ± sd with even odds, over all signs; the mean r is 0."""
    errors = []
    for n in range(1, len(steps) + 1):
        signs = np.array(list(itertools.product((-sd, sd), repeat=n)))
        errors.append(float((running_estimates(signs, steps[:n], start)[:, -1] ** 2).mean()))
    return np.array(errors)


@pytest.mark.equation("eq-b1-squared-error", way="enumeration")
def test_squared_error(equation):
    def check(step_of):
        for steps in step_sizes():
            for start, sd in ((0.0, 0.8), (1.7, 0.5)):
                e, found = start**2, []
                for a in steps:
                    e = step_of(e, a, sd)
                    found.append(e)
                assert_close(found, enumerated_errors(steps, start, sd), "the mean squared error", TOLERANCE)

    equation.holds(check, lambda e, a, sd: (1 - a) ** 2 * e + a**2 * sd**2)
    equation.rejects("what is kept not squared", check, lambda e, a, sd: (1 - a) * e + a**2 * sd**2)
    equation.rejects("step size not squared", check, lambda e, a, sd: (1 - a) ** 2 * e + a * sd**2)
    equation.rejects("step size doubled", check, lambda e, a, sd: (1 - 2 * a) ** 2 * e + 4 * a**2 * sd**2)


@pytest.mark.equation("eq-b1-unrolled", way="enumeration")
def test_unrolled(equation):
    def check(power, from_next):
        for steps in step_sizes():
            for start, sd in ((0.0, 0.8), (1.7, 0.5)):
                n = len(steps)
                kept = [np.prod(1 - steps[i:]) for i in range(n + 1)]
                noise = sum(steps[i] ** 2 * kept[i + from_next] ** power for i in range(n))
                formula = kept[0] ** power * start**2 + sd**2 * noise
                assert_close(formula, enumerated_errors(steps, start, sd)[-1], "the mean squared error", TOLERANCE)

    equation.holds(check, 2, 1)
    equation.rejects("products not squared", check, 1, 1)
    equation.rejects("own factor counted too", check, 2, 0)


@pytest.mark.equation("eq-b1-tracking", way="closed form")
def test_tracking(equation):
    def check(limit):
        for a, variance, drift in ((0.1, 1.0, 0.01), (0.45, 0.3, 0.2), (0.8, 2.0, 0.7)):
            # The limit is the fixed point of a linear map, found here by running it to rest.
            rest = squared_errors(np.full(1500, a), variance=variance, start=3.0, drift=drift)[-1]
            assert_close(limit(a, variance, drift), rest, "the error in the long run", TOLERANCE)

    equation.holds(check, lambda a, v, d: ((1 - a) ** 2 * d + a**2 * v) / (a * (2 - a)))
    equation.rejects("drift after the reward", check, lambda a, v, d: (d + a**2 * v) / (a * (2 - a)))
    equation.rejects("2 - α forgotten", check, lambda a, v, d: ((1 - a) ** 2 * d + a**2 * v) / a)
    equation.rejects("noise only", check, lambda a, v, d: a * v / (2 - a))


@pytest.mark.equation("eq-b1-best-step", way="symbolic")
def test_best_step(equation):
    a, v, d = sp.symbols("a v d", positive=True)
    slope = sp.diff(((1 - a) ** 2 * d + a**2 * v) / (a * (2 - a)), a)

    def check(ratio):
        assert sp.simplify(slope.subs(d, ratio(a) * v)) == 0
        for variance, drift in ((1.0, 0.01), (0.4, 0.9)):
            assert_close(ratio(best_constant_step(variance, drift)), drift / variance, "our function", TOLERANCE)

    equation.holds(check, lambda a: a**2 / (1 - a))
    equation.rejects("not squared", check, lambda a: a / (1 - a))
    equation.rejects("square alone", check, lambda a: a**2)


@pytest.mark.equation("eq-b1-ties", way="enumeration")
def test_ties(equation):
    def check(formula):
        for values in itertools.product((0.0, 0.5, 1.0), repeat=4):
            best = sum(value == max(values) for value in values)
            for e in (0.0, 0.13, 0.7):
                total = sum(e / 4 + (1 - e) * (value == max(values)) for value in values)
                assert_close(formula(best, e), total, "what the unshared formula sums to", TOLERANCE)
                assert_close(explore(np.array(values), e).sum(), 1.0, "shared, it is 1", TOLERANCE)

    equation.holds(check, lambda m, e: 1 + (m - 1) * (1 - e))
    equation.rejects("always 1", check, lambda m, e: 1.0)
    equation.rejects("m for m - 1", check, lambda m, e: 1 + m * (1 - e))
    equation.rejects("ε for 1 - ε", check, lambda m, e: 1 + (m - 1) * e)


@pytest.mark.equation("eq-b1-ruin", way="closed form")
def test_ruin(equation):
    def check(chance):
        for q in (0.6, 0.72, 0.9):
            # The walk on 0..400 ends at the bottom or at the top: a linear system; from the top nobody comes back.
            n = 400
            system, right = np.eye(n + 1), np.zeros(n + 1)
            right[0] = 1.0
            for place in range(1, n):
                system[place, place + 1] -= q
                system[place, place - 1] -= 1 - q
            assert_close(chance(q), np.linalg.solve(system, right)[1], "the chance to be ruined from one above", 1e-9)

    equation.holds(check, lambda q: (1 - q) / q)
    equation.rejects("the first pull only", check, lambda q: 1 - q)
    equation.rejects("upside down", check, lambda q: q / (1 - q))
    equation.rejects("for sure", check, lambda q: 1.0)


@pytest.mark.equation("eq-b1-pull-cost", way="enumeration")
def test_pull_cost(equation):
    rng = np.random.default_rng(52)

    def check(formula):
        for _ in range(20):
            means, q = rng.uniform(size=5), rng.integers(0, 3, size=5) / 2
            gap, e = max(means) - means, float(rng.uniform())
            cost = float(explore(q, e) @ gap)
            looks_best = gap[q == max(q)].mean()
            assert_close(formula(e, gap, looks_best), cost, "the expected cost of a pull", TOLERANCE)

    equation.holds(check, lambda e, gap, b: e * gap.mean() + (1 - e) * b)
    equation.rejects("exploring costs the greatest gap", check, lambda e, gap, b: e * gap.max() + (1 - e) * b)
    equation.rejects("exploiting is free", check, lambda e, gap, b: e * gap.mean())
    equation.rejects("wrong arms only", check, lambda e, gap, b: e * gap.sum() / (len(gap) - 1) + (1 - e) * b)


@pytest.mark.equation("eq-b1-exploring", way="enumeration")
def test_exploring(equation):
    def check(middle, bound):
        for c in (1, 3, 20):
            for pulls in (c, c + 1, 50, 4000):
                total = sum(min(1.0, c / t) for t in range(1, pulls + 1))
                harmonic = sum(1 / t for t in range(c + 1, pulls + 1))
                assert_close(middle(c, harmonic), total, "the sum of c/t, cut at 1", TOLERANCE)
                assert total <= bound(c, pulls) + 1e-12, "the sum stays under its bound; yours is lower."

    def exact(c, h):
        return c + c * h

    equation.holds(check, exact, lambda c, t: c * (1 + math.log(t / c)))
    equation.rejects("not cut at 1", check, lambda c, h: c * h, lambda c, t: c * (1 + math.log(t / c)))
    equation.rejects("logarithm alone", check, exact, lambda c, t: c * math.log(t / c))
    equation.rejects("c forgotten", check, exact, lambda c, t: 1 + math.log(t))


@pytest.mark.equation("eq-b1-hoeffding", way="enumeration")
def test_hoeffding(equation):
    def check(bound):
        for n in (1, 7, 40, 300):
            for r in (0.2, 0.5, 0.9):
                for u in (0.02, 0.1, 0.3):
                    tail = stats.binom.sf(math.ceil(n * (r + u) - 1e-9) - 1, n, r)
                    assert tail <= bound(n, u) + 1e-12, "the tail stays under its bound; yours is lower."

    equation.holds(check, lambda n, u: math.exp(-2 * n * u**2))
    equation.rejects("8 for 2", check, lambda n, u: math.exp(-8 * n * u**2))
    equation.rejects("u not squared", check, lambda n, u: math.exp(-2 * n * u))
    equation.rejects("n squared", check, lambda n, u: math.exp(-2 * n**2 * u**2))


def expected_pulls(means, player, pulls):
    """E m_k(T) of two arms that pay 0 or 1, by the law of (pulls of arm 0, its ones, ones of arm 1) in a dictionary."""
    law = {(0, 0, 0): 1.0}
    expected = np.zeros(2)
    for t in range(pulls):
        after = {}
        for (m, i, j), w in law.items():
            counts = np.array([m, t - m])
            p = player(np.array([i, j]) / np.maximum(counts, 1), counts)
            expected += w * p
            for arm, key, paid in (
                (0, (m + 1, i + 1, j), 1),
                (0, (m + 1, i, j), 0),
                (1, (m, i, j + 1), 1),
                (1, (m, i, j), 0),
            ):
                chance = w * p[arm] * (means[arm] if paid else 1 - means[arm])
                if chance:
                    after[key] = after.get(key, 0.0) + chance
        law = after
    return expected


@pytest.mark.equation("eq-b1-ucb1", way="enumeration")
def test_ucb1(equation):
    cases = [(means, expected_pulls(means, rule(c=2**0.5), 20)[1]) for means in ((0.95, 0.05), (0.8, 0.2))]

    def check(bound):
        for means, pulled in cases:
            assert pulled <= bound(means[0] - means[1], 20), "the pulls stay under the guarantee; yours is lower."

    equation.holds(check, lambda d, t: 8 * math.log(t) / d**2 + 1 + math.pi**2 / 3)
    equation.rejects("8 upside down", check, lambda d, t: math.log(t) / (8 * d**2) + 1)
    equation.rejects("only the log of T", check, lambda d, t: math.log(t))


@pytest.mark.equation("eq-b1-kl-bernoulli", way="enumeration")
def test_kl_bernoulli(equation):
    def check(kl):
        for p, q in ((0.3, 0.7), (0.5, 0.9), (0.12, 0.05)):
            oracle = sum(w * math.log(w / v) for w, v in ((p, q), (1 - p, 1 - q)))
            assert_close(kl(p, q), oracle, "the divergence of two coins", TOLERANCE)

    equation.holds(check, bernoulli_kl)
    equation.rejects("the other way round", check, lambda p, q: bernoulli_kl(q, p))
    equation.rejects("only the reward 1", check, lambda p, q: p * math.log(p / q))


@pytest.mark.equation("eq-b1-kl-normal", way="closed form")
def test_kl_normal(equation):
    def check(kl):
        for mean, other, sd in ((0.2, 1.1, 0.7), (-1.0, 0.4, 1.6)):
            first, second = stats.norm(mean, sd), stats.norm(other, sd)

            def log_ratio(r, first=first, second=second):
                return first.pdf(r) * (first.logpdf(r) - second.logpdf(r))

            oracle, _ = integrate.quad(log_ratio, mean - 12 * sd, mean + 12 * sd)
            assert_close(kl(mean, other, sd), oracle, "the divergence of two normal laws", 1e-8)

    equation.holds(check, gaussian_kl)
    equation.rejects("not halved", check, lambda m, k, sd: 2 * gaussian_kl(m, k, sd))
    equation.rejects("sd for variance", check, lambda m, k, sd: (m - k) ** 2 / (2 * sd))


WORLDS = [
    (np.array([0.4, 0.6]), np.array([0.75, 0.6])),
    (np.array([0.1, 0.3]), np.array([0.45, 0.3])),
    (np.array([0.2, 0.5]), np.array([0.6, 0.5])),
]


def measured_worlds(pulls, player):
    """Of each pair of worlds, which differ in arm 0: both laws of all histories, the pulls of arm 0, and the regrets."""
    for first, second in WORLDS:
        rows = list(histories([first, second], pulls, player))
        laws = np.array([w for w, _, _ in rows]).T
        pulled = np.array([m[0] for _, m, _ in rows])
        costs = [(max(r) - r[0]) * pulled + (max(r) - r[1]) * (pulls - pulled) for r in (first, second)]
        yield first, second, laws, pulled, costs


@pytest.mark.equation("eq-b1-divergence", way="enumeration")
def test_divergence(equation):
    def check(formula):
        for first, second, (p, q), pulled, _ in measured_worlds(4, leaning):
            kl = float(p @ np.log(p / q))
            assert_close(
                formula(p @ pulled, q @ pulled, first[0], second[0]), kl, "the divergence of worlds", TOLERANCE
            )

    equation.holds(check, lambda m, _, r, s: m * bernoulli_kl(r, s))
    equation.rejects("the other world's pulls", check, lambda _, m, r, s: m * bernoulli_kl(r, s))
    equation.rejects("the other way round", check, lambda m, _, r, s: m * bernoulli_kl(s, r))
    equation.rejects("every pull", check, lambda m, _, r, s: 4 * bernoulli_kl(r, s))


@pytest.mark.equation("eq-b1-two-worlds", way="enumeration")
def test_two_worlds(equation):
    rng = np.random.default_rng(53)
    pairs = [rng.dirichlet(np.full(n, 0.7), size=2) for n in (2, 3, 5) for _ in range(40)]
    pairs += [np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([[0.6, 0.4], [0.4, 0.6]])]

    def check(bound):
        for p, q in pairs:
            kl = float(np.sum(p * np.log(p / q)))
            for event in itertools.product((False, True), repeat=len(p)):
                inside = np.array(event)
                assert p[inside].sum() + q[~inside].sum() >= bound(kl) - 1e-12, "no event tells more; yours is higher."

    equation.holds(check, lambda kl: math.exp(-kl) / 2)
    equation.rejects("half forgotten", check, lambda kl: min(1.01, 1.3 * math.exp(-kl)))
    equation.rejects("half the divergence", check, lambda kl: math.exp(-kl / 8))


def stubborn(estimates, counts):
    """Nearly always the second arm: few pulls of the first, and little cost in the first world."""
    return np.array([0.02, 0.98])


@pytest.mark.equation("eq-b1-trade", way="enumeration")
def test_trade(equation):
    pulls = 5
    cases = [row for player in (leaning, stubborn) for row in measured_worlds(pulls, player)]

    def check(bound):
        for first, second, (p, q), pulled, costs in cases:
            both = p @ costs[0] + q @ costs[1]
            kl = bernoulli_kl(first[0], second[0])
            assert both >= bound(first[1] - first[0], second[0] - second[1], p @ pulled, kl), (
                "the trade; yours is higher."
            )

    equation.holds(check, lambda d, e, m, kl: pulls / 4 * min(d, e) * math.exp(-m * kl))
    equation.rejects("T instead of T/4", check, lambda d, e, m, kl: 1.2 * pulls * min(d, e) * math.exp(-m * kl))
    equation.rejects("sum of the two gaps", check, lambda d, e, m, kl: pulls * (d + e) * math.exp(-m * kl))


@pytest.mark.equation("eq-b1-lai-robbins", way="enumeration")
def test_lai_robbins(equation):
    """Each arm's share against the worst of the proof's second worlds: the least divergence among laws with a greater mean."""

    def check(share):
        for means in (np.array([0.3, 0.5, 0.7, 0.4]), np.array([0.9, 0.2, 0.85])):
            best = max(means)
            greater = best + (1 - best) * np.geomspace(1e-12, 0.999, 4000)
            hardest = [min(r * np.log(r / greater) + (1 - r) * np.log((1 - r) / (1 - greater))) for r in means]
            owed = sum((best - r) / kl for r, kl in zip(means, hardest, strict=True) if r < best)
            assert_close(sum(share(r, best) for r in means if r < best), owed, "the constant C", 1e-6)

    equation.holds(check, lambda r, best: (best - r) / bernoulli_kl(r, best))
    equation.rejects("the other way round", check, lambda r, best: (best - r) / bernoulli_kl(best, r))
    equation.rejects("gap forgotten", check, lambda r, best: 1 / bernoulli_kl(r, best))
    equation.rejects("by Pinsker", check, lambda r, best: 1 / (2 * (best - r)))


@pytest.mark.equation("eq-b1-pinsker", way="enumeration")
def test_pinsker(equation):
    def check(bound):
        for p, q in itertools.product(np.linspace(0.01, 0.99, 50), repeat=2):
            assert bernoulli_kl(p, q) >= bound(p, q) - 1e-12, "the divergence is at least that; yours is higher."

    equation.holds(check, lambda p, q: 2 * (p - q) ** 2)
    equation.rejects("4 for 2", check, lambda p, q: 4 * (p - q) ** 2)
    equation.rejects("not squared", check, lambda p, q: 2 * abs(p - q))


def test_definitions_are_what_the_library_computes():
    q, m = np.array([0.4, 0.9, 0.9]), np.array([3, 5, 8])
    assert_close(explore(q, 0.3), np.array([0.1, 0.45, 0.45]), "def-b1-epsilon-greedy")
    expected = [value + 0.6 * math.sqrt(math.log(16) / n) for value, n in zip(q, m, strict=True)]
    assert_close(upper_bounds(q, m, 0.6), np.array(expected), "def-b1-ucb")
