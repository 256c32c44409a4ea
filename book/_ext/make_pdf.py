"""The book as one PDF: ``python book/_ext/make_pdf.py [--book _build/html] [--out _build/rlhw.pdf] [PAGE ...]``.

Prints every page of ``_toc.yml`` with Chromium and joins what was printed with pypdf. Each printed page is kept in a folder
beside the PDF and printed anew only if it has changed, so a run that was broken off goes on where it stopped. With names of
pages, such as ``book/01_policy_gradient``, the PDF holds these alone. It is there whole or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import os
import sys
from pathlib import Path

import yaml
from pdf_pages import Page, read_page, reading_order, targets
from pdf_printing import CannotPrint, chromium, printer

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
NO_BOOK = 'There is no book in {} yet: run "make book" first.'
NO_PYPDF = "pypdf joins the printed pages, and it is not installed: run `make book`, which installs what is needed."
FRONT = """<!doctype html><html lang="{language}" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{static}/rlhw.css"><link rel="stylesheet" href="{static}/print.css"><style>
body {{ font-family: var(--serif); margin: 0; }}
.title {{ break-after: page; padding-top: 60mm; }} .title h1 {{ font-size: 2.6rem; line-height: 1.15; }}
.title .small {{ margin-top: 80mm; color: #333; line-height: 1.45; }}
.part {{ font-weight: 600; margin: 1.1rem 0 0.3rem; break-after: avoid; }}
a {{ display: flex; gap: 0.6rem; text-decoration: none; padding: 0.1rem 0; break-inside: avoid; }}
a.depth-2 {{ padding-left: 1.6rem; font-size: 0.9rem; }} a i {{ flex: 1; border-bottom: 1px dotted #999; margin-bottom: 0.3em; }}
a b {{ font-weight: 400; font-feature-settings: "lnum", "tnum"; }}
</style></head><body><div class="title"><h1>{title}</h1><p>{author}</p>
<p class="small">Version {version}. Printed from the pages of the book. There the widgets move, the notebooks can be downloaded, and
solutions fold; here widgets stand as their page opens them, and solutions stand at the end of each page’s text.<br>
Text and figures: CC BY 4.0. Code: MIT.</p></div><h1>Contents</h1>{contents}</body></html>"""


def contents(pages: list[Page], numbers: dict[str, int], folder: Path) -> str:
    """Return the HTML of the table of contents: parts, and a link with the number of its first sheet for each page."""
    lines, part = [], ""
    for page in pages:
        if page.entry.part != part:
            part = page.entry.part
            lines.append(f'<p class="part">{html.escape(part)}</p>')
        kind = "Notebook: " if page.entry.name.startswith("notebooks/") else ""
        address = (folder / f"{page.entry.name}.html").resolve().as_uri()
        words = html.escape(kind + page.title)
        number = numbers[page.entry.name]
        lines.append(f'<a class="depth-{page.entry.depth}" href="{address}">{words}<i></i><b>{number}</b></a>')
    return "\n".join(lines)


def style_hash(folder: Path) -> str:
    """Return a hash of all that shapes a printed page besides its own text: styles, scripts, pictures, our code, Chromium."""
    program = Path(chromium()).resolve()
    # Of its times not that of the last reading, which each start may change.
    found = hashlib.sha256(f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}".encode())
    for part in (folder / "_static", folder / "_images"):
        for file in sorted(part.rglob("*")):
            if file.is_file():
                found.update(f"\n{file.relative_to(folder).as_posix()}\n".encode() + file.read_bytes())
    for name in ("pdf_page.js", "pdf_printing.py"):
        found.update((HERE / name).read_bytes())
    return found.hexdigest()


def whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    from rlhw.saving import flush

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        flush(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def print_pages(pages: list[Page], folder: Path, kept: Path, print_page, styles: str) -> dict[str, bytes]:
    """Return each page's PDF: the kept one where nothing has changed, else a fresh one. Say how far it is."""
    from pdf_joining import sheets

    wanted, printed = targets(pages, folder), {}
    for index, page in enumerate(pages, 1):
        name = page.entry.name
        file = folder / f"{name}.html"
        key = hashlib.sha256("\n".join([styles, *wanted[name]]).encode() + file.read_bytes()).hexdigest()[:16]
        stem = name.replace("/", "--")
        copy = kept / f"{stem}.{key}.pdf"
        fresh = not copy.is_file()
        if fresh:
            for older in kept.glob(f"{stem}.*.pdf"):
                older.unlink()
            whole(copy, print_page(file, name, wanted[name]))
        printed[name] = copy.read_bytes()
        count, note = sheets(printed[name]), "" if fresh else ", printed before"
        print(f"{index:3d} of {len(pages)}  {name}: {count} sheet{'s' * (count != 1)}{note}", flush=True)
    return printed


def make(folder: Path, target: Path, only: list[str], epoch: int | None) -> int:
    """Make the PDF of the book built into ``folder``; return its number of sheets."""
    if not (folder / "book" / "index.html").is_file():
        raise CannotPrint(NO_BOOK.format(folder))
    try:
        from pdf_joining import Printed, join, sheets
    except ImportError as error:
        raise CannotPrint(NO_PYPDF) if error.name == "pypdf" else error from None
    from rlhw import __version__

    order = reading_order(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    if missing := sorted(set(only) - {entry.name for entry in order}):
        raise CannotPrint(
            f"There is no page {missing[0]} in _toc.yml; name one as it stands there, such as {order[1].name}."
        )
    pages = [read_page(folder, entry) for entry in order if not only or entry.name in only]
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    kept = target.with_name(f"{target.stem}.pages")
    about = {"title": config["title"], "author": config["author"], "language": config["sphinx"]["config"]["language"]}
    styles = style_hash(folder)
    with printer() as print_page:
        printed = print_pages(pages, folder, kept, print_page, styles)
        numbers, next_number = {}, 1
        for page in pages:
            numbers[page.entry.name] = next_number
            next_number += sheets(printed[page.entry.name])
        static, lines = (folder / "_static").resolve().as_uri(), contents(pages, numbers, folder)
        front = kept / "front.html"
        whole(front, FRONT.format(**about, version=__version__, static=static, contents=lines).encode())
        opening = print_page(front, "contents", [])
    print("Joining them", flush=True)
    parts = [Printed(page, (folder / f"{page.entry.name}.html").resolve(), printed[page.entry.name]) for page in pages]
    book = join(opening, parts, about, epoch)
    whole(target, book)
    return sheets(book)


def source_date() -> int | None:
    """The date in SOURCE_DATE_EPOCH, in seconds; None where it is not set: then the PDF has no date."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given and not given.isdecimal():
        raise CannotPrint(f"SOURCE_DATE_EPOCH must be whole seconds since 1970; got {given!r}.")
    return int(given) if given else None


def main(arguments: list[str]) -> int:
    """Make the PDF that the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="make_pdf.py", description=__doc__.splitlines()[0])
    parser.add_argument("--book", type=Path, default=ROOT / "_build" / "html", help="folder of the built pages")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "rlhw.pdf", help="the PDF to write")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="pages as _toc.yml names them (default: all)")
    options = parser.parse_args(arguments)
    try:
        count = make(options.book, options.out, options.pages, source_date())
    except (CannotPrint, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What was printed is kept: the same command goes on from there.", file=sys.stderr)
        return 130
    print(f"The book as a PDF, {count} sheets: {options.out}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
