"""Chapter B4: improvement and exploration by linear algebra, learners at rest, and importance sampling summed over episodes."""

from itertools import product

import numpy as np
import pytest
import sympy as sp

from rlhw import laws
from rlhw.control import expected_sarsa_target, q_learning_target, sarsa_target
from rlhw.dynamic_programming import action_values, bellman_expectation, policy_iteration, solve_policy
from rlhw.exact_episodes import enumerate_episodes, weight_second_moment, weighted_mean_and_variance
from rlhw.exploration import epsilon_soft, inverse_visits, softened
from rlhw.laws import assert_close
from rlhw.mdp import MDP
from rlhw.off_policy import corrected_error, corrected_target, discounted_return, importance_weights, taken
from rlhw.worlds import random_mdp

TOLERANCE = 1e-8


def models(count=4, actions=3):
    """Random models of four states, with a soft policy and the softness."""
    rng = np.random.default_rng(21)
    for _ in range(count):
        mdp, epsilon = random_mdp(4, actions, rng, gamma=0.8), float(rng.uniform(0.1, 0.6))
        yield mdp, epsilon / actions + (1 - epsilon) * rng.dirichlet(np.ones(actions), size=4), epsilon


@pytest.mark.equation("eq-b4-one-step", way="enumeration")
def test_one_step(equation):
    def check(improve):
        for mdp, policy, epsilon in models():
            v = solve_policy(mdp, policy)
            q = action_values(mdp, v)
            better = improve(q, epsilon)
            assert_close(better.sum(axis=1), np.ones(4), "the improved policy is one", TOLERANCE)
            assert np.all((better * q).sum(axis=1) >= v - 1e-12), "one step of the improved policy is worth less"

    equation.holds(check, lambda q, e: epsilon_soft(q, np.full(4, e)))
    equation.rejects("greedy for the worst", check, lambda q, e: epsilon_soft(-q, np.full(4, e)))
    equation.rejects("more exploration than before", check, lambda q, e: np.full(q.shape, 1 / q.shape[1]))
    equation.rejects("ε taken for 1 - ε", check, lambda q, e: epsilon_soft(q, np.full(4, min(1.0, 1.2 - e))))


@pytest.mark.equation("eq-b4-improvement", way="enumeration")
def test_improvement(equation):
    def check(improve):
        for mdp, policy, epsilon in models(8):
            v = solve_policy(mdp, policy)
            after = solve_policy(mdp, improve(action_values(mdp, v), mdp, epsilon))
            assert np.all(after >= v - 1e-12), "somewhere the improved policy is worse"
            assert np.any(after > v + 1e-6), "nowhere is it better"

    equation.holds(check, lambda q, mdp, e: epsilon_soft(q, np.full(4, e)))
    equation.rejects("exploring for sure", check, lambda q, mdp, e: np.full(q.shape, 1 / 3))
    equation.rejects("greedy for the worst", check, lambda q, mdp, e: epsilon_soft(-q, np.full(4, e)))


@pytest.mark.equation("eq-b4-soft-optimality", way="enumeration")
def test_soft_optimality(equation):
    """The best over all 3⁴ policies that are soft round a sure choice solves the equation, and no other value does."""

    def check(backup):
        for mdp, _, epsilon in models(2):
            choices = product(range(3), repeat=4)
            values = [solve_policy(mdp, epsilon / 3 + (1 - epsilon) * np.eye(3)[list(c)]) for c in choices]
            best = np.max(values, axis=0)
            assert_close(backup(action_values(mdp, best), epsilon), best, "the best soft values are at rest", TOLERANCE)

    def right(q, e):
        return (1 - e) * q.max(axis=1) + e * q.mean(axis=1)

    equation.holds(check, right)
    equation.rejects("no exploration", check, lambda q, e: q.max(axis=1))
    equation.rejects("ε for 1 - ε", check, lambda q, e: right(q, 1 - e))
    equation.rejects("sum for mean", check, lambda q, e: (1 - e) * q.max(axis=1) + e * q.sum(axis=1))


@pytest.mark.equation("eq-b4-visits-ever", way="symbolic")
def test_visits_ever(equation):
    k = sp.Symbol("k", positive=True, integer=True)

    def check(total, term):
        assert sp.simplify(sp.Sum(term, (k, 1, sp.oo)).doit() - total) == 0
        assert abs(float(total) - 0.411) < 5e-4

    right = sp.pi**2 / 24
    equation.holds(check, right, (1 / (2 * k)) ** 2)
    equation.rejects("the actions forgotten", check, sp.pi**2 / 6, (1 / (2 * k)) ** 2)
    equation.rejects("one coin for both steps", check, right, 1 / (4 * k * (k + 1)))


@pytest.mark.equation("eq-b4-never", way="closed form")
def test_never(equation):
    """A million factors, and what is left: the product of 1 - 1/(4k²) over k > N is 1 - 1/(4N) to an error of order 1/N²."""
    k = np.arange(1.0, 1_000_001)
    product_of_all = float(np.prod(1 - 1 / (4 * k**2))) * (1 - 1 / (4 * len(k)))

    def check(total):
        assert_close(float(total), product_of_all, "the probability of never", TOLERANCE)
        assert abs(float(total) - 0.637) < 5e-4

    equation.holds(check, 2 / sp.pi)
    equation.rejects("one minus the expectation", check, 1 - sp.pi**2 / 24)
    equation.rejects("exponential of it", check, sp.exp(-(sp.pi**2) / 24))


@pytest.mark.equation("eq-b4-tries", way="closed form")
def test_tries(equation):
    def check(bound):
        for c, actions in ((0.3, 2), (1.0, 3), (7.0, 4)):
            visits = np.arange(1, 5001)
            tries = np.cumsum(inverse_visits(c)(visits)) / actions
            lowest = np.array([bound(c, actions, n) for n in visits])
            assert np.all(tries >= lowest - 1e-12), "there are fewer tries than the bound says"
            assert bound(c, actions, 10**9) > 2 * bound(c, actions, 30_000) * 0.9, "the bound does not grow on"

    equation.holds(check, lambda c, a, n: min(1, c) / a * np.log(n + 1))
    equation.rejects("c not cut at one", check, lambda c, a, n: c / a * np.log(n + 1))
    equation.rejects("the actions forgotten", check, lambda c, a, n: min(1, c) * np.log(n + 1))
    equation.rejects("a bound that stops", check, lambda c, a, n: min(1, c) / a * (1 - 1 / (n + 1)) * 0.5)


@pytest.mark.equation("eq-b4-mc-mean", way="closed form")
def test_mc_mean(equation):
    returns = np.random.default_rng(22).standard_normal(8)

    def check(rate):
        for n in range(2, 9):
            q = returns[: n - 1].mean()
            assert_close(q + rate(n) * (returns[n - 1] - q), returns[:n].mean(), f"the mean of {n} returns")

    equation.holds(check, lambda n: 1 / n)
    equation.rejects("one too many", check, lambda n: 1 / (n + 1))
    equation.rejects("earlier returns counted", check, lambda n: 1 / (n - 1))


def expected_errors(mdp, q, target):
    """E[target - q] for every pair, summed over the next state and the next action; target(r, row of q, a', γ) is a number."""
    found = np.zeros(q.shape)
    for s, a in np.ndindex(q.shape):
        for after, chance in enumerate(mdp.transitions[s, a]):
            found[s, a] += chance * (target(mdp.rewards[s, a], q[after]) - q[s, a])
    return found


@pytest.mark.equation("eq-b4-sarsa-rest", way="enumeration")
def test_sarsa_rest(equation):
    def check(values):
        for mdp, _, epsilon in models(2):
            q = values(mdp, epsilon)

            def target(reward, row, e=epsilon, gamma=mdp.gamma):
                law = epsilon_soft(row[None], np.array([e]))[0]
                drawn = [sarsa_target(np.array([reward]), row[None], np.array([b]), gamma)[0] for b in range(3)]
                return float(law @ drawn)

            assert_close(expected_errors(mdp, q, target), np.zeros(q.shape), "the mean error is zero there", TOLERANCE)

    equation.holds(check, lambda mdp, e: action_values(mdp, policy_iteration(softened(mdp, e))[0]))
    equation.rejects("q*", check, lambda mdp, e: action_values(mdp, policy_iteration(mdp)[0]))
    equation.rejects(
        "the uniform policy's values",
        check,
        lambda mdp, e: action_values(mdp, solve_policy(mdp, np.full((4, 3), 1 / 3))),
    )


@pytest.mark.equation("eq-b4-sarsa-variance", way="enumeration")
def test_sarsa_variance(equation):
    def check(second):
        for mdp, policy, _ in models(2):
            q = np.random.default_rng(23).standard_normal((4, 3))
            for s, a in np.ndindex(4, 3):
                chances = mdp.transitions[s, a][:, None] * policy
                drawn = mdp.rewards[s, a] + mdp.gamma * q
                whole = float((chances * drawn**2).sum() - (chances * drawn).sum() ** 2)
                rows = np.full(4, mdp.rewards[s, a])
                smooth = expected_sarsa_target(rows, q, policy, mdp.gamma)
                p = mdp.transitions[s, a]
                first = float(p @ smooth**2 - (p @ smooth) ** 2)
                within = float(p @ ((policy * q**2).sum(axis=1) - (policy * q).sum(axis=1) ** 2))
                assert_close(first + second(mdp.gamma, within), whole, "the variance of SARSA's error", TOLERANCE)

    equation.holds(check, lambda gamma, within: gamma**2 * within)
    equation.rejects("γ not squared", check, lambda gamma, within: gamma * within)
    equation.rejects("nothing lost", check, lambda gamma, within: 0.0)


@pytest.mark.equation("eq-b4-q-rest", way="enumeration")
def test_q_rest(equation):
    """q* as the greatest q of all 3⁴ sure policies."""

    def check(target):
        for mdp, _, _ in models(2):
            policies = [np.eye(3)[list(choice)] for choice in product(range(3), repeat=4)]
            q = np.max([action_values(mdp, solve_policy(mdp, policy)) for policy in policies], axis=0)
            errors = expected_errors(mdp, q, lambda r, row, g=mdp.gamma: target(np.array([r]), row[None], g)[0])
            assert_close(errors, np.zeros(q.shape), "q* is at rest", TOLERANCE)

    equation.holds(check, q_learning_target)
    equation.rejects("γ forgotten", check, lambda r, q, gamma: r + q.max(axis=1))
    equation.rejects("mean for maximum", check, lambda r, q, gamma: r + gamma * q.mean(axis=1))


@pytest.mark.equation("eq-b4-robbins-monro", way="symbolic")
def test_robbins_monro(equation):
    n = sp.Symbol("n", positive=True, integer=True)

    def check(inside):
        for x in (sp.Rational(2, 5), sp.Rational(1, 2), sp.Rational(3, 5), 1, sp.Rational(11, 10)):
            steps = sp.Sum(n**-x, (n, 1, sp.oo)).is_convergent()
            squares = sp.Sum(n ** (-2 * x), (n, 1, sp.oo)).is_convergent()
            assert (not steps and bool(squares)) == inside(x), f"the window is wrong at {x}"

    equation.holds(check, lambda x: sp.Rational(1, 2) < x <= 1)
    equation.rejects("half included", check, lambda x: sp.Rational(1, 2) <= x <= 1)
    equation.rejects("one left out", check, lambda x: sp.Rational(1, 2) < x < 1)
    equation.rejects("everything up to one", check, lambda x: x <= 1)


def two_policies(cover=True):
    """A small model, a target, and a behavior that covers it (or leaves out one action of state 1)."""
    rng = np.random.default_rng(24)
    mdp = random_mdp(3, 2, rng, gamma=0.7)
    target, behavior = rng.dirichlet(2 * np.ones(2), size=3), rng.dirichlet(2 * np.ones(2), size=3)
    if not cover:
        behavior[1] = [1.0, 0.0]
    return mdp, target, behavior


def odd_function(episodes):
    """Some number of every episode that depends on all of it."""
    places = np.arange(episodes.states.shape[1])
    return np.sin(episodes.states @ (1.3 + places)) + episodes.rewards.sum(axis=1) * np.cos(
        episodes.actions.sum(axis=1)
    )


def weighed(mdp, target, behavior, horizon=3):
    chances, episodes = enumerate_episodes(mdp, behavior, horizon)
    return chances, episodes, importance_weights(taken(target, episodes), taken(behavior, episodes))


@pytest.mark.equation("eq-b4-change-of-law", way="enumeration")
def test_change_of_law(equation):
    def check(weights):
        mdp, target, behavior = two_policies()
        chances, episodes, _ = weighed(mdp, target, behavior)
        own, under = enumerate_episodes(mdp, target, 3)
        wanted = own @ odd_function(under)
        got = chances @ (weights(taken(target, episodes), taken(behavior, episodes)) * odd_function(episodes))
        assert_close(got, wanted, "the weighted mean under μ is the mean under π", TOLERANCE)

    equation.holds(check, lambda pi, mu: np.prod(pi / mu, axis=1))
    equation.rejects("upside down", check, lambda pi, mu: np.prod(mu / pi, axis=1))
    equation.rejects("last ratio only", check, lambda pi, mu: pi[:, -1] / mu[:, -1])
    equation.rejects("no weight", check, lambda pi, mu: np.ones(len(pi)))


@pytest.mark.equation("eq-b4-no-coverage", way="enumeration")
def test_no_coverage(equation):
    def check(kept):
        mdp, target, behavior = two_policies(cover=False)
        chances, episodes, weights = weighed(mdp, target, behavior)
        own, under = enumerate_episodes(mdp, target, 3)
        wanted = own @ (odd_function(under) * kept(taken(behavior, under)))
        assert_close(
            chances @ (weights[:, -1] * odd_function(episodes)), wanted, "what is left without coverage", TOLERANCE
        )

    equation.holds(check, lambda mu: np.all(mu > 0, axis=1))
    equation.rejects("nothing is lost", check, lambda mu: np.ones(len(mu)))
    equation.rejects("covered at some step", check, lambda mu: np.any(mu > 0, axis=1))


@pytest.mark.equation("eq-b4-per-decision", way="enumeration")
def test_per_decision(equation):
    def check(weight):
        mdp, target, behavior = two_policies()
        chances, episodes, weights = weighed(mdp, target, behavior, 4)
        for t in range(4):
            whole = chances @ (weights[:, -1] * episodes.rewards[:, t])
            got = chances @ (weight(weights, t) * episodes.rewards[:, t])
            assert_close(got, whole, "later ratios leave the mean as it is", TOLERANCE)

    equation.holds(check, lambda w, t: w[:, t])
    equation.rejects("one step late", check, lambda w, t: w[:, t - 1] if t else np.ones(len(w)))
    equation.rejects("own ratio only", check, lambda w, t: w[:, t] / (w[:, t - 1] if t else 1.0))


@pytest.mark.equation("eq-b4-one-episode", way="enumeration")
def test_one_episode(equation):
    def check(policy):
        mdp, target, behavior = two_policies()
        chances, episodes, weights = weighed(mdp, target, behavior)
        returns = discounted_return(episodes.rewards, mdp.gamma)
        mean, _ = weighted_mean_and_variance(chances, weights[:, -1], returns, 1)
        own, under = enumerate_episodes(mdp, policy(target, behavior), 3)
        wanted = own @ discounted_return(under.rewards, mdp.gamma)
        assert_close(mean, wanted, "one weight over itself is one", TOLERANCE)

    equation.holds(check, lambda target, behavior: behavior)
    equation.rejects("the target's value", check, lambda target, behavior: target)
    equation.rejects("half way", check, lambda target, behavior: (target + behavior) / 2)


def one_state(rng):
    target, behavior = rng.dirichlet(np.ones(3)), rng.dirichlet(2 * np.ones(3))
    return MDP(np.ones((1, 3, 1)), rng.standard_normal((1, 3)), 0.9, np.ones(1)), target, behavior


@pytest.mark.equation("eq-b4-weight-variance", way="enumeration")
def test_weight_variance(equation):
    def check(formula):
        rng = np.random.default_rng(25)
        for horizon in (1, 2, 4):
            mdp, target, behavior = one_state(rng)
            chances, _, weights = weighed(mdp, target[None], behavior[None], horizon)
            assert_close(chances @ weights[:, -1], 1.0, "the mean weight is one", TOLERANCE)
            spread = chances @ (weights[:, -1] - 1) ** 2
            assert_close(formula(target, behavior, horizon), spread, "the variance of the weight", TOLERANCE)

    equation.holds(check, lambda pi, mu, t: (pi**2 / mu).sum() ** t - 1)
    equation.rejects("horizon times one step", check, lambda pi, mu, t: t * ((pi**2 / mu).sum() - 1))
    equation.rejects("policies exchanged", check, lambda pi, mu, t: (mu**2 / pi).sum() ** t - 1)
    equation.rejects("second moment", check, lambda pi, mu, t: (pi**2 / mu).sum() ** t)


@pytest.mark.equation("eq-b4-second-moment", way="enumeration")
def test_second_moment(equation):
    def check(factor):
        mdp, target, behavior = two_policies()
        for horizon in (1, 2, 4):
            chances, _, weights = weighed(mdp, target, behavior, horizon)
            m = np.ones(3)
            for _ in range(horizon):
                m = (factor(target, behavior) * (mdp.transitions @ m)).sum(axis=1)
            assert_close(mdp.start @ m, chances @ weights[:, -1] ** 2, "the second moment, backwards", TOLERANCE)
            assert_close(
                weight_second_moment(mdp, target, behavior, horizon), mdp.start @ m, "the library's", TOLERANCE
            )

    equation.holds(check, lambda pi, mu: pi**2 / mu)
    equation.rejects("first moment", check, lambda pi, mu: pi)
    equation.rejects("ratio squared under the target", check, lambda pi, mu: pi**3 / mu**2)


@pytest.mark.equation("eq-b4-typical-weight", way="enumeration")
def test_typical_weight(equation):
    def check(formula):
        rng = np.random.default_rng(26)
        for horizon in (1, 2, 4):
            mdp, target, behavior = one_state(rng)
            chances, _, weights = weighed(mdp, target[None], behavior[None], horizon)
            mean = chances @ np.log(weights[:, -1])
            assert_close(formula(target, behavior, horizon), mean, "the mean logarithm of the weight", TOLERANCE)

    equation.holds(check, lambda pi, mu, t: -t * (mu * np.log(mu / pi)).sum())
    equation.rejects("the other divergence", check, lambda pi, mu, t: -t * (pi * np.log(pi / mu)).sum())
    equation.rejects("sign flipped", check, lambda pi, mu, t: t * (mu * np.log(mu / pi)).sum())
    equation.rejects("horizon forgotten", check, lambda pi, mu, t: -(mu * np.log(mu / pi)).sum())


def steps_from(mdp, behavior, target, values, s):
    """All steps from s under μ: probabilities, and what the corrections take."""
    chances = (behavior[s][:, None] * mdp.transitions[s]).ravel()
    states, actions = len(values), behavior.shape[1]
    after, rewards = np.tile(values, actions), np.repeat(mdp.rewards[s], states)
    ratios = np.repeat(target[s] / behavior[s], states)
    return chances, (np.full(len(chances), values[s]), after, rewards, ratios, mdp.gamma)


@pytest.mark.equation("eq-b4-equal-means", way="enumeration")
def test_equal_means(equation):
    def check(error):
        mdp, target, behavior = two_policies()
        values = np.random.default_rng(27).standard_normal(3)
        wanted = bellman_expectation(mdp, target, values) - values
        for s in range(3):
            chances, inputs = steps_from(mdp, behavior, target, values, s)
            assert_close(chances @ error(*inputs), wanted[s], "the mean step is that of the target policy", TOLERANCE)

    equation.holds(check, corrected_error)
    equation.holds(check, corrected_target)
    equation.rejects("no ratio", check, lambda v, after, r, rho, g: r + g * after - v)
    equation.rejects("reward without a ratio", check, lambda v, after, r, rho, g: r + rho * g * after - v)
    equation.rejects("ratio upside down", check, lambda v, after, r, rho, g: (r + g * after - v) / rho)


@pytest.mark.equation("eq-b4-two-variances", way="enumeration")
def test_two_variances(equation):
    def moments(p, x):
        return p @ x, p @ x**2 - (p @ x) ** 2

    def check(first, second):
        mdp, target, behavior = two_policies()
        values = 2.0 + np.random.default_rng(28).standard_normal(3)
        for s in range(3):
            p, inputs = steps_from(mdp, behavior, target, values, s)
            v, after, rewards, rho, gamma = inputs
            x = rho * (rewards + gamma * after)
            parts = moments(p, x)[1], p @ (x * rho) - p @ x * (p @ rho), moments(p, rho)[1], v[0]
            assert_close(first(*parts), moments(p, corrected_target(*inputs))[1], "target by its ratio", TOLERANCE)
            assert_close(second(*parts), moments(p, corrected_error(*inputs))[1], "error by its ratio", TOLERANCE)

    def whole(var, cov, spread, v):
        return var - 2 * v * cov + v**2 * spread

    equation.holds(check, lambda var, cov, spread, v: var, whole)
    equation.rejects("the same for both", check, lambda var, cov, spread, v: var, lambda var, cov, spread, v: var)
    equation.rejects("exchanged", check, whole, lambda var, cov, spread, v: var)
    equation.rejects(
        "covariance once", check, lambda var, *_: var, lambda var, cov, spread, v: var - v * cov + v**2 * spread
    )


def test_laws_are_used_where_a_formula_has_one():
    """The targets that stand in these equations are the library's, and hold their laws."""
    laws.check_q_learning_target(q_learning_target)
    laws.check_sarsa_target(sarsa_target)
