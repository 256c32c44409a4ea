"""Wrong optima, best-of-n laws, frontiers, win rates and intervals.

p are probabilities under the reference, r rewards, b is β, w logs of weights. numpy and scipy give the right parts.
"""

import math
from statistics import NormalDist

import numpy as np
from scipy.special import logsumexp, softmax
from scipy.stats import binomtest

SUBJECTS = {
    "check_tilted": "rlhw.evaluation:tilted",
    "check_attainable": "rlhw.evaluation:attainable",
    "check_effective_samples": "rlhw.evaluation:effective_samples",
    "check_best_of_n_kl": "rlhw.evaluation:best_of_n_kl",
    "check_best_of_n_reward": "rlhw.evaluation:best_of_n_reward",
    "check_frontier": "rlhw.evaluation:frontier",
    "check_win_rate": "rlhw.evaluation:win_rate",
    "check_bootstrap_interval": "rlhw.evaluation:bootstrap_interval",
}


def _normal(weights):
    return weights / weights.sum(-1, keepdims=True)


TILTED = {
    "sign flipped": lambda p, r, b: softmax(np.log(p) - r / b, -1),
    "times β": lambda p, r, b: softmax(np.log(p) + r * b, -1),
    "β forgotten": lambda p, r, b: softmax(np.log(p) + r, -1),
    "reference forgotten": lambda p, r, b: softmax(r / b, -1),
    "reference upside down": lambda p, r, b: softmax(r / b - np.log(p), -1),
    "reference tilted too": lambda p, r, b: softmax((np.log(p) + r) / b, -1),
    "reference's probability for its log": lambda p, r, b: softmax(p + r / b, -1),
    "not normalised": lambda p, r, b: p * np.exp(r / b),
    "normalised over the prompts": lambda p, r, b: softmax(np.log(p) + r / b, 0),
    "normalised over all prompts together": lambda p, r, b: softmax(np.log(p) + r / b),
    "exponentials that overflow": lambda p, r, b: _normal(p * np.exp(r / b)),
    "greatest reward takes all": lambda p, r, b: (r == r.max(-1, keepdims=True)).astype(float),
    "weights without the exponential": lambda p, r, b: _normal(p * (r - r.min(-1, keepdims=True) + 1e-9) / b),
    "advantage over the mean, to first order": lambda p, r, b: p * (1 + (r - (p * r).sum(-1, keepdims=True)) / b),
    "mixed with the reference": lambda p, r, b: (softmax(np.log(p) + r / b, -1) + p) / 2,
}


def _values(r, b, w=None):
    return b * (logsumexp(r / b + (0.0 if w is None else w), axis=1) - math.log(r.shape[1]))


def _with_error(values):
    return values.mean(), values.std(ddof=1) / math.sqrt(len(values))


def _attainable(values):
    """A mutant of the values "B" of the prompts; mean and standard error are right."""
    return lambda r, b, w=None: _with_error(values(r, b, 0.0 if w is None else w))


ATTAINABLE = {
    "sum over the samples": _attainable(lambda r, b, w: b * logsumexp(r / b + w, axis=1)),
    "β forgotten in front": _attainable(lambda r, b, w: _values(r, b, w) / b),
    "β forgotten inside": _attainable(lambda r, b, w: b * _values(r, 1.0, w)),
    "times β inside": _attainable(lambda r, b, w: b * _values(r * b, 1.0, w)),
    "mean reward, by Jensen too low": _attainable(lambda r, b, w: (r * np.exp(w)).mean(axis=1)),
    "greatest reward": _attainable(lambda r, b, w: (r + w).max(axis=1)),
    "reward of π* without its KL": _attainable(lambda r, b, w: (softmax(r / b + w, axis=1) * r).sum(axis=1)),
    "weights upside down": _attainable(lambda r, b, w: _values(r, b, -w)),
    "weights forgotten": _attainable(lambda r, b, w: _values(r, b)),
    "weights divided by their sum": _attainable(
        lambda r, b, w: b * (logsumexp(r / b + w, axis=1) - logsumexp(0 * r + w, axis=1))
    ),
    "weights in units of reward": _attainable(lambda r, b, w: _values(r + w, b)),
    "sign of the reward flipped": _attainable(lambda r, b, w: -_values(-r, b, w)),
    "exponentials that overflow": _attainable(lambda r, b, w: b * np.log(np.exp(r / b + w).mean(axis=1))),
    "all prompts in one mean": lambda r, b, w=None: (
        b * (logsumexp(r / b + (0.0 if w is None else w)) - math.log(r.size)),
        _with_error(_values(r, b, w))[1],
    ),
    "sum over the prompts": lambda r, b, w=None: (_values(r, b, w).sum(), _with_error(_values(r, b, w))[1]),
    "standard error over N, not N - 1": lambda r, b, w=None: (
        _values(r, b, w).mean(), _values(r, b, w).std() / math.sqrt(len(r))
    ),
    "standard deviation for the standard error": lambda r, b, w=None: (
        _values(r, b, w).mean(), _values(r, b, w).std(ddof=1)
    ),
    "standard error over the samples": lambda r, b, w=None: (
        _values(r, b, w).mean(), _values(r, b, w).std(ddof=1) / math.sqrt(r.size)
    ),
    "variance for the standard error": lambda r, b, w=None: (
        _values(r, b, w).mean(), _values(r, b, w).var(ddof=1) / len(r)
    ),
}  # fmt: skip


def _shares(r, b, w=None):
    return softmax(r / b + (0.0 if w is None else w), axis=1)


EFFECTIVE_SAMPLES = {
    "number of samples": lambda r, b, w=None: np.full(len(r), float(r.shape[1])),
    "chance of a repeat": lambda r, b, w=None: (_shares(r, b, w) ** 2).sum(1),
    "root forgotten": lambda r, b, w=None: 1 / np.sqrt((_shares(r, b, w) ** 2).sum(1)),
    "perplexity of the weights": lambda r, b, w=None: np.exp(-(_shares(r, b, w) * np.log(_shares(r, b, w))).sum(1)),
    "one over the greatest share": lambda r, b, w=None: 1 / _shares(r, b, w).max(1),
    "weights forgotten": lambda r, b, w=None: 1 / (_shares(r, b) ** 2).sum(1),
    "weights upside down": lambda r, b, w=None: 1 / (_shares(r, b, None if w is None else -w) ** 2).sum(1),
    "times β": lambda r, b, w=None: 1 / (_shares(r, 1 / b, w) ** 2).sum(1),
    "all prompts together": lambda r, b, w=None: 1 / (_shares(r, b, w) ** 2).sum(),
    "share of the samples": lambda r, b, w=None: 1 / (_shares(r, b, w) ** 2).sum(1) / r.shape[1],
    "exponentials that overflow": lambda r, b, w=None: (
        np.exp(r / b + (0.0 if w is None else w)).sum(1) ** 2 / (np.exp(r / b + (0.0 if w is None else w)) ** 2).sum(1)
    ),
}


def _levels(p, r, n):
    """Reward levels; the best of n's probability of each; the reference's."""
    levels, where = np.unique(r, return_inverse=True)
    share = np.bincount(where, p)
    upper = np.minimum(np.cumsum(share), 1.0)
    return levels, upper**n - np.concatenate([[0.0], upper[:-1]]) ** n, share


def _apart(r):
    """The rewards with their ties broken by place."""
    return np.argsort(np.argsort(r, kind="stable"), kind="stable").astype(float)


def _kl(q, p):
    here = (q > 0) & (p > 0)
    return float(np.sum(q[here] * np.log(q[here] / p[here])))


BEST_OF_N_KL = {
    "the bound": lambda p, r, n: math.log(n) - (n - 1) / n,
    "log n": lambda p, r, n: math.log(n),
    "the bound for n + 1": lambda p, r, n: math.log(n + 1) - n / (n + 1),
    "ties broken by place": lambda p, r, n: _kl(*_levels(p, _apart(r), n)[1:]),
    "the reference from the best of n": lambda p, r, n: _kl(*_levels(p, r, n)[:0:-1]),
    "best of n + 1": lambda p, r, n: _kl(*_levels(p, r, n + 1)[1:]),
    "worst of n": lambda p, r, n: _kl(*_levels(p, -r, n)[1:]),
    "levels counted, not weighed": lambda p, r, n: _kl(_levels(p, r, n)[1], np.full(len(set(r)), 1 / len(set(r)))),
    "in bits": lambda p, r, n: _kl(*_levels(p, r, n)[1:]) / math.log(2),
    "density n F^(n-1) p": lambda p, r, n: _kl(
        n * np.cumsum(_levels(p, r, n)[2]) ** (n - 1) * _levels(p, r, n)[2], _levels(p, r, n)[2]
    ),
    "answers with no rewards": lambda p, r, n: _kl(*_levels(p, np.arange(len(p)), n)[1:]),
}  # fmt: skip

BEST_OF_N_REWARD = {
    "mean reward": lambda p, r, n: float(p @ r),
    "greatest reward of all": lambda p, r, n: float(r.max()),
    "worst of n": lambda p, r, n: -float(np.dot(*_levels(p, -r, n)[:2])),
    "best of n - 1": lambda p, r, n: float(np.dot(*_levels(p, r, max(n - 1, 1))[:2])),
    "best of n + 1": lambda p, r, n: float(np.dot(*_levels(p, r, n + 1)[:2])),
    "density n F^(n-1) p": lambda p, r, n: float(
        np.sum(_levels(p, r, n)[0] * n * np.cumsum(_levels(p, r, n)[2]) ** (n - 1) * _levels(p, r, n)[2])
    ),
    "ties counted once each": lambda p, r, n: float(np.sum(np.sort(r) * np.diff(np.append(0, np.cumsum(p))) ** n)),
    "answers equally likely": lambda p, r, n: float(np.dot(*_levels(np.full(len(p), 1 / len(p)), r, n)[:2])),
    "probabilities in another order": lambda p, r, n: float(np.dot(*_levels(p[::-1], r, n)[:2])),
    "sum of n": lambda p, r, n: n * float(p @ r),
}


def _frontier(policy, kl=lambda q, p: _kl(q, p)):
    """The points of another policy, or with another KL."""

    def points(p, r, betas):
        rows = [policy(p, r, b) for b in betas]
        return np.array([kl(q, p) for q in rows]), np.array([float(q @ r) for q in rows])

    return points


_best = TILTED["exponentials that overflow"]  # no danger in this world

FRONTIER = {
    "KL of the reference from π*": _frontier(_best, lambda q, p: _kl(p, q)),
    "KL in bits": _frontier(_best, lambda q, p: _kl(q, p) / math.log(2)),
    "entropy for the KL": _frontier(_best, lambda q, p: -float(q @ np.log(q))),
    "times β": _frontier(TILTED["times β"]),
    "reference forgotten": _frontier(TILTED["reference forgotten"]),
    "reward of the sign flipped": _frontier(TILTED["sign flipped"]),
    "line from the reference to the best answer": _frontier(
        lambda p, r, b: (p + TILTED["greatest reward takes all"](p, r, b)) / 2
    ),
    "mixed with the reference": _frontier(TILTED["mixed with the reference"]),
    "sorted by KL": lambda p, r, betas: tuple(np.sort(part) for part in _frontier(_best)(p, r, betas)),
    "reward first": lambda p, r, betas: _frontier(_best)(p, r, betas)[::-1],
    "J for the reward": lambda p, r, betas: (
        _frontier(_best)(p, r, betas)[0],
        _frontier(_best)(p, r, betas)[1] - betas * _frontier(_best)(p, r, betas)[0],
    ),
    "the first β for all": lambda p, r, betas: _frontier(_best)(p, r, np.full_like(betas, betas[0])),
}


def _interval(wins, losses, ties, confidence, low=None, high=None, method="wilson"):
    """Wilson's, or another's; `low` and `high` are the wins that each end is computed from."""
    n, half = wins + losses + ties, wins + ties // 2
    ends = [half if low is None else low, wins + (ties + 1) // 2 if high is None else high]
    first, second = (binomtest(k, n).proportion_ci(confidence, method=method) for k in ends)
    return (wins + ties / 2) / n, float(first.low), float(second.high)


def _wald(wins, losses, ties=0, confidence=0.95):
    n = wins + losses + ties
    rate, z = (wins + ties / 2) / n, NormalDist().inv_cdf((1 + confidence) / 2)
    return rate, rate - z * math.sqrt(rate * (1 - rate) / n), rate + z * math.sqrt(rate * (1 - rate) / n)


WIN_RATE = {
    "normal interval around the rate": _wald,
    "exact interval of Clopper and Pearson": lambda w, v, t=0, c=0.95: _interval(w, v, t, c, method="exact"),
    "continuity correction": lambda w, v, t=0, c=0.95: _interval(w, v, t, c, method="wilsoncc"),
    "one-sided": lambda w, v, t=0, c=0.95: _interval(w, v, t, 2 * c - 1 + 1e-12),
    "nine in ten unless said": lambda w, v, t=0, c=0.9: _interval(w, v, t, c),
    "confidence not read": lambda w, v, t=0, c=0.95: _interval(w, v, t, 0.95),
    "losses for wins": lambda w, v, t=0, c=0.95: _interval(v, w, t, c),
    "ties won": lambda w, v, t=0, c=0.95: _interval(w + t, v, 0, c),
    "ties lost": lambda w, v, t=0, c=0.95: _interval(w, v + t, 0, c),
    "ties thrown away": lambda w, v, t=0, c=0.95: _interval(w, v, 0, c) if w + v else (0.5, 0.0, 1.0),
    "odd tie lost at both ends": lambda w, v, t=0, c=0.95: _interval(w, v, t, c, high=w + t // 2),
    "odd tie won at both ends": lambda w, v, t=0, c=0.95: _interval(w, v, t, c, low=w + (t + 1) // 2),
    "rate is the middle of the interval": lambda w, v, t=0, c=0.95: (
        sum(_interval(w, v, t, c)[1:]) / 2, *_interval(w, v, t, c)[1:]
    ),
    "wins over losses": lambda w, v, t=0, c=0.95: (w / max(v, 1), *_interval(w, v, t, c)[1:]),
    "ends exchanged": lambda w, v, t=0, c=0.95: _interval(w, v, t, c)[::2] + _interval(w, v, t, c)[1:2],
    "per cent": lambda w, v, t=0, c=0.95: tuple(100 * part for part in _interval(w, v, t, c)),
}  # fmt: skip


def _resampled(values, rng, statistic, confidence, size=None, tails=2, count=2000):
    """The percentile bootstrap, without correction."""
    rows = values[rng.integers(len(values), size=(count, size or len(values)))]
    low = (1 - confidence) / tails
    return tuple(float(end) for end in np.quantile([statistic(row) for row in rows], [low, 1 - low]))


BOOTSTRAP_INTERVAL = {
    "standard deviation for the standard error": lambda x, rng, statistic=np.mean, confidence=0.95: tuple(
        statistic(x) + x.std() * NormalDist().inv_cdf((1 + confidence) / 2) * np.array([-1, 1])
    ),
    "quantiles of the values": lambda x, rng, statistic=np.mean, confidence=0.95: tuple(
        np.quantile(x, [(1 - confidence) / 2, (1 + confidence) / 2])
    ),
    "one-sided": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(x, rng, statistic, confidence, tails=1),
    "half as many in a resample": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(
        x, rng, statistic, confidence, size=len(x) // 2
    ),
    "resampled without replacement": lambda x, rng, statistic=np.mean, confidence=0.95: (
        statistic(rng.permutation(x)), statistic(rng.permutation(x))
    ),
    "always of the mean": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(x, rng, np.mean, confidence),
    "always of the median": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(x, rng, np.median, confidence),
    "confidence not read": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(x, rng, statistic, 0.95),
    "a generator of its own": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(
        x, np.random.default_rng(0), statistic, confidence
    ),
    "randomness of its own": lambda x, rng, statistic=np.mean, confidence=0.95: _resampled(
        x, np.random.default_rng(), statistic, confidence
    ),
    "equal values are their own statistic": lambda x, rng, statistic=np.mean, confidence=0.95: (
        (x[0], x[0]) if np.ptp(x) == 0 else _resampled(x, rng, statistic, confidence)
    ),
    "one standard error": lambda x, rng, statistic=np.mean, confidence=0.95: tuple(
        statistic(x) + x.std() / math.sqrt(len(x)) * np.array([-1, 1])
    ),
}  # fmt: skip

MUTANTS = {
    "check_tilted": TILTED,
    "check_attainable": ATTAINABLE,
    "check_effective_samples": EFFECTIVE_SAMPLES,
    "check_best_of_n_kl": BEST_OF_N_KL,
    "check_best_of_n_reward": BEST_OF_N_REWARD,
    "check_frontier": FRONTIER,
    "check_win_rate": WIN_RATE,
    "check_bootstrap_interval": BOOTSTRAP_INTERVAL,
}
