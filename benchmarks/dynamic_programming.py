"""Chapter B2 measured: four ways to the same values, sweeps against γᵏ, and what an answer costs as the states grow.

`python -m benchmarks.dynamic_programming` writes the card; it needs quantecon, an independent implementation (extra `dev`).
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from rlhw import cards
from rlhw.dynamic_programming import (
    bellman_optimality,
    greedy_policy,
    plant,
    policy_evaluation,
    policy_iteration,
    solve_policy,
    value_iteration,
)
from rlhw.mdp import MDP
from rlhw.worlds import random_mdp

AGREEMENT = 1e-9
PROCESSES = 100
SIZES = (125, 250, 500, 1000, 2000)
TIMED_GAMMAS = {"sweeps_5": 0.5, "sweeps_9": 0.9}
TIMED_TOLERANCE = 1e-6


def processes() -> Iterator[MDP]:
    """100 random MDPs of 3 to 40 states, 2 to 6 actions, gamma from 0.5 to 0.99: every second one sparse."""
    rng = np.random.default_rng(2)
    for n in range(PROCESSES):
        states, actions, gamma = int(rng.integers(3, 41)), int(rng.integers(2, 7)), float(rng.uniform(0.5, 0.99))
        yield (sparse_mdp if n % 2 else random_mdp)(states, actions, rng, gamma)


def sparse_mdp(states: int, actions: int, rng: np.random.Generator, gamma: float) -> MDP:
    """Each action leads to one of two states, and one state in four pays: unlike in the flat ones, looking ahead matters."""
    transitions = np.zeros((states, actions, states))
    rows = np.arange(states)[:, None], np.arange(actions)
    share = rng.uniform(0.1, 0.9, (states, actions))
    np.add.at(transitions, (*rows, rng.integers(states, size=(states, actions))), share)
    np.add.at(transitions, (*rows, rng.integers(states, size=(states, actions))), 1 - share)
    pays = (rng.random((states, 1)) < 0.25) | (np.arange(states) == rng.integers(states))[:, None]
    rewards = rng.standard_normal((states, actions)) * pays
    return MDP(transitions, rewards, gamma, rng.dirichlet(np.ones(states)))


def by_quantecon(mdp: MDP) -> np.ndarray:
    """v* by quantecon's DiscreteDP, whose policy iteration shares no line with ours."""
    from quantecon.markov import DiscreteDP

    return DiscreteDP(mdp.rewards, mdp.transitions, mdp.gamma).solve(method="policy_iteration").v


def agreement() -> dict[str, dict]:
    """The largest distance between any two of the four values, over all states of 100 MDPs."""
    names = ("value iteration", "policy iteration", "direct solve of the greedy policy", "quantecon")
    gaps, rounds, sweeps, policy_sweeps = np.zeros((4, 4)), [], [], []
    for mdp in processes():
        v_sweeps, policy, n = value_iteration(mdp, tolerance=AGREEMENT / 10)
        v_rounds, best, m = policy_iteration(mdp)
        values = np.array([v_sweeps, v_rounds, solve_policy(mdp, policy), by_quantecon(mdp)])
        gaps = np.maximum(gaps, np.abs(values[:, None] - values).max(axis=2))
        rounds.append(m)
        sweeps.append(n)
        policy_sweeps.append(sweeps_until_best(mdp, best, n))
    worst = float(gaps.max())
    met = worst <= AGREEMENT
    first, second = np.unravel_index(int(gaps.argmax()), gaps.shape)
    print(f"agreement of four ways: {worst:.1e} ({names[first]}, {names[second]}); bound {AGREEMENT:g}:", said(met))
    for what, counts in (("rounds", rounds), ("sweeps", sweeps), ("sweeps until the policy is best", policy_sweeps)):
        print(f"{what}: median {np.median(counts)}, {min(counts)} to {max(counts)}")
    where = "100 random MDPs"
    return {
        "agreement": cards.metric(
            f"largest distance of two of four values of a state, {where}", worst, bound=f"<= {AGREEMENT:g}", met=met
        ),
        "against_quantecon": cards.metric("the same, ours against quantecon's only", float(gaps[3].max())),
        "rounds": cards.metric(f"rounds of policy iteration, {where}", rounds),
        "sweeps": cards.metric(f"sweeps of value iteration to an error of {AGREEMENT / 10:g}, {where}", sweeps),
        "policy_sweeps": cards.metric(
            f"sweeps after which the greedy policy is and stays best, {where}", policy_sweeps
        ),
    }


def sweeps_until_best(mdp: MDP, best: np.ndarray, most: int) -> int:
    """After how many sweeps from zero the greedy policy takes best actions only, and goes on to."""
    v, last_wrong = np.zeros(len(best)), -1
    q_best = greedy_policy(mdp, solve_policy(mdp, best)) > 0
    for n in range(most + 1):
        if np.any((greedy_policy(mdp, v) > 0) & ~q_best):
            last_wrong = n
        v = bellman_optimality(mdp, v)
    return last_wrong + 1


def convergence() -> dict[str, dict]:
    """Errors of value iteration as a share of the bound γᵏ · (error at the start), by where it starts."""
    metrics = {}
    for label, shares in (("zero", shares_of_bound(constant=False)), ("constant", shares_of_bound(constant=True))):
        for k, share in shares.items():
            meaning = (
                f"error after {k} sweeps over γ^k times the first, start at {label}, γ = 0.9, 20 MDPs of 30 states"
            )
            metrics[f"{label}_{k}"] = cards.metric(meaning, share)
        print(
            label, {k: (round(min(s), 4), round(float(np.median(s)), 4), round(max(s), 4)) for k, s in shares.items()}
        )
    greatest = max(entry["high"] for entry in metrics.values())
    metrics["above_bound"] = cards.metric(
        "greatest of these shares", greatest, bound="<= 1 + 1e-9", met=greatest <= 1 + 1e-9
    )
    v, errors = np.zeros(3), []
    for _ in range(11):
        errors.append(float(np.abs(v - [8 / 3, 4, 0]).max()))
        v = bellman_optimality(plant(), v)
    metrics["plant_10"] = cards.metric("the same for the plant after 10 sweeps from zero", errors[10] / (0.8**10 * 4))
    return metrics


def shares_of_bound(constant: bool) -> dict[int, list[float]]:
    """For each number of sweeps, one share for each of 20 MDPs. A constant start is v* + 1."""
    shares: dict[int, list[float]] = {1: [], 5: [], 20: [], 60: []}
    for seed in range(20):
        mdp = random_mdp(30, 4, np.random.default_rng(seed), gamma=0.9)
        exact = policy_iteration(mdp)[0]
        v = exact + 1.0 if constant else np.zeros(30)
        first = np.abs(v - exact).max()
        for k in range(1, 61):
            v = bellman_optimality(mdp, v)
            if k in shares:
                shares[k].append(float(np.abs(v - exact).max() / (0.9**k * first)))
    return shares


def costs() -> dict[str, dict]:
    """Processor time of a direct solve and of sweeps to an error of 1e-6, as the states grow; one action, 5 seeds."""
    times: dict[tuple[str, int], list[float]] = {}
    counts: dict[str, list[float]] = {}
    for states in SIZES:
        for seed in range(5):
            mdp, only = random_mdp(states, 1, np.random.default_rng(seed)), np.ones((states, 1))
            times.setdefault(("solve", states), []).append(least_milliseconds(lambda: solve_policy(mdp, only)))  # noqa: B023
            for way, gamma in TIMED_GAMMAS.items():
                same = MDP(mdp.transitions, mdp.rewards, gamma, mdp.start)
                spent = least_milliseconds(lambda: policy_evaluation(same, only, TIMED_TOLERANCE))  # noqa: B023
                times.setdefault((way, states), []).append(spent)
                counts.setdefault(f"{way}_{states}", []).append(policy_evaluation(same, only, TIMED_TOLERANCE)[1])
        print(states, "states, ms:", {way: f"{np.median(times[way, states]):.3g}" for way in ("solve", *TIMED_GAMMAS)})
    what = {"solve": "direct solve"} | {way: f"sweeps, γ = {gamma}" for way, gamma in TIMED_GAMMAS.items()}
    metrics = {
        f"{way}_{states}": cards.metric(f"time of one evaluation, {what[way]}, {states} states", found, unit="ms")
        for (way, states), found in times.items()
    }
    for name, found in counts.items():
        meaning = f"sweeps to an error of {TIMED_TOLERANCE:g} ({name}: gamma's digit, states)"
        metrics[f"count_{name}"] = cards.metric(meaning, found)
    largest = SIZES[-1]
    sweeps = metrics[f"count_sweeps_9_{largest}"]["value"]
    share = sweeps * largest**2 / (largest**3 / 3)
    ratio = metrics[f"sweeps_9_{largest}"]["value"] / metrics[f"solve_{largest}"]["value"]
    where = f"γ = 0.9, {largest} states"
    print(f"{where}: sweeps do {share:.2f} of a solve's multiplications in {ratio:.1f} times its time")
    return metrics | {
        "operations_ratio": cards.metric(f"multiplications of the sweeps over those of a solve, {where}", share),
        "time_ratio": cards.metric(f"time of the sweeps over that of a solve, {where}", ratio),
    }


def least_milliseconds(work: Callable[[], object]) -> float:
    """The least processor time of several calls, in milliseconds: what others do on this machine only adds."""
    found: list[float] = []
    while len(found) < 3 or sum(found) < 100:
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return min(found)


def said(met: bool) -> str:
    return "met" if met else "SHORT"


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = agreement() | convergence() | costs()
    cards.write(
        "dynamic_programming",
        "Dynamic programming: four ways agree, and what they cost",
        metrics,
        seconds=time.perf_counter() - start,
        command="OMP_NUM_THREADS=1 python -m benchmarks.dynamic_programming",
        modules=["rlhw.dynamic_programming", "rlhw.mdp", "rlhw.worlds", "benchmarks.dynamic_programming"],
    )
