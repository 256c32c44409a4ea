"""Reward models on the small forum: `python -m benchmarks.reward_model` writes results/reward_model.json (about 20 minutes).

Prints each figure beside its bound and ends with exit status 1 when one is SHORT. --quick runs one seed and writes no card.
"""

import argparse
import copy
import sys
import time

import numpy as np

from benchmarks.cloning import COUNTS as DEMONSTRATIONS
from benchmarks.cloning import OTHER_SEEDS, SEEDS
from benchmarks.cloning import SETTINGS as CLONING
from benchmarks.tiny_runs import (
    bayes_accuracy,
    choices,
    clone,
    demonstrations,
    fit_reward,
    longer_accuracy,
    share_of_bayes,
    votes,
)
from rlhw import cards
from rlhw.language_model import load
from rlhw.reward_model import sum_of_tokens

PROMPTS, K = (128, 512, 4608), 4
SETTINGS = {"epochs": 2, "size": 32, "rate": 1e-3}


def one(seed: int, counts: tuple[int, ...] = PROMPTS) -> list[dict[str, float]]:
    """Accuracy, share of Bayes and seconds for each number of prompts, on 1,000 evaluation posts with four summaries each.

    The trunk is that of a clone of the teacher, as in InstructGPT; its seconds are counted with the cloning.
    """
    _, tokenizer = load("tiny")
    cloned, _ = clone(demonstrations(DEMONSTRATIONS[-1], K, "train", seed, tokenizer).batch, seed=seed, **CLONING)
    evaluation = demonstrations(1000, K, "evaluation", seed + 1000, tokenizer)
    probabilities = choices(evaluation)
    runs = []
    for count in counts:
        trunk = copy.deepcopy(cloned.transformer)
        train = demonstrations(count, K, "train", seed + 500, tokenizer)
        data = train.batch, votes(choices(train), seed)
        steps = max(60, SETTINGS["epochs"] * count // SETTINGS["size"])
        model, seconds = fit_reward(
            trunk, data, steps=steps, size=SETTINGS["size"], rate=SETTINGS["rate"], seed=seed, read=sum_of_tokens
        )
        accuracy, share = share_of_bayes(model, evaluation, probabilities)
        bayes, longer = bayes_accuracy(probabilities), longer_accuracy(evaluation, probabilities)
        print(
            f"seed {seed:3}  {6 * count:5} comparisons  accuracy {accuracy:.3f} of {bayes:.3f}, share {share:.3f}, "
            f"{seconds:.0f} s",
            flush=True,
        )
        runs.append({"accuracy": accuracy, "share": share, "seconds": seconds, "bayes": bayes, "longer": longer})
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    if parser.parse_args().quick:
        one(0, PROMPTS[-1:])
        return 0
    start = time.perf_counter()
    runs = [one(seed) for seed in SEEDS]
    others = [one(seed, PROMPTS[-1:])[0] for seed in OTHER_SEEDS]
    metrics = {}

    def over(place: int, key: str) -> list[float]:
        return [run[place][key] for run in runs]

    bayes = float(np.median(over(-1, "bayes")))
    for place, count in enumerate(PROMPTS):
        name = f"{6 * count} comparisons"
        metrics[f"accuracy_{6 * count}"] = cards.metric(f"accuracy, {name}", over(place, "accuracy"), known=bayes)
        bound = {"bound": ">= 0.90", "met": min(over(place, "share")) >= 0.9} if place == len(PROMPTS) - 1 else {}
        metrics[f"share_{6 * count}"] = cards.metric(
            f"(accuracy - 1/2)/(Bayes - 1/2), {name}", over(place, "share"), **bound
        )
    seconds = over(-1, "seconds")
    metrics |= {
        "share_other_seeds": cards.metric(
            f"(accuracy - 1/2)/(Bayes - 1/2), the worse of seeds {OTHER_SEEDS[0]} and {OTHER_SEEDS[1]}",
            min(run["share"] for run in others), bound=">= 0.90", met=min(run["share"] for run in others) >= 0.9,
        ),
        "seconds": cards.metric("training", seconds, unit="s", bound="< 90 s", met=max(seconds) < 90),
        "bayes": cards.metric(
            "Bayes accuracy", over(-1, "bayes"), bound="0.80 to 0.90",
            met=min(over(-1, "bayes")) >= 0.8 and max(over(-1, "bayes")) <= 0.9,
        ),
        "longer": cards.metric(
            "accuracy of 'the longer one wins'", over(-1, "longer"), bound="<= 0.65", met=max(over(-1, "longer")) <= 0.65
        ),
    }  # fmt: skip
    cards.write(
        "reward_model", "Reward models on the small forum, beside the Bayes accuracy", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.reward_model",
        modules=[
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.reward_model", "rlhw.behavior_cloning",
            "rlhw.logprobs", "rlhw.batches",
        ],
    )  # fmt: skip
    return 0 if cards.report("reward_model") else 1


if __name__ == "__main__":
    sys.exit(main())
