"""Question b1-epsilon-greedy: the probabilities of ε-greedy, ties included."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Write `epsilon_greedy(estimates, epsilon)`: the probability with which $\epsilon$-greedy pulls each of $K$ arms, an
array of K numbers. With probability $\epsilon$ it draws any arm, all alike; otherwise one of those with the greatest
estimate, all of *these* alike. Worked: for the estimates $(1, 3, 3)$ and $\epsilon = 0.3$ the probabilities are
$(0.1, 0.45, 0.45)$.
"""

STUB = """
def epsilon_greedy(estimates, epsilon):
    ...
"""


def epsilon_greedy(estimates, epsilon):
    best = estimates == estimates.max()
    return epsilon / len(estimates) + (1 - epsilon) * best / best.sum()


def epsilon_greedy_by_loop(estimates, epsilon):
    greatest = max(estimates)
    tied = [k for k in range(len(estimates)) if estimates[k] == greatest]
    probabilities = np.zeros(len(estimates))
    for k in range(len(estimates)):
        probabilities[k] += epsilon / len(estimates)
    for k in tied:
        probabilities[k] += (1 - epsilon) / len(tied)
    return probabilities


def epsilon_greedy_by_mixing(estimates, epsilon):
    greedy = np.where(estimates >= np.max(estimates), 1.0, 0.0)
    uniform = np.ones_like(greedy)
    return (1 - epsilon) * greedy / np.sum(greedy) + epsilon * uniform / np.sum(uniform)


def ties_unshared(estimates, epsilon):
    return epsilon / len(estimates) + (1 - epsilon) * (estimates == estimates.max())


def first_takes_all(estimates, epsilon):
    return epsilon / len(estimates) + (1 - epsilon) * np.eye(len(estimates))[np.argmax(estimates)]


def exchanged(estimates, epsilon):
    best = estimates == estimates.max()
    return (1 - epsilon) / len(estimates) + epsilon * best / best.sum()


def best_not_explored(estimates, epsilon):
    best = estimates == estimates.max()
    others = np.maximum((~best).sum(), 1)
    return np.where(best, (1 - epsilon) / best.sum(), epsilon / others)


def not_divided(estimates, epsilon):
    best = estimates == estimates.max()
    return epsilon + (1 - epsilon) * best / best.sum()


def greedy_only(estimates, epsilon):
    best = estimates == estimates.max()
    return best / best.sum()


def in_proportion(estimates, epsilon):
    return epsilon / len(estimates) + (1 - epsilon) * estimates / estimates.sum()


def rescaled(estimates, epsilon):
    p = epsilon / len(estimates) + (1 - epsilon) * (estimates == estimates.max())
    return p / p.sum()


def least_instead(estimates, epsilon):
    best = estimates == estimates.min()
    return epsilon / len(estimates) + (1 - epsilon) * best / best.sum()


def draw(rng):
    return 1.0 + rng.permutation(5).astype(float), float(rng.uniform(0.1, 0.9))


def draw_ties(rng):
    estimates = rng.choice([0.25, 0.5], size=5)
    estimates[rng.choice(5, size=2, replace=False)] = 0.75
    return estimates, float(rng.uniform(0.1, 0.9))


def expected(estimates, epsilon):
    """By ranking: the places from the first on that are tied share 1 - ε."""
    probabilities = [0.0] * len(estimates)
    order = sorted(range(len(estimates)), key=lambda k: -estimates[k])
    tied = sum(estimates[k] == estimates[order[0]] for k in order)
    for place, arm in enumerate(order):
        probabilities[arm] = epsilon / len(order) + ((1 - epsilon) / tied if place < tied else 0.0)
    return np.array(probabilities)


RIGHT = {
    "model": epsilon_greedy,
    "loop": epsilon_greedy_by_loop,
    "mixing": epsilon_greedy_by_mixing,
}

QUESTION = Question(
    name="b1-epsilon-greedy",
    title="Epsilon-greedy with ties",
    stars=1,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Every arm gets ε/K, and the greatest ones share 1 - ε. Yours differs.",
    expected=expected,
    parts=(Part("one greatest arm", 3, draw), Part("ties", 3, draw_ties)),
    right=RIGHT,
    wrong={
        "ties unshared": Wrong(
            ties_unshared,
            "With ties yours sums to more than 1: each of the greatest arms got the whole 1 - ε. They share it.",
        ),
        "first takes all": Wrong(
            first_takes_all,
            "Of several greatest arms only the first gets the 1 - ε: argmax names one. Look for all that equal the maximum.",
        ),
        "exchanged": Wrong(
            exchanged,
            "ε and 1 - ε have changed places: ε is the probability of drawing any arm, so it is the part that all share.",
        ),
        "best not explored": Wrong(
            best_not_explored,
            "You divided ε among the other arms only. Whoever draws any arm may draw the greatest one too.",
        ),
        "not divided": Wrong(
            not_divided,
            "Every arm gets the whole ε in yours, so the sum exceeds 1. It is divided by the number of arms.",
        ),
        "greedy only": Wrong(
            greedy_only,
            "Yours never explores: ε does not enter. With probability ε any arm may come.",
        ),
        "in proportion": Wrong(
            in_proportion,
            "You shared 1 - ε in proportion to the estimates. Greedy gives nothing to an arm that is not greatest.",
        ),
        "rescaled": Wrong(
            rescaled,
            "You made the sum 1 by dividing at the end, and so the others got less than ε/K. Share only the part 1 - ε.",
        ),
        "least instead": Wrong(
            least_instead,
            "You favour the arm with the least estimate. Rewards are to be large.",
        ),
    },
)
