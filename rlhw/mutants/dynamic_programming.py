"""Wrong dynamic programming. A process comes as arrays: transitions "S A S", rewards "S A", gamma."""

import numpy as np

SUBJECTS = {
    "check_action_values": "rlhw.dynamic_programming:action_values",
    "check_bellman_expectation": "rlhw.dynamic_programming:bellman_expectation",
    "check_bellman_optimality": "rlhw.dynamic_programming:bellman_optimality",
    "check_solve_policy": "rlhw.dynamic_programming:solve_policy",
    "check_discounted_visits": "rlhw.dynamic_programming:discounted_visits",
    "check_greedy_policy": "rlhw.dynamic_programming:greedy_policy",
    "check_error_bound": "rlhw.dynamic_programming:error_bound",
    "check_policy_evaluation": "rlhw.dynamic_programming:policy_evaluation",
    "check_value_iteration": "rlhw.dynamic_programming:value_iteration",
    "check_policy_iteration": "rlhw.dynamic_programming:policy_iteration",
}


def _q(p, r, gamma, v):
    return r + gamma * p @ v


def _chain(p, r, policy):
    return np.einsum("sa,sat->st", policy, p), (policy * r).sum(axis=1)


def _solve(p, r, gamma, policy):
    chain, rewards = _chain(p, r, policy)
    live = np.arange(len(r)) < len(r) - 1
    v = np.zeros(len(r))
    v[live] = np.linalg.solve(np.eye(live.sum()) - gamma * chain[live][:, live], rewards[live])
    return v


def _shared(q, slack=1e-12):
    best = q >= q.max(axis=1, keepdims=True) - slack * np.abs(q).max()
    return best / best.sum(axis=1, keepdims=True)


def _first(q):
    return np.eye(q.shape[1])[q.argmax(axis=1)]


def _sweeps(backup, gamma, states, tolerance, factor=None, start=0.0, least=1):
    """Sweeps until factor · change <= tolerance; the right factor is γ/(1 - γ), for γ = 1 it is 1."""
    right = gamma / (1 - gamma) if gamma < 1 else 1.0
    v, n = np.full(states, start), 0
    while True:
        v, old, n = backup(v), v, n + 1
        if n >= least and (right if factor is None else factor(gamma)) * np.abs(v - old).max() <= tolerance:
            return v, n


def _evaluation(**slip):
    def evaluate(p, r, gamma, policy, tolerance):
        chain, rewards = _chain(p, r, policy)
        return _sweeps(lambda v: rewards + gamma * chain @ v, gamma, len(r), tolerance, **slip)

    return evaluate


def _in_place(p, r, gamma, policy, tolerance):
    """Uses new values in the sweep that makes them: converges to the same, by other numbers on the way."""
    chain, rewards = _chain(p, r, policy)

    def backup(v):
        v = v.copy()
        for s in range(len(v)):
            v[s] = rewards[s] + gamma * chain[s] @ v
        return v

    return _sweeps(backup, gamma, len(r), tolerance)


def _iteration(best=lambda q: q.max(axis=1), policy_of=_shared, **slip):
    def iterate(p, r, gamma, tolerance):
        v, n = _sweeps(lambda v: best(_q(p, r, gamma, v)), gamma, len(r), tolerance, **slip)
        return v, policy_of(_q(p, r, gamma, v)), n

    return iterate


def _rounds(first=None, give=lambda solved, improved: solved, most=99, extra=0):
    """Policy iteration from the uniform policy (or `first`), for at most `most` rounds."""

    def iterate(p, r, gamma):
        policy = np.full_like(r, 1 / r.shape[1]) if first is None else first(r)
        for n in range(1, most + 1):
            v = _solve(p, r, gamma, policy)
            q = _q(p, r, gamma, v)
            gains = q.max(axis=1) > v + 1e-12 * np.abs(q).max()
            if not gains.any() or n == most:
                return give(v, q), policy, n + extra
            policy = np.where(gains[:, None], _shared(q), policy)

    return iterate


ACTION_VALUES = {
    "gamma forgotten": lambda p, r, gamma, v: r + p @ v,
    "gamma on the reward too": lambda p, r, gamma, v: gamma * (r + p @ v),
    "the value here instead of there": lambda p, r, gamma, v: r + gamma * v[:, None],
    "transitions the wrong way round": lambda p, r, gamma, v: r + gamma * np.einsum("tas,t->sa", p, v),
    "the best next state instead of the mean": lambda p, r, gamma, v: r + gamma * (p * v).max(axis=2),
    "the reward left out": lambda p, r, gamma, v: gamma * p @ v,
}

EXPECTATION = {
    "all actions alike": lambda p, r, gamma, policy, v: _q(p, r, gamma, v).mean(axis=1),
    "the best action instead of the policy's": lambda p, r, gamma, policy, v: _q(p, r, gamma, v).max(axis=1),
    "sum over actions without the policy": lambda p, r, gamma, policy, v: _q(p, r, gamma, v).sum(axis=1),
    "gamma forgotten": lambda p, r, gamma, policy, v: (policy * _q(p, r, 1.0, v)).sum(axis=1),
    "only the likeliest action": lambda p, r, gamma, policy, v: (_first(policy) * _q(p, r, gamma, v)).sum(axis=1),
}

OPTIMALITY = {
    "the mean instead of the greatest": lambda p, r, gamma, v: _q(p, r, gamma, v).mean(axis=1),
    "the least instead of the greatest": lambda p, r, gamma, v: _q(p, r, gamma, v).min(axis=1),
    "best reward plus best future, of two actions": lambda p, r, gamma, v: r.max(axis=1) + gamma * (p @ v).max(axis=1),
    "the greatest over states": lambda p, r, gamma, v: np.resize(_q(p, r, gamma, v).max(axis=0), len(r)),
    "gamma forgotten": lambda p, r, gamma, v: _q(p, r, 1.0, v).max(axis=1),
    "the action with the best reward": lambda p, r, gamma, v: (_first(r) * _q(p, r, gamma, v)).sum(axis=1),
}

SOLVE = {
    "matrix transposed": lambda p, r, gamma, policy: np.linalg.lstsq(
        np.eye(len(r)) - gamma * _chain(p, r, policy)[0].T, _chain(p, r, policy)[1], rcond=None
    )[0],
    "a hundred steps instead of all": lambda p, r, gamma, policy: _evaluation(factor=lambda g: 1.0)(
        p, r, gamma, policy, 1e-4
    )[0],
    "all actions alike": lambda p, r, gamma, policy: _solve(p, r, gamma, np.full_like(r, 1 / r.shape[1])),
    "only the likeliest action": lambda p, r, gamma, policy: _solve(p, r, gamma, _first(policy)),
    "reward counted from tomorrow": lambda p, r, gamma, policy: (
        gamma * _chain(p, r, policy)[0] @ _solve(p, r, gamma, policy)
    ),
    "plus for minus": lambda p, r, gamma, policy: np.linalg.solve(
        np.eye(len(r)) + gamma * _chain(p, r, policy)[0], _chain(p, r, policy)[1]
    ),
}


def _visits(p, r, gamma, start, policy):
    live = np.arange(len(r)) < len(r) - 1
    chain = _chain(p, r, policy)[0][live][:, live]
    return np.append(np.linalg.solve(np.eye(live.sum()) - gamma * chain.T, start[live]), 0.0)


VISITS = {
    "not discounted": lambda p, r, gamma, start, policy: _visits(p, r, 0.999999, start, policy),
    "made a law": lambda p, r, gamma, start, policy: (
        _visits(p, r, gamma, start, policy) / _visits(p, r, gamma, start, policy).sum()
    ),
    "times one minus gamma": lambda p, r, gamma, start, policy: (1 - gamma) * _visits(p, r, gamma, start, policy),
    "the start not counted": lambda p, r, gamma, start, policy: (
        _visits(p, r, gamma, start, policy) - np.append(start[:-1], 0.0)
    ),
    "from a uniform start": lambda p, r, gamma, start, policy: _visits(
        p, r, gamma, np.full_like(start, 1 / len(r)), policy
    ),
    "matrix not transposed": lambda p, r, gamma, start, policy: np.append(
        np.linalg.solve(np.eye(len(r) - 1) - gamma * _chain(p, r, policy)[0][:-1, :-1], start[:-1]), 0.0
    ),
}

GREEDY = {
    "ties are all given to the first": lambda p, r, gamma, v: _first(_q(p, r, gamma, v)),
    "rounding breaks ties": lambda p, r, gamma, v: _shared(_q(p, r, gamma, v), slack=0.0),
    "nearly as good is as good": lambda p, r, gamma, v: _shared(_q(p, r, gamma, v), slack=1e-6),
    "the best reward, the future forgotten": lambda p, r, gamma, v: _shared(r),
    "the best future, the reward forgotten": lambda p, r, gamma, v: _shared(p @ v),
    "gamma forgotten": lambda p, r, gamma, v: _shared(_q(p, r, 1.0, v)),
    "ties each get everything": lambda p, r, gamma, v: np.ceil(_shared(_q(p, r, gamma, v))),
}

ERROR_BOUND = {
    "the change itself": lambda gamma, change: change if gamma < 1 else np.inf,
    "one minus gamma times the change": lambda gamma, change: (1 - gamma) * change if gamma < 1 else np.inf,
    "gamma left out": lambda gamma, change: change / (1 - gamma) if gamma < 1 else np.inf,
    "gamma squared": lambda gamma, change: gamma**2 / (1 - gamma) * change if gamma < 1 else np.inf,
    "a large number for gamma of one": lambda gamma, change: gamma / max(1 - gamma, 1e-9) * change,
}

EVALUATION = {
    "stops at a change as small as the tolerance": _evaluation(factor=lambda gamma: 1.0),
    "stops at one minus gamma times the change": _evaluation(factor=lambda gamma: 1 - gamma if gamma < 1 else 1.0),
    "gamma left out of the bound": _evaluation(factor=lambda gamma: 1 / (1 - gamma) if gamma < 1 else 1.0),
    "starts from one": _evaluation(start=1.0),
    "three sweeps at least": _evaluation(least=3),
    "new values used at once": _in_place,
    "one sweep more is reported": lambda *process: (_evaluation()(*process)[0], _evaluation()(*process)[1] + 1),
}

VALUE_ITERATION = {
    "stops at a change as small as the tolerance": _iteration(factor=lambda gamma: 1.0),
    "the mean instead of the greatest": _iteration(best=lambda q: q.mean(axis=1)),
    "the least instead of the greatest": _iteration(best=lambda q: q.min(axis=1)),
    "the worst policy is given back": _iteration(policy_of=lambda q: _shared(-q)),
    "the uniform policy is given back": _iteration(policy_of=lambda q: np.full_like(q, 1 / q.shape[1])),
    "starts from one": _iteration(start=1.0),
    "three sweeps at least": _iteration(least=3),
}

POLICY_ITERATION = {
    "stops after the first policy": _rounds(most=1),
    "stops after one improvement": _rounds(most=2),
    "one round more is reported": _rounds(extra=1),
    "starts from the first action": _rounds(first=lambda r: _first(np.zeros_like(r))),
    "the best next values are given for the policy's": _rounds(give=lambda v, q: q.mean(axis=1)),
    "changes places with the worst": lambda p, r, gamma: tuple(
        part if n else -part for n, part in enumerate(_rounds()(p, -r, gamma))
    ),
}

MUTANTS = {
    "check_action_values": ACTION_VALUES,
    "check_bellman_expectation": EXPECTATION,
    "check_bellman_optimality": OPTIMALITY,
    "check_solve_policy": SOLVE,
    "check_discounted_visits": VISITS,
    "check_greedy_policy": GREEDY,
    "check_error_bound": ERROR_BOUND,
    "check_policy_evaluation": EVALUATION,
    "check_value_iteration": VALUE_ITERATION,
    "check_policy_iteration": POLICY_ITERATION,
}
