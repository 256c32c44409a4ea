"""Question ch3-one-update: one update for cloning and REINFORCE."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import log_probabilities_of, numerical_gradient

TEXT = r"""
Cloning and REINFORCE climb the same expression, $\frac1N\sum_n w_n\log p_{y_n}$, where $p$ is the softmax of the
logits. In cloning the answers $y_n$ are the teacher's and each weight $w_n$ is 1; in REINFORCE they are the policy's
own and $w_n$ is the reward minus a baseline, so it may have either sign. The weights are numbers: they are not
differentiated.

Write `update(logits, answers, weights)`, which serves both. `logits` are K numbers, `answers` are N integers counted
from 0 (the same one may come several times), `weights` are N numbers. Return the gradient of the expression with
respect to the logits: an array of K numbers.
"""

STUB = """
def update(logits, answers, weights):
    ...
"""


def update(logits, answers, weights):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    scores = np.eye(len(p))[answers] - p
    return (weights[:, None] * scores).mean(axis=0)


def update_by_loop(logits, answers, weights):
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    gradient = np.zeros(len(logits))
    for n in range(len(answers)):
        for k in range(len(logits)):
            happened = 1.0 if answers[n] == k else 0.0
            gradient[k] += weights[n] * (happened - np.exp(logits[k] - largest) / total)
    return gradient / len(answers)


def update_by_counting(logits, answers, weights):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    weight_of = np.bincount(answers, weights=weights, minlength=len(p))
    return (weight_of - weight_of.sum() * p) / len(answers)


def softmax(logits):
    p = np.exp(logits - np.max(logits))
    return p / p.sum()


def scores_of(logits, answers):
    p = softmax(logits)
    return np.eye(len(p))[answers] - p


def descending(logits, answers, weights):
    return -(weights[:, None] * scores_of(logits, answers)).mean(axis=0)


def summed(logits, answers, weights):
    return (weights[:, None] * scores_of(logits, answers)).sum(axis=0)


def divided_by_weights(logits, answers, weights):
    return (weights[:, None] * scores_of(logits, answers)).sum(axis=0) / weights.sum()


def weights_forgotten(logits, answers, weights):
    return scores_of(logits, answers).mean(axis=0)


def policy_not_weighted(logits, answers, weights):
    p = softmax(logits)
    return (weights[:, None] * np.eye(len(p))[answers]).mean(axis=0) - p


def means_multiplied(logits, answers, weights):
    return weights.mean() * scores_of(logits, answers).mean(axis=0)


def logarithm_left_out(logits, answers, weights):
    p = softmax(logits)
    return ((weights * p[answers])[:, None] * scores_of(logits, answers)).mean(axis=0)


def mean_weight_subtracted(logits, answers, weights):
    return ((weights - weights.mean())[:, None] * scores_of(logits, answers)).mean(axis=0)


def repeats_lost(logits, answers, weights):
    p = softmax(logits)
    gradient = -weights.mean() * p
    gradient[answers] += weights / len(answers)
    return gradient


def own_arm_only(logits, answers, weights):
    p = softmax(logits)
    return (weights[:, None] * np.eye(len(p))[answers] * (1.0 - p)).mean(axis=0)


def value_returned(logits, answers, weights):
    return float((weights * np.log(softmax(logits)[answers])).mean())


def one_row_each(logits, answers, weights):
    return weights[:, None] * scores_of(logits, answers)


def draw(rng):
    # More answers than arms: one of them comes at least twice.
    arms, samples = int(rng.integers(3, 6)), int(rng.integers(7, 13))
    return rng.standard_normal(arms), rng.integers(arms, size=samples), rng.normal(0.5, 1.0, size=samples)


def draw_cloning(rng):
    logits, answers, _ = draw(rng)
    return logits, answers, np.ones(len(answers))


def expected(logits, answers, weights):
    return numerical_gradient(lambda z: float(np.mean(weights * log_probabilities_of(z)[answers])), logits)


RIGHT = {
    "model": update,
    "loop": update_by_loop,
    "counting": update_by_counting,
}

QUESTION = Question(
    name="ch3-one-update",
    title="One update for cloning and REINFORCE",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The update is the mean over the answers of weight times score: K numbers that sum to zero. Yours differs.",
    expected=expected,
    parts=(
        Part("cloning: weights of one", 3, draw_cloning),
        Part("REINFORCE: weights of any sign", 5, draw),
    ),
    right=RIGHT,
    wrong={
        "descending": Wrong(
            descending,
            "This is the gradient of a loss. An answer with a positive weight is to become more likely, and your "
            "step makes it less so.",
        ),
        "summed": Wrong(
            summed,
            "You have the sum over the N answers. The expression has 1/N in front: a batch twice as large must "
            "not take a step twice as long.",
        ),
        "divided by weights": Wrong(
            divided_by_weights,
            "Right for weights of one. But with others you divided by their sum, and where good and bad answers "
            "balance that is a division by almost nothing, or turns the step round.",
        ),
        "weights forgotten": Wrong(
            weights_forgotten,
            "This is cloning: right where all weights are one. With a reward, a bad answer must not be pushed like"
            " a good one.",
        ),
        "policy not weighted": Wrong(
            policy_not_weighted,
            "The weight reaches what happened, but not what was expected. It multiplies the whole score; only "
            "with weights of one do you not see the difference.",
        ),
        "means multiplied": Wrong(
            means_multiplied,
            "You multiplied the mean weight by the mean score. The mean of a product is another number: each "
            "answer's weight belongs to its own score.",
        ),
        "logarithm left out": Wrong(
            logarithm_left_out,
            "Each score carries a factor p_y too much: that is the gradient of weight times probability, without "
            "the logarithm.",
        ),
        "mean weight subtracted": Wrong(
            mean_weight_subtracted,
            "You took the mean of the weights off. The baseline is already inside them; and in cloning, where all "
            "are equal, nothing is left to learn from.",
        ),
        "repeats lost": Wrong(
            repeats_lost,
            "An answer that comes several times counts once. In numpy `a[indices] += values` keeps only the last "
            "of the values that fall on the same index.",
        ),
        "own arm only": Wrong(
            own_arm_only,
            "Each answer moved only its own logit. Its score has K components: the other logits move too.",
        ),
        "value returned": Wrong(
            value_returned,
            "This is the value of the expression, one number. Its gradient was asked for: one number for each logit.",
        ),
        "one row each": Wrong(
            one_row_each,
            "You have one row for each answer. The update is one step: the rows have still to be averaged.",
        ),
    },
)
