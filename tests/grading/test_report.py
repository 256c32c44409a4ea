"""The files of a graded folder: what stands in them, what never does, and that a regrade writes the same bytes."""

import csv
import dataclasses
import io
import json
import re

import pytest
from graded_samples import ALL_PARTS, ASSIGNMENT, ONLY_CODE, a_class, result

from rlhw.grading import canvas, gradescope, report
from rlhw.grading.result import LOOK, REFUSED, Result

MARKS = {"ann": {"explain-gae": (12.0, "Clear.\nGood."), "results": (10.5, "")}, "bob": {"explain-gae": (3.0, "Why?")}}
MARKUP = '<script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }}{% raw %}&amp;'
CANARY = "CANARY-8f3a"


def table(path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf8"))))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    report.write(a_class(), ASSIGNMENT, out, manual=MARKS, gradescope=True, seconds={"ann": 1.25, "bob": 0.5})
    return out


def test_grades(out):
    ann, bob, cem, dee = table(out / "grades.csv")
    assert [ann[name] for name in ("automatic", "people", "total", "possible")] == ["16", "22.5", "38.5", "44"]
    assert (ann["ch6-gae"], ann["ch5-bt-loss"], ann["explain-gae"], ann["results"]) == ("8", "8", "12", "10.5")
    assert (bob["people"], bob["results"], bob["remarks"]) == ("3", "", "Not marked yet: results.")
    assert (cem["status"], cem["people"]) == ("needs a look", "")
    # Not graded is not 0.
    assert (dee["status"], dee["automatic"], dee["total"]) == ("not graded", "", "")
    assert dee["remarks"] == "The file is not a notebook: it is no JSON."


def test_canvas_with_marks_holds_whole_totals_only(out):
    rows = list(csv.reader(io.StringIO((out / "canvas.csv").read_text(encoding="utf8"))))
    assert rows[0] == ["Student", "ID", "SIS Login ID", "Section", "Homework 9: a sample"]
    assert rows[1] == ["Points Possible", "", "", "", "44"]
    assert [row[2:] for row in rows[2:]] == [["ann", "", "38.5"], ["bob", "", ""], ["cem", "", ""], ["dee", "", ""]]


def test_canvas_before_marking_says_that_it_is_a_part(tmp_path):
    canvas.write(a_class(), ASSIGNMENT, tmp_path / "canvas.csv", None)
    rows = list(csv.reader(io.StringIO((tmp_path / "canvas.csv").read_text(encoding="utf8"))))
    assert rows[0][4] == "Homework 9: a sample, automatic part"
    assert [row[4] for row in rows[1:]] == ["16", "16", "6", "3", ""]


def test_a_submission_named_points_possible_changes_no_points_possible(tmp_path):
    canvas.write([result("Points Possible", ALL_PARTS)], ASSIGNMENT, tmp_path / "canvas.csv", None)
    rows = list(csv.reader(io.StringIO((tmp_path / "canvas.csv").read_text(encoding="utf8"))))
    assert ["Points Possible" in row[0] for row in rows] == [False, True, False]


def test_summary_counts_and_names_nobody(out):
    text = (out / "summary.json").read_text(encoding="utf8")
    summary = json.loads(text)
    assert summary["submissions"] == {"graded": 2, "needs a look": 1, "not graded": 1}
    assert summary["automatic"] == {"possible": 16, "count": 3, "mean": 8.33, "median": 6}
    assert summary["total"] == {"possible": 44, "count": 1, "mean": 38.5, "median": 38.5}
    rates = {part["part"]: part["rate"] for part in summary["parts"]}
    assert rates[ALL_PARTS[0]] == 1.0
    assert rates[ALL_PARTS[1]] == 0.667
    assert summary["hardest"][0]["rate"] == 0.333
    assert [(hint["question"], hint["students"]) for hint in summary["hints"]] == [("ch5-bt-loss", 2), ("ch6-gae", 2)]
    assert summary["seconds"] == {"sum": 1.75, "median": 0.88, "largest": 1.25}
    assert not re.search(r"\b(ann|bob|cem|dee)\b", text)


def test_no_submission_at_all_gives_empty_files(tmp_path):
    report.write([], ASSIGNMENT, tmp_path, gradescope=True)
    assert table(tmp_path / "grades.csv") == []
    assert json.loads((tmp_path / "summary.json").read_text())["automatic"]["mean"] is None
    assert "no notebook" in json.loads((tmp_path / "results.json").read_text())["output"]


def test_results_that_the_batch_wrote_are_left(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "ann.json").write_text("the batch's")
    report.write(a_class(), ASSIGNMENT, tmp_path)
    assert (tmp_path / "results" / "ann.json").read_text() == "the batch's"
    written = json.loads((tmp_path / "results" / "bob.json").read_text(encoding="utf8"))
    assert Result.from_dict(written) == a_class()[1]


def test_a_regrade_writes_the_same_bytes(tmp_path, out):
    report.write(
        a_class()[::-1], ASSIGNMENT, tmp_path, manual=MARKS, gradescope=True, seconds={"ann": 1.25, "bob": 0.5}
    )
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [name for name in files if (out / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def hostile() -> Result:
    return dataclasses.replace(
        result(MARKUP, ALL_PARTS[:1], LOOK, remarks=("A remark with \x1b[31m and <b>.",)),
        written={"explain-gae": f"{MARKUP} {CANARY}\u202e\x1b[2J", "results": ""},
    )


def test_a_students_text_reaches_no_file_but_the_readers_page_and_the_result(tmp_path):
    report.write([hostile()], ASSIGNMENT, tmp_path, gradescope=True)
    holding = {path.parent.name for path in tmp_path.rglob("*") if path.is_file() and CANARY in path.read_text("utf8")}
    assert holding == {"to_read", "results"}


def test_pages_hold_no_markup_of_a_student(tmp_path):
    report.write([hostile()], ASSIGNMENT, tmp_path, sources={MARKUP: {"ch6-gae": f"x = 1\n\ty\u202e = {MARKUP!r}"}})
    for folder in ("feedback", "to_read"):
        (page,) = (tmp_path / folder).iterdir()
        text = page.read_text(encoding="utf8")
        assert "<script" not in text
        assert "<img" not in text
        assert "49" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "default-src 'none'; style-src 'unsafe-inline'" in text
    # The control: it is there, as text.
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_those_who_mark_see_the_code_that_the_prose_speaks_of(tmp_path):
    sources = {"ann": {"ch6-gae": "def gae(rewards):\n\treturn rewards < 1\n"}}
    report.write(a_class(), ASSIGNMENT, tmp_path, sources=sources)
    shown = (tmp_path / "to_read" / "ann.html").read_text(encoding="utf8")
    assert "def gae(rewards):\n    return rewards &lt; 1</pre>" in shown
    assert "The code" not in (tmp_path / "to_read" / "bob.html").read_text(encoding="utf8")
    assert "def gae" not in (tmp_path / "feedback" / "ann.html").read_text(encoding="utf8")


def test_feedback_shows_parts_hints_and_what_people_said(out):
    text = (out / "feedback" / "bob.html").read_text(encoding="utf8")
    assert text.count("✓ passed") == 2
    assert text.count("✗ not yet") == 3
    assert "You went from the first token to the last" in text
    assert "Why?" in text
    assert "not marked yet" in text
    assert "What to look at" in text
    # A hint is for those who failed.
    assert "You went" not in (out / "feedback" / "ann.html").read_text(encoding="utf8")


def test_a_refused_submission_is_told_why_and_what_to_do(out):
    text = (out / "feedback" / "dee.html").read_text(encoding="utf8")
    assert "The file is not a notebook: it is no JSON." in text
    assert "Hand in the notebook itself: hw9_sample.ipynb" in text
    assert not (out / "to_read" / "dee.html").exists()


def test_one_to_look_at_is_told_that_a_person_will(out):
    text = (out / "feedback" / "cem.html").read_text(encoding="utf8")
    assert "A person will look at this submission" in text
    assert "the last one counts" in text


TEST_FIELDS = {"name", "number", "score", "max_score", "status", "output", "output_format", "visibility"}


@pytest.mark.parametrize("one", a_class(), ids=lambda one: one.student)
def test_gradescope_gets_what_its_specification_names(one):
    data = gradescope.of(one, ASSIGNMENT, 1.234)
    assert data["stdout_visibility"] == "hidden"
    assert data["score"] == sum(test["score"] for test in data["tests"]) == one.earned
    assert sum(test["max_score"] for test in data["tests"]) == ASSIGNMENT.automatic
    for test in data["tests"]:
        assert set(test) == TEST_FIELDS
        assert test["output_format"] == "text"
        assert test["status"] == ("passed" if test["score"] == test["max_score"] else "failed")
    if one.status == REFUSED:
        assert "Hand in the notebook itself" in data["output"]
    else:
        assert data["execution_time"] == 1.23


def test_one_submission_leaves_results_json_where_gradescope_looks(tmp_path):
    report.write([a_class()[3]], ASSIGNMENT, tmp_path, gradescope=True)
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 0


def test_an_assignment_without_prose_has_no_pages_to_read_and_whole_totals(tmp_path):
    one = result("ann", ALL_PARTS, written={})
    report.write([dataclasses.replace(one, questions=one.questions[:1])], ONLY_CODE, tmp_path)
    assert list((tmp_path / "to_read").iterdir()) == []
    (row,) = table(tmp_path / "grades.csv")
    assert (row["people"], row["total"], row["remarks"]) == ("0", "8", "")
    assert (tmp_path / "canvas.csv").read_text().splitlines()[0].endswith('"Homework 8"')
