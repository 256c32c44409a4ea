"""Laws of regret: what arms cost, how alike they are, the bounds, and races whose outcome can be enumerated."""

import itertools
import math
from collections.abc import Callable

import numpy as np

from rlhw.laws.oracles import assert_close


def check_gaps(gaps: Callable) -> None:
    """The best mean minus each mean: zero for the best arms, positive for the others."""
    rng = np.random.default_rng(30)
    for _ in range(5):
        means = rng.normal(size=4) - 3.0
        best = sorted(means)[-1]
        assert_close(gaps(means), np.array([best - m for m in means]), "a gap is the best mean minus the arm's")


def check_bernoulli_kl(bernoulli_kl: Callable) -> None:
    """The mean of log p(r)/q(r) over r ~ p, r being 1 or 0: also at the ends, where 0 log 0 is 0."""
    rng = np.random.default_rng(31)
    law = "the divergence is the mean of log p/q under p, over both rewards"
    for p, q in rng.uniform(0.05, 0.95, size=(8, 2)):
        assert_close(bernoulli_kl(p, q), p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)), law)
    assert_close(bernoulli_kl(np.array([0.0, 1.0, 0.3]), 0.3), [math.log(1 / 0.7), math.log(1 / 0.3), 0.0], law)
    assert_close(bernoulli_kl(1.0, 1.0), 0.0, "a law does not diverge from itself, sure or not")
    assert np.isposinf(bernoulli_kl(0.4, 1.0)), "what q rules out makes the divergence infinite; yours is finite."


def check_gaussian_kl(gaussian_kl: Callable) -> None:
    """The mean of log p(r)/q(r) over r ~ p, by a sum over a fine grid."""
    for mean, other, sd in ((0.4, 1.3, 0.7), (-1.0, 0.5, 1.9), (2.0, -0.3, 1.0)):
        r = mean + sd * np.linspace(-12, 12, 20_001)
        density = np.exp(-((r - mean) ** 2) / (2 * sd**2))
        ratio = ((r - other) ** 2 - (r - mean) ** 2) / (2 * sd**2)
        law = "the divergence is the mean of log p/q under p, for two normal laws"
        assert_close(gaussian_kl(mean, other, sd), float((density * ratio).sum() / density.sum()), law, 1e-7)


def check_lai_robbins(lai_robbins: Callable) -> None:
    """Gap over divergence, summed over the arms that have a gap; where the divergence is infinite nothing is owed."""
    law = "the constant is the sum of gap over divergence, best arms left out"
    for gaps, divergences in (
        ([0.4, 0.0, 0.1], [0.5, 0.0, 0.02]),
        ([0.0, 0.7, 0.0, 2.0], [0.0, 1.9, 0.0, 3.1]),
        ([0.3, 0.0, 0.2], [math.inf, 0.0, 0.7]),
    ):
        expected = sum(gap / divergence for gap, divergence in zip(gaps, divergences, strict=True) if gap)
        assert_close(lai_robbins(np.array(gaps), np.array(divergences)), expected, law)


def check_ucb1_bound(ucb1_bound: Callable) -> None:
    """8 log(T)/Δ + (1 + π²/3) Δ for each arm with a gap; π²/6 is the sum of all 1/n²."""
    tail = sum(1.0 / n**2 for n in range(1, 200_000)) + 1 / 199_999.5
    for gaps, pulls in (([0.0, 0.5, 0.2], 100), ([0.3, 0.0, 0.0], 7), ([0.0, 0.9], 1)):
        owed = sum(8 * math.log(pulls) / gap + (1 + 2 * tail) * gap for gap in gaps if gap)
        assert_close(ucb1_bound(np.array(gaps), pulls), owed, "the guarantee is that of Auer and others", 1e-7)


def check_decaying_epsilon(decaying_epsilon: Callable) -> None:
    """c/t, and 1 as long as that would be more than 1."""
    for c in (0.3, 1.0, 4.5):
        pulls = np.arange(1, 40)
        expected = [c / t if c < t else 1.0 for t in range(1, 40)]
        assert_close(decaying_epsilon(pulls, c), np.array(expected), "exploration is c/t, and never more than 1")


def check_auer_epsilon(auer_epsilon: Callable) -> None:
    """cK/(d²t), and 1 as long as that would be more than 1."""
    for c, arms, gap in ((5.0, 2, 0.5), (0.2, 7, 0.3), (1.0, 3, 1.0)):
        pulls = np.array([1, 2, 9, 40, 333, 5000])
        expected = [min(1.0, c * arms / (gap * gap * t)) for t in pulls]
        law = "exploration is cK/(d²t), and never more than 1"
        assert_close(auer_epsilon(pulls, c=c, arms=arms, gap=gap), np.array(expected), law)


def check_upper_bounds(upper_bounds: Callable) -> None:
    """Estimate plus c sqrt(log t / m), row by row, t the pulls of the row; infinite for an arm that was never pulled."""
    rng = np.random.default_rng(32)
    counts, estimates = rng.integers(1, 50, size=(6, 3)), rng.normal(size=(6, 3))
    for c in (0.0, 0.7, 2.0):
        expected = np.array(
            [
                [q + c * math.sqrt(math.log(sum(row)) / m) for q, m in zip(value, row, strict=True)]
                for value, row in zip(estimates.tolist(), counts.tolist(), strict=True)
            ]
        )
        assert_close(upper_bounds(estimates, counts, c), expected, "the bound is Q + c sqrt(log t / m)")
        got = np.asarray(upper_bounds(np.array([0.3, 0.4, 0.1]), np.array([0, 4, 3]), c))
        assert np.isposinf(got[0]), "an arm never pulled has no bound: infinity; yours has another."
        assert_close(got[1:], [0.4 + c * math.sqrt(math.log(7) / 4), 0.1 + c * math.sqrt(math.log(7) / 3)], "t is 7")
        assert_close(np.asarray(upper_bounds(np.array([0.3, 0.4]), np.array([0, 1]), c))[1], 0.4, "log 1 is 0")
        lone = [0.3 + c * math.sqrt(math.log(9)), 0.4 + c * math.sqrt(math.log(9) / 8)]
        assert_close(upper_bounds(np.array([0.3, 0.4]), np.array([1, 8]), c), lone, "one pull is a pull")
    assert np.all(np.isposinf(upper_bounds(np.zeros(2), np.zeros(2, dtype=int), 1.0))), "nothing pulled: all infinite."


def check_rule(rule: Callable) -> None:
    """Greedy on Q + c sqrt(log t / m), mixed with ε of the pull that comes: t + 1 after t pulls. Plain greedy without options."""
    rng = np.random.default_rng(34)
    counts, estimates = rng.integers(1, 30, size=(5, 3)), rng.normal(size=(5, 3))
    for c, epsilon in ((0.0, lambda t: 0.4), (1.1, lambda t: 0.0), (2.0, lambda t: 1.0 / t)):
        expected = []
        for q, m in zip(estimates.tolist(), counts.tolist(), strict=True):
            bounds = [value + c * math.sqrt(math.log(sum(m)) / n) for value, n in zip(q, m, strict=True)]
            share = epsilon(sum(m) + 1)
            expected.append([share / 3 + (1 - share) * (b == max(bounds)) for b in bounds])
        got = rule(c=c, epsilon=epsilon)(estimates, counts)
        assert_close(got, np.array(expected), "the arm with the greatest bound gets 1 - ε, and each arm its share of ε")
        assert_close(rule(c=c, epsilon=epsilon)(estimates[0], counts[0]), got[0], "one player is a row of the table")
    plain = rule()(np.array([[0.4, 0.9, 0.9]]), np.array([[1, 2, 90]]))
    assert_close(plain, np.array([[0.0, 0.5, 0.5]]), "without options the rule is greedy, ties shared")
    first = rule(c=1.0)(np.array([[5.0, 0.0, 0.0]]), np.array([[7, 0, 0]]))
    assert_close(first, np.array([[0.0, 0.5, 0.5]]), "arms that were never pulled come first")


def check_explore(explore: Callable) -> None:
    """ε/A for every arm, and 1 - ε shared equally by a row's best arms, be their value infinite; greedy without ε."""
    values = np.array([[0.1, 0.9, 0.4], [0.7, 0.2, 0.7], [np.inf, np.inf, 3.0], [1.0, 1.0, 1.0]])
    best = [[1], [0, 2], [0, 1], [0, 1, 2]]
    for epsilon in (np.array([0.0, 0.3, 0.6, 1.0]), np.full(4, 0.12)):
        expected = np.repeat(epsilon[:, None] / 3, 3, axis=1)
        for row, (share, arms) in enumerate(zip(epsilon, best, strict=True)):
            expected[row, arms] += (1 - share) / len(arms)
        assert_close(explore(values, epsilon), expected, "each arm gets ε/A, and the best of its row share 1 - ε")
        assert_close(explore(values[1], 0.3), np.array([0.45, 0.1, 0.45]), "one row, one ε")
    assert_close(explore(values[1]), np.array([0.5, 0.0, 0.5]), "without ε it is greedy")


class _Zeros(np.random.Generator):
    """Uniform numbers that are all 0: the least there is."""

    def random(self, size: object) -> np.ndarray:
        return np.zeros(size)


class _Diary:
    """A rule of fixed probabilities, and arms that pay their number plus a little of the time; both remember."""

    means = np.array([0.0, 1.0, 2.0])

    def __init__(self, chances: tuple[float, ...] = (0.2, 0.5, 0.3)) -> None:
        self.chances, self.seen, self.paid = chances, [], []

    def rule(self, estimates: np.ndarray, counts: np.ndarray) -> np.ndarray:
        self.seen.append((estimates.copy(), counts.copy()))
        return np.repeat(np.array([self.chances]), len(estimates), axis=0)

    def pull(self, actions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        self.paid.append(actions + 0.01 * len(self.paid) + 0.1 * rng.random(len(actions)))
        return self.paid[-1]


def check_race(race: Callable) -> None:
    """Arms come with the rule's probabilities, player by player; rewards are the arms'; estimates are sample means.

    The statistical part: 2,400 pulls, each share within 6 standard errors: false alarm under 1e-8.
    """
    diary = _Diary()
    actions, rewards = race(diary, diary.rule, 12, 200, np.random.default_rng(33))
    assert_close(rewards, np.stack(diary.paid, axis=1), "the rewards are those that the arms paid")
    assert_close(np.floor(rewards - 0.01 * np.arange(12)), actions, "the arms that paid are those that are named")
    assert len(diary.seen) == 12, "the rule is asked once a pull for all players; yours asks it otherwise."
    for t, (estimates, counts) in enumerate(diary.seen):
        for arm in range(3):
            here = actions[:, :t] == arm
            assert_close(counts[:, arm], here.sum(axis=1), "a rule sees how often each arm was pulled")
            means = np.where(here, rewards[:, :t], 0).sum(axis=1) / np.maximum(here.sum(axis=1), 1)
            assert_close(estimates[:, arm], means, "a rule sees the mean of each arm's rewards, 0 before the first")
    for arm, chance in enumerate((0.2, 0.5, 0.3)):
        share, error = float((actions == arm).mean()), (chance * (1 - chance) / actions.size) ** 0.5
        assert abs(share - chance) < 6 * error, f"arms come with the rule's probabilities; yours has {share:.3f}."
    assert np.abs(np.corrcoef(actions[:100].ravel(), actions[100:].ravel())[0, 1]) < 0.2, "players are independent."
    never = _Diary((0.0, 0.6, 0.4))
    actions, _ = race(never, never.rule, 2, 3, _Zeros(np.random.PCG64(0)))
    assert_close(actions, np.ones((3, 2), dtype=int), "an arm of probability 0 is never pulled")


def check_expected_regret(expected_regret: Callable) -> None:
    """The mean over every sequence of arms and rewards, weighted by its probability."""

    def rule(estimates: np.ndarray, counts: np.ndarray) -> np.ndarray:
        lean = 1 / (1 + np.exp(1.7 * (estimates[..., 1] - estimates[..., 0]) + 0.3 * (counts[..., 0] - counts[..., 1])))
        return np.stack([lean, 1 - lean], axis=-1)

    for means in (np.array([0.8, 0.3]), np.array([0.35, 0.6])):
        expected = np.zeros(4)
        for path in itertools.product(itertools.product((0, 1), (0, 1)), repeat=4):
            chance, totals, counts, cost = 1.0, np.zeros(2), np.zeros(2, dtype=int), []
            for arm, reward in path:
                chance *= rule(totals / np.maximum(counts, 1), counts)[arm]
                chance *= means[arm] if reward else 1 - means[arm]
                totals[arm] += reward
                counts[arm] += 1
                cost.append(max(means) - means[arm])
            expected += chance * np.cumsum(cost)
        law = "the regret is the mean over every sequence of arms and rewards"
        assert_close(expected_regret(means, rule, 4), expected, law)
