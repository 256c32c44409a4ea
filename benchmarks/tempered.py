"""The teacher of the small forum at another temperature, exactly: what it earns when each next word is drawn from p^(1/T)/Z.

The teacher decides word by word among few ways on (a filler or none, a value, the next clause or the end), so the expected
reward is a sum over its decisions and needs no sample.
"""

import numpy as np
from jaxtyping import Float

from rlhw.tiny_tldr import VALUES, Post, Teacher

# Words of a clause apart from a question's own, and the order in which clauses may follow.
WORDS = {"cost": 4, "feeling": 3, "old": 6, "ask": 2}
PRICE = 0.04


def sharpened(law: Float[np.ndarray, " V"], temperature: float) -> Float[np.ndarray, " V"]:
    """p^(1/T)/Z, entry by entry; a probability of 0 stays 0."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(law, dtype=float)) / temperature
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def expected_reward(post: Post, temperature: float = 1.0, teacher: Teacher | None = None) -> float:
    """The expected gold reward of the teacher's summaries of a post, when each next word is sharpened."""
    teacher = teacher or Teacher()
    chances = teacher.inclusion(post)

    def yes(kind: str) -> float:
        return float(sharpened(np.array([chances[kind], 1 - chances[kind]]), temperature)[0])

    total = sum(_value(post, kind, temperature, teacher) for kind in ("who", "did", "thing")) - 5 * PRICE
    total -= PRICE * yes("basically")
    total += yes("day") * (_value(post, "day", temperature, teacher) - 2 * PRICE)
    return total + _rest(post, list(WORDS), chances, temperature, teacher)


def _rest(post: Post, left: list[str], chances: dict[str, float], temperature: float, teacher: Teacher) -> float:
    """What the clauses still to come earn: the next word opens one of them or ends the summary."""
    odds, none = [], 1.0
    for kind in left:
        odds.append(none * chances[kind])
        none *= 1 - chances[kind]
    ways = sharpened(np.array([*odds, none]), temperature)
    return sum(
        p * (_clause(post, kind, temperature, teacher) + _rest(post, left[i + 1 :], chances, temperature, teacher))
        for i, (kind, p) in enumerate(zip(left, ways[:-1], strict=True))
        if p > 0
    )


def _clause(post: Post, kind: str, temperature: float, teacher: Teacher) -> float:
    worth = -0.5 if kind == "old" else _value(post, kind, temperature, teacher)
    return worth - PRICE * WORDS[kind]


def _value(post: Post, kind: str, temperature: float, teacher: Teacher) -> float:
    """+1 for the true value and -1 for another one; a question also costs its own words."""
    law = teacher.values(post, kind)
    p = sharpened(np.array(list(law.values())), temperature)
    right = sum(p[i] for i, value in enumerate(law) if value == getattr(post, kind))
    words = sum(q * len(value.split()) for q, value in zip(p, VALUES[kind], strict=True)) if kind == "ask" else 0.0
    return float(2 * right - 1 - PRICE * words)
