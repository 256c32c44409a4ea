"""Question ch9-rloo: advantages of several groups by leave-one-out."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
`rewards` has a row for each of B prompts and in it the rewards of K answers. Make the leave-one-out advantages: of each
answer its reward less the mean of the *other* answers to the same prompt. Worked: the row $(1, 0, 0, 0)$ becomes
$(1, -\frac13, -\frac13, -\frac13)$. Write `rloo(rewards)`; return an array of B rows and K columns.
"""

STUB = """
def rloo(rewards):
    ...
"""


def rloo(rewards):
    k = rewards.shape[1]
    return (rewards - rewards.mean(axis=1, keepdims=True)) * k / (k - 1)


def rloo_by_others(rewards):
    k = rewards.shape[1]
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (k - 1)
    return rewards - others


def rloo_by_loops(rewards):
    rows = []
    for row in rewards:
        rows.append([row[i] - np.mean([row[j] for j in range(len(row)) if j != i]) for i in range(len(row))])
    return rows


def centred(rewards):
    return rewards - rewards.mean(axis=1, keepdims=True)


def scaled(rewards):
    return centred(rewards) / rewards.std(axis=1, ddof=1, keepdims=True)


def whole_batch(rewards):
    n = rewards.size
    return rewards - (rewards.sum() - rewards) / (n - 1)


def down_the_columns(rewards):
    return rloo(rewards.T).T


def others_alone(rewards):
    return (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)


def sign_flipped(rewards):
    return -rloo(rewards)


def sum_of_others(rewards):
    return rewards - (rewards.sum(axis=1, keepdims=True) - rewards)


def divided_by_k(rewards):
    return rewards - (rewards.sum(axis=1, keepdims=True) - rewards) / rewards.shape[1]


def factor_upside_down(rewards):
    k = rewards.shape[1]
    return centred(rewards) * (k - 1) / k


def draw(rng):
    """As many prompts as answers never: an axis mistaken must show."""
    prompts, k = int(rng.integers(2, 4)), int(rng.integers(4, 7))
    return (rng.standard_normal((prompts, k)) + 3 * rng.standard_normal((prompts, 1)) + 2.0,)


def expected(rewards):
    """Answer by answer, with the answer deleted from its row."""
    table = np.empty(rewards.shape)
    for i, j in np.ndindex(*rewards.shape):
        table[i, j] = rewards[i, j] - np.delete(rewards[i], j).mean()
    return table


QUESTION = Question(
    name="ch9-rloo",
    title="Answers judge each other",
    stars=1,
    minutes=8,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry (b, k) is the reward of this answer less the mean of the other answers to prompt b. Yours differs.",
    expected=expected,
    parts=(Part("several groups", 4, draw),),
    right={"model": rloo, "mean of the others": rloo_by_others, "loops": rloo_by_loops},
    wrong={
        "mean of all": Wrong(
            centred,
            "You subtracted the mean of all K answers, in which the answer itself is one. That is (K - 1)/K of what was asked.",
        ),
        "scaled": Wrong(
            scaled,
            "You divided by the group's standard deviation. That gives each prompt a weight of its own; it was not asked for.",
        ),
        "whole batch": Wrong(
            whole_batch,
            "Your others are all other answers of the batch. Those to another prompt say nothing about how hard this one is.",
        ),
        "down the columns": Wrong(
            down_the_columns,
            "You compared along the wrong axis: a row holds the answers to one prompt.",
        ),
        "baseline alone": Wrong(
            others_alone,
            "You returned the mean of the others. It is the baseline; the advantage is the reward less the baseline.",
        ),
        "sign flipped": Wrong(
            sign_flipped, "The sign is flipped: an answer that is better than the others gets a positive number."
        ),
        "sum of others": Wrong(sum_of_others, "You subtracted the sum of the others; their mean was asked for."),
        "divided by K": Wrong(
            divided_by_k,
            "You divided the sum of the others by K. When an answer is taken out, how many are left?",
        ),
        "factor upside down": Wrong(
            factor_upside_down,
            "The factor is upside down. Leave-one-out is longer than the centred rewards, by K/(K - 1).",
        ),
    },
)
