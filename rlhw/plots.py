"""Pictures: one style, colours that colour-blind readers can tell apart, and no figure without alt text.

Functions take arrays and an Axes and draw; labels stand at the lines. `show` ends every figure and demands a sentence that
says what is to be seen. Called from notebooks and from `benchmarks/figures.py`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Array = np.ndarray

# Okabe and Ito (2008), without the yellow that vanishes on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")

STYLE = {
    "axes.grid": True,
    "axes.prop_cycle": plt.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "figure.figsize": (6.4, 3.6),
    "font.size": 11,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "white",
    # Fixed ids make the same figure the same file.
    "svg.hashsalt": "rlhw",
}


def style() -> None:
    """Set the course's plot style for this session."""
    plt.rcParams.update(STYLE)


def show(figure: Figure, alt: str) -> None:
    """Display a finished figure with its alt text, then close it. Ends a plot cell.

    Raises ValueError when the alt text is shorter than ten words: it must say what is to be seen, not name the figure.
    """
    from IPython.display import display

    display(figure, metadata={"image/png": {"alt": require_alt(alt)}})
    plt.close(figure)


def require_alt(alt: str) -> str:
    """The alt text with single spaces; ValueError when it is too short to say anything."""
    words = alt.split()
    if len(words) < 10:
        raise ValueError(f"alt must say in ten words or more what the figure shows; got {len(words)}: '{alt}'.")
    return " ".join(words)


def label_line(axes: Axes, x: float, y: float, text: str, color: str, **more: object) -> None:
    """Write a line's name beside it, in the line's colour, instead of a legend."""
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", color=color, va="center", **more)


def learning_curves(
    axes: Axes, steps: Float[Array, " T"], runs: Mapping[str, Float[Array, "S T"]], *, xlabel: str, ylabel: str
) -> Axes:
    """One line a method: the median over S seeds, with a band from the least to the greatest."""
    for color, (name, values) in zip(COLORS, runs.items(), strict=False):
        middle = np.median(values, axis=0)
        axes.plot(steps, middle, color=color)
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
        label_line(axes, steps[-1], middle[-1], name, color)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.margins(x=0.0)
    return axes


def estimate_cloud(
    axes: Axes, estimates: Mapping[str, Float[Array, " N"]], exact: float, *, xlabel: str, rng: np.random.Generator
) -> Axes:
    """One row of dots a method (300 are drawn), the mean of all as a bar, the exact value as a line through all rows."""
    for row, (color, (name, values)) in enumerate(zip(COLORS, estimates.items(), strict=False)):
        dots = values[:300]
        axes.plot(dots, row + 0.5 * (rng.random(len(dots)) - 0.5), ".", color=color, alpha=0.35, markersize=4)
        axes.plot([values.mean()] * 2, [row - 0.36, row + 0.36], color=color, linewidth=4)
        axes.text(0.0, row + 0.42, name, color=color, transform=axes.get_yaxis_transform())
    axes.axvline(exact, color="black", linewidth=1, linestyle="--")
    axes.set(xlabel=xlabel, yticks=[], ylim=(-0.6, len(estimates) - 0.3))
    axes.grid(axis="y", visible=False)
    return axes


def arrows(axes: Axes, vectors: Sequence[tuple[str, float, float]], *, xlabel: str, ylabel: str) -> Axes:
    """Arrows from the origin with their names at the tips, in equal units on both axes."""
    for color, (name, x, y) in zip(COLORS, vectors, strict=False):
        axes.annotate(
            "", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        )
        axes.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points", color=color)
    reach = 1.35 * max(max(abs(x), abs(y)) for _, x, y in vectors)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return axes
