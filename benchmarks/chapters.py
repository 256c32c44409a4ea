"""What chapters 3 to 5 promise of themselves: `python -m benchmarks.chapters` writes results/chapters.json (about 6 minutes).

The seconds of each notebook on one thread, labels under SIGKILL, one round with a real Label Studio server, and the overfitting
that chapter 5 makes on purpose. Prints each figure beside its bound, and ends with exit status 1 when one is SHORT.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.house import bounded
from rlhw import cards

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ("03_behavior_cloning", "04_human_preferences", "05_reward_model")
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
MOST_SECONDS = 40


def processor_seconds(command: list[str], folder: str) -> float:
    """Seconds of processor time, user and system, that a command and its kernels take on one thread. A failure is raised."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    environment = os.environ | ONE_THREAD | {"RLHW_SCALE": "tiny", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return spent() - before


def notebook_seconds() -> dict[str, dict]:
    """Each notebook from an empty folder, with the start of its kernel."""
    metrics = {}
    for name in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, str(ROOT / "tests/colab/run_notebook.py"), str(ROOT / f"notebooks/{name}.ipynb")]
            seconds = processor_seconds(run, folder)
        meaning = f"processor seconds of notebooks/{name}.ipynb on one thread, kernel start included"
        metrics[f"seconds_{name[:2]}"] = bounded(
            meaning, seconds, f"< {MOST_SECONDS} s", seconds < MOST_SECONDS, unit="s"
        )
        print(f"{name}: {seconds:.1f} s", flush=True)
    return metrics


def known_answers() -> dict[str, dict]:
    """Notebooks that hold a cell tagged known-answer."""
    tagged = 0
    for name in NOTEBOOKS:
        cells = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf8"))["cells"]
        tagged += any("known-answer" in cell["metadata"].get("tags", []) for cell in cells)
    return {"known_answers": bounded("notebooks with a cell tagged known-answer", tagged, "= 3", tagged == 3)}


def killed_labellers(seed: int = 0) -> dict[str, dict]:
    """Labels lost by labellers under SIGKILL; beside them a labeller that buffers, which must lose some."""
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, str(ROOT / "tests/killed_labelling.py"), folder, str(seed)]
        found = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    kills, steps, torn = (sum(found[way][key] for way in ("whole", "in pieces")) for key in ("kills", "steps", "torn"))
    harmed = sum(found[way]["harmed"] for way in ("whole", "in pieces"))
    what = f"of {kills} labellers killed after {steps} acknowledged steps, {torn} in the middle of a line"
    return {
        "killed_harmed": bounded(f"acknowledged labels lost {what}", harmed, "= 0", harmed == 0),
        "buffered_harmed": bounded(
            "labels lost by a labeller that buffers (the control)", found["buffered"]["harmed"], "> 0",
            found["buffered"]["harmed"] > 0,
        ),
    }  # fmt: skip


def label_studio() -> dict[str, dict]:
    """The round with a real server, by the command that a maintainer gives."""
    done = subprocess.run(["make", "test-labelstudio"], cwd=ROOT, capture_output=True, text=True, check=False)
    passed = sum(map(int, re.findall(r"(\d+) passed", done.stdout)))
    met = done.returncode == 0 and passed > 0
    return {"label_studio": bounded("rounds with a real Label Studio server that pass", passed, ">= 1", met)}


def overfitting() -> dict[str, dict]:
    """From the card `overfitting`: what chapter 5 reproduces on purpose, medians of five seeds."""
    of = cards.read("overfitting")["metrics"]
    training, growth = (
        of["epoch_16_training"]["value"],
        of["epoch_16_held_out"]["value"] / of["epoch_0_held_out"]["value"],
    )
    return {
        "training_loss": bounded(
            "training loss on 32 votes after 16 epochs", training, "< 0.01", training < 0.01, "nats"
        ),
        "held_out_growth": bounded("held-out loss then over its start", growth, ">= 2", growth >= 2),
    }


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    metrics = notebook_seconds() | known_answers() | killed_labellers() | label_studio() | overfitting()
    cards.write(
        "chapters", "What chapters 3 to 5 promise of themselves", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.chapters",
        modules=["benchmarks.chapters", "rlhw.labelling", "rlhw.preferences.files", "rlhw.preferences.label_studio"],
    )  # fmt: skip
    return 0 if cards.report("chapters") else 1


if __name__ == "__main__":
    sys.exit(main())
