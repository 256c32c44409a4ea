"""Question b6-kl-step: as far as a limit in nats allows."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import log_probabilities_of

TEXT = r"""
The policy is a table of logits, a softmax for each row (state); `visits[s]` says how often state `s` is visited. Go from
`logits` along `direction` until the mean KL from the old policy, $\sum_s d(s)\operatorname{KL}(\pi_{\text{old}}(\cdot\mid
s)\,\Vert\,\pi(\cdot\mid s))/\sum_s d(s)$ in nats, is exactly `limit`. Return the new table of logits. Along a line the mean
KL rises from 0 without end, so a search finds the place; a parabola alone does not. (The relative error may be $10^{-6}$.)
"""

STUB = """
def kl_step(visits, logits, direction, limit):
    ...
"""


def kl_step(visits, logits, direction, limit):
    def log_softmax(z):
        z = z - z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def mean_kl(c):
        old, new = log_softmax(logits), log_softmax(logits + c * direction)
        return visits @ (np.exp(old) * (old - new)).sum(axis=1) / visits.sum()

    low, high = 0.0, 1.0
    while mean_kl(high) < limit:
        high = 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_kl(middle) < limit else (low, middle)
    return logits + high * direction


def measure(weights, old, new):
    p, q = log_probabilities_of(old), log_probabilities_of(new)
    return float(weights @ np.sum(np.exp(p) * (p - q), axis=1))


def share(visits):
    return visits / visits.sum()


def search(weights=share, kl=measure, limit=lambda x: x, sign=1.0):
    """By scipy, with one thing done in a way of its own."""

    def answer(visits, logits, direction, most):
        from scipy.optimize import brentq

        def excess(c):
            return kl(weights(visits), logits, logits + sign * c * direction) - limit(most)

        high = 1.0
        while excess(high) < 0 and high < 1e6:
            high *= 2
        return logits + sign * brentq(excess, 0.0, high, xtol=1e-14) * direction

    return answer


def by_the_parabola(visits, logits, direction, limit):
    p = np.exp(log_probabilities_of(logits))
    spread = np.sum(p * direction**2, axis=1) - np.sum(p * direction, axis=1) ** 2
    return logits + np.sqrt(2 * limit / (share(visits) @ spread)) * direction


def parabola_without_two(visits, logits, direction, limit):
    return logits + (by_the_parabola(visits, logits, direction, limit) - logits) / np.sqrt(2)


def halving(visits, logits, direction, limit):
    """A line search as TRPO's: a long step, halved until the limit holds."""
    step = 4.0 * direction
    while measure(share(visits), logits, logits + step) > limit:
        step = step / 2
    return logits + step


def unit_length(visits, logits, direction, limit):
    return logits + limit * direction / np.linalg.norm(direction)


def draw(rng):
    states, actions = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    visits = rng.uniform(0.3, 3.0, states)
    # Near the uniform policy, and not far: the other KL has an upper bound on a line, and shall reach the limit too.
    logits, direction = 0.5 * rng.standard_normal((states, actions)), rng.standard_normal((states, actions))
    return visits, logits, direction, float(rng.uniform(0.03, 0.12))


def expected(visits, logits, direction, limit):
    """By Newton's method: along the line the mean KL is convex, and its slope is the mean of new less old expectation of x."""
    weights, p = share(visits), np.exp(log_probabilities_of(logits))
    before, c = np.sum(p * direction, axis=1), 1e-3
    for _ in range(200):
        gap = measure(weights, logits, logits + c * direction) - limit
        after = np.sum(np.exp(log_probabilities_of(logits + c * direction)) * direction, axis=1)
        c = min(c - gap / float(weights @ (after - before)), 4 * c)
    return logits + c * direction


QUESTION = Question(
    name="b6-kl-step",
    title="As far as the limit allows",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Along the direction, as far as the mean KL(old, new), averaged by visits, is the limit. Yours differs.",
    expected=expected,
    parts=(Part("any policy and direction", 8, draw, cases=4),),
    right={"model": kl_step, "scipy": search()},
    wrong={
        "the parabola": Wrong(
            by_the_parabola,
            "You took the step at which the parabola ½ xᵀFx reaches the limit. For small steps that is near; the true KL of "
            "your policy is another number. Search.",
        ),
        "parabola without the two": Wrong(
            parabola_without_two,
            "You set xᵀFx equal to the limit. The half is missing, and the parabola is only near the KL at best.",
        ),
        "halved until it holds": Wrong(
            halving,
            "Your step stays below the limit, as that of TRPO's line search, but it does not reach it: after halving, go on by "
            "bisection.",
        ),
        "other KL": Wrong(
            search(kl=lambda w, old, new: measure(w, new, old)),
            "You limited the KL of the new policy from the old one. Average under the old policy: those are the states and "
            "choices that the samples come from.",
        ),
        "states all alike": Wrong(
            search(weights=lambda visits: np.full(len(visits), 1 / len(visits))),
            "You averaged over the states without their visits.",
        ),
        "sum over visits": Wrong(
            search(weights=lambda visits: visits),
            "You limited the sum over visits, not the mean: divide by the sum of the visits.",
        ),
        "in bits": Wrong(
            search(limit=lambda x: x * np.log(2)),
            "You measured in bits: nats have the natural logarithm.",
        ),
        "worst state": Wrong(
            search(kl=lambda w, old, new: max(measure(row, old, new) for row in np.eye(len(w)))),
            "You limited the KL of the worst state. The mean over visits was asked for.",
        ),
        "against the direction": Wrong(
            search(sign=-1.0),
            "The KL is right, but you went against the direction.",
        ),
        "length for KL": Wrong(
            unit_length,
            "You went as far as the limit in the logits. A distance of logits is no KL: where the policy is sure, it takes a "
            "long way to change it.",
        ),
        "old logits forgotten": Wrong(
            lambda *case: search()(*case) - case[1],
            "You returned the step alone. Add it to the old logits.",
        ),
    },
)
