"""Resumes that forget something and checkpoints without the rename: what `benchmarks.resume` must notice.

Each function spoils the process that calls it, a child that ends soon.
"""

import json
import os
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LambdaLR

from rlhw import batches, checkpoint


def forget_moments() -> None:
    """Resume with everything but the optimizer's moments."""
    honest = checkpoint.load

    def forgetful(path: Path, *, optimizer: torch.optim.Optimizer | None = None, **what: object) -> tuple[int, dict]:
        found = honest(path, optimizer=optimizer, **what)
        optimizer.state.clear()
        return found

    checkpoint.load = forgetful


def forget_schedule() -> None:
    """Resume with the learning rates of a fresh schedule."""
    LambdaLR.load_state_dict = lambda schedule, state: None


def begin_the_data_anew() -> None:
    """Resume with the first batches instead of those that come next."""
    stream = batches._stream
    batches._stream = lambda data, count, size, seed, start: stream(data, count, size, seed, 0)


def write_in_place() -> None:
    """Write checkpoints under their own name at once."""
    save = checkpoint.save

    def in_place(folder: Path, step: int, **what: object) -> Path:
        checkpoint._DRAFT = f"step_{step:08d}.safetensors"
        return save(folder, step, **what)

    checkpoint.save = in_place


SABOTAGES = (forget_moments, forget_schedule, begin_the_data_anew)


def fill_with_zeros(path: Path) -> None:
    """Give a file of tensors that was cut its whole length, as a disk does that notes lengths before contents."""
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(header))
    end = max(entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__")
    os.truncate(path, 8 + header + end)
