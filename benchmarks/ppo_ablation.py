"""The details of PPO one by one: `python -m benchmarks.ppo_ablation` writes results/ppo_ablation.json.

Each detail of `rlhw.ppo_details` is left out of the full recipe, on the small forum (gold reward, β = 0.25, five seeds, equally
many sampled answers) and on a table of logits whose J is summed over all answers (twenty seeds). What counts is the share of
J* - J_ref, and its difference to the full recipe's of the same seed, with a 95 % t interval. A finished run is kept in runs/base:
what was stopped goes on. About 30 minutes of one core. --without NAME --seed N runs one and writes no card.
"""

import argparse
import contextlib
import sys
import time

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from benchmarks import table_world
from benchmarks.base_runs import BETA, SEEDS, SETTINGS, Base, base, kept, known
from benchmarks.table_world import World
from rlhw import cards
from rlhw.language_model import load
from rlhw.ppo_details import DETAILS, Recipe, train, without

ROLLOUTS, PROMPTS, RECIPE, ANSWERS = 10, 16, Recipe(k=4, rate=7e-4), 8
TABLE_SEEDS, TABLE_ROLLOUTS = range(20), 15
TABLE_RECIPE = Recipe(k=8, rate=0.1, critic=2.0, warmup=0)
FULL = "full"
# Those that are measured on the small forum; the table has all that a table can have.
ON_FORUM = (
    "nothing", "clip", "value_clip", "whiten", "lambda_one", "lambda_zero", "critic", "own_trunk", "critic_rate", "grad_norm",
    "one_epoch", "all_blocks", "schedule", "everything",
)  # fmt: skip


def recipe_of(name: str, full: Recipe) -> Recipe:
    return full if name == FULL else without(name, full)


def batches(seed: Base) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The posts of all rollouts: tokens, mask, and the gold reward of a summary of the teacher's."""
    rng = np.random.default_rng((seed.seed, *b"ablation"))
    written = seed.forum.demonstrations(ROLLOUTS * PROMPTS, 1, "train", rng)
    return list(zip(*(
        part.split(PROMPTS) for part in (written.prompts, written.prompt_mask, seed.gold()(written)[:, 0])
    ), strict=True))  # fmt: skip


def forum_run(name: str, seed: Base) -> dict[str, float]:
    """One run on the small forum: share, KL, reward and length on the held-out posts, and the CPU seconds of the training."""

    def make() -> dict:
        # Only the run in which nothing changes draws other random numbers than the full recipe.
        generator = torch.Generator().manual_seed(seed.seed + 1000 * (name == "nothing"))
        policy, begun = load(seed.folder / "clone" / "model")[0], time.process_time()
        steps = train(
            recipe_of(name, RECIPE), policy, seed.gold(), batches(seed), rollouts=ROLLOUTS, beta=BETA,
            max_new_tokens=seed.settings.max_new_tokens, eos_id=seed.tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
        curve = []
        # A step along a loss that is not finite is not taken; what has been learned until then is measured.
        with contextlib.suppress(FloatingPointError):
            curve.extend(steps)
        spent, about = time.process_time() - begun, known(seed)
        found, room = seed.answers(policy, k=ANSWERS), about["best"]["jstar"] - np.mean(about["start"])
        gained = found.objectives(BETA).mean() - np.mean(about["start"])
        clipped = float(np.mean([figures["clipped"] for figures in curve]))
        norm = float(np.mean([figures["grad_norm"] for figures in curve]))
        return found.figures(BETA) | {
            "share": float(gained / room), "seconds": spent, "rollouts": len(curve), "clipped": clipped, "norm": norm,
        }  # fmt: skip

    return seed.kept(f"ppo_ablation/{name}", make)


def table_run(name: str, number: int) -> dict[str, float]:
    """One run on a table of logits, its share of J* - J_ref exact."""
    world, generator = World(number), torch.Generator().manual_seed(number + 1000 * (name == "nothing"))
    policy = world.reference()
    recipe = recipe_of(name, TABLE_RECIPE)
    # What one fixed answer to a prompt earns stands for a reference summary.
    stood = world.reward(world.answers)[:, 0].repeat(8)
    stream = ((tokens, mask, stood) for tokens, mask in world.prompts(TABLE_ROLLOUTS, 8))
    for _ in train(
        recipe, policy, world.reward, stream, rollouts=TABLE_ROLLOUTS, beta=table_world.BETA, max_new_tokens=table_world.STEPS,
        eos_id=table_world.EOS, generator=generator,
    ):  # fmt: skip
        pass
    objective, kl = world.objective(policy)
    start = world.objective(world.reference())[0]
    return {"share": (objective - start) / (world.best() - start), "kl": kl}


def interval(differences: list[float]) -> tuple[float, float, float]:
    """(mean, low, high): the 95 % t interval of paired differences."""
    mean, error = float(np.mean(differences)), stats.sem(differences)
    if error == 0:
        return mean, mean, mean
    low, high = stats.t.interval(0.95, len(differences) - 1, loc=mean, scale=error)
    return mean, float(low), float(high)


def change(what: str, runs: list[dict], full: list[dict]) -> dict:
    """The entry of a paired difference of shares."""
    mean, low, high = interval([run["share"] - other["share"] for run, other in zip(runs, full, strict=True)])
    return cards.metric(what, mean, low=low, high=high, seeds=list(range(len(runs))))


def forum_metrics(runs: dict[str, list[dict]]) -> dict[str, dict]:
    """The entries of the small forum."""
    full = runs[FULL]
    metrics = {
        "answers": cards.metric("sampled answers of each run on the small forum", float(ROLLOUTS * PROMPTS * RECIPE.k)),
        "rollouts": cards.metric("rollouts of each run on the small forum", float(ROLLOUTS)),
        "seconds": cards.metric("CPU seconds of a training", [run["seconds"] for run in full], unit="s"),
    }
    outside = 0
    for name, found in runs.items():
        what = "the full recipe" if name == FULL else DETAILS[name].what
        metrics[f"{name}_share"] = cards.metric(f"share of J* - J_ref, {what}", [run["share"] for run in found])
        metrics[f"{name}_kl"] = cards.metric(f"KL from the clone, {what}", [run["kl"] for run in found], unit="nats")
        metrics[f"{name}_clipped"] = cards.metric(
            f"share of tokens whose ratio is outside the clip, mean over updates, {what}",
            [run["clipped"] for run in found],
        )
        metrics[f"{name}_stopped"] = cards.metric(
            f"seeds that met a loss that is not finite, {what}", float(sum(run["rollouts"] < ROLLOUTS for run in found))
        )
        if name != FULL:
            entry = change(f"change of the share, 95 % t interval of five paired differences, {what}", found, full)
            metrics[f"{name}_change"] = entry
            outside += (entry["low"] > 0 or entry["high"] < 0) and name != "nothing"
    metrics["outside"] = cards.metric(
        f"details of {len(runs) - 2} whose interval does not hold 0", float(outside),
        note=f"of so many 95 % intervals {0.05 * (len(runs) - 2):.1f} are expected to miss 0 by luck where nothing matters",
    )  # fmt: skip
    return metrics


def table_metrics(runs: dict[str, list[dict]]) -> dict[str, dict]:
    """The entries of the table of logits."""
    metrics = {}
    for name, found in runs.items():
        what = "the full recipe" if name == FULL else DETAILS[name].what
        metrics[f"{name}_table_share"] = cards.metric(
            f"share of J* - J_ref on a table of logits, exact, {what}", [run["share"] for run in found]
        )
        if name != FULL:
            metrics[f"{name}_table_change"] = change(
                f"change of that share, 95 % t interval of {len(found)} paired differences, {what}", found, runs[FULL]
            )
    return metrics


def write_card(forum: dict[str, list[dict]], table: dict[str, list[dict]], seconds: float) -> None:
    cards.write(
        "ppo_ablation", "The details of PPO, one left out at a time", forum_metrics(forum) | table_metrics(table),
        seconds=seconds, command="python -m benchmarks.ppo_ablation",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.rollouts", "rlhw.ppo", "rlhw.ppo_details", "rlhw.grpo",
            "rlhw.training", "rlhw.evaluation", "rlhw.language_model", "rlhw.logprobs", "rlhw.batches", "rlhw.tabular_lm",
            "rlhw.pipeline.attained", "rlhw.pipeline.sampled", "benchmarks.base_runs", "benchmarks.table_world",
        ],
    )  # fmt: skip


def shown(name: str, runs: list[dict], full: list[dict]) -> None:
    """Print a detail's effect beside the full recipe."""
    mean, low, high = interval([run["share"] - other["share"] for run, other in zip(runs, full, strict=True)])
    share, kl = (float(np.median([run[key] for run in runs])) for key in ("share", "kl"))
    print(f"{name:>16}: share {share:.3f}, change {mean:+.3f} ({low:+.3f} to {high:+.3f}), KL {kl:.2f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", choices=(FULL, *DETAILS), help="this detail alone; no card")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="the table of logits alone; no card")
    chosen = parser.parse_args()
    if chosen.without:
        print(forum_run(chosen.without, base(chosen.seed)))
        return 0
    start = time.perf_counter()
    forum = {} if chosen.table else forum_runs()
    table = table_runs()
    if not chosen.table:
        write_card(forum, table, time.perf_counter() - start)
    return 0


def forum_runs() -> dict[str, list[dict]]:
    """All runs on the small forum, those of a seed after each other."""
    names = (FULL, *ON_FORUM)
    forum = {name: [] for name in names}
    for number in SEEDS:
        seed = base(number)
        for name in names:
            forum[name].append(forum_run(name, seed))
            print(f"seed {number}, {name}: {forum[name][-1]['share']:.3f}", flush=True)
    for name in ON_FORUM:
        shown(name, forum[name], forum[FULL])
    return forum


def table_runs() -> dict[str, list[dict]]:
    """All runs on tables of logits."""
    names = [FULL, *(name for name, detail in DETAILS.items() if not detail.layers)]
    table = {}
    for name in names:
        path = SETTINGS.out / "table" / f"{name}.json"
        table[name] = kept(path, lambda name=name: [table_run(name, number) for number in TABLE_SEEDS])
    for name in names[1:]:
        shown(name, table[name], table[FULL])
    return table


if __name__ == "__main__":
    sys.exit(main())
