"""Question ch1-head-gradient: the gradient of the softmax head."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
A network's body gives $D$ features $h$, its head computes the logits $z = W h$ with a matrix $W$ of $K$ rows and
$D$ columns. Half of the work is done: the first two lines give $p$. Return the gradient of $\log p_y$ with respect
to $W$, an array of the shape of $W$.
"""

STUB = """
def head_gradient(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    ...
"""


def head_gradient(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    one_hot = np.zeros(len(p))
    one_hot[action] = 1.0
    return np.outer(one_hot - p, h)


def head_gradient_by_loop(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    result = np.zeros(W.shape)
    for k in range(W.shape[0]):
        for d in range(W.shape[1]):
            if k == action:
                result[k, d] = (1.0 - p[k]) * h[d]
            else:
                result[k, d] = -p[k] * h[d]
    return result


def head_gradient_by_complex_step(W, h, action):
    result = np.zeros(W.shape)
    for index in np.ndindex(*W.shape):
        moved = W.astype(complex)
        moved[index] += 1e-30j
        logits = moved @ h
        logits = logits - logits.real.max()
        log_p = logits[action] - np.log(np.exp(logits).sum())
        result[index] = log_p.imag / 1e-30
    return result


def loss_gradient(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return np.outer(p - np.eye(len(p))[action], h)


def transposed(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return np.outer(h, np.eye(len(p))[action] - p)


def logits_only(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return np.eye(len(p))[action] - p


def own_row_only(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    result = np.zeros(W.shape)
    result[action] = (1.0 - p[action]) * h
    return result


def normaliser_forgotten(W, h, action):
    return np.outer(np.eye(W.shape[0])[action], h)


def gradient_of_p(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return p[action] * np.outer(np.eye(len(p))[action] - p, h)


def features_gradient(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return W.T @ (np.eye(len(p))[action] - p)


def times_the_matrix(W, h, action):
    logits = W @ h
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return (np.eye(len(p))[action] - p)[:, None] * W


def draw(rng):
    arms, features = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    return rng.standard_normal((arms, features)), rng.standard_normal(features), int(rng.integers(arms))


def expected(W, h, action):
    return numerical_gradient(lambda V: float(np.log(probabilities_of(V @ h)[action])), W)


RIGHT = {
    "model": head_gradient,
    "loop over the entries": head_gradient_by_loop,
    "complex-step derivative": head_gradient_by_complex_step,
}

QUESTION = Question(
    name="ch1-head-gradient",
    title="The gradient of the softmax head",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry (k, d) is how log p_y changes with W[k, d], at a given h. Yours differs from the difference quotient.",
    expected=expected,
    parts=(Part("any shape", 8, draw, cases=8),),
    right=RIGHT,
    wrong={
        "loss gradient": Wrong(
            loss_gradient,
            "The sign is turned round: (p - 1_y) h^T belongs to the loss -log p_y, which one descends. The "
            "question asks for the gradient of log p_y.",
        ),
        "transposed": Wrong(
            transposed,
            "The numbers are right but lie the wrong way round: rows belong to arms and columns to features, as "
            "in W. A gradient has the shape of what it differentiates by.",
        ),
        "logits only": Wrong(
            logits_only,
            "This is the gradient with respect to the logits. One more link of the chain rule leads to W: how "
            "does each logit depend on its row of W?",
        ),
        "own row only": Wrong(
            own_row_only,
            "The row of the action is right, but the other rows are not 0. Every row of W feeds a logit, and "
            "every logit enters the sum below p_y.",
        ),
        "normaliser forgotten": Wrong(
            normaliser_forgotten,
            "This is the gradient of the logit z_y alone. log p_y is that logit minus the log of a sum of "
            "exponentials, and the second part depends on W too.",
        ),
        "gradient of p": Wrong(
            gradient_of_p,
            "This array is too small by the factor p_y: it is the gradient of p_y and not of its logarithm.",
        ),
        "features gradient": Wrong(
            features_gradient,
            "You differentiated by the features h: this is what flows back to the layer below. The question asks "
            "for W, with h held fixed.",
        ),
        "times the matrix": Wrong(
            times_the_matrix,
            "The second factor should be the features and not W itself: z = W h is linear in W, so its derivative"
            " by W holds only h.",
        ),
    },
)
