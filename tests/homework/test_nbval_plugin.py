"""Plain nbval believes what the file says it should print; with the plugin a wrong answer fails, whatever was done."""

import tomllib
from pathlib import Path

import pytest
from homework_samples import cell, changed, counts, own, pytest_in, text, write

from rlhw import exercises, homework, nbval_plugin
from rlhw.homework import build, restore

ROOT = Path(__file__).parents[2]
PLAIN = ("-p", "no:rlhw-homework")
LAX = ("--nbval-lax", "--nbval-current-env")
HW0 = homework.assignment("hw0")
# The plot style, which setup() sets, takes most of a second.
SETUP = "# Setup: run this cell first.\nimport rlhw"

WRONG = {
    "b1_epsilon_greedy": "def epsilon_greedy(estimates, epsilon):\n    return estimates",
    "b2_bellman_backup": "def backup(transitions, rewards, gamma, v):\n    return v",
    "b3_td_error": "def td_step(values, *rest):\n    return values",
    "b4_q_learning": "def q_learning_step(q, *rest):\n    return q",
    "b4_importance_sampling": "other_name = 1",
}


def homework_notebook(made=build.student, answers=None) -> dict:
    """hw0 with a quick setup cell, and wrong answers."""
    answers = WRONG if answers is None else answers
    sources = {f"{name}_answer": f"# answer: {name.replace('_', '-')}\n{body}" for name, body in answers.items()}
    return changed(made(HW0), setup=SETUP, **sources)


def printed_by_wrong(name: str, part: str, answer) -> dict:
    """The output that the check of a wrong answer prints, as Jupyter stores it."""
    line = f"{name}, {part}: {exercises.verdict(name, answer, part=part).message}\n"
    return {"name": "stdout", "output_type": "stream", "text": [line]}


def tricked() -> dict:
    """Wrong answers only, and for each part another trick by which plain nbval passes it."""
    notebook = homework_notebook()
    # Edited: it prints what a right answer would.
    cell(notebook, "b1-epsilon-greedy-check-1")["source"] = ['print("b1-epsilon-greedy, one greatest arm: ok")']
    # Removed.
    notebook["cells"].remove(cell(notebook, "b1-epsilon-greedy-check-2"))
    # Run and saved: it prints the same again.
    saved = printed_by_wrong("b2-bellman-backup", "any process", lambda transitions, rewards, gamma, v: v)
    cell(notebook, "b2-bellman-backup-check-1").update(outputs=[saved], execution_count=5)
    # Outputs cleared: b3-td-error-check-1, as it is built.
    # Skipped by a tag, and by a comment; compared with nothing; an exception that is expected.
    cell(notebook, "b3-td-error-check-2")["metadata"]["tags"].append("nbval-skip")
    cell(notebook, "b4-q-learning-check-1")["source"].insert(0, "# NBVAL_SKIP\n")
    lied = {"name": "stdout", "output_type": "stream", "text": ["b4-q-learning, at the end of an episode: ok\n"]}
    ignored = {"outputs": [lied], "execution_count": 9, "metadata": {"tags": ["nbval-ignore-output"]}}
    cell(notebook, "b4-q-learning-check-2").update(ignored)
    cell(notebook, "b4-importance-sampling-check-1")["metadata"]["tags"] = ["raises-exception"]
    return notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A notebook full of tricks, one that is right where it says so, and one that is no homework."""
    right = homework_notebook(build.solution, {"b2_bellman_backup": WRONG["b2_bellman_backup"]})
    right["cells"].insert(4, own("shift = 0", "mine"))
    uses = text(cell(right, "b3-td-error-answer")).replace("updated[state] +=", "updated[state] += shift +")
    right = changed(right, b3_td_error_answer=uses)
    other = {"cells": [own("print(1)")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return write(tmp_path_factory.mktemp("homework"), tricked=tricked(), right=right, other=other)


@pytest.fixture(scope="module")
def restored(folder):
    """What pytest says with the plugin."""
    return pytest_in(folder, *LAX, "tricked.ipynb", "right.ipynb")


def tables(run) -> dict[str, list[str]]:
    """The lines of each homework table."""
    lines, found, name = run.stdout.splitlines(), {}, None
    for line in lines:
        if line.startswith("="):
            name = line.strip("= ").split(": ")[1] if line.strip("= ").startswith("homework ") else None
        elif name:
            found.setdefault(name, []).append(line)
    return found


def test_plain_nbval_passes_every_trick(folder):
    """The control: not one of these tricks is caught without the plugin."""
    run = pytest_in(folder, *PLAIN, *LAX, "tricked.ipynb")
    assert (run.returncode, counts(run)) == (0, "13 passed, 2 skipped"), run.stdout


def test_with_the_plugin_every_trick_fails(restored):
    assert restored.returncode == 1, restored.stdout + restored.stderr
    lines = tables(restored)["tricked.ipynb"]
    assert [line[:6] for line in lines[:8]] == ["FAILED"] * 8
    assert lines[8] == "0 of 34 points from the checks."
    assert lines[9:] == [
        "The check of b1-epsilon-greedy, one greatest arm had been edited: the right one was run.",
        "The check of b1-epsilon-greedy, ties was missing: it was put back.",
        "The check of b3-td-error, at its end had other tags: its own were put back.",
        "The check of b4-q-learning, on the way had been edited: the right one was run.",
        "The check of b4-q-learning, at the end of an episode had other tags: its own were put back.",
        "The check of b4-importance-sampling, any episode had other tags: its own were put back.",
    ]


def test_a_failed_part_says_what_its_check_said(restored):
    lines = tables(restored)["tricked.ipynb"]
    assert lines[0].startswith("FAILED  0 of 3  b1-epsilon-greedy, one greatest arm: not yet. ")
    assert lines[7] == "FAILED  0 of 8  b4-importance-sampling, any episode: NameError: name 'estimates' is not defined"


def test_right_answers_pass_and_what_they_borrow_is_named(restored):
    assert tables(restored)["right.ipynb"] == [
        "passed  3 of 3  b1-epsilon-greedy, one greatest arm",
        "passed  3 of 3  b1-epsilon-greedy, ties",
        "FAILED  0 of 6  b2-bellman-backup, any process: "
        + exercises.verdict("b2-bellman-backup", lambda t, r, g, v: v, part="any process").message,
        "passed  3 of 3  b3-td-error, in the midst of an episode",
        "passed  3 of 3  b3-td-error, at its end",
        "passed  6 of 6  b4-q-learning, on the way",
        "passed  2 of 2  b4-q-learning, at the end of an episode",
        "passed  8 of 8  b4-importance-sampling, any episode",
        "28 of 34 points from the checks.",
        "The answer to b3-td-error uses `shift`, which stands outside the answer cells: the grader will not see it. Move "
        "it into an answer cell.",
    ]


@pytest.mark.slow
def test_two_processes_say_the_same(folder, restored):
    run = pytest_in(folder, *LAX, "-n", "2", "--dist", "loadscope", "tricked.ipynb", "right.ipynb")
    assert (run.returncode, counts(run)) == (1, counts(restored))
    assert tables(run) == tables(restored)


def test_only_homework_under_nbval_is_touched(folder):
    """Without homework in sight the summary has no table, and nothing of rlhw is loaded but the plugin."""
    (folder / "test_light.py").write_text(
        "import sys\n\n\ndef test_light():\n"
        "    ours = [name for name in sys.modules if name.split('.')[0] == 'rlhw']\n"
        "    assert ours == ['rlhw', 'rlhw.nbval_plugin']\n",
        encoding="utf8",
    )
    try:
        run = pytest_in(folder, *LAX, "other.ipynb", "test_light.py")
        assert (run.returncode, counts(run), tables(run)) == (0, "2 passed", {}), run.stdout
    finally:
        (folder / "test_light.py").unlink()


def test_without_nbval_nothing_is_touched(folder):
    hook = nbval_plugin.pytest_collect_file(folder / "tricked.ipynb")
    next(hook)
    with pytest.raises(StopIteration) as done:
        hook.send([])
    assert done.value.value == []


@pytest.mark.slow
def test_another_nbval_is_an_error_and_never_a_silent_pass(folder):
    """A collector that does not read the notebook we hand it must not run the file's own checks."""
    (folder / "conftest.py").write_text(
        "from nbval import plugin\nimport copy\nread = plugin.IPyNbFile.collect\n\n\n"
        "def collect(self):\n    yield from read(self)\n    self.nb = copy.deepcopy(self.nb)\n\n\n"
        "plugin.IPyNbFile.collect = collect\n",
        encoding="utf8",
    )
    try:
        run = pytest_in(folder, *LAX, "tricked.ipynb")
    finally:
        (folder / "conftest.py").unlink()
    assert run.returncode == 2
    assert "update rlhw" in run.stdout


def test_the_plugin_is_registered_under_the_name_that_switches_it_off():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert project["entry-points"]["pytest11"] == {"rlhw-homework": "rlhw.nbval_plugin"}


@pytest.mark.slow
@pytest.mark.parametrize("name", homework.names())
def test_the_solution_passes_plain_nbval_and_the_students_version_passes_nothing(name, tmp_path):
    one = homework.assignment(name)
    write(tmp_path, solution=build.solution(one), student=build.student(one))
    solved = pytest_in(tmp_path, *PLAIN, *LAX, "solution.ipynb")
    assert solved.returncode == 0, solved.stdout[-3000:]
    assert "failed" not in counts(solved)
    assert "skipped" not in counts(solved)
    parts = restore.parts_of(one)
    unanswered = pytest_in(tmp_path, *LAX, "student.ipynb")
    assert unanswered.returncode == 1
    assert counts(unanswered).startswith(f"{len(parts)} failed, "), unanswered.stdout[-3000:]
    table = tables(unanswered)["student.ipynb"]
    assert [line[:6] for line in table[: len(parts)]] == ["FAILED"] * len(parts)
    assert table[len(parts)].startswith(f"0 of {one.automatic} points")
    # Nothing had been done to it: there is nothing to remark.
    assert table[len(parts) + 1 :] == []
