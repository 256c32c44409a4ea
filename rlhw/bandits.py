"""Bandits: one question asked again and again, A arms, one reward a pull. Action rules, regret, and REINFORCE on arms.

Chapter 2 learns by `gradient_bandit`; `ucb` and `epsilon_greedy` are what it is held against.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from rlhw.policy_gradient import entropy, one_number, optimal_baseline, sample_actions, softmax, weighted_scores

Array = np.ndarray
Rule = Callable[[Float[Array, " A"], Int[Array, " A"]], Float[Array, " A"]]


@dataclass(frozen=True)
class Bandit:
    """Arms with mean rewards `means` (A) and Gaussian noise of standard deviation `sd` on every pull.

    Raises ValueError when a mean is not finite or sd is negative. A `BernoulliBandit` has arms that pay 0 or 1.
    """

    means: Float[Array, " A"]
    sd: float = 1.0

    def __post_init__(self) -> None:
        if len(self.means) < 2 or not np.all(np.isfinite(self.means)):
            raise ValueError("means must be at least two finite numbers, one an arm.")
        if not (np.isfinite(self.sd) and self.sd >= 0):
            raise ValueError("sd must be a finite number, 0 or more; sd=0 makes the rewards sure.")

    def pull(self, actions: Int[Array, " N"], rng: np.random.Generator) -> Float[Array, " N"]:
        """Rewards of these pulls: means[y] + sd * standard normal."""
        return self.means[actions] + self.sd * rng.standard_normal(len(actions))


@dataclass(frozen=True)
class BernoulliBandit(Bandit):
    """Arms that pay 1 with probability `means` (A), else 0. Raises ValueError unless each probability is in [0, 1]."""

    sd: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        finite = np.isfinite(self.means)
        if not np.all(finite & (self.means >= 0) & (self.means <= 1)):
            bad = int(np.argmin(finite & (self.means >= 0) & (self.means <= 1)))
            raise ValueError(
                f"means of a BernoulliBandit must be probabilities in [0, 1]; arm {bad} is {self.means[bad]}."
            )
        super().__post_init__()

    def pull(self, actions: Int[Array, " N"], rng: np.random.Generator) -> Float[Array, " N"]:
        """Rewards of these pulls: 1.0 with probability means[y], else 0.0."""
        return (rng.random(len(actions)) < self.means[actions]).astype(float)


def greedy(estimates: Float[Array, " A"], counts: Int[Array, " A"]) -> Float[Array, " A"]:
    """Probabilities of the greedy rule: shared equally by the arms with the greatest estimate.

    >>> greedy(np.array([1.0, 3.0, 3.0]), np.array([1, 1, 1]))
    array([0. , 0.5, 0.5])
    """
    best = estimates == estimates.max()
    return best / best.sum()


def epsilon_greedy(epsilon: float) -> Rule:
    """The rule that is greedy with probability 1 - ε and uniform otherwise: p_i = ε/A + (1 - ε)/m for the m best arms.

    With m ties each best arm gets its share of 1 - ε; giving each the whole sums to 1 + (m - 1)(1 - ε).
    Raises ValueError unless ε is in [0, 1]. Source: Sutton & Barto (2018), section 2.2.

    >>> epsilon_greedy(0.3)(np.array([1.0, 3.0, 3.0]), np.array([1, 1, 1]))
    array([0.1 , 0.45, 0.45])
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon must be in [0, 1]; got {epsilon}.")
    return lambda estimates, counts: epsilon / len(estimates) + (1 - epsilon) * greedy(estimates, counts)


def ucb(c: float) -> Rule:
    """The upper-confidence rule: the greatest estimate + c sqrt(log t / N_i), t = Σ_i N_i pulls so far.

    An arm that was never pulled comes first: N_i = 0 has no bound. Raises ValueError unless c is positive and finite.
    c = sqrt(2) is UCB1 for rewards in [0, 1]. Source: Auer et al. (2002), figure 1.

    >>> ucb(1.0)(np.array([0.0, 9.0, 0.0]), np.array([5, 5, 0]))
    array([0., 0., 1.])
    """
    if not (np.isfinite(c) and c > 0):
        raise ValueError(f"c must be a positive number; got {c}.")

    def rule(estimates: Float[Array, " A"], counts: Int[Array, " A"]) -> Float[Array, " A"]:
        if np.any(counts == 0):
            return greedy((counts == 0).astype(float), counts)
        return greedy(estimates + c * np.sqrt(np.log(counts.sum()) / counts), counts)

    return rule


@dataclass(frozen=True)
class Play:
    """What happened: `actions` (T), `rewards` (T), and `regret` (T): the running sum of best mean minus mean pulled."""

    actions: Int[Array, " T"]
    rewards: Float[Array, " T"]
    regret: Float[Array, " T"]


def play(bandit: Bandit, rule: Rule, steps: int, rng: np.random.Generator) -> Play:
    """Play a rule for `steps` pulls, with sample means as estimates (0 before an arm's first pull)."""
    totals, counts = np.zeros(len(bandit.means)), np.zeros(len(bandit.means), dtype=int)
    actions, rewards = np.zeros(steps, dtype=int), np.zeros(steps)
    for t in range(steps):
        probabilities = rule(totals / np.maximum(counts, 1), counts)
        actions[t] = rng.choice(len(totals), p=probabilities)
        rewards[t] = bandit.pull(actions[t : t + 1], rng)[0]
        totals[actions[t]] += rewards[t]
        counts[actions[t]] += 1
    return Play(actions, rewards, regret(bandit.means, actions))


def regret(means: Float[Array, " A"], actions: Int[Array, " T"]) -> Float[Array, " T"]:
    """Cumulative regret Σ_{t' ≤ t} (max r - r_{y_t'}), in mean rewards r, so that lucky rewards do not hide bad pulls.

    >>> regret(np.array([1.0, 0.0]), np.array([0, 1, 1]))
    array([0., 1., 2.])
    """
    return np.cumsum(means.max() - means[actions])


@runtime_checkable
class Baseline(Protocol):
    """What REINFORCE subtracts: a number that may look at the policy and at past rewards, never at the action now."""

    def value(self, logits: Float[Array, " A"]) -> float: ...
    def update(self, rewards: Float[Array, " N"]) -> None: ...


@dataclass
class NoBaseline:
    """b = 0."""

    def value(self, logits: Float[Array, " A"]) -> float:
        return 0.0

    def update(self, rewards: Float[Array, " N"]) -> None:
        pass


@dataclass
class MeanBaseline:
    """b = the mean of all rewards so far (0 before the first). Source: Sutton & Barto (2018), section 2.8."""

    total: float = 0.0
    count: int = 0

    def value(self, logits: Float[Array, " A"]) -> float:
        return self.total / max(self.count, 1)

    def update(self, rewards: Float[Array, " N"]) -> None:
        self.total += float(rewards.sum())
        self.count += len(rewards)


@dataclass
class LearnedBaseline:
    """b ← b + rate · (mean r - b): gradient descent on E[(r - b)²]/2. It tracks V as V moves."""

    rate: float = 0.1
    b: float = 0.0

    def value(self, logits: Float[Array, " A"]) -> float:
        return self.b

    def update(self, rewards: Float[Array, " N"]) -> None:
        self.b += self.rate * (float(rewards.mean()) - self.b)


@dataclass
class OptimalBaseline:
    """b* of the true mean rewards: what no learner can have, to see what could be gained."""

    means: Float[Array, " A"]

    def value(self, logits: Float[Array, " A"]) -> float:
        return optimal_baseline(logits, self.means)

    def update(self, rewards: Float[Array, " N"]) -> None:
        pass


def gradient_bandit(
    bandit: Bandit, baseline: Baseline, *, step_size: float, batch: int, steps: int, rng: np.random.Generator
) -> Iterator[dict[str, float | Array]]:
    """REINFORCE on arms, from the uniform policy: z ← z + step_size · mean_n (r_n - b)(1_{y_n} - p).

    Yields once a step: `logits` (A, after the step), `value` = Σ p r under the true means, `entropy` in nats, `reward`
    (the batch's mean) and `actions`. Raises ValueError when the baseline is not one number.
    """
    logits = np.zeros(len(bandit.means))
    for _ in range(steps):
        actions = sample_actions(logits, rng.random(batch))
        rewards = bandit.pull(actions, rng)
        weights = rewards - one_number(baseline.value(logits))
        logits = logits + step_size * weighted_scores(logits, actions, weights).mean(axis=0)
        baseline.update(rewards)
        yield {
            "logits": logits,
            "value": float(softmax(logits) @ bandit.means),
            "entropy": entropy(logits),
            "reward": float(rewards.mean()),
            "actions": actions,
        }
