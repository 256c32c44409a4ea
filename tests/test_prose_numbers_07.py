"""Chapter 7: numbers that its sentences work out in passing, and directions that they read off the cards."""

import math

import numpy as np
import pytest

from benchmarks.slips_07 import BEST, BETA, REFERENCE, REWARDS, winners
from rlhw import cards
from tests.test_prose_numbers import text_of

CHAPTER = "book/07_dpo.md"


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def jstar() -> float:
    return BETA * math.log(sum(p * math.exp(r / BETA) for p, r in zip(REFERENCE, REWARDS, strict=True)))


CLAIMS = [
    ("The reference earns 0.5 on average", lambda: REFERENCE @ REWARDS, 0.5, 1e-12),
    ("*less* than the reference did: 0.268 instead of 0.3", lambda: BEST[1], 0.268, 5e-4),
    ("is $-1.057$, $-0.057$ and $0.943$", lambda: REWARDS[0] - jstar(), -1.057, 5e-4),
    ("is $-1.057$, $-0.057$ and $0.943$", lambda: REWARDS[1] - jstar(), -0.057, 5e-4),
    ("is $-1.057$, $-0.057$ and $0.943$", lambda: REWARDS[2] - jstar(), 0.943, 5e-4),
    ("With $\\beta = 0.25$ and $\\tau = 0.5$, as in our runs, it is 0.5", lambda: 0.25 / 0.5, 0.5, 0),
    ("$(0.06, 0.24, 0.70)$ and $(0.19, 0.76, 0.05)$", lambda: 0.24 / 0.06 - 0.76 / 0.19, 0.0, 1e-12),
    ("both give the second four times the first", lambda: 0.24 / 0.06, 4.0, 1e-12),
    ("reward 1, below 1.057", jstar, 1.057, 5e-4),
    ("it wins 88 % of its comparisons against the first", lambda: 100 * sigmoid(1 / 0.5), 88, 0.5),
    ("In the example the mean is $-1.113$", lambda: REFERENCE @ np.log(BEST / REFERENCE), -1.113, 5e-4),
    ("so the mean is $\\frac43$", lambda: (1 + 0 + 3) / 3, 4 / 3, 1e-12),
    ("At $p = 0.8$ and $\\beta_{\\text{IPO}} = 0.1$ that is 3, not 5", lambda: (0.8 - 0.5) / 0.1, 3, 1e-12),
    ("At $p = 0.8$ and $\\beta_{\\text{IPO}} = 0.1$ that is 3, not 5", lambda: 1 / (2 * 0.1), 5, 1e-12),
    ("$\\log\\frac{1-s}{s}$: 2.197 for $s = 0.1$", lambda: math.log(0.9 / 0.1), 2.197, 5e-4),
]


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def test_the_second_answer_falls_though_it_wins():
    assert "twice what the reference earns on average" in text_of(CHAPTER)
    assert REWARDS[1] == 2 * (REFERENCE @ REWARDS)
    assert BEST[1] < REFERENCE[1]


def test_the_chosen_fall_on_average_under_the_best_policy():
    assert "under which the chosen became less likely on average" in text_of(CHAPTER)
    assert winners().sum() == pytest.approx(1)
    assert winners() @ np.log(BEST / REFERENCE) < 0 < winners() @ np.log(winners() / REFERENCE)


def test_the_step_of_the_example_with_one_feature():
    features, law = np.array([1.0, 0.0, 3.0]), np.full(3, 1 / 3)
    moves = (features[0] - features[1]) * (features - law @ features)
    assert "-\\frac g3$" in text_of(CHAPTER)
    assert moves == pytest.approx([-1 / 3, -4 / 3, 5 / 3])


def entry(card: str, name: str, side: str = "value") -> float:
    return cards.read(card)["metrics"][name][side]


def test_which_loss_for_how_many_votes():
    """What the text reads off the table of the 27 worlds."""
    text = text_of(CHAPTER)
    assert "DPO has the right optimum, and alone reaches it" in text
    assert entry("dpo_kin", "exact_dpo_kl", "high") < 1e-4 < entry("dpo_kin", "exact_ipo_kl", "low")
    assert all(entry("dpo_kin", f"exact_{name}_kl") > 0.05 for name in ("smoothed", "ipo", "kto", "mean"))
    assert "ends *below the reference*" in text
    assert (
        entry("dpo_kin", "votes_30_dpo")
        < 0
        < min(entry("dpo_kin", f"votes_30_{n}") for n in ("smoothed", "ipo", "kto"))
    )
    assert "in the worst world it ends below the reference" in text
    assert entry("dpo_kin", "exact_mean_share", "low") < 0
    assert "KTO does better on 3,000 votes on pairs of the reference than on the exact votes" in text
    assert entry("dpo_kin", "votes_3000_kto") > entry("dpo_kin", "exact_kto_share") + 0.1
    assert "Below zero is worse than no training. The worlds differ much more than the losses" in text
    for count in (30, 300, 3000):
        medians = [entry("dpo_kin", f"votes_{count}_{n}") for n in ("dpo", "smoothed", "ipo", "kto")]
        spread = entry("dpo_kin", f"votes_{count}_dpo", "high") - entry("dpo_kin", f"votes_{count}_dpo", "low")
        assert spread > max(medians) - min(medians)
    names = ("dpo", "smoothed", "ipo", "kto")
    assert max(names, key=lambda n: entry("dpo_kin", f"votes_3000_{n}")) == "dpo"
    assert max(names, key=lambda n: entry("dpo_kin", f"votes_30_{n}")) == "kto"


def test_dpo_beside_ppo():
    assert "the way round by a judge ended higher, with every seed" in text_of(CHAPTER)
    assert entry("learning", "dpo", "high") < entry("learning", "ppo_learned", "low")


def test_what_the_losses_do_on_the_small_forum():
    text = text_of(CHAPTER)
    assert "preferred summaries lose on average and the others lose more" in text
    assert "the reward rises by more than a point" in text
    assert "between a half and two thirds of the preferred ones fell" in text
    assert "here few samples carry that mean" in text
    assert entry("dpo_kin", "forum_effective", "high") < 20 < 100 < entry("learning", "effective")
    for name in ("dpo", "ipo", "kto"):
        assert entry("dpo_kin", f"forum_{name}_rejected") < entry("dpo_kin", f"forum_{name}_chosen") < 0
        assert 0.48 < entry("dpo_kin", f"forum_{name}_fell") < 2 / 3
        assert entry("dpo_kin", f"forum_{name}_reward") > entry("dpo_kin", "forum_clone_reward") + 1
        assert entry("dpo_kin", f"forum_{name}_kl") < 1.7
