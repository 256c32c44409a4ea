"""Chapter 5: numbers that its sentences work out in passing, and directions that they read off the cards."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.overfitting_runs import EPOCHS, FEW, MORE, SIZE
from rlhw import cards
from tests.test_prose_numbers import text_of

CHAPTER = "book/05_reward_model.md"
LN2 = math.log(2)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def wilson(right: int, pairs: int, side: str) -> float:
    """By Wilson's formula, not by the function that the notebook calls."""
    z, p = 1.959964, right / pairs
    middle, half = p + z**2 / (2 * pairs), z * math.sqrt(p * (1 - p) / pairs + z**2 / (4 * pairs**2))
    return (middle + {"low": -half, "high": half}[side]) / (1 + z**2 / pairs)


INTERVALS = "reach from 0.65 to 1, from 0.49 to 0.97 and from 0.25 to 0.84"
CLAIMS = [
    ("the loss would have been 1.171", lambda: -math.log(sigmoid(-0.8)), 1.171, 5e-4),
    ("the pull more than twice as strong", lambda: sigmoid(0.8) / sigmoid(-0.8), 2.2, 0.05),
    (r"$\ell(0) = \ln 2 \approx 0.693$", lambda: -math.log(sigmoid(0)), 0.693, 5e-4),
    ("lost by a margin of 50 costs 50 nats", lambda: math.log1p(math.exp(50)), 50, 1e-6),
    ("`int(0.3 * 12)` = 3 of 12, so that 75 % are frozen", lambda: 1 - int(0.3 * 12) / 12, 0.75, 1e-12),
    ("have the ceiling 0.75", lambda: np.mean([max(p, 1 - p) for p in (0.9, 0.6)]), 0.75, 1e-12),
    ("here 0.67", lambda: np.mean([p**2 + (1 - p) ** 2 for p in (0.9, 0.6)]), 0.67, 1e-12),
    (INTERVALS, lambda: wilson(7, 7, "low"), 0.65, 5e-3),
    (INTERVALS, lambda: wilson(6, 7, "low"), 0.49, 5e-3),
    (INTERVALS, lambda: wilson(6, 7, "high"), 0.97, 5e-3),
    (INTERVALS, lambda: wilson(4, 7, "low"), 0.25, 5e-3),
    (INTERVALS, lambda: wilson(4, 7, "high"), 0.84, 5e-3),
    ("0.86 is 6 of 7, and 0.57 is 4 of 7", lambda: 6 / 7, 0.86, 5e-3),
    ("0.86 is 6 of 7, and 0.57 is 4 of 7", lambda: 4 / 7, 0.57, 5e-3),
    ("at $p = 0.7$ that is 0.065", lambda: math.sqrt(0.7 * 0.3 / 50), 0.065, 5e-4),
    ("about 0.25 wide", lambda: wilson(35, 50, "high") - wilson(35, 50, "low"), 0.25, 5e-3),
    ("(1,500, each weighed by", lambda: 250 * math.comb(4, 2), 1500, 0),
    ("happens to a coin in 6 % of cases", lambda: 100 * 8 / 128, 6, 0.5),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def test_wilson_is_the_interval_of_the_notebook():
    interval = binomtest(6, 7).proportion_ci(0.95, method="wilson")
    assert (wilson(6, 7, "low"), wilson(6, 7, "high")) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_five_of_six_reach_below_a_coin():
    assert "5 of 6 has an interval that begins below a coin's one half" in text_of(CHAPTER)
    assert wilson(5, 6, "low") < 0.5


def entry(name: str, side: str = "value") -> float:
    return cards.read("overfitting")["metrics"][name][side]


def test_the_cure_is_more_comparisons():
    """What the sentences under the tables say, on all five seeds where they say so."""
    text = text_of(CHAPTER)
    assert "It does *not* fall" in text
    assert abs(entry("epoch_16_accuracy") - 0.5) < 0.05
    assert entry("epoch_16_accuracy") > entry("epoch_0_accuracy") - 0.02
    assert "the random head, or nearly" in text
    assert entry("all_epoch", "high") == 1
    assert entry("epoch_0_training") < LN2 < entry("epoch_0_held_out", "low"), "a random head bets"
    assert "Early stopping prevents the *harm*, freezing two blocks of three did not" in text
    for kind in ("all", "frozen"):
        assert entry(f"{kind}_best_loss", "high") < 0.75 < 2 * LN2 < entry(f"{kind}_end_loss", "low")
    assert entry("frozen_end_loss") == pytest.approx(entry("all_end_loss"), rel=0.05)
    assert entry("frozen_end_confidence") == pytest.approx(entry("all_end_confidence"), abs=0.01)
    assert entry("head_end_loss", "high") < 0.8, "the head alone hardly bets"
    for kind in ("all", "frozen", "head"):
        for when in ("best", "end"):
            assert entry(f"{kind}_{when}_loss", "low") > LN2, "32 votes stay above a constant model"
        assert entry(f"{kind}_best_share", "high") < 0.25
    assert "more than three times ln 2" in text
    assert entry("all_end_loss") > 3 * LN2
    assert "right three times of four, and its loss is above" in text
    assert entry("votes_768_loss") > LN2 > entry("stopped_loss", "high")
    assert entry("votes_768_accuracy") == pytest.approx(0.75, abs=0.03)
    assert entry("votes_3072_loss", "high") < LN2


def test_the_sum_and_the_last_token_are_paid_for_going_on():
    assert "Both learned rewards are fooled, even about the sign" in text_of(CHAPTER)
    assert entry("going_on_gold", "high") < 0 < min(entry("going_on_sum", "low"), entry("going_on_last", "low"))
    assert "the two are hard to tell apart" in text_of(CHAPTER)
    assert abs(entry("sum_accuracy") - entry("votes_3072_accuracy")) < 0.02


def test_a_temperature_mends_the_overconfident():
    assert "runs to a very high temperature" in text_of(CHAPTER)
    assert entry("all_end_temperature") > 10
    assert entry("all_end_cooled_error") < 0.1 < 0.3 < entry("all_end_error")
    assert "below what early stopping reached" in text_of(CHAPTER)
    assert entry("votes_768_cooled_loss") < entry("stopped_loss") < LN2 < entry("votes_768_loss")
    assert "it was nearly calibrated before" in text_of(CHAPTER)
    assert entry("votes_12288_error", "high") < 0.03
    assert entry("across", "high") < entry("within", "low")


def test_steps_and_passes_of_the_rows():
    text = text_of(CHAPTER)
    steps = [EPOCHS * FEW // SIZE, *(max(60, 2 * count // 32) for count in MORE)]
    assert "(64 with 32 votes, then 60, 60 and 128)" in text
    assert steps == [64, 60, 60, 128]
    assert "16, 15, 3.75 and 2" in text
    assert [EPOCHS, *(32 * n / count for n, count in zip(steps[1:], MORE, strict=True))] == [16, 15, 3.75, 2]


def test_the_alt_text_of_the_comparisons():
    assert "seven tenths of the way" in text_of(CHAPTER)
    assert entry("votes_768_share") == pytest.approx(0.7, abs=0.05)
    assert entry("votes_12288_share") == pytest.approx(0.9, abs=0.05)


def test_the_read_out_does_not_explain_the_two_curves():
    assert "The read-out does not explain it" in text_of(CHAPTER)
    clone = cards.read("reward_model")["metrics"]["accuracy_3072"]
    assert entry("sum_accuracy", "low") > clone["high"], "the same read-out, another trunk"
