"""REINFORCE, ratio and clip, critic: each step to PPO against the exact J*; `python -m benchmarks.steps_to_ppo` writes the card.

Each of 20 seeds draws a problem of its own: a reference, and a reward for each of 27 answers to three prompts, so that J* is a sum.
Every method samples 1,152 answers in 24 rollouts, with a careful and with a bold learning rate. Beside them, by enumeration: bias
and variance of λ in GAE, how far one rollout may be followed, and k1, k2, k3 as values and as losses. About 2 minutes on one core.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.small_problem import METHODS, PROMPTS, ROLLOUTS, WIDTH, K, Problem, curve
from benchmarks.steps_exact import UPDATES, estimators, lambdas, losses, one_rollout
from rlhw import cards

SEEDS, RATES, SHOWN = range(20), {"careful": 0.05, "bold": 0.2}, (4, 8, 16, ROLLOUTS)
TITLES = {
    "plain": "REINFORCE, no baseline",
    "leave_one_out": "REINFORCE, leave-one-out",
    "again": "four updates a rollout, no ratio",
    "ratio": "four updates a rollout, ratio",
    "clip": "four updates a rollout, ratio and clip",
    "critic": "PPO: critic and GAE",
}


def runs() -> dict[str, dict]:
    """The share of J* - J_ref that each method has come, at both rates."""
    metrics = {}
    for speed, rate in RATES.items():
        for name, method in METHODS.items():
            curves = np.array([curve(method, Problem(seed), rate, seed) for seed in SEEDS])
            for rollouts in SHOWN:
                meaning = f"share of J* - J_ref after {rollouts} rollouts, {TITLES[name]}, rate {rate}"
                metrics[f"{name}_{speed}_{rollouts}"] = cards.metric(meaning, curves[:, rollouts - 1].tolist())
            print(speed, name, np.median(curves[:, [n - 1 for n in SHOWN]], 0).round(3), flush=True)
    return metrics


def over_seeds(measure: Callable[[int], dict[str, float]], prefix: str, meaning: str) -> dict[str, dict]:
    """One metric for each number that `measure` gives."""
    rows = [measure(seed) for seed in SEEDS]
    return {
        f"{prefix}_{name}".replace(".", ""): cards.metric(f"{meaning}: {name}", [row[name] for row in rows])
        for name in rows[0]
    }


def followed() -> dict[str, dict]:
    """KL(π_old‖π), claim of the surrogate and gain of J after so many updates from one rollout."""
    rows, metrics = [one_rollout(seed) for seed in SEEDS], {}
    for name in rows[0]:
        for update in range(0, UPDATES + 1, 2):
            meaning = f"{name} after {update} updates from one rollout of {len(PROMPTS) * WIDTH * K} answers"
            metrics[f"one_{name}_{update}"] = cards.metric(meaning, [row[name][update] for row in rows])
    return metrics


def main() -> int:
    """Measure everything and write the card."""
    start = time.perf_counter()
    metrics = over_seeds(lambdas, "lambda", "gradient from one answer, critic and λ, bias or noise over its length")
    metrics |= followed()
    metrics |= over_seeds(estimators, "value", "k1, k2, k3 as values, over the KL (and the KL itself, nats)")
    metrics |= over_seeds(
        losses, "loss", "distance of the mean gradient from that of KL(π‖ref) or KL(ref‖π), as a share"
    )
    metrics["answers"] = cards.metric("answers that each method samples", len(PROMPTS) * WIDTH * K * ROLLOUTS)
    metrics |= runs()
    cards.write(
        "steps_to_ppo", "The three steps to PPO on problems that are known exactly", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.steps_to_ppo",
        modules=[
            "rlhw.ppo", "rlhw.grpo", "rlhw.weighted_update", "rlhw.rollouts", "rlhw.logprobs", "rlhw.tabular_lm",
            "benchmarks.small_problem", "benchmarks.steps_exact",
        ],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
