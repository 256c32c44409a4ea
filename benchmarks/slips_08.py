"""The slips of chapter 8, measured: `python -m benchmarks.slips_08` writes results/slips_08.json."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from benchmarks.slips import Slip, write_card
from rlhw.evaluation import best_of_n_kl, best_of_n_reward, bootstrap_interval, win_rate
from rlhw.overoptimisation import best_of_n_form, fit_form, peak_best_of_n, peak_rl, rl_form

# Three answers and what they earn; a policy trained on them, and the price of a nat.
REF, REWARDS, BEN, BETA = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0]), np.array([0.3, 0.3, 0.4]), 1.0
# Six facts, each right with probability 0.35; a right one earns 1.
SHARE, FACTS, PRICE = 0.35, 6, 0.1
TAU, SEED = 0.5, 8


def turn(form: tuple[Callable, Callable]) -> float:
    """Where the gold of a run of RL is said to turn, from a fit to its first half: the curve is d (1 - 0.55 log d)."""
    shape, peak = form
    d = np.linspace(0.2, 1.4, 13)
    a, b, _ = fit_form(shape, d, rl_form(d, 1.0, 0.55))
    return peak(a, b)


def optimum(estimate: Callable) -> float:
    """J* of the six facts at β = 0.1."""
    return float(estimate())


def from_samples() -> float:
    """Log-mean-exp of 64 samples of the reference, the mean of 4,000 such estimates."""
    right = np.random.default_rng(SEED).binomial(FACTS, SHARE, size=(4000, 64))
    return float(np.mean(PRICE * (logsumexp(right / PRICE, axis=1) - math.log(64))))


def by_enumeration() -> float:
    """β log Z, fact by fact."""
    return FACTS * PRICE * math.log(1 - SHARE + SHARE * math.exp(1 / PRICE))


def kl_of_best(of: Callable) -> float:
    """KL in nats of the best of 64 from the reference, where an answer is right with probability 0.35 or wrong."""
    return float(of(64))


def width(draws: Callable) -> float:
    """Width of the bootstrap interval of a mean reward: 40 prompts with 16 answers each, prompts differ twice as much."""
    rng = np.random.default_rng(SEED)
    rewards = 2.0 * rng.standard_normal((40, 1)) + rng.standard_normal((40, 16))
    low, high = bootstrap_interval(draws(rewards), np.random.default_rng(SEED))
    return high - low


def lead(value: Callable) -> float:
    """By how much the best of two is ahead of another policy on three answers, at a price of 1 a nat."""
    best = best_of_n_reward(REF, REWARDS, 2), best_of_n_kl(REF, REWARDS, 2)
    ben = float(BEN @ REWARDS), float(np.sum(BEN * np.log(BEN / REF)))
    return float(value(*best) - value(*ben))


def low_end(prompts: int) -> float:
    """Low end of the 95 % interval of a win rate of 35/64."""
    return win_rate(35 * prompts // 64, prompts - 35 * prompts // 64)[1]


def promised(unit: float) -> float:
    """Gain of the best of four in gold, as told by a perfect learned reward r/τ + c(x) times this unit; τ is 0.5."""
    gold = np.random.default_rng(SEED).standard_normal((20_000, 4))
    return float(unit * np.mean((gold.max(1) - gold.mean(1)) / TAU))


def two_models(read: Callable) -> float:
    """How far policy B seems ahead of policy A, each read by its own reward model: gold + its own zero, 3 and 5.

    A's answers earn 1 more gold than B's on average.
    """
    rng = np.random.default_rng(SEED)
    a, b = 1.0 + rng.standard_normal(4000), rng.standard_normal(4000)
    return float(read(a, b))


def looked_up(prompts: Callable) -> float:
    """Reward of a policy that knows the best of eight answers to each of 200 prompts by heart; a random one has 0."""
    rng = np.random.default_rng(SEED)
    known, new = rng.standard_normal((2, 200, 8))
    return float(prompts(known, new))


def picked(judge: Callable) -> float:
    """Reward of the best of 20 checkpoints, all equally good (0), on 64 prompts with rewards of deviation 1: 500 times."""
    rng = np.random.default_rng(SEED)
    picking, fresh = rng.standard_normal((2, 500, 20)) / math.sqrt(64)
    return float(np.mean(judge(picking, fresh)))


def seen_by_judge(orders: Callable) -> float:
    """Win rate of a policy against itself under a judge who prefers the answer shown first by 0.5 in log-odds."""
    return float(orders(1 / (1 + math.exp(-0.5))))


def share_of_wins(count: Callable) -> float:
    """Win rate from 30 wins, 10 losses and 60 ties."""
    return float(count(30, 10, 60))


SLIPS = {
    "best_of_n_form_for_rl": Slip(
        "where a run of RL is said to turn, by a fit to points before it: best-of-n's form (right: RL's form)",
        turn, wrong=(best_of_n_form, peak_best_of_n), right=(rl_form, peak_rl), unit="√nats",
    ),
    "log_mean_exp": Slip(
        "J* of six facts: log-mean-exp of 64 samples of the reference, mean of 4,000 (right: by enumeration)",
        optimum, wrong=from_samples, right=by_enumeration,
    ),
    "ties_forgotten": Slip(
        "KL of the best of 64, right or wrong answers: log n - (n - 1)/n (right: exact)",
        kl_of_best, wrong=lambda n: math.log(n) - (n - 1) / n,
        right=lambda n: best_of_n_kl(np.array([1 - SHARE, SHARE]), np.array([0.0, 1.0]), n), unit="nats",
    ),
    "bootstrap_over_answers": Slip(
        "width of the 95 % interval of a mean over 40 prompts with 16 answers: answers drawn (right: prompts drawn)",
        width, wrong=lambda rewards: rewards.ravel(), right=lambda rewards: rewards.mean(1),
    ),
    "reward_alone": Slip(
        "lead of the best of two by reward (right: by J at β = 1)",
        lead, wrong=lambda reward, kl: reward, right=lambda reward, kl: reward - BETA * kl,
    ),
    "fifty_five_of_sixty_four": Slip(
        "low end of the 95 % interval of a win rate of 0.547, 64 prompts (right: 640)", low_end, wrong=64, right=640,
    ),
    "nats_for_gold": Slip(
        "gain of the best of four: a perfect learned reward in nats of a vote (right: times τ, in gold)",
        promised, wrong=1.0, right=TAU,
    ),
    "two_reward_models": Slip(
        "lead of B over A, each by its own reward model (right: both by one)",
        two_models, wrong=lambda a, b: (b + 5).mean() - (a + 3).mean(), right=lambda a, b: b.mean() - a.mean(),
    ),
    "training_prompts": Slip(
        "reward of a policy that knows the best answers by heart: on its training prompts (right: on new ones)",
        looked_up, wrong=lambda known, new: known.max(1).mean(),
        right=lambda known, new: new[np.arange(len(new)), known.argmax(1)].mean(),
    ),
    "picked_and_measured": Slip(
        "reward of the best of 20 equal checkpoints on the 64 prompts that picked it (right: on 64 others)",
        picked, wrong=lambda picking, fresh: picking.max(1),
        right=lambda picking, fresh: fresh[np.arange(len(fresh)), picking.argmax(1)],
    ),
    "one_place": Slip(
        "win rate of a policy against itself, always shown first (right: both orders)",
        seen_by_judge, wrong=lambda first: first, right=lambda first: (first + 1 - first) / 2,
    ),
    "wins_without_ties": Slip(
        "win rate of 30 wins, 10 losses, 60 ties: ties dropped (right: a tie counts one half)",
        share_of_wins, wrong=lambda wins, losses, ties: wins / (wins + losses), right=lambda *counts: win_rate(*counts)[0],
    ),
}  # fmt: skip

if __name__ == "__main__":
    write_card(
        "08", "The slips of chapter 8, measured", SLIPS,
        ["rlhw.evaluation", "rlhw.overoptimisation", "benchmarks.slips_08"],
    )  # fmt: skip
