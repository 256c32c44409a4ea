"""Label Studio: exports of a real server (1.23.2), round trips over exports built as it builds them, and nonsense counted."""

import copy
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_samples import comparisons, prompts, quick, survivors, texts

from rlhw.preferences import Comparison, from_label_studio, last_labels, read_export, to_label_studio
from rlhw.preferences.label_studio import NO_CHOICE, NOT_LABELLED, SEVERAL_CHOICES, SKIPPED, UNKNOWN_CHOICE, UNREADABLE

FOLDER = Path(__file__).parent
# Eleven tasks: left, right, tie, left and tie, banana, left beside an empty answer, skipped, submitted empty, first left
# and then right by the same annotator, "none", and one that nobody opened.
FILES = {"JSON": "label_studio_json.json", "JSON_MIN": "label_studio_json_min.json"}
SIDE = {"first": "left", "second": "right"}

pairs = st.tuples(prompts, texts, texts).filter(lambda pair: pair[1] != pair[2])


@pytest.mark.parametrize("form", FILES)
def test_an_export_of_a_real_server(form):
    imported = from_label_studio(read_export(FOLDER / FILES[form]))
    found = [(c.prompt, c.first, c.second, c.choice, c.seconds) for c in imported.comparisons]
    assert found == [
        ('<b>p0</b> & "q" </View>', "a0", "b0", "first", 1.5),
        ('<b>p1</b> & "q" </View>', "a1", "b1", "second", 2.5),
        ('<b>p2</b> & "q" </View>', "a2", "b2", "tie", 3.5),
        ('<b>p5</b> & "q" </View>', "a5", "", "first", 6.5),
        ('<b>p8</b> & "q" </View>', "a8", "b8", "first", 9.5),
        ('<b>p8</b> & "q" </View>', "a8", "b8", "second", 9.5),
    ]
    assert {comparison.annotator for comparison in imported.comparisons} == {"1"}
    skipped = {SKIPPED: 1} if form == "JSON" else {}
    assert imported.left_out == {NOT_LABELLED: 1, NO_CHOICE: 2, SEVERAL_CHOICES: 1, UNKNOWN_CHOICE: 1} | skipped
    assert imported.empty_answers == 1
    kept, replaced = last_labels(imported.comparisons)
    assert (kept[-1].choice, replaced) == ("second", 1), "JSON_MIN lists the newest annotation first"


def tutorial_reader(export):
    """What the tutorial does: whatever is not left is right, also where nothing was chosen."""
    imported = from_label_studio([task for task in copy.deepcopy(export) if task["annotations"]])
    for task in export:
        for annotation in task["annotations"]:
            values = [result["value"].get("selected") for result in annotation["result"]] or [None]
            if values[0] not in ("left", "right"):
                texts = (task["data"]["prompt"], task["data"]["answer1"], task["data"]["answer2"])
                imported.comparisons.append(Comparison(*texts, "second"))
    return imported


def undated(export):
    bare = copy.deepcopy(export)
    for task in bare:
        for annotation in task["annotations"]:
            annotation.pop("updated_at", None)
    return bare


def check_import(read):
    export = json.loads((FOLDER / FILES["JSON"]).read_text())
    export[8]["annotations"] = export[8]["annotations"][::-1]
    imported = read(export)
    assert Counter(comparison.choice for comparison in imported.comparisons) == {"first": 3, "second": 2, "tie": 1}
    assert [c.choice for c in imported.comparisons if "p8" in c.prompt] == ["first", "second"]
    assert all(comparison.first.startswith("a") for comparison in imported.comparisons)
    assert imported.left_out.total() == 6
    assert imported.left_out[SKIPPED] == 1


WRONG_READERS = {
    "whatever is not left is right": tutorial_reader,
    "left is the second column": lambda export: from_label_studio(export, first="answer2", second="answer1"),
    "in the order of the file": lambda export: from_label_studio(undated(export)),
    "one annotation a task": lambda export: from_label_studio(
        [task | {"annotations": task["annotations"][:1]} for task in export]
    ),
    "skips are not seen": lambda export: from_label_studio(
        [t | {"annotations": [a | {"was_cancelled": False} for a in t["annotations"]]} for t in export]
    ),
}


def test_the_import_is_what_a_person_reads_in_the_export():
    check_import(from_label_studio)
    assert survivors(WRONG_READERS, check_import) == []


def as_the_server_exports(tasks, found):
    """JSON and JSON_MIN for these labels of these tasks, number, time and order as the server gives them."""
    whole, rows = [], []
    for number, (task, labels) in enumerate(zip(tasks, found, strict=True), 1):
        annotations = []
        for place, (choice, annotator, seconds) in enumerate(labels):
            result = {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": SIDE.get(choice)}}
            if choice == "tie":
                result = {"from_name": "tie", "to_name": "prompt", "type": "choices", "value": {"choices": ["tie"]}}
            small = {"tie": "tie"} if choice == "tie" else {"pw": [result["value"]]}
            about = {"updated_at": f"2026-11-21T12:{number:02}:{place:02}.000001Z", "lead_time": seconds}
            annotations.append({"result": [result], "was_cancelled": False, "completed_by": annotator} | about)
            rows.append(
                task["data"] | {"id": number} | small | {"annotator": annotator, "annotation_id": place} | about
            )
        whole.append({"id": number, "annotations": annotations, "drafts": [], "predictions": [], "data": task["data"]})
    return whole, sorted(rows, key=lambda row: (row["id"], row["updated_at"]), reverse=True)


one_label = st.tuples(st.sampled_from(["first", "second", "tie"]), st.integers(1, 5), st.none() | st.floats(0, 1e5))


@quick
@given(st.lists(st.tuples(pairs, st.lists(one_label, max_size=3)), min_size=1, max_size=5))
def test_round_trip_by_both_forms(found):
    tasks = to_label_studio([pair for pair, _ in found], ties=True)[1]
    exports = as_the_server_exports(json.loads(json.dumps(tasks)), [labels for _, labels in found])
    expected = [
        Comparison(*pair, choice, str(annotator), seconds)
        for pair, labels in found
        for choice, annotator, seconds in labels
    ]
    whole, rows = exports
    imported = from_label_studio(json.loads(json.dumps(whole)))
    assert imported.comparisons == expected
    unlabelled = sum(not labels for _, labels in found)
    assert imported.left_out == ({NOT_LABELLED: unlabelled} if unlabelled else {})
    assert imported.empty_answers == sum(not (c.first and c.second) for c in expected)
    if rows:
        assert from_label_studio(json.loads(json.dumps(rows))).comparisons == expected


@pytest.mark.parametrize("ties", [False, True])
def test_the_config_is_xml_that_names_what_the_tasks_hold(ties):
    hostile = ("</Text><Header value='$x'/>", '"/>&<script>alert(1)</script>', "$answer1 {tie} %s")
    config, tasks = to_label_studio([hostile, ("p", "a", "")], ties=ties)
    tree = ElementTree.fromstring(config)
    texts = {tag.get("name"): tag.get("value") for tag in tree.iter("Text")}
    assert texts == {"prompt": "$prompt", "answer1": "$answer1", "answer2": "$answer2"}
    assert {tag.tag for tag in tree.iter()} == {"View", "Header", "Text", "Pairwise"} | (
        {"Choices", "Choice"} if ties else set()
    )
    assert tree.find("Pairwise").get("toName") == "answer1,answer2"
    names = [tag.get("name") for tag in tree.iter() if tag.get("name")]
    assert len(names) == len(set(names))
    assert "script" not in config
    assert [tuple(task["data"].values()) for task in tasks] == [hostile, ("p", "a", "")]
    assert all(set(task) == {"data"} and list(task["data"]) == list(texts) for task in tasks)


def test_pairs_that_cannot_be_labelled():
    with pytest.raises(ValueError, match=r"^pairs are empty"):
        to_label_studio([])
    with pytest.raises(ValueError, match=r"^pairs\[1\]: first and second are the same answer"):
        to_label_studio([("p", "a", "b"), ("p", "a", "a")])
    with pytest.raises(ValueError, match=r"^pairs\[0\]: prompt is empty"):
        to_label_studio([("", "a", "b")])


DATA = {"prompt": "p", "answer1": "a", "answer2": "b"}
LEFT = {"value": {"selected": "left"}}
TIE = {"from_name": "tie", "value": {"choices": ["tie"]}}
ANNOTATIONS = {
    "banana": ({"result": [{"value": {"selected": "banana"}}]}, UNKNOWN_CHOICE),
    "a list": ({"result": [{"value": {"selected": ["left"]}}]}, UNKNOWN_CHOICE),
    "null": ({"result": [{"value": {"selected": None}}]}, UNKNOWN_CHOICE),
    "Left": ({"result": [{"value": {"selected": "Left"}}]}, UNKNOWN_CHOICE),
    "two": ({"result": [LEFT, LEFT]}, SEVERAL_CHOICES),
    "left and tie": ({"result": [LEFT, TIE]}, SEVERAL_CHOICES),
    "another question only": ({"result": [{"from_name": "rude", "value": {"choices": ["tie"]}}]}, NO_CHOICE),
    "no value": ({"result": [{"type": "pairwise"}, 7, None]}, NO_CHOICE),
    "skipped": ({"result": [], "was_cancelled": True}, SKIPPED),
    "skipped after a choice": ({"result": [LEFT], "was_cancelled": True}, SKIPPED),
    "result is text": ({"result": "left"}, UNREADABLE),
    "no result": ({}, UNREADABLE),
    "no annotation": (None, UNREADABLE),
}


@pytest.mark.parametrize("case", ANNOTATIONS)
def test_nonsense_in_an_annotation_is_counted_by_reason(case):
    annotation, reason = ANNOTATIONS[case]
    imported = from_label_studio([{"data": DATA, "annotations": [{"result": [LEFT]}, annotation]}])
    assert imported.left_out == {reason: 1}
    assert imported.comparisons == [Comparison("p", "a", "b", "first")]


TEXTS = {
    "no text": ({"answer1": 3}, "first must be text."),
    "null": ({"prompt": None}, "prompt must be text."),
    "same": ({"answer2": "a"}, "first and second are the same answer, so there is nothing to compare."),
    "empty prompt": ({"prompt": ""}, "prompt is empty."),
    "huge": ({"answer1": "x" * 100_001}, "first is longer than 100,000 characters."),
    "half a character": ({"answer1": "\ud800"}, "first holds half a surrogate pair, which is no character."),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts_that_are_none_are_counted_by_reason(case):
    change, reason = TEXTS[case]
    assert from_label_studio([{"data": DATA | change, "annotations": [{"result": [LEFT]}]}]).left_out == {reason: 1}
    assert from_label_studio([DATA | change | {"pw": [{"selected": "left"}], "annotation_id": 1}]).left_out == {
        reason: 1
    }


@pytest.mark.parametrize(
    ("about", "annotator", "seconds"),
    [
        ({"completed_by": 12, "lead_time": 3}, "12", 3.0),
        ({"completed_by": {"id": 12, "email": "ann@example.org"}, "lead_time": 3.5}, "12", 3.5),
        ({"completed_by": "x" * 999, "lead_time": -1}, "x" * 200, None),
        ({"completed_by": True, "lead_time": True}, None, None),
        ({"completed_by": {}, "lead_time": float("nan")}, None, None),
        ({"completed_by": "", "lead_time": 10**400}, None, None),
        ({"completed_by": [1], "lead_time": "12"}, None, None),
    ],
)
def test_who_and_how_long(about, annotator, seconds):
    found = from_label_studio([{"data": DATA, "annotations": [{"result": [LEFT]} | about]}]).comparisons
    assert [(comparison.annotator, comparison.seconds) for comparison in found] == [(annotator, seconds)]


def test_columns_of_another_config():
    data = {"post": "p", "left_summary": "a", "right_summary": "b"}
    export = [{"data": data, "annotations": [{"result": [LEFT]}]}, data | {"any": [{"selected": "right"}]}]
    columns = {"prompt": "post", "first": "left_summary", "second": "right_summary"}
    assert [c.choice for c in from_label_studio(export, **columns).comparisons] == ["first", "second"]
    with pytest.raises(
        ValueError, match=r"^export\[0\] has no column 'left'; it has post, left_summary, right_summary\.$"
    ):
        from_label_studio(export, **columns | {"first": "left"})


@pytest.mark.parametrize(
    "export",
    [[], {}, {"results": []}, None, "[]", 3],
)
def test_what_is_no_list_of_tasks_is_refused(export):
    with pytest.raises(
        ValueError, match=r"^export must be a list of at least one task, the parsed JSON of Label Studio's"
    ):
        from_label_studio(export)


@pytest.mark.parametrize(
    "task", [7, None, [], "task", {}, {"id": 3}, {"annotations": []}, {"annotations": [], "data": "p"}, {"data": DATA}]
)
def test_tasks_of_an_unknown_form_are_refused(task):
    known = {"data": DATA, "annotations": []}
    with pytest.raises(
        ValueError, match=r"^export\[1\] is no task with the columns prompt, answer1, answer2; export the"
    ):
        from_label_studio([known, task])
    assert from_label_studio([known]).left_out == {NOT_LABELLED: 1}


@quick
@given(st.lists(comparisons(), min_size=1, max_size=4))
def test_comparisons_can_be_labelled_again(found):
    """What was labelled elsewhere fits, HTML and odd characters included."""
    config, tasks = to_label_studio([(c.prompt, c.first, c.second) for c in found])
    assert "Choices" not in config, "a tie is asked for"
    assert [tuple(task["data"].values()) for task in tasks] == [(c.prompt, c.first, c.second) for c in found]
