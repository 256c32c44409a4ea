"""Question b3-n-step: the n-step return of the first step."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
An episode paid `rewards` (T numbers); `values` holds the estimates of the T + 1 states it went through, the last one
included. Return the $n$-step return of the *first* state: $n$ discounted rewards, then the discounted value of the state
$n$ steps on. Where the episode has fewer than $n$ steps, take the rewards there are and the value of the last state. The
first line of the stub says how many rewards that is; finish `n_step_return(rewards, values, gamma, n)`.
"""

STUB = """
def n_step_return(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    ...
"""


def n_step_return(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    return float(rewards[:steps] @ gamma ** np.arange(steps) + gamma**steps * values[steps])


def n_step_return_from_the_back(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    target = values[steps]
    for reward in rewards[:steps][::-1]:
        target = reward + gamma * target
    return target


def no_value(rewards, values, gamma, n):
    return n_step_return(rewards, np.zeros(len(values)), gamma, n)


def value_not_discounted(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    return float(rewards[:steps] @ gamma ** np.arange(steps) + values[steps])


def rewards_not_discounted(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    return float(rewards[:steps].sum() + gamma**steps * values[steps])


def one_too_few(rewards, values, gamma, n):
    return n_step_return(rewards, values, gamma, n - 1)


def one_too_many(rewards, values, gamma, n):
    return n_step_return(rewards, values, gamma, n + 1)


def first_reward_discounted(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    return float(gamma * rewards[:steps] @ gamma ** np.arange(steps) + gamma**steps * values[steps])


def discounted_by_n_beyond_the_end(rewards, values, gamma, n):
    steps = min(n, len(rewards))
    return float(rewards[:steps] @ gamma ** np.arange(steps) + gamma**n * values[steps])


def own_value_subtracted(rewards, values, gamma, n):
    return n_step_return(rewards, values, gamma, n) - float(values[0])


def draw(rng):
    steps = int(rng.integers(5, 9))
    return rng.standard_normal(steps) + 1.0, rng.standard_normal(steps + 1) - 1.0, float(rng.uniform(0.4, 0.9)), 3


def draw_short(rng):
    steps = int(rng.integers(2, 4))
    return rng.standard_normal(steps) + 1.0, rng.standard_normal(steps + 1) - 1.0, float(rng.uniform(0.4, 0.9)), 6


def expected(rewards, values, gamma, n):
    """Term by term."""
    total, factor = 0.0, 1.0
    for t, reward in enumerate(rewards):
        if t == n:
            return total + factor * values[t]
        total, factor = total + factor * reward, factor * gamma
    return total + factor * values[-1]


QUESTION = Question(
    name="b3-n-step",
    title="n rewards, then the value",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="n discounted rewards, then gamma to the n times the value n steps on; fewer where the episode ends. Yours differs.",
    expected=expected,
    parts=(Part("episodes of more than n steps", 4, draw), Part("shorter episodes", 4, draw_short)),
    right={"model": n_step_return, "from the back": n_step_return_from_the_back},
    wrong={
        "no value": Wrong(
            no_value,
            "The rewards are right, but the value at the end of them is missing: without it a short sum stands for the whole "
            "future.",
        ),
        "value not discounted": Wrong(
            value_not_discounted,
            "The value comes in undiscounted. It lies as many steps ahead as there are rewards before it.",
        ),
        "rewards not discounted": Wrong(
            rewards_not_discounted,
            "The rewards are only added up. The one after i steps carries gamma to the i.",
        ),
        "one too few": Wrong(
            one_too_few,
            "You stop one reward early: with n = 1 there is one reward, then the value.",
        ),
        "one too many": Wrong(
            one_too_many,
            "You take one reward too many: after n rewards comes the value of the state n steps on.",
        ),
        "first reward discounted": Wrong(
            first_reward_discounted,
            "Each reward is discounted once too often. The first is paid now and carries gamma to the 0.",
        ),
        "discounted by n beyond the end": Wrong(
            discounted_by_n_beyond_the_end,
            "In short episodes you discount the last value by gamma to the n. It lies only as far ahead as there were rewards.",
        ),
        "own value subtracted": Wrong(
            own_value_subtracted,
            "You subtracted the value of the first state. That is the n-step advantage; the return itself was asked for.",
        ),
    },
)
