"""Learning about one policy from another's episodes: importance weights, three estimates, and TD.

π is the policy asked about (the target), μ the one that acted (the behavior). Nothing here works without *coverage*: what
π may do, μ must do sometimes. Chapter B4; the same ratio is PPO's, in chapter 6.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlhw.exploration import Schedule
from rlhw.mdp import MDP, Episodes, check_policy, invert

Array = np.ndarray
# From (values, next values, rewards, ratios, gamma) to the error that a TD step goes along.
CorrectedError = Callable[[Array, Array, Array, Array, float], Float[Array, " N"]]


class OffPolicyStep(NamedTuple):
    """One step of N learners that follow the behavior, and `values`, what each believes of the target after it."""

    states: Int[Array, " N"]
    actions: Int[Array, " N"]
    rewards: Float[Array, " N"]
    next_states: Int[Array, " N"]
    values: Float[Array, "N S"]


def check_coverage(target: Float[Array, "S A"], behavior: Float[Array, "S A"]) -> None:
    """ValueError, naming state and action, where the target policy may do what the behavior never does.

    >>> check_coverage(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    """
    bare = np.argwhere((target > 0) & (behavior <= 0))
    if len(bare):
        state, action = bare[0]
        raise ValueError(
            f"behavior must cover target; in state {state} target takes action {action} with probability "
            f"{target[state, action]:g}, behavior never does. Give that action a probability above 0."
        )


def taken(policy: Float[Array, "S A"], episodes: Episodes) -> Float[Array, "N T"]:
    """The probability that a policy gives to each action taken; 1 after an episode's end, where nothing is chosen.

    >>> one = Episodes(np.array([[0, 1, 1]]), np.array([[1, 0]]), np.zeros((1, 2)), np.array([[True, False]]))
    >>> taken(np.array([[0.3, 0.7], [0.5, 0.5]]), one)
    array([[0.7, 1. ]])
    """
    return np.where(episodes.mask, policy[episodes.states[:, :-1], episodes.actions], 1.0)


def importance_weights(target: Float[Array, "N T"], behavior: Float[Array, "N T"]) -> Float[Array, "N T"]:
    """ρ_{0:t} = Π_{k ≤ t} π(a_k|s_k)/μ(a_k|s_k) for every t, from the probabilities of the actions taken.

    Raises ValueError where μ gave an action that was taken no probability. Source: Precup et al. (2000).

    >>> importance_weights(np.array([[0.9, 0.1, 0.9]]), np.array([[0.5, 0.5, 0.5]]))
    array([[1.8  , 0.36 , 0.648]])
    """
    if np.any(behavior <= 0):
        episode, step = np.argwhere(behavior <= 0)[0]
        raise ValueError(f"behavior must be above 0 for actions that were taken; episode {episode}, step {step} has 0.")
    return np.cumprod(target / behavior, axis=1)


def discounted_return(rewards: Float[Array, "N T"], gamma: float) -> Float[Array, " N"]:
    """G = Σ_t γᵗ r_t of each episode.

    >>> discounted_return(np.array([[1.0, 2.0, 4.0]]), gamma=0.5)
    array([3.])
    """
    return rewards @ gamma ** np.arange(rewards.shape[1])


def ordinary_importance_sampling(
    weights: Float[Array, "N T"], rewards: Float[Array, "N T"], gamma: float
) -> Float[Array, " N"]:
    """Each episode's ρ_{0:T-1} G, whose mean over μ's episodes is v_π: the whole return by the weight of the whole episode.

    Source: Precup et al. (2000); Sutton & Barto (2018), equation 5.5.

    >>> ordinary_importance_sampling(np.array([[2.0, 0.5]]), np.array([[1.0, 4.0]]), gamma=0.5)
    array([1.5])
    """
    return weights[:, -1] * discounted_return(rewards, gamma)


def per_decision_importance_sampling(
    weights: Float[Array, "N T"], rewards: Float[Array, "N T"], gamma: float
) -> Float[Array, " N"]:
    """Each episode's Σ_t γᵗ ρ_{0:t} r_t, with the same mean v_π: no reward is weighted by choices made after it.

    Source: Precup et al. (2000); Sutton & Barto (2018), section 5.9.

    >>> per_decision_importance_sampling(np.array([[2.0, 0.5]]), np.array([[1.0, 4.0]]), gamma=0.5)
    array([3.])
    """
    return discounted_return(weights * rewards, gamma)


def weighted_importance_sampling(weights: Float[Array, "N T"], rewards: Float[Array, "N T"], gamma: float) -> float:
    """Σ_n ρ_n G_n / Σ_n ρ_n over N episodes: biased, and never outside the returns seen.

    Raises ValueError when every weight is zero. Source: Sutton & Barto (2018), equation 5.6.

    >>> weighted_importance_sampling(np.array([[1.5], [0.5]]), np.array([[4.0], [0.0]]), gamma=1.0)
    3.0
    """
    last = weights[:, -1]
    if not last.sum() > 0:
        raise ValueError(
            "weights must not all be zero: target would have made none of these episodes. Take more of them."
        )
    return float(last @ discounted_return(rewards, gamma) / last.sum())


def corrected_error(values: Array, next_values: Array, rewards: Array, ratios: Array, gamma: float) -> Array:
    """ρ (r + γ v' - v): the TD error by its weight. An action that π never takes (ρ = 0) changes nothing.

    All but gamma of shape "N". Source: Sutton & Barto (2018), section 11.1.

    >>> corrected_error(*map(np.array, ([2.0, 2.0], [0.0, 0.0], [1.0, 3.0], [1.8, 0.2])), gamma=0.9)
    array([-1.8,  0.2])
    """
    return ratios * (rewards + gamma * next_values - values)


def corrected_target(values: Array, next_values: Array, rewards: Array, ratios: Array, gamma: float) -> Array:
    """ρ (r + γ v') - v: the target by its weight. The mean is that of `corrected_error`, the variance is not.

    All but gamma of shape "N". With ρ = 0 it still draws v towards zero.

    >>> corrected_target(*map(np.array, ([2.0, 2.0], [0.0, 0.0], [1.0, 3.0], [1.8, 0.2])), gamma=0.9)
    array([-0.2, -1.4])
    """
    return ratios * (rewards + gamma * next_values) - values


def off_policy_td(
    mdp: MDP,
    target: Float[Array, "S A"],
    behavior: Float[Array, "S A"],
    *,
    error: CorrectedError,
    step_size: Schedule,
    learners: int,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[OffPolicyStep]:
    """TD(0) for v_π from the steps of μ: v(s) ← v(s) + η error, with `corrected_error` or `corrected_target`.

    Values start at zero; `step_size` is asked with n(s), this visit included. An episode that ends is followed by the next
    at once. Raises ValueError as `check_coverage` and `check_policy` do.

    >>> from rlhw.exploration import power
    >>> from rlhw.worlds import random_walk
    >>> right, fair = np.array([[0.1, 0.9]] * 3), np.full((3, 2), 0.5)
    >>> how = {"error": corrected_error, "step_size": power(1.0), "learners": 1000, "steps": 100}
    >>> *_, last = off_policy_td(random_walk(1), right, fair, **how, rng=np.random.default_rng(0))
    >>> last.values.mean(axis=0).round(2)  # v = 0.9
    array([0. , 0.9, 0. ])
    """
    for policy in (target, behavior):
        check_policy(mdp, policy)
    check_coverage(target, behavior)
    each, values = np.arange(learners), np.zeros((learners, len(mdp.start)))
    counts = np.zeros(values.shape, dtype=int)
    begin, law = np.broadcast_to(np.cumsum(mdp.start), values.shape), np.cumsum(behavior, axis=1)
    states = invert(begin, rng.random(learners))
    for _ in range(steps):
        actions = invert(law[states], rng.random(learners))
        rewards, after = mdp.step(states, actions, rng.random(learners))
        ratios = target[states, actions] / behavior[states, actions]
        counts[each, states] += 1
        change = error(values[each, states], values[each, after], rewards, ratios, mdp.gamma)
        values[each, states] += step_size(counts[each, states]) * change
        yield OffPolicyStep(states, actions, rewards, after, values.copy())
        states = np.where(mdp.terminal[after], invert(begin, rng.random(learners)), after)
