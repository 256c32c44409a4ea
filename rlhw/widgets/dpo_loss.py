"""The loss of one vote in DPO and in IPO, and how hard it pulls at both answers (chapter 7)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, choice, javascript, slider


class DPOLoss(Widget):
    """Loss and gradient against Δ_ref, the log-ratio log π/π_ref of the chosen answer less that of the rejected one.

    `chosen` and `rejected` are these log-ratios of whole answers, in nats; `loss` says which loss is marked, "dpo" or "ipo".
    `smoothing` is DPO's share of votes taken to be the wrong way round; IPO has none. The gradient for the chosen answer's
    log-probability and that for the rejected one's differ in sign only.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "implicitReward": "rlhw.dpo:implicit_reward",
        "dpoLoss": "rlhw.dpo:dpo_loss",
        "ipoLoss": "rlhw.dpo:ipo_loss",
        "dpoGradient": "rlhw.dpo:dpo_loss",
        "ipoGradient": "rlhw.dpo:ipo_loss",
        "smoothedOptimum": "scipy.special:logit",
        "sigmoid": "scipy.special:expit",
        "bradleyTerryLoss": "rlhw.reward_model:bradley_terry_loss",
    }
    _esm = javascript("logistic", "dpo_loss")

    loss = choice("dpo", ("dpo", "ipo"), "loss")
    beta = slider(0.5, 0.05, 1, 0.05, "β of the loss")
    smoothing = slider(0.1, 0, 0.4, 0.01, "label smoothing s")
    chosen = slider(-0.8, -5, 5, 0.1, "chosen: log π/π_ref")
    rejected = slider(-2.0, -5, 5, 0.1, "rejected: log π/π_ref")
