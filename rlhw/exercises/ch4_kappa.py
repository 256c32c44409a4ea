"""Question ch4-kappa: agreement beyond chance."""

from collections import Counter
from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Two annotators labelled the same $N$ pairs. `one` and `other` are arrays of their N labels, whole numbers from 0
(0 the first answer, 1 the second, 2 a tie, and so on). Two people who throw dice agree sometimes, too. Cohen's
$\kappa$ measures the agreement beyond that:

$p_o$ is the share of pairs on which they agree. $p_e$ is the share on which they would agree by chance: if each gave
every label as often as they really did, but without looking at the pair and independently of the other. Then
$\kappa = (p_o - p_e)/(1 - p_e)$.

Finish `cohen_kappa(one, other)`; return one number.
"""

STUB = """
def cohen_kappa(one, other):
    observed = np.mean(one == other)
    ...
"""


def cohen_kappa(one, other):
    observed = np.mean(one == other)
    labels = np.union1d(one, other)
    by_chance = sum(np.mean(one == label) * np.mean(other == label) for label in labels)
    return float((observed - by_chance) / (1 - by_chance))


def cohen_kappa_by_table(one, other):
    size = max(one.max(), other.max()) + 1
    table = np.zeros((size, size))
    np.add.at(table, (one, other), 1.0 / len(one))
    by_chance = table.sum(axis=1) @ table.sum(axis=0)
    return (np.trace(table) - by_chance) / (1.0 - by_chance)


def cohen_kappa_by_fractions(one, other):
    count = len(one)
    agreed = sum(int(a == b) for a, b in zip(one, other, strict=True))
    first, second = Counter(one.tolist()), Counter(other.tolist())
    chance = sum(first[label] * second[label] for label in first)
    return Fraction(agreed * count - chance, count**2 - chance)


def beyond(observed, by_chance):
    return (observed - by_chance) / (1.0 - by_chance)


def shares(labels, one, other):
    return np.bincount(labels, minlength=max(one.max(), other.max()) + 1) / len(labels)


def chance(one, other):
    return float(shares(one, one, other) @ shares(other, one, other))


def raw_agreement(one, other):
    return float(np.mean(one == other))


def labels_equally_likely(one, other):
    return beyond(np.mean(one == other), 1.0 / len(np.union1d(one, other)))


def pooled_shares(one, other):
    pooled = (shares(one, one, other) + shares(other, one, other)) / 2
    return beyond(np.mean(one == other), float(pooled @ pooled))


def shares_of_one_only(one, other):
    own = shares(one, one, other)
    return beyond(np.mean(one == other), float(own @ own))


def most_frequent_label(one, other):
    return beyond(np.mean(one == other), shares(one, one, other).max())


def not_divided(one, other):
    return float(np.mean(one == other)) - chance(one, other)


def divided_by_chance(one, other):
    by_chance = chance(one, other)
    return float((np.mean(one == other) - by_chance) / by_chance)


def divided_by_disagreement(one, other):
    observed = float(np.mean(one == other))
    return (observed - chance(one, other)) / (1.0 - observed)


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])


def draw(rng):
    """Annotators of different habits who agree more often than by chance; no other formula gives the same number."""
    formulas = (cohen_kappa, raw_agreement, labels_equally_likely, pooled_shares, shares_of_one_only)
    formulas += (most_frequent_label, not_divided, divided_by_chance, divided_by_disagreement, correlation)
    while True:
        pairs, labels = int(rng.integers(24, 40)), int(rng.integers(2, 5))
        one = rng.choice(labels, pairs, p=rng.dirichlet(np.full(labels, 4.0)))
        guess = rng.choice(labels, pairs, p=rng.dirichlet(np.full(labels, 4.0)))
        other = np.where(rng.random(pairs) < 0.5, one, guess)
        agreed = np.mean(one == other)
        if min(len(set(one)), len(set(other))) < labels or not 0.1 < agreed - chance(one, other) < 0.9 - chance(
            one, other
        ):
            continue
        numbers = np.sort([formula(one, other) for formula in formulas])
        if np.diff(numbers).min() > 1e-4:
            return one, other


def expected(one, other):
    """1 less the disagreement seen over that of all N² ways to hold a label of one against a label of the other."""
    seen = sum(a != b for a, b in zip(one, other, strict=True)) / len(one)
    by_chance = sum(a != b for a in one for b in other) / len(one) ** 2
    return float(1 - seen / by_chance)


RIGHT = {
    "model": cohen_kappa,
    "table of both labels": cohen_kappa_by_table,
    "fractions": cohen_kappa_by_fractions,
}

QUESTION = Question(
    name="ch4-kappa",
    title="Agreement beyond chance",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Kappa is (agreement - chance)/(1 - chance), with chance from the shares of labels of each of the two. Yours differs.",
    expected=expected,
    parts=(Part("any two annotators", 6, draw, cases=8),),
    right=RIGHT,
    wrong={
        "raw agreement": Wrong(
            raw_agreement,
            "This is the share of pairs on which they agree. Two people who say the same thing nearly always agree often "
            "without having looked at anything; take that off.",
        ),
        "labels equally likely": Wrong(
            labels_equally_likely,
            "You took chance for one over the number of labels. The annotators do not use the labels equally often.",
        ),
        "pooled shares": Wrong(
            pooled_shares,
            "You threw the labels of both together before squaring the shares. That is Scott's pi; Cohen lets each "
            "annotator keep habits of their own.",
        ),
        "shares of one only": Wrong(
            shares_of_one_only,
            "Your chance is that of the first annotator agreeing with a copy of themselves. The other one has other shares.",
        ),
        "most frequent label": Wrong(
            most_frequent_label,
            "You took for chance what is reached by always saying the first annotator's most frequent label. Here both draw, "
            "and they can meet at any label.",
        ),
        "not divided": Wrong(
            not_divided,
            "You have the agreement beyond chance, but not how much of it was possible: two who always agree should get 1.",
        ),
        "divided by chance": Wrong(
            divided_by_chance,
            "You divided by chance itself. Two who always agree should get 1: what is the most that can lie beyond chance?",
        ),
        "divided by disagreement": Wrong(
            divided_by_disagreement,
            "You divided by the share on which they disagree, which would be 0 for two who always agree. The divisor "
            "depends on chance only.",
        ),
        "correlation": Wrong(
            correlation,
            "You correlated the numbers of the labels. They are names: calling a tie 1 instead of 2 must change nothing.",
        ),
    },
)
