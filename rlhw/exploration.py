"""How much to explore, and how far to step: schedules of visit counts, epsilon-soft policies, and the best of these. Chapter B4.

A schedule is asked with the number of a visit, 1 for the first: `constant(0.1)`, `inverse_visits(c)`, `power(0.8)`.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from rlhw.mdp import MDP

Array = np.ndarray
Schedule = Callable[[Int[Array, "*N"]], Float[Array, "*N"]]


def constant(value: float) -> Schedule:
    """The same number at every visit. Raises ValueError unless it is in [0, 1].

    >>> constant(0.1)(np.array([1, 2, 50]))
    array([0.1, 0.1, 0.1])
    """
    if not 0 <= value <= 1:
        raise ValueError(f"value must be in [0, 1], an exploration or a step size; got {value}.")
    return lambda visits: np.full(np.shape(visits), float(value))


def inverse_visits(c: float) -> Schedule:
    """min(1, c/n) at the n-th visit: an exploration that is greedy in the limit and never ends, however deep the state.

    Raises ValueError unless c is positive and finite. Source: Singh et al. (2000).

    >>> inverse_visits(2.0)(np.array([1, 2, 4, 50]))
    array([1.  , 1.  , 0.5 , 0.04])
    """
    if not (np.isfinite(c) and c > 0):
        raise ValueError(f"c must be a positive number; got {c}.")
    return lambda visits: np.minimum(1.0, c / visits)


def power(exponent: float) -> Schedule:
    """n^-exponent at the n-th visit; as a step size it has the two conditions of Robbins and Monro.

    Raises ValueError unless the exponent is in (1/2, 1]: below, the squares do not sum; above, the steps do.
    Source: Even-Dar & Mansour (2003).

    >>> power(1.0)(np.array([1, 2, 4, 50]))
    array([1.  , 0.5 , 0.25, 0.02])
    """
    if not 0.5 < exponent <= 1:
        raise ValueError(
            f"exponent must be above 1/2 and at most 1, so that steps sum and squares do not; got {exponent}."
        )
    return lambda visits: np.asarray(visits, dtype=float) ** -exponent


def epsilon_soft(q: Float[Array, "*N A"], epsilon: Float[Array, "*N"]) -> Float[Array, "*N A"]:
    """Row by row the epsilon-greedy policy of a table: π(a) = ε/A + (1 - ε)/m for the m best actions, ε/A for the others.

    `rlhw.bandits.epsilon_greedy` for many rows, each with its own ε. Raises ValueError unless every ε is in [0, 1].
    Source: Sutton & Barto (2018), section 5.4.

    >>> epsilon_soft(np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([0.2, 0.2]))
    array([[0.1, 0.9],
           [0.5, 0.5]])
    """
    if not np.all((epsilon >= 0) & (epsilon <= 1)):
        raise ValueError(
            f"epsilon must be in [0, 1] in every row; it runs from {np.min(epsilon)} to {np.max(epsilon)}."
        )
    best = q == q.max(axis=-1, keepdims=True)
    share = np.asarray(epsilon)[..., None]
    return share / q.shape[-1] + (1 - share) * best / best.sum(axis=-1, keepdims=True)


def softened(mdp: MDP, epsilon: float) -> MDP:
    """The MDP in which the world explores: with probability ε it puts a uniformly drawn action in the place of yours.

    A policy's values here are those of its ε-soft version in `mdp`, so the best values here are those of the best ε-soft
    policy. Raises ValueError unless ε is in [0, 1]. Source: Sutton & Barto (2018), section 5.4.

    >>> from rlhw.worlds import random_walk
    >>> softened(random_walk(1), 0.2).transitions[1, 1]  # to the right: nine times in ten
    array([0.1, 0. , 0.9])
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon must be in [0, 1]; got {epsilon}.")
    mix = epsilon / mdp.rewards.shape[1] + (1 - epsilon) * np.eye(mdp.rewards.shape[1])
    transitions = np.einsum("ab,sbt->sat", mix, mdp.transitions)
    # A terminal state stays one only when its row is exactly one.
    transitions[mdp.terminal] = mdp.transitions[mdp.terminal]
    return MDP(transitions, mdp.rewards @ mix, mdp.gamma, mdp.start)
