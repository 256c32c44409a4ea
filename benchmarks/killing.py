"""Runs that are killed with SIGKILL and taken up again. Used by `benchmarks.resume`.

Each run is a forked child, so that torch is imported once; its parent never computes, and both have one thread. In a child that
is to be killed the disk is slow: a file that is flushed falls back to nothing and grows again in pieces, under the name that it
has, so that a kill finds it half-written. An aimed child stops itself in the middle of such a write and waits for the kill.
"""

import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from rlhw import checkpoint
from rlhw.pipeline import run
from rlhw.pipeline.settings import Settings

# A child that is to be killed saves at least every so many steps, and writes each file in so many pieces, so long apart.
EVERY, PIECES, PAUSE = 2, 4, 0.01
TRAINED = ("clone", "reward", "ppo", "grpo", "dpo")
# What a kill in the middle of a write leaves behind, by kind.
DRAFTS = {
    "checkpoint": "unfinished.part", "model": ".model.part", "done": "done.json.part", "replaced": ".model.old",
    "comparisons": "comparisons.jsonl.part", "summary": "summary.json.part", "report": "report.html.part",
}  # fmt: skip


def kinds(stage: str) -> tuple[str, ...]:
    """What a stage writes, in an order in which a run can be killed in each: a model is replaced when `done` was not reached."""
    if stage in TRAINED:
        return "checkpoint", "model", "done", "replaced"
    return ("comparisons", "done") if stage == "compare" else ("summary", "report", "done")


@dataclass(frozen=True)
class Aim:
    """A child stops in the middle of the `number`-th write of this name, counted from 1."""

    name: str
    number: int = 1


@dataclass(frozen=True)
class Kill:
    """A kill that landed: in which stage, after which saved step (0: none), and the kinds of drafts it left."""

    stage: str
    step: int
    drafts: tuple[str, ...]


def slow_disk(folder: Path, aim: Aim | None) -> None:
    """Make this process write files in pieces, and stop where it is aimed at."""
    fsync, replace, numbers = os.fsync, os.replace, count(1)

    def reached(name: str) -> None:
        if aim is not None and name == aim.name and next(numbers) == aim.number:
            os.kill(os.getpid(), signal.SIGSTOP)

    def slow_fsync(handle: int) -> None:
        number = os.fstat(handle).st_ino
        path = next(path for path in [folder.parent, folder, *folder.rglob("*")] if path.stat().st_ino == number)
        if path.is_file():
            data = path.read_bytes()
            with open(path, "wb") as file:
                for piece in range(PIECES):
                    file.write(data[len(data) * piece // PIECES : len(data) * (piece + 1) // PIECES])
                    file.flush()
                    time.sleep(PAUSE)
                    if piece == PIECES // 2:
                        reached(path.name if path.parent.name != DRAFTS["model"] else DRAFTS["model"])
        fsync(handle)

    def slow_replace(source: Path, target: Path) -> None:
        replace(source, target)
        reached(Path(target).name)

    os.fsync, os.replace = slow_fsync, slow_replace


def save_often() -> None:
    """Make this process save checkpoints every EVERY steps, or oftener where that is asked for."""
    kept = checkpoint.kept
    checkpoint.kept = lambda steps, folder, **what: kept(steps, folder, **what | {"every": min(what["every"], EVERY)})


def start(
    settings: Settings,
    *,
    until: str = "report",
    slow: bool = True,
    aim: Aim | None = None,
    sabotage: Callable[[], None] | None = None,
) -> int:
    """Fork a child that begins this run, or resumes it where it was begun; its process number."""
    resume = (settings.out / "settings.json").is_file()
    child = os.fork()
    if child:
        return child
    try:
        if slow:
            slow_disk(settings.out, aim)
            save_often()
        if sabotage is not None:
            sabotage()
        run(settings, resume=resume, until=until)
    except BaseException:
        settings.out.with_suffix(".error").write_text(traceback.format_exc(), encoding="utf8")
        os._exit(1)
    os._exit(0)


def failure(settings: Settings) -> str:
    """What the child that broke off last said, in its last line."""
    return settings.out.with_suffix(".error").read_text(encoding="utf8").strip().splitlines()[-1]


def finish(child: int, settings: Settings) -> None:
    """Wait until a child is done. Raises RuntimeError with what it said when it broke off."""
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the run in {settings.out} broke off: {failure(settings)}")


def whole(settings: Settings, **what: object) -> None:
    """A run, or the rest of one, without a kill."""
    finish(start(settings, **what), settings)


def kill(settings: Settings, stage: str, wait: Callable[[int], object], **what: object) -> Kill | None:
    """Start a child and kill it after wait(child); None when the stage was over before.

    Raises RuntimeError when the child broke off by itself.
    """
    before = set(_drafts(settings.out))
    child = start(settings, **what)
    try:
        wait(child)
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"the run in {settings.out} broke off: {failure(settings)}")
    if os.WIFEXITED(status) or not (settings.out / stage).is_dir() or (settings.out / stage / "done.json").exists():
        return None
    left = tuple(kind for kind, *rest in _drafts(settings.out) if (kind, *rest) not in before)
    newest = checkpoint.latest(settings.out / stage)
    return Kill(stage, int(newest.stem.removeprefix("step_")) if newest else 0, left)


def _drafts(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """(kind, path, time of writing) of all drafts that lie about."""
    for kind, name in DRAFTS.items():
        for path in folder.rglob(name):
            yield kind, path, path.stat().st_mtime_ns


def killed_at_random(
    settings: Settings, wanted: dict[str, int], seconds: dict[str, float], until: str, rng: random.Random
) -> list[Kill]:
    """A run killed so many times in each stage, at moments uniform over what is left of the stage, and then finished.

    seconds: how long each stage takes when nobody kills it. A kill that comes too late for its stage is not counted, nor
    tried again in this run.
    """
    kills = []
    for stage, times in wanted.items():
        left = seconds[stage]
        for _ in range(times):
            moment = rng.uniform(0, left)

            def wait(child: int, stage: str = stage, moment: float = moment) -> None:
                while not (settings.out / stage).is_dir() and os.waitid(os.P_PID, child, _ENDED) is None:
                    time.sleep(0.001)
                time.sleep(moment)

            landed = kill(settings, stage, wait, until=until)
            if landed is None:
                break
            kills.append(landed)
            if landed.step:
                # The start of a child takes its time too, so that something is always left.
                left = max(left - moment, seconds[stage] / 4)
    whole(settings, until=until)
    return kills


# Asks whether a child has ended, and leaves it to be waited for.
_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT


def killed_in_writes(settings: Settings, stages: tuple[str, ...], rng: random.Random) -> list[tuple[str, str]]:
    """A run killed in the middle of a write of each kind in each stage, and then finished: (stage, kind) of what it hit."""
    hit = []
    for stage in stages:
        for kind in kinds(stage):
            # Not always the first checkpoint, nor the first file of a model.
            number = {"checkpoint": rng.randint(1, 6), "model": rng.randint(1, 2)}.get(kind, 1)
            landed = killed_at(settings, stage, Aim(DRAFTS[kind], number))
            if landed is not None and kind in landed.drafts:
                hit.append((stage, kind))
    whole(settings, until=stages[-1])
    return hit


def killed_at(settings: Settings, stage: str, aim: Aim, sabotage: Callable[[], None] | None = None) -> Kill | None:
    """A child killed in the middle of the write that it is aimed at."""
    stopped = os.WEXITED | os.WSTOPPED | os.WNOWAIT
    return kill(settings, stage, lambda child: os.waitid(os.P_PID, child, stopped), aim=aim, sabotage=sabotage)


def stage_seconds(folder: Path, stages: tuple[str, ...]) -> dict[str, float]:
    """How long each stage of a run took, by the clock of the files."""
    ends = [(folder / "settings.json").stat().st_mtime, *((folder / s / "done.json").stat().st_mtime for s in stages)]
    return {stage: ends[i + 1] - ends[i] for i, stage in enumerate(stages)}


def copy_without(folder: Path, stage: str, target: Path) -> None:
    """Copy a run as it was before a stage, but for what later stages left; the checkpoints of other stages stay behind."""
    shutil.copytree(
        folder, target, ignore=lambda place, names: [n for n in names if n == stage or n.startswith("step_")]
    )
