"""Bradley and Terry's model of one comparison: from two gold rewards to a vote, its loss and its gradient (chapter 4)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, javascript, slider


class BradleyTerry(Widget):
    """P(first preferred) = σ((r1 - r2)/tau) for gold rewards r1 = `first`, r2 = `second` and tau = `temperature`.

    Shows the curve of that probability, the loss -log σ of either vote, and its gradient for the scores s = r/tau that a
    reward model would give. `shift` is added to both rewards, and changes nothing.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "preferenceProbability": "rlhw.tiny_tldr:SimulatedAnnotator",
        "bradleyTerryLoss": "rlhw.reward_model:bradley_terry_loss",
        "bradleyTerryGradient": "rlhw.reward_model:bradley_terry_loss",
        "sigmoid": "scipy.special:expit",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "logistic", "bradley_terry")

    first = slider(2.6, -2, 5, 0.1, "first’s reward r₁")
    second = slider(1.9, -2, 5, 0.1, "second’s reward r₂")
    temperature = slider(0.5, 0.05, 3, 0.05, "temperature τ")
    shift = slider(0.0, -5, 5, 0.1, "add to both")
