"""Steps of a policy that are limited by a KL: the surrogate, the mean KL, its Fisher matrix, the natural gradient.

How far is a gradient to be followed? The size of a step in θ says little; how much the policy changes, at the states
that it visits, says more. Chapter B6; the bridge to PPO (chapter 6). Policies are tables of logits, as in
`rlhw.actor_critic`, and everything is exact.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import log_softmax

from rlhw.actor_critic import exact_advantages, objective, state_softmax
from rlhw.dynamic_programming import discounted_visits
from rlhw.mdp import MDP

Array = np.ndarray


def surrogate(mdp: MDP, old_logits: Float[Array, "S A"], new_logits: Float[Array, "S A"]) -> float:
    """What the old policy's visits and advantages say that the new one earns: J(old) + Σ_s d_old(s) Σ_a π_new(a|s) A_old(s, a).

    At new = old it has the value and the gradient of J. The exact gain has d_new in the place of d_old: the performance
    difference lemma. Sources: Kakade & Langford (2002); Schulman et al. (2015), equation 3.

    >>> from rlhw.worlds import random_walk
    >>> mdp, old = random_walk(1), np.zeros((3, 2))
    >>> round(surrogate(mdp, old, old + np.log([1.0, 3.0])), 6)  # one step only: the surrogate is J
    0.75
    """
    old = state_softmax(old_logits)
    gains = np.sum(state_softmax(new_logits) * exact_advantages(mdp, old), axis=1)
    return objective(mdp, old_logits) + float(discounted_visits(mdp, old) @ gains)


def mean_kl(visits: Float[Array, " S"], old_logits: Float[Array, "S A"], new_logits: Float[Array, "S A"]) -> float:
    """KL(π_old ‖ π_new) of one choice in nats, averaged over states by visits: Σ_s d(s) KL_s / Σ_s d(s).

    >>> round(mean_kl(np.array([3.0, 1.0]), np.zeros((2, 2)), np.log([[1.0, 1.0], [1.0, 3.0]])), 6)
    0.03596
    """
    old, new = log_softmax(old_logits, axis=-1), log_softmax(new_logits, axis=-1)
    return float(visits @ np.sum(np.exp(old) * (old - new), axis=-1) / visits.sum())


def fisher(visits: Float[Array, " S"], policy: Float[Array, "S A"]) -> Float[Array, "S A S A"]:
    """The Fisher matrix of the logits: the mean over visits and actions of ∇ log π (∇ log π)ᵀ, and the curvature of `mean_kl`.

    Block by block: d(s)/Σd (diag π_s - π_s π_sᵀ) between logits of one state, 0 between two. KL ≈ ½ xᵀ F x for a small x.
    Source: Kakade (2001), section 2.

    >>> fisher(np.array([1.0]), np.array([[0.5, 0.5]]))[0, :, 0]
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    states, actions = policy.shape
    blocks = np.eye(actions) * policy[:, None] - policy[:, :, None] * policy[:, None]
    matrix = np.zeros((states, actions, states, actions))
    every = np.arange(states)
    matrix[every, :, every] = (visits / visits.sum())[:, None, None] * blocks
    return matrix


def natural_gradient(mdp: MDP, logits: Float[Array, "S A"]) -> Float[Array, "S A"]:
    """F⁻¹ ∇J, the step that gains most for its mean KL when both are small. For a table it needs no inverse: Σd · A_π.

    Of all solutions of F x = ∇J it is the one with mean 0 in each state, and 0 where the policy never comes; F is that of
    `fisher` at the policy's own discounted visits. Sources: Kakade (2001); Agarwal et al. (2021).

    >>> from rlhw.worlds import random_walk
    >>> natural_gradient(random_walk(1), np.zeros((3, 2)))[1]
    array([-0.5,  0.5])
    """
    policy = state_softmax(logits)
    visits = discounted_visits(mdp, policy)
    advantages = exact_advantages(mdp, policy)
    centred = advantages - advantages.mean(axis=1, keepdims=True)
    return visits.sum() * np.where(visits[:, None] > 0, centred, 0.0)


def kl_step(
    visits: Float[Array, " S"], logits: Float[Array, "S A"], direction: Float[Array, "S A"], kl: float
) -> Float[Array, "S A"]:
    """Go along the direction until the mean KL from the old policy is exactly `kl` nats: θ + c x with c > 0.

    The mean KL along a line rises from 0, ever steeper and without end, so there is one such c; it is found by bracketing.
    Raises ValueError unless kl is positive and finite, and when the direction changes no policy at a visited state.

    >>> moved = kl_step(np.ones(1), np.zeros((1, 2)), np.array([[0.0, 1.0]]), kl=0.1)
    >>> round(mean_kl(np.ones(1), np.zeros((1, 2)), moved), 9)
    0.1
    """
    if not 0 < kl < np.inf:
        raise ValueError(f"kl must be a positive number of nats; got {kl}.")
    old, best = log_softmax(logits, axis=-1), direction.argmax(axis=1)
    # In each state KL(c) > c (greatest x - mean x) + log π of what has it, so that at `far` the limit is passed.
    lead = np.sum(np.exp(old) * (direction.max(axis=1, keepdims=True) - direction), axis=1)
    slope = visits @ lead
    if not slope > 0:
        raise ValueError("direction must change the policy at a visited state: all its rows there are constant.")
    far = (kl * visits.sum() - visits @ old[np.arange(len(best)), best]) / slope

    def excess(c: float) -> float:
        # Rounding may leave the KL at `far` a hair below the limit.
        return mean_kl(visits, logits, logits + c * direction) - kl if c < far else 1.0

    return logits + brentq(excess, 0.0, far, xtol=np.finfo(float).tiny, rtol=1e-14) * direction
