"""One update for imitation and for reinforcement: a step along weight × score, summed over the tokens of whole answers.

Cloning hands it a teacher's answers with weight 1, REINFORCE the policy's own answers with weight reward - baseline. What
differs is where the answers come from and what they weigh; the step is the same.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch
from rlhw.logprobs import sequence_logprobs
from rlhw.training import guarded_step


def weighted_surrogate(logprobs: Float[Tensor, "*N"], weights: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """(1/N) Σ_n w_n log π(y_n|x_n): its gradient is the mean of weight × score, its value means nothing.

    logprobs: of whole answers. The weights are fixed numbers: no gradient flows into them.
    Raises ValueError unless there is one weight an answer.

    >>> weighted_surrogate(torch.tensor([-1.0, -2.0]), torch.tensor([1.0, -0.5]))
    tensor(0.)
    """
    if weights.shape != logprobs.shape:
        raise ValueError(f"weights must be one an answer, {tuple(logprobs.shape)}; got {tuple(weights.shape)}.")
    return (weights.detach() * logprobs).mean()


def weighted_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    weights: Float[Tensor, "B K"],
    *,
    max_grad_norm: float = 1.0,
) -> float:
    """One optimizer step along (1/N) Σ_n w_n ∇ log π(y_n|x_n) over the N = B·K answers of a batch; the gradient's norm.

    The norm is that before it is shortened to `max_grad_norm`. Raises ValueError unless there is one weight an answer,
    FloatingPointError, with nothing changed, when surrogate or norm is not finite.
    """
    optimizer.zero_grad()
    loss = -weighted_surrogate(sequence_logprobs(model, batch), weights)
    loss.backward()
    return guarded_step(optimizer, model, loss.detach(), 1, max_grad_norm=max_grad_norm, engine=PLAIN)
