"""The command `rlhw`: it answers, it refuses nonsense in one sentence with exit code 2, and it imports late."""

import re
import subprocess
import sys

import pytest

from rlhw import __version__, cli


def test_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    for verb in ("laws", "exercises", "notebooks", "cards", "label", "homework"):
        assert verb in printed


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"rlhw {__version__}\n"


# `make test` begins with `rlhw laws --mutants`; of the plain verb test_mutants.py shows what it says of two subjects.
@pytest.mark.slow
def test_laws_hold():
    """In a process of its own: the type hook of the tests would refuse the wrong arguments that the promises are about."""
    done = subprocess.run([sys.executable, "-m", "rlhw.cli", "laws"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^(\d+) of \1 laws hold$", done.stdout, re.M)


def test_exercises_list_and_prove(capsys):
    assert cli.main(["exercises", "list"]) == 0
    assert "ch1-score: The score of a softmax policy" in capsys.readouterr().out
    assert cli.main(["exercises", "prove", "ch2-recall"]) == 0
    assert "every check is proven" in capsys.readouterr().out


def test_cards(capsys):
    assert cli.main(["cards"]) == 0
    assert "slips_01: The slips of chapter 1, measured" in capsys.readouterr().out
    assert cli.main(["cards", "slips_01"]) == 0
    assert "| what | measured | known answer or bound |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["cards", "nothing"], "there is no card 'nothing'"),
        (["exercises", "prove", "ch9-scor"], "there is no question 'ch9-scor'"),
        (["notebooks", "set-repository", "nowhere"], "https"),
    ],
)
def test_nonsense_gets_one_sentence_and_exit_code_2(command, sentence, capsys):
    assert cli.main(command) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.startswith("rlhw: ")
    assert captured.err.count("\n") == 1


def test_help_imports_nothing_heavy():
    code = "import sys; from rlhw import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('numpy', 'torch', 'sympy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
