"""The runs behind the card `overfitting`: a reward model that learns 32 votes by heart, and the same with more votes.

Each seed draws its own posts, votes, first head and order; the trunk is always the shipped tiny GPT-2, which has seen no vote.
Every model of a seed is measured on the same held-out pairs, weighed by the annotator's exact probabilities.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.tiny_runs import (
    ANNOTATOR,
    CONTEXT,
    Demonstrations,
    bayes_accuracy,
    choices,
    demonstrations,
    longer_accuracy,
    parts,
    votes,
)
from rlhw.batches import collate, shuffled
from rlhw.calibration import calibration, pair_accuracy
from rlhw.language_model import load
from rlhw.reward_model import (
    RewardConfig,
    RewardModel,
    freeze,
    last_token,
    pairwise_loss,
    score_batches,
    sum_of_tokens,
    train_reward_model,
)
from rlhw.tiny_tldr import gold_reward
from rlhw.training import EarlyStopping, warmup_decay

FEW, SIZE, EPOCHS, RATE, WARM_UP = 32, 8, 16, 1e-3, 10
# Votes that only decide when to stop, and what a temperature is fitted on; held-out posts with four summaries each.
STOPPING, HELD_OUT, K = 100, 250, 4
SHOWN, EVERY = (0, 1, 2, 4, 8, 16), 8
MORE, STOPPED, SUMMED = (128, 512, 2048), 128, 512
REPEATS = 4
TEMPERATURES = torch.logspace(-1, 2, 301, dtype=torch.float64)
TAU = ANNOTATOR.temperature


@dataclass(frozen=True)
class Data:
    """What one seed is trained, stopped and measured on. `gold`: the gold rewards of the held-out summaries."""

    tokenizer: Callable
    few: Demonstrations
    few_votes: Tensor
    stopping: Demonstrations
    stopping_votes: Tensor
    held_out: Demonstrations
    chances: Tensor
    gold: Tensor


def draw(seed: int) -> Data:
    """The data of one seed."""
    _, tokenizer = load("tiny")
    few = demonstrations(FEW, 2, "train", seed + 500, tokenizer)
    stopping = demonstrations(STOPPING, 2, "evaluation", seed + 2000, tokenizer)
    held_out = demonstrations(HELD_OUT, K, "evaluation", seed + 1000, tokenizer)
    return Data(
        tokenizer, few, votes(choices(few), seed), stopping, votes(choices(stopping), seed + 1), held_out,
        choices(held_out), gold_rewards(held_out),
    )  # fmt: skip


def gold_rewards(data: Demonstrations) -> Tensor:
    """The gold reward "B K" of each summary."""
    rows = [[gold_reward(post, text) for text in texts] for post, texts in zip(data.posts, data.summaries, strict=True)]
    return torch.tensor(rows, dtype=torch.float64)


def scores(model: RewardModel, data: Demonstrations) -> Tensor:
    return score_batches(model, parts(data.batch)).double()


def loss_on(model: RewardModel, data: Demonstrations, wins: Tensor) -> float:
    """The mean loss in nats a vote."""
    return float(pairwise_loss(scores(model, data), wins.double()).mean())


def entropy(chances: Tensor) -> float:
    """The annotator's mean entropy in nats a pair, the least loss that any score can reach: that of gold/τ."""
    i, j = torch.tril_indices(*chances.shape[1:], offset=-1)
    p = chances[:, i, j]
    return float(-(torch.special.xlogy(p, p) + torch.special.xlogy(1 - p, 1 - p)).mean())


def stages(
    model: RewardModel, train: Demonstrations, wins: Tensor, seed: int, *, steps: int, size: int, every: int
) -> Iterator[int]:
    """Train on these votes for so many steps; yields the number of steps done before the first and after each `every` of them."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = LambdaLR(optimizer, warmup_decay(WARM_UP, steps + 1))
    yield 0
    for step, _ in enumerate(
        train_reward_model(model, shuffled((train.batch, wins), size, seed), optimizer, RewardConfig()), 1
    ):
        schedule.step()
        if step % every == 0:
            yield step
        if step == steps:
            return


def measured(model: RewardModel, data: Data) -> dict[str, float]:
    """Loss, accuracy and share of Bayes on the held-out pairs, and what one fitted temperature changes."""
    found = scores(model, data.held_out)
    stopping = scores(model, data.stopping)
    losses = [float(pairwise_loss(stopping / t, data.stopping_votes.double()).mean()) for t in TEMPERATURES]
    temperature = float(TEMPERATURES[int(np.argmin(losses))])
    accuracy, bayes = pair_accuracy(found, data.chances), bayes_accuracy(data.chances)
    curve, cooled = calibration(found, data.chances), calibration(found / temperature, data.chances)
    predicted = float(curve.predicted @ curve.counts / curve.counts.sum())
    return {
        "loss": float(pairwise_loss(found, data.chances).mean()), "accuracy": accuracy,
        "share": (accuracy - 0.5) / (bayes - 0.5), "error": curve.error, "confidence": predicted,
        "temperature": temperature, "cooled_error": cooled.error,
        "cooled_loss": float(pairwise_loss(found / temperature, data.chances).mean()),
    }  # fmt: skip


def overfit(trunk: torch.nn.Module, data: Data, seed: int, free: str) -> dict:
    """A run on the few votes: `end` and `best` (the epoch of least loss on the stopping votes), and the curve of losses.

    free: "all" parameters train, or what is left when two of three blocks are "frozen", or the "head" alone.
    """
    torch.manual_seed(seed)
    model = RewardModel(copy.deepcopy(trunk), last_token)
    share = 1.0
    if free == "frozen":
        share = freeze(model)
    elif free == "head":
        model.trunk.requires_grad_(False)
        share = model.score.weight.numel() / sum(p.numel() for p in model.parameters())
    stopping, chosen = EarlyStopping(patience=EPOCHS + 1), 0
    curve: dict[str, list[float]] = {"training": [], "held_out": [], "accuracy": []}
    steps = FEW // SIZE
    run = stages(model, data.few, data.few_votes, seed, steps=EPOCHS * steps, size=SIZE, every=steps)
    for epoch, _ in enumerate(run):
        stopping.over(loss_on(model, data.stopping, data.stopping_votes), model)
        chosen = epoch if stopping.waited == 0 else chosen
        if free == "all" and epoch in SHOWN:
            found = scores(model, data.held_out)
            curve["training"].append(loss_on(model, data.few, data.few_votes))
            curve["held_out"].append(float(pairwise_loss(found, data.chances).mean()))
            curve["accuracy"].append(pair_accuracy(found, data.chances))
    end = measured(model, data)
    stopping.restore(model)
    return {"end": end, "best": measured(model, data), "epoch": chosen, "curve": curve, "share": share}


def more(trunk: torch.nn.Module, data: Data, seed: int, count: int, read: Callable) -> tuple[RewardModel, RewardModel]:
    """Models from all six comparisons of each of `count` prompts: after the last step, and of least loss on the stopping votes."""
    torch.manual_seed(seed)
    train = demonstrations(count, K, "train", seed + 500, data.tokenizer)
    steps = max(60, 2 * count // 32)
    model, stopping = RewardModel(copy.deepcopy(trunk), read), EarlyStopping(patience=steps)
    for _ in stages(model, train, votes(choices(train), seed), seed, steps=steps, size=32, every=EVERY):
        stopping.over(loss_on(model, data.stopping, data.stopping_votes), model)
    best = copy.deepcopy(model)
    stopping.restore(best)
    return model, best


def beside_gold(model: RewardModel, data: Data) -> dict[str, float]:
    """τ · score against gold: the spread of the shift c(x), then slope and distance with the mean of each prompt taken off."""
    learned, gold = TAU * scores(model, data.held_out), data.gold
    centred, true = learned - learned.mean(1, keepdim=True), gold - gold.mean(1, keepdim=True)
    # Only answers of two prompts, each with each once: the order by score against the order by gold.
    i, j = torch.triu_indices(len(gold), len(gold), offset=1)
    differences, wanted = learned[i, 0] - learned[j, 0], gold[i, 0] - gold[j, 0]
    k, m = torch.triu_indices(K, K, offset=1)
    inside, order = learned[:, k] - learned[:, m], gold[:, k] - gold[:, m]
    return {
        "shift": float((learned - gold).mean(1).std()), "slope": float((centred * true).sum() / (true**2).sum()),
        "distance": float((centred - true).square().mean().sqrt()), "spread": float(true.square().mean().sqrt()),
        "across": float(((differences > 0) == (wanted > 0))[wanted != 0].double().mean()),
        "within": float(((inside > 0) == (order > 0))[order != 0].double().mean()),
    }  # fmt: skip


def going_on(model: RewardModel, data: Data) -> tuple[float, float]:
    """(mean change of τ · score, of gold) when a summary says its last sentence REPEATS times more."""
    records, gold = [], []
    for post, texts in zip(data.held_out.posts, data.held_out.summaries, strict=True):
        text = texts[0]
        last = text[max(text[:-1].rfind("."), text[:-1].rfind("?")) + 1 :].strip()
        longer = " ".join([text, *[last] * REPEATS])
        records.append({"prompt": post.text, "answers": [text, longer]})
        gold.append(gold_reward(post, longer) - gold_reward(post, text))
    found = score_batches(model, parts(collate(records, data.tokenizer, CONTEXT))).double()
    return TAU * float((found[:, 1] - found[:, 0]).mean()), float(np.mean(gold))


def one(seed: int) -> dict:
    """All runs of one seed."""
    trunk, data = load("tiny")[0].transformer, draw(seed)
    runs: dict = {
        "bayes": bayes_accuracy(data.chances), "floor": entropy(data.chances),
        "longer": longer_accuracy(data.held_out, data.chances),
    }  # fmt: skip
    for free in ("all", "frozen", "head"):
        runs[free] = overfit(trunk, data, seed, free)
        say(seed, f"{FEW} votes, {free}, last epoch", runs[free]["end"])
        say(seed, f"{FEW} votes, {free}, epoch {runs[free]['epoch']}", runs[free]["best"])
    for count in MORE:
        model, best = more(trunk, data, seed, count, last_token)
        runs[6 * count] = measured(model, data)
        say(seed, f"{6 * count} votes", runs[6 * count])
        if count == STOPPED:
            runs["stopped"] = measured(best, data)
            say(seed, f"{6 * count} votes, stopped early", runs["stopped"])
        if count == SUMMED:
            summed, _ = more(trunk, data, seed, count, sum_of_tokens)
            runs["sum"] = measured(summed, data)
            say(seed, f"{6 * count} votes, sum over tokens", runs["sum"])
            runs["going on last"], runs["going on gold"] = going_on(model, data)
            runs["going on sum"], _ = going_on(summed, data)
            print(
                "going on:", {name: round(runs[f"going on {name}"], 2) for name in ("last", "sum", "gold")}, flush=True
            )
    runs["gold"] = beside_gold(model, data)
    print("beside gold:", {name: round(value, 3) for name, value in runs["gold"].items()}, flush=True)
    return runs


def say(seed: int, what: str, found: dict[str, float]) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    print(f"seed {seed}, {what}: {figures}", flush=True)
