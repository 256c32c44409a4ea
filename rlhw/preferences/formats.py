"""Comparisons in TRL's preference formats: prompt, chosen and rejected, with the prompt in a column of its own or without."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rlhw.preferences.comparison import Comparison, Import, Record, gather, require_some

TIE = "tie"


def to_trl(comparisons: Sequence[Comparison], *, implicit: bool = False) -> tuple[list[dict[str, str]], Counter[str]]:
    """(rows `prompt, chosen, rejected`, what was left out by reason); ties have no place in these formats.

    implicit=True gives rows `chosen, rejected` that both begin with the prompt, which TRL's reward trainer prefers; reading
    them back cannot tell where the prompt ended when both answers begin alike. Raises ValueError when no row is left.

    >>> to_trl([Comparison("Hi", " there", "!", "second"), Comparison("Hi", "?", "!", "tie")])
    ([{'prompt': 'Hi', 'chosen': '!', 'rejected': ' there'}], Counter({'tie': 1}))
    """
    require_some(comparisons)
    rows, left_out = [], Counter()
    for comparison in comparisons:
        if comparison.choice == "tie":
            left_out[TIE] += 1
            continue
        won = comparison if comparison.choice == "first" else comparison.swapped()
        before, column = (won.prompt, {}) if implicit else ("", {"prompt": won.prompt})
        rows.append(column | {"chosen": before + won.first, "rejected": before + won.second})
    if not rows:
        raise ValueError(f"comparisons hold nothing but {left_out[TIE]} ties, so no answer was chosen.")
    return rows, left_out


def from_trl(rows: Iterable[Mapping[str, object]]) -> Import:
    """Comparisons of TRL's rows, the chosen answer first: these formats do not say on which side it was shown.

    A row without `prompt` is of the implicit form: the prompt is then the longest common beginning of both texts, less one
    last space, as TRL takes it. Other columns are passed over. Rows without a text, without a prompt, or with the same text
    twice are left out and counted. Raises ValueError naming the row that lacks a column or holds messages instead of text.
    """
    return gather(_records(rows))


def _records(rows: Iterable[Mapping[str, object]]) -> Iterator[Record]:
    for place, row in enumerate(rows):
        if missing := [column for column in ("chosen", "rejected") if column not in row]:
            raise ValueError(f"rows[{place}] has no '{missing[0]}'; it has {', '.join(map(str, row)) or 'nothing'}.")
        for column in ("prompt", "chosen", "rejected"):
            if isinstance(row.get(column), list):
                raise ValueError(
                    f"rows[{place}]: {column} is a list of messages; make it text by a chat template first."
                )
        chosen, rejected = row["chosen"], row["rejected"]
        prompt = row.get("prompt", "")
        if "prompt" not in row and isinstance(chosen, str) and isinstance(rejected, str):
            prompt = common_prompt(chosen, rejected)
            chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
        yield {"prompt": prompt, "first": chosen, "second": rejected, "choice": "first"}


def common_prompt(chosen: str, rejected: str) -> str:
    """The longest common beginning, less one last space: GPT-2's tokens take a space to the word behind it.

    >>> common_prompt("The sky is blue.", "The sky is green.")
    'The sky is'
    """
    pairs = enumerate(zip(chosen, rejected, strict=False))
    end = next((place for place, (a, b) in pairs if a != b), min(len(chosen), len(rejected)))
    return chosen[:end].removesuffix(" ")
