"""Exact numbers of chapter 9: `python -m benchmarks.groups_and_turns` writes the card. Nothing is sampled; about a second.

Variances of one group on the five arms of chapter 2; weights that the scale gives to prompts, and shares of tied groups; and the
dialogue of `rlhw.dialogue`: who is to blame for a lost turn, and what fine-tuning on repairs alone forgets.
"""

import sys
import time
from itertools import product

import numpy as np

from rlhw import cards
from rlhw.dialogue import (
    Dialogues,
    cloning_step,
    enumerate_dialogues,
    expected_lost,
    mean_and_variance,
    replies_law,
    state_values,
    to_go,
)
from rlhw.groups import best_group_size, rloo_variance, scaled_weight, tied_share, variance_parts
from rlhw.policy_gradient import exact_gradient, gradient_variance, optimal_baseline

# The five arms of chapter 2, and the policy of its table.
LOGITS, MEANS = np.array([0.5, 2.0, 0.5, 0.0, 0.0]), np.array([4.0, 5.0, 4.4, 3.6, 4.2])
# The dialogue: a policy that is sure on track, and does the same when lost.
TURNS, HABIT, ERROR = 6, np.array([3.0, 0.0, 0.0]), 0.05
STEPS, RATE = (0, 40, 200), 0.2


def enumerated(k: int) -> float:
    """The variance of a group of K answers, by a sum over all 5^K groups."""
    law, scores = replies_law(LOGITS), np.eye(5) - replies_law(LOGITS)
    groups = np.array(list(product(range(5), repeat=k)))
    rewards = MEANS[groups]
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (k - 1)
    updates = np.einsum("gk,gka->ga", rewards - others, scores[groups]) / k
    chances = law[groups].prod(axis=1)
    mean = chances @ updates
    return float(chances @ (updates**2).sum(axis=1) - mean @ mean)


def one_group() -> dict[str, dict]:
    """Variance of an answer with each baseline; the best K where prompts share nothing."""
    value, square = float(MEANS @ replies_law(LOGITS)), float((exact_gradient(LOGITS, MEANS) ** 2).sum())
    own, others = variance_parts(LOGITS, MEANS)
    metrics = {
        f"variance_{name}": cards.metric(
            f"variance of one answer, baseline {name}", gradient_variance(LOGITS, MEANS, b)
        )
        for name, b in (("none", 0.0), ("value", value), ("best", optimal_baseline(LOGITS, MEANS)))
    }
    for k in (2, 3, 4, 5):
        meaning, found = f"K times the variance of a group of {k} answers, by enumeration", k * enumerated(k)
        metrics[f"variance_k{k}"] = cards.metric(meaning, found, known=k * rloo_variance(LOGITS, MEANS, k))
    for k in (2, 4, 8, 16):
        metrics[f"variance_formula_k{k}"] = cards.metric(f"the same by formula, K = {k}", own + others / (k - 1))
        split = own + others / (k - 1) + k * square
        metrics[f"split_k{k}"] = cards.metric(f"N times the variance of N answers, {k} to each of N/{k} prompts", split)
    metrics["others"] = cards.metric("what it costs that the baseline is a mean of others", others)
    metrics["squared_gradient"] = cards.metric("squared length of the gradient", square)
    best = best_group_size(others, square)
    metrics["best_k"] = cards.metric("K of least variance, many prompts with nothing in common", best)
    return metrics


def weights() -> dict[str, dict]:
    """Weights under scale, and shares of tied groups."""
    metrics = {}
    for p, k in product((0.01, 0.1, 0.5), (4, 8, 16, 64)):
        name, what = f"{p}_k{k}".replace(".", ""), f"p = {p}, K = {k}"
        metrics[f"weight_{name}"] = cards.metric(f"weight of ∇p with scale, {what}", scaled_weight(p, k))
        metrics[f"tied_{name}"] = cards.metric(f"share of groups all right or all wrong, {what}", tied_share(p, k))
    return metrics


def ways_to_blame(logits: np.ndarray, every: Dialogues) -> dict[str, np.ndarray]:
    """Weights "N T" of each turn: the baselines are those that a very large group would show, or those of an exact critic."""
    turns, rewards = np.arange(len(logits)), every.rewards
    later, values = to_go(rewards), state_values(logits)
    here = values[turns, every.states]
    after = np.concatenate([here[:, 1:], np.zeros((len(rewards), 1))], axis=1)
    whole = np.repeat(rewards.sum(axis=1, keepdims=True), len(logits), axis=1)
    return {
        "dialogue": whole - every.chances @ whole,
        "togo": later - every.chances @ later,
        "state": later - here,
        "advantage": rewards + after - here,
        "turn": rewards - every.chances @ rewards,
    }


def blame(turns: int) -> dict[str, dict]:
    """Error of the mean gradient and noise of one dialogue, for each way to weigh a turn."""
    logits = np.zeros((turns, 2, 3))
    logits[:, 0] = [2.0, 0.0, 0.0]
    every = enumerate_dialogues(logits)
    exact, _ = mean_and_variance(logits, every, to_go(every.rewards))
    square, metrics = float((exact**2).sum()), {}
    for name, turn_weights in ways_to_blame(logits, every).items():
        mean, variance = mean_and_variance(logits, every, turn_weights)
        what = f"{turns} turns, {name}"
        error = float(np.linalg.norm(mean - exact)) / np.sqrt(square)
        metrics[f"noise_{name}_{turns}"] = cards.metric(f"variance over squared gradient, {what}", variance / square)
        metrics[f"error_{name}_{turns}"] = cards.metric(f"error of the mean gradient over its length, {what}", error)
    return metrics


def snowball() -> dict[str, dict]:
    """Turns that end lost, for a clone that never saw a lost dialogue and for one that learned on its own states."""
    metrics = {}
    for turns in (2, 5, 10, 20, 40):
        clone, trained = expected_lost(ERROR, 0.0, turns), expected_lost(ERROR, 1 - ERROR, turns)
        metrics[f"lost_clone_{turns}"] = cards.metric(f"turns lost of {turns}, no repair", clone, unit="turns")
        metrics[f"lost_own_{turns}"] = cards.metric(f"turns lost of {turns}, repairs as sure", trained, unit="turns")
    return metrics


def repetition() -> dict[str, dict]:
    """How often a wrong reply is the wrong reply of the turn before, said again: a clone, and one that knows repairs."""
    metrics, on_track = {}, np.log([1 - ERROR, ERROR / 2, ERROR / 2])
    for name, when_lost in (("clone", on_track), ("own", on_track[[1, 0, 2]])):
        every = enumerate_dialogues(np.stack([[on_track, when_lost]] * TURNS))
        wrong = every.rewards == 0
        again = wrong[:, 1:] & wrong[:, :-1] & (every.replies[:, 1:] == every.replies[:, :-1])
        shares = [float(every.chances @ counted.sum(axis=1)) for counted in (again, wrong, ~wrong)]
        what = f"{TURNS} turns, {name}"
        metrics[f"again_{name}"] = cards.metric(
            f"share of wrong replies that repeat the one before, {what}", shares[0] / shares[1]
        )
        metrics[f"earned_{name}"] = cards.metric(f"turns on track, {what}", shares[2])
    return metrics


def forgetting() -> dict[str, dict]:
    """Fine-tuning on repairs alone, and on repairs with as many other turns: what a dialogue of six turns earns."""
    metrics = {}
    for name, share in (("repairs", 1.0), ("mixed", 0.5)):
        common, lost = HABIT, np.zeros(3)
        for step in range(max(STEPS) + 1):
            well, repair = replies_law(common)[0], replies_law(common + lost)[1]
            if step in STEPS:
                earned = TURNS - expected_lost(1 - well, repair, TURNS)
                metrics[f"{name}_{step}"] = cards.metric(f"turns on track of {TURNS}, {name}, step {step}", earned)
                metrics[f"{name}_{step}_well"] = cards.metric(f"right on track, {name}, step {step}", float(well))
                metrics[f"{name}_{step}_repair"] = cards.metric(f"right when lost, {name}, step {step}", float(repair))
            common, lost = cloning_step(common, lost, share, RATE)
    return metrics


def main() -> int:
    """Compute everything, print the enumerated variances beside their formula, and write the card."""
    start = time.perf_counter()
    metrics = one_group() | weights() | snowball() | blame(2) | blame(8) | repetition() | forgetting()
    gaps = [abs(entry["value"] - entry["known"]) for entry in metrics.values() if "known" in entry]
    print(
        f"variance by enumeration against its formula: {max(gaps):.1e}, bound 1e-9: {'met' if max(gaps) < 1e-9 else 'SHORT'}"
    )
    cards.write(
        "groups_and_turns", "Groups of answers and turns of a dialogue, by enumeration", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.groups_and_turns",
        modules=["rlhw.groups", "rlhw.dialogue", "rlhw.policy_gradient", "benchmarks.groups_and_turns"],
    )  # fmt: skip
    return 0 if max(gaps) < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
