"""Small worlds with known answers, as MDPs: a gridworld, the cliff, a random walk, random ones, and Gymnasium's toy texts.

Chapters B2 to B6. Baird's star stands with the lesson it teaches, in `rlhw.function_approximation`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from rlhw.mdp import MDP

Array = np.ndarray

# The four actions of a gridworld, in this order, as (rows, columns) moved.
MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
CLIFF = ("............", "............", "............", "SCCCCCCCCCCG")
CLIFF_REWARD = -100.0


def gridworld(
    layout: Sequence[str],
    *,
    gamma: float = 1.0,
    step_reward: float = -1.0,
    slip: float = 0.0,
    cell_rewards: Float[Array, " S"] | None = None,
) -> MDP:
    """A grid of rooms. Its states are the cells that are not walls, in reading order; its actions are `MOVES`.

    In the layout `.` is a floor, `#` a wall, `S` a start (every floor, when there is none), `G` an end, and `C` the cliff:
    whoever steps there pays `CLIFF_REWARD` and is put back to a start. A move into a wall or off the grid stays. With
    probability `slip` the move goes to one of the two sides instead. A step pays step_reward plus, where `cell_rewards` (one
    number a state) is given, that of the cell it enters. Raises ValueError when the layout is not a rectangle of these
    signs or has no end, or slip is outside [0, 1].

    >>> mdp = gridworld(("S.G",))
    >>> mdp.rewards[:, 1], mdp.transitions[0, 1]  # going right; from the first cell
    (array([-1., -1.,  0.]), array([0., 1., 0.]))
    """
    _check_layout(layout, slip)
    cells = [(i, j) for i, row in enumerate(layout) for j, sign in enumerate(row) if sign != "#"]
    index = {cell: state for state, cell in enumerate(cells)}
    sign = [layout[i][j] for i, j in cells]
    start = np.array([s == ("S" if "S" in sign else ".") for s in sign], dtype=float)
    start /= start.sum()
    bonus = np.zeros(len(cells)) if cell_rewards is None else np.asarray(cell_rewards, dtype=float)
    if bonus.shape != start.shape:
        raise ValueError(f"cell_rewards must hold {len(cells)} numbers, one a cell that is no wall; got {bonus.shape}.")
    moves = list(MOVES.values())
    transitions, rewards = np.zeros((len(cells), 4, len(cells))), np.zeros((len(cells), 4))
    for state, (i, j) in enumerate(cells):
        for action in range(4):
            if sign[state] == "G":
                transitions[state, action, state] = 1
                continue
            for turn, chance in ((0, 1 - slip), (1, slip / 2), (3, slip / 2)):
                di, dj = moves[(action + turn) % 4]
                after = index.get((i + di, j + dj), state)
                falls = sign[after] == "C"
                transitions[state, action] += chance * (start if falls else np.eye(len(cells))[after])
                rewards[state, action] += chance * (CLIFF_REWARD if falls else step_reward + bonus[after])
    return MDP(transitions, rewards, gamma, start)


def cliff(gamma: float = 1.0) -> MDP:
    """The cliff: 4 by 12 cells, -1 a step, -100 and back to the start for the cliff between start and goal.

    The shortest way runs along the edge; an explorer falls there. Source: Sutton & Barto (2018), example 6.6.

    >>> mdp = cliff()
    >>> mdp.rewards[36]  # at the start: up, right into the cliff, down and left into the wall
    array([  -1., -100.,   -1.,   -1.])
    """
    return gridworld(CLIFF, gamma=gamma)


def random_walk(states: int = 5, gamma: float = 1.0) -> MDP:
    """A walk on a line: an end on either side (states 0 and `states` + 1), a start in the middle; actions left, right.

    The step out on the right pays 1, every other 0: under the uniform policy and gamma = 1, v(s) = s / (states + 1), the
    chance to leave on the right. Raises ValueError for fewer than one state. Source: Sutton & Barto (2018), example 6.2.

    >>> random_walk(1).transitions[1]  # one state between two ends
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    if states < 1:
        raise ValueError(f"states must be 1 or more: the states between the two ends; got {states}.")
    inside = np.arange(1, states + 1)
    transitions, rewards = np.zeros((states + 2, 2, states + 2)), np.zeros((states + 2, 2))
    transitions[[0, -1], :, [0, -1]] = 1
    transitions[inside, 0, inside - 1] = 1
    transitions[inside, 1, inside + 1] = 1
    rewards[states, 1] = 1
    return MDP(transitions, rewards, gamma, np.eye(states + 2)[(states + 1) // 2])


def random_mdp(states: int, actions: int, rng: np.random.Generator, gamma: float = 0.9) -> MDP:
    """A model without structure: rows of p from the flat Dirichlet law, rewards standard normal, a random start.

    >>> random_mdp(4, 2, np.random.default_rng(0)).transitions.sum(axis=2)
    array([[1., 1.],
           [1., 1.],
           [1., 1.],
           [1., 1.]])
    """
    transitions = rng.dirichlet(np.ones(states), size=(states, actions))
    return MDP(transitions, rng.standard_normal((states, actions)), gamma, rng.dirichlet(np.ones(states)))


def from_gymnasium(environment: Any, gamma: float) -> MDP:
    """The model of a Gymnasium toy-text environment (FrozenLake, CliffWalking, Taxi): what its table `P` says.

    `P[s][a]` lists (probability, next state, reward, terminated). One state is added at the end: every step that
    terminates leads there and nothing leaves it. Raises ValueError when the environment has no such table.

    >>> class Coin:  # one state; the step ends and pays 1, or stays and pays 0
    ...     P = {0: {0: [(0.5, 0, 1.0, True), (0.5, 0, 0.0, False)]}}
    >>> from_gymnasium(Coin(), gamma=0.9).rewards[:, 0]
    array([0.5, 0. ])
    """
    inner = getattr(environment, "unwrapped", environment)
    table = getattr(inner, "P", None)
    if not isinstance(table, dict):
        raise ValueError(
            "environment must have a table P of transitions, as Gymnasium's toy-text environments do "
            '(gymnasium.make("FrozenLake-v1")); this one has none.'
        )
    states, actions = len(table), len(table[0])
    transitions, rewards = np.zeros((states + 1, actions, states + 1)), np.zeros((states + 1, actions))
    transitions[states, :, states] = 1
    for state, choices in table.items():
        for action, outcomes in choices.items():
            for probability, after, reward, terminated in outcomes:
                transitions[state, action, states if terminated else after] += probability
                rewards[state, action] += probability * reward
    # An environment of one's own may name no law of its first state: then an episode begins in state 0.
    start = np.append(getattr(inner, "initial_state_distrib", np.eye(states)[0]), 0.0)
    return MDP(transitions, rewards, gamma, start)


def _check_layout(layout: Sequence[str], slip: float) -> None:
    if isinstance(layout, str) or not layout or len({len(row) for row in layout}) != 1 or not layout[0]:
        raise ValueError("layout must be rows, strings of the same length.")
    strange = sorted(set("".join(layout)) - set(".#SGC"))
    if strange:
        raise ValueError(f"layout may hold . # S G C only; it has {strange[0]!r}.")
    if "G" not in "".join(layout) or not set("".join(layout)) & set("S."):
        raise ValueError("layout must have an end G and a cell to start from, S or a floor.")
    if not 0 <= slip <= 1:
        raise ValueError(f"slip must be in [0, 1]; got {slip}.")
