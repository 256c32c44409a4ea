"""The drawings of a report, as SVG that stands in the page itself."""

import base64
import io
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

MARKERS = {"clone": "o", "ppo": "s", "grpo": "D", "dpo": "^"}


def as_address(draw: Callable, *arguments: object) -> str:
    """A drawing as an SVG in a data address."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    draw(figure, *arguments)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def frontier(figure: Figure, summary: dict) -> None:
    """Reward against KL, each policy a named point, beside the best that there is."""
    axes = figure.subplots()
    axes.margins(0.1)
    # With very few samples no point of it can be told.
    if summary["frontier"]:
        points = np.array(summary["frontier"])
        axes.plot(*points.T, color="0.4")
        middle = points[np.abs(points[:, 0] - points[-1, 0] / 2).argmin()]
        axes.annotate("best there is", middle, textcoords="offset points", xytext=(-6, 6), ha="right")
    for name, row in summary["policies"].items():
        point, trained = (row["kl"], row["reward"]), name in MARKERS
        axes.plot(*point, MARKERS.get(name, "x"), color="#0072B2" if trained else "#D55E00")
        # Best-of-n stands close below the curve, as PPO and GRPO do: its names go to the other side.
        offset, side = ((6, -13), "left") if trained else ((-6, 8), "right")
        axes.annotate(name.replace("_", " "), point, textcoords="offset points", xytext=offset, ha=side)
    axes.set_xlabel("KL from the clone, nats an answer")
    axes.set_ylabel(f"{summary['judge']} reward")


def curves(figure: Figure, done: dict, loss: str) -> None:
    """The objective as PPO and GRPO went on, and the loss of DPO, IPO or KTO."""
    online, offline = figure.subplots(1, 2)
    for name, style, color in (("ppo", "-", "#0072B2"), ("grpo", "--", "#D55E00")):
        values = [figures["objective"] for figures in done[name]["curve"]]
        online.plot(range(1, len(values) + 1), values, style, color=color, linewidth=1, label=name)
    online.legend(frameon=False, loc="lower right")
    online.set_xlabel("rollout")
    online.set_ylabel("reward it is trained on - β KL")
    losses = [figures["loss"] for figures in done["dpo"]["curve"]]
    offline.plot(range(1, len(losses) + 1), losses, color="#0072B2", linewidth=1)
    if loss == "dpo":
        end = len(losses), np.log(2)
        offline.axhline(end[1], color="0.4", linestyle=":")
        offline.annotate("a coin: ln 2", end, textcoords="offset points", xytext=(0, -12), ha="right")
    offline.set_xlabel("step")
    offline.set_ylabel(f"loss of {loss.upper()}" + (", nats a vote" if loss == "dpo" else ""))
