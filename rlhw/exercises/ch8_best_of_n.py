"""Question ch8-best-of-n: what the best of n answers earns, and how far from the reference it is."""

from itertools import product

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A reference gives the answers to one question the probabilities `probs`, and they earn `rewards`. Draw `n` answers, keep one
with the largest reward; among equally good ones every one is kept with the same chance.

Finish `best_of_n(probs, rewards, n)`: return two numbers, the expected reward of the answer that is kept, and
$\operatorname{KL}(\pi_n\,\Vert\,\pi_{\text{ref}})$ in nats, where $\pi_n$ is the law of that answer. Both exactly: no sampling.
Different answers may earn the same. `n` is 1 or more.
"""

STUB = """
def best_of_n(probs, rewards, n):
    levels = np.unique(rewards)
    ...
"""


def best_of_n(probs, rewards, n):
    levels = np.unique(rewards)
    p = np.array([probs[rewards == level].sum() for level in levels])
    upper = np.cumsum(p)
    q = upper**n - (upper - p) ** n
    return levels @ q, np.sum(q * np.log(q / p))


def best_of_n_by_answers(probs, rewards, n):
    at_most = np.array([probs[rewards <= r].sum() for r in rewards])
    below = np.array([probs[rewards < r].sum() for r in rewards])
    kept = probs * (at_most**n - below**n) / (at_most - below)
    return [float(kept @ rewards), float(kept @ np.log(kept / probs))]


def best_of_n_by_steps(probs, rewards, n):
    """Best of n from best of n - 1 and one more draw."""
    kept = np.array(probs, dtype=float)
    for _ in range(n - 1):
        worse = (rewards[:, None] > rewards[None, :]) + 0.5 * (rewards[:, None] == rewards[None, :])
        kept = kept * (worse @ probs) + probs * (worse @ kept)
    # Among equals the probabilities stay in the proportion of the reference.
    same = rewards[:, None] == rewards[None, :]
    kept = probs * (same @ kept) / (same @ probs)
    return np.array([kept @ rewards, kept @ np.log(kept / probs)])


def without_ties(probs, rewards, n):
    return best_of_n(probs, rewards, n)[0], np.log(n) - (n - 1) / n


def each_by_itself(probs, rewards, n):
    order = np.argsort(rewards, kind="stable")
    p, r = probs[order], rewards[order]
    upper = np.cumsum(p)
    q = upper**n - (upper - p) ** n
    return r @ q, np.sum(q * np.log(q / p))


def density(probs, rewards, n):
    at_most = np.array([probs[rewards <= r].sum() for r in rewards])
    q = n * at_most ** (n - 1) * probs
    return q @ rewards, np.sum(q * np.log(q / probs))


def not_below(probs, rewards, n):
    levels = np.unique(rewards)
    p = np.array([probs[rewards == level].sum() for level in levels])
    q = np.cumsum(p) ** n
    q = q / q.sum()
    return levels @ q, np.sum(q * np.log(q / p))


def seen_at_all(probs, rewards, n):
    levels = np.unique(rewards)
    p = np.array([probs[rewards == level].sum() for level in levels])
    q = 1 - (1 - p) ** n
    q = q / q.sum()
    return levels @ q, np.sum(q * np.log(q / p))


def turned_round(probs, rewards, n):
    levels = np.unique(rewards)
    p = np.array([probs[rewards == level].sum() for level in levels])
    upper = np.cumsum(p)
    q = upper**n - (upper - p) ** n
    return levels @ q, np.sum(p * np.log(p / q))


def always_the_best(probs, rewards, n):
    return rewards.max(), -np.log(probs[rewards == rewards.max()].sum())


def worst_of_n(probs, rewards, n):
    levels = np.unique(rewards)
    p = np.array([probs[rewards == level].sum() for level in levels])
    above = 1 - np.cumsum(p)
    q = (above + p) ** n - np.maximum(above, 0.0) ** n
    return levels @ q, np.sum(q * np.log(q / p))


def plain_mean(probs, rewards, n):
    return probs @ rewards, best_of_n(probs, rewards, n)[1]


def draw(ties):
    def case(rng):
        probs = rng.dirichlet(3 * np.ones(4)) * 0.8 + 0.05
        rewards = np.round(rng.permutation([-1.3, 0.4, 0.9, 2.1]) + rng.uniform(-0.2, 0.2), 3)
        if ties:
            first, second = rng.permutation(4)[:2]
            rewards[first] = rewards[second]
        return probs, rewards, int(rng.integers(2, 5))

    return case


def expected(probs, rewards, n):
    """Over all 4^n draws, one by one."""
    kept = np.zeros(len(probs))
    for draws in product(range(len(probs)), repeat=n):
        best = max(rewards[i] for i in draws)
        winners = [i for i in draws if rewards[i] == best]
        for i in winners:
            kept[i] += np.prod([probs[j] for j in draws]) / len(winners)
    return float(kept @ rewards), float(kept @ np.log(kept / probs))


QUESTION = Question(
    name="ch8-best-of-n",
    title="The best of n, exactly",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The best of n is on a reward level with probability F^n - F_-^n: all n at most there, less all n below. Yours differs.",
    expected=expected,
    parts=(
        Part("all rewards different", 3, draw(False)),
        Part("some rewards equal", 3, draw(True)),
    ),
    right={
        "by levels": best_of_n,
        "by answers, as a list": best_of_n_by_answers,
        "one more draw at a time": best_of_n_by_steps,
    },
    wrong={
        "formula without ties": Wrong(
            without_ties,
            "Your reward is right. log n - (n - 1)/n is only an upper bound of the KL: exact when no two answers earn the "
            "same and none has much probability. Compute it from the law.",
        ),
        "each answer by itself": Wrong(
            each_by_itself,
            "Right where all rewards differ. Among equals you let the order of the list decide; one of them is kept at "
            "random, which stays nearer to the reference.",
        ),
        "density": Wrong(
            density,
            "n F^(n-1) p is the formula for a density, where no two draws meet. Your probabilities sum to more than 1.",
        ),
        "not below": Wrong(
            not_below,
            "F^n is the probability that all n are at most on the level. Take away the cases in which all n are below it.",
        ),
        "seen at all": Wrong(
            seen_at_all,
            "1 - (1 - p)^n is the probability that a level is among the n draws. The best has to be on it.",
        ),
        "turned round": Wrong(
            turned_round,
            "Your KL is that of the reference from the best of n. The law of the kept answer stands first: average under it.",
        ),
        "always the best": Wrong(
            always_the_best,
            "You took the best answer there is. The best of n draws is often another one: n draws may all miss it.",
        ),
        "worst of n": Wrong(
            worst_of_n,
            "You kept the worst of n: F is the probability of a reward at most as large, summed from the lowest level up.",
        ),
        "plain mean": Wrong(
            plain_mean,
            "Your KL is right. The reward is the mean of a single draw: average under the law of the kept answer.",
        ),
    },
)
