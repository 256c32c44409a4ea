"""The stages of a run: clone -> compare -> reward -> PPO, GRPO, DPO. Each reads what those before it left in the folder."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw import preferences
from rlhw.batches import Batch, answer_texts, collate, shuffled
from rlhw.behavior_cloning import CloningConfig, answer_losses, train_bc
from rlhw.checkpoint import seed_everything
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.language_model import generate, load
from rlhw.pipeline import forum
from rlhw.pipeline.folder import train
from rlhw.pipeline.settings import Settings
from rlhw.ppo import FixedKL, PPOConfig, ValueModel, train_ppo
from rlhw.reward_model import RewardConfig, RewardModel, train_reward_model
from rlhw.saving import quiet, whole_folder
from rlhw.tiny_tldr import Teacher
from rlhw.training import warmup_decay

# So many prompts go through a model at once where nothing is learned.
CHUNK = 100
SAVE_EVERY = 10


@dataclass(frozen=True)
class Run:
    """Settings, where the run lives, and what shows its progress."""

    settings: Settings
    folder: Path
    progress: Callable[[Iterator[dict], int, int], Iterator[dict]]

    def rng(self, stage: str) -> np.random.Generator:
        """Numbers of a stage's own: the same whether the stages before it ran now or in an earlier process."""
        return np.random.default_rng((self.settings.seed, *stage.encode()))

    def generator(self, stage: str) -> torch.Generator:
        """The same for torch; also sets the global seeds, which fresh heads are drawn from."""
        return seed_everything(int(self.rng(stage).integers(2**32)))

    def model(self, stage: str) -> tuple[nn.Module, Callable]:
        """The language model that a stage left, and its tokenizer."""
        return load(self.folder / stage / "model")


def parts(batch: Batch) -> list[Batch]:
    """The batch in pieces."""
    return [batch.rows(slice(i, i + CHUNK)) for i in range(0, len(batch.prompts), CHUNK)]


def clone(run: Run) -> dict:
    """Behavior cloning of the teacher, from the model of the settings."""
    settings, rng = run.settings.clone, run.rng("clone")
    run.generator("clone")
    model, tokenizer = load(run.settings.model)
    batch, _ = forum.demonstrations(forum.posts(settings.posts, "train", rng), settings.answers, rng, tokenizer)
    optimizer, schedule = _optimizer([{"params": model.parameters(), "lr": settings.rate}], settings.steps, warmup=20)

    def steps(start: int) -> Iterator[dict]:
        stream = shuffled(batch, settings.size, run.settings.seed, start)
        return train_bc(model, stream, optimizer, CloningConfig())

    what = {"model": model, "optimizer": optimizer, "schedule": schedule, "total": settings.steps}
    done = train(run.folder / "clone", steps, every=SAVE_EVERY, progress=run.progress, **what)
    _save(run, "clone", model, tokenizer)
    return done | _cloning_gap(run, model, tokenizer)


def _cloning_gap(run: Run, model: nn.Module, tokenizer: Callable) -> dict[str, float]:
    """KL(teacher‖clone) a summary in nats and as a share of the teacher's entropy, on held-out posts."""
    teacher, rng = Teacher(), run.rng("clone held out")
    told = forum.posts(8 * run.settings.evaluate.posts, "evaluation", rng)
    batch, texts = forum.demonstrations(told, 1, rng, tokenizer)
    student = -answer_losses(model, parts(batch)).double().numpy()
    law = np.array([teacher.logprob(post, text) for post, (text,) in zip(told, texts, strict=True)])
    gap = float((law - student).mean())
    return {"cloning_gap": gap, "cloning_share": gap / float(np.mean([teacher.entropy(post) for post in told]))}


def compare(run: Run) -> dict:
    """Answers of the clone to new posts, and comparisons of them; or the comparisons of a file."""
    start = time.perf_counter()
    settings, rng, generator = run.settings.compare, run.rng("compare"), run.generator("compare")
    model, tokenizer = run.model("clone")
    told = forum.posts(settings.prompts, "train", rng)
    tokens, mask = forum.prompts(told, tokenizer)
    answers = []
    for i in range(0, len(tokens), CHUNK):
        batch, _ = generate(
            model, tokens[i : i + CHUNK], mask[i : i + CHUNK], k=settings.answers,
            max_new_tokens=run.settings.max_new_tokens, eos_id=tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
        answers += answer_texts(batch, tokenizer)
    found = forum.compare(told, answers, settings.temperature, rng)
    preferences.write_jsonl(run.folder / "compare" / "comparisons.jsonl", found)
    return {"comparisons": len(found), "seconds": time.perf_counter() - start}


def comparisons(run: Run, tokenizer: Callable) -> tuple[Batch, Tensor]:
    """The comparisons of the run as the trainers take them, a row a prompt: (batch, wins "B K K").

    Where a prompt has fewer answers than another its first one is repeated, without votes.
    """
    by_prompt: dict[str, list] = {}
    for comparison in preferences.read_jsonl(run.folder / "compare" / "comparisons.jsonl"):
        by_prompt.setdefault(comparison.prompt, []).append(comparison)
    rows = [preferences.prompt_wins(group) for group in by_prompt.values()]
    k = max(wins.shape[1] for _, wins in rows)
    records, padded = [], np.zeros((len(rows), k, k), dtype=np.float32)
    for row, ((record,), wins) in enumerate(rows):
        answers = record["answers"]
        records.append({"prompt": record["prompt"], "answers": answers + answers[:1] * (k - len(answers))})
        padded[row, : len(answers), : len(answers)] = wins[0]
    return collate(records, tokenizer, forum.CONTEXT), torch.from_numpy(padded)


def reward(run: Run) -> dict:
    """A reward model on the clone's trunk, from the comparisons."""
    settings = run.settings.reward
    run.generator("reward")
    clone, tokenizer = run.model("clone")
    model = RewardModel(clone.base_model)
    data = comparisons(run, tokenizer)
    total = int(settings.epochs * len(data[1]) / settings.size)
    optimizer, schedule = _optimizer([{"params": model.parameters(), "lr": settings.rate}], total, warmup=20)

    def steps(start: int) -> Iterator[dict]:
        stream = shuffled(data, settings.size, run.settings.seed, start)
        return train_reward_model(model, stream, optimizer, RewardConfig())

    what = {"model": model, "optimizer": optimizer, "schedule": schedule, "total": total}
    done = train(run.folder / "reward", steps, every=SAVE_EVERY, progress=run.progress, **what)
    model.save_pretrained(run.folder / "reward" / "model")
    return done


def reward_of(run: Run, tokenizer: Callable) -> Callable[[Batch], Tensor]:
    """What the policies are optimised for: the gold reward, or the learned one in its units."""
    if run.settings.gold:
        return forum.gold(tokenizer)
    model, temperature = RewardModel.from_pretrained(run.folder / "reward" / "model"), run.settings.compare.temperature
    # Votes came from σ(Δgold/τ), so the model has learned gold/τ up to a shift for each prompt.
    return lambda batch: model(batch) * temperature


def ppo(run: Run) -> dict:
    """PPO from the clone, with a critic of its own."""
    settings, generator = run.settings.ppo, run.generator("ppo")
    policy, tokenizer = run.model("clone")
    reference = copy.deepcopy(policy)
    value = ValueModel(copy.deepcopy(policy.base_model))
    optimizer, schedule = _optimizer(
        [
            {"params": policy.parameters(), "lr": settings.rate},
            {"params": value.parameters(), "lr": settings.rate * settings.critic},
        ],
        settings.rollouts, warmup=3, floor=0.05,
    )  # fmt: skip
    prompts = forum.prompts(forum.posts(settings.rollouts * settings.prompts, "train", run.rng("ppo")), tokenizer)
    config = PPOConfig(
        max_new_tokens=run.settings.max_new_tokens, eos_id=tokenizer.eos_token_id, k=settings.answers,
        epochs=settings.epochs, value_clip=1.0,
    )  # fmt: skip
    earned, kl = reward_of(run, tokenizer), FixedKL(run.settings.beta)

    def steps(start: int) -> Iterator[dict]:
        stream = shuffled(prompts, settings.prompts, run.settings.seed, start)
        return train_ppo(
            policy, value, reference, earned, stream, optimizer, config, generator=generator, kl=kl
        )  # fmt: skip

    models = nn.ModuleDict({"policy": policy, "value": value})
    what = {"model": models, "optimizer": optimizer, "schedule": schedule, "total": settings.rollouts}
    done = train(run.folder / "ppo", steps, every=1, generator=generator, progress=run.progress, **what)
    _save(run, "ppo", policy, tokenizer)
    return done


def grpo(run: Run) -> dict:
    """Group-relative policy optimisation from the clone: no critic, leave-one-out advantages."""
    settings, generator = run.settings.grpo, run.generator("grpo")
    policy, tokenizer = run.model("clone")
    reference = copy.deepcopy(policy)
    optimizer, schedule = _optimizer(
        [{"params": policy.parameters(), "lr": settings.rate}], settings.rollouts, warmup=3, floor=0.05
    )
    prompts = forum.prompts(forum.posts(settings.rollouts * settings.prompts, "train", run.rng("grpo")), tokenizer)
    config = GRPOConfig(
        max_new_tokens=run.settings.max_new_tokens, eos_id=tokenizer.eos_token_id, k=settings.answers,
        epochs=settings.epochs,
    )  # fmt: skip
    earned, kl = reward_of(run, tokenizer), FixedKL(run.settings.beta)

    def steps(start: int) -> Iterator[dict]:
        stream = shuffled(prompts, settings.prompts, run.settings.seed, start)
        return train_grpo(policy, reference, earned, stream, optimizer, config, generator=generator, kl=kl)

    what = {"model": policy, "optimizer": optimizer, "schedule": schedule, "total": settings.rollouts}
    done = train(run.folder / "grpo", steps, every=1, generator=generator, progress=run.progress, **what)
    _save(run, "grpo", policy, tokenizer)
    return done


def dpo(run: Run) -> dict:
    """DPO from the clone, on the comparisons; β is the run's over the annotator's temperature, so π* is the same."""
    settings = run.settings.dpo
    run.generator("dpo")
    policy, tokenizer = run.model("clone")
    batch, wins = comparisons(run, tokenizer)
    start = time.perf_counter()
    data = batch, wins, reference_logprobs(policy, parts(batch))
    before = time.perf_counter() - start
    total = int(settings.epochs * len(wins) / settings.size)
    optimizer, schedule = _optimizer([{"params": policy.parameters(), "lr": settings.rate}], total, warmup=10)
    config = DPOConfig(beta=run.settings.beta / run.settings.compare.temperature)

    def steps(start: int) -> Iterator[dict]:
        return train_dpo(policy, shuffled(data, settings.size, run.settings.seed, start), optimizer, config)

    what = {"model": policy, "optimizer": optimizer, "schedule": schedule, "total": total}
    done = train(run.folder / "dpo", steps, every=SAVE_EVERY, progress=run.progress, **what)
    _save(run, "dpo", policy, tokenizer)
    return done | {"seconds": done["seconds"] + before}


def _optimizer(groups: list[dict], total: int, warmup: int, floor: float = 0.0) -> tuple:
    """AdamW without weight decay, and its schedule."""
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    return optimizer, LambdaLR(optimizer, warmup_decay(min(warmup, total), total + 1, floor))


def _save(run: Run, stage: str, model: nn.Module, tokenizer: Callable) -> None:
    with whole_folder(run.folder / stage / "model") as draft, quiet():
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
