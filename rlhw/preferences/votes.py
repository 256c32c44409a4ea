"""From comparisons to what the trainers of reward model and DPO take: answers in rows, and the votes between them."""

import reprlib
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from jaxtyping import Float

from rlhw.preferences.comparison import Comparison, Record, require_one_label, require_some

Wins = Float[np.ndarray, "B K K"]
VOTES = {"first": 1.0, "second": 0.0, "tie": 0.5}


def prompt_wins(comparisons: Sequence[Comparison]) -> tuple[list[Record], Wins]:
    """One row a prompt: (records with `prompt` and `answers`, wins), wins[b, i, j] = votes for answer i over answer j.

    A tie is one half for each. Rows and answers come in the order of their first appearance; `batches.collate` takes the
    records. Raises ValueError when there are none, when prompts have different numbers K of answers, and on two labels of
    one pair by one annotator.

    >>> prompt_wins([Comparison("Hi", "Hello!", "Go away", "first"), Comparison("Hi", "Go away", "Hello!", "tie")])[1]
    array([[[0. , 1.5],
            [0.5, 0. ]]])
    """
    return _wins(comparisons, lambda comparison: comparison.prompt)


def pair_wins(comparisons: Sequence[Comparison]) -> tuple[list[Record], Wins]:
    """One row a pair, so K = 2 whatever a prompt has; otherwise as `prompt_wins`. A prompt of three pairs fills three rows."""
    return _wins(comparisons, lambda comparison: comparison.pair)


def _wins(comparisons: Sequence[Comparison], group: Callable[[Comparison], Hashable]) -> tuple[list[Record], Wins]:
    require_some(comparisons)
    require_one_label(comparisons)
    prompts: dict[Hashable, str] = {}
    places: dict[Hashable, dict[str, int]] = {}
    for comparison in comparisons:
        prompts[group(comparison)] = comparison.prompt
        answers = places.setdefault(group(comparison), {})
        for answer in (comparison.first, comparison.second):
            answers.setdefault(answer, len(answers))
    k = len(next(iter(places.values())))
    for key, answers in places.items():
        if len(answers) != k:
            raise ValueError(
                f"comparisons have {len(answers)} answers to the prompt {reprlib.repr(prompts[key])} and {k} to the first; "
                "prompt_wins needs equally many, pair_wins makes a row of each pair."
            )
    wins = np.zeros((len(places), k, k))
    rows = {key: row for row, key in enumerate(places)}
    for comparison in comparisons:
        answers, row = places[group(comparison)], rows[group(comparison)]
        i, j = answers[comparison.first], answers[comparison.second]
        wins[row, i, j] += VOTES[comparison.choice]
        wins[row, j, i] += 1 - VOTES[comparison.choice]
    return [{"prompt": prompts[key], "answers": list(answers)} for key, answers in places.items()], wins
