"""Comparisons on disk, one JSON object a line: every label is on the disk before the next is asked for."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from rlhw.preferences.comparison import Comparison, parse

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_INTEGER = 20


def read_jsonl(path: str | os.PathLike[str]) -> list[Comparison]:
    """The comparisons of a file, in its order; an empty file holds none, and blank lines are passed over.

    FileNotFoundError when there is no such file. ValueError names the line and how to mend it: no JSON, an unknown field,
    a choice that is none, a field twice, NaN. A last line that breaks off was torn when its writer was killed: its label
    had not been confirmed, so the sentence says to delete it, and nothing is dropped or changed here.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; append_jsonl makes it with the first label.")
    lines = path.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n")
    comparisons = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = strict_json(line)
        except ValueError as error:
            # A line torn by a killed writer has no end, and the brace that closes the object is the last thing written.
            if number == len(lines) and not line.rstrip().endswith(b"}"):
                raise ValueError(
                    f"{path}, line {number} breaks off: its writer was stopped halfway; delete this line and label the pair again."
                ) from None
            raise ValueError(f"{path}, line {number} {error}; mend or delete this line.") from None
        try:
            comparisons.append(parse(record))
        except ValueError as error:
            sentence = str(error).removesuffix(".")
            raise ValueError(f"{path}, line {number}: {sentence}; mend or delete this line.") from None
    return comparisons


def append_jsonl(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Add one line to a file, made when it is not there; on return the line is on the disk, whatever happens next.

    One unbuffered write, then fsync: a process killed at any moment leaves whole lines, and at worst a torn last one. Behind
    a last line without an end a new line is begun, so that no label is ever glued to a torn one. Where the disk is full
    the file is put back to its old length and the OSError goes on.
    """
    line = _line(comparison)
    with open(path, "ab+", buffering=0) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(length - 1, 0))
        if file.read(1) not in (b"", b"\n"):
            line = b"\n" + line
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(length)
            raise


def write_jsonl(path: str | os.PathLike[str], comparisons: Iterable[Comparison]) -> None:
    """Write a file at one stroke: what stood there before stays whole until the new file is."""
    path = Path(path)
    draft = path.with_name(f"{path.name}.part")
    try:
        with open(draft, "wb") as file:
            file.writelines(map(_line, comparisons))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_export(path: str | os.PathLike[str]) -> object:
    """The parsed JSON of a Label Studio export, for `from_label_studio`.

    FileNotFoundError when there is no such file; ValueError when it is not UTF-8 JSON, holds a field twice or NaN.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}.")
    try:
        return strict_json(path.read_bytes().removeprefix(BYTE_ORDER_MARK))
    except ValueError as error:
        raise ValueError(f"{path} {error}; export the project again as JSON or JSON_MIN.") from None


def strict_json(data: bytes) -> object:
    """JSON from outside. ValueError, half a sentence that begins with a verb, where Python's reader would be lenient."""
    try:
        return json.loads(
            data.decode("utf8"), parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twins
        )
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _integer(digits: str) -> int:
    # Turning digits into a number takes time that grows with the square of their count.
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"holds a whole number of {len(digits)} characters")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is no JSON number")


def _refuse_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("holds a field twice")
    return record


def _line(comparison: Comparison) -> bytes:
    return (json.dumps(asdict(comparison), ensure_ascii=False, allow_nan=False) + "\n").encode("utf8")
