"""The figures of chapter 4, on human preferences; `python -m benchmarks.figures` draws them with those of the other chapters."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit

from benchmarks.annotation import games
from benchmarks.boxes import QUIET, arrow, box
from rlhw import cards, plots
from rlhw.preferences import ELO_PER_NAT, bradley_terry_ratings, elo, player_wins

PERSON, POLICY, REWARD = plots.COLORS[2], plots.COLORS[1], plots.COLORS[0]


def preference_loop() -> Figure:
    """The three processes of Christiano et al. (2017), and what goes from one to the next."""
    figure, axes = plt.subplots(figsize=(8.2, 3.7))
    axes.set(xlim=(0, 20), ylim=(0, 9))
    axes.axis("off")
    box(axes, 0.3, 5.7, 5.4, 2.6, "policy\nacts in its environment", POLICY)
    box(axes, 14.0, 5.7, 5.4, 2.6, "person\nwhich clip is better?", PERSON)
    box(axes, 7.2, 0.5, 5.4, 2.6, "reward predictor\nfits the comparisons", REWARD)
    arrow(axes, (5.7, 7.0), (14.0, 7.0), POLICY)
    arrow(axes, (16.7, 5.7), (12.6, 1.8), PERSON)
    arrow(axes, (7.2, 1.8), (3.0, 5.7), REWARD)
    axes.text(9.85, 7.3, "pairs of clips ζ¹, ζ²", ha="center", va="bottom", color=POLICY)
    axes.text(15.5, 3.1, "comparisons (ζ¹, ζ², w)", ha="left", va="center", color=PERSON)
    axes.text(4.3, 3.1, "predicted reward", ha="right", va="center", color=REWARD)
    axes.text(
        9.9,
        4.7,
        "each at its own pace,\nnone waits for the others",
        ha="center",
        va="center",
        color=QUIET,
        style="italic",
    )
    return figure


def comparison_path() -> Figure:
    """The way of a comparison from a prompt to the trainer."""
    figure, axes = plt.subplots(figsize=(8.6, 3.9))
    axes.set(xlim=(0, 20), ylim=(0, 9))
    axes.axis("off")
    box(axes, 0.1, 6.3, 4.3, 2.1, "prompts,\ntwo samples each", POLICY)
    box(axes, 5.6, 6.3, 4.0, 2.1, "pairs.jsonl\nanswer1, answer2", QUIET)
    box(axes, 10.8, 6.9, 4.2, 1.7, "label in the\nnotebook", PERSON)
    box(axes, 10.8, 4.1, 4.2, 1.7, "Label Studio:\nexport, import", PERSON)
    box(axes, 16.0, 5.3, 3.9, 2.1, "labels.jsonl\nand what was\nleft out, counted", QUIET)
    box(axes, 10.8, 0.6, 4.2, 2.1, "one vote each:\nthe last label counts", QUIET)
    box(axes, 5.6, 0.6, 4.0, 2.1, "split by prompt", QUIET)
    box(axes, 0.1, 0.6, 4.3, 2.1, "reward model\n(chapter 5)", REWARD)
    arrow(axes, (4.4, 7.35), (5.6, 7.35))
    arrow(axes, (9.6, 7.5), (10.8, 7.75))
    arrow(axes, (9.6, 6.7), (10.8, 5.3))
    arrow(axes, (15.0, 7.6), (16.0, 7.0))
    arrow(axes, (15.0, 5.0), (16.0, 5.7))
    arrow(axes, (17.9, 5.3), (15.0, 1.7), bend=-0.25)
    arrow(axes, (10.8, 1.65), (9.6, 1.65))
    arrow(axes, (5.6, 1.65), (4.4, 1.65))
    return figure


def choice_probability() -> Figure:
    """The probability of the first answer against the gap of the rewards, one fault at a time."""
    gap = np.linspace(-3, 3, 301)
    curves = {
        "careful": expit(gap / 0.5),
        "hasty: τ = 1.5": expit(gap / 1.5),
        "lapses: ξ = 0.3": 0.15 + 0.7 * expit(gap / 0.5),
        "fond of the first: ψ = 1": expit(gap / 0.5 + 1.0),
    }
    dot = expit(0.8 / 0.5)
    assert abs(dot - 0.832) < 5e-4, "the dot is not the chapter's example"
    assert curves["lapses: ξ = 0.3"].max() < 0.86, "lapses should keep the curve away from one"
    assert np.isclose(np.interp(0, gap, curves["fond of the first: ψ = 1"]), expit(1.0)), (
        "a habit decides between equals"
    )
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    styles = ("-", "--", "-.", ":")
    for color, style, curve in zip(plots.COLORS, styles, curves.values(), strict=False):
        axes.plot(gap, curve, style, color=color)
    axes.plot([0.8], [dot], "o", color=plots.COLORS[0], markersize=7)
    arrow = {"arrowstyle": "-", "color": plots.COLORS[0], "lw": 0.8}
    axes.annotate("the example: 0.832", (0.8, dot), xytext=(0.95, 0.4), color=plots.COLORS[0], arrowprops=arrow)
    for at, text, color in (
        ((2.02, 1.035), "careful", plots.COLORS[0]),
        ((-2.95, 0.3), "hasty: τ = 1.5", plots.COLORS[1]),
        ((1.75, 0.66), "lapses: ξ = 0.3", plots.COLORS[2]),
        ((-2.35, 0.7), "fond of the first: ψ = 1", plots.COLORS[3]),
    ):
        axes.text(*at, text, color=color, va="center")
    axes.set(
        xlabel="reward of the first answer − reward of the second",
        ylabel="probability of the first",
        ylim=(-0.02, 1.08),
    )
    return figure


def agreement_ceiling() -> Figure:
    """The strip that a measured agreement leaves for the Bayes accuracy, and simulated annotators in it."""
    names = {
        "careful": "careful",
        "lapsing": "lapses",
        "wordy": "wordy",
        "left": "fond of the first",
        "counting": "counting words",
    }
    agree = np.linspace(0.5, 1, 201)
    top = (1 + np.sqrt(2 * agree - 1)) / 2
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    axes.fill_between(agree, agree, top, color=plots.COLORS[0], alpha=0.15, linewidth=0)
    axes.plot(agree, top, color=plots.COLORS[0])
    axes.plot(agree, agree, color=plots.COLORS[0])
    axes.annotate("upper bound", (0.56, (1 + 0.12**0.5) / 2), xytext=(0.505, 0.77), color=plots.COLORS[0])
    axes.annotate("lower bound", (0.58, 0.58), xytext=(0.6, 0.565), color=plots.COLORS[0])
    metrics = cards.read("annotation")["metrics"]
    for name, title in names.items():
        raw = metrics[f"agree_{name}"]["known"]
        bayes, gold = metrics[f"bayes_{name}"]["value"], metrics[f"gold_{name}"]["known"]
        assert raw <= bayes <= (1 + np.sqrt(2 * raw - 1)) / 2, f"{name} lies outside of the strip"
        assert gold <= bayes + 1e-12, f"the cross of {name} should not lie above its dot"
        axes.plot([raw, raw], [gold, bayes], color="#999999", linewidth=1)
        axes.plot([raw], [bayes], "o", color=plots.COLORS[0])
        axes.plot([raw], [gold], "x", color=plots.COLORS[1], markersize=8, markeredgewidth=2)
        if name in ("lapsing", "counting"):
            axes.annotate(
                title, (raw, gold), xytext=(0, -16), textcoords="offset points", ha="center", color=plots.COLORS[1]
            )
    assert metrics["gold_counting"]["known"] < 0.7 < metrics["agree_counting"]["known"], (
        "the word counter should agree and be wrong"
    )
    axes.annotate(
        "careful, wordy,\nfond of the first", (0.845, 0.845), xytext=(0.855, 0.715), ha="center", color=plots.COLORS[1]
    )
    people = 0.726
    axes.plot([people, people], [people, (1 + np.sqrt(2 * people - 1)) / 2], color="black", linewidth=3, alpha=0.6)
    axes.annotate("labellers of\nOuyang et al.", (people, 0.69), ha="center", va="top", fontsize=9)
    axes.plot([], [], "o", color=plots.COLORS[0], label="Bayes accuracy on the labels")
    axes.plot([], [], "x", color=plots.COLORS[1], markeredgewidth=2, label="labels that follow the gold reward")
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    axes.set(xlabel="expected agreement of two labels", ylabel="share of labels", xlim=(0.5, 1.01), ylim=(0.5, 1.02))
    return figure


def elo_orders() -> Figure:
    """Elo's gap between best and worst along the same games in eight orders, beside that of greatest likelihood."""
    played = games(seed=0)
    players, wins = player_wins(played)
    strengths = dict(zip(players, ELO_PER_NAT * bradley_terry_ratings(wins), strict=True))
    known = strengths["careful"] - strengths["hasty"]
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    ends, wanders = [], []
    for order in range(8):
        mixed = [played[i] for i in np.random.default_rng(order).permutation(len(played))]
        gaps = []
        for count in range(5, len(mixed) + 1, 5):
            ratings = {"careful": 1000.0, "hasty": 1000.0} | elo(mixed[:count])
            gaps.append(ratings["careful"] - ratings["hasty"])
        ends.append(gaps[-1])
        wanders.append(max(gaps) - min(gaps))
        axes.plot(range(5, len(mixed) + 1, 5), gaps, color=plots.COLORS[order % 6], linewidth=1.1, alpha=0.85)
    assert max(ends) - min(ends) > 150, "the orders should end far apart"
    assert min(wanders) > 200, "every line should wander by two hundred points and more"
    axes.axhline(known, color="black", linestyle="--", linewidth=1.4)
    axes.annotate(
        f"greatest likelihood: {known:.0f}", (300, known), xytext=(6, 0), textcoords="offset points", va="center"
    )
    axes.set(xlabel="games played", ylabel="gap, best − worst (points)", xlim=(0, 302))
    return figure


FIGURES = {
    "preference_loop": preference_loop,
    "comparison_path": comparison_path,
    "choice_probability": choice_probability,
    "agreement_ceiling": agreement_ceiling,
    "elo_orders": elo_orders,
}
