"""The directive ``{question}``: an exercise as a box with its text, its stub and a folded solution.

    ```{question} ch1-softmax-score
    ```

Everything it shows comes from ``rlhw.exercises``, so that page, notebook and check can never drift apart.
"""

from __future__ import annotations

import importlib

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

QUESTION_ERRORS = (ImportError, LookupError, ValueError, TypeError, OSError)


def facts(question: object) -> list[nodes.Node]:
    """Return the line under an exercise's title: difficulty, minutes, points; the stars are spoken as words."""
    stars, minutes, points = int(question.stars), question.minutes, question.points
    drawn = "★" * stars + "☆" * (3 - stars)
    spoken = f'<span class="question-stars" role="img" aria-label="difficulty {stars} of 3">{drawn}</span>'
    words = f" · about {minutes} minutes · {points} point{'' if points == 1 else 's'}"
    return [nodes.raw("", spoken, format="html"), nodes.Text(words)]


def code(text: str) -> nodes.literal_block:
    """Return a block of Python."""
    text = text.strip("\n")
    return nodes.literal_block(text, text, language="python")


class Question(SphinxDirective):
    """An exercise of ``rlhw.exercises``, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the box, or warn with one sentence where the name is unknown."""
        name = self.arguments[0]
        try:
            question = importlib.import_module("rlhw.exercises").question(name)
        except QUESTION_ERRORS as error:
            words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            logger.warning(
                "there is no exercise named %r: %s.", name, " ".join(words.split()).rstrip("."),
                location=self.get_location(),
            )  # fmt: skip
            return []
        box = nodes.admonition(classes=["question"], ids=[f"question-{name}"])
        self.set_source_info(box)
        box += nodes.title("", f"Exercise: {question.title}")
        box += nodes.paragraph("", "", *facts(question), classes=["question-facts"])
        self.state.nested_parse(StringList(question.text.splitlines(), source=name), self.content_offset, box)
        box += code(question.stub)
        check = nodes.paragraph(classes=["question-check"])
        check += nodes.Text("Check your answer in the chapter's notebook with ")
        check += nodes.literal("", f'rlhw.check("{name}", …)')
        check += nodes.Text(".")
        box += check
        fold = '<details class="question-solution"><summary>Solution</summary>'
        box += [nodes.raw("", fold, format="html"), code(question.solution), nodes.raw("", "</details>", format="html")]
        std = self.env.get_domain("std")
        std.note_hyperlink_target(name, self.env.docname, f"question-{name}", f"Exercise: {question.title}")
        return [box]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("question", Question)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
