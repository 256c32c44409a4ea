"""Tasks on a table of logits, small enough to sum over all answers: three prompts, three symbols, answers of up to three tokens."""

import torch
from torch import Tensor

from rlhw.batches import Batch
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

SYMBOLS, EOS, STEPS, BETA = 3, 2, 3, 0.5
PROMPTS = torch.arange(SYMBOLS)[:, None]
MASK = torch.ones_like(PROMPTS, dtype=torch.bool)


class World:
    """One task: a reference and a reward for each of the 15 answers to each prompt, both drawn from the seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        generator = torch.Generator().manual_seed(seed + 10**6)
        self.answers = enumerate_answers(PROMPTS, MASK, SYMBOLS, STEPS, EOS)
        self.rewards = torch.randn(SYMBOLS, (SYMBOLS + 1) ** STEPS, generator=generator, dtype=torch.float64)

    def reference(self) -> TabularLM:
        """The policy that a training begins with."""
        return TabularLM(SYMBOLS, STEPS + 1, generator=torch.Generator().manual_seed(self.seed)).double()

    def reward(self, batch: Batch) -> Tensor:
        """The reward "B K" of each answer."""
        places = (SYMBOLS + 1) ** torch.arange(batch.responses.shape[-1])
        numbers = torch.where(batch.response_mask, (batch.responses + 1) * places, 0).sum(-1)
        return self.rewards[batch.prompts[:, -1:], numbers]

    def prompts(self, rollouts: int, times: int) -> list[tuple[Tensor, Tensor]]:
        """All prompts, each so many times, for so many rollouts."""
        return [(PROMPTS.repeat(times, 1), MASK.repeat(times, 1))] * rollouts

    def objective(self, policy: TabularLM) -> tuple[float, float]:
        """(J, KL) of a policy, both summed over all answers: means over the prompts."""
        with torch.no_grad():
            logprobs, before = (sequence_logprobs(one, self.answers) for one in (policy, self.reference()))
        kl = float((logprobs.exp() * (logprobs - before)).sum(1).mean())
        return float((logprobs.exp() * self.reward(self.answers)).sum(1).mean()) - BETA * kl, kl

    def best(self) -> float:
        """J* = β log Σ_y π_ref(y) exp(r(y)/β), the mean over the prompts."""
        with torch.no_grad():
            before = sequence_logprobs(self.reference(), self.answers)
        return float(BETA * torch.logsumexp(before + self.reward(self.answers) / BETA, 1).mean())
