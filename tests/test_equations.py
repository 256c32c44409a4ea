"""The book, the tests and the record speak of the same equations. Nothing is run here: sources are compared."""

from collections import Counter
from pathlib import Path

from equations import BOOK, RECORD, TESTS, marked
from equations_source import problems, read_record, stated

ROOT = Path(__file__).resolve().parents[1]
EQUATIONS = {label for label, equation in stated(ROOT / BOOK).items() if not equation.is_definition}


def test_every_display_equation_is_labelled_and_every_definition_only_defines():
    assert problems(ROOT / BOOK) == []


def test_each_equation_has_one_test_and_each_test_an_equation():
    labels = [label for label, _ in marked(ROOT / TESTS)]
    assert sorted(EQUATIONS - set(labels)) == [], "stated in the book, marked on no test"
    assert sorted(set(labels) - EQUATIONS) == [], "marked on a test, stated nowhere in the book"
    assert [label for label, count in Counter(labels).items() if count > 1] == [], "marked on several tests"


def test_the_record_holds_exactly_the_stated_equations_in_their_present_form():
    record = read_record(ROOT / RECORD)
    assert sorted(EQUATIONS ^ record.keys()) == [], "run `pytest -m equation --accept-equations`"
    equations = stated(ROOT / BOOK)
    assert [label for label in record if record[label]["sha256"] != equations[label].sha256] == [], "changed formulas"


def test_each_recorded_check_names_a_test_that_exists():
    for entry in read_record(ROOT / RECORD).values():
        file, _, name = entry["test"].partition("::")
        assert f"def {name.rpartition('::')[2]}(" in (ROOT / file).read_text(encoding="utf-8"), entry["test"]
