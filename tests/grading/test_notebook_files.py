"""Reading the bytes of a submission: every cap, shown to matter by what lies just under it."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from rlhw.grading import files
from rlhw.grading.files import Unreadable, notebook_in_zip, read_bytes, strict_json


def packed(members, compression=zipfile.ZIP_DEFLATED):
    """A zip file with these members, name -> bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_file_over_the_cap_is_refused_before_it_is_read(tmp_path):
    huge = tmp_path / "huge.ipynb"
    with open(huge, "wb") as file:
        file.truncate(200_000_000)
    before = os.times().system + os.times().user
    with pytest.raises(Unreadable, match="larger than 5 MB"):
        read_bytes(huge)
    assert os.times().system + os.times().user - before < 0.05
    with open(huge, "wb") as file:
        file.truncate(files.MOST_BYTES)
    assert len(read_bytes(huge)) == files.MOST_BYTES


def test_links_pipes_folders_and_devices_are_refused_without_waiting(tmp_path):
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    os.mkfifo(tmp_path / "pipe")
    assert read_bytes(tmp_path / "there") == b"x"
    for path, sentence in (
        (tmp_path / "link", "symbolic link"), (tmp_path / "pipe", "no regular file"), (tmp_path, "no regular file"),
        (Path("/dev/zero"), "no regular file"), (tmp_path / "nothing", "cannot be opened"),
    ):  # fmt: skip
        with pytest.raises(Unreadable, match=sentence):
            read_bytes(path)


def test_a_file_without_permission_is_a_sentence(tmp_path):
    (tmp_path / "closed").write_text("x")
    (tmp_path / "closed").chmod(0)
    pid = os.fork()
    if pid == 0:  # Root may read every file: as somebody else, then, and only this file is closed to them.
        os.chroot(tmp_path) if os.geteuid() == 0 else None
        place = Path("/closed") if os.geteuid() == 0 else tmp_path / "closed"
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        try:
            read_bytes(place)
        except Unreadable as refused:
            os._exit(0 if "permissions" in str(refused) else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_zip_file_with_one_notebook(tmp_path):
    data, remarks = notebook_in_zip(
        packed({"hw/a.ipynb": b"{}", "__MACOSX/hw/._a.ipynb": b"x", "hw/.x/b.ipynb": b"x", "r.txt": b""})
    )
    assert (data, remarks) == (b"{}", [])


def test_names_that_lead_outside_a_zip_file_are_remarked_on_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("../../evil.ipynb", "/etc/evil.ipynb", "C:\\evil.ipynb", "a/../../evil.ipynb"):
        data, remarks = notebook_in_zip(packed({name: b"{}"}))
        assert data == b"{}"
        assert len(remarks) == 1
    assert list(tmp_path.iterdir()) == []


def test_zip_bombs_are_refused():
    zeros = bytes(files.MOST_BYTES - 1)
    with pytest.raises(Unreadable, match="200 to 1"):
        notebook_in_zip(packed({"a.ipynb": zeros}))
    assert len(notebook_in_zip(packed({"a.ipynb": zeros}, zipfile.ZIP_STORED))[0]) == len(zeros)
    with pytest.raises(Unreadable, match="larger than 5 MB"):
        notebook_in_zip(packed({"a.ipynb": bytes(files.MOST_BYTES + 1)}))
    with pytest.raises(Unreadable, match="more than 1000 files"):
        notebook_in_zip(packed({str(number): b"" for number in range(1001)}))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_way_of_packing_that_may_take_any_memory_is_refused(compression):
    with pytest.raises(Unreadable, match="unusual way"):
        notebook_in_zip(packed({"a.ipynb": b"{}"}, compression))


def test_a_size_that_the_directory_hides_is_found_while_reading():
    data = bytearray(packed({"a.ipynb": bytes(files.MOST_BYTES * 2)}, zipfile.ZIP_STORED))
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = (100).to_bytes(4, "little") * 2
    with pytest.raises(Unreadable, match="damaged"):
        notebook_in_zip(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), os.urandom(1000), packed({"a.txt": b""})]
)
def test_what_is_no_zip_file_with_a_notebook(data):
    with pytest.raises(Unreadable, match="zip file"):
        notebook_in_zip(data)


def test_a_damaged_or_locked_zip_file_is_a_sentence():
    whole = packed({"a.ipynb": json.dumps({"cells": list(range(1000))}).encode()})
    kinds = set()
    for place in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        try:
            notebook_in_zip(bytes(broken))
            kinds.add("read")
        except Unreadable:
            kinds.add("refused")
    assert kinds == {"read", "refused"}
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Unreadable, match="encrypted"):
        notebook_in_zip(bytes(locked))


def test_plain_json_is_read_as_json_reads_it():
    text = '{"a": [1, -2.5e3, true, null, "q\\"[{\\\\"], "ü": {}}'
    assert strict_json(text.encode()) == json.loads(text)
    assert strict_json(b"\xef\xbb\xbf" + text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xfe{}", "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": "', "not JSON"),
        (b'{"a": "\\', "not JSON"),
        (b"%PDF-1.4", "not JSON"),
        (b'{"cells": [], "cells": [1]}', "twice"),
        (b'{"a": {"b": 1, "b": 2}}', "twice"),
        (b"[" * 41 + b"]" * 41, "40 deep"),
        (b"[" * 100_000, "40 deep"),
        (b'{"a":' * 100_000, "40 deep"),
        (b"[" + b"[]," * 200_000 + b"0]", "values"),
    ],
)
def test_json_that_could_surprise_is_refused(data, sentence):
    with pytest.raises(Unreadable, match=sentence):
        strict_json(data)


@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b"1e999", b"9" * 21, b"-" + b"9" * 2_000_000])
def test_a_number_that_no_plot_should_hold_is_read_as_nothing(odd):
    before = os.times().user
    assert strict_json(b'[1, {"y": ' + odd + b"}, 2.5]") == [1, {"y": None}, 2.5]
    assert os.times().user - before < 1


def test_what_lies_just_under_the_caps_is_read():
    assert strict_json(b"[" * 40 + b"]" * 40)
    assert strict_json(b"[" + b"9" * 20 + b"]") == [10**20 - 1]
    assert len(strict_json(b"[" + b"0," * 200_000 + b"0]")) == 200_001
    # Marks inside a string are text.
    assert strict_json(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]


@pytest.mark.parametrize("text", ['"' + '\\"' * 2_000_000, '"' * 4_000_000, "\\" * 4_000_000, '"\\' * 2_000_000])
def test_no_text_takes_long_to_measure(text):
    before = os.times().user
    with pytest.raises(Unreadable):
        strict_json(text.encode())
    assert os.times().user - before < 2
