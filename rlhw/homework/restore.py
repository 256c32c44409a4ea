"""A student's homework notebook with the checks that it should have, whatever has become of them.

The student's answers and own cells stay, in their order. Every check of the assignment stands right after the answer that
it checks, word for word, with the output of a right answer; what was edited, repeated or removed is named.
"""

import builtins
import re
import sys
from dataclasses import dataclass

import rlhw
from rlhw import exercises, homework
from rlhw.homework import build, cells
from rlhw.homework.assignment import Asked, Assignment
from rlhw.homework.reading import called_checks, names_of
from rlhw.repository import SETUP_MARK

TAGS = "had other tags: its own were put back."
# The names that an answer finds in the grader without defining them; `rlhw` does nothing there.
GIVEN = ("np", "rlhw")
# And what an answer can import there.
PACKAGES = frozenset({*sys.stdlib_module_names, "numpy", "torch"})
VARIANT = re.compile(r"variant\s*=\s*[\"']([0-9a-f]{1,16})[\"']")
VERSION = re.compile(r"[\w.+-]{1,40}")
HEXADECIMAL = re.compile(r"[0-9a-f]{0,16}")


@dataclass(frozen=True)
class Part:
    """A part of a question, and the id of its check cell in a restored notebook."""

    question: str
    name: str
    points: int
    cell: str

    @property
    def title(self) -> str:
        """As the check prints it."""
        return f"{self.question}, {self.name}"


@dataclass(frozen=True)
class Restored:
    """`notebook` to run, the `parts` that its check cells judge, and sentences on what differed from the original."""

    assignment: Assignment
    variant: str
    notebook: dict
    parts: tuple[Part, ...]
    remarks: tuple[str, ...]


def recognize(notebook: object) -> tuple[Assignment, str] | None:
    """The assignment and variant that a notebook belongs to; None for one that is no homework.

    Its metadata says so; where an editor has dropped it, its answer cells do, by metadata or first line.
    """
    found = _cells(notebook)
    said = cells.ours(notebook) if isinstance(notebook, dict) else {}
    name = said.get("assignment")
    if name not in homework.names():
        # Most of its answer cells decide: one may have been copied here from another homework.
        counts = {known: _marked(found, homework.assignment(known)) for known in homework.names()}
        name = max(counts, key=counts.get)
        if not counts[name]:
            return None
    return homework.assignment(name), _variant(said.get("variant"), found)


def parts_of(assignment: Assignment, variant: str = "") -> tuple[Part, ...]:
    """Every part that the assignment's checks judge, in order."""
    return tuple(
        Part(asked.question, part.name, part.points, f"{asked.question}-check-{number}")
        for asked in assignment.asked
        for number, part in enumerate(exercises.question(asked.question, variant).parts, start=1)
    )


def restore(notebook: dict, assignment: Assignment, variant: str = "") -> Restored:
    """The notebook with its pristine checks; the one handed in is left as it is."""
    pristine = {cell["id"]: cell for cell in build.graded(assignment, variant)["cells"]}
    parts = parts_of(assignment, variant)
    kept, copies = _taken_apart(_cells(notebook), parts, pristine)
    remarks = _changes(parts, copies, pristine)
    for asked in assignment.asked:
        kept, remark = _with_checks(kept, asked, assignment, pristine)
        remarks += remark
    if not any(_sets_up(cell) for cell in kept):
        remarks.append("The setup cell was missing: it was put back.")
        kept = [pristine["setup"], pristine["imports"], *kept]
    # What it prints differs from machine to machine, whether or not an editor has kept the tag that says so.
    kept = [{**cell, "metadata": pristine["setup"]["metadata"]} if _sets_up(cell) else cell for cell in kept]
    remarks += [*borrowed(kept, assignment), *unknown_there(kept, assignment), *_age(notebook)]
    whole = {**notebook, "cells": _with_ids([*kept, pristine["verdicts"]], pristine)}
    return Restored(assignment, variant, {**whole, "nbformat": 4, "nbformat_minor": 5}, parts, tuple(remarks))


def borrowed(found: list[dict], assignment: Assignment) -> list[str]:
    """A sentence for each name that an answer uses and that only a cell outside the answers defines.

    In the notebook it works. The grader takes answer cells only, and there it would not.
    """
    answers = {name: cell for cell in found if (name := _asked(cell, assignment))}
    own = [cell for cell in found if cell.get("cell_type") == "code" and all(cell is not a for a in answers.values())]
    inside = {*GIVEN, *dir(builtins)}.union(*(names_of(cells.source(cell)).bound for cell in answers.values()))
    outside = set().union(*(names_of(cells.source(cell)).bound for cell in own)) - inside
    return [
        f"The answer to {name} uses `{used}`, which stands outside the answer cells: the grader will not see it. Move it "
        "into an answer cell."
        for name, cell in answers.items()
        for used in sorted(names_of(cells.source(cell)).used & outside)
    ]


def unknown_there(found: list[dict], assignment: Assignment) -> list[str]:
    """A sentence for each package that an answer uses and that only this machine has, the grader's sandbox not."""
    answers = {name: cells.source(cell) for cell in found if (name := _asked(cell, assignment))}
    return [
        f"The answer to {name} uses the package `{package}`: the grader has only numpy, torch and Python's own modules."
        for name, source in answers.items()
        for package in sorted(names_of(source).packages - PACKAGES)
    ]


def _cells(notebook: object) -> list[dict]:
    found = notebook.get("cells") if isinstance(notebook, dict) else None
    return [cell for cell in found if isinstance(cell, dict)] if isinstance(found, list) else []


def _age(notebook: dict) -> list[str]:
    """A sentence where the notebook was built by another version: its checks may differ for that reason alone."""
    made = cells.ours(notebook).get("version")
    if not isinstance(made, str) or not VERSION.fullmatch(made) or made == rlhw.__version__:
        return []
    return [f"The notebook was built by rlhw {made}, and its checks are those of rlhw {rlhw.__version__}."]


def _asked(cell: dict, assignment: Assignment) -> str | None:
    """The checked question that a cell answers."""
    return cells.answered(cell, assignment) if cell.get("cell_type") == "code" else None


def _marked(found: list[dict], assignment: Assignment) -> int:
    return sum(cells.marked(cell, assignment) for cell in found)


def _variant(said: object, found: list[dict]) -> str:
    if isinstance(said, str) and HEXADECIMAL.fullmatch(said):
        return said
    sources = (cells.source(cell) for cell in found)
    named = (VARIANT.search(text) for text in sources if "rlhw.check(" in text)
    return next((match[1] for match in named if match), "")


def _taken_apart(
    found: list[dict], parts: tuple[Part, ...], pristine: dict
) -> tuple[list[dict], dict[str, list[dict]]]:
    """The cells that are no checks, and the copies of each check, by the id that it should have."""
    calls = {(part.question, part.name): part.cell for part in parts}
    copies = {part.cell: [] for part in parts}
    kept = []
    for cell in found:
        text = cells.source(cell).strip()
        named = [calls[call] for call in called_checks(text) if call in calls]
        if cell.get("id") in copies:
            copies[cell["id"]].append(cell)
        elif cell.get("cell_type") == "code" and named:
            for check in named:
                copies[check].append(cell)
        elif text != cells.source(pristine["verdicts"]):
            kept.append(cell)
    return kept, copies


def _changes(parts: tuple[Part, ...], copies: dict[str, list[dict]], pristine: dict) -> list[str]:
    """What has become of the checks, a sentence each; one for all where an editor has dropped every tag."""
    found = [sentence for part in parts for sentence in _change(part, copies[part.cell], pristine[part.cell])]
    if len(found) == len(parts) > 1 and all(sentence.endswith(TAGS) for sentence in found):
        return [f"Every check {TAGS}"]
    return found


def _sets_up(cell: dict) -> bool:
    return cell.get("cell_type") == "code" and cells.source(cell).startswith(SETUP_MARK)


def _change(part: Part, copies: list[dict], pristine: dict) -> list[str]:
    """What has become of a check, in a sentence; none where it is as it was. Outputs are nobody's fault."""
    subject = f"The check of {part.title}"
    if not copies:
        return [f"{subject} was missing: it was put back."]
    if len(copies) > 1:
        return [f"{subject} stood there {len(copies)} times: the right one was run, once."]
    if cells.source(copies[0]).strip() != cells.source(pristine):
        return [f"{subject} had been edited: the right one was run."]
    metadata = copies[0].get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [] if tags == pristine["metadata"]["tags"] else [f"{subject} {TAGS}"]


def _with_checks(
    kept: list[dict], asked: Asked, assignment: Assignment, pristine: dict
) -> tuple[list[dict], list[str]]:
    """The cells with the checks of a question after the last cell that answers it, and a remark where there is a reason."""
    places = [place for place, cell in enumerate(kept) if _asked(cell, assignment) == asked.question]
    stub = pristine[f"{asked.question}-answer"]
    checks = [cell for cell_id, cell in pristine.items() if cell_id.startswith(f"{asked.question}-check-")]
    if not places:
        return [*kept, stub, *checks], [f"The answer cell for {asked.question} is missing: it counts as unanswered."]
    last = places[-1]
    # Of the student's cell only the source: a tag such as nbval-skip would hide the answer from its checks.
    answer = {**stub, "source": cells.source(kept[last])}
    remark = [f"There are several answer cells for {asked.question}: the last one counts."] if len(places) > 1 else []
    return [*kept[:last], answer, *checks, *kept[last + 1 :]], remark


def _with_ids(kept: list[dict], pristine: dict) -> list[dict]:
    """Every cell with an id of its own: the assignment's cells keep theirs, and no other cell has one of these."""
    placed = [cell.get("id") for cell in kept if pristine.get(cell.get("id")) is cell]
    seen, numbered = set(), []
    for number, cell in enumerate(kept, start=1):
        cell_id = cell.get("id")
        ours = pristine.get(cell_id) is cell
        if not ours and (not isinstance(cell_id, str) or cell_id in seen or cell_id in placed):
            cell = {**cell, "id": f"own-{number}"}
        seen.add(cell["id"])
        numbered.append(cell)
    return numbered
