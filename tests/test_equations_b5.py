"""Chapter B5: linear values. Chains that are not special, by enumeration of transitions, finite differences and fractions."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from rlhw import laws
from rlhw.function_approximation import bellman_error, least_squares_mc, lstd, projection, td_system
from rlhw.laws import assert_close, numerical_gradient
from rlhw.laws.function_approximation import chains
from rlhw.linear_learning import gradient_correction

TOLERANCE = 1e-7
THIRD = Fraction(1, 3)
# The chain of the page: successors, rewards, features and the on-policy weights, as fractions.
P = [[Fraction(0), Fraction(1)], [Fraction(1, 2), Fraction(1, 2)]]
REWARDS, H, D, GAMMA = [Fraction(1), Fraction(0)], [Fraction(1), Fraction(2)], [THIRD, 2 * THIRD], Fraction(9, 10)


def values(kernel, rewards, gamma):
    return np.linalg.solve(np.eye(len(rewards)) - gamma * kernel, rewards)


def norm(v, d):
    return float(sum(d[s] * v[s] ** 2 for s in range(len(d)))) ** 0.5


def problems(seed=21):
    """(P, r, Φ, γ, d stationary, v) of chains that are not special."""
    for kernel, rewards, features, gamma, d in chains(seed):
        yield kernel, rewards, features, gamma, d, values(kernel, rewards, gamma)


def backup(problem, w):
    kernel, rewards, features, gamma, _, _ = problem
    return rewards + gamma * kernel @ features @ w


@pytest.mark.equation("eq-b5-chain", way="closed form")
def test_chain(equation):
    def check(v):
        for s in range(2):
            assert v[s] == REWARDS[s] + GAMMA * sum(P[s][t] * v[t] for t in range(2)), (
                "Bellman's equation does not hold"
            )

    equation.holds(check, [Fraction(110, 29), Fraction(90, 29)])
    equation.rejects("without discount in the sum", check, [Fraction(110, 29), Fraction(100, 29)])
    equation.rejects("states exchanged", check, [Fraction(90, 29), Fraction(110, 29)])


@pytest.mark.equation("eq-b5-hessian", way="finite difference")
def test_hessian(equation):
    def check(gradient, curvature):
        for _, _, features, _, d, v in problems():

            def loss(w, h=features, d=d, v=v):
                return float(sum(d[s] * (v[s] - w @ h[s]) ** 2 for s in range(len(d))))

            w = np.linspace(-0.7, 0.9, features.shape[1])
            assert_close(gradient(features, d, v, w), numerical_gradient(loss, w), "the gradient of VE", TOLERANCE)
            rows = [
                numerical_gradient(lambda u, i=i, f=loss: float(numerical_gradient(f, u, 1e-3)[i]), w, 1e-3)
                for i in range(len(w))
            ]
            assert_close(curvature(features, d), np.stack(rows), "the second derivatives of VE", 1e-6)

    slope = lambda h, d, v, w: -2 * h.T @ (d * (v - h @ w))  # noqa: E731
    bend = lambda h, d: 2 * h.T @ (d[:, None] * h)  # noqa: E731
    equation.holds(check, slope, bend)
    equation.rejects("sign flipped", check, lambda *x: -slope(*x), bend)
    equation.rejects("states not weighted", check, lambda h, d, v, w: -2 * h.T @ (v - h @ w), bend)
    equation.rejects("factor two lost in the second derivatives", check, slope, lambda h, d: h.T @ (d[:, None] * h))


@pytest.mark.equation("eq-b5-mc", way="finite difference")
def test_mc(equation):
    def check(best):
        for _, _, features, _, d, v in problems():

            def loss(w, h=features, d=d, v=v):
                return float(sum(d[s] * (v[s] - w @ h[s]) ** 2 for s in range(len(d))))

            slope = numerical_gradient(loss, best(features, d, v))
            assert_close(slope, np.zeros(features.shape[1]), "the value error is lowest there", TOLERANCE)

    equation.holds(check, lambda h, d, v: np.linalg.solve(h.T @ (d[:, None] * h), h.T @ (d * v)))
    equation.holds(check, lambda h, d, v: least_squares_mc(h, v, d))
    equation.rejects("states not weighted", check, lambda h, d, v: np.linalg.lstsq(h, v)[0])
    equation.rejects("not divided", check, lambda h, d, v: h.T @ (d * v))


def two_point_returns(v, seed):
    """For each state two returns with probabilities, their mean v(s): (state, return, probability given the state)."""
    rng = np.random.default_rng(seed)
    for s in range(len(v)):
        chance, gap = rng.uniform(0.2, 0.8), rng.uniform(0.5, 2.0)
        yield s, v[s] + gap * (1 - chance), chance
        yield s, v[s] - gap * chance, 1 - chance


@pytest.mark.equation("eq-b5-noise", way="enumeration")
def test_noise(equation):
    def check(second):
        for _, _, features, _, d, v in problems():
            w, table = np.linspace(-0.7, 0.9, features.shape[1]), list(two_point_returns(v, 3))
            mean = sum(d[s] * p * (g - w @ features[s]) ** 2 for s, g, p in table)
            variance = sum(d[s] * p * (g - v[s]) ** 2 for s, g, p in table)
            everything = sum(d[s] * p * g**2 for s, g, p in table) - sum(d[s] * p * g for s, g, p in table) ** 2
            law = "the mean squared distance to returns"
            assert_close(norm(v - features @ w, d) ** 2 + second(variance, everything), mean, law, TOLERANCE)

    equation.holds(check, lambda given_state, everything: given_state)
    equation.rejects("the variance of all returns", check, lambda given_state, everything: everything)
    equation.rejects("noise left out", check, lambda given_state, everything: 0.0)


@pytest.mark.equation("eq-b5-mc-mean", way="enumeration")
def test_mc_mean(equation):
    def check(factor):
        for _, _, features, _, d, v in problems():
            w = np.linspace(-0.7, 0.9, features.shape[1])
            step = sum(d[s] * p * (g - w @ features[s]) * features[s] for s, g, p in two_point_returns(v, 4))
            slope = numerical_gradient(lambda w, h=features, d=d, v=v: norm(v - h @ w, d) ** 2, w)
            assert_close(step, factor * slope, "the mean step is half the way down the value error", TOLERANCE)

    equation.holds(check, -0.5)
    equation.rejects("sign flipped", check, 0.5)
    equation.rejects("the whole gradient", check, -1.0)


@pytest.mark.equation("eq-b5-chain-mc", way="closed form")
def test_chain_mc(equation):
    v = [Fraction(110, 29), Fraction(90, 29)]

    def check(w):
        assert sum(D[s] * H[s] * (v[s] - w * H[s]) for s in range(2)) == 0, "the value error has a slope there"

    equation.holds(check, Fraction(470, 261))
    equation.rejects("states not weighted", check, sum(H[s] * v[s] for s in range(2)) / 5)
    equation.rejects("mean of the values over the mean feature", check, (D[0] * v[0] + D[1] * v[1]) / Fraction(5, 3))


@pytest.mark.equation("eq-b5-steps", way="closed form")
def test_steps(equation):
    """One feature that is always 1: what is left of the first error, and the variance, of w after n steps, both exact."""

    def check(step):
        bias, variance = 1.0, 0.0
        for n in range(1, 200_001):
            eta = step(n)
            bias, variance = (1 - eta) * bias, (1 - eta) ** 2 * variance + eta**2
        assert abs(bias) < 1e-2, "the steps stop on the way"
        assert variance < 1e-2, "the steps never come to rest"

    equation.holds(check, lambda n: 1 / n)
    equation.holds(check, lambda n: n**-0.7)
    equation.rejects("a finite sum of steps", check, lambda n: 0.5 / n**2)
    equation.rejects("an infinite sum of squares", check, lambda n: 0.1)


@pytest.mark.equation("eq-b5-td-mean", way="enumeration")
def test_td_mean(equation):
    def check(system):
        for kernel, rewards, features, gamma, d, _ in problems():
            w, step = np.linspace(-0.7, 0.9, features.shape[1]), np.zeros(features.shape[1])
            for s in range(len(d)):
                for after in range(len(d)):
                    delta = rewards[s] + gamma * w @ features[after] - w @ features[s]
                    step += d[s] * kernel[s, after] * delta * features[s]
            matrix, vector = system(kernel, rewards, features, gamma, d)
            assert_close(vector - matrix @ w, step, "the mean TD step is b - Aw", TOLERANCE)

    def right(kernel, rewards, features, gamma, d):
        weighted = features.T @ np.diag(d)
        return weighted @ (np.eye(len(d)) - gamma * kernel) @ features, weighted @ rewards

    equation.holds(check, right)
    equation.holds(check, lambda p, r, h, gamma, d: td_system(h, r, p @ h, gamma, d))
    equation.rejects("transposed", check, lambda *x: (right(*x)[0].T, right(*x)[1]))
    equation.rejects("no bootstrapping", check, lambda p, r, h, gamma, d: right(p, r, h, 0.0, d))
    equation.rejects("states not weighted", check, lambda p, r, h, gamma, d: right(p, r, h, gamma, np.ones(len(d))))


def iterate(problem):
    """The values that repeated backups and projections lead to, the projection by normal equations."""
    kernel, rewards, features, gamma, d, _ = problem
    v = np.zeros(len(rewards))
    for _ in range(400):
        target = rewards + gamma * kernel @ v
        v = features @ np.linalg.solve(features.T @ (d[:, None] * features), features.T @ (d * target))
    return v


@pytest.mark.equation("eq-b5-td", way="enumeration")
def test_td(equation):
    def check(solution):
        for problem in problems():
            kernel, rewards, features, gamma, d, v = problem
            law = "the fixed point of repeated backup and projection"
            assert_close(features @ solution(kernel, rewards, features, gamma, d, v), iterate(problem), law, TOLERANCE)

    equation.holds(check, lambda p, r, h, gamma, d, v: lstd(h, r, p @ h, gamma, d))
    equation.rejects("least squares on the truth", check, lambda p, r, h, gamma, d, v: least_squares_mc(h, v, d))
    wrong = lambda p, r, h, gamma, d, v: np.linalg.lstsq(h - gamma * p @ h, r)[0]  # noqa: E731
    equation.rejects("least Bellman error", check, wrong)


@pytest.mark.equation("eq-b5-chain-td", way="closed form")
def test_chain_td(equation):
    after = [sum(P[s][t] * H[t] for t in range(2)) for s in range(2)]

    def check(matrix, vector, w):
        assert matrix == sum(D[s] * H[s] * (H[s] - GAMMA * after[s]) for s in range(2))
        assert vector == sum(D[s] * H[s] * REWARDS[s] for s in range(2))
        assert matrix * w == vector

    equation.holds(check, Fraction(6, 10), THIRD, Fraction(5, 9))
    equation.rejects("Monte Carlo's weight", check, Fraction(6, 10), THIRD, Fraction(470, 261))
    equation.rejects("no discount", check, Fraction(1, 3), THIRD, Fraction(1))


@pytest.mark.equation("eq-b5-ring", way="enumeration")
def test_ring(equation):
    gamma = 0.83

    def check(matrix):
        expected = np.zeros((3, 3))
        for s in range(3):  # δ h = (r + γ w[next] - w[s]) 1_s, with probability 1/3 each
            expected[s, s] += 1 / 3
            expected[s, (s + 1) % 3] -= gamma / 3
        assert_close(matrix, expected, "the matrix of the mean TD step in a ring", TOLERANCE)
        assert np.abs(matrix - matrix.T).max() > 0.2, "it is symmetric: a gradient"

    rows = [[1, -gamma, 0], [0, 1, -gamma], [-gamma, 0, 1]]
    equation.holds(check, np.array(rows) / 3)
    equation.rejects("the other way round the ring", check, np.array(rows).T / 3)
    equation.rejects("made symmetric", check, (np.array(rows) + np.array(rows).T) / 6)


@pytest.mark.equation("eq-b5-nearest", way="finite difference")
def test_nearest(equation):
    def check(matrix, target=lambda problem: problem[5]):
        for problem in problems():
            _, _, features, _, d, v = problem
            w = least_squares_mc(features, v, d)
            slope = numerical_gradient(lambda w, h=features, d=d, v=v: norm(v - h @ w, d) ** 2, w)
            assert_close(slope, np.zeros(len(w)), "it is the best fit", TOLERANCE)
            assert_close(features @ w, matrix(features, d) @ target(problem), "it is the projection of v", TOLERANCE)

    equation.holds(check, projection)
    equation.rejects("states not weighted", check, lambda h, d: h @ np.linalg.pinv(h))
    equation.rejects("projection of the rewards", check, projection, target=lambda problem: problem[1])


@pytest.mark.equation("eq-b5-fixed-point", way="enumeration")
def test_fixed_point(equation):
    """Must show: LSTD is the projected fixed point. The projection by its normal equations, the backup by its sum."""

    def check(solution, weighted=True):
        for problem in problems(22):
            kernel, rewards, features, gamma, d, v = problem
            w = solution(kernel, rewards, features, gamma, d, v)
            target = np.array(
                [
                    rewards[s] + gamma * sum(kernel[s, t] * (w @ features[t]) for t in range(len(d)))
                    for s in range(len(d))
                ]
            )
            c = d if weighted else np.ones(len(d))
            fit = np.linalg.solve(features.T @ (c[:, None] * features), features.T @ (c * target))
            assert_close(features @ w, features @ fit, "backed up and projected, TD's values come back", 1e-9)

    right = lambda p, r, h, gamma, d, v: lstd(h, r, p @ h, gamma, d)  # noqa: E731
    equation.holds(check, right)
    equation.rejects("Monte Carlo's values", check, lambda p, r, h, gamma, d, v: least_squares_mc(h, v, d))
    equation.rejects("projection without weights", check, right, weighted=False)


def errors(problem, w):
    """The expected TD error of each state, and its best linear fit."""
    _, _, features, _, d, _ = problem
    bar = backup(problem, w) - features @ w
    fit = np.linalg.solve(features.T @ (d[:, None] * features), features.T @ (d * bar))
    return bar, features @ fit


@pytest.mark.equation("eq-b5-pbe", way="closed form")
def test_pbe(equation):
    def check(middle):
        for problem in problems():
            kernel, rewards, features, gamma, d, _ = problem
            w = np.linspace(-0.7, 0.9, features.shape[1])
            matrix, vector = td_system(features, rewards, kernel @ features, gamma, d)
            step = vector - matrix @ w
            law = "the squared norm of the projected TD errors"
            assert_close(step @ middle(features, d) @ step, norm(errors(problem, w)[1], d) ** 2, law, TOLERANCE)

    equation.holds(check, lambda h, d: np.linalg.inv(h.T @ (d[:, None] * h)))
    equation.rejects("matrix not inverted", check, lambda h, d: h.T @ (d[:, None] * h))
    equation.rejects("nothing in the middle", check, lambda h, d: np.eye(h.shape[1]))


@pytest.mark.equation("eq-b5-pythagoras", way="enumeration")
def test_pythagoras(equation):
    def check(both, weigh=lambda d: d):
        for problem in problems():
            kernel, rewards, features, gamma, d, _ = problem
            w = np.linspace(-0.7, 0.9, features.shape[1])
            bar, seen = errors(problem, w)
            whole = bellman_error(features, rewards, kernel @ features, gamma, d, w)
            c = weigh(d)
            assert_close(both(norm(seen, c), norm(bar - seen, c)), whole, "the squares of both parts add up", TOLERANCE)

    equation.holds(check, lambda inside, outside: inside**2 + outside**2)
    equation.rejects("lengths added", check, lambda inside, outside: (inside + outside) ** 2)
    unweighted = lambda d: np.full(len(d), 1 / len(d))  # noqa: E731
    equation.rejects("states not weighted", check, lambda inside, outside: inside**2 + outside**2, weigh=unweighted)


@pytest.mark.equation("eq-b5-double-sampling", way="enumeration")
def test_double_sampling(equation):
    def check(second):
        for problem in problems():
            kernel, rewards, features, gamma, d, _ = problem
            w, square, variance = np.linspace(-0.7, 0.9, features.shape[1]), 0.0, 0.0
            bar = errors(problem, w)[0]
            for s in range(len(d)):
                for t in range(len(d)):
                    delta = rewards[s] + gamma * w @ features[t] - w @ features[s]
                    square += d[s] * kernel[s, t] * delta**2
                    variance += d[s] * kernel[s, t] * (delta - bar[s]) ** 2
            whole = bellman_error(features, rewards, kernel @ features, gamma, d, w)
            assert_close(whole + second(variance, gamma), square, "the mean square of sampled TD errors", TOLERANCE)

    equation.holds(check, lambda variance, gamma: variance)
    equation.rejects("noise left out", check, lambda variance, gamma: 0.0)
    equation.rejects("variance of the next value, not discounted", check, lambda variance, gamma: variance / gamma**2)


@pytest.mark.equation("eq-b5-nonexpansion", way="closed form")
def test_nonexpansion(equation):
    """For every V at once: the largest eigenvalue of Ξ^-½ Pᵀ Ξ P Ξ^-½ is the square of the greatest lengthening, here 1."""

    def check(weights_of):
        for kernel, _, _, _, d, _ in problems():
            c = weights_of(d)
            scaled = np.sqrt(c)[:, None] * kernel / np.sqrt(c)
            longest = np.linalg.norm(scaled, 2)
            assert longest <= 1 + 1e-9, f"an average over successors lengthens by {longest:.3f}"

    equation.holds(check, lambda d: d)
    equation.rejects("weights that are not on-policy", check, lambda d: np.full(len(d), 1 / len(d)))
    equation.rejects("weights squared", check, lambda d: d**2)


@pytest.mark.equation("eq-b5-positive", way="closed form")
def test_positive(equation):
    """For every w at once: the symmetric part of A - factor ΦᵀΞΦ has no negative eigenvalue. Wide features are included."""

    def check(factor, off=1.0):
        for kernel, rewards, features, gamma, d, _ in problems():
            for h in (features, np.hstack([np.ones((len(d), 1)), features])):
                c = d.copy()
                c[0] *= off
                matrix = td_system(h, rewards, kernel @ h, gamma, c)[0] - factor(gamma) * h.T @ (c[:, None] * h)
                least = np.linalg.eigvalsh((matrix + matrix.T) / 2).min()
                assert least >= -1e-9, f"A falls short of the bound by {-least:.3g}"

    equation.holds(check, lambda gamma: 1 - gamma)
    equation.rejects("no discount", check, lambda gamma: 1.0)
    equation.rejects("square root of it", check, lambda gamma: (1 - gamma) ** 0.5)
    equation.rejects("one state updated too often", check, lambda gamma: 1 - gamma, off=200.0)


@pytest.mark.equation("eq-b5-expected-path", way="enumeration")
def test_expected_path(equation):
    def check(factor):
        for kernel, rewards, features, gamma, d, _ in problems():
            matrix, vector = td_system(features, rewards, kernel @ features, gamma, d)
            w, start = np.linspace(-0.7, 0.9, features.shape[1]), np.linspace(-0.7, 0.9, features.shape[1])
            for _ in range(7):
                step = np.zeros(len(w))
                for s in range(len(d)):
                    bar = rewards[s] + gamma * kernel[s] @ features @ w - features[s] @ w
                    step += d[s] * bar * features[s]
                w = w + 0.2 * step
            fixed = np.linalg.solve(matrix, vector)
            power = np.linalg.matrix_power(factor(matrix), 7)
            assert_close(w - fixed, power @ (start - fixed), "seven expected steps", TOLERANCE)

    equation.holds(check, lambda a: np.eye(len(a)) - 0.2 * a)
    equation.rejects("sign flipped", check, lambda a: np.eye(len(a)) + 0.2 * a)
    equation.rejects("step size left out", check, lambda a: np.eye(len(a)) - a)


def chains_that_end(seed=25):
    """(P among the states that are no ends, chance to end, start, Φ, d): d counts the visits of an episode, step by step."""
    rng = np.random.default_rng(seed)
    for states, size in ((3, 2), (5, 3)):
        whole = rng.dirichlet(np.ones(states + 1), size=states)
        start, kernel = rng.dirichlet(np.ones(states)), whole[:, :-1]
        here, visits = start, np.zeros(states)
        for _ in range(2000):
            visits, here = visits + here, here @ kernel
        yield kernel, rng.standard_normal((states, size)), visits / visits.sum()


@pytest.mark.equation("eq-b5-ends", way="enumeration")
def test_ends(equation):
    def check(ends):
        for kernel, features, d in chains_that_end():
            w, matrix = np.linspace(-0.7, 0.9, features.shape[1]), 0.0
            for s in range(len(d)):
                after = sum(kernel[s, t] * features[t] for t in range(len(d)))  # an end has features of zero
                matrix = matrix + d[s] * np.outer(features[s], features[s] - after)
            v = features @ w
            moves = sum(d[s] * kernel[s, t] * (v[s] - v[t]) ** 2 for s, t in np.ndindex(kernel.shape)) / 2
            weights = ends(kernel, d)
            assert np.all(weights >= -1e-9), "a term is negative"
            assert_close(moves + weights @ v**2 / 2, w @ matrix @ w, "the squares multiplied out", TOLERANCE)

    def end(p, d):
        return d * (1 - p.sum(axis=1))

    def begin(p, d):
        return d - d @ p

    equation.holds(check, lambda p, d: begin(p, d) + end(p, d))
    equation.rejects("ends left out", check, lambda p, d: 0 * d)
    equation.rejects("only where episodes can end", check, end)
    equation.rejects("only where they begin", check, begin)


@pytest.mark.equation("eq-b5-bound", way="enumeration")
def test_bound(equation):
    """On 200 random chains, and on a family of two states whose ratio comes close to the bound."""

    def check(factor, uneven=False):
        rng, closest = np.random.default_rng(23), 0.0
        for number in range(200):
            states, gamma = (2, 0.95) if number % 2 else (5, float(rng.uniform(0.3, 0.95)))
            kernel = rng.dirichlet(np.full(states, 0.3 if states == 2 else 1.0), size=states)
            d = np.linalg.matrix_power(kernel, 2**14)[0]
            d = np.full(states, 1 / states) if uneven else d / d.sum()
            features, rewards = rng.standard_normal((states, states // 2)), rng.standard_normal(states)
            v = values(kernel, rewards, gamma)
            best = norm(v - features @ least_squares_mc(features, v, d), d)
            reached = norm(v - features @ lstd(features, rewards, kernel @ features, gamma, d), d)
            closest = max(closest, reached / (factor(gamma) * best))
        assert closest <= 1 + 1e-9, f"an error of {closest:.2f} times the bound"

    bound = lambda gamma: 1 / (1 - gamma**2) ** 0.5  # noqa: E731
    equation.holds(check, bound)
    equation.rejects("TD finds the best fit", check, lambda gamma: 1.0)
    equation.rejects("gamma not squared", check, lambda gamma: 1 / (1 + gamma) ** 0.5)
    equation.rejects("weights that are not on-policy", check, bound, uneven=True)


@pytest.mark.equation("eq-b5-chain-bound", way="closed form")
def test_chain_bound(equation):
    v = [Fraction(110, 29), Fraction(90, 29)]

    def square(w):
        return sum(D[s] * (v[s] - w * H[s]) ** 2 for s in range(2))

    def check(ratio, bound):
        assert abs(ratio - float(square(Fraction(5, 9)) / square(Fraction(470, 261))) ** 0.5) < 5e-3
        assert abs(bound - (1 - 0.81) ** -0.5) < 5e-3
        assert ratio <= bound

    equation.holds(check, 2.03, 2.29)
    equation.rejects("ratio of the squares", check, 4.12, 5.26)
    equation.rejects("the bound of 1/(1 - gamma)", check, 2.03, 10.0)


@pytest.mark.equation("eq-b5-chain-share", way="symbolic")
def test_chain_share(equation):
    q = sp.Symbol("q")
    weights, gamma = (q, 1 - q), sp.Rational(9, 10)

    def check(line):
        expected = sum(weights[s] * P[s][t] * H[s] * (H[s] - gamma * H[t]) for s in range(2) for t in range(2))
        assert sp.simplify(expected - line) == 0, "the matrix of the mean step for this share of updates"

    equation.holds(check, sp.Rational(13, 10) - sp.Rational(21, 10) * q)
    equation.rejects("share of the second state", check, sp.Rational(13, 10) - sp.Rational(21, 10) * (1 - q))
    equation.rejects(
        "feature of the second state left out", check, q * sp.Rational(-8, 10) + (1 - q) * sp.Rational(65, 100)
    )


def off_policy(seed=24):
    """(Φ, r, γ, μ "S A", ρ "S A", p "S A S", d): two actions, behavior weights that are not the target's."""
    rng = np.random.default_rng(seed)
    for states, size in ((4, 2), (5, 3)):
        transitions, rewards = rng.dirichlet(np.ones(states), size=(states, 2)), rng.standard_normal((states, 2))
        behavior, target = rng.dirichlet(np.full(2, 4.0), size=states), rng.dirichlet(np.ones(2), size=states)
        d, features = rng.dirichlet(np.full(states, 3.0)), rng.standard_normal((states, size))
        yield features, rewards, 0.8, behavior, target / behavior, transitions, d


def mean_of(problem, f):
    """E[f(ρ, δ-parts)] over s ~ d, a ~ μ, s' ~ p: f(ρ, h, r, h')."""
    features, rewards, _, behavior, ratios, transitions, d = problem
    total = 0.0
    for s, a, t in np.ndindex(transitions.shape):
        chance = d[s] * behavior[s, a] * transitions[s, a, t]
        total = total + chance * f(ratios[s, a], features[s], rewards[s, a], features[t])
    return total


def projected_error(problem, w):
    """PBE(w) by enumeration: E[ρδh] and E[hhᵀ]."""
    gamma = problem[2]
    step = mean_of(problem, lambda rho, h, r, after: rho * (r + gamma * w @ after - w @ h) * h)
    second = mean_of(problem, lambda rho, h, r, after: np.outer(h, h))
    return float(step @ np.linalg.solve(second, step))


@pytest.mark.equation("eq-b5-pbe-gradient", way="finite difference")
def test_pbe_gradient(equation):
    def check(formula):
        for problem in off_policy():
            gamma, w = problem[2], np.linspace(-0.7, 0.9, problem[0].shape[1])
            a = mean_of(problem, lambda rho, h, r, after, g=gamma: rho * np.outer(h, h - g * after))
            b = mean_of(problem, lambda rho, h, r, after: rho * r * h)
            c = mean_of(problem, lambda rho, h, r, after: np.outer(h, h))
            slope = numerical_gradient(lambda w, problem=problem: projected_error(problem, w), w)
            assert_close(
                formula(a, c, b - a @ w), -slope / 2, "half a step down the projected Bellman error", TOLERANCE
            )

    equation.holds(check, lambda a, c, step: a.T @ np.linalg.solve(c, step))
    equation.rejects("A not transposed", check, lambda a, c, step: a @ np.linalg.solve(c, step))
    equation.rejects("TD's own step", check, lambda a, c, step: step)
    equation.rejects("middle left out", check, lambda a, c, step: a.T @ step)


@pytest.mark.equation("eq-b5-tdc", way="enumeration")
def test_tdc(equation):
    def check(update):
        for problem in off_policy():
            gamma, w = problem[2], np.linspace(-0.7, 0.9, problem[0].shape[1])
            step = mean_of(problem, lambda rho, h, r, after, g=gamma, w=w: rho * (r + g * w @ after - w @ h) * h)
            u = np.linalg.solve(mean_of(problem, lambda rho, h, r, after: np.outer(h, h)), step)

            def one(rho, h, r, after, g=gamma, w=w, u=u):
                return update(rho, r + g * w @ after - w @ h, h, after, g, u)

            slope = numerical_gradient(lambda w, problem=problem: projected_error(problem, w), w)
            assert_close(mean_of(problem, one), -slope / 2, "TDC's mean step goes down the PBE", TOLERANCE)

    equation.holds(check, lambda rho, delta, h, after, g, u: rho * (delta * h - g * after * (h @ u)))
    equation.holds(laws.check_gradient_correction, gradient_correction)
    equation.rejects("no correction", check, lambda rho, delta, h, after, g, u: rho * delta * h)
    equation.rejects("no ratio", check, lambda rho, delta, h, after, g, u: delta * h - g * after * (h @ u))
    equation.rejects("no discount", check, lambda rho, delta, h, after, g, u: rho * (delta * h - after * (h @ u)))
