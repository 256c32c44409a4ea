"""The bugs themselves, as people write them: each takes the place of one function of the library.

They look plausible, they run without a word, and every one of them is wrong. What each does, and to whom, stands in
`cases.py`. The comments are those that one finds beside such lines.
"""

import torch
from torch import Tensor, nn

from rlhw import batches, language_model, rollouts
from rlhw.batches import Batch
from rlhw.logprobs import masked_mean, masked_sum, response_logits, response_logprobs, token_logprobs
from rlhw.ppo import clipped_policy_loss, clipped_value_loss

# The patch itself must reach what it replaces.
collate, collect, generate = batches.collate, rollouts.collect, language_model.generate


def padded_by_its_token(rows: list[list[int]], fill: int, *, left: bool) -> tuple[Tensor, Tensor]:
    # tokenizer.pad_token = tokenizer.eos_token
    width = max(map(len, rows))
    padded = [[fill] * (width - len(row)) + row if left else row + [fill] * (width - len(row)) for row in rows]
    tokens = torch.tensor(padded)
    return tokens, tokens != fill


def collate_the_whole_text(records: list[dict], tokenizer: object, max_length: int) -> Batch:
    # labels = input_ids.clone(), as in pretraining
    texts = [record["prompt"] + record["completion"] for record in records]
    return collate([{"prompt": text[:1], "completion": text[1:]} for text in texts], tokenizer, max_length)


def logprobs_without_a_shift(model: nn.Module, batch: Batch) -> Tensor:
    # one logit a token: the lengths fit
    logits = response_logits(model, batch)[:, :, 1:]
    tokens = batch.responses.masked_fill(~batch.response_mask, 0)
    return torch.where(batch.response_mask, token_logprobs(logits, tokens), 0.0)


def votes_by_position(scores: Tensor, wins: Tensor) -> Tensor:
    # the chosen answer comes first in every pair
    chosen, rejected = scores[:, 0], scores[:, 1]
    return -nn.functional.logsigmoid(chosen - rejected)


def mean_logprobs(model: nn.Module, batch: Batch) -> Tensor:
    # so that long answers are not at a disadvantage
    return masked_mean(response_logprobs(model, batch), batch.response_mask)


def collect_with_one_model(policy: nn.Module, reference: nn.Module, *inputs: object, **settings: object) -> object:
    # both start from the same weights: no need to hold them twice
    reference = policy
    return collect(policy, reference, *inputs, **settings)


def rewards_with_a_plus(scores: Tensor, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, beta: float) -> Tensor:
    kl = logprobs - ref_logprobs
    rewards = torch.where(mask, beta * kl, 0.0)
    last = mask.sum(-1, keepdim=True) - 1
    return rewards.scatter_add(-1, last, scores[..., None].to(rewards.dtype))


def rewards_at_the_right_edge(
    scores: Tensor, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, beta: float
) -> Tensor:
    rewards = torch.where(mask, -beta * (logprobs - ref_logprobs), 0.0)
    rewards[..., -1] += scores  # the score comes at the end
    return rewards


def loss_with_fresh_advantages(
    policy: nn.Module, value: nn.Module, old: object, config: object, engine: object
) -> tuple[Tensor, Tensor]:
    mask = old.batch.response_mask
    logprobs, values = response_logprobs(policy, old.batch), value(old.batch)
    advantages = old.returns - values  # with the values of today, not those of the rollout
    policy_losses = clipped_policy_loss(logprobs, old.logprobs, advantages, config.clip)
    value_losses = clipped_value_loss(values, old.values, old.returns, config.value_clip)
    clipped = (((logprobs.detach() - old.logprobs).exp() - 1).abs() > config.clip) & mask
    answers, tokens = mask.shape[0] * mask.shape[1], mask.sum()
    policy_loss, value_loss = (masked_sum(losses, mask).sum() / answers for losses in (policy_losses, value_losses))
    figures = torch.stack([policy_loss, value_loss, clipped.sum() / tokens]).detach()
    return policy_loss + config.value_weight * value_loss, figures


def logprobs_in_training_mode(model: nn.Module, batch: Batch) -> Tensor:
    model.train()  # we are training, after all
    logprobs = response_logprobs(model, batch)
    model.eval()  # for the next rollout
    return logprobs


def generate_with_less_noise(*inputs: object, **settings: object) -> tuple[Batch, Tensor]:
    # the usual setting for sampling
    return generate(*inputs, **settings | {"temperature": 0.5})


def generate_without_its_end(*inputs: object, **settings: object) -> tuple[Batch, Tensor]:
    batch, logprobs = generate(*inputs, **settings)
    mask = batch.response_mask & (batch.responses != settings["eos_id"])  # special tokens are no text
    return Batch(batch.prompts, batch.prompt_mask, batch.responses, mask), torch.where(mask, logprobs, 0.0)


def advantages_with_a_tiny_guard(rewards: Tensor, scale: bool = True) -> Tensor:
    deviations = rewards - rewards.mean(-1, keepdim=True)
    return deviations / (rewards.std(-1, keepdim=True) + 1e-8) if scale else deviations
