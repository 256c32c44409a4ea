"""Laws of control on tables: what an estimate is moved towards, and every move of a learning loop, done over by hand.

A loop is called with a model's (transitions, rewards, gamma, start) and its settings, and gives one tuple a step. A law
replays what the learners say they saw, so it needs no luck; how often they explore is a count, with a stated false alarm.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import assert_close

Array = np.ndarray
Numbers = np.ndarray | np.number | float | int
# Five standard deviations and a third: a right learner is accused once in ten million times.
WIDTH = 5.33


def model(seed: int) -> tuple[Array, Array, float, Array]:
    """Three states and an end, three actions, some of which stay where they are: (transitions, rewards, gamma, start)."""
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(4), size=(4, 3))
    transitions[0, 1] = [0.6, 0.4, 0.0, 0.0]
    transitions[3] = np.eye(4)[3]
    rewards = rng.standard_normal((4, 3)).round(1)
    rewards[3] = 0.0
    return transitions, rewards, 0.9, np.array([0.25, 0.75, 0.0, 0.0])


def alternating(visits: Numbers) -> Numbers:
    """Explore for sure at the visits 1, 4, 7, …, never at others: a count that is off by one or two shows."""
    return (np.asarray(visits) % 3 == 1) * 1.0


def uneven(visits: Numbers) -> Numbers:
    """A step size that tells every number of visits from the next."""
    return 1 / (1.5 + np.asarray(visits))


def _next_values(n: int) -> Iterator[tuple[Array, Array, Array, float]]:
    rng = np.random.default_rng(n)
    for gamma in (0.0, 0.7, 1.0):
        yield rng.standard_normal(n), rng.standard_normal((n, 3)), rng.dirichlet(np.ones(3), size=n), gamma


def check_sarsa_target(sarsa_target: Callable) -> None:
    """r + γ Q(s', a') for the action a' that is taken next."""
    actions = np.array([2, 0, 1, 1, 2, 0])
    for rewards, q, _, gamma in _next_values(6):
        expected = np.array([rewards[n] + gamma * q[n, actions[n]] for n in range(6)])
        law = "SARSA's target is the reward plus γ times the value of the action taken next"
        assert_close(sarsa_target(rewards, q, actions, gamma), expected, law)


def check_expected_sarsa_target(expected_sarsa_target: Callable) -> None:
    """r + γ Σ_a π(a|s') Q(s', a)."""
    for rewards, q, policy, gamma in _next_values(6):
        expected = np.array([rewards[n] + gamma * sum(policy[n, a] * q[n, a] for a in range(3)) for n in range(6)])
        law = "expected SARSA's target is the reward plus γ times the mean of the next values under the policy"
        assert_close(expected_sarsa_target(rewards, q, policy, gamma), expected, law)


def check_q_learning_target(q_learning_target: Callable) -> None:
    """r + γ max_a Q(s', a)."""
    for rewards, q, _, gamma in _next_values(6):
        expected = np.array([rewards[n] + gamma * max(q[n]) for n in range(6)])
        law = "Q-learning's target is the reward plus γ times the greatest of the next values"
        assert_close(q_learning_target(rewards, q, gamma), expected, law)


def check_first_visit_returns(first_visit_returns: Callable) -> None:
    """The discounted sum of rewards from the first visit of (s, a) on, where there was one; a padded step is no visit.

    first_visit_returns takes (states, actions, rewards, mask, gamma, number of states, of actions).
    """
    states = np.array([[0, 2, 0, 1, 3, 3], [1, 1, 1, 3, 3, 3], [2, 0, 2, 0, 2, 3]])
    actions = np.array([[1, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]])
    mask = np.array([[True] * 4 + [False], [True] * 3 + [False] * 2, [True] * 5])
    rewards = np.random.default_rng(5).standard_normal((3, 5)) * mask
    for gamma in (0.6, 1.0):
        returns, visited = first_visit_returns(states, actions, rewards, mask, gamma, 4, 2)
        table, seen = np.zeros((3, 4, 2)), np.zeros((3, 4, 2))
        for n in range(3):
            _first_visits(states[n], actions[n], rewards[n], mask[n], gamma, table[n], seen[n])
        assert_close(
            np.asarray(visited) * 1.0, seen, "a pair was visited if the episode took that action in that state"
        )
        assert_close(returns, table, "the return of a pair is that of its first visit, and 0 without one")


def _first_visits(states: Array, actions: Array, rewards: Array, mask: Array, gamma: float, table: Array, seen: Array):
    """Forwards, one sum a visit: not how one would compute it."""
    for t in np.flatnonzero(mask):
        pair = states[t], actions[t]
        if not seen[pair]:
            seen[pair] = 1
            table[pair] = sum(gamma ** (k - t) * rewards[k] for k in range(t, mask.sum()))


def check_sarsa(sarsa: Callable) -> None:
    """Replayed: every move of SARSA, every greedy choice, and how it explores."""
    _check_loop(sarsa, lambda q, policy, after: q[after], "SARSA")


def check_expected_sarsa(expected_sarsa: Callable) -> None:
    """Replayed: every move of expected SARSA, every greedy choice, and how it explores."""
    _check_loop(expected_sarsa, lambda q, policy, after: float(policy @ q), "expected SARSA")


def check_q_learning(q_learning: Callable) -> None:
    """Replayed: every move of Q-learning, every greedy choice, and how it explores."""
    _check_loop(q_learning, lambda q, policy, after: max(q), "Q-learning")


def _check_loop(loop: Callable, value: Callable, name: str) -> None:
    given = model(6)
    settings = {"epsilon": alternating, "step_size": uneven, "learners": 3, "steps": 200}
    seen = list(loop(*given, **settings, rng=np.random.default_rng(7)))
    assert len(seen) == 200, f"{name} takes as many steps as it is told; yours takes {len(seen)}."
    tables = [_replay(given, [[part[n] for part in step] for step in seen], value, name) for n in range(3)]
    assert abs(tables[0] - tables[1]).max() > 1e-6, f"{name}: learners walk ways of their own; yours all walk one."
    begins, free = _counts(given, seen)
    expected = given[3][:2] * begins.sum()
    _agree(begins, expected, expected * (1 - given[3][:2]), f"{name}: episodes begin by the law of the first state")
    _agree(free, np.full(3, free.sum() / 3), free.sum() * 2 / 9, f"{name}: exploring draws every action equally often")


def _replay(given: tuple, steps: list, value: Callable, name: str) -> Array:
    """One learner's table from what it saw; on the way the checks of each step. Greedy choices use the table before the move."""
    transitions, rewards, gamma, start = given
    q, counts = np.zeros(rewards.shape), np.zeros(rewards.shape)
    for t, (s, a, r, after, table) in enumerate(steps):
        over = after == 3
        assert transitions[s, a, after] > 0, f"{name}: a step goes where the model can go; yours goes elsewhere."
        assert_close(r, rewards[s, a], f"{name}: a step pays the model's reward")
        if t == 0:
            _check_greedy(q[s], counts[s], a, name)
        counts[s, a] += 1
        policy = _policy(q[after], counts[after])
        if t + 1 < len(steps):
            s2, a2 = steps[t + 1][:2]
            if not over:
                assert s2 == after, f"{name}: the next step begins where this one ended; yours begins elsewhere."
                _check_greedy(q[after], counts[after], a2, name)
        # The last step's next action is not seen, so SARSA's last move cannot be judged.
        if t + 1 < len(steps) or name != "SARSA":
            goal = r if over else r + gamma * value(q[after], policy, a2 if t + 1 < len(steps) else None)
            q[s, a] += uneven(counts[s, a]) * (goal - q[s, a])
            law = f"{name} moves the value of what was done by the step size towards its target, and no other value"
            assert_close(table, q, law)
        if t + 1 < len(steps) and over:
            assert start[s2] > 0, f"{name}: after an end a new episode begins; yours begins where none can."
            _check_greedy(q[s2], counts[s2], a2, name)
    return q


def _policy(row: Array, counts: Array) -> Array:
    best = row == row.max()
    return np.full(3, 1 / 3) if alternating(counts.sum() + 1) else best / best.sum()


def _check_greedy(row: Array, counts: Array, action: Numbers, name: str) -> None:
    law = f"{name}: where ε is 0 a best action is taken, and ε is asked with the number of this visit"
    assert _policy(row, counts)[action] > 0, f"{law}; yours takes another."


def _counts(given: tuple, seen: list) -> tuple[Array, Array]:
    """How often episodes began in states 0 and 1, and how often each action was taken at visits that explore for sure."""
    begins, free, visits = np.zeros(2), np.zeros(3), np.zeros((3, 4), dtype=int)
    for t, (states, actions, _, _, _) in enumerate(seen):
        for n, (s, a) in enumerate(zip(states, actions, strict=True)):
            visits[n, s] += 1
            free[a] += alternating(visits[n, s])
            if t == 0 or seen[t - 1][3][n] == 3:
                begins[s] += 1
    return begins, free


def _agree(got: Array, expected: Array, variance: Numbers, law: str) -> None:
    far = np.abs(got - expected) > WIDTH * np.sqrt(variance)
    assert not np.any(far), f"{law}; yours counts {got.tolist()} where about {np.round(expected, 1).tolist()} are due."


def check_mc_control(mc_control: Callable) -> None:
    """Replayed: each value is the mean of all first-visit returns, cut episodes left out, and the greedy choices are greedy."""
    given = model(8)
    settings = {"epsilon": alternating, "learners": 4, "rounds": 60, "max_steps": 6}
    rounds = list(mc_control(*given, **settings, rng=np.random.default_rng(9)))
    assert len(rounds) == 60, f"Monte Carlo control plays as many rounds as it is told; yours plays {len(rounds)}."
    q, totals, counts = np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    begins, free, cut = np.zeros(2), np.zeros(3), 0
    for states, actions, rewards, mask, table in rounds:
        assert states.shape[1] <= 7, "an episode has at most max_steps steps; yours has more."
        assert np.any(mask[:, -1]), "a round is over with its longest episode; yours goes on."
        assert states.shape[1] == 7 or np.all(states[:, -1] == 3), (
            "only max_steps cuts an episode; yours are cut before."
        )
        for n in range(4):
            _check_walk(given, states[n], actions[n], rewards[n], mask[n], q[n], counts[n])
            begins[states[n, 0]] += 1
            for s, a in zip(states[n][:-1][mask[n]], actions[n][mask[n]], strict=True):
                free[a] += alternating(counts[n, s].sum() + 1)
            cut += states[n, -1] != 3
            returns, seen = np.zeros((4, 3)), np.zeros((4, 3))
            _first_visits(states[n], actions[n], rewards[n], mask[n], given[2], returns, seen)
            if states[n, -1] == 3:
                totals[n], counts[n] = totals[n] + returns, counts[n] + seen
        q = np.divide(totals, counts, out=np.zeros_like(q), where=counts > 0)
        assert_close(
            table, q, "each value is the mean of the returns of its first visits, over all episodes that ended"
        )
    assert cut, "an episode is cut after max_steps; yours never is."
    expected = given[3][:2] * begins.sum()
    _agree(begins, expected, expected * (1 - given[3][:2]), "episodes begin by the law of the first state")
    _agree(free, np.full(3, free.sum() / 3), free.sum() * 2 / 9, "exploring draws every action equally often")


def _check_walk(
    given: tuple, states: Array, actions: Array, rewards: Array, mask: Array, q: Array, counts: Array
) -> None:
    """An episode of the model, with its choices greedy where they must be; ε is fixed while it lasts."""
    live = np.array([s != 3 for s in states[:-1]])
    assert_close(mask * 1.0, live * 1.0, "an episode lasts until its end, and is masked behind it")
    for t in np.flatnonzero(live):
        s, a = states[t], actions[t]
        assert given[0][s, a, states[t + 1]] > 0, "a step goes where the model can go; yours goes elsewhere."
        assert_close(rewards[t], given[1][s, a], "a step pays the model's reward")
        _check_greedy(q[s], counts[s], a, "Monte Carlo control")
