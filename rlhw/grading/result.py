"""What grading one submission comes to: plain data, the same in memory and in `results/<student>.json`."""

from dataclasses import asdict, dataclass, field

GRADED, LOOK, REFUSED = "graded", "needs a look", "not graded"


@dataclass(frozen=True)
class PartResult:
    """One part of a question. `sentence` is one of ours: it never holds a word that student code made."""

    name: str
    points: int
    passed: bool
    sentence: str

    @property
    def earned(self) -> int:
        """Its points when it passed."""
        return self.points if self.passed else 0


@dataclass(frozen=True)
class QuestionResult:
    """A question with its parts."""

    name: str
    title: str
    parts: tuple[PartResult, ...]

    @property
    def points(self) -> int:
        """What can be earned."""
        return sum(part.points for part in self.parts)

    @property
    def earned(self) -> int:
        """What was earned."""
        return sum(part.earned for part in self.parts)


@dataclass(frozen=True)
class Result:
    """A submission's result.

    `status` is GRADED, LOOK (graded, and a person should look at it: `remarks` say why) or REFUSED (no points could be
    given: not a notebook, another assignment's, too large). `key` is a hash of all that the result depends on.
    `written` maps the names of questions for people to the student's text: for the readers' eyes, never for feedback.
    """

    student: str
    assignment: str
    status: str
    questions: tuple[QuestionResult, ...] = ()
    remarks: tuple[str, ...] = ()
    written: dict[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def earned(self) -> int:
        """Points from the automatic part."""
        return sum(question.earned for question in self.questions)

    @property
    def points(self) -> int:
        """What the automatic part can give."""
        return sum(question.points for question in self.questions)

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "Result":
        """Back from JSON."""
        questions = tuple(
            QuestionResult(asked["name"], asked["title"], tuple(PartResult(**part) for part in asked["parts"]))
            for asked in data["questions"]
        )
        return cls(**{**data, "questions": questions, "remarks": tuple(data["remarks"])})
