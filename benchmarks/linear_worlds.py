"""The small worlds of chapter B5 and their streams of samples: a chain of two states, a walk in three groups, Baird's star."""

from typing import NamedTuple

import numpy as np

from rlhw.function_approximation import Transitions, expected_transitions, on_policy_weights, transitions_along
from rlhw.linear_learning import baird
from rlhw.mdp import MDP, episodes, uniform_policy
from rlhw.worlds import random_walk

# Two states, one action: the first leads to the second, the second to either with even odds. Features 1 and 2, so V = (w, 2w).
CHAIN = MDP(np.array([[[0.0, 1.0]], [[0.5, 0.5]]]), np.array([[1.0], [0.0]]), gamma=0.9, start=np.array([0.5, 0.5]))
CHAIN_FEATURES = np.array([[1.0], [2.0]])
CHAIN_VALUES = np.array([110.0, 90.0]) / 29
CHAIN_EXPECTED = expected_transitions(CHAIN, np.ones((2, 1)), CHAIN_FEATURES)

# Nine states between two ends, in three groups of three: the features say in which group a state lies. v(s) = s/10.
WALK = random_walk(9)
GROUPS = np.zeros((11, 3))
GROUPS[np.arange(1, 10), np.repeat(np.arange(3), 3)] = 1.0
WALK_VALUES = np.append(np.arange(10) / 10, 0.0)
WALK_WEIGHTS = on_policy_weights(WALK, uniform_policy(WALK))
WALK_EXPECTED = expected_transitions(WALK, uniform_policy(WALK), GROUPS)

STAR = baird()
STAR_WEIGHTS = on_policy_weights(STAR.mdp, STAR.behavior)
STAR_EXPECTED = expected_transitions(STAR.mdp, STAR.target, STAR.features)


class WalkSamples(NamedTuple):
    """Independent draws of the walk's states, time first, with a return and a transition from each."""

    features: np.ndarray
    returns: np.ndarray
    transitions: Transitions


def walk_samples(rng: np.random.Generator, steps: int, runs: int) -> WalkSamples:
    """States from the on-policy weights. A return is 1 with probability v(s), else 0: nothing else is paid on the way."""
    states = rng.choice(11, size=(steps, runs), p=WALK_WEIGHTS)
    returns = (rng.random((steps, runs)) < WALK_VALUES[states]).astype(float)
    actions = rng.integers(2, size=(steps, runs))
    rewards, after = WALK.step(states.ravel(), actions.ravel(), np.zeros(states.size))
    transitions = Transitions(GROUPS[states], rewards.reshape(states.shape), GROUPS[after.reshape(states.shape)])
    return WalkSamples(GROUPS[states], returns, transitions)


def star_samples(rng: np.random.Generator, steps: int, runs: int) -> tuple[Transitions, np.ndarray]:
    """Runs of the behavior policy on the star: transitions, time first, and the ratios target/behavior."""
    found = episodes(STAR.mdp, STAR.behavior, runs, rng, steps)
    transitions = transitions_along(STAR.features, found.states.T, found.rewards.T)
    return transitions, (STAR.target / STAR.behavior)[found.states[:, :-1], found.actions].T
