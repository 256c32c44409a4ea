"""Wrong running estimates: weights that don't add up, errors that are not what they say."""

import numpy as np

SUBJECTS = {
    "check_running_estimates": "rlhw.running_means:running_estimates",
    "check_recency_weights": "rlhw.running_means:recency_weights",
    "check_squared_errors": "rlhw.running_means:squared_errors",
    "check_best_constant_step": "rlhw.running_means:best_constant_step",
}


def _estimates(move):
    def run(rewards, steps, start=0.0):
        out, q = np.zeros(rewards.shape), np.full(rewards.shape[:-1], start)
        for n, step in enumerate(steps):
            q = move(q, step, rewards[..., n])
            out[..., n] = q
        return out

    return run


RUNNING_ESTIMATES = {
    "step size doubled": _estimates(lambda q, a, r: q + 2 * a * (r - q)),
    "reward added whole": _estimates(lambda q, a, r: q + a * r),
    "old and new exchanged": _estimates(lambda q, a, r: a * q + (1 - a) * r),
    "sign flipped": _estimates(lambda q, a, r: q - a * (r - q)),
    "start forgotten": lambda rewards, steps, start=0.0: _estimates(lambda q, a, r: q + a * (r - q))(rewards, steps),
}


def _kept(steps):
    return np.cumprod(np.append(1.0, 1 - steps[::-1]))[::-1]


RECENCY_WEIGHTS = {
    "oldest first": lambda a: np.append(_kept(a)[:1], (a * _kept(a)[1:])[::-1]),
    "not faded": lambda a: np.append(_kept(a)[0], a),
    "start without weight": lambda a: np.append(0.0, a * _kept(a)[1:]),
    "faded once too often": lambda a: np.append(_kept(a)[0], a * _kept(a)[:-1]),
    "all alike": lambda a: np.append(_kept(a)[0], np.full(len(a), (1 - _kept(a)[0]) / len(a))),
}


def _errors(move):
    def run(steps, *, variance, start=0.0, drift=0.0):
        out, e = [], start
        for a in steps:
            e = move(e, a, variance, drift)
            out.append(e)
        return np.array(out)

    return run


SQUARED_ERRORS = {
    "step size not squared": _errors(lambda e, a, v, d: (1 - a) ** 2 * (e + d) + a * v),
    "what is kept not squared": _errors(lambda e, a, v, d: (1 - a) * (e + d) + a**2 * v),
    "moves forgotten": _errors(lambda e, a, v, d: (1 - a) ** 2 * e + a**2 * v),
    "moves after the reward": _errors(lambda e, a, v, d: (1 - a) ** 2 * e + a**2 * v + d),
    "standard deviation for variance": _errors(lambda e, a, v, d: (1 - a) ** 2 * (e + d) + a**2 * v**0.5),
}

BEST_CONSTANT_STEP = {
    "upside down": lambda v, d: (np.sqrt((v / d) ** 2 + 4 * v / d) - v / d) / 2,
    "square root of the ratio": lambda v, d: np.sqrt(d / v),
    "ratio": lambda v, d: d / (d + v),
    "not halved": lambda v, d: np.sqrt((d / v) ** 2 + 4 * d / v) - d / v,
}

MUTANTS = {
    "check_running_estimates": RUNNING_ESTIMATES,
    "check_recency_weights": RECENCY_WEIGHTS,
    "check_squared_errors": SQUARED_ERRORS,
    "check_best_constant_step": BEST_CONSTANT_STEP,
}
