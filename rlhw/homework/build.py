"""Every version of an assignment's notebook, built from its one source. The same source gives the same bytes.

`student` holds stubs and no outputs. `solution` holds a right answer to each question, the outputs of the checks, and
what readers need. `graded` is the student's version with the outputs of right answers stored: what nbval compares with.
"""

from importlib.metadata import PackageNotFoundError, distribution
from json import loads
from pathlib import Path
from pprint import pformat

import rlhw
from rlhw import exercises
from rlhw.exercises.question import Question
from rlhw.homework import cells
from rlhw.homework.assignment import Asked, Assignment, Prose, Written
from rlhw.repository import CONFIG, address, setup_cell

UNKNOWN = "https://repository.invalid/rlhw"
IMPORTS = "import numpy as np"

HOW = """\
**How this notebook works.** Write each answer into the cell that begins with `# answer:`, or with `<!-- answer: … -->`
where you answer in words, and leave that first line as it is. The cells below an answer check it, a part at a time; a
part that is right prints `ok`. Everything in an answer cell counts, and nothing outside one does: put helper functions
and imports *into* the answer cells. They may use `np` and what earlier answer cells define. Add cells of your own for
experiments wherever you like.

The last cell shows how everything stands. Before you hand in, run the whole notebook from top to bottom. With rlhw, pytest
and nbval installed that is `pytest --nbval-lax` and the name of this file; in Colab, *Runtime > Run all*."""
GRADED = """\

The checks give {automatic} points, people {people} for what you write. The grader runs the same checks on other inputs,
drawn anew: an answer that fits only the inputs here earns nothing there."""
UNGRADED = """\

Nothing here is graded and nothing is handed in. The {automatic} points are for your own eyes: they show how heavy each
part is."""


def student(assignment: Assignment, variant: str = "", url: str = "") -> dict:
    """The notebook that students get: questions, stubs, checks; no outputs.

    `variant` is hexadecimal and chooses one student's version of those questions that have several. `url` is the
    repository's address in the setup cell; by default the checkout's or that of the installed package.
    Raises ValueError for a variant that is not hexadecimal.
    """
    return _notebook(assignment, variant, url, outputs=False, solved=False)


def graded(assignment: Assignment, variant: str = "", url: str = "") -> dict:
    """The student's notebook with the output of a right answer stored in each check cell."""
    return _notebook(assignment, variant, url, outputs=True, solved=False)


def solution(assignment: Assignment, variant: str = "", url: str = "") -> dict:
    """A right answer to every question, the outputs of the checks, the usual mistakes, and rubrics for the readers."""
    return _notebook(assignment, variant, url, outputs=True, solved=True)


def answer_cells(assignment: Assignment) -> list[tuple[str, str, str]]:
    """(cell id, name of the question, kind) of each answer cell in order; kind is "answer" or "written"."""
    return [
        (f"{item.question}-answer", item.question, cells.ANSWER)
        if isinstance(item, Asked)
        else (f"{item.name}-answer", item.name, cells.WRITTEN)
        for item in assignment.items
        if not isinstance(item, Prose)
    ]


def comparison(assignment: Assignment, variant: str = "") -> dict:
    """What the grader compares with, as plain data: the questions, their parts, check cells and points."""
    return {
        "assignment": assignment.name,
        "title": assignment.title,
        "version": rlhw.__version__,
        "graded": assignment.graded,
        "points": {"checks": assignment.automatic, "people": assignment.people},
        "questions": [_compared(item, variant) for item in assignment.asked],
        "written": [
            {"name": item.name, "title": item.title, "points": item.points, "minutes": item.minutes}
            for item in assignment.written
        ],
    }


def right_answer(asked: Asked, question: Question) -> str:
    """The source of the first right answer, bound to the names that the answer cell defines.

    A value for several names, `(labels, run_card)`, is taken apart in the order of the check's expression.
    """
    first = next(iter(question.right.values()))
    if callable(first):
        return question.solution
    if not asked.expression:
        return _assignment(asked.binds[0], first)
    handed = [name.strip() for name in asked.expression.strip("()").split(",")]
    values = dict(zip(handed, first, strict=True))
    return "\n".join(_assignment(name, values[name]) for name in asked.binds)


def source_address() -> str:
    """The repository's address: as the checkout's `_config.yml` states it, or as pip recorded where it came from."""
    root = Path(rlhw.__file__).parents[1]
    if (root / CONFIG).is_file():
        return address(root)
    try:
        record = loads(distribution("rlhw").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return UNKNOWN
    return record["url"].removesuffix(".git") if "vcs_info" in record else UNKNOWN


def _notebook(assignment: Assignment, variant: str, url: str, *, outputs: bool, solved: bool) -> dict:
    if variant and not set(variant) <= set("0123456789abcdef"):
        raise ValueError(f"variant must be hexadecimal digits, 0-9 and a-f, not {variant!r}")
    built, proses = _head(assignment, url), 0
    for item in assignment.items:
        if isinstance(item, Prose):
            proses += 1
            built.append(cells.markdown(f"prose-{proses}", item.text.strip()))
        elif isinstance(item, Asked):
            built += _asked(item, variant, outputs=outputs, solved=solved)
        else:
            built += _written(item, solved=solved)
    built.append(cells.markdown("end", "## How everything stands"))
    built.append(cells.code("verdicts", "rlhw.check_notebook()", cells.IGNORE_OUTPUT))
    if outputs:
        # nbval takes no output from a cell that does not say it was run.
        for count, cell in enumerate((cell for cell in built if cell["cell_type"] == "code"), start=1):
            cell["execution_count"] = count
    return {
        "cells": built,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
            "rlhw": {"assignment": assignment.name, "variant": variant, "version": rlhw.__version__},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _head(assignment: Assignment, url: str) -> list[dict]:
    points = {"automatic": assignment.automatic, "people": assignment.people}
    closing = (GRADED if assignment.graded else UNGRADED).format(**points)
    title = f"# {assignment.title}\n\n{assignment.introduction.strip()}\n\nAbout {assignment.minutes} minutes."
    return [
        cells.markdown("title", title),
        cells.markdown("how", f"{HOW}\n{closing}"),
        cells.code("setup", setup_cell(url or source_address()), cells.IGNORE_OUTPUT),
        cells.code("imports", IMPORTS),
    ]


def _asked(asked: Asked, variant: str, *, outputs: bool, solved: bool) -> list[dict]:
    question = exercises.question(asked.question, variant)
    body = right_answer(asked, question) if solved else question.stub.strip()
    text = f"{exercises.markdown(asked.question, variant)}\n\n{_parts(asked, question)}"
    made = [cells.markdown(f"{asked.question}-text", text), cells.answer(asked, body)]
    made += cells.checks(asked, question, variant, outputs=outputs)
    if solved:
        hints = "\n".join(f"- *{name}*: {wrong.hint}" for name, wrong in question.wrong.items())
        text = f"**What its check says to usual mistakes**\n\n{hints}"
        made.append(cells.markdown(f"{asked.question}-mistakes", text))
    return made


def _written(item: Written, *, solved: bool) -> list[dict]:
    head = f"**Question {item.name}: {item.title}** ({item.minutes} minutes, {item.points} points, read by people)"
    made = [cells.markdown(f"{item.name}-text", f"{head}\n\n{item.text.strip()}")]
    if not solved:
        return [*made, cells.written(item.name)]
    best = max(item.samples, key=lambda sample: sample[0], default=None)
    made.append(cells.written(item.name, best[1].strip()) if best else cells.written(item.name))
    levels = "\n".join(f"- **{level.points}**: {level.shows}" for level in item.rubric)
    samples = "".join(
        f"\n\n**A sample worth {points} of {item.points}**\n\n{_quote(text)}\n\nWhy: {why}"
        for points, text, why in item.samples
    )
    return [*made, cells.markdown(f"{item.name}-rubric", f"**For the readers of {item.name}**\n\n{levels}{samples}")]


def _parts(asked: Asked, question: Question) -> str:
    """The table of the parts with their points, and what the answer cell must define."""
    rows = "\n".join(f"| {part.name} | {part.points} |" for part in question.parts)
    names = ", ".join(f"`{name}`" for name in asked.binds)
    return f"| part | points |\n|---|---|\n{rows}\n\nYour answer cell defines {names}."


def _compared(asked: Asked, variant: str) -> dict:
    question = exercises.question(asked.question, variant)
    parts = [
        {"name": part.name, "points": part.points, "cell": f"{asked.question}-check-{number}"}
        for number, part in enumerate(question.parts, start=1)
    ]
    return {
        "name": asked.question,
        "title": question.title,
        "minutes": question.minutes,
        "stars": question.stars,
        "points": question.points,
        "binds": list(asked.binds),
        "expression": asked.handed_over,
        "parts": parts,
    }


def _assignment(name: str, value: object) -> str:
    return f"{name} = {pformat(value, width=110, sort_dicts=False)}"


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
