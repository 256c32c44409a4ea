"""`rlhw run --scale tiny` as a newcomer types it, five seeds: `python -m benchmarks.whole_run` writes results/whole_run.json.

Seconds count from the command to the prompt, loading of torch included. About 25 minutes on two cores that do nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rlhw import cards
from rlhw.pipeline.settings import STAGES

SEEDS = (0, 1, 2, 3, 4)
LIMIT = 300
POLICIES = ("ppo", "grpo", "dpo")


def one(seed: int, out: Path) -> dict[str, float]:
    """Seconds and figures of one run."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "rlhw", "run", "--scale", "tiny", "--out", str(out), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    summary = json.loads((out / "summary.json").read_text(encoding="utf8"))
    found = {
        "seconds": seconds,
        "cloning_share": 100 * summary["cloning_share"],
        "reward_share": summary["reward_share"],
    }
    found |= {f"share_{name}": summary[f"{name}_share"] for name in POLICIES}
    found |= {f"seconds_{stage}": summary["seconds"][stage] for stage in STAGES[:-1]}
    found["seconds_rest"] = seconds - sum(summary["seconds"].values())
    found |= {name: float(summary[name]) for name in ("effective", "samples")}
    for when, name in (("before", "clone"), ("after", "grpo")):
        for kind in ("right", "invented"):
            found[f"{kind}_{when}"] = summary["policies"][name][f"facts_{kind}"]
    print(f"seed {seed}  " + "  ".join(f"{name} {value:.3g}" for name, value in found.items()), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, no card")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        if parser.parse_args().quick:
            return 0 if one(0, Path(place) / "0")["seconds"] < LIMIT else 1
        runs = [one(seed, Path(place) / str(seed)) for seed in SEEDS]

    def over(key: str) -> list[float]:
        return [run[key] for run in runs]

    met = max(over("seconds")) < LIMIT
    metrics = {
        "seconds": cards.metric("rlhw run --scale tiny", over("seconds"), unit="s", bound=f"< {LIMIT} s", met=met)
    }
    for stage in (*STAGES[:-1], "rest"):
        what = "loading, evaluation and report" if stage == "rest" else f"stage {stage}"
        metrics[f"seconds_{stage}"] = cards.metric(what, over(f"seconds_{stage}"), unit="s")
    metrics["cloning_share"] = cards.metric(
        "gap of the clone as a share of the teacher's entropy", over("cloning_share"), unit="%"
    )
    metrics["reward_share"] = cards.metric("(accuracy - 1/2)/(Bayes - 1/2) of the reward model", over("reward_share"))
    for name in POLICIES:
        reward = "" if name == "dpo" else ", learned reward"
        metrics[f"share_{name}"] = cards.metric(f"share of J* - J_ref, {name.upper()}{reward}", over(f"share_{name}"))
    for kind in ("right", "invented"):
        metrics[f"{kind}_before"] = cards.metric(f"facts {kind}, the clone", over(f"{kind}_before"))
        metrics[f"{kind}_after"] = cards.metric(f"facts {kind}, after GRPO", over(f"{kind}_after"))
    metrics["effective"] = cards.metric("effective samples a post for J*, median over posts", over("effective"))
    cards.write(
        "whole_run", "The whole loop in one command", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.whole_run",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.rollouts", "rlhw.ppo", "rlhw.grpo",
            "rlhw.dpo", "rlhw.evaluation", "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pipeline",
        ],
    )  # fmt: skip
    return 0 if cards.report("whole_run") else 1


if __name__ == "__main__":
    sys.exit(main())
