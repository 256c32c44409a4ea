"""Where the patients live: a language of two letters and an end mark, so small that every answer can be listed.

An answer is up to four letters and an end mark, or four letters cut off: 31 answers to a prompt. So what a policy earns, how far
it is from where it began, and how far from the best one are sums over all of them, and no sampling noise is on these
curves.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rlhw.batches import Batch
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

LETTERS, EOS, SYMBOLS, STEPS = "ab", 2, 3, 4
BETA, TAU = 0.8, 0.8
PROMPTS = torch.tensor([[0], [1], [2]])
PROMPT_MASK = torch.ones_like(PROMPTS, dtype=torch.bool)


class Tokens:
    """A tokenizer of two letters; the end mark has a number and no letter."""

    eos_token_id = EOS

    def __call__(self, text: str, **settings: bool) -> dict[str, list[int]]:
        return {"input_ids": [LETTERS.index(letter) for letter in text]}


class Table(TabularLM):
    """A table with dropout on its logits, as every transformer has it somewhere: without effect in eval mode."""

    def forward(self, *inputs: object, **settings: object) -> object:
        out = super().forward(*inputs, **settings)
        out.logits = nn.functional.dropout(out.logits, 0.1, self.training)
        return out


def table(seed: int, length: int = 1 + STEPS, *, random: bool = True) -> Table:
    """A policy in eval mode, float64: random rows, or rows of zeros, by which all tokens are equally likely."""
    generator = torch.Generator().manual_seed(seed) if random else None
    return Table(SYMBOLS, length, generator=generator, std=0.7).double().eval()


def frozen(model: nn.Module) -> nn.Module:
    """A copy that nothing will train."""
    return copy.deepcopy(model).requires_grad_(False)


def all_answers(prompts: Tensor = PROMPTS) -> Batch:
    """Every answer to each of the prompts."""
    return enumerate_answers(prompts, torch.ones_like(prompts, dtype=torch.bool), SYMBOLS, STEPS, EOS)


SCORES = torch.randn(3, 3**STEPS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def reward(batch: Batch) -> Tensor:
    """What an answer is worth: a number of its letters' own, and 0.6 less for each letter: short answers are good ones."""
    letters = batch.response_mask & (batch.responses != EOS)
    places = 3 ** torch.arange(batch.responses.shape[-1])
    number = torch.where(letters, (batch.responses + 1) * places, 0).sum(-1)
    return 2.0 + 0.8 * SCORES[batch.prompts[:, -1:], number] - 0.6 * letters.sum(-1)


@torch.no_grad()
def exact(policy: nn.Module, start: nn.Module, score: Callable[[Batch], Tensor] = reward) -> dict[str, float]:
    """Of a policy, by listing all answers, means over the prompts: `reward`, `kl` from its start (nats an answer), `objective`
    J = reward - β kl, `entropy` (nats an answer), `length` (tokens an answer, the end mark among them).
    """
    batch = all_answers()
    logprobs, before = sequence_logprobs(policy, batch), sequence_logprobs(start, batch)
    p, lengths = logprobs.exp(), batch.response_mask.sum(-1).double()
    earned, kl = (p * score(batch)).sum(1).mean(), (p * (logprobs - before)).sum(1).mean()
    entropy, length = -(p * logprobs).sum(1).mean(), (p * lengths).sum(1).mean()
    names = ("reward", "kl", "objective", "entropy", "length")
    return dict(zip(names, map(float, (earned, kl, earned - BETA * kl, entropy, length)), strict=True))


@torch.no_grad()
def best(start: nn.Module, score: Callable[[Batch], Tensor] = reward) -> tuple[Tensor, float]:
    """log π* "B K" and J* of the objective: π* ∝ π_start exp(r/β), J* = β log of its sum."""
    weights = sequence_logprobs(start, all_answers()) + score(all_answers()) / BETA
    return torch.log_softmax(weights, 1), float(BETA * torch.logsumexp(weights, 1).mean())
