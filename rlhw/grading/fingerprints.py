"""What is left of Python source when names, comments, texts and layout are taken away, and its fingerprints.

Winnowing (Schleimer, Wilkerson and Aiken 2003, the algorithm of MOSS): of every WINDOW successive hashes of K tokens the smallest
is kept. Two texts that share WINDOW + K - 1 tokens in a row share a fingerprint; what shares fewer than K shares none.
"""

import builtins
import keyword
import re
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

K, WINDOW = 6, 4
# Nobody writes an answer longer than this; what follows is not looked at.
LONGEST = 50_000

_STRING = r"""
    (?i:[rbuf]{0,2})(?:
        \'\'\'(?:\\.|[^\\])*?(?:\'\'\'|\Z) | \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)
      | '(?:\\.|[^'\\\n])*'? | "(?:\\.|[^"\\\n])*"?
    )"""
_TOKEN = re.compile(
    rf"""
    (?P<comment>\#[^\n]*)
  | (?P<string>{_STRING})
  | (?P<number>0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?[jJ]?)
  | (?P<name>[^\W\d]\w*)
  | (?P<newline>\n)
  | (?P<space>[^\S\n]+|\\\n)
  | (?P<sign>\*\*=|//=|>>=|<<=|\.\.\.|->|:=|\*\*|//|>>|<<|<=|>=|==|!=|[-+*/%&|^@]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Names that a copier cannot change; those of numpy after a dot only. All others are one sign.
_FIXED = frozenset(keyword.kwlist) | frozenset(name for name in dir(builtins) if not name.startswith("_"))
_NUMPY = frozenset(
    name for module in (np, np.linalg, np.random, np.ndarray) for name in dir(module) if not name.startswith("_")
)
_OPENS, _CLOSES = frozenset("([{"), frozenset(")]}")
# A copier sets or leaves them out freely: (a, b) and a, b.
_LAYOUT = frozenset("(),:")


@dataclass(frozen=True)
class Fingerprints:
    """Of one source: `hashes` (L,) of each K tokens in a row, `lines` (L, 2) that these stand in, `kept` the winnowed set."""

    tokens: int
    hashes: np.ndarray
    lines: np.ndarray
    kept: frozenset[int]


def tokens(source: str, names: bool = False) -> list[tuple[str, int]]:
    """(token, line) without comments, docstrings, layout, round brackets, commas and colons; with `names` the names stay.

    Never raises: what is no Python is read sign by sign.

    >>> [token for token, _ in tokens("def f(x):  # twice\\n    return np.sum(2 * x)")]
    ['def', 'v', 'v', 'return', 'v', '.', 'sum', '2', '*', 'v']
    """
    found, line, depth, starts, before = [], 1, 0, True, ""
    for match in _TOKEN.finditer(source[:LONGEST]):
        kind, text = match.lastgroup, match.group()
        if kind == "newline":
            starts = starts or depth == 0
        # A string that starts a line is a docstring or stands for a comment.
        elif not (kind == "string" and starts) and kind not in ("comment", "space"):
            token = text
            if not names and kind == "name":
                token = text if text in (_NUMPY if before == "." else _FIXED) else "v"
            elif not names and kind != "sign":
                token = "s" if kind == "string" else _number(text)
            if text not in _LAYOUT:
                found.append((token, line))
            depth = max(0, depth + (text in _OPENS) - (text in _CLOSES))
            starts, before = text == ";" and depth == 0, text
        line += text.count("\n")
    return found


def _number(text: str) -> str:
    """1.0 as 1, so that a copier gains nothing by the other form; with an exponent as it stands."""
    return text.rstrip("0").rstrip(".") or "0" if "." in text and "e" not in text.lower() else text


@lru_cache(maxsize=4096)
def of(source: str, names: bool = False, stub: str = "") -> Fingerprints:
    """The fingerprints of a source, without those that stand in the stub, with or without the names in it."""
    found = tokens(source, names)
    ignored = frozenset(of(stub, names).hashes.tolist()) if stub else frozenset()
    words = np.array([crc32(token.encode("utf8", "surrogatepass")) for token, _ in found], dtype=np.uint64)
    lines = np.array([line for _, line in found], dtype=np.int64)
    if len(found) < K:
        return Fingerprints(len(found), words[:0], np.zeros((0, 2), dtype=np.int64), frozenset())
    hashes = _hashes(words)
    spans = np.stack([lines[: len(hashes)], lines[K - 1 :]], axis=1)
    if ignored:
        free = ~np.isin(hashes, np.fromiter(ignored, dtype=np.uint64))
        hashes, spans = hashes[free], spans[free]
    windows = np.lib.stride_tricks.sliding_window_view(hashes, min(WINDOW, len(hashes))) if len(hashes) else hashes
    kept = frozenset(windows.min(axis=-1).tolist()) if len(hashes) else frozenset()
    return Fingerprints(len(found), hashes, spans, kept)


def _hashes(words: np.ndarray) -> np.ndarray:
    """A hash of every K tokens in a row: a polynomial modulo 2⁶⁴, its bits mixed, else the smallest would follow a rule."""
    mixed = np.zeros(len(words) - K + 1, dtype=np.uint64)
    for place in range(K):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + words[place : place + len(mixed)]
    mixed ^= mixed >> np.uint64(31)
    return mixed * np.uint64(0xBF58476D1CE4E5B9)
