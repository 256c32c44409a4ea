"""The small worlds: against values by hand, closed forms, and Gymnasium's own tables."""

import gymnasium
import numpy as np
import pytest

from rlhw.mdp import uniform_policy
from rlhw.worlds import CLIFF, MOVES, cliff, from_gymnasium, gridworld, random_mdp, random_walk


def values(mdp, policy) -> np.ndarray:
    """v of a policy by linear algebra, with the terminal states' rows left out."""
    inside = ~mdp.terminal
    moves = np.einsum("sa,sap->sp", policy, mdp.transitions)[np.ix_(inside, inside)]
    paid = (policy * mdp.rewards).sum(axis=1)[inside]
    found = np.zeros(len(inside))
    found[inside] = np.linalg.solve(np.eye(len(paid)) - mdp.gamma * moves, paid)
    return found


def best(mdp, sweeps: int = 400) -> np.ndarray:
    v = np.zeros(len(mdp.start))
    for _ in range(sweeps):
        v = (mdp.rewards + mdp.gamma * mdp.transitions @ v).max(axis=1)
    return v


@pytest.mark.parametrize("states", [1, 2, 5, 19])
def test_the_walks_values_are_the_chances_to_leave_on_the_right(states):
    walk = random_walk(states)
    known = np.arange(states + 2) / (states + 1)
    known[-1] = 0  # an end
    assert np.allclose(values(walk, uniform_policy(walk)), known, atol=1e-12)
    assert walk.start.argmax() == (states + 1) // 2


def test_the_cliff_costs_13_by_the_edge_and_falls_back_to_the_start():
    mdp = cliff()
    assert best(mdp)[mdp.start.argmax()] == -13  # up, eleven to the right, down
    start = 3 * 12
    assert mdp.start[start] == 1
    edge = 2 * 12 + 5
    down = list(MOVES).index("down")
    assert mdp.rewards[edge, down] == -100
    assert mdp.transitions[edge, down, start] == 1
    assert list(np.flatnonzero(mdp.terminal)) == [47]
    assert len(CLIFF) * len(CLIFF[0]) == len(mdp.start)


def test_a_grid_with_a_wall_a_slip_and_prices_is_that_by_hand():
    # Cells in reading order: 0, 1 and the end 2 above; 3 and 4 below, with the wall between them, which is no state.
    mdp = gridworld(("..G", ".#."), slip=0.2, step_reward=-0.5, cell_rewards=np.array([0.0, 3.0, 7.0, 1.0, 0.0]))
    right = list(MOVES).index("right")
    # From 0: right to 1 with 0.8; up stays (0.1); down to 3 with 0.1.
    assert np.allclose(mdp.transitions[0, right], [0.1, 0.8, 0.0, 0.1, 0.0])
    assert mdp.rewards[0, right] == pytest.approx(-0.5 + 0.8 * 3.0 + 0.1 * 0.0 + 0.1 * 1.0)
    # From 1: right to the end with 0.8; up stays; down stays, because of the wall.
    assert np.allclose(mdp.transitions[1, right], [0.0, 0.2, 0.8, 0.0, 0.0])
    assert mdp.rewards[1, right] == pytest.approx(-0.5 + 0.8 * 7.0 + 0.2 * 3.0)
    # Nobody marked a start: every floor has the same chance, the end none.
    assert np.allclose(mdp.start, [0.25, 0.25, 0, 0.25, 0.25])


@pytest.mark.parametrize(
    ("layout", "arguments", "sentence"),
    [
        ((), {}, "must be rows, strings"),
        ("S.G", {}, "must be rows, strings"),
        (("S.", "G"), {}, "strings of the same length"),
        (("S.X",), {}, "it has 'X'"),
        (("S..",), {}, "must have an end G"),
        (("G",), {}, "a cell to start from"),
        (("SG",), {"slip": 1.5}, r"slip must be in \[0, 1\]; got 1.5"),
        (("SG",), {"cell_rewards": np.zeros(3)}, "cell_rewards must hold 2 numbers"),
        (("S#G",), {}, "from state 0 no terminal state can be reached"),
    ],
)
def test_a_bad_layout_is_refused(layout, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        gridworld(layout, **arguments)


def test_a_walk_needs_a_state():
    with pytest.raises(ValueError, match="states must be 1 or more"):
        random_walk(0)


def test_random_models_are_functions_of_the_generator():
    one, same, other = (random_mdp(6, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.transitions, same.transitions)
    assert not np.array_equal(one.transitions, other.transitions)
    assert not one.terminal.any()


@pytest.mark.parametrize("name", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_a_toy_text_environment_is_read(name):
    environment = gymnasium.make(name)
    mdp = from_gymnasium(environment, gamma=0.95)
    inner = environment.unwrapped
    assert len(mdp.start) == inner.observation_space.n + 1
    assert mdp.rewards.shape[1] == inner.action_space.n
    assert mdp.terminal[-1]
    assert np.allclose(mdp.start[:-1], inner.initial_state_distrib)
    # An oracle that walks the table itself: v* by plain loops over what P lists, an end being worth 0.
    v = np.zeros(len(inner.P))
    for _ in range(30):
        v = np.array(
            [
                max(sum(p * (r + 0.95 * (0 if done else v[n])) for p, n, r, done in inner.P[s][a]) for a in inner.P[s])
                for s in range(len(inner.P))
            ]
        )
    assert np.allclose(best(mdp, 30)[:-1], v, atol=1e-12)
    ends = {s for s in inner.P for a in inner.P[s] for _, _, _, done in inner.P[s][a] if done}
    assert ends, "the environment has steps that end"


def test_the_cliff_of_gymnasium_is_ours():
    theirs, ours = from_gymnasium(gymnasium.make("CliffWalking-v1"), 0.95), cliff(0.95)
    # Nobody stands on the cliff or stays at the goal: there the two tables may differ.
    seen = [s for s in range(48) if not 36 < s <= 47]
    assert np.allclose(best(theirs)[seen], best(ours)[seen], atol=1e-9)


def test_an_environment_without_a_table_is_refused():
    with pytest.raises(ValueError, match="must have a table P"):
        from_gymnasium(object(), 0.9)
