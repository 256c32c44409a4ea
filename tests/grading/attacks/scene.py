"""What every attack is made of: a scene that the attacker knows or guesses, a submission to hand in, and what he is after."""

import ast
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from textwrap import dedent, indent

# What an attack is after; the runner measures each in its own way, in both columns alike.
POINTS = "points"  # points for wrong answers
LEAK = "leak"  # a secret, or a hidden input, in what the grader prints or writes
FILE = "file"  # a file written outside
DISK = "disk"  # more than 100 MB written
PROCESS = "process"  # a process that outlives the grading, or thousands of them
NETWORK = "network"  # a connection
HANG = "hang"  # no end
MEMORY = "memory"  # a grader that grows
DENIAL = "denial"  # somebody else, or nobody, is graded any more
RAW = "raw"  # text of the student's that acts in the reader's browser, spreadsheet or terminal


@dataclass(frozen=True)
class Scene:
    """Where an attack is set. `notebook` is what students get, with the outputs of right answers stored in its check cells.

    `question` and `function` are the attack's target; `solved` is the notebook with every answer, `other` a solved one of
    another assignment. `outside` and `home` are folders of the grader's that no submission should reach.
    """

    notebook: dict
    solved: dict
    other: dict
    stem: str
    question: str
    function: str
    zeros: str  # an expression for a wrong answer of the right form, from the list `arguments`
    pairs: str  # a question whose answer is rows of texts and a dictionary, for objects that lie when compared
    submissions: Path
    outside: Path
    home: Path
    secret: Path
    victim: str
    port: int
    token: str
    variable: str = "COURSE_TOKEN"

    @property
    def victim_file(self) -> Path:
        """The honest submission that others would like to read."""
        return self.submissions / self.victim / f"{self.stem}.ipynb"


@dataclass
class HandIn:
    """A submission being made: a notebook and the folder that it is handed in with."""

    scene: Scene
    student: str
    slug: str
    notebook: dict = field(init=False)

    def __post_init__(self) -> None:
        self.notebook = copy.deepcopy(self.scene.notebook)

    @property
    def folder(self) -> Path:
        """The submission's folder, made when it is first asked for."""
        path = self.scene.submissions / self.student
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def mark(self) -> Path:
        """The file outside that this attack would write."""
        return self.scene.outside / self.slug

    def fill(self, code: str) -> str:
        """The code with $question, $function, $mark … replaced by what they are in this scene."""
        scene = self.scene
        names = {
            "question": scene.question, "function": scene.function, "mark": self.mark, "slug": self.slug,
            "token": scene.token, "port": scene.port, "variable": scene.variable, "secret": scene.secret,
            "victim": scene.victim_file, "submissions": scene.submissions, "home": scene.home,
            "folder": scene.submissions / self.student,
            "outside": scene.outside, "stem": scene.stem, "zeros": scene.zeros,
        }  # fmt: skip
        return Template(dedent(code).strip("\n") + "\n").safe_substitute(names)

    def answer(self, code: str, question: str = "") -> None:
        """Write the code into an answer cell."""
        question = question or self.scene.question
        cell = next(
            cell for cell in self.notebook["cells"] if cell["metadata"].get("rlhw", {}).get("answer") == question
        )
        cell["source"] = f"# answer: {question}\n{self.fill(code)}"

    def call(self, body: str, before: str = "", question: str = "", function: str = "") -> None:
        """Answer with a function of this body; its arguments are the list `arguments`."""
        head = f"def {function or self.scene.function}(*arguments, **named):\n"
        self.answer(dedent(before) + head + indent(dedent(body).strip("\n"), "    "), question)

    def beside(self, name: str, text: str | bytes) -> Path:
        """A file beside the notebook."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else self.fill(text).encode())
        return path

    def checks(self, question: str = "") -> list[dict]:
        """The check cells, of one question or of all."""
        return [
            cell
            for cell in self.notebook["cells"]
            if check_of(cell)[:1] == (question,) or (not question and check_of(cell))
        ]

    def save(self) -> None:
        """Write the notebook into the folder, unless the attack has put something else there."""
        path = self.folder / f"{self.scene.stem}.ipynb"
        if not any(self.folder.glob("*.ipynb")):
            path.write_text(json.dumps(self.notebook), encoding="utf8")


@dataclass(frozen=True)
class Attack:
    """One hostile or broken submission. `build` makes it; it may put files anywhere below the folder of submissions.

    `student` is its file's name where that is part of the attack. `raw` is the text that would act in a reader's program,
    `whole` says that `build` wrote all there is: no notebook is added.
    """

    name: str
    tries: str
    gain: str
    build: Callable[[HandIn], None]
    student: str = ""
    raw: str = ""
    whole: bool = False

    def hand_in(self, scene: Scene) -> HandIn:
        """Build it into the folder of submissions."""
        made = HandIn(scene, self.student or self.name, self.name)
        self.build(made)
        if not self.whole:
            made.save()
        return made


def cell(name: str, tries: str, gain: str, code: str, **more: str) -> Attack:
    """An attack whose answer cell does it all."""
    return Attack(name, tries, gain, lambda hand: hand.answer(code), **more)


def call(name: str, tries: str, gain: str, body: str, before: str = "", **more: str) -> Attack:
    """An attack by the function that is asked for, when it is called."""
    return Attack(name, tries, gain, lambda hand: hand.call(body, before), **more)


def check_of(cell: dict) -> tuple[str, str] | tuple[()]:
    """Question and part of a check cell: `rlhw.check("hw2-gae", gae, "nan at the padding")`. Empty for any other cell."""
    source = "".join(cell.get("source", ""))
    if cell.get("cell_type") != "code" or not source.lstrip().startswith("rlhw.check("):
        return ()
    call = ast.parse(source.strip(), mode="eval").body
    return call.args[0].value, call.args[2].value


def with_outputs(notebook: dict) -> dict:
    """The notebook as it is after a right run: each check cell holds its "ok", every code cell has been run."""
    notebook = copy.deepcopy(notebook)
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = number + 1, []
            if check := check_of(cell):
                text = "{}, {}: ok\n".format(*check)
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    return notebook
