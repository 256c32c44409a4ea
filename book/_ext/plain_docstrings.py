"""Let the API page show docstrings as they are written: plain text with `code`, formulas and shapes.

Our docstrings are prose for people, not reStructuredText: ``v_π``, ``|A|``, ``a*b`` are meant as they stand. This
extension turns a docstring into reStructuredText that shows exactly its words, and writes signatures with short
type names, so that a shape reads as ``Float[ndarray, "B K R"]``.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
SPECIAL = re.compile(r"([\\*|_`])")
MODULE_PREFIX = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_]\w*)")
QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
BULLET = re.compile(r"(?:[-*•]|\d+\.) ")


def escape(text: str) -> str:
    """Return one line of prose with reStructuredText's signs made harmless and `code` kept as code."""
    parts = CODE.split(text)
    return "".join(f"``{p.strip('`')}``" if CODE.fullmatch(p) else SPECIAL.sub(r"\\\1", p) for p in parts)


def blocks(lines: list[str]) -> list[list[str]]:
    """Split lines into blocks at blank lines."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def is_verbatim(block: list[str]) -> bool:
    """Tell whether a block is kept line by line: indented throughout (a formula) or with aligned columns."""
    return all(line.startswith("  ") for line in block) or any(re.search(r"\S {3,}\S", line) for line in block)


def readable(lines: list[str]) -> list[str]:
    """Return reStructuredText lines that show a plain docstring."""
    shown: list[str] = []
    for block in blocks(lines):
        if block[0].lstrip().startswith(">>> "):
            shown += [*block, ""]
        elif is_verbatim(block):
            shown += ["::", "", *("    " + line for line in block), ""]
        elif (len(block) > 1 and any(line.startswith("  ") for line in block[1:])) or BULLET.match(block[0]):
            # A list or a hanging indent: its lines mean something, so each keeps its own.
            shown += [f"| {escape(line.strip())}" for line in block] + [""]
        else:
            shown += [escape(line) for line in block] + [""]
    return shown


def show_plainly(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Replace a docstring's lines, in place."""
    lines[:] = readable(lines)


def short_names(text: str | None) -> str | None:
    """Drop module names from a signature (``numpy.random.Generator`` becomes ``Generator``), strings left alone."""
    if text is None:
        return None
    parts = QUOTED.split(text)
    return "".join(p if QUOTED.fullmatch(p) else MODULE_PREFIX.sub("", p) for p in parts)


def shorten(app: Sphinx, what: str, name: str, thing: object, options: object, signature: str, returned: str) -> object:
    """Return a signature with short type names."""
    return short_names(signature), short_names(returned)


def leave_types_unlinked(app: Sphinx, env: object, node: nodes.Element, shown: nodes.Element) -> nodes.Element | None:
    """Show a type in a signature as text where the book has no page for it; references in prose are still checked."""
    place = node
    while place is not None and not isinstance(place, addnodes.desc_signature):
        place = place.parent
    return shown if place is not None and node.get("refdomain") == "py" else None


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", show_plainly)
    app.connect("autodoc-process-signature", shorten)
    app.connect("missing-reference", leave_types_unlinked)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
