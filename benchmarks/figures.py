"""The figures of the theory pages: `python -m benchmarks.figures` writes book/figures/*.svg.

Each function draws one figure from the library and answers the question in its caption. What a figure claims is asserted
where it is drawn.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks import (
    figures_03,
    figures_04,
    figures_05,
    figures_06,
    figures_07,
    figures_08,
    figures_09,
    figures_10,
    figures_b1,
    figures_b2,
    figures_b3,
    figures_b4,
    figures_b5,
    figures_b6,
    figures_clinic,
)
from benchmarks.boxes import arrow, box
from benchmarks.reinforce_bandit import BANDIT, BASELINES, LOGITS, SEEDS, run
from rlhw import plots
from rlhw.policy_gradient import exact_gradient, optimal_baseline, reinforce_estimates, sample_actions

FOLDER = Path(__file__).resolve().parents[1] / "book" / "figures"


def two_loops() -> Figure:
    """Cloning and REINFORCE as loops of boxes."""
    figure, both = plt.subplots(1, 2, figsize=(8.6, 3.9))
    _loop(both[0], "Cloning", "teacher's answer y\n(a fixed data set)", "weight 1", plots.COLORS[0], closed=False)
    _loop(both[1], "REINFORCE", "own answer y\nfrom the policy", "weight r − b", plots.COLORS[1], closed=True)
    return figure


def _loop(axes, title: str, source: str, weight: str, color: str, closed: bool) -> None:
    axes.set(xlim=(0, 10), ylim=(0, 10))
    axes.axis("off")
    axes.set_title(title, color=color)
    box(axes, 0.3, 7.2, 3.6, 1.9, "question x")
    box(axes, 5.4, 7.2, 4.3, 1.9, source, color)
    box(axes, 5.4, 3.7, 4.3, 1.7, weight, color)
    box(axes, 5.4, 0.4, 4.3, 1.7, "θ ← θ + η · weight · g", fontsize=9)
    arrow(axes, (3.9, 8.15), (5.4, 8.15))
    arrow(axes, (7.55, 7.2), (7.55, 5.4))
    arrow(axes, (7.55, 3.7), (7.55, 2.1))
    if closed:
        arrow(axes, (5.4, 1.25), (5.5, 7.2), color, bend=-0.75)
        axes.text(0.2, 3.9, "the new policy\ngives the next\nanswers", color=color, va="center")
    else:
        axes.text(0.2, 3.9, "nothing returns\nto the data", color=color, va="center")


def estimates() -> Figure:
    """Clouds of one-sample estimates without and with the best baseline, for the best arm's component."""
    rng = np.random.default_rng(0)
    actions = sample_actions(LOGITS, rng.random(20_000))
    noise = BANDIT.sd * rng.standard_normal(20_000)
    exact = exact_gradient(LOGITS, BANDIT.means)[1]
    clouds = {}
    for name, b in (("no baseline", 0.0), ("best baseline b*", optimal_baseline(LOGITS, BANDIT.means))):
        score = reinforce_estimates(LOGITS, np.ones(5), actions)[:, 1]
        clouds[name] = reinforce_estimates(LOGITS, BANDIT.means, actions, b)[:, 1] + noise * score
    without, best = clouds.values()
    assert abs(without.mean() - exact) < 0.05, "the cloud without baseline is not centred on the gradient"
    assert abs(best.mean() - exact) < 0.05, "the cloud with baseline is not centred on the gradient"
    assert best.std() < without.std() / 3, "the best baseline does not shrink the cloud"
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    plots.estimate_cloud(
        axes, clouds, exact, xlabel="estimate of ∂J/∂z for the best arm (reward per unit of logit)", rng=rng
    )
    axes.annotate("exact gradient", (exact, -0.5), xytext=(8, 0), textcoords="offset points", va="center")
    return figure


def learning() -> Figure:
    """Value against steps for four baselines, all seeds as a band."""
    figure, panels = plt.subplots(2, 2, figsize=(7.6, 5.2), sharex=True, sharey=True)
    names = {"none": "no baseline", "mean": "mean so far", "learned": "learned, rate 0.1", "optimal": "best, b*"}
    ends = {}
    for axes, color, (key, make) in zip(panels.flat, plots.COLORS, BASELINES.items(), strict=False):
        values = np.array([[step["value"] for step in run(make(), seed)] for seed in SEEDS])
        ends[key] = values[:, -1]
        axes.plot(np.arange(10, values.shape[1] + 1, 10), values[:, 9::10].T, color=color, linewidth=0.7, alpha=0.55)
        axes.axhline(BANDIT.means.max(), color="black", linewidth=1, linestyle="--")
        axes.set_title(names[key], color=color)
    panels[0, 0].annotate("best arm: 5", (1000, 5.0), xytext=(0, 5), textcoords="offset points", ha="right", fontsize=9)
    assert min(ends["none"]) < 4.3, "without a baseline some run should stay on a bad arm"
    assert all(min(ends[key]) > 4.9 for key in ("mean", "learned", "optimal")), (
        "with a baseline every run should arrive"
    )
    figure.supxlabel("steps", fontsize=11)
    figure.supylabel("value of the policy (mean reward)", fontsize=11)
    return figure


def workflow() -> Figure:
    """The way from good answers to an aligned model, as boxes with the number of their chapter."""
    figure, axes = plt.subplots(figsize=(8.6, 3.0))
    axes.set(xlim=(0, 20), ylim=(0, 6))
    axes.axis("off")
    boxes = {
        "imitate": (0.1, 3.6, "3  imitate\ngood answers", plots.COLORS[0]),
        "compare": (4.2, 3.6, "4  compare\ntwo answers", plots.COLORS[2]),
        "reward": (8.3, 3.6, "5  learn a\nreward", plots.COLORS[2]),
        "ppo": (12.4, 3.6, "6  PPO: raise\nthe reward", plots.COLORS[1]),
        "dpo": (12.4, 0.9, "7  DPO: both\nat once", plots.COLORS[1]),
        "measure": (16.5, 2.25, "8  how good\nis it?", "#444444"),
    }
    for x, y, text, color in boxes.values():
        box(axes, x, y, 3.3, 1.6, text, color)
    for x in (3.4, 7.5, 11.6):
        arrow(axes, (x, 4.4), (x + 0.8, 4.4))
    arrow(axes, (5.85, 3.6), (12.4, 1.7), bend=0.18)
    arrow(axes, (15.7, 4.4), (16.7, 3.85))
    arrow(axes, (15.7, 1.7), (16.7, 2.25))
    axes.text(
        0.1,
        0.5,
        "chapters 1 and 2 carry all of it:\nthe policy gradient and its baselines",
        fontsize=10,
        color="#444444",
    )
    return figure


FIGURES = {"workflow": workflow, "two_loops": two_loops, "estimates": estimates, "learning": learning}
FIGURES |= figures_03.FIGURES | figures_04.FIGURES | figures_05.FIGURES | figures_06.FIGURES
FIGURES |= figures_b4.FIGURES
FIGURES |= figures_07.FIGURES | figures_08.FIGURES | figures_09.FIGURES | figures_clinic.FIGURES
FIGURES |= figures_10.FIGURES
FIGURES |= figures_b1.FIGURES
FIGURES |= figures_b3.FIGURES
FIGURES |= figures_b5.FIGURES
FIGURES |= figures_b2.FIGURES
FIGURES |= figures_b6.FIGURES


def write_all(folder: Path = FOLDER) -> None:
    """Draw every figure and write it at one stroke; the same code gives the same bytes."""
    plots.style()
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        figure = draw()
        draft = folder / f"{name}.svg.part"
        figure.savefig(draft, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
        os.replace(draft, folder / f"{name}.svg")
        print(f"wrote {folder.name}/{name}.svg")


if __name__ == "__main__":
    write_all()
