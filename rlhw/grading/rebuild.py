"""The notebook that nbval runs for grading: pristine, with no word of the submission in it.

Check cells stand there word for word, with the output of a right answer. The setup cell is replaced by an import of
`trusted` under the name `rlhw`, and each answer cell by lines that fetch what the student's cell bound, from the sandbox.
"""

from rlhw.homework import build
from rlhw.homework.assignment import Asked, Assignment

IMPORT = "from rlhw.grading import trusted as rlhw"
CHECKED = "nbval-check-output"


def notebook(assignment: Assignment, variant: str = "") -> dict:
    """The grader's notebook as JSON. RuntimeError when a check cell is not made so that nbval compares its output."""
    pristine = {cell["id"]: cell for cell in build.graded(assignment, variant)["cells"]}
    cells = [_code("setup", IMPORT)]
    for item in assignment.asked:
        cells.append(_code(f"{item.question}-answer", _fetch(item)))
        checks = [cell for identity, cell in pristine.items() if identity.startswith(f"{item.question}-check-")]
        cells += [_checked(cell) for cell in checks]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _fetch(item: Asked) -> str:
    return "\n".join(f'{name} = rlhw.answer("{item.question}", "{name}")' for name in item.binds)


def _code(identity: str, source: str) -> dict:
    return {
        "cell_type": "code", "id": identity, "metadata": {}, "execution_count": None, "outputs": [], "source": source,
    }  # fmt: skip


def _checked(cell: dict) -> dict:
    # nbval compares nothing in a cell that has no tag, or looks as if it had never been run.
    if CHECKED not in cell["metadata"].get("tags", []) or not cell["outputs"] or cell["execution_count"] is None:
        raise RuntimeError(f"check cell {cell['id']} would pass whatever it printed: it needs its tag, count and output")
    return cell
