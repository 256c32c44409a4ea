"""Honest submissions: right in other ways, in other styles, from other programs, or wrong in ways that cost exactly their parts."""

import ast
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from string import Template
from textwrap import dedent

from .answers import ANOTHER_WAY, WRONG_IN_PART
from .scene import HandIn, Scene, check_of
from .styles import CHECKS_ITSELF, CLASSES, IN_PLACE, LISTS, NOTEBOOK_STYLE, TALKS, TORCH

TARGET = "hw2-gae"


@dataclass(frozen=True)
class Honest:
    """A submission with the points that it must get: those of every part but the ones in `lost`, question by question.

    An empty tuple of parts loses the whole question. `nothing` says that no part is earned.
    """

    name: str
    what: str
    build: Callable[[HandIn], None]
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nothing: bool = False
    student: str = ""
    whole: bool = False

    def hand_in(self, scene: Scene) -> HandIn:
        """Build it into the folder of submissions, from the solved notebook."""
        made = HandIn(scene, self.student or self.name, self.name)
        made.notebook = copy.deepcopy(scene.solved)
        self.build(made)
        if not self.whole:
            made.save()
        return made

    def parts(self, scene: Scene) -> set[tuple[str, str]]:
        """(question, part) of each part that it must earn."""
        every = {check_of(cell) for cell in scene.notebook["cells"] if check_of(cell)}
        if self.nothing:
            return set()
        return {(q, p) for q, p in every if q not in self.lost or (self.lost[q] and p not in self.lost[q])}


def answers(hand: HandIn) -> list[tuple[dict, str]]:
    """Each answer cell that defines a function, with the name of the last one."""
    found = []
    for cell in hand.notebook["cells"]:
        if cell["metadata"].get("rlhw", {}).get("answer"):
            names = [node.name for node in ast.parse(cell["source"]).body if isinstance(node, ast.FunctionDef)]
            found += [(cell, names[-1])] if names else []
    return found


def wrapped(code: str) -> Callable[[HandIn], None]:
    """Every function gets this code behind it; `$f` is its name."""

    def build(hand: HandIn) -> None:
        for cell, name in answers(hand):
            cell["source"] += "\n\n" + Template(dedent(code).strip()).safe_substitute(f=name)

    return build


def first(code: str) -> Callable[[HandIn], None]:
    """Every answer cell begins with this code."""

    def build(hand: HandIn) -> None:
        for cell, _ in answers(hand):
            head, rest = cell["source"].split("\n", 1)
            cell["source"] = f"{head}\n{dedent(code).strip()}\n{rest}"

    return build


def as_it_is(hand: HandIn) -> None:
    pass


def another_way(hand: HandIn) -> None:
    for question, code in ANOTHER_WAY.items():
        hand.answer(code, question)


def in_part(question: str) -> Callable[[HandIn], None]:
    def build(hand: HandIn) -> None:
        hand.answer(WRONG_IN_PART[question][1], question)

    return build


def slow(hand: HandIn) -> None:
    """A second a call in the target question, where nan stands at the padding: five calls."""
    cell, name = next((cell, name) for cell, name in answers(hand) if name == hand.scene.function)
    cell["source"] += dedent(f"""

        quick = {name}

        def {name}(*arguments):
            import time
            if any(np.isnan(a).any() for a in arguments[:1]):
                time.sleep(1.0)
            return quick(*arguments)
    """)


def cells_of_his_own(hand: HandIn) -> None:
    """Experiments between the answers: plots, errors, magics, a cell that was never finished."""
    cells = []
    for number, cell in enumerate(hand.notebook["cells"]):
        cells.append(cell)
        texts = [
            "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])",
            "1 / 0",
            "for x in",
            "!ls",
            "input('?')",
        ]
        own = {"cell_type": "code", "id": f"own-{number}", "metadata": {}, "outputs": [], "execution_count": None}
        cells.append(own | {"source": texts[number % len(texts)]})
    hand.notebook["cells"] = cells


def turned_round(hand: HandIn) -> None:
    """Everything but the setup, last question first: the checks stand above the answers."""
    cells = hand.notebook["cells"]
    at = next(number for number, cell in enumerate(cells) if cell["id"] == "imports") + 1
    hand.notebook["cells"] = cells[:at] + cells[at:][::-1]


def lost_checks(hand: HandIn) -> None:
    hand.notebook["cells"] = [cell for cell in hand.notebook["cells"] if not check_of(cell)][2:]


def from_colab(hand: HandIn) -> None:
    """Ids go into the metadata, ours are lost, outputs and a Colab kernel are there; only the first lines say what is what."""
    for number, cell in enumerate(hand.notebook["cells"]):
        del cell["id"]
        cell["metadata"] = {
            "id": f"aB3_{number}",
            "colab": {"base_uri": "https://localhost:8080/"},
            "executionInfo": {"status": "ok"},
        }
        cell["source"] = cell["source"].splitlines(keepends=True)
    hand.notebook["metadata"] |= {
        "colab": {"provenance": []},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    hand.notebook |= {"nbformat": 4, "nbformat_minor": 0}


def from_vscode(hand: HandIn) -> None:
    for number, cell in enumerate(hand.notebook["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"]["vscode"] = {"languageId": "python"}
        cell["source"] = [line + "\n" for line in cell["source"].split("\n")]
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stderr", "text": ["a warning\n"]}]
    hand.notebook["metadata"] |= {
        "kernelspec": {"name": "rlhw-env", "display_name": ".venv (3.12.4)", "language": "python"}
    }


def windows_lines(hand: HandIn) -> None:
    for cell in hand.notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


def answered_twice(hand: HandIn) -> None:
    """An older answer was copied and kept above: the last one counts."""
    number, cell = next(
        (n, c) for n, c in enumerate(hand.notebook["cells"]) if c["id"] == f"{hand.scene.question}-answer"
    )
    older = copy.deepcopy(cell) | {"source": f"# answer: {hand.scene.question}\n{hand.scene.function} = None"}
    hand.notebook["cells"].insert(number, older)


def untouched(hand: HandIn) -> None:
    hand.notebook = copy.deepcopy(hand.scene.notebook)


def broken_answer(hand: HandIn) -> None:
    hand.answer("def f(:\n    return", hand.scene.question)


def endless_answer(hand: HandIn) -> None:
    hand.call("while True:\n    pass")


def helpers_in_the_first(hand: HandIn) -> None:
    """A helper that stands in the first answer cell is used in the last."""
    (head, _), *_, (last, name) = answers(hand)
    head["source"] += "\n\n\nclass Helper:\n    def __call__(self, value):\n        return value\n"
    last["source"] += f"\n\n\ninner = {name}\n{name} = lambda *arguments: Helper()(inner(*arguments))\n"


def as_a_zip(hand: HandIn) -> None:
    import zipfile

    path = hand.scene.submissions / f"{hand.student}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{hand.scene.stem}.ipynb", json.dumps(hand.notebook))


def as_a_file(hand: HandIn) -> None:
    path = hand.scene.submissions / f"{hand.student}.ipynb"
    path.write_text(json.dumps(hand.notebook, ensure_ascii=False, indent=1), encoding="utf8")


def partial_credit() -> tuple[Honest, ...]:
    return tuple(
        Honest(f"partly-{question}", f"wrong in some parts of {question}", in_part(question), {question: lost})
        for question, (lost, _) in WRONG_IN_PART.items()
    )


HONEST: tuple[Honest, ...] = (
    Honest("solution", "the solution", as_it_is),
    Honest("another-way", "other right answers", another_way),
    Honest("lists", "lists instead of arrays", wrapped(LISTS)),
    Honest("torch", "torch inside", wrapped(TORCH)),
    Honest("talks", "prints, warns and logs at each call", wrapped(TALKS)),
    Honest("classes", "classes, partial functions, bound methods", wrapped(CLASSES)),
    Honest("in-place", "writes into its arguments", wrapped(IN_PLACE)),
    Honest("slow", "a second a call", slow),
    Honest("own-cells", "cells of the student's own between the answers", cells_of_his_own),
    Honest("turned-round", "the cells are in another order", turned_round),
    Honest("lost-checks", "the check cells and the first cells were deleted by accident", lost_checks),
    Honest("colab", "saved by Colab", from_colab),
    Honest("vscode", "saved by VS Code", from_vscode),
    Honest("windows", "lines end as on Windows", windows_lines),
    Honest("answered-twice", "an older answer stands above", answered_twice),
    Honest("notebook-style", "magics, imports, seeds in the answer cells", first(NOTEBOOK_STYLE)),
    Honest("checks-itself", "checks are called in the answer cells", wrapped(CHECKS_ITSELF)),
    Honest("helper", "a helper of the first answer cell is used in the last", helpers_in_the_first),
    Honest("zip", "handed in as an archive", as_a_zip, whole=True),
    Honest("file", "handed in as a file, with a name that is not ASCII", as_a_file, student="Ñandú Ødegård-李", whole=True),
    Honest("untouched", "nothing was answered", untouched, nothing=True),
    Honest("broken", "one answer is no program", broken_answer, {TARGET: ()}),
    Honest("endless", "one answer never ends", endless_answer, {TARGET: ()}),
    *partial_credit(),
)  # fmt: skip
