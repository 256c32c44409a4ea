"""What pages say of homework and of teaching plans, read from where it is decided.

    ```{homework} hw1
    ```

is the table of an assignment's questions, from ``rlhw.homework``. ``{rubrics} hw1`` lists what people mark by. And

    ```{plan}
    1 | 01_policy_gradient, 02_reinforce_bandit | hw1 goes out | what is done in class
    ```

is a plan, a week a line. The minutes of a chapter are those that its own opening states, those of homework its questions'.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

ERRORS = (ImportError, AttributeError, LookupError, ValueError, TypeError, OSError)
TIME = re.compile(r"\*\*Time\*\*: (\d+) minutes to read, (\d+) for the exercises, (\d+) for \[the notebook\]")
TITLE = re.compile(r"^# (.+)$", re.M)
ASSIGNMENT = re.compile(r"\bhw\d+\b")


@dataclass(frozen=True)
class Chapter:
    """A chapter as a plan needs it: its stem, its title up to a colon, and its minutes."""

    stem: str
    title: str
    read: int
    exercises: int
    notebook: int

    @property
    def link(self) -> str:
        """A Markdown link to the chapter; those of the walk with their number."""
        number = f"{int(self.stem[:2])} " if self.stem[:2].isdigit() else ""
        return f"[{number}{self.title}]({self.stem}.md)"


def chapter(folder: Path, stem: str) -> Chapter:
    """Read a chapter's opening; ValueError says what is missing."""
    path = folder / f"{stem}.md"
    if not path.is_file():
        raise ValueError(f"there is no chapter {stem!r}: {path.name} is not among the book's pages")
    text = path.read_text(encoding="utf-8")
    time, title = TIME.search(text), TITLE.search(text)
    if not (time and title):
        raise ValueError(f"{path.name} does not open with a title and a line '**Time**: N minutes to read, …'")
    return Chapter(stem, title[1].partition(":")[0], *map(int, time.groups()))


def hours(minutes: int) -> str:
    """Return minutes as one says them: 45 min, 2 h, 17 h 5 min."""
    whole, rest = divmod(minutes, 60)
    return " ".join([f"{whole} h"] * (whole > 0) + [f"{rest} min"] * (rest > 0 or whole == 0))


def question_rows(assignment: object) -> list[str]:
    """One row a question: title and difficulty, parts with their points, minutes, points; a last row with the sums."""
    exercises = importlib.import_module("rlhw.exercises")
    rows = []
    for item in assignment.items:
        if hasattr(item, "question"):
            asked = exercises.question(item.question)
            parts = ", ".join(f"{part.name} ({part.points})" for part in asked.parts)
            stars = "★" * asked.stars + "☆" * (3 - asked.stars)
            spoken = (
                f'<span class="question-stars" role="img" aria-label="difficulty {asked.stars} of 3">{stars}</span>'
            )
            rows.append(f"| {asked.title} {spoken} | {parts} | {asked.minutes} | {asked.points} |")
        elif hasattr(item, "rubric"):
            rows.append(f"| {item.title} | read by people | {item.minutes} | {item.points} |")
    automatic, people = assignment.automatic, assignment.people
    whose = f"{automatic} by the machine, {people} by people" if people else "by the machine"
    ungraded = "" if assignment.graded else ", for your own eyes"
    return [*rows, f"| **In all** | {whose}{ungraded} | **{assignment.minutes}** | **{automatic + people}** |"]


def homework_table(name: str) -> list[str]:
    """Return the lines of an assignment's table."""
    assignment = importlib.import_module("rlhw.homework").assignment(name)
    # Four columns, the last two narrow: a phone shows them all.
    head = ["| question | parts, their points | min | points |", "| --- | --- | --: | --: |"]
    return head + question_rows(assignment)


def rubric_lists(name: str) -> list[str]:
    """Return, for each question that people read, its title and what an answer of so many points shows."""
    assignment = importlib.import_module("rlhw.homework").assignment(name)
    if not assignment.written:
        raise ValueError(f"{name} has no question that people read, so it has no rubric")
    lines = []
    for written in assignment.written:
        lines += [f"**{written.title}** ({written.points} points)", ""]
        lines += [f"- **{level.points}**: {level.shows}" for level in written.rubric] + [""]
    return lines


def plan_lines(lines: list[str], folder: Path) -> list[str]:
    """Return a plan as a definition list, a week an entry, and below it its minutes in all.

    A list and no table: on a phone five columns would leave a word a line. ValueError names the line that cannot be read.
    """
    written: list[str] = []
    seen: list[Chapter] = []
    assigned: dict[str, int] = {}
    for line in filter(str.strip, lines):
        cells = [cell.strip() for cell in line.split("|", 3)]
        if len(cells) != 4:
            raise ValueError(f"a week of a plan is 'week | chapters | homework | in class', not {line.strip()!r}")
        week, stems, work, in_class = cells
        chapters = [chapter(folder, stem.strip()) for stem in stems.split(",") if stem.strip()]
        seen += chapters
        for name in ASSIGNMENT.findall(work):
            assigned[name] = importlib.import_module("rlhw.homework").assignment(name).minutes
        links = ", ".join(one.link for one in chapters)
        at_home = ". ".join(filter(None, [f"{minutes(chapters)}" if chapters else "", f"**{work}**" if work else ""]))
        written += [f"Week {week}: {links}", f": *At home*: {at_home}.", "", f": *In class*: {in_class}", ""]
    work = [f"{assigned[name]} for {name}" for name in sorted(assigned)]
    total = hours(sum(sums(seen)) + sum(assigned.values()))
    return [*written, f"**Outside class, in all: {total}** ({', '.join([minutes(seen), *work])})."]


def minutes(chapters: list[Chapter]) -> str:
    """Say what some chapters take."""
    read, exercises, notebook = sums(chapters)
    return f"{read} minutes to read, {exercises} for exercises, {notebook} for notebooks"


def sums(chapters: list[Chapter]) -> tuple[int, int, int]:
    """Minutes of several chapters: to read, for exercises, for notebooks."""
    return tuple(sum(getattr(one, what) for one in chapters) for what in ("read", "exercises", "notebook"))


class FromSource(SphinxDirective):
    """Markdown that a function of this module writes; where it cannot, one warning that says why."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown into a box."""
        try:
            lines = self.lines()
        except ERRORS as error:
            logger.warning("%s.", " ".join(str(error).split()).rstrip("."), location=self.get_location())
            return []
        box = nodes.container(classes=["homework-table"])
        self.state.nested_parse(StringList(lines, source=self.name), self.content_offset, box)
        return [box]


class Homework(FromSource):
    """An assignment's questions."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return the table."""
        return homework_table(self.arguments[0])


class Rubrics(FromSource):
    """What people mark an assignment's written answers by."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return the lists."""
        return rubric_lists(self.arguments[0])


class Plan(FromSource):
    """A teaching plan, a week a line."""

    has_content = True

    def lines(self) -> list[str]:
        """Return the table; the page is made anew when a chapter's opening changes."""
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for stem in re.findall(r"[\w-]+", " ".join(line.split("|")[1] for line in self.content if "|" in line)):
            self.env.note_dependency(str(folder / f"{stem}.md"))
        return plan_lines(list(self.content), folder)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("homework", Homework)
    app.add_directive("rubrics", Rubrics)
    app.add_directive("plan", Plan)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
