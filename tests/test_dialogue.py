"""The dialogue that can be enumerated: against Monte Carlo of its rules, differences, and its own closed forms."""

import numpy as np
import pytest

from rlhw import laws
from rlhw.dialogue import (
    CHATTER,
    GO_ON,
    LOST,
    ON_TRACK,
    REPAIR,
    cloning_step,
    enumerate_dialogues,
    expected_lost,
    lost_shares,
    mean_and_variance,
    replies_law,
    state_values,
    to_go,
)


def policy(turns, seed=0):
    return np.random.default_rng(seed).standard_normal((turns, 2, 3))


def played(replies):
    """States and rewards of one dialogue, turn by turn, by the rules as the module states them."""
    state, states, rewards = "on track", [], []
    for reply in replies:
        states.append(ON_TRACK if state == "on track" else LOST)
        helps = {"on track": GO_ON, "lost": REPAIR}[state]
        state = "on track" if reply == helps else "lost"
        rewards.append(float(state == "on track"))
    return states, rewards


def test_every_dialogue_is_played_by_the_rules():
    logits = policy(4)
    every = enumerate_dialogues(logits)
    assert len({tuple(row) for row in every.replies}) == 3**4
    assert every.chances.sum() == pytest.approx(1, abs=1e-12)
    for replies, states, rewards, chance in zip(every.replies, every.states, every.rewards, every.chances, strict=True):
        assert (states.tolist(), rewards.tolist()) == played(replies)
        expected = np.prod([replies_law(logits)[t, s, a] for t, (s, a) in enumerate(zip(states, replies, strict=True))])
        assert chance == pytest.approx(expected, rel=1e-12)


def test_the_best_policy_earns_every_turn_and_chatter_none():
    for reply, earned in ((GO_ON, 3.0), (CHATTER, 0.0)):
        logits = np.zeros((3, 2, 3))
        logits[:, :, reply] = 60.0
        every = enumerate_dialogues(logits)
        assert every.chances @ every.rewards.sum(axis=1) == pytest.approx(earned, abs=1e-12)


def test_values_are_the_means_of_what_is_still_earned_given_the_state():
    logits = policy(4, 1)
    every, values = enumerate_dialogues(logits), state_values(logits)
    later = to_go(every.rewards)
    for t in range(4):
        for state in (ON_TRACK, LOST) if t else (ON_TRACK,):
            here = every.states[:, t] == state
            mean = every.chances[here] @ later[here, t] / every.chances[here].sum()
            assert values[t, state] == pytest.approx(mean, abs=1e-12)


def test_what_is_still_earned_counts_the_turn_itself():
    assert to_go(np.array([[1.0, 0.0, 2.0]])).tolist() == [[3.0, 2.0, 2.0]]


def test_variance_is_that_of_the_update():
    """By the second moments of the update's entries; a weight twice as large has four times the variance."""
    logits = policy(3, 2)
    every = enumerate_dialogues(logits)
    weights = to_go(every.rewards) - 0.5
    mean, variance = mean_and_variance(logits, every, weights)
    updates = []
    for replies, states, row in zip(every.replies, every.states, weights, strict=True):
        update = np.zeros(logits.shape)
        for t, (a, s) in enumerate(zip(replies, states, strict=True)):
            update[t, s] += row[t] * (np.eye(3)[a] - replies_law(logits)[t, s])
        updates.append(update.ravel())
    expected = sum(chance * u for chance, u in zip(every.chances, updates, strict=True))
    assert np.allclose(mean.ravel(), expected, atol=1e-12)
    spread = sum(chance * ((u - expected) ** 2).sum() for chance, u in zip(every.chances, updates, strict=True))
    assert variance == pytest.approx(spread, abs=1e-12)
    assert mean_and_variance(logits, every, 2 * weights)[1] == pytest.approx(4 * variance, rel=1e-12)


def test_a_cloning_step_climbs_the_likelihood():
    """Against central differences of the mean log-likelihood in u and v."""
    u, v, share, rate = np.array([0.4, -0.2, 0.1]), np.array([-0.3, 0.5, 0.2]), 0.35, 0.7

    def likelihood(both):
        on, lost = replies_law(both[:3]), replies_law(both[:3] + both[3:])
        return (1 - share) * np.log(on[GO_ON]) + share * np.log(lost[REPAIR])

    slope = laws.numerical_gradient(lambda both: float(likelihood(both)), np.concatenate([u, v]))
    new_u, new_v = cloning_step(u, v, share, rate)
    laws.assert_close(np.concatenate([new_u - u, new_v - v]), rate * slope, "the step is the gradient times the rate")


def test_repairs_alone_cost_the_turns_on_track():
    """The control of the chapter's last question: with repairs alone the policy on track gets worse, without them better."""
    u, v = np.array([1.0, 0.0, 0.0]), np.zeros(3)
    before = replies_law(u)[GO_ON]
    assert (
        replies_law(cloning_step(u, v, 1.0, 0.5)[0])[GO_ON]
        < before
        < replies_law(cloning_step(u, v, 0.0, 0.5)[0])[GO_ON]
    )


def test_closed_forms_agree_with_the_dialogues():
    logits = np.zeros((5, 2, 3))
    logits[:, 0], logits[:, 1] = np.log([0.8, 0.15, 0.05]), np.log([0.3, 0.6, 0.1])
    every = enumerate_dialogues(logits)
    assert np.allclose(every.chances @ (1 - every.rewards), lost_shares(0.2, 0.6, 5), atol=1e-12)
    assert every.chances @ (1 - every.rewards).sum(axis=1) == pytest.approx(expected_lost(0.2, 0.6, 5), abs=1e-12)


def test_snowballing_is_quadratic_without_repairs_and_linear_with_them():
    """Twice the turns: near four times as many lost, or twice as many."""
    assert expected_lost(1e-5, 0.0, 200) / expected_lost(1e-5, 0.0, 100) == pytest.approx(
        200 * 201 / (100 * 101), rel=1e-2
    )
    assert expected_lost(1e-5, 1 - 1e-5, 200) / expected_lost(1e-5, 1 - 1e-5, 100) == pytest.approx(2, rel=1e-9)


def test_no_chances_are_refused():
    with pytest.raises(ValueError, match="error must be a probability"):
        lost_shares(1.5, 0.2, 3)
    with pytest.raises(ValueError, match="repair must be a probability"):
        lost_shares(0.5, -0.2, 3)


def test_the_sum_refuses_what_its_terms_refuse():
    with pytest.raises(ValueError, match="error must be a probability"):
        expected_lost(-0.1, 0.2, 3)
    with pytest.raises(ValueError, match="repair must be a probability"):
        expected_lost(0.5, 1.2, 3)


def test_what_is_no_dialogue_or_too_long_to_list_is_refused():
    for shape in ((4, 3, 3), (4, 2, 2)):
        with pytest.raises(ValueError, match="logits must have the shape"):
            enumerate_dialogues(np.zeros(shape))
    with pytest.raises(ValueError, match="logits hold 13 turns"):
        enumerate_dialogues(np.zeros((13, 2, 3)))
