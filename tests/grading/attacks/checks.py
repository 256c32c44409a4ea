"""Attacks on the check cells: edited, removed, doubled, saved again, cleared, tagged, hidden behind another cell's name.

Each leaves a wrong answer in its place. Under plain nbval the notebook that is handed in says what is checked.
"""

import ast
import copy

from .scene import POINTS, Attack, HandIn, check_of


def edited(hand: HandIn) -> None:
    for cell in hand.checks():
        cell["source"] = f'print("{", ".join(check_of(cell))}: ok")'


def edited_answer_beside(hand: HandIn) -> None:
    """The call stays as it was; the line before it hands over something else."""
    for cell in hand.checks():
        cell["source"] = (
            f"import builtins; rlhw.check = lambda n, a, p='', **k: print(f'{{n}}, {{p}}: ok')\n{cell['source']}"
        )


def removed(hand: HandIn) -> None:
    hand.notebook["cells"] = [cell for cell in hand.notebook["cells"] if not check_of(cell)]


def to_markdown(hand: HandIn) -> None:
    for cell in hand.checks():
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]


def doubled(hand: HandIn) -> None:
    """A second cell under the same id prints the line; the first becomes text that looks the same."""
    cells = []
    for cell in hand.notebook["cells"]:
        if check := check_of(cell):
            twin = copy.deepcopy(cell) | {"source": f'print("{", ".join(check)}: ok")'}
            raw = {key: cell[key] for key in ("id", "metadata", "source")} | {"cell_type": "raw"}
            cells += [raw, twin | {"id": cell["id"] + "-1"}]
        else:
            cells.append(cell)
    hand.notebook["cells"] = cells


def saved_again(hand: HandIn) -> None:
    """The notebook is run with no answer in it, and saved: each check prints what is stored."""
    for cell in hand.checks():
        cell["outputs"][0]["text"] = "{}, {}: no answer yet.\n".format(*check_of(cell))
    for question in dict.fromkeys(check_of(cell)[0] for cell in hand.checks()):
        call = ast.parse(hand.checks(question)[0]["source"], mode="eval").body
        names = [node.id for node in ast.walk(call.args[1]) if isinstance(node, ast.Name)]
        hand.answer("".join(f"{name} = None\n" for name in names), question)


def saved_by_one(hand: HandIn) -> None:
    hand.call("return None")
    for cell in hand.checks(hand.scene.question):
        cell["outputs"][0]["text"] = "{}, {}: no answer yet.\n".format(*check_of(cell))


def cleared(hand: HandIn) -> None:
    for cell in hand.notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None


def untagged(hand: HandIn) -> None:
    for cell in hand.checks():
        cell["metadata"] = {"tags": []}


def skipped(hand: HandIn) -> None:
    for cell in hand.checks():
        cell["source"] = "# NBVAL_SKIP\n" + cell["source"]


def imitates_an_answer(hand: HandIn) -> None:
    """Each check cell carries the mark of an answer cell, and answers in its own way."""
    for cell in hand.checks():
        question, part = check_of(cell)
        cell["metadata"] = {"rlhw": {"answer": question}, "tags": cell["metadata"].get("tags", [])}
        cell["source"] = f"# answer: {question}\nprint('{question}, {part}: ok')"


def answer_under_every_name(hand: HandIn) -> None:
    """One cell claims to be every answer at once: by metadata, by id, by its first line; it prints all the lines."""
    lines = [f"print('{', '.join(check_of(cell))}: ok')" for cell in hand.checks()]
    for cell, line in zip(hand.checks(), lines, strict=True):
        question = check_of(cell)[0]
        cell["source"] = line
        hand.notebook["cells"].append(
            {
                "cell_type": "code", "id": f"{question}-answer", "metadata": {"rlhw": {"answer": question}},
                "source": f"# answer: {question}\n{cell['source']}", "outputs": [], "execution_count": 1,
            }
        )  # fmt: skip


def in_the_setup_cell(hand: HandIn) -> None:
    """The answers are untouched; the first code cell brings another `rlhw` along."""
    first = next(cell for cell in hand.notebook["cells"] if cell["cell_type"] == "code")
    first["source"] = hand.fill("""
        import sys
        import types

        rlhw = types.ModuleType("rlhw")
        rlhw.check = lambda name, answer, part="", variant="": print(f"{name}, {part}: ok")
        rlhw.check_notebook = rlhw.setup = lambda: None
        sys.modules["rlhw"] = rlhw
    """)


def another_assignment(hand: HandIn) -> None:
    """A solved notebook of another assignment: every check of it passes."""
    hand.notebook = copy.deepcopy(hand.scene.other)


CHECKS = (
    Attack("check-edited", "the check cells print the line themselves", POINTS, edited),
    Attack("check-preceded", "a line before each check replaces the check", POINTS, edited_answer_beside),
    Attack("check-removed", "the check cells are deleted", POINTS, removed),
    Attack("check-as-text", "the check cells are made Markdown", POINTS, to_markdown),
    Attack("check-doubled", "a twin of each check cell prints the line", POINTS, doubled),
    Attack("check-saved", "the checks are saved with the outputs of no answer", POINTS, saved_again),
    Attack("check-saved-once", "the checks of one question are saved with what its wrong answer prints", POINTS, saved_by_one),
    Attack("check-cleared", "all outputs are cleared", POINTS, cleared),
    Attack("check-untagged", "the tags that have outputs compared are removed", POINTS, untagged),
    Attack("check-skipped", "each check cell begins with NBVAL_SKIP", POINTS, skipped),
    Attack("check-as-answer", "the check cells carry the mark of answer cells", POINTS, imitates_an_answer),
    Attack("answer-everywhere", "further cells claim each answer, and checks print", POINTS, answer_under_every_name),
    Attack("setup-replaced", "the setup cell makes another rlhw", POINTS, in_the_setup_cell),
    Attack("other-assignment", "a solved notebook of another assignment", POINTS, another_assignment),
)  # fmt: skip
