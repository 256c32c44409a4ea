"""Question ch7-dpo-gradient: how DPO pulls at the two answers."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient

TEXT = r"""
DPO's loss on a comparison is $-\log\sigma(\Delta)$ with the margin

$\Delta = \beta_{\text{DPO}}\log\frac{\pi(y_+\mid x)}{\pi_{\text{ref}}(y_+\mid x)} -
\beta_{\text{DPO}}\log\frac{\pi(y_-\mid x)}{\pi_{\text{ref}}(y_-\mid x)}, \qquad \sigma(\Delta) = \frac1{1 +
e^{-\Delta}}.$

Take $\log\pi(y_+\mid x)$ and $\log\pi(y_-\mid x)$ for two numbers that can be moved freely. Differentiate the loss with
respect to each, with pencil and paper, and write `dpo_gradient(chosen, rejected, ref_chosen, ref_rejected, beta)`. The
first two arrays hold the two log-probabilities of N comparisons, the next two those under the reference, and `beta` is
$\beta_{\text{DPO}}$. Return two arrays of N numbers: the derivative of each comparison's loss with respect to its
chosen log-probability, and that with respect to its rejected one. Both must also be right where the margin is a
thousand, of either sign.

Before you write: what are the signs, and for which comparisons are the numbers large?
"""

STUB = """
def dpo_gradient(chosen, rejected, ref_chosen, ref_rejected, beta):
    margin = beta * (chosen - ref_chosen) - beta * (rejected - ref_rejected)
    ...
"""


def dpo_gradient(chosen, rejected, ref_chosen, ref_rejected, beta):
    margin = beta * (chosen - ref_chosen) - beta * (rejected - ref_rejected)
    # sigma(-margin), the probability of the other choice, by its logarithm.
    other_choice = np.exp(-np.logaddexp(0.0, margin))
    return -beta * other_choice, beta * other_choice


def dpo_gradient_by_softmax_of_two(chosen, rejected, ref_chosen, ref_rejected, beta):
    rewards = beta * np.stack([chosen - ref_chosen, rejected - ref_rejected])
    weights = np.exp(rewards - rewards.max(axis=0))
    return beta * (weights / weights.sum(axis=0) - np.array([[1.0], [0.0]]))


def dpo_gradient_by_tanh(chosen, rejected, ref_chosen, ref_rejected, beta):
    pulls = []
    for row in zip(chosen, rejected, ref_chosen, ref_rejected, strict=True):
        a, b, ref_a, ref_b = map(float, row)
        pulls.append(beta / 2 * (1 - np.tanh(beta / 2 * (a - ref_a - b + ref_b))))
    return [[-pull for pull in pulls], pulls]


def sigma(margin):
    return np.exp(-np.logaddexp(0.0, -margin))


def pulling(pull):
    """Minus and plus a number that depends on the margin and on β."""

    def answer(chosen, rejected, ref_chosen, ref_rejected, beta):
        size = pull((chosen - ref_chosen) - (rejected - ref_rejected), beta)
        return -size, size

    return answer


def no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    size = beta * sigma(-beta * (chosen - rejected))
    return -size, size


def turned_round(*arguments):
    down, up = dpo_gradient(*arguments)
    return up, down


def both_down(*arguments):
    down, _ = dpo_gradient(*arguments)
    return down, down.copy()


def both_up(*arguments):
    _, up = dpo_gradient(*arguments)
    return up, up.copy()


def rejected_left_alone(*arguments):
    down, up = dpo_gradient(*arguments)
    return down, np.zeros_like(up)


def each_by_itself(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -beta * sigma(-beta * (chosen - ref_chosen)), beta * sigma(beta * (rejected - ref_rejected))


def of_the_mean(*arguments):
    down, up = dpo_gradient(*arguments)
    return down / len(down), up / len(up)


def of_the_probabilities(chosen, rejected, ref_chosen, ref_rejected, beta):
    down, up = dpo_gradient(chosen, rejected, ref_chosen, ref_rejected, beta)
    return down / np.exp(chosen), up / np.exp(rejected)


def draw(rng):
    """Margins at least 0.3 from 0, half of them on the wrong side. Both answers have become likelier, and the references
    of the two differ: leaving one of the four out shows."""
    count, beta = int(rng.integers(4, 8)), float(rng.uniform(0.2, 0.6))
    signs = rng.permutation(np.resize([1.0, -1.0], count))
    ref_chosen = -rng.uniform(4.0, 8.0, count)
    ref_rejected = ref_chosen - rng.choice([-1.0, 1.0], count) * rng.uniform(0.5, 1.5, count)
    common = rng.uniform(0.3, 0.8, count)
    margin = signs * rng.uniform(0.3, 1.5, count) / beta
    return ref_chosen + common + margin / 2, ref_rejected + common - margin / 2, ref_chosen, ref_rejected, beta


def draw_large(rng):
    """Margins of a thousand, at least one of either sign."""
    chosen, rejected, ref_chosen, ref_rejected, beta = draw(rng)
    ahead = (chosen - ref_chosen) > (rejected - ref_rejected)
    far = rng.uniform(800.0, 1200.0, len(chosen)) / beta
    return chosen - np.where(ahead, 0.0, far), rejected - np.where(ahead, far, 0.0), ref_chosen, ref_rejected, beta


def expected(chosen, rejected, ref_chosen, ref_rejected, beta):
    """Central differences of the loss, the surprise of a softmax of two rewards, in extended precision."""

    def total(logprobs):
        wide = logprobs.astype(np.longdouble) - np.stack([ref_chosen, ref_rejected])
        return float(sum(np.logaddexp(*pair) - pair[0] for pair in (beta * wide).T))

    # A comparison's loss depends on its own two numbers only, so that the sum has the gradients of all.
    return numerical_gradient(total, np.stack([chosen, rejected]), step=1e-5)


RIGHT = {
    "model": dpo_gradient,
    "softmax of two rewards, as one array": dpo_gradient_by_softmax_of_two,
    "loop with tanh, as lists": dpo_gradient_by_tanh,
}

QUESTION = Question(
    name="ch7-dpo-gradient",
    title="How DPO pulls",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return two arrays: the derivatives with respect to the chosen and to the rejected log-probability, by the "
        "chain rule: -log σ, then the margin. Yours differ; move one number a little and look at the loss."
    ),
    expected=expected,
    parts=(
        Part("ordinary margins", 4, draw),
        Part("margins of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "turned round": Wrong(
            turned_round,
            "The sizes are right and the signs are turned round. (That is also what exchanging the two arrays gives.) "
            "When the chosen answer becomes likelier, the loss falls.",
        ),
        "both down": Wrong(
            both_down,
            "Your first array is right. The margin falls when the rejected answer becomes likelier: the second one "
            "has the other sign.",
        ),
        "both up": Wrong(
            both_up,
            "Your second array is right. When the chosen answer becomes likelier the loss falls: the first one has "
            "the other sign.",
        ),
        "rejected left alone": Wrong(
            rejected_left_alone,
            "Your first array is right, but the loss depends on the rejected answer too, as strongly as on the chosen "
            "one.",
        ),
        "own probability": Wrong(
            pulling(lambda ratio, beta: beta * sigma(beta * ratio)),
            "Your numbers are largest for comparisons that are learned already. The derivative of -log σ(Δ) is "
            "-σ(-Δ): the probability that the policy gives to the other choice.",
        ),
        "derivative of sigma": Wrong(
            pulling(lambda ratio, beta: beta * sigma(beta * ratio) * sigma(-beta * ratio)),
            "You differentiated σ and not its logarithm. A comparison that is badly wrong then hardly pulls; divide "
            "by σ itself.",
        ),
        "no inner derivative": Wrong(
            pulling(lambda ratio, beta: sigma(-beta * ratio)),
            "The factor β is missing: a log-probability stands in the margin with β in front of it, and the chain "
            "rule brings that out.",
        ),
        "beta outside only": Wrong(
            pulling(lambda ratio, beta: beta * sigma(-ratio)),
            "β stands in front, where it belongs, but within σ it is missing: the margin is β times the difference of "
            "the log-ratios.",
        ),
        "the same for all": Wrong(
            pulling(lambda ratio, beta: np.full(len(ratio), beta / 2)),
            "β/2 is the pull at the start, where policy and reference agree. Later it depends on the margin.",
        ),
        "no sigmoid": Wrong(
            pulling(lambda ratio, beta: np.full(len(ratio), beta)),
            "This is the derivative of minus the margin. The sigmoid says how much of it is still to be learned.",
        ),
        "loss as the size": Wrong(
            pulling(lambda ratio, beta: beta * np.logaddexp(0.0, -beta * ratio)),
            "You used the loss itself for the size of the pull. Both fall with the margin, but the pull is at most β.",
        ),
        "no reference": Wrong(
            no_reference,
            "The reference has no part in your margin: what counts is how far each log-probability has moved from it.",
        ),
        "each by itself": Wrong(
            each_by_itself,
            "You judged each answer by its own log-ratio. The pull on both is the same size, and depends on their "
            "difference. (To judge each by itself is the idea of KTO.)",
        ),
        "of the mean": Wrong(
            of_the_mean,
            "You divided by N, as for the mean of the losses. The derivative of each comparison's own loss was asked "
            "for.",
        ),
        "of the probabilities": Wrong(
            of_the_probabilities,
            "You went on to the probabilities and divided by them. The derivatives with respect to the "
            "log-probabilities were asked for.",
        ),
        "overflows": Wrong(
            pulling(lambda ratio, beta: beta * np.exp(-beta * ratio) / (1.0 + np.exp(-beta * ratio))),
            "Right for ordinary margins, but nan where the rejected answer leads by a thousand: an infinite number "
            "was divided by an infinite one. Write σ(-Δ) with e to the power of Δ below the line.",
        ),
    },
)
