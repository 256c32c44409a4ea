"""A folder graded: several submissions at a time, each kept on disk as soon as it is done, then everything written.

What a result depends on is hashed into its key. A run that was cut short is started again with the same words: results whose
key still holds are taken over, the rest is graded. One submission's trouble never stops the others.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

import rlhw
from rlhw.grading import inputs, rebuild, tables
from rlhw.grading.answers import Answered, read
from rlhw.grading.files import Unreadable
from rlhw.grading.names import file_name
from rlhw.grading.result import GRADED, LOOK, REFUSED, Result
from rlhw.grading.run import Nbval, Settings, grade
from rlhw.grading.submission import Packed, Submission, unpack
from rlhw.homework import build

WORKPLACE = ".running"
OURS = "Something went wrong in the grader itself; nothing was graded. Run it again, and report it if it stays."


class SelfTestFailed(Exception):
    """The grader does not give full marks to the right answers, or gives some to none; the text is one sentence."""


@dataclass(frozen=True)
class Done:
    """A result, the source text of its answers (for the comparison of submissions), and the seconds it took."""

    result: Result
    cells: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None


def self_test(settings: Settings, nbval: Nbval) -> float:
    """Grade the solution and the empty notebook before anything else; the seconds of the first.

    SelfTestFailed unless the solution earns every point and the empty notebook none.
    """
    start = time.perf_counter()
    right = grade("solution", _of(build.solution, settings, "solution"), settings, nbval)
    seconds = time.perf_counter() - start
    possible = settings.assignment.automatic
    if right.earned != possible or right.status != GRADED:
        short = [
            (f"{asked.name}, {part.name}", part) for asked in right.questions for part in asked.parts if not part.passed
        ]
        why = f"{short[0][0]}: {short[0][1].sentence}" if short else right.remarks[0]
        raise SelfTestFailed(
            f"the right answers earn {right.earned} of {possible} points; {len(short)} checks failed ({why})"
        )
    nothing = grade("student", _of(build.student, settings, "student"), settings, nbval)
    if nothing.earned or nothing.status != GRADED:
        raise SelfTestFailed(f"the notebook without answers earns {nothing.earned} points, and it should earn none.")
    return seconds


def _of(make: Callable, settings: Settings, student: str) -> Answered:
    variant = settings.variant(student)
    notebook = make(settings.assignment, variant)
    return read(Packed(json.dumps(notebook).encode()), settings.assignment, variant)


def grade_all(
    submissions: Iterable[Submission], settings: Settings, out: Path, jobs: int, graded: Callable[[Done], None]
) -> None:
    """Grade each submission, `jobs` at a time, and call `graded` for each that is done, in whatever order.

    Results stand in `out`/results. A submission that is another kind of trouble than we know becomes a row that says so.
    """
    pristine = hashlib.sha256(json.dumps(rebuild.notebook(settings.assignment)).encode()).hexdigest()
    local, started = threading.local(), []

    def one(submission: Submission) -> Done:
        if not hasattr(local, "nbval"):
            local.nbval = Nbval(out / WORKPLACE)
            started.append(local.nbval)
        return _one(submission, settings, out, local.nbval, pristine)

    # Few are in hand at a time: what has been graded is let go of, whatever the number of submissions.
    waiting, rest = set(), iter(submissions)
    pool = ThreadPoolExecutor(jobs)
    try:
        while waiting or (waiting := _submitted(pool, one, rest, jobs)):
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                graded(future.result())
            waiting |= _submitted(pool, one, rest, len(done))
    finally:
        for nbval in started:
            nbval.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ThreadPoolExecutor, run: Callable, rest: Iterator[Submission], count: int) -> set[Future]:
    return {pool.submit(run, submission) for submission in islice(rest, count)}


def _one(submission: Submission, settings: Settings, out: Path, nbval: Nbval, pristine: str) -> Done:
    start = time.perf_counter()
    path = out / "results" / f"{file_name(submission.student)}.json"
    try:
        packed = unpack(submission)
        key = key_of(packed.data, submission.student, settings, pristine)
        answered = read(packed, settings.assignment, settings.variant(submission.student))
        if (before := _kept(path, key)) is not None:
            return Done(before, answered.cells)
        result = grade(submission.student, answered, settings, nbval, key)
    except Unreadable as trouble:
        return Done(
            _kept_as(path, Result(submission.student, settings.assignment.name, REFUSED, remarks=(str(trouble),)))
        )
    except Exception as error:
        if isinstance(error, InterruptedError) or getattr(error, "errno", None) == errno.ENOSPC:
            raise
        # No text of the exception: a submission may have had a hand in it. It is no result, so it is not kept.
        path.unlink(missing_ok=True)
        return Done(Result(submission.student, settings.assignment.name, REFUSED, remarks=(OURS,)))
    return Done(_kept_as(path, result), answered.cells, time.perf_counter() - start)


def key_of(data: bytes, student: str, settings: Settings, pristine: str) -> str:
    """A hash of all that a result depends on."""
    depends = [
        hashlib.sha256(data).hexdigest(), student, settings.assignment.name, settings.variant(student), pristine,
        rlhw.__version__, code_hash(Path(rlhw.__file__).parent), np.__version__, inputs.fingerprint(settings.secret),
        settings.limits.as_dict(), settings.sandbox.name,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


@cache
def code_hash(package: Path) -> str:
    """A hash of a package's source: who mends a question between two runs has not raised the version number."""
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        found.update(f"{path.relative_to(package).as_posix()} {len(source)}\n".encode() + source)
    return found.hexdigest()


def _kept(path: Path, key: str) -> Result | None:
    """The result of an earlier run, if it was that of the same bytes under the same conditions."""
    try:
        result = Result.from_dict(json.loads(path.read_text(encoding="utf8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return result if result.key == key else None


def _kept_as(path: Path, result: Result) -> Result:
    tables.write_json(path, result.as_dict())
    return result


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold the folder of results for this run, and tidy up after one that was killed. ValueError when another run has it."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"--out {out} is in use by another run of `rlhw grade`.") from None
        shutil.rmtree(out / WORKPLACE, ignore_errors=True)
        (out / WORKPLACE).mkdir(mode=0o700)
        (out / "results").mkdir(exist_ok=True)
        yield
        shutil.rmtree(out / WORKPLACE, ignore_errors=True)
    finally:
        os.close(handle)


def exit_code(results: Iterable[Result]) -> int:
    """0 when all were graded, 1 when some need a look or were refused."""
    return int(any(result.status in (LOOK, REFUSED) for result in results))
