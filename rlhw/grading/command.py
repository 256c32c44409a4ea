"""`rlhw grade`: a folder of submissions becomes grades, feedback and tables.

Exit codes: 0 all graded; 1 some need a look or could not be graded; 2 misuse; 3 no sandbox here; 4 the self-test failed.
"""

import argparse
import os
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from tqdm import tqdm

from rlhw import homework
from rlhw.grading import batch, inputs, manual, report, sandbox, similarity, submission
from rlhw.grading.batch import Done, SelfTestFailed
from rlhw.grading.names import shown
from rlhw.grading.result import GRADED, LOOK, REFUSED, Result
from rlhw.grading.run import Nbval, Settings
from rlhw.grading.submission import Submission
from rlhw.homework.assignment import Assignment

NO_SANDBOX, SELF_TEST_FAILED = 3, 4
SECRET = "secret.hex"
NEEDED = ("nbval", "pytest", "ipykernel")
EVERY = 20


def main(arguments: argparse.Namespace) -> int:
    """Grade, write, say what came of it; the exit code. ValueError and OSError are misuse."""
    assignment, folder, out = (
        homework.assignment(arguments.assignment),
        Path(arguments.submissions),
        Path(arguments.out),
    )
    if arguments.jobs < 0:
        raise ValueError(f"--jobs must be at least 1, not {arguments.jobs}.")
    submissions = submission.find(folder)
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"--out {out} lies in the folder of submissions; choose a place outside it.")
    students = [one.student for one in submissions]
    marks = manual.read(Path(arguments.manual), assignment, students) if arguments.manual else None
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ModuleNotFoundError(f"grading needs {', '.join(missing)}: run `pip install 'rlhw[grading]'`.")
    try:
        chosen = sandbox.find(disposable=arguments.disposable)
    except sandbox.NoSandbox as missing:
        print(f"rlhw: {missing}", file=sys.stderr)
        return NO_SANDBOX
    print("\n  ".join([f"sandbox: {chosen.name}", *(f"stays open: {door}" for door in chosen.open_doors)]))
    with batch.alone_in(out):
        secret = _secret(Path(arguments.secret) if arguments.secret else None, out)
        settings = Settings(assignment, secret, chosen, sandbox.Limits(), arguments.variants)
        try:
            with Nbval(out / batch.WORKPLACE) as nbval:
                seconds = batch.self_test(settings, nbval)
        except SelfTestFailed as failure:
            print(f"rlhw: nothing was graded, the grader's self-test failed: {failure}", file=sys.stderr)
            return SELF_TEST_FAILED
        print(f"self-test: the solution has full marks, the empty notebook none ({seconds:.1f} s)")
        jobs = arguments.jobs or len(os.sched_getaffinity(0))
        done = _graded(submissions, settings, out, jobs)
        _write(done, assignment, out, marks, arguments.gradescope)
    _tell(done, out)
    return batch.exit_code(one.result for one in done)


def _secret(path: Path | None, out: Path) -> bytes:
    """The secret of --secret, else the one that stands in OUT, else a new one there."""
    own = out / SECRET
    if path is None and not own.exists():
        print(f"secret: made anew and kept in {own}; hand it to --secret to grade again with the same hidden inputs")
        return inputs.make_secret(own)
    secret = inputs.read_secret(path or own)
    print(f"secret: {path or own} (fingerprint {inputs.fingerprint(secret)})")
    return secret


def _graded(submissions: list[Submission], settings: Settings, out: Path, jobs: int) -> list[Done]:
    """What came of each, in the order of students; progress on stderr."""
    done: list[Done] = []
    with tqdm(total=len(submissions), unit="submission", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def graded(one: Done) -> None:
            done.append(one)
            bar.update()
            if bar.disable and (len(done) % EVERY == 0 or len(done) == len(submissions)):
                print(f"{len(done)} of {len(submissions)} submissions", file=sys.stderr, flush=True)

        batch.grade_all(submissions, settings, out, jobs, graded)
    return sorted(done, key=lambda one: one.result.student)


def _write(done: list[Done], assignment: Assignment, out: Path, marks: dict | None, gradescope: bool) -> None:
    results = [one.result for one in done]
    seconds = {one.result.student: one.seconds for one in done if one.seconds is not None}
    answers = {one.result.student: one.cells for one in done if one.cells}
    report.write(results, assignment, out, manual=marks, gradescope=gradescope, seconds=seconds, sources=answers)
    manual.write(results, assignment, out / "manual.csv", marks)
    similarity.write(similarity.compare(answers, similarity.references()), out / "similarity.csv")


def _tell(done: list[Done], out: Path) -> None:
    counts = Counter(one.result.status for one in done)
    seconds = [one.seconds for one in done if one.seconds is not None]
    kept = sum(one.seconds is None and one.result.status != REFUSED for one in done)
    print(
        f"graded {counts[GRADED]}, to be looked at {counts[LOOK]}, not graded {counts[REFUSED]}; kept from before {kept}"
    )
    if seconds:
        print(f"seconds a submission: {median(seconds):.2f} (median), {max(seconds):.2f} (most)")
    for one in done:
        if one.result.status != GRADED:
            print(_line(one.result))
    print(f"grades: {out / 'grades.csv'}")


def _line(result: Result) -> str:
    return f"  {shown(result.student)}: {result.status}. {' '.join(result.remarks)}"
