"""The figures of chapter B3: bias and noise of targets, what lies between TD(0) and Monte Carlo, and what goes to zero."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.prediction import EXACT, FAMILY, HALF, LAMBDAS, N_STEPS, POLICY, RATES, SHOWN, WALK, rms
from rlhw import cards, plots
from rlhw.prediction_moments import expected_td, lambda_moments, n_step_moments

# Where the label of a point stands: right (1) or left (-1), above (1) or below (-1).
AT = {
    ("n", 2): (1, 1),
    ("n", 4): (-1, -1),
    ("n", 8): (1, 1),
    ("λ", 0.5): (-1, -1),
    ("λ", 0.8): (-1, -1),
    ("λ", 0.9): (1, 1),
}


def bias_and_noise(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Root mean squares over the states between the ends."""
    return float(rms(mean - EXACT)), float(np.sqrt(variance[1:-1].mean()))


def targets() -> Figure:
    """Noise against bias: exact for all n and λ, and the sampled ones as rings."""
    metrics = cards.read("prediction")["metrics"]
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    families = (
        ("n", range(1, 60), n_step_moments, plots.COLORS[1], [f"n_{n}" for n in N_STEPS], N_STEPS),
        ("λ", np.linspace(0, 1, 41), lambda_moments, plots.COLORS[0],
         [f"lambda_{lam:g}".replace(".", "") for lam in LAMBDAS], LAMBDAS),
    )  # fmt: skip
    lines = {}
    for symbol, numbers, moments, color, names, shown in families:
        line = np.array([bias_and_noise(*moments(WALK, POLICY, HALF, number)) for number in numbers])
        lines[symbol] = line
        axes.plot(*line.T, "-" if symbol == "λ" else ":", marker="." if symbol == "n" else "", color=color)
        for name, number in zip(names, shown, strict=True):
            bias, noise = (metrics[f"target_{name}_{what}"]["value"] for what in ("bias", "noise"))
            axes.plot([bias], [noise], "o", markersize=9, fillstyle="none", color=color)
            known = [metrics[f"target_{name}_{what}"]["known"] for what in ("bias", "noise")]
            assert max(abs(bias - known[0]), abs(noise - known[1])) < 0.01, "rings lie on the curves"
            if number not in (0, 1):
                right, up = AT[symbol, number]
                axes.annotate(f"{symbol} = {number:g}", known, xytext=(9 * right, 8 * up), textcoords="offset points",
                              ha="left" if right > 0 else "right", va="bottom" if up > 0 else "top", color=color)  # fmt: skip
    assert np.allclose(lines["n"][0], lines["λ"][0]), "both begin at TD(0)"
    assert np.allclose(lines["n"][-1], lines["λ"][-1], atol=1e-3), "and end at Monte Carlo"
    assert all(np.all(np.diff(line[:, 0]) <= 1e-12) for line in lines.values()), "the bias falls"
    assert all(np.all(np.diff(line[:, 1]) >= -1e-12) for line in lines.values()), "while the noise rises"
    start, end = lines["λ"][0], lines["λ"][-1]
    at = {"textcoords": "offset points", "ha": "left"}
    axes.annotate("TD(0)", start, xytext=(-14, 12), **at)
    axes.annotate("Monte Carlo", end, xytext=(14, 4), **at)
    axes.set(xlabel="bias (rewards)", ylabel="noise (rewards, standard deviation)", xlim=(-0.012, 0.13), ylim=(0, 0.48))
    return figure


def panel(axes: Axes, option: str, symbol: str) -> list[float]:
    """Error against step size, a curve for each number; the lowest points."""
    metrics, lowest = cards.read("prediction")["metrics"], []
    for color, number in zip(plots.COLORS, FAMILY[option][1], strict=False):
        names = (f"curve_{option}_{number:g}_{rate:g}".replace(".", "") for rate in RATES)
        line = np.array([metrics[name]["value"] for name in names])
        shown = line < 0.6
        axes.plot(np.array(RATES)[shown], line[shown], marker="o", markersize=3, color=color, label=f"{number:g}")
        lowest.append(float(line.min()))
    axes.set(xlabel="step size α", xlim=(0, 1.02), ylim=(0.1, 0.56))
    axes.legend(frameon=False, title=symbol, ncols=2, fontsize=9, loc="upper right")
    return lowest


def middle() -> Figure:
    """The error over the first ten episodes on the walk of 19 states, by step size."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8), sharey=True)
    steps, traces = panel(left, "n", "n"), panel(right, "lam", "λ")
    assert np.argmin(steps) == FAMILY["n"][1].index(4), "n = 4 goes lowest"
    assert np.argmin(traces) == FAMILY["lam"][1].index(0.8), "and λ = 0.8"
    assert np.argmax(traces) == len(traces) - 1, "Monte Carlo's end is the worst"
    left.set_ylabel("RMS error over 10 episodes")
    left.set_title("n-step TD")
    right.set_title("TD(λ)")
    return figure


def learning() -> Figure:
    """RMS error against episodes for four rules, and the exact bias at rest, to which the average comes."""
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    metrics = cards.read("prediction")["metrics"]
    rules = {
        "td_constant": ("TD(0), α = 0.1", plots.COLORS[1], "-"),
        "td_averaged": ("its average", plots.COLORS[1], "--"),
        "td_power": ("TD(0), 1/n^0.7", plots.COLORS[0], "-"),
        "mc_mean": ("Monte Carlo, 1/n", plots.COLORS[2], "-"),
    }
    ends = {}
    for name, (text, color, style) in rules.items():
        line = np.array([metrics[f"curve_{name}_{count}"]["value"] for count in SHOWN])
        ends[name] = line[-1]
        axes.plot(SHOWN, line, style, color=color)
        nudge = {"td_power": 7, "mc_mean": -7, "td_averaged": 13}.get(name, 0)
        axes.annotate(text, (1000, line[-1]), xytext=(6, nudge), textcoords="offset points", va="center", color=color)
    bias = float(rms(expected_td(WALK, POLICY, HALF, 0.1, 2000)[0][-1] - EXACT))
    axes.axhline(bias, color="black", linewidth=1, linestyle=":")
    axes.annotate("exact bias at rest", (1, bias), xytext=(2, -12), textcoords="offset points")
    assert ends["td_constant"] > 0.04, "a constant step goes on trembling"
    assert abs(ends["td_averaged"] - bias) < 0.006, "its average comes to the bias"
    assert max(ends["td_power"], ends["mc_mean"]) < 0.8 * bias, "decaying steps go below it"
    axes.set(xscale="log", yscale="log", xlim=(1, 9000), xlabel="episodes", ylabel="RMS error over the states")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2], ["0.01", "0.02", "0.05", "0.1", "0.2"])
    axes.minorticks_off()
    return figure


FIGURES = {"b3_targets": targets, "b3_middle": middle, "b3_learning": learning}
