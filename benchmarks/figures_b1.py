"""The figures of chapter B1: which step size, and how regret grows."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.regret import BANDIT, CONSTANT, RULES
from rlhw import plots
from rlhw.regret import gaps, race
from rlhw.running_means import best_constant_step, squared_errors

REWARDS = 2000
SHOWN = {
    "greedy": ("greedy", plots.COLORS[1]),
    "constant": ("ε = 0.1", plots.COLORS[5]),
    "ucb1": ("UCB1", plots.COLORS[0]),
    "decaying_20": ("ε = 20/t", plots.COLORS[3]),
    "ucb_narrow": ("UCB, c = √½", plots.COLORS[2]),
}


def steps() -> Figure:
    """Exact squared errors of three step sizes, for a mean that stands still and for one that drifts."""
    n = np.arange(1.0, REWARDS + 1)
    drift = 0.01
    constant = best_constant_step(1.0, drift)
    kinds = {
        "1/(n+1)²": (1 / (n + 1) ** 2, plots.COLORS[1]),
        f"α = {constant:.3f}": (np.full(REWARDS, constant), plots.COLORS[2]),
        "1/n": (1 / n, plots.COLORS[0]),
    }
    figure, panels = plt.subplots(1, 2, figsize=(8.6, 3.6), sharey=True)
    ends: dict[tuple[str, float], float] = {}
    for axes, moves, title in zip(panels, (0.0, drift), ("the mean stands still", "the mean drifts"), strict=True):
        for name, (sizes, color) in kinds.items():
            errors = squared_errors(sizes, variance=1.0, start=1.0, drift=moves)
            ends[name, moves] = float(errors[-1])
            axes.plot(n, errors, color=color)
            plots.label_line(axes, float(n[-1]), float(errors[-1]), name, color)
        axes.set(xscale="log", yscale="log", xlabel="rewards seen", title=title, xlim=(1, 18_000), ylim=(3e-4, 40))
        axes.set_xticks([1, 10, 100, 1000])
    panels[0].set_ylabel("mean squared error (reward²)")
    assert ends["1/n", 0.0] < 1e-3 < 0.04 < ends[f"α = {constant:.3f}", 0.0], "only 1/n comes to rest"
    assert 0.25 < ends["1/(n+1)²", 0.0] < 0.4, "what shrinks too fast stays half-way, a quarter of the squared error"
    assert ends[f"α = {constant:.3f}", drift] < 0.1 < 1 < ends["1/n", drift], (
        "when the mean drifts, the constant is best"
    )
    return figure


def grow() -> Figure:
    """Mean regret of five rules against pulls, on a logarithmic axis, beside C log T."""
    pulls = np.arange(1, REWARDS + 1)
    figure, axes = plt.subplots(figsize=(7.4, 4.2))
    ends = {}
    for name, (label, color) in SHOWN.items():
        actions, _ = race(BANDIT, RULES[name], REWARDS, 200, np.random.default_rng(0))
        line = np.cumsum(gaps(BANDIT.means)[actions], axis=1).mean(axis=0)
        ends[name] = line
        axes.plot(pulls, line, color=color)
        at = {"decaying_20": 5.0, "ucb_narrow": -7.0}.get(name, 0.0)
        plots.label_line(axes, float(REWARDS), float(line[-1]) + at, label, color)
    bound = CONSTANT * np.log(pulls)
    axes.plot(pulls, bound, color="black", linestyle="--", linewidth=1.2)
    axes.annotate("C log T", (12, bound[11]), xytext=(-4, 6), textcoords="offset points", ha="right")
    for linear in ("greedy", "constant"):
        assert ends[linear][-1] - ends[linear][999] > 0.5 * ends[linear][999], "a line doubles when T does"
    for slow in ("ucb1", "ucb_narrow", "decaying_20"):
        assert ends[slow][-1] - ends[slow][999] < 0.4 * ends[slow][999], "a logarithm hardly grows when T doubles"
    assert max(ends["ucb_narrow"][-1], ends["decaying_20"][-1]) < bound[-1], "two rules are below the bound by then"
    axes.set(xscale="log", xlabel="pulls", ylabel="regret so far, mean of 200 players", xlim=(1, 9000), ylim=(0, 190))
    axes.set_xticks([1, 10, 100, 1000])
    return figure


FIGURES = {"b1_steps": steps, "b1_race": grow}
