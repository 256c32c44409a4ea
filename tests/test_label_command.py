"""`rlhw label export` and `rlhw label import`: what they write and print, and that they refuse in one sentence."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rlhw import cli
from rlhw.preferences import Comparison, append_jsonl, read_jsonl, recorded_export, to_label_studio, write_pairs

PAIRS = [("Why?", "Because.", "No idea."), ("Who <b>?", "", "\N{WHALE}"), ("Where?", "Here.", "Over there.")]


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["label", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *arguments: object) -> str:
    """The one sentence of a refusal, exit code 2."""
    code, printed, error = run(capsys, *arguments)
    assert (code, printed) == (2, "")
    assert error.startswith("rlhw: ")
    assert error.count("\n") == 1
    return error


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    return tmp_path / "pairs.jsonl"


@pytest.mark.parametrize("ties", [False, True])
def test_export_writes_config_and_tasks_and_says_what_to_do(pairs, tmp_path, capsys, ties):
    folder = tmp_path / "new" / "project"
    code, printed, _ = run(capsys, "export", pairs, "--out", folder, *(["--ties"] if ties else []))
    config, tasks = to_label_studio(PAIRS, ties=ties)
    assert code == 0
    assert (folder / "config.xml").read_text(encoding="utf8") == config
    assert json.loads((folder / "tasks.json").read_text(encoding="utf8")) == tasks
    assert sorted(os.listdir(folder)) == ["config.xml", "tasks.json"]
    first, *steps = printed.splitlines()
    assert first == f"3 pairs in {folder}"
    assert steps[0].startswith(f"In Label Studio create a project, put the text of {folder / 'config.xml'} under")
    assert steps[1].endswith("run: rlhw label import EXPORT.json --out labels.jsonl")


def test_export_replaces_nothing(pairs, tmp_path, capsys):
    (tmp_path / "tasks.json").write_text("mine")
    assert "tasks.json is there already; name another folder" in refused(capsys, "export", pairs, "--out", tmp_path)
    assert (tmp_path / "tasks.json").read_text() == "mine"
    assert not (tmp_path / "config.xml").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no file"),
        ("", "holds no pair"),
        ('{"prompt": "p", "answer1": "a", "answer2": "a"}', "line 1: answer1 and answer2 are the same answer"),
        (
            '{"prompt": "p", "answer1": "a"}',
            "line 1: a pair must be an object with the fields prompt, answer1, answer2",
        ),
        ("[", "line 1 is not JSON"),
    ],
)
def test_pairs_that_are_none_are_refused_and_nothing_is_written(tmp_path, capsys, text, sentence):
    path = tmp_path / "pairs.jsonl"
    if text is not None:
        path.write_text(text)
    assert sentence in refused(capsys, "export", path, "--out", tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_a_disk_that_is_full_leaves_no_half_of_a_project(pairs, tmp_path, capsys, monkeypatch):
    calls = []
    real = os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in refused(capsys, "export", pairs, "--out", tmp_path / "project")
    assert os.listdir(tmp_path / "project") == []


def annotation(annotator: int, selected: object, seconds: float | None = 2.0, minute: int = 0, **more: object) -> dict:
    result = [{"type": "pairwise", "value": {"selected": selected}}]
    if selected == "tie":
        result = [{"from_name": "tie", "type": "choices", "value": {"choices": ["tie"]}}]
    time = f"2026-01-01T00:{minute:02}:00Z"
    return {"result": result, "completed_by": annotator, "lead_time": seconds, "updated_at": time} | more


def exported(path: Path, *annotations: list[dict]) -> Path:
    tasks = [
        {"id": number, "data": dict(zip(("prompt", "answer1", "answer2"), pair, strict=True)), "annotations": given}
        for number, (pair, given) in enumerate(zip(PAIRS, annotations, strict=True))
    ]
    path.write_text(json.dumps(tasks), encoding="utf8")
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return exported(
        tmp_path / "export.json",
        # Annotator 7 thinks again about the first pair; the later label stands first in the file.
        [annotation(7, "right", 4.0, minute=9), annotation(7, "left", 1.0, minute=1), annotation(8, "right", None)],
        [annotation(7, "tie", 3.0), annotation(8, "right", 5.0), annotation(9, "banana")],
        [annotation(8, "right", 6.0), annotation(7, "left", was_cancelled=True)],
    )


def test_import_writes_the_last_labels_and_says_what_they_are(export, tmp_path, capsys):
    code, printed, _ = run(capsys, "import", export, "--out", tmp_path / "labels.jsonl")
    assert code == 0
    labels = read_jsonl(tmp_path / "labels.jsonl")
    assert sorted(labels, key=lambda c: (c.annotator, c.prompt)) == [
        Comparison(*PAIRS[1], "tie", "7", 3.0),
        Comparison(*PAIRS[0], "second", "7", 4.0),
        Comparison(*PAIRS[2], "second", "8", 6.0),
        Comparison(*PAIRS[1], "second", "8", 5.0),
        Comparison(*PAIRS[0], "second", "8"),
    ]
    # By hand: of two pairs with two labels they agree on one; p_e = 1/2 · 1 + 1/2 · 0, so kappa is 0. Of four choices that are no
    # tie all are answer 2, and it is the longer one in three pairs but "No idea." and "Because." have 8 characters each.
    assert printed.splitlines() == [
        f"5 comparisons in {tmp_path / 'labels.jsonl'}",
        "  left out: 2 annotations or tasks",
        "    1 × choice is neither left nor right",
        "    1 × skipped",
        "  replaced by a later label of the same annotator: 1",
        "  with an empty answer: 2; ties: 1",
        "  annotators: '7' gave 2, '8' gave 3",
        "  agreement: 0.50 of 2 pairs that several labelled, Cohen's kappa 0.00",
        "  longer answer chosen: 2 of 2, 1.00 (95 % interval 0.34 to 1.00)",
        "  answer 1 chosen: 0 of 4, 0.00 (95 % interval 0.00 to 0.49)",
        "  seconds a label: median 4.5, half of them 3.8 to 5.2; 1 without a time",
    ]


def test_import_of_what_cannot_be_measured_says_why(tmp_path, capsys):
    export = exported(tmp_path / "export.json", [annotation(7, "tie", None)], [], [])
    code, printed, _ = run(capsys, "import", export, "--out", tmp_path / "labels.jsonl")
    assert code == 0
    assert "agreement: not known: comparisons hold no pair that two annotators labelled" in printed
    assert "longer answer chosen: not known: comparisons hold no choice between answers of two lengths" in printed
    assert "seconds a label: not known: comparisons hold no labelling time" in printed


def test_names_from_outside_cannot_command_a_terminal(tmp_path, capsys):
    export = exported(tmp_path / "export.json", [annotation(7, "left") | {"completed_by": "\x1b[2J\nann"}], [], [])
    printed = run(capsys, "import", export, "--out", tmp_path / "labels.jsonl")[1]
    assert "\x1b" not in printed
    assert r"annotators: '\x1b[2J\nann' gave 1" in printed


def test_import_replaces_a_file_only_when_told_to(export, tmp_path, capsys):
    out = tmp_path / "labels.jsonl"
    out.write_text("mine")
    assert "labels.jsonl is there already; name another file, or say --force" in refused(
        capsys, "import", export, "--out", out
    )
    assert out.read_text() == "mine"
    assert run(capsys, "import", export, "--out", out, "--force")[0] == 0
    assert len(read_jsonl(out)) == 5


BAD = {
    "no file": (None, "there is no file"),
    "no JSON": ("{", "is not JSON"),
    "no list": ("{}", "export must be a list"),
    "empty": ("[]", "export must be a list of at least one task"),
    "other columns": (
        '[{"data": {"text": "p"}, "annotations": []}]',
        "is no task with the columns prompt, answer1, answer2",
    ),
    "NaN": ("[NaN]", "holds NaN"),
    "no label": (
        '[{"data": {"prompt": "p", "answer1": "a", "answer2": "b"}, "annotations": []}]',
        "holds no comparison that could be kept: 0 comparisons (0 with an empty answer); left out: 1 × not labelled.",
    ),
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_an_export_that_is_none_is_refused_and_the_old_file_stays(tmp_path, capsys, case, force):
    text, sentence = BAD[case]
    path, out = tmp_path / "export.json", tmp_path / "labels.jsonl"
    if text is not None:
        path.write_text(text)
    if force:
        out.write_text("mine")
    assert sentence in refused(capsys, "import", path, "--out", out, *(["--force"] if force else []))
    assert (out.read_text() if out.exists() else None) == ("mine" if force else None)
    assert {"labels.jsonl.part"} & set(os.listdir(tmp_path)) == set()


def test_a_folder_that_is_not_there_is_named(export, tmp_path, capsys):
    error = refused(capsys, "import", export, "--out", tmp_path / "nowhere" / "labels.jsonl")
    assert f"there is no folder {tmp_path / 'nowhere'} for labels.jsonl; make it first." in error


@pytest.mark.parametrize("arguments", [[], ["export"], ["import", "x.json"], ["send", "x"]])
def test_misuse_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["label", *arguments])
    assert end.value.code == 2
    assert "usage: rlhw label" in capsys.readouterr().err


def test_a_label_file_edited_by_hand_is_counted_or_refused_by_whoever_trains_on_it(tmp_path, capsys):
    """From the recorded export to a reward model, by commands alone."""
    path = tmp_path / "labels.jsonl"
    export = tmp_path / "export.json"
    export.write_text(json.dumps(recorded_export()), encoding="utf8")
    code, printed, _ = run(capsys, "import", export, "--out", path)
    assert code == 0
    assert "47 comparisons in" in printed
    assert "replaced by a later label of the same annotator: 1" in printed
    assert "annotators: '1' gave 24, '2' gave 23" in printed
    # Somebody changes their mind with an editor: a second line for a pair that they have labelled.
    first = read_jsonl(path)[0]
    append_jsonl(path, replace(first, choice="second" if first.choice == "first" else "first"))
    train = ["train", "reward", "--model", "tiny", "--epochs", "1", "--size", "24", "--data", str(path)]
    assert cli.main([*train, "--out", str(tmp_path / "reward")]) == 0
    assert "data: 48 comparisons; 1 replaced by a later label of the same annotator" in capsys.readouterr().out
    # And then spoils a line.
    lines = path.read_text(encoding="utf8").split("\n")
    path.write_text(
        "\n".join([*lines[:6], lines[6].replace('"choice": "', '"choice": "the '), *lines[7:]]), encoding="utf8"
    )
    assert cli.main([*train, "--out", str(tmp_path / "again")]) == 2
    error = capsys.readouterr().err
    assert f"{path}, line 7: choice must be 'first', 'second' or 'tie'; got 'the " in error
    assert "mend or delete this line." in error
    assert error.count("\n") == 1
