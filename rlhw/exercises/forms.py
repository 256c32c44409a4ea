"""How answers of several outputs are compared, and forms in which one right answer may come."""

from collections.abc import Callable
from itertools import product

import numpy as np

from rlhw.exercises.question import close


def all_close(got: object, known: tuple) -> bool:
    """As many outputs as known, in any sequence, each of them close. Never raises, whatever `got` is."""
    try:
        outputs = list(got)
    except TypeError:
        return False
    try:
        return len(outputs) == len(known) and all(map(close, outputs, known))
    except (OverflowError, RecursionError, MemoryError):
        return False


def is_close(got: object, known: object) -> bool:
    """The same for a single output."""
    return all_close((got,), (known,))


def as_lists(answer: Callable) -> Callable:
    """The same answer with lists in place of arrays, and a list of its outputs."""

    def listed(*arguments: object) -> list:
        outputs = answer(*arguments)
        return [np.asarray(part).tolist() for part in outputs] if isinstance(outputs, tuple) else list(outputs)

    return listed


def row_by_row(answer: Callable, rows: int) -> Callable:
    """The same answer, asked for one row of the batch at a time; the first `rows` arguments have a row each."""

    def asked(*arguments: object) -> object:
        batch, rest = arguments[:rows], arguments[rows:]
        each = [answer(*(array[n : n + 1] for array in batch), *rest) for n in range(len(batch[0]))]
        if isinstance(each[0], tuple):
            return tuple(np.concatenate(parts) for parts in zip(*each, strict=True))
        return np.concatenate(each)

    return asked


def from_the_last_row(answer: Callable, rows: int) -> Callable:
    """The same answer, asked for the batch upside down and turned back."""

    def asked(*arguments: object) -> object:
        outputs = answer(*(array[::-1] for array in arguments[:rows]), *arguments[rows:])
        return tuple(part[::-1] for part in outputs) if isinstance(outputs, tuple) else outputs[::-1]

    return asked


def recipes(cook: Callable, *steps: dict[str, Callable]) -> dict[str, Callable]:
    """Right answers in all combinations: for each step there are several ways, and `cook` makes an answer of one of each."""
    return {
        ", ".join(names): cook(*(step[name] for step, name in zip(steps, names, strict=True)))
        for names in product(*steps)
    }
