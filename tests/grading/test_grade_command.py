"""`rlhw grade` from outside: exit codes, what it prints, what it writes, and a run that was cut short."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import pytest

import rlhw
from rlhw import cli, homework
from rlhw.grading import batch, sandbox, similarity
from rlhw.grading.result import GRADED, LOOK, PartResult, QuestionResult, Result
from rlhw.grading.sandbox import NoSandbox, Sandbox
from rlhw.homework import build

HW0 = homework.assignment("hw0")
ROOT = Path(rlhw.__file__).parents[1]


@pytest.fixture
def folder(tmp_path):
    """Three students with right answers, one without."""
    place = tmp_path / "in"
    place.mkdir()
    for name, make in (("ann", build.solution), ("ben", build.solution), ("cy", build.student)):
        (place / f"{name}.ipynb").write_text(json.dumps(make(HW0)))
    return place


@pytest.fixture
def stand_in(monkeypatch):
    """A sandbox and a run of one submission that cost nothing: answers that differ from the stubs earn everything."""
    stubs = {item.question: "" for item in HW0.asked}
    for cell in build.student(HW0)["cells"]:
        if cell["id"].endswith("-answer"):
            stubs[cell["id"].removesuffix("-answer")] = "".join(cell["source"])

    def grade(student, answered, settings, nbval, key=""):
        full = answered.cells != {name: stubs[name] for name in answered.cells}
        questions = (QuestionResult("q", "Q", (PartResult("p", HW0.automatic, full, "" if full else "No."),)),)
        status = LOOK if answered.remarks else GRADED
        return Result(student, "hw0", status, questions, answered.remarks, answered.written, key)

    monkeypatch.setattr(batch, "grade", grade)
    # To read the whole library for it takes seconds, and has tests of its own.
    monkeypatch.setattr(similarity, "references", dict)
    monkeypatch.setattr(sandbox, "find", lambda disposable: Sandbox("none", ("false",), ("Everything stays open.",)))


def rlhw_grade(folder, out, *more):
    """The exit code of the command, in this process."""
    return cli.main(["grade", "--assignment", "hw0", "--submissions", str(folder), "--out", str(out), *map(str, more)])


def rows(out):
    """grades.csv by student."""
    with open(out / "grades.csv", encoding="utf8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_all_graded_is_0(folder, tmp_path, stand_in, capsys):
    assert rlhw_grade(folder, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "sandbox: none" in told
    assert "stays open: Everything stays open." in told
    assert "graded 3" in told
    assert rows(tmp_path / "out")["ann"]["automatic"] == str(HW0.automatic)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"grades.csv", "summary.json", "manual.csv", "similarity.csv", "results", "feedback", "secret.hex"} <= names
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    assert ".running" not in names


def test_some_that_need_a_look_or_were_refused_are_1(folder, tmp_path, stand_in, capsys):
    (folder / "dan.ipynb").write_text("\x1b[31mnot a notebook at all")
    assert rlhw_grade(folder, tmp_path / "out") == 1
    assert "dan: not graded. The file is no notebook: it is not JSON." in capsys.readouterr().out
    (folder / "dan.ipynb").unlink()
    twice = json.loads((folder / "ann.ipynb").read_text())
    twice["cells"].append(deepcopy(twice["cells"][5]))
    twice["cells"] = [cell for cell in twice["cells"] if cell["id"] != f"{HW0.asked[0].question}-answer"]
    (folder / "ann.ipynb").write_text(json.dumps(twice))
    assert rlhw_grade(folder, tmp_path / "out") == 1
    assert rows(tmp_path / "out")["ann"]["status"] == LOOK


def test_misuse_is_2_and_says_what_to_do(folder, tmp_path, stand_in, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "open").write_text("0123456789abcdef")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "short").write_text("0123")
    (tmp_path / "short").chmod(0o600)
    out = tmp_path / "out"
    for arguments, sentence in (
        ((tmp_path / "nowhere", out), "is no folder"),
        ((tmp_path / "empty", out), "is empty"),
        ((folder, folder / "out"), "choose a place outside"),
        ((folder, folder), "choose a place outside"),
        ((folder, out, "--assignment", "hw9"), "there is no assignment 'hw9'"),
        ((folder, out, "--jobs", -1), "--jobs must be at least 1"),
        ((folder, out, "--secret", tmp_path / "open"), "chmod 600"),
        ((folder, out, "--secret", tmp_path / "short"), "at least 16 are needed"),
        ((folder, out, "--secret", tmp_path / "none"), "No such file"),
        ((folder, out, "--manual", tmp_path / "none.csv"), "No such file"),
        ((folder, tmp_path / "short"), "File exists"),
    ):
        assert rlhw_grade(*arguments) == 2
        told = capsys.readouterr().err
        assert sentence in told
        assert told.count("\n") == 1


def test_no_sandbox_is_3_and_nothing_is_written(folder, tmp_path, monkeypatch, capsys):
    def none(disposable):
        raise NoSandbox("there is no sandbox here.")

    monkeypatch.setattr(sandbox, "find", none)
    assert rlhw_grade(folder, tmp_path / "out") == 3
    assert capsys.readouterr().err == "rlhw: there is no sandbox here.\n"
    assert not (tmp_path / "out").exists()


def test_a_failed_self_test_is_4_and_nothing_is_graded(folder, tmp_path, stand_in, monkeypatch, capsys):
    nothing = (QuestionResult("q", "Q", (PartResult("p", HW0.automatic, False, "No."),)),)
    monkeypatch.setattr(batch, "grade", lambda student, *rest: Result(student, "hw0", GRADED, nothing))
    assert rlhw_grade(folder, tmp_path / "out") == 4
    assert "self-test failed: the right answers earn 0 of" in capsys.readouterr().err
    assert not (tmp_path / "out/grades.csv").exists()
    assert list((tmp_path / "out/results").iterdir()) == []


def test_the_secret_that_was_made_is_used_again(folder, tmp_path, stand_in, capsys):
    rlhw_grade(folder, tmp_path / "out")
    secret = (tmp_path / "out/secret.hex").read_text()
    assert "made anew" in capsys.readouterr().out
    assert (tmp_path / "out/secret.hex").stat().st_mode & 0o777 == 0o600
    rlhw_grade(folder, tmp_path / "out")
    told = capsys.readouterr().out
    assert (tmp_path / "out/secret.hex").read_text() == secret
    assert "kept from before 3" in told
    assert secret.strip() not in told


def files_of(out):
    """Every file that was written but for those that hold a secret or a time, name -> bytes."""
    left_out = ("secret.hex", ".lock", "summary.json")
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name not in left_out}


@pytest.mark.slow
def test_killed_at_any_point_and_run_again_it_gives_the_same_grades(folder, tmp_path, require):
    require("bwrap", "student code runs in its sandbox")
    for number in range(6):
        (folder / f"more{number}.ipynb").write_text((folder / "ann.ipynb").read_text())
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    secret.chmod(0o600)
    run = [
        sys.executable,
        "-m",
        "rlhw",
        "grade",
        "--assignment",
        "hw0",
        "--submissions",
        str(folder),
        "--secret",
        str(secret),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*run, "--out", str(whole)], check=True, env=environment, cwd=tmp_path, timeout=120)
    for seconds in (1, 4, 6, 7, 8, 9):
        process = subprocess.Popen([*run, "--out", str(cut)], env=environment, cwd=tmp_path)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = subprocess.run(
        [*run, "--out", str(cut)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert files_of(cut) == files_of(whole)
    assert not (cut / ".running").exists()


@pytest.mark.slow
def test_an_interrupt_ends_it_cleanly(folder, tmp_path, require):
    require("bwrap", "student code runs in its sandbox")
    run = [
        sys.executable,
        "-m",
        "rlhw",
        "grade",
        "--assignment",
        "hw0",
        "--submissions",
        str(folder),
        "--out",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(run, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out/results").is_dir():
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    assert "Traceback" not in told
    assert not (tmp_path / "out/.running").exists() or list((tmp_path / "out/.running").iterdir()) == []
