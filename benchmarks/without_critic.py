"""Without a critic, against the exact J*: `python -m benchmarks.without_critic` writes the card. About 3 minutes of one core.

The problems are those of `steps_to_ppo`: 27 answers to each of three prompts, 48 answers a rollout, 24 rollouts, 20 seeds. All
methods go through a rollout four times with ratio and clip; what differs is the advantage, or how the 48 answers are shared out.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.small_problem import BETA, EPOCHS, LENGTH, MASK, PROMPTS, ROLLOUTS, K, Problem, critic, curve
from rlhw import cards
from rlhw.grpo import GRPOConfig, group_advantages, rloo_advantages, train_grpo
from rlhw.ppo import FixedKL

SEEDS, RATES, ANSWERS = range(20), {"careful": 0.05, "bold": 0.2}, 16
# The share of the way that each of the four advantages must have come at the bold rate, in the median.
BOUND = 0.8


def prompts(k: int) -> Iterator[tuple[Tensor, Tensor]]:
    """As many copies of the three prompts as 16 answers to each allow, K answers at a time."""
    while True:
        yield PROMPTS.repeat(ANSWERS // k, 1), MASK.repeat(ANSWERS // k, 1)


def grouped(advantages: Callable[[Tensor], Tensor], k: int = K) -> Callable:
    """`train_grpo` with these advantages and this K."""

    def method(problem: Problem, policy: torch.nn.Module, rate: float, generator: torch.Generator) -> tuple:
        optimizer = torch.optim.Adam(policy.parameters(), lr=rate)
        config = GRPOConfig(max_new_tokens=LENGTH, eos_id=None, k=k, epochs=EPOCHS)
        steps = train_grpo(
            policy, problem.reference, problem.reward, prompts(k), optimizer, config, generator=generator, kl=FixedKL(BETA),
            advantages=advantages,
        )  # fmt: skip
        return steps, optimizer

    return method


METHODS = {
    "rloo": grouped(rloo_advantages),
    "centred": grouped(partial(group_advantages, scale=False)),
    "grpo": grouped(group_advantages),
    "ppo": critic(EPOCHS),
    "rloo_k2": grouped(rloo_advantages, 2),
    "rloo_k8": grouped(rloo_advantages, 8),
    "rloo_k16": grouped(rloo_advantages, 16),
}


def ends(name: str, rate: float) -> np.ndarray:
    """The share of J* - J_ref that a method has come at the end, seed by seed."""
    return np.array([curve(METHODS[name], Problem(seed), rate, seed)[-1] for seed in SEEDS])


def main() -> int:
    """Run everything, print each median beside its bound, and write the card."""
    start, metrics = time.perf_counter(), {}
    gaps = np.array([problem.jstar - problem.jref for problem in map(Problem, SEEDS)])
    metrics["gap_reference"] = cards.metric("J* - J_ref, the distance at the start", gaps.tolist())
    for speed, rate in RATES.items():
        for name in METHODS:
            shares, what = ends(name, rate), f"{name} after {ROLLOUTS} rollouts, rate {rate}"
            bound = {}
            if speed == "bold" and "_" not in name:
                bound = {"bound": f">= {BOUND}", "met": bool(np.median(shares) >= BOUND)}
            metrics[f"{name}_{speed}"] = cards.metric(f"share of J* - J_ref, {what}", shares.tolist(), **bound)
            metrics[f"{name}_{speed}_gap"] = cards.metric(f"J* - J, {what}", ((1 - shares) * gaps).tolist())
            verdict = f"  {bound['bound']}: {'met' if bound['met'] else 'SHORT'}" if bound else ""
            print(f"{what}: {np.median(shares):.3f}{verdict}", flush=True)
    cards.write(
        "without_critic", "Leave-one-out, group advantages and a critic on problems that are known exactly", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.without_critic",
        modules=[
            "rlhw.grpo", "rlhw.ppo", "rlhw.rollouts", "rlhw.logprobs", "rlhw.tabular_lm", "benchmarks.small_problem",
            "benchmarks.without_critic",
        ],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
