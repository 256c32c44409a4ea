"""A reward summed over the tokens, and a policy that is optimised for it: `python -m benchmarks.never_stops` writes its card.

Two reward models learn from the same 256 votes: one sums its scores over the answer's tokens, the other reads the last token. GRPO
optimises both with a small price of KL and with a sensible one, five seeds, on the small forum. Held-out answers: their length, the
share that is cut off at 44 tokens without an end mark, KL, gold, and what the reward model says. A finished seed is kept in
runs/base. About 15 minutes of one core. --seed N runs one and writes no card.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.base_runs import SEEDS, Base, base, grpo
from benchmarks.goodhart_runs import POSTS, fit, in_gold_units
from benchmarks.ppo_ablation import interval
from rlhw import cards
from rlhw.batches import Batch
from rlhw.pipeline.stages import COMPARISONS
from rlhw.preferences import read_jsonl
from rlhw.reward_model import last_token, sum_of_tokens

VOTES, STEPS, ROLLOUTS, RATE, ANSWERS = 256, 14, 40, 1e-3, 4
READS = {"sum": (sum_of_tokens, "summed over the tokens"), "last": (last_token, "read at the last token")}
BETAS = {"small": 0.02, "sensible": 0.25}
FIGURES = {
    "length": ("tokens an answer", "tokens"),
    "endless": ("share of answers without an end mark", "1"),
    "kl": ("KL from the clone", "nats"),
    "gold": ("gold reward", "1"),
    "learned": ("learned reward above the clone's, in gold's units", "1"),
    "objective": ("learned reward above the clone's - beta KL: what was optimised", "1"),
}


def measured(seed: Base, policy: nn.Module, reward: Callable[[Batch], Tensor]) -> dict[str, float]:
    """Figures of a policy's answers to the held-out posts."""
    ends: list[Tensor] = []

    def watched(batch: Batch) -> Tensor:
        last = batch.responses.gather(-1, batch.response_mask.sum(-1, keepdim=True) - 1).squeeze(-1)
        ends.append(last == seed.tokenizer.eos_token_id)
        return reward(batch)

    found = seed.answers(policy, watched, ANSWERS)
    return {
        "length": float(found.lengths.mean()), "endless": 1 - float(torch.cat(ends).double().mean()),
        "kl": float(found.log_ratios.mean()), "gold": float(found.judged.mean()), "learned": float(found.learned.mean()),
    }  # fmt: skip


def one(seed: Base) -> dict:
    """Both reward models at both prices, and the clone."""
    compared, found = read_jsonl(seed.folder / "compare" / COMPARISONS)[:VOTES], {}
    for name, (read, _) in READS.items():
        reward = in_gold_units(fit(seed, compared, STEPS, read))
        start = measured(seed, seed.clone, reward)
        found["clone"] = {key: start[key] for key in ("length", "endless", "gold")}
        for price, beta in BETAS.items():
            *_, (policy, _) = grpo(seed, reward, beta, "never stops", rollouts=ROLLOUTS, posts=POSTS, rate=RATE)
            end = measured(seed, policy, reward)
            end["learned"] -= start["learned"]
            found[f"{name}_{price}"] = end | {"objective": end["learned"] - beta * end["kl"]}
    return found


def metrics_of(runs: list[dict]) -> dict[str, dict]:
    """The entries of the card."""
    metrics = {
        f"clone_{key}": cards.metric(f"{FIGURES[key][0]}, the clone", [run["clone"][key] for run in runs])
        for key in ("length", "endless", "gold")
    }
    for name, (_, words) in READS.items():
        for price, beta in BETAS.items():
            for key, (meaning, unit) in FIGURES.items():
                metrics[f"{name}_{price}_{key}"] = cards.metric(
                    f"{meaning}, reward {words}, beta = {beta}",
                    [run[f"{name}_{price}"][key] for run in runs],
                    unit=unit,
                )
    for price, beta in BETAS.items():
        for key in ("length", "endless", "gold"):
            apart = [run[f"sum_{price}"][key] - run[f"last_{price}"][key] for run in runs]
            mean, low, high = interval(apart)
            metrics[f"{price}_{key}_change"] = cards.metric(
                f"{FIGURES[key][0]}: summed less read at the last token, beta = {beta}, 95 % t interval of {len(runs)} seeds",
                mean, low=low, high=high, seeds=list(range(len(runs))),
            )  # fmt: skip
    return metrics | {"votes": cards.metric("votes that each reward model learned from", float(VOTES))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    chosen, start, runs = parser.parse_args().seed, time.perf_counter(), []
    for number in SEEDS if chosen is None else (chosen,):
        seed = base(number)
        runs.append(seed.kept("never_stops", lambda seed=seed: one(seed)))
        for name, row in runs[-1].items():
            print(
                f"seed {number}, {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()), flush=True
            )
    if chosen is not None:
        return 0
    cards.write(
        "never_stops", "A reward summed over the tokens, optimised: do answers still end?", metrics_of(runs),
        seconds=time.perf_counter() - start, command="python -m benchmarks.never_stops",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.rollouts", "rlhw.grpo", "rlhw.ppo",
            "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pipeline.sampled", "benchmarks.base_runs",
            "benchmarks.goodhart_runs",
        ],
    )  # fmt: skip
    endless = [np.median([run[f"{name}_small"]["endless"] for run in runs]) for name in READS]
    print(
        f"without an end mark at beta = {BETAS['small']}: {endless[0]:.2f} summed, {endless[1]:.2f} at the last token"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
