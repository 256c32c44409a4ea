"""Values on the wire between the grader and a sandboxed worker: base types in JSON, nothing else.

This is the grader's side. What it writes is ours; what it reads was made by a process that runs a student's code, so every
byte is taken to be hostile. JSON and no pickle: reading a reply runs nothing. Sizes, depth and digits are checked before
`json.loads`, types after it, and a value is built from the six forms below only. An object that lies about itself (an int
whose == says yes, an array with methods of its own) can't be written down here, so it can't arrive.

    None, bool, int within 64 bits, float (nan and inf too), str    as in JSON
    list                                                            [item, ...]
    tuple                                                           {"tuple": [item, ...]}
    dict                                                            {"dict": [[key, item], ...]}
    array of bool, int64 or float64                                 {"array": {"dtype": ..., "shape": ..., "data": ...}}
"""

import json
import math
import re

import numpy as np

DEPTH = 40
DICT_ENTRIES = 1000
AXES = 8
DTYPES = {"bool": bool, "int64": int, "float64": float}
# An unfinished string runs to the end, so that no quote is looked at twice: the time is linear whatever arrives.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
# No number of 64 bits is as long; to turn long ones into integers costs the square of their length.
_LONG_NUMBER = re.compile(rb"[0-9]{40}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class NotPlain(ValueError):
    """The bytes, or the value in them, are not of the base types."""


def encode(value: object) -> object:
    """The JSON form of an argument of ours. numpy's scalars become Python's, its arrays one of the three dtypes.

    TypeError names the type of what has no such form.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        dtype = {"b": "bool", "f": "float64"}.get(value.dtype.kind, "int64")
        return {"array": {"dtype": dtype, "shape": list(value.shape), "data": value.astype(dtype).ravel().tolist()}}
    raise TypeError(
        f"a value of type {type(value).__name__} can't be handed to a sandboxed answer: use the base types."
    )


def read(line: bytes) -> object:
    """The JSON in a line that a worker sent. The caller has capped its length.

    NotPlain where it is not JSON in UTF-8, is nested more than 40 deep, or holds a number of 40 digits or more.
    """
    outside_text, depth = _STRING.sub(b"", line), 0
    if _LONG_NUMBER.search(outside_text):
        raise NotPlain("a number with too many digits")
    for bracket in outside_text.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH:
            raise NotPlain("nested too deep")
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotPlain("not JSON") from None


def decode(tree: object) -> object:
    """The value that a piece of JSON stands for. NotPlain where it is none of the six forms."""
    if tree is None or isinstance(tree, bool | float):
        return tree
    if isinstance(tree, int):
        if not -(2**63) <= tree < 2**63:
            raise NotPlain("an integer beyond 64 bits")
        return tree
    if isinstance(tree, str):
        return _text(tree)
    if isinstance(tree, list):
        return [decode(item) for item in tree]
    if len(tree) != 1:
        raise NotPlain("an unknown form")
    (form, content), *_ = tree.items()
    if form == "tuple" and isinstance(content, list):
        return tuple(decode(item) for item in content)
    if form == "dict" and isinstance(content, list):
        return _dict(content)
    if form == "array" and isinstance(content, dict):
        return _array(content)
    raise NotPlain("an unknown form")


def _text(text: str) -> str:
    # JSON can spell half of a surrogate pair, which no file and no terminal takes.
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise NotPlain("text that is not Unicode")
    return text


def _dict(pairs: list) -> dict:
    # Few entries: keys that all hash alike would cost the square of their number.
    if len(pairs) > DICT_ENTRIES or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise NotPlain("not a list of pairs")
    try:
        value = {decode(key): decode(item) for key, item in pairs}
    except TypeError:
        raise NotPlain("a key that can't be one") from None
    if len(value) != len(pairs):
        raise NotPlain("a key twice")
    return value


def _array(content: dict) -> np.ndarray:
    if set(content) != {"dtype", "shape", "data"}:
        raise NotPlain("not an array")
    dtype, shape, data = content["dtype"], content["shape"], content["data"]
    if not isinstance(dtype, str) or dtype not in DTYPES or not isinstance(shape, list) or not isinstance(data, list):
        raise NotPlain("not an array")
    if len(shape) > AXES or not all(type(length) is int and 0 <= length < 2**31 for length in shape):
        raise NotPlain("not a shape")
    # numpy itself refuses an empty array whose other axes are longer than memory.
    if math.prod(shape) != len(data) or math.prod(max(length, 1) for length in shape) >= 2**48:
        raise NotPlain("a shape that its data does not fill")
    # `type is`: True would pass for an int, and an int beyond 2**53 for a float.
    if not all(type(item) is DTYPES[dtype] for item in data):
        raise NotPlain("data of another type than it says")
    try:
        return np.array(data, dtype=dtype).reshape(shape)
    except OverflowError:
        raise NotPlain("an integer beyond 64 bits") from None
