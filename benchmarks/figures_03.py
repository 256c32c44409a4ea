"""The figures of chapter 3: `python -m benchmarks.figures` writes them with the others.

The measured ones are drawn from the cards `cloning` and `one_update`, and assert what the page says of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from benchmarks.one_update import EVERY, STEPS, TEMPERATURES
from rlhw import cards, plots

PROMPT, ANSWER, PADDING = ("sold", "my", "bike", "TL;DR:"), ("yes", "please", "⟨eos⟩"), ("(pad)",)
GREY = "#666666"


def shift() -> Figure:
    """A row of tokens, below each its row of logits, and an arrow from each row to the token that it speaks about."""
    tokens = (*PROMPT, *ANSWER, *PADDING)
    figure, axes = plt.subplots(figsize=(8.6, 3.4))
    axes.set(xlim=(-0.55, len(tokens) - 0.45), ylim=(-0.1, 4.4))
    axes.axis("off")
    counted = 0
    for t, token in enumerate(tokens):
        answer = len(PROMPT) <= t < len(PROMPT) + len(ANSWER)
        _box(axes, t, 2.7, token, plots.COLORS[0] if answer else GREY, dashed=token in PADDING)
        _box(axes, t, 0.5, f"row {t}", GREY, dashed=token in PADDING)
        if t + 1 < len(tokens):
            speaks = len(PROMPT) <= t + 1 < len(PROMPT) + len(ANSWER)
            counted += speaks
            style = {
                "arrowstyle": "-|>",
                "color": plots.COLORS[1] if speaks else "#bbbbbb",
                "lw": 2.2 if speaks else 1.2,
            }
            axes.annotate("", (t + 1, 2.65), (t, 1.35), arrowprops=style | {"shrinkA": 0, "shrinkB": 0})
    assert counted == len(ANSWER), "one arrow for each token of the answer"
    axes.text(1.5, 3.85, "the prompt: no part in the loss", ha="center", color=GREY)
    axes.text(5, 3.85, "the answer: three actions", ha="center", color=plots.COLORS[0])
    axes.text(7, 3.85, "masked", ha="center", color=GREY)
    axes.text(3.5, 0.0, "each row of logits was computed after reading the token above it", ha="center", color=GREY)
    return figure


def _box(axes: Axes, x: float, y: float, text: str, color: str, dashed: bool) -> None:
    shape = FancyBboxPatch(
        (x - 0.4, y), 0.8, 0.8, boxstyle="round,pad=0.02,rounding_size=0.1", fc="white", ec=color, lw=1.6,
        linestyle="--" if dashed else "-",
    )  # fmt: skip
    axes.add_patch(shape)
    axes.text(x, y + 0.4, text, ha="center", va="center", fontsize=10, color=color)


def _metric(card: str, name: str) -> tuple[float, float, float]:
    """(median, least, greatest)."""
    entry = cards.read(card)["metrics"][name]
    return entry["value"], entry.get("low", entry["value"]), entry.get("high", entry["value"])


def floor() -> Figure:
    """Distance to the teacher's entropy against the number of demonstrations."""
    counts = np.array([2048, 8192, 43200])
    middle, low, high = np.array([_metric("cloning", f"gap_{count}") for count in counts]).T
    bigram = _metric("cloning", "bigram")[0] * middle[-1]
    assert np.all(np.diff(middle) < 0), "more demonstrations bring the student nearer"
    assert bigram > 10 * middle[0], "a student that sees one word is far above"
    figure, axes = plt.subplots(figsize=(6.8, 3.8))
    axes.errorbar(counts, middle, yerr=[middle - low, high - middle], fmt="o-", color=plots.COLORS[0], capsize=3)
    for count, gap in zip(counts, middle, strict=True):
        axes.annotate(f"{gap:.2f}", (count, gap), xytext=(7, 7), textcoords="offset points", color=plots.COLORS[0])
    axes.axhline(bigram, color=plots.COLORS[1], linestyle="--")
    words = f"a student that sees only the last word: {bigram:.1f}"
    axes.annotate(words, (1900, bigram), xytext=(0, 5), textcoords="offset points", color=plots.COLORS[1])
    axes.set(xscale="log", yscale="log", xlim=(1700, 70000), ylim=(0.1, 30))
    axes.set(xlabel="demonstrations", ylabel="KL(teacher‖student), nats a summary")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    axes.minorticks_off()
    return figure


def temperature() -> Figure:
    """Reward against temperature: the sharpened teacher exactly, the clone measured."""
    grid = np.array(TEMPERATURES)
    exact = np.array([_metric("one_update", f"teacher_{100 * t:.0f}")[0] for t in grid])
    middle, low, high = np.array([_metric("one_update", f"clone_{100 * t:.0f}") for t in grid]).T
    best, teacher = _metric("one_update", "reward_best")[0], _metric("one_update", "reward_teacher")[0]
    assert np.all(np.diff(exact) > 0), "the sharpened teacher earns more at each lower temperature"
    assert middle[0] < teacher < low[-1], "the clone is below the teacher at temperature 1 and above it at 0.2"
    figure, axes = plt.subplots(figsize=(6.8, 3.8))
    axes.plot(grid, exact, color=plots.COLORS[1])
    axes.errorbar(grid, middle, yerr=[middle - low, high - middle], fmt="o", color=plots.COLORS[0], capsize=3)
    axes.axhline(best, color="black", linestyle="--", linewidth=1)
    axes.axhline(teacher, color="black", linestyle=":", linewidth=1)
    axes.annotate("best summary", (1.0, best), xytext=(0, 4), textcoords="offset points")
    axes.annotate("teacher's own reward", (0.2, teacher), xytext=(0, -13), textcoords="offset points", ha="right")
    axes.annotate(
        "teacher, sharpened (exact)",
        (0.6, exact[2]),
        xytext=(8, 9),
        textcoords="offset points",
        color=plots.COLORS[1],
        ha="right",
    )
    axes.annotate(
        "clone (measured)",
        (0.6, low[2]),
        xytext=(0, -14),
        textcoords="offset points",
        color=plots.COLORS[0],
        ha="center",
    )
    axes.set(
        xlim=(1.03, 0.17), ylim=(1.2, 5.5), xlabel="temperature (sharper to the right)", ylabel="reward of a summary"
    )
    return figure


def one_update() -> Figure:
    """Reward and distance from the teacher against updates, for cloning and REINFORCE from one start."""
    steps = np.arange(0, STEPS + 1, EVERY)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
    ends = {}
    for color, (kind, name) in zip(plots.COLORS, (("cloning", "cloning"), ("reinforce", "REINFORCE")), strict=False):
        for axes, what in ((left, "reward"), (right, "kl")):
            middle, low, high = np.array([_metric("one_update", f"{what}_{kind}_{step}") for step in steps]).T
            axes.plot(steps, middle, "o-", color=color, markersize=4)
            axes.fill_between(steps, low, high, color=color, alpha=0.15, linewidth=0)
            axes.annotate(
                name, (steps[-1], middle[-1]), xytext=(0, 8), textcoords="offset points", ha="right", color=color
            )
            ends[what, kind] = middle, low, high
    teacher, best = _metric("one_update", "reward_teacher")[0], _metric("one_update", "reward_best")[0]
    assert ends["reward", "cloning"][0][-1] < teacher < ends["reward", "reinforce"][1][-1] < best, (
        "the order of the ends"
    )
    assert ends["kl", "cloning"][2][-1] < ends["kl", "reinforce"][1][-1], "REINFORCE leaves the teacher"
    left.axhline(teacher, color="black", linestyle=":", linewidth=1)
    left.axhline(best, color="black", linestyle="--", linewidth=1)
    for name, level in (("teacher", teacher), ("best", best)):
        left.annotate(name, (STEPS + 2, level), va="center", annotation_clip=False)
    left.set(xlabel="updates", ylabel="reward of a summary", ylim=(0.5, 5.2), xlim=(-2, STEPS + 2))
    right.set(xlabel="updates", ylabel="KL(teacher‖policy), nats", yscale="log", ylim=(0.5, 60))
    right.set_yticks([1, 3, 10, 30], ["1", "3", "10", "30"])
    right.minorticks_off()
    return figure


FIGURES = {"shift": shift, "floor": floor, "temperature": temperature, "one_update": one_update}
