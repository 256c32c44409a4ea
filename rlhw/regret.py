"""Regret: what a rule pays for not knowing the best arm, measured on many players at once, exactly for two, and its bound.

Rules here look at tables with one row a player (`bandits` has the same rules for one player), so that a race of hundreds of
players is one loop over the pulls. An arm that was never pulled counts as the greatest, so exploiting tries every arm first.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy.special import rel_entr

Array = np.ndarray
Schedule = Callable[[Int[Array, "*N"]], Float[Array, "*N"] | float]
Rule = Callable[[Float[Array, "*N A"], Int[Array, "*N A"]], Float[Array, "*N A"]]


@runtime_checkable
class Arms(Protocol):
    """What can be pulled, such as a `bandits.Bandit`: arms with mean rewards, and a reward for each of many pulls at once."""

    means: Float[Array, " A"]

    def pull(self, actions: Int[Array, " N"], rng: np.random.Generator) -> Float[Array, " N"]: ...


class Race(NamedTuple):
    """What N players did in T pulls each: the arms pulled and the rewards earned."""

    actions: Int[Array, "N T"]
    rewards: Float[Array, "N T"]


def gaps(means: Float[Array, " A"]) -> Float[Array, " A"]:
    """What one pull of each arm costs: Δ_k = max r - r_k, in units of reward.

    >>> gaps(np.array([1.0, 3.0, 2.5]))
    array([2. , 0. , 0.5])
    """
    return means.max() - means


def bernoulli_kl(p: Float[Array, "*A"] | float, q: Float[Array, "*A"] | float) -> Float[Array, "*A"] | float:
    """KL(p‖q) = p log(p/q) + (1 - p) log((1-p)/(1-q)), in nats, of arms that pay 1 with probability p or q.

    Infinite where q rules out what p allows. Raises ValueError unless both are probabilities.

    >>> float(bernoulli_kl(0.5, 0.25).round(4)), float(bernoulli_kl(0.25, 0.5).round(4))
    (0.1438, 0.1308)
    """
    for name, value in (("p", np.asarray(p)), ("q", np.asarray(q))):
        if not np.all((value >= 0) & (value <= 1)):
            raise ValueError(f"{name} must be probabilities in [0, 1]; got {value}.")
    return rel_entr(p, q) + rel_entr(1 - np.asarray(p), 1 - np.asarray(q))


def gaussian_kl(mean: Float[Array, "*A"] | float, other: float, sd: float) -> Float[Array, "*A"] | float:
    """KL of two normal laws with the same standard deviation: (mean - other)² / (2 sd²), in nats, the same both ways.

    Raises ValueError unless sd is positive and finite.

    >>> gaussian_kl(1.0, 4.0, sd=3.0)
    0.5
    """
    if not 0 < sd < np.inf:
        raise ValueError(f"sd must be a positive number; got {sd}.")
    return (mean - other) ** 2 / (2 * sd**2)


def lai_robbins(gaps: Float[Array, " A"], divergences: Float[Array, " A"]) -> float:
    """The constant C = Σ Δ_k / KL(P_k‖P*) over the arms with Δ_k > 0: no consistent rule's E[regret] grows slower than C log T.

    `divergences` holds KL(law of arm k ‖ law of a best arm), in nats, in this direction. A bound for T → ∞, not for a given T.
    Raises ValueError when an arm with a gap has divergence 0: it could not be told from the best. Source: Lai & Robbins (1985).

    >>> means = np.array([0.2, 0.5])
    >>> round(lai_robbins(gaps(means), bernoulli_kl(means, 0.5)), 3)
    1.556
    """
    worse = gaps > 0
    if not np.all(divergences[worse] > 0):
        raise ValueError("divergences must be positive for every arm with a gap: KL(its law ‖ the best arm's law).")
    return float(np.sum(gaps[worse] / divergences[worse]))


def ucb1_bound(gaps: Float[Array, " A"], pulls: int) -> float:
    """UCB1's guarantee for rewards in [0, 1]: E[regret] ≤ 8 log(T) Σ 1/Δ_k + (1 + π²/3) Σ Δ_k, for every T ≥ 1.

    Raises ValueError unless T ≥ 1. Source: Auer, Cesa-Bianchi & Fischer (2002), theorem 1.

    >>> round(ucb1_bound(np.array([0.0, 0.5]), 100), 1)
    75.8
    """
    if pulls < 1:
        raise ValueError(f"pulls must be 1 or more; got {pulls}.")
    worse = gaps[gaps > 0]
    return float(8 * np.log(pulls) * np.sum(1 / worse) + (1 + np.pi**2 / 3) * np.sum(worse))


def decaying_epsilon(pull: Int[Array, "*N"] | int, c: float) -> Float[Array, "*N"] | float:
    """ε_t = min(1, c/t) at pull t = 1, 2, …: it explores for ever (Σ ε_t = ∞), and ever more seldom.

    Raises ValueError unless c is positive and finite.

    >>> [float(decaying_epsilon(t, c=5.0)) for t in (1, 5, 20)]
    [1.0, 1.0, 0.25]
    """
    if not 0 < c < np.inf:
        raise ValueError(f"c must be a positive number; got {c}.")
    return np.minimum(1.0, c / pull)


def auer_epsilon(pull: Int[Array, "*N"] | int, c: float, arms: int, gap: float) -> Float[Array, "*N"] | float:
    """ε_t = min(1, cK/(d² t)) for K arms and a known gap 0 < d ≤ the least positive Δ_k: logarithmic regret for c large enough.

    Raises ValueError unless 0 < gap ≤ 1 (rewards lie in [0, 1]). Source: Auer et al. (2002), figure 3 and theorem 3.

    >>> [float(auer_epsilon(t, c=5.0, arms=2, gap=0.5)) for t in (40, 80)]
    [1.0, 0.5]
    """
    if not 0 < gap <= 1:
        raise ValueError(f"gap must be in (0, 1], the least difference to the best arm; got {gap}.")
    return decaying_epsilon(pull, c * arms / gap**2)


def upper_bounds(estimates: Float[Array, "*N A"], counts: Int[Array, "*N A"], c: float) -> Float[Array, "*N A"]:
    """Q_k + c sqrt(log t / m_k) with t = Σ m_k, and infinity for an arm never pulled. c = 0 leaves the estimates.

    >>> upper_bounds(np.array([0.5, 0.0]), np.array([4, 0]), c=1.0).round(3)
    array([1.089,   inf])
    """
    total = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    width = np.sqrt(np.log(total) / np.maximum(counts, 1))
    return np.where(counts > 0, estimates + c * width, np.inf)


def explore(values: Float[Array, "*N A"], epsilon: Float[Array, "*N"] | float = 0.0) -> Float[Array, "*N A"]:
    """Probabilities of the arms, row by row: ε/A for each, and 1 - ε shared equally by the arms with the greatest value.

    Raises ValueError unless every ε is in [0, 1].

    >>> explore(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), np.array([0.3, 0.0]))
    array([[0.1 , 0.45, 0.45],
           [1.  , 0.  , 0.  ]])
    """
    epsilon = np.asarray(epsilon)[..., None]
    if not np.all((epsilon >= 0) & (epsilon <= 1)):
        raise ValueError(f"epsilon must be in [0, 1]; it lies between {epsilon.min()} and {epsilon.max()}.")
    best = values == values.max(axis=-1, keepdims=True)
    return epsilon / values.shape[-1] + (1 - epsilon) * best / best.sum(axis=-1, keepdims=True)


def rule(*, c: float = 0.0, epsilon: Schedule = lambda pull: 0.0) -> Rule:
    """The rule that takes the greatest Q + c sqrt(log t / m), and explores with probability ε(t). Without options: greedy.

    Raises ValueError unless c is 0 or a positive number, and, when it is asked, unless ε(t) is in [0, 1].

    >>> rule(c=2**0.5)(np.array([0.5, 0.6]), np.array([2, 8]))
    array([1., 0.])
    """
    if not 0 <= c < np.inf:
        raise ValueError(f"c must be 0 or a positive number; got {c}.")
    return lambda estimates, counts: explore(upper_bounds(estimates, counts, c), epsilon(counts.sum(axis=-1) + 1))


def race(bandit: Arms, rule: Rule, pulls: int, players: int, rng: np.random.Generator) -> Race:
    """Let independent players follow a rule, all at once; the estimates are sample means (0 before an arm's first pull).

    >>> from rlhw.bandits import Bandit
    >>> sure = Bandit(np.array([1.0, 2.0]), sd=0.0)
    >>> race(sure, rule(), 5, 2, np.random.default_rng(0)).rewards.sum(axis=1)
    array([9., 9.])
    """
    rows = np.arange(players)
    totals, counts = np.zeros((players, len(bandit.means))), np.zeros((players, len(bandit.means)), dtype=int)
    actions, rewards = np.zeros((players, pulls), dtype=int), np.zeros((players, pulls))
    for t in range(pulls):
        cumulative = rule(totals / np.maximum(counts, 1), counts).cumsum(axis=1)
        # How many of the inner boundaries a uniform number has passed is the number of the arm.
        actions[:, t] = (cumulative[:, :-1] <= rng.random((players, 1))).sum(axis=1)
        rewards[:, t] = bandit.pull(actions[:, t], rng)
        totals[rows, actions[:, t]] += rewards[:, t]
        counts[rows, actions[:, t]] += 1
    return Race(actions, rewards)


def expected_regret(means: Float[Array, " 2"], rule: Rule, pulls: int) -> Float[Array, " T"]:
    """E[regret] after each pull of two arms that pay 0 or 1, exactly: a sum over all that can have happened.

    All a rule may look at is (pulls of arm 0, its ones, ones of arm 1); the law of these three is carried from pull to pull.
    O(T⁴) in all, a tenth of a second for T = 40. Raises ValueError unless the means are two probabilities.

    >>> expected_regret(np.array([0.9, 0.4]), rule(), 3).round(3)
    array([0.25 , 0.5  , 0.625])
    """
    if len(means) != 2 or not np.all((means >= 0) & (means <= 1)):
        raise ValueError(f"means must be two probabilities, of arms that pay 0 or 1; got {means}.")
    law = np.zeros((pulls + 1,) * 3)
    law[0, 0, 0] = 1.0
    cost = np.zeros(pulls)
    for t in range(pulls):
        pulled, ones, other = np.nonzero(law)
        weight = law[pulled, ones, other]
        counts = np.array([pulled, t - pulled]).T
        chances = rule(np.array([ones, other]).T / np.maximum(counts, 1), counts)
        cost[t] = weight @ chances @ gaps(means)
        law = np.zeros_like(law)
        for paid in (0, 1):
            first, second = (np.where(paid, mean, 1 - mean) for mean in means)
            np.add.at(law, (pulled + 1, ones + paid, other), weight * chances[:, 0] * first)
            np.add.at(law, (pulled, ones, other + paid), weight * chances[:, 1] * second)
    return np.cumsum(cost)
