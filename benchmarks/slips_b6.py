"""The slips of chapter B6, measured: `python -m benchmarks.slips_b6` writes results/slips_b6.json."""

import numpy as np

from benchmarks.slips import Slip, length, write_card
from rlhw.actor_critic import exact_advantages, objective, policy_gradient, state_softmax
from rlhw.dynamic_programming import action_values, discounted_visits, plant, solve_policy
from rlhw.mdp import MDP
from rlhw.trust_region import fisher, kl_step, mean_kl, natural_gradient, surrogate

PLANT = plant(0.8)
COIN = np.zeros((3, 2))
POLICY = state_softmax(COIN)
VALUES = solve_policy(PLANT, POLICY)
ACTION_VALUES = action_values(PLANT, VALUES)


def look_alikes() -> MDP:
    """Two states that look alike to the policy, then the end; right (action 1) pays 3.1 more, then 3.4 less."""
    transitions = np.zeros((3, 2, 3))
    transitions[0, :, 1] = transitions[1:, :, 2] = 1.0
    return MDP(transitions, np.array([[0.0, 3.1], [0.0, -3.4], [0.0, 0.0]]), 0.9, np.eye(3)[0])


def shared_logit(visits_of) -> float:
    """The mean update of one logit that decides in both states, at 70 % for right."""
    mdp, policy = look_alikes(), np.tile([0.3, 0.7], (3, 1))
    return float(np.sum(visits_of(mdp, policy)[:, None] * policy * exact_advantages(mdp, policy), axis=0)[1])


def undiscounted_visits(mdp: MDP, policy: np.ndarray) -> np.ndarray:
    """Visits without gamma^t."""
    return discounted_visits(MDP(mdp.transitions, mdp.rewards, 1.0, mdp.start), policy)


def mean_error_of_waiting(critic: np.ndarray) -> float:
    """E[δ] for waiting with a small plant."""
    return float(action_values(PLANT, critic)[0, 0] - critic[0])


def mean_update(baseline: np.ndarray) -> float:
    """Length of REINFORCE's mean update for the plant, with a baseline for each state and action."""
    weights = discounted_visits(PLANT, POLICY)[:, None] * POLICY * (ACTION_VALUES - baseline)
    return length(weights - POLICY * weights.sum(axis=1, keepdims=True))


def variance_of_estimate(weight) -> float:
    """Total variance of one episode's estimate where nothing looks alike, under a coin: exact, by its four episodes.

    The two states of `look_alikes`, but that the first step pays everybody 5 more.
    """
    estimates = []
    for actions in np.ndindex(2, 2):
        rewards = np.array([5.0 + 3.1 * actions[0], -3.4 * actions[1]])
        estimates.append([weight(t, rewards) * (np.eye(2)[actions[t]] - 0.5) for t in range(2)])
    return float(np.var(estimates, axis=0).sum())


def from_the_start(t: int, rewards: np.ndarray) -> float:
    """The whole discounted return of the episode."""
    return float(rewards @ 0.9 ** np.arange(2))


def to_go(t: int, rewards: np.ndarray) -> float:
    """The discounted rewards from t on, seen from the start."""
    return float(rewards[t:] @ 0.9 ** np.arange(t, 2))


SLIPS = {
    "gamma_t_left_out": Slip(
        "mean update of a logit shared by two states, without gamma^t (right: with it)",
        shared_logit,
        wrong=undiscounted_visits,
        right=discounted_visits,
    ),
    "delta_for_advantage": Slip(
        "mean TD error of waiting with a small plant under a critic that says 0 (right: under v_pi)",
        mean_error_of_waiting,
        wrong=np.zeros(3),
        right=VALUES,
    ),
    "action_value_baseline": Slip(
        "length of the mean update for the plant with q as baseline (right: with v)",
        mean_update,
        wrong=ACTION_VALUES,
        right=VALUES[:, None],
    ),
    "whole_return": Slip(
        "total variance of one episode's estimate in two states, whole return (right: from t on)",
        variance_of_estimate,
        wrong=from_the_start,
        right=to_go,
    ),
    "surrogate_is_j": Slip(
        "what the surrogate says after a natural step of 1 nat for the plant (right: J)",
        lambda judge: judge(kl_step(discounted_visits(PLANT, POLICY), COIN, natural_gradient(PLANT, COIN), 1.0)),
        wrong=lambda logits: surrogate(PLANT, COIN, logits),
        right=lambda logits: objective(PLANT, logits),
    ),
    "kl_by_parabola": Slip(
        "mean KL of a step of 1 nat by the parabola, along the plant's natural gradient (right: searched)",
        lambda step: mean_kl(discounted_visits(PLANT, POLICY), COIN, step(natural_gradient(PLANT, COIN))),
        wrong=lambda x: (
            x * np.sqrt(2 / np.einsum("sa,satb,tb->", x, fisher(discounted_visits(PLANT, POLICY), POLICY), x))
        ),
        right=lambda x: kl_step(discounted_visits(PLANT, POLICY), COIN, x, 1.0),
        unit="nats",
    ),
}

if __name__ == "__main__":
    assert abs(mean_update(VALUES[:, None]) - length(policy_gradient(PLANT, COIN))) < 1e-12
    modules = ["rlhw.mdp", "rlhw.dynamic_programming", "rlhw.actor_critic", "rlhw.trust_region", "benchmarks.slips_b6"]
    write_card("b6", "The slips of chapter B6, measured", SLIPS, modules)
