"""A softmax policy over three arms, the score of the sampled arm, and one step along it (chapter 1)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, choice, javascript, slider, sliders


class SoftmaxPolicy(Widget):
    """Probabilities p = softmax(z) of three arms and the score 1_y - p of the sampled arm y, as bars.

    `logits` are z_1, z_2, z_3; `action` is y counted from 0, as in `rlhw.policy_gradient.score`. With `show_step` the
    picture also has the probabilities after one ascent step, z + eta r (1_y - p), eta = `step_size`, r = `reward`.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "softmax": "rlhw.policy_gradient:softmax",
        "score": "rlhw.policy_gradient:score",
        "weightedScores": "rlhw.policy_gradient:weighted_scores",
    }
    _esm = javascript("policy", "softmax_policy")

    logits = sliders((0.8, -0.4, 0.2), -4, 4, 0.1, "logit z#", arms=(3, 3))
    action = choice(1, (0, 1, 2), "sampled arm y")
    show_step = traitlets.Bool(False).tag(sync=True, label="show one ascent step")
    step_size = slider(1.0, 0, 4, 0.1, "step size η")
    reward = slider(1.0, -2, 2, 0.1, "reward r")
