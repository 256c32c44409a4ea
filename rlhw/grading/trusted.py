"""What the notebook that nbval runs for grading knows as `rlhw`: it fetches answers from the sandbox, and judges them here.

The session file, named by the environment variable RLHW_GRADING_SESSION, holds the assignment's name, the variant, the
seeds of the hidden inputs, the answers' source text, which of them are untouched stubs, the sandbox with its limits, and
where records go. The secret is not in it.
"""

import atexit
import json
import os
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np

from rlhw import exercises
from rlhw.exercises.question import Case, Question, draw_part, judge
from rlhw.grading.remote import AnswerFailed, Answers
from rlhw.grading.sandbox import Limits, Sandbox

VARIABLE = "RLHW_GRADING_SESSION"
UNANSWERED = "No answer yet."
WRONG = "Not yet. What came back is not what the question asks for; look at its shape and its type."


@cache
def session() -> dict:
    """The session of this kernel."""
    return json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf8"))


@cache
def _answers() -> Answers:
    said = session()
    answers = Answers(said["answers"], Sandbox.from_dict(said["sandbox"]), Limits(**said["limits"]))
    atexit.register(answers.__exit__, None, None, None)
    return answers.__enter__()


def prepare() -> None:
    """Let the sandbox open while the notebook's kernel gets ready, where there is an answer to run in it."""
    if set(session()["answers"]) - set(session()["untouched"]):
        _answers().prepare()


def answer(question: str, name: str) -> object:
    """What the student's cell for `question` bound to `name`: a function that is called in the sandbox, a value, or None.

    A cell that stopped gives the failure itself, which every check of it then records.
    """
    try:
        return _answers().get(question, name)
    except AnswerFailed as failure:
        return failure


def check(question: str, answer: object, part: str = "", variant: str = "") -> None:
    """Judge one part on its hidden inputs, print "question, part: ok" or "…: FAILED", and record it with a sentence of ours."""
    passed, sentence = verdict(exercises.question(question, variant), part, answer)
    record = {"question": question, "part": part, "passed": passed, "sentence": sentence}
    with open(session()["records"], "a", encoding="utf8") as file:
        file.write(json.dumps(record) + "\n")
    print(f"{question}, {part}: {'ok' if passed else 'FAILED'}")


def verdict(asked: Question, part: str, answer: object) -> tuple[bool, str]:
    """(passed, sentence). Whatever the answer does or is, the sentence is one of ours."""
    if asked.name in session()["untouched"]:
        return False, UNANSWERED
    cases = draw_part(asked, part, session()["seeds"][f"{asked.name}/{part}"])
    try:
        outputs = {part: [_output(answer, case) for case in cases[part]]}
    except AnswerFailed as failure:
        return False, f"{failure.sentence[0].upper()}{failure.sentence[1:]}."
    if all(output is None for output in outputs[part]):
        return False, UNANSWERED
    return judged(asked, cases, outputs)


def judged(asked: Question, cases: dict[str, list[Case]], outputs: dict[str, list[object]]) -> tuple[bool, str]:
    """(passed, sentence). An output so odd that the judge stumbles over it is wrong."""
    try:
        with np.errstate(all="ignore"):
            result = judge(asked, cases, outputs)
        return (True, "") if result.passed is True else (False, result.message.removeprefix("not yet. "))
    except Exception:
        return False, WRONG


def _output(answer: object, case: Case) -> object:
    """The answer to one case. A failure anywhere in what was handed over is the failure of the part."""
    for item in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(item, AnswerFailed):
            raise item
    return answer(*deepcopy(case)) if callable(answer) else answer
