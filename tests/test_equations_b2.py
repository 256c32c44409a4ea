"""Chapter B2: values as sums over all episodes, operators on random vectors, and policies tried one by one."""

from itertools import product

import numpy as np
import pytest
import sympy as sp

from rlhw import laws
from rlhw.dynamic_programming import (
    bellman_expectation,
    bellman_optimality,
    discounted_visits,
    error_bound,
    greedy_policy,
    plant,
    solve_policy,
)
from rlhw.laws import assert_close
from rlhw.mdp import MDP

TOLERANCE = 1e-9


def processes(gammas=(0.35, 0.6, 0.9)):
    """Processes without an end, a policy each, and the generator: nothing in them is special."""
    rng = np.random.default_rng(12)
    for gamma in gammas:
        states, actions = int(rng.integers(3, 6)), int(rng.integers(2, 4))
        transitions = rng.dirichlet(np.ones(states), (states, actions))
        mdp = MDP(transitions, rng.normal(0.4, 1.0, (states, actions)), gamma, rng.dirichlet(np.ones(states)))
        yield mdp, rng.dirichlet(np.ones(actions), states), rng


def value_by_series(mdp, policy):
    """Σ γᵗ P_πᵗ r_π, the chain's matrix and rewards written out as sums: the definition, term by term."""
    chain = sum(policy[:, [a]] * mdp.transitions[:, a] for a in range(policy.shape[1]))
    mean = np.array(
        [sum(p * r for p, r in zip(ps, rs, strict=True)) for ps, rs in zip(policy, mdp.rewards, strict=True)]
    )
    value, law, power = np.zeros(len(mean)), np.eye(len(mean)), 1.0
    while power > 1e-14:
        value, law, power = value + power * law @ mean, law @ chain, power * mdp.gamma
    return value


def action_value_by_series(mdp, policy):
    """The first action given: a process whose first step is apart from all that follow."""
    later = value_by_series(mdp, policy)
    rows = [[np.average(later, weights=p) for p in ps] for ps in mdp.transitions]
    return mdp.rewards + mdp.gamma * np.array(rows)


def every_policy(mdp):
    """All policies with one action a state."""
    states, actions = mdp.rewards.shape
    return (np.eye(actions)[list(choice)] for choice in product(range(actions), repeat=states))


def best_value(mdp):
    return np.max([value_by_series(mdp, policy) for policy in every_policy(mdp)], axis=0)


@pytest.mark.equation("eq-b2-example-wait", way="symbolic")
def test_example_wait(equation):
    v, gamma = sp.Symbol("v"), sp.Rational(8, 10)

    def check(right_side, solution):
        assert sp.solve(sp.Eq(v, right_side), v) == [solution], "the plant's value solves the equation"
        policy = np.eye(2)[[0, 1, 0]]
        assert_close(float(solution), value_by_series(plant(), policy)[0], "summed over time it is the same", TOLERANCE)

    equation.holds(check, gamma * (sp.Rational(4, 2) + v / 2), sp.Rational(8, 3))
    equation.rejects("the second discount forgotten", check, gamma * sp.Rational(4, 2) + v / 2, sp.Rational(16, 5))
    equation.rejects("the day of picking not discounted", check, sp.Rational(4, 2) + gamma * v / 2, sp.Rational(10, 3))


def histories(mdp, policy, steps):
    """Every (states, actions) of so many steps with its probability."""
    rows = [((s,), (), p) for s, p in enumerate(mdp.start)]
    for _ in range(steps):
        rows = [
            ((*states, t), (*actions, a), p * policy[states[-1], a] * mdp.transitions[states[-1], a, t])
            for states, actions, p in rows
            for a in range(policy.shape[1])
            for t in range(len(policy))
        ]
    return rows


@pytest.mark.equation("eq-b2-markov", way="enumeration")
def test_markov(equation):
    mdp, policy, _ = next(processes())
    rows = histories(mdp, policy, 2)

    def check(seen):
        """The law of what is seen next, given all that was seen, is that given what was seen last."""
        whole, last = {}, {}
        for (s0, s1, s2), (a0, a1), p in rows:
            for table, key in ((whole, (seen(s0), a0, seen(s1), a1)), (last, (seen(s1), a1))):
                table.setdefault(key, np.zeros(len(policy)))[seen(s2)] += p
        for (_, _, state, action), joint in whole.items():
            known = last[state, action] / last[state, action].sum()
            assert_close(joint / joint.sum(), known, "the past adds nothing to the last state", TOLERANCE)
        if seen(2) == 2:
            expected = mdp.transitions[1, 0]
            assert_close(last[1, 0] / last[1, 0].sum(), expected, "and the law is the model's", TOLERANCE)

    equation.holds(check, lambda state: state)
    equation.rejects("an observation that two states share", check, lambda state: min(state, 1))


@pytest.mark.equation("eq-b2-survival", way="enumeration")
def test_survival(equation):
    rewards, gamma = np.array([0.7, -1.3, 2.1, 0.4, -0.6]), 0.65

    def check(discounted):
        """Over the number of steps made: n with probability γ^(n-1) (1 - γ), or all five."""
        steps = len(rewards)
        mean = sum(gamma ** (n - 1) * (1 - gamma) * rewards[:n].sum() for n in range(1, steps))
        mean += gamma ** (steps - 1) * rewards.sum()
        assert_close(discounted(rewards), mean, "the plain sum until the coin ends it, on average", TOLERANCE)

    equation.holds(check, lambda r: float(gamma ** np.arange(5) @ r))
    equation.rejects("discounted from the first step on", check, lambda r: float(gamma ** np.arange(1, 6) @ r))
    equation.rejects("times one minus gamma", check, lambda r: float((1 - gamma) * gamma ** np.arange(5) @ r))


@pytest.mark.equation("eq-b2-return-bound", way="closed form")
def test_return_bound(equation):
    def check(bound):
        for gamma in (0.0, 0.4, 0.95):
            rng = np.random.default_rng(3)
            for rewards in (rng.uniform(-1.7, 1.7, 2000), np.full(2000, -1.7)):
                total = abs(float(gamma ** np.arange(2000) @ rewards))
                assert total <= bound(1.7, gamma) + 1e-9, "no return is larger"
            assert abs(total - bound(1.7, gamma)) < 1e-9, "and it is attained"

    equation.holds(check, lambda greatest, gamma: greatest / (1 - gamma))
    equation.rejects("gamma on the first reward too", check, lambda greatest, gamma: gamma * greatest / (1 - gamma))
    equation.rejects("one plus gamma", check, lambda greatest, gamma: greatest / (1 + gamma))
    equation.rejects("looser than it need be", check, lambda greatest, gamma: greatest / (1 - gamma) ** 2)


@pytest.mark.equation("eq-b2-return", way="enumeration")
def test_return(equation):
    rewards, gamma = np.array([0.3, -1.1, 2.4, 0.9]), 0.7

    def check(step):
        found = 0.0
        for t in reversed(range(4)):
            found = step(rewards[t], found)
            whole = sum(gamma**k * rewards[t + k] for k in range(4 - t))
            assert_close(found, whole, "from the back: the reward and the discounted rest", TOLERANCE)

    equation.holds(check, lambda r, later: r + gamma * later)
    equation.rejects("the reward discounted too", check, lambda r, later: gamma * (r + later))
    equation.rejects("not discounted", check, lambda r, later: r + later)


def small_process():
    """Two states and a short-sighted discount: what comes after six steps is below the tolerance."""
    rng, gamma = np.random.default_rng(5), 0.05
    mdp = MDP(rng.dirichlet(np.ones(2), (2, 2)), rng.standard_normal((2, 2)), gamma, np.array([0.3, 0.7]))
    return mdp, rng.dirichlet(np.ones(2), 2)


def means_over_episodes(mdp, policy):
    """(v, q) from all episodes of six steps, one by one: the mean return by first state, and by first state and action."""
    total, weight = np.zeros((2, 2)), np.zeros((2, 2))
    for states, actions, p in histories(mdp, policy, 6):
        earned = sum(mdp.gamma**t * mdp.rewards[states[t], actions[t]] for t in range(6))
        total[states[0], actions[0]] += p * earned
        weight[states[0], actions[0]] += p
    return total.sum(axis=1) / weight.sum(axis=1), total / weight


@pytest.mark.equation("eq-b2-v-of-q", way="enumeration")
def test_v_of_q(equation):
    mdp, policy = small_process()
    v, q = means_over_episodes(mdp, policy)

    def check(mean):
        assert_close(mean(q), v, "the value is the mean of the action values", 1e-7)

    equation.holds(check, lambda q: (policy * q).sum(axis=1))
    equation.rejects("the greatest action value", check, lambda q: q.max(axis=1))
    equation.rejects("actions counted equally", check, lambda q: q.mean(axis=1))


@pytest.mark.equation("eq-b2-q-of-v", way="enumeration")
def test_q_of_v(equation):
    mdp, policy = small_process()
    v, q = means_over_episodes(mdp, policy)

    def check(worth):
        assert_close(
            worth(mdp.rewards, mdp.transitions, mdp.gamma, v), q, "an action is worth its reward and what follows", 1e-7
        )

    equation.holds(check, lambda r, p, gamma, v: r + gamma * p @ v)
    equation.rejects("gamma forgotten", check, lambda r, p, gamma, v: r + p @ v)
    equation.rejects("the value here, not there", check, lambda r, p, gamma, v: r + gamma * v[:, None])
    equation.rejects("the reward discounted too", check, lambda r, p, gamma, v: gamma * (r + p @ v))


@pytest.mark.equation("eq-b2-bellman", way="enumeration")
def test_bellman(equation):
    def check(backup):
        for mdp, policy, _ in processes():
            v = value_by_series(mdp, policy)
            assert_close(backup(mdp, policy, v), v, "the value of a policy is its fixed point", TOLERANCE)

    equation.holds(check, bellman_expectation)
    equation.holds(laws.check_bellman_expectation, as_arrays(bellman_expectation))
    equation.rejects(
        "the best action instead of the policy's", check, lambda mdp, policy, v: bellman_optimality(mdp, v)
    )
    doubled = lambda mdp, policy, v: 2 * bellman_expectation(mdp, policy, v) - (policy * mdp.rewards).sum(axis=1)  # noqa: E731
    equation.rejects("the future counted twice", check, doubled)


def as_arrays(fn):
    return lambda p, r, gamma, *rest: fn(MDP(p, r, gamma, np.full(len(r), 1 / len(r))), *rest)


def chain_of(mdp, policy):
    return np.einsum("sa,sat->st", policy, mdp.transitions), (policy * mdp.rewards).sum(axis=1)


@pytest.mark.equation("eq-b2-vector", way="enumeration")
def test_vector(equation):
    def check(right_side):
        for mdp, policy, _ in processes():
            v = value_by_series(mdp, policy)
            assert_close(
                right_side(*chain_of(mdp, policy), mdp.gamma, v), v, "v is r and the discounted chain on v", TOLERANCE
            )

    equation.holds(check, lambda chain, r, gamma, v: r + gamma * chain @ v)
    equation.rejects("chain transposed", check, lambda chain, r, gamma, v: r + gamma * chain.T @ v)
    equation.rejects("the chain on the reward too", check, lambda chain, r, gamma, v: chain @ (r + gamma * v))


@pytest.mark.equation("eq-b2-direct", way="enumeration")
def test_direct(equation):
    def check(solve):
        for mdp, policy, _ in processes():
            law = "the solve is the sum over time"
            assert_close(solve(*chain_of(mdp, policy), mdp.gamma), value_by_series(mdp, policy), law, TOLERANCE)

    def series(first):
        return lambda chain, r, gamma: sum(gamma**k * np.linalg.matrix_power(chain, k) @ r for k in range(first, 400))

    equation.holds(check, lambda chain, r, gamma: np.linalg.inv(np.eye(len(r)) - gamma * chain) @ r)
    equation.holds(check, series(0))
    equation.holds(laws.check_solve_policy, as_arrays(solve_policy))
    equation.rejects("plus for minus", check, lambda chain, r, gamma: np.linalg.inv(np.eye(len(r)) + gamma * chain) @ r)
    equation.rejects("not inverted", check, lambda chain, r, gamma: (np.eye(len(r)) - gamma * chain) @ r)
    equation.rejects("the sum from its second term", check, series(1))


@pytest.mark.equation("eq-b2-visits", way="enumeration")
def test_visits(equation):
    def check(visits):
        for mdp, policy, _ in processes():
            earned = float(visits(mdp, policy) @ chain_of(mdp, policy)[1])
            whole = float(mdp.start @ value_by_series(mdp, policy))
            assert_close(earned, whole, "what is earned is earned where one is", TOLERANCE)

    equation.holds(check, discounted_visits)
    equation.holds(
        laws.check_discounted_visits,
        lambda p, r, gamma, start, policy: discounted_visits(MDP(p, r, gamma, start), policy),
    )
    equation.rejects("made a law", check, lambda mdp, policy: (1 - mdp.gamma) * discounted_visits(mdp, policy))
    equation.rejects("only the start", check, lambda mdp, policy: mdp.start / (1 - mdp.gamma))


@pytest.mark.equation("eq-b2-contraction", way="closed form")
def test_contraction(equation):
    def check(factor, backup):
        rng = np.random.default_rng(8)
        for mdp, policy, _ in processes():
            for size in (0.1, 1.0, 30.0):
                u, w = size * rng.standard_normal((2, len(policy)))
                before, after = np.abs(u - w).max(), np.abs(backup(mdp, policy, u) - backup(mdp, policy, w)).max()
                assert after <= factor(mdp.gamma) * before * (1 + 1e-9), "distances shrink by the factor"
            after = np.abs(backup(mdp, policy, u + 1) - backup(mdp, policy, u)).max()
            assert after >= factor(mdp.gamma) * (1 - 1e-9), "and by no smaller one"

    best = lambda mdp, policy, v: bellman_optimality(mdp, v)  # noqa: E731
    equation.holds(check, lambda gamma: gamma, bellman_expectation)
    equation.holds(check, lambda gamma: gamma, best)
    equation.rejects("gamma squared", check, lambda gamma: gamma**2, best)
    equation.rejects("no better than one", check, lambda gamma: 1.0, best)
    summed = lambda mdp, policy, v: (mdp.rewards + mdp.gamma * mdp.transitions @ v).sum(axis=1)  # noqa: E731
    equation.rejects("actions summed", check, lambda gamma: gamma, summed)


@pytest.mark.equation("eq-b2-constant", way="closed form")
def test_constant(equation):
    def check(shift):
        for mdp, policy, rng in processes():
            v, c = rng.standard_normal(len(policy)), 1.7
            for backup in (lambda v: bellman_expectation(mdp, policy, v), lambda v: bellman_optimality(mdp, v)):  # noqa: B023
                law = "a constant comes out times gamma"
                assert_close(backup(v + c), backup(v) + shift(mdp.gamma, c), law, TOLERANCE)

    equation.holds(check, lambda gamma, c: gamma * c)
    equation.rejects("the constant as it is", check, lambda gamma, c: c)
    equation.rejects("times one minus gamma", check, lambda gamma, c: (1 - gamma) * c)


@pytest.mark.equation("eq-b2-geometric", way="enumeration")
def test_geometric(equation):
    def check(bound):
        for mdp, _, rng in processes():
            best = best_value(mdp)
            for start, sharp in ((5 * rng.standard_normal(len(best)), False), (best - 2.0, True)):
                v, first = start, np.abs(start - best).max()
                for k in range(1, 12):
                    v = bellman_optimality(mdp, v)
                    error, most = np.abs(v - best).max(), bound(mdp.gamma, k) * first
                    assert error <= most * (1 + 1e-6) + 1e-9, "after k sweeps the error is within the bound"
                    assert not sharp or error >= most * (1 - 1e-6) - 1e-9, "which a constant offset attains"

    equation.holds(check, lambda gamma, k: gamma**k)
    equation.rejects("one sweep ahead", check, lambda gamma, k: gamma ** (k + 1))
    equation.rejects("one sweep behind", check, lambda gamma, k: gamma ** (k - 1))
    equation.rejects("linear in the sweeps", check, lambda gamma, k: 1 / (1 + k * (1 - gamma)))


@pytest.mark.equation("eq-b2-optimality", way="enumeration")
def test_optimality(equation):
    def check(backup):
        for mdp, _, _ in processes():
            best = best_value(mdp)
            assert_close(backup(mdp, best), best, "the best of all policies is the fixed point", TOLERANCE)
            greedy = value_by_series(mdp, greedy_policy(mdp, best))
            assert_close(greedy, best, "and one greedy policy attains it in all states", TOLERANCE)

    equation.holds(check, bellman_optimality)
    equation.holds(laws.check_bellman_optimality, as_arrays(bellman_optimality))
    apart = lambda mdp, v: mdp.rewards.max(axis=1) + mdp.gamma * (mdp.transitions @ v).max(axis=1)  # noqa: E731
    equation.rejects("two maxima", check, apart)
    equation.rejects(
        "the mean over actions", check, lambda mdp, v: (mdp.rewards + mdp.gamma * mdp.transitions @ v).mean(axis=1)
    )
    equation.rejects("gamma forgotten", check, lambda mdp, v: (mdp.rewards + mdp.transitions @ v).max(axis=1))


@pytest.mark.equation("eq-b2-stopping", way="enumeration")
def test_stopping(equation):
    def check(bound):
        for mdp, _, rng in processes():
            best = best_value(mdp)
            for start, sharp in ((5 * rng.standard_normal(len(best)), False), (best + 3.0, True)):
                v = start
                for _ in range(6):
                    v, old = bellman_optimality(mdp, v), v
                    error, most = np.abs(v - best).max(), bound(mdp.gamma, np.abs(v - old).max())
                    assert error <= most * (1 + 1e-6), "the last change bounds the error"
                    assert not sharp or error >= most * (1 - 1e-6), "sharply where all values move together"

    equation.holds(check, lambda gamma, change: float(error_bound(gamma, float(change))))
    equation.rejects("the change itself", check, lambda gamma, change: change)
    equation.rejects("gamma left out", check, lambda gamma, change: change / (1 - gamma))
    equation.rejects("gamma over one plus gamma", check, lambda gamma, change: gamma / (1 + gamma) * change)


def trap(gamma, error):
    """Staying pays nothing; leaving pays a hair less than the wrong values hide. With those values, and what they are wrong by."""
    pay = 2 * gamma * error * (1 - 1e-9)
    stay, leave = np.eye(2)[[0, 1]], np.eye(2)[[1, 1]]
    mdp = MDP(np.stack([stay, leave], axis=1), np.array([[0.0, pay], [pay, pay]]), gamma, np.eye(2)[0])
    return mdp, best_value(mdp) + error * np.array([1.0, -1.0])


@pytest.mark.equation("eq-b2-greedy-loss", way="enumeration")
def test_greedy_loss(equation):
    def check(factor):
        def loss(mdp, v, best):
            return (best - solve_policy(mdp, greedy_policy(mdp, v))).max(), factor(mdp.gamma) * np.abs(v - best).max()

        for mdp, policy, rng in processes():
            best = best_value(mdp)
            for _ in range(10):
                lost, most = loss(mdp, best + 0.5 * rng.uniform(-1, 1, len(policy)), best)
                assert lost <= most + 1e-9, "a greedy policy loses no more than the bound"
        for gamma in (0.3, 0.8):
            mdp, wrong = trap(gamma, 0.7)
            lost, most = loss(mdp, wrong, best_value(mdp))
            assert most * (1 - 1e-6) <= lost <= most * (1 + 1e-6), "and there is one that loses all of it"

    equation.holds(check, lambda gamma: 2 * gamma / (1 - gamma))
    equation.rejects("without the two", check, lambda gamma: gamma / (1 - gamma))
    equation.rejects("without the gamma", check, lambda gamma: 2 / (1 - gamma))


@pytest.mark.equation("eq-b2-plant-sweeps", way="symbolic")
def test_plant_sweeps(equation):
    def check(formula):
        small, ripe = sp.Integer(0), sp.Integer(0)
        for k in range(1, 15):
            wait = sp.Rational(8, 10)
            small, ripe = sp.Max(1, wait * (small + ripe) / 2), sp.Max(4, wait * ripe)
            assert sp.simplify(small - formula(k)) == 0, "the small plant's value after k sweeps"

    third, share = sp.Rational(1, 3), sp.Rational(2, 5)
    equation.holds(check, lambda k: 8 * third - 5 * third * share ** (k - 1))
    equation.rejects("the discount as rate", check, lambda k: 8 * third - 5 * third * sp.Rational(4, 5) ** (k - 1))
    equation.rejects("one sweep early", check, lambda k: 8 * third - 5 * third * share**k)


@pytest.mark.equation("eq-b2-improvement", way="enumeration")
def test_improvement(equation):
    def check(is_better):
        for mdp, policy, _ in processes((0.4, 0.9)):
            q, v = action_value_by_series(mdp, policy), value_by_series(mdp, policy)
            found = [other for other in every_policy(mdp) if is_better(other, q, v)]
            assert found, "some policy is better for one step"
            for other in found:
                assert np.all(value_by_series(mdp, other) >= v - 1e-9), "better for one step, better for good"

    equation.holds(check, lambda other, q, v: np.all((other * q).sum(axis=1) >= v))
    equation.rejects("better in some state only", check, lambda other, q, v: np.any((other * q).sum(axis=1) >= v))
    equation.rejects("better on average over states", check, lambda other, q, v: np.sum(other * q) >= v.sum())


@pytest.mark.equation("eq-b2-rounds", way="enumeration")
def test_rounds(equation):
    def check(improve):
        for mdp, policy, rng in processes():
            best = best_value(mdp)
            for _ in range(6):
                policy = rng.dirichlet(0.5 * np.ones(policy.shape[1]), len(policy))
                v = value_by_series(mdp, policy)
                after = value_by_series(mdp, improve(mdp, policy, v))
                before, now = np.abs(best - v).max(), np.abs(best - after).max()
                assert now <= mdp.gamma * before * (1 + 1e-9), "a round gains as much as a sweep, or more"

    equation.holds(check, lambda mdp, policy, v: greedy_policy(mdp, v))
    equation.rejects(
        "greedy in the first state only",
        check,
        lambda mdp, policy, v: np.vstack([greedy_policy(mdp, v)[:1], policy[1:]]),
    )
    equation.rejects(
        "half a step towards greedy", check, lambda mdp, policy, v: (greedy_policy(mdp, v) + 9 * policy) / 10
    )
