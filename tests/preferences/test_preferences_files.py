"""Labels on disk: what is written is read back, a killed writer loses nothing, a file spoilt by hand is refused by its line."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, quick, survivors

from rlhw.preferences import Comparison, append_jsonl, read_export, read_jsonl, write_jsonl

A = Comparison("Who?\n\u2028 <b>", 'I "am" }', "", "first", "ann", 2.5)
B = Comparison("Wo? \N{WHALE}\r\n\x00", "{", "You.\\n", "tie")


@quick
@given(st.lists(comparisons(), max_size=6))
def test_round_trip(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("labels")
    write_jsonl(folder / "whole.jsonl", found)
    for comparison in found:
        append_jsonl(folder / "one by one.jsonl", comparison)
    assert read_jsonl(folder / "whole.jsonl") == found
    if found:
        assert (folder / "one by one.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert "whole.jsonl.part" not in os.listdir(folder)


def test_a_line_is_plain_json(tmp_path):
    append_jsonl(tmp_path / "labels.jsonl", A)
    record = json.loads((tmp_path / "labels.jsonl").read_text(encoding="utf8").split("\n")[0])
    assert record == {
        "prompt": A.prompt, "first": A.first, "second": "", "choice": "first", "annotator": "ann", "seconds": 2.5
    }  # fmt: skip
    assert "\N{WHALE}".encode() in (write_jsonl(tmp_path / "b", [B]), (tmp_path / "b").read_bytes())[1]


GOOD = {"prompt": "p", "first": "a", "second": "b", "choice": "first"}
SPOILT = {
    "choice": (json.dumps(GOOD | {"choice": "left"}), "choice must be 'first', 'second' or 'tie'; got 'left'"),
    "unknown": (json.dumps(GOOD | {"chioce": "first"}), "'chioce' is an unknown field"),
    "missing": (json.dumps({"prompt": "p"}), "first is missing"),
    "same": (json.dumps(GOOD | {"first": "b"}), "first and second are the same answer"),
    "comma": (json.dumps(GOOD).replace(", ", " ", 1), "is not JSON (Expecting ',' delimiter at character 16)"),
    "words": ("I liked the left one}", "is not JSON (Expecting value at character 1)"),
    "list": ("[1, 2]", "a comparison must be an object"),
    "NaN": (json.dumps(GOOD)[:-1] + ', "seconds": NaN}', "holds NaN, which is no JSON number"),
    "infinite": (json.dumps(GOOD)[:-1] + ', "seconds": 1e999}', "seconds must be a number from 0 to 1e+09"),
    "twice": (json.dumps(GOOD)[:-1] + ', "choice": "second"}', "holds a field twice"),
    "digits": (json.dumps(GOOD)[:-1] + f', "seconds": {"9" * 5000}}}', "holds a whole number of 5000 characters"),
    "deep": ("[" * 200_000 + "]" * 200_000, "is nested too deeply"),
    "bytes": (b'{"prompt": "\xff"}', "is not UTF-8 text"),
}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("case", SPOILT)
def test_a_file_edited_into_nonsense_is_refused_with_its_line(tmp_path, case, last):
    line, sentence = SPOILT[case]
    path = tmp_path / "labels.jsonl"
    write_jsonl(path, [A, B])
    before = path.read_bytes()
    spoilt = before + (line if isinstance(line, bytes) else line.encode()) + (b"\n" if last else b"\n" + before)
    path.write_bytes(spoilt)
    with pytest.raises(ValueError, match=r"mend or delete this line\.$") as caught:
        read_jsonl(path)
    assert str(caught.value).startswith(f"{path}, line 3")
    assert sentence in str(caught.value)
    assert path.read_bytes() == spoilt, "reading mends nothing by itself"


def test_what_an_editor_may_do_without_harm(tmp_path):
    path = tmp_path / "labels.jsonl"
    write_jsonl(path, [A, B])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n \n").rstrip())
    assert read_jsonl(path) == [A, B]
    append_jsonl(path, A)
    assert read_jsonl(path) == [A, B, A]


def check_append(append, folder):
    """Cut the last line off at every byte: it is read whole or named, and a label that follows is never harmed."""
    path = folder / "labels.jsonl"
    write_jsonl(path, [A, B])
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start, len(whole) + 1):
        path.write_bytes(whole[:end])
        torn = start < end < len(whole) - 1
        if torn:
            with pytest.raises(
                ValueError, match=r"line 2 (breaks off: its writer was stopped|is not JSON).* delete this line"
            ):
                read_jsonl(path)
        else:
            assert read_jsonl(path) == ([A] if end == start else [A, B])
        append(path, A)
        lines = path.read_bytes().split(b"\n")
        path.write_bytes(b"\n".join(lines[:1] + lines[2:] if torn else lines))
        assert read_jsonl(path) == ([A, A] if end == start or torn else [A, B, A])


def glued(path, comparison):
    """What a plain open(path, "a") does."""
    write_jsonl(f"{path}.line", [comparison])
    with open(path, "ab") as file, open(f"{path}.line", "rb") as line:
        file.write(line.read())


def test_a_torn_last_line_is_named_and_harms_no_other(tmp_path):
    check_append(append_jsonl, tmp_path)
    assert survivors({"glued to what stands there": glued}, lambda append: check_append(append, tmp_path)) == []


LABELLER = """
import sys
from rlhw.preferences import Comparison, append_jsonl
file = open(sys.argv[1], "a") if sys.argv[2] == "buffered" else None
for number in range(100_000):
    comparison = Comparison(f"prompt {number}", "a" * 3000, "b", "first", "ann")
    if file:
        file.write(f"{comparison.prompt}\\n")
    else:
        append_jsonl(sys.argv[1], comparison)
    print(number, flush=True)
"""


def killed_after(path, way, labels):
    """Kill a labeller without warning once it has confirmed this many labels; the last number that it confirmed."""
    with subprocess.Popen([sys.executable, "-c", LABELLER, path, way], stdout=subprocess.PIPE, text=True) as process:
        confirmed = [process.stdout.readline() for _ in range(labels)]
        process.kill()
        confirmed += process.stdout.readlines()
    return max(int(line) for line in confirmed if line.endswith("\n"))


def test_labels_killed_at_any_moment_are_all_on_disk(tmp_path):
    last = killed_after(tmp_path / "labels.jsonl", "append", 20)
    found = read_jsonl(tmp_path / "labels.jsonl")
    assert [comparison.prompt for comparison in found[: last + 1]] == [f"prompt {n}" for n in range(last + 1)]
    assert len(found) <= last + 2


def test_a_buffered_writer_would_lose_them(tmp_path):
    last = killed_after(tmp_path / "labels.txt", "buffered", 20)
    assert (tmp_path / "labels.txt").read_text().count("\n") < last + 1


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "labels.jsonl"
    write_jsonl(path, [A])
    before = path.read_bytes()

    sizes = []

    def full(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append_jsonl(path, B)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="No space left"):
        write_jsonl(path, [B])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["labels.jsonl"]
    assert sizes[0] == len(before) + sizes[1], "all of it was handed over before the disk was asked to keep it"
    assert sizes[1] > 100


def test_a_file_that_is_not_there_and_an_empty_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^there is no file .*labels\.jsonl; append_jsonl makes it"):
        read_jsonl(tmp_path / "labels.jsonl")
    write_jsonl(tmp_path / "labels.jsonl", [])
    assert read_jsonl(tmp_path / "labels.jsonl") == []


def test_read_export(tmp_path):
    path = tmp_path / "export.json"
    path.write_bytes(b'\xef\xbb\xbf[{"data": {"prompt": "\\ud83d\\ude00"}}]')
    assert read_export(path) == [{"data": {"prompt": "\N{GRINNING FACE}"}}]
    with pytest.raises(FileNotFoundError, match=r"^there is no file .*other\.json\.$"):
        read_export(tmp_path / "other.json")
    path.write_text('[{"lead_time": Infinity}]')
    with pytest.raises(
        ValueError, match=r"export\.json holds Infinity, which is no JSON number; export the project again"
    ):
        read_export(path)
    path.write_text("[{")
    with pytest.raises(ValueError, match=r"export\.json is not JSON \(.* at character 3\); export the project again"):
        read_export(path)
