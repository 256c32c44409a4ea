"""What the widgets share: checked options with their ranges, a repr that does not change, the JavaScript they send.

An option's range, step and label are declared once, in Python; the page reads them from the synced trait `_ranges`.
"""

import json
import math
from pathlib import Path

import anywidget
import traitlets

FOLDER = Path(__file__).parent
Real = float | int


def javascript(*names: str) -> str:
    """The text of base.mjs and of these .mjs files, one after the other: they form one module and share their names."""
    return "\n".join((FOLDER / f"{name}.mjs").read_text(encoding="utf-8") for name in ("base", *names))


def stored(name: str) -> dict:
    """Numbers computed beforehand, by benchmarks/<name>.py, and kept beside the widget that shows them."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


class Number(traitlets.TraitType):
    """One finite number within the range of the option; anything else raises TraitError in one sentence."""

    def validate(self, obj, value):
        return _inside(self, obj, value)


class Numbers(traitlets.TraitType):
    """A tuple of such numbers, one an arm (or what `each` says): a list assigned to it is copied, so no change goes unseen."""

    def validate(self, obj, value):
        fewest, most = self.metadata["arms"]
        try:
            values = tuple(_inside(self, obj, entry) for entry in value)
        except TypeError:
            values = ()
        if not fewest <= len(values) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            sentence = f"{self.name} must be a list of {wanted} numbers, one {self.metadata['each']}"
            raise traitlets.TraitError(f"{type(obj).__name__}: {sentence}.")
        return values


class Choice(traitlets.TraitType):
    """One of the choices of the option; anything else raises TraitError in one sentence."""

    def validate(self, obj, value):
        choices = self.metadata["choices"]
        if value not in choices:
            wanted = ", ".join(map(repr, choices))
            raise traitlets.TraitError(f"{type(obj).__name__}: {self.name} must be one of {wanted}; got {value!r}.")
        return choices[choices.index(value)]  # ours, not an equal value of another type


def slider(default: Real, low: Real, high: Real, step: Real, label: str) -> Number:
    """An option that is one number from low to high, shown as a slider with this step and label."""
    return Number(default).tag(sync=True, range=(low, high, step), label=label)


def sliders(
    default: tuple[Real, ...],
    low: Real,
    high: Real,
    step: Real,
    label: str,
    *,
    arms: tuple[int, int],
    each: str = "an arm",
) -> Numbers:
    """An option that is one number an arm, `arms` = (fewest, most); "#" in the label stands for the arm's number.

    Where the numbers are of something else, `each` says of what: "a token".
    """
    return Numbers(default).tag(sync=True, range=(low, high, step), label=label, arms=arms, each=each)


def choice(default: object, choices: tuple, label: str) -> Choice:
    """An option that is one of these choices."""
    return Choice(default).tag(sync=True, choices=choices, label=label)


class Widget(anywidget.AnyWidget):
    """Base of the course's widgets. An unknown option raises TypeError, a bad value TraitError: one sentence each."""

    _css = (FOLDER / "base.css").read_text(encoding="utf-8")
    _ranges = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **keywords):
        """Write behind the JavaScript what the options start with, for states saved before one of them existed."""
        if isinstance(vars(cls).get("_esm"), str):  # traitlets makes a class of each instance, where it is a trait
            starts = {name: trait.default_value for name, trait in cls._options().items() if trait.metadata.get("sync")}
            known = json.dumps({"values": starts, "ranges": cls.ranges()}, ensure_ascii=False)
            cls._esm += f"\nconst DEFAULTS = {known};\n"
        super().__init_subclass__(**keywords)

    def __init__(self, **options):
        for name in options:
            if not self.has_trait(name):
                known = ", ".join(self.option_names())
                raise TypeError(f"{type(self).__name__} has no option {name!r}; its options are {known}.")
        super().__init__(**options)

    @classmethod
    def _options(cls) -> dict[str, traitlets.TraitType]:
        return {
            name: trait
            for parent in reversed(cls.__mro__)
            for name, trait in vars(parent).items()
            if isinstance(trait, traitlets.TraitType) and "label" in trait.metadata
        }

    @classmethod
    def option_names(cls) -> list[str]:
        """Names of the options, in the order in which the widget's file declares them."""
        return list(cls._options())

    @classmethod
    def ranges(cls) -> dict[str, dict]:
        """For each option shown as sliders: min, max, step and label."""
        return {
            name: dict(zip(("min", "max", "step"), trait.metadata["range"], strict=True))
            | {"label": trait.metadata["label"]}
            for name, trait in cls._options().items()
            if "range" in trait.metadata
        }

    @traitlets.default("_ranges")
    def _read_ranges(self) -> dict[str, dict]:
        return type(self).ranges()

    def page_state(self) -> dict:
        """What a page without a kernel needs: JavaScript, style, ranges and values, as JSON values."""
        state = self.get_state()
        return {name: value for name, value in state.items() if not hasattr(anywidget.AnyWidget, name)}

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.option_names())
        return f"{type(self).__name__}({', '.join(f'{name}={_plain(value)!r}' for name, value in values)})"


def _inside(trait: traitlets.TraitType, obj: Widget, value: object) -> Real:
    low, high, _ = trait.metadata["range"]
    whole = isinstance(trait.default_value, int)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high or (whole and not number.is_integer()):  # nan is in no range
        wanted = f"{'whole ' if whole else ''}number from {low} to {high}"
        raise traitlets.TraitError(f"{type(obj).__name__}: {trait.name} must be a {wanted}; got {value!r}.")
    return int(number) if whole else number


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
