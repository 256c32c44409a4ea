"""Exact means of learners whose moves are linear in their table, by following E[table · 1(where they are)] step by step.

A mean of independent learners then has a known law: `far` says how many standard errors it lies off, and a right learner
is 5.33 off once in ten million times.
"""

import numpy as np

# Two-sided, of a normal law: 1e-7.
WIDTH = 5.33


def td_means(mdp, target, behavior, error_gain, step, steps):
    """E[values] after `steps` steps of off-policy TD with a constant step size; error_gain(ρ) = (on the target, on v)."""
    states, actions = mdp.rewards.shape
    here = mdp.start.astype(float)
    joint = np.zeros((states, states))  # joint[s] = E[values · 1(state is s)]
    for _ in range(steps):
        arrived, moved = np.zeros(states), np.zeros((states, states))
        for s, a in np.ndindex(states, actions):
            on_target, on_value = error_gain(target[s, a] / behavior[s, a])
            for after in range(states):
                chance = behavior[s, a] * mdp.transitions[s, a, after]
                values = chance * joint[s]
                goal = on_target * (mdp.rewards[s, a] * chance * here[s] + mdp.gamma * values[after])
                values = values + step * (goal - on_value * values[s]) * np.eye(states)[s]
                arrived[after] += chance * here[s]
                moved[after] += values
        here, joint = _begin_again(mdp, arrived, moved)
    return joint.sum(axis=0)


def sarsa_means(mdp, step, steps):
    """E[q] after `steps` steps of SARSA that explores for sure (ε = 1), with a constant step size."""
    states, actions = mdp.rewards.shape
    here = mdp.start.astype(float)
    joint = np.zeros((states, states, actions))
    for _ in range(steps):
        arrived, moved = np.zeros(states), np.zeros((states, states, actions))
        for s, a in np.ndindex(states, actions):
            for after in range(states):
                chance = mdp.transitions[s, a, after] / actions
                q = chance * joint[s]
                goal = mdp.rewards[s, a] * chance * here[s] + mdp.gamma * q[after].mean()
                q[s, a] += step * (goal - q[s, a])
                arrived[after] += chance * here[s]
                moved[after] += q
        here, joint = _begin_again(mdp, arrived, moved)
    return joint.sum(axis=0)


def _begin_again(mdp, here, joint):
    """What stands at an end begins anew by the law of the first state."""
    over = mdp.terminal
    begun = here[over].sum() * mdp.start
    spread = np.tensordot(mdp.start, joint[over].sum(axis=0), axes=0)
    return np.where(over, 0.0, here) + begun, np.where(over.reshape(-1, *[1] * (joint.ndim - 1)), 0.0, joint) + spread


def far(samples, mean):
    """The greatest distance of the sample means (axis 0) from `mean`, in standard errors; where nothing varies, equality."""
    error = samples.std(axis=0) / np.sqrt(len(samples))
    gap = np.abs(samples.mean(axis=0) - mean)
    assert np.all(gap[error < 1e-12] < 1e-12), "a number without any spread is wrong"
    return float((gap[error >= 1e-12] / error[error >= 1e-12]).max())
