"""A seed of the small forum scaled up, on the device: posts, answers of the clone, votes on them, reward models, GRPO.

The seeds share the clones of `gpu_clones`, as chapter 8's share the tiny model; posts, answers, votes, heads, orders and samples
are each seed's own.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.optim.lr_scheduler import LambdaLR

from benchmarks import base_runs, tiny_runs
from benchmarks.base_runs import SETTINGS, TAU, Base
from benchmarks.gpu_clones import Scale, forum
from rlhw.batches import Batch, collate_prompts, shuffled
from rlhw.captured import sampling
from rlhw.language_model import generate
from rlhw.reward_model import RewardConfig, RewardModel, last_token, train_reward_model
from rlhw.training import warmup_decay

# Answers to a post that is voted on.
VOTERS = 4


@dataclass(frozen=True)
class World(Base):
    """A seed of the forum on the device: `Base`, with its posts and gold where the models are.

    sampler: the clone as rollouts call it; start: the same, of which none has been taken yet, so that it can be copied.
    """

    scale: Scale
    sampler: nn.Module
    start: nn.Module

    def gold(self) -> Callable[[Batch], Tensor]:
        """The gold reward, worked out from texts on the CPU, on the batch's device."""
        judge = super().gold()
        return lambda batch: judge(batch.to("cpu")).to(batch.prompts.device)

    def prompts(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        tokens, mask = super().prompts(texts)
        return tokens.to(self.scale.device), mask.to(self.scale.device)

    def generator(self) -> torch.Generator:
        """On the CPU whatever the device: the numbers are the same on each, and the library moves them."""
        return torch.Generator().manual_seed(self.seed)

    def grpo(self, reward: Callable[[Batch], Tensor], beta: float) -> Iterator[nn.Module]:
        """GRPO with this reward by chapter 8's loop: the policy after each rollout."""
        steps = base_runs.grpo(
            self, reward, beta, "goodhart", rollouts=self.scale.looks[-1], posts=self.scale.prompts, start=self.start,
            rate=self.scale.rate("grpo", self.scale.policy),
        )  # fmt: skip
        return (policy for policy, _ in steps)


def world(scale: Scale, seed: int, model: nn.Module) -> World:
    """This seed's world around the clone that is the policy. Captured steps are tried here, before `fast_matrices`."""
    settings = replace(SETTINGS, seed=seed, max_new_tokens=scale.max_new_tokens)
    texts = forum().prompts(scale.posts, "evaluation", np.random.default_rng((seed, 1)))
    tokens, mask = collate_prompts(texts, forum().tokenizer, settings.context - settings.max_new_tokens)
    sampler, start = (sampling(model, settings.max_new_tokens) for _ in range(2))
    held_out = tokens.to(scale.device), mask.to(scale.device)
    return World(settings, model, forum().tokenizer, held_out, scale, sampler, start)


def pieces(batch: Batch, size: int) -> list[Batch]:
    """The batch in pieces of about `size` answers, whole prompts each."""
    return tiny_runs.parts(batch, max(1, size // batch.responses.shape[1]))


def answers(here: World, tokens: Tensor, mask: Tensor, k: int) -> Batch:
    """k answers of the clone to each post."""
    size, generator, found = max(1, here.scale.at_once // k), here.generator(), []
    for first in range(0, len(tokens), size):
        rows = slice(first, first + size)
        batch, _ = generate(
            here.sampler, tokens[rows], mask[rows], k=k, max_new_tokens=here.settings.max_new_tokens,
            eos_id=here.tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
        missing = here.settings.max_new_tokens - batch.responses.shape[2]
        found.append([pad(part, (0, missing)) for part in (batch.responses, batch.response_mask)])
    return Batch(tokens, mask, *(torch.cat(parts) for parts in zip(*found, strict=True)))


def votes(here: World, count: int) -> tuple[Batch, Tensor]:
    """Posts with four answers of the clone, and the votes on them ("B K K") of people who see gold, `count` or a few less in all.

    One vote on each pair of different answers, for i over j with the chance σ(Δgold/τ).
    """
    batch = answers(here, *here.prompts(here.new_posts(count // 5 + 8, "compare")), VOTERS)
    gold = torch.cat([here.gold()(part) for part in pieces(batch, here.scale.at_once)]).double().cpu()
    wins = tiny_runs.votes(((gold[:, :, None] - gold[:, None, :]) / TAU).sigmoid(), here.seed)
    # What stands behind an answer's end is 0 on both sides.
    tokens = batch.responses.cpu()
    wins = wins * (tokens[:, :, None] != tokens[:, None, :]).any(-1)
    rows = wins.sum((1, 2)).nonzero()[:, 0]
    return batch.rows(rows), wins[rows].to(batch.prompts.device)


def first_votes(data: tuple[Batch, Tensor], count: int) -> tuple[Batch, Tensor]:
    """The first posts of these, with `count` votes or a few less."""
    batch, wins = data
    rows = slice(int((wins.sum((1, 2)).cumsum(0) <= count).sum()))
    return batch.rows(rows), wins[rows]


def fitted(here: World, trunk: nn.Module, data: tuple[Batch, Tensor], steps: int, rate: float) -> RewardModel:
    """A reward model on this clone's trunk from these votes, by chapter 8's recipe."""
    torch.manual_seed(here.seed)
    model = RewardModel(copy.deepcopy(trunk.base_model), last_token)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    schedule = LambdaLR(optimizer, warmup_decay(min(5, steps - 1), steps + 1))
    stream = islice(shuffled(data, min(32, len(data[1])), here.seed), steps)
    for _ in train_reward_model(model, stream, optimizer, RewardConfig()):
        schedule.step()
    return model.requires_grad_(False)
