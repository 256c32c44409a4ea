"""Chapter B4 measured: the cliff, exploration that ends too soon, what three methods converge to, and importance sampling.

`python -m benchmarks.control` writes the card (about two minutes on one core).
"""

import time
from collections.abc import Iterator

import numpy as np

from rlhw import cards, importance
from rlhw.control import Step, expected_sarsa, mc_control, q_learning, sarsa
from rlhw.dynamic_programming import action_values, policy_iteration, solve_policy
from rlhw.exploration import constant, epsilon_soft, inverse_visits, power, softened
from rlhw.mdp import MDP
from rlhw.off_policy import (
    corrected_error,
    corrected_target,
    importance_weights,
    off_policy_td,
    ordinary_importance_sampling,
    per_decision_importance_sampling,
    weighted_importance_sampling,
)
from rlhw.worlds import cliff, gridworld

SEEDS = 20
CLIFF, START, EPSILON = cliff(), 36, 0.1
# The three routes over the cliff's grid: along the edge, one row up, along the top.
ROUTES = {13: "edge", 15: "middle", 17: "top"}
ROOMS = gridworld(("...G", ".#..", "...."), gamma=0.9, slip=0.2)
TARGET, BEHAVIOR, REWARDS = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([1.0, 0.0])
HORIZONS = (1, 5, 10, 20)
EPISODES, REPEATS = 1000, 100


def from_start(mdp: MDP, policy: np.ndarray) -> float:
    """Σ_s start(s) v_π(s), from the states that π can reach; minus infinity where it never ends."""
    chain, rewards = np.einsum("sa,sat->st", policy, mdp.transitions), (policy * mdp.rewards).sum(axis=1)
    reached, ends = mdp.start > 0, mdp.terminal
    for _ in range(len(chain)):
        reached, ends = reached | (reached @ chain > 0), ends | (chain @ ends > 0)
    if not np.all(ends[reached]):
        return -np.inf
    live = reached & ~mdp.terminal
    values = np.linalg.solve(np.eye(live.sum()) - mdp.gamma * chain[np.ix_(live, live)], rewards[live])
    return float(mdp.start[live] @ values)


def cliff_exact() -> dict[str, dict]:
    """The best policy, the best ε-soft one, and what the best policy's greedy choices earn while exploring."""
    v, _, _ = policy_iteration(CLIFF)
    q, metrics = action_values(CLIFF, v), {"cliff_best": cards.metric("v* of the cliff's start", float(v[START]))}
    for percent in (1, 10, 30):
        epsilon = percent / 100
        soft = float(policy_iteration(softened(CLIFF, epsilon))[0][START])
        edge = solve_policy(CLIFF, epsilon_soft(q, np.full(len(q), epsilon)))[START]
        metrics[f"cliff_soft_{percent}"] = cards.metric(f"value of the best ε-soft policy, ε = {epsilon}", soft)
        metrics[f"cliff_edge_{percent}"] = cards.metric(f"value of q*'s ε-greedy policy, ε = {epsilon}", float(edge))
        print(f"cliff, ε = {epsilon}: best soft {soft:.2f}, edge while exploring {edge:.2f}")
    return metrics


def played(steps: Iterator[Step]) -> tuple[np.ndarray, list[list[float]]]:
    """A run to its end: the last tables, and the sum of rewards of each finished episode, one list a learner."""
    sums, finished = np.zeros(SEEDS), [[] for _ in range(SEEDS)]
    for step in steps:
        sums += step.rewards
        for n in np.flatnonzero(CLIFF.terminal[step.next_states]):
            finished[n].append(float(sums[n]))
            sums[n] = 0.0
    return step.q, finished


def cliff_learned() -> dict[str, dict]:
    """Online sums of rewards, and the exact value of what was learned, acting greedily and while exploring."""
    metrics = {}
    runs = {
        "sarsa": (sarsa, 0.5, 15_000),
        "sarsa_small": (sarsa, 0.1, 40_000),
        "expected": (expected_sarsa, 0.5, 15_000),
        "q": (q_learning, 0.5, 15_000),
    }
    for name, (learn, size, steps) in runs.items():
        settings = {"epsilon": constant(EPSILON), "step_size": constant(size), "learners": SEEDS, "steps": steps}
        tables, finished = played(learn(CLIFF, **settings, rng=np.random.default_rng(0)))
        how = f"{learn.__name__}, step size {size}, {steps:,} steps"
        online = [float(np.mean(sums[-100:])) for sums in finished]
        acting = [from_start(CLIFF, epsilon_soft(q, np.full(len(q), EPSILON))) for q in tables]
        greedy = [from_start(CLIFF, epsilon_soft(q, np.zeros(len(q)))) for q in tables]
        routes = {route: sum(abs(value + route) < 1e-6 for value in greedy) for route in ROUTES}
        metrics[f"cliff_{name}_online"] = cards.metric(f"sum of rewards, last 100 episodes: {how}", online)
        metrics[f"cliff_{name}_acting"] = cards.metric(f"exact value of the ε-greedy policy: {how}", acting)
        for route, count in routes.items():
            meaning = f"learners of {SEEDS} whose greedy route takes {route} steps ({ROUTES[route]}): {how}"
            metrics[f"cliff_{name}_{ROUTES[route]}"] = cards.metric(meaning, float(count))
        print(f"{how}: online {np.median(online):.1f}, acting {np.median(acting):.2f}, routes {routes}")
    return metrics


class PerEpisode:
    """ε = 1/k in episode k for all states alike; Monte Carlo control asks once an episode."""

    def __init__(self) -> None:
        self.episode = 0

    def __call__(self, visits: np.ndarray) -> np.ndarray:
        self.episode += 1
        return np.full(visits.shape, 1 / self.episode)


def deep_world() -> MDP:
    """Home pays 1 from state 0 and 0.5 from state 1; going on twice leads to state 2, from where every action pays 5."""
    transitions, rewards = np.zeros((4, 2, 4)), np.zeros((4, 2))
    transitions[:, 0, 3] = transitions[2, 1, 3] = transitions[3, 1, 3] = 1
    transitions[0, 1, 1] = transitions[1, 1, 2] = 1
    rewards[:3] = [[1.0, 0.0], [0.5, 0.0], [5.0, 5.0]]
    return MDP(transitions, rewards, 1.0, np.eye(4)[0])


def never_seen(schedule, learners: int = 2000, rounds: int = 2000) -> float:
    """Share of learners that have not been in state 2 after so many episodes of Monte Carlo control."""
    seen = np.zeros(learners, dtype=bool)
    settings = {"epsilon": schedule, "learners": learners, "rounds": rounds}
    for played_round in mc_control(deep_world(), **settings, rng=np.random.default_rng(0)):
        seen |= np.any(played_round.episodes.states == 2, axis=1)
    return float(1 - seen.mean())


def exploration() -> dict[str, dict]:
    """Expected visits two exploratory actions deep, exactly, and how many learners never get there."""
    k = np.arange(1, 1_000_001)
    visits = {depth: float(np.sum((1 / (2 * k)) ** depth)) for depth in (1, 2, 3)}
    metrics = {
        f"deep_visits_{depth}": cards.metric(f"expected visits in a million episodes, {depth} deep, ε = 1/k", value)
        for depth, value in visits.items()
    }
    metrics["deep_never"] = cards.metric(
        "probability of never going two deep in a million episodes, ε = 1/k",
        float(np.prod(1 - 1 / (4 * k.astype(float) ** 2))),
        known=2 / np.pi,
    )
    schedules = {"episode": PerEpisode(), "visits": inverse_visits(1.0), "visits_20": inverse_visits(20.0)}
    names = {"episode": "ε = 1/k", "visits": "ε = 1/n(s)", "visits_20": "ε = min(1, 20/n(s))"}
    for name, schedule in schedules.items():
        share = never_seen(schedule)
        metrics[f"unseen_{name}"] = cards.metric(f"share of 2,000 learners, 2,000 episodes, {names[name]}", share)
        print(f"never two deep, {names[name]}: {share:.3f}")
    return metrics


def errors(tables: np.ndarray, known: np.ndarray) -> list[float]:
    """The greatest error of each learner's table, ends left out."""
    return [float(np.abs(q - known)[~ROOMS.terminal].max()) for q in tables]


def losses(tables: np.ndarray, best: float) -> list[float]:
    """What each learner's greedy policy earns less than the best."""
    return [best - from_start(ROOMS, epsilon_soft(q, np.zeros(len(q)))) for q in tables]


def convergence() -> dict[str, dict]:
    """In the rooms: distance to q* and to q of the best 0.2-soft policy, and the loss of the greedy policy."""
    v = policy_iteration(ROOMS)[0]
    best, soft = action_values(ROOMS, v), action_values(ROOMS, policy_iteration(softened(ROOMS, 0.2))[0])
    top = float(ROOMS.start @ v)
    gap = float(np.abs(best - soft).max())
    metrics = {"rooms_gap": cards.metric("greatest difference of q* and q of the best 0.2-soft policy", gap)}
    # name: how, exploration, step size
    runs = {
        "q": (q_learning, constant(0.2), power(0.7)),
        "q_one_over_n": (q_learning, constant(0.2), power(1.0)),
        "sarsa": (sarsa, constant(0.2), power(0.7)),
        "sarsa_glie": (sarsa, inverse_visits(50.0), power(0.7)),
    }
    final = {}
    for name, (learn, epsilon, step_size) in runs.items():
        settings = {"epsilon": epsilon, "step_size": step_size, "learners": SEEDS, "steps": 60_000}
        *_, last = learn(ROOMS, **settings, rng=np.random.default_rng(1))
        final[name] = last.q
    settings = {"epsilon": inverse_visits(50.0), "learners": SEEDS, "rounds": 5000}
    *_, last = mc_control(ROOMS, **settings, rng=np.random.default_rng(1))
    final["mc_glie"] = last.q
    for name, tables in final.items():
        metrics[f"rooms_{name}_best"] = cards.metric(f"greatest error against q*: {name}", errors(tables, best))
        metrics[f"rooms_{name}_soft"] = cards.metric(f"greatest error against the soft q: {name}", errors(tables, soft))
        metrics[f"rooms_{name}_loss"] = cards.metric(f"loss of the greedy policy: {name}", losses(tables, top))
        shown = [np.median(f) for f in (errors(tables, best), errors(tables, soft), losses(tables, top))]
        print(f"rooms {name}: to q* {shown[0]:.3f}, to soft q {shown[1]:.3f}, loss {shown[2]:.4f}")
    return metrics


def sampled_errors(horizon: int) -> dict[str, list[float]]:
    """Absolute errors of each estimate's value from 1,000 episodes of the simplest kind, 100 times."""
    rng, value = np.random.default_rng(2), horizon * float(TARGET @ REWARDS)
    found: dict[str, list[float]] = {"ordinary": [], "per_decision": [], "weighted": []}
    for _ in range(REPEATS):
        actions = (rng.random((EPISODES, horizon)) < BEHAVIOR[1]).astype(int)
        weights, rewards = importance_weights(TARGET[actions], BEHAVIOR[actions]), REWARDS[actions]
        estimates = {
            "ordinary": ordinary_importance_sampling(weights, rewards, 1.0).mean(),
            "per_decision": per_decision_importance_sampling(weights, rewards, 1.0).mean(),
            "weighted": weighted_importance_sampling(weights, rewards, 1.0),
        }
        for name, estimate in estimates.items():
            found[name].append(abs(float(estimate) - value) / value)
    return found


def horizon_growth() -> dict[str, dict]:
    """Exact relative standard errors of 1,000 episodes, and the errors found, by horizon."""
    metrics = {}
    for horizon in HORIZONS:
        value = horizon * float(TARGET @ REWARDS)
        spread = importance.weight_variance(TARGET, BEHAVIOR, horizon)
        metrics[f"weight_{horizon}"] = cards.metric(f"variance of the weight, T = {horizon}", spread)
        exact = {
            "ordinary": importance.ordinary_variance(TARGET, BEHAVIOR, REWARDS, horizon),
            "per_decision": importance.per_decision_variance(TARGET, BEHAVIOR, REWARDS, horizon),
        }
        found = sampled_errors(horizon)
        for name, values in found.items():
            known = {"known": float(np.sqrt(exact[name] / EPISODES) / value)} if name in exact else {}
            meaning = f"error of {name} sampling as a share of the value, {EPISODES} episodes, T = {horizon}"
            root = float(np.sqrt(np.mean(np.square(values))))
            metrics[f"error_{name}_{horizon}"] = cards.metric(f"median {meaning}", values)
            metrics[f"rms_{name}_{horizon}"] = cards.metric(f"root mean square {meaning}", root, **known)
            print(f"T = {horizon}, {name}: rms {root:.3f}, exact {known.get('known', float('nan')):.3f}")
    return metrics


def coin() -> MDP:
    """One choice an episode: the actions pay 1 and 3."""
    transitions = np.zeros((2, 2, 2))
    transitions[:, :, 1] = 1
    return MDP(transitions, np.array([[1.0, 3.0], [0.0, 0.0]]), 1.0, np.eye(2)[0])


def two_corrections() -> dict[str, dict]:
    """TD off policy with a constant step: spread over 2,000 learners around v_π = 1.2, for both corrections."""
    metrics = {}
    target, behavior = np.array([[0.9, 0.1], [0.5, 0.5]]), np.full((2, 2), 0.5)
    known = {"error": corrected_error, "target": corrected_target}
    for name, error in known.items():
        settings = {"error": error, "step_size": constant(0.1), "learners": 2000, "steps": 300}
        *_, last = off_policy_td(coin(), target, behavior, **settings, rng=np.random.default_rng(3))
        values = last.values[:, 0]
        metrics[f"td_{name}_mean"] = cards.metric(
            f"mean value of 2,000 learners, {name} corrected", float(values.mean()), known=1.2
        )
        metrics[f"td_{name}_sd"] = cards.metric(
            f"standard deviation over 2,000 learners, {name} corrected", float(values.std())
        )
        print(f"TD, {name} corrected: mean {values.mean():.3f}, sd {values.std():.3f}")
    return metrics


if __name__ == "__main__":
    begin = time.perf_counter()
    everything = cliff_exact() | cliff_learned() | exploration() | convergence() | horizon_growth() | two_corrections()
    cards.write(
        "control",
        "Learning to act, and from another's episodes",
        everything,
        seconds=time.perf_counter() - begin,
        command="python -m benchmarks.control",
        modules=["rlhw.control", "rlhw.exploration", "rlhw.off_policy", "rlhw.importance", "benchmarks.control"],
    )
