"""Prediction from a fixed batch of episodes, used to the last: what Monte Carlo and TD(0) settle at, and why they differ.

Monte Carlo settles at the mean returns. TD(0) settles at the values of the model that the batch suggests: the *certainty
equivalence*. Chapter B3; Sutton & Barto (2018), section 6.3.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlhw.mdp import Episodes
from rlhw.temporal_difference import returns

Array = np.ndarray


class EmpiricalModel(NamedTuple):
    """What was seen: `transitions` "S S" are shares of the steps out of a state, `rewards` "S" their mean reward, and
    `visits` "S" how many steps they come from. The rows of a state that was never left are 0.
    """

    transitions: Float[Array, "S S"]
    rewards: Float[Array, " S"]
    visits: Int[Array, " S"]


def empirical_model(batch: Episodes, states: int) -> EmpiricalModel:
    """Counts of the batch, as shares and means.

    >>> states, rewards = np.array([[0, 1, 2], [0, 2, 2]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> batch = Episodes(states, 0 * states[:, 1:], rewards, np.array([[True, True], [True, False]]))
    >>> empirical_model(batch, 3).transitions[0]
    array([0. , 0.5, 0.5])
    """
    before, after = batch.states[:, :-1][batch.mask], batch.states[:, 1:][batch.mask]
    counts, earned = np.zeros((states, states)), np.zeros(states)
    np.add.at(counts, (before, after), 1.0)
    np.add.at(earned, before, batch.rewards[batch.mask])
    visits = counts.sum(axis=1).astype(int)
    left = np.maximum(visits, 1)
    return EmpiricalModel(counts / left[:, None], earned / left, visits)


def certainty_equivalence(batch: Episodes, states: int, gamma: float) -> Float[Array, " S"]:
    """The values of the empirical model: v = r̂ + γ P̂ v, solved. States that were never left get 0.

    Raises ValueError unless gamma is in [0, 1], and where gamma = 1 and the batch shows no way to an end.
    Sutton & Barto (2018), section 6.3.

    >>> states, rewards = np.array([[0, 1, 2], [1, 2, 2]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> batch = Episodes(states, 0 * states[:, 1:], rewards, np.array([[True, True], [True, False]]))
    >>> certainty_equivalence(batch, 3, gamma=1.0)  # state 1 earned 1 and 0; state 0 leads to it
    array([0.5, 0.5, 0. ])
    """
    _discount(gamma)
    model = empirical_model(batch, states)
    equations = np.eye(states) - gamma * model.transitions
    if np.linalg.matrix_rank(equations) < states:
        raise ValueError("batch shows no way to an end from some state: take gamma below 1, or whole episodes.")
    return np.linalg.solve(equations, model.rewards)


def batch_mc(batch: Episodes, states: int, gamma: float) -> Float[Array, " S"]:
    """The mean return over all visits of each state: what every-visit Monte Carlo settles at. 0 where there was no visit.

    The episodes have to be whole: a cut one counts as if nothing came after. Raises ValueError unless gamma is in [0, 1].

    >>> states, rewards = np.array([[0, 1, 2], [1, 2, 2]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> batch = Episodes(states, 0 * states[:, 1:], rewards, np.array([[True, True], [True, False]]))
    >>> batch_mc(batch, 3, gamma=1.0)
    array([1. , 0.5, 0. ])
    """
    visited, earned = batch.states[:, :-1][batch.mask], returns(batch.rewards, gamma)[batch.mask]
    totals = np.bincount(visited, earned, minlength=states)
    return totals / np.maximum(np.bincount(visited, minlength=states), 1)


def batch_td(batch: Episodes, values: Float[Array, " S"], gamma: float, step: float, sweeps: int) -> Float[Array, " S"]:
    """TD(0) on the batch again and again: all its TD errors are added up with V held still, and V moves once a sweep.

    Settles at the certainty equivalence when `step` is below one over the most visits of a state. Raises ValueError unless
    gamma is in [0, 1].

    >>> states, rewards = np.array([[0, 1, 2], [1, 2, 2]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> batch = Episodes(states, 0 * states[:, 1:], rewards, np.array([[True, True], [True, False]]))
    >>> batch_td(batch, np.zeros(3), gamma=1.0, step=0.4, sweeps=60).round(6)
    array([0.5, 0.5, 0. ])
    """
    _discount(gamma)
    before, after, rewards = (
        batch.states[:, :-1][batch.mask],
        batch.states[:, 1:][batch.mask],
        batch.rewards[batch.mask],
    )
    values = values.astype(float)
    for _ in range(sweeps):
        errors = rewards + gamma * values[after] - values[before]
        values = values + step * np.bincount(before, errors, minlength=len(values))
    return values


def _discount(gamma: float) -> None:
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must be in [0, 1]; got {gamma}.")
