"""Bandits and REINFORCE on arms: against expectations by hand, exact dynamics, and other implementations."""

import numpy as np
import pytest
from scipy import stats

from rlhw.bandits import (
    Bandit,
    BernoulliBandit,
    LearnedBaseline,
    MeanBaseline,
    NoBaseline,
    OptimalBaseline,
    epsilon_greedy,
    gradient_bandit,
    greedy,
    play,
    ucb,
)
from rlhw.laws import probabilities_of
from rlhw.policy_gradient import one_number, optimal_baseline, sample_actions

MEANS = np.array([0.3, 1.1, -0.4])


def test_gaussian_pulls_have_the_stated_law():
    # Kolmogorov-Smirnov on 20,000 pulls: false alarm 1e-6. A standard deviation used as a variance is caught.
    rng = np.random.default_rng(0)
    pulls = Bandit(MEANS, sd=0.5).pull(np.full(20_000, 1), rng)
    assert stats.kstest(pulls, stats.norm(1.1, 0.5).cdf).pvalue > 1e-6
    assert stats.kstest(pulls, stats.norm(1.1, 0.5**0.5).cdf).pvalue < 1e-6


def test_bernoulli_pulls_have_the_stated_law():
    # Binomial test on 20,000 pulls: false alarm 1e-6. The complement of the probability is caught.
    rng = np.random.default_rng(1)
    pulls = BernoulliBandit(np.array([0.3, 0.6])).pull(np.zeros(20_000, dtype=int), rng)
    assert set(pulls) == {0.0, 1.0}
    assert stats.binomtest(int(pulls.sum()), 20_000, 0.3).pvalue > 1e-6
    assert stats.binomtest(int(pulls.sum()), 20_000, 0.7).pvalue < 1e-6


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Bandit(np.array([1.0, np.nan])), "means must be at least two finite numbers"),
        (lambda: Bandit(np.array([1.0])), "means must be at least two finite numbers"),
        (lambda: Bandit(MEANS, sd=-1.0), "sd must be a finite number"),
        (lambda: BernoulliBandit(np.array([0.5, np.inf])), "arm 1 is inf"),
        (lambda: BernoulliBandit(np.array([-0.1, 0.5])), "arm 0 is -0.1"),
        (lambda: epsilon_greedy(1.2), "epsilon must be in"),
        (lambda: ucb(float("nan")), "c must be a positive number"),
        (lambda: one_number(MEANS), "baseline must be one finite number"),
        (lambda: sample_actions(MEANS, np.array([1.0])), "uniforms must lie in"),
        (lambda: sample_actions(np.array([0.0, np.nan]), np.array([0.5])), "entry 1 is not"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_baseline_of_the_action_is_refused_by_the_loop():
    class Peeking(NoBaseline):
        def value(self, logits):
            return logits + 1.0

    steps = gradient_bandit(Bandit(MEANS), Peeking(), step_size=0.1, batch=2, steps=1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="baseline must be one finite number, the same for every action"):
        next(steps)


def one_step(baseline, **changes):
    settings = {"step_size": 0.3, "batch": 5, "steps": 1, "rng": np.random.default_rng(5)} | changes
    return next(gradient_bandit(Bandit(MEANS, sd=0.7), baseline, **settings))


def test_one_step_by_hand():
    rng = np.random.default_rng(5)
    actions = np.array([int(3 * u) for u in rng.random(5)])
    rewards = MEANS[actions] + 0.7 * rng.standard_normal(5)
    expected = np.zeros(3)
    for action, reward in zip(actions, rewards, strict=True):
        for k in range(3):
            expected[k] += 0.3 * (reward - 0.25) * ((1.0 if k == action else 0.0) - 1 / 3) / 5
    step = one_step(LearnedBaseline(b=0.25))
    np.testing.assert_allclose(step["logits"], expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(step["actions"], actions)
    assert step["reward"] == pytest.approx(rewards.mean(), abs=1e-12)
    p = probabilities_of(expected)
    assert step["value"] == pytest.approx(p @ MEANS, abs=1e-12)
    assert step["entropy"] == pytest.approx(-p @ np.log(p), abs=1e-12)
    # A mutant that forgets the baseline moves elsewhere.
    assert np.abs(one_step(NoBaseline())["logits"] - expected).max() > 1e-3


def test_baselines_hold_what_they_say():
    mean, learned, optimal = MeanBaseline(), LearnedBaseline(rate=0.5, b=1.0), OptimalBaseline(MEANS)
    assert mean.value(MEANS) == 0.0
    for batch in (np.array([1.0, 2.0]), np.array([6.0])):
        mean.update(batch)
        learned.update(batch)
        optimal.update(batch)
    assert mean.value(MEANS) == pytest.approx(3.0)
    assert learned.value(MEANS) == pytest.approx((1.0 + 1.5) / 2 / 2 + 6.0 / 2)
    assert optimal.value(np.zeros(3)) == pytest.approx(optimal_baseline(np.zeros(3), MEANS))


def test_expected_update_of_a_run_is_the_exact_gradient():
    # 40,000 samples in one batch; each component within 5.5 standard errors: false alarm under 2e-7 for three components.
    batch = 40_000
    step = one_step(MeanBaseline(), batch=batch, step_size=1.0)
    expected = np.full(3, 1 / 3) * (MEANS - MEANS.mean())
    error = np.sqrt((MEANS**2).mean() + 0.7**2) / batch**0.5
    assert np.all(np.abs(step["logits"] - expected) < 5.5 * error)
    # The gradient of the reward of the wrong arm is caught.
    assert np.any(np.abs(step["logits"] - np.roll(expected, 1)) > 5.5 * error)


def test_play_counts_and_regret():
    bandit = Bandit(MEANS, sd=0.0)
    played = play(bandit, ucb(0.5), 50, np.random.default_rng(0))
    assert set(played.actions[:3]) == {0, 1, 2}
    np.testing.assert_allclose(played.rewards, MEANS[played.actions])
    np.testing.assert_allclose(played.regret, np.cumsum(1.1 - MEANS[played.actions]))
    # Sure arms: after one pull each, greedy never errs again; epsilon = 1 keeps erring.
    tried = {"greedy": greedy, "uniform": epsilon_greedy(1.0)}
    lost = {name: play(bandit, rule, 300, np.random.default_rng(1)).regret[-1] for name, rule in tried.items()}
    assert lost["uniform"] > 100
    assert lost["greedy"] <= lost["uniform"]


def test_greedy_estimates_are_sample_means():
    seen = []

    def spy(estimates, counts):
        seen.append((estimates.copy(), counts.copy()))
        return np.full(3, 1 / 3)

    played = play(Bandit(MEANS), spy, 30, np.random.default_rng(2))
    for t, (estimates, counts) in enumerate(seen):
        for arm in range(3):
            rewards = played.rewards[:t][played.actions[:t] == arm]
            assert counts[arm] == len(rewards)
            assert estimates[arm] == pytest.approx(rewards.mean() if len(rewards) else 0.0)
