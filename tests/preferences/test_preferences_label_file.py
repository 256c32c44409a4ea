"""Taking a label back, beside others who write to the same file."""

import multiprocessing
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, quick, survivors

from rlhw.preferences import Comparison, append_jsonl, read_jsonl, take_back, write_jsonl
from rlhw.preferences.files import line_of

A, B = Comparison("p", "a", "b", "first", "ann", 1.0), Comparison("p", "a", "b", "second", "bob", 2.0)


@quick
@given(st.lists(comparisons(), min_size=1, max_size=6), st.data())
def test_the_last_line_that_holds_a_label_goes_and_no_other(tmp_path_factory, found, data):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    write_jsonl(path, found)
    label = data.draw(st.sampled_from(found))
    assert take_back(path, label)
    last = len(found) - 1 - found[::-1].index(label)
    assert read_jsonl(path) == found[:last] + found[last + 1 :]


def test_a_label_that_is_not_there_is_not_taken_back(tmp_path):
    path = tmp_path / "labels.jsonl"
    assert not take_back(path, A)
    write_jsonl(path, [B])
    # Not a piece of a longer line, either.
    path.write_bytes(path.read_bytes() + b" " + line_of(A))
    before = path.read_bytes()
    assert not take_back(path, A)
    assert path.read_bytes() == before


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.jsonl", tmp_path / "labels.jsonl"
    link.symlink_to(real)
    for label in (A, B):
        append_jsonl(link, label)
    assert take_back(link, A)
    assert take_back(link, B)
    assert link.is_symlink()
    assert real.read_bytes() == b""


def write_and_take_back(path, annotator, rounds, locked):
    if not locked:
        from rlhw.preferences import files

        files.fcntl = None
    for number in range(rounds):
        label = Comparison(f"{annotator} {number}", "a" * 3000, "b", "tie", annotator)
        append_jsonl(path, label)
        if number % 2:
            assert take_back(path, label)


def check_together(path, locked):
    context = multiprocessing.get_context("fork")
    people = [
        context.Process(target=write_and_take_back, args=(path, name, 150, locked)) for name in ("ann", "bob", "eve")
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 0, 0]
    found = read_jsonl(path)
    assert sorted(c.prompt for c in found) == sorted(
        f"{name} {n}" for name in ("ann", "bob", "eve") for n in range(0, 150, 2)
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the locks of this library are POSIX locks")
def test_three_people_write_and_take_back_at_once_and_nobody_loses_a_label(tmp_path):
    check_together(tmp_path / "locked.jsonl", locked=True)
    wrong = {"without the lock": False}
    assert survivors(wrong, lambda locked: check_together(tmp_path / "free.jsonl", locked)) == []
