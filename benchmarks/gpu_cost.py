"""What the GPU's figures are held against: useful operations of a batch, the card's peak, the rate at which it copies."""

import gc
import re
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from rlhw.batches import Batch
from rlhw.scaling import operations_a_token

Found = TypeVar("Found")
# Dense bf16 operations a second, without sparsity, of the parts whose data sheets NVIDIA gives; patterns of torch's device names.
PEAKS = {r"H100 80GB": 989e12, r"H100 PCIe": 756e12, r"H200$": 989e12, r"A100": 312e12, r"L4$": 121e12}


def peak_of(device: str) -> float | None:
    """Operations a second of a device by its name; None when it is not listed here."""
    return next((peak for name, peak in PEAKS.items() if re.search(name, device)), None)


def useful_tokens(batch: Batch) -> int:
    """Each prompt once and each answer, without padding."""
    return int(batch.prompt_mask.sum() + batch.response_mask.sum())


def forward_operations(model: nn.Module, batch: Batch, *, head: bool = True) -> float:
    """Of one forward pass over the useful tokens: the blocks on all of them, the output head on the answers' tokens."""
    config, trunk = model.config, model.base_model
    p, r = batch.prompt_mask.sum(1).double(), batch.response_mask.sum(-1).double()
    tokens = float(p.sum() + r.sum())
    # A prompt's token i sees i tokens; an answer's sees the prompt too.
    seen = float((p * (p + 1) / 2).sum() + (r * p[:, None] + r * (r + 1) / 2).sum())
    tables = [module.weight for module in trunk.modules() if isinstance(module, nn.Embedding)]
    matrix = sum(w.numel() for w in trunk.parameters() if w.dim() == 2 and not any(w is table for table in tables))
    size = config.num_hidden_layers, config.hidden_size
    blocks = tokens * operations_a_token(matrix, *size, context=seen / tokens, training=False)
    return blocks + (2.0 * config.vocab_size * config.hidden_size * float(r.sum()) if head else 0.0)


def copy_rate(device: str, size: int = 2**30) -> float:
    """Bytes a second, read and written counted both, of copying `size` bytes on the device: the best of ten."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        start = _now(device)
        target.copy_(source)
        best = max(best, 2 * size / (_now(device) - start))
    return best


def alone(run: Callable[..., Found], *arguments: object) -> Found:
    """A run for which nothing of the one before is left: a model whose call was exchanged holds itself in a circle of
    references, and what it and a trainer have on the GPU would count as this run's memory.
    """
    gc.collect()
    return run(*arguments)


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
