"""One submission graded: nbval on a pristine notebook in a fresh empty folder, and points where it and our record agree."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from rlhw import exercises
from rlhw.grading import inputs, nbval_server, rebuild
from rlhw.grading.answers import Answered
from rlhw.grading.result import GRADED, LOOK, PartResult, QuestionResult, Result
from rlhw.grading.sandbox import Limits, Sandbox
from rlhw.homework.assignment import Assignment

# Beyond what student code may take in all, and may wait for a core: starting the kernel, judging, a machine that is busy.
SLACK_SECONDS = 60.0
NOT_CHECKED = "This part could not be checked; a person will look at it."


@dataclass(frozen=True)
class Settings:
    """What all submissions of a run have in common. `variants`: each student has the questions of their own variant."""

    assignment: Assignment
    secret: bytes
    sandbox: Sandbox
    limits: Limits
    variants: bool = False

    def variant(self, student: str) -> str:
        """The student's variant; "" where all have the same questions."""
        return inputs.variant(self.secret, student) if self.variants else ""


class Nbval:
    """A process that runs nbval on one notebook after the other, each in a fresh folder made in `workplace`.

    A context manager; `stop` may come from another thread, and ends a `run` there with InterruptedError.
    """

    def __init__(self, workplace: Path | None = None) -> None:
        # The process works in /, so a relative folder would be another one there.
        self.workplace = None if workplace is None else workplace.absolute()
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen | None = None
        self._stopped = False

    def __enter__(self) -> "Nbval":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it now, with what it runs."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            self._forget(process)

    def run(self, job: dict) -> str:
        """Run one job of `nbval_server`; "ended", "time is up", or "gone" when the process itself has died."""
        process = self._started()
        with self._turn:
            try:
                process.stdin.write(json.dumps(job).encode() + b"\n")
                reply = process.stdout.readline()
            except (OSError, ValueError):
                reply = b""
        if not reply:
            self._forget(process)
            if self._stopped:
                raise InterruptedError("stopped")
            return "gone"
        return json.loads(reply)["ended"]

    def _started(self) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise InterruptedError("stopped")
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", nbval_server.__file__],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(Path("/")), cwd="/",
                    start_new_session=True, bufsize=0,
                )  # fmt: skip
            return self._process

    def _forget(self, process: subprocess.Popen) -> None:
        with self._lock:
            if self._process is process:
                self._process = None
        process.kill()  # Its kernel and its pytest die with it: see nbval_server.fork.
        process.wait()
        with self._turn:  # Whoever waits for a reply has had the end of it.
            process.stdin.close()
            process.stdout.close()


def environment(folder: Path) -> dict[str, str]:
    """All that pytest and the kernel see: nothing of the instructor's own environment, and `folder` as their home."""
    home = str(folder)
    # Where Python's own library is, on machines that say so.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home, "IPYTHONDIR": home,
        "JUPYTER_RUNTIME_DIR": home, "JUPYTER_CONFIG_DIR": home, "JUPYTER_DATA_DIR": home,
        "JUPYTER_NO_CONFIG": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def grade(student: str, answered: Answered, settings: Settings, nbval: Nbval, key: str = "") -> Result:
    """Run the student's answers against the hidden inputs. What the student wrote is run in the sandbox only.

    Where grading broke off, `key` is left out of the result: it is not to be taken over by a later run.
    """
    variant = settings.variant(student)
    ended, outcomes, records = _nbval(answered, settings, variant, nbval)
    if ended == "gone":  # Killed for memory, say. Once more, since it need not have been this submission's doing.
        ended, outcomes, records = _nbval(answered, settings, variant, nbval)
    questions, troubled = _questions(settings.assignment, variant, outcomes, records)
    remarks = list(answered.remarks)
    if ended != "ended":
        remarks.append("Grading took too long or broke off; nothing could be given for it.")
    elif troubled:
        remarks.append(f"These checks did not come to an end: {'; '.join(troubled)}.")
    return Result(
        student, settings.assignment.name, LOOK if remarks else GRADED, questions, tuple(remarks), answered.written,
        "" if troubled else key,
    )  # fmt: skip


def _nbval(
    answered: Answered, settings: Settings, variant: str, nbval: Nbval
) -> tuple[str, dict[str, str], dict[tuple[str, str], dict]]:
    """(how it ended, what nbval says by cell id, what our records say by question and part)."""
    with tempfile.TemporaryDirectory(prefix="rlhw-grade-", dir=nbval.workplace, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        session, records, outcomes = folder / "session.json", folder / "records.jsonl", folder / "outcomes.json"
        session.write_text(json.dumps({
            "assignment": settings.assignment.name, "variant": variant, "seeds": _seeds(settings, variant),
            "answers": answered.cells, "untouched": sorted(answered.untouched), "sandbox": settings.sandbox.as_dict(),
            "limits": settings.limits.as_dict(), "records": str(records),
        }), encoding="utf8")  # fmt: skip
        work = folder / "notebook"
        work.mkdir()
        (work / nbval_server.NOTEBOOK).write_text(
            json.dumps(rebuild.notebook(settings.assignment, variant)), encoding="utf8"
        )
        seconds = 2 * settings.limits.seconds_in_all + SLACK_SECONDS
        ended = nbval.run({
            "folder": str(work), "outcomes": str(outcomes), "seconds": seconds,
            "cell_seconds": seconds - SLACK_SECONDS / 2,
            "sandbox": settings.sandbox.as_dict(), "environment": environment(folder) | {"RLHW_GRADING_SESSION": str(session)},
        })  # fmt: skip
        whole = ended == "ended" and outcomes.is_file()
        return ended, json.loads(outcomes.read_text(encoding="utf8")) if whole else {}, _records(records)


def _seeds(settings: Settings, variant: str) -> dict[str, int]:
    return {
        f"{item.question}/{part.name}": inputs.seed(settings.secret, item.question, part.name)
        for item in settings.assignment.asked
        for part in exercises.question(item.question, variant).parts
    }


def _records(path: Path) -> dict[tuple[str, str], dict]:
    """The record of each part. Of two for one part, which cannot be, neither counts."""
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    records: dict[tuple[str, str], dict] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # The kernel was killed while it wrote.
            continue
        place = (record["question"], record["part"])
        records[place] = {"passed": False, "sentence": NOT_CHECKED} if place in records else record
    return records


def _questions(
    assignment: Assignment, variant: str, outcomes: dict[str, str], records: dict[tuple[str, str], dict]
) -> tuple[tuple[QuestionResult, ...], list[str]]:
    """(results, names of checks that did not end): a point where nbval says passed and our record says passed."""
    results, troubled = [], []
    for item in assignment.asked:
        asked, parts = exercises.question(item.question, variant), []
        for number, part in enumerate(asked.parts, 1):
            outcome, record = outcomes.get(f"{asked.name}-check-{number}"), records.get((asked.name, part.name))
            agreed = record is not None and record["passed"] is (outcome == "passed") and outcome is not None
            if not agreed:
                troubled.append(f"{asked.name}, {part.name}")
            parts.append(_part(part.name, part.points, agreed, record))
        results.append(QuestionResult(asked.name, asked.title, tuple(parts)))
    return tuple(results), troubled


def _part(name: str, points: int, agreed: bool, record: dict | None) -> PartResult:
    if not agreed:
        return PartResult(name, points, False, NOT_CHECKED)
    return PartResult(name, points, record["passed"], record["sentence"])
