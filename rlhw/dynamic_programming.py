"""Dynamic programming: the values of a decision process whose transitions are known, by linear algebra and by sweeps.

`solve_policy` and `policy_iteration` are exact; `policy_evaluation` and `value_iteration` stop at a stated error. Chapters
B3 to B6 hold what a learner estimates against them. Two actions whose values differ by less than `TIE` (relative) are tied.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from rlhw.mdp import MDP, check_policy, check_values, uniform_policy

Array = np.ndarray
Sweep = Callable[[Float[Array, " S"]], Float[Array, " S"]]

# Rounding must not part what is equal, or arrows in a symmetric world point at random and policy iteration never ends.
TIE = 1e-12


def plant(gamma: float = 0.8) -> MDP:
    """The example of chapter B2. States: small, ripe, picked (the end). Actions: wait, pick.

    A small plant that waits is ripe tomorrow with probability ½. Picked small it pays 1, ripe 4. Raises what `MDP` raises.

    >>> plant().rewards
    array([[0., 1.],
           [0., 4.],
           [0., 0.]])
    """
    small, ripe, picked = np.eye(3)
    transitions = np.array([[(small + ripe) / 2, picked], [ripe, picked], [picked, picked]])
    return MDP(transitions, np.array([[0.0, 1.0], [0.0, 4.0], [0.0, 0.0]]), gamma, small)


def policy_model(mdp: MDP, policy: Float[Array, "S A"]) -> tuple[Float[Array, "S S"], Float[Array, " S"]]:
    """The matrix P_π[s, s'] = Σ_a π(a|s) p(s'|s, a) and the vector r_π[s] = Σ_a π(a|s) r(s, a): the chain a policy makes.

    Raises ValueError unless every row of the policy is a law over the actions.
    Source: Puterman (1994), section 5.6.

    >>> policy_model(plant(), uniform_policy(plant()))[0]
    array([[0.25, 0.25, 0.5 ],
           [0.  , 0.5 , 0.5 ],
           [0.  , 0.  , 1.  ]])
    """
    check_policy(mdp, policy)
    return np.einsum("sa,sat->st", policy, mdp.transitions), (policy * mdp.rewards).sum(axis=1)


def action_values(mdp: MDP, v: Float[Array, " S"]) -> Float[Array, "S A"]:
    """q(s, a) = r(s, a) + γ Σ_s' p(s'|s, a) v(s'): act once, then earn what v promises.

    Raises ValueError unless v has one number a state. Source: Sutton & Barto (2018), equation 4.6.

    >>> action_values(plant(), np.array([2.0, 4.0, 0.0]))
    array([[2.4, 1. ],
           [3.2, 4. ],
           [0. , 0. ]])
    """
    check_values(mdp, v)
    return mdp.rewards + mdp.gamma * mdp.transitions @ v


def bellman_expectation(mdp: MDP, policy: Float[Array, "S A"], v: Float[Array, " S"]) -> Float[Array, " S"]:
    """(B_π v)(s) = Σ_a π(a|s) q(s, a): one sweep of evaluation; v_π is its fixed point.

    Raises what `policy_model` raises, and ValueError unless v has one number a state. Source: Sutton & Barto (2018), equation
    4.5.

    >>> bellman_expectation(plant(), uniform_policy(plant()), np.array([2.0, 4.0, 0.0]))
    array([1.7, 3.6, 0. ])
    """
    check_values(mdp, v)
    chain, rewards = policy_model(mdp, policy)
    return rewards + mdp.gamma * chain @ v


def bellman_optimality(mdp: MDP, v: Float[Array, " S"]) -> Float[Array, " S"]:
    """(B* v)(s) = max_a q(s, a): one sweep of value iteration; v* is its fixed point.

    Source: Sutton & Barto (2018), equation 4.10.

    >>> bellman_optimality(plant(), np.array([2.0, 4.0, 0.0]))
    array([2.4, 4. , 0. ])
    """
    return action_values(mdp, v).max(axis=1)


def solve_policy(mdp: MDP, policy: Float[Array, "S A"]) -> Float[Array, " S"]:
    """v_π = (I - γ P_π)⁻¹ r_π over the states that are not terminal, at a cost of O(S³); terminal states are worth 0.

    Raises what `policy_model` raises, and for γ = 1 ValueError with a state from which the policy never ends: nothing
    bounds its sum of rewards. Source: Puterman (1994), theorem 6.1.1.

    >>> solve_policy(plant(), uniform_policy(plant())).round(4)
    array([1.4583, 3.3333, 0.    ])
    """
    chain, rewards = policy_model(mdp, policy)
    live = _live(mdp, chain)
    v = np.zeros(len(rewards))
    v[live] = np.linalg.solve(np.eye(live.sum()) - mdp.gamma * chain[live][:, live], rewards[live])
    return v


def discounted_visits(mdp: MDP, policy: Float[Array, "S A"]) -> Float[Array, " S"]:
    """d(s) = Σ_t γᵗ P(s_t = s): start · (I - γ P_π)⁻¹, visits before the end only, so 0 in terminal states.

    start · v_π = d · r_π: what a policy earns is what it earns where it is. Raises what `solve_policy` raises.
    Source: Sutton et al. (2000), theorem 1.

    >>> discounted_visits(plant(), uniform_policy(plant())).round(4)
    array([1.25  , 0.4167, 0.    ])
    """
    chain, _ = policy_model(mdp, policy)
    live = _live(mdp, chain)
    visits = np.zeros(len(chain))
    visits[live] = np.linalg.solve(np.eye(live.sum()) - mdp.gamma * chain[live][:, live].T, mdp.start[live])
    return visits


def greedy_policy(mdp: MDP, v: Float[Array, " S"]) -> Float[Array, "S A"]:
    """The policy that takes the best action by q(s, ·), shared equally where several are tied.

    Shared, so that where some best action leads on to the end this policy gets there.

    >>> greedy_policy(plant(), np.array([2.0, 4.0, 0.0]))
    array([[1. , 0. ],
           [0. , 1. ],
           [0.5, 0.5]])
    """
    q = action_values(mdp, v)
    best = q >= q.max(axis=1, keepdims=True) - _tie(q)
    return best / best.sum(axis=1, keepdims=True)


def error_bound(gamma: float, change: float) -> float:
    """γ / (1 - γ) · change: how far v may still be from the fixed point when the last sweep changed it by `change`.

    Both are distances in the maximum norm. For γ = 1 there is no such bound: inf.
    Source: Puterman (1994), section 6.3.

    >>> error_bound(0.75, 0.5)
    1.5
    """
    return gamma / (1 - gamma) * change if gamma < 1 else float("inf")


def policy_evaluation(
    mdp: MDP, policy: Float[Array, "S A"], tolerance: float, max_sweeps: int = 100_000
) -> tuple[Float[Array, " S"], int]:
    """v within `tolerance` of v_π, and the sweeps v ← r_π + γ P_π v it took from v = 0, at O(S²) each.

    It stops when `error_bound` is at most `tolerance`; for γ = 1, when a sweep changes nothing by more than `tolerance`,
    and then the error can be larger. Raises what `solve_policy` raises, and ValueError for a tolerance that is not
    positive or not reached. Source: Sutton & Barto (2018), section 4.1.

    >>> policy_evaluation(plant(), uniform_policy(plant()), tolerance=0.01)[0].round(3)
    array([1.457, 3.332, 0.   ])
    """
    chain, rewards = policy_model(mdp, policy)
    _live(mdp, chain)
    return _sweep(lambda v: rewards + mdp.gamma * chain @ v, mdp, tolerance, max_sweeps)


def value_iteration(
    mdp: MDP, tolerance: float, max_sweeps: int = 100_000
) -> tuple[Float[Array, " S"], Float[Array, "S A"], int]:
    """v within `tolerance` of v*, its greedy policy, and the sweeps v ← B* v it took from v = 0, at O(S² A) each.

    It stops as `policy_evaluation` does. The policy's own value can be off by more: 2γ/(1 - γ) times the error of v.
    Raises what `policy_evaluation` raises; for γ = 1 the greedy policy must end, or it is refused with a state.
    Source: Bellman (1957); Sutton & Barto (2018), section 4.4.

    >>> value_iteration(plant(), tolerance=0.01)[0].round(3)
    array([2.666, 4.   , 0.   ])
    """
    v, sweeps = _sweep(lambda v: bellman_optimality(mdp, v), mdp, tolerance, max_sweeps)
    policy = greedy_policy(mdp, v)
    _live(mdp, policy_model(mdp, policy)[0])
    return v, policy, sweeps


def policy_iteration(mdp: MDP, max_rounds: int = 1000) -> tuple[Float[Array, " S"], Float[Array, "S A"], int]:
    """v*, a policy that attains it, and the rounds (policies solved): solve, improve where some action gains, repeat.

    It starts with the uniform policy, and a state keeps what it does unless an action gains more than a tie, so no two
    equal policies follow each other for ever; and for γ = 1 an end that was reached before still is. Raises what
    `solve_policy` raises, then because rewards without end are to be had. Source: Howard (1960), chapter 4.

    >>> policy_iteration(plant())[0].round(4)
    array([2.6667, 4.    , 0.    ])
    """
    policy = uniform_policy(mdp)
    for rounds in range(1, max_rounds + 1):
        v = solve_policy(mdp, policy)
        q = action_values(mdp, v)
        gains = q.max(axis=1) > v + _tie(q)
        if not gains.any():
            return v, policy, rounds
        policy = np.where(gains[:, None], greedy_policy(mdp, v), policy)
    raise ValueError(f"max_rounds = {max_rounds} rounds were not enough to find a best policy; allow more.")


def _tie(q: Float[Array, "S A"]) -> float:
    """The difference of values of this size that is taken for rounding."""
    return TIE * float(np.abs(q).max())


def _live(mdp: MDP, chain: Float[Array, "S S"]) -> Bool[Array, " S"]:
    """The states that are not terminal. For γ = 1 ValueError unless the chain comes to a terminal state from each."""
    if mdp.gamma == 1:
        ends = mdp.terminal
        for _ in chain:
            ends = ends | (chain @ ends > 0)
        if not ends.all():
            raise ValueError(
                f"policy never ends from state {int(np.argmin(ends))}, and gamma is 1: its rewards may add up without "
                "bound. Give the policy a way to a terminal state, or take gamma below 1."
            )
    return ~mdp.terminal


def _sweep(backup: Sweep, mdp: MDP, tolerance: float, max_sweeps: int) -> tuple[Float[Array, " S"], int]:
    """Apply a backup to v = 0 until the stopping rule holds; v and the number of sweeps."""
    if not tolerance > 0:
        raise ValueError(f"tolerance must be a positive number, in units of reward; got {tolerance}.")
    v, change = np.zeros(len(mdp.rewards)), float("inf")
    for sweeps in range(1, max_sweeps + 1):
        old, v = v, backup(v)
        change = float(np.abs(v - old).max())
        if (change if mdp.gamma == 1 else error_bound(mdp.gamma, change)) <= tolerance:
            return v, sweeps
    raise ValueError(
        f"tolerance {tolerance:g} was not reached in {max_sweeps} sweeps: the last one changed a value by {change:.3g}. "
        "Allow more error or more sweeps; with gamma = 1 rewards may add up without end."
    )
