"""One annotator going through pairs: what is shown next, and what is on the disk before it is shown.

A session answers messages and knows no page: the widget hands it what the page sends, and shows what it replies.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlhw.preferences import (
    Comparison,
    Pair,
    append_jsonl,
    check_pairs,
    last_labels,
    read_jsonl,
    set_torn_aside,
    take_back,
)
from rlhw.preferences.comparison import parse

State = dict[str, object]

WORDS = {"first": "answer 1 is better", "second": "answer 2 is better", "tie": "a tie"}
AGAIN = " The skipped ones come again when this cell is run again."


class Session:
    """Pairs that `annotator` has not labelled yet in the file at `path`, in their order. See `rlhw.labelling.label` for the
    arguments and for what is refused.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[str]],
        path: str | os.PathLike[str],
        annotator: str,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.path = Path(path)
        questions = _questions(check_pairs(pairs), annotator, rng)
        if not self.path.absolute().parent.is_dir():
            raise FileNotFoundError(f"path: there is no folder {self.path.absolute().parent}; make it first.")
        aside = set_torn_aside(self.path)
        found = read_jsonl(self.path) if self.path.exists() else []
        mine, replaced = last_labels([label for label in found if label.annotator == annotator])
        done = {label.pair for label in mine}
        self._total = len(questions)
        # The choice of these stands for none yet. What came of the first of them: a label, or None for a skip.
        self._todo = [question for question in questions if question.pair not in done]
        self._past: list[Comparison | None] = []
        self._turn = self._heard = 0
        self._said = _greeting(self._total - len(self._todo), replaced, aside)

    def reply(self, message: object) -> State:
        """What the page shows after a message from it; when this returns, a label is on the disk, or off it again.

        message: {"kind": "hello"}, or {"kind": "choose", "skip" or "undo", "turn": the turn of the pair that it is about}, and
        to choose also "choice" and "seconds". Of several messages about one turn, from two views or a key pressed twice, the
        first counts. Where the disk refuses, the pair stays, and `said` tells why.
        """
        self._heard += 1
        kind, turn = (message.get("kind"), message.get("turn")) if isinstance(message, dict) else (None, None)
        try:
            if kind != "hello" and turn == self._turn:
                self._act(kind, message)
        except OSError as error:
            what = "Nothing was taken back" if kind == "undo" else "Not saved"
            why = f"{self.path.name} cannot be written ({error.strerror or type(error).__name__})"
            self._said = f"{what}: {why}. Nothing in it is lost; mend this and try again."
        except ValueError as error:
            self._said = f"Not saved: the page sent what is no label: {error}"
        return self.state()

    def state(self) -> State:
        """What the page shows, as JSON values. `turn` counts what was shown, `heard` the messages."""
        left = self._todo[len(self._past) :]
        labelled = sum(label is not None for label in self._past)
        skipped = len(self._past) - labelled
        ending = f" That was the last pair.{AGAIN if skipped else ''}"
        return {
            "heard": self._heard,
            "turn": self._turn,
            "pair": {"prompt": left[0].prompt, "first": left[0].first, "second": left[0].second} if left else None,
            "labelled": self._total - len(self._todo) + labelled,
            "skipped": skipped,
            "total": self._total,
            "can_undo": bool(self._past),
            "said": self._said + ("" if left else ending),
        }

    def _act(self, kind: object, message: State) -> None:
        if kind == "undo" and self._past:
            self._said = self._undo()
        elif kind == "skip" and len(self._past) < len(self._todo):
            self._past.append(None)
            self._said = "Skipped: nothing was saved."
        elif kind == "choose" and len(self._past) < len(self._todo):
            given = {name: message.get(name) for name in ("choice", "seconds")}
            label = parse(vars(self._todo[len(self._past)]) | given)
            append_jsonl(self.path, label)
            self._past.append(label)
            self._said = f"Saved: {WORDS[label.choice]}."
        else:
            return
        self._turn += 1

    def _undo(self) -> str:
        label = self._past[-1]
        there = label is None or take_back(self.path, label)
        self._past.pop()
        if label is None:
            return "Back at the pair that was skipped."
        name = self.path.name
        return f"Taken back: {name} no longer holds this label." if there else f"{name} held this label no more."


def _questions(pairs: Sequence[Pair], annotator: str, rng: np.random.Generator | None) -> list[Comparison]:
    """The pairs as they are shown; the choice "tie" stands for none yet."""
    if annotator is None:
        raise ValueError("annotator must be a name: it says whose the labels are, and which pairs are done.")
    # All sides are drawn at once: whatever is left of the pairs, one seed shows each of them the same way round.
    swapped = np.zeros(len(pairs)) if rng is None else rng.random(len(pairs)) < 0.5
    questions = [
        Comparison(prompt, *((other, one) if swap else (one, other)), choice="tie", annotator=annotator)
        for (prompt, one, other), swap in zip(pairs, swapped, strict=True)
    ]
    places: dict[object, int] = {}
    for place, question in enumerate(questions):
        if (earlier := places.setdefault(question.pair, place)) != place:
            raise ValueError(f"pairs[{earlier}] and pairs[{place}] are the same pair; leave one of them out.")
    return questions


def _greeting(done: int, replaced: int, aside: Path | None) -> str:
    sentences = []
    if done:
        sentences.append(f"{done} labelled before: not shown again.")
    if replaced:
        sentences.append(f"Of several labels of yours for one pair the last counts: {replaced} replaced.")
    if aside:
        broke = f"The file's last line broke off when a run was stopped and is kept in {aside.name}"
        sentences.append(f"{broke}; the pair is asked again.")
    return " ".join(sentences) or "Nothing is labelled yet."
