"""Question ch6-kl-estimators: three estimates of one KL."""

import math
from decimal import Decimal, localcontext

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The KL of $p$ from $q$ is a mean over samples of $p$, so it can be estimated from them. `log_p` and `log_q` hold the
log-probabilities that $p$ and $q$ give to N answers, drawn from $p$. With the log-ratio $\log\frac pq$ of a sample its
three usual estimates are

$k_1 = \log\frac pq, \qquad k_2 = \tfrac12\bigl(\log\frac pq\bigr)^2, \qquad k_3 = \frac qp - 1 - \log\frac qp.$

The means of $k_1$ and $k_3$ over $p$ are exactly $\operatorname{KL}(p\,\Vert\,q)$, that of $k_2$ only nearly; $k_2$ and
$k_3$ are never negative.

Write `kl_estimates(log_p, log_q)`: return three arrays of N numbers, the $k_1$, $k_2$ and $k_3$ of each sample. Answers
are long: a log-probability of $-900$ is nothing special, and one such answer may be hundreds of nats less likely under
$q$ than under $p$.
"""

STUB = """
def kl_estimates(log_p, log_q):
    ...
    return k1, k2, k3
"""


def kl_estimates(log_p, log_q):
    log_ratio = log_p - log_q
    k1 = log_ratio
    k2 = log_ratio**2 / 2
    k3 = np.exp(-log_ratio) - 1 + log_ratio
    return k1, k2, k3


def kl_estimates_by_loop(log_p, log_q):
    rows = []
    for p, q in zip(log_p, log_q, strict=True):
        rows.append((p - q, 0.5 * (q - p) * (q - p), math.expm1(q - p) - (q - p)))
    return [list(column) for column in zip(*rows, strict=True)]


def kl_estimates_by_control_variate(log_p, log_q):
    # k3 is k1 plus a number whose mean is 0: q/p - 1.
    k1 = -(log_q - log_p)
    surplus = np.expm1(log_q - log_p)
    return np.stack([k1, np.square(k1) / 2, k1 + surplus])


def estimates(log_ratio):
    return log_ratio, log_ratio**2 / 2, np.exp(-log_ratio) - 1 + log_ratio


def k3_upside_down(log_p, log_q):
    k1, k2, _ = estimates(log_p - log_q)
    return k1, k2, np.exp(k1) - 1 - k1


def exchanged(log_p, log_q):
    return estimates(log_q - log_p)


def k1_upside_down(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return -k1, k2, k3


def k1_made_positive(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return np.abs(k1), k2, k3


def k2_not_halved(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return k1, 2 * k2, k3


def k2_halved_before(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return k1, k2 / 2, k3


def k3_sign_of_the_logarithm(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return k1, k2, k3 - 2 * k1


def k3_without_the_one(log_p, log_q):
    k1, k2, k3 = estimates(log_p - log_q)
    return k1, k2, k3 + 1


def k3_half_turned(log_p, log_q):
    """The ratio p/q with the logarithm that belongs to q/p."""
    k1, k2, _ = estimates(log_p - log_q)
    return k1, k2, np.exp(k1) - 1 + k1


def weighted_by_p(log_p, log_q):
    return tuple(np.exp(log_p) * k for k in estimates(log_p - log_q))


def in_bits(log_p, log_q):
    return estimates((log_p - log_q) / np.log(2.0))


def k2_from_the_ratio(log_p, log_q):
    k1, _, k3 = estimates(log_p - log_q)
    return k1, np.expm1(-k1) ** 2 / 2, k3


def averaged(log_p, log_q):
    return tuple(k.mean() for k in estimates(log_p - log_q))


def probabilities_first(log_p, log_q):
    ratio = np.exp(log_q) / np.exp(log_p)
    return -np.log(ratio), np.log(ratio) ** 2 / 2, ratio - 1 - np.log(ratio)


def small_number_added(log_p, log_q):
    log_ratio = np.log(np.exp(log_p) + 1e-12) - np.log(np.exp(log_q) + 1e-12)
    return estimates(log_ratio)


def draw(rng):
    """Samples with probabilities from 0.06 to 0.4, more and less likely under q: log-ratios of either sign, none near 0."""
    count = int(rng.integers(5, 9))
    log_ratio = rng.permutation(np.resize([1.0, -1.0], count)) * rng.uniform(0.4, 1.5, count)
    log_p = -rng.uniform(0.9, 1.3, count) - np.where(log_ratio > 0, 0.0, 1.5)
    return log_p, log_p - log_ratio


def draw_long(rng):
    """Long answers, some of them hundreds of nats less likely under q, others a little more likely."""
    log_p, log_q = draw(rng)
    base = rng.uniform(850.0, 1000.0, len(log_p))
    return log_p - base, log_q - base - np.where(log_p > log_q, rng.uniform(200.0, 600.0, len(log_p)), 0.0)


def expected(log_p, log_q):
    """The ratio itself, in decimal numbers of 50 digits; its logarithms from there."""
    with localcontext() as context:
        context.prec = 50
        columns = []
        for p, q in zip(log_p.tolist(), log_q.tolist(), strict=True):
            ratio = Decimal(q).exp() / Decimal(p).exp()
            columns.append((-ratio.ln(), ratio.ln() ** 2 / 2, ratio - 1 - ratio.ln()))
        return np.array(columns, dtype=float).T


RIGHT = {
    "model": kl_estimates,
    "loop, as lists": kl_estimates_by_loop,
    "control variate, as one array": kl_estimates_by_control_variate,
}

QUESTION = Question(
    name="ch6-kl-estimators",
    title="Three estimates of one KL",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Return (k1, k2, k3), each with one number a sample, from the difference of the log-probabilities. Yours differ.",
    expected=expected,
    parts=(
        Part("short answers", 4, draw),
        Part("long answers", 2, draw_long),
    ),
    right=RIGHT,
    wrong={
        "k3 upside down": Wrong(
            k3_upside_down,
            "Your k1 and k2 are right. The ratio in k3 is upside down: with p/q for q/p it is positive too, but its "
            "mean under p is χ² - KL, not KL.",
        ),
        "exchanged": Wrong(
            exchanged,
            "You exchanged p and q throughout. The samples come from p, so the mean of your k1 is minus the KL; and "
            "your k3 estimates something else.",
        ),
        "k1 upside down": Wrong(
            k1_upside_down,
            "Your k2 and k3 are right, but k1 has the wrong sign: the KL is the mean of log(p/q) under p.",
        ),
        "k1 made positive": Wrong(
            k1_made_positive,
            "You made k1 positive. Single samples of it may well be negative; only with its sign is its mean the KL.",
        ),
        "k2 not halved": Wrong(
            k2_not_halved,
            "In k2 the factor one half is missing: for laws that lie close together your mean is twice the KL.",
        ),
        "k2 halved before": Wrong(
            k2_halved_before,
            "You halved the log-ratio and squared it then, which is a quarter of the square. k2 is half of the square.",
        ),
        "k3 with the sign of the logarithm": Wrong(
            k3_sign_of_the_logarithm,
            "In k3 the logarithm has the wrong sign. Subtract log(q/p), which is to add log(p/q).",
        ),
        "k3 without the one": Wrong(
            k3_without_the_one,
            "In k3 the minus 1 is missing: where p and q agree, an estimate of their KL should be 0.",
        ),
        "k3 half turned": Wrong(
            k3_half_turned,
            "In k3 the ratio is p/q, the logarithm that of q/p. Both belong to q/p.",
        ),
        "weighted by p": Wrong(
            weighted_by_p,
            "You multiplied by p. The samples were drawn from p already: likely answers come more often, and that is "
            "their weight.",
        ),
        "averaged": Wrong(
            averaged,
            "You averaged over the samples. The estimates of each sample were asked for.",
        ),
        "probabilities first": Wrong(
            probabilities_first,
            "Right for short answers, but the probability of a long one is smaller than any number the computer "
            "knows: 0 over 0. Subtract the log-probabilities first.",
        ),
        "small number added": Wrong(
            small_number_added,
            "You added a small number to the probabilities. That of a long answer is far smaller still, so nothing of "
            "it is left; stay with logarithms.",
        ),
        "in bits": Wrong(
            in_bits,
            "You turned the log-ratio into bits. Log-probabilities are in nats here, and for k3 it matters even "
            "beyond a factor.",
        ),
        "k2 from the ratio": Wrong(
            k2_from_the_ratio,
            "In k2 you squared q/p - 1. It is close to the log-ratio only where both laws nearly agree; square the "
            "logarithm.",
        ),
    },
)
