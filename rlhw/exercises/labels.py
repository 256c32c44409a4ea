"""Labels as a student hands them in: a text with one JSON object a line, read with caps, and what a run can be held against.

The lines are those that the labelling widget and `rlhw label import` write. `report` says in words what `read` makes of a text.
"""

import hashlib
import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rlhw.preferences.comparison import Comparison, parse
from rlhw.preferences.files import line_of, strict_json

MOST_CHARACTERS, MOST_LINES = 1_000_000, 5_000
NO_OBJECT, BROKEN = (
    "does not begin with a brace, so it is no JSON object",
    "begins with a brace and cannot be read as JSON",
)


@dataclass(frozen=True)
class Labels:
    """What a text holds: comparisons in its order, and how many lines were refused, by our sentence on why."""

    comparisons: tuple[Comparison, ...]
    refused: dict[str, int]

    @property
    def choices(self) -> tuple[Comparison, ...]:
        """Those that chose an answer: all but the ties."""
        return tuple(one for one in self.comparisons if one.choice != "tie")

    @property
    def pairs(self) -> int:
        """How many different pairs an answer was chosen from, whoever chose and whichever side it was shown on."""
        return len({one.pair for one in self.choices})

    @property
    def prompts(self) -> int:
        """How many different prompts they belong to."""
        return len({one.prompt for one in self.choices})


@lru_cache(maxsize=8)
def read(text: str) -> Labels:
    """The labels of a text, blank lines passed over. ValueError only for more than a million characters or 5,000 lines."""
    lines = [line for line in text.split("\n") if line.strip()] if len(text) <= MOST_CHARACTERS else []
    if len(text) > MOST_CHARACTERS or len(lines) > MOST_LINES:
        raise ValueError(f"labels must have at most {MOST_CHARACTERS:,} characters and {MOST_LINES:,} lines.")
    found, refused = [], Counter()
    for line in lines:
        try:
            record = strict_json(line.encode("utf8", errors="surrogatepass"))
        except ValueError:
            refused[BROKEN if line.lstrip().startswith("{") else NO_OBJECT] += 1
            continue
        try:
            found.append(parse(record))
        except ValueError as error:
            refused[str(error)] += 1
    return Labels(tuple(found), dict(refused))


@lru_cache(maxsize=8)
def fingerprint(comparisons: tuple[Comparison, ...]) -> str:
    """The sha256 of the comparisons as a set, in hexadecimal: neither their order nor how a line was spaced matters."""
    return hashlib.sha256(b"".join(sorted(set(map(line_of, comparisons))))).hexdigest()


def report(text: str) -> str:
    """What a text of labels holds, a line each: for a student who wants to know why a line does not count."""
    labels = read(text)
    sides = Counter(one.choice for one in labels.comparisons)
    lines = [
        f"{len(labels.comparisons)} labels: {sides['first']} first, {sides['second']} second, {sides['tie']} ties",
        f"{labels.pairs} different pairs of {labels.prompts} prompts with a choice",
        f"hash: {fingerprint(labels.comparisons)}",
    ]
    return "\n".join(lines + [f"refused: {count} × {reason}" for reason, count in labels.refused.items()])


if __name__ == "__main__":
    print(report(Path(sys.argv[1]).read_text(encoding="utf-8-sig")))
