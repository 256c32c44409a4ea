"""Once round with a real Label Studio server: our config and tasks in, labels of two accounts, both exports, our comparisons."""

import json
import os
from pathlib import Path

import pytest
from studio import PROGRAM, Account, pairwise, server, tie

from rlhw import cli
from rlhw.preferences import Comparison, read_jsonl, write_pairs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

HOSTILE = '<script>alert(1)</script> & "q" </View>\n$prompt'
PAIRS = [
    ("Who?", "I.", "You."),
    (HOSTILE, "<b>a</b>", ""),
    ("Wo? \N{WHALE}", "Hier.", "Dort.\n\n  Dort."),
    ("Why?", "Because.", "No idea."),
    ("When?", "Now.", "Then."),
    ("How?", "So.", "Thus."),
    ("Which?", "This.", "That."),
]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    """Two accounts of a server that is stopped whatever happens."""
    if not PROGRAM.is_file():
        reason = "Label Studio is not installed: `make test-labelstudio` fetches it from PyPI (about 260 MB)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with server(PROGRAM, tmp_path_factory.mktemp("label_studio")) as pair:
        yield pair


def label_everything(one: Account, two: Account, tasks: list[dict]) -> None:
    """All that people do there, and one thing that only programs do."""
    one.annotate(tasks[0], pairwise("left"), 1.5)
    two.annotate(tasks[0], pairwise("right"), 2.5)
    one.annotate(tasks[1], pairwise("right"), 3.5)
    two.annotate(tasks[1], pairwise("right"), 4.5)
    one.annotate(tasks[2], tie(), 5.5)
    one.annotate(tasks[3], pairwise("left"), 6.5)  # and again, as a second annotation: the later one counts
    one.annotate(tasks[3], pairwise("right"), 7.5)
    first_thought = two.annotate(tasks[3], pairwise("left"), 8.5)
    two.change(first_thought, pairwise("right"))
    one.annotate(tasks[4], [], 9.5, skip=True)
    two.annotate(tasks[5], pairwise("banana"), 10.5)  # the server takes it


def expected(one: str, two: str) -> list[Comparison]:
    return [
        Comparison(*PAIRS[0], "first", one, 1.5),
        Comparison(*PAIRS[0], "second", two, 2.5),
        Comparison(*PAIRS[1], "second", one, 3.5),
        Comparison(*PAIRS[1], "second", two, 4.5),
        Comparison(*PAIRS[2], "tie", one, 5.5),
        Comparison(*PAIRS[3], "second", one, 7.5),
        Comparison(*PAIRS[3], "second", two, 8.5),
    ]


@pytest.fixture(scope="module")
def exports(accounts, tmp_path_factory) -> tuple[dict[str, Path], list[Comparison]]:
    """The server's exports by their form, and what was labelled."""
    folder = tmp_path_factory.mktemp("exports")
    write_pairs(folder / "pairs.jsonl", PAIRS)
    assert cli.main(["label", "export", str(folder / "pairs.jsonl"), "--out", str(folder / "project"), "--ties"]) == 0
    config = (folder / "project/config.xml").read_text(encoding="utf8")
    tasks = json.loads((folder / "project/tasks.json").read_text(encoding="utf8"))
    one, two = accounts
    project = one.new_project("A round", config, tasks)
    label_everything(one, two, one.tasks(project))
    files = {}
    for form in ("JSON", "JSON_MIN"):
        files[form] = folder / f"{form}.json"
        files[form].write_text(json.dumps(one.export(project, form)), encoding="utf8")
    names = [str(account.call("GET", "/api/current-user/whoami")["id"]) for account in accounts]
    assert len(set(names)) == 2
    return files, expected(*names)


@pytest.mark.parametrize("form", ["JSON", "JSON_MIN"])
def test_what_was_labelled_there_is_what_is_imported(exports, form, tmp_path, capsys):
    files, given = exports
    assert cli.main(["label", "import", str(files[form]), "--out", str(tmp_path / "labels.jsonl")]) == 0
    found = read_jsonl(tmp_path / "labels.jsonl")
    assert sorted(found, key=lambda c: (c.seconds, c.prompt)) == given
    printed = capsys.readouterr().out
    assert "7 comparisons in " in printed
    assert "1 × choice is neither left nor right" in printed
    assert ("1 × skipped" in printed) is (form == "JSON"), "JSON_MIN does not hold skips"
    assert "1 × not labelled" in printed
    assert "replaced by a later label of the same annotator: 1" in printed
    assert "with an empty answer: 2; ties: 1" in printed
    assert "0.67 of 3 pairs that several labelled" in printed
    assert "seconds a label: median 4.5" in printed
