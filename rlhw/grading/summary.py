"""`summary.json`: how a class did, and what it got wrong most often. It names nobody."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, median

from rlhw.grading import manual as marks
from rlhw.grading.result import GRADED, LOOK, REFUSED, Result
from rlhw.homework import Assignment

HARDEST, HINTS = 5, 10


def of(
    results: Sequence[Result], assignment: Assignment, manual: Mapping | None, seconds: Mapping[str, float] | None
) -> dict:
    """Counts, means and medians of points, the rate of each part, the hardest parts, the most frequent hints, seconds.

    Submissions that were not graded are counted and left out of everything else.
    """
    graded = [result for result in results if result.status != REFUSED]
    marked = [result for result in graded if not marks.missing(manual, result.student, assignment)]
    parts = _parts(graded)
    return {
        "assignment": assignment.name,
        "submissions": {
            status: sum(result.status == status for result in results) for status in (GRADED, LOOK, REFUSED)
        },
        "automatic": {"possible": assignment.automatic, **_middle([result.earned for result in graded])},
        "total": {
            "possible": assignment.automatic + assignment.people,
            **_middle([result.earned + marks.total(manual, result.student) for result in marked]),
        },
        "parts": parts,
        "hardest": sorted((part for part in parts if part["rate"] < 1), key=lambda part: part["rate"])[:HARDEST],
        "hints": _hints(graded),
        "seconds": _seconds(seconds),
    }


def _middle(points: list[int | float]) -> dict:
    if not points:
        return {"count": 0, "mean": None, "median": None}
    return {"count": len(points), "mean": round(mean(points), 2), "median": median(points)}


def _parts(graded: Sequence[Result]) -> list[dict]:
    asked, passed = Counter(), Counter()
    for result in graded:
        for question in result.questions:
            for part in question.parts:
                asked[question.name, part.name] += 1
                passed[question.name, part.name] += part.passed
    return [
        {"question": key[0], "part": key[1], "passed": passed[key], "of": count, "rate": round(passed[key] / count, 3)}
        for key, count in asked.items()
    ]


def _hints(graded: Sequence[Result]) -> list[dict]:
    """The sentences that most students got: what to talk about in the next lecture. One that got it twice counts once."""
    counts = Counter()
    for result in graded:
        counts.update(
            {
                (question.name, part.sentence)
                for question in result.questions
                for part in question.parts
                if not part.passed
            }
        )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:HINTS]
    return [{"question": name, "sentence": sentence, "students": count} for (name, sentence), count in ranked]


def _seconds(seconds: Mapping[str, float] | None) -> dict:
    spent = list((seconds or {}).values())
    if not spent:
        return {}
    return {"sum": round(sum(spent), 2), "median": round(median(spent), 2), "largest": round(max(spent), 2)}
