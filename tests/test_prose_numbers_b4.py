"""Chapter B4: numbers that its sentences work out in passing, and directions that they read off the card."""

import math

import numpy as np
import pytest

from benchmarks.control import EPISODES, REPEATS
from rlhw import cards, importance
from rlhw.exact_episodes import weighted_mean_and_variance
from rlhw.exploration import epsilon_soft
from rlhw.off_policy import corrected_error, corrected_target
from tests.test_prose_numbers import text_of

CHAPTER = "book/b4_control.md"
PI, MU, PAID = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([1.0, 3.0])


def weighted(samples):
    return weighted_mean_and_variance(MU, PI / MU, PAID, samples)[0]


def spread(error, v):
    errors = error(np.full(2, v), np.zeros(2), PAID, PI / MU, 1.0)
    return float(MU @ errors**2 - (MU @ errors) ** 2)


def share_of_the_best_episode():
    """Of E[(weight · return)²] for 20 steps, what the episode of 20 good actions brings."""
    square = importance.ordinary_variance(PI, MU, np.array([1.0, 0.0]), 20) + 18.0**2
    return 0.5**20 * (1.8**20 * 20) ** 2 / square


CLAIMS = [
    ("as one step in forty falls", lambda: 0.1 / 4, 1 / 40, 1e-12),
    ("the uniform policy earns 2 and", lambda: np.mean([1, 3]), 2, 1e-12),
    (r"$0.1\cdot 1 + 0.9\cdot 3 = 2.8$", lambda: epsilon_soft(np.array([[1.0, 3.0]]), np.array([0.2]))[0] @ [1, 3], 2.8, 1e-12),
    (r"\frac{\pi^2}{24} \approx 0.411", lambda: math.pi**2 / 24, 0.411, 5e-4),
    (r"\frac{2}{\pi} \approx 0.637", lambda: 2 / math.pi, 0.637, 5e-4),
    ("is worth $1.2$", lambda: PI @ PAID, 1.2, 1e-12),
    ("its rewards have the mean 2", lambda: MU @ PAID, 2, 1e-12),
    ("$0.9/0.5 = 1.8$ and $0.1/0.5 = 0.2$", lambda: 0.9 / 0.5 - 0.1 / 0.5, 1.6, 1e-12),
    ("The weighted rewards are $1.8$ and $0.6$", lambda: 0.2 * 3, 0.6, 1e-12),
    ("its mean is $2$ from one episode", lambda: weighted(1), 2, 1e-12),
    ("$1.6$ from two", lambda: weighted(2), 1.6, 1e-12),
    ("$1.43$ from three", lambda: weighted(3), 1.43, 5e-3),
    ("For our two policies it is $1.64$", lambda: importance.second_moment(PI, MU), 1.64, 1e-12),
    ("The variance of the weight is $0.64$ for one step", lambda: importance.weight_variance(PI, MU, 1), 0.64, 1e-12),
    ("which is $-0.51\\,T$ here", lambda: MU @ np.log(PI / MU), -0.51, 5e-3),
    ("$e^{-5.1} = 0.006$", lambda: math.exp(10 * float(MU @ np.log(PI / MU))), 0.006, 5e-4),
    ("| 0 | 0.36 | 0.36 |", lambda: spread(corrected_target, 0.0), 0.36, 1e-12),
    ("| 0 | 0.36 | 0.36 |", lambda: spread(corrected_error, 0.0), 0.36, 1e-12),
    ("| 1.2, the value of $\\pi$ | 0.36 | 0.13 |", lambda: spread(corrected_target, 1.2), 0.36, 1e-12),
    ("| 1.2, the value of $\\pi$ | 0.36 | 0.13 |", lambda: spread(corrected_error, 1.2), 0.13, 5e-3),
    ("| 2 | 0.36 | 1.00 |", lambda: spread(corrected_target, 2.0), 0.36, 1e-12),
    ("| 2 | 0.36 | 1.00 |", lambda: spread(corrected_error, 2.0), 1.0, 1e-9),
    ("Four fifths of that variance sit in a single episode", lambda: share_of_the_best_episode(), 0.8, 0.01),
    ("once in $2^{20}$, a million episodes", lambda: 2**20 / 1e6, 1, 0.05),
    ("the hundred repetitions have seen 100,000", lambda: REPEATS * EPISODES, 100_000, 0),
]  # fmt: skip


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def entry(name, side="value"):
    return cards.read("control")["metrics"][name][side]


def test_directions_on_the_cliff():
    text = text_of(CHAPTER)
    assert "never takes it" in text
    assert entry("cliff_sarsa_middle") == 0
    assert "Expected SARSA, which has less noise, takes the middle route every time" in text
    assert entry("cliff_expected_middle") == 20
    assert "acts within a tenth of a percent of the best" in text
    assert abs(entry("cliff_expected_acting") - entry("cliff_soft_10")) < 0.001 * abs(entry("cliff_soft_10"))
    assert "SARSA keeps away from the edge and earns more" in text
    assert entry("cliff_sarsa_online") > entry("cliff_q_online")
    assert entry("cliff_q_edge") == 20
    missing = 20 - sum(entry(f"cliff_sarsa_{route}") for route in ("edge", "middle", "top"))
    assert missing > 0, "some greedy routes go round in circles"


def test_directions_in_the_rooms():
    text = text_of(CHAPTER)
    assert (
        "each of the two learners with a constant $\\epsilon$ is near its own answer and far from the other's" in text
    )
    assert entry("rooms_q_best") < 0.3 * entry("rooms_q_soft")
    assert entry("rooms_sarsa_soft") < 0.3 * entry("rooms_sarsa_best")
    assert "It is a poor one" in text
    assert entry("rooms_q_one_over_n_best") > 5 * entry("rooms_q_best")
    assert "when its greedy policy is all but perfect" in text
    assert entry("rooms_mc_glie_loss") < 0.03 < entry("rooms_mc_glie_best")


def test_directions_of_exploration_and_weights():
    text = text_of(CHAPTER)
    assert "The first number is below $2/\\pi$" in text
    assert entry("unseen_episode") < 2 / math.pi
    assert entry("unseen_visits_20") < entry("unseen_visits") < entry("unseen_episode")
    assert "several times what a hundred repetitions find" in text
    assert entry("rms_ordinary_20", "known") > 3 * entry("rms_ordinary_20")
    assert entry("td_error_sd") < entry("td_target_sd")
