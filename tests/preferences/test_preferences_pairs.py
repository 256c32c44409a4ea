"""Pairs on disk: what is written is read back, a bad line is named, and a file is there whole or not at all."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import prompts, quick, texts

from rlhw.preferences import check_pairs, read_pairs, to_label_studio, write_pairs

pairs = st.tuples(prompts, texts, texts).filter(lambda pair: pair[1] != pair[2])
GOOD = {"prompt": "p", "answer1": "a", "answer2": "b"}


@quick
@given(st.lists(pairs, min_size=1, max_size=6))
def test_round_trip(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    write_pairs(path, found)
    assert read_pairs(path) == found
    assert read_pairs(path) == [tuple(task["data"].values()) for task in to_label_studio(found)[1]]


def test_a_line_is_plain_json(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", [["Wo?\n\N{WHALE}", "", "b"]])
    line = (tmp_path / "pairs.jsonl").read_bytes()
    assert line == '{"prompt": "Wo?\\n\N{WHALE}", "answer1": "", "answer2": "b"}\n'.encode()


SPOILT = {
    "words": ("the left one", "line 2 is not JSON"),
    "torn": ('{"prompt": "p", "answ', "line 2 is not JSON"),
    "a list": (
        '["p", "a", "b"]',
        "line 2: a pair must be an object with the fields prompt, answer1, answer2 and no other",
    ),
    "missing": ('{"prompt": "p", "answer1": "a"}', "line 2: a pair must be an object with the fields"),
    "unknown": (json.dumps(GOOD | {"chosen": "a"}), "line 2: a pair must be an object with the fields"),
    "no prompt": (json.dumps(GOOD | {"prompt": ""}), "line 2: prompt is empty"),
    "same": (json.dumps(GOOD | {"answer2": "a"}), "line 2: answer1 and answer2 are the same answer"),
    "number": (json.dumps(GOOD | {"answer1": 3}), "line 2: answer1 must be text"),
    "null": (json.dumps(GOOD | {"answer2": None}), "line 2: answer2 must be text"),
    "twice": ('{"prompt": "p", "answer1": "a", "answer2": "b", "prompt": "q"}', "line 2 holds a field twice"),
    "huge": (json.dumps(GOOD | {"answer1": "x" * 100_001}), "line 2: answer1 is longer than 100,000 characters"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_bad_line_is_named(tmp_path, case):
    line, sentence = SPOILT[case]
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n", encoding="utf8")
    with pytest.raises(ValueError, match=r"; mend or delete this line\.$") as caught:
        read_pairs(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line 2")


def test_no_file_and_no_pair(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^there is no file .*pairs\.jsonl; write_pairs makes one\.$"):
        read_pairs(tmp_path / "pairs.jsonl")
    (tmp_path / "pairs.jsonl").write_bytes(b"\xef\xbb\xbf\r\n\n")
    with pytest.raises(ValueError, match=r"pairs\.jsonl holds no pair; write one a line: \{\"prompt\""):
        read_pairs(tmp_path / "pairs.jsonl")


def test_what_is_no_pair_is_refused_and_the_file_stays(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [("p", "a", "b")])
    before = path.read_bytes()
    for bad, sentence in (
        ([], "pairs are empty"),
        ([("p", "a", "b"), ("p", "a", "a")], r"pairs\[1\]: first and second are the same answer"),
        ([("p", "a")], r"pairs\[0\] must be a prompt and two answers"),
        (["abc"], r"pairs\[0\] must be a prompt and two answers"),
    ):
        with pytest.raises(ValueError, match=sentence):
            write_pairs(path, bad)
        with pytest.raises(ValueError, match=sentence):
            check_pairs(bad)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["pairs.jsonl"]


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [("p", "a", "b")])
    path.chmod(0o640)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            write_pairs(path, [("q", "a", "b")])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["pairs.jsonl"]
    write_pairs(path, [("q", "a", "b")])
    assert path.stat().st_mode & 0o777 == 0o640, "who may read it stays as it was"
