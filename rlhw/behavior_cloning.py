"""Behavior cloning: learn the answers of a teacher by maximum likelihood.

J_MLE(θ) = E_x E_{y ~ teacher} log π_θ(y|x). Its gradient is the expected score at the teacher's answers; its greatest value
is minus the teacher's conditional entropy, reached where π_θ is the teacher, mistakes included.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.logprobs import masked_sum, response_logprobs
from rlhw.training import guarded_step


def bc_loss(logprobs: Float[Tensor, "*N T"], mask: Bool[Tensor, "*N T"]) -> Float[Tensor, "*N"]:
    """Negative log-likelihood of each answer in nats: -Σ_t log π(y_t|x, y_<t) over the tokens under the mask.

    A sum, because the probability of an answer is the product over its tokens: only the sum's mean over answers estimates
    -J_MLE. A mean over tokens weighs a word of a short answer more than one of a long answer, and changes when a batch is
    split. What stands outside the mask changes neither value nor gradient.

    >>> bc_loss(torch.log(torch.tensor([[0.5, 0.25, 0.9]])), torch.tensor([[True, True, False]]))
    tensor([2.0794])
    """
    return -masked_sum(logprobs, mask)


@dataclass(frozen=True)
class CloningConfig:
    """max_grad_norm: the gradient is shortened to this norm. micro_batch: so many prompts go through the model at once
    (None: all of a batch); it saves memory and changes nothing else. The learning rate belongs to the optimizer.
    Raises ValueError unless both are positive.
    """

    max_grad_norm: float = 1.0
    micro_batch: int | None = None

    def __post_init__(self) -> None:
        if not self.max_grad_norm > 0 or (self.micro_batch is not None and self.micro_batch < 1):
            raise ValueError(f"max_grad_norm must be above 0 and micro_batch 1 or more, or None; got {self}.")


def train_bc(
    model: nn.Module,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    config: CloningConfig,
    *,
    engine: Engine = PLAIN,
) -> Iterator[dict[str, float]]:
    """One optimizer step a batch on the mean of `bc_loss` over its answers, K to a prompt.

    Yields after each step `loss` (nats an answer, before the step), `grad_norm` (before clipping), `answers` and `tokens`.
    A batch in parts, or spread over processes, gives the same step as in one piece: all is divided by the count of all
    answers. Raises FloatingPointError, naming the step, before a step along a loss that is not finite; ValueError when
    there is no batch.
    """
    step = 0
    for step, batch in enumerate(batches, 1):
        optimizer.zero_grad()
        mask, size = batch.response_mask, config.micro_batch or len(batch.prompts)
        counts = torch.tensor([float(mask.shape[0] * mask.shape[1]), float(mask.sum())], device=mask.device)
        # Processes average their gradients: each divides by the mean count of answers, so that the average is over all.
        mean_answers = engine.reduce(counts[0], reduction="mean")
        losses = []
        for first in range(0, len(mask), size):
            part = batch.rows(slice(first, first + size))
            loss = bc_loss(response_logprobs(model, part), part.response_mask).sum() / mean_answers
            engine.backward(loss)
            losses.append(loss.detach())
        loss = engine.reduce(torch.stack(losses).sum(), reduction="mean")
        norm = guarded_step(optimizer, model, loss, step, max_grad_norm=config.max_grad_norm, engine=engine)
        answers, tokens = engine.reduce(counts, reduction="sum").tolist()
        yield {"loss": float(loss), "grad_norm": norm, "answers": answers, "tokens": tokens}
    if step == 0:
        raise ValueError("batches is empty: there is nothing to clone; collate at least one record.")


@torch.no_grad()
def answer_losses(model: nn.Module, batches: Iterable[Batch]) -> Float[Tensor, " N"]:
    """`bc_loss` of every answer in these batches, in their order, on the CPU. Raises ValueError when there is none."""
    losses = [bc_loss(response_logprobs(model, batch), batch.response_mask).flatten().cpu() for batch in batches]
    if not losses:
        raise ValueError("batches is empty: there is no answer to measure.")
    return torch.cat(losses)


def evaluate_bc(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Mean negative log-likelihood in nats an answer. Raises ValueError when there is none.

    On answers of the teacher it estimates H(teacher) + KL(teacher‖π_θ): but for the luck of the sample no model gets below
    the teacher's entropy, and what it stays above it is the KL.
    """
    return float(answer_losses(model, batches).double().mean())
