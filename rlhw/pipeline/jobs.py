"""The five trainings as jobs: a model and data go in, a folder with checkpoints and the trained model comes out.

`rlhw run` and `rlhw train` both end here. Each of them is one loop of the library with its optimizer, schedule, checkpoints and
host; the policy that comes in is its own reference.
"""

import copy
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch, shuffled
from rlhw.behavior_cloning import CloningConfig, evaluate_bc, train_bc
from rlhw.captured import sampling
from rlhw.checkpoint import seed_everything
from rlhw.dpo import DPOConfig, dpo_loss, ipo_loss, kto_pair_loss, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, group_advantages, rloo_advantages, train_grpo
from rlhw.pipeline.early import HeldOut, apart
from rlhw.pipeline.folder import Job, train
from rlhw.pipeline.host import Host, numbers_of
from rlhw.pipeline.settings import DPO, GRPO, PPO, Cloning, Reward
from rlhw.ppo import FixedKL, PPOConfig, ValueModel, train_ppo
from rlhw.reward_model import (
    RewardConfig,
    RewardModel,
    freeze,
    pairwise_loss,
    score_batches,
    train_reward_model,
)
from rlhw.saving import quiet, whole_folder
from rlhw.training import warmup_decay

# So many prompts go through a model at once where nothing is learned.
CHUNK = 100
SAVE_EVERY = 10
LOSSES = {"dpo": dpo_loss, "ipo": ipo_loss, "kto": kto_pair_loss}
ADVANTAGES = {"leave-one-out": rloo_advantages, "group": group_advantages}


def parts(batch: Batch, size: int = CHUNK) -> list[Batch]:
    """The batch in pieces."""
    return [batch.rows(slice(i, i + size)) for i in range(0, len(batch.prompts), size)]


def bc(job: Job, model: nn.Module, tokenizer: Callable, demonstrations: Batch, settings: Cloning) -> dict:
    """Behavior cloning of these demonstrations."""
    called, held_out = job.host.wrap(model), None
    if settings.patience:
        rows, held = apart(demonstrations, job.seed)
        pieces, demonstrations = (
            parts(demonstrations.rows(held), settings.micro_batch or CHUNK),
            demonstrations.rows(rows),
        )
        held_out = _held_out(job, settings, model, lambda: evaluate_bc(called, _there(job.host, pieces)))
    optimizer, schedule = _optimizer(
        job.host, [{"params": model.parameters(), "lr": settings.rate}], settings.steps, warmup=20
    )
    config = CloningConfig(micro_batch=settings.micro_batch)

    def steps(start: int) -> Iterator[dict]:
        stream = map(job.host.share, shuffled(demonstrations, settings.size, job.seed, start))
        return train_bc(called, stream, optimizer, config, engine=job.host.engine)

    what = {"model": model, "optimizer": optimizer, "schedule": schedule, "held_out": held_out}
    done = train(job, steps, total=settings.steps, every=SAVE_EVERY, **what)
    _save(job, model, tokenizer)
    return done


def reward(job: Job, trunk: nn.Module, tokenizer: Callable, votes: tuple[Batch, Tensor], settings: Reward) -> dict:
    """A reward model on this trunk (a base model), from votes: (batch, wins "B K K")."""
    seed_everything(job.seed)
    model = RewardModel(trunk)
    called, held_out = job.host.wrap(model), None
    if settings.patience:
        rows, held = apart(votes[0], job.seed)
        pieces, wins = parts(votes[0].rows(held), settings.micro_batch or CHUNK), votes[1][held]
        votes = votes[0].rows(rows), votes[1][rows]

        def loss() -> float:
            return float(pairwise_loss(score_batches(called, _there(job.host, pieces)), wins).mean())

        held_out = _held_out(job, settings, model, loss)
    total = _steps(settings.epochs, votes[1], settings.size)
    optimizer, schedule = _optimizer(job.host, [{"params": model.parameters(), "lr": settings.rate}], total, warmup=20)
    config = RewardConfig(micro_batch=settings.micro_batch)

    def steps(start: int) -> Iterator[dict]:
        stream = map(job.host.share, shuffled(votes, settings.size, job.seed, start))
        return train_reward_model(called, stream, optimizer, config, engine=job.host.engine)

    what = {"model": model, "optimizer": optimizer, "schedule": schedule, "held_out": held_out}
    done = train(job, steps, total=total, every=SAVE_EVERY, **what)
    _save(job, model, tokenizer)
    return done


def dpo(
    job: Job, policy: nn.Module, tokenizer: Callable, votes: tuple[Batch, Tensor], settings: DPO, *, beta: float
) -> dict:
    """DPO (or IPO, or KTO) from this policy, on votes: (batch, wins "B K K"). beta: DPO's own, over the annotator's temperature."""
    config = DPOConfig(beta=beta, micro_batch=settings.micro_batch)
    called, total, begun = job.host.wrap(policy), _steps(settings.epochs, votes[1], settings.size), time.perf_counter()
    data = *votes, reference_logprobs(called, _there(job.host, parts(votes[0], settings.micro_batch or CHUNK))).cpu()
    before = time.perf_counter() - begun
    optimizer, schedule = _optimizer(job.host, [{"params": policy.parameters(), "lr": settings.rate}], total, warmup=10)

    def steps(start: int) -> Iterator[dict]:
        stream = map(job.host.share, shuffled(data, settings.size, job.seed, start))
        return train_dpo(called, stream, optimizer, config, loss=LOSSES[settings.loss], engine=job.host.engine)

    what = {"model": policy, "optimizer": optimizer, "schedule": schedule}
    done = train(job, steps, total=total, every=SAVE_EVERY, **what)
    _save(job, policy, tokenizer)
    return done | {"seconds": done["seconds"] + before}


def ppo(
    job: Job, policy: nn.Module, tokenizer: Callable, prompts: tuple[Tensor, Tensor], earned: Callable[[Batch], Tensor],
    settings: PPO, *, beta: float, max_new_tokens: int,
) -> dict:  # fmt: skip
    """PPO from this policy, for the reward `earned`, on (prompts, mask)."""
    if settings.shared and job.host.world > 1:
        raise ValueError("ppo.shared: one trunk in two models works in one process only; leave it out.")
    reference = job.host.wrap(copy.deepcopy(policy), learns=False)
    value = ValueModel(policy.base_model if settings.shared else copy.deepcopy(policy.base_model))
    if settings.frozen:
        freeze(policy, settings.frozen)
    # Before the optimizer is made: shards are other parameters.
    called, critic = _sampled_fast(job, policy, max_new_tokens), job.host.wrap(value)
    own = list(value.head.parameters()) if settings.shared else list(value.parameters())
    groups = [
        {"params": [p for p in policy.parameters() if p.requires_grad], "lr": settings.rate},
        {"params": own, "lr": settings.rate * settings.critic},
    ]
    optimizer, schedule = _optimizer(job.host, groups, settings.rollouts, warmup=3, floor=0.05)
    config = PPOConfig(
        max_new_tokens=max_new_tokens, eos_id=tokenizer.eos_token_id, k=settings.answers, epochs=settings.epochs,
        minibatch=settings.minibatch, value_clip=1.0,
    )  # fmt: skip
    generator, kl = torch.Generator(), FixedKL(beta)
    loop = partial(train_ppo, called, critic, reference, earned)

    def steps(start: int) -> Iterator[dict]:
        stream = _rollouts(job, prompts, settings, max_new_tokens, generator, start)
        return loop(stream, optimizer, config, generator=generator, kl=kl, engine=job.host.engine)

    # With one trunk the critic's state is the policy's and a head.
    models = nn.ModuleDict({"policy": policy, "value": value.head if settings.shared else value})
    what = {"model": models, "optimizer": optimizer, "schedule": schedule}
    done = train(job, steps, total=settings.rollouts, every=1, **what)
    _save(job, policy, tokenizer)
    return done


def grpo(
    job: Job, policy: nn.Module, tokenizer: Callable, prompts: tuple[Tensor, Tensor], earned: Callable[[Batch], Tensor],
    settings: GRPO, *, beta: float, max_new_tokens: int,
) -> dict:  # fmt: skip
    """Group-relative policy optimisation from this policy, for the reward `earned`, on (prompts, mask): no critic."""
    reference = job.host.wrap(copy.deepcopy(policy), learns=False)
    called = _sampled_fast(job, policy, max_new_tokens)
    groups = [{"params": policy.parameters(), "lr": settings.rate}]
    optimizer, schedule = _optimizer(job.host, groups, settings.rollouts, warmup=3, floor=0.05)
    config = GRPOConfig(
        max_new_tokens=max_new_tokens, eos_id=tokenizer.eos_token_id, k=settings.answers, epochs=settings.epochs,
        minibatch=settings.minibatch,
    )  # fmt: skip
    generator, kl = torch.Generator(), FixedKL(beta)
    loop = partial(train_grpo, called, reference, earned, advantages=ADVANTAGES[settings.advantages])

    def steps(start: int) -> Iterator[dict]:
        stream = _rollouts(job, prompts, settings, max_new_tokens, generator, start)
        return loop(stream, optimizer, config, generator=generator, kl=kl, engine=job.host.engine)

    what = {"model": policy, "optimizer": optimizer, "schedule": schedule}
    done = train(job, steps, total=settings.rollouts, every=1, **what)
    _save(job, policy, tokenizer)
    return done


def _rollouts(
    job: Job, prompts: tuple[Tensor, Tensor], settings: PPO | GRPO, max_new_tokens: int, generator: torch.Generator, start: int
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    """This process's prompts of each rollout, with the generator set to its numbers: the answers are those of one process."""
    first = job.host.mine(settings.prompts).start
    for step, batch in enumerate(shuffled(prompts, settings.prompts, job.seed, start), start):
        numbers_of(generator, job.seed, step)
        torch.rand(first * settings.answers, max_new_tokens, generator=generator, dtype=torch.float64)
        yield job.host.share(batch)


def _steps(epochs: float, wins: Tensor, size: int) -> int:
    """Optimizer steps in so many times through the rows. Raises ValueError when that is none."""
    if size > len(wins):
        raise ValueError(f"size must be at most the {len(wins)} prompts that were compared; got {size}.")
    if (total := int(epochs * (len(wins) // size))) < 1:
        raise ValueError(f"epochs must make at least one step of {size} of the {len(wins)} prompts; got {epochs}.")
    return total


def _optimizer(host: Host, groups: list[dict], total: int, warmup: int, floor: float = 0.0) -> tuple:
    """AdamW without weight decay, and its schedule. On a GPU one kernel takes the whole step."""
    fused = True if host.device.type == "cuda" else None
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=fused)
    return optimizer, LambdaLR(optimizer, warmup_decay(min(warmup, total), total + 1, floor))


def _held_out(job: Job, settings: Cloning | Reward, model: nn.Module, loss: Callable[[], float]) -> HeldOut:
    """Early stopping as these settings have it, with a checkpoint at each measurement."""
    every = SAVE_EVERY * -(-settings.measure_every // SAVE_EVERY)
    return HeldOut(loss, every, settings.patience, job.folder / "best", model, job.host)


def _there(host: Host, pieces: list[Batch]) -> Iterator[Batch]:
    """One piece after the other on the device."""
    return (piece.to(host.device) for piece in pieces)


def _sampled_fast(job: Job, policy: nn.Module, max_new_tokens: int) -> nn.Module:
    """The policy as the loops call it: it is sampled from in captured steps where the GPU and the model let it."""
    return sampling(job.host.wrap(policy), max_new_tokens, print if job.host.main else str)


def _save(job: Job, model: nn.Module, tokenizer: Callable) -> None:
    """The trained model beside its checkpoints, as transformers reads it, with its tokenizer."""
    model = job.host.whole(model)
    if job.host.main:
        with whole_folder(job.folder / "model") as draft, quiet():
            model.save_pretrained(draft)
            tokenizer.save_pretrained(draft)
    job.host.wait()
