"""Where the attacks are set: the assignment's notebooks, a folder of submissions, secrets, and what a leak would look like."""

import ast
import base64
import copy
import json
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from rlhw import exercises, homework
from rlhw.homework import build
from tests.grading.attacks import Scene

VICTIM = "vera-victim"
OTHER = {"hw0": "hw0", "hw1": "hw0", "hw2": "hw0"}
ZEROS = {"hw2-gae": "[np.zeros(np.shape(arguments[0]))] * 2", "b4-importance-sampling": "np.zeros(2)"}


@dataclass(frozen=True)
class Canaries:
    """Random words of this run, by where they stand. None may come out again."""

    environment: str
    secret: str
    submission: str

    @classmethod
    def fresh(cls) -> "Canaries":
        """New words."""
        return cls(*(f"canary{kind}{secrets.token_hex(12)}" for kind in "esn"))


def joined(notebook: dict) -> dict:
    """The notebook with every source as one string."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def target(notebook: dict, preferred: str) -> tuple[str, str]:
    """Question and function that the attacks answer: the preferred question, else the last one that asks for a function."""
    found = {}
    for cell in notebook["cells"]:
        question = cell["metadata"].get("rlhw", {}).get("answer")
        functions = (
            [node.name for node in ast.parse(cell["source"]).body if isinstance(node, ast.FunctionDef)]
            if question
            else []
        )
        if functions:
            found[question] = functions[0]
    question = preferred if preferred in found else list(found)[-1]
    return question, found[question]


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def set_up(root: Path, assignment: str, canaries: Canaries, token: str) -> Scene:
    """Make the folders, the secret and the victim's submission, and return the scene."""
    source = homework.assignment(assignment)
    plain, solved = joined(build.graded(source)), joined(build.solution(source))
    solved["cells"] = [cell for cell in solved["cells"] if not cell["id"].endswith(("-mistakes", "-rubric"))]
    for name in ("submissions", "outside", "home", "tmp", "secrets"):
        (root / name).mkdir(parents=True)
    for name in ("outside", "home", "tmp"):
        os.chmod(root / name, 0o777)
    secret = root / "secrets" / "term.txt"
    secret.write_text(f"{canaries.secret}\n", encoding="utf8")
    secret.chmod(0o600)
    question, function = target(plain, f"{assignment}-gae")
    other = joined(build.solution(homework.assignment(OTHER[assignment])))
    scene = Scene(
        notebook=plain, solved=solved, other=other, stem=source.stem, question=question, function=function, zeros=ZEROS[question],
        pairs=f"{assignment}-comparisons", submissions=root / "submissions", outside=root / "outside", home=root / "home",
        secret=secret, victim=VICTIM, port=free_port(), token=token,
    )  # fmt: skip
    victim = copy.deepcopy(solved)
    for cell in victim["cells"]:
        if cell["metadata"].get("rlhw", {}).get("answer"):
            cell["source"] += f"\n# {canaries.submission}"
    scene.victim_file.parent.mkdir()
    scene.victim_file.write_text(json.dumps(victim), encoding="utf8")
    return scene


def environment(scene: Scene, root: Path, canaries: Canaries) -> dict[str, str]:
    """The environment of both columns: nothing of this session but the path, a canary, and a home of its own."""
    keep = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "LANG") if key in os.environ}
    # A cache of fonts that is made anew takes seconds.
    fonts = Path(matplotlib.get_cachedir())
    if fonts.is_dir() and not (root / "home" / "matplotlib").exists():
        shutil.copytree(fonts, root / "home" / "matplotlib", dirs_exist_ok=True)
    return keep | {
        "MPLCONFIGDIR": str(root / "home" / "matplotlib"),
        "HOME": str(root / "home"), "TMPDIR": str(root / "tmp"), "OMP_NUM_THREADS": "1", scene.variable: canaries.environment,
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def numbers_of(question: str, seeds: dict[str, int]) -> list[str]:
    """The decimal fractions among the inputs that these seeds draw, as Python writes them: long enough to be no accident."""
    asked, found = exercises.question(question), []

    def gather(value: object) -> None:
        if isinstance(value, float | np.floating):
            found.append(repr(float(value)))
        elif isinstance(value, np.ndarray):
            gather(value.tolist())
        elif isinstance(value, list | tuple):
            for entry in value:
                gather(entry)

    for part, seed in seeds.items():
        for cases in exercises.draw_part(asked, part, seed).values():
            gather(cases)
    return sorted({text for text in found if len(text) > 12})


def disguises(word: str) -> list[bytes]:
    """The word as it is, reversed, in hexadecimal and in base64, wherever in a longer text it stood."""
    raw = word.encode()
    inner = [base64.b64encode(b" " * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, raw[::-1], raw.hex().encode(), *inner]


def leaks(text: bytes, words: list[str]) -> list[str]:
    """Which of the words stand in the text, in any disguise."""
    return [word for word in words if any(form in text for form in disguises(word))]
