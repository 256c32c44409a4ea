"""The exercises: every check is proven, hints are the right ones, and odd answers get a sentence instead of a traceback."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rlhw import exercises, homework
from rlhw.exercises.question import Question, Sitting, Wrong, close, draw_cases, outputs_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", exercises.names())
def test_every_check_is_proven(name, capsys):
    """Slow, for `make test` begins with `rlhw exercises prove`, which takes 20 seeds, these three among them."""
    assert exercises.prove([name], seeds=3), capsys.readouterr().out


def test_side_by_side_the_same_is_said_in_the_same_order(capsys):
    chosen = ["ch2-recall", "b2-recall", "ch3-recall", "ch1-score"]
    assert exercises.prove(chosen, seeds=2)
    alone = capsys.readouterr().out
    assert exercises.prove(chosen, seeds=2, jobs=3)
    assert capsys.readouterr().out == alone
    assert alone.count("2 seeds\n") == len(chosen)


def test_side_by_side_an_unknown_name_is_still_a_sentence():
    with pytest.raises(ValueError, match="Did you mean 'ch1-score'"):
        exercises.prove(["ch1-scor", "ch1-score"], seeds=1, jobs=2)


@pytest.mark.parametrize("name", exercises.names())
@pytest.mark.parametrize("seeds", [range(100, 102), pytest.param(range(102, 130), marks=pytest.mark.slow)], ids=len)
def test_right_answers_are_never_rejected(name, seeds):
    """With seeds that are not among the 20 of `rlhw exercises prove`, and with the types checked. Most of them are slow."""
    asked = exercises.question(name)
    for seed in seeds:
        sitting = Sitting(asked, draw_cases(asked, seed))
        for key, answer in asked.right.items():
            with np.errstate(all="ignore"):
                outputs = outputs_of(answer, sitting.cases)
            assert sitting.judge(outputs).passed, f"{key} rejected with seed {seed}"


def test_a_sitting_asks_the_oracle_once_a_case_and_says_what_each_verdict_says():
    """The proofs judge all answers in one sitting; a learner's answer gets one of its own."""
    asked, times = exercises.question("ch1-score"), Counter()

    def counted(*case):
        times[id(case[0])] += 1
        return asked.expected(*case)

    sitting = Sitting(_with(asked, expected=counted), draw_cases(asked, 4))
    for answer in [*asked.right.values(), *(wrong.answer for wrong in asked.wrong.values())]:
        with np.errstate(all="ignore"):
            together = sitting.judge(outputs_of(answer, sitting.cases))
        assert together == exercises.verdict("ch1-score", answer, 4)
    assert set(times.values()) == {1}
    assert len(times) == sum(map(len, sitting.cases.values()))


def test_prove_finds_an_answer_that_stops(monkeypatch, capsys):
    """A right answer that stops is rejected, not a traceback of the proof."""
    asked = exercises.question("ch1-score")
    right = {**asked.right, "stops": lambda logits, action: 1 / 0}
    monkeypatch.setattr(exercises, "question", lambda name, variant="": _with(asked, right=right))
    assert not exercises.prove(["ch1-score"], seeds=1)
    assert "right answer 'stops' rejected" in capsys.readouterr().out


def test_prove_finds_a_check_that_accepts_a_wrong_answer(monkeypatch, capsys):
    asked = exercises.question("ch2-recall")
    spoiled = {**asked.wrong, "right after all": Wrong((0.8, -0.04, 0.0), "A hint of its own.")}
    monkeypatch.setattr(exercises, "question", lambda name, variant="": _with(asked, wrong=spoiled))
    assert not exercises.prove(["ch2-recall"], seeds=2)
    assert "'right after all' accepted" in capsys.readouterr().out


def test_prove_finds_a_rejected_right_answer_and_a_hint_of_another(monkeypatch, capsys):
    asked = exercises.question("ch2-recall")
    names = list(asked.wrong)
    spoiled = {**asked.wrong, names[0]: Wrong(asked.wrong[names[1]].answer, "A hint of its own.")}
    right = {**asked.right, "no answer at all": "words"}
    monkeypatch.setattr(exercises, "question", lambda name, variant="": _with(asked, wrong=spoiled, right=right))
    assert not exercises.prove(["ch2-recall"], seeds=2)
    printed = capsys.readouterr().out
    assert "right answer 'no answer at all' rejected" in printed
    assert "gets another hint" in printed


def test_prove_wants_five_wrong_answers(monkeypatch, capsys):
    asked = exercises.question("ch2-recall")
    few = dict(list(asked.wrong.items())[:4])
    monkeypatch.setattr(exercises, "question", lambda name, variant="": _with(asked, wrong=few))
    assert not exercises.prove(["ch2-recall"], seeds=1)
    assert "5 and 2 are needed" in capsys.readouterr().out


def _with(asked: Question, **changes) -> Question:
    from dataclasses import replace

    return replace(asked, **changes)


@pytest.mark.parametrize("answer", [None, ..., lambda logits, action: None, lambda logits, action: ...])
def test_no_answer_is_no_mistake(answer, capsys):
    result = exercises.check("ch1-score", answer)
    assert not result.passed
    assert capsys.readouterr().out == "ch1-score: no answer yet. (0 of 6 points)\n"


def test_partial_credit(capsys):
    wrong = exercises.question("ch1-score").wrong["no max subtraction"].answer
    result = exercises.check("ch1-score", wrong)
    assert result.parts == {"small logits": True, "logits of a thousand": False}
    assert (result.earned, result.points) == (4, 6)
    assert "overflows" in capsys.readouterr().out


def test_a_function_that_stops_gets_a_sentence(capsys):
    exercises.check("ch1-score", lambda logits, action: 1 / 0)
    assert "Your function stopped with ZeroDivisionError" in capsys.readouterr().out
    exercises.check("ch1-score", lambda logits: logits)
    assert "Your function stopped with TypeError" in capsys.readouterr().out


@pytest.mark.parametrize(
    "odd", ["text", "0.5", object(), [[1], [2, 3]], np.array([1j]), float("nan"), True, {}, [None], 10**400]
)
def test_odd_values_are_not_close_to_numbers(odd):
    assert not close(odd, 0.5)
    assert not close(odd, np.array([1.0, 2.0]))


@pytest.mark.parametrize("expected", [0, 3, -0.5, 2.0, 4e7, float("inf"), float("nan")])
def test_two_plain_numbers_are_as_close_as_arrays_of_them(expected):
    """On both sides of the tolerance: the shorter way for plain numbers says what the one through arrays says."""
    near = [expected + share * 1e-6 * max(1.0, abs(expected)) for share in (-1.001, -0.999, 0.0, 0.5, 0.999, 1.001)]
    verdicts = []
    for got in [*near, 0, -3, 10**400, float("nan"), float("inf"), -float("inf")]:
        with np.errstate(all="ignore"):
            verdicts.append(close(np.array(got), expected))
        assert close(got, expected) is verdicts[-1]
    assert verdicts[:6] == [math.isfinite(expected) and place not in (0, 5) for place in range(6)]


def test_arguments_cannot_be_spoiled_by_the_answer():
    def greedy_hands(rewards):
        result = np.array([np.mean(np.delete(rewards, n)) for n in range(len(rewards))])
        rewards[:] = 0.0
        return result

    assert exercises.verdict("ch2-leave-one-out", greedy_hands).passed


def test_unknown_question_names_the_closest():
    with pytest.raises(ValueError, match="Did you mean 'ch1-score'"):
        exercises.check("ch1-scor", None)


# The clinic's questions are its patients: their answers are names, which `rlhw.clinic.diagnose` checks.
@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0b]*.ipynb")), ids=lambda path: path.stem)
def test_notebook_solutions_are_the_proven_ones(path):
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    tagged = {tag: "".join(c["source"]) for c in cells for tag in c["metadata"].get("tags", [])}
    asked = [tag.removeprefix("exercise:") for tag in tagged if tag.startswith("exercise:")]
    assert asked, "the notebook has no exercise"
    for name in asked:
        code = re.search(r"```python\n(.*)\n```", tagged[f"solution:{name}"], re.S)
        assert code, f"{name} has no folded solution"
        assert code[1] == exercises.question(name).solution


def test_every_question_stands_in_its_chapter_and_notebook():
    for name in (name for name in exercises.names() if not name.startswith("hw")):
        chapter = name.split("-")[0]
        number = chapter.removeprefix("ch").zfill(2)
        (page,) = (ROOT / "book").glob(f"{number}_*.md")
        (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        assert f"```{{question}} {name}\n" in page.read_text(encoding="utf8")
        assert f'"exercise:{name}"' in notebook.read_text(encoding="utf8")


def test_every_homework_question_is_asked_once_in_its_assignment():
    """And in no chapter: there its solution would be printed."""
    questions = [name for name in exercises.names() if name.startswith("hw")]
    assert questions
    for name in questions:
        asked = [item.question for item in homework.assignment(name.split("-")[0]).asked]
        assert asked.count(name) == 1, name
        pages = [*(ROOT / "book").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
        assert not [
            p for p in pages if f"{{question}} {name}\n" in (t := p.read_text("utf8")) or f'"exercise:{name}"' in t
        ]
