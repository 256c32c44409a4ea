"""The grader's notebook: check cells word for word, answers fetched, and nothing that nbval would let through."""

import pytest

from rlhw import homework
from rlhw.grading import rebuild
from rlhw.homework import build

HW0 = homework.assignment("hw0")


def test_check_cells_are_the_students_word_for_word():
    students = {cell["id"]: cell["source"] for cell in build.student(HW0)["cells"]}
    checks = [cell for cell in rebuild.notebook(HW0)["cells"] if "-check-" in cell["id"]]
    assert len(checks) == sum("-check-" in identity for identity in students) > 0
    for cell in checks:
        assert cell["source"] == students[cell["id"]]
        assert cell["metadata"]["tags"] == ["nbval-check-output"]
        assert cell["execution_count"] == 1
        assert "".join(cell["outputs"][0]["text"]).endswith(": ok\n")


def test_an_answer_is_fetched_name_by_name():
    cells = {cell["id"]: "".join(cell["source"]) for cell in rebuild.notebook(HW0)["cells"]}
    assert cells["setup"] == "from rlhw.grading import trusted as rlhw"
    for item in HW0.asked:
        assert cells[f"{item.question}-answer"].splitlines() == [
            f'{name} = rlhw.answer("{item.question}", "{name}")' for name in item.binds
        ]


@pytest.mark.parametrize("spoil", [{"metadata": {}}, {"outputs": []}])
def test_a_check_that_nbval_would_not_compare_is_refused(monkeypatch, spoil):
    graded = build.graded(HW0)
    cell = next(cell for cell in graded["cells"] if "-check-" in cell["id"])
    cell.update(spoil)
    monkeypatch.setattr(build, "graded", lambda assignment, variant: graded)
    with pytest.raises(RuntimeError, match="would pass whatever it printed"):
        rebuild.notebook(HW0)
