"""Early stopping of a training that may be killed and taken up again: rows held out, and the best weights kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rlhw import checkpoint
from rlhw.batches import Batch
from rlhw.pipeline.host import Host
from rlhw.training import EarlyStopping

# One prompt in so many is held out; the same one in each run of a seed.
ONE_IN = 20
# No more of them are measured, so that it takes a small part of the time.
MEASURED = 512


def apart(batch: Batch, seed: int) -> tuple[Tensor, Tensor]:
    """(rows to learn from, rows held out, at most 512): all rows of a prompt are on one side, decided by the sha256 of its tokens.

    Raises ValueError when one side is empty.
    """
    held = torch.tensor([
        int.from_bytes(hashlib.sha256(f"{seed} {row[real].tolist()}".encode()).digest()[:8], "big") % ONE_IN == 0
        for row, real in zip(batch.prompts, batch.prompt_mask, strict=True)
    ])  # fmt: skip
    if not held.any() or held.all():
        raise ValueError(
            f"patience: {len(held)} prompts are too few to hold any out; give --patience 0, or more of them."
        )
    return (~held).nonzero()[:, 0], held.nonzero()[:MEASURED, 0]


@dataclass
class HeldOut:
    """`loss()` after every `every` steps; after `patience` times in a row that brought nothing better training stops.

    The best weights are kept in `folder` too, so that a training that was killed ends with them as well. `every` must be a
    multiple of the steps between checkpoints.
    """

    loss: Callable[[], float]
    every: int
    patience: int
    folder: Path
    model: nn.Module
    host: Host
    step: int = field(default=0, init=False)
    stopping: EarlyStopping = field(init=False)

    def __post_init__(self) -> None:
        self.stopping = EarlyStopping(self.patience)

    def state(self) -> dict:
        """What belongs into a checkpoint."""
        return {"best": self.stopping.best, "waited": self.stopping.waited, "step": self.step}

    def take_up(self, state: dict) -> None:
        """Be as a checkpoint says; the model gets the best weights for a moment, so load its own after this."""
        self.stopping.best, self.stopping.waited, self.step = state["best"], state["waited"], state["step"]
        if self.step:
            load(self.host, self.folder / f"step_{self.step:08d}.safetensors", self.model)
            self.stopping.weights = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}

    def over(self, step: int, figures: dict[str, float]) -> bool:
        """Measure where it is time to, write it into the step's figures, and say whether to stop."""
        if step % self.every:
            return False
        # Each process has measured the same; rounding must not make one of them stop alone.
        loss = torch.tensor(self.loss(), dtype=torch.float64, device=self.host.device)
        figures["held_out"] = float(self.host.engine.reduce(loss, reduction="mean"))
        over = self.stopping.over(figures["held_out"], self.model)
        if self.stopping.waited == 0:
            self.step, whole = step, self.host.whole(self.model)
            if self.host.main:
                # Two are kept: the newest checkpoint of the training may know only the one before.
                checkpoint.save(self.folder, step, model=whole)
        return over

    def restore(self) -> None:
        """Put the best weights back, where there are any."""
        if self.step:
            self.stopping.restore(self.model)


def load(host: Host, path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> tuple[int, dict]:
    """`checkpoint.load`, into shards where the host has them."""
    if host.shards is None:
        return checkpoint.load(path, model=model, optimizer=optimizer)
    return host.shards.load(path, model, optimizer)
