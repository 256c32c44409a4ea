"""DPO and its kin where everything can be enumerated: the runs on a table behind the card `dpo_kin`.

Three symbols, answers of one to three tokens that symbol 1 ends: 15 answers a prompt, so π*, J* and each KL are sums. Each of the
27 prompts of three symbols is a world of its own, with its own reference, rewards and votes: in a table no number is shared
between prompts, and Adam does not mind that the loss is a mean over them. So one run is 27 runs.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from rlhw.dpo import DPOConfig, dpo_loss, ipo_loss, kto_pair_loss, train_dpo
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

BETA, TAU, SMOOTHING = 0.4, 0.8, 0.1
STEPS, RATE, SPREAD = 300, 0.1, 1.0
PROMPTS = torch.tensor(list(product(range(3), repeat=3)))
ANSWERS = enumerate_answers(PROMPTS, torch.ones_like(PROMPTS, dtype=torch.bool), vocab_size=3, length=3, eos_id=1)
LENGTHS = ANSWERS.response_mask.sum(-1).double()


@dataclass(frozen=True)
class Worlds:
    """A reference, rewards "B K" of all answers, and the laws that follow: the reference's, π*, the votes σ(Δr/τ)."""

    reference: TabularLM
    rewards: Tensor
    ref_logprobs: Tensor
    best: Tensor
    chances: Tensor


def draw(seed: int = 0) -> Worlds:
    """All 27."""
    generator = torch.Generator().manual_seed(seed)
    reference = TabularLM(3, 6, generator=generator).double()
    rewards = torch.randn(LENGTHS.shape, generator=generator, dtype=torch.double)
    ref_logprobs = sequence_logprobs(reference, ANSWERS).detach()
    chances = ((rewards[:, :, None] - rewards[:, None, :]) / TAU).sigmoid() * (1 - torch.eye(rewards.shape[1]))
    return Worlds(reference, rewards, ref_logprobs, (ref_logprobs + rewards / BETA).log_softmax(1), chances)


def mean_over_tokens(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, beta: float) -> Tensor:
    """DPO's loss with each answer's log-probability divided by its number of tokens: the slip."""
    mine, other = LENGTHS[:, :, None], LENGTHS[:, None, :]
    return dpo_loss(chosen / mine, rejected / other, ref_chosen / mine, ref_rejected / other, beta)


# Name -> (loss, its beta). IPO's is the one whose margin has DPO's slope at equal rewards: (σ(Δ/τ) - ½)/β_IPO ≈ Δ/(4 τ β_IPO).
METHODS: dict[str, tuple[Callable, float]] = {
    "dpo": (dpo_loss, BETA / TAU),
    "smoothed": (partial(dpo_loss, label_smoothing=SMOOTHING), BETA / TAU),
    "ipo": (ipo_loss, BETA / (4 * TAU)),
    "kto": (kto_pair_loss, BETA / TAU),
    "mean": (mean_over_tokens, BETA / TAU),
}


def trained(worlds: Worlds, wins: Float[Tensor, "B K K"], method: str) -> Float[Tensor, "B K"]:
    """log π of all answers after training from the reference on these votes."""
    loss, beta = METHODS[method]
    policy = copy.deepcopy(worlds.reference)
    optimizer = torch.optim.Adam(policy.parameters(), lr=RATE)
    data = ((ANSWERS, wins, worlds.ref_logprobs) for _ in range(STEPS))
    for _ in train_dpo(policy, data, optimizer, DPOConfig(beta, max_grad_norm=1e9), loss=loss):
        pass
    return sequence_logprobs(policy, ANSWERS).detach()


def distance(logprobs: Float[Tensor, "B K"], others: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """KL in nats, of each prompt."""
    return (logprobs.exp() * (logprobs - others)).sum(1)


def sampled_votes(worlds: Worlds, count: int, seed: int = 0) -> Float[Tensor, "B K K"]:
    """`count` votes a prompt on pairs of two different answers of the reference, as people are asked."""
    generator = torch.Generator().manual_seed(seed)
    wins = torch.zeros_like(worlds.chances)
    for prompt in range(len(wins)):
        law = worlds.ref_logprobs[prompt].exp()
        first = torch.multinomial(law, count, replacement=True, generator=generator)
        others = law.expand(count, -1).scatter(1, first[:, None], 0.0)
        second = torch.multinomial(others, 1, generator=generator)[:, 0]
        won = torch.rand(count, generator=generator, dtype=torch.double) < worlds.chances[prompt, first, second]
        winner, loser = torch.where(won, first, second), torch.where(won, second, first)
        wins[prompt].index_put_((winner, loser), torch.ones(count, dtype=torch.double), accumulate=True)
    return wins


def shares(worlds: Worlds, logprobs: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """Share of J* - J_ref of each prompt, exact: 1 - KL(π‖π*)/KL(π_ref‖π*)."""
    return 1 - distance(logprobs, worlds.best) / distance(worlds.ref_logprobs, worlds.best)
