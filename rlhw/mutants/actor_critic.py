"""Wrong policy gradients on decision processes. A world is (transitions, rewards, gamma, start)."""

import numpy as np

from rlhw.mutants.policy_optimization import GAE

SUBJECTS = {
    "check_state_softmax": "rlhw.actor_critic:state_softmax",
    "check_objective": "rlhw.actor_critic:objective",
    "check_exact_advantages": "rlhw.actor_critic:exact_advantages",
    "check_policy_gradient": "rlhw.actor_critic:policy_gradient",
    "check_reinforce_gradients": "rlhw.actor_critic:reinforce_gradients",
    "check_actor_critic": "rlhw.actor_critic:actor_critic",
    "check_numpy_gae": "rlhw.actor_critic:gae",
}


def softmax(z):
    weights = np.exp(z - z.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


STATE_SOFTMAX = {
    "over the states": lambda z: np.exp(z) / np.exp(z).sum(axis=0),
    "over the whole table": lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
    "largest logit not subtracted": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "sign flipped": lambda z: softmax(-z),
    "not normalised": lambda z: np.exp(z - z.max(axis=-1, keepdims=True)),
}


class Solved:
    """What linear algebra says of a policy in a world; states that end the episode are left out."""

    def __init__(self, p, r, gamma, start, policy, visit_gamma=None):
        live = ~np.array([np.all(p[s, :, s] == 1) for s in range(len(r))])
        chain = np.einsum("sa,sat->st", policy, p)[np.ix_(live, live)]
        self.v, self.d = np.zeros(len(r)), np.zeros(len(r))
        self.v[live] = np.linalg.solve(np.eye(len(chain)) - gamma * chain, (policy * r).sum(axis=1)[live])
        self.q = r + gamma * p @ self.v
        self.a = self.q - self.v[:, None]
        visit_gamma = gamma if visit_gamma is None else visit_gamma
        self.d[live] = np.linalg.solve(np.eye(len(chain)) - visit_gamma * chain.T, start[live])


def _objective(p, r, gamma, start, z, *, weights=None):
    return float((start if weights is None else weights) @ Solved(p, r, gamma, start, softmax(z)).v)


OBJECTIVE = {
    "sum over all states": lambda p, r, gamma, start, z: _objective(p, r, gamma, start, z, weights=np.ones(len(r))),
    "all states alike": lambda p, r, gamma, start, z: _objective(
        p, r, gamma, start, z, weights=np.ones(len(r)) / len(r)
    ),
    "first step not counted": lambda p, r, gamma, start, z: (
        _objective(p, r, gamma, start, z) - float(start @ (softmax(z) * r).sum(axis=1))
    ),
    "discounted from the first reward on": lambda p, r, gamma, start, z: gamma * _objective(p, r, gamma, start, z),
    "uniform policy": lambda p, r, gamma, start, z: _objective(p, r, gamma, start, 0 * z),
    "logits for probabilities": lambda p, r, gamma, start, z: float(start @ (z * r).sum(axis=1)),
}


def _from(formula):
    """A function of a world and a policy out of one of what is solved."""
    return lambda p, r, gamma, start, policy: formula(Solved(p, r, gamma, start, policy), policy)


EXACT_ADVANTAGES = {
    "value not subtracted": _from(lambda s, policy: s.q),
    "sign flipped": _from(lambda s, policy: -s.a),
    "plain mean of the action values subtracted": _from(lambda s, policy: s.q - s.q.mean(axis=1, keepdims=True)),
    "best action value subtracted": _from(lambda s, policy: s.q - s.q.max(axis=1, keepdims=True)),
    "times the probability": _from(lambda s, policy: policy * s.a),
    "reward less its mean": lambda p, r, gamma, start, policy: r - (policy * r).sum(axis=1, keepdims=True),
    "next value not discounted": lambda p, r, gamma, start, policy: (
        r + p @ Solved(p, r, gamma, start, policy).v - Solved(p, r, gamma, start, policy).v[:, None]
    ),
}


def _gradient(formula, visit_gamma=lambda gamma: gamma):
    def wrong(p, r, gamma, start, z):
        policy = softmax(z)
        return formula(Solved(p, r, gamma, start, policy, visit_gamma(gamma)), policy, start)

    return wrong


def _undiscounted(p, r, gamma, start, z):
    """Visits counted without gamma^t: what REINFORCE without it estimates. 0.999 where they would be infinite."""
    return _gradient(lambda s, policy, start: s.d[:, None] * policy * s.a, lambda gamma: 0.999)(p, r, gamma, start, z)


POLICY_GRADIENT = {
    "without gamma to the t": _undiscounted,
    "start law for the visits": _gradient(lambda s, policy, start: start[:, None] * policy * s.a),
    "all states alike": _gradient(lambda s, policy, start: policy * s.a),
    "visits normalised": _gradient(lambda s, policy, start: s.d[:, None] / s.d.sum() * policy * s.a),
    "action values for advantages": _gradient(lambda s, policy, start: s.d[:, None] * policy * s.q),
    "probability forgotten": _gradient(lambda s, policy, start: s.d[:, None] * s.a),
    "probability twice": _gradient(lambda s, policy, start: s.d[:, None] * policy**2 * s.a),
    "sign flipped": _gradient(lambda s, policy, start: -s.d[:, None] * policy * s.a),
    "only the reward of now": lambda p, r, gamma, start, z: (
        Solved(p, r, gamma, start, softmax(z)).d[:, None]
        * softmax(z) * (r - (softmax(z) * r).sum(axis=1, keepdims=True))
    ),
}  # fmt: skip


def _reinforce(policy, states, actions, rewards, mask, gamma, baseline, *, weight):
    """The sum over t of weight(t, T, rewards, gamma, b) times the score, with the usual slips as weights."""
    estimates = np.zeros((len(states), *policy.shape))
    for row in range(len(states)):
        length = int(mask[row].sum())
        for t in range(length):
            s = states[row, t]
            score = np.eye(policy.shape[1])[actions[row, t]] - policy[s]
            estimates[row, s] += weight(t, rewards[row, :length], gamma, baseline[s]) * score
    return estimates


def _to_go(t, rewards, gamma):
    return sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards)))


def _weighing(weight):
    return lambda *seen: _reinforce(*seen, weight=weight)


REINFORCE_GRADIENTS = {
    "without gamma to the t": _weighing(lambda t, r, gamma, b: _to_go(t, r, gamma) - b),
    "gamma to the t twice": _weighing(lambda t, r, gamma, b: gamma ** (2 * t) * (_to_go(t, r, gamma) - b)),
    "return of the whole episode": _weighing(lambda t, r, gamma, b: _to_go(0, r, gamma) - gamma**t * b),
    "rewards to go not discounted": _weighing(lambda t, r, gamma, b: gamma**t * (_to_go(t, r, 1.0) - b)),
    "reward of now only": _weighing(lambda t, r, gamma, b: gamma**t * (r[t] - b)),
    "baseline added": _weighing(lambda t, r, gamma, b: gamma**t * (_to_go(t, r, gamma) + b)),
    "baseline forgotten": _weighing(lambda t, r, gamma, b: gamma**t * _to_go(t, r, gamma)),
    "past rewards for future ones": _weighing(lambda t, r, gamma, b: gamma**t * (sum(r[: t + 1]) - b)),
    "one step late": _weighing(lambda t, r, gamma, b: gamma**t * (_to_go(t + 1, r, gamma) - b)),
    "sign flipped": _weighing(lambda t, r, gamma, b: -(gamma**t) * (_to_go(t, r, gamma) - b)),
    "mean over the steps": _weighing(lambda t, r, gamma, b: gamma**t * (_to_go(t, r, gamma) - b) / len(r)),
}


def _learner(
    *, critic=1.0, actor=lambda gamma, t: gamma**t, bootstrap=lambda gamma, v: gamma * v, fresh=False, ageless=False,
    choose=lambda p: p, begin=lambda start: start,
):  # fmt: skip
    """One-step actor-critic, run by run, with its usual slips as options."""

    def wrong(p, r, gamma, start, step_size, value_rate, runs, steps, rng):
        z, v = np.zeros((runs, *r.shape)), np.zeros((runs, len(r)))
        s, t = rng.choice(len(r), size=runs, p=begin(start)), np.zeros(runs)
        for _ in range(steps):
            a, after = np.zeros(runs, dtype=int), np.zeros(runs, dtype=int)
            old = s.copy()
            for i in range(runs):
                a[i] = rng.choice(r.shape[1], p=choose(softmax(z[i, s[i]])))
                after[i] = rng.choice(len(r), p=p[s[i], a[i]])
                error = r[s[i], a[i]] + bootstrap(gamma, v[i, after[i]]) - v[i, s[i]]
                v[i, s[i]] += critic * value_rate * error
                if fresh:
                    error = r[s[i], a[i]] + gamma * v[i, after[i]] - v[i, s[i]]
                z[i, s[i]] += step_size * actor(gamma, t[i]) * error * (np.eye(r.shape[1])[a[i]] - softmax(z[i, s[i]]))
                end = np.all(p[after[i], :, after[i]] == 1)
                t[i] = t[i] + 1 if ageless or not end else 0
                s[i] = rng.choice(len(r), p=begin(start)) if end else after[i]
            yield old, a, r[old, a], after, z.copy(), v.copy()

    return wrong


ACTOR_CRITIC = {
    "without gamma to the t": _learner(actor=lambda gamma, t: 1.0),
    "step counted twice in the critic": _learner(critic=2.0),
    "step of the actor doubled": _learner(actor=lambda gamma, t: 2 * gamma**t),
    "next value not discounted": _learner(bootstrap=lambda gamma, v: v),
    "next value forgotten": _learner(bootstrap=lambda gamma, v: 0.0),
    "actor descends": _learner(actor=lambda gamma, t: -(gamma**t)),
    "error computed anew after the critic has moved": _learner(fresh=True),
    "age never set back": _learner(ageless=True),
    "every action as likely as any other": _learner(choose=lambda p: np.full(len(p), 1 / len(p))),
    "always the likeliest action": _learner(choose=lambda p: np.eye(len(p))[np.argmax(p)]),
    "begins in every state alike": _learner(begin=lambda start: (start > 0) / np.sum(start > 0)),
    "a step later": _learner(actor=lambda gamma, t: gamma ** (t + 1)),
}


MUTANTS = {
    "check_state_softmax": STATE_SOFTMAX,
    "check_objective": OBJECTIVE,
    "check_exact_advantages": EXACT_ADVANTAGES,
    "check_policy_gradient": POLICY_GRADIENT,
    "check_reinforce_gradients": REINFORCE_GRADIENTS,
    "check_actor_critic": ACTOR_CRITIC,
    "check_numpy_gae": GAE,
}
