"""A small book of a page or two, built in this process with some of our extensions: what the tests of those need."""

from __future__ import annotations

import io
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

COLOR = re.compile(r"\x1b\[[0-9;]*m")


class SmallBook:
    """The outcome of a build: warnings (without colours), and the pages' trees and HTML."""

    def __init__(self, folder: Path, pages: dict[str, str], extensions: list[str], **settings: object) -> None:
        """Write the pages (names with suffix) and build them."""
        source = folder / "source"
        for name, text in pages.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text, encoding="utf-8")
        said = io.StringIO()
        config = {"extensions": ["myst_nb", *extensions], "myst_enable_extensions": ["dollarmath", "deflist"]}
        config |= {"nb_execution_mode": "off", "nb_ipywidgets_js": {}, "html_theme": "basic", **settings}
        with docutils_namespace():
            app = Sphinx(
                source, None, folder / "html", folder / "trees", "html", config, status=None, warning=said, parallel=0
            )  # fmt: skip
            app.build(force_all=True)
            self.trees: dict[str, nodes.document] = {name: app.env.get_doctree(name) for name in app.env.found_docs}
        self.warnings = [COLOR.sub("", line) for line in said.getvalue().splitlines() if "WARNING" in line]
        self.html = folder / "html"

    def page(self, name: str = "index") -> str:
        """Return a page's HTML."""
        return (self.html / f"{name}.html").read_text(encoding="utf-8")
