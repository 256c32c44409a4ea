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
    """A page of the book and the PDF that Chromium made of it. ``page`` is None for the title page and the contents."""

    page: Page | None
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
            found[name.removeprefix("/")] = (number[destination.page.idnum], float(destination.left), float(destination.top))
    return found


def destination(writer: PdfWriter, where: Place) -> ArrayObject:
    """Return a PDF destination: a sheet, scrolled to a point on it, the reader's magnification as it is."""
    sheet, left, top = where
    page = writer.pages[sheet].indirect_reference
    return ArrayObject([page, NameObject("/XYZ"), FloatObject(left), FloatObject(top), NullObject()])


def link_target(link: DictionaryObject, own: str, files: dict[Path, str]) -> tuple[str, str] | None | bool:
    """Where a link leads: (page's name, id) inside the PDF, True for an address in the network, None for nowhere.

    ``own`` is the name of the page on which the link stands.
    """
    action = link.get("/A", {}).get_object() if "/A" in link else {}
    name = link.get("/Dest", action.get("/D"))
    if name is not None:
        return own, str(name).removeprefix("/")
    inside = place(str(action.get("/URI", "")))
    if inside is None:
        return True
    return (files[inside[0]], inside[1]) if inside[0] in files else None


def keep_links_inside(writer: PdfWriter, owners: list[str], places: dict[tuple[str, str], Place], files: dict[Path, str]) -> None:
    """Turn links between pages into links between sheets; take out those that lead to a file which is not in the PDF."""
    for sheet, owner in zip(writer.pages, owners, strict=True):
        kept = ArrayObject()
        for reference in sheet.get("/Annots", ()):
            link = reference.get_object()
            target = link_target(link, owner, files)
            if target is None:
                continue
            if target is not True:
                where = places.get(target) or places[target[0], ""]
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


def add_outline(writer: PdfWriter, pages: list[Page], places: dict[tuple[str, str], Place]) -> None:
    """Parts, chapters, their notebooks, their sections: each a bookmark."""

    def mark(title: str, where: Place, parent: IndirectObject | None, is_open: bool) -> IndirectObject:
        sheet, left, top = where
        from pypdf.generic import Fit

        return writer.add_outline_item(title, sheet, parent, fit=Fit.xyz(left, top, None), is_open=is_open)

    part, part_mark, above = "", None, {}
    for page in pages:
        start = places[page.entry.name, ""]
        if page.entry.part != part:
            part, part_mark = page.entry.part, mark(page.entry.part, start, None, True)
        parent = above.get(page.entry.depth - 1) if page.entry.depth > 1 else part_mark
        own = mark(page.title, start, parent, False)
        above[page.entry.depth] = own
        for identity, title in page.sections:
            if (page.entry.name, identity) in places:
                mark(title, places[page.entry.name, identity], own, False)


def describe(writer: PdfWriter, title: str, author: str, language: str, epoch: int | None) -> None:
    """Title, author and language; a date only if one is given, so that the same book makes the same file."""
    words = {"/Title": title, "/Author": author, "/Producer": "Chromium, pypdf", "/Creator": "make pdf"}
    if epoch is not None:
        date = datetime.fromtimestamp(epoch, UTC).strftime("D:%Y%m%d%H%M%SZ")
        words |= {"/CreationDate": date, "/ModDate": date}
    writer.metadata = words
    writer.root_object[NameObject("/Lang")] = TextStringObject(language)
    writer.page_mode = "/UseOutlines"
    writer.create_viewer_preferences().display_doctitle = True


def join(parts: list[Printed], folder: Path, title: str, author: str, language: str = "en", epoch: int | None = None) -> bytes:
    """Return the book as one PDF. The title page and the contents stand first, numbered i, ii; then the pages from 1."""
    writer = PdfWriter()
    places: dict[tuple[str, str], Place] = {}
    owners: list[str] = []
    feet: list[tuple[str, str] | None] = []
    front = 0
    for part in parts:
        reader, first = PdfReader(io.BytesIO(part.pdf)), len(owners)
        name = part.page.entry.name if part.page else ""
        places |= {(name, identity): where for identity, where in named_places(reader, first).items()}
        places[name, ""] = (first, 0.0, float(reader.pages[0].mediabox.top))
        for sheet in reader.pages:
            writer.add_page(sheet)
            front += part.page is None
            feet.append((part.page.title, str(len(owners) + 1 - front)) if part.page else None)
            owners.append(name)
    pages = [part.page for part in parts if part.page]
    files = {(folder / f"{page.entry.name}.html").resolve(): page.entry.name for page in pages}
    keep_links_inside(writer, owners, places, files)
    number_sheets(writer, feet)
    add_outline(writer, pages, places)
    if front:
        writer.set_page_label(0, front - 1, style="/r")
    if len(owners) > front:
        writer.set_page_label(front, len(owners) - 1, style="/D")
    describe(writer, title, author, language, epoch)
    writer.compress_identical_objects()
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()
