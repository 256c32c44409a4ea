"""Rollouts: answers sampled from a policy, with their scores and their log-probabilities under policy and reference.

A reward is any function Batch -> scores "B K": a RewardModel, or `text_reward` of a function of two texts. The objective of
all the trainers is J_β(π) = E_x E_{y ~ π}[r(x, y) - β log π(y|x)/π_ref(y|x)], in units of the reward.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch, Engine, answer_texts, prompt_texts
from rlhw.language_model import generate
from rlhw.logprobs import masked_sum, response_logprobs


@dataclass(frozen=True, eq=False)
class Rollout:
    """K answers of a policy to each of B prompts; log-probabilities are of their tokens, in nats, 0 outside the mask.

    scores: the reward of each whole answer, without any KL.
    """

    batch: Batch
    logprobs: Float[Tensor, "B K R"]
    ref_logprobs: Float[Tensor, "B K R"]
    scores: Float[Tensor, "B K"]

    @property
    def log_ratios(self) -> Float[Tensor, "B K"]:
        """log π(y|x)/π_ref(y|x) of each answer; the mean over answers of π estimates KL(π‖π_ref)."""
        return masked_sum(self.logprobs - self.ref_logprobs, self.batch.response_mask)


@torch.no_grad()
def collect(
    policy: nn.Module,
    reference: nn.Module,
    reward: Callable[[Batch], Tensor],
    prompts: Int[Tensor, "B P"],
    prompt_mask: Bool[Tensor, "B P"],
    *,
    k: int,
    max_new_tokens: int,
    eos_id: int | None,
    generator: torch.Generator,
) -> Rollout:
    """Sample k answers to each prompt from the policy itself (temperature 1, no top-k), and score them.

    The policy's log-probabilities are those recorded while sampling. Raises ValueError when policy and reference have
    different vocabularies or the reward gives another shape than one score an answer, FloatingPointError when a score is not
    finite, and what `generate` raises.
    """
    sizes = [getattr(getattr(model, "config", None), "vocab_size", None) for model in (policy, reference)]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(
            f"reference has a vocabulary of {sizes[1]} and the policy one of {sizes[0]}; they must share one tokenizer."
        )
    batch, logprobs = generate(
        policy, prompts, prompt_mask, k=k, max_new_tokens=max_new_tokens, eos_id=eos_id, generator=generator
    )
    scores = reward(batch)
    if scores.shape != batch.responses.shape[:2]:
        raise ValueError(
            f"reward must give one score an answer, {tuple(batch.responses.shape[:2])}; it gave {tuple(scores.shape)}."
        )
    if not scores.isfinite().all():
        raise FloatingPointError("reward gives scores that are not finite; nothing can be learned from them.")
    return Rollout(batch, logprobs, response_logprobs(reference, batch), scores.to(logprobs))


def measure(rollout: Rollout, beta: float, *, engine: Engine = PLAIN) -> dict[str, float]:
    """What a policy earns, estimated from its own samples: `reward`, `kl` (nats an answer), `objective` J = reward - β kl, its
    `standard_error`, `length` (tokens an answer) and `answers` (their number).

    Prompts are the independent draws, so the standard error is taken between prompts: the standard deviation of their mean
    objectives over √B, nan for one prompt. Under several ranks all goes over all of them, each with equally many answers.
    """
    scores, log_ratios = rollout.scores.double(), rollout.log_ratios.double()
    objectives = (scores - beta * log_ratios).mean(1)
    lengths = rollout.batch.response_mask.sum(-1).double()
    means = torch.stack([scores.mean(), log_ratios.mean(), objectives.mean(), lengths.mean()])
    reward, kl, objective, length = engine.reduce(means, reduction="mean").tolist()
    totals = torch.stack([(objectives - objective).square().sum(), objectives.new_tensor(len(objectives))])
    squares, count = engine.reduce(totals, reduction="sum").tolist()
    error = math.sqrt(squares / (count - 1) / count) if count > 1 else math.nan
    answers = count * scores.shape[1]
    return {
        "reward": reward, "kl": kl, "objective": objective, "standard_error": error, "length": length, "answers": answers,
    }  # fmt: skip


def minibatches(count: int, epochs: int, size: int | None, generator: torch.Generator) -> Iterator[Int[Tensor, " N"]]:
    """Indices of prompts, `size` at a time (None: all): `epochs` times all of them, in an order drawn anew each time."""
    for _ in range(epochs):
        order = torch.randperm(count, generator=generator, device=generator.device)
        yield from order.split(size or count)


def text_reward(score: Callable[[str, str], float], tokenizer: Callable) -> Callable[[Batch], Tensor]:
    """A reward from a function of two texts, score(prompt, answer): `Batch -> "B K"`, on the batch's device.

    Both texts come without special tokens, so whether an answer ended or was cut off cannot be seen in them.
    """

    def reward(batch: Batch) -> Float[Tensor, "B K"]:
        rows = zip(prompt_texts(batch, tokenizer), answer_texts(batch, tokenizer), strict=True)
        scores = [[float(score(prompt, answer)) for answer in answers] for prompt, answers in rows]
        return torch.tensor(scores, device=batch.prompts.device)

    return reward
