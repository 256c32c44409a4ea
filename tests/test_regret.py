"""Regret: against the rules of one player, scipy's divergences, a gambler's ruin, and races against their exact mean."""

import jaxtyping
import numpy as np
import pytest
from scipy import integrate, stats

from rlhw import bandits, exercises, laws
from rlhw.bandits import Bandit, BernoulliBandit
from rlhw.regret import (
    auer_epsilon,
    bernoulli_kl,
    decaying_epsilon,
    expected_regret,
    explore,
    gaps,
    gaussian_kl,
    lai_robbins,
    race,
    rule,
    ucb1_bound,
    upper_bounds,
)

TWO = np.array([0.65, 0.4])
RULES = {
    "greedy": rule(),
    "a tenth explored": rule(epsilon=lambda pull: 0.1),
    "decaying": rule(epsilon=lambda pull: decaying_epsilon(pull, 4.0)),
    "UCB1": rule(c=2**0.5),
}


def test_rules_of_tables_obey_the_laws_of_rules_of_one_player():
    laws.check_greedy(lambda q, n: rule()(q, n))
    laws.check_epsilon_greedy(lambda e: rule(epsilon=lambda pull: e))
    laws.check_ucb(lambda c: rule(c=c))


def test_rules_of_tables_agree_with_those_of_one_player_row_by_row():
    rng = np.random.default_rng(0)
    counts, estimates = rng.integers(1, 9, size=(50, 4)), rng.integers(0, 4, size=(50, 4)) / 4
    for table, single in (
        (rule(), bandits.greedy),
        (rule(epsilon=lambda pull: 0.3), bandits.epsilon_greedy(0.3)),
        (rule(c=0.8), bandits.ucb(0.8)),
    ):
        rows = np.stack([single(q, n) for q, n in zip(estimates, counts, strict=True)])
        np.testing.assert_allclose(table(estimates, counts), rows, atol=1e-12)


def test_divergences_agree_with_scipy_and_with_an_integral():
    for p, q in ((0.2, 0.7), (0.9, 0.35)):
        assert bernoulli_kl(p, q) == pytest.approx(stats.entropy([p, 1 - p], [q, 1 - q]), abs=1e-12)
    first, second = stats.norm(0.3, 1.4), stats.norm(1.1, 1.4)
    mean, _ = integrate.quad(lambda r: first.pdf(r) * (first.logpdf(r) - second.logpdf(r)), -20, 20)
    assert gaussian_kl(0.3, 1.1, 1.4) == pytest.approx(mean, abs=1e-8)


def mean_and_error(means, players_rule, pulls, players, run=race, seed=7):
    """The mean regret of a race after the last pull, and its standard error."""
    actions, _ = run(BernoulliBandit(means), players_rule, pulls, players, np.random.default_rng(seed))
    lost = gaps(means)[actions].sum(axis=1)
    return lost.mean(), lost.std() / players**0.5


@pytest.mark.parametrize("name", RULES)
def test_a_race_costs_what_the_sum_over_all_histories_says(name):
    # 20,000 players, the mean within 5.5 standard errors: false alarm under 4e-8 a rule.
    exact = expected_regret(TWO, RULES[name], 25)[-1]
    measured, error = mean_and_error(TWO, RULES[name], 25, 20_000)
    assert abs(measured - exact) < 5.5 * error


def doubled(bandit, players_rule, pulls, players, rng):
    """A race whose estimates take steps of 2/n instead of 1/n."""
    q, counts = np.zeros((players, 2)), np.zeros((players, 2), dtype=int)
    rows, actions = np.arange(players), np.zeros((players, pulls), dtype=int)
    for t in range(pulls):
        actions[:, t] = players_rule(q, counts)[:, 0] <= rng.random(players)
        arm = actions[:, t]
        counts[rows, arm] += 1
        q[rows, arm] += np.minimum(1.0, 2 / counts[rows, arm]) * (bandit.pull(arm, rng) - q[rows, arm])
    return actions, None


def counted_twice(bandit, players_rule, pulls, players, rng):
    """A race whose rule is told twice as many visits as there were."""
    return race(bandit, lambda q, counts: players_rule(q, 2 * counts), pulls, players, rng)


@pytest.mark.parametrize(("wrong", "name"), [(doubled, "greedy"), (counted_twice, "UCB1")])
def test_a_biased_estimator_is_caught_by_the_same_test(wrong, name):
    exact = expected_regret(TWO, RULES[name], 25)[-1]
    measured, error = mean_and_error(TWO, RULES[name], 25, 20_000, run=wrong)
    assert abs(measured - exact) > 5.5 * error


class OneSure(BernoulliBandit):
    """The first arm pays its mean for sure, the others 0 or 1."""

    def pull(self, actions, rng):
        return np.where(actions == 0, self.means[0], super().pull(actions, rng))


def test_greedy_is_ruined_as_often_as_a_gambler():
    # A sure 1/2 against a coin of 3/5: greedy leaves the coin for good with probability (2/5)/(3/5) = 2/3.
    # 6,000 players, 5.5 standard errors: false alarm under 4e-8; a half, or the 2/5 of a bad first pull, is caught.
    actions, _ = race(OneSure(np.array([0.5, 0.6])), rule(), 200, 6000, np.random.default_rng(3))
    lost, error = float(np.mean(np.all(actions[:, -30:] == 0, axis=1))), (2 / 9 / 6000) ** 0.5
    assert abs(lost - 2 / 3) < 5.5 * error
    assert min(abs(lost - wrong) for wrong in (0.4, 0.5)) > 5.5 * error


def test_the_bounds_stand_in_order():
    means = np.array([0.3, 0.5, 0.7, 0.4])
    constant = lai_robbins(gaps(means), bernoulli_kl(means, 0.7))
    # KL ≥ 2Δ² (Pinsker) puts the lower bound under a sixteenth of UCB1's guarantee.
    assert 16 * constant * np.log(1000) < ucb1_bound(gaps(means), 1000)
    assert np.all(expected_regret(TWO, RULES["UCB1"], 30) <= [ucb1_bound(gaps(TWO), t) for t in range(1, 31)])


def test_a_race_with_sure_arms_by_hand():
    actions, rewards = race(Bandit(np.array([1.0, 3.0, 2.0]), sd=0.0), rule(), 6, 4, np.random.default_rng(1))
    assert all(sorted(row[:3]) == [0, 1, 2] for row in actions.tolist())
    np.testing.assert_array_equal(actions[:, 3:], 1)
    np.testing.assert_allclose(rewards.sum(axis=1), 1 + 3 + 2 + 3 * 3)


def test_exploration_falls_as_stated():
    assert auer_epsilon(1000, c=5.0, arms=4, gap=0.2) == pytest.approx(5 * 4 / 0.04 / 1000)
    np.testing.assert_allclose(decaying_epsilon(np.array([1, 4, 8]), 2.0), [1, 0.5, 0.25])
    p = explore(upper_bounds(np.array([0.5, 0.2]), np.array([3, 3]), 0.0), decaying_epsilon(8, 2.0))
    np.testing.assert_allclose(p, [0.875, 0.125])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: bernoulli_kl(1.2, 0.5), "p must be probabilities"),
        (lambda: gaussian_kl(0.0, 1.0, 0.0), "sd must be a positive number; got 0.0"),
        (
            lambda: lai_robbins(np.array([0.0, 0.1]), np.zeros(2)),
            "divergences must be positive for every arm with a gap",
        ),
        (lambda: decaying_epsilon(3, -1.0), "c must be a positive number; got -1.0"),
        (lambda: auer_epsilon(3, 5.0, 2, 1.5), "gap must be in"),
        (lambda: ucb1_bound(np.array([0.0, 0.1]), 0), "pulls must be 1 or more; got 0"),
        (lambda: explore(np.eye(2), np.array([0.2, 1.3])), r"epsilon must be in \[0, 1\]; it lies between 0.2 and 1.3"),
        (lambda: rule(c=-0.5), "c must be 0 or a positive number; got -0.5"),
        (lambda: expected_regret(np.array([0.2, 0.5, 0.7]), rule(), 3), "means must be two probabilities"),
        (lambda: expected_regret(np.array([1.0, 3.0]), rule(), 3), r"means must be two probabilities.* got \[1. 3.\]"),
    ],
)
def test_bad_input_gets_one_sentence(call, sentence, monkeypatch):
    # Outside the tests nobody checks shapes.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_oracles_of_the_exercises_agree_with_the_library():
    rng = np.random.default_rng(4)
    greedy, optimist, bound = (exercises.question(f"b1-{name}") for name in ("epsilon-greedy", "ucb", "regret-bound"))
    for _ in range(20):
        for part in greedy.parts:
            estimates, epsilon = part.draw(rng)
            np.testing.assert_allclose(greedy.expected(estimates, epsilon), explore(estimates, epsilon), atol=1e-12)
        for part in optimist.parts:
            estimates, counts, c = part.draw(rng)
            np.testing.assert_allclose(
                optimist.expected(estimates, counts, c), rule(c=c)(estimates, counts), atol=1e-12
            )
        for part in bound.parts:
            (means,) = part.draw(rng)
            constant = lai_robbins(gaps(means), bernoulli_kl(means, means.max()))
            assert bound.expected(means) == pytest.approx(constant, rel=1e-9)
