"""The figures of chapter B5: projections in the plane, what the states' weights decide, Baird's star, and descent."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.deadly_triad import CURE_SECOND, CURE_STEP, CURE_STEPS, GAMMA, RUNS, STEP, STEPS
from benchmarks.linear_worlds import (
    CHAIN,
    CHAIN_EXPECTED,
    CHAIN_FEATURES,
    CHAIN_VALUES,
    GROUPS,
    STAR,
    STAR_EXPECTED,
    STAR_WEIGHTS,
    WALK_EXPECTED,
    WALK_VALUES,
    WALK_WEIGHTS,
    star_samples,
    walk_samples,
)
from rlhw import plots
from rlhw.function_approximation import (
    least_squares_mc,
    lstd,
    projected_bellman_error,
    projection,
    td_system,
    value_error,
)
from rlhw.linear_learning import gradient_correction, gradient_mc, semi_gradient_td

GREY = "#777777"
ON_POLICY = np.array([1 / 3, 2 / 3])


def linear_projection() -> Figure:
    """The chain's values in the plane: the line of linear ones, v and its projection, and TD's fixed point."""
    root = np.sqrt(ON_POLICY)  # with axes scaled by √d right angles look right
    kernel, rewards = CHAIN.transitions[:, 0], CHAIN.rewards[:, 0]
    td = CHAIN_FEATURES @ lstd(*CHAIN_EXPECTED, CHAIN.gamma, ON_POLICY)
    best = CHAIN_FEATURES @ least_squares_mc(CHAIN_FEATURES, CHAIN_VALUES, ON_POLICY)
    target = rewards + CHAIN.gamma * kernel @ td
    assert np.allclose(projection(CHAIN_FEATURES, ON_POLICY) @ target, td), (
        "the target of TD's values projects back on them"
    )
    assert abs((root * (CHAIN_VALUES - best)) @ (root * best)) < 1e-12, "v - Πv stands at a right angle to the line"
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    axes.plot(*(root[:, None] * np.outer([1.0, 2.0], [0.0, 2.2])), color=GREY)
    at = root * np.array([2.2, 4.4])
    axes.annotate("linear values (w, 2w)", at, xytext=(-8, -2), textcoords="offset points", ha="right", color=GREY)
    for start, end, color in ((CHAIN_VALUES, best, plots.COLORS[0]), (target, td, plots.COLORS[1])):
        points = np.array([root * start, root * end])
        axes.plot(*points.T, ":", color=color, linewidth=1.6)
    axes.annotate("", root * target, root * td, arrowprops={"arrowstyle": "->", "color": plots.COLORS[1]})
    for point, text, color, shift in (
        (CHAIN_VALUES, "true values v", plots.COLORS[0], (8, 0)),
        (best, "Πv: best fit, Monte Carlo", plots.COLORS[0], (-8, 8)),
        (td, "V: fixed point of TD", plots.COLORS[1], (-8, 8)),
        (target, "r + γPV: its Bellman backup", plots.COLORS[1], (8, -4)),
    ):
        axes.plot(*(root * point), "o", color=color)
        side = "left" if shift[0] > 0 else "right"
        axes.annotate(text, root * point, xytext=shift, textcoords="offset points", ha=side, color=color)
    axes.set(xlabel="√d(1) · value of state 1", ylabel="√d(2) · value of state 2", xlim=(-1.5, 3.4), ylim=(-0.1, 3.8))
    axes.set_aspect("equal")
    return figure


def state_weights() -> Figure:
    """The chain: TD's error and the sign of A against the share of updates made in state 1."""
    shares = np.linspace(0.02, 0.98, 481)
    ratios, matrices = [], []
    for share in shares:
        d = np.array([share, 1 - share])
        matrices.append(td_system(*CHAIN_EXPECTED, CHAIN.gamma, d)[0].item())
        td = value_error(CHAIN_FEATURES @ lstd(*CHAIN_EXPECTED, CHAIN.gamma, d), CHAIN_VALUES, d)
        fit = value_error(CHAIN_FEATURES @ least_squares_mc(CHAIN_FEATURES, CHAIN_VALUES, d), CHAIN_VALUES, d)
        ratios.append((td / fit) ** 0.5)
    ratios, matrices, turn = np.array(ratios), np.array(matrices), 13 / 21
    assert np.all((matrices > 0) == (shares < turn)), "A changes its sign at 13/21"
    assert ratios[np.abs(shares - turn) < 0.002].max() > 50, "and there the error has no bound"
    bound = 1 / np.sqrt(1 - CHAIN.gamma**2)
    assert ratios[np.abs(shares - 1 / 3).argmin()] < bound, "on-policy the bound holds"
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
    for axes, values in ((left, matrices), (right, ratios)):
        for side, color in ((shares < turn, plots.COLORS[0]), (shares > turn, plots.COLORS[1])):
            axes.plot(shares[side], values[side], color=color)
        axes.axvline(1 / 3, color="black", linewidth=1, linestyle=":")
        axes.set(xlabel="share of updates in state 1", xlim=(0, 1))
    left.axhline(0, color="black", linewidth=0.8)
    left.set(ylabel="A: TD's pull to its fixed point", ylim=(-1, 1.6))
    left.annotate("on-policy", (1 / 3, -0.9), xytext=(4, 0), textcoords="offset points")
    left.annotate("pulls", (0.12, 1.05), xytext=(6, 8), textcoords="offset points", color=plots.COLORS[0])
    left.annotate(
        "pushes away",
        (0.74, -0.25),
        xytext=(-8, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        color=plots.COLORS[1],
    )
    right.plot([0, 1], [bound, bound], color=GREY, linestyle="--", linewidth=1)
    right.annotate("on-policy bound", (0.99, bound), xytext=(0, 3), textcoords="offset points", ha="right", color=GREY)
    right.set(ylabel="error of TD / least error", ylim=(0, 12))
    right.annotate("on-policy", (1 / 3, 11), xytext=(-4, 0), textcoords="offset points", ha="right")
    return figure


def baird_star() -> Figure:
    """The star: six states above, one below; which weights make each value, and where the two actions lead."""
    figure, axes = plt.subplots(figsize=(8.6, 3.4))
    axes.set(xlim=(-0.3, 12.6), ylim=(0, 6.2))
    axes.axis("off")
    assert np.all(STAR.features[:6].sum(axis=1) == 3), "each value above is 2 of its own weight and 1 of the shared one"
    assert list(STAR.features[6, 6:]) == [1.0, 2.0], "the value below is 1 of its own and 2 of the shared one"
    style = {"ha": "center", "va": "center", "fontsize": 10}
    for i in range(6):
        place = (1.1 + 2.05 * i, 4.6)
        axes.annotate(
            "", (6.2 + 0.18 * (i - 2.5), 1.7), place, arrowprops={"arrowstyle": "->", "color": plots.COLORS[1]}
        )
        circle = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": plots.COLORS[0]}
        axes.text(*place, f"$2w_{i} + w_7$", bbox=circle, **style)
    circle = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": plots.COLORS[1]}
    axes.text(6.2, 1.2, "$w_6 + 2w_7$", bbox=circle, **style)
    loop = {"arrowstyle": "->", "color": plots.COLORS[1], "connectionstyle": "arc3,rad=-1.4"}
    axes.annotate("", (7.15, 0.95), (7.15, 1.5), arrowprops=loop)
    axes.text(8.4, 1.2, "target: always down here", color=plots.COLORS[1], va="center", fontsize=10)
    axes.text(6.2, 5.85, "behavior: six times in seven to one of these, from anywhere", color=plots.COLORS[0], **style)
    return figure


def star_runs() -> Figure:
    """Root projected Bellman error and root value error on the star against steps, one line a run: off-policy TD and TDC."""
    transitions, ratios = star_samples(np.random.default_rng(2), CURE_STEPS, RUNS)
    begin = np.tile(STAR.w, (RUNS, 1))
    runs = {
        "off-policy TD": semi_gradient_td(
            begin, *(part[:STEPS] for part in transitions), GAMMA, np.full(STEPS, STEP), ratios[:STEPS]
        ),
        "TDC": gradient_correction(
            begin, *transitions, GAMMA, np.full(CURE_STEPS, CURE_STEP), np.full(CURE_STEPS, CURE_SECOND), ratios
        ),
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6), sharex=True)
    for color, (name, path) in zip((plots.COLORS[1], plots.COLORS[0]), runs.items(), strict=True):
        times = np.arange(0, 1001, 20)
        here = path[times]
        values = np.sqrt(np.mean((here @ STAR.features.T) ** 2, axis=-1))
        bellman = np.array(
            [[projected_bellman_error(*STAR_EXPECTED, GAMMA, STAR_WEIGHTS, w) ** 0.5 for w in row] for row in here]
        )
        for axes, lines in ((left, bellman), (right, values)):
            axes.plot(times, lines, color=color, linewidth=0.7, alpha=0.6)
            axes.annotate(
                name,
                (times[-1], np.median(lines[-1])),
                xytext=(4, 0),
                textcoords="offset points",
                color=color,
                va="center",
            )
        if name == "TDC":
            assert bellman[-1].max() < 0.05 * bellman[0].min(), "TDC's projected error falls"
            assert 1.8 < values[-1].min() < values[-1].max() < 2.1, "its value error stays near 2"
        else:
            assert values[-1].min() > 10 * values[0].max(), "TD's values run away"
            grown = [float(np.median(lines[-1]) / lines[0, 0]) for lines in (bellman, values)]
            assert 11 < grown[0] < 13, "its projected Bellman error grows about twelvefold"
            assert 95 < grown[1] < 115, "its value error about a hundredfold"
    for axes, title in ((left, "root projected Bellman error"), (right, "root value error")):
        axes.set(yscale="log", xlabel="steps", title=title, xlim=(0, 1420), xticks=(0, 500, 1000))
    left.set_ylabel("units of value (log scale)")
    return figure


def closed_form_and_descent() -> Figure:
    """The walk: distance to the closed form against samples, for constant and decaying steps, beside least squares."""
    count = 10_000
    samples = walk_samples(np.random.default_rng(1), count, RUNS)
    known_mc, known_td = least_squares_mc(GROUPS, WALK_VALUES, WALK_WEIGHTS), lstd(*WALK_EXPECTED, 1.0, WALK_WEIGHTS)
    zero, ones, times = np.zeros((RUNS, 3)), np.ones((count, RUNS)), np.unique(np.geomspace(10, count, 60).astype(int))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6), sharey=True)

    def middle(path: np.ndarray, known: np.ndarray) -> np.ndarray:
        return np.median(np.linalg.norm(path - known, axis=-1), axis=1)

    ends = {}
    for color, name, steps in (
        (plots.COLORS[1], "constant steps", np.full(count, 0.1)),
        (plots.COLORS[0], "decaying steps", 40 / (400 + np.arange(count))),
    ):
        mc = gradient_mc(zero, samples.features, samples.returns, steps)[times]
        td = semi_gradient_td(zero, *samples.transitions, 1.0, steps, ones)[times]
        for axes, path, known in ((left, mc, known_mc), (right, td, known_td)):
            line = middle(path, known)
            axes.plot(times, line, color=color)
            ends[axes, name] = line[-1]
    for axes, known in ((left, known_mc), (right, known_td)):
        late = times[times >= 100]
        fits = []
        for n in late:
            rows = range(RUNS)
            if axes is left:
                found = [least_squares_mc(samples.features[:n, i], samples.returns[:n, i], ones[:n, i]) for i in rows]
            else:
                found = [lstd(*(part[:n, i] for part in samples.transitions), 1.0, ones[:n, i]) for i in rows]
            fits.append(np.median(np.linalg.norm(np.array(found) - known, axis=1)))
        axes.plot(late, fits, color=plots.COLORS[2])
        ends[axes, "closed form"] = fits[-1]
    assert ends[left, "constant steps"] > 3 * ends[left, "decaying steps"], "constant steps stop short of the answer"
    assert all(ends[axes, "closed form"] < ends[axes, "decaying steps"] for axes in (left, right)), (
        "nothing beats solving"
    )
    for axes, title in ((left, "Monte Carlo"), (right, "TD")):
        axes.set(xscale="log", yscale="log", xlabel="samples (log scale)", title=title, xlim=(10, 10_000))
    for name, color in zip(("constant steps", "decaying steps", "least squares"), (1, 0, 2), strict=True):
        height = {"constant steps": 0.30, "decaying steps": 0.21, "least squares": 0.12}[name]
        left.text(0.04, height, name, color=plots.COLORS[color], transform=left.transAxes)
    left.set_ylabel("distance to the exact weights")
    return figure


FIGURES = {
    "linear_projection": linear_projection,
    "state_weights": state_weights,
    "baird_star": baird_star,
    "star_runs": star_runs,
    "closed_form_and_descent": closed_form_and_descent,
}
