"""One comparison of two answers to a prompt, what an importer brings, and the split into halves that share no prompt."""

import hashlib
import reprlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

Choice = Literal["first", "second", "tie"]
Record = dict[str, object]

OTHER_SIDE: dict[str, Choice] = {"first": "second", "second": "first", "tie": "tie"}
# Labels are read from files that strangers write: no text of a post, an answer or a dialogue comes near these.
LONGEST_TEXT, LONGEST_NAME, MOST_SECONDS = 100_000, 200, 1e9


@dataclass(frozen=True)
class Comparison:
    """What one annotator said of one pair: of two answers to `prompt`, as they were shown, the `first` or the `second`.

    choice: "first", "second" or "tie". annotator: a name, or None where it is not known. seconds: labelling time, or None.
    An answer may be empty, the prompt may not. Raises ValueError, one sentence that begins with the field, when the prompt
    is empty, the answers are the same, a text is no text or longer than 100,000 characters, or a field is nonsense.
    """

    prompt: str
    first: str
    second: str
    choice: Choice
    annotator: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if problem := _problem(vars(self)):
            raise ValueError(problem)

    @property
    def pair(self) -> tuple[str, frozenset[str]]:
        """What was compared, whatever side it was shown on: the same for each label of one pair."""
        return self.prompt, frozenset((self.first, self.second))

    def swapped(self) -> "Comparison":
        """The same statement with the answers shown the other way round."""
        return replace(self, first=self.second, second=self.first, choice=OTHER_SIDE[self.choice])


FIELDS = tuple(field.name for field in fields(Comparison))
NEEDED = FIELDS[:4]


def _problem(record: Record) -> str:
    """One sentence on what is wrong with the fields of a comparison, or ""."""
    for name in ("prompt", "first", "second"):
        if not isinstance(record[name], str):
            return f"{name} must be text."
        if len(record[name]) > LONGEST_TEXT:
            return f"{name} is longer than {LONGEST_TEXT:,} characters."
        if not _is_unicode(record[name]):
            return f"{name} holds half a surrogate pair, which is no character."
    if not record["prompt"]:
        return "prompt is empty."
    if record["first"] == record["second"]:
        return "first and second are the same answer, so there is nothing to compare."
    choice, annotator, seconds = record["choice"], record.get("annotator"), record.get("seconds")
    if not (isinstance(choice, str) and choice in OTHER_SIDE):
        return f"choice must be 'first', 'second' or 'tie'; got {reprlib.repr(choice)}."
    named = isinstance(annotator, str) and 0 < len(annotator) <= LONGEST_NAME and _is_unicode(annotator)
    if annotator is not None and not named:
        return f"annotator must be a name of 1 to {LONGEST_NAME} characters, or None; got {reprlib.repr(annotator)}."
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 <= seconds <= MOST_SECONDS):
        return f"seconds must be a number from 0 to {MOST_SECONDS:.0e}, or None; got {reprlib.repr(seconds)}."
    return ""


def _is_unicode(text: str) -> bool:
    """JSON can name half a surrogate pair, "\\ud800"; no UTF-8 file can hold it."""
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def parse(record: object) -> Comparison:
    """The comparison that a record from outside holds. ValueError names the field that is missing, unknown or nonsense."""
    if not isinstance(record, dict):
        raise ValueError(f"a comparison must be an object with the fields {', '.join(FIELDS)}.")
    if unknown := [str(name) for name in record if name not in FIELDS]:
        raise ValueError(f"{reprlib.repr(unknown[0])} is an unknown field; a comparison has {', '.join(FIELDS)}.")
    if missing := [name for name in NEEDED if name not in record]:
        raise ValueError(f"{missing[0]} is missing; a comparison needs {', '.join(NEEDED)}.")
    if problem := _problem(record):
        raise ValueError(problem)
    seconds = record.get("seconds")
    return Comparison(**record | {"seconds": None if seconds is None else float(seconds)})


@dataclass(frozen=True)
class Import:
    """What an importer brought: the comparisons, what it left out by reason, and how many kept ones have an empty answer."""

    comparisons: list[Comparison]
    left_out: Counter[str]
    empty_answers: int

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} × {reason.removesuffix('.')}" for reason, count in self.left_out.most_common())
        kept = f"{len(self.comparisons)} comparisons ({self.empty_answers} with an empty answer)"
        return f"{kept}; left out: {reasons or 'nothing'}."


def gather(candidates: Iterable[Record | str]) -> Import:
    """The comparisons among candidates: a record that `parse` refuses is left out with that sentence as the reason, and a
    str is the reason why an importer found no record.
    """
    comparisons, left_out = [], Counter()
    for candidate in candidates:
        if isinstance(candidate, str):
            left_out[candidate] += 1
            continue
        try:
            comparisons.append(parse(candidate))
        except ValueError as error:
            left_out[str(error)] += 1
    empty = sum(not (comparison.first and comparison.second) for comparison in comparisons)
    return Import(comparisons, left_out, empty)


def require_some(comparisons: Sequence[Comparison]) -> None:
    """ValueError when there are none."""
    if not comparisons:
        raise ValueError("comparisons are empty; label some pairs or look at what the import left out.")


def require_two_sided(comparisons: Sequence[Comparison]) -> None:
    """ValueError when there are none, or when every choice is the same: labels that say nothing about the answers.

    A reader that takes every unknown value for "right" makes such data. Not for TRL's formats, where the chosen answer
    is always the first.
    """
    require_some(comparisons)
    if len(choices := {comparison.choice for comparison in comparisons}) == 1:
        raise ValueError(
            f"comparisons are one-sided: all {len(comparisons)} choices are '{choices.pop()}', so they do not depend on the "
            "answers; look at how they were read or labelled."
        )


def last_labels(comparisons: Iterable[Comparison]) -> tuple[list[Comparison], int]:
    """Of several labels that one annotator gave to one pair the last counts: (what is left, how many were replaced).

    Sides do not matter: a pair shown again the other way round is the same pair. Labels without an annotator all stay.
    """
    kept: dict[Hashable, Comparison] = {}
    given = 0
    for given, comparison in enumerate(comparisons, 1):
        key = given if comparison.annotator is None else (comparison.annotator, comparison.pair)
        kept.pop(key, None)
        kept[key] = comparison
    return list(kept.values()), given - len(kept)


def require_one_label(comparisons: Sequence[Comparison]) -> None:
    """ValueError when one annotator labelled one pair twice: each would count as a vote."""
    places: dict[Hashable, int] = {}
    for place, comparison in enumerate(comparisons):
        earlier = places.setdefault((comparison.annotator, comparison.pair), place)
        if earlier != place and comparison.annotator is not None:
            raise ValueError(
                f"comparisons[{earlier}] and comparisons[{place}] are two labels of one pair by "
                f"{reprlib.repr(comparison.annotator)}; call last_labels first, which keeps the last."
            )


def split_by_prompt(
    comparisons: Sequence[Comparison], share: float, seed: int
) -> tuple[list[Comparison], list[Comparison]]:
    """(train, held out): each prompt is held out with probability `share`, and all of its comparisons go with it.

    Decided by sha256 of seed and prompt alone: neither order nor other comparisons matter, so a prompt stays on its side
    when labels are added. Raises ValueError unless 0 < share < 1, and when one of the two sides would be empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, both excluded; got {share}.")
    require_some(comparisons)
    prompts = {comparison.prompt for comparison in comparisons}
    held = {prompt for prompt in prompts if _uniform(f"{seed}:{prompt}") < share}
    if not 0 < len(held) < len(prompts):
        raise ValueError(
            f"share={share} with seed={seed} holds out {len(held)} of {len(prompts)} prompts, so that one side is empty; "
            "label more prompts or change the seed."
        )
    train = [comparison for comparison in comparisons if comparison.prompt not in held]
    return train, [comparison for comparison in comparisons if comparison.prompt in held]


def _uniform(text: str) -> float:
    """A number in [0, 1), the same for the same text everywhere: the first 53 bits of its sha256."""
    return (int.from_bytes(hashlib.sha256(text.encode("utf8")).digest()[:8], "big") >> 11) / 2**53
