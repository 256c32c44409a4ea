"""Ratings of players (models, policies) from games between them: Elo, and the maximum of Bradley-Terry's likelihood.

Both believe that a beats b with probability σ(s_a - s_b). Elo walks there one game at a time, so its ratings depend on the
order of the games; the likelihood takes all games at once. Elo's points are s on a scale of 400/ln 10 points a nat.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from rlhw.preferences.comparison import Choice

Array = np.ndarray
Game = tuple[str, str, Choice]

ELO_PER_NAT = 400 / np.log(10)
POINTS = {"first": 1.0, "second": 0.0, "tie": 0.5}
MOST_STEPS = 200


def expected_score(rating: float, opponent: float) -> float:
    """What a player scores on average under Elo: E = 1/(1 + 10^((R_opponent - R)/400)). Source: Elo (1978).

    >>> round(expected_score(1400.0, 1000.0), 3)
    0.909
    """
    # tanh keeps away from the overflow of 10^x: 1/(1 + e^-x) = (1 + tanh(x/2))/2.
    return float((1 + np.tanh((rating - opponent) / ELO_PER_NAT / 2)) / 2)


def elo(games: Sequence[Game], k: float = 32.0, start: float = 1000.0) -> dict[str, float]:
    """Ratings after games (player, player, choice), played in the given order: R ← R + k (score - E), the score 1, ½ or 0.

    Everyone begins at `start`, and points only change hands: the mean stays there. The ratings depend on the order, most of
    all on the last games: shuffle and average, or take `bradley_terry_ratings`, where players do not change. Raises
    ValueError when there is no game, a player meets itself, a choice is unknown, or k is not positive.

    >>> elo([("dpo", "sft", "first")])
    {'dpo': 1016.0, 'sft': 984.0}
    """
    if not (np.isfinite(k) and k > 0 and np.isfinite(start)):
        raise ValueError(f"k must be a positive number and start a finite one; got k={k}, start={start}.")
    _check(games)
    ratings: dict[str, float] = {}
    for first, second, choice in games:
        for player in (first, second):
            ratings.setdefault(player, start)
        gain = k * (POINTS[choice] - expected_score(ratings[first], ratings[second]))
        ratings[first] += gain
        ratings[second] -= gain
    return ratings


def player_wins(games: Sequence[Game]) -> tuple[list[str], Float[Array, "N N"]]:
    """(players in order of appearance, wins): wins[i, j] is how often i beat j, a tie one half for each."""
    _check(games)
    players = {player: place for place, player in enumerate(dict.fromkeys(p for game in games for p in game[:2]))}
    wins = np.zeros((len(players), len(players)))
    for first, second, choice in games:
        wins[players[first], players[second]] += POINTS[choice]
        wins[players[second], players[first]] += 1 - POINTS[choice]
    return list(players), wins


def _check(games: Sequence[Game]) -> None:
    if not games:
        raise ValueError("games are empty: there is nothing to rate.")
    for place, (first, second, choice) in enumerate(games):
        if first == second:
            raise ValueError(f"games[{place}]: a player cannot meet itself.")
        if choice not in POINTS:
            raise ValueError(f"games[{place}]: the choice must be 'first', 'second' or 'tie'; got {choice!r}.")


def bradley_terry_ratings(wins: Float[Array, "N N"]) -> Float[Array, " N"]:
    """Strengths s in nats, mean 0, that maximise Σ_ij wins_ij log σ(s_i - s_j), by Newton's method with step halving.

    `1000 + ELO_PER_NAT * s` is on Elo's scale. The maximum exists only if a chain of wins leads from every player to every
    other (Ford 1957); otherwise some strengths run to infinity, and ValueError names two players without such a chain.
    Raises ValueError too unless wins is square, finite, 0 or more, and 0 on the diagonal. Source: Bradley & Terry (1952).

    >>> bradley_terry_ratings(np.array([[0.0, 3.0], [1.0, 0.0]])) * 2 / np.log(3)
    array([ 1., -1.])
    """
    _check_wins(wins)
    games = wins + wins.T
    strengths = np.zeros(len(wins))
    for _ in range(MOST_STEPS):
        p = (1 + np.tanh((strengths[:, None] - strengths) / 2)) / 2
        gradient = (wins - games * p).sum(axis=1)
        weights = games * p * (1 - p)
        # The Hessian is blind to a shift of all strengths; the constant matrix pins their sum down.
        step = np.linalg.solve(np.diag(weights.sum(axis=1)) - weights + 1 / len(wins), gradient)
        loss = _loss(wins, strengths)
        while _loss(wins, strengths + step) > loss + 1e-12 * (1 + loss):
            step = step / 2
        strengths = strengths + step
        if np.abs(step).max() < 1e-9:
            return strengths - strengths.mean()
    raise FloatingPointError(f"wins: no maximum was found in {MOST_STEPS} steps; are the counts too far apart in size?")


def _loss(wins: Float[Array, "N N"], strengths: Float[Array, " N"]) -> float:
    return float((wins * np.logaddexp(0, strengths - strengths[:, None])).sum())


def _check_wins(wins: Float[Array, "N N"]) -> None:
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise ValueError(f"wins must be a square array for two players or more; got shape {wins.shape}.")
    if not np.all(np.isfinite(wins)) or np.any(wins < 0) or np.any(np.diag(wins) != 0):
        raise ValueError("wins must be finite numbers, 0 or more, and 0 on the diagonal.")
    chains = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins).bit_length()):
        chains = chains @ chains
    if not np.all(chains):
        i, j = (int(place) for place in np.argwhere(~chains)[0])
        raise ValueError(
            f"wins are one-sided: no chain of wins leads from player {i} to player {j}, so that the likelihood has no maximum "
            "and the ratings run to infinity; add games, or leave one of them out."
        )
