"""Question ch5-bayes: how much of what can be known."""

import itertools
import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
An annotator whose law we know prefers the first answer of pair $n$ with probability $p_n$. No model can foresee every
choice. The best it can do is to name for each pair the answer that is more likely to be preferred; the accuracy that
this reaches on average, over all pairs, is the *Bayes accuracy*. A coin reaches $\frac12$.

A reward model has the pair accuracy `accuracy`. Finish `share_of_bayes(probabilities, accuracy)`: `probabilities` is
the array of the $p_n$. Return two numbers: the Bayes accuracy, and how far the model has come on the way from the
coin (share 0) to the Bayes accuracy (share 1).
"""

STUB = """
def share_of_bayes(probabilities, accuracy):
    other = 1 - probabilities  # the second answer is preferred
    ...
"""


def share_of_bayes(probabilities, accuracy):
    other = 1 - probabilities
    bayes = np.maximum(probabilities, other).mean()
    return bayes, (accuracy - 0.5) / (bayes - 0.5)


def share_of_bayes_by_loop(probabilities, accuracy):
    total = 0.0
    for p in probabilities:
        total += p if p > 0.5 else 1.0 - p
    bayes = total / len(probabilities)
    return [bayes, (2.0 * accuracy - 1.0) / (2.0 * bayes - 1.0)]


def share_of_bayes_by_distance(probabilities, accuracy):
    lead = np.mean(np.abs(probabilities - 0.5))
    return np.array([0.5 + lead, (accuracy - 0.5) / lead])


def share(accuracy, bayes):
    return bayes, (accuracy - 0.5) / (bayes - 0.5)


def mean_before_maximum(probabilities, accuracy):
    mean = probabilities.mean()
    return share(accuracy, max(mean, 1.0 - mean))


def always_the_first(probabilities, accuracy):
    return share(accuracy, probabilities.mean())


def two_annotators(probabilities, accuracy):
    return share(accuracy, (probabilities**2 + (1.0 - probabilities) ** 2).mean())


def always_the_less_likely(probabilities, accuracy):
    return share(accuracy, np.minimum(probabilities, 1.0 - probabilities).mean())


def median(probabilities, accuracy):
    return share(accuracy, np.median(np.maximum(probabilities, 1.0 - probabilities)))


def surest_pair(probabilities, accuracy):
    return share(accuracy, np.maximum(probabilities, 1.0 - probabilities).max())


def quotient(probabilities, accuracy):
    bayes = np.maximum(probabilities, 1.0 - probabilities).mean()
    return bayes, accuracy / bayes


def difference(probabilities, accuracy):
    bayes = np.maximum(probabilities, 1.0 - probabilities).mean()
    return bayes, bayes - accuracy


def share_of_certainty(probabilities, accuracy):
    return np.maximum(probabilities, 1.0 - probabilities).mean(), (accuracy - 0.5) / (1.0 - 0.5)


def draw(rng):
    """Each answer is likelier in some pair; the second one on the whole, so that 1 - mean(p) is not mean(p) by another name."""
    probabilities = rng.uniform(0.03, 0.97, int(rng.integers(5, 9)))
    probabilities[:2] = rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.9)
    if probabilities.mean() > 0.5:
        probabilities = 1.0 - probabilities
    return probabilities, float(rng.uniform(0.55, 0.7))


def expected(probabilities, accuracy):
    """The best of all 2^N rules that name an answer for each pair; the share by the line through (coin, 0) and (best, 1)."""
    rules = itertools.product((True, False), repeat=len(probabilities))
    right = (math.fsum(p if first else 1.0 - p for p, first in zip(probabilities, rule, strict=True)) for rule in rules)
    best = max(right) / len(probabilities)
    slope, start = np.linalg.solve([[0.5, 1.0], [best, 1.0]], [0.0, 1.0])
    return best, slope * accuracy + start


RIGHT = {
    "model": share_of_bayes,
    "loop, as a list": share_of_bayes_by_loop,
    "distance from one half, as an array": share_of_bayes_by_distance,
}

QUESTION = Question(
    name="ch5-bayes",
    title="How much of what can be known",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (what the best guess for each pair reaches on average, how far the accuracy has come from one half to "
        "that). Yours differs."
    ),
    expected=expected,
    parts=(Part("any annotator", 6, draw, cases=8),),
    right=RIGHT,
    wrong={
        "mean before maximum": Wrong(
            mean_before_maximum,
            "You took the mean first and the larger side afterwards: that is the best rule that gives the same answer for "
            "all pairs. The best rule decides for each pair.",
        ),
        "always the first": Wrong(
            always_the_first,
            "Your Bayes accuracy is the mean of p: what is reached by naming the first answer of every pair, also where "
            "the second is more likely.",
        ),
        "two annotators": Wrong(
            two_annotators,
            "This is how often two such annotators agree with each other. The best rule does not draw its answer: it "
            "always names the likelier one.",
        ),
        "always the less likely": Wrong(
            always_the_less_likely,
            "You have the error of the best rule, not its accuracy: it lies below one half.",
        ),
        "median": Wrong(
            median,
            "You took the median over the pairs. An accuracy counts right answers: it is the mean.",
        ),
        "surest pair": Wrong(
            surest_pair,
            "You took the pair of which the annotator is surest. The accuracy is one over all pairs.",
        ),
        "quotient": Wrong(
            quotient,
            "Your Bayes accuracy is right. But a coin would get a share of more than one half by your quotient, and it "
            "should get 0.",
        ),
        "difference": Wrong(
            difference,
            "Your Bayes accuracy is right. Your second number is how much is missing; the share says how much of the way is done.",
        ),
        "share of certainty": Wrong(
            share_of_certainty,
            "Your Bayes accuracy is right, but your share does not use it: you measured the way up to an accuracy of 1, "
            "which nobody can reach.",
        ),
    },
)
