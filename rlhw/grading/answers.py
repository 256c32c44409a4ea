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

MOST_CELLS, MOST_ANSWER, MOST_TOGETHER = 2000, 200_000, 1_000_000
_CODE_MARK = re.compile(r"\s*#\s*answer:\s*([\w-]+)\s*")
_ID = re.compile(r"([\w-]+)-answer")
_TEXT_MARK = re.compile(r"\s*<!--\s*answer:\s*([\w-]+)\s*-->\s*")


@dataclass(frozen=True)
class Answered:
    """Source text by question in `cells` (the order of the assignment), prose by name in `written`.

    `remarks` are sentences of ours on what a person should look at.
    """

    cells: dict[str, str]
    written: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read(packed: Packed, assignment: Assignment) -> Answered:
    """Take the answers out of a notebook's bytes. Unreadable: no notebook, too large, or one of another assignment."""
    notebook = strict_json(packed.data)
    cells = _cells(notebook)
    labelled = _belongs(notebook, assignment)
    code, prose = [item.question for item in assignment.asked], [item.name for item in assignment.written]
    found, remarks = _found(cells, {**dict.fromkeys(code, "code"), **dict.fromkeys(prose, "")})
    if not labelled:
        if not found:
            raise Unreadable(f"This is no notebook of {assignment.name}: it holds none of its answer cells.")
        remarks.append("The notebook does not say which assignment it is; it was read as this one.")
    for name in (*code, *prose):
        if name not in found:
            remarks.append(f"The answer cell for {name} is missing; it counts as unanswered.")
        elif len(found[name]) > MOST_ANSWER:
            remarks.append(f"The answer to {name} is longer than {MOST_ANSWER} characters; it counts as unanswered.")
            del found[name]
    if sum(map(len, found.values())) > MOST_TOGETHER:
        raise Unreadable(f"The answers together are longer than {MOST_TOGETHER} characters.")
    stubs = _stubs(assignment)
    return Answered(
        {name: found.get(name, stubs[name]) for name in code},
        {name: _prose(found.get(name, ""), stubs[name]) for name in prose},
        (*packed.remarks, *remarks),
    )


def _found(cells: list[dict], kinds: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """(text by name, remarks): each answer cell there is."""
    found, repeated = {}, []
    for cell in cells:
        name = _name(cell, kinds)
        if name in found:
            repeated.append(name)
        if name:
            found[name] = _text(cell["source"])
    return found, [f"There are several answer cells for {name}; the last one counts." for name in dict.fromkeys(repeated)]


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


def _belongs(notebook: dict, assignment: Assignment) -> bool:
    """Whether it says that it is this assignment's. Unreadable when it says that it is another one's."""
    said = _ours(notebook).get("assignment")
    if said is not None and said != assignment.name:
        raise Unreadable(f"The notebook belongs to another assignment than {assignment.name}.")
    return said is not None


def _ours(thing: dict) -> dict:
    metadata = thing.get("metadata")
    ours = metadata.get("rlhw") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def _name(cell: dict, kinds: dict[str, str]) -> str:
    """The question or written name that a cell answers, or nothing. Code counts in code cells only."""
    ours, first = _ours(cell), _text(cell["source"]).split("\n", 1)[0]
    by_id = _ID.fullmatch(str(cell.get("id", "")))
    marked = _CODE_MARK.fullmatch(first) or _TEXT_MARK.fullmatch(first)
    for claim in (ours.get("answer"), ours.get("written"), by_id and by_id[1], marked and marked[1]):
        if isinstance(claim, str) and kinds.get(claim) in ("", cell.get("cell_type")):
            return claim
    return ""


def _text(source: str | list[str]) -> str:
    text = source if isinstance(source, str) else "".join(source)
    # Half a surrogate pair is no character: JSON can name it, UTF-8 cannot hold it.
    return text.encode("utf8", "replace").decode("utf8").replace("\r\n", "\n")


def _stubs(assignment: Assignment) -> dict[str, str]:
    """The text of every answer cell as students get it."""
    cells = {cell["id"]: _text(cell["source"]) for cell in build.student(assignment)["cells"]}
    return {found[1]: text for identity, text in cells.items() if (found := _ID.fullmatch(identity))}


def _prose(text: str, stub: str) -> str:
    """What the student wrote: without our mark, and empty where nothing was changed."""
    if text.strip() == stub.strip():
        return ""
    first, _, rest = text.partition("\n")
    return (rest if _TEXT_MARK.fullmatch(first) else text).strip()
