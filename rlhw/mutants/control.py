"""Wrong targets, and learning loops that are wrong in one way each. Loops are called as the laws of control call them."""

import numpy as np

SUBJECTS = {
    "check_sarsa_target": "rlhw.control:sarsa_target",
    "check_expected_sarsa_target": "rlhw.control:expected_sarsa_target",
    "check_q_learning_target": "rlhw.control:q_learning_target",
    "check_first_visit_returns": "rlhw.control:first_visit_returns",
    "check_sarsa": "rlhw.control:sarsa",
    "check_expected_sarsa": "rlhw.control:expected_sarsa",
    "check_q_learning": "rlhw.control:q_learning",
    "check_mc_control": "rlhw.control:mc_control",
}


def _of(q, actions):
    return q[np.arange(len(q)), actions]


SARSA_TARGET = {
    "gamma forgotten": lambda r, q, a, gamma: r + _of(q, a),
    "the greatest value": lambda r, q, a, gamma: r + gamma * q.max(axis=1),
    "the mean of all values": lambda r, q, a, gamma: r + gamma * q.mean(axis=1),
    "reward forgotten": lambda r, q, a, gamma: gamma * _of(q, a),
    "reward discounted too": lambda r, q, a, gamma: gamma * (r + _of(q, a)),
}

EXPECTED_SARSA_TARGET = {
    "gamma forgotten": lambda r, q, p, gamma: r + (p * q).sum(axis=1),
    "plain mean": lambda r, q, p, gamma: r + gamma * q.mean(axis=1),
    "the greatest value": lambda r, q, p, gamma: r + gamma * q.max(axis=1),
    "value of the likeliest action": lambda r, q, p, gamma: r + gamma * _of(q, p.argmax(axis=1)),
    "mean instead of sum": lambda r, q, p, gamma: r + gamma * (p * q).mean(axis=1),
}

Q_LEARNING_TARGET = {
    "gamma forgotten": lambda r, q, gamma: r + q.max(axis=1),
    "the least value": lambda r, q, gamma: r + gamma * q.min(axis=1),
    "the mean value": lambda r, q, gamma: r + gamma * q.mean(axis=1),
    "the greatest of the batch": lambda r, q, gamma: r + gamma * q.max(),
    "the greatest absolute value": lambda r, q, gamma: r + gamma * np.abs(q).max(axis=1),
    "the action's number": lambda r, q, gamma: r + gamma * q.argmax(axis=1),
    "reward discounted too": lambda r, q, gamma: gamma * (r + q.max(axis=1)),
}


def _visits(every=False, undiscounted=False, from_start=False, ignore_mask=False, last=False):
    """Returns by pair, forwards; each switch is one mistake."""

    def returns_of(states, actions, rewards, mask, gamma, n_states, n_actions):
        table, seen = np.zeros((len(states), n_states, n_actions)), np.zeros((len(states), n_states, n_actions))
        for n, t in np.ndindex(rewards.shape):
            if not (mask[n, t] or ignore_mask):
                continue
            ahead = np.arange(rewards.shape[1] - t) + (t if from_start else 0)
            worth = rewards[n, t:] @ (np.ones(len(ahead)) if undiscounted else gamma**ahead)
            pair = n, states[n, t], actions[n, t]
            if every:
                table[pair] += worth
            elif last or not seen[pair]:
                table[pair] = worth
            seen[pair] = 1
        return table, seen > 0

    return returns_of


FIRST_VISIT_RETURNS = {
    "last visit instead of the first": _visits(last=True),
    "a visit counted twice": _visits(every=True),
    "gamma forgotten": _visits(undiscounted=True),
    "discounted from the episode's start": _visits(from_start=True),
    "padding counted as visits": _visits(ignore_mask=True),
}


def _policy(row, epsilon):
    best = row == row.max()
    return epsilon / len(row) + (1 - epsilon) * best / best.sum()


def _loop(value, *, gain=1.0, counted=1, late=0, explores=None, discount=True, moves=False, one=False, restart=True):
    """The loop of the three, one learner after the other; each switch is one mistake."""

    def walk(transitions, rewards, gamma, start, *, epsilon, step_size, steps, rng):
        q, counts = np.zeros(rewards.shape), np.zeros(rewards.shape)

        def act(s):
            e = float(epsilon(counts[s].sum() + 1 - late)) if explores is None else explores
            p = _policy(q[s], e)
            return rng.choice(len(p), p=p), p

        s = rng.choice(len(start), p=start)
        a, _ = act(s)
        for _ in range(steps):
            after = rng.choice(len(start), p=transitions[s, a])
            counts[s, a] += counted
            next_a, p = act(after)
            goal = rewards[s, a] + (gamma if discount else 1.0) * value(q[after], p, next_a)
            q[s, a] += gain * step_size(counts[s, a]) * (goal - q[s, a])
            if moves:
                q[after, next_a] += 0.1 * (goal - q[after, next_a])
            yield s, a, rewards[s, a], after, q.copy()
            if after == len(start) - 1:
                after = rng.choice(len(start), p=start) if restart else np.flatnonzero(start)[0]
                next_a, _ = act(after)
            s, a = after, next_a

    def everybody(*model, learners, rng, **settings):
        seeds = [3] * learners if one else list(range(learners))
        walks = [walk(*model, rng=np.random.default_rng(seed), **settings) for seed in seeds]
        for step in zip(*walks, strict=True):
            yield tuple(np.array(part) for part in zip(*step, strict=True))

    return everybody


def _faults(value, other):
    """What can go wrong with each of the three, whose target is `value`; `other` is the target of one of the other two."""
    return {
        "another method's target": _loop(other),
        "step size doubled": _loop(value, gain=2.0),
        "a visit counted twice": _loop(value, counted=2),
        "gamma forgotten": _loop(value, discount=False),
        "never explores": _loop(value, explores=0.0),
        "always explores": _loop(value, explores=1.0),
        "explores with the number of earlier visits": _loop(value, late=1),
        "moves the next pair too": _loop(value, moves=True),
        "all learners are one": _loop(value, one=True),
        "every episode begins in the first state": _loop(value, restart=False),
    }


def _next_value(q, p, a):
    return q[a]


def _mean_value(q, p, a):
    return p @ q


def _greatest_value(q, p, a):
    return q.max()


def _mc(*, every=False, cut=True, constant=0.0, recent=False, explores=None, discount=True):
    """Monte Carlo control, one learner after the other; each switch is one mistake."""

    def learn(transitions, rewards, gamma, start, *, epsilon, rounds, max_steps, rng):
        q, counts, end = np.zeros(rewards.shape), np.zeros(rewards.shape), len(start) - 1
        for _ in range(rounds):
            s, path = rng.choice(len(start), p=start), []
            asked = counts.sum(axis=1) + 1
            while len(path) < max_steps and s != end:
                p = _policy(q[s], float(epsilon(asked[s])) if explores is None else explores)
                a = rng.choice(len(p), p=p)
                path.append((s, a, rewards[s, a]))
                s = rng.choice(len(start), p=transitions[s, a])
            first = {}
            for t, (state, action, _) in enumerate(path):
                first.setdefault((state, action), t)
            returns = [
                sum((gamma if discount else 1.0) ** (k - t) * path[k][2] for k in range(t, len(path)))
                for t in range(len(path))
            ]
            for t, (state, action, _) in enumerate(path):
                if (every or first[state, action] == t) and (s == end or not cut):
                    counts[state, action] += 1
                    rate = constant or 1 / (counts[state, action] + recent)
                    q[state, action] += rate * (returns[t] - q[state, action])
            yield path, s, q.copy()

    def everybody(*model, learners, rng, **settings):
        walks = [learn(*model, rng=np.random.default_rng(seed), **settings) for seed in range(learners)]
        for played in zip(*walks, strict=True):
            yield _side_by_side(played)

    return everybody


def _side_by_side(played):
    """Paths of several lengths as padded arrays: states, actions, rewards, mask, tables."""
    longest = max(len(path) for path, _, _ in played)
    states = np.array([[s for s, _, _ in path] + [end] * (longest + 1 - len(path)) for path, end, _ in played])
    actions = np.array([[a for _, a, _ in path] + [0] * (longest - len(path)) for path, _, _ in played])
    rewards = np.array([[r for _, _, r in path] + [0.0] * (longest - len(path)) for path, _, _ in played])
    mask = np.array([[True] * len(path) + [False] * (longest - len(path)) for path, _, _ in played])
    return states, actions, rewards, mask, np.array([q for _, _, q in played])


MC_CONTROL = {
    "a visit counted twice": _mc(every=True),
    "learns from cut episodes": _mc(cut=False),
    "constant step size": _mc(constant=0.2),
    "one too many in the mean": _mc(recent=True),
    "never explores": _mc(explores=0.0),
    "always explores": _mc(explores=1.0),
    "gamma forgotten": _mc(discount=False),
}

MUTANTS = {
    "check_sarsa_target": SARSA_TARGET,
    "check_expected_sarsa_target": EXPECTED_SARSA_TARGET,
    "check_q_learning_target": Q_LEARNING_TARGET,
    "check_first_visit_returns": FIRST_VISIT_RETURNS,
    "check_sarsa": _faults(_next_value, _greatest_value),
    "check_expected_sarsa": _faults(_mean_value, _next_value),
    "check_q_learning": _faults(_greatest_value, _mean_value),
    "check_mc_control": MC_CONTROL,
}
