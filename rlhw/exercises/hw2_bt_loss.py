"""Question hw2-bt-loss: the loss on votes about pairs that share answers, and its gradient."""

import math

import numpy as np

from rlhw.exercises.forms import all_close, as_lists, recipes
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient

TEXT = r"""
A reward model gave S answers the scores in `scores`. Of these answers M pairs were shown to people: pair $m$ is answer
number `first[m]` against answer number `second[m]`, counted from 0. One answer may stand in many pairs. `share[m]` is
the share of the votes on pair $m$ that its first answer got: 1 where all chose it, 0 where nobody did, and a vote "both
are equally good" counts as half a vote for each, so that one such vote alone makes a share of $\frac12$.

With $\Delta_m$ the score of the first answer less that of the second, and $\sigma(\Delta) = 1/(1 + e^{-\Delta})$, the
loss on pair $m$, in nats, is

$-s_m\log\sigma(\Delta_m) - (1 - s_m)\log\sigma(-\Delta_m)$, where $s_m$ is `share[m]`.

Write `bt_loss(scores, first, second, share)`. Return two things: the mean of the losses over the M pairs, and the
gradient of that mean with respect to `scores`, an array of S numbers (0 for an answer that stands in no pair). Both must
also be right where $\Delta$ is a thousand, of either sign.

Worked: scores (1, 1, 1), pairs 0 against 1 and 0 against 2, shares (1, 0.5): the loss is $\log 2$, the gradient
(-0.25, 0.25, 0).
"""

STUB = """
def bt_loss(scores, first, second, share):
    difference = scores[first] - scores[second]
    ...
    return loss, gradient
"""


def bt_loss(scores, first, second, share):
    difference = scores[first] - scores[second]
    losses = share * np.logaddexp(0.0, -difference) + (1 - share) * np.logaddexp(0.0, difference)
    # The probability that the first answer wins, by its logarithm: it cannot overflow.
    first_wins = np.exp(-np.logaddexp(0.0, -difference))
    pull = (first_wins - share) / len(share)
    gradient = np.zeros(len(scores))
    np.add.at(gradient, first, pull)
    np.add.at(gradient, second, -pull)
    return losses.mean(), gradient


def bt_loss_by_loop(scores, first, second, share):
    import math

    total, gradient = 0.0, [0.0] * len(scores)
    for i, j, s in zip(first, second, share, strict=True):
        small = math.exp(-abs(scores[i] - scores[j]))
        better, worse = (i, j) if scores[i] >= scores[j] else (j, i)
        s_better = s if better == i else 1 - s
        total += math.log1p(small) + (1 - s_better) * (scores[better] - scores[worse])
        pull = (1 / (1 + small) - s_better) / len(share)
        gradient[better] += pull
        gradient[worse] -= pull
    return total / len(share), gradient


def bt_loss_by_matrix(scores, first, second, share):
    which = np.eye(len(scores))
    pairs = which[first] - which[second]
    difference = pairs @ scores
    # -log sigma(d) = log(1 + e^-d), and the loss is that plus (1 - s) d.
    losses = np.maximum(-difference, 0.0) + np.log1p(np.exp(-np.abs(difference))) + (1 - share) * difference
    return [losses.mean(), pairs.T @ (0.5 * (1 + np.tanh(difference / 2)) - share) / len(share)]


def gather(scores, first, second):
    return scores[first] - scores[second]


def one_hot(scores, first, second):
    which = np.eye(len(scores))
    return (which[first] - which[second]) @ scores


def scatter(pull, first, second, answers):
    gradient = np.zeros(answers)
    np.add.at(gradient, first, pull)
    np.add.at(gradient, second, -pull)
    return gradient


def counted(pull, first, second, answers):
    return np.bincount(first, pull, answers) - np.bincount(second, pull, answers)


def answer_by_answer(pull, first, second, answers):
    return [pull[first == n].sum() - pull[second == n].sum() for n in range(answers)]


def surprise(difference):
    return np.logaddexp(0.0, -difference)


def sigma(difference):
    return np.exp(-surprise(difference))


def cross_entropy(difference, share):
    return share * surprise(difference) + (1 - share) * surprise(-difference)


def residual(difference, share):
    return sigma(difference) - share


def clipped_exponent(difference):
    """A sigmoid that is exact in float64 at both ends."""
    small = np.exp(-np.abs(difference))
    return np.where(difference >= 0, 1.0, small) / (1.0 + small)


def variant(difference=gather, losses=cross_entropy, pull=residual, spread=scatter, mean=np.mean):
    """Loss and gradient in four steps, each of which is done in several ways, right or wrong."""

    def answer(scores, first, second, share):
        gap = difference(scores, first, second)
        weight = 1.0 if mean is np.sum else 1.0 / len(share)
        return mean(losses(gap, share)), spread(pull(gap, share) * weight, first, second, len(scores))

    return answer


def overwritten(pull, first, second, answers):
    gradient = np.zeros(answers)
    gradient[first] += pull
    gradient[second] -= pull
    return gradient


def ties_left_out(scores, first, second, share):
    clear = share != 0.5
    return bt_loss(scores, first[clear], second[clear], share[clear])


def mean_over_answers(scores, first, second, share):
    loss, gradient = bt_loss(scores, first, second, share)
    return loss, gradient * len(share) / len(scores)


def draw(rng, shared):
    """Votes of one mind about answers that stand in one pair each; or shares of all kinds, about answers in many pairs."""
    pairs = int(rng.integers(4, 7))
    if shared:
        answers = 4
        first = np.append(rng.integers(0, 3, pairs), [0, 0, 1])
        second = first + 1
        share = np.append(rng.choice([0.0, 0.25, 0.75, 1.0], pairs), [0.5, 0.75, 0.5])
    else:
        answers = 2 * pairs + 1
        first, second = rng.permutation(answers)[: 2 * pairs].reshape(2, pairs)
        share = rng.permutation(np.resize([1.0, 0.0], pairs))
    return 1.2 * rng.standard_normal(answers) + 0.3, first, second, share


def draw_large(rng):
    """Differences of a thousand; some pairs go as the votes do, some do not, and one vote is a tie."""
    pairs = 6
    first, second = rng.permutation(2 * pairs).reshape(2, pairs)
    scores = rng.standard_normal(2 * pairs)
    scores[first] += rng.permutation(np.resize([1.0, -1.0], pairs)) * rng.uniform(800.0, 1200.0, pairs)
    return scores, first, second, np.array([1.0, 1.0, 0.0, 0.0, 0.5, 0.75])


def expected(scores, first, second, share):
    """-log of the two sides' parts of e^score, in extended precision; the gradient by differences."""

    def mean_loss(moved):
        a, b = moved.astype(np.longdouble)[first], moved.astype(np.longdouble)[second]
        both = np.logaddexp(a, b)
        return float((share * (both - a) + (1 - share) * (both - b)).mean())

    # Losses of a thousand are rounded at 1e-13: a step of 1e-5 keeps the quotient right to 1e-8.
    return mean_loss(scores), numerical_gradient(mean_loss, scores, step=1e-5)


RIGHT = {
    "model": bt_loss,
    "loop over pairs": bt_loss_by_loop,
    "matrix of pairs": bt_loss_by_matrix,
    **recipes(
        variant,
        {"gather": gather, "one-hot": one_hot},
        {"cross-entropy": cross_entropy, "surprise and slope": lambda gap, share: surprise(gap) + (1 - share) * gap},
        {"sigma": residual, "both signs": lambda gap, share: clipped_exponent(gap) - share},
        {"scatter": scatter, "count": counted, "answer by answer": lambda *p: np.array(answer_by_answer(*p))},
    ),
    "as lists": as_lists(bt_loss),
}

QUESTION = Question(
    name="hw2-bt-loss",
    title="The loss on votes, and its gradient",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (mean over the pairs of -s log σ(Δ) - (1 - s) log σ(-Δ), its gradient with respect to the scores: S "
        "numbers that sum to 0). Yours differs."
    ),
    expected=expected,
    parts=(
        Part("clear votes", 3, lambda rng: draw(rng, False)),
        Part("ties and shared answers", 3, lambda rng: draw(rng, True)),
        Part("differences of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "first always wins": Wrong(
            variant(losses=lambda gap, share: surprise(gap), pull=lambda gap, share: sigma(gap) - 1.0),
            "You took the first answer of every pair for the winner. `share` says how many of the votes it got.",
        ),
        "swapped": Wrong(
            variant(losses=lambda gap, share: cross_entropy(-gap, share), pull=lambda gap, share: share - sigma(-gap)),
            "Your loss is large where the votes and the scores agree: first and second are exchanged, and training would "
            "learn the opposite.",
        ),
        "half of the loss": Wrong(
            variant(losses=lambda gap, share: share * surprise(gap), pull=lambda gap, share: -share * sigma(-gap)),
            "You counted the votes for the first answer only. The others are votes for the second answer: their part of "
            "the loss is -(1 - s) log σ(-Δ).",
        ),
        "share rounded": Wrong(
            variant(
                losses=lambda gap, share: cross_entropy(gap, share >= 0.5),
                pull=lambda gap, share: sigma(gap) - (share >= 0.5),
            ),
            "You took each pair for won by one side. A share of 0.75 or 0.5 says how sure people were; rounding throws that "
            "away.",
        ),
        "ties left out": Wrong(
            ties_left_out,
            "You left the pairs with a share of a half out. A tie is a vote too: it pulls two scores that differ together.",
        ),
        "gradient upwards": Wrong(
            variant(pull=lambda gap, share: share - sigma(gap)),
            "Your loss is right and the gradient has the right size, but the sign of an ascent. What does the loss do when "
            "the score of a winner rises?",
        ),
        "gradient overwritten": Wrong(
            variant(spread=overwritten),
            "An answer that stands in several pairs gets the pull of only one of them: `gradient[first] += …` with a "
            "repeated index keeps the last. Add with np.add.at, or in a loop.",
        ),
        "gradient of the first only": Wrong(
            variant(spread=lambda pull, first, second, answers: np.bincount(first, pull, answers)),
            "You moved only the first answer of each pair. The second is pulled as strongly, the other way.",
        ),
        "gradient with the same sign": Wrong(
            variant(
                spread=lambda pull, first, *rest: (
                    np.bincount(first, pull, rest[1]) + np.bincount(rest[0], pull, rest[1])
                )
            ),
            "First and second are pulled the same way. A shift of all scores changes no difference, so the gradient must "
            "sum to 0.",
        ),
        "gradient of the sum": Wrong(
            variant(pull=lambda gap, share: residual(gap, share) * len(share)),
            "Your loss is a mean, and your gradient is that of the sum: divide it by the number of pairs.",
        ),
        "divided by answers": Wrong(
            mean_over_answers,
            "You divided the gradient by the number of answers. The mean is over the pairs.",
        ),
        "summed": Wrong(
            variant(mean=np.sum),
            "You added the losses up. The mean over the pairs was asked for.",
        ),
        "in bits": Wrong(
            variant(
                losses=lambda gap, share: cross_entropy(gap, share) / math.log(2),
                pull=lambda gap, share: residual(gap, share) / math.log(2),
            ),
            "You used the logarithm of base 2. In nats equal scores cost 0.693 a pair, not 1.",
        ),
        "overflows": Wrong(
            variant(
                losses=lambda gap, share: (
                    -share * np.log(1 / (1 + np.exp(-gap))) - (1 - share) * np.log(1 / (1 + np.exp(gap)))
                ),
                pull=lambda gap, share: 1 / (1 + np.exp(-gap)) - share,
            ),
            "Right for ordinary differences. At a thousand the sigmoid is rounded to 0 before its logarithm is taken. Which "
            "function of numpy adds exponentials in logarithms?",
        ),
        "small number added": Wrong(
            variant(
                losses=lambda gap, share: (
                    -share * np.log(sigma(gap) + 1e-12) - (1 - share) * np.log(sigma(-gap) + 1e-12)
                )
            ),
            "The small number inside the logarithm stops the loss at about 27.6. A pair that is wrong by a thousand costs a "
            "thousand nats.",
        ),
    },
    agrees=all_close,
)
