"""Wrong targets and wrong learners of values. Learners are called as `rlhw.laws.temporal_difference` says."""

import numpy as np

SUBJECTS = {
    "check_returns": "rlhw.temporal_difference:returns",
    "check_n_step_returns": "rlhw.temporal_difference:n_step_returns",
    "check_lambda_returns": "rlhw.temporal_difference:lambda_returns",
    "check_backward_view": "rlhw.temporal_difference:backward_view",
    "check_mc_prediction": "rlhw.temporal_difference:mc_prediction",
    "check_td_prediction": "rlhw.temporal_difference:td_prediction",
    "check_n_step_td": "rlhw.temporal_difference:n_step_td",
    "check_td_lambda": "rlhw.temporal_difference:td_lambda",
}


def _returns(r, gamma):
    """Right: the other mutants begin with it."""
    found, after = np.zeros(r.shape), 0.0
    for t in reversed(range(r.shape[-1])):
        found[..., t] = after = r[..., t] + gamma * after
    return found


def _n_step(r, v, gamma, n):
    """Right."""
    targets = v
    for _ in range(min(n, r.shape[-1])):
        targets = np.concatenate([r + gamma * targets[..., 1:], v[..., -1:]], axis=-1)
    return targets[..., :-1]


def _no_value_near_the_end(r, v, gamma, n):
    target = _n_step(r, np.zeros(v.shape), gamma, n)
    full = max(r.shape[-1] - n + 1, 0)
    target[..., :full] += gamma**n * v[..., n : n + full]
    return target


def _mixture(r, v, gamma, lam, weights, before=1.0):
    """The n-step returns with weights(n, left), n = 1 … left, on each step."""
    steps = r.shape[-1]
    n_step = {n: _n_step(r, v, gamma, n) for n in range(1, steps + 1)}
    found = np.zeros(r.shape)
    for t in range(steps):
        found[..., t] = before * sum(weights(n, steps - t) * n_step[n][..., t] for n in range(1, steps - t + 1))
    return found


RETURNS = {
    "no discount": lambda r, gamma: _returns(r, 1.0),
    "the first reward is discounted": lambda r, gamma: gamma * _returns(r, gamma),
    "the reward of the step itself is left out": lambda r, gamma: _returns(r, gamma) - r,
    "summed from the beginning": lambda r, gamma: _returns(r[..., ::-1], gamma)[..., ::-1],
    "the whole return at every step": lambda r, gamma: np.repeat(_returns(r, gamma)[..., :1], r.shape[-1], axis=-1),
    "discounted by the age in the episode": lambda r, gamma: _returns(r, gamma) * gamma ** np.arange(r.shape[-1]),
}

N_STEP_RETURNS = {
    "the value is not discounted": lambda r, v, gamma, n: _n_step(r, v / gamma ** min(n, r.shape[-1]), gamma, n),
    "one step too many": lambda r, v, gamma, n: _n_step(r, v, gamma, n + 1),
    "one step for n": lambda r, v, gamma, n: _n_step(r, v, gamma, 1),
    "no value at all": lambda r, v, gamma, n: _n_step(r, np.zeros(v.shape), gamma, n),
    "no value where fewer than n steps are left": _no_value_near_the_end,
    "rewards are not discounted": lambda r, v, gamma, n: (
        _n_step(r, v, gamma, n) + _n_step(r, 0 * v, 1.0, n) - _n_step(r, 0 * v, gamma, n)
    ),
    "the own value for the next": lambda r, v, gamma, n: _n_step(r, np.roll(v, 1, axis=-1), gamma, n),
    "the value is taken off": lambda r, v, gamma, n: _n_step(r, v, gamma, n) - v[..., :-1],
}

LAMBDA_RETURNS = {
    "weights do not sum to one": lambda r, v, gamma, lam: _mixture(
        r, v, gamma, lam, lambda n, left: (1 - lam) * lam ** (n - 1)
    ),
    "no factor 1 - lambda": lambda r, v, gamma, lam: _mixture(r, v, gamma, lam, lambda n, left: lam ** (n - 1)),
    "lambda and 1 - lambda exchanged": lambda r, v, gamma, lam: _mixture(
        r, v, gamma, lam, lambda n, left: lam * (1 - lam) ** (n - 1) if n < left else (1 - lam) ** (n - 1)
    ),
    "all n weigh the same": lambda r, v, gamma, lam: _mixture(r, v, gamma, lam, lambda n, left: 1 / left),
    "weights one power late": lambda r, v, gamma, lam: _mixture(
        r, v, gamma, lam, lambda n, left: (1 - lam) * lam**n if n < left else lam**n
    ),
    "the value is taken off, as in GAE": lambda r, v, gamma, lam: (
        _mixture(r, v, gamma, lam, lambda n, left: (1 - lam) * lam ** (n - 1) if n < left else lam ** (n - 1))
        - v[..., :-1]
    ),
    "lambda discounts the rewards too": lambda r, v, gamma, lam: _mixture(
        r, v, gamma * lam, lam, lambda n, left: (1 - lam) * lam ** (n - 1) if n < left else lam ** (n - 1)
    ),
}


def _traced(
    grow, fade=lambda gamma, lam: gamma * lam, error=lambda r, gamma, after, before: r + gamma * after - before
):
    """A backward view with its traces grown by grow(traces, state)."""

    def view(states, rewards, values, gamma, lam):
        traces, total = np.zeros(len(values)), np.zeros(len(values))
        for t, reward in enumerate(rewards):
            traces = grow(fade(gamma, lam) * traces, states[t])
            total += error(reward, gamma, values[states[t + 1]], values[states[t]]) * traces
        return total

    return view


def _plus_one(traces, state):
    traces[state] += 1
    return traces


def _set_to_one(traces, state):
    traces[state] = 1.0
    return traces


def _only_here(traces, state):
    return np.eye(len(traces))[state]


def _fading_after(states, rewards, values, gamma, lam):
    return _traced(lambda e, s: gamma * lam * _plus_one(e, s), fade=lambda gamma, lam: 1.0)(
        states, rewards, values, gamma, lam
    )


BACKWARD_VIEW = {
    "traces are replaced, not added up": _traced(_set_to_one),
    "only the present state learns": _traced(_only_here),
    "traces fade by lambda alone": _traced(_plus_one, fade=lambda gamma, lam: lam),
    "traces do not fade": _traced(_plus_one, fade=lambda gamma, lam: 1.0),
    "traces fade before they are used": _fading_after,
    "the next value is not discounted": _traced(_plus_one, error=lambda r, gamma, after, before: r + after - before),
    "sign flipped": _traced(_plus_one, error=lambda r, gamma, after, before: before - r - gamma * after),
}


def _learner(episode):
    """All learners in the law's form, from episode(V, visits, states, rewards, gamma, step_size, **options), which edits V."""

    def learn(walks, values, gamma, step_size, **options):
        found = np.zeros((len(walks[0]), len(walks), len(values)))
        for n, walk in enumerate(walks):
            table, visits = values.copy(), np.zeros(len(values), dtype=int)
            for k, (states, rewards) in enumerate(walk):
                episode(table, visits, states, rewards, gamma, step_size, **options)
                found[k, n] = table
        return found

    return learn


def _mc(target=_returns, counted=None, factor=1.0, twice=False):
    def episode(v, visits, states, rewards, gamma, step_size, every_visit=False):
        goals = target(rewards, gamma)
        for t, state in enumerate(states[:-1]):
            first = state not in states[:t]
            if counted(states, t) if counted else every_visit or first:
                visits[state] += 1 + twice
                v[state] += factor * step_size(visits[state]) * (goals[t] - v[state])

    return _learner(episode)


def _forgets_counts(v, visits, states, rewards, gamma, step_size, every_visit=False):
    seen = np.zeros(len(v), dtype=int)
    for t, (state, goal) in enumerate(zip(states[:-1], _returns(rewards, gamma), strict=True)):
        if every_visit or state not in states[:t]:
            seen[state] += 1
            v[state] += step_size(seen[state]) * (goal - v[state])


MC_PREDICTION = {
    "step size doubled": _mc(factor=2.0),
    "a visit counted twice": _mc(twice=True),
    "every visit, always": _mc(counted=lambda states, t: True),
    "the first visit, always": _mc(counted=lambda states, t: states[t] not in states[:t]),
    "the last visit for the first": _mc(counted=lambda states, t: states[t] not in states[t + 1 :]),
    "the whole return for every state": _mc(
        target=lambda r, gamma: np.repeat(_returns(r, gamma)[:1], len(r)),
    ),
    "the step's reward for the return": _mc(target=lambda r, gamma: r),
    "visits are counted anew in each episode": _learner(_forgets_counts),
}


def _td(error, factor=1.0, order=range, late=False, twice=False):
    """TD(0) with this TD error(V, reward, gamma, state, next state)."""

    def episode(v, visits, states, rewards, gamma, step_size):
        held = v.copy() if late else v
        for t in order(len(rewards)):
            state = states[t]
            visits[state] += 1 + twice
            v[state] += factor * step_size(visits[state]) * error(held, rewards[t], gamma, state, states[t + 1])

    return _learner(episode)


def _error(v, reward, gamma, state, after):
    return reward + gamma * v[after] - v[state]


TD_PREDICTION = {
    "step size doubled": _td(_error, factor=2.0),
    "a visit counted twice": _td(_error, twice=True),
    "V held still within an episode": _td(_error, late=True),
    "from the back of the episode": _td(_error, order=lambda steps: reversed(range(steps))),
    "gamma left out": _td(lambda v, r, gamma, s, t: r + v[t] - v[s]),
    "the own value is not subtracted": _td(lambda v, r, gamma, s, t: r + gamma * v[t]),
    "the own value is discounted, not the next": _td(lambda v, r, gamma, s, t: r + v[t] - gamma * v[s]),
    "reward left out": _td(lambda v, r, gamma, s, t: gamma * v[t] - v[s]),
    "sign flipped": _td(lambda v, r, gamma, s, t: -_error(v, r, gamma, s, t)),
}


def _n_steps(target=_n_step, factor=1.0, held=False, stop_early=False, shift=0):
    def episode(v, visits, states, rewards, gamma, step_size, n):
        old = v.copy()
        for t in range(max(len(rewards) - n + 1, 0) if stop_early else len(rewards)):
            goal = target(rewards, (old if held else v)[states], gamma, max(n + shift, 1))[t]
            visits[states[t]] += 1
            v[states[t]] += factor * step_size(visits[states[t]]) * (goal - v[states[t]])

    return _learner(episode)


N_STEP_TD = {
    "step size doubled": _n_steps(factor=2.0),
    "V held still within an episode": _n_steps(held=True),
    "the last n - 1 visits never learn": _n_steps(stop_early=True),
    "no value where fewer than n steps are left": _n_steps(target=_no_value_near_the_end),
    "one step too few": _n_steps(shift=-1),
    "one step too many": _n_steps(shift=1),
    "one step for n": _n_steps(target=lambda r, v, gamma, n: _n_step(r, v, gamma, 1)),
}


def _traces(grow=_plus_one, fade=lambda gamma, lam: gamma * lam, held=False, keep=False, factor=1.0):
    kept = {}

    def episode(v, visits, states, rewards, gamma, step_size, lam):
        traces = kept.get(id(v), np.zeros(len(v))) if keep else np.zeros(len(v))
        old = v.copy()
        for t, reward in enumerate(rewards):
            source = old if held else v
            error = _error(source, reward, gamma, states[t], states[t + 1])
            traces = grow(fade(gamma, lam) * traces, states[t])
            visits[states[t]] += 1
            v += factor * step_size(np.maximum(visits, 1)) * error * traces
        kept[id(v)] = traces

    return _learner(episode)


TD_LAMBDA = {
    "step size doubled": _traces(factor=2.0),
    "traces are replaced, not added up": _traces(grow=_set_to_one),
    "only the present state learns": _traces(grow=_only_here),
    "traces fade by lambda alone": _traces(fade=lambda gamma, lam: lam),
    "traces fade by gamma alone": _traces(fade=lambda gamma, lam: gamma),
    "V held still within an episode": _traces(held=True),
    "traces outlive the episode": _traces(keep=True),
}

MUTANTS = {
    "check_returns": RETURNS,
    "check_n_step_returns": N_STEP_RETURNS,
    "check_lambda_returns": LAMBDA_RETURNS,
    "check_backward_view": BACKWARD_VIEW,
    "check_mc_prediction": MC_PREDICTION,
    "check_td_prediction": TD_PREDICTION,
    "check_n_step_td": N_STEP_TD,
    "check_td_lambda": TD_LAMBDA,
}
