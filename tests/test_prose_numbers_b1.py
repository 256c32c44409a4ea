"""Chapter B1: numbers that its sentences work out in passing, and directions that they read off the card."""

import math

import numpy as np
import pytest

from benchmarks.regret import BANDIT, CONSTANT, LEAST_GAP, MANY, PLAYERS, PULLS, RUIN, SEEDS, SHORT, TWO
from rlhw import cards
from rlhw.regret import bernoulli_kl, gaps, lai_robbins
from rlhw.running_means import best_constant_step, squared_errors
from tests.test_prose_numbers import text_of

CHAPTER, NOTEBOOK = "book/b1_bandits.md", "notebooks/b1_bandits.ipynb"
CLAIMS = [
    (CHAPTER, "Their gaps are $0.4$, $0.2$, $0$ and $0.3$", lambda: gaps(BANDIT.means) @ [1, 10, 0, 100], 32.4, 1e-9),
    (CHAPTER, r"that is $\alpha \approx 0.095$", lambda: best_constant_step(1.0, 0.1**2), 0.095, 5e-4),
    (CHAPTER, r"On the four arms $\bar\Delta = 0.225$", lambda: gaps(BANDIT.means).mean(), 0.225, 1e-12),
    (CHAPTER, r"$\epsilon = 0.1$ pays $0.0225$ a pull", lambda: 0.1 * gaps(BANDIT.means).mean(), 0.0225, 1e-12),
    (CHAPTER, "the better one, by $0.1$", lambda: RUIN.means[1] - RUIN.means[0], 0.1, 1e-12),
    (CHAPTER, "That alone has probability $0.4$", lambda: 1 - RUIN.means[1], 0.4, 1e-12),
    (CHAPTER, "probabilities $0.65$ and $0.4$, 40 pulls, and", lambda: TWO[0] + TWO[1] + SHORT, 41.05, 1e-9),
    (CHAPTER, "20,000 players a seed were measured", lambda: MANY, 20_000, 0),
    (CHAPTER, "the mean of 200 players, median (and range) over 5 seeds", lambda: PLAYERS * len(SEEDS), 1000, 0),
    (CHAPTER, "four arms with the means above, 10,000 pulls", lambda: PULLS, 10_000, 0),
    (CHAPTER, "$c = 5$ and $d = 0.2$", lambda: LEAST_GAP, min(g for g in gaps(BANDIT.means) if g > 0), 1e-12),
    (CHAPTER, "the bound of Lai and Robbins says 35", lambda: CONSTANT * math.log(1000), 35, 0.5),
    (CHAPTER, "$\\sum_t 2t^{-2} = \\pi^2/3$", lambda: sum(2 / t**2 for t in range(1, 200_000)), math.pi**2 / 3, 2e-5),
    (NOTEBOOK, "takes a random step of variance 0.01", lambda: 0.1**2, 0.01, 1e-12),
]  # fmt: skip


@pytest.mark.parametrize(("path", "words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(path, words, number, stated, tolerance):
    assert words in text_of(path)
    assert abs(number() - stated) <= tolerance


def test_what_is_said_of_step_sizes_and_of_their_picture():
    text, n = text_of(CHAPTER), np.arange(1.0, 2001.0)
    assert "come to rest above it, at about 0.3" in text
    assert abs(squared_errors(1 / (n + 1) ** 2, 1.0, 1.0)[-1] - 0.3) < 0.015
    assert "and is lowest from about the twentieth reward on" in text
    constant = squared_errors(np.full(2000, best_constant_step(1.0, 0.01)), 1.0, 1.0, 0.01)
    mean = squared_errors(1 / n, 1.0, 1.0, 0.01)
    assert np.argmax(constant < mean) == 0, "at the first reward too: 1/n forgets the start at once"
    assert 18 <= np.flatnonzero(constant > mean)[-1] + 2 <= 22
    assert "so $1/\\sqrt n$ arrives too, more slowly" in text
    n = np.arange(1.0, 1e5)
    assert 1 / n[-1] < 0.1 * squared_errors(1 / np.sqrt(n), 1.0, 1.0)[-1] < 2e-4


def entry(name: str, side: str = "value") -> float:
    return cards.read("regret")["metrics"][name][side]


RULES = ("greedy", "constant", "decaying_5", "decaying_20", "auer", "ucb1", "ucb_narrow")


def test_the_table_of_the_race_says_what_the_sentences_say():
    text = text_of(CHAPTER)
    assert "The typical *greedy* player is the best of the table, and a third of them are lost" in text
    assert entry("typical_greedy") == min(entry(f"typical_{name}") for name in RULES)
    assert 300 < entry("lost_greedy") < 370
    assert "The schedule $20/t$ is about as good as the narrow UCB on average" in text
    assert abs(entry("end_decaying_20") - entry("end_ucb_narrow")) < 10
    assert entry("worst_decaying_20") > 10 * entry("worst_ucb_narrow")
    assert "greedy had a regret of 3, UCB1 of 70" in text
    assert entry("typical_greedy") < 4
    assert abs(entry("middle_ucb1") - 70) < 8


def test_the_bound_and_what_it_does_not_say():
    text = text_of(CHAPTER)
    assert "and the narrow UCB has paid" in text
    assert entry("end_ucb_narrow") < entry("bound_10000")
    assert "and UCB1 tends to four times as much" in text
    assert entry("slope_ucb1") == pytest.approx(4 * entry("slope_ucb_narrow"))
    assert "$C$ is at most $\\sum_k \\frac{1}{2\\Delta_k}$" in text
    assert entry("constant_c") < entry("slope_ucb_narrow")
    assert "$C\\log 25$ is larger than what somebody pays who draws an arm by a coin all 25 times" in text
    assert lai_robbins(gaps(TWO), bernoulli_kl(TWO, TWO.max())) * math.log(25) > 25 * gaps(TWO).mean()


def test_a_narrow_width_is_not_consistent():
    """c = 0.2: the best arm fails s times at once and is not tried again before log t = s (r/c)²: regret of a power of T."""
    assert "constants such as $c = 0.2$ make a UCB that is not" in text_of(CHAPTER)
    second, best, c = 0.5, 0.7, 0.2
    power = 1 - c**2 * math.log(1 / (1 - best)) / second**2
    assert power > 0.5


def test_linear_rules_have_the_rate_that_is_stated():
    # Five means of 200 players; exploring costs 0.0225 a pull, and little else is left after 1,000 pulls.
    assert abs(entry("rate_constant") - entry("rate_constant", "known")) < 1e-3
    assert np.isclose(entry("rate_constant", "known"), 0.0225)
