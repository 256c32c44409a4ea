"""The drawings of a report, as SVG that stands in the page itself."""

import base64
import io
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

MARKERS = {"clone": "o", "ppo": "s", "grpo": "D", "dpo": "^"}


def as_address(draw: Callable, *arguments: object) -> str:
    """A drawing as an SVG in a data address."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    draw(figure, *arguments)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def frontier(figure: Figure, summary: dict) -> None:
    """Reward against KL, each policy a named point, beside the best that there is."""
    axes = figure.subplots()
    # With very few samples no point of it can be told.
    if summary["frontier"]:
        axes.plot(*zip(*summary["frontier"], strict=True), color="0.4")
        kl, reward = summary["frontier"][-1]
        axes.annotate("best there is", (kl, reward), textcoords="offset points", xytext=(-4, 6), ha="right")
    for name, row in summary["policies"].items():
        color = "#0072B2" if name in MARKERS else "#D55E00"
        axes.plot(row["kl"], row["reward"], MARKERS.get(name, "x"), color=color)
        axes.annotate(name.replace("_", " "), (row["kl"], row["reward"]), textcoords="offset points", xytext=(6, -12))
    axes.set_xlabel("KL from the clone, nats an answer")
    axes.set_ylabel(f"{summary['judge']} reward")


def curves(figure: Figure, done: dict) -> None:
    """The objective as PPO and GRPO went on, and the loss of DPO."""
    online, offline = figure.subplots(1, 2)
    for name, style in (("ppo", "-"), ("grpo", "--")):
        values = [figures["objective"] for figures in done[name]["curve"]]
        online.plot(range(1, len(values) + 1), values, style, color="#0072B2")
        online.annotate(name, (len(values), values[-1]), textcoords="offset points", xytext=(-4, -12), ha="right")
    online.set_xlabel("rollout")
    online.set_ylabel("reward it is trained on - β KL")
    losses = [figures["loss"] for figures in done["dpo"]["curve"]]
    offline.plot(range(1, len(losses) + 1), losses, color="#D55E00")
    offline.axhline(np.log(2), color="0.4", linestyle=":")
    offline.annotate("ln 2: no better than a coin", (1, np.log(2)), textcoords="offset points", xytext=(0, 4))
    offline.set_xlabel("step")
    offline.set_ylabel("loss of DPO")
