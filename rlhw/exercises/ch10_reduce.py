"""Question ch10-reduce: the gradient of the whole batch from what each process has."""

from fractions import Fraction

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Each of $W$ processes has gone through its own answers. Row $w$ of `sums` is the sum of their gradients on process $w$, and
`counts[w]` is how many they were; the numbers differ, and a process may have had none.

The library will now take the *mean over the processes* of whatever each of them hands over. Finish `hand_over(sums, counts)`:
return the array, one row a process, that each must hand over for this mean to be the mean gradient over all answers of all
processes. Every process divides by the same number.
"""

STUB = """
def hand_over(sums, counts):
    divisor = ...  # the same number for every process
    ...
"""


def hand_over(sums, counts):
    return sums / counts.mean()


def hand_over_by_totals(sums, counts):
    processes = len(counts)
    return [[processes * entry / sum(counts) for entry in row] for row in sums.tolist()]


def hand_over_by_weights(sums, counts):
    safe = np.maximum(counts, 1)
    means = sums / safe[:, None]
    return means * (counts / counts.mean())[:, None]


def own_count(sums, counts):
    return sums / np.maximum(counts, 1)[:, None]


def all_answers(sums, counts):
    return sums / counts.sum()


def nothing(sums, counts):
    return sums


def processes(sums, counts):
    return sums / len(counts)


def already_averaged(sums, counts):
    return np.broadcast_to(sums.sum(0) / counts.sum(), sums.shape)


def largest(sums, counts):
    return sums / counts.max()


def those_with_answers(sums, counts):
    return sums / counts[counts > 0].mean()


def drawn(rng, empty):
    processes = int(rng.integers(3, 6))
    counts = rng.permutation(np.arange(1, processes + 1) * 4 + rng.integers(0, 2, processes)).astype(float)
    if empty:
        counts[int(rng.integers(processes))] = 0.0
    sums = rng.normal(size=(processes, 3)) * counts[:, None] + counts[:, None]
    return sums, counts


def expected(sums, counts):
    """In exact fractions: W times the sum, over the count of all."""
    total = sum(Fraction(float(count)) for count in counts)
    return np.array([[float(Fraction(float(entry)) * len(counts) / total) for entry in row] for row in sums])


QUESTION = Question(
    name="ch10-reduce",
    title="What each process divides by",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Each process hands over its own sum over one number, the same for all, so that the mean over the processes is the mean "
        "over all answers. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("every process has answers", 3, lambda rng: drawn(rng, False)),
        Part("one process has none", 2, lambda rng: drawn(rng, True)),
    ),
    right={
        "mean count": hand_over,
        "by totals, as a list": hand_over_by_totals,
        "means, weighed": hand_over_by_weights,
    },
    wrong={
        "own count": Wrong(
            own_count,
            "Each process divides by its own count: then the mean is one of means, and an answer of a small share counts more "
            "than one of a large share.",
        ),
        "count of all": Wrong(
            all_answers,
            "The count of all answers is too large a divisor: the library divides by the number of processes once more.",
        ),
        "nothing": Wrong(
            nothing,
            "Nothing is divided: the mean over processes of sums grows with the batch.",
        ),
        "number of processes": Wrong(
            processes,
            "You divided by the number of processes, which the library does by itself. Answers are to be counted.",
        ),
        "already averaged": Wrong(
            already_averaged,
            "You returned the finished mean. A process does not have the sums of the others; it only knows its own and a count "
            "that all have agreed on.",
        ),
        "largest count": Wrong(
            largest,
            "Divided by the largest count the step is too short. Which count makes the mean over processes right?",
        ),
        "those with answers": Wrong(
            those_with_answers,
            "Right as long as everybody has answers. A process without any still counts among the processes that the library "
            "averages over.",
        ),
    },
)
