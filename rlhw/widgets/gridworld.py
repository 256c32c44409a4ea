"""A gridworld whose rewards the reader edits, and value iteration on it, sweep by sweep (chapter B2)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import FOLDER, Widget, javascript, slider, sliders

# Two walls and two ends, the upper one good and the other a pit; `rlhw.worlds.gridworld` says what the signs mean.
LAYOUT = ("....G", ".#.G.", ".....", ".#...")
REWARDS = (0, 0, 0, 0, 5, 0, 0, -5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
LONGEST = 1400  # more sweeps than it takes to settle with rewards of 10 and a discount of 0.99: 10 γᵏ/(1 - γ) < 0.001


class Gridworld(Widget):
    """Value iteration from v = 0 on a grid of four rows and five columns: values, greedy arrows, the greatest change.

    `rewards` holds, for each cell that is no wall, in reading order, the reward of entering it; a move into a wall or off
    the grid enters the cell again. `slip` is the chance that a move goes to one of the two sides instead. `sweeps` sweeps
    have been made, and no more than it takes until no value can be off by more than 0.001.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "gridModel": "rlhw.worlds:gridworld",
        "actionValues": "rlhw.dynamic_programming:action_values",
        "bellmanOptimality": "rlhw.dynamic_programming:bellman_optimality",
        "greedyPolicy": "rlhw.dynamic_programming:greedy_policy",
        "errorBound": "rlhw.dynamic_programming:error_bound",
        "greatestChange": "numpy.linalg:norm",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "editable_grid", "gridworld")
    _css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("base.css", "gridworld.css"))

    rewards = sliders(REWARDS, -10, 10, 0.5, "reward of entering", arms=(18, 18), each="a cell that is no wall")
    gamma = slider(0.9, 0.5, 0.99, 0.01, "discount γ")
    slip = slider(0.2, 0, 0.8, 0.05, "slip")
    sweeps = slider(2, 0, LONGEST, 1, "sweeps k")
    layout_rows = traitlets.List(traitlets.Unicode(), list(LAYOUT), read_only=True).tag(sync=True)
