"""REINFORCE without demonstrations: `python -m benchmarks.cold_start` writes results/cold_start.json (about 5 minutes).

The tiny GPT-2 before cloning, with the updates and settings of `benchmarks.one_update`: what it says before them and after.
"""

import time

import numpy as np
import torch
from torch import nn

from benchmarks.one_update import COLD_STEPS, EVALUATED, SEEDS, answers_of, gold, train
from benchmarks.tiny_runs import TEACHER, Demonstrations, demonstrations
from rlhw import cards
from rlhw.batches import answer_texts
from rlhw.language_model import load

MEANINGS = {
    "reward": ("mean reward of an answer", "1"),
    "best": ("greatest reward among 400 answers", "1"),
    "possible": ("answers that the teacher could have given", "%"),
    "tokens": ("mean tokens of an answer", "tokens"),
    "ends": ("mean number of full stops and question marks in an answer", "1"),
}


def said(model: nn.Module, data: Demonstrations, seed: int, tokenizer) -> dict[str, float]:
    """What four answers to each of 100 posts are like."""
    posts = data.posts[:EVALUATED]
    batch = answers_of(model, posts, 4, torch.Generator().manual_seed(seed), tokenizer)
    rewards, texts = gold(tokenizer)(batch), answer_texts(batch, tokenizer)
    pairs = [(post, text) for post, row in zip(posts, texts, strict=True) for text in row]
    return {
        "reward": float(rewards.mean()),
        "best": float(rewards.max()),
        "possible": 100 * float(np.mean([np.isfinite(TEACHER.logprob(post, text)) for post, text in pairs])),
        "tokens": float(batch.response_mask.sum(-1).double().mean()),
        "ends": float(np.mean([text.count(".") + text.count("?") for _, text in pairs])),
    }


def one(seed: int) -> dict[str, float]:
    """All figures of one seed, before the updates (0) and after them."""
    model, tokenizer = load("tiny")
    data = demonstrations(300, 1, "evaluation", seed + 2000, tokenizer)
    before = said(model, data, seed, tokenizer)
    train(model, "reinforce", COLD_STEPS, data, seed, tokenizer)
    after = said(model, data, seed, tokenizer)
    return {f"{name}_{steps}": run[name] for name in MEANINGS for steps, run in ((0, before), (COLD_STEPS, after))}


def main() -> None:
    """Measure all seeds and write the card."""
    start = time.perf_counter()
    runs = [one(seed) for seed in SEEDS]
    metrics = {}
    for name in runs[0]:
        what, steps = name.split("_")
        meaning, unit = MEANINGS[what]
        values = [run[name] for run in runs]
        metrics[name] = cards.metric(f"{meaning}, after {steps} updates without a demonstration", values, unit=unit)
        print(f"{name}: {np.median(values):.3f}   {np.round(values, 3)}")
    cards.write(
        "cold_start", "REINFORCE from a model that was never shown a summary, 5 seeds", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.cold_start",
        modules=[
            "rlhw.weighted_update", "rlhw.batches", "rlhw.language_model", "rlhw.grpo", "rlhw.tiny_tldr.posts",
            "rlhw.tiny_tldr.summaries", "benchmarks.one_update", "benchmarks.cold_start",
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
