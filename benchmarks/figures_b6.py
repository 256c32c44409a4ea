"""The figures of chapter B6: off a plateau by steps of equal KL, and how far a batch of episodes may be followed."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.actor_critic import KLS, best, limited, plateau, steps_until
from rlhw import cards, plots
from rlhw.actor_critic import objective, policy_gradient
from rlhw.trust_region import natural_gradient


def plateau_figure() -> Figure:
    """Share of the way by exact steps: plain gradient with two step sizes, and steps of equal KL along two directions."""
    mdp, first = plateau()
    metrics = cards.read("actor_critic")["metrics"]
    rules = {
        "plain_3": ("plain, η = 3", plots.COLORS[1], None),
        "plain_30": ("plain, η = 30", plots.COLORS[3], None),
        "limited": ("plain direction,\n0.01 nats a step", plots.COLORS[0], limited(mdp, policy_gradient, 0.01)),
        "natural": ("natural,\n0.01 nats a step", plots.COLORS[2], limited(mdp, natural_gradient, 0.01)),
    }
    figure, axes = plt.subplots(figsize=(7.4, 3.6))
    for name, (title, color, step) in rules.items():
        count = int(metrics[f"plateau_{name}"]["value"])
        if step is None:
            # Thousands of steps: where the line leaves zero is read off the card, and drawn from there.
            steps, line = _last_steps(mdp, first, float(name.split("_")[1]), count)
        else:
            done, line = steps_until(mdp, first, step, goal=0.99)
            steps = np.arange(1, done + 1)
            assert done < 40, "a limited step leaves the plateau soon"
        axes.plot(steps, line, "--" if name == "natural" else "-", color=color)
        heights = {"limited": (19, 0.60), "natural": (1.15, 0.75), "plain_30": (900, 0.5), "plain_3": (9000, 0.5)}
        axes.annotate(
            title, heights[name], color=color, ha="right" if name.startswith("plain") else "left", va="center"
        )
    assert metrics["plateau_plain_3"]["value"] > 100 * metrics["plateau_limited"]["value"]
    axes.set(
        xscale="log", xlabel="exact steps", ylabel="share of the way to the best", xlim=(1, 30_000), ylim=(-0.03, 1.03)
    )
    return figure


def _last_steps(mdp, first: np.ndarray, size: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The line of a plain gradient: flat, then the steps around the jump; flat stretches are leapt over by larger steps.

    On the plateau the gradient hardly changes, so a few steps are one that is as long as all of them.
    """
    low, high = objective(mdp, first), best(mdp)
    logits, done, steps, line = first, 0, [], []
    while not line or line[-1] < 0.99:
        leap = round(60 / size) if not line or line[-1] < 1e-3 else 1
        logits, done = logits + leap * size * policy_gradient(mdp, logits), done + leap
        steps.append(done)
        line.append((objective(mdp, logits) - low) / (high - low))
    reached = steps[int(np.argmax(np.array(line) >= 0.9))]
    assert abs(reached / count - 1) < 0.02, "the leaps give the count of the card"
    return np.array(steps), np.array(line)


def kl_steps() -> Figure:
    """True and claimed gain of a step along the estimate of ten episodes, and the exact gradient's, by the step's mean KL."""
    metrics = cards.read("actor_critic")["metrics"]

    def line(kind: str, side: str = "value") -> np.ndarray:
        return np.array([metrics[f"{kind}_{name}"][side] for name in KLS])

    kls, gain, claim, exact = np.array(list(KLS.values())), line("gain"), line("claim"), line("exact")
    assert gain.argmax() not in (0, len(kls) - 1), "the true gain turns"
    assert line("gain", "low")[-1] < 0, "and the worst loses"
    assert np.all(np.diff(claim) > 0), "while the claim rises"
    assert np.all(np.diff(exact) > 0), "as the exact gradient's gain does"
    figure, axes = plt.subplots(figsize=(7.4, 3.8))
    axes.axhline(0, color="black", linewidth=1)
    rows = (
        (claim, "claimed by\nten episodes", 1, "--"),
        (exact, "exact gradient", 2, "-"),
        (gain, "ten episodes,\ntrue", 0, "-"),
    )
    for values, title, color, style in rows:
        axes.plot(kls, values, style, marker="o", markersize=3.5, color=plots.COLORS[color])
        plots.label_line(axes, kls[-1], values[-1], title, plots.COLORS[color])
    axes.fill_between(kls, line("gain", "low"), line("gain", "high"), color=plots.COLORS[0], alpha=0.15, linewidth=0)
    axes.set(
        xscale="log", xlabel="mean KL of the step (nats a choice)", ylabel="gain of $J$ (reward)", xlim=(0.009, 70)
    )
    axes.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    return figure


FIGURES = {"plateau": plateau_figure, "kl_steps": kl_steps}
