"""Sphinx extension: refuse display equations that nobody can check, and mark those that a test has checked.

A mark (✓) follows an equation whose LaTeX, as it stands on the page, has the fingerprint in `results/equations.json`;
it leads to the equation's row on the page `book/checked_equations`, where `{checked-equations}` makes the table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from checked_equations_table import FOLDER, RECORD, CheckedEquations, anchor
from docutils import nodes
from equations_source import LABEL, fingerprint, problems, read_record, stated
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

PAGE = "book/checked_equations"
logger = logging.getLogger(__name__)


class marked_equation(nodes.General, nodes.Element):
    """Holds a checked equation and, beside it, the mark that leads to its row (`uri`)."""


def visit_marked(self: Any, node: marked_equation) -> None:
    self.body.append(self.starttag(node, "div", CLASS="checked-equation"))


def depart_marked(self: Any, node: marked_equation) -> None:
    # The class says `reference internal` so that the theme's link rules (focus ring, colour) hold here too.
    self.body.append(
        f'<a class="reference internal checked-equation-mark" href="{self.attval(node["uri"])}" '
        f'title="checked: {self.attval(node["way"])}" aria-label="checked: how this equation is checked">✓</a></div>\n'
    )


def _pass(self: Any, node: marked_equation) -> None:
    """Formats without links between pages show the equation alone."""


def report_source_problems(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    sentences = problems(Path(app.srcdir) / FOLDER)
    for sentence in sentences:
        logger.warning("%s", sentence, type="checked_equations")
    env.checked_equations_refused = {sentence.split(", line ")[0] for sentence in sentences}  # type: ignore[attr-defined]


def outdated(app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set) -> set[str]:
    """Pages to read again in an incremental build: all with equations after a new record, the table always."""
    record = Path(app.srcdir) / RECORD
    state = fingerprint(record.read_text(encoding="utf-8")) if record.is_file() else ""
    stale = {PAGE} if added or changed or removed else set()
    if getattr(env, "checked_equations_state", state) != state:
        stale |= {PAGE} | {page.removesuffix(".md") for page in _pages(Path(app.srcdir))}
    env.checked_equations_state = state  # type: ignore[attr-defined]
    return stale & env.found_docs


def _pages(root: Path) -> set[str]:
    return {equation.page for equation in stated(root / FOLDER).values()}


def mark(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put a mark behind each equation whose check passed; warn of every display equation that has none."""
    record = read_record(Path(app.srcdir) / RECORD)
    # What is wrong in a page's own Markdown has been said already, with line and cure.
    refused = app.env.doc2path(docname, base=False) in app.env.checked_equations_refused  # type: ignore[attr-defined]
    for node in list(doctree.findall(nodes.math_block)):
        if _is_output(node):
            continue
        label = node.get("label") or ""
        if not LABEL.fullmatch(label):
            if not refused:
                logger.warning("A display equation without a label eq-… or def-…: give it one.", location=node)
        elif label.startswith("eq-"):
            sentence = _unchecked(node, record.get(label), PAGE in app.env.found_docs)
            if sentence:
                logger.warning("%s", sentence, location=node, type="checked_equations")
            elif app.builder.format == "html":
                uri = f"{app.builder.get_relative_uri(docname, PAGE)}#{anchor(label)}"
                wrapper = marked_equation(uri=uri, way=record[label]["way"])
                node.parent.replace(node, wrapper)  # replace_self would copy the id and make it stand twice
                wrapper += node


def _is_output(node: nodes.Node) -> bool:
    """Is this formula the output of a notebook's cell (sympy prints such)? Outputs are checked in their cells."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.Element) and "cell_output" in node.get("classes", []):
            return True
    return False


def _unchecked(node: nodes.math_block, entry: dict[str, Any] | None, has_page: bool) -> str | None:
    label = node["label"]
    if entry is None:
        return f"'{label}' has no passed check: write its test, then run `pytest -m equation --accept-equations`."
    if entry["sha256"] != fingerprint(node.astext()):
        return f"'{label}' has changed since {entry['test']} checked it: review the test, then accept it anew."
    return None if has_page else f"'{label}' is checked, but there is no page {PAGE} for its mark to lead to."


def setup(app: Sphinx) -> dict[str, Any]:
    skip = (_pass, _pass)
    app.add_node(marked_equation, html=(visit_marked, depart_marked), latex=skip, text=skip, man=skip, texinfo=skip)
    app.add_directive("checked-equations", CheckedEquations)
    app.add_css_file("checked_equations.css")
    app.connect("env-before-read-docs", report_source_problems)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", mark)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
