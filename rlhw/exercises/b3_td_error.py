"""Question b3-td-error: one step of TD(0)."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
One step of TD(0): from `state` the reward `reward` was paid on the way to `after`. `ended` says whether the episode is
over: then the next value is 0, whatever the table says. Worked: `values` $= (0.5, 0.2)$, state 0, reward 1, next state
1, not ended, $\gamma = 0.5$, step size 0.1. The TD error is $1 + 0.5\cdot 0.2 - 0.5 = 0.6$, so the new table is
$(0.56, 0.2)$. Write `td_step(values, state, reward, after, ended, gamma, step)`; return the new table.
"""

STUB = """
def td_step(values, state, reward, after, ended, gamma, step):
    ...
"""


def td_step(values, state, reward, after, ended, gamma, step):
    next_value = 0.0 if ended else values[after]
    error = reward + gamma * next_value - values[state]
    updated = values.copy()
    updated[state] += step * error
    return updated


def td_step_as_mixture(values, state, reward, after, ended, gamma, step):
    target = reward + gamma * values[after] * (not ended)
    return np.array([(1 - step) * v + step * target if s == state else v for s, v in enumerate(values)])


def end_ignored(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, reward, after, False, gamma, step)


def always_ended(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, reward, after, True, gamma, step)


def gamma_forgotten(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, reward, after, ended, 1.0, step)


def step_forgotten(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, reward, after, ended, gamma, 1.0)


def sign_flipped(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, reward, after, ended, gamma, -step)


def next_state_moved(values, state, reward, after, ended, gamma, step):
    error = reward + gamma * (0.0 if ended else values[after]) - values[state]
    updated = values.copy()
    updated[after] += step * error
    return updated


def own_value_kept(values, state, reward, after, ended, gamma, step):
    updated = values.copy()
    updated[state] += step * (reward + gamma * (0.0 if ended else values[after]))
    return updated


def reward_discounted(values, state, reward, after, ended, gamma, step):
    return td_step(values, state, gamma * reward, after, ended, gamma, step)


def draw(rng):
    state, after = rng.choice(5, size=2, replace=False)
    numbers = rng.uniform(0.3, 0.8, size=2)
    return (
        rng.standard_normal(5) + 1.0, int(state), float(rng.standard_normal() - 2.0), int(after), bool(rng.random() < 0.5),
        float(numbers[0]), float(numbers[1]),
    )  # fmt: skip


def draw_going_on(rng):
    values, state, reward, after, _, gamma, step = draw(rng)
    return values, state, reward, after, False, gamma, step


def draw_ended(rng):
    values, state, reward, after, _, gamma, step = draw(rng)
    return values, state, reward, after, True, gamma, step


def expected(values, state, reward, after, ended, gamma, step):
    """By the matrix of the affine map on (V, 1)."""
    change = np.zeros((len(values), len(values) + 1))
    change[state, state] -= step
    change[state, after] += 0.0 if ended else step * gamma
    change[state, -1] += step * reward
    return values + change @ np.append(values, 1.0)


QUESTION = Question(
    name="b3-td-error",
    title="One step of TD(0)",
    stars=1,
    minutes=8,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Only V(state) moves, by step times reward + gamma times the next value - V(state). Yours differs.",
    expected=expected,
    parts=(Part("in the midst of an episode", 3, draw_going_on), Part("at its end", 3, draw_ended)),
    right={"model": td_step, "mixture of old value and target": td_step_as_mixture},
    wrong={
        "end ignored": Wrong(
            end_ignored,
            "At the end of an episode you still look up the table. After the last reward nothing comes: the next value is 0.",
        ),
        "always ended": Wrong(
            always_ended,
            "The next value never enters. Without it this is an average of single rewards, and nothing is predicted.",
        ),
        "gamma forgotten": Wrong(
            gamma_forgotten,
            "The next value is one step away and has to be discounted by gamma.",
        ),
        "step forgotten": Wrong(
            step_forgotten,
            "You put the target in place of the old value. Only a share of the way, the step size, is gone at once.",
        ),
        "sign flipped": Wrong(
            sign_flipped,
            "The value moves away from its target. When more came than was predicted, the prediction has to rise.",
        ),
        "next state moved": Wrong(
            next_state_moved,
            "You moved the value of the next state. What turned out better or worse than predicted is the state that was left.",
        ),
        "own value kept": Wrong(
            own_value_kept,
            "You added the target without subtracting the old value. The TD error is target minus prediction.",
        ),
        "reward discounted": Wrong(
            reward_discounted,
            "You discounted the reward as well. It is paid on this very step; only the next value lies one step further.",
        ),
    },
)
