"""The numbers that a model is called in, 32 or 16 bits, and a loss scale where small gradients would vanish in fp16.

bf16 has the range of float32 and 8 significant bits; fp16 has 11 bits, but nothing above 65504 and nothing below 6e-8: a
gradient smaller than that is 0. So the loss is multiplied before the backward pass and the gradients are divided after it.
Weights, gradients and the optimizer's moments are float32 in each case. Source: Micikevicius et al. (2018).
"""

import math
import os
from collections.abc import Iterable

import torch
from torch import Tensor

from rlhw.batches import Engine

# What accelerate calls them.
NAMES = {"float32": "no", "bf16": "bf16", "fp16": "fp16"}
VARIABLE = "ACCELERATE_MIXED_PRECISION"


def chosen(asked: str, device: str) -> str:
    """float32, bf16 or fp16: what was asked for; else what accelerate was told; else the best that this device has.

    The best is bf16 on a GPU that computes in it, fp16 on an older one, float32 on the CPU. Raises ValueError for what this
    device has not: nothing else is taken in its place.
    """
    given, source = asked, "precision"
    if asked == "auto" and (told := os.environ.get(VARIABLE)):
        given, source = next((name for name, theirs in NAMES.items() if theirs == told), told), VARIABLE
    if given not in ("auto", *NAMES):
        raise ValueError(f"{source}: {given!r} is not known here; --precision takes auto, {', '.join(NAMES)}.")
    if device == "cpu":
        if given == "fp16":
            raise ValueError(f"{source}: fp16 needs a GPU; on the CPU take --precision float32, or bf16.")
        return "float32" if given == "auto" else given
    can = torch.cuda.is_bf16_supported(including_emulation=False)
    if given == "bf16" and not can:
        raise ValueError(
            f"{source}: bf16 was asked for, and this GPU ({torch.cuda.get_device_name()}) does not compute in it; take "
            f"--precision fp16 or float32 (accelerate launch sets {VARIABLE} by --mixed_precision fp16)."
        )
    if given == "auto":
        return "bf16" if can else "fp16"
    return given


class LossScale:
    """An engine that multiplies each loss by `scale`, and divides the gradients by it before they are clipped.

    Where they are not finite that was too much: the scale is halved and the optimizer's next step changes nothing, neither
    weights nor moments; `skipped` counts such steps, whose norm is given as 0. After `patience` steps in a row that were taken
    the scale is doubled. At scale 1 nothing is left to halve: then the norm is handed on as it is, and `guarded_step` stops
    the training. A power of 2 rounds nothing, so in float32 the steps are those without a scale, bit for bit.
    """

    def __init__(self, engine: Engine, first: float = 2.0**16, patience: int = 2000) -> None:
        self.engine, self.first, self.patience = engine, first, patience
        self.begin()

    def begin(self, state: dict | None = None) -> None:
        """Be as at the start, or as a checkpoint says: each training has a scale of its own, whatever came before it."""
        state = state or {"scale": self.first, "taken": 0, "skipped": 0}
        self.scale, self.taken, self.skipped = state["scale"], state["taken"], state["skipped"]

    def state(self) -> dict:
        """What belongs into a checkpoint."""
        return {"scale": self.scale, "taken": self.taken, "skipped": self.skipped}

    def backward(self, loss: Tensor) -> None:
        self.engine.backward(loss * self.scale)

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        parameters = [parameter for parameter in parameters if parameter.grad is not None]
        for parameter in parameters:
            parameter.grad.div_(self.scale)
        norm = self.engine.clip_grad_norm_(parameters, max_norm)
        # All processes see the same norm, so all of them take the step or none.
        if math.isfinite(norm):
            self.taken += 1
            if self.taken == self.patience:
                self.scale, self.taken = 2 * self.scale, 0
            return norm
        if self.scale <= 1:
            return norm
        self.scale, self.taken, self.skipped = self.scale / 2, 0, self.skipped + 1
        for parameter in parameters:
            # An optimizer passes over parameters without a gradient.
            parameter.grad = None
        return torch.zeros_like(norm)

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return self.engine.reduce(tensor, reduction)
