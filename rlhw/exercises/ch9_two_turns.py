"""Question ch9-two-turns: what the first turn of a dialogue should hear."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A dialogue of two turns. The first reply is right with probability $a = \sigma(z)$, where $z$ is its logit. After a right
reply the dialogue is on track, and the second reply is right with probability $b$; after a wrong one it is lost, and the
second reply finds back with probability $c$. Each turn that ends on track earns 1. Write `two_turns(z, b, c)`; return
three numbers: the expected reward $J$ of the dialogue; its derivative $\partial J/\partial z$; and what that derivative
would be if the first turn heard only its own reward.
"""

STUB = """
def two_turns(z, b, c):
    ...
"""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def two_turns(z, b, c):
    a = 1 / (1 + np.exp(-z))
    slope = a * (1 - a)
    return a + a * b + (1 - a) * c, slope * (1 + b - c), slope


def two_turns_by_values(z, b, c):
    """The second turn's values first; then the score times what follows, reply by reply."""
    a = 0.5 * (1 + np.tanh(z / 2))
    right, wrong = 1 + b, c
    mean = a * right + (1 - a) * wrong
    gradient = a * (1 - a) * right + (1 - a) * (-a) * wrong
    return [mean, gradient, a * (1 - a) * 1.0]


def lost_forgotten(z, b, c):
    a = sigmoid(z)
    return a + a * b, a * (1 - a) * (1 + b), a * (1 - a)


def by_probability(z, b, c):
    a = sigmoid(z)
    return a + a * b + (1 - a) * c, 1 + b - c, 1.0


def sign_of_repair(z, b, c):
    a = sigmoid(z)
    return a + a * b + (1 - a) * c, a * (1 - a) * (1 + b + c), a * (1 - a)


def only_the_end(z, b, c):
    a = sigmoid(z)
    return a * b + (1 - a) * c, a * (1 - a) * (b - c), a * (1 - a)


def independent(z, b, c):
    """The second turn taken as if it were always on track."""
    a = sigmoid(z)
    return a + b, a * (1 - a), a * (1 - a)


def own_for_both(z, b, c):
    a = sigmoid(z)
    return a + a * b + (1 - a) * c, a * (1 - a), a * (1 - a)


def own_wrong_way(z, b, c):
    a = sigmoid(z)
    return a + a * b + (1 - a) * c, a * (1 - a) * (1 + b - c), a * (1 - a) * (b - c)


def logit_as_probability(z, b, c):
    return z + z * b + (1 - z) * c, z * (1 - z) * (1 + b - c), z * (1 - z)


def draw(rng):
    """b and c are far enough apart, and neither is near 0 or 1."""
    c = float(rng.uniform(0.1, 0.4))
    return float(rng.uniform(0.3, 1.5) * rng.choice([-1, 1])), float(rng.uniform(c + 0.2, 0.95)), c


def expected(z, b, c):
    """By a sum over the four dialogues, and central differences of it."""

    def mean(logit, second=1.0):
        first = {True: 1 / (1 + np.exp(-logit)), False: 1 / (1 + np.exp(logit))}
        total = 0.0
        for well in (True, False):
            for back in (True, False):
                chance = {True: b, False: c}[well]
                total += first[well] * (chance if back else 1 - chance) * (well + second * back)
        return total

    step = 1e-5
    slopes = [(mean(z + step, s) - mean(z - step, s)) / (2 * step) for s in (1.0, 0.0)]
    return mean(z), *slopes


QUESTION = Question(
    name="ch9-two-turns",
    title="What the first turn should hear",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "J is the mean over four dialogues of the turns on track. The first turn's derivative hears both turns; the last "
        "number hears the first alone. Yours differs."
    ),
    expected=expected,
    parts=(Part("any two turns", 6, draw),),
    right={"model": two_turns, "by values": two_turns_by_values},
    wrong={
        "lost dialogues forgotten": Wrong(
            lost_forgotten,
            "A lost dialogue can find back: with probability (1 - a) c the second turn earns 1 after a wrong first reply.",
        ),
        "derivative by the probability": Wrong(
            by_probability,
            "You took the derivatives with respect to a. With respect to z each has a factor a (1 - a), the slope of σ.",
        ),
        "sign of the repair": Wrong(
            sign_of_repair,
            "As a rises, lost dialogues become rarer, and with them what is earned by finding back: c counts against.",
        ),
        "only the end": Wrong(
            only_the_end,
            "You paid for the second turn alone. Each turn that ends on track earns 1, the first one too.",
        ),
        "turns taken as independent": Wrong(
            independent,
            "Your second turn does not depend on the first. After a wrong reply it is right with probability c, not b.",
        ),
        "own reward for both": Wrong(
            own_for_both,
            "Your derivative hears the first turn's own reward only. A right reply also makes the second turn easier, by b - c.",
        ),
        "own reward mistaken": Wrong(
            own_wrong_way,
            "The third number is to hear the first turn's own reward; yours hears what it does to the second.",
        ),
        "logit for the probability": Wrong(
            logit_as_probability,
            "You used z as if it were the probability. The first reply is right with probability σ(z).",
        ),
    },
)
