"""Joining printed pages: sheets, links, numbers and bookmarks of small PDFs that are made here."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pdf_joining import Printed, footer, join, sheets
from pdf_pages import Entry, Page
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, FloatObject, NameObject, TextStringObject

ABOUT = {"title": "A book", "author": "Somebody", "language": "en"}
FOLDER = Path("/book of mine")


def pdf(count: int, named: dict[str, int], links: list[tuple[int, str]]) -> bytes:
    """`count` sheets, the sheet of each named place, and links from a sheet to an address or to "#place"."""
    writer = PdfWriter()
    for _ in range(count):
        sheet = writer.add_blank_page(594.96, 841.92)
        sheet[NameObject("/Resources")] = DictionaryObject()
        sheet[NameObject("/Contents")] = writer._add_object(DecodedStreamObject())
    for name, sheet in named.items():
        where = [writer.pages[sheet].indirect_reference, NameObject("/XYZ"), *map(FloatObject, (48, 700, 0))]
        writer.add_named_destination_array(TextStringObject(name), ArrayObject(where))
    for sheet, address in links:
        note = writer.add_annotation(sheet, Link(rect=(10, 10, 50, 20), url=address.removeprefix("#")))
        if address.startswith("#"):
            note.pop("/A")
            note[NameObject("/Dest")] = NameObject(f"/{address[1:]}")
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()


def page(name: str, depth: int, part: str, sections: tuple = ()) -> tuple[Page, Path]:
    return Page(Entry(name, depth, part), f"Title of {name}", sections, frozenset()), FOLDER / f"{name}.html"


@pytest.fixture
def book() -> PdfReader:
    """A contents sheet, a chapter of two sheets with a notebook of one, and a chapter of another part."""
    a, c = (FOLDER / f"{name}.html" for name in "ac")
    front = pdf(1, {}, [(0, a.as_uri()), (0, c.as_uri())])
    of_a = pdf(
        2,
        {"first": 0, "second": 1},
        [
            (0, "#second"),
            (0, c.as_uri() + "#there"),
            (0, c.as_uri() + "#nowhere"),
            (1, "https://example.org/"),
            (1, (FOLDER / "left out.html").as_uri()),
        ],
    )
    printed = [
        Printed(*page("a", 1, "One", (("first", "First"), ("second", "Second"), ("gone", "Gone"))), of_a),
        Printed(*page("b", 2, "One"), pdf(1, {}, [(0, a.as_uri() + "#first")])),
        Printed(*page("c", 1, "Two"), pdf(2, {"there": 1}, [])),
    ]
    return PdfReader(io.BytesIO(join(front, printed, ABOUT)))


def leads(reader: PdfReader, sheet: int) -> list[object]:
    """Where the links of a sheet lead: to a sheet's number, or to an address."""
    number = {one.indirect_reference.idnum: index for index, one in enumerate(reader.pages)}
    links = [note.get_object() for note in reader.pages[sheet].get("/Annots", ())]
    return [number[link["/Dest"][0].idnum] if "/Dest" in link else link["/A"]["/URI"] for link in links]


def test_every_sheet_is_there_in_order(book):
    assert len(book.pages) == 6
    assert book.page_labels == ["i", "1", "2", "3", "4", "5"]
    assert [f"Title of {name}" in one.extract_text() for one, name in zip(book.pages[1:], "aabcc", strict=True)] == [
        True
    ] * 5
    assert [one.extract_text().split()[-1] for one in book.pages[1:]] == ["1", "2", "3", "4", "5"]
    assert book.pages[0].extract_text() == ""


def test_links_between_pages_stay_inside_and_dead_ones_go(book):
    assert leads(book, 0) == [1, 4]
    # To a place on the next sheet; to one of another page; to that page's beginning where the place is not there.
    assert leads(book, 1) == [2, 5, 4]
    assert leads(book, 2) == ["https://example.org/"]
    assert leads(book, 3) == [1]


def test_the_outline_has_parts_chapters_notebooks_and_sections(book):
    def titles(nodes: list) -> list:
        return [titles(node) if isinstance(node, list) else node.title for node in nodes]

    assert titles(book.outline) == [
        "One", ["Title of a", ["First", "Second", "Title of b"]],
        "Two", ["Title of c"],
    ]  # fmt: skip
    assert [book.get_destination_page_number(book.outline[n]) for n in (0, 2)] == [1, 4]


def test_it_says_what_it_is_and_has_a_date_only_if_given(book):
    assert (book.metadata.title, book.metadata.author, book.root_object["/Lang"]) == ("A book", "Somebody", "en")
    assert "/CreationDate" not in book.metadata
    one = Printed(*page("a", 1, "One"), pdf(1, {}, []))
    dated = PdfReader(io.BytesIO(join(pdf(1, {}, []), [one], ABOUT, epoch=86400)))
    assert dated.metadata["/CreationDate"] == "D:19700102000000Z"
    # The same pages make the same file.
    assert join(pdf(1, {}, []), [one], ABOUT) == join(pdf(1, {}, []), [one], ABOUT)


def test_a_title_may_hold_what_a_string_of_a_pdf_must_escape():
    drawn = footer("f(x) \\ “quoted” π", "12")
    assert b"(f\\(x\\) \\\\ \x93quoted\x94 ?)" in drawn
    assert b"(12) Tj" in drawn
    # What stands right is moved left by its digits.
    assert drawn.count(b"Td") == 2


def test_sheets_are_counted():
    assert sheets(pdf(3, {}, [])) == 3
