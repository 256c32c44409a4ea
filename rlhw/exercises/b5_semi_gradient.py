"""Question b5-semi-gradient: one step of TD with features."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Write one step of semi-gradient TD. Given the weights `w` (D), the features `h` and `h_next` (D) of a state and the
next one, the reward, the discount and the step size `eta`, return the new weights,
$w + \eta\,\delta\,h$ with $\delta = r + \gamma\,w^{\mathsf T}h' - w^{\mathsf T}h$. Worked: $w = (1, 0)$,
$h = (1, 2)$, $h' = (3, 1)$, $r = 1$, $\gamma = 0.5$, $\eta = 0.1$. Then $\delta = 1 + 0.5\cdot 3 - 1 = 1.5$, and the
new weights are $(1.15, 0.3)$.
"""

STUB = """
def td_step(w, h, reward, h_next, gamma, eta):
    ...
"""


def td_step(w, h, reward, h_next, gamma, eta):
    delta = reward + gamma * w @ h_next - w @ h
    return w + eta * delta * h


def td_step_by_loop(w, h, reward, h_next, gamma, eta):
    here = sum(w[i] * h[i] for i in range(len(w)))
    there = sum(w[i] * h_next[i] for i in range(len(w)))
    return [w[i] + eta * (reward + gamma * there - here) * h[i] for i in range(len(w))]


def td_step_by_matrix(w, h, reward, h_next, gamma, eta):
    a = np.outer(h, h - gamma * h_next)
    return w + eta * (reward * h - a @ w)


def discount_forgotten(w, h, reward, h_next, gamma, eta):
    return w + eta * (reward + w @ h_next - w @ h) * h


def features_forgotten(w, h, reward, h_next, gamma, eta):
    return w + eta * (reward + gamma * w @ h_next - w @ h)


def target_differentiated(w, h, reward, h_next, gamma, eta):
    return w + eta * (reward + gamma * w @ h_next - w @ h) * (h - gamma * h_next)


def sign_flipped(w, h, reward, h_next, gamma, eta):
    return w - eta * (reward + gamma * w @ h_next - w @ h) * h


def along_next(w, h, reward, h_next, gamma, eta):
    return w + eta * (reward + gamma * w @ h_next - w @ h) * h_next


def no_bootstrapping(w, h, reward, h_next, gamma, eta):
    return w + eta * (reward - w @ h) * h


def step_only(w, h, reward, h_next, gamma, eta):
    return eta * (reward + gamma * w @ h_next - w @ h) * h


def factor_two(w, h, reward, h_next, gamma, eta):
    return w + 2 * eta * (reward + gamma * w @ h_next - w @ h) * h


def draw(rng):
    size = int(rng.integers(2, 5))
    w, h, h_next = rng.standard_normal((3, size))
    return w, h, float(rng.normal()), h_next, float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.05, 0.4))


def expected(w, h, reward, h_next, gamma, eta):
    """Downhill on half the squared error of a target that is held fixed: the parabola along h through three points."""
    target = reward + gamma * float(np.dot(w, h_next))

    def loss(size):
        return 0.5 * (target - float(np.dot(w + size * h, h))) ** 2

    slope_along = (loss(1.0) - loss(-1.0)) / 2 / float(np.dot(h, h))
    return w - eta * slope_along * h


RIGHT = {"model": td_step, "loop": td_step_by_loop, "matrix": td_step_by_matrix}

QUESTION = Question(
    name="b5-semi-gradient",
    title="One step of TD with features",
    stars=1,
    minutes=8,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The weights move by step size times TD error, along the features of the state that was left. Yours differs.",
    expected=expected,
    parts=(Part("any weights and features", 5, draw),),
    right=RIGHT,
    wrong={
        "discount forgotten": Wrong(
            discount_forgotten,
            "The value of the next state went into your target without its discount.",
        ),
        "features forgotten": Wrong(
            features_forgotten,
            "You moved every weight by the same amount. A weight moves in proportion to its feature: h is the gradient of wᵀh.",
        ),
        "target differentiated": Wrong(
            target_differentiated,
            "You differentiated the target as well. TD holds it fixed, and so steps along h alone: that is what *semi* means.",
        ),
        "sign flipped": Wrong(
            sign_flipped,
            "The size is right, the direction is turned round: a positive TD error must raise the value of the state.",
        ),
        "along next": Wrong(
            along_next,
            "You moved along the features of the next state. It is the state that was left whose value is corrected.",
        ),
        "no bootstrapping": Wrong(
            no_bootstrapping,
            "Your target is the reward alone. What follows the reward counts too: its estimate is gamma times wᵀh'.",
        ),
        "step only": Wrong(
            step_only,
            "This is the step. The new weights are the old ones plus the step.",
        ),
        "factor two": Wrong(
            factor_two,
            "Your step is twice as large. The loss is half the squared error, so no 2 is left over.",
        ),
    },
)
