"""The slips of chapter B2, measured: `python -m benchmarks.slips_b2` writes results/slips_b2.json."""

from collections.abc import Callable
from itertools import product

import numpy as np

from benchmarks.slips import Slip, write_card
from rlhw.dynamic_programming import (
    action_values,
    bellman_expectation,
    bellman_optimality,
    plant,
    policy_iteration,
    solve_policy,
    value_iteration,
)
from rlhw.mdp import MDP, uniform_policy
from rlhw.worlds import random_mdp, random_walk


def error_when_stopped(stop: Callable[[MDP, float], np.ndarray]) -> float:
    """Largest error of v when a rule has stopped value iteration with 0.01 in mind; 30 states, gamma = 0.99."""
    mdp = random_mdp(30, 4, np.random.default_rng(0), gamma=0.99)
    return float(np.abs(stop(mdp, 0.01) - policy_iteration(mdp)[0]).max())


def stop_at_small_change(mdp: MDP, tolerance: float) -> np.ndarray:
    v, change = np.zeros(len(mdp.rewards)), np.inf
    while change > tolerance:
        v, old = bellman_optimality(mdp, v), v
        change = np.abs(v - old).max()
    return v


def error_after_ten(predict: Callable[[float], float]) -> float:
    """Error of the plant's values after ten sweeps from zero, predicted from the error at the start."""
    return predict(float(policy_iteration(plant())[0].max()))


def sweep_ten(first: float) -> float:
    v = np.zeros(3)
    for _ in range(10):
        v = bellman_optimality(plant(), v)
    return float(np.abs(v - policy_iteration(plant())[0]).max())


def small_plant_worth(values: Callable[[MDP], np.ndarray]) -> float:
    """What a small plant is worth at best."""
    return float(values(plant())[0])


def reward_and_future_apart(mdp: MDP) -> np.ndarray:
    """The fixed point of v = max_a r(s, a) + γ max_a Σ p v: the best reward from one action, the best future from another."""
    v = np.zeros(len(mdp.rewards))
    for _ in range(500):
        v = mdp.rewards.max(axis=1) + mdp.gamma * (mdp.transitions @ v).max(axis=1)
    return v


def earned_by(choose: Callable[[MDP, np.ndarray], np.ndarray]) -> float:
    """What a small plant earns under the policy that is chosen once v* is known."""
    mdp = plant()
    best = choose(mdp, policy_iteration(mdp)[0]).argmax(axis=1)
    return float(solve_policy(mdp, np.eye(2)[best])[0])


def middle_of_the_walk(start: float) -> float:
    """Value of the middle of a walk of five states, by 2,000 sweeps from v = start in every state, its ends included."""
    mdp, v = random_walk(5), np.full(7, start)
    for _ in range(2000):
        v = bellman_expectation(mdp, uniform_policy(mdp), v)
    return float(v[3])


def way_out(best: Callable[[MDP], float]) -> float:
    """What the hall of a waiting room is worth: staying is free, each of two steps to the end costs 1, gamma = 1."""
    stay, on = np.eye(3), np.eye(3)[[1, 2, 2]]
    rewards = np.array([[0.0, -1.0], [0.0, -1.0], [0.0, 0.0]])
    return best(MDP(np.stack([stay, on], axis=1), rewards, 1.0, np.eye(3)[0]))


def sweep_from_zero(mdp: MDP) -> float:
    v = np.zeros(3)
    for _ in range(100):
        v = bellman_optimality(mdp, v)
    return float(v[0])


def best_at_the_fork(seen: Callable[[tuple[int, ...]], object]) -> float:
    """A sign (0 or 1) is shown at the start, then an empty corridor, then a fork: 1 for the turn that the sign named.

    The best over all rules from what is `seen` of the history (sign, corridor, fork) to a turn, the sign being fair.
    """
    histories = [(sign, 2, 3) for sign in (0, 1)]
    views = sorted({seen(h) for h in histories})
    rules = (dict(zip(views, turns, strict=True)) for turns in product((0, 1), repeat=len(views)))
    return max(float(np.mean([rule[seen(h)] == h[0] for h in histories])) for rule in rules)


SLIPS = {
    "change_is_error": Slip(
        "error when sweeps stop at a change of 0.01, gamma = 0.99 (right: at gamma/(1 - gamma) times the change)",
        error_when_stopped,
        wrong=stop_at_small_change,
        right=lambda mdp, tolerance: value_iteration(mdp, tolerance)[0],
    ),
    "exactly_gamma": Slip(
        "error of the plant after ten sweeps if each took exactly the factor 0.8 (right: as it is)",
        error_after_ten,
        wrong=lambda first: 0.8**10 * first,
        right=sweep_ten,
    ),
    "solve_is_best": Slip(
        "value of a small plant by a direct solve for the uniform policy (right: for the final greedy policy)",
        small_plant_worth,
        wrong=lambda mdp: solve_policy(mdp, uniform_policy(mdp)),
        right=lambda mdp: solve_policy(mdp, policy_iteration(mdp)[1]),
    ),
    "two_maxima": Slip(
        "value of a small plant with one maximum over rewards and another over futures (right: one over their sum)",
        small_plant_worth,
        wrong=reward_and_future_apart,
        right=lambda mdp: policy_iteration(mdp)[0],
    ),
    "greedy_without_reward": Slip(
        "earned by going where the next state is worth most, v* known (right: reward plus gamma times that)",
        earned_by,
        wrong=lambda mdp, v: mdp.transitions @ v,
        right=action_values,
    ),
    "value_of_the_end": Slip(
        "value of the middle of a walk, gamma = 1, sweeps from 1 everywhere (right: from 0 at the ends)",
        middle_of_the_walk,
        wrong=1.0,
        right=0.0,
    ),
    "free_staying": Slip(
        "value of the hall by sweeps from zero, staying is free, gamma = 1 (right: of the best policy that ends)",
        way_out,
        wrong=sweep_from_zero,
        right=lambda mdp: float(policy_iteration(mdp)[0][0]),
    ),
    "observation_is_state": Slip(
        "best mean reward at the fork from what is seen there (right: from the whole history)",
        best_at_the_fork,
        wrong=lambda history: history[-1],
        right=lambda history: history,
    ),
}

if __name__ == "__main__":
    write_card(
        "b2",
        "The slips of chapter B2, measured",
        SLIPS,
        ["rlhw.dynamic_programming", "rlhw.mdp", "rlhw.worlds", "benchmarks.slips_b2"],
    )
