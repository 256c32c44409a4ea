"""Problems small enough to be summed over: 27 answers to each of three prompts, and the ways to PPO run on them.

A problem is a reference table and a reward for each answer, both drawn from its seed; J*, J and any KL are sums over all answers.
"""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch
from rlhw.grpo import GRPOConfig, rloo_advantages, train_grpo
from rlhw.logprobs import sequence_logprobs
from rlhw.ppo import FixedKL, PPOConfig, ValueModel, train_ppo
from rlhw.rollouts import collect
from rlhw.tabular_lm import TabularLM, enumerate_answers
from rlhw.training import warmup_decay
from rlhw.weighted_update import weighted_step

SYMBOLS, LENGTH, BETA = 3, 3, 0.5
PROMPTS = torch.tensor([[0], [1], [2]])
MASK = torch.ones_like(PROMPTS, dtype=torch.bool)
ANSWERS = enumerate_answers(PROMPTS, MASK, SYMBOLS, LENGTH)
# Of each rollout: so many copies of the three prompts, and answers to each.
WIDTH, K, ROLLOUTS, EPOCHS = 4, 4, 24, 4
PLACES = SYMBOLS ** torch.arange(LENGTH)


class Problem:
    """One reward an answer, and a reference; `reward` is what the trainers call, `share` what is told of a policy."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.reference = TabularLM(SYMBOLS, 1 + LENGTH, generator=generator).double()
        self.rewards = torch.randn(len(PROMPTS), SYMBOLS**LENGTH, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            self.ref_logprobs = sequence_logprobs(self.reference, ANSWERS)
        exponents = self.ref_logprobs + self.reward(ANSWERS) / BETA
        self.jstar = float(BETA * exponents.logsumexp(1).mean())
        self.best = exponents.softmax(1)
        self.jref = self.objective(self.reference)

    def reward(self, batch: Batch) -> Tensor:
        """The reward of each answer of a batch, "B K"."""
        return self.rewards[batch.prompts[:, -1:], (batch.responses * PLACES).sum(-1)]

    @torch.no_grad()
    def objective(self, policy: TabularLM) -> float:
        """J_β by enumeration: the mean over prompts of Σ_y π(y) (r(y) - β log π(y)/π_ref(y))."""
        logs = sequence_logprobs(policy, ANSWERS)
        return float((logs.exp() * (self.reward(ANSWERS) - BETA * (logs - self.ref_logprobs))).sum(1).mean())

    def share(self, policy: TabularLM) -> float:
        """The share of J* - J_ref that a policy has come."""
        return (self.objective(policy) - self.jref) / (self.jstar - self.jref)


def prompts() -> Iterator[tuple[Tensor, Tensor]]:
    """An endless stream of the prompts of one rollout."""
    while True:
        yield PROMPTS.repeat(WIDTH, 1), MASK.repeat(WIDTH, 1)


def curve(method: Callable, problem: Problem, rate: float, seed: int) -> list[float]:
    """The share after each rollout; the learning rate falls to zero over the run."""
    policy, generator = copy.deepcopy(problem.reference), torch.Generator().manual_seed(seed)
    steps, optimizer = method(problem, policy, rate, generator)
    schedule, shares = LambdaLR(optimizer, warmup_decay(0, ROLLOUTS)), []
    for _, _ in zip(range(ROLLOUTS), steps, strict=False):
        schedule.step()
        shares.append(problem.share(policy))
    return shares


def reinforce(advantages: Callable[[Tensor], Tensor], epochs: int = 1) -> Callable:
    """REINFORCE by `weighted_step`; with more epochs the same answers are used again as if they were new: no ratio."""

    def method(problem: Problem, policy: TabularLM, rate: float, generator: torch.Generator) -> tuple:
        optimizer = torch.optim.Adam(policy.parameters(), lr=rate)

        def steps() -> Iterator[None]:
            for tokens, mask in prompts():
                rollout = collect(
                    policy, problem.reference, problem.reward, tokens, mask, k=K, max_new_tokens=LENGTH, eos_id=None,
                    generator=generator,
                )  # fmt: skip
                weights = advantages(rollout.scores - BETA * rollout.log_ratios)
                for _ in range(epochs):
                    weighted_step(policy, optimizer, rollout.batch, weights)
                yield

        return steps(), optimizer

    return method


def ratios(clip: float, epochs: int) -> Callable:
    """Leave-one-out weights, each rollout gone through several times with the ratio to the policy that sampled it."""

    def method(problem: Problem, policy: TabularLM, rate: float, generator: torch.Generator) -> tuple:
        optimizer = torch.optim.Adam(policy.parameters(), lr=rate)
        config = GRPOConfig(max_new_tokens=LENGTH, eos_id=None, k=K, epochs=epochs, clip=clip)
        steps = train_grpo(
            policy, problem.reference, problem.reward, prompts(), optimizer, config, generator=generator, kl=FixedKL(BETA),
            advantages=rloo_advantages,
        )  # fmt: skip
        return steps, optimizer

    return method


def critic(epochs: int) -> Callable:
    """PPO: a critic's advantages by GAE in the place of leave-one-out."""

    def method(problem: Problem, policy: TabularLM, rate: float, generator: torch.Generator) -> tuple:
        value = ValueModel(problem.reference.trunk).double()
        groups = [{"params": policy.parameters(), "lr": rate}, {"params": value.parameters(), "lr": 2 * rate}]
        optimizer = torch.optim.Adam(groups)
        config = PPOConfig(max_new_tokens=LENGTH, eos_id=None, k=K, epochs=epochs, value_clip=math.inf)
        steps = train_ppo(
            policy, value, problem.reference, problem.reward, prompts(), optimizer, config, generator=generator,
            kl=FixedKL(BETA),
        )  # fmt: skip
        return steps, optimizer

    return method


METHODS = {
    "plain": reinforce(lambda returns: returns),
    "leave_one_out": reinforce(rloo_advantages),
    "again": reinforce(rloo_advantages, EPOCHS),
    "ratio": ratios(math.inf, EPOCHS),
    "clip": ratios(0.2, EPOCHS),
    "critic": critic(EPOCHS),
}
