"""Chapter B6: policy gradients on the plant and on random worlds, by sums in time, enumeration and central differences."""

from fractions import Fraction

import numpy as np
import pytest

from rlhw.actor_critic import gae, policy_gradient
from rlhw.dynamic_programming import plant
from rlhw.laws import assert_close, check_numpy_gae, numerical_gradient
from rlhw.laws.actor_critic import (
    advantages_in_time,
    all_episodes,
    decision_worlds,
    earned_in_time,
    live,
    policy_of,
    short_world,
    visits_in_time,
    worth_in_time,
)
from rlhw.laws.trust_region import kl_by_definition
from rlhw.mdp import MDP

LOOSE = 1e-7  # for central differences


def slope(world, logits):
    """The gradient of J by central differences."""
    return numerical_gradient(lambda z: earned_in_time(world, z), logits, step=1e-5)


def chain_of(world, policy):
    return np.einsum("sa,sat->st", policy, world[0])


def visits_before_the_end(world, policy):
    return np.where(live(world), visits_in_time(world, policy), 0.0)


@pytest.mark.equation("eq-b6-plant-values", way="closed form")
def test_plant_values(equation):
    def check(ripe, small):
        half, gamma = Fraction(1, 2), Fraction(4, 5)
        assert ripe == half * gamma * ripe + half * 4
        assert small == half * gamma * (half * small + half * ripe) + half * 1
        world = plant(0.8)
        known = worth_in_time((world.transitions, world.rewards, 0.8, world.start), np.full((3, 2), 0.5))
        assert_close([float(small), float(ripe)], known[:2], "the values of the plant")

    equation.holds(check, Fraction(10, 3), Fraction(35, 24))
    equation.rejects("value of picking at once", check, Fraction(10, 3), Fraction(1))
    equation.rejects("not discounted", check, Fraction(4), Fraction(5, 2))


@pytest.mark.equation("eq-b6-plant-gradient", way="finite difference")
def test_plant_gradient(equation):
    world = plant(0.8)

    def check(small_wait, ripe_pick):
        exact = slope((world.transitions, world.rewards, 0.8, world.start), np.zeros((3, 2)))
        assert_close([small_wait, ripe_pick], [exact[0, 0], exact[1, 1]], "the plant's gradient", LOOSE)

    equation.holds(check, 5 / 4 * 1 / 2 * 11 / 24, 5 / 12 * 1 / 2 * 2 / 3)
    assert Fraction(5, 4) * Fraction(1, 2) * Fraction(11, 24) == Fraction(55, 192)
    assert Fraction(5, 12) * Fraction(1, 2) * Fraction(2, 3) == Fraction(5, 36)
    equation.rejects("visits not discounted", check, 4 / 3 * 1 / 2 * 11 / 24, 2 / 3 * 1 / 2 * 2 / 3)
    equation.rejects("probability forgotten", check, 5 / 4 * 11 / 24, 5 / 12 * 2 / 3)


@pytest.mark.equation("eq-b6-earned", way="enumeration")
def test_earned(equation):
    def check(formula):
        """J by all episodes of the short world, one after the other."""
        rng = np.random.default_rng(0)
        world = short_world()
        for _ in range(3):
            policy = policy_of(rng.standard_normal((5, 2)))
            chances, (_, _, rewards, mask) = all_episodes(policy)
            earned = np.where(mask, rewards, 0.0) @ world[2] ** np.arange(2)
            got = formula(visits_before_the_end(world, policy), policy, world[1], world[3])
            assert_close(got, chances @ earned, "J is what is earned where one is")

    equation.holds(check, lambda d, policy, r, start: d @ np.sum(policy * r, axis=1))
    equation.rejects("start law for the visits", check, lambda d, policy, r, start: start @ np.sum(policy * r, axis=1))
    equation.rejects("normalised", check, lambda d, policy, r, start: d / d.sum() @ np.sum(policy * r, axis=1))


def gradient_of_policy(policy):
    """∂π(a|s)/∂θ_sb "S A A" for a table of logits."""
    return np.eye(policy.shape[1]) * policy[:, None] - policy[:, :, None] * policy[:, None]


@pytest.mark.equation("eq-b6-theorem", way="finite difference")
def test_theorem(equation):
    def check(formula):
        for world, logits, _ in decision_worlds():
            policy = policy_of(logits)
            values = worth_in_time(world, policy)
            q = world[1] + world[2] * world[0] @ values
            got = formula(visits_before_the_end(world, policy), q, policy, world)
            assert_close(got, slope(world, logits), "the theorem gives the gradient of J", LOOSE)

    def right(d, q, policy, world):
        return d[:, None] * np.einsum("sa,sab->sb", q, gradient_of_policy(policy))

    def rewards_only(d, q, policy, world):
        return d[:, None] * np.einsum("sa,sab->sb", world[1], gradient_of_policy(policy))

    equation.holds(check, right)
    equation.rejects("reward of now for q", check, rewards_only)
    equation.rejects("start law for the visits", check, lambda d, q, policy, world: right(world[3], q, policy, world))
    equation.rejects("visits normalised", check, lambda d, q, policy, world: right(d / d.sum(), q, policy, world))
    wrong = lambda d, q, policy, world: d[:, None] * policy * q  # noqa: E731
    equation.rejects("probability for its gradient", check, wrong)


@pytest.mark.equation("eq-b6-unrolled", way="finite difference")
def test_unrolled(equation):
    def check(later):
        """For one direction of all logits at once, state by state."""
        for world, logits, rng in decision_worlds():
            policy, way = policy_of(logits), rng.standard_normal(logits.shape)
            tilt = np.einsum("sab,sb->sa", gradient_of_policy(policy), way)
            ahead = worth_in_time(world, policy_of(logits + 1e-5 * way))
            slopes = (ahead - worth_in_time(world, policy_of(logits - 1e-5 * way))) / 2e-5
            q = world[1] + world[2] * world[0] @ worth_in_time(world, policy)
            got = np.sum(q * tilt, axis=1) + later(world[2], chain_of(world, policy), slopes)
            assert_close(got, slopes, "the gradient of v obeys a Bellman equation", LOOSE)

    equation.holds(check, lambda gamma, chain, slopes: gamma * chain @ slopes)
    equation.rejects("what comes later left out", check, lambda gamma, chain, slopes: 0 * slopes)
    equation.rejects("not discounted", check, lambda gamma, chain, slopes: chain @ slopes)
    equation.rejects("backwards", check, lambda gamma, chain, slopes: gamma * chain.T @ slopes)


def mean_update(logits, weight):
    """E over all episodes of the short world of Σ_t weight(t, rewards of the episode, s, a) ∇ log π(a_t|s_t)."""
    policy = policy_of(logits)
    chances, (states, actions, rewards, mask) = all_episodes(policy)
    total = np.zeros(logits.shape)
    for chance, s, a, r, m in zip(chances, states, actions, rewards, mask, strict=True):
        for t in range(int(m.sum())):
            score = np.eye(2)[a[t]] - policy[s[t]]
            total[s[t]] += chance * weight(t, r[: int(m.sum())], int(s[t]), int(a[t])) * score
    return total


@pytest.mark.equation("eq-b6-expectation", way="enumeration")
def test_expectation(equation):
    world = short_world()
    gamma, logits = world[2], np.random.default_rng(3).standard_normal((5, 2))
    advantages, values = advantages_in_time(world, policy_of(logits)), worth_in_time(world, policy_of(logits))
    q = advantages + values[:, None]

    def check(weight):
        law = "the mean over episodes is the gradient of J"
        assert_close(mean_update(logits, weight), slope(world, logits), law, LOOSE)

    equation.holds(check, lambda t, r, s, a: gamma**t * q[s, a])
    equation.rejects("without gamma to the t", check, lambda t, r, s, a: q[s, a])
    equation.rejects("value for action value", check, lambda t, r, s, a: gamma**t * values[s])


@pytest.mark.equation("eq-b6-table", way="finite difference")
def test_table(equation):
    def check(formula):
        for world, logits, _ in decision_worlds():
            policy = policy_of(logits)
            got = formula(visits_before_the_end(world, policy)[:, None], policy, advantages_in_time(world, policy))
            assert_close(got, slope(world, logits), "visits times probability times advantage", LOOSE)
            assert_close(policy_gradient(MDP(*world), logits), slope(world, logits), "the library's", LOOSE)

    equation.holds(check, lambda d, policy, advantages: d * policy * advantages)
    equation.rejects("probability forgotten", check, lambda d, policy, advantages: d * advantages)
    equation.rejects("visits forgotten", check, lambda d, policy, advantages: policy * advantages)
    equation.rejects("sign flipped", check, lambda d, policy, advantages: -d * policy * advantages)


def alike():
    """Two states that look alike, then the end: (transitions, rewards, gamma, start); action 1 is right."""
    transitions = np.zeros((3, 2, 3))
    transitions[0, :, 1] = transitions[1:, :, 2] = 1.0
    return transitions, np.array([[0.0, 3.1], [0.0, -3.4], [0.0, 0.0]]), 0.9, np.eye(3)[0]


@pytest.mark.equation("eq-b6-sign-flip", way="finite difference")
def test_sign_flip(equation):
    world, logit = alike(), np.log(0.7 / 0.3)

    def earned(theta):
        return earned_in_time(world, np.tile([0.0, float(theta[0])], (3, 1)))

    def check(with_gamma, without):
        assert_close(with_gamma, numerical_gradient(earned, np.array([logit]))[0], "the gradient", LOOSE)
        policy = np.tile([0.3, 0.7], (3, 1))
        flat = np.array([1.0, 1.0, 0.0])[:, None] * policy * advantages_in_time(world, policy)
        assert_close(without, flat[:, 1].sum(), "the sum without gamma to the t")
        assert with_gamma > 0 > without, "the signs differ"

    equation.holds(check, 0.7 * 0.3 * (3.1 - 0.9 * 3.4), 0.7 * 0.3 * (3.1 - 3.4))
    assert round(0.7 * 0.3 * (3.1 - 0.9 * 3.4), 4) == 0.0084
    assert round(0.7 * 0.3 * (3.1 - 3.4), 3) == -0.063
    equation.rejects("the two exchanged", check, 0.7 * 0.3 * (3.1 - 3.4), 0.7 * 0.3 * (3.1 - 0.9 * 3.4))
    equation.rejects("discounted twice", check, 0.7 * 0.3 * (3.1 - 0.81 * 3.4), 0.7 * 0.3 * (3.1 - 3.4))


@pytest.mark.equation("eq-b6-past", way="enumeration")
def test_past(equation):
    logits = np.random.default_rng(4).standard_normal((5, 2))

    def check(weight):
        """Pairs of a reward and the score of a choice, each pair for itself."""
        assert_close(mean_update(logits, weight), np.zeros((5, 2)), "what was earned before a choice drops out")

    equation.holds(check, lambda t, r, s, a: r[0] if t == 1 else 0.0)
    equation.rejects("the reward of the choice itself", check, lambda t, r, s, a: r[t])
    equation.rejects("a reward that comes later", check, lambda t, r, s, a: r[1] if t == 0 and len(r) == 2 else 0.0)


@pytest.mark.equation("eq-b6-reinforce", way="enumeration")
def test_reinforce(equation):
    world, rng = short_world(), np.random.default_rng(5)
    gamma, logits, b = world[2], rng.standard_normal((5, 2)), rng.standard_normal(5) + 2.0
    peeking = rng.standard_normal((5, 2))

    def check(weight):
        law = "the mean of REINFORCE is the gradient of J"
        assert_close(mean_update(logits, weight), slope(world, logits), law, LOOSE)

    def to_go(t, r):
        return sum(gamma ** (k - t) * r[k] for k in range(t, len(r)))

    equation.holds(check, lambda t, r, s, a: gamma**t * (to_go(t, r) - b[s]))
    equation.holds(check, lambda t, r, s, a: to_go(0, r) - gamma**t * b[s])  # the whole return: the past drops out
    equation.rejects("without gamma to the t", check, lambda t, r, s, a: to_go(t, r) - b[s])
    equation.rejects(
        "baseline that sees the action", check, lambda t, r, s, a: gamma**t * (to_go(t, r) - peeking[s, a])
    )
    equation.rejects("reward of now only", check, lambda t, r, s, a: gamma**t * (r[t] - b[s]))


def critics():
    """Worlds with a critic that is wrong in each state, and 0 at the end."""
    for world, logits, rng in decision_worlds(seed=67):
        policy = policy_of(logits)
        values = worth_in_time(world, policy)
        yield world, policy, values, np.where(live(world), values + rng.standard_normal(len(values)), 0.0)


def mean_errors(world, critic):
    """E[δ | s, a], outcome by outcome."""
    p, r, gamma, _ = world
    table = np.zeros(r.shape)
    for s, a, after in np.ndindex(p.shape):
        table[s, a] += p[s, a, after] * (r[s, a] + gamma * critic[after] - critic[s])
    return table


@pytest.mark.equation("eq-b6-td-mean", way="enumeration")
def test_td_mean(equation):
    def check(formula):
        for world, policy, values, critic in critics():
            got = formula(advantages_in_time(world, policy), world[2], world[0] @ (critic - values), critic - values)
            assert_close(got, mean_errors(world, critic), "the mean TD error of a state and an action")

    equation.holds(check, lambda adv, gamma, after, here: adv + gamma * after - here[:, None])
    equation.rejects("the advantage alone", check, lambda adv, gamma, after, here: adv)
    equation.rejects("baseline's error left out", check, lambda adv, gamma, after, here: adv + gamma * after)
    equation.rejects("signs exchanged", check, lambda adv, gamma, after, here: adv - gamma * after + here[:, None])


@pytest.mark.equation("eq-b6-gae-mean", way="enumeration")
def test_gae_mean(equation):
    def check(formula):
        """The sum of (γλ)^l E[δ_{t+l}], one step of time after the other."""
        for world, policy, _, critic in critics():
            errors = mean_errors(world, critic)
            of_policy = np.sum(policy * errors, axis=1)
            for lam in (0.0, 0.6, 1.0):
                total, law, decay = errors.copy(), world[0].copy(), world[2] * lam
                for later in range(1, 260):
                    total += decay**later * law @ of_policy
                    law = law @ chain_of(world, policy)
                got = formula(errors, of_policy, decay, world, policy)
                assert_close(got, total, "the mean of GAE given state and action", LOOSE)

    def solved(decay, chain, errors):
        # An end leads to itself and adds nothing: it is left out, so that the matrix has an inverse at decay 1.
        open_ = chain.diagonal() < 1
        found = np.zeros(len(chain))
        matrix = np.eye(open_.sum()) - decay * chain[np.ix_(open_, open_)]
        found[open_] = np.linalg.solve(matrix, errors[open_])
        return found

    def right(errors, of_policy, decay, world, policy):
        return errors + decay * world[0] @ solved(decay, chain_of(world, policy), of_policy)

    equation.holds(check, right)
    equation.holds(check_numpy_gae, gae)
    wrong = lambda errors, of_policy, decay, world, policy: right(errors, of_policy, world[2], world, policy)  # noqa: E731
    equation.rejects("lambda forgotten", check, wrong)

    def here(errors, of_policy, decay, world, policy):
        return errors + solved(decay, chain_of(world, policy), of_policy)[:, None]

    equation.rejects("the state of now for the next one", check, here)
    equation.rejects("first error only", check, lambda errors, *rest: errors)


def two_policies(seed=68):
    for world, logits, rng in decision_worlds(seed):
        yield world, logits, logits + rng.standard_normal(logits.shape)


@pytest.mark.equation("eq-b6-difference", way="enumeration")
def test_difference(equation):
    def check(formula):
        for world, old, new in two_policies():
            a, b = policy_of(old), policy_of(new)
            visits = visits_before_the_end(world, a), visits_before_the_end(world, b)
            gain = formula(*visits, a, b, advantages_in_time(world, a), advantages_in_time(world, b))
            known = earned_in_time(world, new) - earned_in_time(world, old)
            assert_close(gain, known, "the gain is the old advantages of new choices at new visits")

    equation.holds(check, lambda d, e, a, b, adv, new: e @ np.sum(b * adv, axis=1))
    equation.rejects("old visits", check, lambda d, e, a, b, adv, new: d @ np.sum(b * adv, axis=1))
    equation.rejects("old choices", check, lambda d, e, a, b, adv, new: e @ np.sum(a * adv, axis=1))
    equation.rejects("new advantages", check, lambda d, e, a, b, adv, new: e @ np.sum(a * new, axis=1))


@pytest.mark.equation("eq-b6-bound", way="enumeration")
def test_bound(equation):
    def check(bound):
        """It holds for every pair, near and far, and is no loose one: some pair comes within a factor of twenty."""
        closest = 0.0
        for seed in range(69, 79):
            for world, old, new in two_policies(seed):
                for far in (0.02, 0.3, 1.0) if world[2] < 1 else ():
                    moved = old + far * (new - old)
                    a, b = policy_of(old), policy_of(moved)
                    gains = np.sum(b * advantages_in_time(world, a), axis=1)
                    d = visits_in_time(world, a)
                    error = abs(earned_in_time(world, moved) - earned_in_time(world, old) - d @ gains)
                    limit = bound(world[2], np.abs(gains).max(), d @ np.abs(b - a).sum(axis=1))
                    assert error <= limit + 1e-12, f"the error {error:.3g} exceeds the bound {limit:.3g}"
                    closest = max(closest, error / limit)
        assert closest > 0.05, "the bound is far above every error"

    equation.holds(check, lambda gamma, gain, change: gamma / (1 - gamma) * gain * change)
    equation.rejects("no factor of gamma", check, lambda gamma, gain, change: 0.02 * gain * change)
    equation.rejects("of third order", check, lambda gamma, gain, change: gamma / (1 - gamma) * gain * change**2)
    equation.rejects("of first order", check, lambda gamma, gain, change: 20 / (1 - gamma) * change)


@pytest.mark.equation("eq-b6-fisher", way="finite difference")
def test_fisher_parabola(equation):
    def check(matrix_of):
        for _, old, rng in decision_worlds(seed=80):
            visits, policy, x = rng.uniform(0.5, 2.0, len(old)), policy_of(old), rng.standard_normal(old.shape)
            for small in (1e-2, 1e-3):
                known = kl_by_definition(visits, old, old + small * x)
                got = (
                    0.5
                    * small**2
                    * sum(
                        w / visits.sum() * row @ matrix_of(p) @ row for w, row, p in zip(visits, x, policy, strict=True)
                    )
                )
                assert abs(got - known) <= 20 * small**3, "the KL of a small step is the parabola, to third order"

    equation.holds(check, lambda p: sum(q * np.outer(e - p, e - p) for q, e in zip(p, np.eye(len(p)), strict=True)))
    equation.rejects("diagonal only", check, np.diag)
    equation.rejects("identity", check, lambda p: np.eye(len(p)))
    scores = lambda p: [e - p for e in np.eye(len(p))]  # noqa: E731
    equation.rejects("actions all alike", check, lambda p: sum(np.outer(g, g) for g in scores(p)) / len(p))


@pytest.mark.equation("eq-b6-best-step", way="closed form")
def test_best_step(equation):
    rng = np.random.default_rng(81)
    half = rng.standard_normal((4, 4))
    matrix, gradient, kl = half @ half.T + 0.1 * np.eye(4), rng.standard_normal(4), 0.03
    inverse = np.linalg.inv(matrix)

    def check(x):
        assert x @ matrix @ x / 2 <= kl * (1 + 1e-9), "the step is within the limit"
        best = np.sqrt(2 * kl * gradient @ inverse @ gradient)
        assert_close(gradient @ x, best, "it gains what the closed form says")
        others = rng.standard_normal((20_000, 4))
        others *= np.sqrt(2 * kl / np.einsum("ni,ij,nj->n", others, matrix, others))[:, None]
        assert (others @ gradient).max() <= gradient @ x + 1e-12, "no other step of that KL gains more"

    def along(direction):
        return np.sqrt(2 * kl / (direction @ matrix @ direction)) * direction

    equation.holds(check, np.sqrt(2 * kl / (gradient @ inverse @ gradient)) * inverse @ gradient)
    equation.rejects("plain gradient", check, along(gradient))
    equation.rejects("matrix for its inverse", check, along(matrix @ gradient))
    equation.rejects("factor two lost", check, along(inverse @ gradient) / np.sqrt(2))


@pytest.mark.equation("eq-b6-natural", way="finite difference")
def test_natural(equation):
    def check(solution):
        for world, logits, _ in decision_worlds(seed=82):
            policy = policy_of(logits)
            d = visits_before_the_end(world, policy)
            x = solution(advantages_in_time(world, policy), d, policy)
            blocks = [np.diag(p) - np.outer(p, p) for p in policy]
            got = [w / d.sum() * block @ row for w, block, row in zip(d, blocks, x, strict=True)]
            assert_close(got, slope(world, logits), "the Fisher matrix times x is the gradient", LOOSE)

    equation.holds(check, lambda adv, d, policy: adv * d.sum())
    equation.rejects("sum of the visits forgotten", check, lambda adv, d, policy: adv)
    equation.rejects("the plain gradient", check, lambda adv, d, policy: d[:, None] * policy * adv)
    equation.rejects("probability left in", check, lambda adv, d, policy: policy * adv * d.sum())


@pytest.mark.equation("eq-b6-always-up", way="enumeration")
def test_always_up(equation):
    def check(tilt):
        for world, logits, _ in decision_worlds(seed=83):
            policy = policy_of(logits)
            advantages = advantages_in_time(world, policy)
            for c in (0.01, 1.0, 30.0):
                new = logits + tilt(c, advantages, policy)
                gains = np.sum(policy_of(new) * advantages, axis=1)
                assert gains.min() >= -1e-12, "in no state the new choices are worse"
                assert earned_in_time(world, new) >= earned_in_time(world, logits) - 1e-12, "J does not fall"

    equation.holds(check, lambda c, advantages, policy: c * advantages)
    equation.rejects("against the advantages", check, lambda c, advantages, policy: -c * advantages)
    equation.rejects("along their sizes", check, lambda c, advantages, policy: c * np.abs(advantages))
