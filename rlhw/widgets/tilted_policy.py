"""From the reference to the best policy at a price of KL: π*(y) ∝ π_ref(y) exp(r(y)/β) (chapters 6 and 7)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, javascript, slider, sliders


class TiltedPolicy(Widget):
    """π_ref and π* over four or five answers, with their rewards, KL to π_ref and J = reward - β KL, beside J* = β log Z.

    `rewards` are those of the answers; π_ref is in proportion to `weights`, all alike where all are 0. An answer of weight 0
    keeps probability 0 at every β. The second picture has the frontier: the most reward that so much KL can buy.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "shares": "numpy:divide",
        "tilted": "rlhw.evaluation:tilted",
        "partition": "numpy:dot",
        "bestObjective": "rlhw.evaluation:attainable",
        "frontier": "rlhw.evaluation:frontier",
        "relativeEntropy": "scipy.special:rel_entr",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "columns", "frontier", "tilted_policy")

    beta = slider(0.5, 0.05, 4, 0.05, "price of KL β")
    weights = sliders(
        (8.0, 6.0, 4.0, 2.0, 0.5), 0, 10, 0.5, "weight of answer # in π_ref", arms=(4, 5), each="an answer"
    )
    rewards = sliders((0.2, -0.5, 0.8, 1.2, 2.0), -3, 3, 0.1, "reward of answer #", arms=(4, 5), each="an answer")

    @traitlets.validate("weights", "rewards")
    def _same_answers(self, proposal) -> tuple[float, ...]:
        if len(self.weights) != len(self.rewards):
            sentence = f"have one number an answer each; got {len(self.weights)} and {len(self.rewards)}"
            raise traitlets.TraitError(f"TiltedPolicy: weights and rewards must {sentence}.")
        return proposal["value"]
