"""Agreement and biases: kappa equals scikit-learn's and statsmodels', intervals are Wilson's, counts are those by hand."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, quick, random_comparisons, survivors

from rlhw.preferences import (
    Comparison,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    label_table,
    labelling_time,
    length_bias,
    position_bias,
    raw_agreement,
)
from rlhw.preferences.annotators import UNLABELLED, category_counts

TOLERANCE = 1e-12


def labels_of_two(seed):
    """Two annotators who often agree, with habits of their own, over three or four categories."""
    rng = np.random.default_rng(seed)
    one = rng.choice(3, size=57, p=[0.5, 0.3, 0.2])
    return one, np.where(rng.random(57) < 0.5, one, rng.choice(4, size=57, p=[0.1, 0.2, 0.3, 0.4]))


def check_cohen(kappa):
    from sklearn.metrics import cohen_kappa_score

    for seed in range(5):
        one, other = labels_of_two(seed)
        assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=TOLERANCE)


def observed(one, other):
    return float(np.mean(one == other))


WRONG_COHEN = {
    "raw agreement": observed,
    "chance is one in the number of categories": lambda a, b: (observed(a, b) - 1 / 3) / (1 - 1 / 3),
    "chance from both together (Scott's pi)": lambda a, b: fleiss_kappa(
        np.stack([np.bincount([x, y], minlength=4) for x, y in zip(a, b, strict=True)])
    ),
    "not divided by what chance leaves": lambda a, b: observed(a, b) - float(np.mean(a[:, None] == b)),
    "chance from the first alone": lambda a, b: (
        (observed(a, b) - float(np.mean(a[:, None] == a))) / (1 - float(np.mean(a[:, None] == a)))
    ),
}


def test_cohen_is_scikit_learns():
    check_cohen(cohen_kappa)
    assert survivors(WRONG_COHEN, check_cohen) == []
    assert cohen_kappa(np.array([0, 1, 2]), np.array([0, 1, 2])) == 1
    assert cohen_kappa(np.array([0, 0]), np.array([1, 1])) == 0


def counts_of_many(seed, raters=5):
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(raters, rng.dirichlet([2.0, 1.0, 0.5])) for _ in range(31)])


def check_fleiss(kappa):
    from statsmodels.stats.inter_rater import fleiss_kappa as theirs

    for seed in range(5):
        counts = counts_of_many(seed, raters=2 + seed)
        assert kappa(counts) == pytest.approx(theirs(counts, method="fleiss"), abs=TOLERANCE)


def fleiss(counts, pairs, chance):
    n = counts.sum(axis=1)[0]
    agree = float(np.mean((counts**2).sum(axis=1) - n) / pairs(n)) if pairs(n) else 0.0
    return (agree - chance(counts)) / (1 - chance(counts))


WRONG_FLEISS = {
    "n squared pairs": lambda c: fleiss(c, lambda n: n * n, lambda c: float(((c.sum(0) / c.sum()) ** 2).sum())),
    "chance is one in three (Randolph)": lambda c: fleiss(c, lambda n: n * (n - 1), lambda c: 1 / 3),
    "chance an item at a time": lambda c: fleiss(
        c, lambda n: n * (n - 1), lambda c: float(((c / c.sum(1, keepdims=True)) ** 2).sum(1).mean())
    ),
    "raw agreement": lambda c: fleiss(c, lambda n: n * (n - 1), lambda c: 0.0),
}


def test_fleiss_is_statsmodels():
    check_fleiss(fleiss_kappa)
    assert survivors(WRONG_FLEISS, check_fleiss) == []
    assert fleiss_kappa(np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3]])) == 1


def test_unequal_numbers_of_labels_are_refused_by_item():
    with pytest.raises(
        ValueError, match=r"^counts must hold equally many labels an item: item 2 has 2 and item 0 has 3; take"
    ):
        fleiss_kappa(np.array([[3, 0], [1, 2], [1, 1]]))
    with pytest.raises(ValueError, match=r"item 1 has 4 and item 0 has 3"):
        fleiss_kappa(np.array([[3, 0], [2, 2], [1, 1]]))
    for counts in (np.zeros((0, 3), dtype=int), np.array([[1, 0], [0, 1]]), np.array([[1, 0], [1, 1]])):
        with pytest.raises(ValueError, match=r"^counts must hold one item at least, and two labels of every item\.$"):
            fleiss_kappa(counts)


@pytest.mark.parametrize(
    "kappa",
    [
        lambda: fleiss_kappa(np.array([[3, 0], [3, 0]])),
        lambda: cohen_kappa(np.array([1, 1]), np.array([1, 1])),
        lambda: agreement([Comparison("p", f"{i}", "b", "first", name) for i in range(9) for name in ("ann", "bob")]),
    ],
)
def test_labels_that_are_all_the_same_have_no_kappa(kappa):
    with pytest.raises(
        ValueError, match=r"^labels are all the same, so that chance alone agrees always and kappa is 0/0; raw"
    ):
        kappa()


def test_labels_that_are_missing_have_no_kappa():
    for one, other in (([], []), ([0, UNLABELLED], [0, 1]), ([0, 1], [UNLABELLED, 1])):
        with pytest.raises(ValueError, match=r"^one and other must hold a label of each annotator for every item"):
            cohen_kappa(np.array(one, dtype=int), np.array(other, dtype=int))
    with pytest.raises(ValueError, match=r"^one and other must hold a label of each annotator for every item"):
        inspect.unwrap(cohen_kappa)(np.array([0, 1]), np.array([0]))


def by_pair(found):
    """{pair: [(annotator, the answer chosen)]} by hand: no sides, no table."""
    rows = {}
    for c in found:
        answer = {"first": c.first, "second": c.second, "tie": None}[c.choice]
        rows.setdefault(c.pair, []).append((c.annotator, answer))
    return rows


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_raw_agreement_is_the_share_of_equal_answers(share):
    found = random_comparisons(np.random.default_rng(11), share=share)
    shares = []
    for labels in by_pair(found).values():
        chosen = [answer for _, answer in labels]
        if len(chosen) >= 2:
            shares.append(np.mean([a == b for i, a in enumerate(chosen) for b in chosen[:i]]))
    assert raw_agreement(label_table(found)[1]) == pytest.approx(np.mean(shares), abs=TOLERANCE)


def test_agreement_of_three_is_statsmodels_whatever_side_was_shown():
    from statsmodels.stats.inter_rater import fleiss_kappa as theirs

    found = random_comparisons(np.random.default_rng(2))
    lonely = Comparison("nobody else saw this", "a", "b", "first", "dora")
    measured = agreement([*found, lonely])
    left = {c.pair: c.first for c in reversed(found)}
    counts = []
    for pair, labels in by_pair(found).items():
        sides = [2 if answer is None else int(answer != left[pair]) for _, answer in labels]
        counts.append(np.bincount(sides, minlength=3))
    assert measured.kappa == pytest.approx(theirs(np.array(counts)), abs=TOLERANCE)
    assert (measured.items, measured.annotators, measured.statistic) == (120, 3, "Fleiss")
    assert 0.2 < measured.kappa < measured.raw < 1


def test_agreement_of_two_is_scikit_learns():
    from sklearn.metrics import cohen_kappa_score

    found = random_comparisons(np.random.default_rng(4), annotators=2, share=0.8)
    left = {c.pair: c.first for c in reversed(found)}
    both = {pair: dict(labels) for pair, labels in by_pair(found).items() if len(labels) == 2}
    one, other = (
        [str(labels[name] and labels[name] == left[pair]) for pair, labels in both.items()]
        for name in ("ann 0", "ann 1")
    )
    measured = agreement(found)
    assert measured.kappa == pytest.approx(cohen_kappa_score(one, other), abs=TOLERANCE)
    assert measured.raw == pytest.approx(np.mean([a == b for a, b in zip(one, other, strict=True)]), abs=TOLERANCE)
    assert (measured.items, measured.annotators, measured.statistic) == (len(both), 2, "Cohen")


def test_the_table_by_hand():
    names, table = label_table(
        [
            Comparison("p", "a", "b", "first", "ann"), Comparison("q", "a", "b", "tie", "bob"),
            Comparison("p", "b", "a", "first", "bob"), Comparison("p", "b", "a", "second", "eve"),
        ]
    )  # fmt: skip
    assert names == ["ann", "bob", "eve"]
    np.testing.assert_array_equal(table, [[0, 1, 0], [-1, 2, -1]])
    np.testing.assert_array_equal(category_counts(table), [[2, 1, 0], [0, 0, 1]])


def test_agreement_needs_to_know_who_and_two_of_them():
    one = Comparison("p", "a", "b", "first", "ann")
    with pytest.raises(
        ValueError, match=r"^comparisons\[1\] names no annotator; agreement needs to know whose each label is"
    ):
        agreement([one, Comparison("p", "a", "b", "first")])
    with pytest.raises(
        ValueError, match=r"^comparisons hold no pair that two annotators labelled; let a second one label"
    ):
        agreement([one, Comparison("q", "a", "b", "first", "bob")])


def check_length(bias):
    """Longer wins, longer loses, longer wins on the right, a tie, equal lengths, longer wins: 3 of 4."""
    found = [
        Comparison("p", "aaa", "b", "first"), Comparison("p", "aaa", "b", "second"), Comparison("p", "", "bb", "second"),
        Comparison("p", "a", "bb", "tie"), Comparison("p", "a", "b", "first"), Comparison("q", "aaa", "b", "first"),
    ]  # fmt: skip
    found += [Comparison("r", "a b c", "abcdefg", "second")]
    measured = bias(found)
    assert (measured.count, measured.total, measured.share) == (4, 5, 0.8)
    check_interval(measured)


def check_interval(measured):
    from statsmodels.stats.proportion import proportion_confint

    theirs = proportion_confint(measured.count, measured.total, 0.05, method="wilson")
    assert (measured.low, measured.high) == pytest.approx(theirs, abs=1e-9)


def biased(found, wins):
    hits = [wins(c) for c in found]
    hits = [hit for hit in hits if hit is not None]
    return position_bias([Comparison("p", "a", "b", "first" if hit else "second") for hit in hits])


WRONG_LENGTHS = {
    "the longer one on the left": lambda found: biased(found, lambda c: len(c.first) > len(c.second)),
    "a tie counts against": lambda found: biased(found, lambda c: len(getattr(c, c.choice, "")) > 1),
    "the shorter": lambda found: length_bias(found, lambda text: -len(text)),
    "words": lambda found: length_bias(found, lambda text: len(text.split())),
    "equal lengths count": lambda found: length_bias(found, lambda text: len(text) + (text == "a") / 2),
}


def test_length_bias_by_hand():
    check_length(length_bias)
    assert survivors(WRONG_LENGTHS, check_length) == []


def test_length_bias_in_words():
    found = [Comparison("p", "a b c", "abcdefg", "first"), Comparison("p", "a b", "c d", "first")]
    assert length_bias(found).share == 0
    words = length_bias(found, lambda text: len(text.split()))
    assert (words.count, words.total) == (1, 1)


@quick
@given(st.lists(comparisons(), min_size=1, max_size=12).filter(lambda found: any(c.choice != "tie" for c in found)))
def test_position_bias_turns_round_with_the_sides(found):
    measured, turned = position_bias(found), position_bias([c.swapped() for c in found])
    assert measured.count == sum(c.choice == "first" for c in found)
    assert measured.total == turned.total == sum(c.choice != "tie" for c in found)
    assert measured.count + turned.count == measured.total
    assert measured.low == pytest.approx(1 - turned.high, abs=TOLERANCE)
    assert 0 <= measured.low <= measured.share <= measured.high <= 1
    check_interval(measured)


def test_one_sided_labels_have_a_share_and_an_interval_with_width():
    measured = position_bias([Comparison("p", str(i), "b", "first") for i in range(20)])
    assert measured.share == measured.high == 1
    assert measured.low == pytest.approx(20 / (20 + 1.959963984540054**2), abs=TOLERANCE), "Wald's would be 1"


def test_nothing_to_take_a_share_of():
    with pytest.raises(
        ValueError, match=r"^comparisons hold no choice between two answers, so there is no share to take\.$"
    ):
        position_bias([Comparison("p", "a", "b", "tie")])
    with pytest.raises(ValueError, match=r"^comparisons hold no choice between answers of two lengths, so"):
        length_bias([Comparison("p", "a", "b", "first"), Comparison("p", "a", "bb", "tie")])


def test_labelling_time():
    found = [Comparison("p", "a", "b", "tie", seconds=s) for s in (4.0, 10.0, 6.0, 100.0, 0.0, *6 * [None])]
    time = labelling_time(found)
    assert (time.timed, time.untimed, time.total) == (5, 6, 120.0)
    assert (time.lower, time.median, time.upper) == (4.0, 6.0, 10.0)
    assert time.per_hour == 150
    assert labelling_time([*found, Comparison("p", "a", "b", "tie", seconds=7.5)]).per_hour == 6 * 3600 / 127.5
    assert labelling_time(found[4:]).per_hour == float("inf")
    with pytest.raises(ValueError, match=r"^comparisons hold no labelling time: none of 1 has seconds\.$"):
        labelling_time(found[5:6])
    with pytest.raises(ValueError, match=r"none of 0 has seconds"):
        labelling_time([])
