"""Mend in the finished HTML what keeps the theme's pages from being usable by everyone.

Done here, so that it holds without scripts as well: regions that scroll can be reached by the keyboard, tables
scroll inside themselves, references form no broken list. What only a script can see is in ``page.js``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

CODE_BLOCK = re.compile(r"<pre(?![^>]*\btabindex)([^>]*)>")
TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
THEME_TABLE = re.compile(r'<div class="pst-scrollable-table-container">')
# docutils says "a list" of the references, but what is in it are not list items to a screen reader.
REFERENCE_LIST = re.compile(r'<div role="list" class="citation-list">')
# The corner of a table with names on two sides: a header that says nothing is none.
EMPTY_HEADER = re.compile(r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>")
# Settings for live kernels, which this book does not use.
THEBE = re.compile(r'<script type="text/x-thebe-config">.*?</script>|<script>\s*kernelName\s*=.*?</script>', re.DOTALL)

SCROLLS = '<div class="table-scroll" tabindex="0" role="region" aria-label="Table{}">'
ICON_SCRIPT = re.compile(r'\s*<(?:link|script)\b[^>]*"[^"]*scripts/fontawesome\.js[^"]*"[^>]*>(?:</script>)?')


def mend_tables(body: str) -> str:
    """Return HTML in which every table stands in a region that scrolls by itself and takes the keyboard."""
    count = 0

    def opening(_: re.Match) -> str:
        nonlocal count
        count += 1
        return SCROLLS.format(f" {count}")

    body = THEME_TABLE.sub(opening, body)
    parts = re.split(r'(<div class="table-scroll"[^>]*>)', body)
    mended = [wrap_tables(parts[0], opening)]
    for mark, rest in zip(parts[1::2], parts[2::2], strict=True):
        end = rest.find("</table>")
        end = end + len("</table>") if end >= 0 else 0
        mended += [mark, rest[:end], wrap_tables(rest[end:], opening)]
    return "".join(mended)


def wrap_tables(text: str, opening: object) -> str:
    """Wrap the tables of a piece of HTML that stand in no scrolling region yet (outputs of notebooks, raw HTML)."""
    return TABLE.sub(lambda found: opening(found) + found.group() + "</div>", text)


def mend(body: str) -> str:
    """Return a page's content with the mends of this module."""
    body = CODE_BLOCK.sub(r'<pre tabindex="0"\1>', body)
    body = REFERENCE_LIST.sub('<div class="citation-list">', body).replace(' role="doc-biblioentry"', "")
    body = EMPTY_HEADER.sub(r"<td\1></td>", body)
    body = THEBE.sub("", body)
    return mend_tables(body)


def mend_page(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    """Mend one page before it is written."""
    if context.get("body"):
        context["body"] = mend(context["body"])


def drop_icon_script(app: Sphinx, exception: Exception | None) -> None:
    """Take out the theme's icon script (540 kB compressed): its style sheet draws the same icons from a font."""
    if exception is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    for page in output.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        slim = ICON_SCRIPT.sub("", text)
        if slim != text:
            draft = page.with_suffix(".tmp")
            draft.write_text(slim, encoding="utf-8")
            os.replace(draft, page)
    for unused in (output / "_static").glob("scripts/fontawesome.js*"):
        unused.unlink()


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", mend_page, priority=900)
    app.connect("build-finished", drop_icon_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
