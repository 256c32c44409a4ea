"""PPO, GRPO, DPO and best-of-n against the exact optimum: `python -m benchmarks.learning` writes results/learning.json.

Each policy has the same clone, the same objective (beta = 0.25) and equally many sampled answers: 10,240. First with the gold
reward (DPO with the annotator's votes, whose best policy is the same), then PPO and GRPO with a reward model learned from
those votes. Shares are of J* - J_ref on 128 held-out posts. About 80 minutes on one core; a run that is stopped goes on where
it was. --seed N runs one seed and writes no card.
"""

import argparse
import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from rlhw import cards
from rlhw.pipeline import run
from rlhw.pipeline.attained import share
from rlhw.pipeline.command import bar
from rlhw.pipeline.folder import write_whole
from rlhw.pipeline.settings import DPO, GRPO, PPO, Clone, Compare, Evaluate, Settings

SEEDS = (0, 1, 2, 3, 4)
SETTINGS = Settings(
    gold=True, clone=Clone(posts=10800, steps=300), compare=Compare(prompts=2560), ppo=PPO(rollouts=80),
    grpo=GRPO(rollouts=80), dpo=DPO(epochs=2.0), evaluate=Evaluate(posts=128, answers=16, samples=256, most=2048),
)  # fmt: skip
SAMPLED = ("ppo", "grpo", "dpo")
BOUNDS = {"ppo": 0.93, "grpo": 0.93, "dpo": 0.75}
LEARNED_BOUND = 0.6


def one(seed: int, place: Path) -> dict[str, float]:
    """Both runs of one seed: shares with gold rewards, then with the learned one on the same clone, posts and J*."""
    gold = replace(SETTINGS, seed=seed, out=place / f"gold_{seed}")
    learned = replace(
        gold, gold=False, out=place / f"learned_{seed}", evaluate=replace(gold.evaluate, samples=16, most=128)
    )
    run(gold, resume=gold.out.exists(), progress=bar)
    if not learned.out.exists():
        draft = place / f".learned_{seed}"
        shutil.rmtree(draft, ignore_errors=True)
        for stage in ("clone", "compare", "reward", "dpo"):
            shutil.copytree(gold.out / stage, draft / stage)
        write_whole(draft / "settings.json", learned.as_json())
        draft.rename(learned.out)
    run(learned, resume=True, progress=bar)
    summary = json.loads((gold.out / "summary.json").read_text(encoding="utf8"))
    by_post = [
        {name: np.array(row) for name, row in json.loads((out / "report" / "by_post.json").read_text("utf8")).items()}
        for out in (gold.out, learned.out)
    ]
    start, jstar, rng = by_post[0]["clone"], by_post[0]["jstar"], np.random.default_rng(seed)
    found = {name: share(by_post[0][name], start, jstar, rng)[0] for name in (*SAMPLED, "best_of_4", "best_of_16")}
    for name in ("ppo", "grpo", "best_of_16"):
        found[f"{name}_learned"], found[f"{name}_learned_low"], _ = share(by_post[1][name], start, jstar, rng)
        found[f"{name}_kept"] = found[f"{name}_learned"] / found[name]
    found |= {
        name: summary[name] for name in ("jstar", "jstar_se", "effective", "samples", "reward_share", "cloning_share")
    }
    found |= {f"kl_{name}": summary["policies"][name]["kl"] for name in SAMPLED} | {"jref": float(start.mean())}
    print(f"seed {seed}  " + "  ".join(f"{name} {value:.3f}" for name, value in found.items()), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    arguments = parser.parse_args()
    if arguments.seed is not None:
        one(arguments.seed, arguments.out)
        return 0
    start = time.perf_counter()
    runs = [one(seed, arguments.out) for seed in SEEDS]

    def over(key: str) -> list[float]:
        return [run[key] for run in runs]

    metrics = {}
    for name, bound in BOUNDS.items():
        met = float(np.median(over(name))) >= bound
        metrics[name] = cards.metric(f"share of J* - J_ref, {name.upper()}", over(name), bound=f">= {bound}", met=met)
    for n in (4, 16):
        metrics[f"best_of_{n}"] = cards.metric(f"share of J* - J_ref, best of {n}", over(f"best_of_{n}"))
    for name in ("ppo", "grpo"):
        title, met = name.upper(), float(np.median(over(f"{name}_kept"))) >= LEARNED_BOUND
        metrics[f"{name}_kept"] = cards.metric(
            f"gain of {title} with the learned reward over its gain with gold", over(f"{name}_kept"),
            bound=f">= {LEARNED_BOUND}", met=met,
        )  # fmt: skip
        low = min(over(f"{name}_learned_low"))
        metrics[f"{name}_learned_low"] = cards.metric(
            f"least lower end of the 95 % intervals, share of {title} with the learned reward",
            low,
            bound="> 0",
            met=low > 0,
        )
        metrics[f"{name}_learned"] = cards.metric(f"share of {title}, learned reward", over(f"{name}_learned"))
    metrics |= {
        "best_of_16_learned": cards.metric("share, best of 16 by the learned reward", over("best_of_16_learned")),
        "jstar": cards.metric("J*", over("jstar")),
        "jstar_se": cards.metric("standard error of J*", over("jstar_se")),
        "effective": cards.metric(
            "effective samples a post for J*, median over posts", over("effective"), bound=">= 100",
            met=min(over("effective")) >= 100,
        ),
        "jref": cards.metric("J_ref, the clone's", over("jref")),
        "reward_share": cards.metric("(accuracy - 1/2)/(Bayes - 1/2) of the reward model", over("reward_share")),
        "cloning_share": cards.metric("gap of the clone as a share of the teacher's entropy", over("cloning_share")),
    }  # fmt: skip
    metrics |= {
        f"kl_{name}": cards.metric(f"KL from the clone, {name.upper()}", over(f"kl_{name}"), unit="nats")
        for name in SAMPLED
    }
    cards.write(
        "learning", "PPO, GRPO, DPO and best-of-n against the exact optimum", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.learning",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.rollouts", "rlhw.ppo", "rlhw.grpo",
            "rlhw.dpo", "rlhw.evaluation", "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pipeline.jobs",
            "rlhw.pipeline.attained",
        ],
    )  # fmt: skip
    return 0 if cards.report("learning") else 1


if __name__ == "__main__":
    sys.exit(main())
