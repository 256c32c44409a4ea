"""GPT-2s of several sizes for the small forum scaled up: made from scratch, reading posts as the tiny one did, and cloned.

A model of each size reads posts with their writers' edits and clones the teacher; the smallest is the shipped tiny one, which has
read. The largest is the policy of `gpu_goodhart`; a reward model starts from the clone of its own size. Rates go with one over
the width from those of the tiny model.
"""

import copy
import functools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks import pretrain_tiny
from benchmarks.base_runs import SETTINGS
from rlhw.batches import Batch, shuffled
from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.language_model import load
from rlhw.pipeline.forum import Forum
from rlhw.saving import quiet, whole_folder
from rlhw.training import warmup_decay

# The shipped model, for which the rates of chapter 8 were found, its width, and that of its heads.
TINY, WIDTH, HEAD = "tiny", 128, 32
RATES = {"read": 2e-3, "clone": 2e-3, "reward": 1e-3, "grpo": 6e-4}
# What is known of a model from before it was cloned, in its folder.
FACTS = "facts.json"


@dataclass(frozen=True)
class Scale:
    """How large all is. models: (width, blocks) by name, smallest first, the last one the policy.

    comparisons: optimizer steps by their number. read, clone: batches of threads of edits, and steps of cloning. posts: held out.
    pool: answers to each of them for best of n, counts: the n. prompts: posts a rollout. looks: rollouts after which a policy is
    measured; per_look: answers to a post then. jstar: samples a post at first and at most. at_once: answers that go through a model
    together.
    """

    models: dict[str, tuple[int, int]]
    comparisons: dict[int, int]
    read: int
    clone: int
    posts: int
    pool: int
    counts: tuple[int, ...]
    looks: tuple[int, ...]
    prompts: int
    per_look: int
    jstar: tuple[int, int]
    at_once: int
    max_new_tokens: int = SETTINGS.max_new_tokens
    device: str = "cuda"

    @property
    def policy(self) -> str:
        return list(self.models)[-1]

    def rate(self, use: str, name: str) -> float:
        return RATES[use] * WIDTH / self.models[name][0]


FULL = Scale(
    models={"tiny": (128, 3), "medium": (256, 4), "large": (512, 6)}, comparisons={512: 16, 4096: 48, 32768: 192}, read=2000,
    clone=300, posts=64, pool=1024, counts=tuple(2**i for i in range(10)), looks=(1, 2, 4, 7, 11, 16, 24, 32), prompts=64,
    per_look=16, jstar=(128, 512), at_once=4096,
)  # fmt: skip
# The same code in seconds on the CPU.
TOY = Scale(
    models={"tiny": (128, 3), "medium": (32, 2), "large": (64, 1)}, comparisons={8: 1, 16: 1, 32: 2}, read=2, clone=2, posts=3,
    pool=8, counts=(1, 2, 4), looks=(1, 2), prompts=2, per_look=2, jstar=(4, 8), at_once=32, max_new_tokens=6, device="cpu",
)  # fmt: skip


@contextmanager
def fast_matrices(device: str) -> Iterator[None]:
    """TF32 within the block: weights and sums keep float32, factors ten bits, which a policy sampled and trained alike stands."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device == "cuda" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def from_scratch(width: int, blocks: int, tokenizer: Callable) -> GPT2LMHeadModel:
    """GPT-2 of this width, begun as the tiny one is: positions as sines and cosines, half of the heads looking for repetitions."""
    if width % HEAD:
        raise ValueError(f"width must be a multiple of {HEAD}, the width of a head; got {width}.")
    context, half = pretrain_tiny.CONTEXT, width // 2
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=context, n_embd=width, n_layer=blocks, n_head=width // HEAD, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, activation_function="gelu_pytorch_tanh", bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    angles = torch.arange(context)[:, None] * 1000.0 ** (-torch.arange(half) / half)
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(0.05 * torch.cat([angles.sin(), angles.cos()], 1))
        model.transformer.wte.weight.normal_(std=0.05)
        for block in model.transformer.h:
            queries, keys, _ = block.attn.c_attn.weight.split(width, dim=1)
            # A query's spread does not depend on the width: its input has `width` entries of size 1.
            keys[:, :half] = queries[:, :half].normal_(std=0.08 * (WIDTH / width) ** 0.5)
    return model


@functools.cache
def forum() -> Forum:
    """The forum, with the tokenizer of the tiny model."""
    return Forum(load(TINY)[1], SETTINGS.context)


@functools.cache
def threads(count: int) -> list[Batch]:
    """Batches of posts with their writers' edits, the same for every size."""
    return list(islice(pretrain_tiny.threads(forum().tokenizer, np.random.default_rng(0), "train"), count))


@functools.cache
def demonstrations(count: int) -> Batch:
    """Posts with four of the teacher's summaries each, the same for every size."""
    return forum().demonstrations(count, 4, "train", np.random.default_rng(0))


def learn(model: nn.Module, batches: Iterable[Batch], steps: int, rate: float, device: str) -> None:
    """So many steps of maximum likelihood, with the recipe of the tiny model."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    schedule = LambdaLR(optimizer, warmup_decay(min(100, steps // 5), steps + 1))
    moved = (batch.to(device) for batch in islice(batches, steps))
    for _ in train_bc(model, moved, optimizer, CloningConfig()):
        schedule.step()


def answered(model: nn.Module) -> float:
    """The share of readers' questions on held-out posts that a model answers rightly: 1/2 is luck."""
    held_out = islice(pretrain_tiny.threads(forum().tokenizer, np.random.default_rng(10**6), "evaluation"), 2)
    return pretrain_tiny.answered(copy.deepcopy(model).to("cpu"), forum().tokenizer, list(held_out))


def clone(scale: Scale, name: str, folder: Path) -> nn.Module:
    """The clone of this size, read and cloned unless an earlier call has left it in the folder."""
    place, device = folder / name, scale.device
    if not place.is_dir():
        torch.manual_seed(0)
        model = load(TINY)[0] if name == TINY else from_scratch(*scale.models[name], forum().tokenizer)
        model = model.to(device)
        with fast_matrices(device):
            if name != TINY:
                learn(model, threads(scale.read), scale.read, scale.rate("read", name), device)
            facts = {"answered": answered(model)}
            data = demonstrations(20 * scale.clone)
            learn(model, shuffled(data, min(36, len(data.prompts)), 0), scale.clone, scale.rate("clone", name), device)
        with whole_folder(place) as draft, quiet():
            # Half as large to carry to where a run goes on. All is measured on what is read back.
            model.half().save_pretrained(draft)
            forum().tokenizer.save_pretrained(draft)
            (draft / FACTS).write_text(json.dumps(facts), encoding="utf8")
    return load(place, device)[0]
