"""The slips of chapter B3, measured: `python -m benchmarks.slips_b3` writes results/slips_b3.json."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.slips import Slip, write_card
from rlhw.batch_prediction import batch_mc, certainty_equivalence
from rlhw.mdp import Episodes, episodes, uniform_policy
from rlhw.prediction_moments import expected_td
from rlhw.temporal_difference import backward_view, td_lambda
from rlhw.worlds import random_walk

WALK = random_walk(5)
POLICY = uniform_policy(WALK)
EXACT = np.append(np.arange(6) / 6, 0.0)
HALF = np.where(WALK.terminal, 0.0, 0.5)
LEAVE = 0.25


def mean_td_error(values: np.ndarray) -> float:
    """The mean TD error of the action "right" in the second state, where the walk moves for sure."""
    _, after = WALK.step(np.array([2]), np.array([1]), np.array([0.5]))
    return float(WALK.rewards[2, 1] + WALK.gamma * values[after[0]] - values[2])


def one_episode_mean(estimate: Callable[[int], float]) -> float:
    """The mean estimate after one episode on the loop: it lasts L steps with probability (1 - q)^(L-1) q."""
    lengths = np.arange(1, 200)
    weights = LEAVE * (1 - LEAVE) ** (lengths - 1)
    return float(sum(w * estimate(length) for w, length in zip(weights, lengths, strict=True)))


def leftmost(values: Callable[[], np.ndarray]) -> float:
    """The estimate of the leftmost state."""
    return float(values()[1])


def at_rest() -> np.ndarray:
    """The mean of TD(0) with step 0.1 after 2,000 episodes: it does not move any more."""
    return expected_td(WALK, POLICY, HALF, 0.1, 2000)[0][-1]


def cut_walks(end_at_the_cut: bool) -> np.ndarray:
    """The values that TD comes to rest at when 4,000 episodes are cut after five steps."""
    walk = replace(WALK, start=np.array([0, 1, 1, 1, 1, 1, 0]) / 5)
    batch = episodes(walk, POLICY, 4000, np.random.default_rng(0), max_steps=5)
    if end_at_the_cut:
        states = batch.states.copy()
        states[:, -1] = 0  # "done": an end like the others
        batch = batch._replace(states=states)
    return certainty_equivalence(batch, 7, 1.0)


def least_squared_error() -> np.ndarray:
    """The table with the smallest mean squared TD error, one step from each state with equal weight."""
    rows = [(s, a, t) for s in range(1, 6) for a, t in ((0, s - 1), (1, s + 1))]
    design = np.array([np.eye(7)[s] - np.eye(7)[t] * (0 < t < 6) for s, a, t in rows])[:, 1:6]
    rewards = np.array([WALK.rewards[s, a] for s, a, _ in rows])
    return np.pad(np.linalg.lstsq(design, rewards, rcond=None)[0], 1)


WANDERER, PAID = np.array([3, 2, 3, 4, 3, 4, 5, 6]), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def forward_online() -> float:
    """The middle state's 1/2 after one episode that comes back to it twice, by online TD(λ): λ = 0.8, step 0.5, from v."""
    episode = Episodes(WANDERER[None], np.zeros((1, 7), int), PAID[None], np.ones((1, 7), bool))
    (table,) = td_lambda([episode], EXACT, 1.0, lambda visits: 0.5, lam=0.8)
    return float(table[0, 3])


def forward_offline() -> float:
    """The same by the forward view: V held still, changes added up."""
    return float((EXACT + 0.5 * backward_view(WANDERER, PAID, EXACT, 1.0, 0.8))[3])


def five_evenings() -> Episodes:
    """Once from state 0 to state 1, which then paid nothing; four times from state 1, which paid 1."""
    states = np.array([[0, 1, 2], *[[1, 2, 2]] * 4])
    rewards = np.array([[0.0, 0.0], *[[1.0, 0.0]] * 4])
    mask = np.array([[True, True], *[[True, False]] * 4])
    return Episodes(states, np.zeros((5, 2), int), rewards, mask)


SLIPS = {
    "td_error_is_advantage": Slip(
        "mean TD error of a step to the right from the second state, V = 1/2 (right: V = v, the advantage)",
        mean_td_error,
        wrong=HALF,
        right=EXACT,
    ),
    "every_visit": Slip(
        "mean estimate of a loop of value 4 after one episode, all visits averaged (right: the first visit)",
        one_episode_mean,
        wrong=lambda length: np.mean(np.arange(1, length + 1)),
        right=lambda length: length,
    ),
    "wait_long_enough": Slip(
        "mean of TD(0) at rest, step 0.1, leftmost state (right: its value)",
        leftmost,
        wrong=at_rest,
        right=lambda: EXACT,
    ),
    "cut_is_end": Slip(
        "value of the leftmost state when a cut after five steps counts as an end (right: the next value is looked up)",
        leftmost,
        wrong=lambda: cut_walks(True),
        right=lambda: cut_walks(False),
    ),
    "squared_td_error": Slip(
        "value of the leftmost state that makes the mean squared TD error smallest (right: its value)",
        leftmost,
        wrong=least_squared_error,
        right=lambda: EXACT,
    ),
    "online_is_forward": Slip(
        "the middle state after one episode of online TD(λ), λ = 0.8, step 0.5, from v (right: by the forward view)",
        lambda view: view(),
        wrong=forward_online,
        right=forward_offline,
    ),
    "same_data": Slip(
        "value of state 0 from five evenings, by mean returns (right: by the model that the data suggest)",
        lambda settle: float(settle(five_evenings(), 3, 1.0)[0]),
        wrong=batch_mc,
        right=certainty_equivalence,
    ),
}

if __name__ == "__main__":
    modules = ["temporal_difference", "prediction_moments", "batch_prediction", "mdp", "worlds"]
    write_card(
        "b3", "The slips of chapter B3, measured", SLIPS, [*(f"rlhw.{m}" for m in modules), "benchmarks.slips_b3"]
    )
