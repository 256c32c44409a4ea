"""Gradescope's `results.json`, as its autograder specification describes it (gradescope-autograders.readthedocs.io, "specs")."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhw.grading import sentences, tables
from rlhw.grading.names import file_name
from rlhw.grading.result import LOOK, REFUSED, Result
from rlhw.homework import Assignment


def write(results: Sequence[Result], assignment: Assignment, out: Path, seconds: Mapping[str, float] | None) -> None:
    """Write `results.json`, also where nothing was handed in; for several submissions `gradescope/<student>.json` each."""
    if len(results) > 1:
        (out / "gradescope").mkdir(exist_ok=True)
        for result in results:
            path = out / "gradescope" / f"{file_name(result.student)}.json"
            tables.write_json(path, of(result, assignment, (seconds or {}).get(result.student)))
    elif results:
        tables.write_json(out / "results.json", of(results[0], assignment, (seconds or {}).get(results[0].student)))
    else:
        tables.write_json(out / "results.json", nothing(assignment, sentences.NOTHING_HANDED_IN))


def of(result: Result, assignment: Assignment, seconds: float | None = None) -> dict:
    """One result: a test for each part, with our sentence. Whatever the grader printed stays hidden."""
    if result.status == REFUSED:
        return nothing(assignment, f"{sentences.refused(result)} {sentences.what_to_do(assignment)}")
    tests = [
        {
            "name": tables.visible(f"{question.title}: {part.name}"),
            "number": f"{number}.{place}",
            "score": part.earned,
            "max_score": part.points,
            "status": "passed" if part.passed else "failed",
            "output": "" if part.passed else tables.visible(part.sentence),
            "output_format": "text",
            "visibility": "visible",
        }
        for number, question in enumerate(result.questions, start=1)
        for place, part in enumerate(question.parts, start=1)
    ]
    said = [f"{result.earned} of {result.points} points that are given automatically."]
    said += [sentences.LOOKED_AT] if result.status == LOOK else []
    said += list(result.remarks)
    data = _frame(result.earned, " ".join(said), tests)
    return data if seconds is None else {**data, "execution_time": round(seconds, 2)}


def nothing(assignment: Assignment, sentence: str) -> dict:
    """What is shown for a submission that could not be graded: no points, and the reason."""
    test = {
        "name": "The submission could not be graded",
        "number": "1",
        "score": 0,
        "max_score": assignment.automatic,
        "status": "failed",
        "output": tables.visible(sentence),
        "output_format": "text",
        "visibility": "visible",
    }
    return _frame(0, sentence, [test])


def _frame(score: int, output: str, tests: list[dict]) -> dict:
    return {
        "score": score,
        "output": tables.visible(output),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
