"""Every widget of the package, found by itself: what is audited for one is audited for all, the newest included."""

import importlib
import pkgutil

import rlhw.widgets
from rlhw.widgets.base import Widget

PAIR = {"prompt": "Why?", "first": "Because.", "second": "For no reason."}
SHOWN = {"turn": 0, "pair": PAIR, "labelled": 0, "skipped": 0, "total": 2, "can_undo": False, "said": "Nothing yet."}


def widget_classes() -> list[type[Widget]]:
    """The widgets that the modules of rlhw.widgets define, by name."""
    modules = [
        importlib.import_module(f"rlhw.widgets.{entry.name}") for entry in pkgutil.iter_modules(rlhw.widgets.__path__)
    ]
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Widget) and value.__module__ == module.__name__
    ]
    return sorted((widget for widget in found if widget is not Widget), key=lambda widget: widget.__name__)


def reply(message: dict) -> dict:
    """What Python answers to the page for labelling: the next turn at each choice."""
    return (
        SHOWN if message["kind"] == "hello" else SHOWN | {"turn": message["turn"] + 1, "labelled": 1, "can_undo": True}
    )


def made(widget: type[Widget]) -> Widget:
    """One of them, with the values it starts with; the one that needs Python gets `reply`."""
    return widget(reply, pairs=2, annotator="ann") if widget.__name__ == "Labelling" else widget()


def another(widget: type[Widget]) -> tuple[str, object]:
    """The name of one option, and a value of it that the widget does not start with."""
    if widget.__name__ == "Labelling":
        return "_shown", reply({"kind": "choose", "turn": 0})
    (name, bounds), *_ = widget.ranges().items()
    start = getattr(widget(), name)
    if isinstance(start, tuple):
        return name, [_moved(start[0], bounds), *start[1:]]
    return name, _moved(start, bounds)


def _moved(start: float, bounds: dict) -> float:
    return start + (bounds["step"] if start + bounds["step"] <= bounds["max"] else -bounds["step"])
