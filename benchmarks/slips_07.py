"""The slips of chapter 7, measured: `python -m benchmarks.slips_07` writes results/slips_07.json."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import brentq, minimize
from torch import Tensor

from benchmarks.slips import Slip, write_card
from rlhw.dpo import dpo_loss, ipo_loss, kto_loss
from rlhw.evaluation import tilted

# The chapter's three answers; the annotator of its examples.
REFERENCE, REWARDS, BETA, TAU = np.array([0.6, 0.3, 0.1]), np.array([0.0, 1.0, 2.0]), 0.5, 0.5
BEST = tilted(REFERENCE, REWARDS, BETA)
LENGTHS = np.array([1, 2, 4])
STEPS, RATE = 300, 0.1


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p‖q) in nats."""
    return max(0.0, float(np.sum(p * np.log(p / q))))


def chances(rewards: np.ndarray) -> Tensor:
    """The share of votes "K K" for each answer over each other; nobody is asked about an answer and itself."""
    p = torch.from_numpy(1 / (1 + np.exp(-(rewards[:, None] - rewards) / TAU)))
    return p * (1 - torch.eye(len(rewards)))


def trained(loss: Callable, votes: Tensor, reference: np.ndarray = REFERENCE) -> np.ndarray:
    """A softmax over whole answers after 300 steps of Adam from the reference; `loss(log π, log π_ref)` is "K K", winner first."""
    ref = torch.from_numpy(reference).log()
    logits = ref.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (votes * loss(logits.log_softmax(0), ref)).sum().backward()
        optimizer.step()
    return logits.detach().softmax(0).numpy()


def pairs(logs: Tensor, ref: Tensor, beta: float, swapped: bool = False) -> Tensor:
    """DPO's loss of a vote for answer i over answer j, "K K"."""
    won, lost = (1, 0) if swapped else (0, 1)
    both = [torch.broadcast_tensors(values[:, None], values[None, :]) for values in (logs, ref)]
    return dpo_loss(both[0][won], both[0][lost], both[1][won], both[1][lost], beta)


def distance_to_best(loss: Callable) -> float:
    """KL(π‖π*) on the three answers after training on the exact shares of votes."""
    return kl(trained(loss, chances(REWARDS)), BEST)


def of_right(logs: Tensor, ref: Tensor) -> Tensor:
    """DPO as it should be, with β/τ."""
    return pairs(logs, ref, BETA / TAU)


def distance_with(scale: Callable) -> float:
    """KL(π‖π*) where log-ratios are multiplied by scale(length): the optimum in closed form."""
    factor, ratio = scale(LENGTHS), REWARDS / BETA

    def policy(c: float) -> np.ndarray:
        return REFERENCE * np.exp((ratio + c) / factor)

    return kl(policy(brentq(lambda c: policy(c).sum() - 1, -50, 50, xtol=1e-14)), BEST)


def distance_from_start(reference: Callable) -> float:
    """KL(π‖π_ref) after 300 steps; `reference(log π, log π_ref)` is what the policy is compared with."""
    after = trained(lambda logs, ref: pairs(logs, reference(logs, ref), BETA / TAU), chances(REWARDS))
    return kl(np.maximum(after, 1e-300), REFERENCE)


def desirable_loss(counted: bool) -> float:
    """KTO's loss of a desirable answer with log-ratio 1 behind a prompt with log-ratio -4, at β = 0.5."""
    ratio = torch.tensor([1.0 - 4.0 * counted], dtype=torch.float64)
    return float(kto_loss(ratio, torch.tensor([True]), torch.zeros((), dtype=torch.float64), BETA)[0])


def order(across: bool) -> float:
    """Share of 20,000 pairs that the exact implicit reward orders as gold does: answers to two prompts, or to one."""
    rng = np.random.default_rng(0)
    gold = 1.5 * rng.standard_normal((2, 20_000, 4)) + 1.5 * rng.standard_normal((2, 20_000, 1))
    reference = np.full(gold.shape, 0.25)
    implicit = BETA * np.log(tilted(reference, gold, BETA) / reference)
    prompt, answer = (1, 0) if across else (0, 1)
    gold_says, implicit_says = (values[0, :, 0] > values[prompt, :, answer] for values in (gold, implicit))
    return float(np.mean(gold_says == implicit_says))


def share_of(policy: Callable) -> float:
    """Share of J* - J_ref on the three answers."""
    return 1 - kl(policy(), BEST) / kl(REFERENCE, BEST)


def winners() -> np.ndarray:
    """The law of the preferred answer of a pair of samples of the reference: no other law makes it likelier on average."""
    won = 1 / (1 + np.exp(-(REWARDS[:, None] - REWARDS) / TAU))
    return 2 * REFERENCE * (won @ REFERENCE)


def ipo_margin(share: float) -> float:
    """The difference of log-ratios with the least mean IPO loss, where this share of the votes is for the first; β = 0.1."""

    def mean(d: np.ndarray) -> float:
        zero, ratio = torch.zeros((), dtype=torch.float64), torch.tensor(float(d[0]), dtype=torch.float64)
        return float(
            share * ipo_loss(ratio, zero, zero, zero, 0.1) + (1 - share) * ipo_loss(zero, ratio, zero, zero, 0.1)
        )

    return float(minimize(mean, [0.0], tol=1e-12).x[0])


def lapse_margin(loss: Callable) -> float:
    """The margin of least loss on votes of an annotator who means 2, of which a tenth are turned round."""
    share = 0.9 / (1 + np.exp(-2.0)) + 0.1 / (1 + np.exp(2.0))
    return float(minimize(lambda m: loss(m[0], share), [0.5], tol=1e-12).x[0])


def smoothed(margin: float, share: float) -> float:
    """Label smoothing by a tenth."""
    weight = 0.9 * share + 0.1 * (1 - share)
    return weight * np.log1p(np.exp(-margin)) + (1 - weight) * np.log1p(np.exp(margin))


def with_lapse(margin: float, share: float) -> float:
    """The likelihood of a vote, the lapse inside it."""
    first = 0.9 / (1 + np.exp(-margin)) + 0.1 / (1 + np.exp(margin))
    return -share * np.log(first) - (1 - share) * np.log(1 - first)


def share_of_votes(count: int | None) -> float:
    """Mean share of J* - J_ref over 40 draws of eight answers, DPO to its end on `count` votes (None: on their exact shares)."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        reference, rewards = rng.dirichlet(np.full(8, 2.0)), rng.standard_normal(8)
        votes = chances(rewards)
        if count is not None:
            sampled = torch.zeros_like(votes)
            for _ in range(count):
                i, j = rng.choice(8, size=2, replace=False, p=reference)
                winner, loser = (i, j) if rng.random() < votes[i, j] else (j, i)
                sampled[winner, loser] += 1
            votes = sampled
        best = tilted(reference, rewards, BETA)
        found.append(1 - kl(fitted(votes, reference), best) / kl(reference, best))
    return float(np.mean(found))


def fitted(votes: Tensor, reference: np.ndarray) -> np.ndarray:
    """The law of least DPO loss, found by BFGS from the reference and stopped where margins are past telling apart."""
    won = votes.numpy()

    def cost(s: np.ndarray) -> tuple[float, np.ndarray]:
        margins = (BETA / TAU) * (s[:, None] - s)
        pull = won / (1 + np.exp(margins)) * (BETA / TAU)
        return float((won * np.logaddexp(0, -margins)).sum()), pull.sum(0) - pull.sum(1)

    found = minimize(cost, np.zeros(len(reference)), jac=True, method="L-BFGS-B", bounds=[(-8, 8)] * len(reference))
    return tilted(reference, found.x, 1.0)


SLIPS = {
    "swapped_pair": Slip(
        "KL(π‖π*) after training, winner and loser exchanged (right: as voted)",
        distance_to_best, wrong=lambda logs, ref: pairs(logs, ref, BETA / TAU, swapped=True), right=of_right, unit="nats",
    ),
    "length_divided": Slip(
        "KL(π‖π*) of the optimum, means over answers of 1, 2 and 4 tokens (right: sums)",
        distance_with, wrong=lambda n: 1 / n, right=lambda n: np.ones(len(n)), unit="nats",
    ),
    "reference_forgotten": Slip(
        "KL(π‖π*) after training, log π without log π_ref (right: with it)",
        distance_to_best, wrong=lambda logs, ref: pairs(logs, torch.zeros_like(ref), BETA / TAU), right=of_right, unit="nats",
    ),
    "moving_reference": Slip(
        "KL(π‖π_ref) after 300 steps, the policy its own reference (right: the reference fixed)",
        distance_from_start, wrong=lambda logs, ref: logs.detach(), right=lambda logs, ref: ref, unit="nats",
    ),
    "tau_forgotten": Slip(
        "KL(π‖π*) after training with β in the place of β/τ, τ = 0.5 (right: β/τ)",
        distance_to_best, wrong=lambda logs, ref: pairs(logs, ref, BETA), right=of_right, unit="nats",
    ),
    "prompt_counted": Slip(
        "KTO's loss of an answer with log-ratio 1, its prompt's -4 counted (right: the answer alone)",
        desirable_loss, wrong=True, right=False,
    ),
    "implicit_across_prompts": Slip(
        "share of pairs that the exact implicit reward orders as gold does, answers to two prompts (right: to one)",
        order, wrong=True, right=False,
    ),
    "chosen_must_rise": Slip(
        "share of J* - J_ref of the law that makes the preferred likeliest (right: of π*)",
        share_of, wrong=winners, right=lambda: BEST,
    ),
    "ipo_one_pair": Slip(
        "IPO's best margin at β = 0.1 if all votes agree (right: 80 % of them)",
        ipo_margin, wrong=1.0, right=0.8, unit="nats",
    ),
    "smoothing_undoes_lapses": Slip(
        "margin found on votes of which a tenth are turned round, by smoothing (right: by the likelihood; true is 2)",
        lapse_margin, wrong=smoothed, right=with_lapse,
    ),
    "no_reward_no_overoptimisation": Slip(
        "share of J* - J_ref of DPO trained to its end on 20 votes, mean of 40 draws (right: on exact votes)",
        share_of_votes, wrong=20, right=None,
    ),
}  # fmt: skip

if __name__ == "__main__":
    write_card("07", "The slips of chapter 7, measured", SLIPS, ["rlhw.dpo", "rlhw.evaluation", "benchmarks.slips_07"])
