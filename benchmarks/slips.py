"""Common slips, each refuted by a number: one entry a slip, with the wrong and the right form of one and the same measurement.

A chapter's module holds its `SLIPS`; `write_card` measures both forms and writes the card that the chapter prints from.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlhw import cards


@dataclass(frozen=True)
class Slip:
    """`measure(form)` is what the chapter prints: with the wrong form the card's value, with the right one its known answer."""

    meaning: str
    measure: Callable[[Callable], float]
    wrong: Callable
    right: Callable
    unit: str = "1"


def refuted(wrong: float, right: float) -> bool:
    """True when the wrong form gives another number than the right one: by more than a hundredth of the larger."""
    return not abs(wrong - right) <= 0.01 * max(abs(wrong), abs(right))


def write_card(chapter: str, title: str, slips: dict[str, Slip], modules: list[str]) -> None:
    """Measure every slip of a chapter and write the card slips_<chapter>."""
    start = time.perf_counter()
    metrics = {}
    for name, slip in slips.items():
        value, known = slip.measure(slip.wrong), slip.measure(slip.right)
        metrics[name] = cards.metric(slip.meaning, value, known=known, unit=slip.unit)
        print(f"{name}: wrong {value:.4g}, right {known:.4g}   {slip.meaning}")
    command = f"python -m benchmarks.slips_{chapter}"
    cards.write(
        f"slips_{chapter}", title, metrics, seconds=time.perf_counter() - start, command=command, modules=modules
    )


def length(vector: np.ndarray) -> float:
    """Euclidean length."""
    return float(np.linalg.norm(vector))
