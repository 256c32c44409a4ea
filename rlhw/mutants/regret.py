"""Wrong costs, wrong divergences, wrong bounds, and races that are not fair."""

import numpy as np

SUBJECTS = {
    "check_gaps": "rlhw.regret:gaps",
    "check_bernoulli_kl": "rlhw.regret:bernoulli_kl",
    "check_gaussian_kl": "rlhw.regret:gaussian_kl",
    "check_lai_robbins": "rlhw.regret:lai_robbins",
    "check_ucb1_bound": "rlhw.regret:ucb1_bound",
    "check_decaying_epsilon": "rlhw.regret:decaying_epsilon",
    "check_auer_epsilon": "rlhw.regret:auer_epsilon",
    "check_upper_bounds": "rlhw.regret:upper_bounds",
    "check_explore": "rlhw.regret:explore",
    "check_rule": "rlhw.regret:rule",
    "check_race": "rlhw.regret:race",
    "check_expected_regret": "rlhw.regret:expected_regret",
}

GAPS = {
    "sign flipped": lambda means: means - means.max(),
    "against the mean of the arms": lambda means: means.mean() - means,
    "against the second best": lambda means: np.sort(means)[-2] - means,
    "squared": lambda means: (means.max() - means) ** 2,
}


def _half(p, q):
    return p * np.log(p / q)


BERNOULLI_KL = {
    "the other way round": lambda p, q: _half(q, p) + _half(1 - q, 1 - p),
    "only the reward 1": _half,
    "in bits": lambda p, q: (_half(p, q) + _half(1 - p, 1 - q)) / np.log(2),
    "squared difference": lambda p, q: 2 * (p - q) ** 2,
    "cross-entropy": lambda p, q: -p * np.log(q) - (1 - p) * np.log(1 - q),
    "0 log 0 is not a number": lambda p, q: _half(p, q) + _half(1 - p, 1 - q),
}

GAUSSIAN_KL = {
    "not halved": lambda m, other, sd: (m - other) ** 2 / sd**2,
    "standard deviation taken for the variance": lambda m, other, sd: (m - other) ** 2 / (2 * sd),
    "not squared": lambda m, other, sd: abs(m - other) / (2 * sd**2),
    "multiplied by the variance": lambda m, other, sd: (m - other) ** 2 * sd**2 / 2,
}

LAI_ROBBINS = {
    "upside down": lambda g, d: float(np.sum(d[g > 0] / g[g > 0])),
    "gap forgotten: pulls, not their cost": lambda g, d: float(np.sum(1 / d[g > 0])),
    "gap squared": lambda g, d: float(np.sum(g[g > 0] ** 2 / d[g > 0])),
    "hardest arm only": lambda g, d: float(np.max(g[g > 0] / d[g > 0])),
    "mean over the arms": lambda g, d: float(np.mean(g[g > 0] / d[g > 0])),
    "one over the gap, whatever the arms pay": lambda g, d: float(np.sum(2 / g[g > 0])),
    "first arm taken for the best": lambda g, d: float(np.sum(g[1:] / np.maximum(d[1:], 1e-300))),
}


def _owed(g, t, factor=8.0, constant=1 + np.pi**2 / 3, power=-1):
    g = g[g > 0]
    return float(factor * np.log(t) * np.sum(g**power) + constant * g.sum())


UCB1_BOUND = {
    "constant forgotten": lambda g, t: _owed(g, t, constant=0.0),
    "8 forgotten": lambda g, t: _owed(g, t, factor=1.0),
    "that of the pulls": lambda g, t: _owed(g, t, power=-2),
    "π²/6 for π²/3": lambda g, t: _owed(g, t, constant=1 + np.pi**2 / 6),
    "logarithm to base 10": lambda g, t: _owed(g, t, factor=8.0 / np.log(10)),
}

DECAYING_EPSILON = {
    "beyond 1": lambda t, c: c / t,
    "constant": lambda t, c: np.minimum(1.0, c) * np.ones(len(t)),
    "square root": lambda t, c: np.minimum(1.0, c / np.sqrt(t)),
    "too fast": lambda t, c: np.minimum(1.0, c / t**2),
    "counted from 0": lambda t, c: np.minimum(1.0, c / (t + 1)),
}

AUER_EPSILON = {
    "gap not squared": lambda t, c, arms, gap: np.minimum(1.0, c * arms / (gap * t)),
    "arms forgotten": lambda t, c, arms, gap: np.minimum(1.0, c / (gap**2 * t)),
    "gap multiplied": lambda t, c, arms, gap: np.minimum(1.0, c * arms * gap**2 / t),
    "beyond 1": lambda t, c, arms, gap: c * arms / (gap**2 * t),
}


def _bound(bonus, untried=np.inf):
    def bounds(q, m, c):
        total = m.sum(axis=-1, keepdims=True)
        return np.where(m > 0, q + bonus(c, np.maximum(total, 1), np.maximum(m, 1)), untried)

    return bounds


UPPER_BOUNDS = {
    "bonus subtracted": _bound(lambda c, t, m: -c * np.sqrt(np.log(t) / m)),
    "square root forgotten": _bound(lambda c, t, m: c * np.log(t) / m),
    "c inside the square root": _bound(lambda c, t, m: np.sqrt(c * np.log(t) / m)),
    "one more pull": _bound(lambda c, t, m: c * np.sqrt(np.log(t) / (m + 1))),
    "pulls of all players": _bound(lambda c, t, m: c * np.sqrt(np.log(t.sum()) / m)),
    "an untried arm waits": _bound(lambda c, t, m: c * np.sqrt(np.log(t) / m), untried=0.0),
}


def _best(v):
    return (v == v.max(axis=-1, keepdims=True)).astype(float)


def _shared(v):
    return _best(v) / _best(v).sum(axis=-1, keepdims=True)


def _column(e):
    return np.asarray(e)[..., None]


EXPLORE = {
    "ties each get the whole 1 - ε": lambda v, e=0.0: _column(e) / v.shape[-1] + (1 - _column(e)) * _best(v),
    "the best of the whole table": lambda v, e=0.0: (
        _column(e) / v.shape[-1]
        + (1 - _column(e)) * (v == v.max()) / np.maximum((v == v.max()).sum(axis=-1, keepdims=True), 1)
    ),
    "ε for 1 - ε": lambda v, e=0.0: (1 - _column(e)) / v.shape[-1] + _column(e) * _shared(v),
    "every arm gets the whole ε": lambda v, e=0.0: _column(e) + (1 - _column(e)) * _shared(v),
    "never explores": lambda v, e=0.0: _shared(v),
}


def _mixed(bounds, late=1):
    """A rule made of a form of the bound; ε is asked for pull t + late."""

    def make(*, c=0.0, epsilon=lambda pull: 0.0):
        return lambda q, m: (
            _column(epsilon(m.sum(axis=-1) + late)) / q.shape[-1]
            + (1 - _column(epsilon(m.sum(axis=-1) + late))) * _shared(bounds(q, m, c))
        )

    return make


_RIGHT = _bound(lambda c, t, m: c * np.sqrt(np.log(t) / m))

RULE = {
    "ε of the pull before": _mixed(_RIGHT, late=0),
    "width forgotten": _mixed(_bound(lambda c, t, m: 0.0)),
    "pessimist": _mixed(_bound(lambda c, t, m: -c * np.sqrt(np.log(t) / m))),
    "untried arms wait": _mixed(_bound(lambda c, t, m: c * np.sqrt(np.log(t) / m), untried=0.0)),
    "never explores": lambda c=0.0, epsilon=None: lambda q, m: _shared(_RIGHT(q, m, c)),
}


def _race(draw=None, mean=None, pay=lambda rewards: rewards, alike=False):
    def run(bandit, rule, pulls, players, rng):
        rows, arms = np.arange(players), len(bandit.means)
        totals, counts = np.zeros((players, arms)), np.zeros((players, arms), dtype=int)
        actions, rewards = np.zeros((players, pulls), dtype=int), np.zeros((players, pulls))
        for t in range(pulls):
            q = mean(totals, counts, t) if mean else totals / np.maximum(counts, 1)
            p = rule(q, counts)
            u = np.full((players, 1), rng.random()) if alike else rng.random((players, 1))
            actions[:, t] = draw(p, u) if draw else np.argmax(p.cumsum(axis=1) > u, axis=1)
            rewards[:, t] = pay(bandit.pull(actions[:, t], rng))
            totals[rows, actions[:, t]] += rewards[:, t]
            counts[rows, actions[:, t]] += 1
        return actions, rewards

    return run


RACE = {
    "the likeliest arm always": _race(draw=lambda p, u: np.argmax(p, axis=1)),
    "arms drawn without the rule": _race(draw=lambda p, u: (3 * u[:, 0]).astype(int)),
    "sums for means": _race(mean=lambda totals, counts, t: totals),
    "divided by all pulls": _race(mean=lambda totals, counts, t: totals / max(t, 1)),
    "rewards rounded": _race(pay=np.round),
    "one draw for all players": _race(alike=True),
}


def _expected(weigh=lambda chances, means: chances @ (means.max() - means), luck=lambda mean: mean, shift=0):
    def run(means, rule, pulls):
        law, cost = {(0, 0, 0): 1.0}, []
        for t in range(pulls):
            after, now = {}, 0.0
            for (m, i, j), w in law.items():
                counts = np.array([m, t - m])
                p = rule(np.array([i, j]) / np.maximum(counts + shift, 1), counts)
                now += w * float(weigh(p, means))
                for arm, paid in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    chance = luck(means[arm]) if paid else 1 - luck(means[arm])
                    key = (m + (arm == 0), i + paid * (arm == 0), j + paid * (arm == 1))
                    after[key] = after.get(key, 0.0) + w * p[arm] * chance
            law = after
            cost.append(now)
        return np.cumsum(cost)

    return run


EXPECTED_REGRET = {
    "not added up": lambda means, rule, pulls: np.diff(_expected()(means, rule, pulls), prepend=0.0),
    "chances of the arms exchanged": _expected(weigh=lambda p, means: p[::-1] @ (means.max() - means)),
    "pays with the wrong probability": _expected(luck=lambda mean: 1 - mean),
    "one pull too many in the mean": _expected(shift=1),
    "counts wrong pulls instead of their cost": _expected(weigh=lambda p, means: p @ (means < means.max())),
}

MUTANTS = {
    "check_gaps": GAPS,
    "check_bernoulli_kl": BERNOULLI_KL,
    "check_gaussian_kl": GAUSSIAN_KL,
    "check_lai_robbins": LAI_ROBBINS,
    "check_ucb1_bound": UCB1_BOUND,
    "check_decaying_epsilon": DECAYING_EPSILON,
    "check_auer_epsilon": AUER_EPSILON,
    "check_upper_bounds": UPPER_BOUNDS,
    "check_explore": EXPLORE,
    "check_rule": RULE,
    "check_race": RACE,
    "check_expected_regret": EXPECTED_REGRET,
}
