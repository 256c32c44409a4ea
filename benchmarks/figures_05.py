"""The figures of chapter 5: where a reward is read, what 16 epochs on 32 votes do, and what comparisons buy."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.overfitting_runs import MORE, SHOWN
from rlhw import cards, plots

GREY, PALE = "#444444", "#EEEEEE"
# Two answers of one batch: the prompt's places on the left, those of the answer behind it; None is padding.
ROWS = (
    ([None, "my", "boss", "…", "tl;dr:"], ["my", "boss", "sold", "it", ".", "⟨end⟩"]),
    (["my", "aunt", "was", "…", "tl;dr:"], ["she", "left", ".", "⟨end⟩", None, None]),
)


def read_out() -> Figure:
    """A padded batch of two texts, the places that are read, and the one that must not be."""
    figure, axes = plt.subplots(figsize=(7.4, 3.4))
    axes.set(xlim=(-0.2, 11.4), ylim=(-0.75, 4.6))
    axes.axis("off")
    for row, (prompt, answer) in enumerate(ROWS):
        bottom = 2.7 - 2.3 * row
        for place, word in enumerate(prompt + answer):
            _token(axes, place + 0.2 * (place >= len(prompt)), bottom, word, inside=place >= len(prompt))
        words = sum(word is not None for word in answer)
        start = len(prompt) + 0.2
        assert answer[words - 1] == "⟨end⟩", "each answer is read at its own end mark"
        axes.plot([start, start + words - 0.08], [bottom + 1.0] * 2, color=plots.COLORS[2], linewidth=3)
        axes.text(start, bottom + 1.08, "sum over the answer's tokens", color=plots.COLORS[2], fontsize=11, va="bottom")
        _marker(axes, start + words - 1, bottom, "last token", plots.COLORS[0])
    assert ROWS[1][1][-1] is None, "at the right edge the shorter answer has padding"
    _marker(axes, len(ROWS[1][0]) + 0.2 + len(ROWS[1][1]) - 1, 0.4, "right edge: a pad", plots.COLORS[1])
    axes.text(0, 4.35, "prompt, padded on the left", color=GREY, fontsize=11)
    axes.text(5.2, 4.35, "answer, padded on the right", color=GREY, fontsize=11)
    return figure


def _token(axes: Axes, x: float, y: float, word: str | None, inside: bool) -> None:
    edge = GREY if word is not None else "#999999"
    style = {"fc": "white" if word is not None else PALE, "ec": edge, "lw": 1.6 if inside and word else 1.0}
    axes.add_patch(Rectangle((x, y), 0.92, 0.8, linestyle="-" if word is not None else "--", **style))
    axes.text(x + 0.46, y + 0.4, word or "pad", ha="center", va="center", fontsize=11, color=edge)


def _marker(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    arrow = {"arrowstyle": "-|>", "color": color, "lw": 1.6}
    axes.annotate(
        text, (x + 0.46, y), (x + 0.46, y - 0.75), arrowprops=arrow, ha="center", va="bottom", color=color, fontsize=11
    )


def overfitting() -> Figure:
    """Training and held-out loss by epoch, medians and ranges of the card."""
    metrics = cards.read("overfitting")["metrics"]
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    lines = {}
    for color, key, name in zip(
        plots.COLORS, ("training", "held_out"), ("32 training votes", "held out"), strict=False
    ):
        entries = [metrics[f"epoch_{epoch}_{key}"] for epoch in SHOWN]
        lines[key] = [entry["value"] for entry in entries]
        axes.plot(SHOWN, lines[key], "o-", color=color, markersize=4)
        low, high = ([entry[side] for entry in entries] for side in ("low", "high"))
        axes.fill_between(SHOWN, low, high, color=color, alpha=0.15, linewidth=0)
        plots.label_line(axes, float(SHOWN[-1]), lines[key][-1] + 0.06, name, color)
    assert lines["training"][-1] < 0.1, "the training loss should end near zero"
    assert lines["held_out"][-1] > 2 * lines["held_out"][0], "the held-out loss should more than double"
    for height, name in ((np.log(2), "ln 2: a constant model"), (metrics["floor"]["value"], "the annotator's entropy")):
        axes.axhline(height, color="black", linestyle="--", linewidth=1)
        axes.annotate(name, (21.3, height), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=9)
    axes.set(xlabel="epochs", ylabel="loss (nats a vote)", xlim=(0, 21.5), ylim=(0, None), xticks=SHOWN)
    return figure


def comparisons() -> Figure:
    """Held-out accuracy by number of comparisons, from two trunks, between the coin and the Bayes accuracy."""
    ours, clones = cards.read("overfitting")["metrics"], cards.read("reward_model")["metrics"]
    counts = [32, *(6 * count for count in MORE)]
    series = {
        "pretrained trunk": (counts, [ours["all_best_accuracy"], *(ours[f"votes_{n}_accuracy"] for n in counts[1:])]),
        "clone's trunk": ([768, 3072, 27648], [clones[f"accuracy_{n}"] for n in (768, 3072, 27648)]),
    }
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    ceiling = ours["bayes"]["value"]
    for color, (name, (places, entries)) in zip(plots.COLORS, series.items(), strict=False):
        middle = np.array([entry["value"] for entry in entries])
        spread = [middle - [entry["low"] for entry in entries], [entry["high"] for entry in entries] - middle]
        axes.errorbar(places, middle, yerr=spread, color=color, marker="o", markersize=5, capsize=3)
        assert np.all(np.diff(middle) > 0), "more comparisons should give a better accuracy"
        assert middle.max() < ceiling, "no model exceeds the ceiling"
        at, shift = (places[2], (-8, 12)) if places[0] == 32 else (places[0], (10, -4))
        height = middle[places.index(at)]
        side = "right" if shift[0] < 0 else "left"
        axes.annotate(name, (at, height), xytext=shift, textcoords="offset points", color=color, ha=side, va="center")
    assert all(ours[f"votes_{n}_accuracy"]["value"] > clones[f"accuracy_{n}"]["value"] for n in (768, 3072))
    for height, name in (
        (ceiling, "Bayes accuracy"),
        (ours["longer"]["value"], "the longer one wins"),
        (0.5, "a coin"),
    ):
        axes.axhline(height, color="black", linestyle="--", linewidth=1)
        under = {"xytext": (0, -3), "va": "top"} if name == "a coin" else {"xytext": (0, 3)}
        axes.annotate(name, (1.9e5, height), **under, textcoords="offset points", ha="right", fontsize=9)
    axes.set(xscale="log", xlabel="comparisons", ylabel="held-out accuracy", xlim=(20, 2e5), ylim=(0.45, 0.92))
    axes.set_xticks([32, 768, 3072, 12288, 27648], ["32", "768", "3,072", "12,288", "27,648"], rotation=30)
    axes.minorticks_off()
    return figure


FIGURES = {"read_out": read_out, "overfitting": overfitting, "comparisons": comparisons}
