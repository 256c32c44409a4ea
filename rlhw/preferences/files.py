"""Comparisons on disk, one JSON object a line: every label is on the disk before the next is asked for."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, TypeVar

from rlhw.preferences.comparison import Comparison, parse

try:
    import fcntl
except ImportError:  # Windows has no such locks; there one process writes to a file
    fcntl = None

Parsed = TypeVar("Parsed")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_INTEGER = 20
TORN = "breaks off: its writer was stopped halfway; delete this line and label the pair again."


def read_jsonl(path: str | os.PathLike[str]) -> list[Comparison]:
    """The comparisons of a file, in its order; an empty file holds none, and blank lines are passed over.

    FileNotFoundError when there is no such file. ValueError names the line and how to mend it: no JSON, an unknown field,
    a choice that is none, a field twice, NaN. A last line that breaks off was torn when its writer was killed: its label
    had not been confirmed, so the sentence says to delete it, and nothing is dropped or changed here.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; append_jsonl makes it with the first label.")
    return read_records(path, parse, torn=TORN)


def read_records(path: Path, parse: Callable[[object], Parsed], torn: str = "") -> list[Parsed]:
    """What `parse` makes of each line of a file of JSON objects, blank lines passed over; ValueError names the line.

    torn: what to say of a last line that breaks off; the brace that closes an object is the last thing that is written of it.
    """
    lines = path.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = strict_json(line)
        except ValueError as error:
            if torn and number == len(lines) and not line.rstrip().endswith(b"}"):
                raise ValueError(f"{path}, line {number} {torn}") from None
            raise ValueError(f"{path}, line {number} {error}; mend or delete this line.") from None
        try:
            records.append(parse(record))
        except ValueError as error:
            sentence = str(error).removesuffix(".")
            raise ValueError(f"{path}, line {number}: {sentence}; mend or delete this line.") from None
    return records


def append_jsonl(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Add one line to a file, made when it is not there; on return the line is on the disk, whatever happens next.

    One unbuffered write, then fsync: a process killed at any moment leaves whole lines, and at worst a torn last one. Behind
    a last line without an end a new line is begun, so that no label is ever glued to a torn one. Where the disk is full
    the file is put back to its old length and the OSError goes on.
    """
    line = line_of(comparison)
    with locked(path), open(path, "ab+", buffering=0) as file:
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
    write_whole(path, map(line_of, comparisons))


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes]) -> None:
    """A file of these bytes, there whole or not at all."""
    path = Path(path)
    draft = path.with_name(f"{path.name}.part")
    try:
        with open(draft, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes of this library from writing to a file meanwhile, where the file system knows locks.

    The folder is what is locked: a file that is replaced would take its lock along.
    """
    if fcntl is None:
        yield
        return
    folder = os.open(Path(path).resolve().parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


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


def line_of(comparison: Comparison) -> bytes:
    """The line that stands for a comparison in a file."""
    return (json.dumps(asdict(comparison), ensure_ascii=False, allow_nan=False) + "\n").encode("utf8")
