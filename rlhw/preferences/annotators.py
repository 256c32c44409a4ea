"""What annotators do: how far they agree, which answers they lean to, and how long they take.

Agreement is measured beside chance: kappa is (p_o - p_e)/(1 - p_e), 1 when all agree and 0 when they agree as often as
independent annotators with the same habits would.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from rlhw.preferences.comparison import Comparison, require_one_label, require_some

Array = np.ndarray
CATEGORIES = ("first", "second", "tie")
UNLABELLED = -1


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree on the `items` pairs that at least two of them labelled.

    raw: see `raw_agreement`. kappa: Cohen's when there are two annotators, Fleiss' when there are more; `statistic` says which.
    """

    items: int
    annotators: int
    raw: float
    kappa: float
    statistic: str


def agreement(comparisons: Sequence[Comparison]) -> Agreement:
    """Raw agreement and kappa over all pairs that two or more annotators labelled; pairs with one label say nothing here.

    Raises ValueError as the functions below do: a label without annotator, two by one annotator for a pair, no pair with two
    labels, more than two annotators with unequal numbers of labels, and all labels alike.
    """
    table = label_table(comparisons)[1]
    table = table[(table != UNLABELLED).sum(axis=1) >= 2]
    table = table[:, (table != UNLABELLED).any(axis=0)]
    raw = raw_agreement(table)
    two = table.shape[1] == 2
    kappa = cohen_kappa(table[:, 0], table[:, 1]) if two else fleiss_kappa(category_counts(table))
    return Agreement(len(table), table.shape[1], raw, kappa, "Cohen" if two else "Fleiss")


def label_table(comparisons: Sequence[Comparison]) -> tuple[list[str], Int[Array, "N A"]]:
    """(annotators, table): who chose what, a row for each pair and a column for each annotator, in order of appearance.

    0 is "first", 1 "second", 2 "tie", -1 not labelled; sides are those of the pair's first label, whatever way round it was
    shown later. Raises ValueError on no comparisons, one without annotator, and two by one annotator for one pair.
    """
    require_some(comparisons)
    require_one_label(comparisons)
    shown: dict[Hashable, tuple[int, str]] = {}
    columns: dict[str, int] = {}
    labels = []
    for place, comparison in enumerate(comparisons):
        if comparison.annotator is None:
            raise ValueError(f"comparisons[{place}] names no annotator; agreement needs to know whose each label is.")
        row, left = shown.setdefault(comparison.pair, (len(shown), comparison.first))
        column = columns.setdefault(comparison.annotator, len(columns))
        choice = comparison.choice if comparison.first == left else comparison.swapped().choice
        labels.append((row, column, CATEGORIES.index(choice)))
    table = np.full((len(shown), len(columns)), UNLABELLED)
    for row, column, label in labels:
        table[row, column] = label
    return list(columns), table


def category_counts(table: Int[Array, "N A"]) -> Int[Array, "N C"]:
    """How many annotators chose each category, for each row of a `label_table`."""
    return np.stack([(table == category).sum(axis=1) for category in range(len(CATEGORIES))], axis=1)


def raw_agreement(table: Int[Array, "N A"]) -> float:
    """The mean over pairs of the share of two labels of that pair that are equal; rows with fewer than two are passed over.

    Raises ValueError when no row has two labels.
    """
    counts = category_counts(table)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("comparisons hold no pair that two annotators labelled; let a second one label some of them.")
    labels = counts.sum(axis=1)
    return float(np.mean((counts * (counts - 1)).sum(axis=1) / (labels * (labels - 1))))


def cohen_kappa(one: Int[Array, " N"], other: Int[Array, " N"]) -> float:
    """Cohen's kappa of two annotators: κ = (p_o - p_e)/(1 - p_e), p_o = mean 1[a = b], p_e = Σ_c p_a(c) p_b(c).

    Labels are any whole numbers, one an item. Raises ValueError when there are none or one is missing (-1), and when all
    labels of both are the same, where chance alone agrees always. Source: Cohen (1960), equation 1.

    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.5
    """
    if not 0 < len(one) == len(other) or min(one.min(), other.min()) == UNLABELLED:
        raise ValueError("one and other must hold a label of each annotator for every item, and one item at least.")
    observed = float(np.mean(one == other))
    expected = sum(float(np.mean(one == c) * np.mean(other == c)) for c in np.unique(one))
    return _beyond_chance(observed, expected)


def fleiss_kappa(counts: Int[Array, "N C"]) -> float:
    """Fleiss' kappa: κ = (P̄ - P_e)/(1 - P_e), P_i = (Σ_c n_ic² - n)/(n(n - 1)), P_e = Σ_c p_c², p_c the share of category c.

    counts: how many of the n annotators of item i chose c; they may be others for each item, but as many. Raises ValueError
    naming the first item with another number of labels, and when all labels are the same. Source: Fleiss (1971), eq. 1-7.
    """
    labels = counts.sum(axis=1)
    if not len(counts) or labels[0] < 2:
        raise ValueError("counts must hold one item at least, and two labels of every item.")
    if np.any(labels != labels[0]):
        item = int(np.argmax(labels != labels[0]))
        raise ValueError(
            f"counts must hold equally many labels an item: item {item} has {labels[item]} and item 0 has {labels[0]}; "
            "take the items with equally many, or cohen_kappa for two annotators at a time."
        )
    observed = float(np.mean((counts * (counts - 1)).sum(axis=1) / (labels * (labels - 1))))
    return _beyond_chance(observed, float(((counts.sum(axis=0) / counts.sum()) ** 2).sum()))


def _beyond_chance(observed: float, expected: float) -> float:
    if expected > 1 - 1e-12:
        raise ValueError(
            "labels are all the same, so that chance alone agrees always and kappa is 0/0; raw agreement is 1."
        )
    return (observed - expected) / (1 - expected)


@dataclass(frozen=True)
class Share:
    """`count` of `total`, as the share count/total with a 95 % Wilson interval [low, high] for independent comparisons."""

    count: int
    total: int
    share: float
    low: float
    high: float


def length_bias(comparisons: Sequence[Comparison], length: Callable[[str], int] = len) -> Share:
    """How often the longer answer was chosen, among the choices between answers of different lengths; 0.5 is no bias.

    length: characters by default; `lambda text: len(text.split())` counts words. Ties and answers of one length are passed
    over. Raises ValueError when nothing is left.
    """
    won = [comparison if comparison.choice == "first" else comparison.swapped() for comparison in _decided(comparisons)]
    lengths = [(length(comparison.first), length(comparison.second)) for comparison in won]
    return _share([chosen > rejected for chosen, rejected in lengths if chosen != rejected], "answers of two lengths")


def position_bias(comparisons: Sequence[Comparison]) -> Share:
    """How often the answer shown first was chosen, ties passed over; 0.5 is no bias when sides were drawn by lot.

    Raises ValueError when there is nothing but ties. Means nothing for TRL's formats, where the chosen answer stands first.
    """
    return _share([comparison.choice == "first" for comparison in _decided(comparisons)], "two answers")


def _decided(comparisons: Sequence[Comparison]) -> list[Comparison]:
    require_some(comparisons)
    return [comparison for comparison in comparisons if comparison.choice != "tie"]


def _share(hits: Sequence[bool], between: str) -> Share:
    from scipy.stats import binomtest

    if not hits:
        raise ValueError(f"comparisons hold no choice between {between}, so there is no share to take.")
    interval = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="wilson")
    return Share(sum(hits), len(hits), sum(hits) / len(hits), float(interval.low), float(interval.high))


@dataclass(frozen=True)
class LabellingTime:
    """Seconds a comparison: how many have a time and how many have none, the quartiles of the times, and their sum."""

    timed: int
    untimed: int
    lower: float
    median: float
    upper: float
    total: float

    @property
    def per_hour(self) -> float:
        """Comparisons an hour at this pace; infinite where all times are 0."""
        return self.timed * 3600 / self.total if self.total else float("inf")


def labelling_time(comparisons: Iterable[Comparison]) -> LabellingTime:
    """Quartiles and sum of the labelling times. The median is what to plan with: a tab left open overnight moves the sum.

    Raises ValueError when no comparison has a time.
    """
    seconds = [comparison.seconds for comparison in comparisons]
    timed = [value for value in seconds if value is not None]
    if not timed:
        raise ValueError(f"comparisons hold no labelling time: none of {len(seconds)} has seconds.")
    lower, median, upper = np.quantile(timed, [0.25, 0.5, 0.75])
    return LabellingTime(len(timed), len(seconds) - len(timed), float(lower), float(median), float(upper), sum(timed))
