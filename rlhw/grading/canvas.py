"""`canvas.csv`: the table that Canvas's gradebook imports.

Canvas's importer (`lib/gradebook_importer.rb` in its public source) wants Student, ID, SIS Login ID, Section, then the assignments;
it looks a student up by ID, then by login, then by name, and takes a row whose first cell holds "Points Possible" for the points.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhw.grading import manual as marks
from rlhw.grading import tables
from rlhw.grading.names import shown
from rlhw.grading.result import REFUSED, Result
from rlhw.homework import Assignment

COLUMNS = ("Student", "ID", "SIS Login ID", "Section")


def write(results: Sequence[Result], assignment: Assignment, path: Path, manual: Mapping | None) -> None:
    """Write it. The names of the submissions must be the logins; the ID and the section are left for Canvas to find.

    Without people's marks the column is the automatic part, and says so, out of its own points. With them it is the whole
    assignment. A student who was not graded, or has an answer that nobody marked yet, has an empty cell: Canvas keeps
    what it has there.
    """
    whole = manual is not None or not assignment.written
    title = assignment.title if whole else f"{assignment.title}, automatic part"
    possible = assignment.automatic + (assignment.people if whole else 0)
    rows: list[list[object]] = [["Points Possible", None, None, None, possible]]
    for result in results:
        name = shown(result.student)
        unfinished = result.status == REFUSED or (whole and marks.missing(manual, result.student, assignment))
        score = None if unfinished else result.earned + (marks.total(manual, result.student) if whole else 0)
        # Else a submission so named would change what the assignment is worth.
        student = None if "points possible" in name.lower() else name
        rows.append([student, None, name, None, score])
    tables.write(path, [*COLUMNS, title], rows)
