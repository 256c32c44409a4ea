"""A session: what is asked, what is on the disk before the next pair is shown, and what is said when the disk refuses."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from rlhw.labelling import Session, label
from rlhw.preferences import Comparison, append_jsonl, read_jsonl, write_jsonl

PAIRS = [("Why?", "Because.", "No idea."), ("Who <b>?", "", 'I "am"\n'), ("Where?", "Here.", "There.")]


def asked(session: Session) -> str | None:
    pair = session.state()["pair"]
    return pair and pair["prompt"]


def send(
    session: Session, kind: str, choice: str | None = None, seconds: object = 1.5, turn: int | None = None
) -> dict:
    """What the page sends about what it shows, and what it gets."""
    turn = session.state()["turn"] if turn is None else turn
    chosen = {"choice": choice, "seconds": seconds} if kind == "choose" else {}
    return session.reply({"kind": kind, "turn": turn} | chosen)


def counts(session: Session) -> tuple[int, int, int]:
    state = session.state()
    return state["labelled"], state["skipped"], state["total"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.jsonl"


def test_each_label_is_in_the_file_before_the_next_pair_is_shown(path):
    session = Session(PAIRS, path, "ann")
    assert not path.exists(), "nothing is written before there is a label"
    assert asked(session) == "Why?"
    state = send(session, "choose", "first")
    assert (asked(session), state["said"]) == ("Who <b>?", "Saved: answer 1 is better.")
    assert read_jsonl(path) == [Comparison(*PAIRS[0], "first", "ann", 1.5)]
    send(session, "choose", "tie", 3)
    state = send(session, "choose", "second", 0.25)
    assert [c.choice for c in read_jsonl(path)] == ["first", "tie", "second"]
    assert [c.seconds for c in read_jsonl(path)] == [1.5, 3.0, 0.25]
    assert (state["pair"], counts(session)) == (None, (3, 0, 3))
    assert state["said"] == "Saved: answer 2 is better. That was the last pair."


def test_a_label_is_written_before_anything_else_changes(path, monkeypatch):
    """What the page would be shown while the file is written is still the old pair."""
    session, seen = Session(PAIRS, path, "ann"), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(session.state()), real(handle)))
    send(session, "choose", "first")
    assert [(state["turn"], state["labelled"], state["pair"]["prompt"]) for state in seen] == [(0, 0, "Why?")]


def test_skipped_pairs_are_not_in_the_file_and_come_again(path):
    session = Session(PAIRS, path, "ann")
    send(session, "skip")
    send(session, "choose", "second")
    state = send(session, "skip")
    assert counts(session) == (1, 2, 3)
    assert state["said"].endswith("The skipped ones come again when this cell is run again.")
    again = Session(PAIRS, path, "ann")
    assert (asked(again), counts(again)) == ("Why?", (1, 0, 3))
    assert again.state()["said"] == "1 labelled before: not shown again."
    send(again, "choose", "first")
    assert asked(again) == "Where?"


def test_each_annotator_is_asked_all_pairs_whatever_others_did(path):
    write_jsonl(path, [Comparison(*PAIRS[0], "first", "bob"), Comparison(*PAIRS[1], "tie")])
    assert counts(Session(PAIRS, path, "ann")) == (0, 0, 3)
    assert counts(Session(PAIRS, path, "bob")) == (1, 0, 3)


def test_a_pair_shown_the_other_way_round_is_the_same_pair(path):
    write_jsonl(path, [Comparison("Why?", "No idea.", "Because.", "first", "ann")])
    assert asked(Session(PAIRS, path, "ann")) == "Who <b>?"


def test_undo_goes_back_step_by_step_and_takes_labels_out_of_the_file(path):
    write_jsonl(path, [Comparison("old", "a", "b", "first", "ann")])
    before = path.read_bytes()
    session = Session(PAIRS, path, "ann")
    assert send(session, "undo")["turn"] == 0, "labels of earlier sessions stay"
    send(session, "choose", "first")
    send(session, "skip")
    assert asked(session) == "Where?"
    assert send(session, "undo")["said"] == "Back at the pair that was skipped."
    assert (asked(session), counts(session)) == ("Who <b>?", (1, 0, 3))
    state = send(session, "undo")
    assert state["said"] == "Taken back: labels.jsonl no longer holds this label."
    assert (asked(session), counts(session), state["can_undo"]) == ("Why?", (0, 0, 3), False)
    assert path.read_bytes() == before
    send(session, "choose", "second")
    assert [c.choice for c in read_jsonl(path)] == ["first", "second"]


def test_undo_after_the_last_pair(path):
    session = Session(PAIRS[:1], path, "ann")
    send(session, "choose", "first")
    assert asked(session) is None
    send(session, "undo")
    assert (asked(session), path.read_bytes()) == ("Why?", b"")


def test_undo_leaves_what_another_wrote_since(path):
    session = Session(PAIRS, path, "ann")
    send(session, "choose", "first")
    append_jsonl(path, Comparison(*PAIRS[0], "second", "bob"))
    send(session, "undo")
    assert read_jsonl(path) == [Comparison(*PAIRS[0], "second", "bob")]
    assert os.listdir(path.parent) == [path.name]


def test_undo_of_a_label_that_somebody_has_removed(path):
    session = Session(PAIRS, path, "ann")
    send(session, "choose", "first")
    write_jsonl(path, [])
    assert send(session, "undo")["said"] == "labels.jsonl held this label no more."
    assert asked(session) == "Why?"
    send(session, "choose", "first")
    path.unlink()
    assert send(session, "undo")["turn"] == 4


def test_a_key_pressed_twice_labels_one_pair(path):
    session = Session(PAIRS, path, "ann")
    send(session, "choose", "first", turn=0)
    state = send(session, "choose", "first", turn=0)
    assert (asked(session), counts(session)) == ("Who <b>?", (1, 0, 3))
    assert state["heard"] == 2, "the page is answered all the same, for it waits"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"kind": "choose", "turn": 0, "choice": "left"}, "choice must be 'first', 'second' or 'tie'; got 'left'."),
        ({"kind": "choose", "turn": 0}, "choice must be 'first', 'second' or 'tie'; got None."),
        (
            {"kind": "choose", "turn": 0, "choice": ["first"]},
            "choice must be 'first', 'second' or 'tie'; got ['first'].",
        ),
        ({"kind": "choose", "turn": 0, "choice": "first", "seconds": -1}, "seconds must be a number from 0 to 1e+09"),
        ({"kind": "choose", "turn": 0, "choice": "first", "seconds": "2"}, "seconds must be a number from 0 to 1e+09"),
        ({"kind": "erase", "turn": 0}, "Nothing is labelled yet."),
        ({"turn": 0}, "Nothing is labelled yet."),
        ("choose", "Nothing is labelled yet."),
        (None, "Nothing is labelled yet."),
    ],
)
def test_a_message_that_is_none_changes_nothing(path, message, said):
    session = Session(PAIRS, path, "ann")
    state = session.reply(message)
    assert said in state["said"]
    assert (state["turn"], counts(session), path.exists()) == (0, (0, 0, 3), False)


def test_sides_are_drawn_by_lot_and_recorded_as_shown(path):
    pairs = [(f"p{i}", "right", "wrong") for i in range(200)]
    sessions = [Session(pairs, path, "ann", rng=np.random.default_rng(seed)) for seed in (3, 3, 4)]
    sides = [[question.first for question in session._todo] for session in sessions]
    assert sides[0] == sides[1] != sides[2]
    # 200 fair coins: fewer than 70 or more than 130 heads come up once in 50,000 times.
    assert 70 <= sides[0].count("right") <= 130
    for _ in pairs[:20]:
        shown = sessions[0].state()["pair"]
        send(sessions[0], "choose", "first" if shown["first"] == "right" else "second")
    found = read_jsonl(path)
    assert [c.first for c in found] == sides[0][:20]
    assert {c.first if c.choice == "first" else c.second for c in found} == {"right"}
    later = Session(pairs, path, "ann", rng=np.random.default_rng(3))
    assert [question.first for question in later._todo] == sides[0][20:], "what is left is shown as it would have been"
    assert {question.first for question in Session(pairs, path, "bob")._todo} == {"right"}, "without rng as given"


def test_of_two_labels_of_one_pair_the_last_counts_and_is_counted(path):
    write_jsonl(path, [Comparison(*PAIRS[0], choice, "ann") for choice in ("first", "second", "tie")])
    session = Session(PAIRS, path, "ann")
    assert counts(session) == (1, 0, 3)
    assert session.state()["said"].endswith("Of several labels of yours for one pair the last counts: 2 replaced.")


def test_a_file_edited_into_nonsense_is_refused_with_its_line_before_anything_is_shown(path):
    write_jsonl(path, [Comparison(*PAIRS[0], "first", "ann"), Comparison(*PAIRS[1], "second", "ann")])
    spoilt = path.read_bytes().replace(b'"second", "annotator"', b'"left", "annotator"')
    path.write_bytes(spoilt)
    with pytest.raises(
        ValueError, match=r"labels\.jsonl, line 2: choice must be .* got 'left'; mend or delete this line"
    ):
        label(PAIRS, path, "ann")
    assert path.read_bytes() == spoilt


LINE = json.dumps(
    {"prompt": "Why?", "first": "Because.", "second": "No \N{WHALE}", "choice": "tie"}, ensure_ascii=False
).encode()


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_last_line_that_broke_off_is_set_aside_and_its_pair_asked_again(path, cut):
    whole = Comparison(*PAIRS[1], "first", "ann")
    write_jsonl(path, [whole])
    before = path.read_bytes()
    path.write_bytes(before + LINE[:cut])
    session = Session(PAIRS, path, "ann")
    assert "broke off" in session.state()["said"]
    assert "labels.jsonl.torn" in session.state()["said"]
    assert path.read_bytes() == before
    assert (path.parent / "labels.jsonl.torn").read_bytes() == LINE[:cut] + b"\n", "not a byte is thrown away"
    assert asked(session) == "Why?"
    send(session, "choose", "first")
    assert len(read_jsonl(path)) == 2


def test_zeros_after_a_loss_of_power_are_set_aside(path):
    write_jsonl(path, [Comparison(*PAIRS[0], "first", "ann")])
    before = path.read_bytes()
    for rest in (b"\0" * 4096, LINE[:30] + b"\0" * 100):
        path.write_bytes(before + rest)
        assert asked(Session(PAIRS, path, "ann")) == "Who <b>?"
        assert path.read_bytes() == before


@pytest.mark.parametrize("rest", [LINE.replace(b", ", b" ", 1), b"my notes", b'["first"', LINE[:-1] + b"\n"])
def test_what_no_killed_writer_leaves_is_refused_and_left_alone(path, rest):
    path.write_bytes(LINE + b"\n" + rest)
    with pytest.raises(ValueError, match=r"line 2 .*delete this line"):
        Session(PAIRS, path, "ann")
    assert path.read_bytes() == LINE + b"\n" + rest
    assert os.listdir(path.parent) == [path.name]


def test_a_whole_last_line_without_an_end_is_a_label(path):
    path.write_bytes(LINE)
    assert counts(Session([("Why?", "Because.", "No \N{WHALE}")], path, "ann")) == (0, 0, 1), "of nobody"
    assert path.read_bytes() == LINE


@pytest.mark.parametrize(
    ("pairs", "annotator", "error", "sentence"),
    [
        ([], "ann", ValueError, "pairs are empty"),
        ([("", "a", "b")], "ann", ValueError, r"pairs\[0\]: prompt is empty"),
        ([("p", "a", "a")], "ann", ValueError, r"pairs\[0\]: first and second are the same answer"),
        (["abc"], "ann", ValueError, r"pairs\[0\] must be a prompt and two answers"),
        ([("p", "a")], "ann", ValueError, r"pairs\[0\] must be a prompt and two answers"),
        ([*PAIRS, ("Why?", "No idea.", "Because.")], "ann", ValueError, r"pairs\[0\] and pairs\[3\] are the same pair"),
        (PAIRS, "", ValueError, "annotator must be a name of 1 to 200 characters"),
    ],
)
def test_what_cannot_be_asked_is_refused(path, pairs, annotator, error, sentence):
    with pytest.raises(error, match=sentence):
        Session(pairs, path, annotator)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^path: there is no folder .*nowhere; make it first\.$"):
        Session(PAIRS, tmp_path / "nowhere" / "labels.jsonl", "ann")


def test_without_a_name_nobody_is_asked(path):
    code = "from rlhw.labelling import Session; Session([('p', 'a', 'b')], 'labels.jsonl', None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=path.parent)
    assert done.stderr.splitlines()[-1].startswith("ValueError: annotator must be a name: it says whose")


@pytest.fixture
def read_only():
    """A folder with a file of one label, where this process cannot write. Nothing is forbidden to root, so it steps down."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "labels.jsonl"
    write_jsonl(path, [Comparison(*PAIRS[0], "first", "ann")])
    path.chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield path
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_where_nothing_can_be_written_is_said_and_the_pair_stays(read_only):
    session = Session(PAIRS, read_only, "ann")
    state = send(session, "choose", "first")
    assert state["said"] == (
        "Not saved: labels.jsonl cannot be written (Permission denied). Nothing in it is lost; mend this and try again."
    )
    assert (asked(session), counts(session), state["can_undo"]) == ("Who <b>?", (1, 0, 3), False)
    if os.geteuid() != os.getuid():
        os.seteuid(0)
    send(session, "choose", "first")
    assert (asked(session), len(read_jsonl(read_only))) == ("Where?", 2), "and once it can be, the same key saves it"


FULL = """
import json, resource, sys
from rlhw.labelling import Session
session = Session([(f"p{i}", "a" * 300, "b") for i in range(9)], sys.argv[1], "ann")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
states = [session.reply({"kind": "choose", "turn": turn, "choice": "first"}) for turn in (0, 1, 2, 2)]
states.append(session.reply({"kind": "undo", "turn": 2}))
print(json.dumps([[state["labelled"], state["turn"], state["said"]] for state in states]))
"""


def test_a_disk_that_is_full_halfway_through_a_line_keeps_what_was_there(path):
    """The system allows no file of more than 1000 bytes, as a full disk would: the third label does not fit."""
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True)
    states = json.loads(done.stdout)
    assert [state[:2] for state in states] == [[1, 1], [2, 2], [2, 2], [2, 2], [1, 3]]
    assert states[2][2] == states[3][2]
    assert states[2][2].startswith("Not saved: labels.jsonl cannot be written (File too large).")
    assert [c.prompt for c in read_jsonl(path)] == ["p0"], "undo works on a full disk, too"


def test_undo_that_the_disk_refuses_keeps_label_and_pair(path, monkeypatch):
    session = Session(PAIRS, path, "ann")
    send(session, "choose", "first")

    def full(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    state = send(session, "undo")
    assert state["said"].startswith("Nothing was taken back: labels.jsonl cannot be written (Input/output error).")
    assert asked(session) == "Who <b>?"


def test_the_widget_shows_what_the_session_says_and_answers_each_message(path):
    widget = label(PAIRS, path, "ann", rng=np.random.default_rng(1))
    assert repr(widget) == "Labelling(pairs=3, annotator='ann')"
    assert str(path.parent) not in json.dumps(widget.page_state())
    widget._handle_custom_msg({"kind": "choose", "turn": 0, "choice": "tie", "seconds": 2.5}, [])
    assert len(read_jsonl(path)) == 1
    assert widget.page_state()["_shown"]["pair"]["prompt"] == "Who <b>?"
    assert widget.page_state()["_shown"]["said"] == "Saved: a tie."


def test_labelling_loads_neither_torch_nor_widgets_until_a_widget_is_asked_for():
    code = "import sys, rlhw.labelling; print([m for m in ('torch', 'ipywidgets', 'anywidget') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
