"""Wrong schedules of visit counts, wrong epsilon-soft policies, and worlds that explore wrongly."""

import numpy as np

SUBJECTS = {
    "check_inverse_visits": "rlhw.exploration:inverse_visits",
    "check_power": "rlhw.exploration:power",
    "check_epsilon_soft": "rlhw.exploration:epsilon_soft",
    "check_softened": "rlhw.exploration:softened",
}


def _best(q):
    return (q == q.max(axis=-1, keepdims=True)) * 1.0


def _shared(q):
    return _best(q) / _best(q).sum(axis=-1, keepdims=True)


INVERSE_VISITS = {
    "above one at the first visits": lambda c: lambda n: c / n,
    "counts from zero": lambda c: lambda n: np.minimum(1.0, c / np.maximum(n - 1, 1)),
    "c forgotten": lambda c: lambda n: 1 / n,
    "the larger of the two": lambda c: lambda n: np.maximum(1.0, c / n),
    "falls with the square": lambda c: lambda n: np.minimum(1.0, c / n**2),
    "smoothed denominator": lambda c: lambda n: c / (c + n),
}

POWER = {
    "grows instead of falling": lambda x: lambda n: n**x,
    "always one over n": lambda x: lambda n: 1 / n,
    "counts from zero": lambda x: lambda n: (n + 1.0) ** -x,
    "exponent halved": lambda x: lambda n: n ** (-x / 2),
    "geometric": lambda x: lambda n: x ** (n - 1.0),
}

EPSILON_SOFT = {
    "ties each get the whole rest": lambda q, e: e[..., None] / 4 + (1 - e[..., None]) * _best(q),
    "ties all go to the first": lambda q, e: e[..., None] / 4 + (1 - e[..., None]) * np.eye(4)[q.argmax(axis=-1)],
    "ε for 1 - ε": lambda q, e: (1 - e[..., None]) / 4 + e[..., None] * _shared(q),
    "exploring spares the best": lambda q, e: e[..., None] / 4 * (1 - _best(q)) + (1 - e[..., None]) * _shared(q),
    "one ε for all rows": lambda q, e: e.mean() / 4 + (1 - e.mean()) * _shared(q),
    "never explores": lambda q, e: _shared(q),
    "the least instead of the greatest": lambda q, e: e[..., None] / 4 + (1 - e[..., None]) * _shared(-q),
}


def _softened(mix_moves, mix_rewards):
    def soft(transitions, rewards, gamma, start, epsilon):
        mix = epsilon / 3 + (1 - epsilon) * np.eye(3)
        moved = np.einsum("ab,sbt->sat", mix, transitions) if mix_moves else transitions
        return moved, rewards @ mix if mix_rewards else rewards, gamma, start

    return soft


def _softened_by(change):
    def soft(transitions, rewards, gamma, start, epsilon):
        mix = change(epsilon)
        return np.einsum("ab,sbt->sat", mix, transitions), rewards @ mix.T, gamma, start

    return soft


def _softened_then(change):
    return lambda *inputs: change(*_softened(True, True)(*inputs), inputs[-1])


SOFTENED = {
    "rewards as they were": _softened(True, False),
    "moves as they were": _softened(False, True),
    "nothing changed": _softened(False, False),
    "exploring spares the chosen action": _softened_by(lambda e: e / 2 * (1 - np.eye(3)) + (1 - e) * np.eye(3)),
    "ε for 1 - ε": _softened_by(lambda e: (1 - e) / 3 + e * np.eye(3)),
    "ε taken off the discount": _softened_then(lambda p, r, gamma, start, e: (p, r, gamma * (1 - e), start)),
    "starts anywhere": _softened_then(lambda p, r, gamma, start, e: (p, r, gamma, np.full(4, 0.25))),
}

MUTANTS = {
    "check_inverse_visits": INVERSE_VISITS,
    "check_power": POWER,
    "check_epsilon_soft": EPSILON_SOFT,
    "check_softened": SOFTENED,
}
