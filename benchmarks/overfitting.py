"""A reward model that learns 32 votes by heart, and what mends it: `python -m benchmarks.overfitting` writes its card.

About 15 minutes of one core. --quick runs one seed and writes no card.
"""

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.overfitting_runs import FEW, MORE, REPEATS, SHOWN, STOPPED, STOPPING, SUMMED, one
from rlhw import cards

SEEDS = range(5)
KINDS = {"all": "all parameters", "frozen": "two of three blocks frozen", "head": "the head alone"}
FIGURES = {
    "loss": ("held-out loss", "nats"),
    "accuracy": ("held-out accuracy", "1"),
    "share": ("(accuracy - 1/2)/(Bayes - 1/2)", "1"),
    "error": ("expected calibration error", "1"),
}
CALIBRATED = {
    "confidence": ("mean probability given to the answer with the higher score", "1"),
    "temperature": (f"temperature fitted on {STOPPING} other votes, from 0.1 to 100", "1"),
    "cooled_error": ("expected calibration error at that temperature", "1"),
    "cooled_loss": ("held-out loss at that temperature", "nats"),
}


def metrics_of(runs: list[dict]) -> dict[str, dict]:
    """The entries of the card."""

    def over(pick: Callable[[dict], float]) -> list[float]:
        return [float(pick(run)) for run in runs]

    entries = {
        "bayes": cards.metric("Bayes accuracy of the held-out pairs", over(lambda run: run["bayes"])),
        "floor": cards.metric(
            "mean entropy of the annotator's choices, the least loss", over(lambda run: run["floor"]), unit="nats"
        ),
        "longer": cards.metric("accuracy of 'the longer one wins'", over(lambda run: run["longer"])),
    }
    models: dict[str, tuple[str, Callable[[dict], dict]]] = {}
    for free, words in KINDS.items():
        models[f"{free}_end"] = (f"{FEW} votes, {words}, last epoch", lambda run, free=free: run[free]["end"])
        models[f"{free}_best"] = (f"{FEW} votes, {words}, best epoch", lambda run, free=free: run[free]["best"])
        entries[f"{free}_epoch"] = cards.metric(
            f"epoch of the least loss on {STOPPING} other votes, {words}",
            over(lambda run, free=free: run[free]["epoch"]),
        )
        entries[f"{free}_free"] = cards.metric(f"share of the parameters that train, {words}", runs[0][free]["share"])
    for count in MORE:
        models[f"votes_{6 * count}"] = (f"{6 * count} votes", lambda run, count=count: run[6 * count])
    models["stopped"] = (f"{6 * STOPPED} votes, stopped early", lambda run: run["stopped"])
    models["sum"] = (f"{6 * SUMMED} votes, scores summed over the tokens", lambda run: run["sum"])
    for name, (words, pick) in models.items():
        for key, (meaning, unit) in (FIGURES | CALIBRATED).items():
            entries[f"{name}_{key}"] = cards.metric(
                f"{meaning}, {words}", over(lambda run, pick=pick, key=key: pick(run)[key]), unit=unit
            )
    for place, epoch in enumerate(SHOWN):
        for key in ("training", "held_out", "accuracy"):
            entries[f"epoch_{epoch}_{key}"] = cards.metric(
                f"{FEW} votes, all parameters, after epoch {epoch}: {key.replace('_', '-')}"
                + " loss" * (key != "accuracy"),
                over(lambda run, place=place, key=key: run["all"]["curve"][key][place]),
                unit="1" if key == "accuracy" else "nats",
            )
    return entries | beside_gold_metrics(over)


def beside_gold_metrics(over: Callable) -> dict[str, dict]:
    """The learned reward of the most votes against gold, and what a sentence said again earns."""
    most, again = f"τ · score, {6 * MORE[-1]} votes", f"the last sentence said {REPEATS} times more: change of"
    meanings = {
        "shift": "standard deviation over posts of the mean of τ · score - gold",
        "slope": "slope of τ · score on gold within posts",
        "distance": "root mean squared distance of τ · score from gold within posts",
        "spread": "root mean square of gold within posts", "across": "pairs of two posts in gold's order",
        "within": "pairs of one post in gold's order",
    }  # fmt: skip
    entries = {
        key: cards.metric(f"{most}: {meaning}", over(lambda run, key=key: run["gold"][key]))
        for key, meaning in meanings.items()
    }
    entries["slope"]["known"] = entries["within"]["known"] = 1.0
    for name, words in {
        "last": "τ · score read at the last token",
        "sum": "τ · score summed over the tokens",
        "gold": "gold",
    }.items():
        entries[f"going_on_{name}"] = cards.metric(
            f"{again} {words}", over(lambda run, name=name: run[f"going on {name}"])
        )
    return entries


def write_card(runs: list[dict], seconds: float) -> None:
    cards.write(
        "overfitting", "A reward model that learns 32 votes by heart, and what mends it", metrics_of(runs), seconds=seconds,
        command="python -m benchmarks.overfitting",
        modules=[
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.reward_model", "rlhw.calibration", "rlhw.training",
            "rlhw.logprobs", "rlhw.batches", "benchmarks.overfitting_runs", "benchmarks.tiny_runs",
        ],
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    if parser.parse_args().quick:
        one(0)
        return 0
    start = time.perf_counter()
    runs = [one(seed) for seed in SEEDS]
    write_card(runs, time.perf_counter() - start)
    return 0


if __name__ == "__main__":
    sys.exit(main())
