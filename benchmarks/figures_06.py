"""The figures of chapter 6: how far one rollout may be followed, the clip, and the steps to PPO."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.small_problem import PROMPTS, WIDTH, K
from benchmarks.steps_exact import CLIP, UPDATES
from benchmarks.steps_to_ppo import RATES, SHOWN
from rlhw import cards, plots
from rlhw.ppo import clipped_policy_loss

GREY = "#777777"
NAMES = {
    "plain": ("no baseline", plots.COLORS[4], ":"),
    "leave_one_out": ("leave-one-out", plots.COLORS[0], "--"),
    "again": ("no ratio", plots.COLORS[3], ":"),
    "ratio": ("ratio", plots.COLORS[5], "--"),
    "clip": ("ratio, clip", plots.COLORS[1], "-"),
    "critic": ("PPO", plots.COLORS[2], "-"),
}


def one_rollout() -> Figure:
    """What the surrogate claims, what the objective gains, and the KL, by updates from one rollout."""
    metrics = cards.read("steps_to_ppo")["metrics"]
    updates = np.arange(0, UPDATES + 1, 2)

    def line(name: str) -> np.ndarray:
        return np.array([metrics[f"one_{name}_{update}"]["value"] for update in updates])

    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
    for color, kind, title in ((plots.COLORS[1], "ratio", "no clip"), (plots.COLORS[0], "clip", "clip")):
        claim, gain = line(f"{kind}_claim"), line(f"{kind}_gain")
        left.plot(updates, claim, "--", color=color)
        left.plot(updates, gain, color=color)
        at = {"textcoords": "offset points", "ha": "right", "color": color}
        left.annotate(f"{title}: claimed", (16, claim[-1]), xytext=(-26 if kind == "ratio" else 0, 5), **at)
        left.annotate(f"{title}: true", (16, gain[-1]), xytext=(0, -13 if kind == "ratio" else 5), **at)
        right.plot(updates, line(f"{kind}_kl"), color=color)
        plots.label_line(right, float(updates[-1]), line(f"{kind}_kl")[-1], title, color)
    true, claimed = line("ratio_gain"), line("ratio_claim")
    assert true.argmax() in (2, 3, 4), "without a clip the true gain turns early"
    assert true[-1] < 0.1 * true.max(), "and is lost"
    assert np.all(np.diff(claimed) > 0), "while the claim rises"
    assert claimed[-1] > 5 * true.max(), "to many times what there was to gain"
    assert line("clip_gain")[-1] > 0.8 * line("clip_gain").max(), "with the clip the gain stays near its top"
    assert line("ratio_kl")[-1] > 4 * line("clip_kl")[-1], "the policy goes several times further without a clip"
    left.set(xlabel="updates from one rollout", ylabel="gain of $J_β$ (rewards)", xlim=(0, 16), ylim=(-0.3, 2.2))
    right.set(xlabel="updates from one rollout", ylabel="KL(π_old‖π), nats an answer", xlim=(0, 20.5), ylim=(0, None))
    left.set_title(f"claim and truth, {len(PROMPTS) * WIDTH * K} answers")
    right.set_title("distance from the old policy")
    return figure


def clip() -> Figure:
    """The clipped surrogate of one token by its ratio, for both signs of the advantage."""
    figure, both = plt.subplots(1, 2, figsize=(8.6, 3.3))
    ratio = torch.linspace(0.2, 2.0, 721, dtype=torch.float64)
    for axes, sign, name in zip(both, (1.0, -1.0), ("a good token, A = 1", "a bad token, A = −1"), strict=True):
        advantage = torch.full_like(ratio, sign)
        worth = -clipped_policy_loss(ratio.log(), torch.zeros_like(ratio), advantage, CLIP)
        flat = (ratio > 1 + CLIP) if sign > 0 else (ratio < 1 - CLIP)
        axes.plot(ratio[~flat], worth[~flat], color=plots.COLORS[0])
        axes.plot(ratio[flat], worth[flat], color=GREY)
        assert float(worth[flat].max() - worth[flat].min()) < 1e-9, "no gradient where the step has gone far enough"
        assert torch.allclose(worth[~flat], sign * ratio[~flat]), "the full gradient everywhere else"
        axes.axvspan(1 - CLIP, 1 + CLIP, color="#EEEEEE", zorder=0)
        axes.axvline(1, color="black", linewidth=1, linestyle=":")
        at = (1.55, 1 + CLIP) if sign > 0 else (0.5, CLIP - 1)
        below = {"xytext": (0, -8), "textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate("gone far enough:\nno gradient", at, color=GREY, **below)
        axes.set(title=name, xlabel="ratio ρ = π/π_old")
    both[0].set_ylabel("what is made large")
    both[0].set(ylim=(0, 1.5))
    both[1].set(ylim=(-2.1, -0.5))
    return figure


def steps_to_ppo() -> Figure:
    """The share of the way to J* by sampled answers, for each method, at both rates."""
    metrics = cards.read("steps_to_ppo")["metrics"]
    answers = np.array(SHOWN) * len(PROMPTS) * WIDTH * K
    figure, both = plt.subplots(1, 2, figsize=(9.0, 4.0), sharey=True)
    ends = {}
    for axes, (speed, rate) in zip(both, RATES.items(), strict=True):
        for name, (title, color, style) in NAMES.items():
            line = [0.0, *(metrics[f"{name}_{speed}_{n}"]["value"] for n in SHOWN)]
            axes.plot([0, *answers], line, style, marker="o", markersize=3.5, color=color, label=title)
            ends[name, speed] = line[-1]
        axes.axhline(1, color="black", linewidth=1, linestyle="--")
        axes.set(title=f"rate {rate}", xlabel="sampled answers", xlim=(0, 1.03 * answers[-1]))
    both[0].set_ylabel("share of $J^* - J_{ref}$")
    both[0].annotate("$J^*$", (0, 1), xytext=(4, -14), textcoords="offset points")
    both[1].legend(frameon=False, fontsize=9, loc="lower right", ncols=2)
    assert min(ends[n, "careful"] for n in ("ratio", "clip", "critic")) > 1.3 * ends["leave_one_out", "careful"]
    return figure


FIGURES = {"one_rollout": one_rollout, "clip": clip, "steps_to_ppo": steps_to_ppo}
