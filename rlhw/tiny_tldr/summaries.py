"""Summaries: their clauses, the teacher's exact law over them, the gold reward, and the annotator who compares two."""

import math
import re
from dataclasses import dataclass

import numpy as np

from rlhw.tiny_tldr.posts import VALUES, Post

MAIN = ("who", "did", "thing")
OLD = ("old_who", "old_did", "old_thing")
# The clauses a summary may be made of, in the order in which the teacher writes them.
CLAUSES = {
    "main": r"(?P<basically>basically, )?my (?P<who>\w+) (?P<did>\w+) my (?P<thing>\w+)(?: on (?P<day>\w+))?\.",
    "cost": r"it cost (?P<cost>\w+) dollars\.",
    "feeling": r"i feel (?P<feeling>\w+)\.",
    "old": r"also, our (?P<old_who>\w+) (?P<old_did>\w+) our (?P<old_thing>\w+)\.",
    "ask": r"should i (?P<ask>[a-z]+(?: [a-z]+)*)\?",
}
PATTERNS = {name: re.compile(pattern) for name, pattern in CLAUSES.items()}
WHOLE = re.compile("{main}(?: {cost})?(?: {feeling})?(?: {old})?(?: {ask})?".format(**CLAUSES))


def write_summary(named: dict[str, str], old: tuple[str, str, str] | None = None, basically: bool = False) -> str:
    """The summary that names these facts: the clauses in their order.

    >>> write_summary({"who": "cousin", "did": "took", "thing": "bike", "day": "monday", "ask": "move out"})
    'my cousin took my bike on monday. should i move out?'
    """
    clauses = [
        f"{'basically, ' if basically else ''}my {named['who']} {named['did']} my {named['thing']}"
        + (f" on {named['day']}." if "day" in named else ".")
    ]
    clauses += [f"it cost {named['cost']} dollars."] if "cost" in named else []
    clauses += [f"i feel {named['feeling']}."] if "feeling" in named else []
    clauses += [f"also, our {old[0]} {old[1]} our {old[2]}."] if old else []
    clauses += [f"should i {named['ask']}?"] if "ask" in named else []
    return " ".join(clauses)


def best_summary(post: Post) -> str:
    """The summary with the greatest gold reward: every fact of the post, once, and nothing else."""
    return write_summary(post.facts)


@dataclass(frozen=True)
class Teacher:
    """Somebody who writes summaries, not without mistakes; every probability is known.

    error: the chance that a value is wrong; confuse: the share of these errors that name the old story's value, where there
    is an old story; the others are drawn evenly from the wrong values.
    name: the chance that a day, cost or feeling of the post is named; ask: that the question is.
    invent: the chance that one that the post does not tell is made up. old: that the old story is told too.
    basically: the chance of that filler. Every choice is made independently of the others.
    Raises ValueError when one is no probability.
    """

    error: float = 0.15
    name: float = 0.6
    ask: float = 0.6
    invent: float = 0.08
    old: float = 0.12
    basically: float = 0.2
    confuse: float = 0.25

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be a probability in [0, 1]; got {value}.")

    def values(self, post: Post, kind: str) -> dict[str, float]:
        """The law of one value, given that it is named: {value: probability}, summing to one."""
        options, true = VALUES[kind], getattr(post, kind)
        if true is None:
            return dict.fromkeys(options, 1 / len(options))
        other = getattr(post, f"old_{kind}", None)
        confused = 0.0 if other is None else self.confuse * self.error
        law = {value: (self.error - confused) / (len(options) - 1) for value in options}
        law[true] = 1 - self.error
        if other is not None:
            law[other] += confused
        return law

    def inclusion(self, post: Post) -> dict[str, float]:
        """The chance that each thing that can be left out stands in the summary."""
        chances = {
            kind: self.invent if getattr(post, kind) is None else self.name for kind in ("day", "cost", "feeling")
        }
        return {"basically": self.basically, **chances, "old": self.old if post.old_story else 0.0, "ask": self.ask}

    def sample(self, post: Post, rng: np.random.Generator) -> str:
        """A summary."""
        told = {kind: rng.random() < chance for kind, chance in self.inclusion(post).items()}
        named = {}
        for kind in VALUES:
            if kind in MAIN or told[kind]:
                law = self.values(post, kind)
                at = np.searchsorted(np.cumsum(list(law.values())), rng.random(), side="right")
                named[kind] = list(law)[min(at, len(law) - 1)]
        return write_summary(named, post.old_story if told["old"] else None, bool(told["basically"]))

    def logprob(self, post: Post, summary: str) -> float:
        """log p(summary | post) in nats; -inf for what the teacher never writes."""
        match = WHOLE.fullmatch(summary)
        if match is None:
            return -math.inf
        said = {name: value for name, value in match.groupdict().items() if value is not None}
        if (old := tuple(said.pop(name, None) for name in OLD)) != (None,) * 3:
            said["old"] = old
            if old != post.old_story:
                return -math.inf
        total = sum(_log(p if kind in said else 1 - p) for kind, p in self.inclusion(post).items())
        return total + sum(_log(self.values(post, kind).get(said[kind], 0.0)) for kind in VALUES if kind in said)

    def entropy(self, post: Post) -> float:
        """H = -Σ p log p over all summaries of the post, in nats: the floor of behavior cloning on this post."""
        chances = self.inclusion(post)
        whether = sum(_entropy((p, 1 - p)) for p in chances.values())
        return whether + sum(chances.get(kind, 1.0) * _entropy(self.values(post, kind).values()) for kind in VALUES)


def gold_reward(post: Post, summary: str) -> float:
    """What a summary is worth, for any string: +1 a fact of the post that it names, with a price on everything else.

    -1 a fact that is wrong, invented or named again; -1/2 the old story (-1 when told again or wrong); -1 a sentence that is no
    clause of a summary, an unfinished one included; -0.04 a word. Facts count only inside a whole clause and only once,
    so no string beats `best_summary`: that one has every fact, in the fewest words that a clause allows.
    """
    total, named = 0.0, set()
    for sentence in re.findall(r"[^.?]*[.?]|[^.?]+$", summary):
        total += _sentence(post, " ".join(sentence.split()), named)
    return total - 0.04 * len(re.findall(r"\w+", summary))


def _sentence(post: Post, sentence: str, named: set[str]) -> float:
    """The worth of one sentence, its words apart; `named` gathers what has been named."""
    matches = ((clause, pattern.fullmatch(sentence)) for clause, pattern in PATTERNS.items())
    clause, match = next((pair for pair in matches if pair[1]), (None, None))
    if match is None:
        return -1.0 if sentence else 0.0
    said = {kind: value for kind, value in match.groupdict().items() if value is not None and kind != "basically"}
    if clause == "old":
        worth = -0.5 if tuple(said.values()) == post.old_story and "old" not in named else -1.0
        named.add("old")
        return worth
    worth = sum(1.0 if getattr(post, kind) == value and kind not in named else -1.0 for kind, value in said.items())
    named.update(said)
    return worth


@dataclass(frozen=True)
class SimulatedAnnotator:
    """Somebody who compares two summaries by their gold reward, with known noise and, if asked, known faults.

    P(first preferred) = lapse/2 + (1 - lapse) σ((Δgold + length_bias · Δwords)/temperature + position_bias), Δ = first - second.
    Raises ValueError when temperature is not positive or lapse is no probability.
    """

    temperature: float
    lapse: float = 0.0
    length_bias: float = 0.0
    position_bias: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be positive; got {self.temperature}. A small one makes a sure annotator."
            )
        if not 0 <= self.lapse <= 1:
            raise ValueError(f"lapse must be a probability in [0, 1]; got {self.lapse}.")

    def probability(self, post: Post, first: str, second: str) -> float:
        """P(first preferred to second | post), exact."""
        longer = len(re.findall(r"\w+", first)) - len(re.findall(r"\w+", second))
        better = gold_reward(post, first) - gold_reward(post, second)
        margin = (better + self.length_bias * longer) / self.temperature + self.position_bias
        return self.lapse / 2 + (1 - self.lapse) * 0.5 * (1 + math.tanh(margin / 2))

    def prefers_first(self, post: Post, first: str, second: str, rng: np.random.Generator) -> bool:
        """One choice."""
        return bool(rng.random() < self.probability(post, first, second))


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf


def _entropy(law) -> float:
    return -sum(p * math.log(p) for p in law if p > 0)
