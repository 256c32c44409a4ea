"""The runs behind the card `goodhart`: reward models from few and many comparisons, optimised by best-of-n and by GRPO.

Rewards are in gold's units: a learned score times τ. Both are measured from what the clone earns, so each curve begins at 0.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.base_runs import TAU, Base, grpo
from rlhw.batches import Batch, answer_texts, shuffled
from rlhw.language_model import generate
from rlhw.pipeline import forum
from rlhw.pipeline.attained import best_of_n
from rlhw.pipeline.data import votes
from rlhw.pipeline.stages import COMPARISONS
from rlhw.preferences import Comparison, read_jsonl
from rlhw.reward_model import RewardConfig, RewardModel, last_token, train_reward_model
from rlhw.training import warmup_decay

GOLD = "gold"
# Comparisons, and the optimizer steps of 32 posts with them.
STEPS = {128: 10, 512: 16, 4096: 32}
SIZES = (*STEPS, GOLD)
COUNTS, ANSWERS = (1, 2, 4, 8, 16, 32, 64), 80
# The price of KL is small on purpose: the policy is to go far.
BETA, RATE, ROLLOUTS, POSTS = 0.02, 6e-4, 10, 8
LOOKS = (1, 2, 4, 6, 10)
# Where new comparisons are collected once.
ROUND = 128


def fit(seed: Base, comparisons: list[Comparison], steps: int, read: Callable = last_token) -> RewardModel:
    """A reward model on the clone's trunk from these comparisons, by so many steps."""
    torch.manual_seed(seed.seed)
    model = RewardModel(copy.deepcopy(seed.clone.base_model), read)
    data = votes(comparisons, seed.tokenizer, seed.settings.context)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = LambdaLR(optimizer, warmup_decay(min(5, steps), steps + 1))
    stream = shuffled(data, min(32, len(data[1])), seed.seed)
    for step, _ in enumerate(train_reward_model(model, stream, optimizer, RewardConfig()), 1):
        schedule.step()
        if step == steps:
            break
    return model.requires_grad_(False)


def in_gold_units(model: RewardModel) -> Callable[[Batch], Tensor]:
    """Votes came from σ(Δgold/τ), so the model has learned gold/τ up to a shift a post."""
    return lambda batch: TAU * model(batch)


def collected(seed: Base, policy: nn.Module, count: int, use: str) -> list[Comparison]:
    """So many comparisons of this policy's answers to new posts."""
    texts = seed.new_posts(count // 4 + 8, use)
    batch, _ = generate(
        policy, *seed.prompts(texts), k=4, max_new_tokens=seed.settings.max_new_tokens, eos_id=seed.tokenizer.eos_token_id,
        generator=torch.Generator().manual_seed(seed.seed),
    )  # fmt: skip
    rng = np.random.default_rng((seed.seed, *use.encode()))
    return forum.compare(texts, answer_texts(batch, seed.tokenizer), TAU, rng)[:count]


def ordered(scores: np.ndarray, gold: np.ndarray) -> float:
    """The share of pairs of answers to one post that scores "B K" put in gold's order; equal gold left out."""
    apart = gold[:, :, None] - gold[:, None, :]
    said = scores[:, :, None] - scores[:, None, :]
    return float(((said > 0) == (apart > 0))[apart != 0].mean())


def pool(seed: Base, rewards: dict[object, Callable]) -> tuple[np.ndarray, dict[object, np.ndarray]]:
    """Gold "B N" of the clone's answers to the held-out posts, and each reward of the same answers."""
    seen: list[Batch] = []

    def remember(batch: Batch) -> Tensor:
        seen.append(batch)
        return torch.zeros(batch.responses.shape[:2])

    gold = seed.answers(seed.clone, remember, ANSWERS).judged
    with torch.no_grad():
        scores = {
            name: torch.cat([reward(batch) for batch in seen]).double().numpy() for name, reward in rewards.items()
        }
    return gold, scores | {GOLD: gold}


def best_curve(gold: np.ndarray, learned: np.ndarray) -> dict[str, list[float]]:
    """Best of n by the learned reward: KL, and both rewards above the clone's."""
    found = {"n": list(COUNTS), "kl": [], "gold": [], "learned": []}
    for n in COUNTS:
        kl, judged = best_of_n(learned, gold, n)
        found["kl"].append(kl)
        found["gold"].append(float(judged.mean() - gold.mean()))
        found["learned"].append(float(best_of_n(learned, learned, n)[1].mean() - learned.mean()))
    return found


def optimise(
    seed: Base, reward: Callable[[Batch], Tensor], start: tuple[float, float], looks: tuple[int, ...] = LOOKS
) -> tuple[dict[str, list[float]], nn.Module]:
    """GRPO with this reward: KL and both rewards above the clone's (`start`: gold, learned) on held-out posts, along the way."""
    found, policy = {"kl": [0.0], "gold": [0.0], "learned": [0.0], "length": []}, seed.clone
    steps = grpo(seed, reward, BETA, "goodhart", rollouts=ROLLOUTS, posts=POSTS, rate=RATE)
    for step, (policy, _) in enumerate(steps, 1):
        if step in looks:
            seen = seed.answers(policy, reward, 4)
            found["kl"].append(float(seen.log_ratios.mean()))
            found["gold"].append(float(seen.judged.mean() - start[0]))
            found["learned"].append(float(seen.learned.mean() - start[1]))
            found["length"].append(float(seen.lengths.mean()))
    return found, policy


def one(seed: Base) -> dict:
    """All of a seed: curves by size, and one round of new comparisons against as many of the old kind."""
    compared = read_jsonl(seed.folder / "compare" / COMPARISONS)
    rewards = {size: in_gold_units(fit(seed, compared[:size], steps)) for size, steps in STEPS.items()}
    gold, scores = pool(seed, rewards)
    found: dict = {"best": {}, "rl": {}, "order": {}}
    policies = {}
    for size in SIZES:
        start = float(gold.mean()), float(scores[size].mean())
        found["best"][str(size)] = best_curve(gold, scores[size])
        found["rl"][str(size)], policies[size] = optimise(seed, rewards.get(size, seed.gold()), start)
        found["order"][str(size)] = ordered(scores[size], gold)
    return found | {"round": next_round(seed, compared, rewards[ROUND], policies[ROUND], float(gold.mean()))}


def next_round(
    seed: Base, compared: list[Comparison], reward: Callable, policy: nn.Module, start: float
) -> dict[str, float]:
    """After the policy has been optimised: the reward's order on its answers, and GRPO anew with twice the comparisons.

    The second half is of the policy's answers ("fresh") or once more of the clone's ("same").
    """
    old = compared[:ROUND]
    more = {"fresh": collected(seed, policy, ROUND, "fresh"), "same": compared[ROUND : 2 * ROUND]}
    seen = seed.answers(policy, reward, 8)
    found = {"order_there": ordered(seen.learned, seen.judged), "fresh_count": float(len(more["fresh"]))}
    for name, added in more.items():
        again = in_gold_units(fit(seed, old + added, 2 * STEPS[ROUND]))
        there = seed.answers(policy, again, 8)
        curve, _ = optimise(seed, again, (start, 0.0), (ROLLOUTS,))
        found[f"{name}_order_there"] = ordered(there.learned, there.judged)
        found[f"{name}_gold"], found[f"{name}_kl"] = curve["gold"][-1], curve["kl"][-1]
    return found
