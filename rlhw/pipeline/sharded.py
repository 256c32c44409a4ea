"""Models in shards: each of several processes holds a part of every weight, gradient and moment (FSDP, by torch's `fully_shard`).

`accelerate launch --use_fsdp` starts the processes and says by ACCELERATE_USE_FSDP that shards are wanted. The sharding is done
here and not by accelerate, which on the CPU would turn it into DDP: what the tests run is then what GPUs run. Files are those of
one process: a whole copy of each model that learns is kept in the CPU's memory, which checkpoints are written from and read into.
"""

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rlhw import checkpoint
from rlhw.batches import Engine

HALF = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def wanted() -> bool:
    """Whether accelerate was told to shard."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("true", "1", "yes")


class OneNorm:
    """An engine whose gradients are shards: the norm that it gives is that of the whole gradient, the same on all processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def backward(self, loss: Tensor) -> None:
        self.engine.backward(loss)

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        return full(self.engine.clip_grad_norm_(parameters, max_norm))

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return self.engine.reduce(tensor, reduction)


class Shards:
    """Puts models into shards over all processes of the group, and knows the whole copies of those that learn."""

    def __init__(self, device: torch.device, world: int, precision: str) -> None:
        self.device, self.mesh = device, init_device_mesh(device.type, (world,))
        half = HALF[precision]
        # Gradients are averaged in float32. What a loop gets is float32; what one block hands to the next is not.
        self.inner, self.outer = (
            MixedPrecisionPolicy(half, half and torch.float32, output) for output in (None, half and torch.float32)
        )
        self.copies: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()

    def shard(self, model: nn.Module, learns: bool) -> nn.Module:
        """The same model, each block in shards of its own, and what stands around the blocks."""
        if learns:
            self.copies[model] = copy.deepcopy(model).cpu()
        model.to(self.device)
        # What a pass gathers is given back at its end, or an optimizer would be handed the whole of it after an evaluation.
        how = {"mesh": self.mesh, "reshard_after_forward": True}
        for stack in [part for part in model.modules() if isinstance(part, nn.ModuleList)]:
            for block in stack:
                fully_shard(block, mp_policy=self.inner, **how)
        return fully_shard(model, mp_policy=self.outer, **how)

    def whole(self, model: nn.Module) -> nn.Module:
        """The copy of a model (or of several, in a ModuleDict), as it is now. All processes must call this together."""
        found = self._copy_of(model)
        for mine, theirs in zip(found.parameters(), model.parameters(), strict=True):
            mine.data.copy_(full(theirs))
        return found

    def whole_optimizer(self, optimizer: torch.optim.Optimizer, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer as one of the whole copy, with its moments gathered. All processes must call this together."""
        of = dict(zip(model.parameters(), self._copy_of(model).parameters(), strict=True))
        groups = [group | {"params": [of[one] for one in group["params"]]} for group in optimizer.param_groups]
        found = type(optimizer)(groups)
        for one, state in optimizer.state.items():
            found.state[of[one]] = {name: full(value).cpu() for name, value in state.items()}
        return found

    def load(self, path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> tuple[int, dict]:
        """`checkpoint.load` into the whole copies, and from there each process's own part."""
        twin = self._copy_of(model)
        moments = None if optimizer is None else self.whole_optimizer(optimizer, model)
        step, state = checkpoint.load(path, model=twin, optimizer=moments)
        pairs = dict(zip(model.parameters(), twin.parameters(), strict=True))
        with torch.no_grad():
            for mine, theirs in pairs.items():
                mine.copy_(self._part(theirs, mine))
        if optimizer is not None:
            for mine, theirs in pairs.items():
                if found := moments.state.get(theirs):
                    optimizer.state[mine] = {name: self._part(value, mine) for name, value in found.items()}
            for group, whole in zip(optimizer.param_groups, moments.param_groups, strict=True):
                group.update({name: value for name, value in whole.items() if name != "params"})
        return step, state

    def _copy_of(self, model: nn.Module) -> nn.Module:
        if model in self.copies:
            return self.copies[model]
        return nn.ModuleDict({name: self._copy_of(part) for name, part in model.items()})

    def _part(self, whole: Tensor, like: DTensor) -> Tensor:
        """This process's part; each has the whole already, and nothing is sent. A count of steps is no shard."""
        whole = whole.detach().to(self.device)
        if whole.shape != like.shape:
            return whole
        return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)


def full(tensor: Tensor) -> Tensor:
    """The whole of a tensor, on every process."""
    return tensor.detach().full_tensor() if isinstance(tensor, DTensor) else tensor.detach()


def kept(
    steps: Iterable[dict], folder: Path, *, every: int, shards: Shards, model: nn.Module, optimizer: torch.optim.Optimizer,
    state: Callable[[], dict], start: int, main: bool,
) -> Iterator[dict]:  # fmt: skip
    """`checkpoint.kept` for shards: all processes gather, and the main one writes."""

    def save() -> int:
        whole, moments = shards.whole(model), shards.whole_optimizer(optimizer, model)
        if main:
            checkpoint.save(folder, done, model=whole, optimizer=moments, state=state())
        return done

    done = saved = start
    for figures in steps:
        done += 1
        yield figures
        if done % every == 0:
            saved = save()
    if done > saved:
        save()
