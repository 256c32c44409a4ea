"""How long everything takes, as a table: the directive ``{run-times}``.

Its rows come from the result cards: the notebooks, the stages of ``rlhw run``, the two commands of the README, and the
measurements themselves. What no card has measured is not in the table.
"""

from __future__ import annotations

import importlib

from card_role import from_card, missing
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# Cards whose metrics in seconds are durations that a reader asks for, in this order.
SHOWN = ("notebooks", "whole_run", "house")
HEAD = ["| what | time | card |", "| --- | --- | --- |"]


def duration(seconds: float) -> str:
    """Return seconds in the unit one would say: 0.4 s, 36 s, 4 min 33 s, 1 h 6 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def row(what: str, seconds: float, name: str) -> str:
    """Return one line of the table, with a link to the card it is from; a time is not broken at the end of a line."""
    time = duration(seconds).replace(" ", "\N{NO-BREAK SPACE}")
    # As text, two hyphens would be set as a dash.
    what = f"`{what}`" if "--" in what else what
    return f"| {what} | {time} | [{name}](#card-{name.replace('_', '-')}) |"


class RunTimes(SphinxDirective):
    """Durations from the cards in ``SHOWN``, then how long each card took to measure, longest last."""

    def run(self) -> list[nodes.Node]:
        """Return the table; a paragraph for each card that cannot be read."""
        cards = importlib.import_module("rlhw.cards")
        rows, problems, measured = [], [], []
        for name in dict.fromkeys((*SHOWN, *cards.names())):
            card = from_card(name, lambda cards, name=name: cards.read(name), self.get_location(), self.env)
            if card is None:
                problems.append(nodes.paragraph("", missing(name), classes=["card-missing"]))
                continue
            measured.append((card["seconds"], card["command"], name))
            if name in SHOWN:
                of = card["metrics"].values()
                rows += [row(one["meaning"], one["value"], name) for one in of if one.get("unit") == "s"]
        rows += [row(f"to measure: `{command}`", seconds, name) for seconds, command, name in sorted(measured)]
        box = nodes.container(classes=["card-table"])
        lines = StringList([*HEAD, *rows], source="results/")
        self.state.nested_parse(lines, self.content_offset, box)
        return [box, *problems]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("run-times", RunTimes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
