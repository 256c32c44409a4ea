"""The figures of chapter 10: who holds what, ratios from 16-bit log-probabilities, and the floor under a decoding step."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from rlhw import plots
from rlhw.scaling import cache_bytes, decode_floor, spacing, state_bytes

GREY = "#444444"
PROCESSES = 8
METHODS = {"ddp": "DDP", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "fsdp": "FSDP"}
# GPT-2 of 124 million parameters.
PARAMETERS, LAYERS, WIDTH = 124_439_808, 12, 768


def who_holds_what() -> Figure:
    """Bytes a parameter on each of eight processes: weights, gradients and moments, stacked."""
    names = {"weights": "weights", "gradients": "gradients", "moments": "Adam's moments"}
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    for row, method in enumerate(reversed(METHODS)):
        left = 0.0
        for color, part in zip(plots.COLORS, names, strict=False):
            nothing = dict.fromkeys(names, 0.0)
            size = state_bytes(1, PROCESSES, method, **(nothing | {part: {"moments": 8.0}.get(part, 4.0)}))
            axes.barh(row, size, left=left, color=color, height=0.62)
            left += size
        assert abs(left - state_bytes(1, PROCESSES, method)) < 1e-12, "the pieces are all there is"
        axes.annotate(f"{left:g}", (left, row), xytext=(5, 0), textcoords="offset points", va="center")
    for x, (color, text) in zip((2.0, 6.0, 12.0), zip(plots.COLORS, names.values(), strict=False), strict=True):
        axes.annotate(text, (x, 3.42), ha="center", color=color)
    axes.set(
        yticks=range(4), yticklabels=list(reversed(METHODS.values())), xlabel="bytes a parameter on each of 8 processes",
        xlim=(0, 18), ylim=(-0.5, 3.75),
    )  # fmt: skip
    axes.grid(axis="y", visible=False)
    return figure


def ratio_in_bfloat16() -> Figure:
    """The ratio π/π_old when both log-probabilities were kept in 16 bits, against the true one."""
    true = np.linspace(0.75, 1.3, 1200)
    figure, panels = plt.subplots(1, 2, figsize=(8.0, 3.9), sharey=True)
    for axes, start in zip(panels, (-2.3, -30.04), strict=True):
        old = torch.tensor(start, dtype=torch.float64)
        new = old + torch.from_numpy(np.log(true))
        axes.axhspan(0.8, 1.2, color="#888888", alpha=0.12, linewidth=0)
        axes.plot(true, true, "--", color=GREY, linewidth=1)
        for color, dtype in zip(plots.COLORS, (torch.bfloat16, torch.float16), strict=False):
            kept = (new.to(dtype).double() - old.to(dtype).double()).exp().numpy()
            axes.plot(true, kept, color=color, linewidth=1.6)
            error = np.abs(np.log(kept) - np.log(true)).max()
            gap = spacing(start, 8 if dtype is torch.bfloat16 else 11)
            assert error <= gap, "two roundings are off by one gap at most"
            if start == -30.04 and dtype is torch.bfloat16:
                assert len(np.unique(kept)) < 7, "around -30 bfloat16 knows few ratios"
        axes.set_title(f"log-probability about {start:.0f}")
        axes.set(xlabel="true ratio")
    panels[1].annotate("bfloat16", (1.22, 1.13), xytext=(-66, 38), textcoords="offset points", color=plots.COLORS[0])
    panels[1].annotate("float16", (1.04, 1.02), xytext=(16, -22), textcoords="offset points", color=plots.COLORS[1])
    panels[0].annotate("1 ± 0.2, the clip", (0.765, 1.165), color=GREY, fontsize=9)
    panels[0].set(ylabel="ratio from what was kept")
    return figure


def decode_limit() -> Figure:
    """Tokens in the time that one reading of the weights takes, at most, against texts at once; GPT-2 124M in 16 bits."""
    texts, weights = np.geomspace(1, 1024, 80), 2.0 * PARAMETERS
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    axes.plot(texts, texts, "--", color=GREY, linewidth=1)
    axes.annotate("weights alone", (14, 14), xytext=(-74, 8), textcoords="offset points", color=GREY)
    for color, length in zip(plots.COLORS, (128, 512, 1024), strict=False):
        # In units of the time that the weights take: the rate drops out.
        cache = np.array([cache_bytes(LAYERS, WIDTH, length, sequences=1)]) * texts
        seconds = np.array([decode_floor(weights, one, weights) for one in cache])
        tokens = texts / seconds
        limit = weights / cache_bytes(LAYERS, WIDTH, length)
        assert np.all(np.diff(tokens) > 0), "more texts give more tokens"
        assert np.all(tokens < limit), "never more than the cache lets through"
        axes.plot(texts, tokens, color=color)
        plots.label_line(axes, texts[-1], tokens[-1], f"{length} tokens each", color)
    axes.set(
        xscale="log", yscale="log", xlabel="texts that are written at once", xlim=(1, 3500), ylim=(0.8, 120),
        ylabel="tokens a reading of the weights",
    )  # fmt: skip
    return figure


FIGURES = {"who_holds_what": who_holds_what, "ratio_in_bfloat16": ratio_in_bfloat16, "decode_limit": decode_limit}
