"""`manual.csv`: the points that people give for written answers. Written for them, filled in, read back.

A spreadsheet stands between the two, so reading expects what spreadsheets do: a byte order mark, UTF-16, Windows'
encoding, semicolons or tabs in place of commas, 3,5 for 3.5. What it can't mend it refuses, naming the row and the column.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from rlhw.grading import tables
from rlhw.grading.names import shown
from rlhw.grading.result import REFUSED, Result
from rlhw.homework import Assignment

# student as `names.shown` shows it -> name of the written question -> (points or None, comment)
Marks = dict[str, dict[str, tuple[int | float | None, str]]]
COLUMNS = ("student", "question", "points", "possible", "comment")
_POINTS = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")


def write(results: Iterable[Result], assignment: Assignment, path: Path, previous: Mapping | None = None) -> None:
    """Write a row for each written answer, ordered by student and question; what `previous` holds is kept.

    Marks of students that `results` lacks are kept too, at the end: a folder that is graded again in part loses none.
    """
    previous, rows = previous or {}, []
    students = sorted({shown(result.student) for result in results if result.status != REFUSED})
    for student in [*students, *sorted(set(previous) - set(students))]:
        for asked in assignment.written:
            marked = previous.get(student, {}).get(asked.name)
            if marked or student in students:
                points, comment = marked or (None, "")
                rows.append((student, asked.name, points, asked.points, comment))
    tables.write(path, COLUMNS, rows)


def read(path: Path, assignment: Assignment, students: Iterable[str] | None = None) -> Marks:
    """The marks in a file, by student as `names.shown` shows it, and question. Rows with nothing filled in are left out.

    With `students`, a row of any other is refused. ValueError names the file, the row (the header is row 1) and the column.
    """
    known = {asked.name: asked.points for asked in assignment.written}
    expected = None if students is None else {shown(student) for student in students}
    marks: Marks = {}
    seen: dict[tuple[str, str], int] = {}
    for number, row in _rows(path):
        where = f"{path.name}, row {number}, column"
        student, name = tables.text_of(row["student"].strip()), row["question"].strip()
        if expected is not None and student not in expected:
            raise ValueError(f"{where} student: {_unknown(student, expected)}")
        if name not in known:
            raise ValueError(
                f"{where} question: {assignment.name} has no written question {name!r}. It has: {', '.join(known) or 'none'}."
            )
        if (student, name) in seen:
            raise ValueError(
                f"{where} student: {student!r} has {name} in row {seen[student, name]} already. Keep one of the two rows."
            )
        seen[student, name] = number
        points, comment = _points(row["points"], known[name], where), _comment(row["comment"])
        if points is not None or comment:
            marks.setdefault(student, {})[name] = (points, comment)
    return marks


def missing(marks: Mapping | None, student: str, assignment: Assignment) -> list[str]:
    """The written questions for which this student has no points yet."""
    given = (marks or {}).get(shown(student), {})
    return [asked.name for asked in assignment.written if given.get(asked.name, (None, ""))[0] is None]


def total(marks: Mapping | None, student: str) -> int | float:
    """Points that people gave this student so far."""
    return sum(points for points, _ in (marks or {}).get(shown(student), {}).values() if points is not None)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty, as text by column, each with its number."""
    text = _decoded(path)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except csv.Error as error:
        raise ValueError(f"{path.name} is no table: {error}. Save it as CSV in UTF-8.") from None
    header = [name.strip().lower() for name in lines[0]] if lines else []
    for name in ("student", "question", "points"):
        if header.count(name) != 1:
            raise ValueError(
                f"{path.name}, row 1: there must be one column {name!r}. The columns are {', '.join(COLUMNS)}."
            )
    numbered = [(number, line) for number, line in enumerate(lines[1:], start=2) if any(map(str.strip, line))]
    for number, line in numbered:
        if len(line) > len(header) and any(map(str.strip, line[len(header) :])):
            raise ValueError(f"{path.name}, row {number}: it has {len(line)} cells for {len(header)} columns.")
    blank = dict.fromkeys(COLUMNS, "")
    return [(number, blank | dict(zip(header, line, strict=False))) for number, line in numbered]


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path.name} is no text that can be read. Save it as CSV in UTF-8.")


def _separator(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _points(written: str, possible: int, where: str) -> float | None:
    written = written.strip()
    if not written:
        return None
    if not _POINTS.fullmatch(written):
        raise ValueError(f"{where} points: {written!r} is no number of points. Write one such as 3 or 3.5, or nothing.")
    points = float(written.replace(",", "."))
    if points > possible:
        raise ValueError(f"{where} points: {written} is more than the {possible} that can be given.")
    return points


def _comment(written: str) -> str:
    """The comment with its line breaks back, and without signs that a page could not show."""
    lines = tables.visible(tables.text_of(written)).split(tables.BREAK)
    return "\n".join(line.rstrip() for line in lines).strip()


def _unknown(student: str, expected: set[str]) -> str:
    sentence = f"there is no submission of {student!r} in this run."
    without_zeros = [name for name in expected if name != student and name.lstrip("0") == student]
    if without_zeros:
        return f"{sentence} Did a spreadsheet drop the zeros of {without_zeros[0]!r}?"
    near = get_close_matches(student, expected, n=1)
    return f"{sentence} {f'Did you mean {near[0]!r}? ' if near else ''}Mend the row or take it out."
