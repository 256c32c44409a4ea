"""Does it pay? Cloning with and without: the optimizer in one fused kernel; prompts of like length side by side."""

from functools import partial

import numpy as np
import torch

from benchmarks.gpu_training import Demonstrations, demonstrations, our_cloning
from benchmarks.speed_setup import Setup
from benchmarks.tiny_runs import parts
from rlhw import cards
from rlhw.batches import Batch


def by_length(batch: Batch, size: int, window: int, seed: int) -> list[Batch]:
    """Batches of `size`: in each window of so many batches the rows stand by length, and its batches come in random order."""
    rng, lengths = np.random.default_rng(seed), batch.prompt_mask.sum(1) + batch.response_mask.sum((1, 2))
    found = []
    for rows in torch.arange(len(lengths)).split(size * window):
        sorted_rows = rows[lengths[rows].cpu().argsort(stable=True)].split(size)
        found += [batch.rows(sorted_rows[i]) for i in rng.permutation(len(sorted_rows))]
    return found


def measured(setup: Setup, seeds: range) -> dict:
    """Seconds of the same steps of cloning, a list over seeds each."""
    adam = partial(torch.optim.AdamW, lr=setup.rate, weight_decay=0.0)

    def seconds(data: Demonstrations, **options: object) -> float:
        return our_cloning(setup, data, **options).clock.seconds

    found: dict[str, list[float]] = {"both": [], "not_fused": [], "as_they_come": []}
    for seed in (seeds[0], *seeds):
        data = demonstrations(setup, seed)
        near, plain = by_length(data.train, data.size, setup.steps, seed), parts(data.train, data.size)
        found["both"].append(seconds(data, order=near))
        found["not_fused"].append(seconds(data, order=near, optimizer=adam))
        found["as_they_come"].append(seconds(data, order=plain))
    # The first seed came twice: once to warm up.
    return {name: values[1:] for name, values in found.items()}


def entries(found: dict[str, list[float]]) -> dict[str, dict]:
    """What each of the two is worth in cloning, with the other one in place."""
    meanings = {
        "not_fused": "cloning: time without the fused optimizer over with it",
        "as_they_come": "cloning: time with prompts as they come over sorted by length in windows of all steps",
    }
    return {
        f"option_{name}": cards.metric(
            meaning, [one / both for one, both in zip(found[name], found["both"], strict=True)], unit="1"
        )
        for name, meaning in meanings.items()
    }
