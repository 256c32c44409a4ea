"""The cells of a homework notebook: how each is written, and by what it is known again after a student has had it.

An answer cell is known by its metadata, then by its id, then by the comment in its first line: some editors drop the
first two. What a cell *does* is never asked here; nothing in this file runs a word of what a student wrote.
"""

import json
import re

from rlhw.exercises.question import Question
from rlhw.homework.assignment import Asked, Assignment

# The kinds of answer cells, as the key in their metadata says.
ANSWER, WRITTEN = "answer", "written"
CHECK_OUTPUT, IGNORE_OUTPUT = "nbval-check-output", "nbval-ignore-output"
PLACEHOLDER = "*Write your answer here, in place of this line.*"
FIRST_LINE = re.compile(r"\s*(?:#\s*answer:\s*([\w-]+)|<!--\s*answer:\s*([\w-]+)\s*-->)\s*")


def markdown(cell_id: str, text: str, **metadata: object) -> dict:
    """A Markdown cell."""
    return {"cell_type": "markdown", "id": cell_id, "metadata": metadata, "source": _lines(text)}


def code(cell_id: str, text: str, *tags: str, output: str = "", **metadata: object) -> dict:
    """A code cell that was not executed; with `output`, the text that it is known to print."""
    outputs = [{"name": "stdout", "output_type": "stream", "text": _lines(output)}] if output else []
    metadata = {**metadata, **({"tags": list(tags)} if tags else {})}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": metadata,
        "outputs": outputs,
        "source": _lines(text),
    }


def answer(asked: Asked, body: str) -> dict:
    """The cell that answers a question that the machine checks."""
    return code(f"{asked.question}-answer", f"# answer: {asked.question}\n{body}", rlhw={ANSWER: asked.question})


def written(name: str, body: str = PLACEHOLDER) -> dict:
    """The cell that answers a question that people read."""
    return markdown(f"{name}-answer", f"<!-- answer: {name} -->\n\n{body}", rlhw={WRITTEN: name})


def check_source(asked: Asked, part: str, variant: str = "") -> str:
    """The source of a check cell, word for word."""
    ending = f", variant={_quoted(variant)}" if variant else ""
    return f"rlhw.check({_quoted(asked.question)}, {asked.handed_over}, {_quoted(part)}{ending})"


def expected_output(question: str, part: str) -> str:
    """What the check of a right answer prints."""
    return f"{question}, {part}: ok\n"


def checks(asked: Asked, question: Question, variant: str = "", *, outputs: bool) -> list[dict]:
    """One check cell for each part; with `outputs`, those of a right answer are stored in it."""
    return [
        code(
            f"{asked.question}-check-{number}",
            check_source(asked, part.name, variant),
            CHECK_OUTPUT,
            output=expected_output(asked.question, part.name) if outputs else "",
        )
        for number, part in enumerate(question.parts, start=1)
    ]


def source(cell: dict) -> str:
    """The text of a cell; empty where it is none."""
    text = cell.get("source", "")
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def ours(thing: dict) -> dict:
    """What the metadata of a cell or notebook says under "rlhw"; empty where there is nothing of the sort."""
    metadata = thing.get("metadata")
    found = metadata.get("rlhw") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def answered(cell: dict, assignment: Assignment) -> str | None:
    """The name of the question or written question of this assignment that a cell answers; None if it answers none.

    Its metadata says so first, then its id, then its first line. What a machine checks is answered in a code cell only.
    """
    cell_id = cell.get("id")
    by_id = cell_id.removesuffix("-answer") if isinstance(cell_id, str) and cell_id.endswith("-answer") else None
    *by_metadata, by_line = _claims(cell)
    return _first_known([*by_metadata, by_id, by_line], cell, assignment)


def marked(cell: dict, assignment: Assignment) -> bool:
    """Whether a cell says in its metadata or first line that it answers this assignment.

    Ids do not count here: the chapters ask some of the same questions, and their cells have ids of the same form.
    """
    return _first_known(_claims(cell), cell, assignment) is not None


def _claims(cell: dict) -> list[object]:
    """What a cell says it answers in its metadata, twice, and in its first line."""
    first = FIRST_LINE.fullmatch(source(cell).split("\n", 1)[0])
    return [ours(cell).get(ANSWER), ours(cell).get(WRITTEN), (first[1] or first[2]) if first else None]


def _first_known(claims: list[object], cell: dict, assignment: Assignment) -> str | None:
    asked, people = {item.question for item in assignment.asked}, {item.name for item in assignment.written}
    known = asked | people if cell.get("cell_type") == "code" else people
    return next((name for name in claims if isinstance(name, str) and name in known), None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
