"""Question ch10-memory: what one of several processes holds."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A model has `parameters` parameters, and Adam trains it on `processes` processes. Weights and gradients are float32, Adam keeps
two moments in float32, and for the forward pass each process makes a copy of *all* weights in bfloat16, which it keeps.

Finish `held(parameters, processes)`: return three numbers, the bytes of weights, copy, gradients and moments on each process
under DDP, under ZeRO-1 and under ZeRO-2. Parameters may be thought to share out evenly. (Under ZeRO-3 the copy would not be
kept whole either, so it is left out here.)
"""

STUB = """
def held(parameters, processes):
    copy = 2 * parameters  # bfloat16
    ...
"""


def held(parameters, processes):
    weights, copy, gradients, moments = 4 * parameters, 2 * parameters, 4 * parameters, 8 * parameters
    return (
        weights + copy + gradients + moments,
        weights + copy + gradients + moments / processes,
        weights + copy + (gradients + moments) / processes,
    )


def held_by_bytes(parameters, processes):
    part = parameters / processes
    return np.array([18 * parameters, 10 * parameters + 8 * part, 6 * parameters + 12 * part])


def copy_forgotten(parameters, processes):
    return tuple(value - 2 * parameters for value in held(parameters, processes))


def one_moment(parameters, processes):
    return 14 * parameters, (10 + 4 / processes) * parameters, (6 + 8 / processes) * parameters


def all_in_sixteen(parameters, processes):
    return 12 * parameters, (6 + 6 / processes) * parameters, (4 + 8 / processes) * parameters


def copy_shared(parameters, processes):
    ddp, first, second = held(parameters, processes)
    less = 2 * parameters * (1 - 1 / processes)
    return ddp, first - less, second - less


def one_stage_on(parameters, processes):
    ddp, _, second = held(parameters, processes)
    return ddp, second, (2 + 16 / processes) * parameters


def all_processes(parameters, processes):
    return tuple(processes * value for value in held(parameters, processes))


def megabytes(parameters, processes):
    return tuple(value / 1e6 for value in held(parameters, processes))


def ddp_shares(parameters, processes):
    _, first, second = held(parameters, processes)
    return 18 * parameters / processes, first, second


def drawn(rng):
    return int(rng.integers(10**3, 10**6)) * 120, int(rng.integers(2, 7))


def expected(parameters, processes):
    """The fullest process, from a table of who has what of 120 parameters, in exact integers."""
    sizes = {"weights": 4, "copy": 2, "gradients": 4, "moments": 8}
    answer = []
    for dealt in ((), ("moments",), ("moments", "gradients")):
        table = [
            sum(
                size
                for number in range(120)
                for kind, size in sizes.items()
                if kind not in dealt or number % processes == rank
            )
            for rank in range(processes)
        ]
        # 120 divides by 2 to 6: every process has the same.
        answer.append(max(table) * (parameters // 120))
    return tuple(answer)


QUESTION = Question(
    name="ch10-memory",
    title="What a process holds",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Count bytes a parameter, kind by kind; what is shared out is divided by the processes. Yours differs.",
    expected=expected,
    parts=(Part("three ways", 4, drawn),),
    right={"by kinds": held, "by bytes": held_by_bytes},
    wrong={
        "copy forgotten": Wrong(
            copy_forgotten, "The copy in bfloat16 is missing: 2 bytes a parameter, on every process."
        ),
        "one moment": Wrong(
            one_moment, "Adam keeps two moments, the mean of the gradients and that of their squares: 8 bytes."
        ),
        "all in 16 bits": Wrong(
            all_in_sixteen, "You counted as if weights and gradients had 16 bits. In mixed precision they stay float32."
        ),
        "copy shared out": Wrong(
            copy_shared,
            "You shared out the copy too. Every process runs the whole model forward, so it has all of the copy.",
        ),
        "one stage on": Wrong(
            one_stage_on, "You are one stage too far: ZeRO-1 shares the moments, ZeRO-2 the gradients too."
        ),
        "all processes together": Wrong(all_processes, "That is what all processes hold together. One was asked for."),
        "megabytes": Wrong(megabytes, "Right in megabytes; bytes were asked for."),
        "DDP shares": Wrong(
            ddp_shares, "DDP shares out the batch and nothing else: every process has all of the state."
        ),
    },
)
