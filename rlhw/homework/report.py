"""How a homework stands in this session: every part judged anew, by the right check, on what the answers' names mean now."""

from collections.abc import Mapping

from rlhw import exercises, homework
from rlhw.homework import restore
from rlhw.homework.assignment import Asked, Assignment

MISSING = object()


def lines(document: dict | None, checked: Mapping[tuple[str, str], str], namespace: Mapping[str, object]) -> list[str]:
    """A line a part, then the points, then what differs from the original; nothing where the session is no homework.

    `document` is the notebook where it is known (Colab). Elsewhere the assignment is the one that most of the `checked`
    parts, (question, part) -> variant, belong to. `namespace` holds the names that the answers have bound.
    """
    found = restore.recognize(document) if document is not None else _of_session(checked)
    if found is None:
        return []
    assignment, variant = found
    printed, earned = [], 0
    for asked in assignment.asked:
        answer = _handed_over(asked, namespace)
        for part in exercises.question(asked.question, variant).parts:
            passed = answer is not MISSING and _passes(asked, answer, part.name, variant)
            earned += part.points if passed else 0
            status = "passed" if passed else "not run yet" if answer is MISSING else "not passed"
            gained = part.points if passed else 0
            printed.append(f"{asked.question}, {part.name}: {status} ({gained} of {part.points} points)")
    more = f" People give up to {assignment.people} more." if assignment.people else ""
    printed.append(f"{earned} of {assignment.automatic} points from the checks of {assignment.name}.{more}")
    if document is not None:
        return [*printed, *restore.restore(document, assignment, variant).remarks]
    return [*printed, f"Before you hand in, run the whole file: pytest --nbval-lax {assignment.stem}.ipynb"]


def _of_session(checked: Mapping[tuple[str, str], str]) -> tuple[Assignment, str] | None:
    if not checked:
        return None
    known = [homework.assignment(name) for name in homework.names()]
    counts = [sum(question in {asked.question for asked in one.asked} for question, _ in checked) for one in known]
    if not (most := max(counts)):
        return None
    return known[counts.index(most)], list(checked.values())[-1]


def _handed_over(asked: Asked, namespace: Mapping[str, object]) -> object:
    """What the check cell would hand over; MISSING while one of its names is not bound."""
    try:
        # The expression is the assignment's, not the learner's; names that it lacks are all that can go wrong.
        return eval(asked.handed_over, {"__builtins__": {}}, namespace)
    except NameError:
        return MISSING


def _passes(asked: Asked, answer: object, part: str, variant: str) -> bool:
    return exercises.verdict(asked.question, answer, part=part, variant=variant).passed
