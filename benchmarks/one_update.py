"""Chapter 3 measured: cloning and REINFORCE as one update, temperature, prefixes. `python -m benchmarks.one_update` (8 minutes).

Both start from the same half-cloned tiny GPT-2 and see the same posts, with eight answers to each. Cloning takes the
teacher's answers with weight 1, REINFORCE its own with leave-one-out weights: nothing else differs. Settings frozen before;
evaluation on posts of a stream of their own.
"""

import copy
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.tempered import expected_reward
from benchmarks.tiny_runs import CONTEXT, TEACHER, Demonstrations, clone, cloning_gap, demonstrations
from rlhw import cards
from rlhw.batches import Batch, answer_texts, collate, collate_prompts
from rlhw.grpo import rloo_advantages
from rlhw.language_model import generate, load
from rlhw.pipeline.forum import facts_right_and_invented
from rlhw.rollouts import text_reward
from rlhw.tiny_tldr import Post, best_summary, gold_reward, read_post, sample_post
from rlhw.weighted_update import weighted_step

SEEDS = (0, 1, 2, 3, 4)
START = {"steps": 30, "size": 36, "rate": 2e-3}
STEPS, EVERY, POSTS, K, RATE = 40, 10, 12, 8, 1e-3
COLD_STEPS = 16
EVALUATED = 100
NEW_TOKENS = 44
TEMPERATURES = (1.0, 0.8, 0.6, 0.4, 0.2)


def posts_of(seed: int) -> Iterator[list[Post]]:
    """The posts of each step: the same ones for both updates."""
    rng = np.random.default_rng((seed, 3))
    while True:
        yield [sample_post(rng, "train") for _ in range(POSTS)]


def teachers(posts: list[Post], rng: np.random.Generator, tokenizer) -> tuple[Batch, Tensor]:
    """The teacher's answers to these posts, each with weight 1."""
    records = [{"prompt": post.text, "answers": [TEACHER.sample(post, rng) for _ in range(K)]} for post in posts]
    return collate(records, tokenizer, CONTEXT), torch.ones(len(posts), K)


def own(model: nn.Module, posts: list[Post], generator: torch.Generator, tokenizer) -> tuple[Batch, Tensor]:
    """The policy's own answers, each with its reward minus the mean reward of the other seven."""
    batch = answers_of(model, posts, K, generator, tokenizer)
    return batch, rloo_advantages(gold(tokenizer)(batch))


def answers_of(model, posts, k, generator, tokenizer, temperature: float = 1.0) -> Batch:
    """k answers of a model to each post."""
    tokens, mask = collate_prompts([post.text for post in posts], tokenizer, CONTEXT - NEW_TOKENS)
    settings = {"max_new_tokens": NEW_TOKENS, "eos_id": tokenizer.eos_token_id, "temperature": temperature}
    return generate(model, tokens, mask, k=k, generator=generator, **settings)[0]


def gold(tokenizer):
    """The gold reward of a batch."""
    return text_reward(lambda prompt, answer: gold_reward(read_post(prompt), answer), tokenizer)


def measured(model: nn.Module, data: Demonstrations, seed: int, tokenizer) -> tuple[float, float]:
    """(mean gold reward of 4 answers to each of 100 posts, KL(teacher, model) in nats a summary)."""
    batch = answers_of(model, data.posts[:EVALUATED], 4, torch.Generator().manual_seed(seed), tokenizer)
    return float(gold(tokenizer)(batch).mean()), cloning_gap(model, data)[0]


def train(model: nn.Module, kind: str, steps: int, data: Demonstrations, seed: int, tokenizer) -> list[tuple]:
    """`steps` weighted steps of "cloning" or "reinforce"; what `measured` says every 10 of them, the start included."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    rng, generator = np.random.default_rng((seed, 4)), torch.Generator().manual_seed(seed)
    history = [measured(model, data, seed, tokenizer)]
    for step, posts in zip(range(1, steps + 1), posts_of(seed), strict=False):
        if kind == "cloning":
            batch, weights = teachers(posts, rng, tokenizer)
        else:
            batch, weights = own(model, posts, generator, tokenizer)
        weighted_step(model, optimizer, batch, weights)
        if step % EVERY == 0 or step == steps:
            history.append(measured(model, data, seed, tokenizer))
            print(f"seed {seed} {kind} step {step}: reward {history[-1][0]:.2f}, KL {history[-1][1]:.2f}", flush=True)
    return history


def at_temperatures(model: nn.Module, data: Demonstrations, seed: int, tokenizer) -> dict[str, float]:
    """The clone's mean reward at each temperature, on the 100 posts."""
    means = {}
    for temperature in TEMPERATURES:
        generator = torch.Generator().manual_seed(seed)
        batch = answers_of(model, data.posts[:EVALUATED], 4, generator, tokenizer, temperature)
        means[f"clone_{100 * temperature:.0f}"] = float(gold(tokenizer)(batch).mean())
    return means


def prefixes(model: nn.Module, data: Demonstrations, seed: int, tokenizer) -> dict[str, float]:
    """Own prefixes against the teacher's: what the teacher never writes, log-ratios of the rest, wrong values of both."""
    posts, generator = data.posts[:EVALUATED], torch.Generator().manual_seed(seed + 77)
    tokens, mask = collate_prompts([post.text for post in posts], tokenizer, CONTEXT - NEW_TOKENS)
    settings = {"max_new_tokens": NEW_TOKENS, "eos_id": tokenizer.eos_token_id}
    batch, logprobs = generate(model, tokens, mask, k=8, generator=generator, **settings)
    texts = answer_texts(batch, tokenizer)
    teacher = np.array([[TEACHER.logprob(post, text) for text in row] for post, row in zip(posts, texts, strict=True)])
    student = logprobs.sum(-1).double().numpy()
    possible = np.isfinite(teacher)
    prompts, demos = [post.text for post in data.posts], data.summaries
    right, wrong = facts_right_and_invented(prompts[:EVALUATED], texts)
    teacher_right, teacher_wrong = facts_right_and_invented(prompts, demos)
    weights = np.exp(teacher - student)
    return {
        "never_written": 100 * float(1 - possible.mean()),
        "own_prefixes": float((student - teacher)[possible].mean()),
        "effective_share": 100 * float((weights.sum(1) ** 2 / (weights**2).sum(1)).mean() / weights.shape[1]),
        "wrong_student": 100 * float(wrong / (right + wrong)),
        "wrong_teacher": 100 * float(teacher_wrong / (teacher_right + teacher_wrong)),
    }


def one(seed: int) -> dict[str, float]:
    """All figures of one seed."""
    pretrained, tokenizer = load("tiny")
    data = demonstrations(300, 1, "evaluation", seed + 2000, tokenizer)
    start, _ = clone(demonstrations(36 * START["steps"], 4, "train", seed + 500, tokenizer).batch, seed=seed, **START)
    figures = {
        "reward_teacher": float(np.mean([expected_reward(post) for post in data.posts[:EVALUATED]])),
        "reward_best": float(np.mean([gold_reward(post, best_summary(post)) for post in data.posts[:EVALUATED]])),
    }
    figures |= {
        f"teacher_{100 * t:.0f}": float(np.mean([expected_reward(post, t) for post in data.posts[:EVALUATED]]))
        for t in TEMPERATURES
    }
    for kind in ("cloning", "reinforce"):
        model = copy.deepcopy(start)
        for i, (reward, kl) in enumerate(train(model, kind, STEPS, data, seed, tokenizer)):
            figures |= {f"reward_{kind}_{i * EVERY}": reward, f"kl_{kind}_{i * EVERY}": kl}
        if kind == "cloning":
            figures |= at_temperatures(model, data, seed, tokenizer) | prefixes(model, data, seed, tokenizer)
    *_, (reward, kl) = train(pretrained, "reinforce", COLD_STEPS, data, seed, tokenizer)
    return figures | {"reward_cold": reward, "kl_cold": kl}


MEANINGS = {
    "reward_teacher": "the teacher's own reward, exact, on 100 posts",
    "reward_best": "the best summary's reward, on the same posts",
    "reward_cold": f"reward of REINFORCE from the model that was never shown a summary, after {COLD_STEPS} steps",
    "kl_cold": "its KL(teacher, policy) a summary",
    "never_written": "own summaries of the clone that the teacher never writes",
    "own_prefixes": "mean log clone - log teacher over its other own summaries",
    "effective_share": "effective share of own answers under the weight teacher/policy",
    "wrong_student": "wrong values among those that the clone names",
    "wrong_teacher": "wrong values among those that the teacher names",
}
UNITS = {"kl": "nats", "own": "nats", "never": "%", "wrong": "%", "effective": "%"}


def meaning(name: str) -> str:
    """What a figure is, in words."""
    if name in MEANINGS:
        return MEANINGS[name]
    first, *_, last = name.split("_")
    if first in ("teacher", "clone"):
        return f"reward of the {first} at temperature {int(last) / 100}"
    what = "reward" if first == "reward" else "KL(teacher, policy) a summary"
    return f"{what}, {name.split('_')[1]}, after {last} steps"


def main() -> None:
    """Measure all seeds and write the card."""
    start = time.perf_counter()
    runs = [one(seed) for seed in SEEDS]
    metrics = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        unit = UNITS.get(name.split("_")[0], "1")
        known = (
            {"known": float(np.median([run["reward_teacher"] for run in runs]))}
            if name.startswith("reward_cloning")
            else {}
        )
        metrics[name] = cards.metric(meaning(name), values, unit=unit, **known)
        print(f"{name}: {np.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
    cards.write(
        "one_update", "Cloning and REINFORCE as one update on the small forum, 5 seeds", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.one_update",
        modules=[
            "rlhw.weighted_update", "rlhw.behavior_cloning", "rlhw.logprobs", "rlhw.batches", "rlhw.language_model", "rlhw.grpo",
            "rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.summaries", "benchmarks.one_update",
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
