"""The HTML pages: feedback for a student, and answers to read for those who mark. No script, nothing fetched, all escaped."""

from collections.abc import Mapping
from functools import cache

import jinja2

from rlhw.grading import manual as marks
from rlhw.grading import sentences, tables
from rlhw.grading.names import shown
from rlhw.grading.result import GRADED, LOOK, REFUSED, Result
from rlhw.homework import Assignment


def feedback(result: Result, assignment: Assignment, manual: Mapping | None = None) -> str:
    """The page for a student. Of the student's own it holds the name only: all sentences are ours or of people who mark."""
    given = (manual or {}).get(shown(result.student), {})
    written = [(asked, *given.get(asked.name, (None, ""))) for asked in assignment.written]
    return _template("feedback.html").render(
        assignment=assignment,
        result=result,
        student=shown(result.student),
        status={GRADED: "graded", LOOK: "look", REFUSED: "refused"}[result.status],
        written=written,
        people=marks.total(manual, result.student),
        open_questions=marks.missing(manual, result.student, assignment),
        looked_at=sentences.LOOKED_AT,
        refused=sentences.refused(result),
        what_to_do=sentences.what_to_do(assignment),
    )


def to_read(result: Result, assignment: Assignment) -> str:
    """The page for the people who mark: the student's prose, as text, beside the rubric and the marked samples."""
    answers = [(asked, answer_text(result.written.get(asked.name, ""))) for asked in assignment.written]
    return _template("to_read.html").render(
        assignment=assignment, result=result, student=shown(result.student), answers=answers
    )


def answer_text(source: str) -> str:
    """A prose answer line by line without its mark, invisible signs made visible, line breaks kept."""
    lines = source.replace("\r\n", "\n").split("\n")
    if lines[0].startswith("<!-- answer:"):
        lines = lines[1:]
    return "\n".join(map(tables.visible, lines)).strip()


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlhw.grading"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["points"] = tables.number
    environment.filters["visible"] = tables.visible
    return environment.get_template(name)
