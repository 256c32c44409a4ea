"""What the cards of chapters 6 and 8 share: for each seed one clone of the small forum, its comparisons, held-out posts and J*.

All of it is kept in runs/base/<seed>, and each result of a benchmark beside it as one file that is there whole or not at all: a
benchmark that is stopped goes on where it was. `python -m benchmarks.base_runs` makes the five, in about eight minutes of one core.
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch, collate_prompts, shuffled
from rlhw.evaluation import attainable, effective_samples
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.language_model import load
from rlhw.pipeline import run
from rlhw.pipeline.attained import best_of_each
from rlhw.pipeline.command import bar
from rlhw.pipeline.folder import write_whole
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.sampled import Sampled, sample
from rlhw.pipeline.settings import Clone, Compare, Evaluate, Settings
from rlhw.ppo import FixedKL
from rlhw.saving import quiet, whole_folder
from rlhw.training import warmup_decay

SEEDS = (0, 1, 2, 3, 4)
BETA, TAU, ROLLOUTS, POOL = 0.25, 0.5, 25, 128
SETTINGS = Settings(
    gold=True, beta=BETA, out=Path("runs/base"), clone=Clone(posts=3600, steps=100), compare=Compare(prompts=1500, temperature=TAU),
    evaluate=Evaluate(posts=48, answers=16),
)  # fmt: skip


def kept(path: Path, make: Callable[[], dict]) -> dict:
    """The result in this file, made unless an earlier run has left it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(make()))
    return json.loads(path.read_text(encoding="utf8"))


@dataclass(frozen=True)
class Base:
    """One seed: its settings and folder, the clone, and the held-out posts as tokens and mask."""

    settings: Settings
    clone: nn.Module
    tokenizer: Callable
    posts: tuple[Tensor, Tensor]

    @property
    def seed(self) -> int:
        return self.settings.seed

    @property
    def folder(self) -> Path:
        return self.settings.out

    @property
    def forum(self) -> Forum:
        return Forum(self.tokenizer, self.settings.context)

    def gold(self) -> Callable[[Batch], Tensor]:
        """The gold reward of a batch of answers."""
        return self.forum.gold()

    def prompts(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Posts to be answered, as tokens and mask."""
        return collate_prompts(texts, self.tokenizer, self.settings.context - self.settings.max_new_tokens)

    def new_posts(self, count: int, use: str) -> list[str]:
        """Posts of the training side, drawn anew for each use."""
        return self.forum.prompts(count, "train", np.random.default_rng((self.seed, *use.encode())))

    def batches(self, rollouts: int, size: int, use: str) -> list[tuple[Tensor, Tensor]]:
        """The posts of so many rollouts, `size` in each."""
        return list(islice(shuffled(self.prompts(self.new_posts(rollouts * size, use)), size, self.seed), rollouts))

    def answers(
        self,
        policy: nn.Module,
        learned: Callable | None = None,
        k: int | None = None,
        reference: nn.Module | None = None,
    ) -> Sampled:
        """Answers of a policy to the held-out posts, judged by gold, with log π/π_ref (the clone, or another reference).

        Every policy gets the same random numbers.
        """
        judge, k = self.gold(), k or self.settings.evaluate.answers
        return sample(
            policy, reference or self.clone, judge, learned or judge, *self.posts, self.tokenizer, k=k,
            max_new_tokens=self.settings.max_new_tokens, generator=torch.Generator().manual_seed(self.seed),
        )  # fmt: skip

    def kept(self, name: str, make: Callable[[], dict]) -> dict:
        """The result of this name, made unless an earlier run has left it."""
        return kept(self.folder / f"{name}.json", make)

    def policy(self, name: str, make: Callable[[], nn.Module]) -> nn.Module:
        """The policy of this name, trained unless an earlier run has left it."""
        place = self.folder / name
        if not (place / "model").is_dir():
            trained = make()
            with whole_folder(place / "model") as draft, quiet():
                trained.save_pretrained(draft)
                self.tokenizer.save_pretrained(draft)
        return load(place / "model")[0]


def base(seed: int, settings: Settings = SETTINGS) -> Base:
    """The base of this seed, made where it is not there yet."""
    settings = replace(settings, seed=seed, out=settings.out / str(seed))
    run(settings, resume=(settings.out / "settings.json").is_file(), until="compare", progress=bar)
    clone, tokenizer = load(settings.out / "clone" / "model")
    texts = Forum(tokenizer, settings.context).prompts(
        settings.evaluate.posts, "evaluation", np.random.default_rng((seed, 1))
    )
    length = settings.context - settings.max_new_tokens
    return Base(settings, clone, tokenizer, collate_prompts(texts, tokenizer, length))


def grpo(
    seed: Base, reward: Callable[[Batch], Tensor], beta: float, use: str, *, rollouts: int = ROLLOUTS, posts: int = 16,
    rate: float = 1e-3, start: nn.Module | None = None,
) -> Iterator[tuple[nn.Module, dict[str, float]]]:  # fmt: skip
    """GRPO, leave-one-out, from the clone or another start: (policy, figures) after each rollout, with 8 answers to a post."""
    policy = copy.deepcopy(start or seed.clone)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = LambdaLR(optimizer, warmup_decay(min(3, rollouts), rollouts + 1, 0.05))
    config = GRPOConfig(max_new_tokens=seed.settings.max_new_tokens, eos_id=seed.tokenizer.eos_token_id, epochs=2)
    generator = torch.Generator().manual_seed(seed.seed)
    batches = seed.batches(rollouts, posts, use)
    loop = train_grpo(policy, seed.clone, reward, batches, optimizer, config, generator=generator, kl=FixedKL(beta))
    for figures in loop:
        schedule.step()
        yield policy, figures


def last(steps: Iterator[tuple[nn.Module, dict[str, float]]]) -> nn.Module:
    """The policy at the end of a training."""
    *_, (policy, _) = steps
    return policy


@dataclass(frozen=True)
class Pool:
    """Scored answers to the held-out posts: rewards and log π_ref/q "B N", q the even mixture of clone and trained policy."""

    rewards: np.ndarray
    log_weights: np.ndarray

    def best(self, beta: float) -> dict:
        """J* at this β, its standard error, effective samples a post, J* of each post, KL and reward of the best policy."""
        jstar, error = attainable(self.rewards, beta, self.log_weights)
        exponents = self.rewards / beta + self.log_weights
        weights = softmax(exponents, axis=1)
        log_z = logsumexp(exponents, axis=1) - np.log(exponents.shape[1])
        earned = (weights * self.rewards).sum(1)
        return {
            "jstar": jstar, "jstar_se": error, "kl": float((earned / beta - log_z).mean()), "reward": float(earned.mean()),
            "effective": float(np.median(effective_samples(self.rewards, beta, self.log_weights))),
            "jstar_of": best_of_each(self.rewards, self.log_weights, beta).tolist(),
        }  # fmt: skip


def pool(clone: Sampled, trained: Sampled, clone_under_trained: np.ndarray) -> Pool:
    """Equally many answers of both; the clone's log π_ref/π is given, the trained policy's log π/π_ref is its own."""
    ratios = np.hstack([-clone_under_trained, trained.log_ratios])
    # log π_ref/(½ π_ref + ½ π) with log π/π_ref.
    return Pool(np.hstack([clone.judged, trained.judged]), -(np.logaddexp(0, ratios) - np.log(2)))


def known(seed: Base) -> dict:
    """What is known of a seed: the clone's reward on the held-out posts, J* at β = 0.25, GRPO's results beside, and the pool."""

    def make() -> dict:
        trained = seed.policy("grpo", lambda: last(grpo(seed, seed.gold(), BETA, "grpo")))
        policy = seed.answers(trained, k=POOL)
        clone = seed.answers(seed.clone, k=POOL, reference=trained)
        both = pool(clone, policy, clone.log_ratios)
        start = clone.judged.mean(1)
        return {
            "start": start.tolist(), "best": both.best(BETA), "grpo": policy.figures(BETA), "length": float(clone.lengths.mean()),
            "objectives": policy.objectives(BETA).tolist(), "rewards": both.rewards.tolist(),
            "log_weights": both.log_weights.tolist(),
        }  # fmt: skip

    return seed.kept("known", make)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="this one alone")
    chosen = parser.parse_args().seed
    for seed in SEEDS if chosen is None else (chosen,):
        begun = time.process_time()
        found = known(base(seed))
        gain = np.mean(found["objectives"]) - np.mean(found["start"])
        room = found["best"]["jstar"] - np.mean(found["start"])
        print(
            f"seed {seed}: J_ref {np.mean(found['start']):.3f}, J* {found['best']['jstar']:.3f} ± {found['best']['jstar_se']:.3f} "
            f"({found['best']['effective']:.0f} effective), KL {found['grpo']['kl']:.2f}, GRPO's share {gain / room:.3f}; "
            f"{time.process_time() - begun:.0f} s of CPU",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
