"""Learning linear values one sample at a time, and the star on which one of the learners runs away.

Each learner takes a stream of samples, time first, and gives the weights after every step. A batch axis after the time runs
several streams at once, each with weights of its own. What they settle on is in `rlhw.function_approximation`. Chapter B5.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from rlhw.mdp import MDP

Array = np.ndarray


def gradient_mc(
    w: Float[Array, "*B D"],
    features: Float[Array, "T *B D"],
    returns: Float[Array, " T *B"],
    steps: Float[Array, " T"],
) -> Float[Array, "T+1 *B D"]:
    """Gradient Monte Carlo: w ← w + η_t (G_t - wᵀh_t) h_t, stochastic gradient descent on ½ E[(G - wᵀh)²].

    Source: Sutton & Barto (2018), section 9.3.

    >>> gradient_mc(np.zeros(1), np.array([[1.0], [2.0]]), np.array([3.0, 1.0]), np.array([0.5, 0.1])).round(2)
    array([[0. ],
           [1.5],
           [1.1]])
    """
    _check_lengths(features=features, returns=returns, steps=steps)
    path = [w]
    for t in range(len(steps)):
        error = returns[t] - np.sum(w * features[t], axis=-1)
        w = w + steps[t] * error[..., None] * features[t]
        path.append(w)
    return np.stack(path)


def semi_gradient_td(
    w: Float[Array, "*B D"],
    features: Float[Array, "T *B D"],
    rewards: Float[Array, " T *B"],
    next_features: Float[Array, "T *B D"],
    gamma: float,
    steps: Float[Array, " T"],
    ratios: Float[Array, " T *B"],
) -> Float[Array, "T+1 *B D"]:
    """Semi-gradient TD(0): w ← w + η_t ρ_t δ_t h_t, with the TD error δ_t = r_t + γwᵀh'_t - wᵀh_t.

    "Semi": the target r + γwᵀh' holds w too and is not differentiated. ratios: ρ_t = π/μ of the action taken, ones on-policy.
    Source: Sutton & Barto (2018), equation 11.2.

    >>> one, two = np.array([[1.0]]), np.array([[2.0]])
    >>> semi_gradient_td(np.ones(1), one, np.zeros(1), two, 0.9, np.array([0.1]), np.ones(1)).round(2)
    array([[1.  ],
           [1.08]])
    """
    _check_lengths(features=features, rewards=rewards, next_features=next_features, steps=steps, ratios=ratios)
    path = [w]
    for t in range(len(steps)):
        error = rewards[t] + np.sum(w * (gamma * next_features[t] - features[t]), axis=-1)
        w = w + steps[t] * (ratios[t] * error)[..., None] * features[t]
        path.append(w)
    return np.stack(path)


def gradient_correction(
    w: Float[Array, "*B D"],
    features: Float[Array, "T *B D"],
    rewards: Float[Array, " T *B"],
    next_features: Float[Array, "T *B D"],
    gamma: float,
    steps: Float[Array, " T"],
    second_steps: Float[Array, " T"],
    ratios: Float[Array, " T *B"],
) -> Float[Array, "T+1 *B D"]:
    """TD with gradient correction (TDC): w ← w + η_t ρ_t (δ_t h_t - γ h'_t (uᵀh_t)), u ← u + ζ_t ρ_t (δ_t - uᵀh_t) h_t.

    A second vector u, zero at first, fits the TD error by the features; with it the step is, on average, one down the
    projected Bellman error, also off-policy. Both lines use the old w and u. Returns the path of w.
    Source: Sutton et al. (2009); with ratios: Sutton & Barto (2018), section 11.7.

    >>> h, after = np.array([[1.0], [1.0]]), np.array([[2.0], [2.0]])
    >>> half, tenth = np.full(2, 0.5), np.full(2, 0.1)
    >>> gradient_correction(np.ones(1), h, np.zeros(2), after, 0.9, tenth, half, np.ones(2)).round(3)
    array([[1.   ],
           [1.08 ],
           [1.094]])
    """
    _check_lengths(features=features, rewards=rewards, next_features=next_features, steps=steps)
    _check_lengths(second_steps=second_steps, ratios=ratios, steps=steps)
    path, u = [w], np.zeros_like(w)
    for t in range(len(steps)):
        h, after, ratio = features[t], next_features[t], ratios[t]
        error = rewards[t] + np.sum(w * (gamma * after - h), axis=-1)
        seen = np.sum(u * h, axis=-1)
        w = w + steps[t] * ratio[..., None] * (error[..., None] * h - gamma * seen[..., None] * after)
        u = u + second_steps[t] * (ratio * (error - seen))[..., None] * h
        path.append(w)
    return np.stack(path)


def growth_rate(matrix: Float[Array, "D D"]) -> float:
    """The largest real part of an eigenvalue of -A. Above 0, the expected update w ← w + η(b - Aw) runs away for every η > 0.

    Below 0 it converges for every small η. At 0 it stands still in a direction (one that the features do not see, in
    Baird's star with on-policy weights).

    >>> round(growth_rate(np.array([[1.0 - 0.9 * 2.0]])), 6)
    0.8
    """
    return float(np.linalg.eigvals(-matrix).real.max())


class Star(NamedTuple):
    """Baird's star: the process, features "7 8", two policies "7 2", and the weights "8" that a run starts from."""

    mdp: MDP
    features: Float[Array, "S D"]
    target: Float[Array, "S A"]
    behavior: Float[Array, "S A"]
    w: Float[Array, " D"]


def baird() -> Star:
    """Seven states without rewards, so v = 0. Action 0 leads to one of the states 0 to 5, action 1 to state 6.

    V(i) = 2 w_i + w_7 for i < 6, and V(6) = w_6 + 2 w_7. The target always takes action 1, the behavior with probability
    1/7; γ = 0.99. Source: Baird (1995), in the form of Sutton & Barto (2018), figure 11.1.

    >>> star = baird()
    >>> star.features[0], star.features[6]
    (array([2., 0., 0., 0., 0., 0., 0., 1.]), array([0., 0., 0., 0., 0., 0., 1., 2.]))
    """
    transitions = np.zeros((7, 2, 7))
    transitions[:, 0, :6] = 1 / 6
    transitions[:, 1, 6] = 1.0
    mdp = MDP(transitions, np.zeros((7, 2)), gamma=0.99, start=np.full(7, 1 / 7))
    features = np.hstack([np.diag([2.0] * 6 + [1.0]), np.array([[1.0]] * 6 + [[2.0]])])
    target, behavior = np.tile([0.0, 1.0], (7, 1)), np.tile([6 / 7, 1 / 7], (7, 1))
    return Star(mdp, features, target, behavior, np.array([1.0, 1, 1, 1, 1, 1, 10, 1]))


def _check_lengths(**streams: Float[Array, "T ..."]) -> None:
    if len({len(stream) for stream in streams.values()}) > 1:
        lengths = ", ".join(f"{name} {len(stream)}" for name, stream in streams.items())
        raise ValueError(
            f"{next(iter(streams))} and the rest must have one row a time step; the lengths are {lengths}."
        )
