"""What counts at home is what counts in the grader: both take the same text for each answer."""

import json

import pytest
from homework_samples import cell, changed, own, text

from rlhw import homework
from rlhw.grading import answers
from rlhw.grading.submission import Packed
from rlhw.homework import build, restore

HW2 = homework.assignment("hw2")
MINE = "# answer: hw2-gae\ndef gae(*_):\n    return 1"


def without_metadata(n):
    for one in n["cells"]:
        one["metadata"] = {}


def without_ids(n):
    for one in n["cells"]:
        one.pop("id")


def without_first_line(n):
    cell(n, "hw2-gae-answer")["source"] = ["gae = 3"]


def only_first_lines(n):
    without_ids(n)
    without_metadata(n)


def copied_below(n):
    n["cells"].append(own("# answer: hw2-gae\ngae = 4", "copy"))


def copied_above(n):
    n["cells"].insert(0, own("# answer: hw2-gae\ngae = 4", "copy"))


def relabelled(n):
    cell(n, "hw2-gae-answer")["metadata"]["rlhw"] = {"answer": "hw2-dpo-loss"}


def removed(n):
    n["cells"].remove(cell(n, "hw2-gae-answer"))


def in_markdown(n):
    cell(n, "hw2-gae-answer").update(cell_type="markdown")


def shuffled(n):
    n["cells"].reverse()


CHANGES = (
    *(without_metadata, without_ids, without_first_line, only_first_lines, copied_below, copied_above, relabelled),
    *(removed, in_markdown, shuffled),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_both_take_the_same_answers(change):
    notebook = changed(build.student(HW2), hw2_gae_answer=MINE)
    change(notebook)
    taken = answers.read(Packed(json.dumps(notebook).encode()), HW2).cells
    restored = restore.restore(notebook, HW2).notebook["cells"]
    for name, source in taken.items():
        first_check = next(place for place, one in enumerate(restored) if one["id"] == f"{name}-check-1")
        assert text(restored[first_check - 1]) == source, name
