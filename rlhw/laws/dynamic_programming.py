"""Laws of dynamic programming. A process comes as arrays: p(s'|s, a) "S A S", rewards "S A", gamma; its last state is an end.

Oracles: sums written out, and every policy tried, each worth the sum over time of γᵗ P_πᵗ r_π. That sum is taken by
doubling (twice as many steps from what is known of the first half), so no system of equations is solved here.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from rlhw.laws.oracles import Array, assert_close, enumerate_sequences

# Transitions, rewards, gamma, and the generator for what else is drawn.
Process = tuple[Float[Array, "S A S"], Float[Array, "S A"], float, np.random.Generator]


def check_action_values(action_values: Callable) -> None:
    """q(s, a) = r(s, a) + γ Σ_s' p(s'|s, a) v(s'), of any v; fn(transitions, rewards, gamma, v) gives "S A"."""
    for p, r, gamma, rng in _processes():
        v = rng.standard_normal(len(r))
        law = "the value of an action is its reward plus gamma times the mean of v at the next state"
        assert_close(action_values(p, r, gamma, v), _values_of_actions(p, r, gamma, v), law)


def check_bellman_expectation(bellman_expectation: Callable) -> None:
    """The mean of q over the policy's actions, of any v; fn(transitions, rewards, gamma, policy, v) gives "S"."""
    for p, r, gamma, rng in _processes():
        v, policy = rng.standard_normal(len(r)), rng.dirichlet(np.ones(r.shape[1]), len(r))
        q = _values_of_actions(p, r, gamma, v)
        expected = [sum(policy[s, a] * q[s, a] for a in range(r.shape[1])) for s in range(len(r))]
        law = "a backup of a policy is the mean of its actions' values"
        assert_close(bellman_expectation(p, r, gamma, policy, v), np.array(expected), law)


def check_bellman_optimality(bellman_optimality: Callable) -> None:
    """The greatest q of each state, of any v; fn(transitions, rewards, gamma, v) gives "S"."""
    for p, r, gamma, rng in _processes():
        v = rng.standard_normal(len(r))
        expected = np.array([max(row) for row in _values_of_actions(p, r, gamma, v)])
        assert_close(bellman_optimality(p, r, gamma, v), expected, "the best backup takes the greatest action value")


def check_solve_policy(solve_policy: Callable) -> None:
    """v_π = Σ_t γᵗ P_πᵗ r_π, also for γ = 1 when the process ends; fn(transitions, rewards, gamma, policy) gives "S"."""
    for p, r, gamma, rng in _processes():
        policy = rng.dirichlet(np.ones(r.shape[1]), len(r))
        law = "the value of a policy is the sum over time of its discounted mean rewards"
        assert_close(solve_policy(p, r, gamma, policy), _value_of(p, r, gamma, policy), law)


def check_discounted_visits(discounted_visits: Callable) -> None:
    """Σ_t γᵗ P(s_t = s) before the end, and 0 at the end; fn(transitions, rewards, gamma, start, policy) gives "S"."""
    for p, r, gamma, rng in _processes():
        start, policy = rng.dirichlet(np.ones(len(r))), rng.dirichlet(np.ones(r.shape[1]), len(r))
        # Who is paid 1 in one state and nothing elsewhere earns his visits of that state.
        paid = [np.repeat(np.eye(len(r))[:, [s]], r.shape[1], axis=1) for s in range(len(r) - 1)]
        expected = [float(start @ _value_of(p, only, gamma, policy)) for only in paid]
        law = "a visit at time t counts gamma to the power t, and the end is no visit"
        assert_close(discounted_visits(p, r, gamma, start, policy), np.array([*expected, 0.0]), law)


def check_greedy_policy(greedy_policy: Callable) -> None:
    """All on the greatest q, shared equally by ties, rounding forgiven; fn(transitions, rewards, gamma, v) gives "S A"."""
    law = "the greedy policy takes the action of the greatest value, and ties share"
    for p, r, gamma, rng in _processes():
        for size in (0.5, 5.0, 50.0):
            v = size * rng.standard_normal(len(r))
            q = _values_of_actions(p, r, gamma, v)
            expected = np.array([row == max(row) for row in q], dtype=float)
            expected[-1] = 1 / r.shape[1]
            assert_close(greedy_policy(p, r, gamma, v), expected, law)
    stay = np.repeat(np.eye(3)[:, None], 3, axis=1)
    for size in (1e-9, 1.0, 1e5):
        rewards = size * np.array([[0.1 + 0.2, 0.3, 0.3 - 1e-9], [-2.0, -1.0, -1.0], [0.0, 0.0, 0.0]])
        expected = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
        got = greedy_policy(stay, rewards, 0.0, np.zeros(3))
        assert_close(got, expected, "values that only rounding parts are tied, and a billionth more is better")


def check_error_bound(error_bound: Callable) -> None:
    """What is still to come when each change is gamma times the one before: change · (γ + γ² + …), without end for γ = 1."""
    law = "the error left is at most the sum of all changes to come, each gamma times the one before"
    for gamma, change in ((0.0, 3.0), (0.3, 0.7), (0.5, 1.0), (0.9, 0.02), (0.99, 1e-9)):
        assert_close(error_bound(gamma, change), change * sum(gamma**n for n in range(1, 4000)), law)
    assert error_bound(1.0, 0.1) == np.inf, f"{law}; yours is {error_bound(1.0, 0.1)} for gamma = 1, where none holds."


def check_policy_evaluation(policy_evaluation: Callable) -> None:
    """v within the tolerance of v_π, by that many sweeps from zero and not one too many.

    fn(transitions, rewards, gamma, policy, tolerance) gives (v "S", sweeps).
    """
    for p, r, gamma, rng in _processes():
        policy = rng.dirichlet(np.ones(r.shape[1]), len(r))
        exact = _value_of(p, r, gamma, policy)
        for tolerance in (1e-2, 1e-9):
            v, sweeps = policy_evaluation(p, r, gamma, policy, tolerance)
            _check_sweeps(lambda v: np.sum(policy * _q(p, r, gamma, v), axis=1), gamma, v, sweeps, tolerance)  # noqa: B023
            if gamma < 1:
                _check_within(v, exact, tolerance)


def check_value_iteration(value_iteration: Callable) -> None:
    """v within the tolerance of the best policy's value, by that many sweeps from zero; its greedy policy is as good.

    fn(transitions, rewards, gamma, tolerance) gives (v "S", policy "S A", sweeps).
    """
    for p, r, gamma, _ in _processes():
        best = _best_value(p, r, gamma)
        for tolerance in (1e-2, 1e-9):
            v, policy, sweeps = value_iteration(p, r, gamma, tolerance)
            _check_sweeps(lambda v: _q(p, r, gamma, v).max(axis=1), gamma, v, sweeps, tolerance)  # noqa: B023
            if gamma < 1:
                _check_within(v, best, tolerance)
        law = "a policy that is greedy for the best values earns them"
        assert_close(_value_of(p, r, gamma, policy), best, law, tolerance=1e-7)


def check_policy_iteration(policy_iteration: Callable) -> None:
    """The best policy's value, by trying every policy, and a policy that earns it; also where all actions are alike.

    fn(transitions, rewards, gamma) gives (v "S", policy "S A", rounds), rounds being the policies solved, uniform first.
    """
    for p, r, gamma, _ in _processes():
        best = _best_value(p, r, gamma)
        v, policy, rounds = policy_iteration(p, r, gamma)
        assert_close(v, best, "policy iteration ends at the value of the best of all policies")
        assert_close(_value_of(p, r, gamma, policy), best, "the policy that is given back earns the value")
        assert 1 <= rounds <= r.shape[1] ** len(r), f"each round solves a new policy; yours took {rounds}."
        alike = np.repeat(p[:, :1], 3, axis=1), np.repeat(r[:, :1], 3, axis=1)
        v, _, rounds = policy_iteration(*alike, gamma)
        assert_close(
            v, _value_of(*alike, gamma, np.full((len(r), 3), 1 / 3)), "where all actions are alike, each is best"
        )
        assert rounds == 1, f"where all actions are alike the first policy is the best; yours took {rounds} rounds."
    v, _, rounds = policy_iteration(*_corridor(4), 1.0)
    assert_close(v, -np.array([3.0, 2, 1, 0]), "in a corridor of sure steps that cost 1, value is the distance")
    assert rounds == 2, f"the uniform policy's greedy policy walks straight on: two are solved; yours took {rounds}."


def _corridor(states: int) -> tuple[Float[Array, "S A S"], Float[Array, "S A"]]:
    """Step on or step back, at a cost of 1, to the end that is the last state."""
    places = np.arange(states)
    to = np.stack([np.minimum(places + 1, states - 1), np.maximum(places - 1, 0)], axis=1)
    to[-1] = states - 1
    return np.eye(states)[to], np.repeat(np.where(places == states - 1, 0.0, -1.0)[:, None], 2, axis=1)


def _processes() -> Iterator[Process]:
    """Processes that are not special; the last state ends, and is reached by every action where γ is 1."""
    rng = np.random.default_rng(6)
    for states, actions, gamma in ((3, 2, 0.0), (4, 3, 0.55), (4, 2, 0.9), (3, 3, 1.0), (4, 2, 1.0)):
        p = rng.dirichlet(0.7 * np.ones(states), (states, actions))
        p = 0.8 * p + 0.2 * np.eye(states)[-1] if gamma == 1 else p
        r = rng.normal(-0.5, 1.0, (states, actions))
        p[-1], r[-1] = np.eye(states)[-1], 0.0
        yield p, r, gamma, rng


def _values_of_actions(p: Array, r: Array, gamma: float, v: Array) -> Float[Array, "S A"]:
    """Reward plus discounted mean of v, sum by sum."""
    states, actions = r.shape
    mean = [[sum(p[s, a, t] * v[t] for t in range(states)) for a in range(actions)] for s in range(states)]
    return r + gamma * np.array(mean)


def _q(p: Array, r: Array, gamma: float, v: Array) -> Float[Array, "S A"]:
    """The same, fast, for the thousands of sweeps below."""
    return r + gamma * np.einsum("sat,t->sa", p, v)


def _value_of(p: Array, r: Array, gamma: float, policy: Array) -> Float[Array, " S"]:
    """Σ_t γᵗ Pᵗ r by doubling: the first 2n terms are the first n, and n steps on the first n again."""
    chain = gamma * np.einsum("sa,sat->st", policy, p)
    v = np.sum(policy * r, axis=1)
    for _ in range(40):
        v, chain = v + chain @ v, chain @ chain
    return v


def _best_value(p: Array, r: Array, gamma: float) -> Float[Array, " S"]:
    """The greatest value of each state over every policy that has one action a state."""
    choices = np.eye(r.shape[1])
    plans = (choices[list(plan)] for plan in enumerate_sequences(r.shape[1], len(r) - 1))
    return np.max([_value_of(p, r, gamma, np.vstack([plan, choices[0]])) for plan in plans], axis=0)


def _check_within(v: Array, exact: Array, tolerance: float) -> None:
    error = np.abs(v - exact).max()
    law = f"sweeps stop when the error is at most the tolerance, {tolerance:g}"
    assert error <= tolerance + 1e-12, f"{law}; yours is off by {error:.3g}."


def _check_sweeps(backup: Callable, gamma: float, v: Array, sweeps: int, tolerance: float) -> None:
    """v is `sweeps` backups of zero; before the last of them γ/(1 - γ) times the change was above the tolerance."""
    factor = gamma / (1 - gamma) if gamma < 1 else 1.0
    known, changes = np.zeros(len(v)), [np.inf]
    for _ in range(sweeps):
        known, old = backup(known), known
        changes.append(float(np.abs(known - old).max()))
    assert_close(v, known, "v is what so many sweeps make of zero")
    enough = [n for n, change in enumerate(changes) if factor * change <= tolerance]
    law = "sweeps end at the first change that is small enough for the tolerance"
    assert enough[:1] == [sweeps], f"{law}; yours took {sweeps} sweeps, {'too many' if enough else 'too few'}."
