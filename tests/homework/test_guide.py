"""The pages on homework and teaching say what is so: commands, minutes, points, chapters, slips, and a question that works."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from rlhw import cli, exercises, homework
from rlhw.homework.assignment import Asked, Prose, Written

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PAGES = {name: (BOOK / f"{name}.md").read_text(encoding="utf-8") for name in ("homework", "instructors")}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# The same line as the directive reads, found another way: numbers in the order of the sentence.
OPENING = re.compile(r"Time\*\*: (\d+) minutes to read, (\d+) for the exercises, (\d+) for")


def quoted_commands() -> list[str]:
    """Every command of the two pages: the lines of console blocks, and what begins with rlhw, make or pytest in a line."""
    found = []
    for text in PAGES.values():
        for language, block in FENCE.findall(text):
            whole = re.sub(r"\\\n\s*", "", block)
            found += [line.strip() for line in whole.splitlines() if line.strip()] if language == "console" else []
        prose = FENCE.sub("", text)
        found += re.findall(r"`((?:rlhw|make|pytest) [^`]+)`", prose)
    return list(dict.fromkeys(found))


def fault_of(command: str, config: pytest.Config) -> str:
    """Why the real program would refuse this command line; empty where it takes it. Files need not exist."""
    words = shlex.split(command)
    if words[0] == "rlhw":
        try:
            cli._parser().parse_args(words[1:])
        except SystemExit:
            return f"rlhw does not take: {command}"
    elif words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        return "" if set(words[1:]) <= set(targets) else f"the Makefile has no such target: {command}"
    elif words[0] == "pytest":
        for word in words[1:]:
            if word.startswith("-"):
                config.getoption(word)
    elif words[:2] == ["sudo", "apt-get"] or command.startswith("(umask 077; python -c"):
        return ""
    else:
        return f"nobody checks this command: {command}"
    return ""


def test_each_command_is_one_that_the_program_takes(pytestconfig):
    commands = quoted_commands()
    assert len([command for command in commands if command.startswith("rlhw grade")]) >= 2
    assert [fault for command in commands if (fault := fault_of(command, pytestconfig))] == []


def test_a_command_that_the_program_does_not_take_is_found(pytestconfig):
    assert fault_of("rlhw grade --assignments hw1", pytestconfig)
    assert fault_of("make attack", pytestconfig)
    assert fault_of("rm -rf graded", pytestconfig)
    with pytest.raises(ValueError, match="no option named"):
        fault_of("pytest --nbval-laxer x.ipynb", pytestconfig)


def chapter_of_label() -> dict[str, str]:
    """Chapters' labels and their files' text."""
    texts = [path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")]
    return {found[1]: text for text in texts if (found := re.match(r"\(([\w-]+)\)=\n# ", text))}


def test_each_belief_stands_in_the_chapter_that_refutes_it():
    chapters, chapter, rows = chapter_of_label(), "", 0
    for line in PAGES["instructors"].splitlines():
        slips = re.findall(r"<slip-([\w-]+)>", line)
        if not (line.startswith("|") and slips):
            continue
        first = line.split("|")[1].strip()
        if first:
            chapter = chapters[re.fullmatch(r"\{ref\}`[^<]+ <([\w-]+)>`", first)[1]]
        for slip in slips:
            assert f"```{{slip}} {slip}\n" in chapter, f"{slip} is no slip of {chapter[:40]!r}"
        rows += 1
    assert rows >= 25


def test_each_exercise_that_is_named_stands_in_the_book():
    everything = "".join(path.read_text(encoding="utf-8") for path in BOOK.glob("*.md"))
    named = re.findall(r"\{ref\}`exercise <([\w-]+)>`", PAGES["instructors"])
    assert len(named) >= 20
    for name in named:
        assert exercises.question(name).wrong
        assert f"```{{question}} {name}\n" in everything


def plans() -> list[list[list[str]]]:
    """The plans of the guide as written: weeks of cells."""
    blocks = re.findall(r"^```\{plan\}\n(.*?)^```", PAGES["instructors"], re.M | re.S)
    return [[[cell.strip() for cell in week.split("|")] for week in block.splitlines()] for block in blocks]


def stems(plan: list[list[str]]) -> list[str]:
    """The chapters of a plan in order."""
    return [stem.strip() for week in plan for stem in week[1].split(",") if stem.strip()]


def test_each_plan_has_its_weeks_and_the_whole_walk_in_order():
    walk = sorted(path.stem for path in BOOK.glob("0[1-8]_*.md"))
    assert [len(plan) for plan in plans()] == [4, 6, 12]
    for plan in plans():
        assert [int(week[0]) for week in plan] == list(range(1, len(plan) + 1))
        assert [stem for stem in stems(plan) if stem in walk] == walk
    background = sorted(path.stem for path in BOOK.glob("b[1-6]_*.md"))
    assert sorted(stems(plans()[-1])) == walk + background


def test_each_week_fills_ninety_minutes_in_class():
    for plan in plans():
        for week in plan:
            assert sum(map(int, re.findall(r"\((\d+)\)", week[3]))) == 90, week


def page(book: Path, name: str) -> BeautifulSoup:
    """A built page."""
    return BeautifulSoup((book / "book" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def rows_of(table) -> list[list[str]]:
    """A table's cells as text, without its head."""
    return [[cell.get_text().strip() for cell in row.find_all("td")] for row in table.find_all("tr")][1:]


def test_the_minutes_of_the_plans_are_those_of_the_chapters_and_the_assignments(built_book):
    tables = page(built_book, "instructors").select(".homework-table")
    assert len(tables) == 3
    for plan, box in zip(plans(), tables, strict=True):
        minutes = []
        said = [text.get_text() for text in box.find_all("dd") if "At home" in text.get_text()]
        for week, row in zip(plan, said, strict=True):
            found = [OPENING.search((BOOK / f"{stem}.md").read_text(encoding="utf-8")) for stem in stems([week])]
            minutes.append([sum(map(int, column)) for column in zip(*(one.groups() for one in found), strict=True)])
            assert [int(number) for number in re.findall(r"(\d+) (?:minutes|for)", row)] == minutes[-1]
        given = sorted({name for week in plan for name in re.findall(r"hw\d", week[2])})
        at_home = sum(map(sum, minutes)) + sum(homework.assignment(name).minutes for name in given)
        total = box.find_all("p")[-1].get_text()
        assert f"in all: {at_home // 60} h {at_home % 60} min".replace(" 0 min", "") in total
        for name in given:
            assert f"{homework.assignment(name).minutes} for {name}" in total


def test_the_points_on_the_page_are_those_of_the_assignments(built_book):
    tables = page(built_book, "homework").select(".homework-table")
    for name, box in zip(homework.names(), tables, strict=False):
        given, rows = homework.assignment(name), rows_of(box.find("table"))
        items = [item for item in given.items if not isinstance(item, Prose)]
        items = [exercises.question(item.question) if isinstance(item, Asked) else item for item in items]
        titles = [re.sub(" [★☆]{3}$", "", row[0]).replace("’", "'") for row in rows[:-1]]
        assert titles == [item.title for item in items]
        assert [row[0].count("★") for row in rows[:-1]] == [getattr(item, "stars", 0) for item in items]
        assert [(int(row[2]), int(row[3])) for row in rows[:-1]] == [(item.minutes, item.points) for item in items]
        for item, row in zip(items, rows, strict=False):
            parts = list(map(int, re.findall(r"\((\d+)\)", row[1])))
            assert sum(parts) == (0 if isinstance(item, Written) else item.points)
        assert [int(rows[-1][2]), int(rows[-1][3])] == [given.minutes, sum(item.points for item in items)]
    assert len(tables) == len(homework.names()) + sum(
        bool(homework.assignment(name).written) for name in homework.names()
    )


def test_the_question_of_the_guide_is_proven_and_its_assignment_is_one(monkeypatch, capsys):
    first, second = (block for language, block in FENCE.findall(PAGES["instructors"]) if language == "python")
    made: dict = {}
    exec(compile(first, "hw1_two_arms.py", "exec"), made)
    known = exercises.question
    monkeypatch.setattr(
        exercises, "question", lambda name, variant="": made["QUESTION"] if name == "hw1-two-arms" else known(name, variant)
    )  # fmt: skip
    assert exercises.prove(["hw1-two-arms"]), capsys.readouterr().out
    exec(compile(second, "quiz_two_arms.py", "exec"), made)
    monkeypatch.setattr(sys.modules["rlhw.homework.assignment"], "question", exercises.question)
    assert (made["ASSIGNMENT"].automatic, made["ASSIGNMENT"].people, made["ASSIGNMENT"].minutes) == (4, 2, 10)


def test_the_pages_are_short():
    assert all(len(text.splitlines()) < 300 for text in PAGES.values())
