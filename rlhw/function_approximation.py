"""Linear values V(s) = wᵀh(s): what Monte Carlo and TD settle on, in closed form, and how far that is from the truth.

h(s) are the features of a state, D numbers; an end has features of zero, so its value is zero. The same functions take
sampled transitions (one row a sample) and expected ones (one row a state, weighted by how often the state is met): with
the latter they are exact. The learners are in `rlhw.linear_learning`. Chapter B5.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlhw.mdp import MDP, check_policy

Array = np.ndarray


class Transitions(NamedTuple):
    """What TD learns from, one row a transition; unpacked, `*transitions`, they are the first arguments of the functions."""

    features: Float[Array, "*N D"]
    rewards: Float[Array, "*N"]
    next_features: Float[Array, "*N D"]


def transitions_along(
    features: Float[Array, "S D"], states: Int[Array, " M *B"], rewards: Float[Array, " T *B"]
) -> Transitions:
    """The transitions of trajectories, time first: row t is (h(s_t), r_t, h(s_{t+1})).

    `features` has one row a state, zeros for an end. Of `rlhw.mdp.Episodes` hand in `states.T` and `rewards.T`.

    >>> transitions_along(np.eye(2), np.array([0, 1, 0]), np.array([5.0, 7.0])).next_features
    array([[0., 1.],
           [1., 0.]])
    """
    return Transitions(features[states[:-1]], rewards, features[states[1:]])


def expected_transitions(mdp: MDP, policy: Float[Array, "S A"], features: Float[Array, "S D"]) -> Transitions:
    """One row a state: h(s), the expected reward r_π(s), and the expected next features Σ_s' P_π(s, s') h(s').

    Raises ValueError when an end has features other than zero: its value is known to be 0, there is nothing to fit; or
    when the policy's rows are no probabilities.

    >>> from rlhw.mdp import uniform_policy
    >>> from rlhw.worlds import random_walk
    >>> walk = random_walk(states=3)
    >>> h = np.where(walk.terminal, 0.0, 1.0)[:, None]
    >>> expected_transitions(walk, uniform_policy(walk), h).next_features[:, 0]
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    check_policy(mdp, policy)
    for state in np.flatnonzero(mdp.terminal):
        if np.any(features[state]):
            raise ValueError(f"features of state {state} must be zero: it is an end, and its value is 0.")
    kernel = np.einsum("sa,sat->st", policy, mdp.transitions)
    return Transitions(features, np.sum(policy * mdp.rewards, axis=1), kernel @ features)


def on_policy_weights(mdp: MDP, policy: Float[Array, "S A"]) -> Float[Array, " S"]:
    """The share of time in each state when `policy` acts for long: sums to 1, zero at the ends, not discounted.

    Where an episode ends the next one begins, at a state drawn from the start. Without an end it is the stationary
    distribution, dᵀP = dᵀ. Raises ValueError when it depends on where one starts (the chain falls into parts), or the
    policy's rows are no probabilities.
    Source: Sutton & Barto (2018), section 9.2.

    >>> from rlhw.mdp import uniform_policy
    >>> from rlhw.worlds import random_walk
    >>> walk = random_walk(states=3)
    >>> on_policy_weights(walk, uniform_policy(walk)).round(3)
    array([0.  , 0.25, 0.5 , 0.25, 0.  ])
    """
    check_policy(mdp, policy)
    kernel = np.einsum("sa,sat->st", policy, mdp.transitions)
    kernel[mdp.terminal] = mdp.start
    states = len(kernel)
    balance = np.vstack([kernel.T - np.eye(states), np.ones(states)])
    weights, _, rank, _ = np.linalg.lstsq(balance, np.append(np.zeros(states), 1.0))
    if rank < states:
        raise ValueError("policy must leave one long-run distribution; this chain falls into parts that never meet.")
    weights = np.where(mdp.terminal, 0.0, np.maximum(weights, 0.0))
    return weights / weights.sum()


def projection(features: Float[Array, "S D"], weights: Float[Array, " S"]) -> Float[Array, "S S"]:
    """The matrix Π that takes values "S" to the nearest linear ones, in the norm ‖V‖² = Σ_s d(s) V(s)².

    Π = Φ(ΦᵀΞΦ)⁻¹ΦᵀΞ with Φ the features and Ξ = diag(d); with more features than states the inverse is a pseudo-inverse.
    Raises ValueError for weights that are negative or all zero.

    >>> projection(np.array([[1.0], [2.0]]), np.array([1 / 3, 2 / 3])).round(3)
    array([[0.111, 0.444],
           [0.222, 0.889]])
    """
    root = np.sqrt(_checked(weights))
    return features @ (np.linalg.pinv(root[:, None] * features) * root)


def least_squares_mc(
    features: Float[Array, "N D"], returns: Float[Array, " N"], weights: Float[Array, " N"]
) -> Float[Array, " D"]:
    """w_MC, the least point of Σ_n d_n (G_n - wᵀh_n)²: (ΦᵀΞΦ)⁻¹ΦᵀΞG. Where several w are best, the shortest.

    With one row a state, the values v_π and the weights d it is the best linear fit there is: Φw_MC = Πv_π.
    Raises ValueError for weights that are negative or all zero.

    >>> least_squares_mc(np.array([[1.0], [2.0]]), np.array([1.2, 0.4]), np.array([1 / 3, 2 / 3])).round(4)
    array([0.3111])
    """
    root = np.sqrt(_checked(weights))
    return np.linalg.lstsq(root[:, None] * features, root * returns)[0]


def td_system(
    features: Float[Array, "*N D"],
    rewards: Float[Array, "*N"],
    next_features: Float[Array, "*N D"],
    gamma: float,
    weights: Float[Array, "*N"],
) -> tuple[Float[Array, "D D"], Float[Array, " D"]]:
    """A = Σ_n d_n h_n (h_n - γh'_n)ᵀ and b = Σ_n d_n r_n h_n: TD's expected step from w is along b - Aw.

    Weights: of samples the importance ratios, or ones; of expected transitions the distribution of states.
    Raises ValueError for weights that are negative or all zero. Source: Sutton & Barto (2018), equation 9.11.

    >>> h, after = np.array([[1.0], [2.0]]), np.array([[2.0], [1.5]])
    >>> td_system(h, np.array([1.0, 0.0]), after, 0.5, np.array([1 / 3, 2 / 3]))[0].round(3)
    array([[1.667]])
    """
    weighted = _rows(_checked(weights)[..., None] * features)
    return weighted.T @ _rows(features - gamma * next_features), weighted.T @ rewards.ravel()


def lstd(
    features: Float[Array, "*N D"],
    rewards: Float[Array, "*N"],
    next_features: Float[Array, "*N D"],
    gamma: float,
    weights: Float[Array, "*N"],
) -> Float[Array, " D"]:
    """w_TD, where TD's expected step is zero: Aw = b. Where several w solve it, the shortest.

    Its values are the fixed point of the projected Bellman operator, V = Π(r + γPV). Raises ValueError when no w solves it,
    which takes off-policy weights or few samples. Source: Bradtke & Barto (1996).

    >>> h, after = np.array([[1.0], [2.0]]), np.array([[2.0], [1.5]])
    >>> lstd(h, np.array([1.0, 0.0]), after, 0.5, np.array([1 / 3, 2 / 3])).round(3)
    array([0.2])
    """
    matrix, vector = td_system(features, rewards, next_features, gamma, weights)
    w = np.linalg.lstsq(matrix, vector)[0]
    if np.linalg.norm(matrix @ w - vector) > 1e-6 * np.linalg.norm(vector):
        raise ValueError("transitions have no TD fixed point under these weights: take more of them, or other weights.")
    return w


def value_error(values: Float[Array, " S"], truth: Float[Array, " S"], weights: Float[Array, " S"]) -> float:
    """Σ_s d(s) (v(s) - V(s))², in squared units of reward. Source: Sutton & Barto (2018), equation 9.1.

    >>> round(value_error(np.array([0.2, 0.4]), np.array([1.2, 0.4]), np.array([1 / 3, 2 / 3])), 4)
    0.3333
    """
    return float(weights @ (truth - values) ** 2)


def bellman_error(
    features: Float[Array, "S D"],
    rewards: Float[Array, " S"],
    next_features: Float[Array, "S D"],
    gamma: float,
    weights: Float[Array, " S"],
    w: Float[Array, " D"],
) -> float:
    """Σ_s d(s) (E[δ | s])², the expected TD error squared: if all d(s) > 0 zero only for w with the values v_π.

    It needs *expected* transitions: of sampled ones this is the mean of δ², which holds the noise of the next state too.
    Source: Sutton & Barto (2018), section 11.4.

    >>> h, after = np.array([[1.0], [2.0]]), np.array([[2.0], [1.5]])
    >>> round(bellman_error(h, np.array([1.0, 0.0]), after, 0.5, np.array([1 / 3, 2 / 3]), np.array([0.2])), 4)
    0.375
    """
    errors = rewards + gamma * next_features @ w - features @ w
    return float(weights @ errors**2)


def projected_bellman_error(
    features: Float[Array, "*N D"],
    rewards: Float[Array, "*N"],
    next_features: Float[Array, "*N D"],
    gamma: float,
    weights: Float[Array, "*N"],
    w: Float[Array, " D"],
) -> float:
    """‖Π(r + γPV - V)‖² = (b - Aw)ᵀ(ΦᵀΞΦ)⁺(b - Aw): the part of the Bellman error that the features can see.

    Zero at `lstd`. Source: Sutton et al. (2009), section 4.

    >>> h, after = np.array([[1.0], [2.0]]), np.array([[2.0], [1.5]])
    >>> projected_bellman_error(h, np.array([1.0, 0.0]), after, 0.5, np.array([1 / 3, 2 / 3]), np.zeros(1)).__round__(4)
    0.037
    """
    matrix, vector = td_system(features, rewards, next_features, gamma, weights)
    second = _rows(weights[..., None] * features).T @ _rows(features)
    step = vector - matrix @ w
    return float(step @ np.linalg.pinv(second) @ step)


def _rows(features: Float[Array, "*N D"]) -> Float[Array, "M D"]:
    return features.reshape(-1, features.shape[-1])


def _checked(weights: Float[Array, "*N"]) -> Float[Array, "*N"]:
    if not np.all(np.isfinite(weights) & (weights >= 0)) or not np.any(weights > 0):
        raise ValueError("weights must be finite, 0 or more, and not all 0: they say how much each row counts.")
    return weights
