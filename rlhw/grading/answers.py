"""The answers in a notebook: the source text of its answer cells, and nothing else of it.

A cell is known by its metadata, else by its id, else by its first line. The last of two cells for one question counts. A
question without a cell gets the stub that the assignment has. Outputs, tags, check cells and kernel are never looked at.
"""

import re
from dataclasses import dataclass, field

from rlhw.grading.files import Unreadable, strict_json
from rlhw.grading.submission import Packed
from rlhw.homework import build
from rlhw.homework.assignment import Assignment
from rlhw.homework.cells import FIRST_LINE, PLACEHOLDER, answered, source

MOST_CELLS, MOST_ANSWER, MOST_TOGETHER = 2000, 200_000, 400_000


@dataclass(frozen=True)
class Answered:
    """Source text by question in `cells` (the order of the assignment), prose by name in `written`.

    `remarks` are sentences of ours on what a person should look at. `untouched` are the questions whose cell is missing or
    still says what it said when the student got it.
    """

    cells: dict[str, str]
    written: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    untouched: frozenset[str] = frozenset()


def read(packed: Packed, assignment: Assignment, variant: str = "") -> Answered:
    """Take the answers out of a notebook's bytes. Unreadable: no notebook, too large, or one of another assignment.

    `variant` is the one that the student should have: another one in the notebook is remarked on.
    """
    notebook = strict_json(packed.data)
    found, remarks = _found(_cells(notebook), assignment)
    remarks = _label(notebook, assignment, variant, any_found=bool(found)) + remarks
    code, prose = [item.question for item in assignment.asked], [item.name for item in assignment.written]
    for name in (*code, *prose):
        if name not in found:
            remarks.append(f"The answer cell for {name} is missing; it counts as unanswered.")
        elif len(found[name]) > MOST_ANSWER:
            remarks.append(f"The answer to {name} is longer than {MOST_ANSWER} characters; it counts as unanswered.")
            del found[name]
    if sum(map(len, found.values())) > MOST_TOGETHER:
        raise Unreadable(f"The answers together are longer than {MOST_TOGETHER} characters.")
    stubs = _stubs(assignment, variant)
    cells = {name: found.get(name, stubs[name]) for name in code}
    return Answered(
        cells,
        {name: _prose(found.get(name, "")) for name in prose},
        (*packed.remarks, *remarks),
        frozenset(name for name in code if _bare(cells[name]) in ("", _bare(stubs[name]))),
    )


def _found(cells: list[dict], assignment: Assignment) -> tuple[dict[str, str], list[str]]:
    """(text by name, remarks): each answer cell there is."""
    found, repeated = {}, []
    for cell in cells:
        name = answered(cell, assignment)
        if name in found:
            repeated.append(name)
        if name:
            found[name] = _text(cell)
    return found, [
        f"There are several answer cells for {name}; the last one counts." for name in dict.fromkeys(repeated)
    ]


def _cells(notebook: object) -> list[dict]:
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise Unreadable("The file is no notebook: it does not say which format it has.")
    if notebook["nbformat"] != 4:
        raise Unreadable("The notebook has another format than 4; open it in Jupyter and save it again.")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) and _is_source(cell) for cell in cells):
        raise Unreadable("The file is no notebook: its cells are not as Jupyter writes them.")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has more than {MOST_CELLS} cells.")
    return cells


def _is_source(cell: dict) -> bool:
    source = cell.get("source")
    return isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))


def _label(notebook: dict, assignment: Assignment, variant: str, *, any_found: bool) -> list[str]:
    """Remarks on what the notebook says that it is. Unreadable when that is another assignment, or nothing and it looks it."""
    metadata = notebook.get("metadata")
    ours = metadata.get("rlhw") if isinstance(metadata, dict) else None
    ours = ours if isinstance(ours, dict) else {}
    if "assignment" not in ours:
        if not any_found:
            raise Unreadable(f"This is no notebook of {assignment.name}: it holds none of its answer cells.")
        return ["The notebook does not say which assignment it is; it was read as this one."]
    if ours["assignment"] != assignment.name:
        raise Unreadable(f"The notebook belongs to another assignment than {assignment.name}.")
    if ours.get("variant", "") != variant:
        return ["The notebook is of another variant than the one it was graded by; see --variants."]
    return []


def _text(cell: dict) -> str:
    # Half a surrogate pair is no character: JSON can name it, UTF-8 cannot hold it.
    return source(cell).encode("utf8", "replace").decode("utf8").replace("\r\n", "\n")


def _bare(text: str) -> str:
    """Code without our first line, blank lines and white space at the ends of lines: editors change these unasked."""
    first, _, rest = text.partition("\n")
    lines = (rest if FIRST_LINE.fullmatch(first) else text).split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _stubs(assignment: Assignment, variant: str) -> dict[str, str]:
    """The code of every answer cell as students get it."""
    cells = build.student(assignment, variant)["cells"]
    return {name: source(cell) for cell in cells if (name := answered(cell, assignment))}


def _prose(text: str) -> str:
    """What the student wrote: without our mark, and empty where our placeholder still stands alone."""
    words = re.sub(FIRST_LINE, "", text, count=1).strip()
    return "" if words == PLACEHOLDER else words
