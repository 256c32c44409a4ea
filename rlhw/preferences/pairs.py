"""Pairs of answers that wait to be compared, and their file, one JSON object a line: {"prompt", "answer1", "answer2"}."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rlhw.preferences.comparison import parse
from rlhw.preferences.files import read_records, write_whole

Pair = tuple[str, str, str]

FIELDS = ("prompt", "answer1", "answer2")


def check_pairs(pairs: Sequence[Sequence[str]]) -> list[Pair]:
    """The pairs (prompt, first answer, second answer) as a list.

    ValueError when there are none, and naming the pair when one is no triple, a prompt is empty, both answers are the same,
    or a text is none or too long.
    """
    if not len(pairs):
        raise ValueError("pairs are empty: there is nothing to label.")
    for place, pair in enumerate(pairs):
        if isinstance(pair, str) or len(pair) != 3:
            raise ValueError(f"pairs[{place}] must be a prompt and two answers: (prompt, answer, answer).")
        try:
            parse(dict(zip(("prompt", "first", "second"), pair, strict=True)) | {"choice": "tie"})
        except ValueError as error:
            raise ValueError(f"pairs[{place}]: {error}") from None
    return [tuple(pair) for pair in pairs]


def read_pairs(path: str | os.PathLike[str]) -> list[Pair]:
    """The pairs (prompt, answer1, answer2) of a file, in its order; blank lines are passed over.

    FileNotFoundError when there is no such file. ValueError when it holds no pair, and naming the line that is no JSON, lacks
    a field or has another, or holds what cannot be compared: an empty prompt, the same answer twice, a text that is none.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; write_pairs makes one.")
    pairs = read_records(path, _pair)
    if not pairs:
        raise ValueError(f"{path} holds no pair; write one a line: {json.dumps(dict.fromkeys(FIELDS, '…'))}")
    return pairs


def write_pairs(path: str | os.PathLike[str], pairs: Sequence[Sequence[str]]) -> None:
    """Write a file of pairs at one stroke, in place of what stood there. Raises what `check_pairs` raises, and then writes nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_pairs(f"{folder}/pairs.jsonl", [("Who?", "I.", "You.")])
    ...     read_pairs(f"{folder}/pairs.jsonl")
    [('Who?', 'I.', 'You.')]
    """
    records = (dict(zip(FIELDS, pair, strict=True)) for pair in check_pairs(pairs))
    write_whole(path, ((json.dumps(record, ensure_ascii=False) + "\n").encode("utf8") for record in records))


def _pair(record: object) -> Pair:
    if not isinstance(record, dict) or set(record) != set(FIELDS):
        raise ValueError(f"a pair must be an object with the fields {', '.join(FIELDS)} and no other.")
    prompt, first, second = (record[name] for name in FIELDS)
    try:
        parse({"prompt": prompt, "first": first, "second": second, "choice": "tie"})
    except ValueError as error:
        # The sentence speaks of a comparison's fields; the file has others.
        raise ValueError(str(error).replace("first", "answer1").replace("second", "answer2")) from None
    return prompt, first, second
