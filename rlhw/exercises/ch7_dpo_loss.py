"""Question ch7-dpo-loss: the loss of direct preference optimisation."""

import math
from decimal import Decimal, localcontext

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
In each of N comparisons $y_+$ was chosen and $y_-$ rejected. DPO takes $\beta_{\text{DPO}}\log\frac{\pi(y\mid
x)}{\pi_{\text{ref}}(y\mid x)}$ for the reward of an answer, and its loss on a comparison is the Bradley-Terry loss of
these rewards,

$-\log\sigma\Bigl(\beta_{\text{DPO}}\log\frac{\pi(y_+\mid x)}{\pi_{\text{ref}}(y_+\mid x)} -
\beta_{\text{DPO}}\log\frac{\pi(y_-\mid x)}{\pi_{\text{ref}}(y_-\mid x)}\Bigr), \qquad \sigma(\Delta) = \frac1{1 +
e^{-\Delta}}.$

Write `dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta)`. The first two arrays hold the N log-probabilities
(not probabilities) of the answers under the policy, the next two those under the reference, and `beta` is
$\beta_{\text{DPO}}$. Return the N losses, one a comparison, in nats. They must also be right where the difference of
the rewards is a thousand, of either sign.
"""

STUB = """
def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta):
    ...
"""


def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta):
    margin = beta * (chosen - ref_chosen) - beta * (rejected - ref_rejected)
    return np.logaddexp(0.0, -margin)


def dpo_loss_by_loop(chosen, rejected, ref_chosen, ref_rejected, beta):
    losses = []
    for a, b, ref_a, ref_b in zip(chosen, rejected, ref_chosen, ref_rejected, strict=True):
        margin = beta * ((a - b) - (ref_a - ref_b))
        losses.append(max(-margin, 0.0) + math.log1p(math.exp(-abs(margin))))
    return losses


def dpo_loss_by_softmax_of_two(chosen, rejected, ref_chosen, ref_rejected, beta):
    rewards = beta * np.stack([chosen - ref_chosen, rejected - ref_rejected])
    return np.logaddexp.reduce(rewards) - rewards[0]


def surprise(margin):
    return np.logaddexp(0.0, -margin)


def margin_of(chosen, rejected, ref_chosen, ref_rejected):
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def swapped(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return surprise(-beta * margin_of(*logprobs))


def log_probability(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return -surprise(beta * margin_of(*logprobs))


def no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - rejected))


def reference_added(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * ((chosen - rejected) + (ref_chosen - ref_rejected)))


def beta_outside(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return beta * surprise(margin_of(*logprobs))


def no_beta(*logprobs_and_beta):
    *logprobs, _ = logprobs_and_beta
    return surprise(margin_of(*logprobs))


def divided_by_beta(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return surprise(margin_of(*logprobs) / beta)


def beta_on_the_chosen_only(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - ref_chosen) - (rejected - ref_rejected))


def no_logarithm(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return -np.exp(-surprise(beta * margin_of(*logprobs)))


def no_sigmoid(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return -beta * margin_of(*logprobs)


def chosen_only(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - ref_chosen))


def squared(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return (margin_of(*logprobs) - 1 / (2 * beta)) ** 2


def each_by_itself(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - ref_chosen)) + surprise(-beta * (rejected - ref_rejected))


def difference_outside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - ref_chosen)) - surprise(beta * (rejected - ref_rejected))


def beta_on_the_policy_only(chosen, rejected, ref_chosen, ref_rejected, beta):
    return surprise(beta * (chosen - rejected) - (ref_chosen - ref_rejected))


def averaged(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return surprise(beta * margin_of(*logprobs)).mean()


def overflows(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return -np.log(1 / (1 + np.exp(-beta * margin_of(*logprobs))))


def small_number_added(*logprobs_and_beta):
    *logprobs, beta = logprobs_and_beta
    return -np.log(1 / (1 + np.exp(-beta * margin_of(*logprobs))) + 1e-12)


def draw(rng):
    """Answers of 20 to 60 nats; policy and reference differ by some, and no log-ratio is near 0."""
    count, beta = int(rng.integers(4, 8)), float(rng.uniform(0.1, 0.5))
    ref_chosen, ref_rejected = -rng.uniform(20.0, 60.0, (2, count))
    moved = rng.choice([-1.0, 1.0], (2, count)) * rng.uniform(0.5, 4.0, (2, count))
    return ref_chosen + moved[0], ref_rejected + moved[1], ref_chosen, ref_rejected, beta


def draw_large(rng):
    """Rewards that differ by a thousand: at least one comparison of either sign."""
    *logprobs, beta = draw(rng)
    signs = rng.permutation(np.resize([1.0, -1.0], len(logprobs[0])))
    far = rng.uniform(800.0, 1200.0, len(signs)) / beta
    worse = np.where(signs > 0, 1, 0)
    for side in (0, 1):
        logprobs[side] = logprobs[side] - np.where(worse == side, far, 0.0)
    return *logprobs, beta


def expected(chosen, rejected, ref_chosen, ref_rejected, beta):
    """The probability of the choice, e to the one reward over the sum of both, in decimal numbers of 50 digits."""
    losses = []
    with localcontext() as context:
        context.prec = 50
        for row in zip(chosen.tolist(), rejected.tolist(), ref_chosen.tolist(), ref_rejected.tolist(), strict=True):
            a, b, ref_a, ref_b = map(Decimal, row)
            weights = [((a - ref_a) * Decimal(beta)).exp(), ((b - ref_b) * Decimal(beta)).exp()]
            losses.append(float(-(weights[0] / sum(weights)).ln()))
    return np.array(losses)


RIGHT = {
    "model": dpo_loss,
    "loop over the two signs": dpo_loss_by_loop,
    "softmax of two rewards": dpo_loss_by_softmax_of_two,
}

QUESTION = Question(
    name="ch7-dpo-loss",
    title="The loss of DPO",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Minus log-sigmoid of β times (log-ratio of the chosen answer less that of the rejected one), N numbers. Yours differs.",
    expected=expected,
    parts=(
        Part("ordinary differences", 5, draw),
        Part("differences of a thousand", 3, draw_large),
    ),
    right=RIGHT,
    wrong={
        "swapped": Wrong(
            swapped,
            "Your loss is large where the chosen answer has the higher reward: chosen and rejected are exchanged, or "
            "the sign in the sigmoid is. Training would learn the opposite.",
        ),
        "log-probability": Wrong(
            log_probability,
            "You returned log σ, which is to grow. A loss is minus that, and never negative.",
        ),
        "no reference": Wrong(
            no_reference,
            "The reference has no part in your loss, so an answer is rewarded for being likely, not for having become "
            "likelier.",
        ),
        "reference added": Wrong(
            reference_added,
            "The reference's log-probabilities have the wrong sign: they are to be subtracted from those of the "
            "policy. (That is also what happens when the references of the two answers are exchanged.)",
        ),
        "beta outside": Wrong(
            beta_outside,
            "You multiplied the loss by β. It belongs into the sigmoid: outside it scales the gradient only, and the "
            "optimum is that of β = 1.",
        ),
        "no beta": Wrong(
            no_beta,
            "β has no part in your loss. It turns a log-ratio into a reward.",
        ),
        "divided by beta": Wrong(
            divided_by_beta,
            "You divided by β. The reward is β times the log-ratio: the dearer it is to leave the reference, the more "
            "of a reward stands behind each nat.",
        ),
        "beta on the chosen only": Wrong(
            beta_on_the_chosen_only,
            "β stands in front of one log-ratio only. A bracket is missing.",
        ),
        "no logarithm": Wrong(
            no_logarithm,
            "You used the probability of the choice without its logarithm. A comparison that is badly wrong then "
            "hardly pulls at all.",
        ),
        "no sigmoid": Wrong(
            no_sigmoid,
            "This is minus the difference of the rewards, with no sigmoid. It can be made as small as one likes, and "
            "no comparison is ever learned enough.",
        ),
        "chosen only": Wrong(
            chosen_only,
            "The rejected answer has no part in your loss. A comparison speaks of the difference of two rewards.",
        ),
        "squared": Wrong(
            squared,
            "This is the loss of IPO. It pulls the difference of the log-ratios towards 1/(2β); DPO's is minus log σ.",
        ),
        "averaged": Wrong(
            averaged,
            "The losses are right, but you averaged them. One number a comparison was asked for.",
        ),
        "overflows": Wrong(
            overflows,
            "Right for ordinary differences, but your loss is infinite where the rejected answer leads by a thousand: "
            "the sigmoid is rounded to 0 before its logarithm is taken. Which function of numpy adds exponentials in "
            "logarithms?",
        ),
        "small number added": Wrong(
            small_number_added,
            "Right for ordinary differences, but the small number inside the logarithm stops the loss at about 27.6. "
            "A comparison that is wrong by a thousand costs a thousand nats.",
        ),
        "each by itself": Wrong(
            each_by_itself,
            "You added a loss of the chosen and one of the rejected answer, each against 0. A vote says only which of "
            "the two rewards is larger: their difference goes through one sigmoid.",
        ),
        "difference outside": Wrong(
            difference_outside,
            "You took the difference after the sigmoid. The rewards are subtracted first, and then comes -log σ.",
        ),
        "beta on the policy only": Wrong(
            beta_on_the_policy_only,
            "You multiplied the policy's log-probabilities by β and not the reference's. β stands in front of the "
            "whole log-ratio.",
        ),
    },
)
