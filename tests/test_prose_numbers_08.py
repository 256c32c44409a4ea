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


def test_what_the_figure_of_the_methods_is_said_to_show():
    """Best of n nearest; PPO and GRPO not told apart; DPO lowest, once below the clone, and no better for a lower price."""
    assert "PPO and GRPO are not told apart by five seeds at the price 0.25" in text_of(CHAPTER)
    for price in ("05", "025", "0125"):
        for method in ("ppo", "grpo", "dpo"):
            assert entry("frontier", f"{method}_{price}_below") > entry("frontier", "best_of_16_below", "high")
        assert entry("frontier", f"dpo_{price}_below") > entry("frontier", f"ppo_{price}_below")
        assert entry("frontier", f"dpo_{price}_below") > entry("frontier", f"grpo_{price}_below")
    assert entry("frontier", "ppo_025_share", "low") < entry("frontier", "grpo_025_share", "high")
    assert entry("frontier", "grpo_025_share", "low") < entry("frontier", "ppo_025_share", "high")
    assert entry("frontier", "dpo_025_share", "low") < 0
    assert entry("frontier", "dpo_0125_reward") < entry("frontier", "dpo_025_reward")
    assert entry("frontier", "dpo_0125_kl") > entry("frontier", "dpo_025_kl")


def test_what_the_goodhart_table_is_said_to_show():
    """Few comparisons end below the clone in every seed; 4,096 turn late or not at all, and promise less than there is."""
    assert "gold turns early and ends *below the clone's*, in every seed" in text_of(CHAPTER)
    for size in (128, 512):
        for way in ("best", "rl"):
            assert (
                entry("goodhart", f"{way}_{size}_last", "high")
                < 0
                < entry("goodhart", f"{way}_{size}_last_learned", "low")
            )
        assert entry("goodhart", f"rl_{size}_last") < entry("goodhart", f"best_{size}_last")
        assert entry("goodhart", f"rl_{size}_last_kl") > entry("goodhart", f"best_{size}_last_kl")
        assert entry("goodhart", f"rl_{size}_a", "high") < 0 < entry("goodhart", f"rl_{size}_b", "low")
        assert entry("goodhart", f"best_{size}_peak_n") == 4
    assert entry("goodhart", "rl_4096_loss") == entry("goodhart", "rl_gold_loss", "high") == 0
    assert entry("goodhart", "best_gold_loss", "high") == 0
    for way in ("best", "rl"):
        assert entry("goodhart", f"{way}_4096_last_learned") < entry("goodhart", f"{way}_4096_last")
        data = cards.read("goodhart")["metrics"]
        assert data[f"{way}_4096_peak"]["value"] > data[f"{way}_512_peak"]["high"]
    assert entry("goodhart", "rl_4096_fit") < 0.5 < 0.9 < entry("goodhart", "best_4096_fit")


def test_what_fresh_comparisons_are_said_to_show():
    """Better order in the median, and no gain that five seeds show: each interval holds 0, and both rounds end below the clone."""
    assert "All three intervals hold 0" in text_of(CHAPTER)
    for name in ("fresh_change", "same_change", "fresh_over_same"):
        assert entry("goodhart", f"round_{name}", "low") < 0 < entry("goodhart", f"round_{name}", "high")
    assert max(entry("goodhart", f"round_{name}_gold", "high") for name in ("fresh", "same")) < -1
    assert entry("goodhart", "round_order_there", "high") < 0.5
    assert entry("goodhart", "round_fresh_order_there") > entry("goodhart", "round_same_order_there")


def test_what_own_labels_are_said_to_buy():
    """30 labels: a coin, and a loss in the median; 100: little; 300: half of what could be had; no chances better than none."""
    assert "your own 30 labels are enough to see the loop turn" in text_of(CHAPTER)
    assert entry("own_labels", "accuracy_30", "low") < 0.5 < entry("own_labels", "accuracy_100", "low")
    assert entry("own_labels", "best_30") < 0
    assert entry("own_labels", "best_100", "low") < 0
    assert 0.4 < entry("own_labels", "best_300") / entry("own_labels", "best_gold") < 0.6
    assert min(entry("own_labels", f"loss_{n}", "low") for n in (30, 100, 300)) > math.log(2)
