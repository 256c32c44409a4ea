"""Chapter 9: numbers that its sentences work out in passing, and directions that they read off the cards."""

import math

import numpy as np
import pytest

from benchmarks.slips_09 import CHANCES, LENGTHS, RIGHT, SLIPS
from rlhw import cards
from rlhw.dialogue import expected_lost
from rlhw.groups import best_group_size, rloo_variance, scaled_weight
from rlhw.policy_gradient import gradient_variance
from tests.test_prose_numbers import text_of

CHAPTER = "book/09_without_a_critic.md"
# Two logits for a right and a wrong answer: their gradient is that of one logit, and its negative.
RIGHT_OR_WRONG = np.zeros(2), np.array([1.0, 0.0])


def one_logit(p: float) -> float:
    """The best K for many prompts with a logit of their own, right with probability p: Var(r) E[g²] + |∇J|² over |∇J|²."""
    spread, score, slope = p * (1 - p), p * (1 - p) ** 2 + (1 - p) * p**2, p * (1 - p)
    return best_group_size(spread * score + slope**2, slope**2)


def alone(baseline: float) -> float:
    """The variance of one answer, right or wrong at p = 1/2, for one logit: half of that for two."""
    return gradient_variance(*RIGHT_OR_WRONG, baseline) / 2


def deviation_with_k(p: float, k: int) -> float:
    return p * (1 - p) * scaled_weight(p, k) * math.sqrt(k / (k - 1))


CLAIMS = [
    ("$1 + \\sqrt2\\approx 2.4$ *whatever the chance of being right*", lambda: one_logit(0.5), 1 + math.sqrt(2), 1e-12),
    (
        "$1 + \\sqrt2\\approx 2.4$ *whatever the chance of being right*",
        lambda: one_logit(0.07),
        1 + math.sqrt(2),
        1e-12,
    ),
    ("variance of one answer is 0.0625 without a baseline", lambda: alone(0.0), 0.0625, 1e-12),
    ("0.125 with one other, 0.042 with three", lambda: 2 * rloo_variance(*RIGHT_OR_WRONG, 2) / 2, 0.125, 1e-12),
    ("0.125 with one other, 0.042 with three", lambda: 4 * rloo_variance(*RIGHT_OR_WRONG, 4) / 2, 0.042, 5e-4),
    ("and 0 with the exact $V$", lambda: alone(0.5), 0.0, 1e-12),
    ("With $K = 4$ the deviation is 0.50 or 0.58", lambda: float(np.std([1, 0, 0, 0], ddof=1)), 0.50, 1e-12),
    ("With $K = 4$ the deviation is 0.50 or 0.58", lambda: float(np.std([1, 1, 0, 0], ddof=1)), 0.58, 5e-3),
    ("the weight at $p = 0.1$ is 0.132", lambda: 0.09 * scaled_weight(0.1, 4), 0.132, 5e-4),
    ("where the limit says 0.300", lambda: 0.09 / math.sqrt(0.09), 0.300, 1e-12),
    ("with a deviation that divides by $K$ it is 0.152", lambda: deviation_with_k(0.1, 4), 0.152, 5e-4),
    ("is 71 degrees away from it", lambda: SLIPS["jackpot_divided"].measure(SLIPS["jackpot_divided"].wrong), 71, 0.5),
    ("to be wrong at a thousandth a token", lambda: -(CHANCES @ RIGHT) / LENGTHS[2], -0.001, 1e-12),
    ("right on track with probability 0.79", lambda: math.exp(2) / (math.exp(2) + 2), 0.79, 5e-3),
    ("it is $\\frac{1}{2p(1-p)}$", lambda: (1 - 0.3**2 - 0.7**2) / (2 * 0.3 * 0.7), 1.0, 1e-12),
    ("The same 5 % a turn", lambda: expected_lost(0.05, 0.95, 40) / 40, 0.05, 1e-12),
    ("1,152 sampled answers for every method", lambda: 24 * 48, 1152, 0),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def entry(card: str, name: str, side: str = "value") -> float:
    return cards.read(card)["metrics"][name][side]


def exact(name: str) -> float:
    return entry("groups_and_turns", name)


def test_the_arms_are_those_of_chapter_2():
    """The table of variances speaks of chapter 2's arms and policy: without the noise of their rewards, by the same gradient."""
    assert "The five arms of chapter 2, at the policy of its table" in text_of(CHAPTER)
    assert exact("squared_gradient") == pytest.approx(entry("reinforce_bandit", "squared_gradient"), rel=1e-9)


def test_what_the_variances_say():
    assert "takes away almost everything" in text_of(CHAPTER)
    gone = [1 - (exact(f"variance_formula_k{k}") - exact("variance_value")) / exact("variance_none") for k in (2, 8)]
    assert 0.97 < gone[0] < gone[1]
    assert all(
        abs(exact(f"variance_k{k}") - entry("groups_and_turns", f"variance_k{k}", "known")) < 1e-9 for k in (2, 3, 4, 5)
    )


def test_the_scale_hardly_matters_in_small_groups():
    assert "It hardly does" in text_of(CHAPTER)
    assert 1.0 < exact("weight_01_k4") / exact("weight_05_k4") < 1.06
    assert exact("weight_001_k64") / exact("weight_05_k64") > 3


def test_the_runs():
    text = text_of(CHAPTER)
    assert "The first two rows agree" in text
    assert all(
        abs(entry("without_critic", f"rloo_{speed}") - entry("without_critic", f"centred_{speed}")) < 1e-3
        for speed in ("careful", "bold")
    )
    assert "small beside those between seeds" in text
    for speed in ("careful", "bold"):
        four = [entry("without_critic", f"{name}_{speed}") for name in ("rloo", "centred", "grpo", "ppo")]
        seeds = entry("without_critic", f"rloo_{speed}", "high") - entry("without_critic", f"rloo_{speed}", "low")
        assert max(four) - min(four) < 0.4 * seeds
    assert "PPO with its critic to" in text
    assert entry("learning", "grpo") > entry("learning", "ppo")


def test_who_is_to_blame():
    text = text_of(CHAPTER)
    assert "The last row has the least noise and is *wrong*" in text
    noise = {name: exact(f"noise_{name}_8") for name in ("dialogue", "togo", "state", "advantage", "turn")}
    assert min(noise, key=noise.get) == "turn"
    assert exact("error_turn_8") > 0.4
    assert max(exact(f"error_{name}_{t}") for name in ("dialogue", "togo", "state", "advantage") for t in (2, 8)) < 1e-9
    assert "it is even a little worse" in text
    assert noise["togo"] < noise["state"] < 1.1 * noise["togo"]
    assert "less than half of the noise at $T = 8$, and hardly less at $T = 2$" in text
    assert noise["advantage"] < 0.5 * noise["togo"]
    assert 0.85 < exact("noise_advantage_2") / exact("noise_togo_2") < 1


def test_a_clone_repeats_itself():
    assert "0.95 for going on and 0.025 for each of the others" in text_of(CHAPTER)
    assert exact("again_clone") > 0.4 > 0.02 > exact("again_own")
    # What each earns, by the closed form: the clone repairs by chance only.
    for name, repair in (("clone", 0.025), ("own", 0.95)):
        assert exact(f"earned_{name}") == pytest.approx(6 - expected_lost(0.05, repair, 6), abs=1e-9)


def test_what_is_forgotten():
    assert "the lost turns were mended at the price of the ordinary ones" in text_of(CHAPTER)
    assert exact("repairs_40_repair") > 0.9 > 0.5 > exact("repairs_40_well")
    assert exact("repairs_200") < exact("repairs_40") < exact("repairs_0") < exact("mixed_200")


def test_the_best_k_is_small_where_prompts_share_nothing():
    assert exact("split_k4") < min(exact(f"split_k{k}") for k in (2, 8, 16))
    assert np.isclose(exact("best_k"), best_group_size(exact("others"), exact("squared_gradient")))
