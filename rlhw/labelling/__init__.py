"""Collecting labels: pairs of answers are shown one after another, and each label is on the disk before the next pair is.

    session   Session: what is shown next, what is saved, skipped and taken back; it knows no page
    command   `rlhw label export` and `rlhw label import`: the same with a Label Studio server

`label` shows a session as a widget, in Jupyter and in Colab.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlhw.labelling.session import Session

if TYPE_CHECKING:
    from rlhw.widgets.labelling import Labelling

__all__ = ["Session", "label"]


def label(
    pairs: Sequence[Sequence[str]],
    path: str | os.PathLike[str],
    annotator: str,
    *,
    rng: np.random.Generator | None = None,
) -> "Labelling":
    """A widget that asks `annotator` which of two answers is better, pair by pair, and appends each label to `path`.

    pairs: (prompt, answer1, answer2), see `preferences.read_pairs`. path: a file of comparisons, JSON lines, made with the
    first label; `preferences.read_jsonl` reads it. Pairs that it holds a label of this annotator for are not shown again,
    skipped ones are. rng draws by lot which answer stands on the left, the same sides for the same seed; without it answer1
    does. The file records the sides as they were shown, and the seconds from a pair's appearance to its label.

    Keys, while the widget has the focus: left and right arrow choose, t is a tie, s skips, u goes one step back and takes that
    label out of the file again. It needs a running kernel: each label is written and flushed to the disk by Python before
    the next pair is shown. Where a file cannot be written the widget says so and the pair stays.
    Raises ValueError for pairs that cannot be compared or come twice, for an annotator without a name, and for a file that was
    edited into nonsense, naming its line; FileNotFoundError when the folder of `path` is not there.
    """
    from rlhw.widgets.labelling import Labelling

    session = Session(pairs, path, annotator, rng=rng)
    return Labelling(session.reply, pairs=session.state()["total"], annotator=annotator)
