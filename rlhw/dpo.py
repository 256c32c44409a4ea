"""Direct preference optimisation and its kin: the policy itself is the reward model.

The best policy for a reward r is π*(y|x) ∝ π_ref(y|x) exp(r(x, y)/β). Turned round, any policy is the best one for its implicit
reward β log π(y|x)/π_ref(y|x), up to a shift c(x) that no comparison sees. So a policy can be fitted to votes directly. All
log-probabilities here are of whole answers, sums over their tokens: with means over tokens the optimum is not π*.
Source: Rafailov et al. (2023).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.calibration import check_counts, votes_won
from rlhw.logprobs import sequence_logprobs
from rlhw.training import guarded_step


def implicit_reward(
    logprobs: Float[Tensor, "*N"], ref_logprobs: Float[Tensor, "*N"], beta: float
) -> Float[Tensor, "*N"]:
    """β log π(y|x)/π_ref(y|x): the reward whose best policy, at this β, is π. Rafailov et al. (2023), eq. 5 without its log Z.

    >>> implicit_reward(torch.tensor(-1.0), torch.tensor(-3.0), beta=0.5)
    tensor(1.)
    """
    return beta * (logprobs - ref_logprobs)


def dpo_loss(
    chosen: Float[Tensor, "*N"],
    rejected: Float[Tensor, "*N"],
    ref_chosen: Float[Tensor, "*N"],
    ref_rejected: Float[Tensor, "*N"],
    beta: float,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*N"]:
    """-(1 - s) log σ(h) - s log σ(-h), h = β (log π/π_ref of chosen - of rejected), in nats a vote; ln 2 at π = π_ref.

    It is the Bradley-Terry loss of the implicit rewards. s = `label_smoothing` is the share of votes taken to be the wrong way
    round. Arguments are log-probabilities of whole answers. Rafailov et al. (2023), eq. 7; smoothing: Mitchell (2023).
    """
    margin = implicit_reward(chosen, ref_chosen, beta) - implicit_reward(rejected, ref_rejected, beta)
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)


def ipo_loss(
    chosen: Float[Tensor, "*N"],
    rejected: Float[Tensor, "*N"],
    ref_chosen: Float[Tensor, "*N"],
    ref_rejected: Float[Tensor, "*N"],
    beta: float,
) -> Float[Tensor, "*N"]:
    """(h - 1/(2β))², h = log π/π_ref of chosen - of rejected: a finite margin even where every vote agrees.

    With votes for a share p of which the first is chosen, the least mean is at h = (p - ½)/β. Azar et al. (2023), eq. 17.
    """
    margin = (chosen - ref_chosen) - (rejected - ref_rejected)
    return (margin - 1 / (2 * beta)).square()


def kto_loss(
    log_ratios: Float[Tensor, "*N"], desirable: Bool[Tensor, "*N"], kl: Float[Tensor, ""], beta: float
) -> Float[Tensor, "*N"]:
    """1 - σ(β (log π/π_ref - kl)) for a desirable answer, 1 - σ(β (kl - log π/π_ref)) for an undesirable one; ½ at π = π_ref.

    No pairs are needed: each answer is good or bad by itself. `kl` is the reference point, KL(π‖π_ref) over the batch, at
    least 0 and taken as a constant. Ethayarajh et al. (2024), eq. 7, with both weights 1.
    """
    gain = beta * (log_ratios - kl.detach())
    return torch.where(desirable, (-gain).sigmoid(), gain.sigmoid())


def kto_pair_loss(
    chosen: Float[Tensor, "*N"],
    rejected: Float[Tensor, "*N"],
    ref_chosen: Float[Tensor, "*N"],
    ref_rejected: Float[Tensor, "*N"],
    beta: float,
) -> Float[Tensor, "*N"]:
    """`kto_loss` of both sides of a vote, halved: the chosen answer is desirable, the rejected one undesirable.

    The reference point is the mean log-ratio of all answers given, at least 0: the estimate that needs no further pass. It is taken
    over what goes through the model at once, so here alone micro_batch changes the step.
    """
    log_ratios = torch.stack([chosen - ref_chosen, rejected - ref_rejected])
    desirable = torch.tensor([True, False], device=chosen.device).view(2, *[1] * chosen.dim()).expand_as(log_ratios)
    return kto_loss(log_ratios, desirable, log_ratios.mean().clamp(min=0.0), beta).mean(0)


@dataclass(frozen=True)
class DPOConfig:
    """beta: how dear it is to leave the reference. max_grad_norm: the gradient is shortened to this norm. micro_batch: so many
    prompts go through the model at once (None: all of a batch); it saves memory and changes nothing else (but see
    `kto_pair_loss`).

    For the objective J_β with the rewards of an annotator σ(Δr/τ), beta is β/τ: at it DPO's optimum is J_β's π*.
    Raises ValueError unless all are positive.
    """

    beta: float
    max_grad_norm: float = 1.0
    micro_batch: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise ValueError(f"beta must be above 0 and finite; got {self.beta}.")
        if not self.max_grad_norm > 0 or (self.micro_batch is not None and self.micro_batch < 1):
            raise ValueError(f"max_grad_norm must be above 0 and micro_batch 1 or more, or None; got {self}.")


@torch.no_grad()
def reference_logprobs(reference: nn.Module, batches: Iterable[Batch]) -> Float[Tensor, "N K"]:
    """log π_ref of all answers in these batches, in their order: once before training, since the reference never changes.

    Raises ValueError when there is no batch.
    """
    logprobs = [sequence_logprobs(reference, batch) for batch in batches]
    if not logprobs:
        raise ValueError("batches is empty: there is no answer to look at.")
    return torch.cat(logprobs)


def train_dpo(
    policy: nn.Module,
    data: Iterable[tuple[Batch, Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    config: DPOConfig,
    *,
    loss: Callable = dpo_loss,
    engine: Engine = PLAIN,
) -> Iterator[dict[str, float]]:
    """One optimizer step for each (batch, wins "B K K", ref_logprobs "B K") of `data`.

    `loss` takes log-probabilities of chosen, rejected, and both under the reference, and beta: `dpo_loss`, `ipo_loss`,
    `kto_pair_loss`, or `functools.partial(dpo_loss, label_smoothing=0.1)`. A prompt's loss is its mean over its votes, a
    batch's the mean over prompts.
    Yields after each step `loss` (before the step), `accuracy` (the share of this batch's votes that the implicit reward
    agreed with), `margin` (mean implicit reward of preferred answers minus that of the others, over votes), `chosen` (mean
    change of the log-probability of preferred answers, over votes; it often falls), `grad_norm`, `prompts`.
    Raises FloatingPointError, naming the step, before a step along a loss that is not finite; ValueError when there is no
    batch, or for wins that `check_counts` refuses, and ref_logprobs of another shape.
    """
    step = 0
    for step, (batch, wins, ref_logprobs) in enumerate(data, 1):
        check_counts(wins)
        if ref_logprobs.shape != wins.shape[:2]:
            raise ValueError(
                f"ref_logprobs must have one value an answer, {tuple(wins.shape[:2])}; got {tuple(ref_logprobs.shape)}."
            )
        optimizer.zero_grad()
        size, count = config.micro_batch or len(wins), torch.tensor(float(len(wins)), device=wins.device)
        # Processes average their gradients: each divides by the mean count of prompts, so that the average is over all.
        mean_count = engine.reduce(count, reduction="mean")
        losses, logprobs = [], []
        for first in range(0, len(wins), size):
            rows = slice(first, first + size)
            part = sequence_logprobs(policy, batch.rows(rows))
            votes = wins[rows] / wins[rows].sum((1, 2), keepdim=True)
            value = (votes * _pair_losses(part, ref_logprobs[rows], config.beta, loss)).sum() / mean_count
            engine.backward(value)
            losses.append(value.detach())
            logprobs.append(part.detach())
        whole = engine.reduce(torch.stack(losses).sum(), reduction="mean")
        norm = guarded_step(optimizer, policy, whole, step, max_grad_norm=config.max_grad_norm, engine=engine)
        totals = torch.stack([*_figures(torch.cat(logprobs), ref_logprobs, wins, config.beta), count])
        right, margin, chosen, votes, prompts = engine.reduce(totals, reduction="sum").tolist()
        yield {
            "loss": float(whole), "accuracy": right / votes, "margin": margin / votes, "chosen": chosen / votes,
            "grad_norm": norm, "prompts": prompts,
        }  # fmt: skip
    if step == 0:
        raise ValueError(
            "data is empty: there are no votes to learn from; give at least one (batch, wins, ref_logprobs)."
        )


def _pair_losses(logprobs: Tensor, ref_logprobs: Tensor, beta: float, loss: Callable) -> Tensor:
    """The loss "B K K" of a vote for answer i over answer j."""
    chosen, rejected, ref_chosen, ref_rejected = torch.broadcast_tensors(
        logprobs[:, :, None], logprobs[:, None, :], ref_logprobs[:, :, None], ref_logprobs[:, None, :]
    )
    return loss(chosen, rejected, ref_chosen, ref_rejected, beta)


def _figures(logprobs: Tensor, ref_logprobs: Tensor, wins: Tensor, beta: float) -> list[Tensor]:
    """Sums over votes: those agreed with, margins of the implicit reward, changes of the chosen, and the votes' number."""
    change = logprobs - ref_logprobs
    right, votes = votes_won(change, wins)
    margin = beta * (wins * (change[:, :, None] - change[:, None, :])).sum()
    return [right, margin, (wins.sum(2) * change).sum(), votes]
