"""What `make pdf` knows of the pages before it prints them, and how it says no. No browser, no PDF."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import MagicMock

import make_pdf
import pdf_pages
import pdf_printing
import pytest
import yaml
from book.built_book import ROOT, pages_of_the_toc
from pdf_pages import Entry, Page

PAGE = """<html><body><nav><h1>The site</h1><a href="c.html">menu</a></nav><div class="bd-article"><section id="top">
<h1><span class="section-number">3. </span>A \\(k_1\\) title<a class="headerlink" href="#top">#</a></h1>
<section id="first"><h2>First<a class="headerlink" href="#first">#</a></h2><a href="b%20b.html#place">there</a>
<section id="deep"><h3>Deep</h3></section></section>
<section id="second"><h2>Second <em>part</em></h2><a href="https://example.org/x#y">out</a></section></section></div></body></html>"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two pages that lead to each other."""
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "b b.html").write_text(
        '<h1>Other</h1><p id="place"></p><a href="a.html#deep">back</a>', encoding="utf-8"
    )
    return tmp_path


def test_the_order_is_that_of_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    order = pdf_pages.reading_order(toc)
    assert [entry.name for entry in order] == pages_of_the_toc()
    assert order[0] == Entry("book/index", 0, "")
    assert order[1:3] == [
        Entry("book/01_policy_gradient", 1, "The walk"),
        Entry("notebooks/01_policy_gradient", 2, "The walk"),
    ]


def test_a_page_is_read_as_title_sections_and_links(folder):
    page = pdf_pages.read_page(folder, Entry("a", 1, "One"))
    assert page.title == "3. A k_1 title"
    assert page.sections == (("first", "First"), ("second", "Second part"))
    # Not what stands in the site's menu, nor what leads into the network.
    assert page.links == {(folder / "a.html", "top"), (folder / "a.html", "first"), (folder / "b b.html", "place")}


def test_the_ids_to_name_are_those_that_somebody_leads_to(folder):
    pages = [pdf_pages.read_page(folder, Entry(name, 1, "")) for name in ("a", "b b")]
    assert pdf_pages.targets(pages, folder) == {"a": ["deep", "first", "second", "top"], "b b": ["place"]}
    # A page that is not printed leads nowhere.
    assert pdf_pages.targets(pages[:1], folder) == {"a": ["first", "second", "top"]}


def test_the_contents_name_parts_once_and_say_where_pages_begin(tmp_path):
    entries = [Entry("book/a", 1, "One & two"), Entry("notebooks/a", 2, "One & two"), Entry("book/b", 1, "Three")]
    pages = [Page(entry, f"<{entry.name}>", (), frozenset()) for entry in entries]
    lines = make_pdf.contents(pages, {"book/a": 1, "notebooks/a": 12, "book/b": 20}, tmp_path).splitlines()
    assert [line for line in lines if line.startswith("<p")] == [
        '<p class="part">One &amp; two</p>',
        '<p class="part">Three</p>',
    ]
    assert f'href="{(tmp_path / "book/a.html").as_uri()}"' in lines[1]
    assert "&lt;book/a&gt;" in lines[1]
    assert 'class="depth-2"' in lines[2]
    assert "Notebook: " in lines[2]
    assert "<b>12</b>" in lines[2]


def test_without_a_book_it_is_one_sentence(tmp_path, capsys):
    assert make_pdf.main(["--book", str(tmp_path), "--out", str(tmp_path / "book.pdf")]) == 1
    assert capsys.readouterr().err == f'There is no book in {tmp_path} yet: run "make book" first.\n'


def test_without_chromium_it_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pdf_printing.CannotPrint, match=r"^Chromium prints the pages, and none was found"):
        pdf_printing.chromium()


def test_a_page_that_is_not_built_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"^The page c is in _toc.yml, but not in .*: build the book anew"):
        pdf_pages.read_page(folder, Entry("c", 1, ""))


def test_the_date_is_given_or_there_is_none(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert make_pdf.source_date() is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert make_pdf.source_date() == 86400
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(pdf_printing.CannotPrint, match="whole seconds since 1970; got 'yesterday'"):
        make_pdf.source_date()


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """A Chromium that is found and does nothing."""
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_a_start_of_chromium_prints_nothing_anew_and_another_chromium_everything(program, tmp_path):
    before = make_pdf.style_hash(tmp_path)
    os.utime(program, ns=(0, program.stat().st_mtime_ns))
    assert make_pdf.style_hash(tmp_path) == before
    os.utime(program, ns=(0, program.stat().st_mtime_ns + 1))
    assert make_pdf.style_hash(tmp_path) != before


def test_a_chromium_that_dies_is_one_sentence(program, tmp_path, monkeypatch):
    from playwright import sync_api

    driver = MagicMock()
    tab = driver.return_value.__enter__.return_value.chromium.launch.return_value.new_page.return_value
    tab.goto.side_effect = sync_api.Error("Target crashed.\nCall log: …")
    monkeypatch.setattr(sync_api, "sync_playwright", driver)
    with pdf_printing.printer() as print_page, pytest.raises(pdf_printing.CannotPrint) as raised:
        print_page(tmp_path / "a.html", "book/a", [])
    assert str(raised.value) == "Chromium did not print the page book/a: Target crashed. Run the same command again."


def test_a_disk_that_is_full_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(make_pdf, "make", lambda *rest: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert make_pdf.main([]) == 1
    assert capsys.readouterr().err == "[Errno 28] No space left on device\n"


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "book.pdf"
    make_pdf.whole(target, b"old")
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        make_pdf.whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
