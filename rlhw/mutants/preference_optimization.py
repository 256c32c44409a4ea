"""Wrong implicit rewards, DPO, IPO and KTO losses: on arrays, and on tensors where a gradient is what is wrong.

c, r, p, q are the log-probabilities of chosen and rejected answers, and of both under the reference; b is β.
"""

import numpy as np
from scipy.special import expit, log_expit

from rlhw.laws import as_numpy

SUBJECTS = {
    "check_implicit_reward": "rlhw.dpo:implicit_reward",
    "check_dpo_loss": "rlhw.dpo:dpo_loss",
    "check_ipo_loss": "rlhw.dpo:ipo_loss",
    "check_kto_loss": "rlhw.dpo:kto_loss",
    "check_kto_pair_loss": "rlhw.dpo:kto_pair_loss",
}

IMPLICIT_REWARD = {
    "ratio upside down": lambda p, q, b: b * (q - p),
    "β forgotten": lambda p, q, b: p - q,
    "divided by β": lambda p, q, b: (p - q) / b,
    "reference forgotten": lambda p, q, b: b * p,
    "log of a sum": lambda p, q, b: b * (p + q),
    "ratio without its log": lambda p, q, b: b * np.expm1(p - q),
    "size of the log-ratio": lambda p, q, b: b * np.abs(p - q),
    "centred over the answers": lambda p, q, b: b * (p - q - np.mean(p - q)),
    "mean over the answers": lambda p, q, b: b * np.mean(p - q),
    "squared, as k2": lambda p, q, b: b * (p - q) ** 2 / 2,
    "held fast": as_numpy(lambda p, q, b: b * (p.detach() - q)),
}


def _dpo(margin, s):
    return -(1 - s) * log_expit(margin) - s * log_expit(-margin)


DPO_LOSS = {
    "chosen and rejected exchanged": lambda c, r, p, q, b, s=0.0: _dpo(b * (r - q - c + p), s),
    "chosen and rejected exchanged in the reference": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - q - r + p), s),
    "reference forgotten": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - r), s),
    "reference added": lambda c, r, p, q, b, s=0.0: _dpo(b * (c + p - r - q), s),
    "β on the policy alone": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - r) - (p - q), s),
    "β forgotten": lambda c, r, p, q, b, s=0.0: _dpo(c - p - r + q, s),
    "divided by β": lambda c, r, p, q, b, s=0.0: _dpo((c - p - r + q) / b, s),
    "β in front of the loss": lambda c, r, p, q, b, s=0.0: b * _dpo(c - p - r + q, s),
    "sign flipped": lambda c, r, p, q, b, s=0.0: -_dpo(b * (c - p - r + q), s),
    "log left out": lambda c, r, p, q, b, s=0.0: expit(-b * (c - p - r + q)),
    "log of a sigmoid that underflows": lambda c, r, p, q, b, s=0.0: (
        -(1 - s) * np.log(expit(b * (c - p - r + q))) - s * np.log(expit(-b * (c - p - r + q)))
    ),
    "hinge": lambda c, r, p, q, b, s=0.0: np.maximum(0.0, 1 - b * (c - p - r + q)),
    "ratios without their logs": lambda c, r, p, q, b, s=0.0: _dpo(b * (np.exp(c - p) - np.exp(r - q)), s),
    "each answer through a sigmoid of its own": lambda c, r, p, q, b, s=0.0: (
        -log_expit(b * (c - p)) - log_expit(b * (q - r))
    ),
    "smoothing forgotten": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - p - r + q), 0.0),
    "smoothing the wrong way round": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - p - r + q), 1 - s),
    "smoothing added on top": lambda c, r, p, q, b, s=0.0: (
        -log_expit(b * (c - p - r + q)) - s * log_expit(-b * (c - p - r + q))
    ),
    "smoothing split in two": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - p - r + q), s / 2),
    "a tenth smoothed unless said": lambda c, r, p, q, b, s=0.1: _dpo(b * (c - p - r + q), s),
    "mean over the pairs": lambda c, r, p, q, b, s=0.0: _dpo(b * (c - p - r + q), s).mean(),
    "rejected answer held fast": as_numpy(
        lambda c, r, p, q, b, s=0.0: (
            -(1 - s) * (b * (c - p - r.detach() + q)).sigmoid().log()
            - s * (b * (r.detach() - q - c + p)).sigmoid().log()
        )
    ),
}

IPO_LOSS = {
    "chosen and rejected exchanged": lambda c, r, p, q, b: (r - q - c + p - 1 / (2 * b)) ** 2,
    "reference forgotten": lambda c, r, p, q, b: (c - r - 1 / (2 * b)) ** 2,
    "reference added": lambda c, r, p, q, b: (c + p - r - q - 1 / (2 * b)) ** 2,
    "target 1/β": lambda c, r, p, q, b: (c - p - r + q - 1 / b) ** 2,
    "target β/2": lambda c, r, p, q, b: (c - p - r + q - b / 2) ** 2,
    "target one half": lambda c, r, p, q, b: (c - p - r + q - 0.5) ** 2,
    "target added": lambda c, r, p, q, b: (c - p - r + q + 1 / (2 * b)) ** 2,
    "β in front of the gap": lambda c, r, p, q, b: (b * (c - p - r + q) - 0.5) ** 2,
    "β in front of the gap, target kept": lambda c, r, p, q, b: (b * (c - p - r + q) - 1 / (2 * b)) ** 2,
    "half the square": lambda c, r, p, q, b: (c - p - r + q - 1 / (2 * b)) ** 2 / 2,
    "distance, not its square": lambda c, r, p, q, b: np.abs(c - p - r + q - 1 / (2 * b)),
    "nothing beyond the target": lambda c, r, p, q, b: np.maximum(0.0, 1 / (2 * b) - (c - p - r + q)) ** 2,
    "mean over the pairs": lambda c, r, p, q, b: ((c - p - r + q - 1 / (2 * b)) ** 2).mean(),
    "DPO's loss": lambda c, r, p, q, b: -log_expit(b * (c - p - r + q)),
    "rejected answer held fast": as_numpy(lambda c, r, p, q, b: (c - p - r.detach() + q - 1 / (2 * b)) ** 2),
}

# x are log-ratios, d says which answers are desirable, k is the reference point.
KTO_LOSS = {
    "kinds exchanged": lambda x, d, k, b: expit(np.where(d, 1, -1) * b * (x - k)),
    "all answers desirable": lambda x, d, k, b: expit(-b * (x - k)),
    "reference point added": lambda x, d, k, b: expit(np.where(d, -1, 1) * b * (x + k)),
    "reference point forgotten": lambda x, d, k, b: expit(np.where(d, -1, 1) * b * x),
    "reference point for the desirable only": lambda x, d, k, b: expit(np.where(d, -b * (x - k), b * x)),
    "reference point kept its sign": lambda x, d, k, b: expit(np.where(d, -b * (x - k), b * (x + k))),
    "β forgotten": lambda x, d, k, b: expit(np.where(d, -1, 1) * (x - k)),
    "β on the log-ratio alone": lambda x, d, k, b: expit(np.where(d, -1, 1) * (b * x - k)),
    "sign flipped": lambda x, d, k, b: -expit(np.where(d, 1, -1) * b * (x - k)),
    "log-sigmoid, as in DPO": lambda x, d, k, b: -log_expit(np.where(d, 1, -1) * b * (x - k)),
    "no sigmoid": lambda x, d, k, b: 0.5 - np.where(d, 1, -1) * b * (x - k) / 4,
    "undesirable answers left out": lambda x, d, k, b: np.where(d, expit(-b * (x - k)), 0.0),
    "mean over the answers": lambda x, d, k, b: expit(np.where(d, -1, 1) * b * (x - k)).mean(),
    "gradient through the reference point": as_numpy(
        lambda x, d, k, b: d * (b * (k - x)).sigmoid() + ~d * (b * (x - k)).sigmoid()
    ),
    "desirable answers held fast": as_numpy(
        lambda x, d, k, b: d * (b * (k - x).detach()).sigmoid() + ~d * (b * (x - k.detach())).sigmoid()
    ),
}


def _sides(c, r, p, q, b, k):
    """KTO's loss of the chosen answer and of the rejected one around the reference point k."""
    return expit(-b * (c - p - k)), expit(b * (r - q - k))


def _halves(c, r, p, q, b, k):
    return sum(_sides(c, r, p, q, b, k)) / 2


def _mean_ratio(c, r, p, q):
    return (np.mean(c - p) + np.mean(r - q)) / 2


def _on_tensors(c, r, p, q, b, k):
    return ((-b * (c - p - k)).sigmoid() + (b * (r - q - k)).sigmoid()) / 2


KTO_PAIR_LOSS = {
    "reference point below zero": lambda c, r, p, q, b: _halves(c, r, p, q, b, _mean_ratio(c, r, p, q)),
    "reference point at most zero": lambda c, r, p, q, b: _halves(c, r, p, q, b, min(0.0, _mean_ratio(c, r, p, q))),
    "reference point's size": lambda c, r, p, q, b: _halves(c, r, p, q, b, abs(_mean_ratio(c, r, p, q))),
    "no reference point": lambda c, r, p, q, b: _halves(c, r, p, q, b, 0.0),
    "reference point of the chosen only": lambda c, r, p, q, b: _halves(c, r, p, q, b, max(0.0, np.mean(c - p))),
    "reference point of the rejected only": lambda c, r, p, q, b: _halves(c, r, p, q, b, max(0.0, np.mean(r - q))),
    "reference point of each pair": lambda c, r, p, q, b: _halves(c, r, p, q, b, np.maximum(0.0, (c - p + r - q) / 2)),
    "reference point summed": lambda c, r, p, q, b: _halves(
        c, r, p, q, b, max(0.0, 2 * np.size(c) * _mean_ratio(c, r, p, q))
    ),
    "ratio upside down in the reference point": lambda c, r, p, q, b: _halves(
        c, r, p, q, b, max(0.0, -_mean_ratio(c, r, p, q))
    ),
    "chosen and rejected exchanged": lambda c, r, p, q, b: _halves(r, c, q, p, b, max(0.0, _mean_ratio(c, r, p, q))),
    "sum of the two sides": lambda c, r, p, q, b: 2 * _halves(c, r, p, q, b, max(0.0, _mean_ratio(c, r, p, q))),
    "the chosen side only": lambda c, r, p, q, b: _sides(c, r, p, q, b, max(0.0, _mean_ratio(c, r, p, q)))[0],
    "gradient through the reference point": as_numpy(
        lambda c, r, p, q, b: _on_tensors(c, r, p, q, b, ((c - p).mean() / 2 + (r - q).mean() / 2).clamp(min=0.0))
    ),
    "rejected answer held fast": as_numpy(
        lambda c, r, p, q, b: _on_tensors(
            c, r.detach(), p, q, b, ((c - p).mean() / 2 + (r - q).mean() / 2).clamp(min=0.0).detach()
        )
    ),
}

MUTANTS = {
    "check_implicit_reward": IMPLICIT_REWARD,
    "check_dpo_loss": DPO_LOSS,
    "check_ipo_loss": IPO_LOSS,
    "check_kto_loss": KTO_LOSS,
    "check_kto_pair_loss": KTO_PAIR_LOSS,
}
