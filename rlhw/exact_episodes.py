"""All episodes of a small model with their probabilities, so that an estimate's mean and variance are sums. Chapter B4."""

import numpy as np
from jaxtyping import Float

from rlhw.mdp import MDP, Episodes, check_policy
from rlhw.off_policy import check_coverage

Array = np.ndarray


def enumerate_episodes(mdp: MDP, policy: Float[Array, "S A"], horizon: int) -> tuple[Float[Array, " N"], Episodes]:
    """Every way the first `horizon` steps can go under a policy, with its probability: (probabilities, episodes).

    An expectation over episodes is then a sum. Their number grows exponentially: for small models and short horizons.

    >>> from rlhw.worlds import random_walk
    >>> enumerate_episodes(random_walk(1), np.full((3, 2), 0.5), horizon=1)[0]
    array([0.5, 0.5])
    """
    check_policy(mdp, policy)
    states = np.flatnonzero(mdp.start)[:, None]
    actions, probabilities = np.zeros((len(states), 0), dtype=int), mdp.start[mdp.start > 0]
    for _ in range(horizon):
        # What happens after the end is nobody's choice: one continuation, action 0.
        chosen = np.where(mdp.terminal[states[:, -1], None], np.eye(policy.shape[1])[0], policy[states[:, -1]])
        ways = probabilities[:, None, None] * chosen[:, :, None] * mdp.transitions[states[:, -1]]
        which, action, after = np.nonzero(ways)
        probabilities = ways[which, action, after]
        states = np.column_stack([states[which], after])
        actions = np.column_stack([actions[which], action])
    before = states[:, :-1]
    return probabilities, Episodes(states, actions, mdp.rewards[before, actions], ~mdp.terminal[before])


def mean_and_variance(probabilities: Float[Array, " N"], values: Float[Array, " N"]) -> tuple[float, float]:
    """Exact mean and variance of what takes these values with these probabilities.

    >>> mean_and_variance(np.array([0.5, 0.5]), np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    mean = float(probabilities @ values)
    return mean, float(probabilities @ (values - mean) ** 2)


def weighted_mean_and_variance(
    probabilities: Float[Array, " N"], weights: Float[Array, " N"], returns: Float[Array, " N"], samples: int
) -> tuple[float, float]:
    """Exact mean and variance of weighted importance sampling from `samples` independent episodes, by enumeration.

    Given that some weight is not zero: without one there is no estimate. All N ** samples ways are summed.

    >>> weighted_mean_and_variance(np.array([0.5, 0.5]), np.array([1.5, 0.5]), np.array([4.0, 0.0]), samples=2)
    (2.5, 2.25...)
    """
    law, mass, total = np.ones(1), np.zeros(1), np.zeros(1)
    for _ in range(samples):
        law = np.multiply.outer(law, probabilities).ravel()
        mass = np.add.outer(mass, weights).ravel()
        total = np.add.outer(total, weights * returns).ravel()
    seen = mass > 0
    return mean_and_variance(law[seen] / law[seen].sum(), total[seen] / mass[seen])


def weight_second_moment(mdp: MDP, target: Float[Array, "S A"], behavior: Float[Array, "S A"], horizon: int) -> float:
    """E_μ[ρ_{0:T-1}²] of the first T = `horizon` steps; less one, it is the variance of the weight.

    m ← Σ_a π(a|s)²/μ(a|s) Σ_s' p(s'|s, a) m(s'), T times from m = 1; in one state (Σ_a π²/μ)ᵀ. Raises as `check_coverage`.

    >>> arm = MDP(np.ones((1, 2, 1)), np.array([[1.0, 3.0]]), 0.9, np.ones(1))
    >>> round(weight_second_moment(arm, np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]]), horizon=2), 4)
    2.6896
    """
    check_coverage(target, behavior)
    square = np.divide(target**2, behavior, out=np.zeros_like(target), where=target > 0)
    moments = np.ones(len(mdp.start))
    for _ in range(horizon):
        moments = np.where(mdp.terminal, 1.0, (square * (mdp.transitions @ moments)).sum(axis=1))
    return float(mdp.start @ moments)
