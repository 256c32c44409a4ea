"""Chapter B3: the numbers that its prose works out in passing."""

import math

import numpy as np
import pytest
from test_equations_b3 import paths, worlds
from test_prose_numbers import text_of

from benchmarks.prediction import ALARM, EXACT, HALF, LONG, POLICY, RATES, WALK, loop, rms
from rlhw import cards
from rlhw.mdp import Episodes, uniform_policy
from rlhw.prediction_moments import expected_td, lambda_moments, n_step_moments
from rlhw.temporal_difference import backward_view, mc_prediction, td_prediction

CHAPTER = "book/b3_prediction.md"


def values(mdp):
    policy = uniform_policy(mdp)
    onward = np.einsum("sa,sat->st", policy, mdp.transitions) * ~mdp.terminal[:, None]
    return np.linalg.solve(np.eye(len(onward)) - mdp.gamma * onward, np.sum(policy * mdp.rewards, axis=1))


def test_the_walks_values():
    assert "$v(s) = s/(N+1)$" in text_of(CHAPTER)
    for mdp in (WALK, LONG):
        size = len(mdp.rewards)
        assert values(mdp) == pytest.approx([*(s / (size - 1) for s in range(size - 1)), 0.0], abs=1e-12)
    assert pytest.approx(values(WALK), abs=1e-12) == EXACT


def test_the_first_example():
    text = text_of(CHAPTER)
    path, paid = np.array([[2, 3, 2, 3, 4]]), np.array([[0.0, 0.0, 0.0, 1.0]])
    episode = Episodes(path, 0 * path[:, 1:], paid, np.ones((1, 4), bool))
    believed = np.array([0.0, 0.5, 0.5, 0.5, 0.0])
    first, second = td_prediction(iter([episode] * 2), believed, 1.0, lambda visits: 0.5)
    assert "$V(3)$ becomes $\\frac34$" in text
    assert first[0] == pytest.approx([0, 0.5, 0.5, 0.75, 0])
    assert "moves both to $\\frac34$" in text
    (table,) = mc_prediction(iter([episode]), believed, 1.0, lambda visits: 0.5)
    assert table[0] == pytest.approx([0, 0.5, 0.75, 0.75, 0])
    assert "looks up $\\frac34$ there: $\\frac12\\to\\frac58$" in text
    assert "pulls $V(3)$ down to $\\frac{11}{16}$, so the second time it is $\\frac58\\to\\frac{21}{32}$" in text
    table = first[0].copy()
    for (s, t), known in zip([(2, 3), (3, 2), (2, 3)], [5 / 8, 11 / 16, 21 / 32], strict=True):
        table[s] += 0.5 * (table[t] - table[s])
        assert table[s] == pytest.approx(known)
    assert second[0, 2] == pytest.approx(21 / 32)


def test_the_loop():
    text = text_of(CHAPTER)
    assert "With $q = \\frac14$ one episode is off by $-1.5$, from a value of 4" in text
    assert values(loop())[0] == pytest.approx(4)
    assert pytest.approx(-1.5) == -(1 - 0.25) / (0.25 * 2)
    assert "by more than a factor of two" in text
    # Squared errors after one episode, exactly: variance of the length, against variance and squared bias of its half.
    q = 0.25
    first, every = (1 - q) / q**2, (1 - q) / q**2 / 4 + 1.5**2
    assert first > 2 * every
    metrics = cards.read("prediction")["metrics"]
    assert metrics["first_square_1"]["value"] > 2 * metrics["every_square_1"]["value"]
    assert "In the long run the first visit wins" in text
    assert metrics["first_square_100"]["value"] < metrics["every_square_100"]["value"]


def test_which_bias_is_larger():
    assert (
        "which has the larger bias: $n = 2$, or $\\lambda = \\frac12$, which looks two steps ahead on average"
        in text_of(CHAPTER)
    )
    two = rms(n_step_moments(WALK, POLICY, HALF, 2)[0] - EXACT)
    half = rms(lambda_moments(WALK, POLICY, HALF, 0.5)[0] - EXACT)
    assert half > 1.2 * two
    assert sum(n * 0.5 * 0.5 ** (n - 1) for n in range(1, 60)) == pytest.approx(2)
    assert (
        "has the larger bias and the smaller noise: half of its weight is on one step, which brings most of that bias"
        in text_of(CHAPTER)
    )
    noise = [
        np.mean(moments[1][1:-1])
        for moments in (lambda_moments(WALK, POLICY, HALF, 0.5), n_step_moments(WALK, POLICY, HALF, 2))
    ]
    assert noise[0] < noise[1]
    # The share of the mixture's bias that its first step brings, in the leftmost state, where it is largest.
    one = n_step_moments(WALK, POLICY, HALF, 1)[0] - EXACT
    mixture = lambda_moments(WALK, POLICY, HALF, 0.5)[0] - EXACT
    assert 0.5 * one[1] > 0.6 * mixture[1]


def test_noise_need_not_grow_with_the_steps():
    assert "a table of $3, 0, -3, 0, 3$ makes TD(0) four times as noisy as Monte Carlo" in text_of(CHAPTER)
    wild = np.array([0.0, 3.0, 0.0, -3.0, 0.0, 3.0, 0.0])
    one, whole = (np.sqrt(np.mean(lambda_moments(WALK, POLICY, wild, lam)[1][1:-1])) for lam in (0.0, 1.0))
    assert one == pytest.approx(np.sqrt((9 + 9 + 0.25) / 5))
    assert one / whole == pytest.approx(4.33, abs=0.01)


def test_changes_at_the_end_of_an_episode_leave_v_at_rest():
    assert "It is gone, too, when $V$ is held still for an episode and all changes are made at its end" in text_of(
        CHAPTER
    )
    for mdp, policy, v, wrong in worlds():
        for table, at_rest in ((v, True), (wrong, False)):
            change = sum(
                mdp.start[s] * p * backward_view(np.array(states), np.array(rewards), table, mdp.gamma, 0.0)
                for s in range(4)
                for p, states, rewards in paths(mdp, policy, s)
            )
            assert (np.abs(change).max() < 1e-12) == at_rest


def test_the_alarm():
    assert "exceeds 5.5 in one of five states with a probability of at most $2\\cdot10^{-7}$" in text_of(CHAPTER)
    assert 5 * math.erfc(ALARM / math.sqrt(2)) == pytest.approx(1.9e-7, rel=0.02)


def test_the_bias_is_about_proportional_and_the_resting_point_does_not_depend_on_the_start():
    text = text_of(CHAPTER)
    assert "The bias is about proportional to $\\alpha$" in text
    off = {a: EXACT[1] - expected_td(WALK, POLICY, HALF, a, 4000)[0][-1, 1] for a in (0.05, 0.1, 0.2)}
    assert off[0.1] / off[0.05] == pytest.approx(2, abs=0.05)
    assert off[0.2] / off[0.1] == pytest.approx(2, abs=0.1)
    assert "No start value is to blame" in text
    other = expected_td(WALK, POLICY, np.where(WALK.terminal, 0.0, 3.0), 0.1, 4000)[0][-1]
    assert EXACT[1] - other[1] == pytest.approx(off[0.1], abs=1e-9)
    assert "the low states are held too low and the high ones too high" in text
    gaps = (other - EXACT)[1:6]
    assert gaps[0] < gaps[1] < -1e-3
    assert gaps[4] > gaps[3] > 1e-3


def test_what_the_tables_show():
    text, metrics = text_of(CHAPTER), cards.read("prediction")["metrics"]
    value = {name: entry["value"] for name, entry in metrics.items()}
    assert "nine step sizes from 0.02 to 1" in text
    assert (len(RATES), min(RATES), max(RATES)) == (9, 0.02, 1.0)
    assert "Averaging the tables over time removes the trembling and leaves the bias" in text
    assert value["td_averaged_1000"] < 0.5 * value["td_constant_1000"]
    assert "Steps of $1/n$ satisfy both conditions and are slow all the same" in text
    assert value["td_inverse_1000"] > 1.3 * value["td_power_1000"]
    assert "it makes better use of the data" in text
    assert all(value[f"batch_td_{n}"] < value[f"batch_mc_{n}"] for n in (10, 30, 100))
    assert "grows without bound" in text
    assert value["curve_lam_1_1"] > 1
