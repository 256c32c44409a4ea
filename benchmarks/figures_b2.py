"""The figures of chapter B2: the plant, how fast sweeps converge, and what a solve costs beside them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.boxes import arrow, box
from benchmarks.dynamic_programming import SIZES
from rlhw import cards, plots
from rlhw.dynamic_programming import bellman_optimality, plant, policy_iteration
from rlhw.mdp import MDP
from rlhw.worlds import random_mdp

GREY = "#777777"
SWEEPS = 30


def the_plant() -> Figure:
    """States as boxes, actions as arrows with probability or pay; every number is read from the model."""
    mdp = plant()
    wait, pick = 0, 1
    assert mdp.transitions[0, wait].tolist() == [0.5, 0.5, 0.0]
    assert mdp.transitions[1, wait].tolist() == [0.0, 1.0, 0.0]
    assert mdp.rewards[:2, pick].tolist() == [1.0, 4.0]
    figure, axes = plt.subplots(figsize=(7.4, 3.2))
    axes.set(xlim=(0, 15), ylim=(0, 7))
    axes.axis("off")
    box(axes, 1.2, 3.6, 2.6, 1.4, "small", plots.COLORS[0])
    box(axes, 10.6, 3.6, 2.6, 1.4, "ripe", plots.COLORS[2])
    box(axes, 5.7, 0.3, 3.0, 1.4, "picked (the end)")
    arrow(axes, (3.9, 4.3), (10.5, 4.3))
    axes.text(7.2, 4.5, "wait, probability ½", ha="center", fontsize=10)
    for x, words in ((2.5, "wait, ½"), (11.9, "wait")):
        arrow(axes, (x - 0.6, 5.1), (x + 0.6, 5.1), bend=-1.6)
        axes.text(x, 6.35, words, ha="center", fontsize=10)
    arrow(axes, (3.0, 3.5), (5.6, 1.2), plots.COLORS[1])
    arrow(axes, (11.4, 3.5), (8.8, 1.2), plots.COLORS[1])
    axes.text(3.4, 1.75, "pick: 1", ha="center", fontsize=10, color=plots.COLORS[1])
    axes.text(11.0, 1.75, "pick: 4", ha="center", fontsize=10, color=plots.COLORS[1])
    return figure


def errors(mdp: MDP, start: np.ndarray) -> np.ndarray:
    """Largest error of value iteration before the first sweep and after each, as a share of the first."""
    best, v, found = policy_iteration(mdp)[0], start, []
    for _ in range(SWEEPS + 1):
        found.append(float(np.abs(v - best).max()))
        v = bellman_optimality(mdp, v)
    return np.array(found) / found[0]


def sweeps() -> Figure:
    """The largest error against sweeps, beside the bound."""
    gamma, k = 0.8, np.arange(SWEEPS + 1)
    random = random_mdp(30, 4, np.random.default_rng(0), gamma)
    bound = gamma**k
    lines = {
        "random process,\nconstant offset": errors(random, policy_iteration(random)[0] + 1.0),
        "random process,\nfrom zero": errors(random, np.zeros(30)),
        "plant,\nfrom zero": errors(plant(gamma), np.zeros(3)),
    }
    offset, zero, small = lines.values()
    assert np.allclose(offset, bound, rtol=1e-6), "along the constant vector the bound is attained"
    assert np.all(zero <= bound + 1e-12), "the bound holds"
    assert abs(zero[-1] / zero[10] / gamma**20 - 1) < 1e-3, "and from the tenth sweep on the error runs parallel to it"
    assert np.allclose(small[3:15] / small[2:14], 0.4), "half of the plant's future is known, so its error falls by 0.4"
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    axes.semilogy(k, bound, "--", color="black", linewidth=1.2, zorder=3)
    axes.annotate("bound $γ^k$", (15, bound[15]), xytext=(10, 12), textcoords="offset points")
    styles = ((plots.COLORS[1], 5.0), (plots.COLORS[0], 1.8), (plots.COLORS[2], 1.8))
    for (color, width), (name, line), at in zip(styles, lines.items(), (30, 30, 11), strict=True):
        axes.semilogy(k, line, color=color, linewidth=width, alpha=0.6 if width > 2 else 1.0)
        down = {"random process,\nconstant offset": 9, "random process,\nfrom zero": -18, "plant,\nfrom zero": 6}.get(
            name, 0
        )
        axes.annotate(
            name, (at, line[at]), xytext=(8, down), textcoords="offset points", color=color, va="center", fontsize=9
        )
    axes.set(xlabel="sweeps", ylabel="error, share of the first", xlim=(0, 39), ylim=(1e-6, 2))
    axes.set_xticks(range(0, 31, 5))
    return figure


def solve_or_sweep() -> Figure:
    """Processor time of one evaluation against the number of states, from the card."""
    metrics = cards.read("dynamic_programming")["metrics"]
    ways = {
        "sweeps_9": ("sweeps, γ = 0.9", plots.COLORS[1], 9),
        "solve": ("direct solve", plots.COLORS[0], -5),
        "sweeps_5": ("sweeps, γ = 0.5", plots.COLORS[2], 0),
    }
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    times = {way: np.array([metrics[f"{way}_{states}"]["value"] for states in SIZES]) for way in ways}
    near, far = times["solve"] / times["sweeps_5"], times["sweeps_9"] / times["solve"]
    assert near[0] < 1.6 < 2.2 < near[-1], "level with the sweeps for 0.5 first, then several times above them"
    assert far[0] > 3, "the sweeps for 0.9 start several times above the solve"
    assert 1.2 < far[-1] < 0.7 * far[0], "and come nearer, but do not meet it"
    sizes = np.array(SIZES, dtype=float)
    for power, place in ((2, 0.035), (3, 0.012)):
        guide = place * (sizes / sizes[0]) ** power
        axes.loglog(sizes, guide, ":", color=GREY, linewidth=1)
        axes.annotate(f"slope {power}", (sizes[0], guide[0]), xytext=(-3, 0), textcoords="offset points", color=GREY,
                      ha="right", va="center", fontsize=9)  # fmt: skip
    for way, (name, color, down) in ways.items():
        axes.loglog(sizes, times[way], marker="o", markersize=4, color=color)
        end = {"textcoords": "offset points", "va": "center", "color": color}
        axes.annotate(name, (sizes[-1], times[way][-1]), xytext=(7, down), **end)
    axes.set(xlabel="states", ylabel="processor time (milliseconds)", xlim=(75, 5200))
    axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    axes.minorticks_off()
    return figure


FIGURES = {"plant": the_plant, "sweeps": sweeps, "solve_or_sweep": solve_or_sweep}
