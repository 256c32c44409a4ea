"""Checkpoints: seeds, a whole file or none, and resuming bit for bit.

A checkpoint is one file, `step_00000100.safetensors`: the tensors of model, optimizer and generators, and in its header,
as JSON, all the rest. It is written beside under another name, flushed to the disk, then renamed: whoever kills the
process, at whatever moment, leaves the checkpoint before untouched. Nothing is pickled, so loading one runs no code.
"""

import hashlib
import json
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rlhw.same_model import description_of, model_difference, optimizer_difference, parameter_names, tensors_of
from rlhw.saving import flush

Generators = dict[str, torch.Generator]

_NAME = re.compile(r"step_(\d{8,})\.safetensors")
_DRAFT = "unfinished.part"


def seed_everything(seed: int) -> torch.Generator:
    """Seed `random`, numpy's and torch's global generators, and return a generator of its own stream for sampling.

    The returned one gets another seed, drawn from this one: with the same seed the samples would repeat the very numbers
    that the weights were initialised with. Raises ValueError unless 0 <= seed < 2**32, the range that numpy takes.

    >>> seed_everything(3).initial_seed() == seed_everything(3).initial_seed() != torch.initial_seed()
    True
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1; got {seed}.")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))


def save(
    folder: str | Path,
    step: int,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generators: Generators | None = None,
    state: dict | None = None,
    keep: int = 2,
) -> Path:
    """Write a checkpoint into `folder`, remove all but the newest `keep`, and return its path.

    A folder belongs to one run; where it has several processes, one of them saves the unwrapped model.
    state: anything that JSON gives back unchanged: a schedule's state_dict(), a count, `rng.bit_generator.state` of numpy.
    generators: by name; `torch.default_generator` may be among them. Several models: an nn.ModuleDict of them.
    Raises FloatingPointError when a weight in training is not finite; ValueError when the step lies before that of the newest
    checkpoint (another run's folder), the optimizer holds what the model or a file of tensors cannot, or JSON cannot hold
    `state`.
    """
    folder = Path(folder)
    if keep < 1 or step < 0:
        raise ValueError(f"keep must be 1 or more and step 0 or more; got keep={keep}, step={step}.")
    newest = latest(folder)
    if newest is not None and step < _step_of(newest):
        raise ValueError(f"step {step} lies before {newest}: use another folder, or remove the later checkpoints.")
    _check_json(state)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not parameter.isfinite().all():
            raise FloatingPointError(f"model has a value in '{name}' that is not finite: it was not saved.")
    tensors = {f"model/{name}": tensor for name, tensor in tensors_of(model).items()}
    tensors |= {f"generator/{name}": one.get_state() for name, one in (generators or {}).items()}
    record = {"step": step, "model": description_of(model), "optimizer": None, "state": state or {}}
    if optimizer is not None:
        record["optimizer"], moments = _optimizer_record(model, optimizer)
        tensors |= moments
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(record)
    folder.mkdir(parents=True, exist_ok=True)
    draft, path = folder / _DRAFT, folder / f"step_{step:08d}.safetensors"
    save_file(tensors, draft, metadata={"record": text, "sha256": _digest(tensors, text)})
    flush(draft)
    os.replace(draft, path)
    flush(folder)
    for old in _complete(folder)[:-keep]:
        old.unlink()
    return path


def load(
    path: str | Path,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generators: Generators | None = None,
) -> tuple[int, dict]:
    """Put a checkpoint back into model, optimizer and generators, bit for bit, and return (step, state).

    What is not passed is left in the file. All is compared before anything is changed: ValueError names the first difference
    (a tensor's name, shape or dtype, an entry of a configuration, the optimizer's kind or its parameters, a generator's name)
    or says that the file is damaged; FileNotFoundError says that there is no such file.
    """
    record, tensors = _read(Path(path))
    saved = {name.removeprefix("model/"): tensor for name, tensor in tensors.items() if name.startswith("model/")}
    if difference := model_difference(saved, record["model"], model):
        raise ValueError(f"model is not the one of {path}: {difference}")
    moments = None
    if optimizer is not None:
        moments = _optimizer_state(record["optimizer"], tensors, model, optimizer, Path(path))
    for name in generators or {}:
        if f"generator/{name}" not in tensors:
            raise ValueError(f"generators: {path} holds no state of a generator named '{name}'.")
    with torch.no_grad():
        for name, tensor in tensors_of(model).items():
            tensor.copy_(saved[name])
    if optimizer is not None:
        optimizer.load_state_dict(moments)
    for name, generator in (generators or {}).items():
        generator.set_state(tensors[f"generator/{name}"])
    return record["step"], record["state"]


def latest(folder: str | Path) -> Path | None:
    """The newest checkpoint in a folder (the one of the greatest step), or None. A half-written one has another name."""
    complete = _complete(Path(folder))
    return complete[-1] if complete else None


def kept(
    steps: Iterable[dict],
    folder: str | Path,
    *,
    every: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generators: Generators | None = None,
    state: Callable[[], dict] = dict,
    start: int = 0,
    keep: int = 2,
) -> Iterator[dict]:
    """The same steps as a training loop yields, with a checkpoint after every `every` steps and after the last one.

    A step is saved when the next one is asked for, so that the caller's own work on it (its schedule's step) is in the
    checkpoint; a loop left by `break` saves no more. state() is called at each save. start: steps done before, when resuming.
    A FloatingPointError of the loop comes on with the last good checkpoint named: its weights are finite (see `save`).
    """
    if every < 1:
        raise ValueError(f"every must be 1 or more; got {every}.")
    done = saved = start
    what = {"model": model, "optimizer": optimizer, "generators": generators, "keep": keep}
    try:
        for figures in steps:
            done += 1
            yield figures
            if done % every == 0:
                save(folder, done, state=state(), **what)
                saved = done
        if done > saved:
            save(folder, done, state=state(), **what)
    except FloatingPointError as error:
        path = latest(folder)
        where = f"the last good checkpoint is {path}" if path else "no checkpoint was saved before it"
        raise FloatingPointError(f"{str(error).rstrip('.')}; {where}.") from None


def _complete(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest step first."""
    files = folder.iterdir() if folder.is_dir() else []
    return sorted((file for file in files if _NAME.fullmatch(file.name)), key=_step_of)


def _step_of(path: Path) -> int:
    return int(_NAME.fullmatch(path.name)[1])


def _optimizer_record(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict, dict[str, Tensor]]:
    """What of an optimizer goes into the JSON, and its tensors by name."""
    state = optimizer.state_dict()
    moments = {f"optimizer/{i}/{key}": x for i, entries in state["state"].items() for key, x in entries.items()}
    settings = [value for group in state["param_groups"] for value in group.values()]
    if not all(isinstance(x, Tensor) for x in moments.values()) or any(isinstance(x, Tensor) for x in settings):
        raise ValueError("optimizer must keep tensors for its parameters and plain settings, as SGD and AdamW do.")
    names = parameter_names(model, optimizer)
    return {"kind": type(optimizer).__name__, "names": names, "groups": state["param_groups"]}, moments


def _optimizer_state(
    record: dict | None, tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer, path: Path
) -> dict:
    """The state_dict for this optimizer, or a ValueError when the one that was saved is another."""
    if record is None:
        raise ValueError(f"optimizer: {path} holds none; save one, or load the model alone.")
    if difference := optimizer_difference(record["kind"], record["names"], model, optimizer):
        raise ValueError(f"optimizer is not the one of {path}: {difference}")
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, position, key = name.split("/")
            moments.setdefault(int(position), {})[key] = tensor
    # JSON makes a list of a tuple, such as AdamW's betas.
    groups = [{key: tuple(v) if isinstance(v, list) else v for key, v in group.items()} for group in record["groups"]]
    return {"state": moments, "param_groups": groups}


def _check_json(state: dict | None) -> None:
    """Raise ValueError unless the state reads back from JSON as it is."""
    try:
        same = json.loads(json.dumps(state, allow_nan=False)) == state
    except (TypeError, ValueError) as error:
        raise ValueError(f"state cannot be written as JSON: {error}.") from None
    if not same:
        raise ValueError("state must read back from JSON unchanged: no tuples, and no keys other than text.")


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """The record and the tensors of a file, or a sentence about what is wrong with it."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; checkpoint.latest(folder) finds the newest one.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged, or no checkpoint: {error}; load an older one.") from None
    if header.get("sha256") != _digest(tensors, header.get("record", "")):
        raise ValueError(
            f"{path} is damaged, or no checkpoint: its contents do not match its sha256; load an older one."
        )
    return json.loads(header["record"]), tensors
