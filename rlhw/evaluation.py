"""How good is a policy: win rates with intervals, best-of-n, and the distance to what can be attained.

For a reward r, a reference and β > 0 no policy earns more than J* = β E_x log E_{y ~ ref}[exp(r/β)], and only
π*(y|x) = π_ref(y|x) exp(r/β)/Z(x) earns as much: J* - J(π) = β KL(π‖π*).
"""

import math
import warnings
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp, softmax
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap


def win_rate(wins: int, losses: int, ties: int = 0, confidence: float = 0.95) -> tuple[float, float, float]:
    """(rate, low, high): (wins + ties/2)/n and its Wilson interval. With ties, which are no coin throws, it is on the safe side.

    An interval around a handful of comparisons is wide: 6 of 7 has 0.49 to 0.97. Raises ValueError when there are none, or a
    count is negative.

    >>> tuple(round(x, 2) for x in win_rate(6, 1))
    (0.86, 0.49, 0.97)
    """
    n = wins + losses + ties
    if n == 0 or min(wins, losses, ties) < 0:
        raise ValueError(f"wins, losses and ties must be counts, not all zero; got {wins}, {losses}, {ties}.")
    low = binomtest(wins + ties // 2, n).proportion_ci(confidence, method="wilson").low
    high = binomtest(wins + (ties + 1) // 2, n).proportion_ci(confidence, method="wilson").high
    return (wins + ties / 2) / n, float(low), float(high)


def bootstrap_interval(
    values: np.ndarray, rng: np.random.Generator, statistic: Callable = np.mean, confidence: float = 0.95
) -> tuple[float, float]:
    """(low, high) of a statistic of independent draws "N", by the bias-corrected bootstrap with 5,000 resamples.

    Draws must be independent: of K answers to one prompt take their mean first. Raises ValueError for fewer than two draws, and
    where the correction is undefined, as for the median of values that are nearly all equal.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values must be two or more finite numbers in one row; got shape {values.shape}.")
    if np.ptp(values) == 0:
        return float(statistic(values)), float(statistic(values))
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        # scipy warns of what is refused below.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap((values,), statistic, n_resamples=5000, confidence_level=confidence, rng=rng)
    low, high = float(found.confidence_interval.low), float(found.confidence_interval.high)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("values hardly vary: there is no bootstrap interval for this statistic; take another one.")
    return low, high


def tilted(ref_probs: np.ndarray, rewards: np.ndarray, beta: float) -> np.ndarray:
    """π*(y) = π_ref(y) exp(r(y)/β)/Z over the last axis: the policy that earns J*. Answers with π_ref = 0 keep 0.

    Raises ValueError for beta <= 0, rewards that are not finite, and what is no probability.

    >>> tilted(np.array([0.5, 0.5]), np.array([np.log(3), 0.0]), beta=1.0).round(2).tolist()
    [0.75, 0.25]
    """
    _check_beta(beta)
    ref_probs, rewards = _check_probs(ref_probs), _finite(rewards)
    with np.errstate(divide="ignore"):
        return softmax(np.log(ref_probs) + rewards / beta, axis=-1)


def attainable(rewards: np.ndarray, beta: float, log_weights: np.ndarray | None = None) -> tuple[float, float]:
    """(J*, its standard error) from rewards "B N" of N samples to each of B prompts.

    Of one prompt: β log (1/N Σ_i w_i exp(r_i/β)), w_i = π_ref(y_i)/q(y_i) for samples of q, given by their logs; all 1 for
    samples of the reference. The mean over prompts is J*; the standard error joins what differs between prompts with what
    the samples leave open. Samples of the reference alone miss rare good answers and come out low: take q = ½ π_ref + ½ π with
    a trained π, and see that `effective_samples` are 100 or more. Raises ValueError for shapes that differ, beta <= 0, a
    single prompt, no samples, or rewards that are not finite.
    """
    _check_beta(beta)
    exponents = _finite(rewards) / beta
    if exponents.ndim != 2 or len(exponents) < 2 or exponents.shape[1] == 0:
        raise ValueError(f"rewards must have shape (B, N) with two prompts or more; got {exponents.shape}.")
    if log_weights is not None:
        exponents = exponents + _like(log_weights, exponents, "log_weights")
    values = beta * (logsumexp(exponents, axis=1) - math.log(exponents.shape[1]))
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def effective_samples(rewards: np.ndarray, beta: float, log_weights: np.ndarray | None = None) -> np.ndarray:
    """(Σ w)²/Σ w² of each prompt "B", w_i ∝ weight_i exp(r_i/β): so many equal samples would say as much about J*.

    It judges the samples that are there: of good answers that none of them is, it knows nothing.

    >>> effective_samples(np.array([[0.0, 0.0, -50.0]]), beta=0.1).tolist()
    [2.0]
    """
    _check_beta(beta)
    exponents = _finite(rewards) / beta
    if log_weights is not None:
        exponents = exponents + _like(log_weights, exponents, "log_weights")
    return np.exp(2 * logsumexp(exponents, axis=-1) - logsumexp(2 * exponents, axis=-1))


def best_of_n_kl(probs: np.ndarray, rewards: np.ndarray, n: int) -> float:
    """KL(best of n samples‖π_ref) in nats, exact, ties broken at random: Σ_levels q log(q/p).

    p is the probability of a reward level and q = F^n - F_-^n that of the best of n being on it; F is the distribution function
    at the level, F_- below it. Without ties and with many answers it comes to log n - (n - 1)/n, which is an upper bound.
    """
    if n < 1:
        raise ValueError(f"n must be 1 or more; got {n}.")
    _, q, p = _best_of_n(probs, rewards, n)
    here = q > 0
    return float(np.sum(q[here] * np.log(q[here] / p[here])))


def best_of_n_reward(probs: np.ndarray, rewards: np.ndarray, n: int) -> float:
    """E[max of n independent rewards], exact: Σ_levels r (F^n - F_-^n)."""
    if n < 1:
        raise ValueError(f"n must be 1 or more; got {n}.")
    levels, q, _ = _best_of_n(probs, rewards, n)
    return float(levels @ q)


def frontier(probs: np.ndarray, rewards: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(KL "M", reward "M") of π* at each β, over the answers "A" of one prompt: no policy earns more reward at so much KL."""
    probs, rewards = _check_probs(probs), _finite(rewards)
    kls, earned = [], []
    for beta in betas:
        best = tilted(probs, rewards, float(beta))
        here = best > 0
        kls.append(float(np.sum(best[here] * np.log(best[here] / probs[here]))))
        earned.append(float(best @ rewards))
    return np.array(kls), np.array(earned)


def _best_of_n(probs: np.ndarray, rewards: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reward levels, the probability that the best of n is on each, and the reference's probability of each."""
    probs, rewards = _check_probs(probs), _finite(rewards)
    if probs.shape != rewards.shape or probs.ndim != 1:
        raise ValueError(f"probs and rewards must be two rows of one length; got {probs.shape} and {rewards.shape}.")
    levels, where = np.unique(rewards, return_inverse=True)
    p = np.bincount(where, probs / probs.sum())
    upper = np.cumsum(p)
    lower = np.concatenate([[0.0], upper[:-1]])
    return levels, upper**n - lower**n, p


def _check_beta(beta: float) -> None:
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be above 0 and finite; got {beta}.")


def _check_probs(probs: np.ndarray) -> np.ndarray:
    probs = np.asarray(probs, dtype=float)
    if not ((probs >= 0).all() and np.allclose(probs.sum(-1), 1, rtol=0, atol=1e-6)):
        raise ValueError("probs must be 0 or more and sum to 1 over the last axis.")
    return probs


def _finite(rewards: np.ndarray) -> np.ndarray:
    rewards = np.asarray(rewards, dtype=float)
    if not np.isfinite(rewards).all():
        raise ValueError("rewards must be finite numbers.")
    return rewards


def _like(weights: np.ndarray, values: np.ndarray, name: str) -> np.ndarray:
    weights = np.asarray(weights, dtype=float)
    if weights.shape != values.shape:
        raise ValueError(f"{name} must have the shape {values.shape} of the rewards; got {weights.shape}.")
    return weights
