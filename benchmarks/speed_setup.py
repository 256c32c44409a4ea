"""What the speed comparisons share: sizes, data, the clock, and what a run shows of itself.

Nothing here knows TRL. Data are batches of token ids, and both sides get the same ones: no text is tokenised on any clock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks import tiny_runs
from rlhw.batches import Batch
from rlhw.logprobs import response_logprobs
from rlhw.reward_model import RewardModel, last_token
from rlhw.rollouts import Rollout

# β of DPO; ε of the clipped surrogate; K of a rollout and of sampling. The annotator's temperature is that of the other cards.
BETA, CLIP, ROLLOUT_K, SAMPLING_K, TEMPERATURE = 0.1, 0.2, 8, 4, 0.5
# Another policy than the reference: with both the same, any data and any loss would give ln 2 at the first step.
NOISE = 0.1
# Rollouts come from a nearer policy, as they do in training: from a far one the loss was 37, where float32 sums differ by 2e-4.
ROLLOUT_NOISE = 0.02
# The held-out data of a seed come from this seed later.
LATER = 1000


@dataclass(frozen=True)
class Setup:
    """Sizes and sources of one machine's comparison.

    model: a causal language model without dropout in float32, the same weights at each call. policy: one that has learned to
    end its answers, for sampling (None: the model). answers: (seed, count, k) -> `count`
    prompts with k answers each. reward: the score of each answer. sizes: prompts in a batch, by answers a prompt. bf16:
    training under autocast with float32 weights, sampling from bf16 weights. first_loss: the most by which first-step
    losses may differ, in nats; held_out_loss: the same for final held-out losses, as a share.
    """

    model: Callable[[], PreTrainedModel]
    tokenizer: PreTrainedTokenizerBase
    answers: Callable[[int, int, int], Batch]
    reward: Callable[[Batch], Tensor]
    sizes: dict[int, int]
    steps: int
    held_out: int
    sampled: int
    rate: float
    max_new_tokens: int
    device: str = "cpu"
    bf16: bool = False
    policy: Callable[[], PreTrainedModel] | None = None
    first_loss: float = 1e-4
    held_out_loss: float = 0.02


@dataclass(frozen=True)
class Votes:
    """Votes (batch, wins "B K K") to learn from, and others to be judged on; `start` is the model before training."""

    start: nn.Module
    reference: nn.Module | None
    train: tuple[Batch, Tensor]
    held_out: tuple[Batch, Tensor]
    size: int


@dataclass(frozen=True)
class Rollouts:
    """Ready rollouts, one an update; the prompts of one rollout have one length."""

    start: nn.Module
    train: list[Rollout]
    held_out: list[Rollout]


@dataclass(frozen=True)
class Prompts:
    """Prompts "B P" to be answered, their mask, and the seed of the answers."""

    model: nn.Module
    tokens: Tensor
    mask: Tensor
    seed: int


@dataclass
class Clock:
    """Adds up the seconds spent under `with clock:`; on a GPU it waits for it, and keeps the peak of its memory in MB."""

    device: str
    seconds: float = field(default=0.0, init=False)
    peak_mb: float = field(default=0.0, init=False)

    def __enter__(self) -> None:
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        self.start = time.perf_counter()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
            self.peak_mb = max(self.peak_mb, torch.cuda.max_memory_allocated() / 2**20)
        self.seconds += time.perf_counter() - self.start


@dataclass(frozen=True)
class Run:
    """One run of one side: `count` pairs, answers or tokens, the clock, and what must agree with the other side's run."""

    count: int
    clock: Clock
    witnesses: dict[str, Tensor]

    @property
    def rate(self) -> float:
        return self.count / self.clock.seconds


def dpo_votes(setup: Setup, seed: int, k: int) -> Votes:
    """Votes between k answers a prompt, and a policy some way from its reference."""
    return Votes(_moved(setup, seed), setup.model().to(setup.device), *_votes(setup, seed, k), setup.sizes[k])


def reward_votes(setup: Setup, seed: int, k: int) -> Votes:
    """The same votes, and a reward model with a random head that reads the last token, as a sequence classifier does."""
    torch.manual_seed(seed)
    model = RewardModel(setup.model().base_model, last_token).to(setup.device)
    return Votes(model, None, *_votes(setup, seed, k), setup.sizes[k])


def rollouts(setup: Setup, seed: int) -> Rollouts:
    """Ready answers, their scores, and their log-probabilities under a policy some way from the one that is updated.

    Who wrote the answers changes nothing in the time of an update, so they need not be sampled from that policy.
    """
    old, size, count = _moved(setup, seed, ROLLOUT_NOISE), setup.sizes[ROLLOUT_K], setup.steps + 2
    pool = setup.answers(seed, 60 * size, ROLLOUT_K)
    found = []
    for rows in _of_one_length(pool, size, count, seed):
        batch = pool.rows(rows).to(setup.device)
        with torch.no_grad():
            logprobs = response_logprobs(old, batch)
        found.append(Rollout(batch, logprobs, logprobs, setup.reward(batch).to(logprobs)))
    return Rollouts(setup.model().to(setup.device), found[: setup.steps], found[setup.steps :])


def prompts(setup: Setup, seed: int, *, ending: bool = True) -> Prompts:
    """Prompts for the setup's policy, whose answers end, or for its model (`ending=False`)."""
    batch = setup.answers(seed, setup.sampled, 1).to(setup.device)
    dtype = torch.bfloat16 if setup.bf16 else torch.float32
    model = setup.policy if ending and setup.policy is not None else setup.model
    return Prompts(model().to(setup.device, dtype), batch.prompts, batch.prompt_mask, seed)


def _moved(setup: Setup, seed: int, noise: float = NOISE) -> nn.Module:
    model, generator = setup.model(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += noise * parameter.std() * torch.randn(parameter.shape, generator=generator)
    return model.to(setup.device)


def _votes(setup: Setup, seed: int, k: int) -> tuple[tuple[Batch, Tensor], tuple[Batch, Tensor]]:
    found = []
    for source, count in ((seed, setup.steps * setup.sizes[k]), (seed + LATER, setup.held_out)):
        batch = setup.answers(source, count, k)
        scores = setup.reward(batch).double() / TEMPERATURE
        wins = tiny_runs.votes((scores[:, :, None] - scores[:, None, :]).sigmoid(), source)
        found.append((batch.to(setup.device), wins.to(setup.device)))
    return found[0], found[1]


def _of_one_length(pool: Batch, size: int, count: int, seed: int) -> list[Tensor]:
    """`count` groups of `size` prompts that are equally long, in random order."""
    lengths = pool.prompt_mask.sum(1)
    alike = [group for length in lengths.unique() for group in (lengths == length).nonzero()[:, 0].split(size)]
    full = [group for group in alike if len(group) == size]
    if len(full) < count:
        raise ValueError(f"answers give {len(full)} groups of {size} equally long prompts; {count} are needed.")
    return [full[i] for i in np.random.default_rng(seed).permutation(len(full))[:count]]
