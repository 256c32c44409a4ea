"""How the gold reward rises and falls while a learned one is optimised: the two forms of Gao, Schulman and Hilton (2022).

d = √KL(π‖π_ref) is the distance of the policy from its reference, in √nats; the gold reward is counted from the reference's,
so it is 0 at d = 0. Both forms are empirical: they were read off curves, for best-of-n and for reinforcement learning apart,
with coefficients a and b of their own. A fit says where this curve turns, not why.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import xlogy

Distance = float | np.ndarray


def best_of_n_form(d: Distance, a: float, b: float) -> Distance:
    """R(d) = d (a - b d), the gold reward of the best of n samples by the learned reward. Gao et al. (2022), section 1.

    Raises ValueError for a distance below 0 or not finite.

    >>> best_of_n_form(np.array([0.0, 1.0, 2.0]), a=2.0, b=0.5).tolist()
    [0.0, 1.5, 2.0]
    """
    d = _distances(d)
    return d * (a - b * d)


def rl_form(d: Distance, a: float, b: float) -> Distance:
    """R(d) = d (a - b log d), the gold reward along a run of reinforcement learning; 0 at d = 0. Gao et al. (2022), section 1.

    Natural logarithm. Raises ValueError for a distance below 0 or not finite.

    >>> rl_form(np.array([0.0, 1.0]), a=2.0, b=0.5).tolist()
    [0.0, 2.0]
    """
    d = _distances(d)
    return a * d - b * xlogy(d, d)


def peak_best_of_n(a: float, b: float) -> float:
    """The distance d = a/(2b) at which `best_of_n_form` is greatest: 0 where a ≤ 0, and inf where b ≤ 0, as it never turns.

    >>> peak_best_of_n(2.0, 0.5)
    2.0
    """
    return max(0.0, a / (2 * b)) if b > 0 else math.inf


def peak_rl(a: float, b: float) -> float:
    """The distance d = exp(a/b - 1) at which `rl_form` is greatest; inf where b ≤ 0, as it never turns.

    It may lie far beyond every measured distance; it comes out as inf where it is too large for a float.

    >>> peak_rl(0.5, 0.5)
    1.0
    """
    with np.errstate(over="ignore"):
        return float(np.exp(a / b - 1)) if b > 0 else math.inf


def fit_form(form: Callable, d: np.ndarray, gold: np.ndarray) -> tuple[float, float, float]:
    """(a, b, R²) of the least squares Σ (gold - form(d, a, b))² over measured points "N", for one of the two forms.

    Both forms are linear in a and b, so this is one linear system. R² = 1 - Σ(gold - form)²/Σ(gold - mean)²; a form through
    the origin may do worse than the mean, and then it is negative. Raises ValueError for rows of different length, numbers
    that are not finite, fewer than two different distances above 0, or gold rewards that are all equal (no R²).

    >>> [round(x, 6) for x in fit_form(rl_form, np.array([0.5, 1.0, 2.0]), rl_form(np.array([0.5, 1.0, 2.0]), 3.0, 2.0))]
    [3.0, 2.0, 1.0]
    """
    d, gold = _distances(d), np.asarray(gold, dtype=float)
    if d.ndim != 1 or gold.shape != d.shape or not np.isfinite(gold).all():
        raise ValueError(
            f"d and gold must be two rows of finite numbers, equally long; got {d.shape} and {gold.shape}."
        )
    if len(np.unique(d[d > 0])) < 2:
        raise ValueError("d must hold two different distances above 0 or more: two coefficients are fitted.")
    if np.ptp(gold) == 0:
        raise ValueError("gold must vary: of rewards that are all equal there is nothing to explain.")
    columns = np.stack([form(d, 1.0, 0.0), form(d, 0.0, 1.0)], axis=1)
    (a, b), *_ = np.linalg.lstsq(columns, gold)
    errors = gold - columns @ np.array([a, b])
    return float(a), float(b), float(1 - errors @ errors / np.sum((gold - gold.mean()) ** 2))


def _distances(d: Distance) -> np.ndarray:
    d = np.asarray(d, dtype=float)
    if not ((d >= 0) & np.isfinite(d)).all():
        raise ValueError("d must be 0 or more and finite: it is the square root of a KL, in nats.")
    return d
