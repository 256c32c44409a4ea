"""A summary token by token, before and after alignment: both next-word laws, what each token costs, and the score (chapter 8)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, choice, javascript, slider, stored

DATA = stored("aligned_tokens")
EXAMPLES = DATA["examples"]


class AlignedTokens(Widget):
    """Five posts of the small forum, each with a summary of the clone's and one of the policy's that PPO made of it (gold reward).

    At every token the next-word laws of both, the token's price β log π/π_ref, the running sums of log-ratios and of KLs; at the
    end the score. `answer` says whose summary is read; `post` counts from 0, `position` from 1. The numbers are computed
    beforehand (benchmarks/aligned_tokens.py, card aligned_tokens); the page adds them up.
    """

    TWIN: ClassVar[dict[str, str]] = {
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    _esm = javascript("sums", "next_words", "aligned_tokens")

    post = choice(1, tuple(range(len(EXAMPLES))), "post")
    answer = choice("policy", ("clone", "policy"), "whose summary")
    position = slider(
        3, 1, max(len(one["steps"]) for example in EXAMPLES for one in example["answers"].values()), 1, "token t"
    )
    data = traitlets.Dict(DATA, read_only=True).tag(sync=True)

    @traitlets.validate("post", "answer", "position")
    def _within_the_summary(self, proposal) -> int | str:
        now = {"post": self.post, "answer": self.answer, "position": self.position}
        now[proposal["trait"].name] = proposal["value"]
        length = len(EXAMPLES[now["post"]]["answers"][now["answer"]]["steps"])
        if now["position"] > length:
            wanted = f"a whole number from 1 to {length} in the {now['answer']}'s summary of post {now['post']}"
            raise traitlets.TraitError(f"AlignedTokens: position must be {wanted}; got {now['position']}.")
        return proposal["value"]
