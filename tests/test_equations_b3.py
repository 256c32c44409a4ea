"""Chapter B3: targets of short walks by enumeration, moments by sums over all paths, proofs by symbols."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
import sympy as sp

from rlhw.batch_prediction import EmpiricalModel, batch_mc, batch_td, empirical_model
from rlhw.laws import assert_close
from rlhw.laws.temporal_difference import journeys, lambda_return, n_step_return
from rlhw.mdp import MDP, Episodes, episodes
from rlhw.prediction_moments import expected_td, lambda_moments, n_step_moments
from rlhw.temporal_difference import (
    backward_view,
    lambda_returns,
    mc_prediction,
    n_step_returns,
    returns,
    td_lambda,
    td_prediction,
)
from rlhw.worlds import random_walk

THREE = np.array([0.0, 0.5, 0.5, 0.5, 0.0])  # the page's walk of three states, believed 1/2 everywhere
PATH, PAID = np.array([2, 3, 2, 3, 4]), np.array([0.0, 0.0, 0.0, 1.0])


def trajectories(seed=41):
    """(states, rewards, values) of episodes that end: V of the last state is 0."""
    for walks, values in journeys(cut=False, seed=seed):
        for states, rewards in walks[0] + walks[1]:
            yield states, rewards, values


def small_mdp(seed, gamma=0.8):
    """Three states and two actions, an end after at most four steps: states are 0 … 4 in order, each leads further."""
    rng = np.random.default_rng(seed)
    transitions, rewards = np.zeros((5, 2, 5)), np.zeros((5, 2))
    for s in range(4):
        transitions[s, :, s + 1 :] = rng.dirichlet(np.ones(4 - s), size=2)
        rewards[s] = rng.standard_normal(2) + 0.5
    transitions[4, :, 4] = 1
    policy = rng.dirichlet(np.ones(2), size=5)
    return MDP(transitions, rewards, gamma, np.append(rng.dirichlet(np.ones(4)), 0.0)), policy


def paths(mdp, policy, state, steps=9):
    """All (probability, states, rewards) from a state to the end, or for so many steps."""
    if mdp.terminal[state] or steps == 0:
        yield 1.0, [state], []
        return
    for a, t in product(range(policy.shape[1]), range(len(policy))):
        weight = policy[state, a] * mdp.transitions[state, a, t]
        if weight > 0:
            for p, states, rewards in paths(mdp, policy, t, steps - 1):
                yield weight * p, [state, *states], [mdp.rewards[state, a], *rewards]


def values_of(mdp, policy):
    """v by enumeration of all paths."""
    return np.array(
        [
            sum(p * sum(mdp.gamma**i * r for i, r in enumerate(rewards)) for p, _, rewards in paths(mdp, policy, s))
            for s in range(len(policy))
        ]
    )


def chain(mdp, policy):
    """P_π "S S" without the end's own loop (errors there are 0), r_π "S"."""
    onward = np.einsum("sa,sat->st", policy, mdp.transitions)
    onward[mdp.terminal] = 0.0
    return onward, np.sum(policy * mdp.rewards, axis=1)


def worlds():
    """Small MDPs with policies, exact values, and a wrong table."""
    for seed in range(3):
        mdp, policy = small_mdp(seed)
        values = np.append(np.random.default_rng(seed + 50).standard_normal(4), 0.0)
        yield mdp, policy, values_of(mdp, policy), values


@pytest.mark.equation("eq-b3-example-errors", way="closed form")
def test_example_errors(equation):
    def check(errors):
        table = [Fraction(int(2 * v), 2) for v in THREE]
        found = [int(r) + table[t] - table[s] for s, t, r in zip(PATH, PATH[1:], PAID, strict=False)]
        assert list(errors) == found, "the four TD errors of the example"

    half = Fraction(1, 2)
    equation.holds(check, (0, 0, 0, half))
    equation.rejects("the end believed to be worth 1/2", check, (0, 0, 0, 1))
    equation.rejects("value not subtracted", check, (half, half, half, 1))


@pytest.mark.equation("eq-b3-return", way="enumeration")
def test_return(equation):
    """By walking: a purse that is worth gamma less a step."""

    def check(formula):
        for states, rewards, _ in trajectories():
            for gamma in (0.7, 1.0):
                for t in range(len(rewards)):
                    purse, worth = 0.0, 1.0
                    for reward in rewards[t : len(states) - 1]:
                        purse, worth = purse + worth * reward, worth * gamma
                    assert_close(formula(rewards, gamma, t), purse, "what still comes, discounted")

    equation.holds(check, lambda r, gamma, t: sum(gamma**i * r[t + i] for i in range(len(r) - t)))
    equation.rejects(
        "one reward too few", check, lambda r, gamma, t: sum(gamma**i * r[t + i] for i in range(len(r) - t - 1))
    )
    equation.rejects(
        "discounted by the step", check, lambda r, gamma, t: sum(gamma**i * r[i] for i in range(t, len(r)))
    )
    equation.holds(check, lambda r, gamma, t: returns(r, gamma)[t])


@pytest.mark.equation("eq-b3-td-error", way="enumeration")
def test_td_error(equation):
    """What one step of TD(0) moves, over the step size: for all pairs of states, rewards and discounts."""

    def check(formula):
        values = np.array([0.4, -1.1, 0.7, 0.0])
        for s, t, reward, gamma in product(range(3), range(4), (0.0, 1.3, -2.1), (0.6, 1.0)):
            if s != t:
                walk = one_episode(np.array([s, t]), np.array([reward]))
                (table,) = td_prediction(iter([walk]), values, gamma, lambda visits: 0.25)
                moved = (table[0] - values) / 0.25
                assert_close(moved[s], formula(reward, gamma, values[t], values[s]), "what TD(0) moves")
                assert_close(np.delete(moved, s), np.zeros(3), "and nothing else")

    equation.holds(check, lambda reward, gamma, after, before: reward + gamma * after - before)
    equation.rejects("no discount", check, lambda reward, gamma, after, before: reward + after - before)
    equation.rejects("sign flipped", check, lambda reward, gamma, after, before: before - reward - gamma * after)
    equation.rejects(
        "own value discounted", check, lambda reward, gamma, after, before: reward + after - gamma * before
    )


@pytest.mark.equation("eq-b3-mc-update", way="closed form")
def test_mc_update(equation):
    def check(step):
        for walks, values in journeys(cut=False, seed=42):
            stream = [one_episode(*walk) for walk in walks[0]]
            tables = list(mc_prediction(iter(stream), values, 0.8, step))
            for k, table in enumerate(tables, start=1):
                means = first_visit_means(walks[0][:k], values, 0.8)
                assert_close(table[0], means, f"the mean of the returns of first visits in {k} episodes")

    equation.holds(check, lambda visits: 1 / visits)
    equation.rejects("one too many", check, lambda visits: 1 / (visits + 1))
    equation.rejects("a constant rate", check, lambda visits: 0.1)


def one_episode(states, rewards):
    return Episodes(states[None], np.zeros((1, len(rewards)), int), rewards[None], np.ones((1, len(rewards)), bool))


def first_visit_means(walks, values, gamma):
    found = {}
    for states, rewards in walks:
        seen = set()
        for t, state in enumerate(states[:-1]):
            if state not in seen:
                found.setdefault(state, []).append(sum(gamma**i * r for i, r in enumerate(rewards[t:])))
            seen.add(state)
    return np.array([np.mean(found[s]) if s in found else values[s] for s in range(len(values))])


@pytest.mark.equation("eq-b3-every-visit", way="enumeration")
def test_every_visit(equation):
    """All totals n up to 400 and, for each, all ways to cut them (by the law of one part)."""

    def check(bias):
        for q, k in ((0.25, 1), (0.4, 2), (0.6, 3), (0.5, 5)):
            mean = 0.0
            for n in range(k, 400):
                total = comb(n - 1, k - 1) * q**k * (1 - q) ** (n - k)
                if k == 1:
                    returns = n * (n + 1) / 2
                else:
                    ways = [comb(n - length - 1, k - 2) for length in range(1, n - k + 2)]
                    returns = k * sum(w * m * (m + 1) / 2 for m, w in enumerate(ways, start=1)) / comb(n - 1, k - 1)
                mean += total * returns / n
            assert_close(mean - 1 / q, bias(q, k), "the bias of every visit", 1e-8)

    equation.holds(check, lambda q, k: -(1 - q) / (q * (k + 1)))
    equation.rejects("no bias", check, lambda q, k: 0.0)
    equation.rejects("k for k + 1", check, lambda q, k: -(1 - q) / (q * k))
    equation.rejects("sign flipped", check, lambda q, k: (1 - q) / (q * (k + 1)))
    equation.rejects("1 - q left out", check, lambda q, k: -1 / (q * (k + 1)))


def test_the_sum_in_the_proof_of_the_bias():
    """All compositions, one by one: the sum of L_1 (L_1 + 1) / 2 over them is the binomial of the proof."""
    for n, k in ((5, 2), (7, 3), (8, 4)):
        cuts = combinations(range(1, n), k - 1)
        total = sum(comb((cut[0] if cut else n) + 1, 2) for cut in cuts)
        assert total == comb(n + 1, k + 1)
        assert total != comb(n, k)


@pytest.mark.equation("eq-b3-td-error-mean", way="enumeration")
def test_td_error_mean(equation):
    def check(formula):
        for mdp, _, v, values in worlds():
            error = values - v
            for s, a in product(range(4), range(2)):
                after = mdp.transitions[s, a]
                mean = sum(after[t] * (mdp.rewards[s, a] + mdp.gamma * values[t] - values[s]) for t in range(5))
                advantage = mdp.rewards[s, a] + mdp.gamma * after @ v - v[s]
                assert_close(formula(advantage, mdp.gamma, after @ error, error[s]), mean, "the mean of the TD error")

    equation.holds(check, lambda advantage, gamma, next_error, error: advantage + gamma * next_error - error)
    equation.rejects("the advantage alone", check, lambda advantage, gamma, next_error, error: advantage)
    plus = lambda advantage, gamma, next_error, error: advantage + gamma * next_error + error  # noqa: E731
    equation.rejects("own error added", check, plus)
    equation.rejects("no discount", check, lambda advantage, gamma, next_error, error: advantage + next_error - error)


def td_errors(states, rewards, values, gamma):
    return [r + gamma * values[t] - values[s] for s, t, r in zip(states, states[1:], rewards, strict=False)]


def sums_of_errors(factor):
    """t -> Σ_l factor^l δ_{t+l}."""

    def formula(errors, t, gamma, *rest):
        return sum(factor(gamma, *rest) ** i * error for i, error in enumerate(errors[t:]))

    return formula


@pytest.mark.equation("eq-b3-telescope", way="enumeration")
def test_telescope(equation):
    def check(formula):
        for states, rewards, values in trajectories():
            for gamma in (0.7, 1.0):
                errors = td_errors(states, rewards, values, gamma)
                for t in range(len(rewards)):
                    earned = sum(gamma**i * r for i, r in enumerate(rewards[t:]))
                    assert_close(formula(errors, t, gamma), earned - values[states[t]], "return minus value")

    equation.holds(check, sums_of_errors(lambda gamma: gamma))
    equation.rejects("no discount", check, sums_of_errors(lambda gamma: 1.0))
    equation.rejects("the first alone", check, lambda errors, t, gamma: errors[t])
    late = lambda errors, t, gamma: sums_of_errors(lambda g: g)(errors, t + 1, gamma)  # noqa: E731
    equation.rejects("the own left out", check, late)


@pytest.mark.equation("eq-b3-n-step-errors", way="enumeration")
def test_n_step_errors(equation):
    def check(count):
        for states, rewards, values in trajectories():
            for gamma, n in ((0.7, 1), (0.9, 2), (1.0, 3), (0.8, 9)):
                errors = td_errors(states, rewards, values, gamma)
                for t in range(len(rewards)):
                    got = sum(gamma**i * error for i, error in enumerate(errors[t : t + count(n)]))
                    expected = n_step_return(rewards, values[states], gamma, t, n) - values[states[t]]
                    assert_close(got, expected, "n-step return minus value")

    equation.holds(check, lambda n: n)
    equation.rejects("one too many", check, lambda n: n + 1)
    equation.rejects("one too few", check, lambda n: n - 1)


@pytest.mark.equation("eq-b3-example-n-step", way="enumeration")
def test_example_n_step(equation):
    def check(targets):
        expected = [n_step_return(PAID, THREE[PATH], 1.0, t, 2) for t in range(4)]
        assert_close(targets, expected, "the two-step returns of the example")

    equation.holds(check, [0.5, 0.5, 1.0, 1.0])
    equation.holds(check, n_step_returns(PAID, THREE[PATH], 1.0, 2))
    equation.rejects("one step", check, [0.5, 0.5, 0.5, 1.0])
    equation.rejects("three steps", check, [0.5, 1.0, 1.0, 1.0])


@pytest.mark.equation("eq-b3-lambda-recursion", way="enumeration")
def test_lambda_recursion(equation):
    def check(mix):
        for states, rewards, values in trajectories():
            for gamma, lam in ((0.7, 0.6), (1.0, 0.3), (0.9, 1.0), (0.8, 0.0)):
                seen, after = values[states], values[states[-1]]
                for t in reversed(range(len(rewards))):
                    after = rewards[t] + mix(gamma, lam, seen[t + 1], after)
                    assert_close(after, lambda_return(rewards, seen, gamma, lam, t), "the lambda return")

    equation.holds(check, lambda gamma, lam, v, g: gamma * ((1 - lam) * v + lam * g))
    equation.rejects(
        "lambda and 1 - lambda exchanged", check, lambda gamma, lam, v, g: gamma * (lam * v + (1 - lam) * g)
    )
    equation.rejects("weights not normed", check, lambda gamma, lam, v, g: gamma * (v + lam * g))
    equation.rejects("value not discounted", check, lambda gamma, lam, v, g: (1 - lam) * v + gamma * lam * g)


@pytest.mark.equation("eq-b3-lambda-errors", way="enumeration")
def test_lambda_errors(equation):
    def check(formula):
        for states, rewards, values in trajectories():
            for gamma, lam in ((0.7, 0.6), (1.0, 0.3), (0.9, 1.0), (0.8, 0.0)):
                errors = td_errors(states, rewards, values, gamma)
                for t in range(len(rewards)):
                    expected = lambda_return(rewards, values[states], gamma, lam, t) - values[states[t]]
                    assert_close(formula(errors, t, gamma, lam), expected, "lambda return minus value")

    equation.holds(check, sums_of_errors(lambda gamma, lam: gamma * lam))
    equation.rejects("lambda alone", check, sums_of_errors(lambda gamma, lam: lam))
    equation.rejects("gamma alone", check, sums_of_errors(lambda gamma, lam: gamma))
    scaled = sums_of_errors(lambda gamma, lam: gamma * lam)
    equation.rejects("scaled by 1 - lambda", check, lambda e, t, gamma, lam: (1 - lam) * scaled(e, t, gamma, lam))


@pytest.mark.equation("eq-b3-example-lambda", way="enumeration")
def test_example_lambda(equation):
    def check(targets):
        expected = [lambda_return(PAID, THREE[PATH], 1.0, 0.5, t) for t in range(4)]
        assert_close(targets, expected, "the lambda returns of the example")

    equation.holds(check, [9 / 16, 5 / 8, 3 / 4, 1.0])
    equation.holds(check, lambda_returns(PAID, THREE[PATH], 1.0, 0.5))
    equation.rejects("values subtracted", check, [1 / 16, 1 / 8, 1 / 4, 1 / 2])
    equation.rejects("the last weight like the others", check, [17 / 32, 9 / 16, 5 / 8, 3 / 4])


@pytest.mark.equation("eq-b3-views", way="enumeration")
def test_views(equation):
    def check(backward):
        for states, rewards, values in trajectories(seed=43):
            for gamma, lam in ((0.8, 0.7), (1.0, 1.0)):
                forward = np.zeros(len(values))
                for t, state in enumerate(states[:-1]):
                    forward[state] += lambda_return(rewards, values[states], gamma, lam, t) - values[state]
                assert_close(backward(states, rewards, values, gamma, lam), forward, "forward and backward view")

    def online(states, rewards, values, gamma, lam):
        (table,) = td_lambda(iter([one_episode(states, rewards)]), values, gamma, lambda visits: 0.3, lam=lam)
        return (table[0] - values) / 0.3

    equation.holds(check, backward_view)
    equation.rejects("V moved on the way", check, online)
    slow = lambda s, r, v, gamma, lam: backward_view(s, r + (gamma - 1) * v[s[1:]], v, 1.0, lam)  # noqa: E731
    equation.rejects("traces without gamma", check, slow)
    equation.rejects("the present state alone", check, lambda s, r, v, gamma, lam: backward_view(s, r, v, gamma, 0.0))


@pytest.mark.equation("eq-b3-n-step-bias", way="enumeration")
def test_n_step_bias(equation):
    def check(formula):
        for mdp, policy, v, values in worlds():
            onward, _ = chain(mdp, policy)
            for n in (1, 2, 3):
                bias = formula(mdp.gamma, onward, values - v, n)
                for s in range(4):
                    mean = 0.0
                    for p, states, rewards in paths(mdp, policy, s, n):
                        earned = sum(mdp.gamma**i * r for i, r in enumerate(rewards))
                        mean += p * (earned + mdp.gamma ** len(rewards) * values[states[-1]])
                    assert_close(bias[s], mean - v[s], "the bias of the n-step return")
                    assert_close(n_step_moments(mdp, policy, values, n)[0][s], mean, "the mean of the n-step return")
                assert np.abs(bias).max() <= mdp.gamma**n * np.abs(values - v).max() + 1e-12

    equation.holds(check, lambda gamma, p, e, n: gamma**n * np.linalg.matrix_power(p, n) @ e)
    equation.rejects("no discount", check, lambda gamma, p, e, n: np.linalg.matrix_power(p, n) @ e)
    equation.rejects("the error itself", check, lambda gamma, p, e, n: gamma**n * e)
    equation.rejects("one step only", check, lambda gamma, p, e, n: gamma * p @ e)


def path_moments(mdp, policy, values, target):
    """(mean, variance) of target(rewards, values along the path, t = 0) from each state, over all paths."""
    found = np.zeros((2, len(policy)))
    for s in range(4):
        rows = [(p, target(np.array(r), values[np.array(states)])) for p, states, r in paths(mdp, policy, s)]
        found[0, s] = sum(p * x for p, x in rows)
        found[1, s] = sum(p * x**2 for p, x in rows) - found[0, s] ** 2
    return found


@pytest.mark.equation("eq-b3-lambda-bias", way="enumeration")
def test_lambda_bias(equation):
    def check(formula):
        for mdp, policy, v, values in worlds():
            onward, _ = chain(mdp, policy)
            for lam in (0.0, 0.4, 0.9, 1.0):
                mean, _ = path_moments(
                    mdp, policy, values, lambda r, u, lam=lam, g=mdp.gamma: lambda_return(r, u, g, lam, 0)
                )
                assert_close(formula(mdp.gamma, lam, onward, values - v), mean - v, "the bias of the lambda return")

    def right(gamma, lam, p, e):
        return (1 - lam) * gamma * p @ np.linalg.solve(np.eye(len(p)) - gamma * lam * p, e)

    equation.holds(check, right)
    equation.rejects("1 - lambda left out", check, lambda gamma, lam, p, e: right(gamma, lam, p, e) / (1 - lam + 1e-9))
    series = lambda gamma, lam, p, e: np.linalg.solve(np.eye(5) - gamma * lam * p, e)  # noqa: E731
    equation.rejects("no step in front", check, lambda gamma, lam, p, e: (1 - lam) * series(gamma, lam, p, e))
    early = lambda gamma, lam, p, e: lam * gamma * p @ series(gamma, lam, p, e)  # noqa: E731
    equation.rejects("lambda for 1 - lambda", check, early)


def test_the_variances_of_the_targets_by_enumeration():
    """The page's noise: `n_step_moments` and `lambda_moments` against sums over all paths; a doubled cross term is caught."""
    for mdp, policy, _, values in worlds():
        for n in (1, 2, 3):
            expected = path_moments(mdp, policy, values, lambda r, u, n=n, g=mdp.gamma: n_step_return(r, u, g, 0, n))
            assert_close(np.array(n_step_moments(mdp, policy, values, n))[:, :4], expected[:, :4], "n-step moments")
        for lam in (0.0, 0.4, 1.0):
            expected = path_moments(mdp, policy, values, lambda r, u, x=lam, g=mdp.gamma: lambda_return(r, u, g, x, 0))
            assert_close(np.array(lambda_moments(mdp, policy, values, lam))[:, :4], expected[:, :4], "lambda moments")
        wrong = np.array(n_step_moments(mdp, policy, values, 2)) + np.array([[0.0], [0.01]])
        with pytest.raises(AssertionError, match="differs"):
            assert_close(wrong[:, :4], expected[:, :4], "n-step moments")


@pytest.mark.equation("eq-b3-step-error", way="symbolic")
def test_step_error(equation):
    """x_{n-1} and X_n as independent two-point variables with any mean and spread."""
    a, mu, old, spread, sigma = sp.symbols("a mu old spread sigma", real=True)

    def check(formula):
        mean = sum(
            (old + i * spread + a * (mu + j * sigma - old - i * spread) - mu) ** 2
            for i, j in product((-1, 1), repeat=2)
        )
        before = ((old + spread - mu) ** 2 + (old - spread - mu) ** 2) / 2
        assert sp.expand(mean / 4 - formula(a, before, sigma**2)) == 0, "the mean squared error after a step"

    equation.holds(check, lambda a, before, var: (1 - a) ** 2 * before + a**2 * var)
    equation.rejects("weights not squared", check, lambda a, before, var: (1 - a) * before + a * var)
    equation.rejects("noise left out", check, lambda a, before, var: (1 - a) ** 2 * before)


@pytest.mark.equation("eq-b3-stops-short", way="closed form")
def test_stops_short(equation):
    def check(formula):
        weight = sp.Integer(1)
        for n in range(2, 40):
            weight *= 1 - sp.Rational(1, n**2)
            assert weight == formula(sp.Integer(n)), f"the weight of the first sample after {n} steps"

    equation.holds(check, lambda n: (n + 1) / (2 * n))
    equation.rejects("it goes to zero", check, lambda n: 1 / n)
    equation.rejects("exactly half", check, lambda n: sp.Rational(1, 2))


def lopsided_walk():
    """Two states between two ends: there is one path of each length from each of them, so all can be summed."""
    mdp = random_walk(2)
    policy = np.array([[0.5, 0.5], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
    return replace(mdp, gamma=0.9, start=np.array([0.0, 0.35, 0.65, 0.0])), policy


@pytest.mark.equation("eq-b3-mean-map", way="enumeration")
def test_mean_map(equation):
    """All paths of up to 60 steps, the steps of TD(0) one by one, against the equation for B and against `expected_td`."""
    (mdp, policy), values, step = lopsided_walk(), np.array([0.0, 0.4, -0.7, 0.0]), 0.3
    plain_mean, mean, square = np.zeros(4), np.zeros(4), np.zeros((4, 4))
    for s in (1, 2):
        for p, states, rewards in paths(mdp, policy, s, 60):
            plain, paid = values.copy(), values.copy()
            for here, after, reward in zip(states, states[1:], rewards, strict=False):
                plain[here] += step * (mdp.gamma * plain[after] - plain[here])
                paid[here] += step * (reward + mdp.gamma * paid[after] - paid[here])
            plain_mean += mdp.start[s] * p * plain
            mean += mdp.start[s] * p * paid
            square += mdp.start[s] * p * np.outer(paid, paid)

    def check(order):
        maps = np.tile(np.eye(4), (4, 1, 1))
        for _ in range(120):
            maps = np.array([np.eye(4) if s in (0, 3) else onward(order, maps, s) for s in range(4)])
        assert_close(np.einsum("s,sij,j->i", mdp.start, maps, values), plain_mean, "the mean map of an episode")

    def onward(order, maps, s):
        return sum(
            policy[s, a] * mdp.transitions[s, a, t] * order(maps[t], one_step(s, t))
            for a, t in product(range(2), range(4))
        )

    def one_step(s, t):
        return np.eye(4) + step * np.outer(np.eye(4)[s], mdp.gamma * np.eye(4)[t] - np.eye(4)[s])

    equation.holds(check, lambda later, now: later @ now)
    equation.rejects("factors exchanged", check, lambda later, now: now @ later)
    equation.rejects("sum for product", check, lambda later, now: later + now - np.eye(4))
    means, covariances = expected_td(mdp, policy, values, step, 1)
    assert_close(means[1], mean, "the mean after an episode")
    assert_close(covariances[1], square - np.outer(mean, mean), "the covariance after an episode")


def test_several_episodes_by_enumeration_of_pairs():
    """Mean and covariance of TD(0) after two episodes, over all pairs of paths."""
    mdp, policy = small_mdp(4, gamma=0.9)
    values, step = np.array([0.3, -0.4, 0.8, 0.1, 0.0]), 0.4
    single = [(mdp.start[s] * p, *path) for s in range(4) for p, *path in paths(mdp, policy, s)]
    mean, square = np.zeros(5), np.zeros((5, 5))
    for pair in product(single, repeat=2):
        table = values.copy()
        for _, states, rewards in pair:
            for here, after, reward in zip(states, states[1:], rewards, strict=False):
                table[here] += step * (reward + mdp.gamma * table[after] - table[here])
        weight = pair[0][0] * pair[1][0]
        mean += weight * table
        square += weight * np.outer(table, table)
    means, covariances = expected_td(mdp, policy, values, step, 2)
    assert_close(means[2], mean, "the mean after two episodes")
    assert_close(covariances[2], square - np.outer(mean, mean), "the covariance after two episodes")
    assert np.abs(means[2] - 2 * means[1] + means[0]).max() > 1e-3, "the second episode does not repeat the first"


@pytest.mark.equation("eq-b3-independent", way="enumeration")
def test_independent(equation):
    def check(formula):
        rng = np.random.default_rng(44)
        for mdp, policy, v, values in worlds():
            d, step = np.append(rng.dirichlet(np.ones(4)), 0.0), 0.3
            mean = np.zeros(5)
            for s, a, t in product(range(4), range(2), range(5)):
                table = values.copy()
                table[s] += step * (mdp.rewards[s, a] + mdp.gamma * values[t] - values[s])
                mean += d[s] * policy[s, a] * mdp.transitions[s, a, t] * table
            onward, reward = chain(mdp, policy)
            assert_close(
                formula(values, step, d, reward, mdp.gamma * onward), mean, "the mean after an independent step"
            )
            assert_close(formula(v, step, d, reward, mdp.gamma * onward), v, "and v is at rest")

    equation.holds(check, lambda v, a, d, r, p: v + a * d * (r + p @ v - v))
    equation.rejects("states equally often", check, lambda v, a, d, r, p: v + a / 5 * (r + p @ v - v))
    equation.rejects("own value kept", check, lambda v, a, d, r, p: v + a * d * (r + p @ v))
    equation.rejects("step left out", check, lambda v, a, d, r, p: v + d * (r + p @ v - v))


FIVE = Episodes(
    np.array([[0, 1, 2], *[[1, 2, 2]] * 4]),
    np.zeros((5, 2), int),
    np.array([[0.0, 0.0], *[[1.0, 0.0]] * 4]),
    np.array([[True, True], *[[True, False]] * 4]),
)


@pytest.mark.equation("eq-b3-example-batch", way="closed form")
def test_example_batch(equation):
    def check(monte_carlo, td):
        returns_of_0, rewards_of_1 = [Fraction(0)], [Fraction(n) for n in (0, 1, 1, 1, 1)]
        assert monte_carlo == sum(returns_of_0) / 1
        assert list(td) == [sum(rewards_of_1) / 5] * 2, "state 0 leads to state 1, which paid 4 in 5 visits"

    equation.holds(check, 0, (Fraction(4, 5), Fraction(4, 5)))
    equation.rejects("the other way round", check, Fraction(4, 5), (0, 0))
    equation.rejects("three evenings in four", check, 0, (Fraction(3, 4), Fraction(3, 4)))
    assert_close(batch_mc(FIVE, 3, 1.0), [0.0, 0.8, 0.0], "Monte Carlo on the five evenings")
    assert_close(batch_td(FIVE, np.zeros(3), 1.0, 0.15, 400), [0.8, 0.8, 0.0], "TD on the five evenings")


@pytest.mark.equation("eq-b3-certainty", way="enumeration")
def test_certainty(equation):
    """At rest the TD errors of each state sum to zero: added up step by step, over batches of random walks."""

    def check(solve):
        for seed in range(3):
            mdp, policy = small_mdp(seed)
            batch = episodes(mdp, policy, 12, np.random.default_rng(seed))
            table = solve(empirical_model(batch, 5), mdp.gamma)
            sums = np.zeros(5)
            for row in range(12):
                for t in np.flatnonzero(batch.mask[row]):
                    s, after = batch.states[row, t], batch.states[row, t + 1]
                    sums[s] += batch.rewards[row, t] + mdp.gamma * table[after] - table[s]
            assert_close(sums, np.zeros(5), "the sum of the TD errors of each state")
            settled = batch_td(batch, np.zeros(5), mdp.gamma, 0.05, 2000)
            assert_close(settled, table, "where batch TD comes to rest")

    def solve(model, gamma):
        return np.linalg.solve(np.eye(5) - gamma * model.transitions, model.rewards)

    equation.holds(check, solve)
    equation.rejects("no discount", check, lambda model, gamma: solve(model, 1.0))
    equation.rejects("rewards only", check, lambda model, gamma: model.rewards)
    turned = lambda model, gamma: solve(EmpiricalModel(model.transitions.T, *model[1:]), gamma)  # noqa: E731
    equation.rejects("transposed", check, turned)
