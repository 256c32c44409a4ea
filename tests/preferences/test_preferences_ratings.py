"""Ratings: Elo by hand and as a stochastic gradient, the likelihood's maximum as choix finds it, one-sided games refused."""

import inspect

import choix
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from preference_samples import survivors

from rlhw.laws import numerical_gradient
from rlhw.preferences import ELO_PER_NAT, bradley_terry_ratings, elo, expected_score, player_wins, ratings

STRENGTHS = np.array([0.9, -0.4, 0.1, -0.6])
GAMES = [("sft", "dpo", "second"), ("ppo", "sft", "first"), ("dpo", "ppo", "tie"), ("sft", "dpo", "first")]


def check_elo(play):
    """The chess federation's own table in its 10 and 400, one game after the other."""
    ratings = {"sft": 1200.0, "dpo": 1200.0, "ppo": 1200.0}
    for first, second, choice in GAMES:
        expected = 1 / (1 + 10 ** ((ratings[second] - ratings[first]) / 400))
        change = 20 * ({"first": 1, "second": 0, "tie": 0.5}[choice] - expected)
        ratings |= {first: ratings[first] + change, second: ratings[second] - change}
    got = play(GAMES, 20.0, 1200.0)
    assert set(got) == set(ratings)
    assert all(got[player] == pytest.approx(ratings[player], abs=1e-9) for player in ratings)


def play(games, k, start, expected=expected_score, points=None, both=True):
    ratings = {}
    for first, second, choice in games:
        a, b = ratings.setdefault(first, start), ratings.setdefault(second, start)
        gain = k * ((points or {"first": 1, "second": 0, "tie": 0.5})[choice] - expected(a, b))
        ratings |= {first: a + gain, second: b - gain * both}
    return ratings


WRONG_ELO = {
    "expects the opponent's score": lambda *a: play(*a, expected=lambda x, y: expected_score(y, x)),
    "points taken for nats": lambda *a: play(*a, expected=lambda x, y: float(scipy.special.expit(x - y))),
    "e for 10": lambda *a: play(*a, expected=lambda x, y: float(scipy.special.expit((x - y) / 400))),
    "always expects a half": lambda *a: play(*a, expected=lambda x, y: 0.5),
    "a tie is a loss": lambda *a: play(*a, points={"first": 1, "second": 0, "tie": 0}),
    "the loser pays nothing": lambda *a: play(*a, both=False),
    "played backwards": lambda games, k, start: play(games[::-1], k, start),
}


def test_elo_by_hand():
    check_elo(elo)
    check_elo(play)
    assert survivors(WRONG_ELO, check_elo) == []


def test_expected_score_is_a_sigmoid_of_nats():
    for difference in (-1e6, -200.0, 0.0, 35.0, 1e6):
        expected = scipy.special.expit(difference / ELO_PER_NAT)
        assert expected_score(1000 + difference, 1000.0) == pytest.approx(expected, abs=1e-12)
    assert pytest.approx(400 / np.log(10), abs=1e-12) == ELO_PER_NAT
    assert expected_score(1400.0, 1000.0) == pytest.approx(10 / 11, abs=1e-12)


def games_at(strengths, rng, count):
    players = [f"player {i}" for i in range(len(strengths))]
    games = []
    for _ in range(count):
        i, j = rng.choice(len(strengths), 2, replace=False)
        first_wins = rng.random() < scipy.special.expit(strengths[i] - strengths[j])
        games.append((players[i], players[j], "first" if first_wins else "second"))
    return games


def test_elo_depends_on_the_order_and_keeps_the_mean():
    games = games_at(STRENGTHS, np.random.default_rng(0), 200)
    forwards, backwards = elo(games), elo(games[::-1])
    assert abs(forwards["player 0"] - backwards["player 0"]) > 1
    assert np.mean(list(forwards.values())) == pytest.approx(1000, abs=1e-9)


def test_elo_walks_to_the_strengths():
    """With a small k it hovers about s: at k = 1 its own noise is about 8 points, and 25 is 3 standard deviations
    (false-alarm rate under 1 %; the seed is fixed)."""
    ratings = elo(games_at(STRENGTHS, np.random.default_rng(1), 20_000), k=1.0, start=0.0)
    for i, strength in enumerate(STRENGTHS):
        assert ratings[f"player {i}"] == pytest.approx(ELO_PER_NAT * strength, abs=25)


def random_wins(seed, players=5):
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 6, (players, players)) + 0.5 * rng.integers(0, 2, (players, players))
    wins = np.maximum(wins, np.roll(np.eye(players), 1, axis=0))
    np.fill_diagonal(wins, 0)
    return wins.astype(float)


def check_bradley_terry(fit):
    for seed in range(6):
        wins = random_wins(seed, players=2 + seed)
        theirs = choix.ilsr_pairwise_dense(wins, max_iter=10_000, tol=1e-12)
        np.testing.assert_allclose(fit(wins), theirs - theirs.mean(), atol=1e-8)


WRONG_FITS = {
    "losses for wins": lambda wins: bradley_terry_ratings(wins.T),
    "log of the share won": lambda wins: np.log(wins.sum(1) / wins.sum(0)) - np.log(wins.sum(1) / wins.sum(0)).mean(),
    "in points": lambda wins: ELO_PER_NAT * bradley_terry_ratings(wins),
    "ties dropped": lambda wins: bradley_terry_ratings(
        np.maximum(np.floor(wins), np.roll(np.eye(len(wins)), 1, axis=0))
    ),
    "not centred": lambda wins: bradley_terry_ratings(wins) + 1,
    "pairs weighed alike": lambda wins: bradley_terry_ratings(wins / np.maximum(wins + wins.T, 1)),
    "one step of Newton's method": lambda wins: (
        4 * np.linalg.pinv(np.diag((wins + wins.T).sum(1)) - wins - wins.T) @ ((wins - wins.T) / 2).sum(1)
    ),
}


def test_the_fit_is_choix():
    check_bradley_terry(bradley_terry_ratings)
    assert survivors(WRONG_FITS, check_bradley_terry) == []


def test_the_fit_is_where_the_likelihood_is_level_and_greatest():
    wins = random_wins(9)

    def loss(s):
        return float(-(wins * np.log(scipy.special.expit(s[:, None] - s))).sum())

    fitted = bradley_terry_ratings(wins)
    np.testing.assert_allclose(numerical_gradient(loss, fitted), 0, atol=1e-6)
    found = scipy.optimize.minimize(loss, np.ones(5), method="BFGS", options={"gtol": 1e-6})
    assert loss(fitted) <= found.fun + 1e-9


def test_two_players_in_closed_form_and_on_elos_scale():
    fitted = bradley_terry_ratings(np.array([[0.0, 30.0], [10.0, 0.0]]))
    np.testing.assert_allclose(fitted, [np.log(3) / 2, -np.log(3) / 2], atol=1e-12)
    points = 1000 + ELO_PER_NAT * fitted
    assert expected_score(float(points[0]), float(points[1])) == pytest.approx(0.75, abs=1e-12)


def test_strengths_are_found_again_far_apart_and_along_a_chain():
    wins = np.zeros((30, 30))
    for i in range(29):
        wins[i, i + 1], wins[i + 1, i] = 9, 1
    np.testing.assert_allclose(-np.diff(bradley_terry_ratings(wins)), np.log(9), atol=1e-9)


def test_player_wins_by_hand():
    players, wins = player_wins(GAMES)
    assert players == ["sft", "dpo", "ppo"]
    np.testing.assert_array_equal(wins, [[0, 1, 0], [1, 0, 0.5], [1, 0.5, 0]])
    assert wins.sum() == len(GAMES)


ONE_SIDED = {
    "won all": (np.array([[0.0, 3.0, 2.0], [0.0, 0.0, 1.0], [0.0, 2.0, 0.0]]), "player 1 to player 0"),
    "lost all": (np.array([[0.0, 3.0, 2.0], [4.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), "player 2 to player 0"),
    "never met": (np.array([[0.0, 3, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]), "player 0 to player 2"),
    "no games": (np.zeros((2, 2)), "player 0 to player 1"),
}


@pytest.mark.parametrize("case", ONE_SIDED)
def test_one_sided_games_have_no_maximum(case):
    wins, who = ONE_SIDED[case]
    with pytest.raises(
        ValueError, match=rf"^wins are one-sided: no chain of wins leads from {who}, so that the likelihood"
    ):
        bradley_terry_ratings(wins)


def test_a_chain_of_wins_is_enough_however_long():
    ring = np.roll(np.eye(17), 1, axis=1)
    np.testing.assert_allclose(bradley_terry_ratings(ring), 0, atol=1e-9)
    ring[16, 0] = 0
    with pytest.raises(ValueError, match="one-sided"):
        bradley_terry_ratings(ring)


def test_wins_that_are_none():
    for wins in (np.zeros((1, 1)), np.zeros((2, 2)) - 1, np.array([[0, np.nan], [1, 0]]), np.ones((2, 2))):
        with pytest.raises(ValueError, match=r"^wins must be"):
            bradley_terry_ratings(wins)
    with pytest.raises(
        ValueError, match=r"^wins must be a square array for two players or more; got shape \(2, 3\)\.$"
    ):
        inspect.unwrap(ratings._check_wins)(np.zeros((2, 3)))
    with pytest.raises(FloatingPointError, match=r"^wins: no maximum was found in 200 steps"):
        bradley_terry_ratings(np.array([[0, 1e13, 1], [7e12, 0, 0], [0, 1.0, 0]]))


@pytest.mark.parametrize("rate", [elo, player_wins])
def test_games_that_are_none(rate):
    with pytest.raises(ValueError, match=r"^games are empty"):
        rate([])
    with pytest.raises(ValueError, match=r"^games\[1\]: a player cannot meet itself\.$"):
        rate([("a", "b", "first"), ("a", "a", "first")])


def test_a_choice_that_is_none():
    with pytest.raises(
        ValueError, match=r"^games\[0\]: the choice must be 'first', 'second' or 'tie'; got 'banana'\.$"
    ):
        inspect.unwrap(ratings._check)([("a", "b", "banana")])


def test_elo_settings():
    for k, start in ((0.0, 1000.0), (-1.0, 1000.0), (float("nan"), 1000.0), (32.0, float("inf"))):
        with pytest.raises(ValueError, match=r"^k must be a positive number and start a finite one; got"):
            elo(GAMES, k, start)
