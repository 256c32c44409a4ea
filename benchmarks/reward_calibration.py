"""What the widget RewardCalibration shows: `python -m benchmarks.reward_calibration` writes its data and card (four minutes).

Two reward models give score differences for the same held-out pairs, and the annotator votes once on each pair. One model has
learned few votes by heart; the other has the settings of benchmarks/reward_model.py, seed 0. Beside them stand the annotator's
own margins, which are calibrated by construction: what error is left to them is the luck of the votes.
"""

import copy
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.cloning import COUNTS as DEMONSTRATIONS
from benchmarks.cloning import SETTINGS as CLONING
from benchmarks.reward_model import PROMPTS, SETTINGS, K
from benchmarks.tiny_runs import ANNOTATOR, Demonstrations, choices, clone, demonstrations, fit_reward, parts, votes
from rlhw import cards
from rlhw.calibration import calibration, pair_accuracy
from rlhw.language_model import load
from rlhw.reward_model import RewardModel, pairwise_loss, score_batches, sum_of_tokens
from rlhw.tiny_tldr import gold_reward

DATA = Path(__file__).parents[1] / "rlhw/widgets/reward_calibration.json"
SEED, PAIRS, FEW, BINS = 0, 400, 40, 10
MANY = PROMPTS[-1]
# Chosen so that the training loss of the few is near zero: each of them is seen 200 times.
FEW_STEPS, FEW_SIZE = 200, 40
MODELS = ("overfit", "many", "annotator")


def gold_margins(data: Demonstrations) -> Tensor:
    """The margins of the annotator's own choice, (gold_1 - gold_2)/τ, of pairs: "B"."""
    pairs = zip(data.posts, data.summaries, strict=True)
    golds = [[gold_reward(post, text) for text in texts] for post, texts in pairs]
    golds = torch.tensor(golds, dtype=torch.float64)
    return (golds[:, 0] - golds[:, 1]) / ANNOTATOR.temperature


def margins(model: RewardModel, data: Demonstrations) -> Tensor:
    """score_1 - score_2 of pairs: "B"."""
    scores = score_batches(model, parts(data.batch)).double()
    return scores[:, 0] - scores[:, 1]


def trained() -> tuple[dict[str, RewardModel], float]:
    """The two reward models on the trunk of one clone, and the training loss of the one with few votes."""
    _, tokenizer = load("tiny")
    cloned, _ = clone(demonstrations(DEMONSTRATIONS[-1], K, "train", SEED, tokenizer).batch, seed=SEED, **CLONING)
    few = demonstrations(FEW, 2, "train", SEED + 500, tokenizer)
    many = demonstrations(MANY, K, "train", SEED + 500, tokenizer)
    plans = {
        "overfit": (few, FEW_STEPS, FEW_SIZE),
        "many": (many, SETTINGS["epochs"] * MANY // SETTINGS["size"], SETTINGS["size"]),
    }
    models, losses = {}, {}
    for name, (train, steps, size) in plans.items():
        wins = votes(choices(train), SEED)
        models[name], seconds = fit_reward(
            copy.deepcopy(cloned.transformer), (train.batch, wins), steps=steps, size=size, rate=SETTINGS["rate"],
            seed=SEED, read=sum_of_tokens,
        )  # fmt: skip
        losses[name] = float(pairwise_loss(score_batches(models[name], parts(train.batch)), wins).mean())
        print(f"{name}: training loss {losses[name]:.4f} nats, {seconds:.0f} s", flush=True)
    return models, losses["overfit"]


def as_scores(differences: Tensor) -> Tensor:
    """Scores "B 2" with these differences."""
    return torch.stack([differences, torch.zeros_like(differences)], 1)


def held_out(tokenizer: Callable) -> tuple[Demonstrations, Tensor]:
    """The pairs shown, and the annotator's vote on each: wins "B 2 2"."""
    pairs = demonstrations(PAIRS, 2, "evaluation", SEED + 1000, tokenizer)
    return pairs, votes(choices(pairs), SEED + 1).double()


def main() -> int:
    start = time.perf_counter()
    models, few_loss = trained()
    _, tokenizer = load("tiny")
    pairs, wins = held_out(tokenizer)
    found = {name: margins(model, pairs) for name, model in models.items()}
    found["annotator"] = gold_margins(pairs)
    data = {
        "few": FEW,
        "many": MANY * K * (K - 1) // 2,
        "votes": wins[:, 0, 1].int().tolist(),
        "margins": {name: [round(float(margin), 3) for margin in found[name]] for name in MODELS},
    }
    DATA.write_text(json.dumps(data, separators=(",", ":")).replace(',"', ',\n"') + "\n", encoding="utf-8")
    sha = hashlib.sha256(DATA.read_bytes()).hexdigest()
    metrics = {
        "pairs": cards.metric(
            "held-out pairs, one vote each", PAIRS,
            note=f"the data: rlhw/widgets/reward_calibration.json, sha256 {sha}; one run of each model, seed {SEED}",
        ),
        "training_overfit": cards.metric(
            f"mean loss on its own {FEW} votes, overfit", few_loss, unit="nats", bound="< 0.05", met=few_loss < 0.05
        ),
    }  # fmt: skip
    names = {"overfit": f"{FEW} votes", "many": f"{data['many']} votes", "annotator": "the annotator's own margins"}
    for name in MODELS:
        scores = as_scores(torch.tensor(data["margins"][name], dtype=torch.float64))
        metrics |= {
            f"error_{name}": cards.metric(
                f"expected calibration error in {BINS} bins, {names[name]}", calibration(scores, wins, BINS).error
            ),
            f"loss_{name}": cards.metric(
                f"mean loss, {names[name]}", float(pairwise_loss(scores, wins).mean()), unit="nats"
            ),
            f"accuracy_{name}": cards.metric(f"pair accuracy, {names[name]}", pair_accuracy(scores, wins)),
        }
    cards.write(
        "reward_calibration", "Two reward models and the annotator on the same held-out votes", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.reward_calibration",
        modules=[
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "rlhw.reward_model", "rlhw.calibration",
            "rlhw.behavior_cloning", "rlhw.logprobs", "rlhw.batches",
        ],
    )  # fmt: skip
    return 0 if cards.report("reward_calibration") else 1


if __name__ == "__main__":
    sys.exit(main())
