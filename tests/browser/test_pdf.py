"""`make pdf` on a part of the built book: whole, readable, linked, and not harmed by a kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from book.built_book import ROOT
from bs4 import BeautifulSoup
from pypdf import PdfReader

PAGES = ("book/01_policy_gradient", "notebooks/01_policy_gradient", "book/errata")
SCRIPT = ROOT / "book" / "_ext" / "make_pdf.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def command(book: Path, target: Path) -> list[str]:
    return [sys.executable, str(SCRIPT), "--book", str(book), "--out", str(target), *PAGES]


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return clean | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | more


def run(book: Path, target: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command(book, target), env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def target(book, require, tmp_path_factory) -> Path:
    """The PDF of three pages."""
    require("chromium", "it prints the pages of the book")
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    done = run(book, target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("The book as a PDF, ")
    return target


@pytest.fixture(scope="module")
def pdf(target) -> PdfReader:
    return PdfReader(target)


def starts(pdf: PdfReader) -> dict[str, int]:
    """The sheet on which each bookmark of the second level begins, by title: chapters; their notebooks below them."""
    found = {}

    def walk(nodes: list, depth: int) -> None:
        for node in nodes:
            if isinstance(node, list):
                walk(node, depth + 1)
            elif depth:
                found.setdefault(node.title, pdf.get_destination_page_number(node))

    walk(pdf.outline, 0)
    return found


def bare(text: str) -> str:
    """Text without what a line break or a ligature changes."""
    return re.sub(r"\s|\u00ad", "", text).replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff")


def test_no_sheet_is_blank_and_each_has_its_number(pdf):
    texts = [sheet.extract_text() for sheet in pdf.pages]
    assert len(texts) > 20
    front = pdf.page_labels.index("1")
    assert pdf.page_labels == [*("i", "ii", "iii")[:front], *(str(n + 1) for n in range(len(texts) - front))]
    for number, text in enumerate(texts[front:], 1):
        *_, last = text.splitlines()
        assert last.split()[-1] == str(number)
        assert len(text) - len(last) > 20, f"sheet {number} is blank"


def test_each_page_stands_in_it_with_all_its_headings_and_equation_numbers(book, pdf):
    begins = starts(pdf)
    texts = [bare(sheet.extract_text()) for sheet in pdf.pages]
    soups = [
        BeautifulSoup((book / f"{name}.html").read_text("utf-8"), "html.parser").select_one(".bd-article")
        for name in PAGES
    ]
    firsts = [begins[" ".join(soup.h1.get_text().rstrip("#").split())] for soup in soups]
    assert firsts == sorted(firsts)
    for soup, first, end in zip(soups, firsts, [*firsts[1:], len(texts)], strict=True):
        text = "".join(texts[first:end])
        for heading in soup.find_all(["h1", "h2", "h3"]):
            if not heading.select(".math"):
                assert bare(heading.get_text().rstrip("#")) in text
        numbers = re.findall(r"\(\d+\.\d+\)", "".join(mark.get_text() for mark in soup.select(".eqno")))
        assert [number for number in numbers if number not in text] == []
        assert text.count("Solution:") == len(soup.select(".question-solution"))


def test_its_bookmarks_lead_where_the_words_stand(pdf):
    begins = starts(pdf)
    assert [node.title for node in pdf.outline if not isinstance(node, list)] == ["The walk", "To look things up"]
    for title, sheet in begins.items():
        assert bare(title) in bare(pdf.pages[sheet].extract_text())


def test_links_lead_to_sheets_or_into_the_network(pdf):
    sheets = {sheet.indirect_reference.idnum for sheet in pdf.pages}
    links = [note.get_object() for sheet in pdf.pages for note in sheet.get("/Annots", ())]
    inside = [link for link in links if "/Dest" in link]
    assert len(inside) > 30
    assert all(link["/Dest"][0].idnum in sheets for link in inside)
    assert all(link["/A"]["/URI"].startswith("http") for link in links if link not in inside)
    contents = [note.get_object() for note in pdf.pages[1]["/Annots"]]
    number = {sheet.indirect_reference.idnum: index for index, sheet in enumerate(pdf.pages)}
    assert len(contents) == len(PAGES)
    assert {number[link["/Dest"][0].idnum] for link in contents} <= set(starts(pdf).values())


def test_nothing_of_this_machine_stands_in_it(book, target):
    data = target.read_bytes()
    for word in (b"file:", str(book).encode(), b"CreationDate"):
        assert word not in data


def test_widgets_stand_still_and_say_where_they_move(pdf):
    text = bare("".join(sheet.extract_text() for sheet in pdf.pages))
    assert bare("It moves on the page book/01_policy_gradient.html of the built book.") in text


def test_a_killed_run_leaves_no_pdf_and_is_taken_up(book, pdf, tmp_path):
    again = tmp_path / "book.pdf"
    with subprocess.Popen(
        command(book, again), env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout.readline().startswith("  1 of 3  ")
        os.killpg(process.pid, signal.SIGKILL)
    assert not again.exists()
    done = run(book, again)
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert first.endswith("printed before")
    assert not any(line.endswith("printed before") for line in others)
    # Printed anew but for one page, it says the same; byte by byte Chromium's numbers of fonts and pictures may differ.
    assert [sheet.extract_text() for sheet in PdfReader(again).pages] == [sheet.extract_text() for sheet in pdf.pages]
    assert not list(tmp_path.glob(".*"))


def test_without_chromium_it_says_so_in_a_sentence(book, tmp_path):
    done = subprocess.run(
        command(book, tmp_path / "book.pdf"),
        env=environment(PATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Chromium prints the pages, and none was found")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
