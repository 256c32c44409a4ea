"""Speed beside TRL's trainers and Hugging Face's `generate`: `python -m benchmarks.speed` writes results/speed.json.

Both sides start from the same weights and go through the same batches in the same order, in one process, with the same
threads, dtype and optimizer, no dropout, alternately: ours, theirs, ours, theirs. The comparison is void, and no card is
written, unless the losses of the first step agree to 1e-4 and the final losses on held-out data within 2 %; of sampling, unless
mean length and mean log-probability a token agree within 4 standard errors (false alarm: once in 600 runs of five seeds).
Prints each figure beside its bound; ends with exit status 1 when one is SHORT or void. --quick runs one seed and writes no card.

Where the speed comes from. In training a prompt is run once for all its answers, and so is an answer for all its comparisons:
TRL knows rows of (prompt, chosen, rejected), so with K = 4 answers and their 6 comparisons it runs each prompt 12 times and each
answer 3 times. The bounds stand beside that case, which is the course's; with one pair a prompt, K = 2, only the
prompt is shared, and that ratio stands on the card without a bound. The output head is applied to answer tokens only. In
sampling the prompt is run once, finished answers leave the batch, and tokens are drawn by inverting the distribution function: so
the bound stands beside a policy that has learned to end its answers, and the same model before cloning stands on the card too.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import torch

from benchmarks import speed_ours, speed_setup, speed_trl
from benchmarks.speed_setup import LATER, ROLLOUT_K, SAMPLING_K, Run, Setup
from benchmarks.speed_trl import quiet_folder
from benchmarks.tiny_runs import clone, demonstrations
from rlhw import cards
from rlhw.language_model import load
from rlhw.rollouts import text_reward
from rlhw.tiny_tldr import gold_reward, read_post

SEEDS, THREADS, BOUND, STANDARD_ERRORS = range(5), 2, 2.0, 4
MODULES = [
    "benchmarks.speed", "benchmarks.speed_ours", "benchmarks.speed_setup", "benchmarks.speed_trl", "benchmarks.speed_witnesses",
    "benchmarks.tiny_runs",
    "rlhw.batches", "rlhw.dpo", "rlhw.grpo", "rlhw.language_model", "rlhw.logprobs", "rlhw.reward_model", "rlhw.training",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The same task for both sides; `data` makes it from a setup and a seed."""

    meaning: str
    unit: str
    data: Callable
    ours: Callable
    theirs: Callable
    bounded: bool = True


COMPARISONS = {
    "dpo": Comparison(
        "DPO, K = 4 with all 6 comparisons, reference included", "pairs/s", partial(speed_setup.dpo_votes, k=4),
        speed_ours.dpo, speed_trl.dpo,
    ),
    "dpo_pairs": Comparison(
        "DPO, one pair a prompt, reference included", "pairs/s", partial(speed_setup.dpo_votes, k=2), speed_ours.dpo,
        speed_trl.dpo, bounded=False,
    ),
    "reward": Comparison(
        "reward training, K = 4 with all 6 comparisons", "pairs/s", partial(speed_setup.reward_votes, k=4),
        speed_ours.reward, speed_trl.reward,
    ),
    "reward_pairs": Comparison(
        "reward training, one pair a prompt", "pairs/s", partial(speed_setup.reward_votes, k=2), speed_ours.reward,
        speed_trl.reward, bounded=False,
    ),
    "grpo": Comparison(
        f"GRPO's update, K = {ROLLOUT_K}", "answers/s", speed_setup.rollouts, speed_ours.grpo_update, speed_trl.grpo_update
    ),
    "sampling": Comparison(
        f"sampling, k = {SAMPLING_K}, a cloned policy", "tokens/s", speed_setup.prompts, speed_ours.sampling,
        speed_trl.sampling,
    ),
    "sampling_long": Comparison(
        f"sampling, k = {SAMPLING_K}, before cloning: answers thrice as long", "tokens/s",
        partial(speed_setup.prompts, ending=False), speed_ours.sampling, speed_trl.sampling, bounded=False,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One seed of one comparison: units a second, the peaks of GPU memory in MB, and in what the sides disagree."""

    ours: float
    theirs: float
    our_mb: float
    their_mb: float
    faults: list[str]


def disagreements(ours: Run, theirs: Run, setup: Setup) -> list[str]:
    """A sentence for each witness in which the runs differ by more than may be."""
    faults = []
    for name, our in ours.witnesses.items():
        their = theirs.witnesses[name]
        apart = our - their
        if our.dim():
            # One value a prompt, and both sides answered the same prompts: the differences are independent draws.
            limit = STANDARD_ERRORS * float(apart.std()) / len(apart) ** 0.5
        else:
            limit = setup.first_loss if name == "first-step loss" else setup.held_out_loss * float(their.abs())
        # A NaN agrees with nothing.
        if not abs(float(apart.mean())) <= limit:
            faults.append(
                f"{name}: ours {float(our.mean()):.6g}, theirs {float(their.mean()):.6g}, further apart than {limit:.2g}"
            )
    return faults


def compare(comparison: Comparison, setup: Setup, seed: int, folder: Path) -> Outcome:
    """Ours, theirs, ours, theirs."""
    data = comparison.data(setup, seed)
    runs = [(comparison.ours(setup, data), comparison.theirs(setup, data, folder)) for _ in range(2)]
    ours, theirs = zip(*runs, strict=True)
    faults = {fault: None for our, their in runs for fault in disagreements(our, their, setup)}
    rates = [median(run.rate for run in side) for side in (ours, theirs)]
    peaks = [max(run.clock.peak_mb for run in side) for side in (ours, theirs)]
    return Outcome(*rates, *peaks, list(faults))


def all_seeds(comparison: Comparison, setup: Setup, seeds: range, folder: Path) -> list[Outcome]:
    """A short run of both sides to warm up, which is not counted; then every seed, each printed with its verdict."""
    short = replace(setup, steps=1)
    warm = comparison.data(short, LATER - 1)
    comparison.ours(short, warm)
    comparison.theirs(short, warm, folder)
    outcomes = []
    for seed in seeds:
        one = compare(comparison, setup, seed, folder)
        memory = f", peak {one.our_mb:.0f} and {one.their_mb:.0f} MB" if one.our_mb else ""
        print(
            f"{comparison.meaning}, seed {seed}: {one.ours:.4g} and {one.theirs:.4g} {comparison.unit}, "
            f"ratio {one.ours / one.theirs:.2f}{memory}",
            *(f"  VOID: {fault}" for fault in one.faults),
            sep="\n", flush=True,
        )  # fmt: skip
        outcomes.append(one)
    return outcomes


def entries(name: str, comparison: Comparison, outcomes: list[Outcome], bound: float | None) -> dict[str, dict]:
    """A card's entries: the ratio, with its bound where it has one, and units a second of both sides."""
    ratio = cards.metric(
        f"{comparison.meaning}: ours over theirs", [one.ours / one.theirs for one in outcomes], unit="1"
    )
    if bound is not None:
        ratio |= {"bound": f">= {bound:g}, median of {len(outcomes)} seeds", "met": ratio["value"] >= bound}
    sides = {
        f"{name}_{side}": cards.metric(f"{comparison.meaning}: {side}", values, unit=comparison.unit)
        for side, values in (("ours", [o.ours for o in outcomes]), ("theirs", [o.theirs for o in outcomes]))
    }
    return {name: ratio} | sides


def small_forum() -> Setup:
    """The shipped tiny model on the small forum: the teacher's summaries, scored by the gold reward; a short clone."""
    _, tokenizer = load("tiny")
    policy, _ = clone(demonstrations(3600, 4, "train", 0, tokenizer).batch, steps=100, size=36, rate=2e-3, seed=0)
    return Setup(
        model=lambda: load("tiny")[0],
        policy=lambda: copy.deepcopy(policy),
        tokenizer=tokenizer,
        answers=lambda seed, count, k: demonstrations(count, k, "train", seed, tokenizer).batch,
        reward=text_reward(lambda prompt, answer: gold_reward(read_post(prompt), answer), tokenizer),
        sizes={2: 64, 4: 16, ROLLOUT_K: 16}, steps=4, held_out=64, sampled=64, rate=3e-4, max_new_tokens=64,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(THREADS)
    start, setup, seeds = time.perf_counter(), small_forum(), SEEDS[:1] if quick else SEEDS
    with quiet_folder() as folder:
        found = {name: all_seeds(one, setup, seeds, folder) for name, one in COMPARISONS.items()}
    void = [name for name, outcomes in found.items() if any(one.faults for one in outcomes)]
    if void:
        print(f"VOID: {', '.join(void)}. The sides did not do the same; no card is written.")
    if void or quick:
        return 1 if void else 0
    metrics = {}
    for name, outcomes in found.items():
        metrics |= entries(name, COMPARISONS[name], outcomes, BOUND if COMPARISONS[name].bounded else None)
    cards.write(
        "speed", f"Speed beside TRL's trainers and Hugging Face's generate, {THREADS} threads, float32", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.speed", modules=MODULES,
    )  # fmt: skip
    return 0 if cards.report("speed") else 1


if __name__ == "__main__":
    sys.exit(main())
