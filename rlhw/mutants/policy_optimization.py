"""Wrong rewards, advantages and clipped losses of policy optimisation, on arrays.

Rows run along the last axis: tokens of an answer, whose mask is a run from the left, or the K answers to a prompt.
"""

import numpy as np

SUBJECTS = {
    "check_shaped_rewards": "rlhw.ppo:shaped_rewards",
    "check_gae": "rlhw.ppo:gae",
    "check_clipped_policy_loss": "rlhw.ppo:clipped_policy_loss",
    "check_clipped_value_loss": "rlhw.ppo:clipped_value_loss",
    "check_rloo_advantages": "rlhw.grpo:rloo_advantages",
    "check_group_advantages": "rlhw.grpo:group_advantages",
}


def _kept(values, mask):
    return np.where(mask, values, 0.0)


def _ends(mask, place=0):
    """True at the last kept entry of each row, or `place` columns from it."""
    columns = np.arange(mask.shape[-1])
    return columns == np.clip(mask.sum(-1, keepdims=True) - 1 + place, 0, mask.shape[-1] - 1)


def _shaped(scores, p, q, mask, beta, *, ends=None, estimate=lambda log_ratio: log_ratio):
    ends = _ends(mask) if ends is None else ends
    return np.where(ends, scores[..., None], 0.0) - beta * _kept(estimate(p - q), mask)


SHAPED_REWARDS = {
    "the price of the KL becomes a prize": lambda s, p, q, m, beta: _shaped(s, q, p, m, beta),
    "k3 for the log-ratio": lambda s, p, q, m, beta: _shaped(
        s, p, q, m, beta, estimate=lambda x: np.expm1(-x) + x
    ),
    "probabilities for their logs": lambda s, p, q, m, beta: _shaped(s, np.exp(p), np.exp(q), m, beta),
    "score in the last column, padding or not": lambda s, p, q, m, beta: _shaped(
        s, p, q, m, beta, ends=_ends(m | True)
    ),
    "score at the first token": lambda s, p, q, m, beta: _shaped(s, p, q, m, beta, ends=_ends(m & False, 1)),
    "score one token too early": lambda s, p, q, m, beta: _shaped(s, p, q, m, beta, ends=_ends(m, -1)),
    "score one token too late": lambda s, p, q, m, beta: _shaped(s, p, q, m, beta, ends=_ends(m, 1)),
    "score at every token": lambda s, p, q, m, beta: _shaped(s, p, q, m, beta, ends=m),
    "score shared out among the tokens": lambda s, p, q, m, beta: _shaped(
        s / m.sum(-1), p, q, m, beta, ends=m
    ),
    "no price at the last token": lambda s, p, q, m, beta: np.where(_ends(m), s[..., None], -beta * _kept(p - q, m)),
    "the whole price at the last token": lambda s, p, q, m, beta: np.where(
        _ends(m), (s - beta * _kept(p - q, m).sum(-1))[..., None], 0.0
    ),
    "price averaged over the tokens": lambda s, p, q, m, beta: _shaped(
        s, p, q, m, beta / m.sum(-1, keepdims=True)
    ),
    "score multiplied by beta": lambda s, p, q, m, beta: _shaped(beta * s, p, q, m, beta),
    "mask dropped": lambda s, p, q, m, beta: np.where(_ends(m), s[..., None], 0.0) - beta * (p - q),
    "multiplied by the mask": lambda s, p, q, m, beta: np.where(_ends(m), s[..., None], 0.0) - beta * (p - q) * m,
}  # fmt: skip


def _gae(rewards, values, mask, gamma, lam, *, after=0.0, carry=None, ahead=1, sign=1.0):
    """The recursion with its usual slips as options: V after the last column, what is carried on, which value comes next."""
    r, v = _kept(rewards, mask), _kept(values, mask)
    carry = gamma * lam if carry is None else carry
    following = np.concatenate([v, np.full_like(v[..., :1], after)], -1)[..., ahead:][..., : v.shape[-1]]
    deltas = r + gamma * following - sign * v
    advantages, running = np.zeros_like(v), 0.0
    for t in reversed(range(v.shape[-1])):
        running = deltas[..., t] + carry * running
        advantages[..., t] = running
    return advantages, advantages + v


def _bootstrapped(rewards, values, mask, gamma, lam):
    """An answer as long as the row is taken as cut, and worth as much afterwards as before its last token."""
    v = _kept(values, mask)
    cut = np.where(mask.all(-1), v[..., -1], 0.0)
    rewards = np.where(_ends(mask), rewards + gamma * cut[..., None], rewards)
    return _gae(rewards, values, mask, gamma, lam)


def _unmasked(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask | True, gamma, lam)


def _masked_afterwards(rewards, values, mask, gamma, lam):
    return tuple(_kept(part, mask) for part in _unmasked(rewards, values, mask, gamma, lam))


def _monte_carlo(rewards, values, mask, gamma, lam):
    return _gae(rewards, values, mask, gamma, 1.0)


def _forward(rewards, values, mask, gamma, lam):
    """The sum runs over what came before."""
    v = _kept(values, mask)
    deltas = _gae(rewards, values, mask, gamma, 0.0)[0]
    advantages, running = np.zeros_like(v), 0.0
    for t in range(v.shape[-1]):
        running = deltas[..., t] + gamma * lam * running
        advantages[..., t] = running
    return _kept(advantages, mask), _kept(advantages + v, mask)


def _with_returns(returns):
    """Right advantages, wrong returns."""

    def gae(rewards, values, mask, gamma, lam):
        advantages, right = _gae(rewards, values, mask, gamma, lam)
        return advantages, _kept(returns(advantages, values, right, rewards), mask)

    return gae


GAE = {
    "gamma alone carries on": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, carry=gamma),
    "lambda alone carries on": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, carry=lam),
    "nothing carries on": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, carry=0.0),
    "one minus lambda carries on": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, carry=gamma * (1 - lam)),
    "lambda forgotten": _monte_carlo,
    "gamma forgotten": lambda r, v, m, gamma, lam: _gae(r, v, m, 1.0, lam),
    "value added instead of taken off": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, sign=-1.0),
    "its own value for the next one": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, ahead=0),
    "value one token further on": lambda r, v, m, gamma, lam: _gae(
        r, np.where(m, np.roll(_kept(v, m), -1, -1), 0.0), m, gamma, lam
    ),
    "value one after the last token": lambda r, v, m, gamma, lam: _gae(r, v, m, gamma, lam, after=1.0),
    "a cut answer goes on at its last value": _bootstrapped,
    "sums what came before": _forward,
    "mask dropped": _unmasked,
    "masked only afterwards": _masked_afterwards,
    "multiplied by the mask": lambda r, v, m, gamma, lam: _gae(r * m, v * m, m | True, gamma, lam),
    "rewards under the mask count": lambda r, v, m, gamma, lam: _gae(r, _kept(v, m), m | True, gamma, lam),
    "sign flipped": lambda r, v, m, gamma, lam: tuple(-part for part in _gae(r, v, m, gamma, lam)),
    "whitened within": lambda r, v, m, gamma, lam: tuple(
        _kept((part - part[m].mean()) / part[m].std(), m) for part in _gae(r, v, m, gamma, lam)
    ),
    "returns without the values": _with_returns(lambda advantages, values, right, rewards: advantages),
    "returns less the values": _with_returns(lambda advantages, values, right, rewards: advantages - values),
    "returns are the rewards still to come": _with_returns(
        lambda advantages, values, right, rewards: np.cumsum(rewards[..., ::-1], -1)[..., ::-1]
    ),
}


def _ratio(new, old):
    return np.exp(new - old)


def _clamped(new, old, clip):
    return np.clip(_ratio(new, old), 1 - clip, 1 + clip)


CLIPPED_POLICY_LOSS = {
    "maximum for the minimum": lambda p, q, a, clip: -np.maximum(_ratio(p, q) * a, _clamped(p, q, clip) * a),
    "clipped whatever the sign": lambda p, q, a, clip: -_clamped(p, q, clip) * a,
    "not clipped": lambda p, q, a, clip: -_ratio(p, q) * a,
    "clipped from above only": lambda p, q, a, clip: -np.minimum(_ratio(p, q), 1 + clip) * a,
    "minimum of the ratios": lambda p, q, a, clip: -np.minimum(_ratio(p, q), _clamped(p, q, clip)) * a,
    "clipped for good answers only": lambda p, q, a, clip: np.where(
        a > 0, -np.minimum(_ratio(p, q), 1 + clip) * a, -_ratio(p, q) * a
    ),
    "ratio upside down": lambda p, q, a, clip: -np.minimum(_ratio(q, p) * a, _clamped(q, p, clip) * a),
    "log-ratio for the ratio": lambda p, q, a, clip: -np.minimum((p - q) * a, np.clip(p - q, -clip, clip) * a),
    "clipped in the logs": lambda p, q, a, clip: -np.minimum(
        _ratio(p, q) * a, np.exp(np.clip(p - q, -clip, clip)) * a
    ),
    "between clip and its inverse": lambda p, q, a, clip: -np.minimum(
        _ratio(p, q) * a, np.clip(_ratio(p, q), 1 / (1 + clip), 1 + clip) * a
    ),
    "sign flipped": lambda p, q, a, clip: np.minimum(_ratio(p, q) * a, _clamped(p, q, clip) * a),
    "advantage without its sign": lambda p, q, a, clip: -np.minimum(
        _ratio(p, q) * abs(a), _clamped(p, q, clip) * abs(a)
    ),
    "advantage left out of the clipped part": lambda p, q, a, clip: -np.minimum(
        _ratio(p, q) * a, _clamped(p, q, clip)
    ),
    "no gradient outside the range, be it to pull back": lambda p, q, a, clip: np.where(
        abs(_ratio(p, q) - 1) > clip, 0.0, -_ratio(p, q) * a
    ),
    "probability for the ratio": lambda p, q, a, clip: -np.minimum(np.exp(p) * a, np.clip(np.exp(p), 1 - clip, 1 + clip) * a),
    "mean over the tokens": lambda p, q, a, clip: -np.minimum(_ratio(p, q) * a, _clamped(p, q, clip) * a).mean(-1),
}  # fmt: skip


def _near(values, old, clip):
    return old + np.clip(values - old, -clip, clip)


CLIPPED_VALUE_LOSS = {
    "minimum for the maximum": lambda v, old, r, clip: np.minimum((v - r) ** 2, (_near(v, old, clip) - r) ** 2) / 2,
    "without the half": lambda v, old, r, clip: np.maximum((v - r) ** 2, (_near(v, old, clip) - r) ** 2),
    "not clipped": lambda v, old, r, clip: (v - r) ** 2 / 2,
    "the held value only": lambda v, old, r, clip: (_near(v, old, clip) - r) ** 2 / 2,
    "held within a ratio": lambda v, old, r, clip: (
        np.maximum((v - r) ** 2, (np.clip(v, old * (1 - clip), old * (1 + clip)) - r) ** 2) / 2
    ),
    "held around the returns": lambda v, old, r, clip: np.maximum((v - r) ** 2, (_near(v, r, clip) - r) ** 2) / 2,
    "the error clipped instead of the step": lambda v, old, r, clip: np.clip(v - r, -clip, clip) ** 2 / 2,
    "old value left out": lambda v, old, r, clip: (
        np.maximum((v - r) ** 2, (np.clip(v - old, -clip, clip) - r) ** 2) / 2
    ),
    "old value taken off": lambda v, old, r, clip: (
        np.maximum((v - r) ** 2, (np.clip(v - old, -clip, clip) - old - r) ** 2) / 2
    ),
    "size of the error instead of its square": lambda v, old, r, clip: (
        np.maximum(abs(v - r), abs(_near(v, old, clip) - r)) / 2
    ),
    "greater of the errors, squared afterwards": lambda v, old, r, clip: (
        np.maximum(v - r, _near(v, old, clip) - r) ** 2 / 2
    ),
    "sign flipped": lambda v, old, r, clip: -np.maximum((v - r) ** 2, (_near(v, old, clip) - r) ** 2) / 2,
    "both squares added": lambda v, old, r, clip: ((v - r) ** 2 + (_near(v, old, clip) - r) ** 2) / 4,
}


def _mean(rewards):
    return rewards.mean(-1, keepdims=True)


RLOO_ADVANTAGES = {
    "mean with itself in it": lambda r: r - _mean(r),
    "factor upside down": lambda r: (r - _mean(r)) * (r.shape[-1] - 1) / r.shape[-1],
    "sum of the others over K": lambda r: r - (r.sum(-1, keepdims=True) - r) / r.shape[-1],
    "itself not taken out of the sum": lambda r: r - r.sum(-1, keepdims=True) / (r.shape[-1] - 1),
    "baseline added": lambda r: r + (r.sum(-1, keepdims=True) - r) / (r.shape[-1] - 1),
    "sign flipped": lambda r: (_mean(r) - r) * r.shape[-1] / (r.shape[-1] - 1),
    "baseline forgotten": lambda r: r,
    "the others' mean alone": lambda r: (r.sum(-1, keepdims=True) - r) / (r.shape[-1] - 1),
    "best of the others": lambda r: r - np.stack([np.delete(r, i, -1).max(-1) for i in range(r.shape[-1])], -1),
    "the next answer's reward": lambda r: r - np.roll(r, 1, -1),
    "mean over the whole batch": lambda r: (r - r.mean()) * r.shape[-1] / (r.shape[-1] - 1),
    "mean over the prompts": lambda r: r - r.mean(0, keepdims=r.ndim > 1),
    "scaled by the deviation": lambda r: (r - _mean(r)) / (r.std(-1, ddof=1, keepdims=True) + 1e-6),
}


def _deviation(rewards, ddof=1):
    return rewards.std(-1, ddof=ddof, keepdims=True)


def _unscaled_right(scaled):
    """Wrong only where it scales."""
    return lambda r, scale=True: scaled(r) if scale else r - _mean(r)


GROUP_ADVANTAGES = {
    "K in the deviation's denominator": _unscaled_right(lambda r: (r - _mean(r)) / (_deviation(r, 0) + 1e-6)),
    "divided by the variance": _unscaled_right(lambda r: (r - _mean(r)) / (_deviation(r) ** 2 + 1e-6)),
    "multiplied by the deviation": _unscaled_right(lambda r: (r - _mean(r)) * _deviation(r)),
    "mean not taken off": _unscaled_right(lambda r: r / (_deviation(r) + 1e-6)),
    "deviation of the whole batch": _unscaled_right(lambda r: (r - _mean(r)) / (r.std(ddof=1) + 1e-6)),
    "one instead of a small number": _unscaled_right(lambda r: (r - _mean(r)) / (_deviation(r) + 1.0)),
    "no guard against a deviation of zero": _unscaled_right(lambda r: (r - _mean(r)) / _deviation(r)),
    "largest distance for the deviation": _unscaled_right(
        lambda r: (r - _mean(r)) / (abs(r - _mean(r)).max(-1, keepdims=True) + 1e-6)
    ),
    "never scaled": lambda r, scale=True: r - _mean(r),
    "scaled when not asked to": lambda r, scale=True: (r - _mean(r)) / (_deviation(r) + 1e-6),
    "scale upside down": lambda r, scale=True: r - _mean(r) if scale else (r - _mean(r)) / (_deviation(r) + 1e-6),
    "not scaled unless asked to": lambda r, scale=False: (
        (r - _mean(r)) / (_deviation(r) + 1e-6) if scale else r - _mean(r)
    ),
    "leave-one-out without the scale": lambda r, scale=True: (
        (r - _mean(r)) / (_deviation(r) + 1e-6) if scale else (r - _mean(r)) * r.shape[-1] / (r.shape[-1] - 1)
    ),
    "sign flipped": lambda r, scale=True: (_mean(r) - r) / (_deviation(r) + 1e-6 if scale else 1.0),
    "mean of the whole batch": lambda r, scale=True: (r - r.mean()) / (_deviation(r) + 1e-6 if scale else 1.0),
}

MUTANTS = {
    "check_shaped_rewards": SHAPED_REWARDS,
    "check_gae": GAE,
    "check_clipped_policy_loss": CLIPPED_POLICY_LOSS,
    "check_clipped_value_loss": CLIPPED_VALUE_LOSS,
    "check_rloo_advantages": RLOO_ADVANTAGES,
    "check_group_advantages": GROUP_ADVANTAGES,
}
