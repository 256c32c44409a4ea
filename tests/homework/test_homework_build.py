"""Every version of a homework comes from one source, and says the same as the others."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from homework_samples import TOY, WRITTEN, cell, shuffled, text

from rlhw import exercises, homework
from rlhw.homework import build, cells
from rlhw.homework.assignment import Asked
from rlhw.repository import address, as_text, setup_cell

ROOT = Path(__file__).parents[2]
VERSIONS = {"student": build.student, "graded": build.graded, "solution": build.solution}
URL = "https://code.example.org/someone/rlhw"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", homework.names())
def test_each_version_is_a_notebook_and_the_same_each_time(name, version):
    made = VERSIONS[version](homework.assignment(name))
    nbformat.validate(nbformat.from_dict(made))
    ids = [found["id"] for found in made["cells"]]
    assert len(set(ids)) == len(ids)
    assert as_text(made) == as_text(VERSIONS[version](homework.assignment(name)))
    assert made["metadata"]["rlhw"]["assignment"] == name


def test_the_cells_stand_as_agreed():
    made = build.student(TOY, url=URL)
    ids = [found["id"] for found in made["cells"]]
    assert ids == [
        *("title", "how", "setup", "imports", "prose-1"),
        *("b1-epsilon-greedy-text", "b1-epsilon-greedy-answer", "b1-epsilon-greedy-check-1"),
        *("b1-epsilon-greedy-check-2", "toy-why-text", "toy-why-answer"),
        *("b1-recall-text", "b1-recall-answer", "b1-recall-check-1", "end", "verdicts"),
    ]
    assert text(cell(made, "setup")) == setup_cell(URL)
    assert text(cell(made, "imports")) == "import numpy as np"
    answer = cell(made, "b1-epsilon-greedy-answer")
    assert answer["metadata"] == {"rlhw": {"answer": "b1-epsilon-greedy"}}
    assert text(answer) == "# answer: b1-epsilon-greedy\ndef epsilon_greedy(estimates, epsilon):\n    ..."
    check = cell(made, "b1-epsilon-greedy-check-2")
    assert text(check) == 'rlhw.check("b1-epsilon-greedy", epsilon_greedy, "ties")'
    assert check["metadata"] == {"tags": ["nbval-check-output"]}
    assert text(cell(made, "b1-recall-check-1")).startswith('rlhw.check("b1-recall", (first, second, third), "')
    assert cell(made, "toy-why-answer")["metadata"] == {"rlhw": {"written": "toy-why"}}
    assert text(cell(made, "toy-why-answer")).startswith("<!-- answer: toy-why -->\n")
    assert text(cell(made, "verdicts")) == "rlhw.check_notebook()"
    assert "| ties | 3 |" in text(cell(made, "b1-epsilon-greedy-text"))
    assert "4 points, read by people" in text(cell(made, "toy-why-text"))


def test_students_get_no_outputs_and_no_answers():
    made = as_text(build.student(TOY))
    assert all(not found.get("outputs") and not found.get("execution_count") for found in json.loads(made)["cells"])
    assert "averages out" not in made
    assert WRITTEN.rubric[0].shows not in made
    assert "best.sum()" not in made
    # The control: the solution holds all of them.
    solved = as_text(build.solution(TOY))
    for part in ("averages out", WRITTEN.rubric[0].shows, "best.sum()", "> So do they."):
        assert part in solved
    assert "The probabilities sum to one." in text(cell(json.loads(solved), "toy-why-answer"))


def test_the_graded_version_is_the_students_with_the_outputs_of_right_answers():
    made, plain = build.graded(TOY), build.student(TOY)
    stored = {found["id"]: found["outputs"] for found in made["cells"] if found.get("outputs")}
    assert list(stored) == ["b1-epsilon-greedy-check-1", "b1-epsilon-greedy-check-2", "b1-recall-check-1"]
    assert "".join(stored["b1-epsilon-greedy-check-2"][0]["text"]) == "b1-epsilon-greedy, ties: ok\n"
    for found in made["cells"]:
        if found["cell_type"] == "code":
            found.update(outputs=[], execution_count=None)
    assert made == plain


@pytest.mark.parametrize("name", [*homework.names(), "toy"])
def test_the_solutions_answers_pass_every_check_one_after_the_other(name, capsys):
    """As the notebook runs them: in one namespace, with numpy and nothing else."""
    one = TOY if name == "toy" else homework.assignment(name)
    namespace = {"np": np}
    for asked in one.asked:
        question = exercises.question(asked.question)
        if name == "toy" and asked.question == "b1-recall":
            # Its other names would come from earlier answers.
            namespace |= dict(zip(("first", "second", "third"), next(iter(question.right.values())), strict=True))
        exec(compile(build.right_answer(asked, question), asked.question, "exec"), namespace)
        answer = eval(asked.handed_over, namespace)
        for part in question.parts:
            exercises.check(asked.question, answer, part.name)
            assert capsys.readouterr().out == cells.expected_output(asked.question, part.name)


@pytest.mark.parametrize("name", homework.names())
def test_a_stub_defines_what_its_check_hands_over_and_earns_nothing(name):
    namespace = {"np": np}
    for asked in homework.assignment(name).asked:
        question = exercises.question(asked.question)
        exec(question.stub, namespace)
        assert set(asked.binds) <= set(namespace), f"the stub of {asked.question} does not bind {asked.binds}"
        for part in question.parts:
            answer = eval(asked.handed_over, namespace)
            assert not exercises.verdict(asked.question, answer, part=part.name).passed, (asked.question, part.name)


def test_a_variant_reaches_texts_stubs_and_checks(monkeypatch):
    known = exercises.import_module("rlhw.exercises.b1_epsilon_greedy")
    monkeypatch.setattr(known, "QUESTION", shuffled())
    one, other, again = (build.student(TOY, variant) for variant in ("a3f9", "a3fa", "a3f9"))
    assert as_text(one) == as_text(again)
    for cell_id in ("b1-epsilon-greedy-text", "b1-epsilon-greedy-answer"):
        assert text(cell(one, cell_id)) != text(cell(other, cell_id))
    assert text(cell(one, "b1-recall-text")) == text(cell(other, "b1-recall-text"))
    assert text(cell(one, "b1-epsilon-greedy-check-1")).endswith('"one greatest arm", variant="a3f9")')
    assert one["metadata"]["rlhw"]["variant"] == "a3f9"
    assert "variant" not in text(cell(build.student(TOY), "b1-epsilon-greedy-check-1"))


@pytest.mark.parametrize("variant", ["A3F9", "0x1", '"', "a b", "-1"])
def test_a_variant_that_is_not_hexadecimal_is_refused(variant):
    with pytest.raises(ValueError, match="variant must be hexadecimal digits"):
        build.student(TOY, variant)


def test_answer_cells_are_listed_in_order():
    assert build.answer_cells(TOY) == [
        ("b1-epsilon-greedy-answer", "b1-epsilon-greedy", "answer"),
        ("toy-why-answer", "toy-why", "written"),
        ("b1-recall-answer", "b1-recall", "answer"),
    ]


def test_a_value_is_bound_to_the_names_of_its_cell():
    labels, card = ["a", "b"], {"n": 30}
    asked = Asked("any", binds=("card",), expression="(labels, card)")
    question = exercises.question("b1-recall")
    whole = type(question)(**{**vars(question), "right": {"value": (labels, card)}})
    assert build.right_answer(asked, whole) == "card = {'n': 30}"
    assert build.right_answer(
        Asked("any", binds=("proof",)), type(question)(**{**vars(question), "right": {"v": "ABC"}})
    ) == ("proof = 'ABC'")


def test_what_the_grader_compares_with_agrees_with_the_notebook():
    compared, made = build.comparison(TOY), build.graded(TOY)
    parts = [(question["name"], part) for question in compared["questions"] for part in question["parts"]]
    assert [part["cell"] for _, part in parts] == [found["id"] for found in made["cells"] if "-check-" in found["id"]]
    for name, part in parts:
        assert json.dumps(part["name"]) in text(cell(made, part["cell"]))
        assert text(cell(made, part["cell"])).startswith(f'rlhw.check("{name}"')
    assert compared["points"] == {"checks": sum(part["points"] for _, part in parts), "people": 4}


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ({"metadata": {"rlhw": {"answer": "b1-recall"}}, "id": "b1-epsilon-greedy-answer"}, "b1-recall"),
        ({"id": "b1-recall-answer", "source": "# answer: b1-epsilon-greedy\n"}, "b1-recall"),
        ({"source": ["# answer: b1-recall\n", "x = 1"]}, "b1-recall"),
        ({"source": "#answer:b1-recall  \r\nx = 1"}, "b1-recall"),
        ({"source": "x = 1\n# answer: b1-recall"}, None),
        ({"source": "# answer: ch1-score"}, None),
        ({"metadata": {"rlhw": {"answer": "ch1-score"}}, "source": "# answer: b1-recall"}, "b1-recall"),
        ({"metadata": [], "id": 7, "source": None}, None),
        ({"cell_type": "markdown", "source": "# answer: b1-recall"}, None),
        ({"cell_type": "markdown", "source": "<!-- answer: toy-why -->\n\nBecause."}, "toy-why"),
        ({"cell_type": "raw", "metadata": {"rlhw": {"written": "toy-why"}}}, "toy-why"),
    ],
)
def test_an_answer_cell_is_known_by_metadata_then_id_then_first_line(found, name):
    assert cells.answered({"cell_type": "code", **found}, TOY) == name


@pytest.mark.parametrize("name", homework.names())
def test_the_committed_notebook_is_a_fresh_build(name):
    one = homework.assignment(name)
    path = ROOT / "notebooks/homework" / f"{one.stem}.ipynb"
    fresh = as_text(build.student(one, url=address(ROOT)))
    assert path.read_text(encoding="utf8") == fresh, f"run `rlhw homework build {name}` and commit the notebook"
