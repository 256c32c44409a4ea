"""Wrong softmax policies, scores, gradients and baselines: what one really writes on a tired evening.

`scipy.special` gives the right parts, so that each mutant is wrong in the one way that its name says.
"""

import numpy as np
from scipy.special import log_softmax, softmax

SUBJECTS = {
    "check_softmax": "rlhw.policy_gradient:softmax",
    "check_log_softmax": "rlhw.policy_gradient:log_softmax",
    "check_score": "rlhw.policy_gradient:score",
    "check_cloning_gradient": "rlhw.policy_gradient:cloning_gradient",
    "check_exact_gradient": "rlhw.policy_gradient:exact_gradient",
    "check_sample_actions": "rlhw.policy_gradient:sample_actions",
    "check_weighted_scores": "rlhw.policy_gradient:weighted_scores",
    "check_reinforce_estimates": "rlhw.policy_gradient:reinforce_estimates",
    "check_leave_one_out": "rlhw.policy_gradient:leave_one_out",
    "check_gradient_variance": "rlhw.policy_gradient:gradient_variance",
    "check_optimal_baseline": "rlhw.policy_gradient:optimal_baseline",
    "check_squared_score_norms": "rlhw.policy_gradient:squared_score_norms",
    "check_entropy": "rlhw.policy_gradient:entropy",
}


def _one_hot(z, actions):
    return np.eye(len(z))[actions]


def _score(z, actions):
    return _one_hot(z, actions) - softmax(z)


def _norms(z):
    return (_score(z, np.arange(len(z))) ** 2).sum(axis=1)


def _inverted(p, uniforms, side="right"):
    return np.minimum(np.searchsorted(np.cumsum(p), uniforms, side=side), len(p) - 1)


def _variance(z, r, b, noise=0.0):
    p = softmax(z)
    return float(p @ (((r - b) ** 2 + noise) * _norms(z)) - np.sum((p * (r - p @ r)) ** 2))


SOFTMAX = {
    "shift dropped": lambda z: np.exp(z) / np.exp(z).sum(),
    "smallest logit subtracted instead of the largest": lambda z: np.exp(z - z.min()) / np.exp(z - z.min()).sum(),
    "mean of the weights instead of their sum": lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).mean(),
    "divided by the largest weight": lambda z: np.exp(z - z.max()),
    "powers of two instead of e": lambda z: np.exp2(z - z.max()) / np.exp2(z - z.max()).sum(),
    "a sigmoid for each logit": lambda z: 1 / (1 + np.exp(-z)),
}

LOG_SOFTMAX = {
    "log of a probability that underflows": lambda z: np.log(softmax(z)),
    "shift dropped": lambda z: z - np.log(np.exp(z).sum()),
    "shift not added back": lambda z: z - np.log(np.exp(z - z.max()).sum()),
    "sign flipped": lambda z: -log_softmax(z),
    "log to the base ten": lambda z: log_softmax(z) / np.log(10.0),
}

SCORE = {
    "sign flipped": lambda z, y: softmax(z) - _one_hot(z, y),
    "score of the wrong action": lambda z, y: _one_hot(z, y - 1) - softmax(z),
    "probabilities forgotten": lambda z, y: _one_hot(z, y),
    "gradient of p instead of log p": lambda z, y: softmax(z)[y] * _score(z, y),
    "one at every action": lambda z, y: 1.0 - softmax(z),
    "logits in place of probabilities": lambda z, y: _one_hot(z, y) - z,
}

CLONING_GRADIENT = {
    "sign flipped": lambda z, q: softmax(z) - q,
    "policy forgotten": lambda z, q: q,
    "hard label: the teacher's favourite only": lambda z, q: _score(z, int(np.argmax(q))),
    "weighted by our own probabilities": lambda z, q: softmax(z) * (q - softmax(z)),
    "log-probabilities in place of probabilities": lambda z, q: q - log_softmax(z),
}

EXACT_GRADIENT = {
    "sign flipped": lambda z, r: softmax(z) * (softmax(z) @ r - r),
    "value not subtracted": lambda z, r: softmax(z) * r,
    "plain mean of the rewards instead of the value": lambda z, r: softmax(z) * (r - r.mean()),
    "probability forgotten": lambda z, r: r - softmax(z) @ r,
    "variance of a coin for each arm": lambda z, r: softmax(z) * (1 - softmax(z)) * r,
}

SAMPLE_ACTIONS = {
    "an edge belongs to the arm below": lambda z, u: _inverted(softmax(z), u, side="left"),
    "1 - u for u": lambda z, u: _inverted(softmax(z), 1 - u),
    "index off by one": lambda z, u: np.searchsorted(np.cumsum(softmax(z)), u, side="right") + 1,
    "last cumulative sum trusted to be one": lambda z, u: np.searchsorted(np.cumsum(softmax(z)), u, side="right"),
    "every arm equally likely": lambda z, u: (u * len(z)).astype(int),
    "arms sorted first": lambda z, u: np.argsort(z)[_inverted(np.sort(softmax(z)), u)],
    "always the likeliest arm": lambda z, u: np.full(len(u), np.argmax(z)),
}

WEIGHTED_SCORES = {
    "weights forgotten": lambda z, y, w: _score(z, y),
    "sign flipped": lambda z, y, w: -w[:, None] * _score(z, y),
    "mean over the samples": lambda z, y, w: (w[:, None] * _score(z, y)).mean(axis=0),
    "the first action's score in every row": lambda z, y, w: w[:, None] * _score(z, np.full(len(y), y[0])),
    "weight on the indicator only": lambda z, y, w: w[:, None] * _one_hot(z, y) - softmax(z),
    "weights of the samples in reverse": lambda z, y, w: w[::-1, None] * _score(z, y),
}

REINFORCE_ESTIMATES = {
    "baseline added": lambda z, r, y, b=0.0: (r[y] + b)[:, None] * _score(z, y),
    "baseline forgotten": lambda z, r, y, b=0.0: r[y][:, None] * _score(z, y),
    "baseline subtracted from the product": lambda z, r, y, b=0.0: r[y][:, None] * _score(z, y) - b,
    "baseline on the indicator only": lambda z, r, y, b=0.0: r[y][:, None] * _score(z, y) - b * _one_hot(z, y),
    "reward of the row instead of the action": lambda z, r, y, b=0.0: (r[: len(y)] - b)[:, None] * _score(z, y),
    "sign flipped": lambda z, r, y, b=0.0: (b - r[y])[:, None] * _score(z, y),
    "divided by the number of samples": lambda z, r, y, b=0.0: (r[y] - b)[:, None] * _score(z, y) / len(y),
    "baseline that sees the action": lambda z, r, y, b=0.0: (r[y] - b * softmax(z)[y])[:, None] * _score(z, y),
}

LEAVE_ONE_OUT = {
    "includes itself": lambda r: np.full(len(r), r.mean()),
    "N instead of N - 1": lambda r: (r.sum() - r) / len(r),
    "itself not taken out of the sum": lambda r: np.full(len(r), r.sum() / (len(r) - 1)),
    "the next sample's baseline": lambda r: (r.sum() - np.roll(r, 1)) / (len(r) - 1),
    "only the earlier samples": lambda r: np.concatenate([[0.0], np.cumsum(r)[:-1] / np.arange(1, len(r))]),
}

GRADIENT_VARIANCE = {
    "mean not subtracted": lambda z, r, b=0.0, noise=0.0: float(softmax(z) @ (((r - b) ** 2 + noise) * _norms(z))),
    "baseline forgotten": lambda z, r, b=0.0, noise=0.0: _variance(z, r, 0.0, noise),
    "noise forgotten": lambda z, r, b=0.0, noise=0.0: _variance(z, r, b),
    "noise added once, whatever the score": lambda z, r, b=0.0, noise=0.0: _variance(z, r, b) + noise,
    "noise taken for a standard deviation": lambda z, r, b=0.0, noise=0.0: _variance(z, r, b, noise**2),
    "arms minus one in the denominator": lambda z, r, b=0.0, noise=0.0: (
        _variance(z, r, b, noise) * len(z) / (len(z) - 1)
    ),
    "variance of the rewards alone": lambda z, r, b=0.0, noise=0.0: (
        float(softmax(z) @ (r - softmax(z) @ r) ** 2) + noise
    ),
}

OPTIMAL_BASELINE = {
    "the value V instead of b*": lambda z, r: float(softmax(z) @ r),
    "plain mean of the rewards": lambda z, r: float(r.mean()),
    "probabilities forgotten": lambda z, r: float(_norms(z) @ r / _norms(z).sum()),
    "lengths of the scores instead of their squares": lambda z, r: float(
        np.average(r, weights=softmax(z) * _norms(z) ** 0.5)
    ),
    "not divided by the sum of the weights": lambda z, r: float(softmax(z) * _norms(z) @ r),
    "sign flipped": lambda z, r: -float(np.average(r, weights=softmax(z) * _norms(z))),
}

SQUARED_SCORE_NORMS = {
    "length instead of its square": lambda z: _norms(z) ** 0.5,
    "the chosen action's entry only": lambda z: (1 - softmax(z)) ** 2,
    "squares of the probabilities forgotten": lambda z: 1 - 2 * softmax(z),
    "mean over the entries instead of their sum": lambda z: _norms(z) / len(z),
    "p² of the action instead of the sum": lambda z: 1 - 2 * softmax(z) + softmax(z) ** 2,
}

ENTROPY = {
    "sign flipped": lambda z: float(softmax(z) @ log_softmax(z)),
    "bits instead of nats": lambda z: float(-softmax(z) @ log_softmax(z) / np.log(2.0)),
    "plain mean instead of the expectation": lambda z: float(-log_softmax(z).mean()),
    "zero times the log of zero": lambda z: float(-softmax(z) @ np.log(softmax(z))),
    "mean over the arms of the terms": lambda z: float(-np.mean(softmax(z) * log_softmax(z))),
    "one minus the sum of squares": lambda z: float(1 - softmax(z) @ softmax(z)),
}

MUTANTS = {
    "check_softmax": SOFTMAX,
    "check_log_softmax": LOG_SOFTMAX,
    "check_score": SCORE,
    "check_cloning_gradient": CLONING_GRADIENT,
    "check_exact_gradient": EXACT_GRADIENT,
    "check_sample_actions": SAMPLE_ACTIONS,
    "check_weighted_scores": WEIGHTED_SCORES,
    "check_reinforce_estimates": REINFORCE_ESTIMATES,
    "check_leave_one_out": LEAVE_ONE_OUT,
    "check_gradient_variance": GRADIENT_VARIANCE,
    "check_optimal_baseline": OPTIMAL_BASELINE,
    "check_squared_score_norms": SQUARED_SCORE_NORMS,
    "check_entropy": ENTROPY,
}
