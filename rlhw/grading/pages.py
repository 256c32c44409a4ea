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


def to_read(result: Result, assignment: Assignment, cells: Mapping[str, str] | None = None) -> str:
    """The page for the people who mark: the student's prose, as text, beside the rubric and the marked samples.

    `cells` is the code that was handed in, by question: prose may speak of it.
    """
    answers = [(asked, answer_text(result.written.get(asked.name, ""))) for asked in assignment.written]
    return _template("to_read.html").render(
        assignment=assignment,
        result=result,
        student=shown(result.student),
        answers=answers,
        code={name: code_text(source) for name, source in (cells or {}).items()},
    )


def answer_text(source: str) -> str:
    """A prose answer line by line without its mark, invisible signs made visible, line breaks kept."""
    lines = _lines(source)
    return "\n".join(lines[1:] if lines[0].startswith("<!-- answer:") else lines).strip()


def code_text(source: str) -> str:
    """Code as it stands, tabs as four spaces, invisible signs made visible."""
    return "\n".join(_lines(source.replace("\t", "    "))).rstrip()


def _lines(source: str) -> list[str]:
    return [tables.visible(line) for line in source.replace("\r\n", "\n").split("\n")]


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
