"""Bytes of a submission, read with caps: no links followed, nothing unpacked, JSON that cannot surprise.

Everything here refuses with `Unreadable`, whose text is one sentence for the row of that student.
"""

import errno
import io
import json
import math
import os
import re
import stat
import zipfile
from pathlib import Path

MOST_BYTES = 5_000_000
MOST_ZIP_BYTES, MOST_MEMBERS, MOST_RATIO = 10_000_000, 1000, 200
MOST_DEPTH, MOST_VALUES, MOST_DIGITS = 40, 300_000, 20
_CENTRAL_ENTRY = b"PK\x01\x02"
# Possessive, and an unfinished string ends with the text: one pass over the text, whatever it holds.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


class Unreadable(Exception):
    """A submission that cannot be read; the text is one sentence of ours."""


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file. Unreadable: a link, a pipe or device, no permission, more than `most` bytes.

    The file is opened without following a link and without waiting, and its size is asked before anything is read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unreadable("The file is a symbolic link; links are not followed.") from None
        raise Unreadable("The file cannot be opened; look at its permissions.") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("This is no regular file.")
        if status.st_size > most:
            raise Unreadable(_too_large("The file", most))
        with open(handle, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError:
        raise Unreadable("The file cannot be read.") from None
    finally:
        os.close(handle)
    if len(data) > most:
        raise Unreadable(_too_large("The file", most))
    return data


def _too_large(what: str, most: int) -> str:
    return f"{what} is larger than {most // 1_000_000} MB; clear the outputs (Clear All Outputs) and save it again."


def notebook_in_zip(data: bytes) -> tuple[bytes, list[str]]:
    """(the one notebook in a zip file, remarks). It is read in memory: names of members are never used as paths."""
    # Every entry of the directory begins so. Counted first, because ZipFile makes an object of each.
    if data.count(_CENTRAL_ENTRY) > MOST_MEMBERS:
        raise Unreadable(f"The zip file holds more than {MOST_MEMBERS} files.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [member for member in archive.infolist() if _is_notebook(member)]
            if len(found) != 1:
                raise Unreadable(f"The zip file holds {len(found) or 'no'} notebooks; one is needed.")
            return _member(archive, found[0]), _odd_names(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError):
        raise Unreadable("The zip file is damaged, encrypted or packed in an unusual way.") from None
    except (ValueError, OSError, UnicodeError, OverflowError, zipfile.zlib.error):
        raise Unreadable("The zip file is damaged.") from None


def _is_notebook(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.replace("\\", "/").split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts) or "__MACOSX" in parts
    return member.filename.lower().endswith(".ipynb") and not hidden and not member.is_dir()


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Unreadable("The notebook in the zip file is a symbolic link.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # LZMA lets a file say how much memory unpacking it takes.
        raise Unreadable("The zip file is packed in an unusual way.")
    if member.file_size > MOST_BYTES:
        raise Unreadable(_too_large("The notebook in the zip file", MOST_BYTES))
    if member.file_size > MOST_RATIO * max(member.compress_size, 1):
        raise Unreadable(f"The notebook in the zip file is packed more than {MOST_RATIO} to 1.")
    with archive.open(member) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Unreadable(_too_large("The notebook in the zip file", MOST_BYTES))
    return data


def _odd_names(archive: zipfile.ZipFile) -> list[str]:
    names = [name.replace("\\", "/") for name in archive.namelist()]
    if any(name.startswith("/") or ".." in name.split("/") or re.match("[A-Za-z]:", name) for name in names):
        return ["The zip file names places outside itself; nothing was unpacked."]
    return []


def strict_json(data: bytes) -> object:
    """The value of a JSON text. Unreadable where it is no UTF-8, no JSON, too deep, too much, or has a key twice in one object.

    NaN, infinities and whole numbers of more than 20 digits are read as None. A plot's output may hold them, where nobody
    looks; an answer is text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is no notebook: it is not text in UTF-8.") from None
    _measure(text)
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_short, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise Unreadable("The file is no notebook: it is not JSON.") from None


def _measure(text: str) -> None:
    """Refuse by depth and number of values before the parser makes an object of each."""
    marks = _STRING.sub("", text)
    if marks.count(",") + marks.count("[") + marks.count("{") > MOST_VALUES:
        raise Unreadable(f"The notebook holds more than {MOST_VALUES} values.")
    depth = 0
    for mark in re.findall(r"[\[\]{}]", marks):
        depth += 1 if mark in "[{" else -1
        if depth > MOST_DEPTH:
            raise Unreadable(f"The notebook is nested more than {MOST_DEPTH} deep.")


def _unique(pairs: list[tuple[str, object]]) -> dict:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise Unreadable("The notebook names a key twice in one object; which one counts cannot be told.")
    return result


def _no_constant(name: str) -> None:
    return None


def _short(digits: str) -> int | None:
    return int(digits) if len(digits) <= MOST_DIGITS else None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
