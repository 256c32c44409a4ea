"""Wrong log-probabilities, masked sums, divergences, cloning losses and read-outs, on arrays.

Rows run along the last axis; `mask` says what belongs to the answer.
"""

import numpy as np
from scipy.special import log_softmax, softmax

SUBJECTS = {
    "check_token_logprobs": "rlhw.logprobs:token_logprobs",
    "check_masked_sum": "rlhw.logprobs:masked_sum",
    "check_masked_mean": "rlhw.logprobs:masked_mean",
    "check_whiten": "rlhw.logprobs:whiten",
    "check_kl_estimate": "rlhw.logprobs:kl_estimate",
    "check_bc_loss": "rlhw.behavior_cloning:bc_loss",
    "check_sum_of_tokens": "rlhw.reward_model:sum_of_tokens",
    "check_last_token": "rlhw.reward_model:last_token",
}


def _at(table, tokens):
    return np.take_along_axis(table, tokens[..., None], axis=-1)[..., 0]


def _kept(values, mask):
    return np.where(mask, values, 0.0)


def _without_last(mask):
    """The mask less the last kept entry of each row."""
    after = np.flip(np.cumsum(np.flip(mask, -1), -1), -1)
    return mask & (after > 1)


TOKEN_LOGPROBS = {
    "scored by the logits of the position before": lambda z, t: _at(np.roll(log_softmax(z, -1), 1, axis=-2), t),
    "scores the token before": lambda z, t: _at(log_softmax(z, -1), np.roll(t, 1, axis=-1)),
    "the logit itself": lambda z, t: _at(z, t),
    "probability instead of its log": lambda z, t: _at(softmax(z, -1), t),
    "log of a probability that underflows": lambda z, t: np.log(_at(softmax(z, -1), t)),
    "log of a probability and a small number": lambda z, t: np.log(_at(softmax(z, -1), t) + 1e-8),
    "greatest logit not taken off first": lambda z, t: _at(z, t) - np.log(np.exp(z).sum(-1)),
    "normalised over positions": lambda z, t: _at(log_softmax(z, -2), t),
    "the likeliest token instead of the one given": lambda z, t: log_softmax(z, -1).max(-1),
    "sign of a loss": lambda z, t: -_at(log_softmax(z, -1), t),
    "bits instead of nats": lambda z, t: _at(log_softmax(z, -1), t) / np.log(2.0),
}

MASKED_SUM = {
    "mask dropped": lambda x, m: x.sum(-1),
    "multiplied by the mask": lambda x, m: (x * m).sum(-1),
    "mask upside down": lambda x, m: np.where(m, 0.0, x).sum(-1),
    "mean instead of the sum": lambda x, m: _kept(x, m).sum(-1) / np.maximum(m.sum(-1), 1),
    "one sum for the whole batch": lambda x, m: np.full(x.shape[:-1], _kept(x, m).sum()),
    "mask guessed from what is not a number": lambda x, m: np.nansum(x, axis=-1),
    "what is no number left out everywhere": lambda x, m: np.nansum(_kept(x, m), axis=-1),
    "stops at the first hole": lambda x, m: _kept(x, np.cumprod(m, -1) > 0).sum(-1),
    "last kept entry left out": lambda x, m: _kept(x, _without_last(m)).sum(-1),
}

MASKED_MEAN = {
    "mask dropped": lambda x, m: x.mean(-1),
    "divided by the row's length": lambda x, m: _kept(x, m).mean(-1),
    "multiplied by the mask": lambda x, m: (x * m).sum(-1) / m.sum(-1),
    "sum instead of the mean": lambda x, m: _kept(x, m).sum(-1),
    "divided by the batch's mean count": lambda x, m: _kept(x, m).sum(-1) / m.sum(-1).mean(),
    "one mean for the whole batch": lambda x, m: np.full(x.shape[:-1], x[m].mean()),
    "count plus one": lambda x, m: _kept(x, m).sum(-1) / (m.sum(-1) + 1),
    "median instead of the mean": lambda x, m: np.nanmedian(np.where(m, x, np.nan), axis=-1),
}


def _whitened(x, m, mean=np.mean, spread=np.std):
    return np.where(m, (x - mean(x[m])) / (spread(x[m]) + 1e-9), 0.0)


WHITEN = {
    "each row by itself": lambda x, m: (
        np.where(m, (x - np.nanmean(np.where(m, x, np.nan), -1, keepdims=True)), 0.0)
        / np.nanstd(np.where(m, x, np.nan), -1, keepdims=True)
    ),
    "mask dropped": lambda x, m: np.where(m, (x - x.mean()) / (x.std() + 1e-9), 0.0),
    "padding counted as zeros": lambda x, m: np.where(m, (x - _kept(x, m).mean()) / (_kept(x, m).std() + 1e-9), 0.0),
    "mean kept": lambda x, m: _whitened(x, m) + np.where(m, x[m].mean(), 0.0),
    "mean not taken off": lambda x, m: _whitened(x, m, mean=lambda kept: 0.0),
    "divided by the variance": lambda x, m: _whitened(x, m, spread=np.var),
    "one less in the variance's denominator": lambda x, m: _whitened(x, m, spread=lambda kept: np.std(kept, ddof=1)),
    "padding whitened too": lambda x, m: (x - x[m].mean()) / (x[m].std() + 1e-9),
    "multiplied by the mask": lambda x, m: (x - x[m].mean()) / (x[m].std() + 1e-9) * m,
    "no guard against a deviation of zero": lambda x, m: np.where(m, (x - x[m].mean()) / x[m].std(), 0.0),
}


def _kl(p, q, kind="k1"):
    return {"k1": p - q, "k2": (p - q) ** 2 / 2, "k3": np.exp(q - p) - 1 - (q - p)}[kind]


KL_ESTIMATE = {
    "ratio upside down in k3": lambda p, q, kind="k1": {"k3": np.exp(p - q) - 1 - (p - q)}.get(kind, _kl(p, q, kind)),
    "policy and reference exchanged": lambda p, q, kind="k1": _kl(q, p, kind),
    "k2 without the half": lambda p, q, kind="k1": _kl(p, q, kind) * (2 if kind == "k2" else 1),
    "k2 squares the ratio instead of its log": lambda p, q, kind="k1": {"k2": np.exp(p - q) ** 2 / 2}.get(
        kind, _kl(p, q, kind)
    ),
    "k3 without minus one": lambda p, q, kind="k1": _kl(p, q, kind) + (kind == "k3"),
    "k3 adds the log of the ratio": lambda p, q, kind="k1": {"k3": np.exp(q - p) - 1 + (q - p)}.get(
        kind, _kl(p, q, kind)
    ),
    "k1 without its sign": lambda p, q, kind="k1": np.abs(_kl(p, q, kind)),
    "k3 for k1": lambda p, q, kind="k1": _kl(p, q, "k3" if kind == "k1" else kind),
    "weighted by the probability again": lambda p, q, kind="k1": np.exp(p) * _kl(p, q, kind),
    "mean over the tokens": lambda p, q, kind="k1": _kl(p, q, kind).mean(-1),
    "ratio of log-probabilities": lambda p, q, kind="k1": {"k1": p / q}.get(kind, _kl(p, q, kind)),
}


BC_LOSS = {
    "mean over the answer's tokens": lambda x, m: -_kept(x, m).sum(-1) / m.sum(-1),
    "mean over tokens and padding": lambda x, m: -_kept(x, m).mean(-1),
    "padding counted": lambda x, m: -x.sum(-1),
    "multiplied by the mask": lambda x, m: -(x * m).sum(-1),
    "sign flipped": lambda x, m: _kept(x, m).sum(-1),
    "divided by the answers of the batch": lambda x, m: -_kept(x, m).sum(-1) / m[..., 0].size,
    "divided by the batch's mean length": lambda x, m: -_kept(x, m).sum(-1) / m.sum(-1).mean(),
    "eos left out": lambda x, m: -_kept(x, _without_last(m)).sum(-1),
    "probabilities added instead of their logs": lambda x, m: -_kept(np.exp(x), m).sum(-1),
    "bits instead of nats": lambda x, m: -_kept(x, m).sum(-1) / np.log(2.0),
}


def _last(mask):
    return mask.sum(-1, keepdims=True) - 1


SUM_OF_TOKENS = {
    "padding added": lambda x, m: x.sum(-1),
    "multiplied by the mask": lambda x, m: (x * m).sum(-1),
    "mean over the tokens": lambda x, m: np.where(m, x, 0.0).sum(-1) / m.sum(-1),
    "the last token only": lambda x, m: np.take_along_axis(x, _last(m), -1)[..., 0],
    "eos left out": lambda x, m: np.where(m, x, 0.0).cumsum(-1)[..., -1] - np.take_along_axis(x, _last(m), -1)[..., 0],
    "sign flipped": lambda x, m: -np.where(m, x, 0.0).sum(-1),
}

LAST_TOKEN = {
    "the last column, padding or not": lambda x, m: x[..., -1],
    "the column behind the answer": lambda x, m: np.take_along_axis(x, np.minimum(_last(m) + 1, m.shape[-1] - 1), -1)[
        ..., 0
    ],
    "the token before the last": lambda x, m: np.take_along_axis(x, np.maximum(_last(m) - 1, 0), -1)[..., 0],
    "the first token": lambda x, m: x[..., 0],
    "sum of all tokens": lambda x, m: np.where(m, x, 0.0).sum(-1),
    "greatest score of the answer": lambda x, m: np.where(m, x, -np.inf).max(-1),
    "the longest answer's last column": lambda x, m: x[..., m.sum(-1).max() - 1],
}

MUTANTS = {
    "check_token_logprobs": TOKEN_LOGPROBS,
    "check_masked_sum": MASKED_SUM,
    "check_masked_mean": MASKED_MEAN,
    "check_whiten": WHITEN,
    "check_kl_estimate": KL_ESTIMATE,
    "check_bc_loss": BC_LOSS,
    "check_sum_of_tokens": SUM_OF_TOKENS,
    "check_last_token": LAST_TOKEN,
}
