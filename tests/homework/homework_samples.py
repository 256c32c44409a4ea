"""Small assignments, and what students do to notebooks."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from rlhw import exercises
from rlhw.homework.assignment import Asked, Assignment, Level, Prose, Written
from rlhw.repository import as_text

WRITTEN = Written(
    name="toy-why",
    title="Why the baseline is free",
    points=4,
    minutes=6,
    text="Say why a baseline that does not look at the action changes no gradient.",
    rubric=(Level(4, "The mean of the score is zero, and why."), Level(2, "Says zero, not why."), Level(0, "Neither.")),
    samples=(
        (2, "It averages out.", "No reason is given."),
        (4, "The probabilities sum to one.\n\nSo do they.", "Yes."),
    ),
)

TOY = Assignment(
    name="toy",
    stem="toy_homework",
    title="A toy",
    introduction="Two checks and a word.",
    items=(
        Prose("## First"),
        Asked("b1-epsilon-greedy", binds=("epsilon_greedy",)),
        WRITTEN,
        Asked("b1-recall", binds=("second",), expression="(first, second, third)"),
    ),
)


def shuffled(name: str = "b1-epsilon-greedy"):
    """A question with a version for each student: its text and its stub hold a number drawn for it."""
    asked = exercises.question(name)

    def variant(rng):
        number = int(rng.integers(10**6))
        return replace(asked, text=f"{asked.text} Number {number}.", stub=f"{asked.stub}  # {number}")

    return replace(asked, variant=variant)


def cell(notebook: dict, cell_id: str) -> dict:
    """The cell of this id."""
    return next(found for found in notebook["cells"] if found["id"] == cell_id)


def text(found: dict) -> str:
    """The source of a cell."""
    return "".join(found["source"])


def changed(notebook: dict, **sources: str) -> dict:
    """A copy with other sources; underscores in the names stand for hyphens."""
    copy = deepcopy(notebook)
    for cell_id, source in sources.items():
        cell(copy, cell_id.replace("_", "-"))["source"] = source.splitlines(keepends=True)
    return copy


def own(source: str, cell_id: str = "mine") -> dict:
    """A code cell that a student added."""
    made = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return made | {"id": cell_id, "source": source.splitlines(keepends=True)}


def write(folder: Path, **notebooks: dict) -> Path:
    """The folder, with these notebooks in it."""
    for name, notebook in notebooks.items():
        (folder / f"{name}.ipynb").write_text(as_text(notebook), encoding="utf8")
    return folder


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """pytest as a student runs it, in this folder, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *arguments]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=280, check=False)


def counts(run: subprocess.CompletedProcess) -> str:
    """pytest's last line without the time, such as "2 failed, 3 passed"."""
    return run.stdout.splitlines()[-1].strip("= ").split(" in ")[0]


def read(path: Path) -> dict:
    """A notebook from its file."""
    return json.loads(path.read_text(encoding="utf8"))
