"""Question hw2-dpo-loss: DPO for labels of which some are wrong, with its gradient."""

import numpy as np

from rlhw.exercises.forms import all_close, as_lists, recipes
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient

TEXT = r"""
In each of N comparisons $y_+$ was chosen and $y_-$ rejected, but people slip: suppose that a label is the wrong way round
with probability $\epsilon$, known and below $\frac12$. DPO's loss with *label smoothing* then believes the label with
weight $1 - \epsilon$ and its opposite with weight $\epsilon$. With the margin

$\Delta = \beta_{\text{DPO}}\log\frac{\pi(y_+\mid x)}{\pi_{\text{ref}}(y_+\mid x)} -
\beta_{\text{DPO}}\log\frac{\pi(y_-\mid x)}{\pi_{\text{ref}}(y_-\mid x)}$ and $\sigma(\Delta) = 1/(1 + e^{-\Delta})$

it is, on one comparison, $-(1 - \epsilon)\log\sigma(\Delta) - \epsilon\log\sigma(-\Delta)$, in nats.

Write `dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing)`. The first two arrays hold the N
log-probabilities (not probabilities) of the answers under the policy, the next two those under the reference; `beta` is
$\beta_{\text{DPO}}$ and `smoothing` is $\epsilon$. Return three things: the mean of the losses, and the gradients of that
mean with respect to `chosen` and to `rejected`, two arrays of N numbers. All must also be right where the margin is a
thousand, of either sign.

Before you write: at which margin is the gradient 0?

Worked: N = 1, all log-probabilities -1, $\beta_{\text{DPO}} = 0.5$, $\epsilon = 0.1$: the loss is $\log 2$, the gradients
are -0.2 and 0.2.
"""

STUB = """
def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    ...
    return loss, chosen_gradient, rejected_gradient
"""


def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    margin = beta * (chosen - ref_chosen) - beta * (rejected - ref_rejected)
    losses = (1 - smoothing) * np.logaddexp(0.0, -margin) + smoothing * np.logaddexp(0.0, margin)
    # The probability that the policy gives to the label, by its logarithm, less the weight that the label has.
    excess = np.exp(-np.logaddexp(0.0, -margin)) - (1 - smoothing)
    gradient = beta * excess / len(margin)
    return losses.mean(), gradient, -gradient


def dpo_loss_by_loop(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    import math

    total, up, down = 0.0, [], []
    for a, b, ref_a, ref_b in zip(chosen, rejected, ref_chosen, ref_rejected, strict=True):
        margin = beta * ((a - b) - (ref_a - ref_b))
        small = math.exp(-abs(margin))
        for weight, signed in ((1 - smoothing, margin), (smoothing, -margin)):
            total += weight * (max(-signed, 0.0) + math.log1p(small))
        wins = 1 / (1 + small) if margin > 0 else small / (1 + small)
        up.append(beta * (wins - 1 + smoothing) / len(chosen))
        down.append(-up[-1])
    return total / len(chosen), up, down


def dpo_loss_by_softmax_of_two(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    rewards = beta * np.stack([chosen - ref_chosen, rejected - ref_rejected], axis=1)
    log_p = rewards - np.logaddexp.reduce(rewards, axis=1, keepdims=True)
    target = np.array([1 - smoothing, smoothing])
    gradient = beta * (np.exp(log_p) - target) / len(chosen)
    return [-(log_p @ target).mean(), gradient[:, 0], gradient[:, 1]]


def margin_of(chosen, rejected, ref_chosen, ref_rejected, beta):
    return beta * ((chosen - ref_chosen) - (rejected - ref_rejected))


def margin_by_difference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return beta * (chosen - rejected) - beta * (ref_chosen - ref_rejected)


def surprise(margin):
    return np.logaddexp(0.0, -margin)


def sigma(margin):
    return np.exp(-surprise(margin))


def two_terms(margin, smoothing):
    return (1 - smoothing) * surprise(margin) + smoothing * surprise(-margin)


def one_term_and_slope(margin, smoothing):
    return surprise(margin) + smoothing * margin


def residual(margin, smoothing):
    return sigma(margin) - (1 - smoothing)


def by_tanh(margin, smoothing):
    return smoothing - (1 - np.tanh(margin / 2)) / 2


def two_pulls(margin, smoothing):
    return smoothing * sigma(margin) - (1 - smoothing) * sigma(-margin)


def opposite(pull, beta):
    return beta * pull, -beta * pull


def variant(margin=margin_of, losses=two_terms, pull=residual, spread=opposite, mean=np.mean):
    """Loss and gradients in steps, each of which is done in several ways, right or wrong."""

    def answer(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
        gap = margin(chosen, rejected, ref_chosen, ref_rejected, beta)
        weight = 1.0 if mean is np.sum else 1.0 / len(gap)
        return mean(losses(gap, smoothing)), *spread(pull(gap, smoothing) * weight, beta)

    return answer


def robust(margin, smoothing):
    return ((1 - smoothing) * surprise(margin) - smoothing * surprise(-margin)) / (1 - 2 * smoothing)


def robust_pull(margin, smoothing):
    return -((1 - smoothing) * sigma(-margin) + smoothing * sigma(margin)) / (1 - 2 * smoothing)


def naive(margin):
    return 1 / (1 + np.exp(-margin))


def draw(rng, smooth):
    """Margins of a few units of either sign; β and ε far from 0, 1 and each other."""
    n = int(rng.integers(4, 7))
    logprobs = -rng.uniform(5.0, 12.0, (4, n))
    return *logprobs, float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.1, 0.25)) if smooth else 0.0


def draw_large(rng):
    chosen, rejected, ref_chosen, ref_rejected, beta, smoothing = draw(rng, True)
    signs = rng.permutation(np.resize([1.0, -1.0], len(chosen)))
    far = signs * rng.uniform(900.0, 1100.0, len(chosen)) / beta
    return chosen - np.maximum(-far, 0.0), rejected - np.maximum(far, 0.0), ref_chosen, ref_rejected, beta, smoothing


def expected(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    """The cross-entropy of two outcomes, each with its part of e^reward, in extended precision; gradients by differences."""

    def mean_loss(a, b):
        a, b = beta * (a.astype(np.longdouble) - ref_chosen), beta * (b.astype(np.longdouble) - ref_rejected)
        both = np.logaddexp(a, b)
        return float(((1 - smoothing) * (both - a) + smoothing * (both - b)).mean())

    # Losses of a thousand are rounded at 1e-13: a step of 1e-4 keeps the quotient right to 1e-9.
    return (
        mean_loss(chosen, rejected),
        numerical_gradient(lambda moved: mean_loss(moved, rejected), chosen, step=1e-4),
        numerical_gradient(lambda moved: mean_loss(chosen, moved), rejected, step=1e-4),
    )


RIGHT = {
    "model": dpo_loss,
    "loop": dpo_loss_by_loop,
    "softmax of two": dpo_loss_by_softmax_of_two,
    **recipes(
        variant,
        {"log-ratios": margin_of, "differences": margin_by_difference},
        {"two terms": two_terms, "one term": one_term_and_slope},
        {"residual": residual, "tanh": by_tanh, "two pulls": two_pulls},
    ),
    "as lists": as_lists(dpo_loss),
}

QUESTION = Question(
    name="hw2-dpo-loss",
    title="DPO for labels that may be wrong",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (mean of -(1 - ε) log σ(Δ) - ε log σ(-Δ), its gradient with respect to the chosen log-probabilities, that "
        "with respect to the rejected ones, which is the opposite). Yours differs."
    ),
    expected=expected,
    parts=(
        Part("no smoothing", 3, lambda rng: draw(rng, False)),
        Part("smoothing", 3, lambda rng: draw(rng, True)),
        Part("margins of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "swapped": Wrong(
            variant(
                margin=lambda a, b, ref_a, ref_b, beta: -margin_of(a, b, ref_a, ref_b, beta),
                spread=lambda p, beta: (-beta * p, beta * p),
            ),
            "Winner and loser are exchanged, or the two weights are, which is the same: training would learn the opposite.",
        ),
        "gradients exchanged": Wrong(
            variant(spread=lambda pull, beta: (-beta * pull, beta * pull)),
            "Your loss is right, and your gradients are those of each other: what does the loss do when the chosen answer "
            "becomes more likely?",
        ),
        "gradients alike": Wrong(
            variant(spread=lambda pull, beta: (beta * pull, beta * pull)),
            "Both gradients have the same sign. Only the difference of the two log-probabilities counts.",
        ),
        "gradient without beta": Wrong(
            variant(spread=lambda pull, beta: (pull, -pull)),
            "Your loss is right. In the gradients β is missing: the chain rule brings it down from the margin.",
        ),
        "gradient of the sum": Wrong(
            variant(
                spread=lambda pull, beta: opposite(pull, beta), pull=lambda margin, e: residual(margin, e) * len(margin)
            ),
            "Your loss is a mean, and your gradients are those of the sum: divide them by the number of comparisons.",
        ),
        "summed": Wrong(
            variant(mean=np.sum),
            "You added the losses up. The mean was asked for, so that nothing grows with the number of comparisons.",
        ),
        "own probability": Wrong(
            variant(pull=lambda margin, e: -(1 - e) * sigma(margin) + e * sigma(-margin)),
            "Your gradient is large for comparisons that are learned, and small for those that are wrong. Which sigmoid "
            "does the derivative of -log σ(Δ) hold?",
        ),
        "no reference": Wrong(
            variant(margin=lambda a, b, ref_a, ref_b, beta: beta * (a - b)),
            "The reference has no part in your margin.",
        ),
        "reference added": Wrong(
            variant(margin=lambda a, b, ref_a, ref_b, beta: beta * ((a - b) + (ref_a - ref_b))),
            "You added the reference's log-probabilities. The logarithm of a ratio is a difference.",
        ),
        "beta on the policy only": Wrong(
            variant(margin=lambda a, b, ref_a, ref_b, beta: beta * (a - b) - (ref_a - ref_b)),
            "You multiplied the policy's log-probabilities by β and not the reference's.",
        ),
        "smoothing ignored": Wrong(
            variant(losses=lambda margin, e: surprise(margin), pull=lambda margin, e: -sigma(-margin)),
            "ε has no part in your result. A label that may be wrong pulls less, and pushes back when it is believed too much.",
        ),
        "smoothing in the loss only": Wrong(
            variant(pull=lambda margin, e: -sigma(-margin)),
            "Your loss is right, and your gradients are those without smoothing.",
        ),
        "one term in the gradient": Wrong(
            variant(pull=lambda margin, e: -(1 - e) * sigma(-margin)),
            "Your loss is right. In the gradients its second term is missing: ε log σ(-Δ) moves with the margin too.",
        ),
        "robust": Wrong(
            variant(losses=robust, pull=robust_pull),
            "You subtracted the opposite and divided by 1 - 2ε. That is another loss (robust DPO), which undoes the wrong "
            "labels in the mean; label smoothing adds the opposite.",
        ),
        "smoothed probability": Wrong(
            variant(
                losses=lambda margin, e: -np.log((1 - e) * sigma(margin) + e * sigma(-margin)),
                pull=lambda margin, e: (
                    -(1 - 2 * e) * sigma(margin) * sigma(-margin) / ((1 - e) * sigma(margin) + e * sigma(-margin))
                ),
            ),
            "You took the logarithm of a mixture of the two probabilities. Label smoothing mixes the two losses, after the "
            "logarithm.",
        ),
        "half of epsilon": Wrong(
            variant(losses=lambda margin, e: two_terms(margin, e / 2), pull=lambda margin, e: residual(margin, e / 2)),
            "You gave the opposite the weight ε/2, as where ε is shared among both outcomes. Here the opposite gets all of ε.",
        ),
        "overflows": Wrong(
            variant(
                losses=lambda margin, e: -(1 - e) * np.log(naive(margin)) - e * np.log(naive(-margin)),
                pull=lambda margin, e: naive(margin) - (1 - e),
            ),
            "Right for ordinary margins. At a thousand a sigmoid is rounded to 0 before its logarithm is taken. Which "
            "function of numpy adds exponentials in logarithms?",
        ),
    },
    agrees=all_close,
)
