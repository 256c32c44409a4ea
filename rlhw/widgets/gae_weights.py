"""GAE of an answer's first token as an average of n-step estimates, and as a sum of TD errors (chapter 6)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, javascript, slider, sliders


class GAEWeights(Widget):
    """The n-step estimates of A at the first of `steps` tokens, their weights (1 - λ)λ^(n-1), and their average.

    The last weight takes the rest, λ^(T-1), so that they sum to 1. The same number is Σ (γλ)^l δ over TD errors. `rewards`
    and `values` are those of tokens 1 to 8, each value that before its token; the first T = `steps` count, and `score` is
    added to the reward of the last one. After it the value is 0.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "nStepEstimates": "rlhw.ppo:gae",
        "nStepWeights": "rlhw.ppo:gae",
        "tdErrors": "rlhw.ppo:gae",
        "tdWeights": "rlhw.ppo:gae",
        "firstAdvantage": "rlhw.ppo:gae",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "columns", "gae_weights")

    gamma = slider(0.95, 0.5, 1, 0.01, "discount γ")
    lam = slider(0.8, 0, 1, 0.05, "λ of GAE")
    steps = slider(5, 1, 8, 1, "tokens T")
    score = slider(2.0, -3, 3, 0.1, "score after the last token")
    rewards = sliders(
        (-0.1, 0.05, -0.2, -0.05, -0.1, 0.1, -0.15, -0.05),
        -1,
        1,
        0.05,
        "reward of token #",
        arms=(8, 8),
        each="a token",
    )
    values = sliders(
        (0.8, 1.0, 0.4, 1.3, 1.6, 1.8, 1.2, 1.5), -3, 3, 0.1, "value before token #", arms=(8, 8), each="a token"
    )
