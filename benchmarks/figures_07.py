"""The figures of chapter 7: which answers rise at the best policy, and which loss is best for how many votes."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from rlhw import cards, plots
from rlhw.evaluation import tilted

# The chapter's three answers, and prices of a nat of KL around the chapter's own.
REFERENCE, REWARDS, BETA = np.array([0.6, 0.3, 0.1]), np.array([0.0, 1.0, 2.0]), 0.5
PRICES = np.geomspace(0.1, 20, 200)
COUNTS = (30, 300, 3000)
LOSSES = {"dpo": "DPO", "smoothed": "smoothed DPO", "ipo": "IPO", "kto": "KTO"}


def who_rises() -> Figure:
    """Probabilities of the three answers under π* against β: the second one rises first, and then falls below the reference."""
    laws = np.array([tilted(REFERENCE, REWARDS, beta) for beta in PRICES])
    own = tilted(REFERENCE, REWARDS, BETA)
    assert own[1] < REFERENCE[1] < laws[:, 1].max(), (
        "the second answer should rise at some prices and fall at the chapter's"
    )
    assert np.all(np.diff(laws[:, 0]) > 0), "the first answer should rise with the price"
    assert np.all(np.diff(laws[:, 2]) < 0), "the third answer should fall with the price"
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    names = ("first, reward 0", "second, reward 1", "third, reward 2")
    places = ((6.0, -0.08), (2.6, 0.045), (0.11, -0.15))
    for answer, (color, name) in enumerate(zip(plots.COLORS, names, strict=False)):
        axes.plot(PRICES, laws[:, answer], color=color)
        axes.plot([PRICES[0], PRICES[-1]], [REFERENCE[answer]] * 2, color=color, linestyle=":", linewidth=1.3)
        axes.plot(BETA, own[answer], "o", color=color)
        at, shift = places[answer]
        height = float(np.interp(at, PRICES, laws[:, answer])) + shift
        axes.text(at, height, name, color=color, fontsize=10)
    axes.axvline(BETA, color="black", linewidth=0.8, linestyle="--")
    axes.annotate("β = 0.5", (BETA, 1.0), xytext=(4, -4), textcoords="offset points", va="top", fontsize=9)
    axes.text(PRICES[-1], 0.615, "dotted: the reference", fontsize=9, ha="right")
    axes.set(
        xscale="log",
        xlabel="β, the price of a nat of KL (rewards a nat)",
        ylabel="probability under π*",
        ylim=(0, 1.02),
    )
    axes.set_xticks([0.1, 0.5, 1, 5, 20], ["0.1", "0.5", "1", "5", "20"])
    axes.set_xlim(PRICES[0], PRICES[-1])
    axes.minorticks_off()
    return figure


def dpo_kin() -> Figure:
    """Share of J* - J_ref against votes a question, medians of the card."""
    metrics = cards.read("dpo_kin")["metrics"]
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    found = {name: [metrics[f"votes_{count}_{name}"]["value"] for count in COUNTS] for name in LOSSES}
    shifts = {"dpo": 0.07, "smoothed": 0.01, "ipo": -0.09, "kto": -0.06}
    for color, (name, label) in zip(plots.COLORS, LOSSES.items(), strict=False):
        axes.plot(COUNTS, found[name], "o-", color=color, markersize=5)
        plots.label_line(axes, float(COUNTS[-1]), found[name][-1] + shifts[name], label, color)
    assert found["dpo"][0] < 0, "with few votes DPO should end below the reference"
    assert found["kto"][0] == max(values[0] for values in found.values())
    assert found["dpo"][-1] == max(values[-1] for values in found.values()) > 0.95
    assert found["kto"][-1] == min(values[-1] for values in found.values())
    for height, name in ((1.0, "J*"), (0.0, "the reference")):
        axes.axhline(height, color="black", linestyle="--", linewidth=1)
        axes.annotate(name, (25, height), xytext=(0, 3), textcoords="offset points", fontsize=9)
    axes.set(
        xscale="log", xlabel="votes a question", ylabel="share of J* − J_ref", xlim=(22, 12000), ylim=(-0.65, 1.15)
    )
    axes.set_xticks(COUNTS, ["30", "300", "3,000"])
    axes.minorticks_off()
    return figure


FIGURES = {"who_rises": who_rises, "dpo_kin": dpo_kin}
