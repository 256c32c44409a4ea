"""Chapter B6: numbers that its sentences work out in passing, and directions that they read off the cards."""

import numpy as np
import pytest

from benchmarks.actor_critic import CRITIC_ERROR, EPISODES, GRID, LEARNING_STEPS, SEEDS, UNIFORM, plateau
from rlhw import cards
from rlhw.actor_critic import exact_advantages, objective, policy_gradient, state_softmax
from rlhw.dynamic_programming import discounted_visits, plant, solve_policy
from rlhw.mdp import MDP
from tests.test_prose_numbers import text_of

CHAPTER = "book/b6_actor_critic.md"
PLANT, COIN = plant(0.8), np.full((3, 2), 0.5)


def steps_of_the_coin():
    free = MDP(GRID.transitions, GRID.rewards, 1.0, GRID.start)
    return discounted_visits(free, state_softmax(UNIFORM)).sum()


CLAIMS = [
    (r"by $\frac{11}{24}$", lambda: exact_advantages(PLANT, COIN)[0, 0], 11 / 24, 1e-12),
    (r"$\frac23$ and picking gains it", lambda: exact_advantages(PLANT, COIN)[1, 1], 2 / 3, 1e-12),
    (r"$\frac54$ for small", lambda: discounted_visits(PLANT, COIN)[0], 5 / 4, 1e-12),
    (r"$\frac5{12}$ for ripe", lambda: discounted_visits(PLANT, COIN)[1], 5 / 12, 1e-12),
    ("walks some 120 steps", steps_of_the_coin, 120, 1),
    ("a grid of nine rooms", lambda: len(GRID.start), 9, 0),
    (r"$\gamma = 0.95$", lambda: GRID.gamma, 0.95, 0),
    ("close to $-20$, the price of walking for ever", lambda: -1 / (1 - GRID.gamma), -20, 1e-9),
    ("Here are 4,000 steps in the grid", lambda: LEARNING_STEPS, 4000, 0),
    ("a normal error of standard deviation 2", lambda: CRITIC_ERROR, 2, 0),
    ("with 98 % in every room", lambda: state_softmax(plateau()[1])[3, 0], 0.98, 0.005),
    ("Take ten episodes of the coin", lambda: EPISODES, 10, 0),
    ("Median of 20 seeds", lambda: len(SEEDS), 20, 0),
    ("a hundred times as long", lambda: 10 * 10, 100, 0),
]  # fmt: skip


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def entry(name: str, side: str = "value") -> float:
    return cards.read("actor_critic")["metrics"][name][side]


def test_the_theorem_meets_its_bound():
    assert cards.read("actor_critic")["metrics"]["theorem_gap"]["met"]
    assert entry("theorem_gap") <= 1e-6


def test_free_logits_keep_their_signs_without_gamma_to_the_t():
    assert "Every state still moves along its own advantages" in text_of(CHAPTER)
    assert 0 < entry("cosine_without_gamma", "low") < entry("cosine_without_gamma") < 1


def test_the_order_of_the_baselines():
    assert "the best policy's are no good description of a coin" in text_of(CHAPTER)
    names = ("value", "constant", "other", "none")
    assert [entry(f"variance_{name}") for name in names] == sorted(entry(f"variance_{name}") for name in names)
    assert max(entry(f"off_{name}") for name in names) < 5


def test_the_worst_learners_never_arrive():
    assert "The worst earn close to $-20$" in text_of(CHAPTER)
    first, best = entry("uniform"), entry("best")
    worst = min(entry(f"learn_{name}_large_4000", "low") for name in ("none", "baseline"))
    assert first + worst * (best - first) < -19.5
    assert "Every return here is far below zero" in text_of(CHAPTER)
    assert solve_policy(GRID, state_softmax(UNIFORM))[~GRID.terminal].max() < -5


def test_what_lambda_buys():
    rows = [(entry(f"gae_wrong_{lam}_bias"), entry(f"gae_right_{lam}_noise")) for lam in ("0", "05", "09", "1")]
    assert "A wrong one sells noise for bias" in text_of(CHAPTER)
    assert [bias for bias, _ in rows] == sorted((bias for bias, _ in rows), reverse=True)
    assert [noise for _, noise in rows] == sorted(noise for _, noise in rows)
    assert rows[-1][0] < 1e-9
    assert max(entry(f"gae_right_{lam}_bias") for lam in ("0", "05", "09", "1")) < 1e-9


def test_the_length_of_the_step_makes_the_difference():
    assert "nearly all of the difference is made by the *length*" in text_of(CHAPTER)
    assert entry("plateau_plain_30") > 50 * entry("plateau_limited")
    assert entry("plateau_limited") - entry("plateau_natural") <= 3


def test_ten_episodes_do_not_carry_far():
    text = text_of(CHAPTER)
    assert "in the worst of 20 seeds" in text
    assert entry("gain_1") > max(entry("gain_03"), entry("gain_3"), entry("gain_10"))
    assert entry("gain_10", "low") < 0 < entry("gain_01", "low")
    assert entry("claim_10") > 5 * entry("gain_10")


def test_the_plain_step_is_a_hundred_times_as_long_in_other_units():
    gradient = policy_gradient(GRID, UNIFORM)

    def in_tenths(scaled):
        return objective(GRID, 10 * scaled)

    from rlhw.laws import numerical_gradient

    step = 10 * numerical_gradient(in_tenths, UNIFORM / 10, step=1e-6)
    np.testing.assert_allclose(step, 100 * gradient, rtol=1e-5, atol=1e-4)
