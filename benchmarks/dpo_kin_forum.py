"""DPO and its kin on the small forum: what happens to the log-probabilities, the runs behind the card `dpo_kin`.

One seed is one short clone, the annotator's votes on its summaries, and each loss trained from that clone on the same votes.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch, collate_prompts, shuffled
from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.dpo import DPOConfig, dpo_loss, ipo_loss, kto_pair_loss, reference_logprobs, train_dpo
from rlhw.language_model import generate, load
from rlhw.logprobs import sequence_logprobs
from rlhw.pipeline.attained import best_objective
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.jobs import parts
from rlhw.pipeline.sampled import sample
from rlhw.training import warmup_decay

CONTEXT, WORDS, BETA, TAU = 160, 44, 0.25, 0.5
CLONING, CLONING_SIZE, CLONING_RATE = 60, 20, 2e-3
PROMPTS, K, SIZE, EPOCHS, RATE = 192, 4, 16, 2, 2e-4
HELD_OUT, ANSWERS = 40, 8
METHODS: dict[str, tuple[Callable, float]] = {
    "dpo": (dpo_loss, BETA / TAU),
    "ipo": (ipo_loss, BETA / (4 * TAU)),
    "kto": (kto_pair_loss, BETA / TAU),
}


def clone(seed: int) -> tuple[nn.Module, Callable, Forum]:
    """A short clone of the teacher, its tokenizer and the forum."""
    torch.manual_seed(seed)
    model, tokenizer = load("tiny")
    forum = Forum(tokenizer, CONTEXT)
    shown = forum.demonstrations(CLONING * CLONING_SIZE // 2, 4, "train", np.random.default_rng(seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=CLONING_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = LambdaLR(optimizer, warmup_decay(20, CLONING + 1))
    for step, _ in enumerate(train_bc(model, shuffled(shown, CLONING_SIZE, seed), optimizer, CloningConfig()), 1):
        schedule.step()
        if step == CLONING:
            return model, tokenizer, forum
    raise AssertionError("there are demonstrations for every step")


def asked(
    model: nn.Module, tokenizer: Callable, forum: Forum, seed: int, split: str, count: int
) -> tuple[Batch, Tensor]:
    """(K summaries of this model for each of so many posts, their gold rewards)."""
    texts = forum.prompts(count, split, np.random.default_rng(seed))
    tokens, mask = collate_prompts(texts, tokenizer, CONTEXT - WORDS)
    batch, _ = generate(
        model, tokens, mask, k=K, max_new_tokens=WORDS, eos_id=tokenizer.eos_token_id,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    return batch, forum.gold()(batch)


def voted(gold: Tensor, seed: int) -> Tensor:
    """One vote "B K K" on each pair of summaries of a post."""
    first = (
        torch.rand(gold.shape[0], K, K, generator=torch.Generator().manual_seed(seed))
        < ((gold[:, :, None] - gold[:, None, :]) / TAU).sigmoid()
    )
    upper = torch.ones(K, K).triu(1)
    return first * upper + (~first * upper).mT


def train(reference: nn.Module, votes: tuple[Batch, Tensor], method: str, seed: int) -> nn.Module:
    """The reference, trained on these votes by one of the losses."""
    loss, beta = METHODS[method]
    policy = copy.deepcopy(reference)
    data = *votes, reference_logprobs(reference, parts(votes[0]))
    steps = EPOCHS * (PROMPTS // SIZE)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = LambdaLR(optimizer, warmup_decay(min(10, steps), steps + 1))
    for step, _ in enumerate(train_dpo(policy, shuffled(data, SIZE, seed), optimizer, DPOConfig(beta), loss=loss), 1):
        schedule.step()
        if step == steps:
            return policy
    raise AssertionError("shuffled goes on for ever")


@torch.no_grad()
def moved(policy: nn.Module, reference: nn.Module, batch: Batch, chances: Tensor) -> dict[str, float]:
    """Mean change of log π of the preferred and of the other summaries, weighed by the exact chances of the votes."""
    change = torch.cat([sequence_logprobs(policy, p) - sequence_logprobs(reference, p) for p in parts(batch)]).double()
    votes = chances / chances.sum()
    return {
        "chosen": float((votes.sum(2) * change).sum()),
        "rejected": float((votes.sum(1) * change).sum()),
        "fell": float((votes.sum(2) * (change < 0)).sum()),
    }


def one(seed: int) -> dict[str, dict[str, float]]:
    """All losses of one seed, measured on held-out posts: log-probabilities of the clone's summaries, reward, KL and share."""
    reference, tokenizer, forum = clone(seed)
    batch, gold = asked(reference, tokenizer, forum, 1000 + seed, "train", PROMPTS)
    votes = batch, voted(gold, seed)
    held_out, judged = asked(reference, tokenizer, forum, 2000 + seed, "evaluation", HELD_OUT)
    chances = ((judged[:, :, None] - judged[:, None, :]) / TAU).sigmoid().double() * (1 - torch.eye(K))
    texts = forum.prompts(HELD_OUT, "evaluation", np.random.default_rng(3000 + seed))
    tokens, mask = collate_prompts(texts, tokenizer, CONTEXT - WORDS)
    reward, found = forum.gold(), {}

    def look(policy: nn.Module) -> dict[str, float]:
        answers = sample(
            policy, reference, reward, reward, tokens, mask, tokenizer, k=ANSWERS, max_new_tokens=WORDS,
            generator=torch.Generator().manual_seed(4000 + seed),
        )  # fmt: skip
        return answers.figures(BETA)

    found["clone"] = look(reference)
    policies = {method: train(reference, votes, method, seed) for method in METHODS}
    for method, policy in policies.items():
        found[method] = look(policy) | moved(policy, reference, held_out, chances)
    best = best_objective(
        policies["dpo"], reference, reward, tokens, mask, beta=BETA, objective=found["clone"]["objective"], samples=64,
        most=64, max_new_tokens=WORDS, eos_id=tokenizer.eos_token_id, generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    start = found["clone"]["objective"]
    for method in METHODS:
        found[method]["share"] = (found[method]["objective"] - start) / (best["jstar"] - start)
    return found | {"best": {name: float(best[name]) for name in ("jstar", "jstar_se", "effective", "samples")}}
