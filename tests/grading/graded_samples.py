"""A small assignment, and results of it as the grader makes them."""

from rlhw import exercises
from rlhw.grading.result import GRADED, LOOK, REFUSED, PartResult, QuestionResult, Result
from rlhw.homework.assignment import Asked, Assignment, Level, Prose, Written

EXPLAIN = Written(
    "explain-gae",
    "Explain your code",
    12,
    10,
    "Explain in your own words what your `gae` does to one row with padding.\n\nTwo paragraphs are enough.",
    (
        Level(
            12, "names the recursion, what stands after the last token, and why the padding must be 0 before it starts"
        ),
        Level(6, "names the recursion and forgets one of the two others"),
        Level(0, "repeats the formula"),
    ),
    ((12, "We go backwards, because …", "All three are there."), (0, "It computes the GAE.", "Nothing is explained.")),
)
RESULTS = Written("results", "Your results", 16, 20, "Show them.", (Level(16, "all"), Level(0, "nothing")))
ASSIGNMENT = Assignment(
    "hw9",
    "hw9_sample",
    "Homework 9: a sample",
    "Two questions.",
    (Prose("Begin."), Asked("ch6-gae", ("gae",)), Asked("ch5-bt-loss", ("bt_loss",)), EXPLAIN, RESULTS),
)
ONLY_CODE = Assignment("hw8", "hw8_code", "Homework 8", "Code.", (Asked("ch6-gae", ("gae",)),))


def result(student: str, passed: tuple[str, ...] = (), status: str = GRADED, **more) -> Result:
    """A student's result: the parts in `passed` passed, the others got the first hint of their question."""
    if status == REFUSED:
        return Result(student, "hw9", status, **more)
    questions = []
    for name in ("ch6-gae", "ch5-bt-loss"):
        asked = exercises.question(name)
        hint = next(iter(asked.wrong.values())).hint
        parts = [
            PartResult(p.name, p.points, p.name in passed, "ok" if p.name in passed else hint) for p in asked.parts
        ]
        questions.append(QuestionResult(name, asked.title, tuple(parts)))
    more.setdefault("written", {"explain-gae": "We go backwards.", "results": ""})
    return Result(student, "hw9", status, tuple(questions), **more)


ALL_PARTS = tuple(part.name for name in ("ch6-gae", "ch5-bt-loss") for part in exercises.question(name).parts)
SOME = ALL_PARTS[:2]


def a_class() -> list[Result]:
    """Four students: one with everything, one with some, one to look at, one that could not be graded."""
    return [
        result("ann", ALL_PARTS),
        result("bob", SOME),
        result("cem", SOME[:1], LOOK, remarks=("The answer cell of ch6-gae was there twice; the last one counts.",)),
        result("dee", status=REFUSED, remarks=("The file is not a notebook: it is no JSON.",)),
    ]
