"""One's own labels through the whole loop, with a run card at the end: `python -m rlhw.homework.own_run my_labels.jsonl`.

Some labels are held back by prompt, `rlhw.pipeline.run` learns from the others, and the reward model is judged by those
that were held back. The run card says what came of it, each number with the one that it cannot be read without. Some
minutes on two cores, offline; what was stopped goes on when it is called again.
"""

import argparse
import json
import math
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

import rlhw
from rlhw.exercises.labels import Labels, fingerprint, read
from rlhw.preferences import Comparison, last_labels, require_two_sided, write_jsonl

# Optimizer steps with a rising rate, of the trainings in `rlhw.pipeline.jobs`.
WARMUP = {"reward": 20, "dpo": 10, "ppo": 3, "grpo": 3}
POLICIES = ("clone", "ppo", "grpo", "dpo")


def own_run(
    labels: str | os.PathLike[str],
    out: str | os.PathLike[str] = "runs/mine",
    *,
    share: float = 0.2,
    seed: int = 0,
    epochs: float = 8.0,
    progress: Callable | None = None,
    say: Callable[[str], None] = print,
    **changes: object,
) -> str:
    """Hold back `share` of the prompts, run the loop on the labels of the others, and return the run card, JSON.

    labels: a file of JSON lines, as the widget writes it. out: a folder for everything; `run_card.json` is written there.
    epochs: times through the labels, for the reward model and for DPO. changes: other settings of `rlhw.pipeline.Settings`.
    Raises ValueError where no labels can be read, all say the same, one side of the split would be empty or only ties are
    held back, and what
    `pipeline.run` raises, FileNotFoundError where there is no such file.
    """
    from rlhw import pipeline

    found, out = read(Path(labels).read_text(encoding="utf-8-sig")), Path(out)
    require_two_sided(found.comparisons)
    train, held_out = hold_back(last_labels(found.comparisons)[0], share, seed)
    if all(one.choice == "tie" for one in held_out):
        raise ValueError(
            f"the {len(held_out)} labels that are held back are all ties; label more pairs, or take another seed."
        )
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(out / "train.jsonl", train)
    write_jsonl(out / "held_out.jsonl", held_out)
    settings = settings_for(out, len({one.prompt for one in train}), epochs=epochs, seed=seed, **changes)
    begun = (settings.out / "settings.json").is_file()
    results = pipeline.run(settings, resume=begun, progress=progress, say=say)
    card = json.dumps(run_card(settings.out, found, held_out, results), indent=1)
    (out / "run_card.json").write_text(card + "\n", encoding="utf8")
    return card


def hold_back(comparisons: list[Comparison], share: float, seed: int) -> tuple[list[Comparison], list[Comparison]]:
    """(train, held out): that share of the prompts, to the nearest one, with all their comparisons, by sha256 of seed and prompt.

    `split_by_prompt` lets chance decide how many: of 45 prompts a fifth is then 3 as easily as 15. Raises ValueError where
    one side would be empty.
    """
    prompts = sorted(
        {one.prompt for one in comparisons}, key=lambda prompt: sha256(f"{seed}:{prompt}".encode()).digest()
    )
    count = round(share * len(prompts))
    if not 0 < count < len(prompts):
        raise ValueError(f"share={share} holds out {count} of {len(prompts)} prompts; label more prompts.")
    held = set(prompts[:count])
    return [one for one in comparisons if one.prompt not in held], [one for one in comparisons if one.prompt in held]


def settings_for(out: Path, prompts: int, *, epochs: float, seed: int, **changes: object) -> object:
    """The settings of a run on labels of so many prompts: small batches, for a batch cannot hold more prompts than there are."""
    from rlhw.pipeline.settings import DPO, GRPO, PPO, Clone, Evaluate, Reward, Settings

    size = max(1, min(8, prompts // 4))
    sizes = {
        "clone": Clone(posts=3000, steps=150),
        "reward": Reward(epochs=epochs, size=size),
        "dpo": DPO(epochs=epochs, size=size),
        "ppo": PPO(rollouts=12),
        "grpo": GRPO(rollouts=16),
        "evaluate": Evaluate(posts=48, answers=8),
    }
    return Settings(**{"data": str(out / "train.jsonl"), "out": out / "run", "seed": seed} | sizes | changes)


def run_card(folder: Path, labels: Labels, held_out: list[Comparison], results: dict[str, dict]) -> dict:
    """What came of a finished run: plain numbers, each with its company."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf8"))
    by_post = json.loads((folder / "report" / "by_post.json").read_text(encoding="utf8"))
    settings = json.loads((folder / "settings.json").read_text(encoding="utf8"))
    policies = {}
    for name in POLICIES:
        behind = np.array(by_post["jstar"]) - np.array(by_post[name])
        figures = {key: summary["policies"][name][key] for key in ("reward", "kl", "objective")}
        policies[name] = figures | {
            "behind": float(behind.mean()),
            "behind_se": float(behind.std(ddof=1) / math.sqrt(len(behind))),
        }
    steps = {name: {"steps": len(results[name]["curve"]), "warmup": warmup} for name, warmup in WARMUP.items()}
    return {
        "labels_sha256": fingerprint(labels.comparisons),
        "labels": len(labels.comparisons),
        "trained_on": results["compare"]["comparisons"],
        **judged_by(folder, held_out, settings["context"]),
        "training": steps,
        "jstar": summary["jstar"],
        "policies": policies,
        "posts": len(by_post["jstar"]),
        "beta": settings["beta"],
        "seed": settings["seed"],
        "rlhw": rlhw.__version__,
    }


def judged_by(folder: Path, held_out: list[Comparison], context: int) -> dict[str, float]:
    """The run's reward model on labels that it has not seen: accuracy with n, loss with ln 2 beside it. Ties are left out.

    Of equal scores half a vote is right, as a coin would. ValueError where no label is left.
    """
    from rlhw.batches import collate
    from rlhw.language_model import load
    from rlhw.pipeline.data import fitting
    from rlhw.reward_model import RewardModel, score_batches

    _, tokenizer = load(folder / "clone" / "model")
    chosen = [one if one.choice == "first" else one.swapped() for one in held_out if one.choice != "tie"]
    kept, _ = fitting(chosen, tokenizer, context)
    batch = collate(
        [{"prompt": one.prompt, "chosen": one.first, "rejected": one.second} for one in kept], tokenizer, context
    )
    scores = score_batches(RewardModel.from_pretrained(folder / "reward" / "model"), [batch]).double().numpy()
    lead = scores[:, 0] - scores[:, 1]
    return {
        "accuracy": float(np.mean((lead > 0) + 0.5 * (lead == 0))),
        "n": len(lead),
        "validation_loss": float(np.logaddexp(0.0, -lead).mean()),
        "ln2": math.log(2),
    }


def main() -> None:
    """The command line of this module."""
    from rlhw.pipeline.command import bar

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", help="the file of your labels, such as my_labels.jsonl")
    parser.add_argument("--out", default="runs/mine", help="folder of the run")
    parser.add_argument("--epochs", type=float, default=8.0, help="times through the labels")
    given = parser.parse_args()
    try:
        card = own_run(given.labels, given.out, epochs=given.epochs, progress=bar)
    except (ValueError, OSError) as error:
        raise SystemExit(f"own_run: {error}") from None
    print(card)


if __name__ == "__main__":
    main()
