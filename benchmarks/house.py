"""What the course promises of itself, measured in a fresh clone: `python -m benchmarks.house` writes results/house.json.

Prints each figure beside its bound, and ends with exit status 1 when one is SHORT. Takes about twenty minutes: it clones the
committed state, builds the book there with pip's cache as it is, and runs the checks whose counts it reports.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rlhw import cards

ROOT = Path(__file__).resolve().parents[1]


def shell(command: str, folder: Path, may_fail: bool = False) -> tuple[str, float]:
    """Run a command in a folder; its output and its seconds. A failure is shown and raised, unless it may fail."""
    start = time.perf_counter()
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode and not may_fail:
        print((done.stdout + done.stderr)[-2000:], file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    print(f"[{seconds:5.0f} s] {command}", flush=True)
    return done.stdout, seconds


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
    """All figures, from the commands that a reader or maintainer would run."""
    _, seconds = shell("make book", clone)
    metrics = {"book_seconds": bounded("make book in a fresh clone", seconds, "< 240 s", seconds < 240, "s")}

    text, _ = shell(".venv/bin/python -m pytest -q -n 2 --dist loadscope -m equation tests", clone)
    stated, checked = numbers(r"equations: (\d+) stated, (\d+) checked", text)
    metrics["equations"] = bounded("equations checked", checked, f"= {stated:.0f} stated", checked == stated)

    text, _ = shell(".venv/bin/rlhw laws --mutants", clone)
    killed, every, share = numbers(r"mechanical: (\d+) of (\d+) killed \(([\d.]+) %\)", text)
    metrics["mechanical"] = bounded(f"mechanical mutants killed, of {every:.0f}", share, ">= 90 %", share >= 90, "%")
    all_killed, all_counted = numbers(r"(\d+) of (\d+) killed\s*$", text)
    by_hand = all_counted - killed
    label = f"mutants by hand that survive, of {by_hand:.0f}"
    metrics["by_hand"] = bounded(label, all_counted - all_killed, "= 0", all_killed == all_counted)

    text, _ = shell(".venv/bin/rlhw exercises prove", clone)
    asked, _ = shell(".venv/bin/rlhw exercises list", clone)
    proven, every = text.count("each with its own hint"), len(asked.splitlines())
    metrics["exercises"] = bounded("exercises whose check is proven", proven, f"= {every}", proven == every)

    shell("make notebooks", clone)
    changed, _ = shell("git status --porcelain", clone)
    metrics["notebooks"] = bounded("files that make notebooks changes", len(changed.splitlines()), "= 0", not changed)

    text, _ = shell(
        "RLHW_BOOK=_build/html .venv/bin/python -m pytest -q -n 2 --dist loadscope tests/browser/test_pages.py", clone
    )
    passed, failed = (sum(map(int, re.findall(rf"(\d+) {word}", text))) for word in ("passed", "(?:failed|errors?)"))
    heaviest = max(
        numbers(r"^\s*([\d.]+) kB", line)[0] for line in text.splitlines() if re.match(r"\s*[\d.]+ kB", line)
    )
    metrics["pages"] = bounded(
        f"page checks in the browser that fail, of {passed + failed}", failed, "= 0", passed > 0 == failed
    )
    metrics["weight"] = bounded("heaviest page with all it loads, gzip", heaviest, "< 1500 kB", heaviest < 1500, "kB")
    return metrics


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
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
