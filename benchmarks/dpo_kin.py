"""DPO beside IPO, KTO, label smoothing and the mean over tokens: `python -m benchmarks.dpo_kin` writes results/dpo_kin.json.

On a table, where π* is a sum: each loss trained to its end on exact and on sampled votes, 27 worlds. On the small forum: five short
clones, each trained by three losses on the same votes. About four minutes of one core; a run that is stopped goes on where it was.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks import dpo_kin_forum, dpo_kin_table
from rlhw import cards

SEEDS = range(5)
COUNTS = (30, 300, 3000)
SAMPLED = ("dpo", "smoothed", "ipo", "kto")
ON_FORUM = tuple(dpo_kin_forum.METHODS)
WORDS = {
    "dpo": "DPO",
    "smoothed": "DPO with label smoothing 0.1",
    "ipo": "IPO",
    "kto": "KTO",
    "mean": "DPO with means over tokens",
}
FORUM = {
    "chosen": ("mean change of log π of preferred summaries", "nats"),
    "rejected": ("mean change of log π of the others", "nats"),
    "fell": ("share of preferred summaries whose log π fell", "1"),
    "reward": ("gold reward", "1"),
    "kl": ("KL from the clone", "nats"),
    "share": ("share of J* - J_ref", "1"),
}


def table_metrics(place: Path) -> dict[str, dict]:
    """What the losses reach on the table, a world a value."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / "table.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf8"))
    worlds = dpo_kin_table.draw()
    start = dpo_kin_table.distance(worlds.ref_logprobs, worlds.best).tolist()
    found = {"exact_reference_kl": cards.metric("KL(π_ref‖π*), 27 worlds", start, unit="nats")}
    for method in dpo_kin_table.METHODS:
        logprobs = dpo_kin_table.trained(worlds, worlds.chances, method)
        kl, share = dpo_kin_table.distance(logprobs, worlds.best), dpo_kin_table.shares(worlds, logprobs)
        known = {"known": 0.0} if method == "dpo" else {}
        words = f"{WORDS[method]}, exact votes"
        found[f"exact_{method}_kl"] = cards.metric(f"KL(π‖π*), {words}", kl.tolist(), unit="nats", **known)
        found[f"exact_{method}_share"] = cards.metric(f"share of J* - J_ref, {words}", share.tolist())
    for count in COUNTS:
        wins = dpo_kin_table.sampled_votes(worlds, count)
        for method in SAMPLED:
            share = dpo_kin_table.shares(worlds, dpo_kin_table.trained(worlds, wins, method))
            words = f"share of J* - J_ref, {WORDS[method]}, {count} votes"
            found[f"votes_{count}_{method}"] = cards.metric(words, share.tolist())
    path.write_text(json.dumps(found), encoding="utf8")
    return found


def forum_metrics(place: Path) -> dict[str, dict]:
    """What the losses do on the small forum, a seed a value."""
    runs = []
    for seed in SEEDS:
        path = place / f"{seed}.json"
        if not path.is_file():
            path.write_text(json.dumps(dpo_kin_forum.one(seed)), encoding="utf8")
        runs.append(json.loads(path.read_text(encoding="utf8")))
        print(seed, {method: round(runs[-1][method]["share"], 3) for method in ON_FORUM}, flush=True)
    found = {
        "forum_clone_reward": cards.metric("gold reward of the short clone", [r["clone"]["reward"] for r in runs]),
        "forum_effective": cards.metric("effective samples a post for J*", [r["best"]["effective"] for r in runs]),
    }
    for method in ON_FORUM:
        for key, (meaning, unit) in FORUM.items():
            values = [run[method][key] for run in runs]
            found[f"forum_{method}_{key}"] = cards.metric(f"{meaning}, {WORDS[method]}, small forum", values, unit=unit)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/dpo_kin"))
    start, place = time.perf_counter(), parser.parse_args().out
    metrics = table_metrics(place) | forum_metrics(place)
    cards.write(
        "dpo_kin", "DPO and its kin: what each loss aims at, and what it does to log-probabilities", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.dpo_kin",
        modules=[
            "rlhw.dpo", "rlhw.logprobs", "rlhw.batches", "rlhw.tabular_lm", "rlhw.tiny_tldr", "rlhw.behavior_cloning",
            "rlhw.language_model", "rlhw.pipeline.attained", "rlhw.pipeline.sampled", "benchmarks.dpo_kin_table",
            "benchmarks.dpo_kin_forum",
        ],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
