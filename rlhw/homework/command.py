"""`rlhw homework list` and `rlhw homework build`: the notebooks of the assignments, written where they belong."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rlhw import homework
from rlhw.homework import build
from rlhw.homework.assignment import Assignment
from rlhw.repository import address, as_text, root_of, write_atomically

FOLDER = "notebooks/homework"
STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def listing() -> list[str]:
    """A line for each assignment: its points, minutes and title."""
    return [_line(homework.assignment(name)) for name in homework.names()]


def write_course(names: Sequence[str] = (), root: Path | None = None) -> list[str]:
    """Write the students' notebooks of these assignments (all by default) into the checkout; a line for each file.

    FileNotFoundError outside a checkout: there `write_versions` is what is wanted.
    """
    root = root or root_of(Path.cwd())
    url = address(root)
    files = {root / path_of(one): as_text(build.student(one, url=url)) for one in _chosen(names)}
    return _written(files, root)


def write_versions(names: Sequence[str], out: Path, variant: str = "") -> list[str]:
    """Write the student's version, the solution and the grader's comparison of each assignment into a folder."""
    files = {}
    for one in _chosen(names):
        files[out / "student" / f"{one.stem}.ipynb"] = as_text(build.student(one, variant))
        files[out / "solution" / f"{one.stem}_solution.ipynb"] = as_text(build.solution(one, variant))
        compared = json.dumps(build.comparison(one, variant), ensure_ascii=False, indent=1)
        files[out / "grader" / f"{one.name}.json"] = compared + "\n"
    return _written(files, out)


def write_students(
    names: Sequence[str], out: Path, students: Iterable[str], variant_of: Callable[[str], str]
) -> list[str]:
    """Write each student's own notebook: `OUT/students/<stem>/<student>.ipynb`, named as the grader wants them back."""
    students = list(students)
    files = {
        out / "students" / one.stem / f"{student}.ipynb": as_text(build.student(one, variant_of(student)))
        for one in _chosen(names)
        for student in students
    }
    return _written(files, out)


def roster(path: Path) -> list[str]:
    """The students in a file, one a line. ValueError names the line that cannot be a file's name or stands twice."""
    students: list[str] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf8").splitlines(), start=1):
        student = line.strip()
        if not student:
            continue
        if not STUDENT.fullmatch(student):
            raise ValueError(
                f"{path}, line {number}: {student!r} cannot name a file. Write letters, digits and . _ @ - only."
            )
        if student in students:
            raise ValueError(f"{path}, line {number}: {student} stands there twice.")
        students.append(student)
    if not students:
        raise ValueError(f"{path} names no student: write one a line.")
    return students


def path_of(assignment: Assignment) -> str:
    """Where a checkout has an assignment's notebook, from its root."""
    return f"{FOLDER}/{assignment.stem}.ipynb"


def _chosen(names: Sequence[str]) -> list[Assignment]:
    return [homework.assignment(name) for name in names or homework.names()]


def _line(one: Assignment) -> str:
    points = f"{one.automatic} points from checks, {one.people} from people" if one.graded else "not graded"
    return f"{one.name}: {one.title} ({points}, {one.minutes} minutes)"


def _written(files: dict[Path, str], root: Path) -> list[str]:
    """Write what differs. A file that is right already keeps its time, so that nothing is built again because of it."""
    lines = []
    for path, text in files.items():
        same = path.is_file() and path.read_bytes() == text.encode("utf8")
        if not same:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        lines.append(f"{path.relative_to(root)} {'unchanged' if same else 'written'}")
    return lines
