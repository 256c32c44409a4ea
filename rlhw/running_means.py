"""Estimates that are updated one reward at a time: their weights, and how far they are off on average.

Q_n = Q_{n-1} + α_n (R_n - Q_{n-1}). With α_n = 1/n this is the mean of all; with a constant α the past fades.
"""

import numpy as np
from jaxtyping import Float

Array = np.ndarray


def running_estimates(
    rewards: Float[Array, "*N T"], step_sizes: Float[Array, " T"], start: float = 0.0
) -> Float[Array, "*N T"]:
    """Q_n = Q_{n-1} + α_n (R_n - Q_{n-1}) after each reward, from Q_0 = start.

    Raises ValueError unless 0 ≤ α ≤ 1 and there is one step size for each reward.

    >>> running_estimates(np.array([2.0, 4.0, 9.0]), np.array([1.0, 1 / 2, 1 / 3]))
    array([2., 3., 5.])
    """
    _check(step_sizes)
    if rewards.shape[-1] != len(step_sizes):
        raise ValueError(
            f"step_sizes must be one for each reward; got {len(step_sizes)} for {rewards.shape[-1]} rewards."
        )
    estimates, q = np.zeros(rewards.shape), start
    for n, step in enumerate(step_sizes):
        q = q + step * (rewards[..., n] - q)
        estimates[..., n] = q
    return estimates


def recency_weights(step_sizes: Float[Array, " T"]) -> Float[Array, " T+1"]:
    """What Q_T is made of: the weight of Q_0, then of each reward, α_i Π_{j>i} (1 - α_j). They sum to 1.

    Raises ValueError unless 0 ≤ α ≤ 1.

    >>> recency_weights(np.array([0.5, 0.5, 0.5]))
    array([0.125, 0.125, 0.25 , 0.5  ])
    """
    _check(step_sizes)
    kept = np.cumprod(np.append(1.0, 1 - step_sizes[::-1]))[::-1]
    return np.append(1.0, step_sizes) * kept


def squared_errors(
    step_sizes: Float[Array, " T"], variance: float, start: float = 0.0, drift: float = 0.0
) -> Float[Array, " T"]:
    """E(Q_n - r_n)² after each reward: rewards of this variance around a mean r_n that moves, `drift` its variance a step.

    e_n = (1 - α_n)² (e_{n-1} + drift) + α_n² variance, from e_0 = `start`, the squared error of Q_0. Exact for independent noise.
    Raises ValueError unless 0 ≤ α ≤ 1 and variance, start and drift are 0 or more.

    >>> squared_errors(np.array([1.0, 1 / 2, 1 / 3, 1 / 4]), variance=1.0)
    array([1.        , 0.5       , 0.33333333, 0.25      ])
    """
    _check(step_sizes)
    if not min(variance, start, drift) >= 0:
        raise ValueError(f"variance, start and drift must be 0 or more; got {variance}, {start} and {drift}.")
    errors, e = np.zeros(len(step_sizes)), start
    for n, step in enumerate(step_sizes):
        e = (1 - step) ** 2 * (e + drift) + step**2 * variance
        errors[n] = e
    return errors


def best_constant_step(variance: float, drift: float) -> float:
    """The constant α with the least E(Q - r)² in the long run: α²/(1 - α) = drift/variance, so that 0 < α < 1.

    Raises ValueError unless both are positive. It is the gain of the Kalman filter of a random walk (Kalman 1960).

    >>> round(best_constant_step(variance=1.0, drift=0.5), 6)
    0.5
    """
    if not (variance > 0 and drift > 0):
        raise ValueError(f"variance and drift must be positive; got {variance} and {drift}.")
    ratio = drift / variance
    return float((np.sqrt(ratio**2 + 4 * ratio) - ratio) / 2)


def _check(step_sizes: Float[Array, " T"]) -> None:
    if not np.all((step_sizes >= 0) & (step_sizes <= 1)):
        raise ValueError(f"step_sizes must be in [0, 1]; they lie between {step_sizes.min()} and {step_sizes.max()}.")
