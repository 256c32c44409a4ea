"""Chapter 8: numbers that its sentences work out in passing, and directions that they read off the cards."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import binom, norm

from rlhw import cards
from rlhw.evaluation import best_of_n_kl, win_rate
from tests.test_prose_numbers import text_of

CHAPTER = "book/08_how_good.md"
CHANCES = binom.pmf(np.arange(7), 6, 0.35)


def mean_estimate(n: int) -> float:
    """The mean of log-mean-exp over 4,000 draws of n samples: its own standard error is 0.012 at most."""
    drawn = np.random.default_rng(1).binomial(6, 0.35, size=(4000, n))
    return float(np.mean(0.1 * (logsumexp(drawn / 0.1, axis=1) - math.log(n))))


def best_policy_kl() -> float:
    """KL(π*‖π_ref) of the six facts, from its definition."""
    weights = CHANCES * np.exp(np.arange(7) / 0.1)
    law = weights / weights.sum()
    return float(np.sum(law * np.log(law / CHANCES)))


def both(level: float) -> float:
    return 1.96**2 * (1 / (4 * level**2) - 1)


CLAIMS = [
    ("So the reference earns 0.7", lambda: 0.3 + 0.4, 0.7, 1e-12),
    ("$1 - 0.8^2 = 0.36$", lambda: 1 - 0.8**2, 0.36, 1e-12),
    ("0.01 of reward are worth 0.0166 nats", lambda: 0.1406385 - 0.1240112, 0.0166, 5e-5),
    ("With 64 samples the estimate is 4.53 on average", lambda: mean_estimate(64), 4.53, 0.05),
    ("with 512 it is 5.09", lambda: mean_estimate(512), 5.09, 0.03),
    ("with probability $0.35^6$, once in 544", lambda: 0.35**-6, 544, 0.5),
    ("is 6.29 nats", best_policy_kl, 6.29, 5e-3),
    (r"$\log 64\approx 4.16$", lambda: math.log(64), 4.16, 5e-3),
    (r"$\log 512\approx 6.24$", lambda: math.log(512), 6.24, 5e-3),
    (r"$\log(1/0.35)\approx 1.05$", lambda: math.log(1 / 0.35), 1.05, 5e-3),
    ("while the formula says 3.17", lambda: math.log(64) - 63 / 64, 3.17, 5e-3),
    ("With the six facts above it is 2.93", lambda: best_of_n_kl(CHANCES, np.arange(7.0), 64), 2.93, 5e-3),
    (r'is what best of 4 does', lambda: 4 / 5, 0.80, 1e-12),
    ("best of 2 would already win 67 %", lambda: 100 * 2 / 3, 67, 0.5),
    (r"$\hat w = 0.547$", lambda: 35 / 64, 0.547, 5e-4),
    ("it reaches from 0.43 to 0.66", lambda: win_rate(35, 29)[1], 0.43, 5e-3),
    ("it reaches from 0.43 to 0.66", lambda: win_rate(35, 29)[2], 0.66, 5e-3),
    ("it is 0.51 to 0.59", lambda: win_rate(350, 290)[1], 0.51, 5e-3),
    ("it is 0.51 to 0.59", lambda: win_rate(350, 290)[2], 0.585, 5e-3),
    ("93 for ten points either way, 381 for five, 9,600 for one", lambda: math.ceil(both(0.1)), 93, 0),
    ("93 for ten points either way, 381 for five, 9,600 for one", lambda: math.ceil(both(0.05)), 381, 0),
    ("93 for ten points either way, 381 for five, 9,600 for one", lambda: math.ceil(both(0.01)), 9600, 1),
    ("six of six right has an interval that begins at 0.61", lambda: win_rate(6, 0)[1], 0.61, 5e-3),
    ("the middle 95 % of results", lambda: norm.cdf(1.96) - norm.cdf(-1.96), 0.95, 5e-5),
]  # fmt: skip


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def test_the_sentence_about_sixty_four_prompts():
    """B may well be the better one: the interval of 35 of 64 holds one half; that of the same share of 640 does not."""
    assert win_rate(35, 29)[1] < 0.5 < win_rate(350, 290)[1]


def entry(card: str, name: str, side: str = "value") -> float:
    return cards.read(card)["metrics"][name][side]


def test_best_of_n_is_hard_to_beat():
    """With the learned reward best of 16 keeps less than PPO, which keeps less than all."""
    assert "With the learned reward it keeps" in text_of(CHAPTER)
    assert entry("learning", "best_of_16_learned") < entry("learning", "ppo_learned") < 1
