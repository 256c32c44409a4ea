"""One submission through nbval and the sandbox: points where nbval and our record agree, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from copy import deepcopy
from pathlib import Path

import pytest

from rlhw import homework
from rlhw.grading import run, sandbox
from rlhw.grading.answers import read
from rlhw.grading.result import GRADED, LOOK
from rlhw.grading.run import Nbval, Settings, grade
from rlhw.grading.submission import Packed
from rlhw.homework import build

HW0 = homework.assignment("hw0")
FIRST = HW0.asked[0].question


@pytest.fixture(scope="module")
def settings(require):
    """Settings with this machine's sandbox."""
    require("bwrap", "student code runs in its sandbox")
    return Settings(HW0, b"0123456789abcdef", sandbox.find(), sandbox.Limits(seconds_in_all=20.0))


@pytest.fixture(scope="module")
def nbval(tmp_path_factory):
    """One process of nbval for all tests here, with a workplace of its own."""
    with Nbval(tmp_path_factory.mktemp("workplace")) as started:
        yield started


def answered(**sources):
    """The solution's answers, with those of some questions replaced (by name with _ for -)."""
    notebook = deepcopy(build.solution(HW0))
    for name, source in sources.items():
        cell = next(cell for cell in notebook["cells"] if cell["id"] == f"{name.replace('_', '-')}-answer")
        cell["source"] = source
    return read(Packed(json.dumps(notebook).encode()), HW0)


def test_right_answers_have_full_marks_and_leave_nothing_behind(settings, nbval):
    result = grade("ann", answered(), settings, nbval, "key")
    assert (result.earned, result.status, result.remarks, result.key) == (HW0.automatic, GRADED, (), "key")
    assert list(nbval.workplace.iterdir()) == []
    assert grade("ann", answered(), settings, nbval, "key") == result


def test_each_question_stands_alone_and_sentences_are_ours(settings, nbval):
    secret = "raise ValueError(f'{args} CANARY')"
    result = grade(
        "eve", answered(**{FIRST.replace("-", "_"): f"def epsilon_greedy(*args):\n    {secret}"}), settings, nbval
    )
    assert result.status == GRADED
    assert result.earned == HW0.automatic - result.questions[0].points
    assert {part.sentence for part in result.questions[0].parts} == {"The function stopped with an error."}
    assert "CANARY" not in json.dumps(result.as_dict())


def test_a_point_needs_both_nbval_and_the_record():
    parts = [part.name for part in run.exercises.question(FIRST).parts]
    outcomes = {f"{item.question}-check-{n}": "passed" for item in HW0.asked for n in range(1, 9)}
    records = {
        (item.question, part.name): {"passed": True, "sentence": ""}
        for item in HW0.asked for part in run.exercises.question(item.question).parts
    }  # fmt: skip
    both, troubled = run._questions(HW0, "", outcomes, records)
    assert sum(question.earned for question in both) == HW0.automatic
    assert troubled == []
    place, cell = (FIRST, parts[0]), f"{FIRST}-check-1"
    for other_outcomes, other_records in (
        ({**outcomes, cell: "failed"}, records),
        ({**outcomes, cell: "skipped"}, records),
        ({k: v for k, v in outcomes.items() if k != cell}, records),
        (outcomes, {k: v for k, v in records.items() if k != place}),
        (outcomes, {**records, place: {"passed": False, "sentence": "No."}}),
    ):
        found, troubled = run._questions(HW0, "", other_outcomes, other_records)
        assert not found[0].parts[0].passed
        assert troubled == [f"{FIRST}, {parts[0]}"]
        assert found[0].parts[0].sentence == run.NOT_CHECKED
    # That both say it failed is no trouble.
    agreed = {**records, place: {"passed": False, "sentence": "No."}}
    found, troubled = run._questions(HW0, "", {**outcomes, cell: "failed"}, agreed)
    assert found[0].parts[0].sentence == "No."
    assert troubled == []


def test_two_records_for_one_part_count_for_nothing(tmp_path):
    record = {"question": "q", "part": "p", "passed": True, "sentence": ""}
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record) + "\n" + json.dumps({**record, "part": "r"}) + "\n{half")
    assert [entry["passed"] for entry in run._records(path).values()] == [True, True]
    path.write_text((json.dumps(record) + "\n") * 2)
    assert run._records(path)["q", "p"]["passed"] is False


def test_nothing_of_the_instructors_environment_is_seen(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/evil")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p evil")
    seen = run.environment(tmp_path)
    assert not any(name.startswith(("PYTHON", "PYTEST_ADD")) for name in seen)
    assert "/evil" not in str(seen)


def test_a_workplace_named_from_here_is_found_by_a_process_that_works_elsewhere(settings, tmp_path, monkeypatch):
    """`--out marks` is a folder of the instructor's; the process of nbval works in /."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "marks").mkdir()
    with Nbval(Path("marks")) as nbval:
        result = grade("a", answered(), settings, nbval)
    assert result.status == GRADED


def test_a_process_of_nbval_that_was_killed_is_started_anew(settings, nbval):
    server = nbval._started()
    threading.Timer(0.3, os.kill, (server.pid, signal.SIGKILL)).start()
    result = grade("ann", answered(), settings, nbval, "key")
    assert (result.earned, result.status, result.key) == (HW0.automatic, GRADED, "key")
    assert nbval._started().pid != server.pid
    assert list(nbval.workplace.iterdir()) == []


@pytest.mark.slow
def test_stopped_from_outside_it_gives_no_result_and_leaves_no_process(settings, tmp_path):
    nbval = Nbval(tmp_path)
    server = nbval._started().pid
    threading.Timer(3, nbval.stop).start()

    def for_ever():
        while True:
            grade("ann", answered(), settings, nbval)

    with pytest.raises(InterruptedError):
        for_ever()
    assert list(tmp_path.iterdir()) == []
    time.sleep(0.2)
    assert not alive_in(server)


def alive_in(parent):
    """Processes whose parent, or its parent, is this one."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,stat"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    pairs = [line.split() for line in lines[1:] if line and "Z" not in line.split()[2]]
    children = {pid for pid, above, _ in pairs if above == str(parent)}
    return children | {pid for pid, above, _ in pairs if above in children}


@pytest.mark.slow
@pytest.mark.parametrize("name", homework.names())
def test_the_solution_has_full_marks_and_the_empty_notebook_none(settings, nbval, name):
    assignment = homework.assignment(name)
    for make, share in ((build.solution, 1), (build.student, 0)):
        answers = read(Packed(json.dumps(make(assignment)).encode()), assignment)
        result = grade("ann", answers, Settings(assignment, settings.secret, settings.sandbox, settings.limits), nbval)
        assert (result.earned, result.status) == (share * assignment.automatic, GRADED)


@pytest.mark.slow
def test_each_student_is_graded_by_their_own_variant(settings, nbval):
    hw1 = homework.assignment("hw1")
    own = Settings(hw1, settings.secret, settings.sandbox, settings.limits, variants=True)
    variant = own.variant("ann")
    assert variant != own.variant("ben")
    earned = {}
    for built in (variant, own.variant("ben"), ""):
        packed = Packed(json.dumps(build.solution(hw1, built)).encode())
        result = grade("ann", read(packed, hw1, variant), own, nbval)
        earned[built] = result.earned
        assert result.status == (GRADED if built == variant else LOOK)
    # The others lose what has variants, and nothing else.
    assert earned[variant] == hw1.automatic > earned[""] > 0


@pytest.mark.slow
def test_an_endless_loop_costs_its_own_points_only(settings, nbval):
    result = grade("eve", answered(**{FIRST.replace("-", "_"): "while True:\n    pass"}), settings, nbval)
    assert result.earned == HW0.automatic - result.questions[0].points
    assert result.status == GRADED


@pytest.mark.slow
def test_what_cannot_end_is_ended_and_looked_at(settings, nbval, monkeypatch):
    # The whole has one second, which the answer may use up alone: however fast the rest is, it comes too late.
    monkeypatch.setattr(run, "SLACK_SECONDS", -1.0)
    hanging = "import time\ndef epsilon_greedy(*args):\n    time.sleep(1.9)\n    return 0"
    short = Settings(HW0, settings.secret, settings.sandbox, sandbox.Limits(seconds_in_all=1.0, seconds_to_start=30.0))
    result = grade("eve", answered(**{FIRST.replace("-", "_"): hanging}), short, nbval, "key")
    assert result.status == LOOK
    assert result.key == ""
    assert result.earned < HW0.automatic
    assert list(nbval.workplace.iterdir()) == []


@pytest.mark.slow
def test_a_doctored_notebook_passes_under_plain_nbval_and_earns_nothing_here(settings, nbval, tmp_path):
    """Positive control: outputs cleared, checks edited, a conftest beside it: plain nbval lets all of it through."""
    notebook = deepcopy(build.student(HW0))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and "-check-" in cell["id"]:
            cell["source"] = "pass"
    (tmp_path / "mine.ipynb").write_text(json.dumps(notebook))
    plain = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:rlhw-homework",  # Where rlhw is installed, its plugin would put the checks back.
        "--nbval-lax",
        "--nbval-current-env",
        "mine.ipynb",
    ]
    ran = subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    result = grade("eve", read(Packed(json.dumps(notebook).encode()), HW0), settings, nbval)
    assert result.earned == 0
