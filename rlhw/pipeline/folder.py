"""The folder of a run: settings, finished stages, and training that is interrupted and taken up again."""

import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from rlhw import checkpoint
from rlhw.pipeline.settings import Settings
from rlhw.saving import flush


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf8")
    flush(draft)
    os.replace(draft, path)


def open_run(settings: Settings, resume: bool) -> Path:
    """The folder of this run, made or taken up again.

    Raises ValueError when it holds another run and resume is not asked for, or the settings differ from those it was begun
    with; FileNotFoundError when there is nothing to resume.
    """
    path = settings.out / "settings.json"
    if resume:
        if not path.is_file():
            raise FileNotFoundError(f"--resume: there is no run in {settings.out}; leave --resume out to begin one.")
        begun, now = json.loads(path.read_text(encoding="utf8")), json.loads(settings.as_json())
        if difference := _difference(begun, now):
            raise ValueError(f"--resume: the run in {settings.out} was begun with {difference}.")
        return settings.out
    if settings.out.exists() and any(settings.out.iterdir()):
        raise ValueError(f"--out: {settings.out} is not empty; give another folder, or --resume to take up its run.")
    settings.out.mkdir(parents=True, exist_ok=True)
    write_whole(path, settings.as_json())
    return settings.out


def _difference(begun: dict, now: dict, name: str = "") -> str:
    """The first setting that differs, in words; "" when none does."""
    for key in sorted(begun.keys() | now.keys()):
        old, new = begun.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if found := _difference(old, new, f"{name}{key}."):
                return found
        elif old != new:
            return f"{name}{key}={old}, and {new} is asked for now"
    return ""


def finished(folder: Path) -> dict | None:
    """What a stage left behind when it was done, or None."""
    path = folder / "done.json"
    return json.loads(path.read_text(encoding="utf8")) if path.is_file() else None


def train(
    folder: Path,
    steps_from: Callable[[int], Iterator[dict]],
    *,
    total: int,
    every: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator | None = None,
    progress: Callable[[Iterator[dict], int, int], Iterator[dict]],
) -> dict:
    """Take `total` steps, from the newest checkpoint in `folder` on: {"curve": figures of every step, "seconds": …}.

    steps_from(start) is the training loop from that step on: a pure function of what the checkpoint holds. The curve and the
    seconds are in the checkpoint too, so a run that was killed shows them as if it had not been, but for the time lost.
    """
    generators = {} if generator is None else {"sampling": generator}
    start, state = 0, {"curve": [], "seconds": 0.0, "schedule": schedule.state_dict()}
    if path := checkpoint.latest(folder):
        start, state = checkpoint.load(path, model=model, optimizer=optimizer, generators=generators)
        schedule.load_state_dict(state["schedule"])
    curve, begun = state["curve"], time.perf_counter() - state["seconds"]

    def now() -> dict:
        return {"curve": curve, "seconds": time.perf_counter() - begun, "schedule": schedule.state_dict()}

    if start >= total:
        return {"curve": curve, "seconds": state["seconds"]}
    steps = checkpoint.kept(
        islice(steps_from(start), total - start), folder, every=every, model=model, optimizer=optimizer,
        generators=generators, state=now, start=start,
    )  # fmt: skip
    for figures in progress(steps, start, total):
        schedule.step()
        curve.append(figures)
    return {"curve": curve, "seconds": time.perf_counter() - begun}
