"""Markov decision processes: the model (S states, A actions) and its simulation.

A model is three arrays and a discount, so that every value is an exact answer of linear algebra
(`rlhw.dynamic_programming`). Rewards are the expected ones, r(s, a); a simulated step pays exactly that. Worlds to live in
are made by `rlhw.worlds`. Chapters B2 to B6.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray


@dataclass(frozen=True)
class MDP:
    """A finite Markov decision process.

    `transitions[s, a, s']` = p(s' | s, a); `rewards[s, a]` = r(s, a), the expected reward of the step; `gamma` in [0, 1]
    is the discount; `start[s]` the probability that an episode begins in s. A state is *terminal* when every action
    keeps it for sure and pays 0: its value is 0.

    Raises ValueError, naming the row or the state: shapes that do not fit, a negative probability, a row that does not
    sum to one, a reward that is not finite, gamma outside [0, 1], and gamma = 1 with a state from which no terminal
    state can be reached (its sum of rewards need not be finite). Source: Puterman (1994), section 2.1.

    >>> there = np.array([[[0.0, 1.0]], [[0.0, 1.0]]])  # one action: from state 0 to state 1, where it ends
    >>> MDP(there, rewards=np.array([[5.0], [0.0]]), gamma=1.0, start=np.array([1.0, 0.0])).terminal
    array([False,  True])
    """

    transitions: Float[Array, "S A S"]
    rewards: Float[Array, "S A"]
    gamma: float
    start: Float[Array, " S"]

    def __post_init__(self) -> None:
        for name in ("transitions", "rewards", "start"):  # nested lists are as good
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        shape = np.shape(self.transitions)
        if len(shape) != 3 or shape[0] != shape[2] or 0 in shape:
            raise ValueError(f"transitions must have the shape (states, actions, states); it has {shape}.")
        if np.shape(self.rewards) != shape[:2]:
            raise ValueError(
                f"rewards must have the shape {shape[:2]}, (states, actions); it has {self.rewards.shape}."
            )
        if np.shape(self.start) != shape[:1]:
            raise ValueError(f"start must have the shape {shape[:1]}, one number a state; it has {self.start.shape}.")
        check_probabilities("transitions", self.transitions)
        check_probabilities("start", self.start)
        if not np.all(np.isfinite(self.rewards)):
            state, action = np.argwhere(~np.isfinite(self.rewards))[0]
            raise ValueError(f"rewards must be finite; rewards[{state}, {action}] is {self.rewards[state, action]}.")
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma must be in [0, 1]; got {self.gamma}.")
        if self.gamma == 1 and not np.all(ends := self._can_end()):
            raise ValueError(
                f"gamma = 1 needs an end: from state {int(np.argmin(ends))} no terminal state can be reached (one that "
                "every action keeps, with reward 0). Add one, or take gamma below 1."
            )

    @cached_property
    def terminal(self) -> Bool[Array, " S"]:
        """Which states end an episode: every action keeps them for sure and pays 0."""
        stays = np.einsum("sas->sa", self.transitions) == 1
        return np.all(stays & (self.rewards == 0), axis=1)

    @cached_property
    def _cumulative(self) -> Float[Array, "S A S"]:
        return np.cumsum(self.transitions, axis=-1)

    def step(
        self, states: Int[Array, " N"], actions: Int[Array, " N"], uniforms: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Int[Array, " N"]]:
        """N steps at once: (rewards, next states), the next state by inverting the distribution function at the uniform.

        A step is a function of (state, action, uniform number), so the same numbers give the same walk everywhere.

        >>> from rlhw.worlds import random_walk
        >>> mdp = random_walk(3)
        >>> mdp.step(np.array([2, 3]), np.array([0, 1]), np.array([0.2, 0.7]))  # left from 2, right from 3
        (array([0., 1.]), array([1, 4]))
        """
        return self.rewards[states, actions], invert(self._cumulative[states, actions], uniforms)

    def _can_end(self) -> Bool[Array, " S"]:
        """From which states a terminal one can be reached by some actions."""
        arrow = self.transitions.max(axis=1) > 0
        reached = self.terminal.copy()
        for _ in range(len(reached)):
            reached = reached | (arrow & reached).any(axis=1)
        return reached


class Trajectory(NamedTuple):
    """One episode: the states s_0 … s_T, the actions a_0 … a_{T-1}, and rewards[t], paid for a_t in s_t."""

    states: Int[Array, " T+1"]
    actions: Int[Array, " T"]
    rewards: Float[Array, " T"]


class Episodes(NamedTuple):
    """N episodes side by side, as long as the longest. After its end a row stays, with reward 0 and `mask` False."""

    states: Int[Array, "N T+1"]
    actions: Int[Array, "N T"]
    rewards: Float[Array, "N T"]
    mask: Bool[Array, "N T"]


def episodes(
    mdp: MDP, policy: Float[Array, "S A"], n: int, rng: np.random.Generator, max_steps: int = 1000
) -> Episodes:
    """n episodes of a policy, each until a terminal state or max_steps.

    Raises ValueError when a row of the policy is no probability, naming the state, or n is below 1.

    >>> from rlhw.worlds import random_walk
    >>> mdp = random_walk(3)
    >>> found = episodes(mdp, uniform_policy(mdp), n=4, rng=np.random.default_rng(3))
    >>> found.states[:, -1], found.rewards.sum(axis=1)
    (array([0, 4, 0, 0]), array([0., 1., 0., 0.]))
    """
    check_policy(mdp, policy)
    if n < 1:
        raise ValueError(f"n must be 1 or more, the number of episodes; got {n}.")
    action_law = np.cumsum(policy, axis=1)
    states = [invert(np.broadcast_to(np.cumsum(mdp.start), (n, len(mdp.start))), rng.random(n))]
    actions, rewards, mask = [], [], []
    while len(actions) < max_steps and not np.all(mdp.terminal[states[-1]]):
        mask.append(~mdp.terminal[states[-1]])
        actions.append(invert(action_law[states[-1]], rng.random(n)))
        reward, after = mdp.step(states[-1], actions[-1], rng.random(n))
        rewards.append(reward)
        states.append(after)
    steps = (n, len(actions))
    return Episodes(
        np.stack(states, axis=1),
        np.array(actions, dtype=int).T.reshape(steps),
        np.array(rewards, dtype=float).T.reshape(steps),
        np.array(mask, dtype=bool).T.reshape(steps),
    )


def trajectory(mdp: MDP, policy: Float[Array, "S A"], rng: np.random.Generator, max_steps: int = 1000) -> Trajectory:
    """One episode of a policy, until a terminal state or max_steps. Raises as `episodes` does.

    >>> from rlhw.worlds import random_walk
    >>> mdp = random_walk(3)
    >>> trajectory(mdp, uniform_policy(mdp), np.random.default_rng(1)).states
    array([2, 3, 4])
    """
    found = episodes(mdp, policy, 1, rng, max_steps)
    return Trajectory(found.states[0], found.actions[0], found.rewards[0])


def invert(cumulative: Float[Array, "N K"], uniforms: Float[Array, " N"]) -> Int[Array, " N"]:
    """Row by row the first k with u < P(K <= k): a draw from each row's law as a function of one uniform number.

    >>> invert(np.array([[0.5, 1.0], [0.5, 1.0]]), np.array([0.5, 0.1]))
    array([1, 0])
    """
    # Rounding can leave the last cumulative sum a hair under 1. A number above it belongs to the last entry that has a
    # probability: the sums repeat after it, so it is the first that reaches the row's greatest sum.
    ceiling = np.nextafter(cumulative[:, -1], 0)
    return np.argmax(np.minimum(uniforms, ceiling)[:, None] < cumulative, axis=1)


def uniform_policy(mdp: MDP) -> Float[Array, "S A"]:
    """Every action with the same probability, in every state.

    >>> from rlhw.worlds import random_walk
    >>> uniform_policy(random_walk(1))[1]
    array([0.5, 0.5])
    """
    return np.full(mdp.rewards.shape, 1 / mdp.rewards.shape[1])


def check_policy(mdp: MDP, policy: Float[Array, "S A"]) -> None:
    """ValueError unless the policy has the MDP's shape and every row is a probability; the sentence names the state."""
    if np.shape(policy) != mdp.rewards.shape:
        raise ValueError(
            f"policy must have the shape {mdp.rewards.shape}, (states, actions); it has {np.shape(policy)}."
        )
    check_probabilities("policy", policy)


def check_values(mdp: MDP, v: Float[Array, " S"]) -> None:
    """ValueError unless v holds one number a state: numpy would stretch another shape in silence."""
    if np.shape(v) != mdp.start.shape:
        raise ValueError(f"v must have the shape {mdp.start.shape}, one number a state; it has {np.shape(v)}.")


def check_probabilities(name: str, table: Float[Array, "*N K"]) -> None:
    """ValueError unless the last axis holds probabilities: finite, not negative, their sum 1 to 1e-9. It names the row."""
    wrong = ~np.isfinite(table) | (table < 0)
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        entry = f"{name}[{', '.join(map(str, where))}]"
        raise ValueError(f"{name} must hold probabilities, 0 or more; {entry} is {table[where]}.")
    sums = np.sum(table, axis=-1)
    if np.any(off := np.abs(sums - 1) > 1e-9):
        where = tuple(int(i) for i in np.argwhere(off)[0])
        row = f"{name}[{', '.join(map(str, where))}]" if where else name
        raise ValueError(f"{name} must sum to 1 in every row; the sum of {row} is {np.asarray(sums)[where]:.12g}.")
