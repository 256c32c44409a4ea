"""What must agree between the two sides of a speed comparison, worked out for both by the same functions, in no clock's time."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.speed_setup import BETA, CLIP, Rollouts, Votes
from rlhw.batches import Batch
from rlhw.dpo import implicit_reward
from rlhw.grpo import rloo_advantages
from rlhw.logprobs import masked_sum, response_logprobs, sequence_logprobs
from rlhw.ppo import clipped_policy_loss
from rlhw.reward_model import pairwise_loss


def trained_witnesses(first: float, held_out_loss: Callable, data: Votes | Rollouts, trained: nn.Module) -> dict:
    """The first step's loss, and the trained weights' loss on held-out data in float32, by one function for both sides."""
    model = copy.deepcopy(data.start)
    with torch.no_grad():
        for own, new in zip(model.parameters(), trained.parameters(), strict=True):
            own.copy_(new)
        return {"first-step loss": torch.tensor(first), "held-out loss": held_out_loss(model, data).cpu()}


def dpo_loss_of(model: nn.Module, data: Votes) -> Tensor:
    """Nats a vote."""
    batch, wins = data.held_out
    logprobs, ref_logprobs = sequence_logprobs(model, batch), sequence_logprobs(data.reference, batch)
    return pairwise_loss(implicit_reward(logprobs, ref_logprobs, BETA), wins).mean()


def reward_loss_of(model: nn.Module, data: Votes) -> Tensor:
    """Nats a vote."""
    batch, wins = data.held_out
    return pairwise_loss(model(batch), wins).mean()


def surrogate_of(model: nn.Module, data: Rollouts) -> Tensor:
    """The clipped surrogate an answer, in units of the reward."""
    losses = []
    for rollout in data.held_out:
        logprobs, advantages = response_logprobs(model, rollout.batch), rloo_advantages(rollout.scores)[..., None]
        losses.append(clipped_policy_loss(logprobs, rollout.logprobs, advantages.expand_as(logprobs), CLIP))
    sums = [masked_sum(loss, one.batch.response_mask) for loss, one in zip(losses, data.held_out, strict=True)]
    return torch.cat(sums).mean()


@torch.no_grad()
def sampled_witnesses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """For each prompt "B": the mean length of its answers, and the mean over them of their log-probability a token."""
    lengths = batch.response_mask.sum(-1).float()
    logprobs = sequence_logprobs(model, batch) / lengths
    return {"length": lengths.mean(1).cpu(), "log-probability a token": logprobs.mean(1).cpu()}
