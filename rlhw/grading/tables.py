"""CSV files that a spreadsheet may open: no cell is a formula, no cell breaks its row, no sign is invisible. And JSON."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlhw.repository import write_atomically

# A spreadsheet takes a cell that starts with one of these for a formula; the wide forms too, in some languages.
_FORMULA = re.compile(r"'*\s*[=+\-@＝＋－＠\t\r]")
_GUARDED = re.compile(r"'+\s*[=+\-@＝＋－＠\t\r]")
# A line break inside a cell: one sign, so that a row stays a line for every reader of CSV.
BREAK = "⏎"


def visible(text: str) -> str:
    r"""One line without invisible signs: line breaks as ⏎, control signs and those that turn the direction of writing as \xNN.

    >>> visible("a\x1b[31mb\u202ec\n")
    'a\\x1b[31mb\\u202ec⏎'
    """
    lines = re.sub(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]", BREAK, text)
    return "".join(_seen(sign) for sign in lines)


def _seen(sign: str) -> str:
    # Cc control, Cf format (bidi, zero width, byte order mark), Cs half a pair, Co private, Cn unassigned.
    if sign == "\t" or not unicodedata.category(sign).startswith("C"):
        return " " if sign == "\t" else sign
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(value: object) -> str:
    """A cell's text. None is empty, numbers stay numbers; text that would be a formula gets a ' before it.

    >>> cell("=1+1"), cell("'-1"), cell("it's 5 - 3"), cell(2.0), cell(None)
    ("'=1+1", "''-1", "it's 5 - 3", '2', '')
    """
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    text = visible(str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(written: str) -> str:
    """What `cell` was given, for text that `visible` leaves as it is: the ' that it put there is taken off.

    >>> text_of("'=1+1"), text_of("''-1"), text_of("'tis")
    ('=1+1', "'-1", "'tis")
    """
    return written[1:] if _GUARDED.match(written) else written


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table atomically: UTF-8, commas, every text in quotes, numbers without, lines end in a line feed."""
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([cell(name) for name in header])
    for row in rows:
        writer.writerow([number(value) if type(value) in (int, float) else cell(value) for value in row])
    write_atomically(path, table.getvalue())


def number(value: int | float) -> int | float:
    """Points as people write them: 3 for 3.0, and 3.5."""
    return int(value) if value == int(value) else round(value, 6)


def write_json(path: Path, data: object) -> None:
    """Write JSON atomically, the keys in order, in ASCII: what turns a line round in a terminal is an escape like any other."""
    write_atomically(path, json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n")
