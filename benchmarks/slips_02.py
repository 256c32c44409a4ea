"""The slips of chapter 2, measured: `python -m benchmarks.slips_02` writes results/slips_02.json."""

import numpy as np

from benchmarks.slips import Slip, length, write_card
from rlhw.bandits import Bandit, MeanBaseline, NoBaseline, gradient_bandit, greedy, ucb
from rlhw.laws import enumerate_sequences
from rlhw.policy_gradient import (
    exact_gradient,
    gradient_variance,
    leave_one_out,
    optimal_baseline,
    softmax,
    weighted_scores,
)

TWO_ARMS, TWO_REWARDS = np.log([0.9, 0.1]), np.array([1.0, 0.0])
LOGITS, REWARDS = np.log([1.0, 2.0, 1.0]), np.array([1.0, 0.0, 2.0])
SURE_ARMS = np.array([0.9, 0.5, 0.5, 0.5, 0.5])


def variance_with(baseline) -> float:
    """Total variance of an estimate for two arms, p = (0.9, 0.1), r = (1, 0)."""
    return gradient_variance(TWO_ARMS, TWO_REWARDS, baseline(TWO_ARMS, TWO_REWARDS))


def share_of_gradient(baseline) -> float:
    """Length of the expected update over four samples, by enumeration, as a share of the exact gradient's."""
    p, mean = softmax(LOGITS), np.zeros(3)
    for sequence in enumerate_sequences(3, 4):
        actions = np.array(sequence)
        rewards = REWARDS[actions]
        update = weighted_scores(LOGITS, actions, rewards - baseline(rewards)).mean(axis=0)
        mean += np.prod(p[actions]) * update
    return length(mean) / length(exact_gradient(LOGITS, REWARDS))


def pulls_until_all_tried(rule) -> float:
    """Pulls until each of five sure arms (0.9 and four times 0.5) has been tried."""
    totals, counts = np.zeros(5), np.zeros(5, dtype=int)
    while np.any(counts == 0):
        action = int(np.argmax(rule(totals / np.maximum(counts, 1), counts)))
        totals[action] += SURE_ARMS[action]
        counts[action] += 1
    return float(counts.sum())


def ucb_that_pretends(estimates, counts):
    """c = 1, and an arm never tried counted as tried once, so that nothing is divided by zero."""
    tried = np.maximum(counts, 1)
    return greedy(estimates + np.sqrt(np.log(max(counts.sum(), 1)) / tried), counts)


def lost_though_sure(baseline) -> float:
    """Runs of 20 that end with entropy under 0.1 nats on an arm that is not the best: step size 0.4, 400 steps."""
    bandit = Bandit(np.array([4.0, 5.0, 4.4, 3.6, 4.2]), sd=1.0)
    lost = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        *_, last = gradient_bandit(bandit, baseline(), step_size=0.4, batch=1, steps=400, rng=rng)
        lost += last["entropy"] < 0.1 and last["value"] < 4.7
    return float(lost)


SLIPS = {
    "value_is_best": Slip(
        "variance with b = V, p = (0.9, 0.1), r = (1, 0) (right: with b*)",
        variance_with,
        wrong=lambda logits, rewards: float(softmax(logits) @ rewards),
        right=optimal_baseline,
    ),
    "value_always_helps": Slip(
        "variance with b = V, p = (0.9, 0.1), r = (1, 0) (right: with b = 0)",
        variance_with,
        wrong=lambda logits, rewards: float(softmax(logits) @ rewards),
        right=lambda logits, rewards: 0.0,
    ),
    "group_mean": Slip(
        "expected update with the mean of all four rewards, as a share of the gradient (right: of the other three)",
        share_of_gradient,
        wrong=lambda rewards: np.full(len(rewards), rewards.mean()),
        right=leave_one_out,
    ),
    "ucb_untried": Slip(
        "pulls until each of five arms was tried, N = 0 taken for 1 (right: untried arms first)",
        pulls_until_all_tried,
        wrong=ucb_that_pretends,
        right=ucb(1.0),
        unit="pulls",
    ),
    "sure_is_right": Slip(
        "runs of 20 that are sure of a wrong arm, step size 0.4, without baseline (right: with the mean)",
        lost_though_sure,
        wrong=NoBaseline,
        right=MeanBaseline,
        unit="runs",
    ),
}

if __name__ == "__main__":
    write_card(
        "02", "The slips of chapter 2, measured", SLIPS, ["rlhw.policy_gradient", "rlhw.bandits", "benchmarks.slips_02"]
    )
