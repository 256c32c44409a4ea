"""The directive `{checked-equations}`: which equations are checked, how, and which wrong forms the checks reject."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from equations_source import WAYS, Equation, read_record, stated
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

RECORD = "results/equations.json"
FOLDER = "book"
COLUMNS = {"Equation": 25, "Way": 14, "Wrong forms rejected": 22, "Test": 39}  # heading -> width in per cent


def anchor(label: str) -> str:
    """The id of the row of one equation."""
    return nodes.make_id(f"check-{label}")


class CheckedEquations(SphinxDirective):
    """`{checked-equations}`: how many equations are checked, by way, and a row for each."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        record = read_record(root / RECORD)
        equations = stated(root / FOLDER)
        built = {e.label: e for e in equations.values() if e.page.removesuffix(".md") in self.env.found_docs}
        # A formula that was edited since its check is not checked: it has no row, as it has no mark.
        rows = [(e, record[label]) for label, e in built.items() if record.get(label, {}).get("sha256") == e.sha256]
        rows.sort(key=lambda row: (row[0].page, row[0].line))
        definitions = sum(equation.is_definition for equation in built.values())
        return [*_counts([entry["way"] for _, entry in rows], definitions), self._table(rows)]

    def _table(self, rows: list[tuple[Equation, dict[str, Any]]]) -> nodes.table:
        group = nodes.tgroup(cols=len(COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
        group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph(text=text)) for text in COLUMNS)))
        body = nodes.tbody()
        page = None
        for equation, entry in rows:
            if equation.page != page:
                page = equation.page
                title = _link("std", "doc", f"/{page.removesuffix('.md')}", self.env.docname)
                heading = nodes.entry("", nodes.paragraph("", "", title), morecols=len(COLUMNS) - 1)
                body += nodes.row("", heading, classes=["page"])
            body += self._row(equation, entry)
        group += body
        return nodes.table("", group, classes=["checked-equations", "colwidths-given"])

    def _row(self, equation: Equation, entry: dict[str, Any]) -> nodes.row:
        number = _link("math", "eq", equation.label, self.env.docname)
        way = entry["way"]
        if "false_alarm" in entry:
            way += f" (false alarm {entry['false_alarm']:g})"
        wrong = nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph(text=name)) for name in entry["rejects"]))
        file, _, name = entry["test"].partition("::")
        # A long name may be broken behind the file, and reads as one word to who copies it.
        test = nodes.literal("", "", nodes.Text(f"{file}::"), nodes.raw("", "<wbr>", format="html"), nodes.Text(name))
        cells = [
            nodes.paragraph("", "", number, nodes.Text(" "), nodes.literal(text=equation.label)),
            nodes.paragraph(text=way),
            wrong,
            nodes.paragraph("", "", test),
        ]
        return nodes.row("", *(nodes.entry("", cell) for cell in cells), ids=[anchor(equation.label)])


def _link(domain: str, kind: str, target: str, docname: str) -> addnodes.pending_xref:
    """A cross-reference that Sphinx resolves when all pages are read: numbers and titles are known only then."""
    link = addnodes.pending_xref("", refdomain=domain, reftype=kind, reftarget=target, refdoc=docname)
    link["refexplicit"], link["refwarn"] = False, True
    link += nodes.inline(text=target)
    return link


def _counts(ways: list[str], definitions: int) -> list[nodes.Node]:
    counted = Counter(ways)
    parts = ", ".join(f"{counted[way]} {way}" for way in WAYS if counted[way])
    text = f"Checked equations: {len(ways)}" + (f" ({parts})." if parts else ".")
    text += f" Definitions, which state nothing that could be wrong: {definitions}."
    return [nodes.paragraph(text=text)]
