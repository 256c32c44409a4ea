"""What the training loops share, and what their callers put into the loop's body: the guarded step, a schedule, stopping early.

A loop is a generator that yields after each step. Its caller writes the body:

    schedule = LambdaLR(optimizer, warmup_decay(20, 300))
    stopping = EarlyStopping(patience=3)
    for step, figures in enumerate(train_reward_model(model, data, optimizer, RewardConfig()), 1):
        schedule.step()
        if step % 50 == 0 and stopping.over(held_out_loss(model), model):
            break
    stopping.restore(model)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rlhw.batches import Engine


def guarded_step(
    optimizer: torch.optim.Optimizer, model: nn.Module, loss: Tensor, step: int, *, max_grad_norm: float, engine: Engine
) -> float:
    """Clip the gradient's norm to `max_grad_norm`, take the optimizer's step, and return the norm before clipping.

    Raises FloatingPointError, with nothing changed in the weights, when the loss or the norm is not finite. The loss is
    the step's whole loss, the same on all processes, so that all of them stop.
    """
    norm = engine.clip_grad_norm_(model.parameters(), max_grad_norm)
    for name, value in (("loss", loss), ("gradient's norm", norm)):
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the {name} of step {step} is {float(value)}: that step was not taken; lower the learning rate, or look at "
                "the batch."
            )
    optimizer.step()
    return float(norm)


def warmup_decay(warmup: int, total: int, floor: float = 0.0) -> Callable[[int], float]:
    """The factor of the learning rate before step t = 0, 1, …, for torch's LambdaLR: up along a line, down along a cosine.

    (t + 1)/warmup while t < warmup, then floor + (1 - floor)(1 + cos π(t - warmup)/(total - warmup))/2, and `floor` from
    `total` on. The first step is not wasted on a rate of zero. Raises ValueError unless 0 <= warmup < total and
    0 <= floor <= 1: a warm-up as long as the run never reaches the rate that was asked for.

    >>> factor = warmup_decay(2, 6)
    >>> [round(factor(step), 3) for step in range(7)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    if not 0 <= warmup < total:
        raise ValueError(f"warmup must be from 0 to total - 1; got warmup={warmup}, total={total}.")
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be from 0 to 1; got {floor}.")

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min((step - warmup) / (total - warmup), 1.0)
        return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2

    return factor


@dataclass
class EarlyStopping:
    """Keeps the weights of the least held-out loss, and says when `patience` measurements in a row brought nothing better.

    best: the least loss so far, None before the first; waited: measurements since. Raises ValueError when patience < 1.
    Stopping early cannot mend a model whose best loss is no better than a constant's (ln 2 for pairs): look at `best`.
    """

    patience: int
    best: float | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)
    weights: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"patience must be 1 or more; got {self.patience}.")

    def over(self, loss: float, model: nn.Module) -> bool:
        """Take in one measurement; True when it is time to stop. A loss that is not a number is no improvement."""
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best, self.waited = loss, 0
            # Frozen parameters stay as they are: a copy of those in training is enough.
            self.weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self, model: nn.Module) -> None:
        """Put the best weights back. Raises ValueError before the first finite measurement."""
        if not self.weights:
            raise ValueError("restore: there is no best model yet; call over(loss, model) first.")
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, best in self.weights.items():
                parameters[name].copy_(best)
