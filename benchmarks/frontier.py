"""Reward against KL beside the exact frontier: `python -m benchmarks.frontier` writes results/frontier.json.

The clone, best of n, PPO, GRPO and DPO at three prices of KL, with the gold reward (DPO with the annotator's votes, at β/τ) on
held-out posts of the small forum, five seeds. J* and the reward of the best policy at a KL come from one pool of 256 answers a
post. Each policy starts from the clone and has learned from 3,200 sampled answers; those of the card `learning` have three times
as many, and so reach more. A finished seed is kept in runs/base. About 20 minutes of one core. --seed N runs one and writes no
card.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.base_runs import BETA, SEEDS, TAU, Base, Pool, base, grpo, known, last
from rlhw import cards
from rlhw.batches import shuffled
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.evaluation import win_rate
from rlhw.language_model import load
from rlhw.pipeline.attained import best_of_n
from rlhw.pipeline.data import votes
from rlhw.pipeline.jobs import parts
from rlhw.pipeline.sampled import Sampled
from rlhw.pipeline.stages import COMPARISONS
from rlhw.ppo_details import Recipe, train
from rlhw.preferences import read_jsonl

BETAS, COUNTS, ANSWERS = (0.125, 0.25, 0.5), (2, 4, 8, 16, 32, 64), 8
PPO_ROLLOUTS, GRPO_ROLLOUTS, RECIPE = 50, 25, Recipe(k=4, rate=1e-3)
# All six comparisons of four answers to each of 800 posts.
VOTES, DPO_SIZE, DPO_RATE = 4800, 16, 3e-4
TRAINED = ("ppo", "grpo", "dpo")
# Gold rewards nearer than this are a tie.
TIE = 1e-6


def ppo(seed: Base, beta: float) -> nn.Module:
    """PPO with the gold reward, from the clone."""
    policy = load(seed.folder / "clone" / "model")[0]
    batches = seed.batches(PPO_ROLLOUTS, 16, f"frontier ppo {beta}")
    steps = train(
        RECIPE, policy, seed.gold(), batches, rollouts=PPO_ROLLOUTS, beta=beta, max_new_tokens=seed.settings.max_new_tokens,
        eos_id=seed.tokenizer.eos_token_id, generator=torch.Generator().manual_seed(seed.seed), reference=seed.clone,
    )  # fmt: skip
    for _ in steps:
        pass
    return policy


def dpo(seed: Base, data: tuple, beta: float) -> nn.Module:
    """DPO from the clone, once through these votes, at β/τ."""
    policy, _ = load(seed.folder / "clone" / "model")
    optimizer = torch.optim.AdamW(policy.parameters(), lr=DPO_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    steps = len(data[1]) // DPO_SIZE
    stream = (batch for batch, _ in zip(shuffled(data, DPO_SIZE, seed.seed), range(steps), strict=False))
    for _ in train_dpo(policy, stream, optimizer, DPOConfig(beta=beta / TAU)):
        pass
    return policy


def policies(seed: Base) -> dict[str, Callable[[], nn.Module]]:
    """Each trained policy by its name, method and β."""
    compared = votes(read_jsonl(seed.folder / "compare" / COMPARISONS)[:VOTES], seed.tokenizer, seed.settings.context)
    data = *compared, reference_logprobs(seed.clone, parts(compared[0]))
    made: dict[str, Callable[[], nn.Module]] = {}
    for beta in BETAS:
        made[name_of("ppo", beta)] = lambda beta=beta: ppo(seed, beta)
        made[name_of("grpo", beta)] = lambda beta=beta: last(
            grpo(seed, seed.gold(), beta, f"frontier {beta}", rollouts=GRPO_ROLLOUTS)
        )
        made[name_of("dpo", beta)] = lambda beta=beta: dpo(seed, data, beta)
    return made


def name_of(method: str, beta: float) -> str:
    """ppo_0125 for PPO at 0.125."""
    return f"{method}_{beta:.3f}".replace("0.", "0").rstrip("0")


def wins(mine: np.ndarray, others: np.ndarray) -> list[int]:
    """(wins, losses, ties): the first answer of each to each post, by gold."""
    apart = mine[:, 0] - others[:, 0]
    return [int((apart > TIE).sum()), int((apart < -TIE).sum()), int((abs(apart) <= TIE).sum())]


def row(found: Sampled, clone: np.ndarray) -> dict:
    """Reward, KL and wins against the clone."""
    return {
        "reward": float(found.judged.mean()), "kl": float(found.log_ratios.mean()), "wins": wins(found.judged, clone)
    }  # fmt: skip


def one(seed: Base) -> dict:
    """All of a seed."""
    about = known(seed)
    everything = Pool(np.array(about["rewards"]), np.array(about["log_weights"]))
    clone = everything.rewards[:, : everything.rewards.shape[1] // 2]
    # Answers of the clone that no policy shares random numbers with.
    against = clone[:, -1:]
    found: dict = {"clone": float(clone.mean()), "best": {}, "rows": {}}
    for beta in BETAS:
        best = everything.best(beta)
        del best["jstar_of"]
        found["best"][str(beta)] = best
    for n in COUNTS:
        kl, rewards = best_of_n(clone, clone, n)
        first = clone[:, :n].max(1, keepdims=True)
        found["rows"][f"best_of_{n}"] = {"reward": float(rewards.mean()), "kl": kl, "wins": wins(first, against)}
    for name, make in policies(seed).items():
        found["rows"][name] = row(seed.answers(make(), k=ANSWERS), against)
        print(f"seed {seed.seed}, {name}: {found['rows'][name]}", flush=True)
    found["frontier"] = [(p["kl"], p["reward"]) for p in map(everything.best, np.geomspace(4.0, 0.125, 11))]
    return found


def below(run: dict, name: str) -> float:
    """The reward of the best policy at the KL of this one, less this one's: the frontier between its points along a line."""
    kl, reward = np.array(run["frontier"]).T
    kl, reward = np.insert(kl, 0, 0.0), np.insert(reward, 0, run["clone"])
    return float(np.interp(run["rows"][name]["kl"], kl, reward) - run["rows"][name]["reward"])


def share(run: dict, name: str, beta: float) -> float:
    """(J - J_ref)/(J* - J_ref) at this β."""
    row, best = run["rows"][name], run["best"][str(beta)]["jstar"]
    return (row["reward"] - beta * row["kl"] - run["clone"]) / (best - run["clone"])


def row_metrics(runs: list[dict], name: str, words: str, beta: float) -> dict[str, dict]:
    """The entries of one policy."""

    def over(key: str) -> list[float]:
        return [run["rows"][name][key] for run in runs]

    counts = [sum(one) for one in zip(*over("wins"), strict=True)]
    rate, low, high = win_rate(*counts)
    return {
        f"{name}_reward": cards.metric(f"gold reward, {words}", over("reward")),
        f"{name}_kl": cards.metric(f"KL from the clone, {words}", over("kl"), unit="nats"),
        f"{name}_share": cards.metric(
            f"share of J* - J_ref at beta = {beta}, {words}", [share(run, name, beta) for run in runs]
        ),
        f"{name}_below": cards.metric(
            f"reward of the best policy at the same KL, less its own, {words}", [below(run, name) for run in runs]
        ),
        f"{name}_win": cards.metric(
            f"wins against the clone by gold, ties half, Wilson interval, {words}", rate, low=low, high=high,
            note="{} wins, {} losses, {} ties over all seeds".format(*counts),
        ),
        **{
            f"{name}_{kind}": cards.metric(f"{kind} against the clone over all seeds, {words}", float(count))
            for kind, count in zip(("wins", "losses", "ties"), counts, strict=True)
        },
    }  # fmt: skip


def metrics_of(runs: list[dict]) -> dict[str, dict]:
    """The entries of the card."""
    metrics = {"clone_reward": cards.metric("gold reward, the clone", [run["clone"] for run in runs])}
    figures = {
        "jstar": "J*", "jstar_se": "standard error of J* between posts", "effective": "effective samples a post for J*",
        "reward": "gold reward of the best policy", "kl": "KL of the best policy",
    }  # fmt: skip
    for beta in BETAS:
        for key, meaning in figures.items():
            name = name_of(f"best_{key}", beta)
            values = [run["best"][str(beta)][key] for run in runs]
            metrics[name] = cards.metric(f"{meaning}, beta = {beta}", values)
        for method in TRAINED:
            metrics |= row_metrics(runs, name_of(method, beta), f"{method.upper()}, beta = {beta}", beta)
    for n in COUNTS:
        metrics |= row_metrics(runs, f"best_of_{n}", f"best of {n}", BETA)
    for place, points in enumerate(zip(*(run["frontier"] for run in runs), strict=True)):
        for key, values in zip(("kl", "reward"), zip(*points, strict=True), strict=True):
            metrics[f"frontier_{place}_{key}"] = cards.metric(f"point {place} of the frontier: {key}", values)
    return metrics


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    chosen, start, runs = parser.parse_args().seed, time.perf_counter(), []
    for number in SEEDS if chosen is None else (chosen,):
        seed = base(number)
        runs.append(seed.kept("frontier", lambda seed=seed: one(seed)))
        for beta in BETAS:
            figures = ", ".join(f"{m} {share(runs[-1], name_of(m, beta), beta):.2f}" for m in TRAINED)
            print(
                f"seed {number}, beta {beta}: J* {runs[-1]['best'][str(beta)]['jstar']:.2f}, shares {figures}",
                flush=True,
            )
    if chosen is not None:
        return 0
    cards.write(
        "frontier", "Reward against KL beside the exact frontier", metrics_of(runs), seconds=time.perf_counter() - start,
        command="python -m benchmarks.frontier",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.rollouts", "rlhw.ppo", "rlhw.ppo_details", "rlhw.grpo", "rlhw.dpo",
            "rlhw.evaluation", "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.pipeline.attained",
            "rlhw.pipeline.sampled", "benchmarks.base_runs",
        ],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
