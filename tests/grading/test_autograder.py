"""Gradescope's autograder: what the zip holds, that it grades, and that it leaves a result whatever happens."""

import base64
import csv
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from rlhw import exercises, homework
from rlhw.grading import autograder, on_gradescope
from rlhw.homework import build

SECRET = b"0123456789abcdef0123456789abcdef"
SITE = Path(np.__file__).parent.parent
PACKAGE = Path(autograder.__file__).parent.parent


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "hw1.zip"
    autograder.write("hw1", SECRET, path)
    return path


def test_the_zip_holds_what_gradescope_wants_at_its_root(packed):
    with zipfile.ZipFile(packed) as archive:
        modes = {member.filename: stat.S_IMODE(member.external_attr >> 16) for member in archive.infolist()}
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("assignment.json")) == {"assignment": "hw1"}
        assert archive.read("secret").strip() == SECRET
    (wheel,) = (name for name in modes if name.endswith(".whl"))
    assert modes == {
        "setup.sh": 0o755,
        "run_autograder": 0o755,
        "requirements.txt": 0o644,
        "assignment.json": 0o644,
        "secret": 0o600,
        wheel: 0o644,
    }
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600, "the secret is in it"


def test_the_same_files_give_the_same_bytes(packed, tmp_path):
    autograder.write("hw1", SECRET, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    autograder.write("hw1", SECRET[::-1], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() != packed.read_bytes()


def test_the_scripts_are_bash(packed, tmp_path):
    with zipfile.ZipFile(packed) as archive:
        for name in ("setup.sh", "run_autograder"):
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")
            subprocess.run(["bash", "-n"], input=archive.read(name), check=True)
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["bash", "-n"], input=b"if true; then\n", check=True, capture_output=True)


def test_everything_that_grading_imports_is_pinned_to_what_is_installed(packed):
    with zipfile.ZipFile(packed) as archive:
        lines = archive.read("requirements.txt").decode().splitlines()
    pinned = dict(line.split("==") for line in lines)
    for name in ("numpy", "scipy", "nbval", "pytest", "ipykernel", "jinja2", "tqdm"):
        assert pinned[name] == metadata.version(name)
    assert "torch" not in pinned
    assert "rlhw" not in pinned


@pytest.fixture(scope="module")
def wheel(packed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(packed) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".whl"))
        return Path(archive.extract(name, folder))


def test_the_wheels_record_is_true(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == names
        for name, digest, size in rows:
            if name != record:
                data = archive.read(name)
                found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
                assert (digest, size) == (f"sha256={found}", str(len(data))), name
    assert {"rlhw/py.typed", "rlhw/grading/worker.py", "rlhw/grading/templates/feedback.html"} <= names
    assert any(name.startswith("rlhw/results/") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_an_installed_library_makes_the_same_wheel_again(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rlhw.grading import autograder\n"
        "assert autograder.__file__.startswith(sys.argv[1])\n"
        "sys.stdout.buffer.write(autograder.build_wheel()[1])"
    )
    command = [sys.executable, "-P", "-B", "-c", program, str(tmp_path / "site")]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    built = subprocess.run(command, capture_output=True, cwd=tmp_path, env=clean, check=True).stdout
    assert built == wheel.read_bytes()


def test_a_copy_that_nobody_installed_is_refused(tmp_path, monkeypatch):
    def nowhere(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(autograder.metadata, "distribution", nowhere)
    with pytest.raises(ValueError, match=r"it was not installed\. Run `pip install"):
        autograder._description(tmp_path / "rlhw")
    assert "nbval" in autograder._description(PACKAGE)[0]


def test_a_secret_is_made_once_and_kept_beside_the_zip(tmp_path, capsys):
    out = tmp_path / "hw1.zip"
    assert autograder.main("hw1", str(out), None) == 0
    assert "made anew" in capsys.readouterr().out
    secret = tmp_path / "hw1.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    first = out.read_bytes()
    assert autograder.main("hw1", str(out), None) == 0
    told = capsys.readouterr().out
    assert "made anew" not in told
    assert secret.read_text().strip() not in told
    assert out.read_bytes() == first
    with pytest.raises(ValueError, match="there is no assignment 'hw7'"):
        autograder.main("hw7", str(out), None)


def submission(folder: Path, *names: str) -> Path:
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "assignment.json").write_text('{"assignment": "hw1"}')
    (folder / "results").mkdir()
    for name in names:
        (folder / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "submission" / name).write_text("{}")
    (folder / "submission").mkdir(exist_ok=True)
    return folder


def test_only_regular_notebooks_in_sight_are_found(tmp_path):
    folder = (
        submission(tmp_path, "a/b.ipynb", "B.IPYNB", ".c.ipynb", "__MACOSX/d.ipynb", ".x/e.ipynb", "f.py")
        / "submission"
    )
    (folder / "g.ipynb").symlink_to("/etc/passwd")
    (folder / "h.ipynb").mkdir()
    os.mkfifo(folder / "i.ipynb")
    assert [path.name for path in on_gradescope.notebooks(folder)] == ["B.IPYNB", "b.ipynb"]


def test_no_link_is_copied(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic link"):
        on_gradescope.copy(tmp_path / "link", tmp_path / "copy")


def test_what_is_too_large_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(on_gradescope, "MOST_BYTES", 3)
    (tmp_path / "large").write_text("12345")
    on_gradescope.copy(tmp_path / "large", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "123"


def result_of(root: Path) -> dict:
    return json.loads((root / "results" / "results.json").read_text(encoding="utf8"))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [((), "There is no notebook among the files"), (("a.ipynb", "b.ipynb"), "There are 2 notebooks")],
)
def test_none_or_several_notebooks_get_a_sentence(tmp_path, names, sentence):
    on_gradescope.main(submission(tmp_path, *names))
    assert sentence in result_of(tmp_path)["output"]
    assert result_of(tmp_path)["tests"][0]["max_score"] == 64


@pytest.mark.parametrize("failure", [OSError("no"), subprocess.TimeoutExpired("rlhw", 1), 3, 4, 0])
def test_a_grader_that_fails_leaves_a_result_and_blames_nobody(tmp_path, monkeypatch, failure, capsys):
    def run(*arguments, **more):
        if isinstance(failure, Exception):
            raise failure
        # 0: it says that it went well, and wrote nothing.
        return subprocess.CompletedProcess("rlhw", failure)

    monkeypatch.setattr(on_gradescope.subprocess, "run", run)
    on_gradescope.main(submission(tmp_path, "a.ipynb"))
    assert result_of(tmp_path)["score"] == 0
    assert "This is not your fault" in result_of(tmp_path)["output"]
    assert list(tmp_path.glob("work-*")) == []


def unpacked(packed: Path, root: Path, python: str) -> Path:
    """What Gradescope makes of the zip, with a virtual environment that borrows the packages of the tests."""
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(root / "source")
    (wheel,) = (root / "source").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(root / "private")
    (root / "private").chmod(0o700)
    (root / "source").chmod(0o700)
    (root / "source" / "secret").chmod(0o600)
    (root / "run_autograder").write_bytes((root / "source" / "run_autograder").read_bytes())
    (root / "submission").mkdir()
    subprocess.run([python, "-m", "venv", "--without-pip", str(root / "venv")], check=True)
    (place,) = (root / "venv" / "lib").glob("python*/site-packages")
    (place / "rlhw-private.pth").write_text(f"{root / 'private'}\n{SITE}\n")
    return root


def test_where_nothing_works_there_is_still_a_result(packed, tmp_path):
    with zipfile.ZipFile(packed) as archive:
        (tmp_path / "run_autograder").write_bytes(archive.read("run_autograder"))
    (tmp_path / "submission").mkdir()
    done = subprocess.run(["bash", str(tmp_path / "run_autograder")], capture_output=True, text=True)
    assert done.returncode == 0
    assert "No such file" in done.stderr
    assert "stopped before it was done" in result_of(tmp_path)["output"]


def solved(**changed: str) -> dict:
    """The solution of homework 1, with the answer cells of these questions put in place of its own."""
    notebook = build.solution(homework.assignment("hw1"))
    for cell in notebook["cells"]:
        question = cell["metadata"].get("rlhw", {}).get("answer", "").replace("-", "_")
        if question in changed:
            cell["source"] = changed[question]
    return notebook


def open_to_all(path: Path) -> bool:
    """Whether another user may go through all folders on the way to this one."""
    return all(stat.S_IMODE(parent.stat().st_mode) & 0o001 for parent in path.resolve().parents)


def python_for_all() -> str:
    """A Python of this version that another user may run, packages included: the system's own, or this one's."""
    version = f"python3.{sys.version_info.minor}"
    places = [place / version for place in (Path("/usr/bin"), Path("/usr/local/bin"), Path(sys.base_prefix) / "bin")]
    found = [str(place) for place in places if place.resolve().is_file() and open_to_all(place)]
    if found and open_to_all(SITE):
        return found[0]
    closed = f"{SITE} is" if found else f"every {version} here is"
    sentence = f"{closed} closed to other users, and one of them is to run it"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)


@pytest.mark.slow
def test_the_solution_gets_full_marks_in_the_container(packed, tmp_path, require):
    require("bwrap", "it is the sandbox")
    root = unpacked(packed, tmp_path / "autograder", sys.executable)
    (root / "submission" / "my homework.ipynb").write_text(json.dumps(solved()))
    done = subprocess.run(["bash", str(root / "run_autograder")], capture_output=True, text=True)
    assert done.returncode == 0
    assert "sandbox: bwrap" in done.stdout, done.stdout + done.stderr
    result = result_of(root)
    assert (result["score"], len(result["tests"])) == (64, 23)
    assert SECRET.decode() not in json.dumps(result) + done.stdout + done.stderr
    assert list(root.glob("work-*")) == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a second user")
def test_without_namespaces_the_second_user_is_closed_out_of_what_is_the_graders(packed, tmp_path):
    root = unpacked(packed, tmp_path / "autograder", python_for_all())
    # Each of these answers is right for those only who can open a file. The first is the control: it is open to everybody.
    reads = {
        "hw1_mle_gradient": "/etc/passwd",
        "hw1_rl_gradient": root / "source" / "secret",
        "hw1_cloning_step": root / "private" / "rlhw" / "exercises" / "hw1_cloning_step.py",
        "hw1_baseline_bias": root / "submission" / "a.ipynb",
        "hw1_variance": root / "results" / "results.json",
        "hw1_value_and_advantage": root / "submission_metadata.json",
    }
    (root / "submission_metadata.json").write_text("{}")
    answers = {
        cell["metadata"]["rlhw"]["answer"].replace("-", "_"): "".join(cell["source"])
        for cell in solved()["cells"]
        if "answer" in cell["metadata"].get("rlhw", {})
    }
    changed = {name: f"open({str(path)!r}).read(1)\n{answers[name]}" for name, path in reads.items()}
    (root / "submission" / "a.ipynb").write_text(json.dumps(solved(**changed)))
    launcher = str(Path(__file__).with_name("no_namespaces.py"))
    command = [sys.executable, launcher, "bash", str(root / "run_autograder")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "sandbox: second user" in done.stdout, done.stdout + done.stderr
    assert "stays open: " in done.stdout
    earned = {test["name"]: test["score"] for test in result_of(root)["tests"]}
    for name in answers:
        title = exercises.question(name.replace("_", "-")).title
        scores = [score for test, score in earned.items() if test.startswith(f"{title}: ")]
        assert scores
        assert all(scores) == (name not in list(reads)[1:]), name
        assert any(scores) == all(scores), name
