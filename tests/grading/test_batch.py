"""A folder graded: trouble stays one row, results are taken over while their key holds, order does not matter."""

import json
import os
from pathlib import Path

import pytest

from rlhw import homework
from rlhw.grading import batch
from rlhw.grading.names import file_name
from rlhw.grading.result import GRADED, LOOK, REFUSED, PartResult, QuestionResult, Result
from rlhw.grading.run import Settings
from rlhw.grading.sandbox import Limits, Sandbox
from rlhw.grading.submission import find
from rlhw.homework import build

HW0 = homework.assignment("hw0")
SETTINGS = Settings(HW0, b"0123456789abcdef", Sandbox("none", ("false",)), Limits())
ALL = QuestionResult("q", "Q", (PartResult("p", HW0.automatic, True, ""),))
NONE = QuestionResult("q", "Q", (PartResult("p", HW0.automatic, False, "No."),))


@pytest.fixture
def folder(tmp_path):
    """Good and bad submissions in one folder."""
    place = tmp_path / "in"
    place.mkdir()
    good = json.dumps(build.solution(HW0))
    for name in ("ann", "ben", "cy"):
        (place / f"{name}.ipynb").write_text(good)
    (place / "dan.ipynb").write_text("not a notebook at all")
    (place / "eve.ipynb").symlink_to(place / "ann.ipynb")
    (place / "fay.zip").write_bytes(b"PK")
    (place / "gus").mkdir()
    (place / "hal.ipynb").write_text(good.replace('"assignment": "hw0"', '"assignment": "hw2"'))
    os.mkfifo(place / "ian.ipynb")
    with open(place / "jon.ipynb", "wb") as file:
        file.truncate(200_000_000)
    return place


@pytest.fixture
def calls(monkeypatch):
    """A stand-in for the run of one submission: full marks; the students whom it was asked for."""
    asked = []

    def grade(student, answered, settings, nbval, key=""):
        asked.append(student)
        if student == "cy":
            raise ZeroDivisionError("with CANARY in it")
        return Result(student, "hw0", GRADED, (ALL,), key=key)

    monkeypatch.setattr(batch, "grade", grade)
    return asked


def graded(folder, out, settings=SETTINGS, jobs=2):
    """student -> what was done, for a whole folder."""
    done = {}
    with batch.alone_in(out):
        batch.grade_all(find(folder), settings, out, jobs, lambda one: done.update({one.result.student: one}))
    return done


def test_each_trouble_is_one_row_and_stops_nothing(folder, tmp_path, calls):
    done = graded(folder, tmp_path / "out")
    assert sorted(done) == ["ann", "ben", "cy", "dan", "eve", "fay", "gus", "hal", "ian", "jon"]
    for student in "ann", "ben":
        assert done[student].result.earned == HW0.automatic
        assert done[student].cells
    sentences = {student: one.result.remarks for student, one in done.items() if one.result.status == REFUSED}
    words = {"cy": "the grader itself", "dan": "not JSON", "eve": "symbolic link", "fay": "zip file", "gus": "no notebook",
             "hal": "another assignment", "ian": "neither a file", "jon": "larger than 5 MB"}  # fmt: skip
    assert sentences.keys() == words.keys()
    assert all(len(sentences[student]) == 1 and word in sentences[student][0] for student, word in words.items())
    assert "CANARY" not in str(done)
    assert batch.exit_code(one.result for one in done.values()) == 1
    assert batch.exit_code([done["ann"].result]) == 0


def test_results_are_taken_over_while_their_key_holds(folder, tmp_path, calls):
    first = graded(folder, tmp_path / "out")
    calls.clear()
    again = graded(folder, tmp_path / "out")
    # Trouble of the grader's own is no result: it is tried again.
    assert calls == ["cy"]
    assert again["ann"].seconds is None
    assert {s: one.result for s, one in again.items()} == {s: one.result for s, one in first.items()}
    changed = json.loads((folder / "ann.ipynb").read_text())
    changed["metadata"]["x"] = 1
    (folder / "ann.ipynb").write_text(json.dumps(changed))
    calls.clear()
    graded(folder, tmp_path / "out")
    assert sorted(calls) == ["ann", "cy"]


@pytest.mark.parametrize(
    "other",
    [
        Settings(HW0, b"another secret 16", SETTINGS.sandbox, Limits()),
        Settings(HW0, SETTINGS.secret, SETTINGS.sandbox, Limits(seconds_per_call=1.0)),
        Settings(HW0, SETTINGS.secret, Sandbox("other", ("false",)), Limits()),
        Settings(HW0, SETTINGS.secret, SETTINGS.sandbox, Limits(), variants=True),
    ],
)
def test_other_settings_are_another_result(folder, tmp_path, calls, other):
    graded(folder, tmp_path / "out")
    calls.clear()
    graded(folder, tmp_path / "out", other)
    assert sorted(calls) == ["ann", "ben", "cy"]


def test_a_version_is_part_of_the_key(folder, tmp_path, calls, monkeypatch):
    graded(folder, tmp_path / "out")
    calls.clear()
    monkeypatch.setattr(batch.rlhw, "__version__", "0.0.0")
    graded(folder, tmp_path / "out")
    assert sorted(calls) == ["ann", "ben", "cy"]


def test_a_mended_question_is_part_of_the_key(folder, tmp_path, calls, monkeypatch):
    package = tmp_path / "package"
    (package / "exercises").mkdir(parents=True)
    asked = package / "exercises" / "asked.py"
    asked.write_text("tolerance = 1e-6")
    monkeypatch.setattr(batch.rlhw, "__file__", str(package / "__init__.py"))
    graded(folder, tmp_path / "out")
    calls.clear()
    graded(folder, tmp_path / "out")
    assert calls == ["cy"]  # Whom the grader has no result for. The others are kept.
    asked.write_text("tolerance = 1e-5")
    batch.code_hash.cache_clear()
    graded(folder, tmp_path / "out")
    assert sorted(calls) == ["ann", "ben", "cy", "cy"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"questions": 3}', '{"student": "ann"}'])
def test_half_a_file_of_results_is_no_result(folder, tmp_path, calls, text):
    graded(folder, tmp_path / "out")
    path = tmp_path / "out/results" / f"{file_name('ann')}.json"
    whole = path.read_text()
    path.write_text(text)
    calls.clear()
    graded(folder, tmp_path / "out")
    assert sorted(calls) == ["ann", "cy"]
    assert path.read_text() == whole


def test_the_number_of_jobs_makes_no_difference(folder, tmp_path, calls):
    one, four = graded(folder, tmp_path / "one", jobs=1), graded(folder, tmp_path / "four", jobs=4)
    assert {s: d.result for s, d in one.items()} == {s: d.result for s, d in four.items()}
    for path in (tmp_path / "one/results").iterdir():
        assert path.read_bytes() == (tmp_path / "four/results" / path.name).read_bytes()


def test_submissions_are_taken_in_hand_one_by_one(folder, tmp_path, calls):
    """Memory stays flat only if what is graded is let go of before all the rest is read."""
    handed, done = [], []

    def rows():
        for row in find(folder):
            handed.append(row)
            yield row

    def one(result):
        done.append(result)
        assert len(handed) - len(done) <= 2

    with batch.alone_in(tmp_path / "out"):
        batch.grade_all(rows(), SETTINGS, tmp_path / "out", 2, one)
    assert len(done) == 10


def test_two_runs_do_not_share_a_folder_and_leftovers_go(tmp_path):
    out = tmp_path / "out"
    (out / ".running/rlhw-grade-x").mkdir(parents=True)
    with batch.alone_in(out):
        assert list((out / ".running").iterdir()) == []
        with pytest.raises(ValueError, match="in use by another run"), batch.alone_in(out):
            pass
    assert not (out / ".running").exists()
    with batch.alone_in(out):
        pass


def test_a_full_disk_stops_the_batch(folder, tmp_path, monkeypatch):
    def grade(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "grade", grade)
    with pytest.raises(OSError, match="No space left"):
        graded(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("solution", "student", "sentence"),
    [
        (Result("s", "hw0", GRADED, (NONE,)), Result("s", "hw0", GRADED, (NONE,)), "the right answers earn 0"),
        (Result("s", "hw0", LOOK, (ALL,), ("A remark.",)), Result("s", "hw0", GRADED, (NONE,)), "A remark."),
        (Result("s", "hw0", GRADED, (ALL,)), Result("s", "hw0", GRADED, (ALL,)), "it should earn none"),
    ],
)
def test_the_self_test_wants_full_marks_for_the_solution_and_none_for_nothing(monkeypatch, solution, student, sentence):
    results = {"solution": solution, "student": student}
    monkeypatch.setattr(batch, "grade", lambda name, *rest: results[name])
    with pytest.raises(batch.SelfTestFailed, match=sentence):
        batch.self_test(SETTINGS, batch.Nbval(Path("/")))
    results.update(solution=Result("s", "hw0", GRADED, (ALL,)), student=Result("s", "hw0", GRADED, (NONE,)))
    assert batch.self_test(SETTINGS, batch.Nbval(Path("/"))) >= 0
