"""Wrong variances of importance weights and of the estimates made with them."""

import numpy as np

SUBJECTS = {
    "check_weight_variance": "rlhw.importance:weight_variance",
    "check_ordinary_variance": "rlhw.importance:ordinary_variance",
    "check_per_decision_variance": "rlhw.importance:per_decision_variance",
    "check_weighted_variance": "rlhw.importance:weighted_variance",
}


def _moment(target, behavior, power=2):
    """E_μ[ρ^power]."""
    seen = behavior > 0
    return float((target[seen] ** power * behavior[seen] ** (1 - power)).sum())


def _with(target, behavior, values, power=2):
    """E_μ[ρ^power f] of a function f of the action."""
    seen = behavior > 0
    return float((target[seen] ** power * behavior[seen] ** (1 - power) * values[seen]).sum())


def _square(pi, mu, r, horizon, middle=0.0, power=2):
    """E_μ[W^power (G - middle)²]."""
    m, first, second = (_with(pi, mu, x, power) for x in (np.ones(len(r)), r, r**2))
    rest = m ** max(horizon - 2, 0)
    mean = horizon * first * m ** (horizon - 1)
    both = horizon * second * m ** (horizon - 1) + horizon * (horizon - 1) * first**2 * rest
    return both - 2 * middle * mean + middle**2 * m**horizon


def _each(pi, mu, r, horizon, later=1.0, start=0, value=None):
    """The per-decision estimate's variance, from the sum over steps."""
    m, first, second = (_with(pi, mu, x) for x in (np.ones(len(r)), r, r**2))
    steps = np.arange(horizon)
    v = float(pi @ r) if value is None else value
    return float(m ** (steps + start) @ (second + later * 2 * (horizon - 1 - steps) * first * v)) - (horizon * v) ** 2


WEIGHT = {
    "T times the variance of one ratio": lambda pi, mu, horizon: horizon * (_moment(pi, mu) - 1),
    "the variance of one ratio to the power T": lambda pi, mu, horizon: (_moment(pi, mu) - 1) ** horizon,
    "the squared mean not taken off": lambda pi, mu, horizon: _moment(pi, mu) ** horizon,
    "the ratio upside down": lambda pi, mu, horizon: (
        _moment(np.where(mu > 0, mu, 0), np.maximum(pi, 1e-9)) ** horizon - 1
    ),
    "averaged under the target": lambda pi, mu, horizon: _moment(pi, mu, 3) ** horizon - 1,
    "the last step left out": lambda pi, mu, horizon: _moment(pi, mu) ** (horizon - 1) - 1,
}

ORDINARY = {
    "the weight's variance times the mean return squared": lambda pi, mu, r, horizon: (
        (_moment(pi, mu) ** horizon - 1) * (horizon * pi @ r) ** 2
    ),
    "the squared value not taken off": _square,
    "the value of the behavior policy taken off": lambda pi, mu, r, horizon: (
        _square(pi, mu, r, horizon) - (horizon * mu @ r) ** 2
    ),
    "weights not squared": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon, power=1) - (horizon * pi @ r) ** 2,
    "the value of one step taken off": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon) - (pi @ r) ** 2,
    "every reward weighed on its own": lambda pi, mu, r, horizon: horizon * (_with(pi, mu, r**2) - (pi @ r) ** 2),
}

PER_DECISION = {
    "steps taken for independent": lambda pi, mu, r, horizon: _each(pi, mu, r, horizon, later=0.0),
    "pairs of steps counted once": lambda pi, mu, r, horizon: _each(pi, mu, r, horizon, later=0.5),
    "one ratio too many": lambda pi, mu, r, horizon: _each(pi, mu, r, horizon, start=1),
    "the behavior policy's mean reward": lambda pi, mu, r, horizon: _each(pi, mu, r, horizon, value=float(mu @ r)),
    "that of the ordinary estimate": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon) - (horizon * pi @ r) ** 2,
}

WEIGHTED = {
    "that of the ordinary estimate": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon) - (horizon * pi @ r) ** 2,
    "the return counted from the behavior's value": lambda pi, mu, r, horizon: _square(
        pi, mu, r, horizon, horizon * mu @ r
    ),
    "weights not squared": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon, horizon * pi @ r, power=1),
    "the return counted from one step's value": lambda pi, mu, r, horizon: _square(pi, mu, r, horizon, pi @ r),
}

MUTANTS = {
    "check_weight_variance": WEIGHT,
    "check_ordinary_variance": ORDINARY,
    "check_per_decision_variance": PER_DECISION,
    "check_weighted_variance": WEIGHTED,
}
