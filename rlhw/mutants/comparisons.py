"""Wrong losses on pairs, rankings and votes, on arrays.

`scipy.special` gives the right parts, so that each mutant is wrong in the one way that its name says.
"""

import numpy as np
from scipy.special import expit, log_expit, logsumexp

SUBJECTS = {
    "check_bradley_terry_loss": "rlhw.reward_model:bradley_terry_loss",
    "check_plackett_luce_loss": "rlhw.reward_model:plackett_luce_loss",
    "check_pairwise_loss": "rlhw.reward_model:pairwise_loss",
}

BRADLEY_TERRY_LOSS = {
    "chosen and rejected exchanged": lambda c, r, margin=0.0: -log_expit(r - c - margin),
    "margin added": lambda c, r, margin=0.0: -log_expit(c - r + margin),
    "margin forgotten": lambda c, r, margin=0.0: -log_expit(c - r),
    "sign flipped": lambda c, r, margin=0.0: log_expit(c - r - margin),
    "log of a sigmoid that underflows": lambda c, r, margin=0.0: -np.log(expit(c - r - margin)),
    "log of one plus an exponential that overflows": lambda c, r, margin=0.0: np.log1p(np.exp(-(c - r - margin))),
    "log left out": lambda c, r, margin=0.0: -expit(c - r - margin),
    "hinge instead of the log-sigmoid": lambda c, r, margin=0.0: np.maximum(0.0, margin - (c - r)),
    "each score through a sigmoid of its own": lambda c, r, margin=0.0: -log_expit(c - margin) - log_expit(-r),
    "mean over the pairs": lambda c, r, margin=0.0: -log_expit(c - r - margin).mean(),
}


def _stages(scores, ranking):
    """Scores in the order of the ranking, and the log of the sum of exponentials of what is left at each place."""
    ordered = np.take_along_axis(scores, ranking, axis=-1)
    left = [logsumexp(ordered[:, place:], axis=-1) for place in range(ordered.shape[-1])]
    return ordered, np.stack(left, axis=-1)


def _surprises(scores, ranking):
    ordered, left = _stages(scores, ranking)
    return left - ordered


def _leads(scores, ranking):
    """-log sigmoid of the lead of each candidate over each that is ranked below."""
    ordered = np.take_along_axis(scores, ranking, axis=-1)
    return np.triu(-log_expit(ordered[:, :, None] - ordered[:, None, :]), 1)


PLACKETT_LUCE_LOSS = {
    "worst first": lambda s, r: _surprises(s, r[:, ::-1]).sum(-1),
    "ranking read as the rank of each candidate": lambda s, r: _surprises(s, np.argsort(r, axis=-1)).sum(-1),
    "scores taken as ranked already": lambda s, r: _surprises(s, np.broadcast_to(np.arange(s.shape[1]), s.shape)).sum(
        -1
    ),
    "only the first choice counts": lambda s, r: _surprises(s, r)[:, 0],
    "the first choice left out": lambda s, r: _surprises(s, r)[:, 1:].sum(-1),
    "every stage chooses among all": lambda s, r: (logsumexp(s, axis=-1, keepdims=True) - s).sum(-1),
    "the chosen one left out of its own denominator": lambda s, r: (
        _stages(s, r)[1][:, 1:] - _stages(s, r)[0][:, :-1]
    ).sum(-1),
    "all pairs by Bradley-Terry": lambda s, r: _leads(s, r).sum((-1, -2)),
    "neighbours only": lambda s, r: np.diagonal(_leads(s, r), 1, -2, -1).sum(-1),
    "mean over the stages": lambda s, r: _surprises(s, r).mean(-1),
    "sign flipped": lambda s, r: -_surprises(s, r).sum(-1),
    "exponentials that overflow": lambda s, r: (
        np.log(np.exp(_stages(s, r)[0])[:, ::-1].cumsum(-1)[:, ::-1]) - _stages(s, r)[0]
    ).sum(-1),
}


def _surprise_of(scores):
    """-log sigmoid(s_i - s_j), "B K K"."""
    return -log_expit(scores[:, :, None] - scores[:, None, :])


def _pairs(scores):
    """K choose 2."""
    return scores.shape[1] * (scores.shape[1] - 1) / 2


PAIRWISE_LOSS = {
    "winner and loser exchanged": lambda s, w: (w.swapaxes(1, 2) * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2)),
    "sum over the votes": lambda s, w: (w * _surprise_of(s)).sum((1, 2)),
    "divided by K choose 2 whatever the votes": lambda s, w: (w * _surprise_of(s)).sum((1, 2)) / _pairs(s),
    "mean over all K² places": lambda s, w: (w * _surprise_of(s)).mean((1, 2)),
    "votes above the diagonal only": lambda s, w: (np.triu(w) * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2)),
    "a pair goes to its majority": lambda s, w: (
        ((w > w.swapaxes(1, 2)) * _surprise_of(s)).sum((1, 2)) / np.maximum((w > w.swapaxes(1, 2)).sum((1, 2)), 1)
    ),
    "ties thrown away": lambda s, w: (np.floor(w) * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2)),
    "ties count one each": lambda s, w: (np.ceil(w) * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2)),
    "divided by the batch's mean number of votes": lambda s, w: (
        (w * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2)).mean()
    ),
    "mean over the prompts": lambda s, w: ((w * _surprise_of(s)).sum((1, 2)) / w.sum((1, 2))).mean(),
    "log left out": lambda s, w: -(w * np.exp(-_surprise_of(s))).sum((1, 2)) / w.sum((1, 2)),
    "log of the mean probability": lambda s, w: -np.log((w * np.exp(-_surprise_of(s))).sum((1, 2)) / w.sum((1, 2))),
}


MUTANTS = {
    "check_bradley_terry_loss": BRADLEY_TERRY_LOSS,
    "check_plackett_luce_loss": PLACKETT_LUCE_LOSS,
    "check_pairwise_loss": PAIRWISE_LOSS,
}
