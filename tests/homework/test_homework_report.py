"""`rlhw.check_notebook()` of homework: every part of the assignment, judged by the right check on what is bound now."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from homework_samples import cell, changed, own

import rlhw
from rlhw import exercises, homework, session
from rlhw.homework import build, report
from rlhw.homework.assignment import Asked

HW0 = homework.assignment("hw0")
RIGHT = {
    name: next(iter(exercises.question(asked.question).right.values())) for asked in HW0.asked for name in asked.binds
}


def half(estimates, epsilon):
    """Right where one arm is greatest, wrong with ties."""
    return exercises.question("b1-epsilon-greedy").wrong["ties unshared"].answer(estimates, epsilon)


def test_every_part_is_listed_and_judged():
    namespace = {**RIGHT, "epsilon_greedy": half, "backup": lambda *_: ...}
    namespace.pop("td_step")
    assert report.lines(build.student(HW0), {}, namespace) == [
        "b1-epsilon-greedy, one greatest arm: passed (3 of 3 points)",
        "b1-epsilon-greedy, ties: not passed (0 of 3 points)",
        "b2-bellman-backup, any process: not passed (0 of 6 points)",
        "b3-td-error, in the midst of an episode: not run yet (0 of 3 points)",
        "b3-td-error, at its end: not run yet (0 of 3 points)",
        "b4-q-learning, on the way: passed (6 of 6 points)",
        "b4-q-learning, at the end of an episode: passed (2 of 2 points)",
        "b4-importance-sampling, any episode: passed (8 of 8 points)",
        "19 of 34 points from the checks of hw0.",
    ]


def test_edited_and_removed_checks_are_named_and_fool_nobody():
    notebook = build.student(HW0)
    cell(notebook, "b2-bellman-backup-check-1")["source"] = ['print("b2-bellman-backup, any process: ok")']
    notebook["cells"].remove(cell(notebook, "b3-td-error-check-2"))
    lines = report.lines(notebook, {}, {**RIGHT, "backup": lambda *_: 0})
    assert "b2-bellman-backup, any process: not passed (0 of 6 points)" in lines
    assert "b3-td-error, at its end: passed (3 of 3 points)" in lines
    assert lines[-3:] == [
        "28 of 34 points from the checks of hw0.",
        "The check of b2-bellman-backup, any process had been edited: the right one was run.",
        "The check of b3-td-error, at its end was missing: it was put back.",
    ]


def test_outside_colab_the_session_says_which_homework_it_is():
    checked = {("b4-q-learning", "on the way"): "", ("b3-td-error", "at its end"): ""}
    lines = report.lines(None, checked, RIGHT)
    assert lines[-2:] == [
        "34 of 34 points from the checks of hw0.",
        "Before you hand in, run the whole file: pytest --nbval-lax hw0_background.ipynb",
    ]
    assert report.lines(None, {}, RIGHT) == []
    assert report.lines(None, {("ch1-score", "small logits"): ""}, RIGHT) == []
    assert report.lines({"cells": [own('rlhw.check("ch1-score", score)')]}, checked, RIGHT) == []


def test_names_are_looked_up_among_the_students_and_nowhere_else():
    asked = Asked("any", binds=("first",), expression="(len, first)")
    assert report._handed_over(asked, {"first": 1}) is report.MISSING
    assert report._handed_over(asked, {"first": 1, "len": 2}) == (2, 1)


def test_a_check_that_was_hooked_is_not_asked(monkeypatch, capsys):
    """The control: the hooked check prints ok for a wrong answer; the report judges by itself."""
    monkeypatch.setattr(exercises, "session_parts", {("b2-bellman-backup", "any process"): ""})
    monkeypatch.setattr(rlhw, "check", lambda name, answer, part="": print(f"{name}, {part}: ok"))
    rlhw.check("b2-bellman-backup", lambda *_: 0, "any process")
    assert capsys.readouterr().out == "b2-bellman-backup, any process: ok\n"
    monkeypatch.setattr(session, "namespace", lambda: {"backup": lambda *_: 0})
    rlhw.check_notebook()
    assert "b2-bellman-backup, any process: not passed (0 of 6 points)\n" in capsys.readouterr().out


def test_a_check_with_a_part_is_remembered_with_its_variant(monkeypatch, capsys):
    monkeypatch.setattr(exercises, "session_parts", {})
    monkeypatch.setattr(exercises, "session_verdicts", {})
    rlhw.check("b3-td-error", RIGHT["td_step"], "at its end", "a3f9")
    rlhw.check("b3-td-error", RIGHT["td_step"])
    assert exercises.session_parts == {("b3-td-error", "at its end"): "a3f9"}
    assert capsys.readouterr().out.startswith("b3-td-error, at its end: ok\n")


@pytest.fixture
def colab(monkeypatch):
    """Colab's kernel; returns a function that sets the notebook that its front end hands out."""
    packages = {name: ModuleType(name) for name in ("google", "google.colab", "google.colab._message")}
    packages["google.colab"]._message = packages["google.colab._message"]
    for name, package in packages.items():
        monkeypatch.setitem(sys.modules, name, package)
    monkeypatch.setattr(exercises, "session_parts", {})
    monkeypatch.setattr(exercises, "session_verdicts", {})

    def hands_out(notebook):
        packages["google.colab._message"].blocking_request = lambda *_, **__: {"ipynb": notebook}

    return hands_out


def test_in_colab_the_notebook_itself_is_looked_at(colab, monkeypatch, capsys):
    """Also where Colab has dropped every id and all metadata, and no check was run."""
    notebook = changed(build.student(HW0), b4_q_learning_check_1="rlhw.check('b4-q-learning', max, 'on the way')")
    notebook["metadata"] = {"colab": {"provenance": []}}
    for one in notebook["cells"]:
        one.pop("id")
        one["metadata"] = {"id": "x7"}
    colab(notebook)
    monkeypatch.setattr(session, "namespace", lambda: RIGHT)
    rlhw.check_notebook()
    printed = capsys.readouterr().out
    assert "34 of 34 points from the checks of hw0." in printed
    assert "The check of b4-q-learning, on the way had been edited: the right one was run." in printed


def test_the_namespace_is_ipythons_where_cells_run(monkeypatch):
    shell = SimpleNamespace(user_ns={"backup": 1})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert session.namespace() is shell.user_ns
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert session.namespace() is vars(sys.modules["__main__"])
    monkeypatch.delitem(sys.modules, "IPython")
    assert session.namespace() is vars(sys.modules["__main__"])
