"""A CUDA graph played on the CPU: what was recorded runs again on the same tensors, and Python has no part in it.

As on the GPU an operation that would make the host wait cannot be recorded; numbers that Python knew are frozen; a result
stands where the recording put it.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal"}


class Recording(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in WAITS:
            raise RuntimeError("operation not permitted when stream is capturing")
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self):
        for func, args, kwargs, out in self.calls:
            for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                # A view, or a tensor changed where it is, is the old one already.
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Graph:
    def replay(self):
        with torch.no_grad():
            self.recording.replay()


@contextmanager
def record(graph, **_):
    graph.recording = Recording()
    with graph.recording:
        yield


def play_graphs(monkeypatch, step):
    """From here on a `Step` on the CPU does what it does on a GPU, with recordings for graphs."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    changes = {
        "Stream": lambda: stream, "current_stream": lambda: stream, "stream": lambda _: nullcontext(),
        "device": lambda _: nullcontext(), "CUDAGraph": Graph, "graph": record,
    }  # fmt: skip
    for name, value in changes.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(step, "_eager", property(step._captured))
