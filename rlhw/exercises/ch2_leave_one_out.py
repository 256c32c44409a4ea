"""Question ch2-leave-one-out: the mean of the others."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
From the rewards of $N$ samples of one question make for each sample the mean of the *other* $N - 1$ rewards.
Worked: for the rewards $(1, 2, 6)$ these are $(4, 3.5, 1.5)$. Write `leave_one_out(rewards)`; return an array of N
numbers.
"""

STUB = """
def leave_one_out(rewards):
    ...
"""


def leave_one_out(rewards):
    return (rewards.sum() - rewards) / (len(rewards) - 1)


def leave_one_out_by_loop(rewards):
    result = []
    for i in range(len(rewards)):
        others = np.delete(rewards, i)
        result.append(others.mean())
    return np.array(result)


def leave_one_out_by_matrix(rewards):
    n = len(rewards)
    others = (np.ones((n, n)) - np.eye(n)) / (n - 1)
    return others @ rewards


def mean_of_all(rewards):
    return np.full(len(rewards), rewards.mean())


def divided_by_n(rewards):
    return (rewards.sum() - rewards) / len(rewards)


def sum_of_others(rewards):
    return rewards.sum() - rewards


def own_left_in_sum(rewards):
    return np.full(len(rewards), rewards.sum() / (len(rewards) - 1))


def advantage(rewards):
    return rewards - (rewards.sum() - rewards) / (len(rewards) - 1)


def mean_minus_own(rewards):
    return rewards.mean() - rewards


def mean_of_earlier(rewards):
    result = np.zeros(len(rewards))
    for i in range(1, len(rewards)):
        result[i] = rewards[:i].mean()
    return result


def one_neighbour(rewards):
    return np.roll(rewards, 1)


def draw(rng):
    return (rng.standard_normal(int(rng.integers(3, 9))),)


def expected(rewards):
    return np.array([np.mean(np.delete(rewards, n)) for n in range(len(rewards))])


RIGHT = {
    "model": leave_one_out,
    "loop": leave_one_out_by_loop,
    "matrix": leave_one_out_by_matrix,
}

QUESTION = Question(
    name="ch2-leave-one-out",
    title="The mean of the others",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry n is the mean of all rewards but the n-th. Yours differs.",
    expected=expected,
    parts=(Part("any number of samples", 4, draw),),
    right=RIGHT,
    wrong={
        "mean of all": Wrong(
            mean_of_all,
            "This is the mean of all N rewards, the same for every sample. Each sample's own reward is still in "
            "it, and that shrinks the gradient.",
        ),
        "divided by n": Wrong(
            divided_by_n,
            "The sum is right, but it was divided by N. How many rewards are left when one is taken out?",
        ),
        "sum of others": Wrong(
            sum_of_others,
            "You have the sum of the other rewards; their mean was asked for.",
        ),
        "own left in sum": Wrong(
            own_left_in_sum,
            "You divided by N - 1, but the sum still holds all N rewards. Take the sample's own reward out first.",
        ),
        "advantage": Wrong(
            advantage,
            "You went one step further and subtracted the baseline from the reward. Here only the baseline itself"
            " is asked for.",
        ),
        "mean minus own": Wrong(
            mean_minus_own,
            "You subtracted each reward from the mean of all. Taking a reward out of a mean means taking it out "
            "of the sum, before dividing.",
        ),
        "mean of earlier": Wrong(
            mean_of_earlier,
            "You averaged only the rewards that come before each sample. The later ones are independent of it too"
            " and belong in the mean.",
        ),
        "one neighbour": Wrong(
            one_neighbour,
            "Each sample got the reward of one neighbour. That would be unbiased too, but the mean of all the "
            "others is asked for, and it is much steadier.",
        ),
    },
)
