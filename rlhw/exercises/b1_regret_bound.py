"""Question b1-regret-bound: the constant of Lai and Robbins for arms that pay 0 or 1."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Arm $k$ pays 1 with probability `means[k]`, otherwise 0. Write `regret_bound(means)`: the constant $C$ of Lai and
Robbins, so that no consistent rule's expected regret grows more slowly than $C\log T$. Several arms may be best. Return
one number, in natural logarithms.
"""

STUB = """
def regret_bound(means):
    ...
"""


def regret_bound(means):
    best = means.max()
    worse = means[means < best]
    kl = worse * np.log(worse / best) + (1 - worse) * np.log((1 - worse) / (1 - best))
    return float(np.sum((best - worse) / kl))


def regret_bound_by_loop(means):
    best, total = max(means), 0.0
    for p in means:
        if p == best:
            continue
        kl = p * (math.log(p) - math.log(best)) + (1 - p) * (math.log(1 - p) - math.log(1 - best))
        total += (best - p) / kl
    return total


def regret_bound_by_entropy(means):
    best = np.max(means)
    p = np.asarray([m for m in means if m < best])
    cross = -(p * np.log(best) + (1 - p) * np.log1p(-best))
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    return ((best - p) / (cross - entropy)).sum()


def _kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def _parts(means):
    best = means.max()
    worse = means[means < best]
    return best, worse, best - worse


def other_direction(means):
    best, worse, gap = _parts(means)
    return float(np.sum(gap / _kl(best, worse)))


def pinsker(means):
    _, _, gap = _parts(means)
    return float(np.sum(1 / (2 * gap)))


def gap_forgotten(means):
    best, worse, _ = _parts(means)
    return float(np.sum(1 / _kl(worse, best)))


def gap_inverted(means):
    best, worse, gap = _parts(means)
    return float(np.sum(_kl(worse, best) / gap))


def hardest_only(means):
    best, worse, gap = _parts(means)
    return float(np.max(gap / _kl(worse, best)))


def half_the_divergence(means):
    best, worse, gap = _parts(means)
    return float(np.sum(gap / (worse * np.log(worse / best))))


def in_bits(means):
    best, worse, gap = _parts(means)
    return float(np.sum(gap / _kl(worse, best)) * np.log(2))


def mean_over_arms(means):
    best, worse, gap = _parts(means)
    return float(np.mean(gap / _kl(worse, best)))


def normal_arms(means):
    best, _, gap = _parts(means)
    return float(np.sum(2 * best * (1 - best) / gap))


def division_by_zero(means):
    best = means.max()
    return float(np.sum((best - means) / _kl(means, best)))


def draw(rng):
    return rng.permutation(np.array([0.12, 0.3, 0.47, 0.66, 0.81]) + rng.uniform(-0.05, 0.05, size=5))


def draw_ties(rng):
    means = np.append(rng.uniform(0.1, 0.5, size=3), [0.75, 0.75])
    return rng.permutation(means)


def expected(means):
    """The divergence as an integral: it grows from 0 at q = p with slope (q - p)/(q(1 - q)), by Gauss's rule."""
    best, total = float(max(means)), 0.0
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for p in means:
        if p < best:
            q = p + (best - p) * (nodes + 1) / 2
            divergence = float(weights @ ((q - p) / (q * (1 - q)))) * (best - p) / 2
            total += (best - p) / divergence
    return total


RIGHT = {
    "model": regret_bound,
    "loop": regret_bound_by_loop,
    "entropy": regret_bound_by_entropy,
}

QUESTION = Question(
    name="b1-regret-bound",
    title="How little regret can there be",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="C is the sum over the arms that are not best of gap over KL(arm ‖ best arm). Yours differs.",
    expected=expected,
    parts=(Part("one best arm", 4, lambda rng: (draw(rng),)), Part("two best arms", 4, lambda rng: (draw_ties(rng),))),
    right=RIGHT,
    wrong={
        "other direction": Wrong(
            other_direction,
            "Your divergence is of the best arm from the other. The pulls that tell them apart are of the worse arm, so its law "
            "comes first.",
        ),
        "pinsker": Wrong(
            pinsker,
            "You replaced the divergence by 2Δ². That is never more than the divergence, so your constant is too large.",
        ),
        "gap forgotten": Wrong(
            gap_forgotten,
            "You counted how often wrong arms are pulled. Each of these pulls costs the arm's gap.",
        ),
        "gap inverted": Wrong(
            gap_inverted,
            "The fraction is upside down: arms that are hard to tell from the best one have to be pulled more often.",
        ),
        "hardest only": Wrong(
            hardest_only,
            "You kept the greatest term. Every arm that is not best has to be told from the best, and the costs add up.",
        ),
        "half the divergence": Wrong(
            half_the_divergence,
            "Only the reward 1 enters your divergence. The reward 0 tells the arms apart too.",
        ),
        "in bits": Wrong(
            in_bits,
            "Your logarithms are to base 2. Divergence and log T must be in the same unit, and here it is the natural one.",
        ),
        "mean over arms": Wrong(
            mean_over_arms,
            "You averaged over the arms. The regret adds up what each of them costs.",
        ),
        "normal arms": Wrong(
            normal_arms,
            "That is the constant of normal arms with the best arm's variance. For arms that pay 0 or 1 the divergence is another.",
        ),
        "division by zero": Wrong(
            division_by_zero,
            "The best arm came along, and gave 0/0. It has no gap and owes nothing: leave it out.",
        ),
    },
)
