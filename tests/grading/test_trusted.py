"""What the kernel of the grader says of an answer: sentences of ours, whatever the answer does or is."""

import json

import numpy as np
import pytest

from rlhw import exercises, homework
from rlhw.exercises.question import draw_part
from rlhw.grading import trusted
from rlhw.grading.conversation import SENTENCES, AnswerFailed

ASKED = exercises.question("b3-td-error")
PART = ASKED.parts[0].name
RIGHT = next(iter(ASKED.right.values()))


@pytest.fixture(autouse=True)
def session(monkeypatch, tmp_path):
    """A session with a seed for each part."""
    seeds = {f"{ASKED.name}/{part.name}": 7 + number for number, part in enumerate(ASKED.parts)}
    said = {"seeds": seeds, "untouched": [], "records": str(tmp_path / "records.jsonl")}
    monkeypatch.setattr(trusted, "session", lambda: said)
    return said


def test_a_right_answer_passes_and_a_known_mistake_gets_its_hint():
    assert trusted.verdict(ASKED, PART, RIGHT) == (True, "")
    ours = {wrong.hint for wrong in ASKED.wrong.values()} | {ASKED.law}
    verdicts = [
        trusted.verdict(ASKED, part.name, wrong.answer) for wrong in ASKED.wrong.values() for part in ASKED.parts
    ]
    assert {sentence for passed, sentence in verdicts if not passed} <= ours
    assert any(not passed for passed, _ in verdicts)


def test_the_inputs_are_those_of_the_sessions_seed(session):
    seen = []
    trusted.verdict(ASKED, PART, lambda *case: seen.append(case) or RIGHT(*case))
    expected = draw_part(ASKED, PART, 7)[PART]
    np.testing.assert_equal(seen, expected)
    session["seeds"][f"{ASKED.name}/{PART}"] = 8
    again = []
    trusted.verdict(ASKED, PART, lambda *case: again.append(case) or RIGHT(*case))
    assert not all(map(np.array_equal, map(str, seen), map(str, again)))


def test_an_untouched_stub_is_no_answer_whatever_its_function_does(session):
    def stub(*case):
        raise NotImplementedError

    assert trusted.verdict(ASKED, PART, RIGHT)[0]
    session["untouched"] = [ASKED.name]
    assert trusted.verdict(ASKED, PART, stub) == trusted.verdict(ASKED, PART, RIGHT) == (False, "No answer yet.")


@pytest.mark.parametrize("reason", SENTENCES)
def test_a_failure_is_told_in_the_sentence_for_its_reason(reason):
    def failing(*case):
        raise AnswerFailed(reason)

    for answer in (failing, AnswerFailed(reason), (1, AnswerFailed(reason))):
        passed, sentence = trusted.verdict(ASKED, PART, answer)
        assert not passed
        assert sentence.lower() == SENTENCES[reason].lower() + "."


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("inf"), 10**18, "0.5", "", [], {}, [[]], [[1], [1, 2]], (None, 1), True, {"a": [1]},
        np.zeros((0, 3)), np.full((50, 50), np.nan), [np.zeros(2), "x"], list(range(10_000)),
    ],
)  # fmt: skip
def test_odd_values_are_wrong_and_never_an_error(value):
    for answer in (value, lambda *case: value, (value, value)):
        passed, sentence = trusted.verdict(ASKED, PART, answer)
        assert not passed
        assert sentence in {trusted.WRONG, ASKED.law, *(wrong.hint for wrong in ASKED.wrong.values())}


def test_no_answer_says_so():
    assert trusted.verdict(ASKED, PART, None) == (False, trusted.UNANSWERED)
    assert trusted.verdict(ASKED, PART, lambda *case: None) == (False, trusted.UNANSWERED)


def test_an_output_that_breaks_the_judge_is_wrong(monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("with the hidden inputs in it")

    monkeypatch.setattr(trusted, "judge", broken)
    assert trusted.verdict(ASKED, PART, RIGHT) == (False, trusted.WRONG)


def test_a_check_prints_its_line_and_records_once(session, capsys):
    trusted.check(ASKED.name, RIGHT, PART)
    trusted.check(ASKED.name, None, PART)
    assert capsys.readouterr().out == f"{ASKED.name}, {PART}: ok\n{ASKED.name}, {PART}: FAILED\n"
    with open(session["records"], encoding="utf8") as file:
        first, second = map(json.loads, file)
    assert first == {"question": ASKED.name, "part": PART, "passed": True, "sentence": ""}
    assert second["passed"] is False
    assert second["sentence"] == trusted.UNANSWERED


def test_every_part_of_the_assignments_can_be_judged(session):
    for item in homework.assignment("hw0").asked:
        asked = exercises.question(item.question)
        session["seeds"] |= {f"{asked.name}/{part.name}": 3 for part in asked.parts}
        for part in asked.parts:
            assert trusted.verdict(asked, part.name, next(iter(asked.right.values()))) == (True, "")
