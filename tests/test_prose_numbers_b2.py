"""Chapter B2: numbers that its sentences work out in passing, directions that they read off the card, and small claims."""

import math

import numpy as np
import pytest

from rlhw import cards
from rlhw.dynamic_programming import (
    action_values,
    bellman_optimality,
    error_bound,
    greedy_policy,
    plant,
    policy_iteration,
    solve_policy,
    value_iteration,
)
from rlhw.mdp import MDP, uniform_policy
from rlhw.widgets.gridworld import LAYOUT, REWARDS
from rlhw.worlds import gridworld, random_mdp
from tests.test_prose_numbers import text_of

CHAPTER, NOTEBOOK = "book/b2_decision_processes.md", "notebooks/b2_decision_processes.ipynb"


def swept(sweeps: int) -> np.ndarray:
    """The plant's values after so many sweeps from zero."""
    v = np.zeros(3)
    for _ in range(sweeps):
        v = bellman_optimality(plant(), v)
    return v


CLAIMS = [
    (r"$0.8\cdot 4 = 3.2$ tomorrow", lambda: action_values(plant(), np.array([0, 4.0, 0]))[1, 0], 3.2, 1e-12),
    ("about $10^{94}$ states 20 tokens away", lambda: 20 * math.log10(50_000), 94, 0.05),
    (r"10 steps for $\gamma = 0.9$", lambda: 1 / (1 - 0.9), 10, 1e-9),
    ("100 for $0.99$", lambda: 1 / (1 - 0.99), 100, 1e-9),
    ("Always to wait in both states is worth 0", lambda: np.abs(solve_policy(plant(), np.eye(2)[[0, 0, 0]])).max(), 0, 0),
    (r"$v(\text{ripe}) = \frac{10}{3}$", lambda: solve_policy(plant(), uniform_policy(plant()))[1], 10 / 3, 1e-12),
    (r"\frac{35}{24} \approx 1.458", lambda: solve_policy(plant(), uniform_policy(plant()))[0], 35 / 24, 1e-12),
    (r"1,\ 2,\ 2.4,\ 2.56, \dots", lambda: swept(4)[0], 2.56, 1e-12),
    (r"$0.8\,(\frac12\cdot 4 + \frac12\cdot 1) = 2$", lambda: action_values(plant(), swept(1))[0, 0], 2, 1e-12),
    ("right to three digits after the ninth", lambda: round(float(swept(9)[0]), 2), round(8 / 3, 2), 0),
    ("right to three digits after the ninth", lambda: round(float(swept(8)[0]), 2), 2.66, 0),
    ("each leaves the share $0.4$ of the error", lambda: (8 / 3 - swept(3)[0]) / (8 / 3 - swept(2)[0]), 0.4, 1e-9),
    (r"For $\gamma = 0.99$ the factor is 99", lambda: error_bound(0.99, 1.0), 99, 1e-9),
    ("a change of 0.01 allows an error of 0.99", lambda: error_bound(0.99, 0.01), 0.99, 1e-9),
    ("twice as many states, eight times the work", lambda: 2**3, 8, 0),
    (r"$\gamma = 0.99$ takes ten times as many as $0.9$", lambda: math.log(0.9) / math.log(0.99), 10, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def test_the_decision_is_right_once_the_first_sweep_is_done():
    assert "The decision was right once the first sweep was done" in text_of(CHAPTER)
    assert greedy_policy(plant(), swept(0))[0].tolist() == [0, 1]
    assert all(greedy_policy(plant(), swept(k))[0].tolist() == [1, 0] for k in range(1, 20))


def entry(name: str, side: str = "value") -> float:
    return cards.read("dynamic_programming")["metrics"][name][side]


def test_what_the_card_says_of_the_bound():
    text = text_of(CHAPTER)
    assert "No share is above one: the bound holds" in text
    assert entry("above_bound", "met")
    assert "Along the constant vector it is an equality" in text
    assert all(abs(entry(f"constant_{k}", side) - 1) < 1e-6 for k in (5, 60) for side in ("low", "high"))
    assert "From zero the share falls in the first sweeps, then stands still" in text
    assert entry("zero_5") < entry("zero_1") < 1
    assert abs(entry("zero_60") - entry("zero_20")) < 1e-3


def test_what_the_card_says_of_the_costs():
    text = text_of(CHAPTER)
    assert entry("agreement", "met")
    assert "for about a sixth of its multiplications" in text
    assert abs(1 / entry("operations_ratio") - 6) < 0.5
    assert entry("time_ratio") > 1.2
    assert r"With $\gamma = 0.5$ the sweeps win from 250 states on" in text
    assert all(entry(f"solve_{states}") > 1.3 * entry(f"sweeps_5_{states}") for states in (250, 500, 1000, 2000))
    assert "a sweep has four times as many numbers to read, 32 megabytes now, and takes some eight times" in text
    a_sweep = [entry(f"sweeps_9_{states}") / entry(f"count_sweeps_9_{states}") for states in (1000, 2000)]
    assert 6 < a_sweep[1] / a_sweep[0] < 10
    assert 2000**2 * 8 == 32_000_000
    gaps = [entry(f"sweeps_9_{states}") / entry(f"solve_{states}") for states in (125, 250, 500, 1000, 2000)]
    assert gaps[0] > gaps[1] > 2 * max(gaps[2:4])
    assert gaps[4] > 1.2 * gaps[3]
    assert "values are late and policies are early" in text
    assert entry("policy_sweeps") < entry("sweeps") / 10


def test_the_number_of_sweeps_does_not_depend_on_the_number_of_states():
    words = r"$\log\epsilon/\log\gamma$ are enough, and $\log(1/\epsilon)/(1-\gamma)$ are hardly more"
    assert words in text_of(CHAPTER)
    counts = [value_iteration(random_mdp(states, 2, np.random.default_rng(3), 0.9), 1e-6)[2] for states in (10, 160)]
    assert max(counts) < 1.2 * min(counts)
    for gamma in (0.9, 0.99):
        assert 0.94 < math.log(1e-6) / math.log(gamma) / (math.log(1e6) / (1 - gamma)) < 1


def test_a_soft_maximum_contracts_by_gamma_and_its_best_law_is_boltzmann():
    """The sentence on chapters 6 and 7: β log E_ref exp(q/β) instead of the maximum."""
    assert r"$\beta\log\mathbb E_{a\sim\pi_{\text{ref}}}[e^{q/\beta}]$ in place of $\max_a q$" in text_of(CHAPTER)
    rng = np.random.default_rng(4)
    mdp, beta = random_mdp(5, 3, rng, 0.85), 0.3
    reference = rng.dirichlet(np.ones(3), 5)

    def soft(v):
        return beta * np.log((reference * np.exp(action_values(mdp, v) / beta)).sum(axis=1))

    for _ in range(20):
        u, w = rng.standard_normal((2, 5))
        assert np.abs(soft(u) - soft(w)).max() <= 0.85 * np.abs(u - w).max()
    v = np.zeros(5)
    for _ in range(400):
        v = soft(v)
    weights = reference * np.exp(action_values(mdp, v) / beta)
    best = weights / weights.sum(axis=1, keepdims=True)

    def priced(policy):
        prices = beta * (policy * np.log(policy / reference)).sum(axis=1, keepdims=True)
        return solve_policy(MDP(mdp.transitions, mdp.rewards - prices, mdp.gamma, mdp.start), policy)

    np.testing.assert_allclose(priced(best), v, atol=1e-9)
    for _ in range(20):
        assert np.all(priced(rng.dirichlet(np.ones(3), 5)) < v)


def test_a_sweep_that_uses_new_values_at_once_contracts_to_the_same_limit():
    assert "uses each new value at once contracts by $\\gamma$ as well, to the same limit" in text_of(CHAPTER)
    rng = np.random.default_rng(6)
    mdp = random_mdp(6, 3, rng, 0.8)

    def sweep(v):
        v = v.copy()
        for s in range(len(v)):
            v[s] = (mdp.rewards[s] + mdp.gamma * mdp.transitions[s] @ v).max()
        return v

    for _ in range(20):
        u, w = rng.standard_normal((2, 6))
        assert np.abs(sweep(u) - sweep(w)).max() <= 0.8 * np.abs(u - w).max()
    v = np.zeros(6)
    for _ in range(200):
        v = sweep(v)
    np.testing.assert_allclose(v, policy_iteration(mdp)[0], atol=1e-9)


def test_what_the_answer_says_of_the_gridworld():
    text = text_of(CHAPTER)
    assert "Entering the upper end pays 5; entering the lower one, a pit, costs 5. One move in five slips" in text
    assert "The four that are three steps away from the end that pays, besides those four" in text
    assert "Up, for $\\gamma = 0.9$, though one time in ten that slips into the pit" in text
    assert "runs *against the wall on its left*" in text
    signs = [(i, j) for i, row in enumerate(LAYOUT) for j, sign in enumerate(row) if sign != "#"]
    left_of_the_pit = signs.index((1, 2))
    arrows = {}
    for gamma in (0.9, 0.99):
        world = gridworld(LAYOUT, gamma=gamma, step_reward=0.0, slip=0.2, cell_rewards=np.array(REWARDS, dtype=float))
        arrows[gamma] = greedy_policy(world, policy_iteration(world)[0])[left_of_the_pit].tolist()
    for sweeps, steps in ((2, (1, 2)), (3, (1, 2, 3))):
        v = np.zeros(len(signs))
        for _ in range(sweeps):
            v = bellman_optimality(world, v)
        near = {cell for cell in signs if cell[0] + 4 - cell[1] in steps and cell != (1, 3)}
        assert {signs[n] for n in np.flatnonzero(v > 0)} == near
        assert len(near) == 4 * (sweeps - 1)
    assert arrows == {0.9: [1, 0, 0, 0], 0.99: [0, 0, 0, 1]}, "up; left"
    pit = signs.index((1, 3))
    assert world.transitions[left_of_the_pit, 0, pit] == pytest.approx(0.1)
    assert world.transitions[left_of_the_pit, 3, pit] == 0


def widget_values(slip: float, sweeps: int) -> tuple[MDP, np.ndarray]:
    """The widget's grid as it opens, and its values after so many sweeps from zero."""
    rewards = np.array(REWARDS, dtype=float)
    mdp, v = gridworld(LAYOUT, gamma=0.9, step_reward=0.0, slip=slip, cell_rewards=rewards), np.zeros(len(REWARDS))
    for _ in range(sweeps):
        v = bellman_optimality(mdp, v)
    return mdp, v


def test_after_k_sweeps_those_within_k_steps_know_of_the_goal_and_none_fears_the_pit():
    text = text_of(CHAPTER)
    cells = [(i, j) for i, row in enumerate(LAYOUT) for j, sign in enumerate(row) if sign != "#"]
    ends = [cell for cell in cells if LAYOUT[cell[0]][cell[1]] == "G"]
    assert [REWARDS[cells.index(end)] for end in ends] == [5, -5]
    assert sorted(set(REWARDS)) == [-5, 0, 5]
    steps, ring = {ends[0]: 0}, [ends[0]]
    while ring:
        at = ring.pop(0)
        near = {(at[0] + i, at[1] + j) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))} & set(cells)
        for cell in near - set(steps) - set(ends):
            steps[cell] = steps[at] + 1
            ring.append(cell)
    assert r"worth more than 0 that are at most $k$ steps away from the end that pays" in text
    assert "(3) None: each cell has a move that cannot end in the pit" in text
    for slip in (0.0, 0.2, 0.5, 0.8):
        for sweeps in range(12):
            knows = [1 <= steps.get(cell, 0) <= sweeps for cell in cells]
            np.testing.assert_array_equal(widget_values(slip, sweeps)[1] > 0, knows)
            assert widget_values(slip, sweeps)[1].min() >= 0


def test_who_knows_the_best_action_values_needs_no_model():
    assert r"So $v^\ast(s) = \max_a q^\ast(s, a)$" in text_of(CHAPTER)
    mdp = random_mdp(6, 3, np.random.default_rng(8), 0.9)
    v, policy, _ = policy_iteration(mdp)
    q = action_values(mdp, v)
    np.testing.assert_allclose(q.max(axis=1), v, atol=1e-12)
    np.testing.assert_array_equal(np.eye(3)[q.argmax(axis=1)], policy)


def test_without_a_discount_the_way_out_has_many_fixed_points():
    assert r"$\mathcal B_\ast$ has both as fixed points, and more" in text_of(CHAPTER)
    stay, on = np.eye(3), np.eye(3)[[1, 2, 2]]
    room = MDP(np.stack([stay, on], axis=1), np.array([[0.0, -1.0], [0.0, -1.0], [0.0, 0.0]]), 1.0, np.eye(3)[0])
    for v in ([0, 0, 0], [-2, -1, 0], [-1, -1, 0]):
        np.testing.assert_array_equal(bellman_optimality(room, np.array(v, dtype=float)), v)
    np.testing.assert_allclose(policy_iteration(room)[0], [-2, -1, 0], atol=1e-12)


def test_the_notebook_says_what_the_page_says():
    text = text_of(NOTEBOOK)
    assert "$3^6 = 729$ policies" in text
    assert 3**6 == 729
    assert "about $10^{94}$ rows" in text
