"""The slips of chapter B1, measured: `python -m benchmarks.slips_b1` writes results/slips_b1.json."""

import numpy as np

from benchmarks.slips import Slip, write_card
from rlhw.bandits import BernoulliBandit
from rlhw.regret import (
    bernoulli_kl,
    decaying_epsilon,
    expected_regret,
    explore,
    gaps,
    lai_robbins,
    race,
    rule,
    upper_bounds,
)
from rlhw.running_means import running_estimates, squared_errors

FOUR = np.array([0.3, 0.5, 0.7, 0.4])
FIVE = BernoulliBandit(np.array([0.5, 0.6, 0.7, 0.8, 0.9]))
TWO = np.array([0.65, 0.4])
SHORT = 25


def total_probability(share) -> float:
    """What the probabilities of four arms sum to, three of them tied, with ε = 0.1."""
    values = np.array([0.5, 0.5, 0.2, 0.5])
    return float((0.1 / 4 + 0.9 * share(values)).sum())


def arms_tried(bounds) -> float:
    """How many of five arms one player has tried after 1,000 pulls, c = 1."""
    actions, _ = race(FIVE, lambda q, m: explore(bounds(q, m, 1.0)), 1000, 1, np.random.default_rng(0))
    return float(len(set(actions[0])))


def bound_without_bonus(estimates, counts, c):
    """Not a number becomes 0: an untried arm keeps its estimate, 0."""
    return np.where(counts > 0, upper_bounds(estimates, counts, c), estimates)


def least_regret(measure) -> float:
    """The least regret of 200 players that pull the best of four arms 500 times."""
    actions = np.full((200, 500), 2)
    rewards = BernoulliBandit(FOUR).pull(actions.ravel(), np.random.default_rng(1)).reshape(actions.shape)
    return float(measure(actions, rewards).min())


def late_cost(schedule) -> float:
    """What pull 10,000 costs on average when the best arm is known: exploration times the mean gap."""
    return float(schedule(10_000) * gaps(FOUR).mean())


def arrived(steps) -> float:
    """Where an estimate that starts at 0 is after 10,000 rewards of 1."""
    return float(running_estimates(np.ones(10_000), steps(np.arange(1.0, 10_001.0)))[-1])


def error_after(steps) -> float:
    """The squared error after 1,000 rewards of variance 1, from a start that is one off."""
    return float(squared_errors(steps(np.arange(1.0, 1001.0)), variance=1.0, start=1.0)[-1])


def constant(kl) -> float:
    """The constant C for two arms that pay with probabilities 0.5 and 0.9."""
    means = np.array([0.5, 0.9])
    return lai_robbins(gaps(means), kl(means, 0.9))


SLIPS = {
    "ties_unshared": Slip(
        "sum of the probabilities, three of four arms tied, ε = 0.1, each gets the whole 1 - ε (right: they share it)",
        total_probability,
        wrong=lambda values: (values == values.max()).astype(float),
        right=explore,
    ),
    "untried_never": Slip(
        "arms of five that were tried after 1,000 pulls, no bonus where N = 0 (right: an infinite one)",
        arms_tried,
        wrong=bound_without_bonus,
        right=upper_bounds,
        unit="arms",
    ),
    "lucky_regret": Slip(
        "least regret of 200 players that never err, 500 pulls, counted in rewards (right: in means)",
        least_regret,
        wrong=lambda actions, rewards: FOUR.max() * actions.shape[1] - rewards.sum(axis=1),
        right=lambda actions, rewards: gaps(FOUR)[actions].sum(axis=1),
    ),
    "constant_epsilon": Slip(
        "cost of pull 10,000 when the best arm is known, ε = 0.1 (right: ε = min(1, 20/t))",
        late_cost,
        wrong=lambda pull: 0.1,
        right=lambda pull: decaying_epsilon(pull, 20.0),
    ),
    "short_way": Slip(
        "estimate after 10,000 rewards of 1 from 0, step sizes 1/(n+1)² (right: 1/(n+1))",
        arrived,
        wrong=lambda n: 1 / (n + 1) ** 2,
        right=lambda n: 1 / (n + 1),
    ),
    "never_rests": Slip(
        "squared error after 1,000 rewards of variance 1, step size 0.1 (right: 1/n)",
        error_after,
        wrong=lambda n: np.full(len(n), 0.1),
        right=lambda n: 1 / n,
    ),
    "divergence_reversed": Slip(
        "constant C for arms 0.5 and 0.9, divergence of the best arm from the other (right: of the other from the best)",
        constant,
        wrong=lambda means, best: bernoulli_kl(best, means),
        right=bernoulli_kl,
    ),
    "bound_at_once": Slip(
        "least regret after 25 pulls of arms 0.65 and 0.4 by C log T (right: greedy's exact expected regret)",
        lambda least: float(least()),
        wrong=lambda: lai_robbins(gaps(TWO), bernoulli_kl(TWO, TWO.max())) * np.log(SHORT),
        right=lambda: expected_regret(TWO, rule(), SHORT)[-1],
    ),
}

if __name__ == "__main__":
    modules = ["rlhw.bandits", "rlhw.regret", "rlhw.running_means", "benchmarks.slips_b1"]
    write_card("b1", "The slips of chapter B1, measured", SLIPS, modules)
