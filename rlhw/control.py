"""Learning to act: Monte Carlo control, SARSA, expected SARSA and Q-learning on tables of q(s, a).

Many learners run side by side, each with a table of its own, so that one call shows the spread over luck. How much they
explore and how far they step are functions of visit counts, from `rlhw.exploration`. Chapter B4.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from rlhw.exploration import Schedule, epsilon_soft
from rlhw.mdp import MDP, Episodes, invert

Array = np.ndarray
# From (rewards, values of the next actions, their probabilities, the one drawn) to what the estimate should have been.
Target = Callable[[Array, Array, Array, Array], Float[Array, " N"]]


class Step(NamedTuple):
    """One step of N learners, and `q`, the table of each after it."""

    states: Int[Array, " N"]
    actions: Int[Array, " N"]
    rewards: Float[Array, " N"]
    next_states: Int[Array, " N"]
    q: Float[Array, "N S A"]


class Round(NamedTuple):
    """An episode of each of N learners, and `q`, the table of each after it."""

    episodes: Episodes
    q: Float[Array, "N S A"]


def sarsa_target(
    rewards: Float[Array, " N"], next_q: Float[Array, "N A"], next_actions: Int[Array, " N"], gamma: float
) -> Float[Array, " N"]:
    """r + γ Q(s', a'), a' the action that is taken next: the value of the policy that acts, its exploring included.

    At the end of an episode next_q is zero. Source: Sutton & Barto (2018), equation 6.7.

    >>> sarsa_target(np.array([-1.0]), np.array([[4.0, 10.0]]), np.array([0]), gamma=0.5)
    array([1.])
    """
    return rewards + gamma * next_q[np.arange(len(rewards)), next_actions]


def expected_sarsa_target(
    rewards: Float[Array, " N"], next_q: Float[Array, "N A"], policy: Float[Array, "N A"], gamma: float
) -> Float[Array, " N"]:
    """r + γ Σ_a π(a|s') Q(s', a): the mean of SARSA's target over the next action, for any policy π.

    Source: Sutton & Barto (2018), equation 6.9.

    >>> expected_sarsa_target(np.array([-1.0]), np.array([[4.0, 10.0]]), np.array([[0.5, 0.5]]), gamma=0.5)
    array([2.5])
    """
    return rewards + gamma * (policy * next_q).sum(axis=1)


def q_learning_target(rewards: Float[Array, " N"], next_q: Float[Array, "N A"], gamma: float) -> Float[Array, " N"]:
    """r + γ max_a Q(s', a): the value of acting greedily from s' on, whatever is done there.

    Source: Sutton & Barto (2018), equation 6.8.

    >>> q_learning_target(np.array([-1.0]), np.array([[4.0, 10.0]]), gamma=0.5)
    array([4.])
    """
    return rewards + gamma * next_q.max(axis=1)


def sarsa(
    mdp: MDP, *, epsilon: Schedule, step_size: Schedule, learners: int, steps: int, rng: np.random.Generator
) -> Iterator[Step]:
    """SARSA, on-policy: it acts ε-greedily and learns what acting so is worth. Tables start at zero.

    `epsilon` is asked with n(s), how often the state was visited, this time included; `step_size` with n(s, a) likewise.
    An episode that ends is followed by the next at once. Source: Rummery & Niranjan (1994); Sutton & Barto, section 6.4.

    >>> from rlhw.exploration import inverse_visits, power
    >>> from rlhw.worlds import random_walk
    >>> how = {"epsilon": inverse_visits(1.0), "step_size": power(0.8)}
    >>> *_, last = sarsa(random_walk(1), **how, learners=3, steps=500, rng=np.random.default_rng(0))
    >>> last.q[:, 1].round(3)  # left pays 0, right pays 1
    array([[0., 1.],
           [0., 1.],
           [0., 1.]])
    """

    def target(rewards: Array, next_q: Array, policy: Array, next_actions: Array) -> Array:
        return sarsa_target(rewards, next_q, next_actions, mdp.gamma)

    return _learn(mdp, target, epsilon, step_size, learners, steps, rng)


def expected_sarsa(
    mdp: MDP, *, epsilon: Schedule, step_size: Schedule, learners: int, steps: int, rng: np.random.Generator
) -> Iterator[Step]:
    """`sarsa` with the mean over the next action in the place of the one that was drawn: same mean, less variance.

    Source: Sutton & Barto (2018), section 6.6.

    >>> from rlhw.exploration import inverse_visits, power
    >>> from rlhw.worlds import random_walk
    >>> how = {"epsilon": inverse_visits(1.0), "step_size": power(0.8)}
    >>> *_, last = expected_sarsa(random_walk(1), **how, learners=1, steps=500, rng=np.random.default_rng(0))
    >>> last.q[:, 1].round(3)
    array([[0., 1.]])
    """

    def target(rewards: Array, next_q: Array, policy: Array, next_actions: Array) -> Array:
        return expected_sarsa_target(rewards, next_q, policy, mdp.gamma)

    return _learn(mdp, target, epsilon, step_size, learners, steps, rng)


def q_learning(
    mdp: MDP, *, epsilon: Schedule, step_size: Schedule, learners: int, steps: int, rng: np.random.Generator
) -> Iterator[Step]:
    """Q-learning, off-policy: it acts ε-greedily and learns what acting greedily is worth. Else as `sarsa`.

    Source: Watkins & Dayan (1992); Sutton & Barto (2018), section 6.5.

    >>> from rlhw.exploration import constant, power
    >>> from rlhw.worlds import random_walk
    >>> how = {"epsilon": constant(1.0), "step_size": power(0.8)}
    >>> *_, last = q_learning(random_walk(1), **how, learners=1, steps=500, rng=np.random.default_rng(0))
    >>> last.q[:, 1].round(3)
    array([[0., 1.]])
    """

    def target(rewards: Array, next_q: Array, policy: Array, next_actions: Array) -> Array:
        return q_learning_target(rewards, next_q, mdp.gamma)

    return _learn(mdp, target, epsilon, step_size, learners, steps, rng)


def _learn(
    mdp: MDP,
    target: Target,
    epsilon: Schedule,
    step_size: Schedule,
    learners: int,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[Step]:
    """The loop that the three share: act, look one step ahead, move Q(s, a) towards the target."""
    each = np.arange(learners)
    q = np.zeros((learners, *mdp.rewards.shape))
    counts = np.zeros(q.shape, dtype=int)
    begin = np.broadcast_to(np.cumsum(mdp.start), (learners, len(mdp.start)))

    def act(states: Array) -> tuple[Array, Array]:
        policy = epsilon_soft(q[each, states], epsilon(counts[each, states].sum(axis=1) + 1))
        return policy, invert(policy.cumsum(axis=1), rng.random(learners))

    states = invert(begin, rng.random(learners))
    _, actions = act(states)
    for _ in range(steps):
        rewards, next_states = mdp.step(states, actions, rng.random(learners))
        counts[each, states, actions] += 1
        policy, next_actions = act(next_states)
        goal = target(rewards, q[each, next_states], policy, next_actions)
        q[each, states, actions] += step_size(counts[each, states, actions]) * (goal - q[each, states, actions])
        yield Step(states, actions, rewards, next_states, q.copy())
        over = mdp.terminal[next_states]
        states = np.where(over, invert(begin, rng.random(learners)), next_states)
        actions = np.where(over, act(states)[1], next_actions)


def first_visit_returns(
    episodes: Episodes, gamma: float, states: int, actions: int
) -> tuple[Float[Array, "N S A"], Bool[Array, "N S A"]]:
    """For each episode and each pair (s, a) the return that followed its first visit, and whether there was one.

    G_t = r_t + γ G_{t+1}, taken backwards: the earliest visit is written last. Without a visit the return is 0.
    Source: Sutton & Barto (2018), section 5.4.

    >>> twice = Episodes(np.array([[1, 1, 0]]), np.array([[0, 0]]), np.array([[1.0, 2.0]]), np.array([[True, True]]))
    >>> first_visit_returns(twice, 0.5, states=2, actions=1)[0][0, 1]
    array([2.])
    """
    each = np.arange(len(episodes.states))
    returns, table = np.zeros(len(each)), np.zeros((len(each), states, actions))
    visited = np.zeros(table.shape, dtype=bool)
    for t in reversed(range(episodes.rewards.shape[1])):
        returns = episodes.rewards[:, t] + gamma * returns
        here = each, episodes.states[:, t], episodes.actions[:, t]
        table[here] = np.where(episodes.mask[:, t], returns, table[here])
        visited[here] |= episodes.mask[:, t]
    return table, visited


def mc_control(
    mdp: MDP, *, epsilon: Schedule, learners: int, rounds: int, rng: np.random.Generator, max_steps: int = 1000
) -> Iterator[Round]:
    """Monte Carlo control, on-policy: play an episode ε-greedily, then let Q(s, a) be the mean of all first-visit returns.

    `epsilon` is asked with n(s), how many of these returns began in s, plus one; it stays as it is while an episode lasts.
    An episode that max_steps cut short has no return, and teaches nothing. Source: Sutton & Barto (2018), section 5.4.

    >>> from rlhw.exploration import inverse_visits
    >>> from rlhw.worlds import random_walk
    >>> how = {"epsilon": inverse_visits(1.0), "learners": 2, "rounds": 200}
    >>> *_, last = mc_control(random_walk(1), **how, rng=np.random.default_rng(0))
    >>> last.q[:, 1]  # left pays 0, right pays 1
    array([[0., 1.],
           [0., 1.]])
    """
    q = np.zeros((learners, *mdp.rewards.shape))
    counts = np.zeros(q.shape, dtype=int)
    for _ in range(rounds):
        played = _play(mdp, epsilon_soft(q, epsilon(counts.sum(axis=2) + 1)), rng, max_steps)
        returns, visited = first_visit_returns(played, mdp.gamma, *mdp.rewards.shape)
        visited &= mdp.terminal[played.states[:, -1]][:, None, None]
        counts += visited
        q += visited * (returns - q) / np.maximum(counts, 1)
        yield Round(played, q.copy())


def _play(mdp: MDP, policies: Float[Array, "N S A"], rng: np.random.Generator, max_steps: int) -> Episodes:
    """An episode of each policy, side by side: `rlhw.mdp.episodes` for learners that differ."""
    each, laws = np.arange(len(policies)), policies.cumsum(axis=2)
    begin = np.broadcast_to(np.cumsum(mdp.start), (len(each), len(mdp.start)))
    states = [invert(begin, rng.random(len(each)))]
    actions, rewards = [], []
    while len(actions) < max_steps and not np.all(mdp.terminal[states[-1]]):
        actions.append(invert(laws[each, states[-1]], rng.random(len(each))))
        reward, after = mdp.step(states[-1], actions[-1], rng.random(len(each)))
        rewards.append(reward)
        states.append(after)
    walked = np.stack(states, axis=1)
    return Episodes(walked, np.stack(actions, axis=1), np.stack(rewards, axis=1), ~mdp.terminal[walked[:, :-1]])
