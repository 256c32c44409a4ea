"""Widgets on the book's pages, without a kernel.

    ```{widget} rlhw.widgets.softmax_policy:SoftmaxPolicy
    :logits: [1.5, 0, -1]
    :show_step: true
    ```

The options are the widget's own, as JSON. The page gets the widget's state as JSON, which `widget_host.js` brings to
life; that script is added to pages with widgets only. Where there is no JavaScript, a sentence stands in the place of
each widget, those of notebooks too. A widget that shows measured numbers names their card in ``CARD``: where that card
is missing or of an older version, the page says so, as it does for a number in the text.
"""

import html
import importlib
import json

from card_role import from_card, missing
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

INLINE = "application/x-rlhw-widget+json"
VIEW = "application/vnd.jupyter.widget-view+json"
logger = logging.getLogger(__name__)


class _AnyOption(dict):
    """An option table that takes every name: which names a widget has is known only once it is imported."""

    def __bool__(self) -> bool:
        return True

    def __missing__(self, name: str):
        return lambda text: text or ""


class WidgetDirective(SphinxDirective):
    """`{widget} module:Class`; an unknown widget, option or value is a warning (an error under -W) and a sentence."""

    required_arguments = 1
    option_spec = _AnyOption()

    def run(self) -> list[nodes.Node]:
        try:
            widget = build(self.arguments[0], self.options)
        except ValueError as problem:
            logger.warning(str(problem), location=self.get_location(), type="widget")
            return [nodes.paragraph("", f"This widget could not be built: {problem}")]
        shown = [nodes.raw("", page_script(widget) + without_javascript(repr(widget)), format="html")]
        name = getattr(widget, "CARD", None)
        if name and from_card(name, lambda cards: cards.read(name), self.get_location(), self.env) is None:
            shown.append(nodes.paragraph("", missing(name), classes=["card-missing"]))
        return shown


def build(address: str, options: dict[str, str]):
    """The widget with these options, each a JSON text; ValueError with one sentence when that cannot be."""
    module, _, name = address.partition(":")
    try:
        widget_class = getattr(importlib.import_module(module), name)
        known = widget_class.option_names()
    except (ImportError, AttributeError, ValueError):
        example = "rlhw.widgets.softmax_policy:SoftmaxPolicy"
        raise ValueError(f"There is no widget {address!r}; write module:Class, such as {example}.") from None
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; its options are {', '.join(known)}.")
    try:
        return widget_class(**{option: _value(option, text) for option, text in options.items()})
    except Exception as problem:  # traitlets.TraitError, without importing traitlets at every build
        raise ValueError(str(problem)) from None


def _value(option: str, text: str):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"Option {option!r} must be JSON, such as 0.5, true or [1, 0, -1]; got {text!r}.") from None


def page_script(widget) -> str:
    """The widget's state in a script element. "<" is escaped, so that no text in it can end the element."""
    text = json.dumps(widget.page_state()).replace("<", "\\u003c")
    return f'<script type="{INLINE}">{text}</script>'


def without_javascript(words: str) -> str:
    """What stands in a widget's place on a page read without JavaScript."""
    sentence = f"This widget needs JavaScript. It would show {html.escape(words)}."
    return f'<noscript><p class="rlhw-widget-problem">{sentence}</p></noscript>'


def add_sentences(app, doctree: nodes.document) -> None:
    """Under each widget of a notebook: its plain text, for a page read without JavaScript."""
    for container in doctree.findall(lambda node: isinstance(node, nodes.container) and node.get("mime_type") == VIEW):
        plain = [twin.astext() for twin in container.parent.children if twin.get("mime_type") == "text/plain"]
        container.append(nodes.raw("", without_javascript(" ".join(plain) or "a widget"), format="html"))


def add_host(app, pagename, templatename, context, doctree) -> None:
    """widget_host.js on a page with a widget, and on no other; not again where the configuration names it."""
    named = [str(getattr(file, "filename", file)) for file in context.get("script_files", [])]
    if any("widget_host.js" in name for name in named):
        return
    if doctree and any(INLINE in raw.astext() or VIEW in raw.astext() for raw in doctree.findall(nodes.raw)):
        # Deferred scripts run one after the other: before those of the theme (priority 500), which widgets can do without.
        app.add_js_file("widget_host.js", loading_method="defer", priority=400)


def setup(app) -> dict:
    app.add_directive("widget", WidgetDirective)
    app.connect("doctree-read", add_sentences)
    app.connect("html-page-context", add_host)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
