"""TRL's formats: read back what was written, agree with TRL where it splits a prompt off; files of the Hub's form."""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, quick, survivors

from rlhw.preferences import Comparison, from_hub, from_trl, to_trl

won = st.sampled_from(["first", "second"])
FOUND = [
    Comparison("The sky is", " blue.", " green.", "first"),
    Comparison("The sky is", " red.", " grey.", "second"),
    Comparison("The sky is", " red.", " blue.", "tie"),
]


def check_rows(write):
    rows, left_out = write(FOUND)
    assert rows == [
        {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
        {"prompt": "The sky is", "chosen": " grey.", "rejected": " red."},
    ]
    assert left_out == {"tie": 1}


WRONG_WRITERS = {
    "the first is always the chosen": lambda found: to_trl(
        [Comparison(c.prompt, c.first, c.second, "tie" if c.choice == "tie" else "first") for c in found]
    ),
    "chosen and rejected exchanged": lambda found: to_trl([
        c if c.choice == "tie" else Comparison(c.prompt, c.second, c.first, c.choice) for c in found
    ]),
    "a tie makes a row": lambda found: to_trl([Comparison(c.prompt, c.first, c.second, "first") for c in found]),
    "ties vanish uncounted": lambda found: to_trl([c for c in found if c.choice != "tie"]),
    "the prompt stands in both": lambda found: to_trl(found, implicit=True),
}  # fmt: skip


def test_rows_by_hand():
    check_rows(to_trl)
    assert survivors(WRONG_WRITERS, check_rows) == []
    rows, left_out = to_trl(FOUND, implicit=True)
    assert rows[1] == {"chosen": "The sky is grey.", "rejected": "The sky is red."}
    assert left_out == {"tie": 1}


@quick
@given(st.lists(comparisons(choices=won), min_size=1, max_size=5))
def test_the_explicit_form_is_read_back(found):
    imported = from_trl(to_trl(found)[0])
    expected = [c if c.choice == "first" else c.swapped() for c in found]
    assert imported.comparisons == [Comparison(c.prompt, c.first, c.second, "first") for c in expected]
    assert imported.left_out == {}


@quick
@given(st.lists(comparisons(choices=won), min_size=1, max_size=5))
def test_the_implicit_form_keeps_every_character(found):
    rows = to_trl(found, implicit=True)[0]
    imported = from_trl(rows)
    kept = [row for row in rows if not row["chosen"].startswith(" ") or row["chosen"][:2] == row["rejected"][:2]]
    assert len(imported.comparisons) >= len(kept)
    assert {(c.prompt + c.first, c.prompt + c.second) for c in imported.comparisons} <= {
        (row["chosen"], row["rejected"]) for row in rows
    }


@quick
@given(
    st.lists(comparisons(choices=won, answers=st.text(min_size=1, max_size=20)), min_size=1, max_size=5).map(
        lambda found: [c for c in found if c.first[0] != c.second[0] and not c.prompt.endswith(" ")]
    )
)
def test_the_implicit_form_is_read_back_where_answers_begin_differently(found):
    for comparison in found:
        imported = from_trl(to_trl([comparison], implicit=True)[0])
        assert imported.comparisons == from_trl(to_trl([comparison])[0]).comparisons


def trl_function(name):
    """One function of TRL's data_utils from its source: importing all of TRL takes ten seconds."""
    source = Path(importlib.util.find_spec("trl").submodule_search_locations[0], "data_utils.py").read_text(
        encoding="utf8"
    )
    (tree,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    names = {}
    exec(f"from __future__ import annotations\n{ast.unparse(tree)}", names)
    return names[name]


ROWS = [
    ("The sky is blue.", "The sky is green."),
    ("Is it? Yes", "Is it? No"),
    ("Is it?\nYes", "Is it?\nNo"),
    ("Human: hi\n\nAssistant: Hello there", "Human: hi\n\nAssistant: Hello you"),
    ("abc d", "abc e"),
]


@pytest.mark.parametrize("row", ROWS)
def test_a_prompt_is_split_off_as_trl_does(row):
    theirs = trl_function("extract_prompt")({"chosen": row[0], "rejected": row[1]})
    (ours,) = from_trl([{"chosen": row[0], "rejected": row[1]}]).comparisons
    assert (ours.prompt, ours.first, ours.second) == (theirs["prompt"], theirs["chosen"], theirs["rejected"])


def test_one_answer_may_be_the_beginning_of_the_other():
    (comparison,) = from_trl([{"chosen": "Say no more", "rejected": "Say no"}]).comparisons
    assert (comparison.prompt, comparison.first, comparison.second) == ("Say no", " more", "")


def test_rows_that_hold_no_comparison_are_counted():
    rows = [
        {"prompt": "p", "chosen": "a", "rejected": "b", "score": 3},
        {"prompt": "p", "chosen": "a", "rejected": "a"},
        {"prompt": "p", "chosen": None, "rejected": "a"},
        {"prompt": None, "chosen": "b", "rejected": "a"},
        {"chosen": "yes", "rejected": "no"},
        {"chosen": "yes", "rejected": "yes"},
    ]
    imported = from_trl(rows)
    assert imported.comparisons == [Comparison("p", "a", "b", "first")]
    assert imported.left_out == {
        "first and second are the same answer, so there is nothing to compare.": 2,
        "first must be text.": 1, "prompt must be text.": 1, "prompt is empty.": 1,
    }  # fmt: skip


def test_rows_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"^rows\[1\] has no 'rejected'; it has prompt, chosen, worse\.$"):
        from_trl([{"chosen": "ab", "rejected": "ac"}, {"prompt": "p", "chosen": "a", "worse": "b"}])
    with pytest.raises(
        ValueError, match=r"^rows\[0\]: chosen is a list of messages; make it text by a chat template first"
    ):
        from_trl([{"chosen": [{"role": "user", "content": "p"}], "rejected": "b"}])
    with pytest.raises(ValueError, match=r"^comparisons hold nothing but 2 ties, so no answer was chosen\.$"):
        to_trl([FOUND[2], FOUND[2]])


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder for data sets, with the cache of `datasets` beside them; the network is out of reach."""
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


EXPLICIT = {"post": ["p", "q", "q"], "good": ["a", "<b>", ""], "bad": ["b", "c", "d"], "score": [1, 2, 3]}
CHOICES = {
    "post": ["p", "q", "r", "r"],
    "left": ["a", "b", "c", "e"],
    "right": ["b", "c", "d", "f"],
    "label": [0, 1, 0, 9],
}


def save(path, columns):
    """The same table as .jsonl, .json or .parquet."""
    import datasets

    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        datasets.Dataset.from_dict(columns).to_parquet(path)
    else:
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_data_set_with_its_columns_named(hub, suffix, folder):
    path = save(hub / "data" / f"train{suffix}", EXPLICIT)
    imported = from_hub(str(path.parent if folder else path), prompt="post", chosen="good", rejected="bad")
    assert imported.comparisons == [
        Comparison("p", "a", "b", "first"), Comparison("q", "<b>", "c", "first"), Comparison("q", "", "d", "first")
    ]  # fmt: skip
    assert imported.empty_answers == 1
    sliced = from_hub(str(path), prompt="post", chosen="good", rejected="bad", split="train[1:]")
    assert sliced.comparisons == imported.comparisons[1:]


def test_a_data_set_of_choices_and_one_without_a_prompt(hub):
    columns = {"prompt": "post", "first": "left", "second": "right", "choice": "label"}
    path = str(save(hub / "data.parquet", CHOICES))
    imported = from_hub(path, **columns, choices={0: "first", 1: "second"})
    assert [comparison.choice for comparison in imported.comparisons] == ["first", "second", "first"]
    assert imported.left_out == {"choice is not among choices": 1}
    with pytest.raises(
        ValueError, match=r"holds no comparison in these columns: 0 comparisons .* 4 × choice is not among"
    ):
        from_hub(path, **columns)
    implicit = save(hub / "implicit.jsonl", {"yes": ["Sky: blue", "one"], "no": ["Sky: red", "two"]})
    imported = from_hub(str(implicit), chosen="yes", rejected="no")
    assert imported.comparisons == [Comparison("Sky:", " blue", " red", "first")]
    assert imported.left_out == {"prompt is empty.": 1}


def test_mappings_that_are_none(hub):
    path = str(save(hub / "data.jsonl", EXPLICIT))
    with pytest.raises(ValueError, match=r"data\.jsonl' has no column 'chosen'; it has post, good, bad, score\.$"):
        from_hub(path, prompt="post", chosen="chosen", rejected="bad")
    for columns in (
        {},
        {"chosen": "good"},
        {"first": "good", "second": "bad"},
        {"chosen": "good", "rejected": "bad", "first": "bad"},
    ):
        with pytest.raises(
            ValueError, match=r"^columns must be chosen= and rejected=, with or without prompt=, or prompt="
        ):
            from_hub(path, **columns)


def gone(*arguments, **settings):
    import datasets

    raise datasets.exceptions.DatasetNotFoundError("Dataset 'someone/gone' doesn't exist on the Hub.\nmore")


def no_network(*arguments, **settings):
    raise ConnectionError("Couldn't reach 'someone/gone' on the Hub (ConnectTimeout)")


COLUMNS = {"chosen": "good", "rejected": "bad"}


def test_an_id_that_is_gone_and_a_hub_out_of_reach(hub, monkeypatch):
    import datasets

    assert datasets.is_progress_bar_enabled()
    with pytest.raises(
        ConnectionError, match=r"^'someone/gone' could not be fetched, because the Hub was not reached \(.*Offl"
    ):
        from_hub("someone/gone", **COLUMNS)
    monkeypatch.setattr(datasets, "load_dataset", no_network)
    with pytest.raises(
        ConnectionError, match=r"^'someone/gone' could not be fetched, .* check the network, or give a local"
    ):
        from_hub("someone/gone", **COLUMNS)
    monkeypatch.setattr(datasets, "load_dataset", gone)
    with pytest.raises(
        FileNotFoundError, match=r"^'someone/gone' cannot be read: there is no such .*\(Dataset .* Hub\)\.$"
    ):
        from_hub("someone/gone", **COLUMNS)
    assert datasets.is_progress_bar_enabled(), "the caller's setting is put back"


@pytest.mark.parametrize(
    "name", ["json", "no/such/folder", "/no/such/folder", "labels.jsonl", "data/labels.parquet", ""]
)
def test_a_name_that_can_be_none(hub, monkeypatch, name):
    monkeypatch.chdir(hub)
    (hub / "stray.py").write_text("not to be read")
    with pytest.raises(
        FileNotFoundError, match=r"is no folder or file here, and no Hub id of the form 'owner/name'\.$"
    ):
        from_hub(name, **COLUMNS)


def test_files_and_parts_that_cannot_be_read(hub):
    (hub / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty' cannot be read: it holds no data"):
        from_hub(str(hub / "empty"), **COLUMNS)
    (hub / "data.txt").write_text("a")
    with pytest.raises(ValueError, match=r"data\.txt' must end in \.jsonl, \.json, \.parquet"):
        from_hub(str(hub / "data.txt"), **COLUMNS)
    (hub / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"torn\.parquet' could not be read: [^\n]*\.$"):
        from_hub(str(hub / "torn.parquet"), **COLUMNS)
    whole = str(save(hub / "whole" / "train.jsonl", EXPLICIT).parent)
    with pytest.raises(
        ValueError, match=r"""whole' could not be read: Unknown split "test"\. Should be one of \['train'\]\.$"""
    ):
        from_hub(whole, **COLUMNS, split="test")
    with pytest.raises(ValueError, match=r"whole' could not be read: BuilderConfig 'hard' not found"):
        from_hub(whole, **COLUMNS, config="hard")


def test_without_datasets_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"python -m pip install 'rlhw\[lm\]'\.$"):
        from_hub("someone/something", **COLUMNS)
