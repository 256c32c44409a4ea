"""The notebook that nbval runs for grading: pristine, with no word of the submission in it.

Check cells stand there word for word, with the output of a right answer. The setup cell is replaced by an import of
`trusted` under the name `rlhw`, and each answer cell by lines that fetch what the student's cell bound, from the sandbox.
"""

from rlhw.homework import build
from rlhw.homework.assignment import Asked, Assignment
from rlhw.homework.cells import CHECK_OUTPUT, code

IMPORT = "from rlhw.grading import trusted as rlhw"


def notebook(assignment: Assignment, variant: str = "") -> dict:
    """The grader's notebook as JSON. RuntimeError when a check cell is not made so that nbval compares its output."""
    pristine = {cell["id"]: cell for cell in build.graded(assignment, variant)["cells"]}
    cells = [code("setup", IMPORT)]
    for item in assignment.asked:
        cells.append(code(f"{item.question}-answer", _fetch(item)))
        checks = [cell for identity, cell in pristine.items() if identity.startswith(f"{item.question}-check-")]
        cells += [_checked(cell) for cell in checks]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _fetch(item: Asked) -> str:
    return "\n".join(f'{name} = rlhw.answer("{item.question}", "{name}")' for name in item.binds)


def _checked(cell: dict) -> dict:
    """The check cell as if it had been run: nbval compares nothing in a cell without a count, or without its tag."""
    if CHECK_OUTPUT not in cell["metadata"].get("tags", []) or not cell["outputs"]:
        raise RuntimeError(f"check cell {cell['id']} has no tag or no output: it would pass whatever it printed.")
    return {**cell, "execution_count": 1}
