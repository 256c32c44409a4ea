"""What a training runs on: one process on the CPU, or accelerate's Accelerator on a GPU and over several processes."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from rlhw.batches import PLAIN, Batch, Engine


@dataclass(frozen=True)
class Host:
    """engine: what the training loops are given. rank, world: which process this is, and how many there are."""

    engine: Engine
    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def wrap(self, model: nn.Module, learns: bool = True) -> nn.Module:
        """The model on the device and as the loops call it; where it learns, its gradients are averaged over the processes."""
        if self.engine is PLAIN:
            return model.to(self.device)
        return self.engine.prepare_model(model, evaluation_mode=not learns)

    def mine(self, count: int) -> slice:
        """The rows of a batch that this process takes, as many as any other.

        With unequal numbers one process would call the model oftener than another in pieces, and wait for it for ever.
        Raises ValueError when the rows cannot be shared equally.
        """
        if count % self.world:
            raise ValueError(
                f"size and prompts must be multiples of the {self.world} processes, which share each batch equally; got {count}."
            )
        return slice(self.rank * count // self.world, (self.rank + 1) * count // self.world)

    def share(self, parts: Batch | tuple) -> Batch | tuple:
        """This process's rows of a batch, on the device."""
        if isinstance(parts, Batch):
            return parts.rows(self.mine(len(parts.prompts))).to(self.device)
        count = len(parts[1])
        return tuple(
            self.share(part) if isinstance(part, Batch) else part[self.mine(count)].to(self.device) for part in parts
        )

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            self.engine.wait_for_everyone()


def host(device: str) -> Host:
    """The host of this process: `accelerate launch` and `torch.distributed.run` say how many there are by WORLD_SIZE.

    On a GPU that can, models are called in bfloat16 (their weights stay float32), unless accelerate was told otherwise.
    Raises ValueError when a GPU is asked for and there is none that torch can use.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if device == "cpu" and not several:
        return Host(PLAIN, torch.device("cpu"))
    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device: {device} was asked for, and torch finds no GPU here; use --device cpu.")
    from accelerate import Accelerator

    half = "bf16" if device != "cpu" and torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    engine = Accelerator(cpu=device == "cpu", mixed_precision=os.environ.get("ACCELERATE_MIXED_PRECISION", half))
    return Host(engine, engine.device, engine.process_index, engine.num_processes)


def numbers_of(generator: torch.Generator, seed: int, step: int) -> None:
    """Set a generator to the numbers of one step: the same whether the steps before it ran in this process or not."""
    generator.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]))
