"""Answers of a policy to held-out posts, and all that is measured on them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlhw.batches import Batch, answer_texts
from rlhw.pipeline.attained import AT_ONCE, best_of_n
from rlhw.rollouts import collect


@dataclass(frozen=True)
class Sampled:
    """K answers to each of B posts: their texts, what the judge gives, what the learned reward gives, log π/π_ref, tokens."""

    texts: list[list[str]]
    judged: Float[np.ndarray, "B K"]
    learned: Float[np.ndarray, "B K"]
    log_ratios: Float[np.ndarray, "B K"]
    lengths: Float[np.ndarray, "B K"]

    def objectives(self, beta: float) -> Float[np.ndarray, " B"]:
        """Mean of the judge's reward - β log π/π_ref over the answers to each post."""
        return (self.judged - beta * self.log_ratios).mean(1)

    def figures(self, beta: float) -> dict[str, float]:
        """What `rollouts.measure` says, with the learned reward beside."""
        return summary_of(self.judged.mean(), self.log_ratios.mean(), self.objectives(beta)) | {
            "learned": float(self.learned.mean()), "length": float(self.lengths.mean()),
        }  # fmt: skip

    def best_of(self, n: int, gold: bool, beta: float) -> tuple[dict[str, float], Float[np.ndarray, " B"]]:
        """(figures, objectives) of the best of n of these answers, chosen by the judge (gold) or by the learned reward."""
        kl, rewards = best_of_n(self.judged if gold else self.learned, self.judged, n)
        objectives = rewards - beta * kl
        return summary_of(rewards.mean(), kl, objectives), objectives


def summary_of(reward: float, kl: float, objectives: Float[np.ndarray, " B"]) -> dict[str, float]:
    """Reward, KL, the mean objective and its standard error between posts."""
    error = objectives.std(ddof=1) / np.sqrt(len(objectives))
    return {
        "reward": float(reward),
        "kl": float(kl),
        "objective": float(objectives.mean()),
        "standard_error": float(error),
    }


@torch.no_grad()
def sample(
    policy: nn.Module,
    reference: nn.Module,
    judge: Callable[[Batch], Tensor],
    learned: Callable[[Batch], Tensor],
    tokens: Int[Tensor, "B P"],
    mask: Bool[Tensor, "B P"],
    tokenizer: Callable,
    *,
    k: int,
    max_new_tokens: int,
    generator: torch.Generator,
    at_once: int = AT_ONCE,
) -> Sampled:
    """k answers to each post, measured, in pieces of `at_once` answers."""
    texts, columns, size = [], [], max(1, at_once // k)
    for first in range(0, len(tokens), size):
        rows = slice(first, first + size)
        rollout = collect(
            policy, reference, judge, tokens[rows], mask[rows], k=k, max_new_tokens=max_new_tokens,
            eos_id=tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
        texts += answer_texts(rollout.batch, tokenizer)
        lengths = rollout.batch.response_mask.sum(-1)
        parts = rollout.scores, learned(rollout.batch), rollout.log_ratios, lengths
        columns.append(torch.stack([part.double().cpu() for part in parts]))
    return Sampled(texts, *torch.cat(columns, 1).numpy())
