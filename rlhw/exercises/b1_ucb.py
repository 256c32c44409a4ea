"""Question b1-ucb: the rule of upper confidence bounds."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Write `ucb(estimates, counts, c)`: the probability of each arm, an array of K numbers, under the rule of upper
confidence bounds. It pulls an arm with the greatest $Q_k + c\sqrt{\log t/m_k}$, where $m_k$ (`counts`) says how often
arm $k$ was pulled and $t$ is the sum of the counts. Arms that were never pulled come first. Ties are shared equally.
The first line begins it.
"""

STUB = """
def ucb(estimates, counts, c):
    untried = counts == 0
    ...
"""


def ucb(estimates, counts, c):
    if np.any(counts == 0):
        return (counts == 0) / np.sum(counts == 0)
    bounds = estimates + c * np.sqrt(np.log(counts.sum()) / counts)
    return (bounds == bounds.max()) / np.sum(bounds == bounds.max())


def ucb_by_loop(estimates, counts, c):
    total = sum(int(n) for n in counts)
    bounds = []
    for q, n in zip(estimates, counts, strict=True):
        bounds.append(float("inf") if n == 0 else q + c * (np.log(total) / n) ** 0.5)
    tied = [k for k, bound in enumerate(bounds) if bound == max(bounds)]
    return np.array([1 / len(tied) if k in tied else 0.0 for k in range(len(bounds))])


def ucb_with_infinity(estimates, counts, c):
    width = np.sqrt(np.log(max(np.sum(counts), 1)) / np.maximum(counts, 1))
    bounds = np.where(counts > 0, estimates + c * width, np.inf)
    return (bounds == bounds.max()) / np.count_nonzero(bounds == bounds.max())


def _greatest(bounds):
    best = bounds == bounds.max()
    return best / best.sum()


def _rule(counts, bounds):
    return _greatest((counts == 0) * 1.0) if np.any(counts == 0) else _greatest(bounds)


def untried_wait(estimates, counts, c):
    tried = np.maximum(counts, 1)
    return _greatest(estimates + c * np.sqrt(np.log(counts.sum()) / tried))


def untried_never(estimates, counts, c):
    width = np.sqrt(np.log(counts.sum()) / np.maximum(counts, 1))
    return _greatest(np.where(counts > 0, estimates + c * width, estimates))


def root_forgotten(estimates, counts, c):
    return _rule(counts, estimates + c * np.log(counts.sum()) / np.maximum(counts, 1))


def arms_for_pulls(estimates, counts, c):
    return _rule(counts, estimates + c * np.sqrt(np.log(len(counts)) / np.maximum(counts, 1)))


def subtracted(estimates, counts, c):
    return _rule(counts, estimates - c * np.sqrt(np.log(counts.sum()) / np.maximum(counts, 1)))


def c_forgotten(estimates, counts, c):
    return _rule(counts, estimates + np.sqrt(np.log(counts.sum()) / np.maximum(counts, 1)))


def log_forgotten(estimates, counts, c):
    return _rule(counts, estimates + c * np.sqrt(counts.sum() / np.maximum(counts, 1)))


def greedy_instead(estimates, counts, c):
    return _rule(counts, estimates)


def first_untried_only(estimates, counts, c):
    if np.any(counts == 0):
        return np.eye(len(counts))[np.argmax(counts == 0)]
    return _greatest(estimates + c * np.sqrt(np.log(counts.sum()) / counts))


def draw(rng):
    """The bounds are all equal but one, a hair above: a width of another form picks another arm."""
    counts, c = rng.integers(1, 40, size=5), float(rng.uniform(0.3, 2.0))
    width = np.array([c * np.sqrt(np.log(float(counts.sum())) / n) for n in counts])
    return 1.0 - width + 1e-3 * np.eye(5)[rng.integers(5)], counts, c


def draw_any(rng):
    """Estimates and counts that have nothing to do with each other: wrong forms differ among themselves."""
    return rng.uniform(size=6), rng.integers(1, 25, size=6), float(rng.uniform(0.2, 1.5))


def draw_untried(rng):
    counts = rng.integers(3, 20, size=5)
    counts[rng.choice(5, size=2, replace=False)] = 0
    high = float(rng.choice([0.1, 4.0]))
    return np.where(counts > 0, high + rng.uniform(size=5), 0.0), counts, float(rng.uniform(0.8, 1.5))


def expected(estimates, counts, c):
    """By comparing arms two by two: an arm is pulled when no other one beats it."""

    def beats(i, j):
        if counts[i] == 0 or counts[j] == 0:
            return counts[i] == 0 and counts[j] != 0
        log_t = np.log(float(sum(counts)))
        return estimates[i] - estimates[j] > c * log_t**0.5 * (counts[j] ** -0.5 - counts[i] ** -0.5)

    arms = range(len(counts))
    unbeaten = [k for k in arms if not any(beats(j, k) for j in arms)]
    return np.array([(k in unbeaten) / len(unbeaten) for k in arms])


RIGHT = {
    "model": ucb,
    "loop": ucb_by_loop,
    "infinity": ucb_with_infinity,
}

QUESTION = Question(
    name="b1-ucb",
    title="Optimism",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="An arm with the greatest Q + c sqrt(log t / m) is pulled, arms never pulled come first. Yours differs.",
    expected=expected,
    parts=(
        Part("close calls", 3, draw, cases=10),
        Part("any table", 2, draw_any, cases=16),
        Part("untried arms", 3, draw_untried, cases=16),
    ),
    right=RIGHT,
    wrong={
        "untried wait": Wrong(
            untried_wait,
            "An arm never pulled counts as pulled once in yours, so it has a bound and waits. It must come first.",
        ),
        "untried never": Wrong(
            untried_never,
            "An arm never pulled gets no width in yours, as if it were known exactly. Nothing is known: it comes first.",
        ),
        "root forgotten": Wrong(
            root_forgotten,
            "The width is the square root of log t / m. Without it, seldom pulled arms are explored far too much.",
        ),
        "arms for pulls": Wrong(
            arms_for_pulls,
            "You took the logarithm of the number of arms. t is the number of pulls so far, the sum of the counts.",
        ),
        "subtracted": Wrong(
            subtracted,
            "You subtracted the width: that is the lower bound, a pessimist's rule, which never tries again what began badly.",
        ),
        "c forgotten": Wrong(
            c_forgotten,
            "The constant c does not enter in yours. It sets how wide the bounds are.",
        ),
        "log forgotten": Wrong(
            log_forgotten,
            "Under the root stands t / m; it should be log t / m. Yours explores nearly all the time.",
        ),
        "greedy instead": Wrong(
            greedy_instead,
            "Once all arms are tried yours is greedy: the width is missing.",
        ),
        "first untried only": Wrong(
            first_untried_only,
            "Of several arms never pulled you always take the first. They are tied and share equally.",
        ),
    },
)
