"""The first column: what an attack gains where the notebook that was handed in is run by `pytest --nbval-lax`.

The folder is the student's, the outputs of right checks are stored in it, and rlhw's own plugin is off. Beside nbval stands what
people put around it: names joined to unpack an archive, CommonMark to show prose, csv.writer for the grades.
"""

import csv
import io
import json
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, replace
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks.attack_fence import fenced
from benchmarks.attack_scene import Canaries, environment, leaks, numbers_of, set_up
from rlhw import exercises
from tests.grading.attacks import Attack, Scene, check_of
from tests.grading.attacks import scene as kinds

LIMIT, GRACE = 40, 3
LARGE, GROWN = 100 << 20, 1 << 30

# Each name joined to the folder, links kept: so scripts that gather hand-ins unpack them.
UNPACK = """
import os, pathlib, subprocess, sys, zipfile
archive, folder, *command = sys.argv[1:]
for entry in zipfile.ZipFile(archive).infolist():
    path = pathlib.Path(folder) / entry.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    content = zipfile.ZipFile(archive).read(entry)
    if entry.external_attr >> 28 == 0o12:
        path.symlink_to(content.decode())
    else:
        path.write_bytes(content)
os.chdir(folder)
sys.exit(subprocess.run(command).returncode)
"""

NEIGHBOUR = {
    "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "outputs": [], "execution_count": 1}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


def gain(attack: Attack, root: Path, assignment: str) -> str:
    """What the attack gains under plain nbval, in words; empty when nothing."""
    canaries, token = Canaries.fresh(), "plain-token"
    scene = set_up(root, assignment, canaries, token)
    scene = replace(scene, notebook=short(scene))
    folder = attack.hand_in(scene).folder if not attack.whole else _whole(attack, scene)
    before = scene.victim_file.read_bytes()
    neighbour = scene.submissions / "zoe" / "zoe.ipynb"
    neighbour.parent.mkdir()
    neighbour.write_text(json.dumps(NEIGHBOUR), encoding="utf8")
    alone = [f"{scene.stem}.ipynb"]
    both = [f"{folder.name}/{scene.stem}.ipynb", "zoe/zoe.ipynb"]
    junit, output = root / "home" / "junit.xml", root / "output"
    command = [
        sys.executable, "-m", "pytest", "-p", "nbval.plugin", "-p", "no:cacheprovider", "--nbval-lax", f"--junitxml={junit}",
        *(both if attack.gain == kinds.DENIAL else alone),
    ]  # fmt: skip
    # `python -m` would put the folder first on the path; the command `pytest` does not.
    command[1:3] = [
        "-c",
        "import sys; sys.path.pop(0) if sys.path[0] == '' else 0; import pytest; sys.exit(pytest.main(sys.argv[1:]))",
    ]
    cwd = scene.submissions if attack.gain == kinds.DENIAL else folder
    archive = scene.submissions / f"{attack.student or attack.name}.zip"
    if archive.is_file():
        cwd, command = scene.submissions, [sys.executable, "-c", UNPACK, str(archive), str(folder), *command]
    job = {
        "command": command, "cwd": str(cwd), "folder": str(root), "limit": LIMIT, "grace": GRACE,
        "env": environment(scene, root, canaries) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, "port": scene.port,
        "token": token, "output": str(output), "mark": str(scene.outside / attack.name) if attack.gain == kinds.HANG else "",
    }  # fmt: skip
    seen = fenced(job, root / "seen.json")
    changed = not scene.victim_file.is_file() or scene.victim_file.read_bytes() != before
    report = Report(
        attack, scene, folder, seen, output.read_bytes(), _cases(junit), changed, list(asdict(canaries).values())
    )
    return getattr(report, attack.gain)()


def short(scene: Scene) -> dict:
    """The notebook with the attacked questions only, and one written answer: this column is about nbval, and takes its time."""
    kept = ("setup", "imports", scene.question, scene.pairs)
    written = [cell for cell in scene.notebook["cells"] if cell["metadata"].get("rlhw", {}).get("written")]
    return scene.notebook | {
        "cells": [cell for cell in scene.notebook["cells"] if cell["id"].startswith(kept)] + written[:1],
        "metadata": dict(scene.notebook["metadata"]),
    }


def _whole(attack: Attack, scene: Scene) -> Path:
    attack.hand_in(scene)
    return scene.submissions / (attack.student or attack.name)


def _cases(junit: Path) -> list[tuple[str, str]] | None:
    """(notebook, outcome) of each test in order; None where pytest left no report."""
    try:
        tests = list(ElementTree.parse(junit).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return None
    return [
        (test.get("classname", ""), test[0].tag if len(test) and test[0].tag in FAILED else "passed") for test in tests
    ]


FAILED = ("failure", "error", "skipped")


class Report:
    """What one plain run left; one method for each thing that an attack may be after."""

    def __init__(self, attack, scene, folder, seen, output, cases, changed, canaries):
        self.attack, self.scene, self.folder, self.seen, self.output = attack, scene, folder, seen, output
        self.cases, self.changed, self.canaries = cases, changed, canaries

    def points(self) -> str:
        """All points where pytest ends with 0, as an instructor reads it; else those of the checks that passed."""
        points = {
            (name, part.name): part.points
            for name in dict.fromkeys(check_of(cell)[0] for cell in self.scene.notebook["cells"] if check_of(cell))
            for part in exercises.question(name).parts
        }
        if self.seen["code"] == 0 and not self.seen["stopped"]:
            return f"{sum(points.values())} points"
        try:
            cells = json.loads((self.folder / f"{self.scene.stem}.ipynb").read_text())["cells"]
        except (OSError, ValueError, KeyError):
            return ""
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        if self.cases is None or len(code) != len(self.cases):
            return ""
        earned = sum(
            points.get(check_of(cell), 0) for cell, (_, how) in zip(code, self.cases, strict=True) if how == "passed"
        )
        return f"{earned} points" if earned else ""

    def leak(self) -> str:
        seeds = {part.name: 0 for part in exercises.question(self.scene.question).parts}
        words = self.canaries + numbers_of(self.scene.question, seeds)
        found = leaks(self.output, words)
        return f"{len(found)} secrets told" if found else ""

    def file(self) -> str:
        traces = [
            self.scene.outside / self.attack.name, self.scene.home / ".local/share/jupyter/kernels",
            self.scene.home / ".ipython/profile_default/startup/00.py",
        ]  # fmt: skip
        written = any(path.exists() or path.is_symlink() for path in traces)
        return "a file written" if written else "another submission changed" if self.changed else ""

    def disk(self) -> str:
        size = sum(
            path.stat().st_size
            for path in self.folder.parents[1].rglob("*")
            if path.is_file() and not path.is_symlink()
        )
        size = max(size, self.seen["tmp_bytes"])
        return f"{size >> 20} MB written" if size > LARGE else ""

    def process(self) -> str:
        if self.seen["stopped"] == "processes":
            return f"{self.seen['processes']} processes"
        return f"{len(self.seen['survivors'])} processes left" if self.seen["survivors"] else ""

    def network(self) -> str:
        return "connected" if self.attack.name in self.seen["heard"] else ""

    def hang(self) -> str:
        return "no end" if self.seen["stopped"] == "time" else ""

    def memory(self) -> str:
        size = self.seen["outer_bytes"]
        return f"{size / 2**30:.1f} GB" if size > GROWN else ""

    def denial(self) -> str:
        if self.cases is None:
            return "the grader is dead"
        done = [how for name, how in self.cases if "zoe" in name]
        return "" if done == ["passed"] else "another submission is not graded"

    def raw(self) -> str:
        student = self.attack.student or self.attack.name
        table = io.StringIO()
        csv.writer(table).writerow([student, 0])
        (row,) = csv.reader(io.StringIO(table.getvalue()))
        page = MarkdownIt("commonmark").render(f"# {student}\n\n" + "\n\n".join(
            cell["source"] for cell in json.loads((self.folder / f"{self.scene.stem}.ipynb").read_text())["cells"]
            if cell["cell_type"] == "markdown"
        ))  # fmt: skip
        places = {"the page": page.encode(), "the terminal": self.output}
        found = [place for place, text in places.items() if self.attack.raw.encode() in text]
        if row[0].startswith(("=", "+", "-", "@")):
            found.append("the table")
        return f"acts in {' and '.join(found)}" if found else ""
