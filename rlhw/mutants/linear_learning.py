"""Learners of linear values that are wrong in one way each, and wrong rates of growth."""

import numpy as np

MODULE = "rlhw.linear_learning"
SUBJECTS = {
    "check_gradient_mc": f"{MODULE}:gradient_mc",
    "check_semi_gradient_td": f"{MODULE}:semi_gradient_td",
    "check_gradient_correction": f"{MODULE}:gradient_correction",
    "check_growth_rate": f"{MODULE}:growth_rate",
}


def _learner(change):
    """A loop over time around `change(w, h, t)`, which gives what is added to w."""

    def path(w, h, count):
        rows = [w]
        for t in range(count):
            rows.append(rows[-1] + change(rows[-1], h[t], t))
        return np.stack(rows)

    return path


def _dot(a, b):
    return np.sum(a * b, axis=-1)[..., None]


def _mc(change):
    """change(w, h, G, η), G and ρ with an axis for the features."""
    return lambda w, h, g, steps: _learner(lambda w, h, t: change(w, h, g[t][..., None], steps[t]))(w, h, len(g))


GRADIENT_MC = {
    "sign flipped": _mc(lambda w, h, g, step: -step * (g - _dot(w, h)) * h),
    "factor two": _mc(lambda w, h, g, step: 2 * step * (g - _dot(w, h)) * h),
    "features left out": _mc(lambda w, h, g, step: step * (g - _dot(w, h)) * np.ones_like(h)),
    "moves to the return itself": _mc(lambda w, h, g, step: step * g * h),
    "step divided by the length of the features": _mc(lambda w, h, g, step: step * (g - _dot(w, h)) * h / _dot(h, h)),
    "weights shrink": _mc(lambda w, h, g, step: step * ((g - _dot(w, h)) * h - 0.01 * w)),
    "last weights only": lambda w, h, g, steps: _mc(lambda w, h, g, step: step * (g - _dot(w, h)) * h)(w, h, g, steps)[
        -1
    ],
}


def _td_learner(change):
    """change(w, h, r, h', γ, η, ρ)."""

    def learner(w, h, r, after, gamma, steps, ratios):
        step = lambda w, h, t: change(w, h, r[t][..., None], after[t], gamma, steps[t], ratios[t][..., None])  # noqa: E731
        return _learner(step)(w, h, len(r))

    return learner


SEMI_GRADIENT_TD = {
    "ratio left out": _td_learner(lambda w, h, r, h2, g, n, rho: n * (r + g * _dot(w, h2) - _dot(w, h)) * h),
    "discount forgotten": _td_learner(lambda w, h, r, h2, g, n, rho: n * rho * (r + _dot(w, h2) - _dot(w, h)) * h),
    "target differentiated too": _td_learner(
        lambda w, h, r, h2, g, n, rho: n * rho * (r + g * _dot(w, h2) - _dot(w, h)) * (h - g * h2)
    ),
    "ratio on the target only": _td_learner(
        lambda w, h, r, h2, g, n, rho: n * (rho * (r + g * _dot(w, h2)) - _dot(w, h)) * h
    ),
    "along the next features": _td_learner(
        lambda w, h, r, h2, g, n, rho: n * rho * (r + g * _dot(w, h2) - _dot(w, h)) * h2
    ),
    "sign flipped": _td_learner(lambda w, h, r, h2, g, n, rho: -n * rho * (r + g * _dot(w, h2) - _dot(w, h)) * h),
    "factor two": _td_learner(lambda w, h, r, h2, g, n, rho: 2 * n * rho * (r + g * _dot(w, h2) - _dot(w, h)) * h),
    "reward discounted": _td_learner(lambda w, h, r, h2, g, n, rho: n * rho * (g * (r + _dot(w, h2)) - _dot(w, h)) * h),
}


def _correction(main, second=lambda u, h, delta, rho: rho * (delta - _dot(u, h)) * h, early=False):
    """TDC with another first line main(δ, h, h', γ, u, ρ), another second line, or u moved before w."""

    def learner(w, h, r, after, gamma, steps, second_steps, ratios):
        rows, u = [w], np.zeros_like(w)
        for t in range(len(r)):
            rho, now = ratios[t][..., None], rows[-1]
            delta = r[t][..., None] + gamma * _dot(now, after[t]) - _dot(now, h[t])
            moved = u + second_steps[t] * second(u, h[t], delta, rho)
            rows.append(now + steps[t] * main(delta, h[t], after[t], gamma, moved if early else u, rho))
            u = moved
        return np.stack(rows)

    return learner


def _tdc(delta, h, h2, g, u, rho):
    return rho * (delta * h - g * h2 * _dot(u, h))


GRADIENT_CORRECTION = {
    "no correction": _correction(lambda delta, h, h2, g, u, rho: rho * delta * h),
    "correction added": _correction(lambda delta, h, h2, g, u, rho: rho * (delta * h + g * h2 * _dot(u, h))),
    "discount forgotten in the correction": _correction(
        lambda delta, h, h2, g, u, rho: rho * (delta * h - h2 * _dot(u, h))
    ),
    "correction along the features": _correction(
        lambda delta, h, h2, g, u, rho: rho * (delta * h - g * h * _dot(u, h2))
    ),
    "correction without ratio": _correction(lambda delta, h, h2, g, u, rho: rho * delta * h - g * h2 * _dot(u, h)),
    "the other gradient method, GTD2": _correction(lambda delta, h, h2, g, u, rho: rho * (h - g * h2) * _dot(u, h)),
    "u moves first": _correction(_tdc, early=True),
    "u not held back": _correction(_tdc, second=lambda u, h, delta, rho: rho * delta * h),
    "u without ratio": _correction(_tdc, second=lambda u, h, delta, rho: (delta - _dot(u, h)) * h),
}

GROWTH_RATE = {
    "largest size of an eigenvalue": lambda a: np.abs(np.linalg.eigvals(a)).max(),
    "of A, not of minus A": lambda a: np.linalg.eigvals(a).real.max(),
    "least instead of largest": lambda a: np.linalg.eigvals(-a).real.min(),
    "of the symmetric part": lambda a: np.linalg.eigvalsh(-(a + a.T) / 2).max(),
    "the trace": lambda a: -np.trace(a),
}

MUTANTS = {
    "check_gradient_mc": GRADIENT_MC,
    "check_semi_gradient_td": SEMI_GRADIENT_TD,
    "check_gradient_correction": GRADIENT_CORRECTION,
    "check_growth_rate": GROWTH_RATE,
}
