"""The slips of chapter 5, measured: `python -m benchmarks.slips_05` writes results/slips_05.json."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor
from transformers import GPT2Config, GPT2Model

from benchmarks.slips import Slip, write_card
from rlhw.batches import Batch
from rlhw.calibration import pair_accuracy
from rlhw.reward_model import RewardModel, bradley_terry_loss, freeze, last_token
from rlhw.training import warmup_decay

STEPS, LONG_WARM_UP, SHORT_WARM_UP = 50, 100, 10
# Scores at the tokens of a chosen answer of two tokens and of a rejected one of four; what stands behind the two is padding.
CHOSEN = torch.tensor([[1.0, 2.0, 0.0, 0.0]], dtype=torch.float64)
REJECTED = torch.tensor([[0.0, 0.5, 1.0, 1.5]], dtype=torch.float64)
LENGTHS = torch.tensor([[True, True, False, False], [True, True, True, True]])
SMALL = {
    "vocab_size": 50,
    "n_positions": 32,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "bos_token_id": None,
    "eos_token_id": None,
}
# The least validation loss of a hand-in's table, in nats; its validation set had seven pairs.
LEAST_LOSS, PAIRS, RIGHT = 0.773, 7, 6


def peak_rate(warm_up: int) -> float:
    """The largest learning rate of a run of 50 steps, as a share of the rate that was asked for."""
    factor = warmup_decay(warm_up, max(warm_up, STEPS) + 1)
    return max(factor(step) for step in range(STEPS))


def loss_of_a_right_pair(read: Callable) -> float:
    """The loss in nats of a pair whose chosen answer has the higher score at its last token."""
    return float(read(CHOSEN, REJECTED, *LENGTHS))


def mean_over_the_span(chosen: Tensor, rejected: Tensor, *masks: Tensor) -> Tensor:
    """The loss at each place up to the end of the longer answer, averaged."""
    return bradley_terry_loss(chosen[0], rejected[0]).mean()


def at_the_last_tokens(chosen: Tensor, rejected: Tensor, *masks: Tensor) -> Tensor:
    """The loss of the scores at each answer's own last token."""
    ends = [
        last_token(scores[:, None], mask[None, None])[:, 0]
        for scores, mask in zip((chosen, rejected), masks, strict=True)
    ]
    return bradley_terry_loss(*ends)[0]


def at_the_right_edge(scores: Tensor, mask: Tensor) -> Tensor:
    """The score at the last column, whatever stands there."""
    return scores[..., -1]


def change_by_company(read: Callable) -> float:
    """By how much the score of an answer of three tokens changes when an answer of eight tokens stands beside it."""
    torch.manual_seed(0)
    config = GPT2Config(**SMALL, initializer_range=0.2)
    model = RewardModel(GPT2Model(config).double(), read)
    tokens = torch.randint(50, (1, 2, 8), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(8) < torch.tensor([3, 8])[:, None]
    prompt = torch.tensor([[7, 11, 13]]), torch.ones(1, 3, dtype=torch.bool)
    with torch.no_grad():
        alone = model(Batch(*prompt, tokens[:, :1, :3], mask[None, :1, :3]))
        beside = model(Batch(*prompt, tokens, mask[None]))
    return abs(float(beside[0, 0] - alone[0, 0]))


def best_loss(choose: Callable) -> float:
    """The loss in nats of what is kept in the end."""
    return float(choose([LEAST_LOSS, math.log(2)]))


def order_across_prompts(shift: Callable) -> float:
    """How often perfect learned rewards, gold/τ + c(x), order two answers to two prompts as gold does: 20,000 pairs."""
    rng = np.random.default_rng(0)
    gold = rng.standard_normal((2, 20_000))
    learned = gold / 0.5 + shift(rng, 20_000)
    return float(np.mean((learned[0] > learned[1]) == (gold[0] > gold[1])))


def own_shift(rng: np.random.Generator, count: int) -> np.ndarray:
    """A shift of each prompt's own, of standard deviation 4: twice that of the rewards."""
    return 4.0 * rng.standard_normal((2, count))


def same_shift(rng: np.random.Generator, count: int) -> np.ndarray:
    """Two answers to one prompt: its shift is the same for both."""
    return 4.0 * rng.standard_normal((1, count))


def frozen_blocks(rule: Callable) -> float:
    """How many blocks of a GPT-2 with two do not train."""
    model = GPT2Model(GPT2Config(**SMALL))
    rule(model)
    return float(sum(not any(p.requires_grad for p in block.parameters()) for block in model.h))


def all_but_the_last_thirds(model: GPT2Model) -> None:
    """Free the last int(0.3 · L) blocks, by a slice."""
    for block in model.h[: -int(0.3 * len(model.h))]:
        block.requires_grad_(False)


def interval_width(pairs: int) -> float:
    """Width of the 95 % interval (Wilson) of an accuracy of six sevenths."""
    interval = binomtest(pairs * RIGHT // PAIRS, pairs).proportion_ci(0.95, method="wilson")
    return float(interval.high - interval.low)


def first_wins(order: Callable) -> float:
    """The pair accuracy of "the one that is shown first wins", a rule that reads nothing: 20,000 pairs."""
    winner = torch.from_numpy(order(np.random.default_rng(0), 20_000))
    wins = torch.zeros(len(winner), 2, 2, dtype=torch.float64)
    wins[torch.arange(len(winner)), winner, 1 - winner] = 1.0
    return pair_accuracy(torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(len(winner), 2), wins)


SLIPS = {
    "never_left_warm_up": Slip(
        f"largest rate reached in {STEPS} steps, as a share: {LONG_WARM_UP} steps of warm-up (right: {SHORT_WARM_UP})",
        peak_rate, wrong=LONG_WARM_UP, right=SHORT_WARM_UP,
    ),
    "mean_over_padding": Slip(
        "loss of a pair that the last tokens order rightly: mean over the longer answer's span (right: at the last tokens)",
        loss_of_a_right_pair, wrong=mean_over_the_span, right=at_the_last_tokens, unit="nats",
    ),
    "score_at_a_pad": Slip(
        "change of an answer's score by a longer answer beside it, read at the right edge (right: at its last token)",
        change_by_company, wrong=at_the_right_edge, right=last_token,
    ),
    "early_stopping_cures": Slip(
        "loss of the best epoch of a table (right: or of a constant model)",
        best_loss, wrong=lambda losses: losses[0], right=min, unit="nats",
    ),
    "one_scale": Slip(
        "share of pairs that gold/τ + c(x) orders as gold does, answers to two prompts (right: to one)",
        order_across_prompts, wrong=own_shift, right=same_shift,
    ),
    "minus_zero": Slip(
        "frozen blocks of two: blocks[:-int(0.3 · 2)] (right: floor(0.7 · 2))",
        frozen_blocks, wrong=all_but_the_last_thirds, right=freeze, unit="blocks",
    ),
    "seven_pairs": Slip(
        "width of the 95 % interval of an accuracy of 6/7, from 7 pairs (right: from 1,400)",
        interval_width, wrong=PAIRS, right=200 * PAIRS,
    ),
    "chosen_first": Slip(
        "accuracy of 'the first one wins', chosen answers always first (right: sides drawn by lot)",
        first_wins, wrong=lambda rng, n: np.zeros(n, dtype=int), right=lambda rng, n: rng.integers(2, size=n),
    ),
}  # fmt: skip

if __name__ == "__main__":
    write_card(
        "05", "The slips of chapter 5, measured", SLIPS,
        ["rlhw.reward_model", "rlhw.calibration", "rlhw.training", "rlhw.logprobs", "rlhw.batches", "benchmarks.slips_05"],
    )  # fmt: skip
