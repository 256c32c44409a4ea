"""Cloning the teacher of the small forum: `python -m benchmarks.cloning` writes results/cloning.json (about 15 minutes).

Prints each figure beside its bound and ends with exit status 1 when one is SHORT. --quick runs one seed and writes no card.
"""

import argparse
import sys
import time

from benchmarks.tiny_runs import bigram_gap, clone, cloning_gap, demonstrations
from rlhw import cards
from rlhw.language_model import load

# Posts for which the teacher writes four summaries each: the prompt is run once, so the other three cost little.
COUNTS, K = (512, 2048, 10800), 4
SETTINGS = {"steps": 300, "size": 36, "rate": 2e-3}
# Few demonstrations are gone through three times, at least 60 steps: what is repeated more often is learned by heart.
EPOCHS, LEAST_STEPS = 3, 60
# Frozen before the runs; the last two lie outside the seeds that the settings were chosen on.
SEEDS = (0, 1, 2, 3, 4)
OTHER_SEEDS = (17, 101)


def one(seed: int, count: int) -> dict[str, float]:
    """Gap, share and seconds of one run, on 2,000 evaluation posts of its own."""
    _, tokenizer = load("tiny")
    train = demonstrations(count, K, "train", seed, tokenizer)
    evaluation = demonstrations(2000, 1, "evaluation", seed + 1000, tokenizer)
    steps = min(SETTINGS["steps"], max(LEAST_STEPS, EPOCHS * count // SETTINGS["size"]))
    model, seconds = clone(train.batch, seed=seed, **SETTINGS | {"steps": steps})
    gap, share = cloning_gap(model, evaluation)
    print(
        f"seed {seed:3}  {K * count:5} demonstrations  gap {gap:.3f} nats, {share:.1%} of the entropy, {seconds:.0f} s",
        flush=True,
    )
    return {"gap": gap, "share": 100 * share, "seconds": seconds, "bigram": bigram_gap(train, evaluation) / gap}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    if parser.parse_args().quick:
        print(one(0, COUNTS[-1]))
        return 0
    start = time.perf_counter()
    metrics = {}
    for count in COUNTS:
        runs = [one(seed, count) for seed in SEEDS]
        last = count == COUNTS[-1]

        def over(key: str, runs: list = runs) -> list[float]:
            return [run[key] for run in runs]

        bound = {"bound": "<= 5 %", "met": max(over("share")) <= 5} if last else {}
        name = f"{K * count} demonstrations"
        metrics[f"share_{K * count}"] = cards.metric(
            f"gap to the teacher's entropy, {name}", over("share"), unit="%", **bound
        )
        metrics[f"gap_{K * count}"] = cards.metric(
            f"KL(teacher, student) a summary, {name}", over("gap"), unit="nats", known=0.0
        )
        if last:
            metrics["seconds"] = cards.metric(
                f"training, {name}", over("seconds"), unit="s", bound="< 90 s", met=max(over("seconds")) < 90
            )
            metrics["bigram"] = cards.metric(
                "gap of a bigram student over this one's", over("bigram"), bound=">= 10", met=min(over("bigram")) >= 10
            )
    others = [one(seed, COUNTS[-1])["share"] for seed in OTHER_SEEDS]
    metrics["share_other_seeds"] = cards.metric(
        f"gap to the teacher's entropy, the worse of seeds {OTHER_SEEDS[0]} and {OTHER_SEEDS[1]}", max(others), unit="%",
        bound="<= 5 %", met=max(others) <= 5,
    )  # fmt: skip
    cards.write(
        "cloning", "Cloning the teacher of the small forum with the tiny GPT-2", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.cloning",
        modules=["rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.behavior_cloning", "rlhw.logprobs", "rlhw.batches"],
    )  # fmt: skip
    return 0 if cards.report("cloning") else 1


if __name__ == "__main__":
    sys.exit(main())
