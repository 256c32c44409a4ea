"""Everything that is written when submissions have been graded: tables, pages and files for learning platforms.

Nothing here depends on the clock, so that a regrade gives the same bytes; `summary.json` alone holds the seconds measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhw.grading import canvas, pages, summary, tables
from rlhw.grading import gradescope as for_gradescope
from rlhw.grading import manual as marks
from rlhw.grading.names import file_name, shown
from rlhw.grading.result import REFUSED, Result
from rlhw.homework import Assignment
from rlhw.repository import write_atomically


def write(
    results: Sequence[Result],
    assignment: Assignment,
    out: Path,
    *,
    manual: Mapping | None = None,
    gradescope: bool = False,
    seconds: Mapping[str, float] | None = None,
    sources: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Write tables, pages and files for learning platforms into `out`; a file that is there is replaced at once.

    `results/<student>.json` is written where it is missing: the batch writes it as soon as a submission is graded.
    `manual` holds people's marks as `manual.read` gives them. `seconds` are those that grading took, by student. `sources` are
    the answer cells by student and question, for the pages of those who mark.
    """
    results = sorted(results, key=lambda result: result.student)
    for folder in ("results", "feedback", "to_read"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for result in results:
        name = file_name(result.student)
        if not (out / "results" / f"{name}.json").exists():
            tables.write_json(out / "results" / f"{name}.json", result.as_dict())
        write_atomically(out / "feedback" / f"{name}.html", pages.feedback(result, assignment, manual))
        if result.status != REFUSED and assignment.written:
            write_atomically(
                out / "to_read" / f"{name}.html", pages.to_read(result, assignment, (sources or {}).get(result.student))
            )
    write_grades(results, assignment, out / "grades.csv", manual)
    if assignment.graded:
        canvas.write(results, assignment, out / "canvas.csv", manual)
    tables.write_json(out / "summary.json", summary.of(results, assignment, manual, seconds))
    if gradescope:
        for_gradescope.write(results, assignment, out, seconds)


def write_grades(results: Sequence[Result], assignment: Assignment, path: Path, manual: Mapping | None) -> None:
    """Write `grades.csv`: a row for each student, a column for each question.

    The points of a submission that was not graded are left empty, as are those that people have not given yet: neither is 0.
    """
    asked = [item.question for item in assignment.asked]
    written = [item.name for item in assignment.written]
    header = ["student", "status", "automatic", "people", "total", "possible", *asked, *written, "remarks"]
    tables.write(path, header, (_row(result, assignment, asked, written, manual) for result in results))


def _row(
    result: Result, assignment: Assignment, asked: list[str], written: list[str], manual: Mapping | None
) -> list[object]:
    given = (manual or {}).get(shown(result.student), {})
    open_questions = marks.missing(manual, result.student, assignment)
    # A table read as one with semicolons would be split at one.
    remarks = " ".join(result.remarks).replace(";", ",")
    possible = assignment.automatic + assignment.people
    if result.status == REFUSED:
        blank = [None] * (len(asked) + len(written))
        return [shown(result.student), result.status, None, None, None, possible, *blank, remarks]
    if open_questions:
        remarks = f"{remarks} Not marked yet: {', '.join(open_questions)}.".strip()
    people = marks.total(manual, result.student)
    automatic = {question.name: question.earned for question in result.questions}
    return [
        shown(result.student),
        result.status,
        result.earned,
        None if len(open_questions) == len(written) and written else people,
        result.earned + people,
        possible,
        *(automatic.get(name, 0) for name in asked),
        *(given.get(name, (None, ""))[0] for name in written),
        remarks,
    ]
