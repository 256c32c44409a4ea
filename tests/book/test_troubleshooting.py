"""The troubleshooting page: the sentences that it quotes are those that the code prints, and it says them where they belong."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from book.built_book import ROOT

PAGE = ROOT / "book" / "troubleshooting.md"
# "> `a sentence`" is ours; "> *torch:* `a sentence`" is somebody else's.
QUOTE = re.compile(r"^> (?:\*(?P<who>[^*]+):\* )?(?P<ticks>`+)(?P<words>.+?)(?P=ticks)$", re.M)
OTHERS = {"pip", "torch", "Python", "PowerShell", "macOS", "nbval"}
SOURCES = ("rlhw/**/*.py", "book/_ext/*.py", "book/_assets/*.js", "tests/conftest.py", "Makefile")
# What varies in a sentence: make's and the shell's variables, a JavaScript template's.
HOLES = re.compile(r"\$\$?\([^()]*(?:\([^()]*\)[^()]*)*\)|\$\$\w+|\$\{[^}]*\}")
# A piece that a quote is put together from is no shorter than this, unless it is all that stands between two holes.
LEAST = 8


def quotes(text: str) -> list[tuple[str, str]]:
    """(who, words) of each quote of a page; who is empty where the words are ours."""
    return [(found["who"] or "", found["words"]) for found in QUOTE.finditer(text)]


def constants(path: Path) -> list[str]:
    """The pieces of text in a source file between what varies."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return HOLES.split(text)
    return [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def covered(piece: str, pieces: list[str]) -> bool:
    """Whether a piece of a quote stands in these texts, or can be put together from parts of them."""
    if any(piece in text for text in pieces):
        return True
    reach = max((n for n in range(LEAST, len(piece)) if any(piece[:n] in text for text in pieces)), default=0)
    return reach > 0 and any(covered(piece[n:], pieces) for n in range(reach, max(LEAST, reach - 4) - 1, -1))


def said_by(words: str, pieces: list[str]) -> bool:
    """Whether one file, given as its texts, says this sentence; "…" stands for what varies."""
    between = (piece.strip(" .,;:()'") for piece in words.split("…"))
    return all(covered(piece, pieces) for piece in between if piece)


@cache
def sources() -> dict[str, list[str]]:
    return {
        path.relative_to(ROOT).as_posix(): constants(path) for pattern in SOURCES for path in sorted(ROOT.glob(pattern))
    }


def test_quotes_are_found_and_told_apart():
    page = quotes(PAGE.read_text(encoding="utf-8"))
    assert len([words for who, words in page if not who]) >= 30
    assert {who for who, _ in page if who} <= OTHERS
    # No quote is missed because it was typed another way.
    assert len(page) == sum(line.startswith(">") for line in PAGE.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("words", [words for who, words in quotes(PAGE.read_text(encoding="utf-8")) if not who])
def test_each_sentence_of_ours_stands_in_the_code(words):
    assert any(said_by(words, pieces) for pieces in sources().values()), f"no file says: {words}"


@pytest.mark.parametrize(
    ("words", "so"),
    [
        ("torch … is too old for this GPU: it supports up to …. Install a newer torch, or run on the CPU.", True),
        ("torch … is too old for this GPU: it supports up to …. Install another torch, or run on the CPU.", False),
        ("torch … is too old for that GPU: it supports up to …. Install a newer torch, or run on the CPU.", False),
        ("Nobody says this sentence of ours.", False),
    ],
)
def test_a_sentence_that_drifted_is_noticed(words, so):
    assert said_by(words, sources()["rlhw/pipeline/capability.py"]) is so


def quoted(beginning: str) -> re.Pattern[str]:
    """The page's sentence with this beginning, as a pattern in which "…" matches anything."""
    (words,) = [words for who, words in quotes(PAGE.read_text(encoding="utf-8")) if words.startswith(beginning)]
    return re.compile(".+".join(re.escape(piece) for piece in words.split("…")), re.DOTALL)


def advice_for_a_new_card():
    from rlhw.session import capability_advice

    raise RuntimeError(capability_advice((12, 0), ["sm_80", "sm_90"], "2.13.0"))


def advice_for_an_old_card():
    from rlhw.session import capability_advice

    raise RuntimeError(capability_advice((3, 5), ["sm_75", "sm_80"], "2.13.0"))


def a_mistyped_question():
    import rlhw

    rlhw.check("ch1-scor", None)


def no_sandbox():
    from rlhw.grading import sandbox

    sandbox.find(ways=())


def a_loss_that_is_not_finite():
    import torch

    from rlhw.batches import Plain
    from rlhw.training import guarded_step

    model = torch.nn.Linear(1, 1)
    loss = model(torch.ones(1)).sum() * float("nan")
    loss.backward()
    guarded_step(torch.optim.SGD(model.parameters(), 0.1), model, loss.detach(), 3, max_grad_norm=1.0, engine=Plain())


@pytest.mark.parametrize(
    ("trouble", "beginning"),
    [
        (advice_for_a_new_card, "torch … is too old"),
        (advice_for_an_old_card, "torch … no longer"),
        (a_mistyped_question, "there is no question"),
        (no_sandbox, "there is no sandbox"),
        (a_loss_that_is_not_finite, "the … of step"),
    ],
)
def test_what_the_library_says_is_what_the_page_quotes(trouble, beginning):
    with pytest.raises((ValueError, RuntimeError, ArithmeticError)) as raised:
        trouble()
    assert quoted(beginning).fullmatch(str(raised.value)), str(raised.value)


def test_what_make_says_is_what_the_page_quotes(tmp_path):
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            ["make", *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        return done.stderr.splitlines()[0]

    assert quoted("There is no book in _build/html").fullmatch(said("serve"))
    assert quoted("Python was not found").fullmatch(said("book", "PYTHON=python-of-nobody"))
