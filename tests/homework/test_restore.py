"""Whatever a student does to the checks, the restored notebook has the right ones, and says what was wrong."""

import json
import warnings
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from homework_samples import cell, changed, own, read, text

import rlhw
from rlhw import homework
from rlhw.homework import build, restore
from rlhw.homework.reading import called_checks, names_of
from rlhw.nbval_plugin import SIGNS
from rlhw.repository import executed_notebooks

HW0 = homework.assignment("hw0")
CHECK = "b1-epsilon-greedy-check-2"
TITLE = "The check of b1-epsilon-greedy, ties"
ANSWER = "# answer: b1-epsilon-greedy\ndef epsilon_greedy(estimates, epsilon):\n    return 1"


@pytest.fixture
def notebook():
    """hw0 as a student has it, with one answer given."""
    return changed(build.student(HW0), b1_epsilon_greedy_answer=ANSWER)


def check_cells(found):
    """(id, source, tags, printed) of each check, in order: all that nbval asks of them."""
    return [
        (one["id"], text(one), one["metadata"], "".join(one["outputs"][0]["text"]), one["execution_count"] is None)
        for one in found["cells"]
        if "-check-" in one["id"]
    ]


def removed(n):
    n["cells"].remove(cell(n, CHECK))


def edited(n):
    cell(n, CHECK)["source"] = ['print("b1-epsilon-greedy, ties: ok")']


def other_part(n):
    cell(n, CHECK)["source"] = ['rlhw.check("b1-epsilon-greedy", epsilon_greedy, "one greatest arm")']


def skipped_by_comment(n):
    cell(n, CHECK)["source"] = ["# NBVAL_SKIP\n", *cell(n, CHECK)["source"]]


def skipped_by_tag(n):
    cell(n, CHECK)["metadata"]["tags"].append("nbval-skip")


def without_tags(n):
    cell(n, CHECK)["metadata"] = {}


def doubled(n):
    n["cells"].append(deepcopy(cell(n, CHECK)) | {"id": "copy"})


def edited_without_id(n):
    cell(n, CHECK).update(source=['rlhw.check("b1-epsilon-greedy", lambda *_: [1, 2], "ties")'], id="x")


def as_markdown(n):
    cell(n, CHECK)["cell_type"] = "markdown"
    cell(n, CHECK).pop("outputs")


def re_saved(n):
    printed = {"name": "stdout", "output_type": "stream", "text": ["b1-epsilon-greedy, ties: not yet.\n"]}
    cell(n, CHECK).update(outputs=[printed], execution_count=3)


def moved(n):
    check = cell(n, CHECK)
    n["cells"].remove(check)
    n["cells"].insert(4, check)


DAMAGE = {
    removed: "was missing: it was put back.",
    edited: "had been edited: the right one was run.",
    other_part: "had been edited: the right one was run.",
    skipped_by_comment: "had been edited: the right one was run.",
    skipped_by_tag: "had other tags: its own were put back.",
    without_tags: "had other tags: its own were put back.",
    doubled: "stood there 2 times: the right one was run, once.",
    edited_without_id: "had been edited: the right one was run.",
    as_markdown: "",
    re_saved: "",
    moved: "",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_checks_are_the_assignments_own_whatever_was_done(damage, notebook):
    whole = check_cells(restore.restore(notebook, HW0).notebook)
    damage(notebook)
    before = deepcopy(notebook)
    found = restore.restore(notebook, HW0)
    assert check_cells(found.notebook) == whole == check_cells(build.graded(HW0))
    assert list(found.remarks) == ([f"{TITLE} {DAMAGE[damage]}"] if DAMAGE[damage] else [])
    assert notebook == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbformat.reads(json.dumps(found.notebook), as_version=4)


def test_checks_stand_right_after_their_answer_and_own_cells_where_they_were(notebook):
    cells = notebook["cells"]
    after_answer = next(n for n, one in enumerate(cells) if one["id"] == "b1-epsilon-greedy-answer") + 1
    cells.insert(after_answer, own("epsilon_greedy = lambda *_: 1", "between"))
    cells.insert(4, own("x = 1", "first"))
    cells.append(own("y = 2", "last"))
    ids = [one["id"] for one in restore.restore(notebook, HW0).notebook["cells"]]
    at = ids.index("b1-epsilon-greedy-answer")
    assert ids[at : at + 4] == ["b1-epsilon-greedy-answer", "b1-epsilon-greedy-check-1", CHECK, "between"]
    assert ids[4] == "first"
    assert ids[-2:] == ["last", "verdicts"]


def test_of_an_answer_only_the_source_is_kept(notebook):
    answer = cell(notebook, "b1-epsilon-greedy-answer")
    answer["metadata"] = {"tags": ["nbval-skip"]}
    answer.update(id="lost", outputs=[{"name": "stdout", "output_type": "stream", "text": ["hello"]}])
    found = restore.restore(notebook, HW0)
    kept = cell(found.notebook, "b1-epsilon-greedy-answer")
    assert (text(kept), kept["outputs"], "tags" in kept["metadata"]) == (ANSWER, [], False)
    assert found.remarks == ()


def test_the_last_of_two_answers_is_checked_and_a_missing_one_is_a_stub(notebook):
    notebook["cells"].append(own("# answer: b3-td-error\ntd_step = 1"))
    notebook["cells"] = [one for one in notebook["cells"] if not one["id"].startswith("b2-bellman-backup")]
    found = restore.restore(notebook, HW0)
    ids = [one["id"] for one in found.notebook["cells"]]
    # The first of the two lost its name to the last one, behind which the checks stand.
    assert text(found.notebook["cells"][ids.index("b3-td-error-check-1") - 1]).endswith("td_step = 1")
    assert ids.index("b3-td-error-check-1") > ids.index("b4-importance-sampling-check-1")
    assert text(cell(found.notebook, "b2-bellman-backup-answer")) == text(
        cell(build.student(HW0), "b2-bellman-backup-answer")
    )
    assert found.remarks == (
        "The check of b2-bellman-backup, any process was missing: it was put back.",
        "The answer cell for b2-bellman-backup is missing: it counts as unanswered.",
        "There are several answer cells for b3-td-error: the last one counts.",
    )
    assert len(set(ids)) == len(ids)


def test_an_own_cell_with_the_id_of_one_of_ours_takes_another(notebook):
    cell(notebook, "verdicts")["source"] = ["print(1)"]
    notebook["cells"].append(own("x = 1", "setup"))
    restored = restore.restore(notebook, HW0).notebook
    ids = [one["id"] for one in restored["cells"]]
    assert len(set(ids)) == len(ids)
    assert text(restored["cells"][-1]) == "rlhw.check_notebook()"
    assert ["print(1)" in text(one) for one in restored["cells"]].count(True) == 1


def test_an_editor_that_drops_all_tags_gets_one_sentence_and_a_setup_cell_that_is_not_compared(notebook):
    for one in notebook["cells"]:
        one["metadata"] = {}
    found = restore.restore(notebook, HW0)
    assert found.remarks == ("Every check had other tags: its own were put back.",)
    assert cell(found.notebook, "setup")["metadata"] == {"tags": ["nbval-ignore-output"]}


def test_a_missing_setup_cell_is_put_back(notebook):
    notebook["cells"] = [one for one in notebook["cells"] if one["id"] != "setup"]
    found = restore.restore(notebook, HW0)
    assert text(found.notebook["cells"][0]) == text(cell(build.student(HW0), "setup"))
    assert found.remarks == ("The setup cell was missing: it was put back.",)


def test_a_notebook_of_another_version_says_so(notebook):
    notebook["metadata"]["rlhw"]["version"] = "0.0.1"
    sentence = f"The notebook was built by rlhw 0.0.1, and its checks are those of rlhw {rlhw.__version__}."
    assert restore.restore(notebook, HW0).remarks == (sentence,)
    for odd in (rlhw.__version__, None, 7, "1 \x1b[2J"):
        notebook["metadata"]["rlhw"]["version"] = odd
        assert restore.restore(notebook, HW0).remarks == ()


def test_a_name_from_outside_the_answers_is_named(notebook):
    use = "\ndef epsilon_greedy(estimates, epsilon):\n    return helper(np.max(estimates), sum([torch.pi]))"
    notebook = changed(notebook, b1_epsilon_greedy_answer=f"# answer: b1-epsilon-greedy{use}")
    notebook["cells"].insert(4, own("import torch\n%time 1\ndef helper(x, y): return x\nsum = sum", "mine"))
    remarks = restore.restore(notebook, HW0).remarks
    assert [remark.split(",")[0] for remark in remarks] == [
        "The answer to b1-epsilon-greedy uses `helper`",
        "The answer to b1-epsilon-greedy uses `torch`",
    ]
    # The control: moved into an answer cell they are nobody's business.
    notebook["cells"] = [one for one in notebook["cells"] if one["id"] != "mine"]
    inside = f"# answer: b1-epsilon-greedy\nimport torch\ndef helper(x, y): return x{use}"
    assert restore.restore(changed(notebook, b1_epsilon_greedy_answer=inside), HW0).remarks == ()


@pytest.mark.parametrize(
    ("imports", "named"),
    [
        ("import scipy.special as sp", ["scipy"]),
        ("from scipy import special\nimport pandas", ["pandas", "scipy"]),
        ("def helper():\n    from rlhw.ppo import gae", ["rlhw"]),
        ("from rlhw import ppo", ["rlhw"]),
        ("import rlhw\nrlhw.check('b1-epsilon-greedy', 1)", []),
        ("def helper():\n    return rlhw.ppo.gae", ["rlhw"]),
        ("import math, torch.nn.functional as F\nfrom collections import Counter\nfrom numpy.linalg import norm", []),
    ],
)
def test_a_package_that_the_grader_lacks_is_named(notebook, imports, named):
    changes = changed(notebook, b1_epsilon_greedy_answer=f"# answer: b1-epsilon-greedy\n{imports}")
    remarks = restore.restore(changes, HW0).remarks
    assert [remark.split("`")[1] for remark in remarks] == named
    assert all(remark.startswith("The answer to b1-epsilon-greedy uses the package ") for remark in remarks)


def test_homework_is_recognized_by_metadata_or_by_its_answers(notebook):
    assert restore.recognize(notebook) == (HW0, "")
    notebook["metadata"]["rlhw"]["variant"] = "a3f9"
    assert restore.recognize(notebook) == (HW0, "a3f9")
    lost = build.student(HW0, "a3fa")
    lost["metadata"] = {}
    for number, one in enumerate(lost["cells"]):
        one.update(id=str(number), metadata={})
    assert restore.recognize(lost) == (HW0, "a3fa")
    assert [one[:2] for one in check_cells(restore.restore(lost, *restore.recognize(lost)).notebook)] == [
        one[:2] for one in check_cells(build.graded(HW0, "a3fa"))
    ]


@pytest.mark.parametrize("variant", ["../x", "xyz", 7, None, "A3F9", "0" * 17])
def test_a_variant_that_is_none_is_left_out(variant, notebook):
    notebook["metadata"]["rlhw"]["variant"] = variant
    assert restore.recognize(notebook) == (HW0, "")


@pytest.mark.parametrize(
    "other",
    [
        None,
        [],
        {},
        {"cells": 3},
        {"cells": [7, {}, {"cell_type": "code"}], "metadata": {"rlhw": {"assignment": "hw9"}}},
        {"cells": [own('rlhw.check("ch1-score", score)')]},
        {"cells": [own('rlhw.check("b1-epsilon-greedy", epsilon_greedy)')]},
    ],
)
def test_what_is_no_homework_is_not_recognized(other):
    assert restore.recognize(other) is None


@pytest.mark.parametrize("path", executed_notebooks(Path(__file__).parents[2]), ids=lambda path: path.stem)
def test_no_chapter_is_taken_for_homework(path):
    """Some chapters ask what hw0 asks, in cells with the same ids."""
    notebook = read(path)
    assert restore.recognize(notebook) is None
    assert not SIGNS.search(path.read_text(encoding="utf8"))
    if path.stem == "b1_bandits":
        assert cell(notebook, "b1-epsilon-greedy-answer")


def test_sources_are_read_and_never_run():
    assert called_checks('import os; rlhw.check("q", f, "p")') == []
    assert called_checks('rlhw.check("q", f, part="p")\nrlhw.check("q", g, "r")') == [("q", "p"), ("q", "r")]
    assert called_checks("rlhw.check(q, f, p)") == [("", "")]
    assert called_checks("other.check('q', f, 'p')") == []
    for broken in ("def (", "x = '\\p'\0", "(" * 5000):
        assert names_of(broken).bound == frozenset()
