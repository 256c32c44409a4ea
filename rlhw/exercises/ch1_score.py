"""Question ch1-score: the score of a softmax policy."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
The score of an action $y$ is the gradient of $\log p_y$ with respect to the logits $z$, where $p$ is the softmax of
$z$. Worked: for $p = (\frac14, \frac12, \frac14)$ and $y = 1$, counted from 0, it is $\mathbf 1_y - p = (-\frac14,
\frac12, -\frac14)$.

Write `score(logits, action)` for any number of arms. `logits` is an array of K numbers, `action` an integer; return
K numbers. It must also be right for logits of a thousand.
"""

STUB = """
def score(logits, action):
    ...
"""


def score(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    one_hot = np.zeros(len(p))
    one_hot[action] = 1.0
    return one_hot - p


def score_by_loop(logits, action):
    largest = max(logits)
    total = 0.0
    for logit in logits:
        total += np.exp(logit - largest)
    log_total = largest + np.log(total)
    result = []
    for k, logit in enumerate(logits):
        log_p = logit - log_total
        result.append((1.0 if k == action else 0.0) - np.exp(log_p))
    return np.array(result)


def score_by_complex_step(logits, action):
    logits = np.asarray(logits, dtype=float)
    centred = logits - logits.max()
    result = np.zeros(len(centred))
    for k in range(len(centred)):
        moved = centred.astype(complex)
        moved[k] += 1e-30j
        log_p = moved[action] - np.log(np.exp(moved).sum())
        result[k] = log_p.imag / 1e-30
    return result


def loss_gradient(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    return p - np.eye(len(p))[action]


def log_probability(logits, action):
    centred = logits - np.max(logits)
    return centred[action] - np.log(np.exp(centred).sum())


def gradient_of_p(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    return p[action] * (np.eye(len(p))[action] - p)


def own_arm_only(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    result = np.zeros(len(p))
    result[action] = 1.0 - p[action]
    return result


def one_over_p(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    return np.eye(len(p))[action] / p


def raw_logits(logits, action):
    return np.eye(len(logits))[action] - logits


def counted_from_one(logits, action):
    weights = np.exp(logits - np.max(logits))
    p = weights / weights.sum()
    return np.eye(len(p))[action - 1] - p


def no_max_subtraction(logits, action):
    p = np.exp(logits) / np.exp(logits).sum()
    return np.eye(len(p))[action] - p


def draw_small(rng):
    arms = int(rng.integers(3, 6))
    return rng.standard_normal(arms), int(rng.integers(arms))


def draw_large(rng):
    logits, action = draw_small(rng)
    return logits + 1000.0, action


def expected(logits, action):
    return numerical_gradient(lambda z: float(np.log(probabilities_of(z)[action])), logits - logits.max())


RIGHT = {
    "model": score,
    "loop over the log-softmax": score_by_loop,
    "complex-step derivative": score_by_complex_step,
}

QUESTION = Question(
    name="ch1-score",
    title="The score of a softmax policy",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The score is the gradient of log p_y: one number for each logit, and they sum to zero. Yours differs.",
    expected=expected,
    parts=(
        Part("small logits", 4, draw_small),
        Part("logits of a thousand", 2, draw_large),
    ),
    right=RIGHT,
    wrong={
        "loss gradient": Wrong(
            loss_gradient,
            "You went along p - 1_y: that is the gradient of the loss -log p. The gradient of log p itself has "
            "the opposite sign.",
        ),
        "log probability": Wrong(
            log_probability,
            "This is log p_y itself, one number. The score is its gradient: one number for each logit, saying how"
            " log p_y changes with it.",
        ),
        "gradient of p": Wrong(
            gradient_of_p,
            "This is the gradient of p_y, not of log p_y: it is smaller than the score by a factor p_y. The "
            "logarithm divides that factor out.",
        ),
        "own arm only": Wrong(
            own_arm_only,
            "Your entry for the action is right, but the other entries are 0. Raising another arm's logit takes "
            "probability away from y, so every arm has a share.",
        ),
        "one over p": Wrong(
            one_over_p,
            "You differentiated log p_y with respect to the probabilities. The question asks for the logits, and "
            "each logit moves all the probabilities at once.",
        ),
        "raw logits": Wrong(
            raw_logits,
            "You took the logits away from the one-hot vector. They are not probabilities yet: they must go "
            "through the softmax first.",
        ),
        "counted from one": Wrong(
            counted_from_one,
            "The 1 stands one place too early (for action 0, at the far end). Actions are counted from 0 here: "
            "action 1 is the second arm.",
        ),
        "no max subtraction": Wrong(
            no_max_subtraction,
            "Your formula is right for small logits, but the exponential of a thousand overflows and leaves nan. "
            "The softmax does not change when all logits are lowered by the same number: choose one that keeps "
            "the exponentials small.",
        ),
    },
)
