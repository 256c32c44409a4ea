"""The slips of chapter B4, measured: `python -m benchmarks.slips_b4` writes results/slips_b4.json."""

from itertools import product

import numpy as np

from benchmarks.slips import Slip, write_card
from rlhw import importance
from rlhw.control import q_learning_target
from rlhw.dynamic_programming import action_values, policy_iteration, solve_policy
from rlhw.exploration import epsilon_soft, inverse_visits, softened
from rlhw.off_policy import corrected_error, corrected_target, importance_weights, ordinary_importance_sampling
from rlhw.worlds import cliff, gridworld

EPISODES, GAMMA = 10_000, 0.5
PI, MU = np.array([0.9, 0.1]), np.array([0.5, 0.5])


def first_step(target) -> float:
    """Value of the first step through a corridor of six, after sweeps of one target over all states."""
    mdp = gridworld(("S.....G",), gamma=GAMMA)
    q = np.zeros(mdp.rewards.shape)
    for _ in range(20):
        for s, a in np.ndindex(6, 4):
            after = int(mdp.transitions[s, a].argmax())
            q[s, a] = target(mdp.rewards[s, [a]], q[[after]], GAMMA)[0]
    return float(q[0].max())


def visits_two_deep(epsilon) -> float:
    """Expected visits two exploratory actions deep, of two actions; epsilon(k, n) in episode k at a state's n-th visit."""
    # The law of the number of visits to the state on the way, one episode after the other.
    law, numbers, expected = np.eye(301)[0], np.arange(1, 302), 0.0
    for k in range(1, EPISODES + 1):
        arrives = epsilon(k, k) / 2
        expected += arrives * float(law @ np.broadcast_to(epsilon(k, numbers), numbers.shape)) / 2
        law[1:] += arrives * (law[:-1] - law[1:])
        law[0] *= 1 - arrives
    return expected


def acting(table) -> float:
    """Value of the cliff's start under the 0.1-greedy policy of a table."""
    mdp = cliff()
    return float(solve_policy(mdp, epsilon_soft(table(mdp), np.full(48, 0.1)))[36])


def best_of_all(mdp):
    return action_values(mdp, policy_iteration(mdp)[0])


def best_of_explorers(mdp):
    return action_values(mdp, policy_iteration(softened(mdp, 0.1))[0])


def variance_at_the_value(error) -> float:
    """Variance of the correction at v = 1.2, for two equally likely actions that pay 1 and 3."""
    errors = error(np.full(2, 1.2), np.zeros(2), np.array([1.0, 3.0]), PI / MU, 1.0)
    return float(MU @ (errors - MU @ errors) ** 2)


def weighted_mean(behavior) -> float:
    """E_μ[ρ r] for π = (½, ½) and rewards 1 and 3, summed over what the behavior does."""
    law, target = behavior(), np.full(2, 0.5)
    done = law > 0
    return float(law[done] @ (target[done] / law[done] * np.array([1.0, 3.0])[done]))


def relative_error(spread) -> float:
    """Standard error of 1,000 episodes of 20 steps as a share of the value 18."""
    return spread() / 18.0


def seen() -> float:
    """The median, over 20 samples, of what a sample reports of itself."""
    rng, found = np.random.default_rng(0), []
    for _ in range(20):
        actions = (rng.random((1000, 20)) < 0.5).astype(int)
        weights = importance_weights(PI[actions], MU[actions])
        found.append(ordinary_importance_sampling(weights, 1.0 - actions, 1.0).std() / 1000**0.5)
    return float(np.median(found))


def exact() -> float:
    return (importance.ordinary_variance(PI, MU, np.array([1.0, 0.0]), 20) / 1000) ** 0.5


def mean_of_estimate(estimate) -> float:
    """Mean over all tosses of two pairs of fair coins of ±1: a pair of estimates, and a second one."""
    return float(np.mean([estimate(tosses[:2], tosses[2:]) for tosses in product((-1.0, 1.0), repeat=4)]))


def of_the_others_choice(first, second) -> float:
    """The first pair's value of what the second prefers; where the second has no preference, the mean."""
    return first[int(np.argmax(second))] if second[0] != second[1] else sum(first) / 2


SLIPS = {
    "gamma_in_the_target": Slip(
        "value of the first of six steps of -1 with γ = 0.5, target without γ (right: with it)",
        first_step,
        wrong=lambda rewards, next_q, gamma: rewards + next_q.max(axis=1),
        right=q_learning_target,
    ),
    "one_over_episode": Slip(
        "expected visits two exploratory actions deep in 10,000 episodes, ε = 1/k (right: 20/n(s))",
        visits_two_deep,
        wrong=lambda k, n: 1 / k,
        right=lambda k, n: inverse_visits(20.0)(np.asarray(n)),
        unit="visits",
    ),
    "best_to_act_by": Slip(
        "value of the 0.1-greedy policy on the cliff, by q* (right: by q of the best such policy)",
        acting,
        wrong=best_of_all,
        right=best_of_explorers,
    ),
    "two_corrections": Slip(
        "variance of the correction at v = 1.2, target by its ratio (right: the whole error)",
        variance_at_the_value,
        wrong=corrected_target,
        right=corrected_error,
    ),
    "no_coverage": Slip(
        "mean of weight times reward, 1 and 3, for π = (½, ½), behavior (1, 0) (right: (0.9, 0.1))",
        weighted_mean,
        wrong=lambda: np.array([1.0, 0.0]),
        right=lambda: np.array([0.9, 0.1]),
    ),
    "seen_spread": Slip(
        "relative standard error of 1,000 episodes of 20 steps, as the sample reports it (right: exact)",
        relative_error,
        wrong=seen,
        right=exact,
    ),
    "greatest_estimate": Slip(
        "mean estimate of the greatest of two values 0, greatest of the estimates (right: by a second pair's choice)",
        mean_of_estimate,
        wrong=lambda first, second: max(first),
        right=of_the_others_choice,
    ),
}

if __name__ == "__main__":
    modules = ["rlhw.control", "rlhw.exploration", "rlhw.off_policy", "rlhw.importance", "benchmarks.slips_b4"]
    write_card("b4", "The slips of chapter B4, measured", SLIPS, modules)
