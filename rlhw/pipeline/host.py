"""What a training runs on: one process on the CPU, or accelerate's Accelerator on a GPU and over several processes."""

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.pipeline.capability import capability_advice
from rlhw.pipeline.precision import NAMES, LossScale, chosen

if TYPE_CHECKING:
    from accelerate import Accelerator

    from rlhw.pipeline.sharded import Shards

# So long the other processes wait while one writes a report; torch's own ten minutes would end the run.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Host:
    """engine: what the training loops are given. rank, world: which process this is, and how many there are.

    accelerator: None in plain torch. precision: what models are called in. shards: where each process holds a part of a model.
    """

    engine: Engine
    device: torch.device
    rank: int = 0
    world: int = 1
    accelerator: "Accelerator | None" = None
    precision: str = "float32"
    shards: "Shards | None" = None

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def wrap(self, model: nn.Module, learns: bool = True) -> nn.Module:
        """The model on the device and as the loops call it; where it learns, its gradients are averaged over the processes."""
        if self.shards is not None:
            return self.shards.shard(model, learns)
        model = model.to(self.device)
        if self.accelerator is None:
            return model
        called = self.accelerator.prepare_model(model, evaluation_mode=not learns)
        # It keeps what it prepared: the models of all stages would stay in the GPU's memory until the run ends.
        self.accelerator.free_memory()
        return called

    def alone(self) -> "Host":
        """The same where one process works while the others wait: models are whole there."""
        return replace(self, shards=None)

    def whole(self, model: nn.Module) -> nn.Module:
        """The model to be saved. All processes must call this together."""
        return model if self.shards is None else self.shards.whole(model)

    @property
    def loss_scale(self) -> LossScale | None:
        """What keeps small gradients from vanishing, where models are called in fp16."""
        return self.engine if isinstance(self.engine, LossScale) else None

    @property
    def words(self) -> str:
        """What this is, in words."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"
        processes = "one process" if self.world == 1 else f"{self.world} processes"
        shards = "" if self.shards is None else ", each with a part of every model"
        scaled = " with a loss scale" if self.loss_scale else ""
        return f"device: {name}, {processes}{shards}; models are called in {self.precision}{scaled}."

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
            self.accelerator.wait_for_everyone()


def is_main() -> bool:
    """Whether this is the process that talks and writes, before there is a host to say so."""
    return os.environ.get("RANK", "0") == "0"


def host(device: str, precision: str = "auto") -> Host:
    """The host of this process: `accelerate launch` and `torch.distributed.run` say how many there are by WORLD_SIZE.

    precision: as `precision.chosen` takes it; the weights stay float32 in each case. Raises ValueError when a GPU is asked for
    and there is none that torch can use, or one that is too new or too old for this torch, and for a precision that it has not.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if device != "cpu":
        _check_gpu(device)
    numbers = chosen(precision, device)
    if device == "cpu" and not several and numbers == "float32":
        return Host(PLAIN, torch.device("cpu"))
    accelerator = _accelerator(device, numbers)
    engine, shards = accelerator, None
    from rlhw.pipeline import sharded

    if several and sharded.wanted():
        engine, shards = sharded.OneNorm(engine), sharded.Shards(accelerator.device, accelerator.num_processes, numbers)
    if numbers == "fp16":
        engine = LossScale(engine)
    place = accelerator.device, accelerator.process_index, accelerator.num_processes
    return Host(engine, *place, accelerator, numbers, shards)


def _check_gpu(device: str) -> None:
    if not torch.cuda.is_available():
        raise ValueError(f"device: {device} was asked for, and torch finds no GPU here; use --device cpu.")
    capability = torch.cuda.get_device_capability()
    if advice := capability_advice(capability, torch.cuda.get_arch_list(), torch.__version__):
        name = f"{torch.cuda.get_device_name()}, compute capability {capability[0]}.{capability[1]}"
        raise ValueError(f"device: {name}; {advice.replace('run on the CPU', 'use --device cpu')}")


def _accelerator(device: str, numbers: str) -> "Accelerator":
    """accelerate's engine. Its own scaler of losses knows prepared optimizers alone, and its own shards are DDP on the CPU: it is
    told of neither, and does what is the same everywhere.
    """
    from accelerate import Accelerator, GradScalerKwargs, InitProcessGroupKwargs

    handlers = [GradScalerKwargs(enabled=False), InitProcessGroupKwargs(timeout=PATIENCE)]
    told = os.environ.pop("ACCELERATE_USE_FSDP", None)
    try:
        return Accelerator(cpu=device == "cpu", mixed_precision=NAMES[numbers], kwargs_handlers=handlers)
    finally:
        if told is not None:
            os.environ["ACCELERATE_USE_FSDP"] = told


def numbers_of(generator: torch.Generator, seed: int, step: int) -> None:
    """Set a generator to the numbers of one step: the same whether the steps before it ran in this process or not."""
    generator.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]))
