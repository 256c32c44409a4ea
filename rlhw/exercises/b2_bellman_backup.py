"""Question b2-bellman-backup: one sweep of value iteration."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Write `backup(transitions, rewards, gamma, v)`, one application of the Bellman optimality operator: for every state $s$
the greatest, over actions $a$, of $r(s, a) + \gamma\sum_{s'} p(s' \mid s, a)\,v(s')$. The array `transitions` has the
axes (state, action, next state), `rewards` (state, action), and `v` holds one number a state; return one number a state.
Worked: the plant of the chapter with $v = (2, 4, 0)$ gives $(2.4, 4, 0)$.
"""

STUB = """
def backup(transitions, rewards, gamma, v):
    ...
"""


def backup(transitions, rewards, gamma, v):
    q = rewards + gamma * transitions @ v
    return q.max(axis=1)


def backup_by_loop(transitions, rewards, gamma, v):
    states, actions = rewards.shape
    new = np.zeros(states)
    for s in range(states):
        worth = []
        for a in range(actions):
            future = 0.0
            for after in range(states):
                future += transitions[s, a, after] * v[after]
            worth.append(rewards[s, a] + gamma * future)
        new[s] = max(worth)
    return new


def backup_by_einsum(transitions, rewards, gamma, v):
    return np.max(rewards + gamma * np.einsum("sat,t->sa", transitions, v), axis=-1)


def mean_over_actions(transitions, rewards, gamma, v):
    return (rewards + gamma * transitions @ v).mean(axis=1)


def least_over_actions(transitions, rewards, gamma, v):
    return (rewards + gamma * transitions @ v).min(axis=1)


def gamma_forgotten(transitions, rewards, gamma, v):
    return (rewards + transitions @ v).max(axis=1)


def gamma_on_all(transitions, rewards, gamma, v):
    return (gamma * (rewards + transitions @ v)).max(axis=1)


def two_maxima(transitions, rewards, gamma, v):
    return rewards.max(axis=1) + gamma * (transitions @ v).max(axis=1)


def reward_forgotten(transitions, rewards, gamma, v):
    return (gamma * transitions @ v).max(axis=1)


def best_next_state(transitions, rewards, gamma, v):
    reached = np.where(transitions > 0, v, -np.inf)
    return (rewards + gamma * reached.max(axis=2)).max(axis=1)


def value_here(transitions, rewards, gamma, v):
    return rewards.max(axis=1) + gamma * v


def wrong_axis(transitions, rewards, gamma, v):
    return (rewards + gamma * np.einsum("tas,t->sa", transitions, v)).max(axis=1)


def values_of_actions(transitions, rewards, gamma, v):
    return rewards + gamma * transitions @ v


def draw(rng):
    # In some state the best reward and the best future belong to two actions, or two maxima would do no harm.
    while True:
        states, actions = int(rng.integers(3, 6)), int(rng.integers(2, 4))
        transitions = rng.dirichlet(np.ones(states), (states, actions))
        rewards, v = rng.standard_normal((states, actions)), 3 * rng.standard_normal(states)
        if np.any(rewards.argmax(axis=1) != (transitions @ v).argmax(axis=1)):
            return transitions, rewards, float(rng.uniform(0.5, 0.95)), v


def expected(transitions, rewards, gamma, v):
    """One state and one action after the other, the mean of v as an average with weights."""
    rows = zip(transitions, rewards, strict=True)
    return np.array([max(r + gamma * np.average(v, weights=p) for p, r in zip(ps, rs, strict=True)) for ps, rs in rows])


QUESTION = Question(
    name="b2-bellman-backup",
    title="A Bellman backup",
    stars=1,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Reward plus gamma times the mean of v at the next state, for each action; then the greatest of the actions.",
    expected=expected,
    parts=(Part("any process", 6, draw, cases=8),),
    right={"model": backup, "loop": backup_by_loop, "einsum": backup_by_einsum},
    wrong={
        "mean over actions": Wrong(
            mean_over_actions,
            "You averaged over the actions: that is a backup for the uniform policy. The best action's value is asked for.",
        ),
        "least over actions": Wrong(
            least_over_actions,
            "You took the least action value. With costs one minimises; with rewards one takes the greatest.",
        ),
        "gamma forgotten": Wrong(
            gamma_forgotten,
            "The value of the next state is not discounted: multiply its mean by gamma.",
        ),
        "gamma on all": Wrong(
            gamma_on_all,
            "You discounted the reward too. It is paid now; only what comes after is multiplied by gamma.",
        ),
        "two maxima": Wrong(
            two_maxima,
            "You took the best reward and the best future, perhaps of two different actions. One action gives both: add "
            "first, then take the maximum.",
        ),
        "reward forgotten": Wrong(
            reward_forgotten,
            "The reward of the step itself is missing.",
        ),
        "best next state": Wrong(
            best_next_state,
            "You took the best state that can follow. Where the step leads is chance: take the mean with p(s'|s, a).",
        ),
        "value here": Wrong(
            value_here,
            "You used v of the state itself. The action leads to a next state, and v is taken there.",
        ),
        "wrong axis": Wrong(
            wrong_axis,
            "You summed over the first axis of the transitions. The last one is the next state, and each row along it "
            "sums to one.",
        ),
        "values of actions": Wrong(
            values_of_actions,
            "This is the table of action values, one number a state and action. Take the greatest of each row.",
        ),
    },
)
