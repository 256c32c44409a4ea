"""A summary read token by token: next-word laws of the teacher, and of a model before and after cloning it (chapter 3)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, choice, javascript, slider, stored

EXAMPLES = stored("token_by_token")["examples"]


class TokenByToken(Widget):
    """Five posts of the small forum with a summary each: at every token the laws of the next word, and its log-probability.

    `post` counts from 0; `position` is the token looked at, from 1 to the length of that summary. The numbers are computed
    beforehand (benchmarks/token_by_token.py, card token_by_token); the page adds them up to log pi(y|x).
    """

    TWIN: ClassVar[dict[str, str]] = {
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    CARD: ClassVar[str] = "token_by_token"
    _esm = javascript("sums", "next_words", "token_by_token")

    post = choice(2, tuple(range(len(EXAMPLES))), "post")
    position = slider(2, 1, max(len(example["steps"]) for example in EXAMPLES), 1, "token t")
    examples = traitlets.List(EXAMPLES, read_only=True).tag(sync=True)

    @traitlets.validate("post", "position")
    def _within_the_summary(self, proposal) -> int:
        chosen = {"post": self.post, "position": self.position} | {proposal["trait"].name: proposal["value"]}
        length = len(EXAMPLES[chosen["post"]]["steps"])
        if chosen["position"] > length:
            wanted = f"a whole number from 1 to {length} in post {chosen['post']}"
            raise traitlets.TraitError(f"TokenByToken: position must be {wanted}; got {chosen['position']}.")
        return proposal["value"]
