"""Wrong KL-limited steps, and what they are made of. A world is (transitions, rewards, gamma, start)."""

import numpy as np
from scipy.optimize import brentq

from rlhw.mutants.actor_critic import Solved, softmax

SUBJECTS = {
    "check_mean_kl": "rlhw.trust_region:mean_kl",
    "check_fisher": "rlhw.trust_region:fisher",
    "check_surrogate": "rlhw.trust_region:surrogate",
    "check_natural_gradient": "rlhw.trust_region:natural_gradient",
    "check_kl_step": "rlhw.trust_region:kl_step",
}


def _log_softmax(z):
    return (
        z
        - z.max(axis=-1, keepdims=True)
        - np.log(np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))
    )


def _kl(w, old, new):
    p, q = _log_softmax(old), _log_softmax(new)
    return float(w @ (np.exp(p) * (p - q)).sum(axis=1) / w.sum())


MEAN_KL = {
    "of the new policy from the old": lambda w, old, new: _kl(w, new, old),
    "sum over the visits": lambda w, old, new: w.sum() * _kl(w, old, new),
    "all states alike": lambda w, old, new: _kl(np.ones(len(w)), old, new),
    "in bits": lambda w, old, new: _kl(w, old, new) / np.log(2),
    "logs of probabilities that underflow": lambda w, old, new: float(
        w @ (softmax(old) * np.log(softmax(old) / softmax(new))).sum(axis=1) / w.sum()
    ),
    "half the squared step": lambda w, old, new: float(w @ ((new - old) ** 2).sum(axis=1) / w.sum() / 2),
    "averaged over actions too": lambda w, old, new: _kl(w, old, new) / old.shape[1],
}


def _fisher(w, policy, *, block=lambda p: np.diag(p) - np.outer(p, p), normalised=True):
    matrix = np.zeros((*policy.shape, *policy.shape))
    for s, p in enumerate(policy):
        matrix[s, :, s, :] = (w[s] / w.sum() if normalised else w[s]) * block(p)
    return matrix


FISHER = {
    "diagonal only": lambda w, policy: _fisher(w, policy, block=np.diag),
    "diagonal of the right one": lambda w, policy: _fisher(w, policy, block=lambda p: np.diag(p - p**2)),
    "visits not normalised": lambda w, policy: _fisher(w, policy, normalised=False),
    "all states alike": lambda w, policy: _fisher(np.ones(len(w)), policy),
    "sign of the product": lambda w, policy: _fisher(w, policy, block=lambda p: np.diag(p) + np.outer(p, p)),
    "twice": lambda w, policy: 2 * _fisher(w, policy),
}


def _surrogate(
    p, r, gamma, start, old, new, *, visits=lambda s, t: s.d, gains=lambda s, pi, mu: (mu * s.a).sum(axis=1)
):
    pi, mu = softmax(old), softmax(new)
    s, t = Solved(p, r, gamma, start, pi), Solved(p, r, gamma, start, mu)
    return float(start @ s.v + visits(s, t) @ gains(s, pi, mu))


def _claim(**options):
    return lambda *given: _surrogate(*given, **options)


SURROGATE = {
    "visits of the new policy": _claim(visits=lambda s, t: t.d),
    "visits normalised": _claim(visits=lambda s, t: s.d / s.d.sum()),
    "without the old objective": lambda p, r, gamma, start, old, new: (
        _surrogate(p, r, gamma, start, old, new) - _surrogate(p, r, gamma, start, old, old)
    ),
    "action values for advantages": _claim(gains=lambda s, pi, mu: (mu * s.q).sum(axis=1)),
    "choices of the old policy": _claim(gains=lambda s, pi, mu: (pi * s.a).sum(axis=1)),
    "ratio without the old probability": _claim(gains=lambda s, pi, mu: (mu / pi * s.a).sum(axis=1)),
    "ratio upside down": _claim(gains=lambda s, pi, mu: (pi**2 / mu * s.a).sum(axis=1)),
}


def _natural(formula):
    def wrong(p, r, gamma, start, z):
        policy = softmax(z)
        return formula(Solved(p, r, gamma, start, policy), policy)

    return wrong


def _centred(table):
    return table - table.mean(axis=1, keepdims=True)


def _seen(s, table):
    return np.where(s.d[:, None] > 0, table, 0.0)


NATURAL_GRADIENT = {
    "plain gradient": _natural(lambda s, policy: s.d[:, None] * policy * s.a),
    "visits left in": _natural(lambda s, policy: _seen(s, s.d[:, None] * _centred(s.a))),
    "probability left in": _natural(lambda s, policy: _seen(s, s.d.sum() * policy * s.a)),
    "sum of the visits forgotten": _natural(lambda s, policy: _seen(s, _centred(s.a))),
    "not centred": _natural(lambda s, policy: _seen(s, s.d.sum() * s.a)),
    "steps where it never is": _natural(lambda s, policy: s.d.sum() * _centred(s.a)),
    "sign flipped": _natural(lambda s, policy: -_seen(s, s.d.sum() * _centred(s.a))),
    "divided by the square root": _natural(
        lambda s, policy: _seen(s, _centred(s.a * np.sqrt(policy)) * np.sqrt(s.d * s.d.sum())[:, None])
    ),
}


def _step(w, z, x, kl, *, measure=_kl, sign=1.0):
    far = 1.0
    while measure(w, z, z + sign * far * x) < kl:
        far *= 2
    return z + sign * brentq(lambda c: measure(w, z, z + sign * c * x) - kl, 0, far, xtol=1e-300, rtol=1e-14) * x


def _quadratic(w, z, x, kl):
    """The step at which the parabola ½ xᵀ F x reaches the limit: TRPO's first guess, without its line search."""
    bend = np.einsum("sa,satb,tb->", x, _fisher(w, softmax(z)), x)
    return z + np.sqrt(2 * kl / bend) * x


KL_STEP = {
    "the parabola's step, not searched": _quadratic,
    "other KL": lambda w, z, x, kl: _step(w, z, x, kl, measure=lambda w, old, new: _kl(w, new, old)),
    "limit doubled": lambda w, z, x, kl: _step(w, z, x, 2 * kl),
    "against the direction": lambda w, z, x, kl: _step(w, z, x, kl, sign=-1.0),
    "all states alike": lambda w, z, x, kl: _step(np.ones(len(w)), z, x, kl),
    "limit on the sum": lambda w, z, x, kl: _step(w, z, x, kl / w.sum()),
    "direction of length one": lambda w, z, x, kl: z + np.sqrt(2 * kl) * x / np.linalg.norm(x),
    "step alone, old logits forgotten": lambda w, z, x, kl: _step(w, z, x, kl) - z,
}

MUTANTS = {
    "check_mean_kl": MEAN_KL,
    "check_fisher": FISHER,
    "check_surrogate": SURROGATE,
    "check_natural_gradient": NATURAL_GRADIENT,
    "check_kl_step": KL_STEP,
}
