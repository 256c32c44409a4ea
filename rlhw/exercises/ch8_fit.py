"""Question ch8-fit: where the gold reward turns down."""

import numpy as np
from scipy.optimize import minimize_scalar, nnls

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A policy was trained on a learned reward, and now and then the gold reward was measured: `kl` holds how far it was from its
reference, in nats (none is 0), `gold` what it earned more than at the start. Gao et al. describe such a run by
$R(d) = d\,(a - b\log d)$ with $d = \sqrt{\operatorname{KL}}$ and two numbers $a$ and $b$.

Finish `fit(kl, gold)`: return three numbers, the $a$ and $b$ that make the sum of $(R(d) - \text{gold})^2$ over the
measurements smallest, and the $d$ at which the curve so found is highest.
"""

STUB = """
def fit(kl, gold):
    d = np.sqrt(kl)
    ...
"""


def fit(kl, gold):
    d = np.sqrt(kl)
    columns = np.stack([d, -d * np.log(d)], axis=1)
    a, b = np.linalg.lstsq(columns, gold, rcond=None)[0]
    return a, b, np.exp(a / b - 1)


def fit_by_normal_equations(kl, gold):
    d = kl**0.5
    rise, fall = d, -d * np.log(d)
    matrix = np.array([[rise @ rise, rise @ fall], [rise @ fall, fall @ fall]])
    a, b = np.linalg.solve(matrix, np.array([rise @ gold, fall @ gold]))
    return [float(a), float(b), float(np.exp((a - b) / b))]


def without_root(kl, gold):
    return fit(kl**2, gold)


def best_of_n_form(kl, gold):
    d = np.sqrt(kl)
    a, b = np.linalg.lstsq(np.stack([d, -(d**2)], axis=1), gold, rcond=None)[0]
    return a, b, a / (2 * b)


def base_ten(kl, gold):
    d = np.sqrt(kl)
    a, b = np.linalg.lstsq(np.stack([d, -d * np.log10(d)], axis=1), gold, rcond=None)[0]
    return a, b, 10 ** (a / b - 1)


def log_of_kl(kl, gold):
    d = np.sqrt(kl)
    a, b = np.linalg.lstsq(np.stack([d, -d * np.log(kl)], axis=1), gold, rcond=None)[0]
    return a, b, np.exp(a / b - 1)


def divided_first(kl, gold):
    d = np.sqrt(kl)
    slope, a = np.polyfit(np.log(d), gold / d, 1)
    return a, -slope, np.exp(a / -slope - 1)


def with_a_constant(kl, gold):
    d = np.sqrt(kl)
    columns = np.stack([d, -d * np.log(d), np.ones_like(d)], axis=1)
    a, b, _ = np.linalg.lstsq(columns, gold, rcond=None)[0]
    return a, b, np.exp(a / b - 1)


def sign_of_b(kl, gold):
    a, b, peak = fit(kl, gold)
    return a, -b, peak


def where_it_is_zero(kl, gold):
    a, b, _ = fit(kl, gold)
    return a, b, np.exp(a / b)


def peak_in_kl(kl, gold):
    a, b, peak = fit(kl, gold)
    return a, b, peak**2


def best_measured(kl, gold):
    a, b, _ = fit(kl, gold)
    return a, b, np.sqrt(kl[np.argmax(gold)])


def draw(noise):
    def case(rng):
        a, b = rng.uniform(1.2, 2.0), rng.uniform(0.6, 1.1)
        kl = np.sort(rng.uniform(0.3, 14.0, 9))
        d = np.sqrt(kl)
        return kl, d * (a - b * np.log(d)) + noise * rng.standard_normal(9)

    return case


def expected(kl, gold):
    """Non-negative least squares of its own (a and b are positive here), and the highest point by a search along d."""
    d = np.sqrt(kl)
    (a, b), _ = nnls(np.column_stack([d, -d * np.log(d)]), gold)
    top = minimize_scalar(lambda log_d: -np.exp(log_d) * (a - b * log_d), bracket=(-1.0, 1.0), tol=1e-13)
    return a, b, float(np.exp(top.x))


QUESTION = Question(
    name="ch8-fit",
    title="Where the gold reward turns down",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="a and b are least squares of gold on d and -d log d; the curve is highest at exp(a/b - 1). Yours differ.",
    expected=expected,
    parts=(Part("without noise", 3, draw(0.0)), Part("with noise", 3, draw(0.15))),
    right={"least squares": fit, "normal equations": fit_by_normal_equations},
    wrong={
        "no root": Wrong(without_root, "You used the KL itself for d. It is the root of the KL."),
        "best of n": Wrong(
            best_of_n_form,
            "You fitted d(a - b d), which is the form for best-of-n. For a trained policy it is d(a - b log d).",
        ),
        "base ten": Wrong(base_ten, "You took the logarithm to base 10. All logarithms in this course are natural."),
        "logarithm of the KL": Wrong(
            log_of_kl,
            "You took the logarithm of the KL. It is that of d, half as large: so your b is half of what it should be.",
        ),
        "divided first": Wrong(
            divided_first,
            "You divided the gold reward by d and fitted a line. Without noise that is the same; with noise it makes other "
            "squares smallest, in which measurements near the start count most.",
        ),
        "with a constant": Wrong(
            with_a_constant,
            "You fitted a constant too. Gold is counted from the start, where d is 0: the form has no constant.",
        ),
        "sign of b": Wrong(sign_of_b, "Your b has the other sign: it stands behind a minus in the form."),
        "where it is zero": Wrong(
            where_it_is_zero,
            "At exp(a/b) the curve is back at 0. It is highest where its slope a - b log d - b is 0.",
        ),
        "peak in nats": Wrong(peak_in_kl, "You gave the KL of the highest point. Asked for is d, its root."),
        "best measurement": Wrong(
            best_measured,
            "You gave the d of the best measurement. Asked for is the highest point of the fitted curve, which lies between "
            "measurements.",
        ),
    },
)
