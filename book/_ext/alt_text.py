"""Refuse pictures without words: every image and figure must say in its alt text what is to be seen on it.

The build warns (fatal under ``-W``) with page and line. Pictures in the outputs of notebooks count as well;
``rlhw.plots.show(figure, alt="...")`` gives them their words.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

RAW_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
RAW_ALT = re.compile(r"\balt\s*=\s*(\"[^\"]*[^\"\s][^\"]*\"|'[^']*[^'\s][^']*'|[^\s\"'>]+)", re.IGNORECASE)


def silent_pictures(doctree: nodes.document) -> list[nodes.Node]:
    """Return the nodes of a page that show a picture without alt text."""
    silent: list[nodes.Node] = [node for node in doctree.findall(nodes.image) if not (node.get("alt") or "").strip()]
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", "") and any(not RAW_ALT.search(tag) for tag in RAW_IMAGE.findall(raw.astext())):
            silent.append(raw)
    return silent


def in_output(node: nodes.Node) -> bool:
    """Tell whether the node lies in the output of a notebook's cell."""
    while node is not None:
        if isinstance(node, nodes.container) and node.get("nb_element") in ("cell_code_output", "mime_bundle"):
            return True
        node = node.parent
    return False


def line_of(node: nodes.Node, source: str) -> int | None:
    """Return the line of a picture in its page: the parser's where it knows one, else the first that names the file."""
    place = node
    while place is not None and not isinstance(place, nodes.section):
        if place.line:
            return place.line
        place = place.parent
    name = str(node.get("uri", "")).rsplit("/", 1)[-1] if isinstance(node, nodes.image) else ""
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if name and name in line), None)


def refuse_silent_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Warn for each picture without alt text, naming page, line and the fix."""
    for node in silent_pictures(doctree):
        what = f"the picture {node['uri']}" if isinstance(node, nodes.image) and not in_output(node) else "a picture"
        fix = (
            'draw it with rlhw.plots.show(figure, alt="…") and execute the notebook again'
            if in_output(node)
            else "say in its alt text what is to be seen on it (`:alt:` or `![words](file)`)"
        )
        line = line_of(node, app.env.doc2path(app.env.docname))
        logger.warning("%s has no alt text: %s.", what, fix, location=(app.env.docname, line))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("doctree-read", refuse_silent_pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
