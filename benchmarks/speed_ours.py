"""Our side of the speed comparisons: the library's own loops, as a reader of the course would call them."""

import copy
from unittest import mock

import torch
from torch import nn

from benchmarks.speed_setup import (
    BETA,
    CLIP,
    ROLLOUT_K,
    SAMPLING_K,
    Clock,
    Prompts,
    Rollouts,
    Run,
    Setup,
    Votes,
)
from benchmarks.speed_witnesses import (
    dpo_loss_of,
    reward_loss_of,
    sampled_witnesses,
    surrogate_of,
    trained_witnesses,
)
from benchmarks.tiny_runs import parts
from rlhw import grpo
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.language_model import generate
from rlhw.ppo import FixedKL
from rlhw.reward_model import RewardConfig, train_reward_model


def dpo(setup: Setup, data: Votes) -> Run:
    """The reference's log-probabilities are computed under the clock, once."""
    (batch, wins), policy, clock = data.train, _fresh(setup, data.start), Clock(setup.device)
    reference, optimizer = _fresh(setup, data.reference), _optimizer(setup, policy)
    with clock:
        batches = parts(batch, data.size)
        ref_logprobs = reference_logprobs(reference, batches)
        votes = zip(batches, wins.split(data.size), ref_logprobs.split(data.size), strict=True)
        steps = list(train_dpo(policy, votes, optimizer, DPOConfig(beta=BETA)))
    return Run(int(wins.sum()), clock, trained_witnesses(steps[0]["loss"], dpo_loss_of, data, policy))


def reward(setup: Setup, data: Votes) -> Run:
    (batch, wins), model, clock = data.train, _fresh(setup, data.start), Clock(setup.device)
    optimizer = _optimizer(setup, model)
    with clock:
        votes = zip(parts(batch, data.size), wins.split(data.size), strict=True)
        steps = list(train_reward_model(model, votes, optimizer, RewardConfig()))
    return Run(int(wins.sum()), clock, trained_witnesses(steps[0]["loss"], reward_loss_of, data, model))


def grpo_update(setup: Setup, data: Rollouts) -> Run:
    """`train_grpo` as it is; in place of sampling it is handed the ready rollouts, whose KL is 0, one after the other."""
    policy, clock = _fresh(setup, data.start), Clock(setup.device)
    optimizer = _optimizer(setup, policy)
    config = GRPOConfig(
        max_new_tokens=setup.max_new_tokens, eos_id=setup.tokenizer.eos_token_id, k=ROLLOUT_K, clip=CLIP
    )
    prompts = [(rollout.batch.prompts, rollout.batch.prompt_mask) for rollout in data.train]
    order, kl = torch.Generator().manual_seed(0), FixedKL(1.0)
    with mock.patch.object(grpo, "collect", side_effect=data.train), clock:
        steps = list(train_grpo(policy, policy, setup.reward, prompts, optimizer, config, generator=order, kl=kl))
    count = sum(rollout.scores.numel() for rollout in data.train)
    return Run(count, clock, trained_witnesses(steps[0]["policy_loss"], surrogate_of, data, policy))


def sampling(setup: Setup, data: Prompts) -> Run:
    clock, generator = Clock(setup.device), torch.Generator().manual_seed(data.seed)
    with clock:
        batch, _ = generate(
            data.model, data.tokens, data.mask, k=SAMPLING_K, max_new_tokens=setup.max_new_tokens,
            eos_id=setup.tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
    return Run(int(batch.response_mask.sum()), clock, sampled_witnesses(data.model, batch))


def _fresh(setup: Setup, start: nn.Module) -> nn.Module:
    model = copy.deepcopy(start)
    if setup.bf16:
        model.forward = torch.autocast(setup.device, torch.bfloat16)(model.forward)
    return model


def _optimizer(setup: Setup, model: nn.Module) -> torch.optim.Optimizer:
    """transformers' default, which TRL takes, with its betas and its epsilon, and no weight decay."""
    return torch.optim.AdamW(model.parameters(), lr=setup.rate, weight_decay=0.0, fused=True)
