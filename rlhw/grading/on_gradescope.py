"""What run_autograder calls inside Gradescope's container: find the notebook, grade it, hand over results.json.

What is printed here instructors see, and students don't.
"""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from rlhw import homework
from rlhw.grading import gradescope, sentences, tables
from rlhw.homework import Assignment

# Gradescope ends a container after some minutes; the grader's own limits are far below.
SECONDS = 480
MOST_BYTES = 50_000_000
OUR_FAULT = "The autograder could not grade this submission. This is not your fault; please tell your instructor."


def main(root: Path) -> None:
    """Grade root/submission and write root/results/results.json, whatever happens."""
    name = json.loads((root / "source" / "assignment.json").read_text(encoding="utf8"))["assignment"]
    assignment, target = homework.assignment(name), root / "results" / "results.json"
    try:
        with tempfile.TemporaryDirectory(prefix="work-", dir=root) as work:
            results = _graded(root, assignment, Path(work))
    except Exception as error:
        print(f"the autograder failed: {type(error).__name__}: {error}")
        results = gradescope.nothing(assignment, OUR_FAULT)
    tables.write_json(target, results)


def _graded(root: Path, assignment: Assignment, work: Path) -> dict:
    found = notebooks(root / "submission")
    print(f"notebooks handed in: {[str(path.relative_to(root)) for path in found]!a}")
    if not found:
        return gradescope.nothing(assignment, sentences.NOTHING_HANDED_IN)
    if len(found) > 1:
        return gradescope.nothing(assignment, sentences.several(len(found)))
    (work / "submissions").mkdir()
    copy(found[0], work / "submissions" / "submission.ipynb")
    command = [sys.executable, "-m", "rlhw", "grade", "--assignment", assignment.name, "--gradescope", "--disposable"]
    command += ["--submissions", str(work / "submissions"), "--out", str(work / "out"), "--jobs", "1"]
    command += ["--secret", str(root / "source" / "secret")]
    done = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
    print(f"rlhw grade ended with {done.returncode}", flush=True)
    if done.returncode not in (0, 1):
        return gradescope.nothing(assignment, OUR_FAULT)
    return json.loads((work / "out" / "results.json").read_text(encoding="utf8"))


def notebooks(folder: Path) -> list[Path]:
    """The notebooks below a folder: regular files, no link followed, nothing hidden, a first hundred at most."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            path = Path(place, name)
            if name.lower().endswith(".ipynb") and not name.startswith(".") and stat.S_ISREG(path.lstat().st_mode):
                found.append(path)
        if len(found) > 100:
            break
    return found


def copy(source: Path, target: Path) -> None:
    """Copy a regular file without following a link. OSError for a link; one beyond 50 MB is cut: the grader refuses it."""
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file, open(target, "xb") as copied:
        remaining = MOST_BYTES
        while remaining > 0 and (part := file.read(min(remaining, 1 << 20))):
            copied.write(part)
            remaining -= len(part)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
