"""Question b4-q-learning: one step of Q-learning."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A learner in state `s` took action `a`, was paid `r` and is now in `s2`; `over` says whether the episode has ended
there. Write `q_learning_step(q, s, a, r, s2, over, gamma, alpha)`. Return the table `q` (one row a state, one column an
action) after one step of Q-learning of size `alpha`. Worked: with $q(s, a) = 0$, $r = 1$, $\gamma = 0.5$, next values
$(4, 10)$ and $\alpha = 0.1$ the target is $1 + 0.5 \cdot 10 = 6$ and the new value is $0.6$.
"""

STUB = """
def q_learning_step(q, s, a, r, s2, over, gamma, alpha):
    ...
"""


def q_learning_step(q, s, a, r, s2, over, gamma, alpha):
    target = r if over else r + gamma * q[s2].max()
    q = q.copy()
    q[s, a] += alpha * (target - q[s, a])
    return q


def q_learning_step_as_a_mean(q, s, a, r, s2, over, gamma, alpha):
    best = max(q[s2, k] for k in range(q.shape[1]))
    new = np.array(q)
    new[s, a] = (1 - alpha) * q[s, a] + alpha * (r + gamma * best * (not over))
    return new


def _step(target, *, whole=False, gain=1.0):
    def step(q, s, a, r, s2, over, gamma, alpha):
        new = q.copy()
        goal = target(q, s, a, r, s2, over, gamma)
        new[s, a] = goal if whole else q[s, a] + gain * alpha * (goal - q[s, a])
        return new

    return step


def _ahead(worth):
    """The usual target with another value of the next state."""
    return lambda q, s, a, r, s2, over, gamma: r + (0.0 if over else gamma * worth(q, s, a, s2))


def moves_the_next_state(q, s, a, r, s2, over, gamma, alpha):
    new = q.copy()
    new[s2, a] += alpha * (r + gamma * (not over) * q[s2].max() - q[s2, a])
    return new


def adds_the_target(q, s, a, r, s2, over, gamma, alpha):
    new = q.copy()
    new[s, a] += alpha * (r + gamma * (not over) * q[s2].max())
    return new


def only_the_number(q, s, a, r, s2, over, gamma, alpha):
    return q[s, a] + alpha * (r + gamma * (not over) * q[s2].max() - q[s, a])


def whole_row(q, s, a, r, s2, over, gamma, alpha):
    new = q.copy()
    new[s] += alpha * (r + gamma * (not over) * q[s2].max() - q[s])
    return new


def draw_with(over):
    def draw(rng):
        q = rng.standard_normal((5, 3)) + 1.0
        s, s2 = rng.choice(5, size=2, replace=False)
        # A greatest value ahead that is no other's, and is neither small nor that of the action taken.
        a = int(rng.integers(3))
        q[s2, (a + 1) % 3] = q.max() + rng.uniform(0.5, 1.0)
        q[s].sort()
        return (
            q,
            int(s),
            a,
            float(rng.normal()),
            int(s2),
            over,
            float(rng.uniform(0.4, 0.8)),
            float(rng.uniform(0.1, 0.4)),
        )

    return draw


def expected(q, s, a, r, s2, over, gamma, alpha):
    """Half a squared distance to the target, target held fixed, is descended: its gradient in q(s, a), by differences."""
    target = r + gamma * (0.0 if over else np.sort(q[s2])[-1])
    h = 1e-4
    slope = ((q[s, a] + h - target) ** 2 - (q[s, a] - h - target) ** 2) / (4 * h)
    return q - alpha * slope * np.outer(np.arange(5) == s, np.arange(3) == a)


QUESTION = Question(
    name="b4-q-learning",
    title="One step of Q-learning",
    stars=1,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Only q(s, a) moves, by alpha times target minus old value; the target looks ahead to the greatest next value. "
        "Yours differs."
    ),
    expected=expected,
    parts=(Part("on the way", 6, draw_with(False)), Part("at the end of an episode", 2, draw_with(True))),
    right={"model": q_learning_step, "mean": q_learning_step_as_a_mean},
    wrong={
        "gamma forgotten": Wrong(
            _step(lambda q, s, a, r, s2, over, gamma: r + (0.0 if over else q[s2].max())),
            "The discount is missing from the target. Without it this is Q-learning for γ = 1 only.",
        ),
        "end ignored": Wrong(
            _step(lambda q, s, a, r, s2, over, gamma: r + gamma * q[s2].max()),
            "On the way this is right. At the end of an episode nothing comes any more, whatever the table says of s2.",
        ),
        "mean of the next": Wrong(
            _step(_ahead(lambda q, s, a, s2: q[s2].mean())),
            "You took the mean of the next values: that is the target of a learner who will act uniformly. Q-learning "
            "looks at the best action.",
        ),
        "same action next": Wrong(
            _step(_ahead(lambda q, s, a, s2: q[s2, a])),
            "You took the value of the same action in the next state. That is SARSA's target if the action is repeated.",
        ),
        "greatest of this state": Wrong(
            _step(_ahead(lambda q, s, a, s2: q[s].max())),
            "The greatest value was looked up in the state that was left. What comes next is what s2 is worth.",
        ),
        "no step size": Wrong(
            _step(_ahead(lambda q, s, a, s2: q[s2].max()), whole=True),
            "The value jumps to the target. One sample is noisy: go only the share alpha of the way.",
        ),
        "sign flipped": Wrong(
            _step(_ahead(lambda q, s, a, s2: q[s2].max()), gain=-1.0),
            "The value moves away from its target: the error is target minus old value, in this order.",
        ),
        "adds the target": Wrong(
            adds_the_target,
            "You added a share of the target. What is added is a share of target minus old value, or values grow for ever.",
        ),
        "moves the next state": Wrong(
            moves_the_next_state,
            "You moved the value of the state arrived in. What was learned is about the state and action left behind.",
        ),
        "whole row": Wrong(
            whole_row, "You moved every action of the state. Only the one that was taken has been tried."
        ),
        "only the number": Wrong(
            only_the_number, "This is the new number. The whole table was asked for, with that one entry changed."
        ),
    },
)
