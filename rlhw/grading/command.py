"""`rlhw grade`: a folder of submissions becomes grades, feedback and tables.

Exit codes: 0 all graded; 1 some need a look or could not be graded; 2 misuse; 3 no sandbox here; 4 the self-test failed.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tqdm import tqdm

from rlhw import homework
from rlhw.grading import batch, inputs, manual, report, sandbox, similarity, submission
from rlhw.grading.batch import Done, SelfTestFailed
from rlhw.grading.result import GRADED, LOOK, REFUSED, Result
from rlhw.grading.run import Nbval, Settings
from rlhw.homework.assignment import Assignment

NO_SANDBOX, SELF_TEST_FAILED = 3, 4
SECRET = "secret.hex"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rlhw grade`."""
    parser.add_argument("--assignment", required=True, metavar="NAME", help="hw1 or hw2")
    parser.add_argument("--submissions", required=True, type=Path, metavar="DIR", help="<student>.ipynb, .zip or folders")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT", help="gets grades, feedback and tables")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="how many at a time")
    parser.add_argument("--secret", type=Path, metavar="FILE", help="this term's secret; one is made when left out")
    parser.add_argument("--variants", action="store_true", help="every student has the questions of their own variant")
    parser.add_argument("--manual", type=Path, metavar="manual.csv", help="the points that people gave")
    parser.add_argument("--gradescope", action="store_true", help="also write Gradescope's results.json")
    parser.add_argument(
        "--disposable", action="store_true", help="this machine may be broken: a second user id will do as a sandbox"
    )


def main(arguments: argparse.Namespace) -> int:
    """Grade, write, say what came of it; the exit code. ValueError and OSError are misuse."""
    assignment = homework.assignment(arguments.assignment)
    if arguments.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {arguments.jobs}.")
    submissions = submission.find(arguments.submissions)
    if arguments.out.resolve().is_relative_to(arguments.submissions.resolve()):
        raise ValueError(f"--out {arguments.out} lies in the folder of submissions; choose a place outside it.")
    marks = manual.read(arguments.manual, assignment) if arguments.manual else None
    try:
        chosen = sandbox.find(disposable=arguments.disposable)
    except sandbox.NoSandbox as missing:
        print(f"rlhw: {missing}", file=sys.stderr)
        return NO_SANDBOX
    print("\n  ".join([f"sandbox: {chosen.name}", *(f"stays open: {door}" for door in chosen.open_doors)]))
    with batch.alone_in(arguments.out):
        secret = _secret(arguments.secret, arguments.out)
        settings = Settings(assignment, secret, chosen, sandbox.Limits(), arguments.variants)
        try:
            with Nbval(arguments.out / batch.WORKPLACE) as nbval:
                seconds = batch.self_test(settings, nbval)
        except SelfTestFailed as failure:
            print(f"rlhw: nothing was graded, the grader's self-test failed: {failure}", file=sys.stderr)
            return SELF_TEST_FAILED
        print(f"self-test: the solution has full marks, the empty notebook none ({seconds:.1f} s)")
        done = _graded(submissions, settings, arguments)
        results = [each.result for each in done]
        _write(done, assignment, arguments, marks)
    _tell(done, arguments.out)
    return batch.exit_code(results)


def _secret(path: Path | None, out: Path) -> bytes:
    """The secret of --secret, else the one that stands in OUT, else a new one there."""
    own = out / SECRET
    if path is None and not own.exists():
        print(f"secret: made anew and kept in {own}; hand it to --secret to grade again with the same hidden inputs")
        return inputs.make_secret(own)
    secret = inputs.read_secret(path or own)
    print(f"secret: {path or own} (fingerprint {inputs.fingerprint(secret)})")
    return secret


def _graded(submissions: list[submission.Submission], settings: Settings, arguments: argparse.Namespace) -> list[Done]:
    """What came of each, in the order of students; progress on stderr."""
    done: list[Done] = []
    with tqdm(total=len(submissions), unit="submission", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def graded(one: Done) -> None:
            done.append(one)
            bar.update()
            if bar.disable and (len(done) % 20 == 0 or len(done) == len(submissions)):
                print(f"{len(done)} of {len(submissions)} submissions", file=sys.stderr, flush=True)

        batch.grade_all(submissions, settings, arguments.out, arguments.jobs, graded)
    return sorted(done, key=lambda one: one.result.student)


def _write(done: list[Done], assignment: Assignment, arguments: argparse.Namespace, marks: dict | None) -> None:
    results = [one.result for one in done]
    seconds = {one.result.student: one.seconds for one in done if one.seconds is not None}
    report.write(
        results, assignment, arguments.out, manual=marks, gradescope=arguments.gradescope, seconds=seconds
    )  # fmt: skip
    manual.write(results, assignment, arguments.out / "manual.csv", marks)
    similarity.write({one.result.student: one.cells for one in done if one.cells}, assignment, arguments.out)


def _tell(done: list[Done], out: Path) -> None:
    counts: Callable[[str], int] = lambda status: sum(one.result.status == status for one in done)
    seconds = [one.seconds for one in done if one.seconds is not None]
    kept = len([one for one in done if one.seconds is None and one.result.status != REFUSED])
    print(f"graded {counts(GRADED)}, to be looked at {counts(LOOK)}, not graded {counts(REFUSED)}; kept from before {kept}")
    if seconds:
        print(f"seconds a submission: {median(seconds):.2f} (median), {max(seconds):.2f} (most)")
    for one in done:
        if one.result.status != GRADED:
            print(_line(one.result))
    print(f"grades: {out / 'grades.csv'}")


def _line(result: Result) -> str:
    from rlhw.grading.names import shown

    return f"  {shown(result.student)}: {result.status}. {' '.join(result.remarks)}"
