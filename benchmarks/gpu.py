"""Figures of one GPU: `python -m benchmarks.gpu` writes results/gpu.json, gpu_sampling.json and gpu_run.json. GPT-2 124M, bf16.

The weights are random and so are the tokens, in lengths like those of TL;DR (prompts of 320 to 512, answers of 20 to 53): the
time of a step does not depend on what they say, and nothing is fetched. Both sides train under bf16 autocast with float32
weights and sample from bf16 weights; peak memory is CUDA's own count. The conditions of `benchmarks.speed` hold with room for
bf16, whose numbers have 8 significant bits: first-step losses within 0.05, held-out losses within 5 %; a comparison that breaks
them is void, and its card is not written.
The steps stand below in order of importance, with the minutes that an H100 is guessed to take; `--only NAME` takes one, and may
be given again. What a step found is kept in _build/gpu/ at once: a run that is cut off goes on where it was, and a card is
written as soon as all its steps are there. Without CUDA the same runs toy-sized on the CPU, nothing is kept, no card is written,
and nothing is claimed.
"""

import argparse
import copy
import gc
import hashlib
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks import gpu_cost, gpu_options, gpu_run, gpu_sampling, gpu_training
from benchmarks.base_runs import kept
from benchmarks.speed import SEEDS
from benchmarks.speed_setup import Setup
from benchmarks.speed_trl import quiet_folder
from benchmarks.trl_parity import VOCABULARY, tokenizer
from rlhw import cards
from rlhw.batches import Batch
from rlhw.pipeline.settings import STAGES

EOS, PAD = VOCABULARY.index("<eos>"), VOCABULARY.index("<pad>")
ROOM_FOR_BF16 = {"first_loss": 0.05, "held_out_loss": 0.05}


def random_answers(
    seed: int, count: int, k: int, *, prompts: Sequence[int], answers: Sequence[int], words: Sequence[int]
) -> Batch:
    """Random words in random lengths, out of those given; each answer ends with the end-of-sequence token."""
    rng = np.random.default_rng((seed, count, k))
    long, lengths = rng.choice(prompts, count), rng.choice(answers, (count, k))
    prompt_mask = np.arange(max(prompts)) >= max(prompts) - long[:, None]
    column = np.arange(max(answers))
    tokens = np.where(column == lengths[..., None] - 1, EOS, rng.choice(words, (count, k, len(column))))
    parts = rng.choice(words, prompt_mask.shape), prompt_mask, tokens, column < lengths[..., None]
    return Batch(*(torch.from_numpy(part) for part in parts))


def share_of_even(batch: Batch) -> Tensor:
    """A reward that can be learned: ten times the share of an answer's tokens that are even."""
    even = (batch.responses % 2 == 0) & batch.response_mask
    return 10 * even.sum(-1) / batch.response_mask.sum(-1)


def random_gpt2(**sizes: int) -> GPT2LMHeadModel:
    """A copy each time: drawing 124 million weights takes seconds, and the steps below ask for a hundred models."""
    return copy.deepcopy(_drawn(tuple(sorted(sizes.items()))))


@lru_cache(maxsize=2)
def _drawn(sizes: tuple[tuple[str, int], ...]) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        **dict(sizes), resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=EOS, eos_token_id=EOS
    )
    return GPT2LMHeadModel(config).eval()


def gpt2_124m() -> Setup:
    words = range(len(VOCABULARY), GPT2Config().vocab_size)
    lengths = {"prompts": range(320, 513, 32), "answers": range(20, 54), "words": words}
    return Setup(
        model=random_gpt2, tokenizer=tokenizer(), answers=partial(random_answers, **lengths), reward=share_of_even,
        sizes={1: 32, 2: 16, 4: 4, 8: 4}, steps=10, held_out=16, sampled=64, rate=1e-5, max_new_tokens=53, device="cuda",
        bf16=True, **ROOM_FOR_BF16,
    )  # fmt: skip


def toy() -> Setup:
    """Two layers of width 32, a few tokens: what remains is the code."""
    sizes = {"vocab_size": len(VOCABULARY), "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
    lengths = {"prompts": range(4, 9, 4), "answers": range(3, 8), "words": range(EOS)}
    # Large weights: at the usual ones a random model gives every token the same probability.
    return Setup(
        model=partial(random_gpt2, **sizes, initializer_range=0.2), tokenizer=tokenizer(),
        answers=partial(random_answers, **lengths), reward=share_of_even, sizes={1: 8, 2: 8, 4: 4, 8: 2}, steps=3, held_out=16,
        sampled=48, rate=1e-2, max_new_tokens=8, bf16=True, **ROOM_FOR_BF16,
    )  # fmt: skip


COUNTS = (64, 128, 256)
KEPT = Path("_build/gpu")
MODULES = {
    "gpu": [
        "benchmarks.gpu", "benchmarks.gpu_cost", "benchmarks.gpu_options", "benchmarks.gpu_training", "benchmarks.speed",
        "benchmarks.speed_ours", "benchmarks.speed_setup", "benchmarks.speed_trl", "benchmarks.speed_witnesses",
        "benchmarks.trl_parity", "rlhw.batches", "rlhw.behavior_cloning", "rlhw.dpo", "rlhw.grpo", "rlhw.logprobs", "rlhw.ppo",
        "rlhw.reward_model", "rlhw.scaling", "rlhw.training",
    ],
    "gpu_sampling": [
        "benchmarks.gpu", "benchmarks.gpu_cost", "benchmarks.gpu_sampling", "benchmarks.speed_setup", "benchmarks.speed_witnesses",
        "rlhw.batches", "rlhw.captured", "rlhw.decoding_step", "rlhw.language_model", "rlhw.logprobs", "rlhw.scaling",
    ],
    "gpu_run": ["benchmarks.gpu_run", "rlhw.batches", "rlhw.language_model", "rlhw.logprobs", "rlhw.pipeline", "rlhw.rollouts"],
}  # fmt: skip
TITLES = {
    "gpu": "Training on one {}: GPT-2 124M with random weights, bf16, beside TRL",
    "gpu_sampling": "Sampling on one {}: GPT-2 124M with random weights, bf16, four answers a prompt",
    "gpu_run": "The whole pipeline on one {}, made-up text, loops shortened",
}


@dataclass(frozen=True)
class Work:
    """Something to be measured: for which card, how many minutes it may take on an H100, and how; `make` gives a JSON object."""

    card: str
    minutes: float
    make: Callable[[], dict]


def works(setup: Setup, seeds: Sequence[int], counts: Sequence[int], folder: Path, run_in: Path) -> dict[str, Work]:
    """All of it, the most important first. The minutes are guesses until a run has been made.

    folder: for what TRL's trainers write; run_in: for the run of the pipeline.
    """
    there = setup.device == "cuda"
    train = {
        name: partial(gpu_training.compared, name, setup, seeds, folder) for name in (*gpu_training.COMPARISONS, "ppo")
    }
    found = {
        "copy": Work("gpu_sampling", 0.1, lambda: {"rate": gpu_cost.copy_rate(setup.device, 2**30 if there else 2**20)})
    }
    found["check"] = Work(
        "gpu_sampling", 0.2, lambda: gpu_sampling.checked(toy().model(), replace(toy(), device=setup.device))
    )
    found |= {
        f"sampling_{count}": Work("gpu_sampling", 1.2, partial(gpu_sampling.sampled, count, setup, seeds))
        for count in counts
    }
    found |= {name: Work("gpu", 0.6, train.pop(name)) for name in ("dpo", "reward")}
    settings = partial(gpu_run.full if there else gpu_run.toy, run_in)
    found |= {f"run_{name}": Work("gpu_run", 0.3, lambda name=name: gpu_run.stage(settings(), name)) for name in STAGES}
    found |= {name: Work("gpu", 0.5, make) for name, make in train.items()}
    return found | {"options": Work("gpu", 0.4, partial(gpu_options.measured, setup, seeds))}


def entries(card: str, found: dict[str, dict], device: str) -> dict[str, dict]:
    """The entries of a card, from all its steps."""
    made: dict[str, dict] = {}
    if card == "gpu_run":
        return gpu_run.entries({name.removeprefix("run_"): one for name, one in found.items()})
    if card == "gpu_sampling":
        rate = found["copy"]["rate"]
        made["copy"] = cards.metric(
            "bytes that the card copies in a second, read and written", rate / 1e12, unit="TB/s"
        )
        for name, one in found.items():
            if name == "check":
                made |= gpu_sampling.check_entries(one)
            elif name != "copy":
                made |= gpu_sampling.entries(int(name.removeprefix("sampling_")), one, rate)
        return made
    for name, one in found.items():
        made |= (
            gpu_options.entries(one) if name == "options" else gpu_training.entries(name, one, gpu_cost.peak_of(device))
        )
    return made


def write(card: str, found: dict[str, dict], device: str, seconds: float) -> bool:
    """Write a card and print its figures beside their bounds; not where a comparison is void. True when all bounds are met."""
    void = {name: one["faults"] for name, one in found.items() if one.get("faults")}
    if void:
        print(f"VOID: {', '.join(void)}. The sides did not do the same; no card is written.")
        return False
    cards.write(
        card, TITLES[card].format(device), entries(card, found, device), seconds=seconds, command="python -m benchmarks.gpu",
        modules=MODULES[card],
    )  # fmt: skip
    return cards.report(card)


def place_of(card: str, device: str) -> Path:
    """Where the results of a card are kept: another place for another card and for other code."""
    sources = "".join(cards._digest(module) for module in MODULES[card])
    return KEPT / f"{re.sub('[^A-Za-z0-9]+', '-', device)}-{hashlib.sha256(sources.encode()).hexdigest()[:8]}"


def measure(todo: dict[str, Work], every: dict[str, Work], device: str) -> bool:
    """Do what is not done yet, and write each card that is complete. What fails is told, and the rest is done all the same."""
    good = True
    for name, work in todo.items():
        start = time.perf_counter()
        print(f"{name}: about {work.minutes:g} min", flush=True)
        try:
            kept(place_of(work.card, device) / f"{name}.json", lambda work=work, start=start: _timed(work, start))
        except Exception:
            print(f"FAILED: {name}", traceback.format_exc(), sep="\n", flush=True)
            good = False
        of_card = {
            other: place_of(work.card, device) / f"{other}.json"
            for other, one in every.items()
            if one.card == work.card
        }
        if (
            all(path.is_file() for path in of_card.values())
            and name == [n for n in todo if todo[n].card == work.card][-1]
        ):
            found = {other: kept(path, dict) for other, path in of_card.items()}
            seconds = sum(one.pop("seconds_of_all") for one in found.values())
            good &= write(work.card, found, device, seconds)
    return good


def _timed(work: Work, start: float) -> dict:
    # What an earlier step left in a circle of references would count as this one's memory.
    gc.collect()
    torch.cuda.empty_cache()
    found = work.make()
    return found | {"seconds_of_all": time.perf_counter() - start}


def main(arguments: Sequence[str] | None = None) -> int:
    there = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a step, or a card with all its steps"
    )
    only = parser.parse_args(arguments).only
    with quiet_folder() as folder, tempfile.TemporaryDirectory() as other:
        if there:
            device = torch.cuda.get_device_name()
            every = works(gpt2_124m(), SEEDS, COUNTS, folder, place_of("gpu_run", device) / "run")
        else:
            every = works(toy(), SEEDS[:1], (8, 16), folder, Path(other))
        if unknown := set(only) - set(every) - set(MODULES):
            parser.error(f"--only: {', '.join(sorted(unknown))}; there are {', '.join((*every, *MODULES))}.")
        todo = {name: work for name, work in every.items() if not only or name in only or work.card in only}
        if not there:
            print("no GPU: toy sizes, nothing is claimed")
            for work in todo.values():
                work.make()
            return 0
        return 0 if measure(todo, every, device) else 1


if __name__ == "__main__":
    sys.exit(main())
