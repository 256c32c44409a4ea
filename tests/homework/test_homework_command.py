"""`rlhw homework` writes what it says, where it says, and refuses what cannot be meant."""

import json
from pathlib import Path

import pytest
from homework_samples import cell, read, text

from rlhw import cli, homework, notebooks
from rlhw.homework import build, command
from rlhw.notebook_rules import verify
from rlhw.repository import as_text, set_repository, setup_cell

ROOT = Path(__file__).parents[2]
URL = "https://code.example.org/someone/rlhw"
CONFIG = "title: x\nrepository:\n  url: https://repository.invalid/rlhw\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty checkout, the current folder."""
    (tmp_path / "_config.yml").write_text(CONFIG, encoding="utf8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_names_points_and_minutes(capsys):
    assert cli.main(["homework", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == homework.names()
    assert lines[0].endswith("(not graded, 53 minutes)")


def test_build_writes_the_checkouts_notebooks_once(course, capsys):
    assert cli.main(["homework", "build", "hw0"]) == 0
    path = course / "notebooks/homework/hw0_background.ipynb"
    assert capsys.readouterr().out == "notebooks/homework/hw0_background.ipynb written\n"
    assert verify(path) == []
    before = path.stat().st_mtime_ns
    assert cli.main(["homework", "build", "hw0"]) == 0
    assert capsys.readouterr().out == "notebooks/homework/hw0_background.ipynb unchanged\n"
    assert path.stat().st_mtime_ns == before


def test_another_address_gives_what_a_fresh_build_gives(course):
    command.write_course(["hw0"])
    path = course / "notebooks/homework/hw0_background.ipynb"
    assert path in set_repository(URL, course)
    assert text(cell(read(path), "setup")) == setup_cell(URL)
    assert command.write_course(["hw0"]) == ["notebooks/homework/hw0_background.ipynb unchanged"]
    assert verify(path) == []


def test_out_gets_three_versions(tmp_path, capsys):
    assert cli.main(["homework", "build", "hw0", "--out", str(tmp_path / "o"), "--variant", "a3f9"]) == 0
    made = {str(path.relative_to(tmp_path / "o")) for path in (tmp_path / "o").rglob("*") if path.is_file()}
    assert made == {"student/hw0_background.ipynb", "solution/hw0_background_solution.ipynb", "grader/hw0.json"}
    assert read(tmp_path / "o/student/hw0_background.ipynb") == build.student(homework.assignment("hw0"), "a3f9")
    compared = json.loads((tmp_path / "o/grader/hw0.json").read_text(encoding="utf8"))
    assert compared["points"] == {"checks": 34, "people": 0}
    assert "unchanged" not in capsys.readouterr().out
    assert cli.main(["homework", "build", "hw0", "--out", str(tmp_path / "o"), "--variant", "a3f9"]) == 0
    assert "written" not in capsys.readouterr().out


def test_each_student_gets_a_variant_of_the_secret(tmp_path, capsys):
    from rlhw.grading import inputs

    secret, names = tmp_path / "secret", tmp_path / "roster.txt"
    secret.write_text("0123456789abcdef0123\n", encoding="utf8")
    secret.chmod(0o600)
    names.write_text("ann\n\nbo.b@home\n", encoding="utf8")
    arguments = ["homework", "build", "hw0", "--out", str(tmp_path), "--secret", str(secret)]
    assert cli.main([*arguments, "--students", str(names)]) == 0
    for student in ("ann", "bo.b@home"):
        made = read(tmp_path / f"students/hw0_background/{student}.ipynb")
        assert made["metadata"]["rlhw"]["variant"] == inputs.variant(b"0123456789abcdef0123", student)
    assert cli.main([*arguments, "--student", "ann"]) == 0
    assert read(tmp_path / "student/hw0_background.ipynb") == read(tmp_path / "students/hw0_background/ann.ipynb")
    assert "0123456789abcdef" not in capsys.readouterr().out


def test_the_autograder_is_made_by_the_grader(monkeypatch):
    from rlhw.grading import autograder

    asked = []
    monkeypatch.setattr(autograder, "main", lambda *arguments: asked.append(arguments) or 3)
    assert cli.main(["homework", "autograder", "hw2", "--out", "a.zip"]) == 3
    assert cli.main(["homework", "autograder", "hw1", "--secret", "s"]) == 3
    assert asked == [("hw2", "a.zip", None), ("hw1", None, "s")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["hw9"], "there is no assignment 'hw9'. There are: hw0, hw1, hw2."),
        (["hw0", "--variant", "a3"], "a variant is nobody else's: say with --out"),
        (["hw0", "--out", "o", "--variant", "xy"], "variant must be hexadecimal digits"),
        (["hw0", "--out", "o", "--student", "ann"], "--student and --students need --secret"),
        (["hw0", "--out", "o", "--students", "none.txt"], "--student and --students need --secret"),
    ],
)
def test_nonsense_gets_one_sentence(arguments, sentence, course, capsys):
    assert cli.main(["homework", "build", *arguments]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1
    assert [path.name for path in course.iterdir()] == ["_config.yml"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("ann\n../bob\n", r"line 2: '../bob' cannot name a file"),
        ("ann\n.hidden\n", "line 2: '.hidden' cannot name a file"),
        ("ann\nbob\nann\n", "line 3: ann stands there twice"),
        ("a b\n", "line 1: 'a b' cannot name a file"),
        ("\n\n", "names no student"),
    ],
)
def test_a_roster_that_cannot_name_files_is_refused(lines, sentence, tmp_path):
    (tmp_path / "roster").write_text(lines, encoding="utf8")
    with pytest.raises(ValueError, match=sentence):
        command.roster(tmp_path / "roster")


BREACHES = {
    "an output": (lambda n: n["cells"][2].update(outputs=[{"output_type": "stream"}]), "cell setup: was executed"),
    "a count": (lambda n: n["cells"][2].update(execution_count=1), "cell setup: was executed"),
    "a solution": (lambda n: n["cells"][6].update(source=["pass"]), "is not what its source says"),
    "a check's tags": (lambda n: n["cells"][7].update(metadata={}), "is not what its source says"),
    "MyST": (lambda n: n["cells"][0].update(source=["```{note}\nx\n```"]), "holds a directive of MyST"),
    "no alt text": (lambda n: n["cells"][0].update(source=["![](a.png)"]), "holds an image without alt text"),
    "a machine's path": (lambda n: n["cells"][0].update(source=["/home/me/x"]), "names a path of this machine"),
    "a repeated id": (lambda n: n["cells"][1].update(id="title"), "2 cells have the id 'title'"),
    "another setup": (lambda n: n["cells"][2].update(source=["1"]), "the first code cell is not the setup cell"),
    "no assignment": (lambda n: n["metadata"].pop("rlhw"), "says that it is the assignment None"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_notebook_that_is_not_as_built_is_refused(breach, course):
    command.write_course(["hw0"])
    path = course / "notebooks/homework/hw0_background.ipynb"
    edit, sentence = BREACHES[breach]
    notebook = read(path)
    edit(notebook)
    path.write_text(as_text(notebook), encoding="utf8")
    assert any(sentence in problem for problem in verify(path)), verify(path)


def test_homework_is_verified_and_never_executed(course, capsys):
    command.write_course(["hw0"])
    path = course / "notebooks/homework/hw0_background.ipynb"
    assert notebooks.main_verify() == 0
    assert capsys.readouterr().out == "notebooks/homework/hw0_background.ipynb ok\n"
    with pytest.raises(FileNotFoundError, match="no notebook in the folder notebooks"):
        notebooks.main_execute()
    with pytest.raises(notebooks.NotebookError, match="is homework, which holds stubs and no outputs"):
        notebooks.execute(path)


def test_the_committed_notebooks_break_no_rule():
    for name in homework.names():
        assert verify(ROOT / command.path_of(homework.assignment(name))) == []
