"""What is taken of a notebook: the source of answer cells, by metadata, then id, then first line. Nothing else."""

import json
from copy import deepcopy

import pytest

from rlhw import homework
from rlhw.grading import answers
from rlhw.grading.answers import read
from rlhw.grading.files import Unreadable
from rlhw.grading.submission import Packed
from rlhw.homework import build

HW0 = homework.assignment("hw0")
FIRST, SECOND = HW0.asked[0].question, HW0.asked[1].question


def solution():
    """The notebook with every answer, anew."""
    return deepcopy(build.solution(HW0))


def cell_of(notebook, question):
    """The answer cell of a question."""
    return next(cell for cell in notebook["cells"] if cell["id"] == f"{question}-answer")


def taken(notebook, assignment=HW0, **more):
    """What `read` makes of a notebook."""
    return read(Packed(json.dumps(notebook).encode()), assignment, **more)


def test_all_answers_are_taken_and_nothing_is_remarked_on():
    found = taken(solution())
    assert list(found.cells) == [item.question for item in HW0.asked]
    assert found.remarks == ()
    assert found.cells[FIRST] == "".join(cell_of(solution(), FIRST)["source"])


def test_an_untouched_stub_is_told_from_an_answer():
    everything = {item.question for item in HW0.asked}
    assert taken(build.student(HW0)).untouched == everything
    assert taken(solution()).untouched == frozenset()
    notebook = build.student(HW0)
    for question, change in ((FIRST, lambda text: f"{text}  \n\n\n"), (SECOND, lambda text: f"{text}\nfound = 1")):
        cell = cell_of(notebook, question)
        cell["source"] = change("".join(cell["source"])).replace("\n", "\r\n")
    assert taken(notebook).untouched == everything - {SECOND}
    cell["source"] = f"# answer: {SECOND}\n"
    assert taken(notebook).untouched == everything


@pytest.mark.parametrize("name", ["hw1", "hw2"])
def test_an_untouched_stub_of_a_variant_is_one_too(name):
    assignment = homework.assignment(name)
    found = taken(build.student(assignment, "a3f9"), assignment, variant="a3f9")
    assert found.untouched == {item.question for item in assignment.asked}


def test_an_answer_is_known_by_metadata_then_id_then_first_line():
    for lost in ([], ["metadata"], ["metadata", "id"], ["id"], ["id", "line"], ["metadata", "line"]):
        notebook = solution()
        cell = cell_of(notebook, FIRST)
        cell["source"] = "".join(cell["source"])
        if "metadata" in lost:
            cell["metadata"] = {}
        if "id" in lost:
            cell["id"] = "8e7f"
        if "line" in lost:
            cell["source"] = cell["source"].split("\n", 1)[1]
        assert taken(notebook).cells[FIRST] == cell["source"]
        assert taken(notebook).remarks == ()
    cell["id"], cell["metadata"] = "8e7f", {}
    assert "is missing" in taken(notebook).remarks[0]


def test_metadata_goes_before_the_id_and_the_id_before_the_first_line():
    notebook = build.student(HW0)
    cell = cell_of(notebook, FIRST)
    cell["source"] = f"# answer: {SECOND}\nmark = 1"
    assert "mark" in taken(notebook).cells[FIRST]
    cell["metadata"] = {}
    assert "mark" in taken(notebook).cells[FIRST]
    cell["id"] = "x"
    notebook["cells"].remove(cell_of(notebook, SECOND))
    assert "mark" in taken(notebook).cells[SECOND]


def test_the_last_of_two_cells_counts_and_is_noted():
    notebook = solution()
    notebook["cells"].append({**cell_of(notebook, FIRST), "id": "copy", "source": "late = 1"})
    found = taken(notebook)
    assert found.cells[FIRST] == "late = 1"
    assert found.remarks == (f"There are several answer cells for {FIRST}; the last one counts.",)


def test_a_missing_answer_is_the_stub_and_is_noted():
    notebook = solution()
    notebook["cells"].remove(cell_of(notebook, FIRST))
    found = taken(notebook)
    assert found.cells[FIRST] == "".join(cell_of(build.student(HW0), FIRST)["source"])
    assert found.remarks == (f"The answer cell for {FIRST} is missing; it counts as unanswered.",)
    # Code that was turned into Markdown is code no more.
    notebook = solution()
    cell_of(notebook, FIRST)["cell_type"] = "markdown"
    assert "missing" in taken(notebook).remarks[0]


def test_outputs_tags_check_cells_and_kernel_make_no_difference():
    honest, doctored = taken(solution()), solution()
    doctored["metadata"]["kernelspec"] = {"name": "evil", "argv": ["/bin/sh"]}
    for cell in doctored["cells"]:
        if "-check-" in cell["id"]:
            cell.update(source="print('ok')", metadata={"tags": ["nbval-skip"]}, outputs=[{"output_type": "stream"}])
    doctored["cells"].insert(0, {"cell_type": "code", "id": "evil", "metadata": {}, "source": "import os; os._exit(0)"})
    assert taken(doctored) == honest


def test_another_assignments_notebook_is_refused():
    other = solution()
    other["metadata"]["rlhw"]["assignment"] = "hw2"
    with pytest.raises(Unreadable, match="belongs to another assignment than hw0"):
        taken(other)
    other["metadata"] = {}
    assert "does not say which assignment" in taken(other).remarks[0]
    other["cells"] = other["cells"][:1]
    with pytest.raises(Unreadable, match="no notebook of hw0"):
        taken(other)


def test_another_variant_than_the_students_is_noted():
    assert taken(build.student(HW0, "a3f9"), variant="a3f9").remarks == ()
    for notebook, variant in ((build.student(HW0, "a3f9"), ""), (build.student(HW0), "a3f9")):
        assert "another variant" in taken(notebook, variant=variant).remarks[0]


@pytest.mark.parametrize(
    ("notebook", "sentence"),
    [
        ([], "which format"),
        ({}, "which format"),
        ({"nbformat": "4", "cells": []}, "which format"),
        ({"nbformat": 3, "worksheets": [{"cells": []}]}, "another format than 4"),
        ({"nbformat": 4}, "not as Jupyter writes"),
        ({"nbformat": 4, "cells": {}}, "not as Jupyter writes"),
        ({"nbformat": 4, "cells": [[]]}, "not as Jupyter writes"),
        ({"nbformat": 4, "cells": [{"source": 3}]}, "not as Jupyter writes"),
        ({"nbformat": 4, "cells": [{"source": ["a", 3]}]}, "not as Jupyter writes"),
        ({"nbformat": 4, "cells": [{"source": ""}] * 2001}, "more than 2000 cells"),
        ({"nbformat": 4, "cells": []}, "no notebook of hw0"),
        ({"nbformat": 4, "cells": [], "metadata": []}, "no notebook of hw0"),
        ({"nbformat": 4, "cells": [], "metadata": {"rlhw": 3}}, "no notebook of hw0"),
        ({"nbformat": 4, "cells": [], "metadata": {"rlhw": {"assignment": ["hw0"]}}}, "another assignment"),
    ],
)
def test_what_is_no_notebook_is_a_sentence(notebook, sentence):
    with pytest.raises(Unreadable, match=sentence):
        taken(notebook)


def test_odd_cells_do_no_harm():
    notebook = solution()
    notebook["cells"] += [
        {"source": "x"}, {"source": "x", "metadata": 3, "id": 4}, {"source": "x", "metadata": {"rlhw": []}, "id": []},
        {"source": "x", "cell_type": ["code"], "metadata": {"rlhw": {"answer": {"a": 1}}}},
    ]  # fmt: skip
    assert taken(notebook) == taken(solution())


def test_sizes_of_answers_are_capped():
    notebook = solution()
    cell_of(notebook, FIRST)["source"] = "#" * (answers.MOST_ANSWER + 1)
    assert "longer than 200000 characters" in taken(notebook).remarks[0]
    assert "#" * 1000 not in taken(notebook).cells[FIRST]
    cell_of(notebook, FIRST)["source"] = "#" * answers.MOST_ANSWER
    assert len(taken(notebook).cells[FIRST]) == answers.MOST_ANSWER


def test_the_answers_together_are_capped():
    notebook = solution()
    for item in HW0.asked[:2]:
        cell_of(notebook, item.question)["source"] = "#" * (answers.MOST_TOGETHER // 2)
    with pytest.raises(Unreadable, match="together are longer"):
        taken(notebook)


def test_half_a_surrogate_pair_becomes_a_question_mark():
    notebook = solution()
    cell_of(notebook, FIRST)["source"] = "x = '\ud800'\r\n"
    assert taken(notebook).cells[FIRST] == "x = '?'\n"
