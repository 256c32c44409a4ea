"""What each of several processes holds of the tiny model after a step of Adam; `benchmarks.scaling` starts them.

DDP, ZeRO-1 (torch's ZeroRedundancyOptimizer under DDP) and FSDP (`fully_shard`). The bytes of weights, gradients and the
optimizer's moments are counted tensor by tensor; the first process writes the most that any process holds.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor

from benchmarks.tiny_runs import demonstrations
from rlhw.behavior_cloning import bc_loss
from rlhw.language_model import load
from rlhw.logprobs import response_logprobs

ADAM = {"lr": 1e-4, "fused": False}


def ddp(model: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    return nn.parallel.DistributedDataParallel(model), torch.optim.AdamW(model.parameters(), **ADAM)


def zero1(model: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    return nn.parallel.DistributedDataParallel(model), ZeroRedundancyOptimizer(
        model.parameters(), torch.optim.AdamW, **ADAM
    )


def fsdp(model: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    for block in model.transformer.h:
        fully_shard(block)
    fully_shard(model)
    return model, torch.optim.AdamW(model.parameters(), **ADAM)


def held(tensors: Iterable[Tensor]) -> int:
    """Bytes of the pieces that lie here, a number on its own (Adam's count of steps) left out."""
    pieces = (tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors)
    return sum(piece.numel() * piece.element_size() for piece in pieces if piece.dim())


def bytes_here(way: Callable) -> list[int]:
    """Weights, gradients and moments of this process after one step."""
    model, tokenizer = load("tiny")
    batch = demonstrations(4, 2, "train", dist.get_rank(), tokenizer).batch
    ready, optimizer = way(model)
    bc_loss(response_logprobs(ready, batch), batch.response_mask).mean().backward()
    optimizer.step()
    inner = getattr(optimizer, "optim", optimizer)
    parameters = list(model.parameters())
    moments = (value for state in inner.state.values() for value in state.values() if isinstance(value, Tensor))
    return [held(parameters), held(p.grad for p in parameters), held(moments)]


def count(path: Path) -> None:
    """In each process; the first one writes the file."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = {}
    for way in (ddp, zero1, fsdp):
        mine, everybody = (
            torch.tensor(bytes_here(way)),
            [torch.zeros(3, dtype=torch.int64) for _ in range(dist.get_world_size())],
        )
        dist.all_gather(everybody, mine)
        found[way.__name__] = np.max([part.tolist() for part in everybody], axis=0).tolist()
    if dist.get_rank() == 0:
        path.write_text(json.dumps(found), encoding="utf8")
    dist.destroy_process_group()
