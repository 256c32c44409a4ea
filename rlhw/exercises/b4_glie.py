"""Question b4-glie: exploring in every episode, and still not enough."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
In episode $k$ a learner explores with $\epsilon_k = 1/k$: at each step, with probability $\epsilon_k$, it draws one of
`actions` actions, all alike. Its greedy actions lead home; a treasure lies `depth` steps away, and at each of them one
particular action, which is never the greedy one, leads on. Write `treasure(actions, depth, episodes)`. Return two numbers
for the episodes $1, 2, \dots,$ `episodes`: how often it is expected to reach the treasure, and the probability that it
never does. (It learns nothing on the way.)
"""

STUB = """
def treasure(actions, depth, episodes):
    ...
"""


def treasure(actions, depth, episodes):
    k = np.arange(1, episodes + 1)
    reach = (1 / (k * actions)) ** depth
    return np.array([reach.sum(), np.prod(1 - reach)])


def treasure_by_loop(actions, depth, episodes):
    expected_visits, never = 0.0, 1.0
    for k in range(1, episodes + 1):
        reach = 1.0
        for _ in range(depth):
            reach *= 1 / k / actions
        expected_visits += reach
        never *= 1 - reach
    return expected_visits, never


def _by(reach, never=None):
    def wrong(actions, depth, episodes):
        k = np.arange(1.0, episodes + 1)
        p = reach(k, actions, depth)
        return np.array([p.sum(), np.prod(1 - p) if never is None else never(p)])

    return wrong


def right_reach(k, actions, depth):
    return (1 / (k * actions)) ** depth


def swapped(actions, depth, episodes):
    return treasure(actions, depth, episodes)[::-1]


def draw(rng):
    return int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(20, 60))


def expected(actions, depth, episodes):
    """By the law of the number of visits, one episode after the other."""
    law = np.array([1.0])
    for k in range(1, episodes + 1):
        p = np.exp(-depth * (np.log(k) + np.log(actions)))
        law = np.convolve(law, [1 - p, p])
    return np.array([law @ np.arange(len(law)), law[0]])


QUESTION = Question(
    name="b4-glie",
    title="Exploring in every episode, and still not enough",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "One episode reaches the treasure with probability (1/(k A)) to the power of the depth: sum these, and multiply one "
        "minus these. Yours differs."
    ),
    expected=expected,
    parts=(Part("any depth of two or three", 8, draw),),
    right={"model": treasure, "loop": treasure_by_loop},
    wrong={
        "one coin for all steps": Wrong(
            _by(lambda k, a, d: 1 / (k * a**d)),
            "You let the learner explore for a whole episode. It tosses the coin anew at every step, so 1/k comes in once a step.",
        ),
        "every exploring leads on": Wrong(
            _by(lambda k, a, d: 1 / k**d),
            "An exploring step leads on only if it draws the right one of the actions.",
        ),
        "depth one": Wrong(
            _by(lambda k, a, d: 1 / (k * a)),
            "You reached the first step of the way. All of the steps have to be exploratory ones, and independent.",
        ),
        "added up": Wrong(
            _by(lambda k, a, d: np.minimum(d / (k * a), 1.0)),
            "You multiplied by the depth: that is one of the steps. All of them must happen, so probabilities multiply.",
        ),
        "one minus the expectation": Wrong(
            _by(right_reach, never=lambda p: 1 - p.sum()),
            "The first number is right. 'Never' is a product over the episodes: one minus the sum counts a second visit again.",
        ),
        "exponential": Wrong(
            _by(right_reach, never=lambda p: np.exp(-p.sum())),
            "The first number is right. The exponential is only near the product, which was asked for exactly.",
        ),
        "once at least": Wrong(
            _by(right_reach, never=lambda p: 1 - np.prod(1 - p)),
            "The first number is right. The second is the probability to get there at least once; it was asked for never.",
        ),
        "every step fails": Wrong(
            _by(right_reach, never=lambda p: np.prod(p)),
            "The first number is right. You multiplied the probabilities to get there: that is 'in every episode'.",
        ),
        "mean over episodes": Wrong(
            _by(lambda k, a, d: (1 / (k * a)) ** d / len(k)),
            "You divided by the number of episodes. Expected visits add up.",
        ),
        "exchanged": Wrong(swapped, "Both numbers are right, in the wrong order: the expected visits come first."),
    },
)
