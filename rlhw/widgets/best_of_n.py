"""What the best of n samples earns and how far it goes: exact law, reward and KL, beside the frontier (chapter 8)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, javascript, slider, sliders

ANSWERS = 5


class BestOfN(Widget):
    """The best of n of five answers: their law, expected reward, exact KL(best of n‖π_ref), and log n - (n - 1)/n beside it.

    `weights`, divided by their sum, are π_ref; `rewards` may be equal (ties are broken at random). The frontier's policy π*
    with the same KL stands beside, and the reward that best-of-n leaves: no policy earns more at so much KL.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "bestOfNKL": "rlhw.evaluation:best_of_n_kl",
        "bestOfNReward": "rlhw.evaluation:best_of_n_reward",
        "shares": "numpy:divide",
        "tilted": "rlhw.evaluation:tilted",
        "frontier": "rlhw.evaluation:frontier",
        "relativeEntropy": "scipy.special:rel_entr",
        "frontierReward": "rlhw.evaluation:frontier",
        "withoutTies": "numpy:log",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "frontier", "best_of_n")

    n = slider(4, 1, 64, 1, "samples n")
    weights = sliders((0.3, 0.3, 0.2, 0.15, 0.05), 0.01, 1, 0.01, "weight of #", arms=(ANSWERS, ANSWERS))
    rewards = sliders((0.0, 0.5, 1.0, 1.5, 3.0), -1, 4, 0.1, "reward of #", arms=(ANSWERS, ANSWERS))
