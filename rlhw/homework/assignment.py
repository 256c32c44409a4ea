"""What an assignment is: prose, questions that a machine checks, and questions that people read."""

from dataclasses import dataclass

from rlhw.exercises import question


@dataclass(frozen=True)
class Prose:
    """Markdown between the questions: plain, with inline mathematics, because Colab knows no MyST."""

    text: str


@dataclass(frozen=True)
class Asked:
    """A question of `rlhw.exercises`, checked part by part.

    `binds` are the names that its answer cell defines. `expression` is what the check cell hands over: the first of them,
    unless a check needs several, such as "(labels, run_card)", which may name those of earlier answer cells too.
    """

    question: str
    binds: tuple[str, ...]
    expression: str = ""

    @property
    def handed_over(self) -> str:
        """The expression in the check cell's call."""
        return self.expression or self.binds[0]


@dataclass(frozen=True)
class Level:
    """One line of a rubric: what an answer of this many points shows."""

    points: int
    shows: str


@dataclass(frozen=True)
class Written:
    """A question answered in prose and read by people, with the rubric that they mark by.

    `rubric` goes from most points to none. `samples` are marked examples for the readers: (points, answer, why).
    """

    name: str
    title: str
    points: int
    minutes: int
    text: str
    rubric: tuple[Level, ...]
    samples: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True)
class Assignment:
    """An assignment: `name` as in "hw2", `stem` of its notebook as in "hw2_rlhf", and its items in order.

    `graded` is False where the points are for the student's eyes only (hw0).
    """

    name: str
    stem: str
    title: str
    introduction: str
    items: tuple[Prose | Asked | Written, ...]
    graded: bool = True

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The questions that a machine checks."""
        return tuple(item for item in self.items if isinstance(item, Asked))

    @property
    def written(self) -> tuple[Written, ...]:
        """The questions that people read."""
        return tuple(item for item in self.items if isinstance(item, Written))

    @property
    def automatic(self) -> int:
        """Points given by the machine."""
        return sum(question(item.question).points for item in self.asked)

    @property
    def people(self) -> int:
        """Points given by people."""
        return sum(item.points for item in self.written)

    @property
    def minutes(self) -> int:
        """Minutes that the questions are estimated to take."""
        return sum(question(item.question).minutes for item in self.asked) + sum(item.minutes for item in self.written)
