"""TD against Monte Carlo on the random walk, move by move: the estimates beside the exact values, and their errors (chapter B3)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import FOLDER, Widget, choice, javascript, slider

EPISODES = 100
RUNS = 50


class Walk(Widget):
    """n-step TD and every-visit Monte Carlo with one step size on the same walks, from V = 0.5 in every state and γ = 1.

    `episodes` whole walks have been learned from, and `moves` moves of the next one made (all of them, if it is shorter).
    Run number `run` uses the uniform numbers of `numpy.random.RandomState(run)`, one a move: below ½ to the left. The mean
    error is that of the runs 1 to 50. Each estimate is `rlhw.temporal_difference`'s on these walks.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "uniformNumbers": "numpy.random:RandomState",
        "randomWalks": "rlhw.worlds:random_walk",
        "exactValues": "rlhw.worlds:random_walk",
        "nStepTD": "rlhw.temporal_difference:n_step_td",
        "monteCarlo": "rlhw.temporal_difference:mc_prediction",
        "rootMeanSquare": "numpy.linalg:norm",
    }
    _esm = javascript("mersenne", "prediction", "walk")
    _css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("base.css", "walk.css"))

    step_size = slider(0.1, 0.01, 0.5, 0.01, "step size α")
    n = choice(1, (1, 2, 4, 8, 16), "steps n of TD")
    states = choice(5, (3, 5, 11), "states")
    run = slider(6, 1, RUNS, 1, "run")
    episodes = slider(1, 0, EPISODES, 1, "finished walks")
    moves = slider(2, 0, 1000, 1, "moves of the next walk")
    fixed = traitlets.Dict({"episodes": EPISODES, "runs": RUNS}, read_only=True).tag(sync=True)
