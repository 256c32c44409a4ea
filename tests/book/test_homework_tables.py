"""Homework and plans on a page: read from their sources, refused in one sentence where these are not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import homework_tables
import pytest
from bs4 import BeautifulSoup
from small_book import SmallBook

from rlhw.homework.assignment import Asked, Assignment, Level, Prose, Written

OPENING = """---
orphan: true
---
# {title}

**Time**: {read} minutes to read, {do} for the exercises, {run} for [the notebook](https://example.org), which runs.
"""

WRITTEN = Written(
    name="why",
    title="Why it falls",
    points=5,
    minutes=12,
    text="Why?",
    rubric=(Level(5, "Names the *bound*."), Level(0, "Nothing.")),
)


def assignment(name: str) -> Assignment:
    """An assignment of one question (6 points, 5 minutes) and one that people read; hw8 has only the question."""
    if name not in ("hw8", "hw9"):
        raise ValueError(f"there is no assignment '{name}'. There are: hw8, hw9.")
    items = (Prose("Now"), Asked("ch1-score", ("score",))) + ((WRITTEN,) if name == "hw9" else ())
    return Assignment(name, f"{name}_toy", "A toy", "Hello.", items, graded=name == "hw9")


@pytest.fixture(autouse=True)
def homework(monkeypatch):
    """A stand-in for `rlhw.homework`."""
    monkeypatch.setitem(sys.modules, "rlhw.homework", SimpleNamespace(assignment=assignment))


def build(folder, text: str, **chapters: str) -> SmallBook:
    """A book of an index with this text, and of chapters."""
    pages = {"index.md": f"# Title\n\n{text}\n"} | {f"{stem}.md": opening for stem, opening in chapters.items()}
    return SmallBook(folder, pages, ["homework_tables"])


def cells(page: str) -> list[list[str]]:
    """The table's rows as text."""
    table = BeautifulSoup(page, "html.parser").find("table")
    return [[cell.get_text().strip() for cell in row.find_all("td")] for row in table.find_all("tr")][1:]


def test_a_table_of_questions_has_parts_minutes_points_and_their_sums(tmp_path):
    page = build(tmp_path, "```{homework} hw9\n```").page()
    asked, written, in_all = cells(page)
    assert asked[0] == "The score of a softmax policy ★☆☆"
    assert asked[2:] == ["5", "6"]
    assert 'aria-label="difficulty 1 of 3"' in page
    assert written == ["Why it falls", "read by people", "12", "5"]
    assert in_all == ["In all", "6 by the machine, 5 by people", "17", "11"]


def test_a_table_says_where_points_are_for_the_students_eyes_only(tmp_path):
    assert cells(build(tmp_path, "```{homework} hw8\n```").page())[-1] == [
        "In all", "by the machine, for your own eyes", "5", "6",
    ]  # fmt: skip


def test_rubrics_stand_level_by_level(tmp_path):
    page = build(tmp_path, "```{rubrics} hw9\n```").page()
    assert "<strong>Why it falls</strong> (5 points)" in page
    assert "<strong>5</strong>: Names the <em>bound</em>." in page
    assert page.index("Names the") < page.index("Nothing.")


def test_a_plan_adds_up_what_its_chapters_and_assignments_say(tmp_path):
    text = "```{plan}\n1 | 01_one, b1_two | hw9 goes out | Talk (20).\n2 | 01_one | hw9 is due | A contest.\n```"
    chapters = {
        "01_one": OPENING.format(title="One: a start", read=40, do=50, run=10),
        "b1_two": OPENING.format(title="B1 Two", read=60, do=5, run=7),
    }
    book = build(tmp_path, text, **chapters)
    assert book.warnings == []
    soup = BeautifulSoup(book.page(), "html.parser")
    assert [week.get_text().strip() for week in soup.find_all("dt")] == ["Week 1: 1 One, B1 Two", "Week 2: 1 One"]
    first, second = (text.get_text().strip() for text in soup.find_all("dd") if "At home" in text.get_text())
    assert first == "At home: 100 minutes to read, 55 for exercises, 17 for notebooks. hw9 goes out."
    assert second == "At home: 40 minutes to read, 50 for exercises, 10 for notebooks. hw9 is due."
    assert [text.get_text().strip() for text in soup.find_all("dd")][1::2] == [
        "In class: Talk (20).",
        "In class: A contest.",
    ]
    assert 'href="01_one.html"' in book.page()
    # 40 + 60 + 40 to read, 50 + 5 + 50, 10 + 7 + 10, and 17 minutes of homework, counted once.
    assert "4 h 49 min</strong> (140 minutes to read, 105 for exercises, 27 for notebooks, 17 for hw9)" in book.page()


def test_minutes_are_said_in_hours():
    assert [homework_tables.hours(minutes) for minutes in (0, 45, 60, 1025)] == ["0 min", "45 min", "1 h", "17 h 5 min"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("```{homework} hw7\n```", "there is no assignment 'hw7'. There are: hw8, hw9."),
        ("```{rubrics} hw8\n```", "hw8 has no question that people read, so it has no rubric."),
        (
            "```{plan}\n1 | 01_one | nothing\n```",
            "a week of a plan is 'week | chapters | homework | in class', not '1 |",
        ),
        ("```{plan}\n1 | 01_won | | x\n```", "there is no chapter '01_won': 01_won.md is not among the book's pages."),
        ("```{plan}\n1 | 01_one | | x\n```", "01_one.md does not open with a title and a line '**Time**: N minutes"),
        ("```{plan}\n1 | | hw7 | x\n```", "there is no assignment 'hw7'."),
    ],
)
def test_what_cannot_be_shown_is_one_warning(tmp_path, text, sentence):
    (warning,) = build(tmp_path, text, **{"01_one": "---\norphan: true\n---\n# One\n\n**Time**: long.\n"}).warnings
    assert "index.md:3: WARNING: " in warning
    assert sentence in warning
