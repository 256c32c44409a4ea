"""Values on the wire: ours go out and come back the same; what a hostile process writes is refused, fast, by one error."""

import importlib.util
import json
import random
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rlhw.grading import values
from rlhw.grading.values import NotPlain, decode, encode, read


@pytest.fixture(scope="module")
def worker():
    """The worker's module, with numpy as it has it when it runs."""
    path = Path(values.__file__).with_name("worker.py")
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("its_worker", path))
    module.__spec__.loader.exec_module(module)
    module.np = np
    return module


def same(one: object, other: object) -> bool:
    """Equal in type too, nan equal to nan, -0.0 unlike 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return repr(one) == repr(other)


PLAIN = {
    "nothing": None,
    "truth": [True, False],
    "integers": [0, -1, 2**63 - 1, -(2**63)],
    "floats": [0.1, -0.0, 1e308, 5e-324, float("inf"), -float("inf"), float("nan")],
    "text": ["", "ü", '"\\\n\u2028', "{[", "\x00"],
    "nested": (1, (2.0, ["x", {"a": (), 3: None, (1, 2): []}])),
    "array": np.array([[1.5, np.nan], [np.inf, -0.0]]),
    "labels": np.array([1, -(2**63)]),
    "mask": np.array([[True], [False]]),
    "scalar array": np.array(2.5),
    "empty array": np.zeros((0, 3)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_goes_out_and_comes_back_is_the_same(name, worker):
    value = PLAIN[name]
    line = json.dumps(encode(value)).encode()
    assert same(decode(read(line)), value)
    # Through both sides of the worker as well: what it reads, and what it writes.
    assert same(worker.value_of(json.loads(line)), value)
    assert same(decode(read(json.dumps(worker.plain(worker.value_of(json.loads(line)))).encode())), value)


@pytest.mark.parametrize(
    ("returned", "arrives"),
    [
        (np.float32(0.5), 0.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.arange(3, dtype=np.uint8), np.arange(3)),
        (np.array([0.5], dtype=np.float16), np.array([0.5])),
        (np.array([Fraction(1, 2)], dtype=object), np.array([0.5])),
        (Fraction(1, 4), 0.25),
        (..., None),
        (np.arange(6).reshape(2, 3).T, np.array([[0, 3], [1, 4], [2, 5]])),
    ],
)
def test_other_numbers_come_as_base_types(returned, arrives, worker):
    assert same(decode(read(json.dumps(worker.plain(returned)).encode())), arrives)


class Lying(float):
    """Equal to everything."""

    __hash__ = None

    def __eq__(self, other):
        return True


def test_an_object_that_lies_arrives_as_the_number_it_is(worker):
    got = decode(read(json.dumps(worker.plain([Lying(3.0)])).encode()))
    assert Lying(3.0) == 4.0, "the lie"
    assert type(got[0]) is float
    assert got[0] != 4.0


@pytest.mark.parametrize(
    "returned", [1j, np.array([1j]), {1, 2}, b"x", object(), 2**63, np.array([2**63], dtype=np.uint64), np.array(["a"])]
)
def test_what_is_not_plain_is_refused_by_the_worker(returned, worker):
    with pytest.raises((worker.NotPlain, ValueError, TypeError)):
        worker.plain(returned)


def test_a_list_that_holds_itself_is_refused_by_the_worker(worker):
    endless: list = []
    endless.append(endless)
    with pytest.raises(worker.NotPlain):
        worker.plain(endless)


def test_an_argument_without_a_form_is_named():
    with pytest.raises(TypeError, match="type complex"):
        encode(1j)
    with pytest.raises(TypeError, match="type ndarray"):
        encode(np.array(["a"]))


def array(**changes: object) -> bytes:
    return json.dumps({"array": {"dtype": "float64", "shape": [2], "data": [1.0, 2.0], **changes}}).encode()


# What Python's own reader takes, and we don't.
PYTHON_READS = {
    "deep": b"[" * 100 + b"]" * 100,
    "beyond 64 bits": b"9223372036854775808",
    "an array beyond 64 bits": b'{"array": {"dtype": "int64", "shape": [1], "data": [9223372036854775808]}}',
    "long integer": b"1" * 4000,
    "long float": b"0." + b"1" * 4000,
    "half a character": b'"\\ud800"',
    "half a character in a key": b'{"dict": [["\\udc00", 1]]}',
    "an unknown form": b'{"object": []}',
    "two forms": b'{"tuple": [], "dict": []}',
    "no form": b"{}",
    "a tuple of nothing": b'{"tuple": null}',
    "a dict of no pairs": b'{"dict": [[1]]}',
    "a key twice": b'{"dict": [[1, 2], [1.0, 3]]}',
    "a key that is a list": b'{"dict": [[[1], 2]]}',
    "many keys": json.dumps({"dict": [[n * (2**61 - 1) % 2**63, 0] for n in range(1001)]}).encode(),
    "complex": array(dtype="complex128"),
    "objects": array(dtype="object"),
    "text": array(dtype="<U1", data=["a", "b"]),
    "a dtype that is none": array(dtype=["float64"]),
    "longer than its data": array(shape=[3]),
    "negative axes": array(shape=[-1, -2]),
    "axes of floats": array(shape=[2.0]),
    "axes of truth": array(shape=[2, True]),
    "an enormous empty array": array(shape=[0, 2**30, 2**30], data=[]),
    "many axes": array(shape=[1] * 9 + [2]),
    "mixed data": array(data=[1.0, 2]),
    "nested data": array(data=[[1.0], [2.0]]),
    "truth for numbers": array(dtype="int64", data=[True, False]),
    "numbers for truth": array(dtype="bool", data=[1, 0]),
    "more than an array": array(order="F"),
}
PYTHON_REFUSES = {
    "not UTF-8": b'"\xff"',
    "not JSON": b"{'a': 1}",
    "half a line": b'[1, "',
    "nothing": b"",
    "two values": b"1 2",
    "a very long integer": b"9" * 5000,
    "very deep": b"[" * 100_000,
    "not closed": b"]" * 10,
}


@pytest.mark.parametrize("name", PYTHON_READS)
def test_what_is_not_one_of_the_forms_is_refused(name):
    json.loads(PYTHON_READS[name])
    with pytest.raises(NotPlain):
        decode(read(PYTHON_READS[name]))


@pytest.mark.parametrize("name", PYTHON_REFUSES)
def test_what_python_refuses_in_many_ways_is_refused_in_one(name):
    with pytest.raises((ValueError, RecursionError)):
        json.loads(PYTHON_REFUSES[name])
    with pytest.raises(NotPlain):
        read(PYTHON_REFUSES[name])


def test_brackets_in_text_are_not_depth():
    text = "[{" * 100 + '"' + "\\"
    assert decode(read(json.dumps([text, "x"]).encode())) == [text, "x"]


def test_changed_bytes_give_base_types_or_one_error():
    rng = random.Random(0)
    lines = [json.dumps(encode(value)).encode() for value in PLAIN.values()]
    refused = 0
    for _ in range(3000):
        line = bytearray(rng.choice(lines))
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line))] = (
                rng.choice(b'[]{}",:0123456789.eE-\\untf ') if rng.random() < 0.9 else rng.randrange(256)
            )
        try:
            # Written and read again it is the same, so it is of the base types.
            value = decode(read(bytes(line)))
            assert same(decode(read(json.dumps(encode(value)).encode())), value)
        except NotPlain:
            refused += 1
    assert 1000 < refused < 3000


@pytest.mark.parametrize(
    "line",
    [
        b'"' + b'\\"' * 500_000,
        b'"' * 1_000_000,
        b'"\\' + b"\\" * 999_998,
        b"[]" * 500_000,
        b"[" + b"1," * 50_000 + b"1]",
        array(data=[0.5] * 200_000, shape=[200_000]),
        b"0." + b"1" * 999_998,
        b"1e" + b"1" * 999_998,
        b"[" + b"{}," * 300_000 + b"{}]",
        b"-" * 1_000_000,
        b" " * 1_000_000,
    ],
)
def test_a_million_bytes_cost_little(line):
    began = time.process_time()
    with suppress(NotPlain):
        decode(read(line))
    # Type checks at every call, which are for the tests only, are most of it.
    assert time.process_time() - began < 2.0
