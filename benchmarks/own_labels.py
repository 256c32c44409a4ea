"""What 30, 100 and 300 labels of one person buy: `python -m benchmarks.own_labels` writes results/own_labels.json.

The person is simulated, so that gold is known; nothing that is trained is told more than the labels. One clone serves all seeds:
a seed draws its own posts, pairs, labels and first head. With n labels: a reward model on the clone's trunk, by the job of
`rlhw run`, and the best of 16 answers by it. About 2 minutes of one core; a run that is stopped goes on with the seeds it lacks.
"""

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.tiny_runs import ANNOTATOR, CONTEXT, bayes_accuracy, clone, demonstrations
from rlhw import cards
from rlhw.batches import Batch, collate, collate_prompts
from rlhw.calibration import pair_accuracy
from rlhw.language_model import load
from rlhw.pair_sampling import sample_pairs
from rlhw.pipeline import jobs
from rlhw.pipeline.attained import best_of_n
from rlhw.pipeline.data import votes
from rlhw.pipeline.folder import Job, write_whole
from rlhw.pipeline.forum import Forum, compare
from rlhw.pipeline.host import Host, host
from rlhw.pipeline.sampled import sample
from rlhw.pipeline.settings import Reward
from rlhw.reward_model import RewardModel, pairwise_loss, score_batches
from rlhw.tiny_tldr import read_post

SEEDS, LABELS = range(5), (30, 100, 300)
HELD_OUT, POSTS, POOL, TOKENS = 250, 64, 16, 44
CLONED, STEPS, SIZE = 1000, 80, 24
REWARD = Reward(epochs=4.0, size=10)
KEPT = Path("runs/own_labels")


@dataclass(frozen=True)
class Sitting:
    """What all label counts of one seed share: posts, pairs, their votes, and a pool of the clone's answers."""

    seed: int
    clone: nn.Module
    tokenizer: Callable
    labels: list
    held_out: Batch
    chances: Tensor
    pool: Batch
    pool_gold: np.ndarray
    host: Host
    folder: Path

    def job(self, name: str) -> Job:
        return Job(self.folder / name, self.host, self.seed)


def sit_down(seed: int, model: nn.Module, tokenizer: Callable, folder: Path) -> Sitting:
    """Draw everything of one seed."""
    forum, rng, generator = (
        Forum(tokenizer, CONTEXT),
        np.random.default_rng((seed, 8)),
        torch.Generator().manual_seed(seed),
    )
    pairs, _ = sample_pairs(
        model, tokenizer, forum.prompts(max(LABELS) + 30, "train", rng), max_new_tokens=TOKENS, generator=generator
    )
    labels = [
        one for prompt, *two in pairs[: max(LABELS)] for one in compare([prompt], [two], ANNOTATOR.temperature, rng)
    ]
    others, _ = sample_pairs(
        model, tokenizer, forum.prompts(HELD_OUT, "evaluation", rng), max_new_tokens=TOKENS, generator=generator
    )
    records = [{"prompt": prompt, "answers": two} for prompt, *two in others]
    first = torch.tensor([ANNOTATOR.probability(read_post(prompt), *two) for prompt, *two in others]).double()
    chances = torch.zeros(len(others), 2, 2, dtype=torch.float64)
    chances[:, 0, 1], chances[:, 1, 0] = first, 1 - first
    prompts = collate_prompts(forum.prompts(POSTS, "evaluation", rng), tokenizer, CONTEXT - TOKENS)
    gold = forum.gold()
    drawn = sample(model, model, gold, gold, *prompts, tokenizer, k=POOL, max_new_tokens=TOKENS, generator=generator)
    texts = [tokenizer.decode(row[mask]) for row, mask in zip(*prompts, strict=True)]
    pool = collate(
        [{"prompt": text, "answers": answers} for text, answers in zip(texts, drawn.texts, strict=True)],
        tokenizer,
        CONTEXT,
    )
    return Sitting(
        seed, model, tokenizer, labels, collate(records, tokenizer, CONTEXT), chances, pool, drawn.judged,
        host("cpu"), folder,
    )  # fmt: skip


def bought(here: Sitting, n: int) -> dict[str, float]:
    """What the first n labels buy."""
    data, name = votes(here.labels[:n], here.tokenizer, CONTEXT), f"{here.seed}_{n}"
    jobs.reward(here.job(f"reward_{name}"), copy.deepcopy(here.clone.base_model), here.tokenizer, data, REWARD)
    learned = RewardModel.from_pretrained(here.folder / f"reward_{name}" / "model")
    scores = score_batches(learned, jobs.parts(here.held_out)).double()
    chosen_by = score_batches(learned, jobs.parts(here.pool)).double().numpy()
    start = float(here.pool_gold.mean())
    found = {
        "accuracy": pair_accuracy(scores, here.chances),
        "loss": float(pairwise_loss(scores, here.chances).mean()),
        "best": float(best_of_n(chosen_by, here.pool_gold, POOL)[1].mean()) - start,
    }
    return found


def one(seed: int, model: nn.Module, tokenizer: Callable) -> dict[str, float]:
    """Everything of one seed, by the names of the card."""
    with tempfile.TemporaryDirectory() as folder:
        here = sit_down(seed, model, tokenizer, Path(folder))
        found = {"bayes": bayes_accuracy(here.chances), "clone": float(here.pool_gold.mean())}
        found["best_gold"] = float(best_of_n(here.pool_gold, here.pool_gold, POOL)[1].mean()) - found["clone"]
        for n in LABELS:
            found |= {f"{name}_{n}": value for name, value in bought(here, n).items()}
            print(
                f"seed {seed}, {n} labels:",
                {k: round(v, 3) for k, v in found.items() if k.endswith(f"_{n}")},
                flush=True,
            )
    return found


MEANINGS = {
    "accuracy": ("accuracy on held-out pairs, exact over the person's choices", "1"),
    "loss": ("held-out loss; a constant model has ln 2", "nats a vote"),
    "best": (f"gold gained by the best of {POOL} by the learned reward", "gold"),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    start, (_, tokenizer) = time.perf_counter(), load("tiny")
    data = demonstrations(CLONED, 4, "train", 8, tokenizer).batch
    model, seconds = clone(data, steps=STEPS, size=SIZE, rate=2e-3, seed=8)
    print(f"clone: {seconds:.0f} s", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS:
        if not (KEPT / f"{seed}.json").is_file():
            write_whole(KEPT / f"{seed}.json", json.dumps(one(seed, model, tokenizer)))
    runs = [json.loads((KEPT / f"{seed}.json").read_text(encoding="utf8")) for seed in SEEDS]
    over = lambda name: [run[name] for run in runs]  # noqa: E731
    metrics = {
        "bayes": cards.metric("Bayes accuracy of the held-out pairs", over("bayes")),
        "clone": cards.metric("gold of the clone", over("clone"), unit="gold"),
        "best_gold": cards.metric(f"gold gained by the best of {POOL} by gold itself", over("best_gold"), unit="gold"),
    }
    for n in LABELS:
        for name, (meaning, unit) in MEANINGS.items():
            metrics[f"{name}_{n}"] = cards.metric(f"{n} labels: {meaning}", over(f"{name}_{n}"), unit=unit)
    cards.write(
        "own_labels", "What the labels of one person buy", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.own_labels",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.rollouts",
            "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pair_sampling", "rlhw.pipeline.jobs",
            "benchmarks.tiny_runs", "benchmarks.own_labels",
        ],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
