"""Run by test_checkpoint.py: children that save checkpoints one after another, killed at random moments."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from rlhw import checkpoint

PIECES, PAUSE = 20, 0.001


def in_pieces(tensors, path, metadata):
    """What safetensors writes, but slowly: a kill then finds the process writing more often than not."""
    data = save(tensors, metadata)
    with open(path, "wb") as file:
        for piece in range(PIECES):
            file.write(data[len(data) * piece // PIECES : len(data) * (piece + 1) // PIECES])
            file.flush()
            time.sleep(PAUSE)


def model_of(step: int) -> nn.Module:
    """Weights that say at which step they were saved."""
    model = nn.Linear(200, 100)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float(step))
    return model


def save_forever(folder: Path, start: int, in_place: bool) -> None:
    checkpoint.save_file = in_pieces
    step = start
    while True:
        step += 1
        if in_place:
            checkpoint._DRAFT = f"step_{step:08d}.safetensors"
        checkpoint.save(folder, step, model=model_of(step))


def outcome(folder: Path, before: int) -> str:
    """What a run that wants to resume finds."""
    path = checkpoint.latest(folder)
    if path is None:
        return "nothing there"
    model = model_of(-1)
    try:
        step, _ = checkpoint.load(path, model=model)
    except ValueError as error:
        return str(error)
    whole = step >= before and all((parameter == step).all() for parameter in model.parameters())
    return "loads" if whole else f"step {step} after {before} does not hold its own weights"


def newest(folder: Path) -> int:
    path = checkpoint.latest(folder)
    return int(path.stem.removeprefix("step_")) if path else 0


def kill_again_and_again(folder: Path, times: int, in_place: bool) -> list[str]:
    """What was found after each kill, up to the first that did harm."""
    rng, outcomes = random.Random(), []
    while len(outcomes) < times:
        before = newest(folder)
        child = os.fork()
        if child == 0:
            save_forever(folder, before, in_place)
        while newest(folder) == before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        outcomes.append(outcome(folder, before))
        if outcomes[-1] != "loads":
            break
        if (folder / checkpoint._DRAFT).exists():
            outcomes[-1] += " after a kill in the middle of a write"
    return outcomes


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    whole = kill_again_and_again(folder / "whole", 10, in_place=False)
    print(json.dumps({"whole": whole, "in place": kill_again_and_again(folder / "in place", 50, in_place=True)}))
