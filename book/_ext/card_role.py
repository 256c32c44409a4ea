"""Numbers and tables of result cards on the page: the role ``{card}`` and the directive ``{card-table}``.

    the variance is {card}`reinforce_bandit variance_none.known .3f`

    ```{card-table} bandit_variance
    ```

``{all-cards}`` shows every card there is, each under the label ``card-<name>`` (with ``-`` for ``_``).

The numbers come from ``results/<name>.json`` by way of ``rlhw.cards`` and stand nowhere else. Where a module that a
card depends on has changed since the card was written, the page says "measured on an older version". Where a card is
missing or broken, the page says so in the place of the number, and the build warns.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)

# What a card that is missing, broken or without the asked-for number may raise.
CARD_ERRORS = (OSError, LookupError, ValueError, TypeError, ImportError, json.JSONDecodeError)


def parse_reference(text: str) -> tuple[str, str, str]:
    """Split ``name metric format`` into its three parts; raise ValueError with a sentence where that fails.

    Spaces, and no ``|``, which would end the cell of a Markdown table.
    """
    parts = text.split()
    if len(parts) != 3 or "|" in text:
        raise ValueError(
            "write {card}`name metric format`, for example {card}`reinforce_bandit variance_none.known .3f`"
        )
    return parts[0], parts[1], parts[2]


def reason(error: Exception) -> str:
    """Return an error's sentence on one line, without the quotation marks that KeyError puts around it."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def missing(name: str) -> str:
    """Return what a page says in the place of a number or table that its card does not give."""
    return f"(not measured: the card {name} cannot be read)"


def from_card(name: str, read: Callable, location: object, env: object) -> object:
    """Return ``read(rlhw.cards)``, note the card as used on this page, or warn with one sentence and return None."""
    try:
        cards = importlib.import_module("rlhw.cards")
        result = read(cards)
        # A page quotes a card many times; its modules are hashed once.
        asked = env.temp_data.setdefault("stale_cards", {})
        if name not in asked:
            asked[name] = cards.stale(name)
        stale = asked[name]
    except CARD_ERRORS as error:
        logger.warning("the result card %r cannot be shown: %s.", name, reason(error), location=location)
        return None
    if stale:
        env.metadata[env.docname].setdefault("stale_cards", "")
        known = set(filter(None, env.metadata[env.docname]["stale_cards"].split(",")))
        env.metadata[env.docname]["stale_cards"] = ",".join(sorted(known | {name}))
    env.note_dependency(f"{env.srcdir}/results/{name}.json")
    return result


class CardRole(SphinxRole):
    """One number of a card, as text in the sentence."""

    def run(self) -> tuple[list[nodes.Node], list]:
        """Return the number, or a sentence that says it is not there."""
        try:
            name, path, number_format = parse_reference(self.text)
        except ValueError as error:
            logger.warning("%s.", reason(error), location=self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        value = from_card(name, lambda cards: cards.value(name, path, number_format), self.get_location(), self.env)
        if value is None:
            return [nodes.inline("", missing(name), classes=["card-missing"])], []
        return [nodes.inline("", str(value), classes=["card-number"])], []


class CardTable(SphinxDirective):
    """A card as a table: metrics with median and spread, and what it was measured on."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown table that ``rlhw.cards.table`` writes."""
        name = self.arguments[0]
        text = from_card(name, lambda cards: cards.table(name), self.get_location(), self.env)
        if text is None:
            return [nodes.paragraph("", missing(name), classes=["card-missing"])]
        box = nodes.container(classes=["card-table"])
        self.state.nested_parse(StringList(text.splitlines(), source=f"results/{name}.json"), self.content_offset, box)
        return [box]


class AllCards(SphinxDirective):
    """Every card with its title, its table and how it was measured: what the page *Results* holds."""

    def run(self) -> list[nodes.Node]:
        """Return one block a card, in the order of their names."""
        names = importlib.import_module("rlhw.cards").names()
        return [self.block(name) for name in names]

    def block(self, name: str) -> nodes.Node:
        """Return one card: title, table, command, hardware, seconds."""
        both = from_card(name, lambda cards: (cards.read(name), cards.table(name)), self.get_location(), self.env)
        if both is None:
            return nodes.paragraph("", missing(name), classes=["card-missing"])
        card, table = both
        label = f"card-{name}".replace("_", "-")
        box = nodes.container(classes=["card-table"], ids=[label])
        title = nodes.rubric("", card["title"])
        box += title
        self.state.nested_parse(StringList(table.splitlines(), source=f"results/{name}.json"), self.content_offset, box)
        how = nodes.paragraph(classes=["card-facts"])
        how += nodes.literal("", card["command"])
        how += nodes.Text(f" · {card['seconds']:.3g} s · {card['hardware']} · ")
        how += nodes.literal("", f"results/{name}.json")
        box += how
        self.env.get_domain("std").note_hyperlink_target(label, self.env.docname, label, card["title"])
        return box


def note_stale_cards(app: Sphinx, doctree: nodes.document) -> None:
    """Say under the page's title which of its cards were measured on an older version of the code."""
    names = app.env.metadata[app.env.docname].get("stale_cards")
    title = next(iter(doctree.findall(nodes.title)), None)
    if not names or title is None:
        return
    words = "Measured on an older version: the code behind these numbers has changed since ("
    note = nodes.note(classes=["stale-cards"])
    sentence = nodes.paragraph("", words + ", ".join(names.split(",")) + "). ")
    sentence += [nodes.literal("", "make bench"), nodes.Text(" measures again.")]
    note += sentence
    title.parent.insert(title.parent.index(title) + 1, note)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_role("card", CardRole())
    app.add_directive("card-table", CardTable)
    app.add_directive("all-cards", AllCards)
    app.connect("doctree-read", note_stale_cards)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
