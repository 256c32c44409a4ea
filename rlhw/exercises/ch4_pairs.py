"""Question ch4-pairs: from a ranking to comparisons."""

from itertools import combinations

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
Somebody has put K answers to one question in order. `ranking` is an array of their numbers, counted from 0, the best
answer first: $(2, 0, 1)$ says that answer 2 is the best and answer 1 the worst. Finish `pairs(ranking)`, which makes
from it all $\binom K2 = K(K-1)/2$ comparisons that it contains: an array with one row (winner, loser) for each pair of
answers. The order of the rows does not matter.
"""

STUB = """
def pairs(ranking):
    rows = []
    for place, winner in enumerate(ranking):
        ...
"""


def pairs(ranking):
    rows = []
    for place, winner in enumerate(ranking):
        for loser in ranking[place + 1 :]:
            rows.append((winner, loser))
    return np.array(rows)


def pairs_by_combinations(ranking):
    return np.array(list(combinations(ranking, 2)))


def pairs_by_triangle(ranking):
    better, worse = np.triu_indices(len(ranking), k=1)
    return np.column_stack([ranking[better], ranking[worse]])


def pairs_by_place(ranking):
    place = np.argsort(ranking)
    winners, losers = np.nonzero(place[:, None] < place[None, :])
    return np.stack([winners, losers], axis=1)


def neighbours_only(ranking):
    return np.stack([ranking[:-1], ranking[1:]], axis=1)


def best_only(ranking):
    return np.array([(ranking[0], loser) for loser in ranking[1:]])


def exchanged(ranking):
    return np.array([(loser, winner) for winner, loser in combinations(ranking, 2)])


def both_ways(ranking):
    return np.array([(a, b) for a in ranking for b in ranking if a != b])


def with_itself(ranking):
    return np.array([(ranking[i], ranking[j]) for i in range(len(ranking)) for j in range(i, len(ranking))])


def places_for_answers(ranking):
    return np.array(list(combinations(range(len(ranking)), 2)))


def numbers_as_scores(ranking):
    rows = combinations(range(len(ranking)), 2)
    return np.array([(a, b) if ranking[a] > ranking[b] else (b, a) for a, b in rows])


def numbers_as_places(ranking):
    rows = combinations(range(len(ranking)), 2)
    return np.array([(a, b) if ranking[a] < ranking[b] else (b, a) for a, b in rows])


def worst_left_out(ranking):
    return np.array(list(combinations(ranking[:-1], 2)))


def two_rows(ranking):
    return np.array(list(combinations(ranking, 2))).T


def draw(rng):
    """A ranking that differs from what one gets by taking its entries for places, or for scores."""
    answers = int(rng.integers(4, 8))
    while True:
        ranking = rng.permutation(answers)
        place = np.argsort(ranking)
        if not (np.array_equal(ranking, place) or np.array_equal(ranking, answers - 1 - place)):
            return (ranking,)


def expected(ranking):
    """Of each two answers, the one that is met first when the ranking is read."""
    order = list(ranking)
    answers = range(len(order))
    return np.array([(a, b) for a in answers for b in answers if order.index(a) < order.index(b)])


def agrees(got, known):
    """The same rows in any order, each as often as in the other."""
    try:
        got, known = np.asarray(got), np.asarray(known)
        return got.ndim == 2 and got.shape == known.shape and close(sorted(got.tolist()), sorted(known.tolist()))
    except (TypeError, ValueError):
        return False


RIGHT = {
    "model": pairs,
    "combinations": pairs_by_combinations,
    "triangle": pairs_by_triangle,
    "by place, rows in another order": pairs_by_place,
}

QUESTION = Question(
    name="ch4-pairs",
    title="From a ranking to comparisons",
    stars=2,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Each two answers meet once, and the one that stands earlier in the ranking wins. Yours differs.",
    expected=expected,
    parts=(Part("any ranking", 6, draw),),
    right=RIGHT,
    wrong={
        "neighbours only": Wrong(
            neighbours_only,
            "You compared each answer with the next one only. The ranking also says how answers compare that "
            "stand further apart.",
        ),
        "best only": Wrong(
            best_only,
            "You compared only the best answer with the others. The ranking also orders the others among themselves.",
        ),
        "exchanged": Wrong(
            exchanged,
            "All pairs are there, but in every row the loser stands first. A reward model trained on them learns "
            "the opposite.",
        ),
        "both ways": Wrong(
            both_ways,
            "Each pair comes twice, once with each winner. Together the two rows say nothing: only one of them is "
            "what the ranking says.",
        ),
        "with itself": Wrong(
            with_itself,
            "You also let each answer meet itself. Where does the second of the two start?",
        ),
        "places for answers": Wrong(
            places_for_answers,
            "Your rows hold places in the ranking: your first place always wins as answer 0. Which answer stands at that place?",
        ),
        "numbers as scores": Wrong(
            numbers_as_scores,
            "You read the ranking as a list of scores, the higher the better. Its entries are the numbers of the "
            "answers; how good they are is said by where they stand.",
        ),
        "numbers as places": Wrong(
            numbers_as_places,
            "You read entry k as the place of answer k. It is the other way round: entry k is the answer at place k.",
        ),
        "worst left out": Wrong(
            worst_left_out,
            "The worst answer never appears. It has lost against all others, and that is information too.",
        ),
        "two rows": Wrong(
            two_rows,
            "The pairs are right but lie on their side: you have two long rows. One row for each pair was asked for.",
        ),
    },
    agrees=agrees,
)
