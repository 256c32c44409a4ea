"""Gold and learned reward as optimisation goes on: measured points, the form of Gao et al., and where it turns (chapter 8)."""

import math
from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, choice, javascript, slider, stored

DATA = stored("overoptimisation")
SIZES = tuple(DATA["best_of_n"])
FARTHEST = math.ceil(max(math.sqrt(max(curve["kl"])) for way in ("best_of_n", "rl") for curve in DATA[way].values()))


class Overoptimisation(Widget):
    """Gold and learned reward against KL, or d = √KL, for a reward model learned from `size` comparisons.

    `way` is "best_of_n" or "rl". The line is the fitted form of Gao et al. (2022), whose peak is marked; `stop` is a distance d
    at which a reader would stop. Points are medians over seeds with their least and greatest, all above the clone's reward; they
    were measured beforehand (benchmarks/goodhart.py, card goodhart). The size "gold" optimises the gold reward itself.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "bestOfNForm": "rlhw.overoptimisation:best_of_n_form",
        "rlForm": "rlhw.overoptimisation:rl_form",
        "peakBestOfN": "rlhw.overoptimisation:peak_best_of_n",
        "peakRL": "rlhw.overoptimisation:peak_rl",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "overoptimisation")

    way = choice("rl", ("best_of_n", "rl"), "optimised by")
    size = choice(SIZES[0], SIZES, "comparisons")
    root = traitlets.Bool(False).tag(sync=True, label="against d = √KL")
    stop = slider(1.0, 0, FARTHEST, 0.05, "stop at d = √KL")
    data = traitlets.Dict(DATA, read_only=True).tag(sync=True)
