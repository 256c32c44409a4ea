"""REINFORCE estimates on a small bandit, with and without a baseline: same mean, other variance (chapter 2)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, javascript, slider, sliders


class BaselineEstimates(Widget):
    """One-sample estimates (r_y - b)(1_y - p) with b = 0 and with your b, their running means, and their variances.

    `logits` and `rewards` hold two or three arms. Arms are drawn by inverting the distribution function at `uniforms`,
    240 stored numbers, so page and library draw the same arms. V = E[r] and the best baseline b* are marked.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "softmax": "rlhw.policy_gradient:softmax",
        "score": "rlhw.policy_gradient:score",
        "weightedScores": "rlhw.policy_gradient:weighted_scores",
        "exactGradient": "rlhw.policy_gradient:exact_gradient",
        "sampleActions": "rlhw.policy_gradient:sample_actions",
        "reinforceEstimates": "rlhw.policy_gradient:reinforce_estimates",
        "squaredScoreNorms": "rlhw.policy_gradient:squared_score_norms",
        "gradientVariance": "rlhw.policy_gradient:gradient_variance",
        "optimalBaseline": "rlhw.policy_gradient:optimal_baseline",
        "mean": "numpy:mean",
        "variance": "numpy:var",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("policy", "sums", "baseline_estimates")

    logits = sliders((1.5, 0.0, -0.5), -4, 4, 0.1, "logit z#", arms=(2, 3))
    rewards = sliders((2.0, 1.0, 0.5), -3, 3, 0.1, "reward r#", arms=(2, 3))
    baseline = slider(0.5, -3, 3, 0.05, "baseline b")
    samples = slider(120, 10, 240, 10, "samples n")
    uniforms = traitlets.List(traitlets.Float()).tag(sync=True)

    @traitlets.default("uniforms")
    def _draw(self) -> list[float]:
        import numpy as np

        return np.random.default_rng(0).random(240).tolist()

    @traitlets.validate("uniforms")
    def _enough(self, proposal) -> list[float]:
        if len(proposal["value"]) != 240 or not all(0 <= number < 1 for number in proposal["value"]):
            sentence = "uniforms must be 240 numbers in [0, 1); draw them with rng.random(240)"
            raise traitlets.TraitError(f"BaselineEstimates: {sentence}.")
        return proposal["value"]

    @traitlets.validate("logits", "rewards")
    def _same_arms(self, proposal) -> tuple[float, ...]:
        if len(self.logits) != len(self.rewards):
            sentence = f"have one number an arm each; got {len(self.logits)} and {len(self.rewards)}"
            raise traitlets.TraitError(f"BaselineEstimates: logits and rewards must {sentence}.")
        return proposal["value"]
