"""Question ch4-elo: one game changes two ratings."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Elo's ratings foretell games. Player $a$ is expected to score $P$ against player $b$, and $b$ to score $1 - P$, with
the odds $P/(1 - P) = 10^{(\mathrm{Elo}_a - \mathrm{Elo}_b)/400}$: 400 points ahead means ten to one. A win scores 1, a
tie $\frac12$, a loss 0. After the game the rating of $a$ moves by $k_{\text{Elo}}$ times (what $a$ scored less what was
expected). So does the rating of $b$, with the score and the expectation of $b$; both are worked out from the ratings
before the game.

Finish `elo_update(rating, opponent, score, k)`: `rating` and `score` are those of $a$, `opponent` is the rating of $b$,
and `k` is $k_{\text{Elo}}$. Return the two new ratings, that of $a$ first.
"""

STUB = """
def elo_update(rating, opponent, score, k):
    lead = rating - opponent
    ...
"""


def elo_update(rating, opponent, score, k):
    lead = rating - opponent
    expected = 1 / (1 + 10 ** (-lead / 400))
    gain = k * (score - expected)
    return rating + gain, opponent - gain


def elo_update_from_both_sides(rating, opponent, score, k):
    strengths = np.array([10 ** (rating / 400), 10 ** (opponent / 400)])
    scores = np.array([score, 1 - score])
    return np.array([rating, opponent]) + k * (scores - strengths / strengths.sum())


def elo_update_by_tanh(rating, opponent, score, k):
    middle, half = (rating + opponent) / 2, (rating - opponent) / 2
    half += k * (score - 0.5 - math.tanh(half * math.log(10) / 400) / 2)
    return [middle + half, middle - half]


def expectation(lead):
    return 1.0 / (1.0 + np.power(10.0, -lead / 400.0))


def base_e(rating, opponent, score, k):
    gain = k * (score - 1.0 / (1.0 + np.exp(-(rating - opponent) / 400.0)))
    return rating + gain, opponent - gain


def not_divided(rating, opponent, score, k):
    gain = k * (score - 1.0 / (1.0 + np.power(10.0, -(rating - opponent))))
    return rating + gain, opponent - gain


def odds_as_expectation(rating, opponent, score, k):
    gain = k * (score - np.power(10.0, (rating - opponent) / 400.0))
    return rating + gain, opponent - gain


def opponents_expectation(rating, opponent, score, k):
    gain = k * (score - expectation(opponent - rating))
    return rating + gain, opponent - gain


def wrong_sign(rating, opponent, score, k):
    gain = k * (score - expectation(rating - opponent))
    return rating - gain, opponent + gain


def one_player_only(rating, opponent, score, k):
    return rating + k * (score - expectation(rating - opponent)), opponent


def both_gain(rating, opponent, score, k):
    gain = k * (score - expectation(rating - opponent))
    return rating + gain, opponent + gain


def one_after_the_other(rating, opponent, score, k):
    rating = rating + k * (score - expectation(rating - opponent))
    return rating, opponent + k * ((1.0 - score) - expectation(opponent - rating))


def expects_a_tie(rating, opponent, score, k):
    gain = k * (score - 0.5)
    return rating + gain, opponent - gain


def only_the_gain(rating, opponent, score, k):
    gain = k * (score - expectation(rating - opponent))
    return gain, -gain


def draw(rng):
    """A clear favourite on one of the sides, and any result."""
    lead = float(rng.uniform(40.0, 220.0) * rng.choice([-1.0, 1.0]))
    opponent = float(rng.uniform(900.0, 1300.0))
    return opponent + lead, opponent, float(rng.choice([0.0, 0.5, 1.0])), float(rng.uniform(10.0, 40.0))


def expected(rating, opponent, score, k):
    """The expectation found by halving the interval in which the odds are met, on the scale of log odds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        too_small = 400 * (math.log10(middle) - math.log10(1 - middle)) < rating - opponent
        low, high = (middle, high) if too_small else (low, middle)
    return rating + k * (score - low), opponent + k * ((1 - score) - (1 - low))


RIGHT = {
    "model": elo_update,
    "both sides, as an array": elo_update_from_both_sides,
    "tanh, as a list": elo_update_by_tanh,
}

QUESTION = Question(
    name="ch4-elo",
    title="One game changes two ratings",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Each rating moves by k times (scored less expected), and what one gains the other loses. Yours differ.",
    expected=expected,
    parts=(Part("any game", 6, draw, cases=8),),
    right=RIGHT,
    wrong={
        "base e": Wrong(
            base_e,
            "You used powers of e. Elo's scale has powers of 10: 400 points ahead means odds of ten to one, not of 2.7.",
        ),
        "not divided": Wrong(
            not_divided,
            "You left out the 400. A lead of one point would then mean odds of ten to one already.",
        ),
        "odds as expectation": Wrong(
            odds_as_expectation,
            "You took the odds for the expected score. Odds of ten to one are an expectation of 10/11: solve for P.",
        ),
        "opponent's expectation": Wrong(
            opponents_expectation,
            "You took from the player's score what the opponent is expected to score. The favourite should be expected to "
            "score more than one half.",
        ),
        "wrong sign": Wrong(
            wrong_sign,
            "With your signs a win costs points. The surprise is what was scored less what was expected, in this order.",
        ),
        "one player only": Wrong(
            one_player_only,
            "The opponent's rating has not moved. They played the same game, and it says as much about them.",
        ),
        "both gain": Wrong(
            both_gain,
            "Both ratings moved the same way, so points come from nowhere. One player's surprise is the other's with the "
            "sign turned.",
        ),
        "one after the other": Wrong(
            one_after_the_other,
            "You changed the player's rating first and used the new one for the opponent. Both expectations are from before "
            "the game; otherwise points get lost.",
        ),
        "expects a tie": Wrong(
            expects_a_tie,
            "You expected one half of every player. Beating a weaker opponent is less of a surprise.",
        ),
        "only the gain": Wrong(
            only_the_gain,
            "You returned by how much the ratings change. The new ratings were asked for.",
        ),
    },
)
