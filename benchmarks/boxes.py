"""Boxes and arrows for the figures that show who hands what to whom."""

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

QUIET = "#444444"


def box(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, color: str = QUIET, fontsize: int = 10
) -> None:
    """A white box with its lower left corner at (x, y) and a text in its middle."""
    shape = FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0.02,rounding_size=0.25", fc="white", ec=color, lw=1.6
    )
    axes.add_patch(shape)
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=fontsize)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = QUIET, bend: float = 0.0
) -> None:
    """An arrow between two points; bend > 0 curves it."""
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.6, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", end, start, arrowprops=style)
