"""The figures of chapter 9: how many answers to a prompt, what the scale weighs, and how errors add up in a dialogue."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.groups_and_turns import ERROR, LOGITS, MEANS
from rlhw import plots
from rlhw.dialogue import expected_lost
from rlhw.groups import best_group_size, scaled_weight, variance_parts
from rlhw.policy_gradient import exact_gradient

SIZES, CHANCES, TURNS = np.geomspace(2, 64, 200), np.linspace(0.004, 0.996, 249), np.arange(1, 41)


def group_size() -> Figure:
    """N times the variance of N answers against K: the best K lies low where prompts have nothing in common."""
    own, others = variance_parts(LOGITS, MEANS)
    square = float((exact_gradient(LOGITS, MEANS) ** 2).sum())
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    cases = {"prompts with nothing in common": (square, 7.2, 0.72), "gradients nearly alike": (square / 20, 26, 0.3)}
    for color, (name, (between, at, height)) in zip(plots.COLORS, cases.items(), strict=False):
        values = own + others / (SIZES - 1) + between * SIZES
        best = best_group_size(others, between)
        low = own + others / (best - 1) + between * best
        assert low <= values.min() + 1e-12, "the marked K should be the best one"
        axes.plot(SIZES, values, color=color)
        axes.plot(best, low, "o", color=color)
        axes.annotate(
            f"K = {best:.1f}", (best, low), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9
        )
        axes.text(at, height, name, color=color, ha="right" if at < 10 else "center", fontsize=10)
    axes.axhline(own, color="black", linestyle="--", linewidth=1)
    axes.text(64, own - 0.05, "with the exact V, were there no difference between prompts", ha="right", fontsize=9)
    axes.set(
        xscale="log",
        xlabel="K, answers to a prompt",
        ylabel="N × variance of the gradient",
        ylim=(0, 1.0),
        xlim=(1.9, 70),
    )
    axes.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    axes.minorticks_off()
    return figure


def scaled_weight_figure() -> Figure:
    """w_K(p) for several K, and its limit."""
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    limit = 1 / np.sqrt(CHANCES * (1 - CHANCES))
    curves = {k: np.array([scaled_weight(float(p), k) for p in CHANCES]) for k in (4, 16, 64)}
    assert np.ptp(curves[4]) < 0.11, "at K = 4 the weight should be nearly flat"
    assert all(curve.argmin() == len(CHANCES) // 2 for curve in curves.values()), "the middle weighs least"
    assert np.all(curves[4] < curves[16]), "larger groups weigh more"
    axes.plot(CHANCES, limit, color="black", linestyle="--", linewidth=1)
    axes.text(0.075, 5.2, "K → ∞: 1/√(p(1−p))", fontsize=9)
    places = ((0.5, 0.95), (0.985, 2.1), (0.93, 5.9))
    for color, (k, curve), (x, y) in zip(plots.COLORS, curves.items(), places, strict=False):
        axes.plot(CHANCES, curve, color=color)
        axes.text(x, y, f"K = {k}", color=color, ha="center" if k == 4 else "right", fontsize=10)
    axes.set(
        xlabel="p, the chance that an answer is right", ylabel="weight of the prompt (of ∇p)", ylim=(0, 8), xlim=(0, 1)
    )
    return figure


def snowball() -> Figure:
    """Turns lost against turns, with and without repairs."""
    clone = np.array([expected_lost(ERROR, 0.0, int(t)) for t in TURNS])
    own = np.array([expected_lost(ERROR, 1 - ERROR, int(t)) for t in TURNS])
    bound = ERROR * TURNS * (TURNS + 1) / 2
    assert np.all(clone <= bound + 1e-12), "the clone stays below the parabola"
    assert np.allclose(own, ERROR * TURNS), "with repairs the line is ε T"
    assert 23 < clone[-1] < 24
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    axes.plot(TURNS, bound, color="black", linestyle="--", linewidth=1)
    axes.plot(TURNS, clone, color=plots.COLORS[0])
    axes.plot(TURNS, own, color=plots.COLORS[1])
    axes.text(30, 13.2, "cloned: never saw a repair", color=plots.COLORS[0], fontsize=10)
    axes.text(27, 3.0, "learned on its own states", color=plots.COLORS[1], fontsize=10)
    axes.text(25.5, 19.5, "ε T (T + 1)/2", fontsize=9, ha="right")
    axes.set(xlabel="T, turns of the dialogue", ylabel="turns lost", ylim=(0, 30), xlim=(0, 46))
    return figure


FIGURES = {"group_size": group_size, "scaled_weight": scaled_weight_figure, "snowball": snowball}
