"""Policy gradients on decision processes and KL-limited steps: learning against exact answers, bad input, statistics."""

from itertools import islice

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.actor_critic import GRID, UNIFORM, estimates_of, expected_gae
from rlhw import laws, ppo
from rlhw.actor_critic import (
    actor_critic,
    exact_advantages,
    gae,
    objective,
    policy_gradient,
    reinforce,
    reinforce_gradients,
    state_softmax,
)
from rlhw.dynamic_programming import discounted_visits, policy_iteration, solve_policy
from rlhw.laws.policy_optimization import answers
from rlhw.mdp import MDP, episodes
from rlhw.trust_region import fisher, kl_step, mean_kl, natural_gradient
from rlhw.worlds import random_mdp, random_walk

POLICY = state_softmax(UNIFORM)


def test_the_theorem_is_a_central_difference_on_a_hundred_random_worlds():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        mdp = random_mdp(int(rng.integers(2, 6)), int(rng.integers(2, 4)), rng, gamma=float(rng.uniform(0.0, 0.95)))
        logits = rng.standard_normal(mdp.rewards.shape)
        known = laws.numerical_gradient(lambda z, mdp=mdp: objective(mdp, z), logits, step=1e-5)
        np.testing.assert_allclose(policy_gradient(mdp, logits), known, atol=1e-6)


def test_without_gamma_to_the_t_that_very_test_fails():
    mdp = random_mdp(4, 3, np.random.default_rng(0), gamma=0.8)
    logits = np.random.default_rng(1).standard_normal((4, 3))
    policy = state_softmax(logits)
    flat = np.linalg.matrix_power(np.einsum("sa,sat->st", policy, mdp.transitions), 999).T @ mdp.start
    wrong = flat[:, None] * policy * exact_advantages(mdp, policy)
    known = laws.numerical_gradient(lambda z: objective(mdp, z), logits, step=1e-5)
    assert np.abs(wrong - known).max() > 1e-2


def test_both_gaes_agree():
    for values, mask, rng in answers():
        rewards = rng.standard_normal(mask.shape)
        theirs = ppo.gae(*map(torch.tensor, (rewards, values, mask)), 0.9, 0.7)
        for one, other in zip(gae(rewards, values, mask, 0.9, 0.7), theirs, strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-12)


def standard_errors(estimates, known):
    """The largest distance of the mean from what is known, in standard errors, over entries that move at all."""
    spread = estimates.std(axis=0) / len(estimates) ** 0.5
    moves = spread > 1e-12
    return (np.abs(estimates.mean(axis=0) - known)[moves] / spread[moves]).max()


def test_reinforce_is_unbiased_and_a_wrong_estimate_is_caught():
    """1,000 episodes, 30 entries: six standard errors, false alarm 6e-8. Rewards counted twice, or cut, are caught."""
    seen = episodes(GRID, POLICY, 1000, np.random.default_rng(7))
    exact, value = policy_gradient(GRID, UNIFORM), solve_policy(GRID, POLICY)
    assert standard_errors(reinforce_gradients(POLICY, seen, GRID.gamma, value), exact) < 6
    twice = reinforce_gradients(POLICY, seen._replace(rewards=2 * seen.rewards), GRID.gamma, value)
    assert standard_errors(twice, exact) > 6, "rewards counted twice"
    once = seen._replace(mask=np.concatenate([seen.mask[:, :20], 0 * seen.mask[:, 20:]], axis=1).astype(bool))
    assert standard_errors(reinforce_gradients(POLICY, once, GRID.gamma, value), exact) > 6, "what is cut is a bias"


def test_the_mean_of_gae_is_its_closed_form():
    """By state and action, from 600 episodes: the visits of one episode depend on each other, so seven standard errors."""
    value = solve_policy(GRID, POLICY)
    critic = np.where(GRID.terminal, 0.0, value + np.random.default_rng(3).standard_normal(len(value)))
    seen = [episodes(GRID, POLICY, 100, np.random.default_rng((4, part))) for part in range(6)]
    for lam in (0.0, 0.7):
        counts, mean, variance = estimates_of(critic, lam, seen)
        variance = np.maximum(variance, 1e-6)  # beside two walls a step is sure, and its estimate has none
        known, often = expected_gae(GRID, POLICY, critic, lam), counts > 200
        assert often.sum() > 20
        far = np.abs(mean - known)[often] / np.sqrt(variance[often] / counts[often])
        assert far.max() < 7
        biased = np.abs(mean - exact_advantages(GRID, POLICY))[often] / np.sqrt(variance[often] / counts[often])
        assert biased.max() > 12, "a wrong critic's bias is seen"


def test_reinforce_takes_the_steps_that_its_own_episodes_say():
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    mdp, logits, values = random_walk(3, gamma=0.9), np.zeros((5, 2)), np.zeros(5)
    for learned in islice(reinforce(mdp, step_size=0.4, value_rate=0.5, batch=6, steps=3, rng=rng), 3):
        seen = episodes(mdp, state_softmax(logits), 6, again)
        update, sums, visits = np.zeros((5, 2)), np.zeros(5), np.zeros(5)
        for states, actions, rewards, mask in zip(*seen, strict=True):
            for t in range(int(mask.sum())):
                later = sum(0.9 ** (k - t) * rewards[k] for k in range(t, int(mask.sum())))
                score = np.eye(2)[actions[t]] - state_softmax(logits)[states[t]]
                update[states[t]] += 0.9**t * (later - values[states[t]]) * score / 6
                sums[states[t]] += later
                visits[states[t]] += 1
        logits = logits + 0.4 * update
        values = values + np.where(visits > 0, 0.5 * (sums / np.maximum(visits, 1) - values), 0.0)
        np.testing.assert_allclose(learned.logits, logits, atol=1e-12)
        np.testing.assert_allclose(learned.values, values, atol=1e-12)
        assert learned.steps == seen.mask.sum()
        assert learned.earned == pytest.approx(np.mean(seen.rewards @ 0.9 ** np.arange(seen.rewards.shape[1])))


def test_a_critic_alone_finds_the_values():
    """No actor: TD(0) with small steps. Its mean over 400 runs is within six standard errors of v after it has settled."""
    mdp = random_walk(3, gamma=0.9)
    *_, last = actor_critic(mdp, step_size=0.0, value_rate=0.02, runs=400, steps=1500, rng=np.random.default_rng(8))
    value = solve_policy(mdp, np.full((5, 2), 0.5))
    spread = last.values.std(axis=0)[1:4] / 20
    assert np.all(np.abs(last.values.mean(axis=0) - value)[1:4] < 6 * spread + 0.01)
    assert np.all(last.values[:, [0, 4]] == 0.0)


def test_actor_critic_comes_near_the_best_policy():
    best = float(GRID.start @ policy_iteration(GRID)[0])
    *_, last = actor_critic(GRID, step_size=0.1, value_rate=0.3, runs=5, steps=3000, rng=np.random.default_rng(0))
    gaps = [best - objective(GRID, logits) for logits in last.logits]
    assert all(0 <= gap < 0.05 * (best - objective(GRID, UNIFORM)) for gap in gaps)


def test_actions_are_drawn_from_the_policy():
    """Chi-square of the first step of 5,000 runs: false alarm 1e-6; a start in the next state is caught."""
    mdp = random_mdp(3, 2, np.random.default_rng(0))
    ends = MDP(
        np.concatenate(
            [np.pad(mdp.transitions * 0.9, ((0, 0), (0, 0), (0, 1)), constant_values=0.1), np.eye(4)[[[3, 3]]]]
        ),
        np.concatenate([mdp.rewards, np.zeros((1, 2))]),
        0.9,
        np.append(mdp.start, 0.0),
    )
    first = next(actor_critic(ends, step_size=0.1, value_rate=0.1, runs=5000, steps=1, rng=np.random.default_rng(1)))
    counts = np.bincount(first.states, minlength=4)[:3]
    assert stats.chisquare(counts, 5000 * mdp.start).pvalue > 1e-6
    assert stats.chisquare(counts, 5000 * np.roll(mdp.start, 1)).pvalue < 1e-6
    assert stats.binomtest(int(first.actions.sum()), 5000, 0.5).pvalue > 1e-6


def test_the_natural_gradient_gains_more_than_any_other_step_of_that_kl():
    rng = np.random.default_rng(9)
    logits = rng.standard_normal(UNIFORM.shape)
    visits, low = discounted_visits(GRID, state_softmax(logits)), objective(GRID, logits)
    gain = objective(GRID, kl_step(visits, logits, natural_gradient(GRID, logits), 1e-6)) - low
    ways = [policy_gradient(GRID, logits), *rng.standard_normal((50, *logits.shape))]
    others = [objective(GRID, kl_step(visits, logits, way, 1e-6)) - low for way in ways]
    assert gain > max(others) > 0


def test_a_step_in_other_parameters_is_the_same_policy():
    """Logits written as θ = M θ', so that F' = Mᵀ F M and g' = Mᵀ g: the natural step is the same policy, the plain one not."""
    rng = np.random.default_rng(10)
    logits = rng.standard_normal(UNIFORM.shape)
    visits, size = discounted_visits(GRID, state_softmax(logits)), logits.size
    matrix = fisher(visits, state_softmax(logits)).reshape(size, size)
    gradient, change = policy_gradient(GRID, logits).ravel(), rng.standard_normal((size, size))
    natural = change @ np.linalg.pinv(change.T @ matrix @ change, rcond=1e-12) @ change.T @ gradient
    plain = change @ change.T @ gradient

    def policy_after(step):
        return state_softmax(kl_step(visits, logits, step.reshape(logits.shape), 0.01))

    ours = policy_after(natural_gradient(GRID, logits).ravel())
    live = ~GRID.terminal
    np.testing.assert_allclose(policy_after(natural)[live], ours[live], atol=1e-6)
    assert np.abs(policy_after(plain) - ours)[live].max() > 1e-2


@pytest.mark.parametrize("kl", [1e-9, 1e-3, 5.0, 300.0])
def test_a_step_reaches_its_kl_be_it_small_or_large(kl):
    rng = np.random.default_rng(11)
    logits, way = 3 * rng.standard_normal((4, 3)), 1e5 * rng.standard_normal((4, 3))
    visits = np.array([1.0, 0.2, 0.0, 3.0])
    assert mean_kl(visits, logits, kl_step(visits, logits, way, kl)) == pytest.approx(kl, rel=1e-5)


ONES = np.ones(2)
BAD = {
    "a discount above 1": (lambda: gae(ONES, ONES, ONES > 0, 1.5, 0.5), r"gamma must be in \[0, 1\]; got 1.5"),
    "a lambda below 0": (lambda: gae(ONES, ONES, ONES > 0, 0.5, -0.1), r"lam must be in \[0, 1\]; got -0.1"),
    "no episodes": (
        lambda: next(
            reinforce(
                random_walk(3), step_size=0.1, value_rate=0.1, batch=0, steps=1, rng=np.random.default_rng(0)
            )
        ),
        "batch must be 1 or more",
    ),
    "a logit": (lambda: state_softmax(np.array([[0.0, np.nan]])), r"logits must be finite; logits\[0, 1\]"),
    "a world without an end": (
        lambda: next(
            actor_critic(
                random_mdp(2, 2, np.random.default_rng(0)),
                step_size=0.1, value_rate=0.1, runs=1, steps=1, rng=np.random.default_rng(0),
            )
        ),
        "mdp must have a terminal state",
    ),
    "no nats": (lambda: kl_step(np.ones(1), np.zeros((1, 2)), np.eye(2)[:1], 0.0), "kl must be a positive number"),
    "a direction that moves nothing": (
        lambda: kl_step(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)), 0.1),
        "direction must change the policy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case):
    call, sentence = BAD[case]
    with pytest.raises(ValueError, match=sentence):
        call()
