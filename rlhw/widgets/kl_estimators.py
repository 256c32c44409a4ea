"""What k1, k2 and k3 estimate, and how much they scatter: two laws over three outcomes, enumerated and sampled (chapter 6)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, javascript, slider, sliders

DRAWS = 400


class KLEstimators(Widget):
    """k1, k2 and k3 at each outcome of p, with exact means beside KL(p‖q), exact standard deviations, and a sample's means.

    `p` and `q` hold a weight for each of three outcomes; divided by their sum they are the two laws. With `upside_down` k3 is
    taken of p/q instead of q/p, a known slip: its mean is then chi² - KL. The first `samples` of 400 stored uniform numbers
    draw the outcomes from p, so page and library draw the same ones.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "klEstimate": "rlhw.logprobs:kl_estimate",
        "divergence": "scipy.special:rel_entr",
        "chiSquare": "scipy.stats:chisquare",
        "deviation": "numpy:cov",
        "drawOutcomes": "numpy:searchsorted",
        "logs": "numpy:log",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "kl_estimators")

    p = sliders((0.5, 0.3, 0.2), 0.02, 1, 0.02, "p: weight of y#", arms=(3, 3))
    q = sliders((0.16, 0.24, 0.6), 0.02, 1, 0.02, "q: weight of y#", arms=(3, 3))
    upside_down = traitlets.Bool(False).tag(sync=True, label="k₃ with its ratio upside down")
    samples = slider(100, 10, DRAWS, 10, "samples N")
    uniforms = traitlets.List(traitlets.Float(), read_only=True).tag(sync=True)

    @traitlets.default("uniforms")
    def _draw(self) -> list[float]:
        import numpy as np

        return np.random.default_rng(0).random(DRAWS).tolist()
