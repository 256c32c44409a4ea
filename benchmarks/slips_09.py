"""The slips of chapter 9, measured: `python -m benchmarks.slips_09` writes results/slips_09.json."""

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from torch import Tensor

from benchmarks.groups_and_turns import ERROR, HABIT, TURNS, ways_to_blame
from benchmarks.slips import Slip, length, write_card
from rlhw.dialogue import cloning_step, enumerate_dialogues, expected_lost, mean_and_variance, replies_law, to_go
from rlhw.groups import scaled_weight, tied_share
from rlhw.grpo import group_advantages, rloo_advantages
from rlhw.policy_gradient import exact_gradient, gradient_variance
from rlhw.ppo import clipped_policy_loss

# Three answers of a policy that is nothing special, and three with a jackpot among them.
LOGITS, REWARDS = np.log([0.2, 0.5, 0.3]), np.array([1.0, 0.0, -0.5])
JACKPOT, PRIZES = np.log([0.80, 0.15, 0.05]), np.array([0.0, -1.0, 10.0])
# A right answer of 50 tokens, a short wrong one and a long wrong one.
CHANCES, RIGHT, LENGTHS = np.array([0.1, 0.6, 0.3]), np.array([1.0, 0.0, 0.0]), np.array([50, 10, 100])


def plain(rewards: Tensor) -> Tensor:
    """Less the mean of all, without scale; for one answer it is 0."""
    return rewards - rewards.mean(-1, keepdim=True)


def mean_update(advantages: Callable, k: int, logits: np.ndarray = LOGITS, rewards: np.ndarray = REWARDS) -> np.ndarray:
    """The mean of (1/K) Σ A_i ∇log π(y_i) over all groups of K answers."""
    law, groups = replies_law(logits), np.array(list(product(range(len(logits)), repeat=k)))
    weights = advantages(torch.from_numpy(rewards[groups])).numpy()
    return np.einsum("g,gk,gka->a", law[groups].prod(axis=1), weights, (np.eye(len(law)) - law)[groups]) / k


def share_of_length(form: tuple[Callable, int]) -> float:
    """Length of the mean update over that of the gradient."""
    return length(mean_update(*form)) / length(exact_gradient(LOGITS, REWARDS))


def degrees_off(advantages: Callable) -> float:
    """Angle between the mean update of groups of four and the gradient, where a rare answer earns most."""
    mean, exact = mean_update(advantages, 4, JACKPOT, PRIZES), exact_gradient(JACKPOT, PRIZES)
    along = mean @ exact / length(exact)
    return float(np.degrees(np.arctan2(length(mean - along * exact / length(exact)), along)))


def moves_of_long_answer(divided: bool) -> float:
    """Expected change of the long wrong answer's logit, for a step of size 1."""
    weights = (RIGHT - CHANCES @ RIGHT) / (LENGTHS if divided else 1)
    return float((CHANCES * (weights - CHANCES @ weights))[2])


def kl_gradient_error(to_go_weights: bool) -> float:
    """Distance from ∇KL(π‖π_ref) over its length, answers of two tokens of three symbols, tables drawn once."""
    generator = torch.Generator().manual_seed(0)
    table, ref = (torch.randn(4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    table.requires_grad_()
    first, second = (torch.tensor(list(column)) for column in zip(*product(range(3), repeat=2), strict=True))
    rows = torch.stack([torch.zeros(9, dtype=torch.long), first + 1], 1), torch.stack([first, second], 1)
    logs, ref_logs = (values.log_softmax(1)[rows] for values in (table, ref))
    chances = logs.sum(1).exp()
    (exact,) = torch.autograd.grad((chances * (logs - ref_logs).sum(1)).sum(), table, retain_graph=True)
    d, fixed = (logs - ref_logs), chances.detach()
    if to_go_weights:
        loss = (fixed[:, None] * d.detach().flip(1).cumsum(1).flip(1) * logs).sum()
    else:
        loss = (fixed[:, None] * ((-d).exp() - 1 + d)).sum()
    (found,) = torch.autograd.grad(loss, table)
    return float((found - exact).norm() / exact.norm())


def weight_ratio(same_again: bool) -> float:
    """Weight of a prompt at p = 0.1 over that of one at a half, K = 4, where tied groups are replaced."""
    kept = {p: 1 - tied_share(p, 4) for p in (0.1, 0.5)}
    # A kept group weighs 1/kept. With the same prompt again there is always one; of other prompts a share of `kept` remains.
    weight = {p: (1.0 if same_again else kept[p]) / kept[p] for p in kept}
    return weight[0.1] / weight[0.5]


def two_prompts(own: bool) -> float:
    """Mean variance of one answer, prompts that earn (10, 11) and (0, 1), the better answer at 30 %; or with the batch's mean."""
    pairs, values = ((10.0, 11.0), (0.0, 1.0)), (10.3, 0.3)
    baselines = values if own else (sum(values) / 2,) * 2
    return float(
        np.mean([gradient_variance(np.log([0.7, 0.3]), np.array(r), b) for r, b in zip(pairs, baselines, strict=True)])
    )


def clip_difference(updates: int) -> float:
    """Ratio without a clip less the one with it, after so many steps of size 1 from one good answer of two."""

    def ratio(clip: float) -> float:
        logits, old = torch.zeros(2, dtype=torch.float64, requires_grad=True), np.log(0.5)
        for _ in range(updates):
            new = logits.log_softmax(0)[:1]
            loss = clipped_policy_loss(
                new, torch.tensor([old], dtype=torch.float64), torch.ones(1, dtype=torch.float64), clip
            )
            (slope,) = torch.autograd.grad(loss.sum(), logits)
            logits = (logits.detach() - slope).requires_grad_()
        return float(logits.detach().softmax(0)[0] / 0.5)

    return ratio(float("inf")) - ratio(0.2)


def turn_error(name: str) -> float:
    """Error of the mean gradient over its length in a dialogue of eight turns."""
    logits = np.zeros((8, 2, 3))
    logits[:, 0] = [2.0, 0.0, 0.0]
    every = enumerate_dialogues(logits)
    exact, _ = mean_and_variance(logits, every, to_go(every.rewards))
    mean, _ = mean_and_variance(logits, every, ways_to_blame(logits, every)[name])
    return float(np.linalg.norm(mean - exact) / np.linalg.norm(exact))


def turns_after_tuning(share: float) -> float:
    """Turns on track of six after 40 steps of cloning with this share of repairs."""
    common, lost = HABIT, np.zeros(3)
    for _ in range(40):
        common, lost = cloning_step(common, lost, share, 0.2)
    return TURNS - expected_lost(1 - replies_law(common)[0], replies_law(common + lost)[1], TURNS)


SLIPS = {
    "scale_harmless": Slip(
        "weight of a prompt at p = 0.01 over that of one at a half, K = 64, with scale (right: without)",
        lambda weight: weight(0.01) / weight(0.5), wrong=lambda p: scaled_weight(p, 64), right=lambda p: 1.0,
    ),
    "own_reward_turns": Slip(
        "length of the mean update over that of the gradient, K = 4, mean of all (right: leave-one-out)",
        share_of_length, wrong=(plain, 4), right=(rloo_advantages, 4),
    ),
    "group_of_one": Slip(
        "length of the mean update over that of the gradient, mean of all, K = 1 (right: K = 2)",
        share_of_length, wrong=(plain, 1), right=(plain, 2),
    ),
    "long_wrong_answer": Slip(
        "expected change of the long wrong answer's logit, mean over tokens (right: sum)",
        moves_of_long_answer, wrong=True, right=False,
    ),
    "k3_in_the_loss": Slip(
        "distance of the mean gradient from that of KL(π‖π_ref), share of its length, k3 in the loss (right: KL to go)",
        kl_gradient_error, wrong=False, right=True,
    ),
    "retry_until_mixed": Slip(
        "weight of a prompt at p = 0.1 over that of one at a half, K = 4, same prompt again (right: another prompt)",
        weight_ratio, wrong=True, right=False,
    ),
    "other_prompts_baseline": Slip(
        "variance of one answer, the mean of a large batch of two prompts as baseline (right: the prompt's own value)",
        two_prompts, wrong=False, right=True,
    ),
    "jackpot_divided": Slip(
        "angle between the mean update and the gradient, K = 4, with scale (right: without)",
        degrees_off, wrong=group_advantages, right=plain, unit="degrees",
    ),
    "clip_with_one_update": Slip(
        "ratio without a clip less that with one, after one step (right: after four)",
        clip_difference, wrong=1, right=4,
    ),
    "five_per_cent_a_turn": Slip(
        "turns lost of 40 at 5 % errors, no repair (right: repairs as sure)",
        lambda repair: expected_lost(ERROR, repair, 40), wrong=0.0, right=1 - ERROR, unit="turns",
    ),
    "each_turn_its_own": Slip(
        "error of the mean gradient over its length, 8 turns, each turn's own reward (right: what is still earned)",
        turn_error, wrong="turn", right="togo",
    ),
    "repairs_only": Slip(
        "turns on track of 6 after 40 steps, repairs alone (right: half of them)",
        turns_after_tuning, wrong=1.0, right=0.5, unit="turns",
    ),
}  # fmt: skip

if __name__ == "__main__":
    modules = [
        "rlhw.grpo",
        "rlhw.groups",
        "rlhw.dialogue",
        "rlhw.ppo",
        "benchmarks.groups_and_turns",
        "benchmarks.slips_09",
    ]
    write_card("09", "The slips of chapter 9, measured", SLIPS, modules)
