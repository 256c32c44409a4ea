"""Question ch8-win-rate: a win rate and its interval."""

import numpy as np
from scipy.optimize import brentq

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Two policies answered the same questions, and a judge said which answer is better: `wins` for the first, `losses`, and `ties`.
A tie counts as half a win.

Finish `win_rate(wins, losses, ties, z)`: return three numbers, the rate $\hat p$ and the two ends of Wilson's interval, which
are the two $p$ for which $\lvert\hat p - p\rvert = z\sqrt{p(1-p)/n}$; $n$ is the number of all comparisons. There may be no
losses at all.
"""

STUB = """
def win_rate(wins, losses, ties, z):
    n = wins + losses + ties
    ...
"""


def win_rate(wins, losses, ties, z):
    n = wins + losses + ties
    rate = (wins + ties / 2) / n
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return rate, middle - half, middle + half


def win_rate_by_roots(wins, losses, ties, z):
    """(rate - p)² = z² p (1 - p)/n is a quadratic equation in p."""
    n = wins + losses + ties
    rate = (wins + 0.5 * ties) / n
    ends = np.roots([1 + z**2 / n, -2 * rate - z**2 / n, rate**2])
    return np.array([rate, *sorted(ends.real)])


def wald(wins, losses, ties, z):
    n = wins + losses + ties
    rate = (wins + ties / 2) / n
    half = z * np.sqrt(rate * (1 - rate) / n)
    return rate, rate - half, rate + half


def ties_left_out(wins, losses, ties, z):
    return win_rate(wins, losses, 0, z)


def ties_are_wins(wins, losses, ties, z):
    return win_rate(wins + ties, losses, 0, z)


def ties_are_losses(wins, losses, ties, z):
    return win_rate(wins, losses + ties, 0, z)


def no_root_of_n(wins, losses, ties, z):
    n = wins + losses + ties
    rate = (wins + ties / 2) / n
    half = z * np.sqrt(rate * (1 - rate))
    return rate, rate - half, rate + half


def around_the_rate(wins, losses, ties, z):
    rate, low, high = win_rate(wins, losses, ties, z)
    return rate, rate - (high - low) / 2, rate + (high - low) / 2


def middle_as_rate(wins, losses, ties, z):
    _, low, high = win_rate(wins, losses, ties, z)
    return (low + high) / 2, low, high


def not_shrunk(wins, losses, ties, z):
    n = wins + losses + ties
    rate = (wins + ties / 2) / n
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return rate, rate + z**2 / (2 * n) - half, rate + z**2 / (2 * n) + half


def draw(rng):
    return int(rng.integers(12, 40)), int(rng.integers(3, 12)), int(rng.integers(2, 9)), float(rng.uniform(1.2, 2.6))


def draw_all_won(rng):
    return int(rng.integers(4, 12)), 0, 0, float(rng.uniform(1.2, 2.6))


def expected(wins, losses, ties, z):
    """The two roots of the equation in the text, found by bisection between 0 or 1 and the rate."""
    n = wins + losses + ties
    rate = (2 * wins + ties) / (2 * n)

    def surplus(p):
        return abs(rate - p) - z * np.sqrt(p * (1 - p) / n)

    low = 0.0 if rate == 0 else brentq(surplus, 0.0, rate, xtol=1e-14) if rate < 1 else _below_one(surplus)
    high = 1.0 if rate == 1 else brentq(surplus, rate, 1.0, xtol=1e-14)
    return rate, low, high


def _below_one(surplus):
    """At rate 1 the end 1 itself is a root; the other one lies below the p at which the surplus is lowest."""
    return brentq(surplus, 0.0, 1 - 1e-9, xtol=1e-14)


QUESTION = Question(
    name="ch8-win-rate",
    title="A win rate and what it is sure of",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The rate is (wins + ties/2)/n; the ends solve (rate - p)² = z² p(1 - p)/n. Yours differ.",
    expected=expected,
    parts=(Part("wins, losses and ties", 4, draw), Part("all won", 2, draw_all_won)),
    right={"Wilson's formula": win_rate, "roots of the quadratic": win_rate_by_roots},
    wrong={
        "Wald's interval": Wrong(
            wald,
            "You put the measured rate under the root. That is Wald's interval: of all wins it says rate 1, sure to the last "
            "digit. In Wilson's, p itself stands there.",
        ),
        "ties left out": Wrong(
            ties_left_out,
            "You left the ties out. They are comparisons too: half a win each, and they count in n.",
        ),
        "ties are wins": Wrong(ties_are_wins, "You counted a tie as a whole win. It is half of one."),
        "ties are losses": Wrong(ties_are_losses, "You counted a tie as a loss. It is half a win."),
        "no root of n": Wrong(
            no_root_of_n,
            "You did not divide by n under the root: that is how far one comparison spreads, not their mean.",
        ),
        "around the rate": Wrong(
            around_the_rate,
            "The width is right, and the middle is not: Wilson's interval is not centred at the rate but a little nearer "
            "to one half.",
        ),
        "middle as rate": Wrong(
            middle_as_rate,
            "The ends are right. As the rate you gave the middle of the interval; the rate is (wins + ties/2)/n.",
        ),
        "not shrunk": Wrong(
            not_shrunk,
            "Nearly: both the middle and the half width are still to be divided by 1 + z²/n.",
        ),
    },
)
