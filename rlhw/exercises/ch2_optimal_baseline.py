"""Question ch2-optimal-baseline: the best number to subtract."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
The variance of the estimate $(r_y - b)(\mathbf 1_y - p)$ is lowest at $b^* = \mathbb E[r\,|g|^2]/\mathbb E[|g|^2]$,
where $g = \mathbf 1_y - p$ is the score of the sampled arm and $|g|^2$ the sum of its squared components. The first
line gives $p$; finish `optimal_baseline(logits, rewards)`, which returns one number.
"""

STUB = """
def optimal_baseline(logits, rewards):
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    ...
"""


def optimal_baseline(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    scores = np.eye(len(p)) - p
    squares = (scores**2).sum(axis=1)
    return float((p * rewards * squares).sum() / (p * squares).sum())


def optimal_baseline_by_loop(logits, rewards):
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    p = [np.exp(logit - largest) / total for logit in logits]
    above, below = 0.0, 0.0
    for y in range(len(p)):
        square = 0.0
        for k in range(len(p)):
            component = 1.0 - p[k] if k == y else -p[k]
            square += component**2
        above += p[y] * rewards[y] * square
        below += p[y] * square
    return float(above / below)


def optimal_baseline_by_algebra(logits, rewards):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    squares = 1.0 - 2.0 * p + p @ p
    return float(np.average(rewards, weights=p * squares))


def value_function(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return float(p @ rewards)


def plain_mean(logits, rewards):
    return float(np.mean(rewards))


def not_divided(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    squares = ((np.eye(len(p)) - p) ** 2).sum(axis=1)
    return float((p * rewards * squares).sum())


def policy_left_out(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    squares = ((np.eye(len(p)) - p) ** 2).sum(axis=1)
    return float((rewards * squares).sum() / squares.sum())


def norm_not_squared(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    norms = np.sqrt(((np.eye(len(p)) - p) ** 2).sum(axis=1))
    return float((p * rewards * norms).sum() / (p * norms).sum())


def own_component_only(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    squares = (1.0 - p) ** 2
    return float((p * rewards * squares).sum() / (p * squares).sum())


def policy_counted_twice(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    squares = ((np.eye(len(p)) - p) ** 2).sum(axis=1)
    return float((p**2 * rewards * squares).sum() / (p**2 * squares).sum())


def advantages_averaged(logits, rewards):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    squares = ((np.eye(len(p)) - p) ** 2).sum(axis=1)
    return float((p * (rewards - p @ rewards) * squares).sum() / (p * squares).sum())


def draw(rng):
    arms = int(rng.integers(3, 6))
    return rng.standard_normal(arms), rng.standard_normal(arms)


def expected(logits, rewards):
    """The lowest point of the second moment, a parabola in b, from its values at -1, 0 and 1."""
    p = probabilities_of(logits)
    squares = np.array([np.sum((np.arange(len(p)) == y) * (1 - 2 * p) + p**2) for y in range(len(p))])
    left, middle, right = (float(np.sum(p * (rewards - b) ** 2 * squares)) for b in (-1.0, 0.0, 1.0))
    return (left - right) / (2 * (left - 2 * middle + right))


RIGHT = {
    "model": optimal_baseline,
    "loop": optimal_baseline_by_loop,
    "algebra": optimal_baseline_by_algebra,
}

QUESTION = Question(
    name="ch2-optimal-baseline",
    title="The best number to subtract",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="There is a number with a smaller variance than yours.",
    expected=expected,
    parts=(Part("any policy", 8, draw, cases=8),),
    right=RIGHT,
    wrong={
        "value function": Wrong(
            value_function,
            "This is V, the mean reward of the policy. It is a good baseline but not the best: b* listens more to"
            " the arms whose score is long.",
        ),
        "plain mean": Wrong(
            plain_mean,
            "This is the plain mean of the rewards and does not depend on the logits. Both the policy and the "
            "lengths of the scores have a say in b*.",
        ),
        "not divided": Wrong(
            not_divided,
            "This is the upper half of the fraction. Divided by E[|g|²] it becomes a weighted mean of the "
            "rewards, which lies between the smallest and the largest.",
        ),
        "policy left out": Wrong(
            policy_left_out,
            "You summed over the arms as if all were equally likely. Both expectations are under the policy.",
        ),
        "norm not squared": Wrong(
            norm_not_squared,
            "You weighted by the length of the score; b* weighs by its square, because it is a variance that is "
            "made small.",
        ),
        "own component only": Wrong(
            own_component_only,
            "Your |g|² holds only the component of the sampled arm, which is enough for two arms but not for "
            "more. The score has K components, and all their squares are added.",
        ),
        "policy counted twice": Wrong(
            policy_counted_twice,
            "The probabilities enter your weights squared. An expectation multiplies each term by its probability"
            " once.",
        ),
        "advantages averaged": Wrong(
            advantages_averaged,
            "You averaged the advantages r - V, so your number is b* - V: how far the best baseline lies from V. "
            "Average the rewards themselves.",
        ),
    },
)
