"""Question ch5-shift: learned scores beside gold."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
An annotator prefers answer $i$ to answer $j$ of the same prompt with probability $\sigma((r_i - r_j)/\tau)$, where
$r_i$ is the gold reward of answer $i$, $\sigma(\Delta) = 1/(1 + e^{-\Delta})$, and the temperature $\tau$ says how noisy
the annotator is. From such choices a reward model can at best learn $r_i/\tau + c(x)$: gold in other units, and shifted
by a number $c(x)$ that may be another one for each prompt $x$, because it drops out of every comparison.

Measure what is wrong beyond that. Write `compare_with_gold(scores, gold, tau)`, with two arrays of B prompts (rows)
times K answers: bring the scores to the units of gold, take away from each prompt its own mean, of the scores as well
as of gold, and return the root of the mean squared difference over all entries: one number, 0 for a perfect model.
"""

STUB = """
def compare_with_gold(scores, gold, tau):
    ...
"""


def compare_with_gold(scores, gold, tau):
    learned = tau * scores
    learned = learned - learned.mean(axis=1, keepdims=True)
    true = gold - gold.mean(axis=1, keepdims=True)
    return np.sqrt(np.mean((learned - true) ** 2))


def compare_with_gold_by_loop(scores, gold, tau):
    total = 0.0
    for learned, true in zip(scores, gold, strict=True):
        shift = sum(true) / len(true) - tau * sum(learned) / len(learned)
        for score, reward in zip(learned, true, strict=True):
            total += (tau * score + shift - reward) ** 2
    return (total / scores.size) ** 0.5


def compare_with_gold_by_variance(scores, gold, tau):
    return float(np.mean(np.var(tau * scores - gold, axis=1)) ** 0.5)


def compare_with_gold_by_least_squares(scores, gold, tau):
    prompts = np.repeat(np.eye(len(gold)), gold.shape[1], axis=0)
    gap = (gold - tau * scores).ravel()
    shifts = np.linalg.lstsq(prompts, gap, rcond=None)[0]
    return np.linalg.norm(gap - prompts @ shifts) / np.sqrt(gap.size)


def centred(table):
    return table - table.mean(axis=1, keepdims=True)


def root_mean_square(gap):
    return np.sqrt(np.mean(gap**2))


def not_centred(scores, gold, tau):
    return root_mean_square(tau * scores - gold)


def mean_of_everything(scores, gold, tau):
    gap = tau * scores - gold
    return root_mean_square(gap - gap.mean())


def no_temperature(scores, gold, tau):
    return root_mean_square(centred(scores) - centred(gold))


def divided_by_temperature(scores, gold, tau):
    return root_mean_square(centred(scores) / tau - centred(gold))


def units_of_the_scores(scores, gold, tau):
    return root_mean_square(centred(scores) - centred(gold) / tau)


def gold_not_centred(scores, gold, tau):
    return root_mean_square(tau * centred(scores) - gold)


def centred_over_prompts(scores, gold, tau):
    gap = tau * scores - gold
    return root_mean_square(gap - gap.mean(axis=0))


def no_root(scores, gold, tau):
    return np.mean((tau * centred(scores) - centred(gold)) ** 2)


def not_averaged(scores, gold, tau):
    return np.linalg.norm(tau * centred(scores) - centred(gold))


def absolute(scores, gold, tau):
    return np.mean(np.abs(tau * centred(scores) - centred(gold)))


def correlation(scores, gold, tau):
    return np.corrcoef(centred(scores).ravel(), centred(gold).ravel())[0, 1]


def draw(rng):
    """Gold over tau, a large shift for each prompt, and an error that is left when both are undone."""
    shape = int(rng.integers(3, 6)), int(rng.integers(3, 6))
    gold, tau = rng.normal(0.5, 1.2, shape), float(rng.uniform(0.3, 0.8))
    shift = 3.0 * rng.standard_normal((shape[0], 1))
    return gold / tau + shift + rng.standard_normal(shape), gold, tau


def expected(scores, gold, tau):
    """From differences of two answers to one prompt only, as a comparison sees them: no mean is taken away."""
    gap = tau * scores - gold
    squares = [(row[i] - row[j]) ** 2 for row in gap for i in range(len(row)) for j in range(len(row))]
    return float(np.sqrt(np.mean(squares) / 2))


RIGHT = {
    "model": compare_with_gold,
    "loop": compare_with_gold_by_loop,
    "variance": compare_with_gold_by_variance,
    "least squares": compare_with_gold_by_least_squares,
}

QUESTION = Question(
    name="ch5-shift",
    title="Learned scores beside gold",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="A number added to all scores of one prompt must change nothing, and gold/tau must be perfect. Yours differs.",
    expected=expected,
    parts=(Part("any model", 6, draw, cases=8),),
    right=RIGHT,
    wrong={
        "not centred": Wrong(
            not_centred,
            "You left the shifts in. No comparison sees them, so they are no fault of the model, and here they are "
            "most of your number.",
        ),
        "mean of everything": Wrong(
            mean_of_everything,
            "You took away one mean for the whole table. Each prompt may have a shift of its own.",
        ),
        "no temperature": Wrong(
            no_temperature,
            "You compared the scores with gold in different units: a perfect model would not get 0. What does τ do to them?",
        ),
        "divided by temperature": Wrong(
            divided_by_temperature,
            "You divided the scores by τ. They are gold divided by τ already: which way leads back?",
        ),
        "units of the scores": Wrong(
            units_of_the_scores,
            "You brought gold to the units of the scores, so your number is in those units: it is too large by a factor 1/τ.",
        ),
        "gold not centred": Wrong(
            gold_not_centred,
            "You took the means away from the scores only. What is left of gold's own means then counts as an error.",
        ),
        "centred over prompts": Wrong(
            centred_over_prompts,
            "You took the means down the columns. Answer 0 of one prompt has nothing to do with answer 0 of another; the "
            "shift belongs to the prompt, a row.",
        ),
        "no root": Wrong(
            no_root,
            "This is the mean of the squares. Its root was asked for, which has the units of gold.",
        ),
        "not averaged": Wrong(
            not_averaged,
            "You took the root of the sum of the squares. It grows with the number of answers that are compared; take the mean.",
        ),
        "absolute": Wrong(
            absolute,
            "You averaged the absolute differences. The root of the mean square was asked for: it counts large errors more.",
        ),
        "correlation": Wrong(
            correlation,
            "This is a correlation: it is 1 for a perfect model, and it does not notice scores that are stretched by any "
            "factor. A distance was asked for.",
        ),
    },
)
