"""What the course promises of itself, measured in a fresh clone: `python -m benchmarks.house` writes results/house.json.

Prints each figure beside its bound, and ends with exit status 1 when one is SHORT. Takes about fifty minutes, on a machine that
does nothing else: it clones the committed state and runs there what .ci/run runs, with pip's cache and the system's packages as
they are. What the commands print is kept in _build/house, and can be followed there.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rlhw import cards

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "_build" / "house"
COMMANDS = ("make book", "make test", "make test-slow")


def shell(command: str, folder: Path, may_fail: bool = False) -> tuple[str, float, bool]:
    """Run a command in a folder; its output, its seconds, and whether it failed, which is shown, and raised unless it may."""
    kept, start = KEPT / f"{re.sub(r'[^a-z-]+', '_', command)[:20]}.txt", time.perf_counter()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            command, shell=True, cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=False, env=os.environ | {"CI": "true"}
        )  # fmt: skip
    seconds, said = time.perf_counter() - start, kept.read_text(encoding="utf-8")
    print(f"[{seconds:5.0f} s] {command}", flush=True)
    if done.returncode:
        print(said[-2000:], file=sys.stderr)
        if not may_fail:
            raise subprocess.CalledProcessError(done.returncode, command)
    return said, seconds, done.returncode != 0


def numbers(pattern: str, text: str) -> list[float]:
    """The numbers in the last match of a pattern; ValueError when the output has no such line."""
    found = re.findall(pattern, text)
    if not found:
        raise ValueError(f"the output has no line like '{pattern}'.")
    last = found[-1]
    return [float(part) for part in (last if isinstance(last, tuple) else (last,))]


def bounded(meaning: str, value: float, bound: str, met: bool, unit: str = "1") -> dict:
    """A metric with its bound."""
    return cards.metric(meaning, value, bound=bound, met=bool(met), unit=unit)


def measure(clone: Path) -> dict[str, dict]:
    """All figures, from the commands of .ci/run and one that a maintainer runs."""
    done = [shell(command, clone, command != "make book") for command in COMMANDS]
    (_, text, slow), (book, test, long), ended_badly = zip(*done, strict=True)
    gate = book + test + long
    metrics = {
        "book_seconds": bounded("make book in a fresh clone", book, "< 240 s", book < 240, "s"),
        "test_seconds": bounded("make test in a fresh clone", test, "< 720 s", test < 720, "s"),
        "gate_seconds": bounded(
            "make book, make test and make test-slow, the commands of .ci/run", gate, "< 2700 s", gate < 2700, "s"
        ),
    }

    passed, failed = (
        sum(map(int, re.findall(rf"(\d+) {word}", text + slow))) for word in ("passed", "(?:failed|errors?)")
    )
    metrics["failed"] = bounded(f"tests that fail, of {passed + failed}", failed, "= 0", passed > 0 == failed)
    # One that was broken off says nothing of its tests.
    metrics["status"] = bounded("commands of these that fail", sum(ended_badly), "= 0", not any(ended_badly))
    stated, checked = numbers(r"equations: (\d+) stated, (\d+) checked", text)
    metrics["equations"] = bounded("equations checked", checked, f"= {stated:.0f} stated", checked == stated)

    killed, every, share = numbers(r"mechanical: (\d+) of (\d+) killed \(([\d.]+) %\)", text)
    metrics["mechanical"] = bounded(f"mechanical mutants killed, of {every:.0f}", share, ">= 90 %", share >= 90, "%")
    all_killed, all_counted = numbers(r"(?m)^(\d+) of (\d+) killed$", text)
    label = f"mutants by hand that survive, of {all_counted - killed:.0f}"
    metrics["by_hand"] = bounded(label, all_counted - all_killed, "= 0", all_killed == all_counted)

    asked, *_ = shell(".venv/bin/rlhw exercises list", clone)
    proven, every = text.count("each with its own hint"), len(asked.splitlines())
    metrics["exercises"] = bounded("exercises whose check is proven", proven, f"= {every}", proven == every)

    heaviest = max(float(weight) for weight in re.findall(r"(?m)^ *([\d.]+) kB ", text))
    metrics["weight"] = bounded("heaviest page with all it loads, gzip", heaviest, "< 1500 kB", heaviest < 1500, "kB")

    shell("make notebooks", clone)
    changed, *_ = shell("git status --porcelain notebooks", clone)
    metrics["notebooks"] = bounded("files that make notebooks changes", len(changed.splitlines()), "= 0", not changed)
    return metrics


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        # Some tests let another user run what is there, and a temporary folder is closed to others.
        Path(folder).chmod(0o755)
        clone = Path(folder) / "fresh clone"
        shell(f"git clone -q '{ROOT}' '{clone}'", Path(folder))
        metrics = measure(clone)
    cards.write(
        "house",
        "What the course promises of itself",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.house",
        modules=["benchmarks.house", "rlhw.laws", "rlhw.notebooks", "rlhw.exercises.question"],
    )
    return 0 if cards.report("house") else 1


if __name__ == "__main__":
    sys.exit(main())
