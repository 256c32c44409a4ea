"""Wrong action rules and a wrong regret. Rules take (estimates, pull counts) and give probabilities."""

import numpy as np

SUBJECTS = {
    "check_greedy": "rlhw.bandits:greedy",
    "check_epsilon_greedy": "rlhw.bandits:epsilon_greedy",
    "check_ucb": "rlhw.bandits:ucb",
    "check_regret": "rlhw.bandits:regret",
}


def _best(values):
    return (values == values.max()).astype(float)


def _shared(values):
    return _best(values) / _best(values).sum()


def _ucb(bonus, best=_shared):
    """The rule of an upper bound: untried arms first, then the best of estimate + bonus(counts)."""

    def rule(estimates, counts):
        return _shared((counts == 0) * 1.0) if np.any(counts == 0) else best(estimates + bonus(counts))

    return rule


GREEDY = {
    "ties are all given to the first": lambda q, n: np.eye(len(q))[np.argmax(q)],
    "ties each get everything": lambda q, n: _best(q),
    "the least instead of the greatest": lambda q, n: _shared(-q),
    "the arm pulled most": lambda q, n: _shared(n),
    "estimates scaled to a sum of one": lambda q, n: q / q.sum(),
}

EPSILON_GREEDY = {
    "ties each get the whole 1 - ε": lambda e: lambda q, n: e / len(q) + (1 - e) * _best(q),
    "ties are all given to the first": lambda e: lambda q, n: e / len(q) + (1 - e) * np.eye(len(q))[np.argmax(q)],
    "ε for 1 - ε": lambda e: lambda q, n: (1 - e) / len(q) + e * _shared(q),
    "the best arms get no share of ε": lambda e: lambda q, n: e / len(q) * (1 - _best(q)) + (1 - e) * _shared(q),
    "every arm gets the whole ε": lambda e: lambda q, n: e + (1 - e) * _shared(q),
    "never explores": lambda e: lambda q, n: _shared(q),
}

UCB = {
    "log of the number of arms instead of t": lambda c: _ucb(lambda n: c * np.sqrt(np.log(len(n)) / n)),
    "bonus subtracted": lambda c: _ucb(lambda n: -c * np.sqrt(np.log(n.sum()) / n)),
    "square root forgotten": lambda c: _ucb(lambda n: c * np.log(n.sum()) / n),
    "c inside the square root": lambda c: _ucb(lambda n: np.sqrt(c * np.log(n.sum()) / n)),
    "c forgotten": lambda c: _ucb(lambda n: np.sqrt(np.log(n.sum()) / n)),
    "N + 1 instead of N": lambda c: _ucb(lambda n: c * np.sqrt(np.log(n.sum()) / (n + 1))),
    "the least bound instead of the greatest": lambda c: _ucb(
        lambda n: c * np.sqrt(np.log(n.sum()) / n), best=lambda bounds: _shared(-bounds)
    ),
    "untried arms wait": lambda c: lambda q, n: _shared(q + c * np.sqrt(np.log(n.sum()) / np.maximum(n, 1))),
}

REGRET = {
    "not added up": lambda means, y: means.max() - means[y],
    "sign flipped": lambda means, y: np.cumsum(means[y] - means.max()),
    "best arm seen so far instead of the best": lambda means, y: np.cumsum(np.maximum.accumulate(means[y]) - means[y]),
    "running mean instead of the sum": lambda means, y: np.cumsum(means.max() - means[y]) / np.arange(1, len(y) + 1),
    "starts one pull late": lambda means, y: np.cumsum(means.max() - means[y]) - (means.max() - means[y]),
    "rewards with luck in them": lambda means, y: np.cumsum(means.max() - means[y] + 0.1 * np.cos(np.arange(len(y)))),
    "counts wrong pulls instead of their cost": lambda means, y: np.cumsum(y != np.argmax(means)).astype(float),
}

MUTANTS = {
    "check_greedy": GREEDY,
    "check_epsilon_greedy": EPSILON_GREEDY,
    "check_ucb": UCB,
    "check_regret": REGRET,
}
