"""Laws of groups and dialogues: means and variances over all groups of answers, and over all dialogues."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np

from rlhw.laws.oracles import assert_close


def check_rloo_variance(rloo_variance: Callable) -> None:
    """(logits "A", rewards "A", k) -> the total variance of (1/k) Σ A_i ∇log π(y_i), leave-one-out, by a sum over all groups."""
    rng = np.random.default_rng(96)
    for answers, k in ((3, 2), (2, 4), (4, 3), (3, 3)):
        logits, rewards = rng.standard_normal(answers), rng.standard_normal(answers) + 1.0
        p = np.exp(logits) / np.exp(logits).sum()
        scores, mean, square = np.eye(answers) - p, np.zeros(answers), 0.0
        for group in map(list, product(range(answers), repeat=k)):
            others = [np.delete(rewards[group], i).mean() for i in range(k)]
            update = (rewards[group] - others) @ scores[group] / k
            mean, square = mean + p[group].prod() * update, square + p[group].prod() * (update @ update)
        law = "the variance of a group is that over all groups of K answers"
        assert_close(rloo_variance(logits, rewards, k), float(square - mean @ mean), law)


def check_best_group_size(best_group_size: Callable) -> None:
    """(others, between) -> the K at which others/(K - 1) + K between is least: no K near it is better."""
    for others, between in ((0.9, 0.1), (0.2, 0.35), (3.0, 0.02)):
        cost = [others / (k - 1) + k * between for k in best_group_size(others, between) + np.array([-1e-4, 0.0, 1e-4])]
        assert cost[1] < min(cost[0], cost[2]), "the best K costs less than its neighbours; yours does not."


def check_scaled_weight(scaled_weight: Callable) -> None:
    """(p, k) -> the mean update under (r - mean)/deviation over ∇p, by a sum over all groups of right and wrong answers."""
    for p, k in ((0.1, 4), (0.35, 2), (0.8, 5), (0.5, 3)):
        total = 0.0
        for group in product((0.0, 1.0), repeat=k):
            rewards = np.array(group)
            if 0 < rewards.sum() < k:
                scores = rewards - p
                update = (rewards - rewards.mean()) @ scores / rewards.std(ddof=1) / k
                total += math.prod(p if right else 1 - p for right in group) * update
        law = "the weight is the mean update over ∇p, over all groups, the deviation with K - 1"
        assert_close(scaled_weight(p, k), total / (p * (1 - p)), law)


def check_tied_share(tied_share: Callable) -> None:
    """(p, k) -> the chance that all k answers are right or all are wrong."""
    for p, k in ((0.1, 4), (0.35, 2), (0.8, 5)):
        expected = math.exp(k * math.log(p)) + math.exp(k * math.log1p(-p))
        assert_close(tied_share(p, k), expected, "a group is tied when all answers are right or all are wrong")


def _lost(error: float, repair: float, turns: int) -> list[float]:
    """The chance to be lost after each turn, over all 2^T ways to be on track or lost."""
    shares = [0.0] * turns
    for way in product((0, 1), repeat=turns):
        chance, before = 1.0, 0
        for lost in way:
            wrong = 1 - repair if before else error
            chance, before = chance * (wrong if lost else 1 - wrong), lost
        shares = [share + chance * lost for share, lost in zip(shares, way, strict=True)]
    return shares


def check_lost_shares(lost_shares: Callable) -> None:
    """(error, repair, turns) -> how likely the dialogue is lost after each turn, by a sum over all its ways."""
    for case in ((0.1, 0.3, 4), (0.4, 0.9, 3), (0.2, 0.0, 5), (1.0, 1.0, 3)):
        assert_close(lost_shares(*case), np.array(_lost(*case)), "a dialogue is lost by an error and found by a repair")


def check_expected_lost(expected_lost: Callable) -> None:
    """(error, repair, turns) -> how many turns end lost, by a sum over all ways; 0 without errors."""
    for case in ((0.1, 0.3, 4), (0.4, 0.9, 3), (0.2, 0.0, 5), (0.0, 0.5, 3), (0.0, 0.0, 3)):
        assert_close(expected_lost(*case), sum(_lost(*case)), "the lost turns are the shares of all turns, added up")
