"""Join printed pages into one PDF with an outline, page numbers, and links that stay inside."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime
from pathlib import Path

from pdf_pages import Page, place
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    Fit,
    FloatObject,
    IndirectObject,
    NameObject,
    NullObject,
    TextStringObject,
)

MARGIN, FOOT, SIZE = 68.0, 36.0, 8.0  # points: print.css's side margin, the footer's height above the edge, its letters
DIGIT = 0.556  # a digit's width in Helvetica, in parts of the letters' size
Place = tuple[int, float, float]  # sheet, left, top


@dataclasses.dataclass(frozen=True)
class Printed:
    """A page of the book, the file it was printed from, and the PDF that Chromium made of it."""

    page: Page
    file: Path
    pdf: bytes


def sheets(pdf: bytes) -> int:
    """How many sheets a PDF has."""
    return len(PdfReader(io.BytesIO(pdf)).pages)


def named_places(reader: PdfReader, first: int) -> dict[str, Place]:
    """Return the places that Chromium named in one PDF, whose first sheet is number ``first`` of the book."""
    number = {page.indirect_reference.idnum: index for index, page in enumerate(reader.pages, first)}
    found = {}
    for name, destination in reader.named_destinations.items():
        if isinstance(destination.page, IndirectObject) and destination.page.idnum in number:
            found[name.removeprefix("/")] = (
                number[destination.page.idnum],
                float(destination.left),
                float(destination.top),
            )
    return found


def destination(writer: PdfWriter, where: Place) -> ArrayObject:
    """Return a PDF destination: a sheet, scrolled to a point on it, the reader's magnification as it is."""
    sheet, left, top = where
    page = writer.pages[sheet].indirect_reference
    return ArrayObject([page, NameObject("/XYZ"), FloatObject(left), FloatObject(top), NullObject()])


def target_of(link: DictionaryObject, own: Path) -> tuple[Path, str] | None:
    """The page's file and the id on it that a link leads to; None where it leads into the network. ``own`` is its page."""
    action = link["/A"].get_object() if "/A" in link else {}
    name = link.get("/Dest", action.get("/D"))
    if name is not None:
        return own, str(name).removeprefix("/")
    return place(str(action.get("/URI", "")))


def keep_links_inside(writer: PdfWriter, owners: list[Path], places: dict[tuple[Path, str], Place]) -> None:
    """Turn links between pages into links between sheets; take out those that lead to a file which is not in the PDF."""
    for sheet, owner in zip(writer.pages, owners, strict=True):
        kept = ArrayObject()
        for reference in sheet.get("/Annots", ()):
            link = reference.get_object()
            target = target_of(link, owner)
            if target is not None:
                where = places.get(target) or places.get((target[0], ""))
                if where is None:
                    continue
                link.pop("/A", None)
                link[NameObject("/Dest")] = destination(writer, where)
            kept.append(reference)
        if "/Annots" in sheet:
            sheet[NameObject("/Annots")] = kept


def stream(writer: PdfWriter, data: bytes) -> IndirectObject:
    """Add a piece of a sheet's content."""
    content = DecodedStreamObject()
    content.set_data(data)
    return writer._add_object(content)


def footer(title: str, number: str) -> bytes:
    """Return the drawing of a sheet's foot: the chapter's title on the left, the sheet's number on the right."""
    escaped = title.encode("cp1252", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    right = 594.96 - MARGIN - len(number) * DIGIT * SIZE
    text = b"Q q 0.3 g BT /RlhwFoot %.1f Tf %.2f %.2f Td (%s) Tj ET" % (SIZE, MARGIN, FOOT, escaped)
    return text + b" BT /RlhwFoot %.1f Tf %.2f %.2f Td (%s) Tj ET Q" % (SIZE, right, FOOT, number.encode())


def number_sheets(writer: PdfWriter, feet: list[tuple[str, str] | None]) -> None:
    """Draw the feet, each a (title, number) or None. What Chromium drew stays as it is, between q and Q."""
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    font = writer._add_object(DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()}))
    before = stream(writer, b"q ")
    for sheet, foot in zip(writer.pages, feet, strict=True):
        if foot is None:
            continue
        resources = sheet["/Resources"].get_object()
        fonts = resources.setdefault(NameObject("/Font"), DictionaryObject()).get_object()
        fonts[NameObject("/RlhwFoot")] = font
        drawn = sheet.raw_get("/Contents")
        own = list(drawn.get_object()) if isinstance(drawn.get_object(), ArrayObject) else [drawn]
        sheet[NameObject("/Contents")] = ArrayObject([before, *own, stream(writer, footer(*foot))])


def add_outline(writer: PdfWriter, printed: list[Printed], places: dict[tuple[Path, str], Place]) -> None:
    """Parts, chapters, their notebooks, their sections: each a bookmark."""

    def mark(title: str, where: Place, parent: IndirectObject | None, is_open: bool = False) -> IndirectObject:
        sheet, left, top = where
        return writer.add_outline_item(
            title=title, page_number=sheet, parent=parent, fit=Fit.xyz(left, top), is_open=is_open
        )

    part, part_mark, above = "", None, {}
    for one in printed:
        entry, start = one.page.entry, places[one.file, ""]
        if entry.part != part:
            part, part_mark = entry.part, mark(entry.part, start, None, is_open=True)
        own = mark(one.page.title, start, above.get(entry.depth - 1) if entry.depth > 1 else part_mark)
        above[entry.depth] = own
        for identity, title in one.page.sections:
            if (one.file, identity) in places:
                mark(title, places[one.file, identity], own)


def describe(writer: PdfWriter, title: str, author: str, language: str, epoch: int | None) -> None:
    """Title, author and language; a date only if one is given: it belongs to the book, not to the hour of its printing."""
    words = {"/Title": title, "/Author": author, "/Producer": "Chromium, pypdf", "/Creator": "make pdf"}
    if epoch is not None:
        date = datetime.fromtimestamp(epoch, UTC).strftime("D:%Y%m%d%H%M%SZ")
        words |= {"/CreationDate": date, "/ModDate": date}
    writer.metadata = words
    writer.root_object[NameObject("/Lang")] = TextStringObject(language)
    writer.page_mode = "/UseOutlines"
    writer.create_viewer_preferences().display_doctitle = True


def join(front: bytes, printed: list[Printed], about: dict[str, str], epoch: int | None = None) -> bytes:
    """Return the book as one PDF: ``front`` (title page and contents), numbered i, ii, then the pages from 1.

    about: title, author and language; epoch: the book's date in seconds since 1970, or none.
    """
    writer = PdfWriter()
    places: dict[tuple[Path, str], Place] = {}
    owners: list[Path] = []
    feet: list[tuple[str, str] | None] = []
    for file, title, pdf in [(Path(), None, front), *((one.file, one.page.title, one.pdf) for one in printed)]:
        reader, first = PdfReader(io.BytesIO(pdf)), len(owners)
        places |= {(file, identity): where for identity, where in named_places(reader, first).items()}
        places[file, ""] = (first, 0.0, float(reader.pages[0].mediabox.top))
        for sheet in reader.pages:
            writer.add_page(sheet)
            owners.append(file)
            feet.append(title and (title, str(len(owners) - owners.count(Path()))))
    keep_links_inside(writer, owners, places)
    number_sheets(writer, feet)
    add_outline(writer, printed, places)
    roman = owners.count(Path())
    writer.set_page_label(0, roman - 1, style="/r")
    writer.set_page_label(roman, len(owners) - 1, style="/D")
    describe(writer, **about, epoch=epoch)
    writer.compress_identical_objects()
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()
