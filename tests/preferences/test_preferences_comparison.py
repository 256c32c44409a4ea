"""Comparisons: the schema refuses nonsense, votes are counted as by hand, a prompt never stands on both sides of a split."""

import dataclasses
import hashlib
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, quick, random_comparisons, survivors

from rlhw import preferences
from rlhw.preferences import Comparison, last_labels, pair_wins, prompt_wins, require_two_sided, split_by_prompt
from rlhw.preferences.comparison import gather, parse

WHOLE = {"prompt": "Who?", "first": "I.", "second": "You.", "choice": "first", "annotator": "ann", "seconds": 2}
NONSENSE = {
    "choice must be 'first', 'second' or 'tie'; got 'banana'.": {"choice": "banana"},
    "choice must be 'first', 'second' or 'tie'; got ['first'].": {"choice": ["first"]},
    "choice must be 'first', 'second' or 'tie'; got None.": {"choice": None},
    "prompt is empty.": {"prompt": ""},
    "prompt must be text.": {"prompt": 3},
    "first must be text.": {"first": None},
    "second is longer than 100,000 characters.": {"second": "x" * 100_001},
    "second holds half a surrogate pair, which is no character.": {"second": "a \ud800 b"},
    "first and second are the same answer, so there is nothing to compare.": {"second": "I."},
    "annotator must be a name of 1 to 200 characters, or None; got ''.": {"annotator": ""},
    "annotator must be a name of 1 to 200 characters, or None; got 7.": {"annotator": 7},
    "annotator must be a name of 1 to 200 characters, or None; got '\\udc00'.": {"annotator": "\udc00"},
    "seconds must be a number from 0 to 1e+09, or None; got -1.": {"seconds": -1},
    "seconds must be a number from 0 to 1e+09, or None; got nan.": {"seconds": float("nan")},
    "seconds must be a number from 0 to 1e+09, or None; got inf.": {"seconds": float("inf")},
    "seconds must be a number from 0 to 1e+09, or None; got True.": {"seconds": True},
    "'winner' is an unknown field; a comparison has prompt, first, second, choice, annotator, seconds.": {"winner": 1},
}  # fmt: skip


@pytest.mark.parametrize("sentence", NONSENSE)
def test_nonsense_is_refused_by_name(sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole sentence is compared)
        parse(WHOLE | NONSENSE[sentence])
    assert str(caught.value) == sentence


def test_without_its_nonsense_the_record_is_taken():
    assert parse(WHOLE) == Comparison("Who?", "I.", "You.", "first", "ann", 2.0)
    assert parse({name: WHOLE[name] for name in ("prompt", "first", "second", "choice")}).annotator is None
    assert parse(WHOLE | {"first": "", "second": "x" * 100_000, "annotator": None}).first == ""


def test_a_record_without_a_field_and_what_is_no_record():
    with pytest.raises(ValueError, match=r"^choice is missing; a comparison needs prompt, first, second, choice\.$"):
        parse({name: value for name, value in WHOLE.items() if name != "choice"})
    with pytest.raises(ValueError, match=r"^a comparison must be an object with the fields prompt, first"):
        parse(["Who?", "I.", "You.", "first"])


def test_the_class_itself_refuses():
    with pytest.raises(ValueError, match=r"^first and second are the same answer"):
        Comparison("Who?", "I.", "I.", "tie")
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(WHOLE).choice = "second"


@quick
@given(comparisons())
def test_swapping_twice_changes_nothing_and_once_changes_sides(comparison):
    once = comparison.swapped()
    assert once.swapped() == comparison
    assert once.pair == comparison.pair
    assert (once.first, once.second) == (comparison.second, comparison.first)
    if comparison.choice != "tie":
        assert getattr(once, once.choice) == getattr(comparison, comparison.choice)


def test_gather_counts_what_it_leaves_out_and_keeps_empty_answers():
    imported = gather([WHOLE, "skipped", WHOLE | {"first": ""}, WHOLE | {"prompt": ""}, "skipped"])
    assert [comparison.first for comparison in imported.comparisons] == ["I.", ""]
    assert imported.left_out == {"skipped": 2, "prompt is empty.": 1}
    assert imported.empty_answers == 1
    assert str(imported) == "2 comparisons (1 with an empty answer); left out: 2 × skipped, 1 × prompt is empty."
    assert str(gather([WHOLE])) == "1 comparisons (0 with an empty answer); left out: nothing."


def label(prompt, first, second, choice, annotator=None):
    return Comparison(prompt, first, second, choice, annotator)


def check_wins(wins):
    """By hand: three answers to each prompt, a tie, a pair shown the other way round, several annotators."""
    found = [
        label("p", "a", "b", "first", "ann"), label("q", "x", "y", "tie"), label("p", "c", "a", "first"),
        label("p", "b", "a", "first", "bob"), label("q", "y", "z", "second"), label("p", "b", "a", "second", "eve"),
    ]  # fmt: skip
    records, votes = wins(found)
    assert records == [{"prompt": "p", "answers": ["a", "b", "c"]}, {"prompt": "q", "answers": ["x", "y", "z"]}]
    expected = [[[0, 2, 0], [1, 0, 0], [1, 0, 0]], [[0, 0.5, 0], [0.5, 0, 0], [0, 1, 0]]]
    np.testing.assert_array_equal(votes, expected)


WRONG_WINS = {
    "losses for wins": lambda found: (prompt_wins(found)[0], prompt_wins(found)[1].transpose(0, 2, 1)),
    "a tie counts one for each": lambda found: (prompt_wins(found)[0], np.ceil(prompt_wins(found)[1])),
    "ties are dropped": lambda found: (prompt_wins(found)[0], np.floor(prompt_wins(found)[1])),
    "sides taken as shown": lambda found: prompt_wins(
        [
            dataclasses.replace(c, first=min(c.first, c.second), second=max(c.first, c.second))
            for c in found
        ]
    ),
    "a prompt's votes divided by their number": lambda found: (
        prompt_wins(found)[0],
        prompt_wins(found)[1] / prompt_wins(found)[1].sum(axis=(1, 2), keepdims=True),
    ),
}  # fmt: skip


def test_wins_by_hand():
    check_wins(prompt_wins)
    assert survivors(WRONG_WINS, check_wins) == []


def test_pair_wins_makes_a_row_of_each_pair():
    found = [label("p", "a", "b", "first"), label("p", "c", "a", "tie"), label("q", "a", "b", "second")]
    records, wins = pair_wins([*found, label("p", "b", "a", "second")])
    assert [record["answers"] for record in records] == [["a", "b"], ["c", "a"], ["a", "b"]]
    assert [record["prompt"] for record in records] == ["p", "p", "q"]
    np.testing.assert_array_equal(wins, [[[0, 2], [0, 0]], [[0, 0.5], [0.5, 0]], [[0, 0], [1, 0]]])


@quick
@given(st.lists(comparisons(prompts=st.sampled_from("pq"), answers=st.sampled_from("abc")), min_size=1, max_size=20))
def test_every_vote_is_counted_once_whatever_the_order_and_the_side(found):
    found = last_labels(found)[0]
    records, wins = pair_wins(found)
    assert wins.sum() == len(found)
    turned = pair_wins([comparison.swapped() for comparison in found[::-1]])
    tally = {(r["prompt"], *a): w[i, j] for r, w in zip(records, wins, strict=True) for (i, j), a in sides(r)}
    other = {(r["prompt"], *a): w[i, j] for r, w in zip(*turned, strict=True) for (i, j), a in sides(r)}
    assert tally == other


def sides(record):
    return [((i, j), (record["answers"][i], record["answers"][j])) for i, j in permutations(range(2))]


def test_unequal_numbers_of_answers_are_refused():
    found = [label("p", "a", "b", "first"), label("q", "a", "b", "first"), label("q", "a", "c", "first")]
    with pytest.raises(
        ValueError, match=r"^comparisons have 3 answers to the prompt 'q' and 2 to the first; .*pair_wins"
    ):
        prompt_wins(found)
    assert len(pair_wins(found)[0]) == 3
    with pytest.raises(ValueError, match=r"^comparisons have 2 answers to the prompt 'p' and 3 to the first"):
        prompt_wins(found[::-1])


def check_last(last):
    found = [
        label("p", "a", "b", "first", "ann"), label("p", "a", "b", "second", "bob"), label("p", "a", "b", "first"),
        label("p", "b", "a", "first", "ann"), label("p", "a", "b", "first"), label("q", "a", "b", "tie", "ann"),
    ]  # fmt: skip
    kept, replaced = last(found)
    assert kept == [found[1], found[2], found[3], found[4], found[5]]
    assert replaced == 1


WRONG_LAST = {
    "the first counts": lambda found: ([*found[:3], *found[4:]], 1),
    "not counted": lambda found: (last_labels(found)[0], 0),
    "the other side is another pair": lambda found: (found, 0),
    "unknown annotators are one": lambda found: ([c for c in last_labels(found)[0] if c is not found[2]], 2),
    "one label a pair": lambda found: ([found[4], found[5]], 4),
}


def test_the_last_label_counts_and_is_counted():
    check_last(last_labels)
    assert survivors(WRONG_LAST, check_last) == []
    assert last_labels([]) == ([], 0)


@pytest.mark.parametrize("count", [prompt_wins, pair_wins, preferences.agreement, preferences.label_table])
def test_two_votes_of_one_annotator_are_refused_where_votes_are_counted(count):
    found = [
        label("p", "a", "b", "first", "ann"),
        label("p", "a", "b", "first", "bob"),
        label("p", "b", "a", "tie", "ann"),
    ]
    with pytest.raises(
        ValueError, match=r"^comparisons\[0\] and comparisons\[2\] are two labels of one pair by 'ann'; call"
    ):
        count(found)
    count(last_labels(found)[0])


def check_split(split):
    found = random_comparisons(np.random.default_rng(3), prompts=60)
    train, held = split(found, 0.3, 7)
    sha = {c.prompt: int(hashlib.sha256(f"7:{c.prompt}".encode()).hexdigest()[:16], 16) / 2**64 < 0.3 for c in found}
    assert train == [c for c in found if not sha[c.prompt]]
    assert held == [c for c in found if sha[c.prompt]]
    assert 0.1 < len(held) / len(found) < 0.5


WRONG_SPLITS = {
    "the first ones are held out": lambda found, share, seed: (found[int(share * 180) :], found[: int(share * 180)]),
    "comparisons are drawn, not prompts": lambda found, share, seed: (
        [c for c, u in zip(found, np.random.default_rng(seed).random(len(found)), strict=True) if u >= share],
        [c for c, u in zip(found, np.random.default_rng(seed).random(len(found)), strict=True) if u < share],
    ),
    "seed forgotten": lambda found, share, seed: split_by_prompt(found, share, 0),
    "sides exchanged": lambda found, share, seed: split_by_prompt(found, share, seed)[::-1],
    "share of the other side": lambda found, share, seed: split_by_prompt(found, 1 - share, seed),
}


def test_the_split_is_that_of_the_hash():
    check_split(split_by_prompt)
    assert survivors(WRONG_SPLITS, check_split) == []


def test_a_prompt_stays_on_its_side_when_order_and_neighbours_change():
    found = random_comparisons(np.random.default_rng(5), prompts=50)
    train, held = split_by_prompt(found, 0.4, 1)
    assert not {c.prompt for c in train} & {c.prompt for c in held}
    fewer_train, fewer_held = split_by_prompt(found[:60][::-1], 0.4, 1)
    assert {c.prompt for c in fewer_train} <= {c.prompt for c in train}
    assert {c.prompt for c in fewer_held} <= {c.prompt for c in held}
    assert split_by_prompt(found, 0.4, 2)[1] != held


def test_splits_that_cannot_be():
    one = [label("p", "a", "b", "first"), label("p", "a", "c", "first")]
    with pytest.raises(
        ValueError, match=r"^share=0\.5 with seed=0 holds out \d of 1 prompts, so that one side is empty"
    ):
        split_by_prompt(one, 0.5, 0)
    for share in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"^share must lie between 0 and 1, both excluded; got"):
            split_by_prompt(one, share, 0)


TAKE_SOME = {
    "prompt_wins": prompt_wins,
    "pair_wins": pair_wins,
    "split_by_prompt": lambda found: split_by_prompt(found, 0.5, 0),
    "require_two_sided": require_two_sided,
    "to_trl": preferences.to_trl,
    "agreement": preferences.agreement,
    "length_bias": preferences.length_bias,
    "position_bias": preferences.position_bias,
}


@pytest.mark.parametrize("name", TAKE_SOME)
def test_no_comparisons_at_all(name):
    with pytest.raises(ValueError, match=r"^comparisons are empty; label some pairs"):
        TAKE_SOME[name]([])


def test_one_sided_labels_are_refused():
    found = [label("p", str(i), "b", "second") for i in range(25)]
    with pytest.raises(ValueError, match=r"^comparisons are one-sided: all 25 choices are 'second', so"):
        require_two_sided(found)
    require_two_sided([*found, label("p", "a", "b", "first")])


def test_every_public_name_is_on_the_map():
    assert set(preferences.__all__) <= set(vars(preferences))
    functions = {name for name in preferences.__all__ if callable(getattr(preferences, name)) and name[0].islower()}
    assert {name for name in functions if name not in preferences.__doc__} == set()
