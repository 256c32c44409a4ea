"""What learning to predict does on average, exactly: mean and variance of the targets, and TD(0) itself in the mean.

These need the model, which a learner does not have. They are the known answers that chapter B3 holds its samples against:
linear equations, as every value is.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from rlhw.mdp import MDP, check_policy

Array = np.ndarray
Moments = tuple[Float[Array, " S"], Float[Array, " S"]]


def n_step_moments(mdp: MDP, policy: Float[Array, "S A"], values: Float[Array, " S"], n: int) -> Moments:
    """(mean, variance) of the n-step return from each state, with the estimates V held still.

    Backwards over one step n times: X = r + γ Y gives E X = E r + γ E Y and E X² = E r² + 2γ E rY + γ² E Y².
    Raises ValueError for n below 1 and for a policy that is none. The mean differs from v by γ^n P^n (V - v).

    >>> from rlhw.worlds import random_walk
    >>> from rlhw.mdp import uniform_policy
    >>> mdp = random_walk(1)  # one fair coin, with prize 1
    >>> mean, variance = n_step_moments(mdp, uniform_policy(mdp), np.zeros(3), n=1)
    >>> mean[1], variance[1]
    (np.float64(0.5), np.float64(0.25))
    """
    check_policy(mdp, policy)
    if n < 1:
        raise ValueError(f"n must be 1 or more steps; got {n}.")
    mean, square = values, values**2
    for _ in range(n):
        mean, square = _one_step(mdp, policy, mean, square)
    return mean, square - mean**2


def lambda_moments(mdp: MDP, policy: Float[Array, "S A"], values: Float[Array, " S"], lam: float) -> Moments:
    """(mean, variance) of the λ-return from each state, with V held still: the fixed point of X = r + γ ((1 - λ) V' + λ X').

    λ = 1 gives v itself and the variance of the whole return. Raises ValueError unless lam is in [0, 1], for a policy that is
    none, and, when gamma and lam are 1, for one that never ends.

    >>> from rlhw.worlds import random_walk
    >>> from rlhw.mdp import uniform_policy
    >>> mdp = random_walk(1)
    >>> lambda_moments(mdp, uniform_policy(mdp), np.zeros(3), lam=1.0)[0]
    array([0. , 0.5, 0. ])
    """
    check_policy(mdp, policy)
    if not 0 <= lam <= 1:
        raise ValueError(f"lam must be in [0, 1]; got {lam}.")
    if mdp.gamma * lam == 1:
        _check_ends(mdp, policy)
    inside, fixed = ~mdp.terminal, np.zeros(len(values))

    def solve(known: Float[Array, " S"], factor: float) -> Float[Array, " S"]:
        """x = known + factor · P x, with x = 0 where an episode has ended."""
        onward = np.einsum("sa,sat->st", policy, mdp.transitions)[np.ix_(inside, inside)]
        found = np.zeros(len(values))
        found[inside] = np.linalg.solve(np.eye(inside.sum()) - factor * onward, known[inside])
        return found

    rest = (1 - lam) * values
    mean = solve(_one_step(mdp, policy, rest, fixed)[0], mdp.gamma * lam)
    mixed = rest + lam * mean
    # E Y² of Y = rest + λ X, but for the unknown λ² E X², which the equation carries.
    square = solve(_one_step(mdp, policy, mixed, rest**2 + 2 * lam * rest * mean)[1], (mdp.gamma * lam) ** 2)
    return mean, square - mean**2


def expected_td(
    mdp: MDP, policy: Float[Array, "S A"], values: Float[Array, " S"], step: float, episodes: int
) -> tuple[Float[Array, "K S"], Float[Array, "K S S"]]:
    """TD(0) with a constant step, exactly: mean and covariance of V after 0, 1, …, `episodes` episodes from `values`.

    A step of TD(0) is an affine map of V that depends on (s, a, s') alone. Its mean over a whole episode solves a linear
    equation: expected map from s = Σ p(a, s'|s) (expected map from s') · (this step's map). E V Vᵀ does the same with the
    Kronecker square. Raises ValueError unless step is in [0, 1], and for a policy that is none or never ends.

    >>> from rlhw.worlds import random_walk
    >>> from rlhw.mdp import uniform_policy
    >>> mdp = random_walk(1)
    >>> mean, covariance = expected_td(mdp, uniform_policy(mdp), np.zeros(3), step=0.5, episodes=2)
    >>> mean[:, 1], covariance[:, 1, 1]
    (array([0.   , 0.25 , 0.375]), array([0.      , 0.0625  , 0.078125]))
    """
    check_policy(mdp, policy)
    if not 0 <= step <= 1:
        raise ValueError(f"step must be in [0, 1]; got {step}.")
    _check_ends(mdp, policy)
    size = len(values) + 1
    once = _episode_map(mdp, policy, lambda s, a, t: _td_map(mdp, step, s, a, t))
    twice = _episode_map(mdp, policy, lambda s, a, t: np.kron(*2 * (_td_map(mdp, step, s, a, t),)))
    vector = np.append(values, 1.0)  # a last entry of 1 makes the affine map a matrix
    square = np.kron(vector, vector)
    means, squares = [vector], [square]
    for _ in range(episodes):
        means.append(vector := once @ vector)
        squares.append(square := twice @ square)
    mean, square = np.array(means), np.array(squares).reshape(-1, size, size)
    return mean[:, :-1], (square - mean[:, :, None] * mean[:, None, :])[:, :-1, :-1]


def _td_map(mdp: MDP, step: float, s: int, a: int, t: int) -> Float[Array, "D D"]:
    """The step of TD(0) from s by a to t as a matrix on (V, 1)."""
    size = len(mdp.rewards) + 1
    change = np.zeros((size, size))
    change[s, t] += step * mdp.gamma
    change[s, s] -= step
    change[s, -1] += step * mdp.rewards[s, a]
    return np.eye(size) + change


def _episode_map(
    mdp: MDP, policy: Float[Array, "S A"], step_map: Callable[[int, int, int], Float[Array, "D D"]]
) -> Float[Array, "D D"]:
    """The mean, over episodes, of the product of their steps' maps."""
    states, size = len(mdp.rewards), len(step_map(0, 0, 0))
    equations = np.zeros((states, size, states, size))
    for s in np.flatnonzero(~mdp.terminal).tolist():
        for a, t in np.argwhere(policy[s][:, None] * mdp.transitions[s] > 0).tolist():
            equations[s, :, t] += policy[s, a] * mdp.transitions[s, a, t] * step_map(s, a, t).T
    whole = np.zeros((states, size, size))  # the expected map from each state, transposed
    whole[mdp.terminal] = np.eye(size)
    inside = ~mdp.terminal
    count = inside.sum() * size
    known = np.einsum("sdte,tef->sdf", equations[inside][:, :, mdp.terminal], whole[mdp.terminal])
    unknown = equations[inside][:, :, inside].reshape(count, count)
    whole[inside] = np.linalg.solve(np.eye(count) - unknown, known.reshape(count, size)).reshape(-1, size, size)
    return np.einsum("s,sdf->fd", mdp.start, whole)


def _check_ends(mdp: MDP, policy: Float[Array, "S A"]) -> None:
    """ValueError unless the policy comes to a terminal state from each state; the sentence names one from which it does not."""
    onward, ends = np.einsum("sa,sat->st", policy, mdp.transitions), mdp.terminal
    for _ in onward:
        ends = ends | (onward @ ends > 0)
    if not ends.all():
        raise ValueError(
            f"policy never ends from state {int(np.argmin(ends))}: there is no whole episode. Give it a way to a terminal state."
        )


def _one_step(mdp: MDP, policy: Float[Array, "S A"], mean: Float[Array, " S"], square: Float[Array, " S"]) -> Moments:
    """(E X, E X²) of X = r + γ Y(s'), from E Y and E Y² at the next state."""
    reach = policy[:, :, None] * mdp.transitions
    rewards = mdp.rewards[:, :, None]
    first = np.sum(reach * (rewards + mdp.gamma * mean), axis=(1, 2))
    second = np.sum(reach * (rewards**2 + 2 * mdp.gamma * rewards * mean + mdp.gamma**2 * square), axis=(1, 2))
    return first, second
