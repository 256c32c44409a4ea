"""Markov decision processes: refusals that name the row, the laws of a step and of an episode, terminal states."""

import numpy as np
import pytest
from scipy import stats

from rlhw import mdp as module
from rlhw.mdp import MDP, check_policy, check_values, episodes, invert, trajectory, uniform_policy
from rlhw.worlds import random_mdp, random_walk

# Two states, two actions; state 1 is no end, because leaving it is possible.
TRANSITIONS = np.array([[[0.3, 0.7], [1.0, 0.0]], [[0.0, 1.0], [0.45, 0.55]]])
REWARDS = np.array([[1.5, -0.2], [0.0, 2.0]])
START = np.array([0.25, 0.75])


def changed(table: np.ndarray, where: tuple[int, ...], value: float) -> np.ndarray:
    copy = table.copy()
    copy[where] = value
    return copy


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"transitions": changed(TRANSITIONS, (1, 0, 1), 0.9)}, r"the sum of transitions\[1, 0\] is 0.9"),
        (
            {"transitions": changed(TRANSITIONS, (0, 0, 1), 0.7 + 2e-9)},
            r"the sum of transitions\[0, 0\] is 1.000000002",
        ),
        ({"transitions": changed(TRANSITIONS, (1, 1, 0), -0.1)}, r"transitions\[1, 1, 0\] is -0.1"),
        ({"transitions": changed(TRANSITIONS, (0, 1, 1), np.nan)}, r"transitions\[0, 1, 1\] is nan"),
        ({"start": np.array([0.5, 0.4])}, "the sum of start is 0.9"),
        ({"start": np.array([1.5, -0.5])}, r"start\[1\] is -0.5"),
        ({"rewards": changed(REWARDS, (1, 0), np.inf)}, r"rewards\[1, 0\] is inf"),
        ({"gamma": 1.01}, r"gamma must be in \[0, 1\]; got 1.01"),
        ({"gamma": -0.1}, r"gamma must be in \[0, 1\]; got -0.1"),
        ({"gamma": float("nan")}, r"gamma must be in \[0, 1\]; got nan"),
        ({"gamma": 1.0}, "from state 0 no terminal state can be reached"),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence_that_names_the_row(arguments, sentence):
    good = {"transitions": TRANSITIONS, "rewards": REWARDS, "gamma": 0.9, "start": START}
    MDP(**good)  # the control: without the change nothing is refused
    with pytest.raises(ValueError, match=sentence):
        MDP(**(good | arguments))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"transitions": TRANSITIONS[:, :, :1]}, r"transitions must have the shape \(states, actions, states\)"),
        ({"rewards": REWARDS[:, :1]}, r"rewards must have the shape \(2, 2\)"),
        ({"start": START[:1]}, r"start must have the shape \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, sentence):
    # Called by hand: in the tests the annotations are checked too, and would speak first.
    made = MDP(TRANSITIONS, REWARDS, 0.9, START)
    for name, value in arguments.items():
        object.__setattr__(made, name, value)
    with pytest.raises(ValueError, match=sentence):
        made.__post_init__()


def test_gamma_1_names_the_state_that_cannot_end():
    transitions = np.zeros((4, 1, 4))
    transitions[[0, 1, 2, 3], 0, [1, 1, 3, 2]] = 1  # 0 -> 1, an end; 2 and 3 go round
    rewards = np.array([[1.0], [0.0], [1.0], [1.0]])
    with pytest.raises(ValueError, match="from state 2 no terminal"):
        MDP(transitions, rewards, 1.0, np.eye(4)[0])
    assert list(MDP(transitions, rewards, 0.99, np.eye(4)[0]).terminal) == [False, True, False, False]


def test_a_state_that_is_kept_and_pays_is_no_end():
    stay = np.ones((1, 1, 1))
    assert not MDP(stay, np.array([[0.5]]), 0.9, np.ones(1)).terminal[0]
    assert MDP(stay, np.array([[0.0]]), 1.0, np.ones(1)).terminal[0]


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (np.array([[0.5, 0.5], [0.6, 0.5]]), r"the sum of policy\[1\] is 1.1"),
        (np.array([[0.5, 0.5], [1.2, -0.2]]), r"policy\[1, 1\] is -0.2"),
        (np.array([[1.0], [1.0]]), r"policy must have the shape \(2, 2\)"),
    ],
)
def test_a_bad_policy_is_refused(policy, sentence):
    mdp = MDP(TRANSITIONS, REWARDS, 0.9, START)
    with pytest.raises(ValueError, match=sentence):
        check_policy(mdp, policy)
    if policy.shape == REWARDS.shape:
        with pytest.raises(ValueError, match=sentence):
            episodes(mdp, policy, 3, np.random.default_rng(0))


def test_nested_lists_are_as_good_as_arrays():
    made = object.__new__(MDP)  # past the annotations, which the tests check at the call
    given = {"transitions": TRANSITIONS.tolist(), "rewards": REWARDS.tolist(), "gamma": 0.9, "start": [1, 0]}
    for name, value in given.items():
        object.__setattr__(made, name, value)
    made.__post_init__()
    assert np.array_equal(made.transitions, TRANSITIONS)
    assert made.start.dtype == float


def test_no_episode_is_refused():
    mdp = MDP(TRANSITIONS, REWARDS, 0.9, START)
    with pytest.raises(ValueError, match="n must be 1 or more, the number of episodes; got 0"):
        episodes(mdp, uniform_policy(mdp), 0, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 1), ()])
def test_values_of_another_shape_are_refused(shape):
    mdp = MDP(TRANSITIONS, REWARDS, 0.9, START)
    check_values(mdp, np.zeros(2))
    with pytest.raises(ValueError, match=r"v must have the shape \(2,\), one number a state"):
        getattr(check_values, "__wrapped__", check_values)(mdp, np.zeros(shape))


def law_of_steps(states, actions, after) -> float:
    """The p-value of the hypothesis that these steps follow TRANSITIONS: chi-square over the four pairs."""
    total, freedom = 0.0, 0
    for s, a in np.ndindex(2, 2):
        seen = after[(states == s) & (actions == a)]
        law = TRANSITIONS[s, a]
        if law.max() == 1:
            assert np.all(seen == law.argmax())
            continue
        counts = np.bincount(seen, minlength=2)
        total += ((counts - counts.sum() * law) ** 2 / (counts.sum() * law)).sum()
        freedom += 1
    return stats.chi2.sf(total, freedom)


def test_episodes_follow_the_model_and_the_policy():
    # 40,000 steps. False alarm 1e-6 each; next states read from the neighbouring action's row are caught.
    mdp = MDP(TRANSITIONS, REWARDS, 0.9, START)
    policy = np.array([[0.8, 0.2], [0.35, 0.65]])
    found = episodes(mdp, policy, 2000, np.random.default_rng(5), max_steps=20)
    states, actions, after = found.states[:, :-1].ravel(), found.actions.ravel(), found.states[:, 1:].ravel()
    assert law_of_steps(states, actions, after) > 1e-6
    # A chain's own law: its state in a step is that of (start P^t).
    moves = np.einsum("sa,sap->sp", policy, TRANSITIONS)
    for t in (0, 1, 7):
        law = START @ np.linalg.matrix_power(moves, t)
        assert stats.binomtest(int((found.states[:, t] == 1).sum()), 2000, law[1]).pvalue > 1e-6
    for s in (0, 1):
        chosen = actions[states == s]
        assert stats.binomtest(int((chosen == 1).sum()), len(chosen), policy[s, 1]).pvalue > 1e-6
        assert stats.binomtest(int((chosen == 1).sum()), len(chosen), policy[1 - s, 1]).pvalue < 1e-6
    assert np.array_equal(found.rewards, REWARDS[found.states[:, :-1], found.actions])
    assert found.mask.all()
    tossed = np.random.default_rng(6).choice(2, size=len(states), p=[0.3, 0.7])
    with pytest.raises(AssertionError):
        assert (
            law_of_steps(states, np.where(actions == 1, 1, actions), np.where(actions == 1, after, 1 - tossed)) > 1e-6
        )


def test_an_episode_stops_where_it_ends_and_a_row_stays_there():
    walk = random_walk(5)
    found = episodes(walk, uniform_policy(walk), 300, np.random.default_rng(2))
    ended = walk.terminal[found.states]
    assert ended[:, -1].all()
    assert np.array_equal(found.mask, ~ended[:, :-1])
    assert np.all(found.rewards[~found.mask] == 0)
    assert np.all(found.states[:, 1:][~found.mask] == found.states[:, :-1][~found.mask])
    assert found.mask.any(axis=0).all(), "no column in which every row has ended"


def test_a_trajectory_is_one_row_and_max_steps_cuts_it():
    mdp = MDP(TRANSITIONS, REWARDS, 0.9, START)
    found = trajectory(mdp, uniform_policy(mdp), np.random.default_rng(3), max_steps=7)
    assert found.states.shape == (8,)
    assert found.actions.shape == found.rewards.shape == (7,)


def test_an_episode_that_begins_at_its_end_has_no_step():
    walk = random_walk(1)
    asleep = MDP(walk.transitions, walk.rewards, 1.0, np.eye(3)[0])
    found = trajectory(asleep, uniform_policy(asleep), np.random.default_rng(0))
    assert found.states.shape == (1,)
    assert found.rewards.shape == found.actions.shape == (0,)


@pytest.mark.parametrize("uniform", [0.0, 0.2499999, 0.25, 0.75, np.nextafter(1, 0)])
def test_invert_takes_the_first_entry_above_and_never_one_without_probability(uniform):
    # Ten times 0.1 sums to a hair under 1; the entry after it has probability 0.
    row = np.cumsum([0.25, 0.0, 0.5, 0.25, 0.0])
    short = np.cumsum([*[0.1] * 10, 0.0])
    assert short[-1] < 1
    (drawn,) = invert(row[None], np.array([uniform]))
    assert drawn == next(k for k in range(5) if uniform < row[k])
    (drawn,) = invert(short[None], np.array([uniform]))
    assert drawn == min(int(uniform * 10), 9)


def test_a_step_is_that_of_a_single_row():
    mdp = random_mdp(7, 3, np.random.default_rng(4))
    rng = np.random.default_rng(9)
    states, actions, uniforms = rng.integers(7, size=50), rng.integers(3, size=50), rng.random(50)
    rewards, after = mdp.step(states, actions, uniforms)
    for n in range(50):
        law = mdp.transitions[states[n], actions[n]]
        assert after[n] == next(k for k in range(7) if uniforms[n] < sum(law[: k + 1]) + 1e-15)
        assert rewards[n] == mdp.rewards[states[n], actions[n]]
    assert module.invert(np.array([[1.0]]), np.array([0.3]))[0] == 0
