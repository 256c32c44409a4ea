"""A file of labels while somebody labels: a label is taken back at one stroke, and what a killed writer left is set aside."""

import os
from pathlib import Path

from rlhw.preferences.comparison import Comparison
from rlhw.preferences.files import line_of, locked, write_whole

OPENING = b'{"prompt": "'


def take_back(path: str | os.PathLike[str], comparison: Comparison) -> bool:
    """Remove the last line that holds exactly this comparison, on the disk when this returns; False where there is none.

    The last line of a file is cut off, any other goes by a new file that replaces the old one: whoever kills the process
    leaves the label whole or gone, and the other lines as they were.
    """
    path, line = Path(path).resolve(), line_of(comparison)
    with locked(path):
        data = path.read_bytes() if path.is_file() else b""
        start = (b"\n" + data).rfind(b"\n" + line)
        if start < 0:
            return False
        if start + len(line) == len(data):
            _cut(path, start)
        else:
            write_whole(path, [data[:start], data[start + len(line) :]])
    return True


def set_torn_aside(path: str | os.PathLike[str]) -> Path | None:
    """Where the last line of a file broke off when its writer was stopped: move the piece to `<name>.torn`, and return that path.

    Such a label was never confirmed, so whoever gave it is asked again; no byte is thrown away. None, and nothing is touched,
    where there is no such line: it has an end, or is a whole label, or is not what `append_jsonl` begins to write, and then
    `read_jsonl` names it.
    """
    path = Path(path).resolve()
    with locked(path):
        data = path.read_bytes() if path.is_file() else b""
        start = data.rfind(b"\n") + 1
        # After a loss of power zeros may stand where the disk had not got the text yet.
        piece = data[start:].rstrip(b"\0")
        begun = OPENING.startswith(piece) or piece.startswith(OPENING)
        if start == len(data) or not begun or piece.rstrip().endswith(b"}"):
            return None
        aside = path.with_name(f"{path.name}.torn")
        with open(aside, "ab") as file:
            file.write(data[start:] + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _cut(path, start)
    return aside


def _cut(path: Path, length: int) -> None:
    with open(path, "rb+") as file:
        file.truncate(length)
        os.fsync(file.fileno())
