"""Question ch2-variance: the variance of an estimate."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
Compute exactly, by a sum over the arms and not by sampling, the total variance of the one-sample estimate $(r_y -
b)(\mathbf 1_y - p)$ with $y\sim p$: the sum over its components of their variances. Write
`estimate_variance(logits, rewards, baseline)`; return one number.
"""

STUB = """
def estimate_variance(logits, rewards, baseline):
    ...
"""


def estimate_variance(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    scores = np.eye(len(p)) - p
    estimates = (rewards - baseline)[:, None] * scores
    mean = p @ estimates
    return float(p @ ((estimates - mean) ** 2).sum(axis=1))


def estimate_variance_by_loop(logits, rewards, baseline):
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    p = [np.exp(logit - largest) / total for logit in logits]
    variance = 0.0
    for k in range(len(p)):
        first, second = 0.0, 0.0
        for y in range(len(p)):
            component = (rewards[y] - baseline) * ((1.0 if k == y else 0.0) - p[k])
            first += p[y] * component
            second += p[y] * component**2
        variance += second - first**2
    return float(variance)


def estimate_variance_by_algebra(logits, rewards, baseline):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    squares = 1.0 - 2.0 * p + p @ p
    gradient = p * (rewards - p @ rewards)
    return float((p * (rewards - baseline) ** 2) @ squares - gradient @ gradient)


def second_moment(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    return float(p @ (estimates**2).sum(axis=1))


def first_component_only(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    mean = p @ estimates
    return float((p @ (estimates - mean) ** 2)[0])


def baseline_ignored(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = rewards[:, None] * (np.eye(len(p)) - p)
    mean = p @ estimates
    return float(p @ ((estimates - mean) ** 2).sum(axis=1))


def arms_equally_weighted(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    return float(estimates.var(axis=0).sum())


def arms_as_a_sample(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    return float(estimates.var(axis=0, ddof=1).sum())


def components_averaged(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    mean = p @ estimates
    return float((p @ (estimates - mean) ** 2).mean())


def score_left_out(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    weights = rewards - baseline
    return float(p @ (weights - p @ weights) ** 2)


def standard_deviation(logits, rewards, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    estimates = (rewards - baseline)[:, None] * (np.eye(len(p)) - p)
    mean = p @ estimates
    return float(np.sqrt(p @ ((estimates - mean) ** 2).sum(axis=1)))


def draw(rng):
    arms = int(rng.integers(3, 6))
    return rng.standard_normal(arms), rng.standard_normal(arms), float(rng.normal())


def expected(logits, rewards, baseline):
    """Half the expected squared distance of two independent estimates: the same number without any mean."""
    p = probabilities_of(logits)
    rows = [(rewards[y] - baseline) * ((np.arange(len(p)) == y) - p) for y in range(len(p))]
    pairs = [(p[i] * p[j], rows[i] - rows[j]) for i in range(len(p)) for j in range(len(p))]
    return float(sum(weight * np.sum(gap**2) for weight, gap in pairs) / 2)


RIGHT = {
    "model": estimate_variance,
    "loop": estimate_variance_by_loop,
    "algebra": estimate_variance_by_algebra,
}

QUESTION = Question(
    name="ch2-variance",
    title="The variance of an estimate",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The total variance is the expected squared distance of the estimate from its mean, over all components. Yours differs.",
    expected=expected,
    parts=(Part("any policy and baseline", 8, draw, cases=8),),
    right=RIGHT,
    wrong={
        "second moment": Wrong(
            second_moment,
            "This is the mean of the squared length. The variance is measured from the mean of the estimate, "
            "which is the gradient and not 0.",
        ),
        "first component only": Wrong(
            first_component_only,
            "This is the variance of the first component alone. The total variance adds those of all K components.",
        ),
        "baseline ignored": Wrong(
            baseline_ignored,
            "Your number is the same for every baseline. The mean of the estimate does not depend on it, but the "
            "variance does: that is what a baseline is for.",
        ),
        "arms equally weighted": Wrong(
            arms_equally_weighted,
            "You took the variance over the arms as if each came equally often. The policy draws them with its "
            "own probabilities, in the mean and in the squares.",
        ),
        "arms as a sample": Wrong(
            arms_as_a_sample,
            "You treated the K arms as a sample of equal weights and divided by K - 1. Nothing is estimated here:"
            " the probabilities are known, and they are the weights.",
        ),
        "components averaged": Wrong(
            components_averaged,
            "You averaged over the components; the total variance is their sum. Yours is too small by the factor K.",
        ),
        "score left out": Wrong(
            score_left_out,
            "This is the variance of the reward. The estimate is the weight times the score, a vector, and the "
            "score varies with the arm too.",
        ),
        "standard deviation": Wrong(
            standard_deviation,
            "You took a square root at the end: that is a standard deviation. The question asks for the variance.",
        ),
    },
)
