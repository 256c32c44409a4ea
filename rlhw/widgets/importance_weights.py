"""Importance weights of episodes of T steps: their law, their variance, and three estimates that use them (chapter B4)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, javascript, slider, sliders


class ImportanceWeights(Widget):
    """The weight W = Π π(a_t)/μ(a_t) of an episode in which every step is the same choice between two actions.

    `target` and `behavior` are π and μ of action 1; the value is that of the sum of `rewards` over `horizon` steps under π,
    estimated from `episodes` of μ. The law of W is enumerated, the variances of W, of the ordinary and of the per-decision
    estimate are exact, that of the weighted one is for many episodes; each estimate is drawn 100 times besides. Action 1 is
    taken where a number of `np.random.RandomState(seed)` is below μ, repetition by repetition, episode by episode.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "uniformNumbers": "numpy.random:RandomState",
        "countLaw": "scipy.stats:binom",
        "weightsByCount": "rlhw.off_policy:importance_weights",
        "weightVariance": "rlhw.importance:weight_variance",
        "ordinaryVariance": "rlhw.importance:ordinary_variance",
        "weightedVariance": "rlhw.importance:weighted_variance",
        "perDecisionVariance": "rlhw.importance:per_decision_variance",
        "importanceWeights": "rlhw.off_policy:importance_weights",
        "ordinaryEstimates": "rlhw.off_policy:ordinary_importance_sampling",
        "perDecisionEstimates": "rlhw.off_policy:per_decision_importance_sampling",
        "weightedEstimate": "rlhw.off_policy:weighted_importance_sampling",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "columns", "mersenne", "importance", "importance_weights")

    target = slider(0.8, 0, 1, 0.05, "π(1) of the target")
    behavior = slider(0.5, 0, 1, 0.05, "μ(1) of the behavior")
    horizon = slider(10, 1, 30, 1, "steps T")
    episodes = slider(20, 1, 100, 1, "episodes n")
    rewards = sliders((1.0, 0.0), -2, 2, 0.1, "reward of action #", arms=(2, 2), each="an action")
    seed = slider(1, 0, 99, 1, "seed")
