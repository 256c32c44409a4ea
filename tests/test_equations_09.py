"""The equations of chapter 9: groups of answers, their scale and their length, and dialogues of many turns."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from rlhw import groups
from rlhw.dialogue import enumerate_dialogues, expected_lost, lost_shares, mean_and_variance, state_values
from rlhw.grpo import group_advantages, rloo_advantages
from rlhw.ppo import clipped_policy_loss, gae


def law(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def policies(seed=90, count=4):
    """(logits, rewards) of three or four answers."""
    rng = np.random.default_rng(seed)
    for k in (3, 4, 3, 4)[:count]:
        yield rng.standard_normal(k), 1.5 * rng.standard_normal(k) + 1.0


def slope(function, at, step=1e-6):
    moves = step * np.eye(len(at))
    return np.array([(function(at + move) - function(at - move)) / (2 * step) for move in moves])


def gradient(logits, rewards):
    """By central differences of the expected reward."""
    return slope(lambda z: float(law(z) @ rewards), logits)


def over_groups(logits, rewards, k, weigh):
    """Mean and total variance of (1/K) Σ A_i g_i over all groups; `weigh` makes advantages of one group's (rewards, answers)."""
    p, scores = law(logits), np.eye(len(logits)) - law(logits)
    mean, square = np.zeros(len(p)), 0.0
    for group in product(range(len(p)), repeat=k):
        answers = list(group)
        update = (weigh(rewards[answers], answers)[:, None] * scores[answers]).mean(axis=0)
        mean, square = mean + p[answers].prod() * update, square + p[answers].prod() * float(update @ update)
    return mean, square - float(mean @ mean)


def others_mean(rewards):
    return np.array([np.delete(rewards, i).mean() for i in range(len(rewards))])


def loo(rewards, answers=None):
    return rewards - others_mean(rewards)


def scaled(rewards, answers=None):
    deviation = rewards.std(ddof=1)
    return (rewards - rewards.mean()) / deviation if deviation > 0 else np.zeros(len(rewards))


@pytest.mark.equation("eq-example-group", way="closed form")
def test_example_group(equation):
    rewards = np.array([1.0, 0.0, 0.0, 0.0])

    def check(rows):
        assert np.allclose(rows[0], loo(rewards), atol=1e-12)
        assert np.allclose(rows[1], rewards - 0.25, atol=1e-12)
        assert np.allclose(rows[2], scaled(rewards), atol=1e-12)
        library = torch.from_numpy(rewards)[None]
        found = rloo_advantages(library), group_advantages(library, scale=False), group_advantages(library)
        assert all(np.allclose(row, got[0].numpy(), atol=1e-5) for row, got in zip(rows, found, strict=True))

    right = [[1, -1 / 3, -1 / 3, -1 / 3], [3 / 4, -1 / 4, -1 / 4, -1 / 4], [3 / 2, -1 / 2, -1 / 2, -1 / 2]]
    equation.holds(check, right)
    equation.rejects("rows exchanged", check, [right[1], right[0], right[2]])
    equation.rejects("deviation with K", check, [*right[:2], [math.sqrt(3), *[-1 / math.sqrt(3)] * 3]])


@pytest.mark.equation("eq-rloo-centred", way="enumeration")
def test_rloo_centred(equation):
    def check(factor):
        for k in (2, 3, 5):
            rewards = np.random.default_rng(k).standard_normal(k)
            assert np.allclose(factor(k) * (rewards - rewards.mean()), loo(rewards), atol=1e-10)

    equation.holds(check, lambda k: k / (k - 1))
    equation.rejects("upside down", check, lambda k: (k - 1) / k)
    equation.rejects("no factor", check, lambda k: 1.0)


@pytest.mark.equation("eq-rloo-mean", way="enumeration")
def test_rloo_mean(equation):
    def check(weigh, factor):
        for (logits, rewards), k in zip(policies(), (2, 3, 4, 2), strict=True):
            mean, _ = over_groups(logits, rewards, k, weigh)
            assert np.allclose(mean, factor(k) * gradient(logits, rewards), atol=1e-7)

    def centred(rewards, answers):
        return rewards - rewards.mean()

    equation.holds(check, loo, lambda k: 1.0)
    equation.holds(check, centred, lambda k: (k - 1) / k)
    equation.rejects("the group's mean taken for unbiased", check, centred, lambda k: 1.0)
    equation.rejects("with scale", check, scaled, lambda k: 1.0)
    equation.rejects("K too many", check, loo, lambda k: float(k))


@pytest.mark.equation("eq-rloo-pairs", way="enumeration")
def test_rloo_pairs(equation):
    rng = np.random.default_rng(91)

    def check(divisor):
        for k in (2, 3, 5):
            r, g = rng.standard_normal(k), rng.standard_normal((k, 4))
            pairs = sum((r[i] - r[j]) * (g[i] - g[j]) for i in range(k) for j in range(i + 1, k))
            assert np.allclose((loo(r)[:, None] * g).mean(axis=0), pairs / divisor(k), atol=1e-10)

    equation.holds(check, lambda k: k * (k - 1))
    equation.rejects("mean over pairs", check, lambda k: k * (k - 1) / 2)
    equation.rejects("K squared", check, lambda k: k * k)


@pytest.mark.equation("eq-rloo-variance", way="enumeration")
def test_rloo_variance(equation):
    def parts(logits, rewards):
        p, scores = law(logits), np.eye(len(logits)) - law(logits)
        above, lengths, square = (
            rewards - p @ rewards,
            (scores**2).sum(axis=1),
            float((gradient(logits, rewards) ** 2).sum()),
        )
        return float(p @ (above**2 * lengths)) - square, float(p @ above**2) * float(p @ lengths), square

    def check(formula):
        for (logits, rewards), k in zip(policies(), (2, 3, 4, 3), strict=True):
            _, variance = over_groups(logits, rewards, k, loo)
            assert abs(formula(*parts(logits, rewards), k) - variance) < 1e-7
            assert abs(groups.rloo_variance(logits, rewards, k) - variance) < 1e-10

    equation.holds(check, lambda own, spread, square, k: (own + (spread + square) / (k - 1)) / k)
    equation.rejects("as with the exact value", check, lambda own, spread, square, k: own / k)
    equation.rejects("mirror terms forgotten", check, lambda own, spread, square, k: (own + spread / (k - 1)) / k)
    equation.rejects("others over K", check, lambda own, spread, square, k: (own + (spread + square) / k) / k)


def test_rewards_of_zero_and_one_have_little_level_to_take_away():
    """With one logit at p = 1/2: 0.0625 without a baseline, 0.125 with one other answer, 1/24 with three, 0 with the value."""

    def variance(weigh, k):
        moments = [0.0, 0.0]
        for group in product((0.0, 1.0), repeat=k):
            rewards = np.array(group)
            update = float((weigh(rewards) * (rewards - 0.5)).mean())
            moments = [moments[0] + 0.5**k * update, moments[1] + 0.5**k * update**2]
        return k * (moments[1] - moments[0] ** 2)

    assert abs(variance(lambda r: r, 1) - 0.0625) < 1e-12
    assert abs(variance(loo, 2) - 0.125) < 1e-12
    assert abs(variance(loo, 4) - 1 / 24) < 1e-12
    assert abs(variance(lambda r: r - 0.5, 1)) < 1e-12


def two_kinds(k):
    """(own, others, between, one group's variance) where two prompts of three answers, with logits in common, come alike often."""
    logits, tables = np.array([0.4, -0.3, 0.1]), (np.array([1.0, 0.2, -0.5]), np.array([-0.4, 2.0, 0.3]))
    parts = np.array([groups.variance_parts(logits, rewards) for rewards in tables]).mean(axis=0)
    gradients = np.array([gradient(logits, rewards) for rewards in tables])
    between = float((gradients**2).sum(axis=1).mean() - (gradients.mean(axis=0) ** 2).sum())
    means, variances = zip(*(over_groups(logits, rewards, k, loo) for rewards in tables), strict=True)
    second = np.mean([v + float(m @ m) for m, v in zip(means, variances, strict=True)])
    return *parts, between, float(second - (np.mean(means, axis=0) ** 2).sum())


@pytest.mark.equation("eq-split-variance", way="enumeration")
def test_split_variance(equation):
    def check(formula):
        for k in (2, 3, 4):
            own, others, between, variance = two_kinds(k)
            n = 12
            assert abs(formula(own, others, between, k) / n - variance * k / n) < 1e-8

    equation.holds(check, lambda own, others, between, k: own + others / (k - 1) + k * between)
    equation.rejects("prompts taken for alike", check, lambda own, others, between, k: own + others / (k - 1))
    equation.rejects(
        "difference of prompts not times K", check, lambda own, others, between, k: own + others / (k - 1) + between
    )


@pytest.mark.equation("eq-best-k", way="closed form")
def test_best_k(equation):
    def check(formula):
        for others, between in ((0.9, 0.1), (0.2, 0.35), (3.0, 0.02)):
            sizes = np.linspace(1.001, 60, 600_000)
            best = sizes[np.argmin(others / (sizes - 1) + sizes * between)]
            assert abs(formula(others, between) - best) < 2e-4
            assert abs(groups.best_group_size(others, between) - best) < 2e-4

    equation.holds(check, lambda others, between: 1 + math.sqrt(others / between))
    equation.rejects("one forgotten", check, lambda others, between: math.sqrt(others / between))
    equation.rejects("upside down", check, lambda others, between: 1 + math.sqrt(between / others))
    equation.rejects("no root", check, lambda others, between: 1 + others / between)


def binary_weight(p, k, weigh):
    """What multiplies ∇p, over all 2^K groups of right and wrong answers, for a policy with one logit."""
    total = 0.0
    for group in product((0.0, 1.0), repeat=k):
        rewards = np.array(group)
        chance = np.prod(np.where(rewards == 1, p, 1 - p))
        total += chance * float((weigh(rewards) * np.where(rewards == 1, 1 - p, -p)).mean())
    return total / (p * (1 - p))


def spread(p, k):
    return sum(math.comb(k, m) * p**m * (1 - p) ** (k - m) * math.sqrt(m / k * (1 - m / k)) for m in range(k + 1))


@pytest.mark.equation("eq-scaled-weight", way="enumeration")
def test_scaled_weight(equation):
    def check(formula):
        for p, k in ((0.1, 4), (0.35, 2), (0.8, 5), (0.03, 7)):
            exact = binary_weight(p, k, scaled)
            assert abs(formula(p, k) - exact) < 1e-9
            assert abs(groups.scaled_weight(p, k) - exact) < 1e-9

    equation.holds(check, lambda p, k: math.sqrt((k - 1) / k) * spread(p, k) / (p * (1 - p)))
    equation.rejects("deviation with K", check, lambda p, k: spread(p, k) / (p * (1 - p)))
    equation.rejects("not divided", check, lambda p, k: math.sqrt((k - 1) / k) * spread(p, k))
    equation.rejects("the limit", check, lambda p, k: 1 / math.sqrt(p * (1 - p)))
    equation.rejects("no weight", check, lambda p, k: 1.0)


def test_the_weight_is_flat_for_groups_of_two_and_three_and_for_no_larger_ones():
    chances = (0.01, 0.2, 0.5, 0.9)
    for k in (2, 3, 4, 5):
        weights = [binary_weight(p, k, scaled) for p in chances]
        assert (np.ptp(weights) < 1e-9) == (k < 4)
    deviations = {round(float(np.std(group, ddof=1)), 2) for group in product((0, 1), repeat=4)}
    assert deviations == {0.0, 0.5, 0.58}


def test_both_limits_are_upper_bounds_of_the_weight():
    for p in (0.004, 0.1, 0.37, 0.5, 0.93):
        for k in (2, 3, 4, 8, 33):
            weight = groups.scaled_weight(p, k)
            assert weight < 1 / math.sqrt(p * (1 - p))
            assert weight < (k - 1) / math.sqrt(k) + 1e-12


@pytest.mark.equation("eq-scaled-limits", way="closed form")
def test_scaled_limits(equation):
    def check(rare, many, objective):
        for k in (2, 4, 9):
            assert abs(groups.scaled_weight(1e-8, k) - rare(k)) < 1e-6
        for p in (0.2, 0.5, 0.7):
            # The error falls like 1/K: two sizes tell where it goes.
            first, second = (groups.scaled_weight(p, k) for k in (400, 800))
            assert abs(2 * second - first - many(p)) < 1e-4
            assert abs((objective(p + 1e-6) - objective(p - 1e-6)) / 2e-6 - many(p)) < 1e-8

    def rare(k):
        return (k - 1) / math.sqrt(k)

    def many(p):
        return 1 / math.sqrt(p * (1 - p))

    def objective(p):
        return 2 * math.asin(math.sqrt(p))

    equation.holds(check, rare, many, objective)
    equation.rejects("root of K for rare answers", check, lambda k: math.sqrt(k), many, objective)
    equation.rejects("one over the variance", check, rare, lambda p: 1 / (p * (1 - p)), objective)
    equation.rejects("arcsine not doubled", check, rare, many, lambda p: math.asin(math.sqrt(p)))
    equation.rejects("log-odds", check, rare, many, lambda p: math.log(p / (1 - p)))


@pytest.mark.equation("eq-tied-share", way="enumeration")
def test_tied_share(equation):
    def check(formula):
        for p, k in ((0.1, 4), (0.35, 2), (0.8, 5)):
            tied = [g for g in product((0, 1), repeat=k) if len(set(g)) == 1]
            share = sum(np.prod([p if right else 1 - p for right in group]) for group in tied)
            assert abs(formula(p, k) - share) < 1e-12
            assert abs(groups.tied_share(p, k) - share) < 1e-12

    equation.holds(check, lambda p, k: p**k + (1 - p) ** k)
    equation.rejects("all wrong only", check, lambda p, k: (1 - p) ** k)
    equation.rejects("K - 1", check, lambda p, k: p ** (k - 1) + (1 - p) ** (k - 1))


@pytest.mark.equation("eq-kept-mean", way="enumeration")
def test_kept_mean(equation):
    def check(formula):
        for p, k in ((0.1, 4), (0.35, 2), (0.8, 5)):
            kept = sum(
                np.prod([p if right else 1 - p for right in g]) for g in product((0, 1), repeat=k) if len(set(g)) == 2
            )
            assert abs(formula(p, k) - binary_weight(p, k, loo) / kept) < 1e-9

    equation.holds(check, lambda p, k: 1 / (1 - p**k - (1 - p) ** k))
    equation.rejects("weight of the tied ones", check, lambda p, k: 1 / (p**k + (1 - p) ** k))
    equation.rejects("no weight", check, lambda p, k: 1.0)


def test_two_answers_and_no_ties_climb_half_the_log_odds():
    for p in (0.1, 0.6):
        rise = (math.log((p + 1e-6) / (1 - p - 1e-6)) - math.log((p - 1e-6) / (1 - p + 1e-6))) / 2e-6
        assert abs(0.5 * rise - 1 / (1 - groups.tied_share(p, 2))) < 1e-6


@pytest.mark.equation("eq-length-mean", way="enumeration")
def test_length_mean(equation):
    lengths = np.array([5.0, 1.0, 12.0, 3.0])

    def check(weight):
        for (logits, rewards), k in zip(policies(), (2, 3, 3, 2), strict=True):
            p, scores = law(logits), np.eye(len(logits)) - law(logits)
            mean, _ = over_groups(logits, rewards, k, lambda r, answers: loo(r) / lengths[answers])
            expected = (p * weight(rewards, p, lengths[: len(p)])) @ scores
            assert np.allclose(mean, expected, atol=1e-9)

    equation.holds(check, lambda r, p, n: (r - p @ r) / n)
    equation.rejects("value dropped, as if the score had mean zero", check, lambda r, p, n: r / n)
    equation.rejects("not divided", check, lambda r, p, n: r - p @ r)
    equation.rejects("mean length", check, lambda r, p, n: (r - p @ r) / (p @ n))


@pytest.mark.equation("eq-length-example", way="enumeration")
def test_length_example(equation):
    p, r, n = np.array([0.1, 0.6, 0.3]), np.array([1.0, 0.0, 0.0]), np.array([50.0, 10.0, 100.0])

    def check(summed, averaged):
        scores = np.eye(3) - p
        assert np.allclose(summed, (p * (r - p @ r)) @ scores, atol=1e-9)
        assert np.allclose(averaged, (p * (r - p @ r) / n) @ scores, atol=1e-9)

    equation.holds(check, [0.09, -0.06, -0.03], [0.00225, -0.0033, 0.00105])
    equation.rejects("long answer falls", check, [0.09, -0.06, -0.03], [0.00225, -0.0033, -0.00105])
    equation.rejects("score's mean forgotten", check, [0.09, -0.06, -0.03], [0.0018, -0.006, -0.0003])


def two_tokens(seed=0):
    """Tables of a policy and a reference for answers of two tokens out of three symbols, and the rows that each answer reads."""
    generator = torch.Generator().manual_seed(seed)
    tables = [torch.randn(4, 3, generator=generator, dtype=torch.float64) for _ in range(2)]
    first, second = (torch.tensor(column) for column in zip(*product(range(3), repeat=2), strict=True))
    rows = torch.stack([torch.zeros(9, dtype=torch.long), first + 1], 1), torch.stack([first, second], 1)
    return *tables, rows


@pytest.mark.equation("eq-token-k3", way="enumeration")
def test_token_k3(equation):
    def check(divergence):
        for seed in range(3):
            table, ref, rows = two_tokens(seed)
            table.requires_grad_()
            logs, ref_logs = table.log_softmax(1), ref.log_softmax(1)
            chances = logs[rows].sum(1).exp().detach()
            d = logs[rows] - ref_logs[rows]
            (left,) = torch.autograd.grad((chances[:, None] * ((-d).exp() - 1 + d)).sum(), table, retain_graph=True)
            (right,) = torch.autograd.grad((chances[:, None] * divergence(logs, ref_logs)[rows[0]]).sum(), table)
            assert torch.allclose(left, right, atol=1e-10)

    equation.holds(check, lambda p, q: (q.exp() * (q - p)).sum(1))
    equation.rejects("the KL that is paid", check, lambda p, q: (p.exp() * (p - q)).sum(1))
    equation.rejects("half of it", check, lambda p, q: 0.5 * (q.exp() * (q - p)).sum(1))


@pytest.mark.equation("eq-one-update", way="finite difference")
def test_one_update(equation):
    rng = np.random.default_rng(93)

    def check(factor):
        for advantage, clip in ((1.3, 0.2), (-0.7, 0.2), (0.4, 0.01)):
            z = rng.standard_normal(4)
            old = torch.from_numpy(np.log(law(z)))[2:3]

            def surrogate(at, old=old, a=advantage, c=clip):
                new = torch.from_numpy(np.log(law(at)))[2:3]
                return -float(clipped_policy_loss(new, old, torch.full((1,), a, dtype=torch.float64), c))

            # Steps of 1e-6 stay inside the clip, where the surrogate is smooth.
            assert np.allclose(slope(surrogate, z), factor(advantage, clip) * (np.eye(4)[2] - law(z)), atol=1e-7)

    equation.holds(check, lambda a, clip: a)
    equation.rejects("clipped from the start", check, lambda a, clip: min(a, 0.0))
    equation.rejects("times the clip", check, lambda a, clip: a * clip)
    equation.rejects("sign flipped", check, lambda a, clip: -a)


@pytest.mark.equation("eq-ppo-no-critic", way="enumeration")
def test_ppo_no_critic(equation):
    generator = torch.Generator().manual_seed(4)
    rewards, values = (torch.randn(2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(2, 5, dtype=torch.bool)
    found, _ = gae(rewards, values, mask, gamma=1.0, lam=1.0)

    def check(formula):
        for row, t in product(range(2), range(5)):
            assert abs(float(found[row, t]) - formula(rewards[row].tolist(), values[row].tolist(), t)) < 1e-10

    equation.holds(check, lambda r, v, t: sum(r[t:]) - v[t])
    equation.rejects("whole return", check, lambda r, v, t: sum(r) - v[t])
    equation.rejects("later rewards only", check, lambda r, v, t: sum(r[t + 1 :]) - v[t])
    equation.rejects("one step", check, lambda r, v, t: r[t] - v[t])


def dialogue(error, repair, turns):
    """Logits of a policy that errs and repairs with these probabilities."""
    logits = np.zeros((turns, 2, 3))
    logits[:, 0] = np.log([1 - error, error / 2, error / 2])
    logits[:, 1] = np.log([(1 - repair) / 2, repair, (1 - repair) / 2])
    return logits


@pytest.mark.equation("eq-lost", way="enumeration")
def test_lost(equation):
    def check(step):
        for error, repair, turns in ((0.1, 0.3, 5), (0.4, 0.9, 4), (0.02, 0.5, 6)):
            every = enumerate_dialogues(dialogue(error, repair, turns))
            exact, lost = every.chances @ (1 - every.rewards), 0.0
            for t in range(turns):
                lost = step(lost, error, repair)
                assert abs(lost - exact[t]) < 1e-10
            assert np.allclose(lost_shares(error, repair, turns), exact, atol=1e-10)

    equation.holds(check, lambda lost, e, q: (1 - lost) * e + lost * (1 - q))
    equation.rejects("never found again", check, lambda lost, e, q: (1 - lost) * e + lost)
    equation.rejects("errors of the lost counted", check, lambda lost, e, q: e + lost * (1 - q))
    equation.rejects("repair for its failure", check, lambda lost, e, q: (1 - lost) * e + lost * q)


@pytest.mark.equation("eq-lost-turns", way="enumeration")
def test_lost_turns(equation):
    def check(formula):
        for error, repair, turns in ((0.1, 0.3, 5), (0.4, 0.9, 4), (0.02, 1e-9, 6)):
            every = enumerate_dialogues(dialogue(error, repair, turns))
            exact = float(every.chances @ (1 - every.rewards).sum(axis=1))
            assert abs(formula(error, repair, turns, 1 - error - repair) - exact) < 1e-7
            assert abs(expected_lost(error, repair, turns) - exact) < 1e-7

    equation.holds(check, lambda e, q, t, keep: e / (e + q) * (t - keep * (1 - keep**t) / (1 - keep)))
    equation.rejects("fixed point at once", check, lambda e, q, t, keep: e / (e + q) * t)
    equation.rejects("errors add up", check, lambda e, q, t, keep: e * t)
    equation.rejects("series from zero on", check, lambda e, q, t, keep: e / (e + q) * (t - (1 - keep**t) / (1 - keep)))


def clones():
    """(error at each turn, turns): a clone that errs on the teacher's states as it likes, and never finds back."""
    rng = np.random.default_rng(94)
    yield np.array([0.3, 0.0, 0.0, 0.0])
    for turns in (2, 3, 5, 6):
        yield rng.uniform(0.0, 0.5, turns)


@pytest.mark.equation("eq-snowball-bound", way="enumeration")
def test_snowball_bound(equation):
    """The bound holds for every clone; and half of T² does not: an early error costs all turns."""

    def check(bound):
        for errors in clones():
            turns = len(errors)
            logits = np.concatenate([dialogue(max(e, 1e-12), 1e-12, 1) for e in errors])
            every = enumerate_dialogues(logits)
            earned = float(every.chances @ every.rewards.sum(axis=1))
            assert earned >= turns - bound(errors.mean(), turns) - 1e-9

    equation.holds(check, lambda e, t: e * t**2)
    equation.rejects("T, not its square", check, lambda e, t: e * t)
    equation.rejects("half of it", check, lambda e, t: e * t * (t + 1) / 2)


@pytest.mark.equation("eq-turn-gradient", way="finite difference")
def test_turn_gradient(equation):
    rng = np.random.default_rng(95)

    def earned(flat, shape):
        every = enumerate_dialogues(flat.reshape(shape))
        return float(every.chances @ every.rewards.sum(axis=1))

    def check(weigh):
        for turns in (2, 3):
            logits = rng.standard_normal((turns, 2, 3))
            every = enumerate_dialogues(logits)
            exact = slope(lambda z, s=logits.shape: earned(z, s), logits.ravel()).reshape(logits.shape)
            mean, _ = mean_and_variance(logits, every, weigh(every, logits))
            assert np.allclose(mean, exact, atol=1e-7)

    def later(every, logits):
        return np.array([[row[t:].sum() for t in range(len(row))] for row in every.rewards])

    def value(every, logits):
        return state_values(logits)[np.arange(len(logits)), every.states]

    equation.holds(check, lambda every, z: later(every, z) - 0.7)
    equation.holds(check, lambda every, z: later(every, z) - value(every, z))
    equation.holds(check, lambda every, z: np.repeat(every.rewards.sum(axis=1, keepdims=True), len(z), axis=1))
    equation.rejects("each turn's own reward", check, lambda every, z: every.rewards)
    equation.rejects("a baseline that looks at the reply", check, lambda every, z: later(every, z) - every.rewards)
    equation.rejects("earlier turns only", check, lambda every, z: np.cumsum(every.rewards, axis=1))
