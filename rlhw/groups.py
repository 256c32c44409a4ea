"""What K answers to one prompt are worth, exactly: the variance of leave-one-out, and what a group's scale and ties do.

`rlhw.grpo` makes advantages of rewards; here stand the means and variances of what these advantages lead to, for a policy that
is a softmax over a few answers, or for answers that are right or wrong.
"""

from math import comb, sqrt

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from rlhw.policy_gradient import softmax


def variance_parts(logits: Float[ndarray, " A"], rewards: Float[ndarray, " A"]) -> tuple[float, float]:
    """(own, others): a RLOO group of K answers has the total variance (own + others/(K - 1))/K.

    own = E[(r - V)² |g|²] - |∇J|² is the variance of one answer with the exact value V as its baseline; others =
    Var(r) E[|g|²] + |∇J|² is what it costs that the baseline is a mean of other answers. Equation eq-rloo-variance.

    >>> variance_parts(np.zeros(2), np.array([1.0, 0.0]))
    (0.0, 0.25)
    """
    p = softmax(logits)
    scores = np.eye(len(p)) - p
    lengths = (scores**2).sum(axis=1)
    above = rewards - p @ rewards
    square = float(((p * above) @ scores) @ ((p * above) @ scores))
    return float(p @ (above**2 * lengths)) - square, float(p @ above**2) * float(p @ lengths) + square


def rloo_variance(logits: Float[ndarray, " A"], rewards: Float[ndarray, " A"], k: int) -> float:
    """Total variance of (1/K) Σ A_i ∇log π(y_i) with leave-one-out advantages. Raises ValueError for K below 2.

    >>> rloo_variance(np.zeros(2), np.array([1.0, 0.0]), k=2)
    0.125
    """
    own, others = variance_parts(logits, rewards)
    return (own + others / (_group(k) - 1)) / k


def best_group_size(others: float, between: float) -> float:
    """The K, not rounded, that makes the variance of N answers to N/K prompts least: 1 + √(others/between).

    `others` as in `variance_parts`, averaged over prompts; between: the variance of ∇J from prompt to prompt. Both above 0.
    Raises ValueError otherwise. Equation eq-best-k.

    >>> best_group_size(others=0.9, between=0.1)
    4.0
    """
    for name, value in (("others", others), ("between", between)):
        if not value > 0:
            raise ValueError(f"{name} must be above 0; got {value}: it is a variance that the choice of K weighs.")
    return 1 + sqrt(others / between)


def scaled_weight(p: float, k: int) -> float:
    """By how much of ∇p a prompt moves under group advantages with scale, if answers are right with probability p.

    √((K - 1)/K) E[√(m/K (1 - m/K))]/(p (1 - p)) for m right answers of K, the deviation with K - 1. At most 1/√(p(1 - p)), its
    limit for large K, and at most (K - 1)/√K, its limit for p near 0. Raises ValueError unless 0 < p < 1.
    Equation eq-scaled-weight.

    >>> round(scaled_weight(0.1, k=4), 3)
    1.464
    """
    spread = sum(weight * sqrt(m * (k - m)) / k for m, weight in enumerate(_right_of(p, k)))
    return sqrt((k - 1) / k) * spread / (p * (1 - p))


def tied_share(p: float, k: int) -> float:
    """p^K + (1 - p)^K: the chance that K answers are all right or all wrong, and say nothing. Raises ValueError unless 0 < p < 1.

    >>> round(tied_share(0.1, k=4), 4)
    0.6562
    """
    chances = _right_of(p, k)
    return chances[0] + chances[-1]


def _right_of(p: float, k: int) -> list[float]:
    """The chances of 0, 1, …, K right answers."""
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1; got {p}: a prompt with one outcome only has no gradient.")
    return [comb(_group(k), m) * p**m * (1 - p) ** (k - m) for m in range(k + 1)]


def _group(k: int) -> int:
    if k < 2:
        raise ValueError(f"k must be 2 or more; got {k}: one answer alone has nothing to be compared with.")
    return k
