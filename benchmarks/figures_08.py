"""The figures of chapter 8: the frontier with a tangent, the methods beside it, samples for J*, best of n, win rates."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import binom

from benchmarks.slips_08 import BEN, FACTS, PRICE, REF, REWARDS, SHARE, by_enumeration
from rlhw import cards, plots
from rlhw.evaluation import best_of_n_kl, best_of_n_reward, frontier, win_rate

GREY = "#444444"
LEVELS, CHANCES = np.arange(FACTS + 1.0), binom.pmf(np.arange(FACTS + 1), FACTS, SHARE)
# Where each method's name stands: beside which of its points, and how far from it.
METHODS = {"best of n": (5, (6, -14)), "PPO": (0, (-34, 2)), "GRPO": (2, (8, 2)), "DPO": (2, (8, 6))}


def tangent() -> Figure:
    """The frontier of three answers, two policies below it, and the tangent at β = 1 with its intercept J*."""
    kls, earned = frontier(REF, REWARDS, np.geomspace(0.06, 100, 200))
    (kl,), (reward,) = frontier(REF, REWARDS, np.array([1.0]))
    intercept = reward - kl
    points = {
        "Ann: best of two": (best_of_n_kl(REF, REWARDS, 2), best_of_n_reward(REF, REWARDS, 2)),
        "Ben": (float(np.sum(BEN * np.log(BEN / REF))), float(BEN @ REWARDS)),
        "always the third": (-math.log(REF[2]), 2.0),
    }
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    axes.plot(kls, earned, color=plots.COLORS[0])
    axes.annotate("frontier", (kls[60], earned[60]), xytext=(4, -14), textcoords="offset points", color=plots.COLORS[0])
    line = np.array([0.0, 0.95])
    axes.plot(line, intercept + line, "--", color=GREY, linewidth=1.3)
    axes.annotate("slope β = 1", (0.8, intercept + 0.8), xytext=(-72, 6), textcoords="offset points", color=GREY)
    axes.plot([0], [intercept], "o", color=GREY)
    axes.annotate("$J^*$", (0, intercept), xytext=(-24, -4), textcoords="offset points", color=GREY)
    axes.plot([kl], [reward], "o", color=plots.COLORS[0])
    axes.annotate(
        "$\\pi^*$ at β = 1", (kl, reward), xytext=(-4, 9), textcoords="offset points", ha="right", color=plots.COLORS[0]
    )
    axes.plot([0], [REF @ REWARDS], "s", color="black")
    axes.annotate("reference", (0, REF @ REWARDS), xytext=(8, -5), textcoords="offset points")
    moves = {"Ann: best of two": (14, -10), "Ben": (14, -20), "always the third": (-2, -38)}
    for color, (name, (x, y)) in zip(plots.COLORS[1:], points.items(), strict=False):
        below = np.interp(x, kls[::-1], earned[::-1]) - y
        assert below > -1e-3, "no policy lies above the frontier"
        assert np.all(intercept + x >= y), "no policy lies above a tangent"
        axes.plot([x], [y], "D", color=color)
        side = "right" if x > 1 else "left"
        axes.annotate(name, (x, y), xytext=moves[name], textcoords="offset points", color=color, ha=side)
    axes.set(xlabel="KL from the reference (nats)", ylabel="reward", xlim=(-0.12, 1.75), ylim=(0.6, 2.12))
    return figure


def methods() -> Figure:
    """Reward against KL on the small forum: the estimated frontier, best of n, and PPO, GRPO and DPO at three prices."""
    metrics = cards.read("frontier")["metrics"]
    kl, reward = (np.array([metrics[f"frontier_{i}_{axis}"]["value"] for i in range(11)]) for axis in ("kl", "reward"))
    kl, reward = np.insert(kl, 0, 0.0), np.insert(reward, 0, metrics["clone_reward"]["value"])
    slopes = np.diff(reward) / np.diff(kl)
    assert np.all(np.diff(slopes) < 0), "the frontier is concave"
    figure, axes = plt.subplots(figsize=(7.2, 4.6))
    axes.plot(kl, reward, color="black")
    axes.annotate("frontier", (kl[5], reward[5]), xytext=(-6, 6), textcoords="offset points", ha="right")
    axes.plot(kl[:1], reward[:1], "s", color="black", zorder=4)
    axes.annotate("cloning", (kl[0], reward[0]), xytext=(9, -4), textcoords="offset points")
    best = [[metrics[f"best_of_{n}_{axis}"]["value"] for n in (2, 4, 8, 16, 32, 64)] for axis in ("kl", "reward")]
    rows = {"best of n": [f"best_of_{n}" for n in (2, 4, 8, 16, 32, 64)]}
    rows |= {
        method: [f"{method.lower()}_{price}" for price in ("05", "025", "0125")] for method in ("PPO", "GRPO", "DPO")
    }
    for (method, names), color, marker in zip(rows.items(), (GREY, *plots.COLORS), "xosD", strict=False):
        points = {axis: [metrics[f"{name}_{axis}"] for name in names] for axis in ("kl", "reward")}
        x, y = (np.array([point["value"] for point in points[axis]]) for axis in ("kl", "reward"))
        ranges = [
            abs(np.array([[p[side] for p in points[axis]] for side in ("low", "high")]) - at)
            for axis, at in zip(points, (x, y), strict=True)
        ]
        assert np.all(y < np.interp(x, kl, reward)), "no median lies above the frontier"
        assert np.all(np.diff(x) > 0), "the lower the price and the larger n, the further"
        assert method == "best of n" or np.all(np.interp(x, *best) > y), "best of n lies above the trained policies"
        axes.errorbar(x, y, xerr=ranges[0], yerr=ranges[1], fmt="none", ecolor=color, alpha=0.45, linewidth=1)
        axes.plot(x, y, marker + "-", color=color, markersize=6, linewidth=0.8)
        axes.annotate(
            method,
            (x[METHODS[method][0]], y[METHODS[method][0]]),
            xytext=METHODS[method][1],
            textcoords="offset points",
            color=color,
        )
    axes.set(xlabel="KL from the clone (nats)", ylabel="gold reward")
    return figure


def jstar_estimate() -> Figure:
    """Log-mean-exp of N samples of the reference against N: its mean and the middle nine tenths, 2,000 estimates each."""
    rng, counts = np.random.default_rng(8), 2 ** np.arange(3, 16)
    draws = [rng.multinomial(n, CHANCES, size=2000) for n in counts]
    weights = LEVELS / PRICE
    found = [
        PRICE * (logsumexp(weights, axis=1, b=drawn) - math.log(n)) for n, drawn in zip(counts, draws, strict=True)
    ]
    means = np.array([values.mean() for values in found])
    low, high = np.quantile(found, [0.05, 0.95], axis=1)
    exact, (kl,) = by_enumeration(), frontier(CHANCES, LEVELS, np.array([PRICE]))[0]
    assert np.all(np.diff(means) > 0), "more samples give a less low estimate"
    assert means[0] < 3.8, "eight samples say little"
    assert high[1] < exact < high[-1] + 0.05, "with 16 samples the whole band lies below"
    assert abs(means[-1] - exact) < 0.01, "very many samples give the true value"
    assert 530 < math.exp(kl) < 550, "log N is the KL at about 540 samples"
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    axes.fill_between(counts, low, high, color=plots.COLORS[0], alpha=0.18, linewidth=0)
    axes.plot(counts, means, "o-", color=plots.COLORS[0], markersize=4)
    axes.annotate(
        "mean of the estimates",
        (counts[2], means[2]),
        xytext=(12, -14),
        textcoords="offset points",
        color=plots.COLORS[0],
    )
    axes.axhline(exact, color="black", linestyle="--", linewidth=1)
    axes.annotate("exact $J^*$ = 5.370", (counts[0], exact), xytext=(0, 5), textcoords="offset points")
    axes.axvline(math.exp(kl), color=GREY, linestyle=":", linewidth=1.3)
    axes.annotate(
        "log N = KL of the best policy", (math.exp(kl), 3.4), xytext=(6, 0), textcoords="offset points", color=GREY
    )
    axes.set(xscale="log", xlabel="samples of the reference", ylabel="estimate of $J^*$ (reward)", ylim=(3.2, 5.75))
    axes.set_xticks([8, 64, 512, 4096, 32768], ["8", "64", "512", "4,096", "32,768"])
    axes.minorticks_off()
    return figure


def best_of_n() -> Figure:
    """Best of n for the six facts beside the frontier, and where the formula for its KL puts it."""
    kls, earned = frontier(CHANCES, LEVELS, np.geomspace(0.05, 200, 300))
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    axes.plot(kls, earned, color=plots.COLORS[0])
    axes.annotate(
        "frontier", (kls[90], earned[90]), xytext=(-8, 8), textcoords="offset points", color=plots.COLORS[0], ha="right"
    )
    counts = (1, 2, 4, 8, 16, 64, 256)
    before = 0.0
    for n in counts:
        exact, reward = best_of_n_kl(CHANCES, LEVELS, n), best_of_n_reward(CHANCES, LEVELS, n)
        bound = math.log(n) - (n - 1) / n
        assert exact <= bound + 1e-12, "the formula is an upper bound"
        assert bound - exact >= before - 1e-12, "the further, the larger n"
        before = bound - exact
        assert 0 <= np.interp(exact, kls[::-1], earned[::-1]) - reward + 1e-3 < 0.15, "just below the frontier"
        axes.plot([exact, bound], [reward] * 2, color=plots.COLORS[1], linewidth=0.8)
        axes.plot([bound], [reward], "x", color=plots.COLORS[1], markersize=8)
        axes.plot([exact], [reward], "o", color="black", zorder=3)
        axes.annotate(f"n = {n}", (exact, reward), xytext=(-8, 7), textcoords="offset points", ha="right", fontsize=9)
    axes.annotate(
        "log n − (n − 1)/n",
        (bound, reward),
        xytext=(8, -14),
        textcoords="offset points",
        color=plots.COLORS[1],
        ha="center",
    )
    axes.set(xlabel="KL from the reference (nats)", ylabel="right facts", xlim=(-0.35, 6.6), ylim=(1.9, 6.25))
    return figure


def win_rates() -> Figure:
    """The 95 % interval of a win rate of about 0.55 for growing numbers of prompts."""
    counts = (20, 64, 200, 640, 2000, 6400)
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    widths = []
    for row, n in enumerate(counts):
        wins = round(0.55 * n)
        rate, low, high = win_rate(wins, n - wins)
        widths.append(high - low)
        assert (low < 0.5) == (n <= 200), "up to 200 prompts the interval holds one half"
        color = plots.COLORS[1] if low < 0.5 else plots.COLORS[2]
        axes.plot([low, high], [row] * 2, color=color, linewidth=3)
        axes.plot([rate], [row], "o", color=color)
        axes.annotate(f"{low:.2f} to {high:.2f}", (0.80, row), va="center", fontsize=10, color=color)
    assert np.all(np.diff(widths) < 0)
    axes.axvline(0.5, color="black", linestyle="--", linewidth=1)
    axes.set(
        yticks=range(len(counts)),
        yticklabels=[f"{n:,}" for n in counts],
        xlim=(0.3, 0.93),
        ylim=(len(counts) - 0.4, -0.6),
    )
    axes.set(xlabel="win rate", ylabel="prompts")
    axes.grid(axis="y", visible=False)
    return figure


FIGURES = {
    "tangent": tangent,
    "methods": methods,
    "jstar_estimate": jstar_estimate,
    "best_of_n": best_of_n,
    "win_rates": win_rates,
}
