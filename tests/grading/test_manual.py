"""People's marks: written, filled in by a spreadsheet, read back; and each thing that can be wrong with the file."""

import pytest
from graded_samples import ASSIGNMENT, a_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhw.grading import manual, tables

HEADER = "student,question,points,possible,comment"


def saved(folder, text, encoding="utf8"):
    path = folder / "manual.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_row_for_each_answer_to_read(tmp_path):
    manual.write(a_class(), ASSIGNMENT, tmp_path / "manual.csv")
    rows = (tmp_path / "manual.csv").read_text().splitlines()
    assert rows[0] == '"student","question","points","possible","comment"'
    assert rows[1] == '"ann","explain-gae","",12,""'
    # dee handed in nothing that could be read.
    assert [row.split(",")[0] for row in rows[1:]] == ['"ann"'] * 2 + ['"bob"'] * 2 + ['"cem"'] * 2
    assert manual.read(tmp_path / "manual.csv", ASSIGNMENT, ["ann", "bob", "cem"]) == {}


def test_what_was_filled_in_stays(tmp_path):
    marks = {"ann": {"results": (3.5, "=good")}, "gone": {"explain-gae": (1.0, "")}}
    manual.write(a_class(), ASSIGNMENT, tmp_path / "manual.csv", marks)
    assert manual.read(tmp_path / "manual.csv", ASSIGNMENT) == marks


COMMENTS = st.text(max_size=40).map(lambda text: manual._comment(tables.cell(text)))
MARKS = st.dictionaries(
    st.sampled_from(["ann", "bob", "-cem", "o'neill", "Müller, Ann"]),
    st.dictionaries(
        st.sampled_from(["explain-gae", "results"]),
        st.tuples(st.one_of(st.none(), st.integers(0, 24).map(lambda half: half / 2)), COMMENTS).filter(
            lambda mark: mark != (None, "")
        ),
        min_size=1,
    ),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=MARKS)
def test_the_round_trip_is_exact(tmp_path, marks):
    manual.write([], ASSIGNMENT, tmp_path / "manual.csv", marks)
    assert manual.read(tmp_path / "manual.csv", ASSIGNMENT) == marks


def test_a_comment_of_several_lines_keeps_them(tmp_path):
    path = saved(tmp_path, f'{HEADER}\nann,results,3,16,"one\r\n\r\ntwo"\n')
    assert manual.read(path, ASSIGNMENT)["ann"]["results"] == (3.0, "one\n\ntwo")
    marks = manual.read(path, ASSIGNMENT)
    manual.write([], ASSIGNMENT, path, marks)
    assert "⏎⏎" in path.read_text(encoding="utf8")
    assert manual.read(path, ASSIGNMENT) == marks


ROW = {"ann": {"results": (3.5, "Schön, ja")}}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (f'{HEADER}\nann,results,3.5,16,"Schön, ja"\n', "utf8"),
        (f'{HEADER}\nann,results,"3,5",16,"Schön, ja"\n', "utf-8-sig"),
        (f'{HEADER}\r\nann,results,3.5,16,"Schön, ja"\r\n', "utf-16"),
        (f"{HEADER.replace(',', ';')}\nann;results;3,5;16;Schön, ja\n", "cp1252"),
        (f"{HEADER.replace(',', ';')}\nann;results;3,5;16;Schön, ja\n;;;;\n\n", "utf-8-sig"),
        (f"{HEADER.replace(',', chr(9))}\nann\tresults\t3,5\t16\tSchön, ja\n", "utf-16"),
        ('Comment,Points,Question,Student\n"Schön, ja",3.50,results,ann\n', "utf8"),
        (f'{HEADER},notes\n ann ,results, 3.5 ,16,"Schön, ja",mine\n', "utf8"),
    ],
)
def test_what_spreadsheets_make_of_it_is_read(tmp_path, text, encoding):
    assert manual.read(saved(tmp_path, text, encoding), ASSIGNMENT, ["ann"]) == ROW


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("eve,results,1,16,", r"row 2, column student: there is no submission of 'eve'"),
        ("an,results,1,16,", r"row 2, column student: .* Did you mean 'ann'\?"),
        ("7,results,1,16,", r"row 2, column student: .* drop the zeros of '007'\?"),
        (
            "ann,ch6-gae,1,16,",
            r"row 2, column question: hw9 has no written question 'ch6-gae'. It has: explain-gae, results",
        ),
        ("ann,results,17,16,", r"row 2, column points: 17 is more than the 16 that can be given"),
        ("ann,results,-1,16,", r"row 2, column points: '-1' is no number of points"),
        ("ann,results,nan,16,", r"row 2, column points: 'nan' is no number"),
        ("ann,results,1e1,16,", r"row 2, column points: '1e1' is no number"),
        ("ann,results,3. Mai,16,", r"row 2, column points: '3. Mai' is no number"),
        ("ann,results,1,16,\nann,results,2,16,", r"row 3, column student: 'ann' has results in row 2 already"),
        ("ann,results,,16,\nann,results,2,16,", r"row 3, column student: 'ann' has results in row 2 already"),
        ("ann,results,3,5,16,x", r"row 2: it has 6 cells for 5 columns"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column(tmp_path, rows, sentence):
    with pytest.raises(ValueError, match=f"manual.csv, {sentence}"):
        manual.read(saved(tmp_path, f"{HEADER}\n{rows}\n"), ASSIGNMENT, ["ann", "007"])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "row 1: there must be one column 'student'"),
        (b"student,question\n", "row 1: there must be one column 'points'"),
        (b"student,student,question,points\n", "row 1: there must be one column 'student'"),
        (b"\x81\x8d\x8f\x90\n", "no text that can be read"),
        (b"\xff\xfea", "no text that can be read"),
        (HEADER.encode() + b"\nann,results,1,16," + b"x" * 200_000, "no table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, sentence):
    (tmp_path / "manual.csv").write_bytes(data)
    with pytest.raises(ValueError, match=sentence):
        manual.read(tmp_path / "manual.csv", ASSIGNMENT)


def test_what_is_missing_and_the_total():
    marks = {"ann": {"explain-gae": (2.5, ""), "results": (None, "later")}}
    assert manual.missing(marks, "ann", ASSIGNMENT) == ["results"]
    assert manual.missing(marks, "bob", ASSIGNMENT) == ["explain-gae", "results"]
    assert manual.total(marks, "ann") == 2.5
    assert manual.total(None, "ann") == 0
