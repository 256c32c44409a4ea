"""What a question is, and how an answer is judged.

A question knows the text, an oracle `expected` that is not the reference solution, right answers, and named wrong ones
with a hint each. The judge looks at outputs only, so that the same code judges a learner's function here and, in the
grader, the replies of a sandboxed process.
"""

import inspect
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from textwrap import dedent

import numpy as np

from rlhw import laws

Answer = object
Case = tuple

TOLERANCE = 1e-6
# Exactly these types: True is an int as well, and no number here.
PLAIN = (int, float)


@dataclass(frozen=True)
class Part:
    """A family of inputs with points of its own. draw(rng) gives the arguments of one call, () where a value is asked."""

    name: str
    points: int
    draw: Callable[[np.random.Generator], Case] = lambda rng: ()
    cases: int = 5


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that people give, and the sentence that tells them what went wrong."""

    answer: Answer
    hint: str


@dataclass(frozen=True)
class Question:
    """One exercise. `expected(*case)` is the oracle; for a value (no arguments) it returns the value itself."""

    name: str
    title: str
    stars: int
    minutes: int
    text: str
    stub: str
    law: str
    expected: Callable
    parts: tuple[Part, ...]
    right: dict[str, Answer]
    wrong: dict[str, Wrong]
    # Another version of the question, for one student: the lines of a puzzle in another order, say.
    variant: Callable[[np.random.Generator], "Question"] | None = None
    agrees: Callable[[object, object], bool] = field(default=lambda got, expected: close(got, expected))

    @property
    def points(self) -> int:
        """Points of all parts together."""
        return sum(part.points for part in self.parts)

    @property
    def solution(self) -> str:
        """Source of the first right answer, as a learner would write it."""
        first = next(iter(self.right.values()))
        return dedent(inspect.getsource(first)).rstrip() if callable(first) else f"answer = {first!r}"


@dataclass(frozen=True)
class Verdict:
    """Which parts passed, and one sentence. `earned` points of `points`."""

    name: str
    passed: bool
    message: str
    earned: int
    points: int
    parts: dict[str, bool]


def close(got: object, expected: object) -> bool:
    """Numbers and arrays: same shape, finite, within 1e-6 · max(1, |expected|). What is no number is not close."""
    if type(got) in PLAIN and type(expected) in PLAIN:
        return _close_numbers(got, expected)
    try:
        # A known wrong answer may be infinite: everything finite would lie within its tolerance.
        if not np.all(np.isfinite(expected)):
            return False
        numbers = np.asarray(got)
        # Fractions and the like arrive as objects; text such as "0.5" stays text and is refused.
        laws.assert_close(numbers.astype(float) if numbers.dtype == object else numbers, expected, "", TOLERANCE)
    except (AssertionError, TypeError, ValueError, OverflowError):
        return False
    return True


def _close_numbers(got: int | float, expected: int | float) -> bool:
    """The same for two plain numbers, of which some questions compare thousands: no array is made of them."""
    try:
        got, expected = float(got), float(expected)
    except OverflowError:
        return False
    finite = math.isfinite(got) and math.isfinite(expected)
    return finite and abs(got - expected) <= TOLERANCE * max(1.0, abs(expected))


def draw_cases(question: Question, seed: int) -> dict[str, list[Case]]:
    """The inputs of every part for this seed."""
    rng = np.random.default_rng(seed)
    return {part.name: [part.draw(rng) for _ in range(part.cases)] for part in question.parts}


def draw_part(question: Question, part: str, seed: int) -> dict[str, list[Case]]:
    """The inputs of one part. They depend on the seed alone, not on the other parts. ValueError lists the parts."""
    known = {candidate.name: candidate for candidate in question.parts}
    if part not in known:
        raise ValueError(f"{question.name} has no part '{part}'. Its parts are: {', '.join(known)}.")
    rng = np.random.default_rng(seed)
    return {part: [known[part].draw(rng) for _ in range(known[part].cases)]}


def outputs_of(answer: Answer, cases: dict[str, list[Case]]) -> dict[str, list[object]]:
    """What the answer says to each case. A function is called with its own copies of the arguments."""
    return {name: [_said(answer, case) for case in group] for name, group in cases.items()}


def _said(answer: Answer, case: Case) -> object:
    return answer(*deepcopy(case)) if callable(answer) else answer


def judge(question: Question, cases: dict[str, list[Case]], outputs: dict[str, list[object]]) -> Verdict:
    """Hold outputs against the oracle, in the parts that `cases` has. A known wrong answer gets its own hint."""
    return Sitting(question, cases).judge(outputs)


class Sitting:
    """Cases of a question, for as many answers as come. Oracle and known wrong answers are asked once a case, when needed."""

    def __init__(self, question: Question, cases: dict[str, list[Case]]) -> None:
        self.question, self.cases = question, cases
        self._expected: dict[str, list[object]] = {}
        self._mistaken: dict[tuple[str, str, int], object] = {}

    def judge(self, outputs: dict[str, list[object]]) -> Verdict:
        """What the outputs of one answer are worth; see the function `judge`."""
        question = self.question
        chosen = [part for part in question.parts if part.name in self.cases]
        parts = {part.name: self._agrees(part.name, outputs[part.name]) for part in chosen}
        earned = sum(part.points for part in chosen if parts[part.name])
        passed = all(parts.values())
        message = "passed" if passed else "not yet. " + self._hint(outputs)
        return Verdict(question.name, passed, message, earned, sum(part.points for part in chosen), parts)

    def mistaken(self, key: str, part: str, number: int) -> object:
        """What the known wrong answer of this name says to a case."""
        place = key, part, number
        if place not in self._mistaken:
            # Wrong answers divide by zero and overflow; the learner needs the hint, not our warnings.
            with np.errstate(all="ignore"):
                self._mistaken[place] = _said(self.question.wrong[key].answer, self.cases[part][number])
        return self._mistaken[place]

    def _agrees(self, part: str, outputs: list[object]) -> bool:
        known = self._expected.setdefault(part, [])
        for number, (case, got) in enumerate(zip(self.cases[part], outputs, strict=True)):
            if number == len(known):
                known.append(self.question.expected(*case))
            if not self.question.agrees(got, known[number]):
                return False
        return True

    def _hint(self, outputs: dict[str, list[object]]) -> str:
        given = [(part, number, got) for part in self.cases for number, got in enumerate(outputs[part])]
        for key, wrong in self.question.wrong.items():
            # One case after the other: most wrong answers differ from this one at the first, and need not be asked the rest.
            if all(_same(self.question, got, self.mistaken(key, part, number)) for part, number, got in given):
                return wrong.hint
        return self.question.law


def _same(question: Question, got: object, known: object) -> bool:
    """Equal, also where both are nan, in pairs part by part: an answer that overflows is still recognised."""
    if isinstance(got, tuple | list) and isinstance(known, tuple | list) and len(got) == len(known) > 0:
        return question.agrees(got, known) or all(map(_equal, got, known))
    return _equal(got, known) or question.agrees(got, known)


def _equal(got: object, known: object) -> bool:
    try:
        got, known = np.asarray(got, dtype=float), np.asarray(known, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return False
    return got.shape == known.shape and np.allclose(got, known, rtol=1e-6, atol=1e-9, equal_nan=True)
