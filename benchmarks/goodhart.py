"""Gold against learned reward as a policy goes far: `python -m benchmarks.goodhart` writes its card and the widget's data.

Reward models from 128 to 4,096 comparisons, and gold itself, are optimised by best of n and by GRPO with a small price of KL,
five seeds, on held-out posts. To gold are fitted the forms of Gao et al. (2022), d = √KL: d (a - b d) for best of n,
d (a - b log d) for reinforcement learning. Then one round of new comparisons of the optimised policy's answers, against as many
more of the clone's. A finished seed is kept in runs/base. About 8 minutes of one core. --seed N runs one and writes no card.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.base_runs import SEEDS, base
from benchmarks.goodhart_runs import BETA, COUNTS, ROUND, SIZES, one
from benchmarks.ppo_ablation import interval
from rlhw import cards
from rlhw.overoptimisation import best_of_n_form, fit_form, rl_form

DATA = Path(cards.__file__).parent / "widgets" / "overoptimisation.json"
WAYS = {"best": "best of n", "rl": "GRPO"}
FORMS: dict[str, Callable] = {"best": best_of_n_form, "rl": rl_form}


def fit(way: str, kl: list[float], gold: list[float]) -> tuple[float, float, float]:
    """(a, b, R²) of this way's form over d = √KL; an estimate of a KL that came out below 0 counts as 0."""
    return fit_form(FORMS[way], np.sqrt(np.maximum(kl, 0.0)), np.array(gold))


def medians(curves: list[dict]) -> dict[str, list[float]]:
    """The median over seeds at each point, gold with its least and greatest."""
    stacked = {key: np.array([curve[key] for curve in curves]) for key in ("kl", "gold", "learned")}
    found = {key: np.median(rows, 0).tolist() for key, rows in stacked.items()}
    return found | {"gold_low": stacked["gold"].min(0).tolist(), "gold_high": stacked["gold"].max(0).tolist()}


def curve_metrics(way: str, size: str, curves: list[dict]) -> dict[str, dict]:
    """Where gold peaks, what is lost after, and the fit, of one size."""
    what = f"{WAYS[way]}, " + ("gold itself" if size == "gold" else f"{size} comparisons")
    peaks = [int(np.argmax(curve["gold"])) for curve in curves]
    fits = [fit(way, curve["kl"], curve["gold"]) for curve in curves]
    whole = medians(curves)
    picked = {
        "peak": ("gold above the clone's at its peak", [max(curve["gold"]) for curve in curves]),
        "peak_kl": ("KL where gold peaks", [curve["kl"][i] for curve, i in zip(curves, peaks, strict=True)]),
        "last": ("gold above the clone's at the end", [curve["gold"][-1] for curve in curves]),
        "last_kl": ("KL at the end", [curve["kl"][-1] for curve in curves]),
        "last_learned": ("learned reward above the clone's at the end", [curve["learned"][-1] for curve in curves]),
        "loss": ("gold at its peak less gold at the end", [max(curve["gold"]) - curve["gold"][-1] for curve in curves]),
        "a": ("a of the form fitted to a seed", [one[0] for one in fits]),
        "b": ("b of the form fitted to a seed", [one[1] for one in fits]),
        "fit": ("R² of the form fitted to a seed", [one[2] for one in fits]),
    }  # fmt: skip
    if way == "best":
        picked["peak_n"] = (
            "n where gold peaks",
            [float(curve["n"][i]) for curve, i in zip(curves, peaks, strict=True)],
        )
    metrics = {
        f"{way}_{size}_{key}": cards.metric(f"{meaning}, {what}", values) for key, (meaning, values) in picked.items()
    }
    a, b, r = fit(way, whole["kl"], whole["gold"])
    metrics[f"{way}_{size}_median_fit"] = cards.metric(
        f"R² of the form fitted to the medians over seeds, {what}", r, note=f"a = {a:.3f}, b = {b:.3f}"
    )
    return metrics


def round_metrics(runs: list[dict]) -> dict[str, dict]:
    """One round of new comparisons."""

    def over(key: str) -> list[float]:
        return [run["round"][key] for run in runs]

    before = [run["rl"][str(ROUND)]["gold"][-1] for run in runs]
    first, optimised = f"the reward of {ROUND} comparisons", "the optimised policy's answers"
    metrics = {
        "round": cards.metric("comparisons before the round, and as many new ones in it", float(ROUND)),
        "round_before_gold": cards.metric(f"gold above the clone's after GRPO for {first}", before),
        "round_order_here": cards.metric(
            f"pairs of the clone's answers in gold's order, {first}", [run["order"][str(ROUND)] for run in runs]
        ),
        "round_order_there": cards.metric(f"pairs of {optimised} in gold's order, {first}", over("order_there")),
    }
    for name, words in {"fresh": f"{ROUND} new of {optimised}", "same": f"{ROUND} more of the clone's"}.items():
        metrics |= {
            f"round_{name}_gold": cards.metric(
                f"gold above the clone's after GRPO, {words} added", over(f"{name}_gold")
            ),
            f"round_{name}_kl": cards.metric(f"KL after GRPO, {words} added", over(f"{name}_kl"), unit="nats"),
            f"round_{name}_order_there": cards.metric(
                f"pairs of {optimised} in gold's order, {words} added", over(f"{name}_order_there")
            ),
        }
    for name, after, against in (
        ("fresh_change", over("fresh_gold"), before),
        ("same_change", over("same_gold"), before),
        ("fresh_over_same", over("fresh_gold"), over("same_gold")),
    ):
        mean, low, high = interval([a - b for a, b in zip(after, against, strict=True)])
        metrics[f"round_{name}"] = cards.metric(
            f"mean paired difference of gold, 95 % t interval of {len(runs)} seeds: {name.replace('_', ' ')}", mean,
            low=low, high=high, seeds=list(range(len(runs))),
        )  # fmt: skip
    return metrics


def metrics_of(runs: list[dict]) -> dict[str, dict]:
    """The entries of the card."""
    metrics = {
        "beta": cards.metric("price of a nat of KL in GRPO", BETA),
        "most": cards.metric("greatest n of best of n", float(COUNTS[-1])),
    }
    for size in map(str, SIZES):
        if size != "gold":
            metrics[f"order_{size}"] = cards.metric(
                f"pairs of the clone's held-out answers in gold's order, {size} comparisons",
                [run["order"][size] for run in runs],
            )
        for way in WAYS:
            metrics |= curve_metrics(way, size, [run[way][size] for run in runs])
    return metrics | round_metrics(runs)


def rounded(value: object) -> object:
    """All numbers of nested lists and dicts with four digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def widget_data(runs: list[dict]) -> dict:
    """What the widget shows: medians over seeds by size, and the forms fitted to them."""
    sizes = [str(size) for size in SIZES]
    curves = {way: {size: medians([run[way][size] for run in runs]) for size in sizes} for way in WAYS}
    fits = {way: {size: fit(way, c["kl"], c["gold"])[:2] for size, c in of.items()} for way, of in curves.items()}
    named = {way: {size: {"a": a, "b": b} for size, (a, b) in of.items()} for way, of in fits.items()}
    return {
        "card": "goodhart", "sizes": [size for size in SIZES if size != "gold"],
        "best_of_n": {size: curve | {"n": list(COUNTS)} for size, curve in curves["best"].items()},
        "rl": curves["rl"], "fits": {"best_of_n": named["best"], "rl": named["rl"]},
    }  # fmt: skip


def say(number: int, run: dict) -> None:
    """Gold at its peak and at the end beside the learned reward, of a seed."""
    for size in map(str, SIZES):
        for way in WAYS:
            curve = run[way][size]
            print(
                f"seed {number}, {WAYS[way]}, {size}: gold {max(curve['gold']):+.2f} at its peak, {curve['gold'][-1]:+.2f} at the "
                f"end (KL {curve['kl'][-1]:.2f}), where the learned reward says {curve['learned'][-1]:+.2f}",
                flush=True,
            )
    print({key: round(value, 3) for key, value in run["round"].items()}, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    chosen, start, runs = parser.parse_args().seed, time.perf_counter(), []
    for number in SEEDS if chosen is None else (chosen,):
        seed = base(number)
        runs.append(seed.kept("goodhart", lambda seed=seed: one(seed)))
        say(number, runs[-1])
    if chosen is not None:
        return 0
    cards.write(
        "goodhart", "Gold against learned reward, by KL and by the number of comparisons", metrics_of(runs),
        seconds=time.perf_counter() - start, command="python -m benchmarks.goodhart",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.rollouts", "rlhw.grpo", "rlhw.ppo",
            "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pipeline.attained", "rlhw.pipeline.sampled",
            "rlhw.pipeline.forum", "rlhw.overoptimisation", "benchmarks.base_runs", "benchmarks.goodhart_runs",
        ],
    )  # fmt: skip
    DATA.write_text(json.dumps(rounded(widget_data(runs)), separators=(",", ":")) + "\n", encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
