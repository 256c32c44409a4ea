"""The folder of a run: settings, finished stages, and training that is interrupted and taken up again."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from rlhw import checkpoint
from rlhw.pipeline.early import HeldOut, load
from rlhw.pipeline.host import Host
from rlhw.pipeline.settings import STAGES
from rlhw.saving import flush

# The settings of a run that belong to one stage alone, and its folder.
PLACES = {stage: stage for stage in STAGES[:-1]} | {"evaluate": STAGES[-1]}
Progress = Callable[[Iterable[dict], int, int], Iterator[dict]]


def silent(steps: Iterable[dict], start: int, total: int) -> Iterator[dict]:
    """No progress is shown."""
    yield from steps


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    draft = _draft_of(path)
    draft.write_text(text, encoding="utf8")
    flush(draft)
    os.replace(draft, path)


def _draft_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def open_run(out: Path, settings: str, resume: bool, host: Host) -> Path:
    """The folder of a run with these settings (JSON), made or taken up again.

    Raises ValueError when it holds another run and resume is not asked for, or the settings differ from those it was begun
    with; FileNotFoundError when there is nothing to resume. Micro-batches, which change nothing but memory, may differ, and so may
    the settings of a stage that has left nothing yet.
    """
    path = out / "settings.json"
    if resume:
        if not path.is_file():
            raise FileNotFoundError(f"--resume: there is no run in {out}; leave --resume out to begin one.")
        begun, now = json.loads(path.read_text(encoding="utf8")), json.loads(settings)
        ahead = {name for name, place in PLACES.items() if not _left_something(out / place)}
        fixed = [{name: value for name, value in one.items() if name not in ahead} for one in (begun, now)]
        if difference := _difference(*fixed):
            raise ValueError(f"--resume: the run in {out} was begun with {difference}.")
        host.wait()
        if host.main and begun != now:
            write_whole(path, settings)
        return out
    # Settings alone, or what a killed writer left of them, are no other run.
    if any(file.is_file() and file not in (path, _draft_of(path)) for file in out.rglob("*")):
        raise ValueError(f"--out: {out} is not empty; give another folder, or --resume to take up its run.")
    # All processes have looked before one of them writes.
    host.wait()
    if host.main:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(path, settings)
    host.wait()
    return out


def _left_something(place: Path) -> bool:
    return (place / "done.json").is_file() or checkpoint.latest(place) is not None


def _difference(begun: dict, now: dict, name: str = "") -> str:
    """The first setting that differs, in words; "" when none does."""
    for key in sorted(begun.keys() | now.keys()):
        old, new = begun.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if found := _difference(old, new, f"{name}{key}."):
                return found
        elif old != new and key != "micro_batch":
            return f"{name}{key}={old}, and {new} is asked for now"
    return ""


def finished(folder: Path) -> dict | None:
    """What a stage left behind when it was done, or None."""
    path = folder / "done.json"
    return json.loads(path.read_text(encoding="utf8")) if path.is_file() else None


@dataclass(frozen=True)
class Job:
    """One training: its folder, what it runs on, the seed of its batches and samples, and what shows its progress."""

    folder: Path
    host: Host
    seed: int
    progress: Progress = silent


def train(
    job: Job,
    steps_from: Callable[[int], Iterator[dict]],
    *,
    total: int,
    every: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    held_out: HeldOut | None = None,
) -> dict:
    """Take `total` steps, from the newest checkpoint in the job's folder on: {"curve": figures of every step, "seconds": …}.

    steps_from(start) is the training loop from that step on: a pure function of what the checkpoint holds. The curve and the
    seconds are in the checkpoint too, so a run that was killed shows them as if it had not been, but for the time lost. Of
    several processes all read the checkpoint and one writes it. With `held_out` training may stop before, and ends with the
    best weights; "best_step" says whose. With a loss scale "skipped" counts the steps that were not taken.
    """
    start, state, scale = 0, {"curve": [], "seconds": 0.0}, job.host.loss_scale
    if path := checkpoint.latest(job.folder):
        if held_out is not None:
            # The record alone is wanted first.
            held_out.take_up(load(job.host, path, model)[1]["held_out"])
        start, state = load(job.host, path, model, optimizer)
        schedule.load_state_dict(state["schedule"])
    if scale is not None:
        scale.begin(state.get("loss_scale"))
    curve, begun = state["curve"], time.perf_counter() - state["seconds"]
    # No process may write a checkpoint while another still looks for one.
    job.host.wait()

    def now() -> dict:
        extra = {} if held_out is None else {"held_out": held_out.state()}
        extra |= {} if scale is None else {"loss_scale": scale.state()}
        return {"curve": curve, "seconds": time.perf_counter() - begun, "schedule": schedule.state_dict()} | extra

    if start < total:
        what = {"every": every, "model": model, "optimizer": optimizer, "state": now, "start": start}
        for figures in _kept(job, islice(steps_from(start), total - start), what, total):
            schedule.step()
            curve.append(figures if scale is None else figures | {"loss_scale": scale.scale})
            if held_out is not None and held_out.over(len(curve), curve[-1]):
                break
    seconds = time.perf_counter() - begun if start < total else state["seconds"]
    done = {"curve": curve, "seconds": seconds}
    if held_out is not None:
        held_out.restore()
        done["best_step"] = held_out.step
    return done if scale is None else done | {"skipped": scale.skipped}


def _kept(job: Job, steps: Iterator[dict], what: dict, total: int) -> Iterator[dict]:
    """The steps with their checkpoints and their progress, by whom they are written and shown."""
    host = job.host
    if host.shards is not None:
        from rlhw.pipeline import sharded

        steps = sharded.kept(steps, job.folder, shards=host.shards, main=host.main, **what)
    elif host.main:
        steps = checkpoint.kept(steps, job.folder, **what)
    return job.progress(steps, what["start"], total) if host.main else steps
