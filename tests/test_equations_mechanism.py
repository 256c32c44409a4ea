"""The plugin `equations` on toy books: each way of not checking an equation is refused in one clear sentence."""

import json
import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BOOK = "# Toy\n\n$$ a = b $$ (eq-toy)\n\n$$ c := 1 $$ (def-c)\n"
HEAD = "import pytest\n\ndef check(sign):\n    assert sign == 1\n\n"
MARK = '@pytest.mark.equation("eq-toy", way="closed form")\n'
GOOD = HEAD + MARK + 'def test_toy(equation):\n    equation.holds(check, 1)\n    equation.rejects("sign", check, -1)\n'


@pytest.fixture
def toy(pytester, monkeypatch):
    """A project with one page, one test and no record yet; `toy(*options)` runs its suite."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\ntestpaths = tests\naddopts = -p equations -p no:cacheprovider\nmarkers = equation: x")
    for name in ("book", "tests"):
        pytester.mkdir(name)
    write(pytester, BOOK, GOOD)
    return lambda *options: pytester.runpytest_inprocess(*options)


def write(pytester, book: str | None = None, tests: str | None = None) -> None:
    if book is not None:
        (pytester.path / "book" / "01_toy.md").write_text(book, encoding="utf-8")
    if tests is not None:
        (pytester.path / "tests" / "test_toy.py").write_text(tests, encoding="utf-8")


def read(pytester) -> dict:
    return json.loads((pytester.path / "results" / "equations.json").read_text(encoding="utf-8"))


def says(result, *parts: str) -> None:
    """The run failed, and one line of its output holds all of `parts`."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED, result.ret
    assert any(all(part in line for part in parts) for line in result.outlines), (parts, result.outlines)


def test_accepted_and_unchanged_it_passes(toy, pytester):
    accepted = toy("-m", "equation", "--accept-equations")
    accepted.assert_outcomes(passed=1)
    first = (pytester.path / "results" / "equations.json").read_bytes()
    assert first.endswith(b"}\n")
    assert read(pytester)["eq-toy"] | {"sha256": ""} == {
        "sha256": "", "way": "closed form", "rejects": ["sign"], "test": "tests/test_toy.py::test_toy",
    }  # fmt: skip
    result = toy()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["equations: 1 stated, 1 checked"])
    toy("--accept-equations")
    assert (pytester.path / "results" / "equations.json").read_bytes() == first


def test_whitespace_and_comments_are_not_the_formula(toy, pytester):
    toy("--accept-equations")
    write(pytester, "# Toy\n\nA paragraph more.\n\n$$\n  a  =\n  b % as before\n$$ (eq-toy)\n")
    assert toy().ret == 0


def test_an_equation_not_on_record_fails(toy):
    says(toy(), "'eq-toy' (book/01_toy.md, line 3) is not in results/equations.json yet", "--accept-equations")


def test_an_edited_formula_fails_until_it_is_accepted(toy, pytester):
    toy("--accept-equations")
    write(pytester, BOOK.replace("a = b", "a = -b"))
    says(toy(), "'eq-toy' (book/01_toy.md, line 3) has changed since tests/test_toy.py::test_toy checked it: read")
    assert toy("--accept-equations").ret == 0
    assert toy().ret == 0


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"closed form"', '"enumeration"', "way was 'closed form', is 'enumeration'"),
        ('"sign"', '"factor"', "rejects was ['sign'], is ['factor']"),
        ("def test_toy", "def test_other", "test was 'tests/test_toy.py::test_toy'"),
        ('"closed form"', '"simulation", false_alarm=1e-6', "false_alarm was None, is 1e-06"),
    ],
)
def test_an_edited_check_fails_until_it_is_accepted(toy, pytester, old, new, sentence):
    toy("--accept-equations")
    write(pytester, tests=GOOD.replace(old, new))
    says(toy(), "The check of 'eq-toy'", sentence)


def test_an_equation_without_check_fails_the_complete_run_only(toy, pytester):
    toy("--accept-equations")
    write(pytester, BOOK + "\n$$ d = e $$ (eq-lonely)\n", GOOD + "\ndef test_something_else():\n    pass\n")
    for options in ([], ["-m", "equation"], ["tests"]):
        result = toy(*options)
        says(result, "'eq-lonely' (book/01_toy.md, line 7) has no passed check", 'equation("eq-lonely", way=')
        result.stdout.fnmatch_lines(["equations: 2 stated, 1 checked"])
    result = toy("-k", "something")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["equations: 2 stated, 0 checked (1 not part of this run)"])


def test_a_skipped_check_is_no_check(toy, pytester):
    toy("--accept-equations")
    write(pytester, tests=GOOD.replace("(equation):", "(equation):\n    pytest.skip('later')"))
    says(toy(), "'eq-toy'", "has no passed check: its test did not pass")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("eq-toy", "eq-elsewhere", "'eq-elsewhere', which no page of book/ states"),
        ("eq-toy", "def-c", "'def-c' is a definition"),
        ("closed form", "closed eyes", "is 'closed eyes': choose one of symbolic, enumeration, finite difference"),
        ("closed form", "simulation", "must state its false-alarm rate"),
        ('"closed form"', '"closed form", false_alarm=1e-6', "raises no false alarm: drop false_alarm"),
        ('"eq-toy", ', '"eq-toy", "eq-two", ', "one label a marker"),
        (MARK, "", "The fixture and the marker `equation` go together"),
        (MARK, MARK + MARK.replace("eq-toy", "def-c"), "'def-c' is a definition"),
    ],
)
def test_a_wrong_marker_is_refused(toy, pytester, old, new, sentence):
    write(pytester, tests=GOOD.replace(old, new))
    says(toy("--accept-equations"), sentence)
    assert read(pytester) == {}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("equation.holds(check, 1)", "It rejects no wrong form"),
        ('equation.rejects("sign", check, -1)', "It checks no right form"),
        ('equation.holds(check, 1); equation.rejects("sign", check, 1)', "'sign' passes the check"),
        ('equation.holds(check, 1); equation.rejects("sign", check)', "'sign' crashes the check (TypeError)"),
        ('equation.holds(check, 1); equation.rejects(" ", check, -1)', "Name each wrong form"),
        (
            "def never(sign):\n        raise AssertionError\n"
            '    equation.holds(check, 1); equation.rejects("sign", never, -1)',
            "a check that no right form has passed",
        ),
        ("pass", "It checks no right form"),
    ],
)
def test_a_check_that_checks_nothing_is_refused(toy, pytester, body, sentence):
    write(pytester, tests=HEAD + MARK + f"def test_toy(equation):\n    {body}\n")
    says(toy("--accept-equations"), sentence)
    assert read(pytester) == {}


def test_a_wrong_right_form_is_an_ordinary_failure(toy, pytester):
    write(pytester, tests=GOOD.replace("holds(check, 1)", "holds(check, -1)"))
    says(toy("--accept-equations"), "assert -1 == 1")


def test_two_tests_of_one_equation_are_refused(toy, pytester):
    write(pytester, tests=GOOD + GOOD.removeprefix(HEAD).replace("test_toy", "test_twin"))
    says(toy("--accept-equations"), "'eq-toy' has two tests, tests/test_toy.py::test_toy and", "test_twin: keep one")


TWO = GOOD + GOOD.removeprefix(HEAD).replace("toy", "two") + GOOD.removeprefix(HEAD).replace("toy", "three")


def test_accepting_part_of_the_suite_updates_that_part_and_drops_what_is_gone(toy, pytester):
    book = BOOK + "\n$$ d = e $$ (eq-two)\n\n$$ f = g $$ (eq-three)\n"
    write(pytester, book, TWO)
    toy("--accept-equations")
    before = read(pytester)
    assert list(before) == sorted(before) == ["eq-three", "eq-toy", "eq-two"]
    write(pytester, book.replace("a = b", "a = B").replace("d = e", "d = E").replace("eq-three", "eq-four"))
    toy("--accept-equations", "-k", "two")
    after = read(pytester)
    assert list(after) == ["eq-toy", "eq-two"]
    assert after["eq-toy"] == before["eq-toy"]
    assert after["eq-two"]["sha256"] != before["eq-two"]["sha256"]


def test_several_markers_stand_on_one_test(toy, pytester):
    write(pytester, BOOK + "\n$$ d = e $$ (eq-two)\n", GOOD.replace(MARK, MARK + MARK.replace("toy", "two")))
    toy("--accept-equations")
    assert {entry["test"] for entry in read(pytester).values()} == {"tests/test_toy.py::test_toy"}
    toy().stdout.fnmatch_lines(["equations: 2 stated, 2 checked"])


def test_two_processes_count_and_accept_like_one(toy, pytester):
    """Reports of xdist's workers arrive in the controller."""
    more = "\n$$ d = e $$ (eq-two)\n\n$$ f = g $$ (eq-three)\n\n$$ h = i $$ (eq-lonely)\n"
    write(pytester, BOOK + more, TWO)
    result = pytester.runpytest_subprocess("-p", "xdist", "-n", "2", "--accept-equations")
    says(result, "'eq-lonely'", "has no passed check")
    result.stdout.fnmatch_lines(["equations: 4 stated, 3 checked"])
    assert list(read(pytester)) == ["eq-three", "eq-toy", "eq-two"]


def test_a_broken_record_is_named_and_can_be_made_anew(toy, pytester):
    (pytester.path / "results").mkdir()
    (pytester.path / "results" / "equations.json").write_text('{"eq-toy": [', encoding="utf-8")
    result = toy()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*equations.json is not a record of checked equations*--accept-equations*"])
    assert toy("--accept-equations").ret == 0
    assert os.listdir(pytester.path / "results") == ["equations.json"]
