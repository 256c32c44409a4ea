"""Question ch5-bt-loss: the loss on pairs, and its gradient."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong, close
from rlhw.laws import numerical_gradient

TEXT = r"""
In each of $N$ pairs one answer was chosen and one rejected. A reward model gave them the scores `chosen` and
`rejected`, arrays of N numbers. It says that the chosen answer of a pair wins with probability $\sigma(\Delta)$,
where $\Delta$ is the score of the chosen answer less that of the rejected one and $\sigma(\Delta) = 1/(1 +
e^{-\Delta})$. Its loss on the pair is $-\log\sigma(\Delta)$, in nats.

Finish `bt_loss(chosen, rejected)`. Return two things: the mean loss over the pairs, and the gradient of that mean
with respect to `chosen`, an array of N numbers. Both must also be right for differences of a thousand, of either
sign.
"""

STUB = """
def bt_loss(chosen, rejected):
    difference = chosen - rejected
    ...
"""


def bt_loss(chosen, rejected):
    difference = chosen - rejected
    losses = np.logaddexp(0.0, -difference)
    # sigma(-difference), the probability that the other answer wins, by its logarithm.
    other_wins = np.exp(-np.logaddexp(0.0, difference))
    return losses.mean(), -other_wins / len(difference)


def bt_loss_by_loop(chosen, rejected):
    total, gradient = 0.0, []
    for winner, loser in zip(chosen, rejected, strict=True):
        small = math.exp(-abs(winner - loser))
        if winner > loser:
            total += math.log1p(small)
            gradient.append(-small / (1.0 + small) / len(chosen))
        else:
            total += loser - winner + math.log1p(small)
            gradient.append(-1.0 / (1.0 + small) / len(chosen))
    return total / len(chosen), np.array(gradient)


def bt_loss_by_softmax_of_two(chosen, rejected):
    scores = np.stack([chosen, rejected], axis=1)
    centred = scores - scores.max(axis=1, keepdims=True)
    log_p = centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))
    target = np.array([1.0, 0.0])
    gradient = (np.exp(log_p) - target) / len(scores)
    return [-(log_p @ target).mean(), gradient[:, 0]]


def swapped(chosen, rejected):
    difference = rejected - chosen
    return np.logaddexp(0.0, -difference).mean(), np.exp(-np.logaddexp(0.0, difference)) / len(chosen)


def gradient_upwards(chosen, rejected):
    difference = chosen - rejected
    return np.logaddexp(0.0, -difference).mean(), np.exp(-np.logaddexp(0.0, difference)) / len(chosen)


def in_bits(chosen, rejected):
    difference = chosen - rejected
    loss, gradient = np.logaddexp(0.0, -difference).mean(), -np.exp(-np.logaddexp(0.0, difference)) / len(chosen)
    return loss / np.log(2.0), gradient / np.log(2.0)


def summed(chosen, rejected):
    difference = chosen - rejected
    return np.logaddexp(0.0, -difference).sum(), -np.exp(-np.logaddexp(0.0, difference))


def gradient_of_each_pair(chosen, rejected):
    difference = chosen - rejected
    return np.logaddexp(0.0, -difference).mean(), -np.exp(-np.logaddexp(0.0, difference))


def own_probability(chosen, rejected):
    difference = chosen - rejected
    return np.logaddexp(0.0, -difference).mean(), -np.exp(-np.logaddexp(0.0, -difference)) / len(chosen)


def no_logarithm(chosen, rejected):
    difference = chosen - rejected
    p, q = np.exp(-np.logaddexp(0.0, -difference)), np.exp(-np.logaddexp(0.0, difference))
    return -p.mean(), -p * q / len(chosen)


def logarithm_of_the_mean(chosen, rejected):
    difference = chosen - rejected
    p, q = np.exp(-np.logaddexp(0.0, -difference)), np.exp(-np.logaddexp(0.0, difference))
    return -np.log(p.mean()), -p * q / p.sum()


def quotient_of_scores(chosen, rejected):
    quotient = chosen / rejected
    gradient = -np.exp(-np.logaddexp(0.0, quotient)) / rejected
    return np.logaddexp(0.0, -quotient).mean(), gradient / len(chosen)


def loss_overflows(chosen, rejected):
    p = 1.0 / (1.0 + np.exp(-(chosen - rejected)))
    return -np.log(p).mean(), -(1.0 - p) / len(chosen)


def gradient_overflows(chosen, rejected):
    difference = chosen - rejected
    upside_down = np.exp(-difference)
    return np.logaddexp(0.0, -difference).mean(), -upside_down / (1.0 + upside_down) / len(chosen)


def both_overflow(chosen, rejected):
    upside_down = np.exp(-(chosen - rejected))
    return np.log(1.0 + upside_down).mean(), -upside_down / (1.0 + upside_down) / len(chosen)


def small_number_added(chosen, rejected):
    p = 1.0 / (1.0 + np.exp(-(chosen - rejected)))
    return -np.log(p + 1e-12).mean(), -(1.0 - p) / len(chosen)


def draw_small(rng):
    chosen, rejected = rng.standard_normal((2, int(rng.integers(4, 8))))
    return chosen + 0.4, rejected


def draw_large(rng):
    """Differences of a thousand, at least one of either sign."""
    chosen, rejected = draw_small(rng)
    signs = rng.permutation(np.resize([1.0, -1.0], len(chosen)))
    return chosen + signs * rng.uniform(800.0, 1200.0, len(chosen)), rejected


def expected(chosen, rejected):
    def mean_loss(scores):
        surprise = np.logaddexp(scores.astype(np.longdouble), rejected) - scores
        return float(surprise.mean())

    # Losses of a thousand are rounded at 1e-13: a step of 1e-5 keeps the quotient right to 1e-8.
    return mean_loss(chosen), numerical_gradient(mean_loss, chosen, step=1e-5)


def agrees(got, known):
    try:
        (loss, gradient), (true_loss, true_gradient) = got, known
    except (TypeError, ValueError):
        return False
    return close(loss, true_loss) and close(gradient, true_gradient)


RIGHT = {
    "model": bt_loss,
    "loop over the two signs": bt_loss_by_loop,
    "softmax of two scores, as a list": bt_loss_by_softmax_of_two,
}

QUESTION = Question(
    name="ch5-bt-loss",
    title="The loss on pairs, and its gradient",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (mean of minus log-sigmoid of chosen less rejected, its gradient with respect to chosen: N numbers, "
        "none of them positive). Yours differs."
    ),
    expected=expected,
    parts=(
        Part("small differences", 6, draw_small),
        Part("differences of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "swapped": Wrong(
            swapped,
            "Your loss is large where the chosen answer has the higher score: chosen and rejected are exchanged, and "
            "training would learn the opposite.",
        ),
        "gradient upwards": Wrong(
            gradient_upwards,
            "Your loss is right and the gradient has the right size, but not the right sign. What does the loss do when "
            "the score of the chosen answer rises?",
        ),
        "in bits": Wrong(
            in_bits,
            "You used the logarithm of base 2, which measures in bits. In nats equal scores cost 0.693 a pair, not 1.",
        ),
        "summed": Wrong(
            summed,
            "You added the losses up. The mean was asked for, so that loss and gradient do not grow with the number of pairs.",
        ),
        "gradient of each pair": Wrong(
            gradient_of_each_pair,
            "Your loss is right. Each entry of your gradient is that of its own pair's loss: how much of it reaches the mean?",
        ),
        "own probability": Wrong(
            own_probability,
            "Your loss is right, but your gradient is largest for pairs that the model already ranks well. The pull "
            "should be the probability that the model gives to the other choice.",
        ),
        "no logarithm": Wrong(
            no_logarithm,
            "You made the mean probability of the choices large, without a logarithm. A pair that the model gets badly "
            "wrong then hardly pulls at all; maximum likelihood adds log-probabilities.",
        ),
        "logarithm of the mean": Wrong(
            logarithm_of_the_mean,
            "You averaged the probabilities and took the logarithm afterwards. The choices are independent, so their "
            "logarithms are averaged.",
        ),
        "quotient of scores": Wrong(
            quotient_of_scores,
            "You compared the scores by their quotient. Bradley-Terry looks at their difference: a number added to both "
            "scores must change nothing.",
        ),
        "loss overflows": Wrong(
            loss_overflows,
            "Right for small differences, but your loss is infinite where the rejected answer leads by a thousand: the "
            "sigmoid is rounded to 0 before its logarithm is taken. Which function of numpy adds exponentials in "
            "logarithms?",
        ),
        "gradient overflows": Wrong(
            gradient_overflows,
            "Your loss is right everywhere, but your gradient is nan where the rejected answer leads by a thousand: an "
            "infinite number was divided by an infinite one.",
        ),
        "both overflow": Wrong(
            both_overflow,
            "Right for small differences, but where the rejected answer leads by a thousand an exponential overflows: the "
            "loss becomes infinite and the gradient nan. Write both so that no large positive number is exponentiated.",
        ),
        "small number added": Wrong(
            small_number_added,
            "Right for small differences, but the small number that you add inside the logarithm stops the loss at about "
            "27.6. A pair that is wrong by a thousand costs a thousand nats.",
        ),
    },
    agrees=agrees,
)
