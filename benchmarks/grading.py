"""What grading a class takes: `python -m benchmarks.grading` writes results/grading.json. About five minutes on two cores.

Two hundred honest submissions are graded two at a time; fifty of them alone; the fifty once more in a run that is killed with
SIGKILL again and again and taken up; twenty as an ordinary user, where this runs as root. Each step's figures are kept in
_build/grading until the card is written: a run of this that was cut short goes on where it was.

Prints each figure beside its bound, and ends with exit status 1 when one is SHORT.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.house import ROOT, bounded
from rlhw import cards, homework
from rlhw.homework import build

ASSIGNMENT = "hw2"
CLASS, PART, FEW = 200, 50, 20
MOST_SECONDS, MOST_GROWTH, MOST_WAIT = 1.5, 1.1, 600
KEPT = ROOT / "_build/grading"
SECRET = "7c1e5b0d4f2a9683"
NOBODY = 65534


def hand_in(folder: Path, count: int) -> None:
    """Write honest submissions: all answers right, or one of them not given (every third)."""
    assignment = homework.assignment(ASSIGNMENT)
    solved, empty = build.solution(assignment), build.student(assignment)
    stubs = {cell["id"]: cell for cell in empty["cells"] if cell["id"].endswith("-answer")}
    asked = [f"{item.question}-answer" for item in assignment.asked]
    folder.mkdir(mode=0o755)
    for number in range(count):
        left_out = asked[number // 3 % len(asked)] if number % 3 == 2 else ""
        cells = [stubs[cell["id"]] if cell["id"] == left_out else cell for cell in solved["cells"]]
        text = json.dumps({**solved, "cells": cells})
        (folder / f"s{number:03d}.ipynb").write_text(text, encoding="utf8")


def command(work: Path, count: int, out: str) -> list[str]:
    """The command that grades the first `count` submissions."""
    few = work / f"in{count}"
    if not few.exists():
        few.mkdir(mode=0o755)
        for path in sorted((work / "all").iterdir())[:count]:
            shutil.copy(path, few)
    run = [sys.executable, "-m", "rlhw", "grade", "--assignment", ASSIGNMENT, "--jobs", "2"]
    return [*run, "--submissions", str(few), "--secret", str(work / "secret"), "--out", str(work / out)]


def measured(run: list[str], *, stop_after: float = MOST_WAIT) -> tuple[int | None, float]:
    """(exit status, most memory in MB of it and all that it started, shared pages once). None: killed after `stop_after`."""
    end, peak = time.monotonic() + stop_after, 0.0
    process = subprocess.Popen(run, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        if time.monotonic() > end:
            process.kill()
            process.wait()
            return None, peak
        time.sleep(0.5)
    return process.returncode, peak


def memory(pid: int) -> float:
    """MB that a process and its descendants hold now; a page that n of them share counts 1/n in each."""
    total = 0.0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in family:
        try:
            total += process.memory_full_info().pss / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue
    return total


def grades(out: Path) -> dict[str, bytes]:
    """All that grading wrote but for measured seconds, name -> bytes."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("summary.json", ".lock")
    }


def whole_class(work: Path) -> dict:
    """The whole class in one run."""
    status, peak = measured(command(work, CLASS, "whole"))
    told = json.loads((work / "whole/summary.json").read_text(encoding="utf8"))
    possible = homework.assignment(ASSIGNMENT).automatic
    earned = [
        json.loads(path.read_text(encoding="utf8")) for path in sorted((work / "whole/results").iterdir())
    ]  # fmt: skip
    full = sum(_points(result) == possible for number, result in enumerate(earned) if number % 3 < 2)
    return {
        "status": status, "peak": peak, "median": told["seconds"]["median"], "largest": told["seconds"]["largest"],
        "full": full, "graded": len(earned),
    }  # fmt: skip


def _points(result: dict) -> int:
    return sum(part["points"] for asked in result["questions"] for part in asked["parts"] if part["passed"])


def part_of_it(work: Path) -> dict:
    """A quarter of the class in one run."""
    status, peak = measured(command(work, PART, "part"))
    return {"status": status, "peak": peak}


def cut_short(work: Path) -> dict:
    """The quarter in a run that is killed again and again, then taken up; the files that differ from the run that was not."""
    kills = 0
    for seconds in (8, 12, 15):
        status, _ = measured(command(work, PART, "cut"), stop_after=seconds)
        kills += status is None
    status, _ = measured(command(work, PART, "cut"))
    one, other = grades(work / "part"), grades(work / "cut")
    return {
        "status": status,
        "kills": kills,
        "differ": sum(one.get(n) != other.get(n) for n in one.keys() | other.keys()),
    }


def ordinary_user(work: Path) -> dict:
    """Some as an ordinary user: as somebody else where this runs as root. Results that differ from those of the whole class."""
    run = command(work, FEW, "theirs/out")
    (work / "theirs").mkdir(exist_ok=True)
    if os.geteuid() == 0:
        for path in (work / "theirs", work / "secret"):
            os.chown(path, NOBODY, NOBODY)
        run = _as_nobody(run)
    status, _ = measured(run)
    whole = grades(work / "whole/results")
    theirs = grades(work / "theirs/out/results")
    return {
        "status": status,
        "graded": len(theirs),
        "differ": sum(whole[name] != text for name, text in theirs.items()),
    }


def _as_nobody(run: list[str]) -> list[str]:
    """The command as a user without rights, in a mount namespace in which Python can be reached where root keeps it to itself."""
    closed = [folder for folder in Path(sys.executable).resolve().parents if not folder.stat().st_mode & 0o001]
    lines = ["set -e", "mount --make-rprivate /", "kept=$(mktemp -d)"]
    for folder in closed[-1:]:
        inside = folder / Path(sys.executable).resolve().relative_to(folder).parts[0]
        lines += [
            f"mount --bind '{inside}' $kept", f"mount -t tmpfs -o mode=755 none '{folder}'", f"mkdir '{inside}'",
            f"mount --move $kept '{inside}'",
        ]  # fmt: skip
    seen = f"env -i PATH=/usr/bin:/bin HOME=/nonexistent OMP_NUM_THREADS=1 PYTHONPATH='{ROOT}'"
    lines.append(f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {seen} "$@"')
    return ["unshare", "-m", "sh", "-c", "\n".join(lines), "sh", *run]


def step(name: str, work: Path, run: Callable[[Path], dict]) -> dict:
    """The figures of one step: measured now, or kept from a run of this that was cut short."""
    kept = KEPT / f"{name}.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf8"))
    start = time.perf_counter()
    figures = run(work) | {"seconds": time.perf_counter() - start}
    kept.write_text(json.dumps(figures), encoding="utf8")
    print(f"{name}: {figures}", flush=True)
    return figures


def metrics(whole: dict, part: dict, cut: dict, user: dict) -> dict[str, dict]:
    """The card's figures beside their bounds."""
    growth, honest = whole["peak"] / part["peak"], sum(number % 3 < 2 for number in range(CLASS))
    statuses = [figures["status"] for figures in (whole, part, cut, user)]
    return {
        "median_seconds": bounded(
            "seconds from taking up an honest submission to its result, two at a time, median",
            whole["median"], f"< {MOST_SECONDS} s", whole["median"] < MOST_SECONDS, "s",
        ),
        "largest_seconds": cards.metric("the same of the slowest submission", whole["largest"], unit="s"),
        "graded": bounded("submissions graded in one run", whole["graded"], f"= {CLASS}", whole["graded"] == CLASS),
        "full_marks": bounded("right submissions with full marks", whole["full"], f"= {honest}", whole["full"] == honest),
        "memory_part": cards.metric(f"most memory of all processes, {PART} submissions", part["peak"], unit="MB"),
        "memory": cards.metric(f"most memory of all processes, {CLASS} submissions", whole["peak"], unit="MB"),
        "growth": bounded("the one over the other", growth, f"< {MOST_GROWTH}", growth < MOST_GROWTH),
        "killed": cards.metric("times that a run was killed with SIGKILL and taken up", cut["kills"]),
        "differ": bounded("files that differ from those of a run that was not", cut["differ"], "= 0", cut["differ"] == 0),
        "user": bounded("submissions graded as an ordinary user", user["graded"], f"= {FEW}", user["graded"] == FEW),
        "user_differ": bounded("results of these that differ from root's", user["differ"], "= 0", user["differ"] == 0),
        "statuses": bounded("runs that did not end with exit status 0", sum(map(bool, statuses)), "= 0", not any(statuses)),
    }  # fmt: skip


def main() -> int:
    """Run the steps, write the card, print figure, bound and met or SHORT."""
    KEPT.mkdir(parents=True, exist_ok=True)
    work = KEPT / "work"
    if not (work / "secret").exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o755)
        hand_in(work / "all", CLASS)
        (work / "secret").write_text(SECRET, encoding="ascii")
        (work / "secret").chmod(0o600)
    steps = {"part": part_of_it, "cut": cut_short, "whole": whole_class, "user": ordinary_user}
    found = {name: step(name, work, run) for name, run in steps.items()}
    cards.write(
        "grading", "What grading a class takes",
        metrics(found["whole"], found["part"], found["cut"], found["user"]),
        seconds=sum(figures["seconds"] for figures in found.values()),
        command="python -m benchmarks.grading", modules=["benchmarks.grading", "rlhw.grading", "rlhw.homework"],
    )  # fmt: skip
    shutil.rmtree(KEPT)
    return 0 if cards.report("grading") else 1


if __name__ == "__main__":
    sys.exit(main())
