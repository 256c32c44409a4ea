"""A patient's curves as small multiples: the healthy run grey, the patient in colour, known values dashed."""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from rlhw import plots
from rlhw.clinic.diagnosis import Chart, curves

HEALTHY, SICK = "#777777", plots.COLORS[1]


def draw(shown: Chart) -> Figure:
    """One panel an instrument, two in a row, so that a phone shows them large enough."""
    panels, columns = shown.ward.panels, 2
    rows = -(-len(panels) // columns)
    height = 1.75 * rows + 0.6
    # Margins by hand: finding them costs more time than drawing all the rest.
    figure, grid = plt.subplots(rows, columns, figsize=(6.4, height), squeeze=False, layout="none")
    figure.subplots_adjust(0.075, 0.52 / height, 0.985, 1 - 0.62 / height, wspace=0.2, hspace=0.42)
    known = shown.ward.known()
    for axes, (key, title) in zip(grid.flat, panels.items(), strict=False):
        _panel(axes, shown.healthy[key], shown.sick[key], *known.get(key, (None, "")))
        axes.set_title(title, loc="left", fontsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    handles = grid.flat[0].get_lines()[:2]
    figure.legend(handles, ["healthy run", f"patient {shown.number}"], loc="upper left", ncols=2, frameon=False)
    figure.supxlabel(shown.ward.steps, fontsize=10, y=0.02, va="bottom")
    return figure


def _panel(axes: Axes, healthy: np.ndarray, sick: np.ndarray, known: float | None, name: str) -> None:
    axes.plot(healthy, color=HEALTHY, linewidth=2.6)
    axes.plot(sick, color=SICK, linewidth=1.5)
    if known is not None:
        axes.axhline(known, color="black", linewidth=1, linestyle="--")
        # In the title's line: beside the dashed line it would lie on the curves, which settle there.
        axes.set_title(f"- - {name}" if name else "", loc="right", fontsize=8)
    if np.ptp([*healthy, *sick]) == 0:  # two lines that never leave one value: room above it
        axes.set_ylim(healthy[0] - 0.02, healthy[0] + 0.5)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.02)


def picture(number: int, seed: int = 0) -> Chart:
    """Run the patient, show its curves with their alt text, and return them."""
    shown = curves(number, seed)
    from IPython.display import display

    figure, words = draw(shown), plots.require_alt(alt(shown))
    display({"image/png": _palette(figure)}, raw=True, metadata={"image/png": {"alt": words}})
    plt.close(figure)
    return shown


def _palette(figure: Figure) -> bytes:
    """The figure as a PNG of 32 colours, a quarter of the bytes: a notebook holds thirteen of them."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png")
    Image.open(full).convert("RGB").quantize(32).save(small, format="png", optimize=True)
    return small.getvalue()


def alt(shown: Chart) -> str:
    """What is to be seen, in words and without a diagnosis: each reading of the patient against the healthy run's."""
    differ, same = [], []
    for reading in shown.ward.readings.values():
        found = reading.compare(shown.healthy, shown.sick)
        numbers = f"{reading.of(shown.sick):.2f} against {reading.of(shown.healthy):.2f}"
        if found == "the same":
            same.append(reading.words)
        else:
            differ.append(f"{reading.words} is {found} ({numbers})")
    about = f"Patient {shown.number}, {shown.ward.name}, {len(shown.ward.panels)} curves beside those of a healthy run."
    return f"{about} In the patient {'; '.join(differ)}. As in the healthy run: {', '.join(same) or 'nothing else'}."
