"""The stages of a run: clone -> compare -> reward -> PPO, GRPO, DPO. Each reads what those before it left in the folder."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rlhw.batches import Batch, answer_texts, collate_prompts
from rlhw.captured import sampling
from rlhw.checkpoint import seed_everything
from rlhw.language_model import generate, load
from rlhw.pipeline import forum, jobs
from rlhw.pipeline.data import check_context, fitting, read_comparisons, votes, world
from rlhw.pipeline.folder import Job, Progress
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.host import Host
from rlhw.pipeline.memory import at_once
from rlhw.pipeline.sampled import sample
from rlhw.pipeline.settings import SIMULATED, Settings
from rlhw.pipeline.texts import Texts
from rlhw.preferences import Comparison, read_jsonl, split_by_prompt, write_jsonl
from rlhw.reward_model import RewardModel

COMPARISONS, HELD_OUT = "comparisons.jsonl", "held_out.jsonl"
# Of fewer prompts than these none is held out; of so many a draw without any is out of the question.
ENOUGH = 200


@dataclass(frozen=True)
class Run:
    """Settings, where the run lives, what it runs on, what shows its progress, and what tells the user something."""

    settings: Settings
    folder: Path
    host: Host
    progress: Progress
    say: Callable[[str], None]

    def rng(self, stage: str) -> np.random.Generator:
        """Numbers of a stage's own: the same whether the stages before it ran now or in an earlier process."""
        return np.random.default_rng((self.settings.seed, *stage.encode()))

    def generator(self, stage: str) -> torch.Generator:
        """The same for torch."""
        return seed_everything(int(self.rng(stage).integers(2**32)))

    def job(self, stage: str) -> Job:
        """The training of a stage."""
        return Job(self.folder / stage, self.host, self.settings.seed, self.progress)

    def model(self, stage: str) -> tuple[nn.Module, Callable]:
        """The language model that a stage left, and its tokenizer."""
        return load(self.folder / stage / "model", device=self.host.device)

    def sampler(self, model: nn.Module) -> nn.Module:
        """A model as answers are sampled from it: in captured steps where the GPU and the model let it."""
        return sampling(model, self.settings.max_new_tokens, self.say)

    def held_out_posts(self, tokenizer: Callable) -> list[str]:
        """The posts that policies are measured on."""
        settings = self.settings
        return self.world(tokenizer).prompts(
            settings.evaluate.posts, "evaluation", np.random.default_rng((settings.seed, 1))
        )

    def world(self, tokenizer: Callable) -> Forum | Texts:
        """Where posts come from."""
        return world(self.settings, tokenizer)

    def prompts(self, texts: list[str], tokenizer: Callable) -> tuple[Tensor, Tensor]:
        """Posts to be answered, as tokens and mask."""
        return collate_prompts(texts, tokenizer, self.settings.context - self.settings.max_new_tokens)


def clone(run: Run) -> dict:
    """Behavior cloning, from the model of the settings."""
    settings, rng = run.settings.clone, run.rng("clone")
    model, tokenizer = load(run.settings.model)
    check_context(model, run.settings.context)
    posts = run.world(tokenizer)
    # Nothing is trained that could not be gone on with, or measured afterwards.
    if run.settings.data != SIMULATED:
        read_comparisons(run.settings.data)
    posts.demonstrations(1, 1, "evaluation", run.rng("clone held out"))
    demonstrations = posts.demonstrations(settings.posts, settings.answers, "train", rng)
    done = jobs.bc(run.job("clone"), model, tokenizer, demonstrations, settings)
    return done | posts.cloning(model, 16 * run.settings.evaluate.posts, run.rng("clone held out"))


def compare(run: Run) -> dict:
    """Answers of the clone to new posts, and comparisons of them; or the comparisons of a file."""
    start = time.perf_counter()
    model, tokenizer = run.model("clone")
    if run.settings.data == SIMULATED:
        found = _simulated(run, run.sampler(model), tokenizer)
    else:
        found, words = read_comparisons(run.settings.data)
        found, left_out = fitting(found, tokenizer, run.settings.context)
        run.say(f"data: {words}; {left_out}.")
        found, held_out = _halves(found, run.settings.seed)
        if run.host.main and held_out:
            write_jsonl(run.folder / "compare" / HELD_OUT, held_out)
    if run.host.main:
        write_jsonl(run.folder / "compare" / COMPARISONS, found)
    run.host.wait()
    return {"comparisons": len(found), "seconds": time.perf_counter() - start}


def _halves(found: list[Comparison], seed: int) -> tuple[list[Comparison], list[Comparison]]:
    """(train, held out): one prompt in ten is held out where there are enough to measure anything by."""
    return (found, []) if len({one.prompt for one in found}) < ENOUGH else split_by_prompt(found, 0.1, seed)


def _simulated(run: Run, sampler: nn.Module, tokenizer: Callable) -> list[Comparison]:
    settings, rng, generator = (run.settings.compare, run.rng("compare"), run.generator("compare"))
    texts, answers = run.world(tokenizer).prompts(settings.prompts, "train", rng), []
    tokens, mask = run.prompts(texts, tokenizer)
    for first in range(0, len(tokens), jobs.CHUNK):
        rows = slice(first, first + jobs.CHUNK)
        batch, _ = generate(
            sampler, tokens[rows].to(run.host.device), mask[rows].to(run.host.device), k=settings.answers,
            max_new_tokens=run.settings.max_new_tokens, eos_id=tokenizer.eos_token_id, generator=generator,
        )  # fmt: skip
        answers += answer_texts(batch, tokenizer)
    return forum.compare(texts, answers, settings.temperature, rng)


def comparisons(run: Run, tokenizer: Callable) -> tuple[Batch, Tensor]:
    """The comparisons of the run: (batch, wins "B K K")."""
    return votes(read_jsonl(run.folder / "compare" / COMPARISONS), tokenizer, run.settings.context)


def reward(run: Run) -> dict:
    """A reward model on the clone's trunk, from the comparisons."""
    model, tokenizer = run.model("clone")
    return jobs.reward(run.job("reward"), model.base_model, tokenizer, comparisons(run, tokenizer), run.settings.reward)


def reward_of(run: Run, tokenizer: Callable) -> Callable[[Batch], Tensor]:
    """What the policies are optimised for: the gold reward, or the learned one in its units."""
    return run.world(tokenizer).gold() if run.settings.gold else learned(run)


def learned(run: Run) -> Callable[[Batch], Tensor]:
    """The learned reward in units of gold: votes came from σ(Δgold/τ), so the model has learned gold/τ, up to a shift a prompt."""
    model = run.host.wrap(RewardModel.from_pretrained(run.folder / "reward" / "model"), learns=False)
    return lambda batch: model(batch) * run.settings.temperature


def ppo(run: Run) -> dict:
    """PPO from the clone."""
    settings, (policy, tokenizer) = run.settings.ppo, run.model("clone")
    done = jobs.ppo(
        run.job("ppo"), policy, tokenizer, _new_prompts(run, "ppo", settings.rollouts * settings.prompts, tokenizer),
        reward_of(run, tokenizer), settings, beta=run.settings.beta, max_new_tokens=run.settings.max_new_tokens,
    )  # fmt: skip
    return done | measured(run, "ppo")


def grpo(run: Run) -> dict:
    """GRPO from the clone."""
    settings, (policy, tokenizer) = run.settings.grpo, run.model("clone")
    done = jobs.grpo(
        run.job("grpo"), policy, tokenizer, _new_prompts(run, "grpo", settings.rollouts * settings.prompts, tokenizer),
        reward_of(run, tokenizer), settings, beta=run.settings.beta, max_new_tokens=run.settings.max_new_tokens,
    )  # fmt: skip
    return done | measured(run, "grpo")


def dpo(run: Run) -> dict:
    """DPO from the clone, on the comparisons; β is the run's over the annotator's temperature, so π* is the same."""
    policy, tokenizer = run.model("clone")
    beta = run.settings.beta / run.settings.temperature
    done = jobs.dpo(run.job("dpo"), policy, tokenizer, comparisons(run, tokenizer), run.settings.dpo, beta=beta)
    return done | measured(run, "dpo")


def measured(run: Run, stage: str) -> dict[str, dict]:
    """What the policy of a stage does on some of the held-out posts, where the settings ask for it; it is said, too."""
    settings = run.settings
    if not settings.evaluate.each:
        return {}
    # Every process measures the same, each with whole models.
    run = replace(run, host=run.host.alone())
    reference, tokenizer = run.model("clone")
    texts = run.held_out_posts(tokenizer)[: settings.evaluate.each]
    score = learned(run)
    tokens, mask = (part.to(run.host.device) for part in run.prompts(texts, tokenizer))
    answers = sample(
        run.sampler(run.model(stage)[0]), reference, run.world(tokenizer).gold() or score, score, tokens, mask, tokenizer,
        k=settings.evaluate.answers, max_new_tokens=settings.max_new_tokens,
        generator=torch.Generator().manual_seed(settings.seed), at_once=at_once(settings, reference.config),
    )  # fmt: skip
    found = answers.figures(settings.beta)
    run.say(
        f"{stage}: on {len(texts)} held-out posts reward {found['reward']:.2f}, KL {found['kl']:.2f} nats, "
        f"J {found['objective']:.2f} ± {found['standard_error']:.2f}."
    )
    return {"held_out": found}


def _new_prompts(run: Run, stage: str, count: int, tokenizer: Callable) -> tuple[Tensor, Tensor]:
    """Posts of a stage's own."""
    return run.prompts(run.world(tokenizer).prompts(count, "train", run.rng(stage)), tokenizer)
