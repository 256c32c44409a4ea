"""PPO's clipped surrogate of one token: where the gradient stays and where it is zero (chapter 6)."""

from typing import ClassVar

from rlhw.widgets.base import Widget, javascript, slider


class ClippedSurrogate(Widget):
    """min(ρA, clip(ρ)A) against the ratio ρ = π/π_old of a token, with A = `advantage`, ε = `clip`, and clip(ρ) in 1 ± ε.

    Marks the value at ρ = `ratio` and the gradient for log π, ρA or 0. It is 0 exactly where A > 0 and ρ > 1 + ε, or A < 0
    and ρ < 1 - ε: there the token has gone far enough. A token that went the wrong way keeps its gradient.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "clippedSurrogate": "rlhw.ppo:clipped_policy_loss",
        "clippedGradient": "rlhw.ppo:clipped_policy_loss",
    }
    _esm = javascript("clipped_surrogate")

    ratio = slider(1.3, 0.02, 2, 0.02, "ratio ρ = π/π_old")
    advantage = slider(1.0, -2, 2, 0.1, "advantage A")
    clip = slider(0.2, 0.05, 0.5, 0.01, "clip ε")
