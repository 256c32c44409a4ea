"""Question hw1-mle-gradient: the gradient of cloning, over several questions."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
There are $X$ questions $x$, asked with probabilities $p(x)$, and $K$ answers $y$ to each. The policy has a table of
logits $z$ with $X$ rows and $K$ columns: $\pi(y\mid x)$ is the softmax of row $x$. The teacher answers with
probabilities $\pi_{\text{teacher}}(y\mid x)$. Cloning climbs

$J_{\text{MLE}} = \sum_x p(x) \sum_y \pi_{\text{teacher}}(y\mid x)\,\log\pi(y\mid x).$

Derive its gradient with respect to all the logits and write it as `mle_gradient(logits, question_probs, teacher)`.
`question_probs` are $X$ numbers that sum to one; `teacher` has $X$ rows and $K$ columns, and each row sums to one.
Return an array of $X$ rows and $K$ columns: entry $(x, k)$ is $\partial J_{\text{MLE}}/\partial z_{xk}$.

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, and a teacher who always gives answer 0
to the first question and either answer equally often to the second. The gradient is $\bigl((\frac18, -\frac18),
(0, 0)\bigr)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def mle_gradient(logits, question_probs, teacher):
    ...
"""


def mle_gradient(logits, question_probs, teacher):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    return question_probs[:, None] * (teacher - policy)


def by_loop(logits, question_probs, teacher):
    gradient = np.zeros(logits.shape)
    for x in range(logits.shape[0]):
        p = np.exp(logits[x] - max(logits[x]))
        p = p / p.sum()
        for y in range(logits.shape[1]):
            score = -p.copy()
            score[y] += 1.0
            gradient[x] += question_probs[x] * teacher[x, y] * score
    return gradient


def by_einsum(logits, question_probs, teacher):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    scores = np.eye(logits.shape[1])[None, :, :] - policy[:, None, :]
    return np.einsum("x,xy,xyk->xk", question_probs, teacher, scores)


def by_complex_step(logits, question_probs, teacher):
    centred = logits - logits.max(axis=1, keepdims=True)
    gradient = np.zeros(logits.shape)
    for index in np.ndindex(logits.shape):
        moved = centred.astype(complex)
        moved[index] += 1e-30j
        log_policy = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
        gradient[index] = (question_probs[:, None] * teacher * log_policy).sum().imag / 1e-30
    return gradient


def transposed_and_back(logits, question_probs, teacher):
    columns = logits.T - logits.max(axis=1)
    policy = np.exp(columns) / np.exp(columns).sum(axis=0)
    return (question_probs * (teacher.T - policy)).T


def by_diagonal(logits, question_probs, teacher):
    gradient = teacher.astype(float).copy()
    gradient -= np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    return np.diag(question_probs) @ gradient


def with_policy(softmax=contexts.policy, gradient=lambda p, x, teacher: x[:, None] * (teacher - p)):
    """The gradient from π, p(x) and the teacher; each wrong answer does one of the two steps in a way of its own."""
    return lambda logits, question_probs, teacher: gradient(softmax(logits), question_probs, teacher)


def objective_itself(logits, question_probs, teacher):
    return float((question_probs[:, None] * teacher * contexts.log_policy(logits)).sum())


def expected(logits, question_probs, teacher):
    """Central differences of the objective."""
    return contexts.slope(lambda log_policy: np.einsum("x,xy,nxy->n", question_probs, teacher, log_policy), logits)


def with_teacher(draw):
    def draw_case(rng):
        logits, question_probs = draw(rng)
        return logits, question_probs, rng.dirichlet(np.ones(logits.shape[1]), len(logits))

    return draw_case


RIGHT = {
    "model": mle_gradient,
    "loop": by_loop,
    "einsum over the scores": by_einsum,
    "complex-step derivative": by_complex_step,
    "transposed and back": transposed_and_back,
    "in place, diagonal matrix": by_diagonal,
    **{way: with_policy(softmax) for way, softmax in contexts.WAYS.items()},
    **contexts.written_as(mle_gradient),
}

QUESTION = Question(
    name="hw1-mle-gradient",
    title="The gradient of cloning",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry (x, k) is how J_MLE changes with the logit of answer k to question x. Yours differs from the difference quotient.",
    expected=expected,
    parts=(
        Part("one question", 3, with_teacher(contexts.draw_single), cases=3),
        Part("several questions", 3, with_teacher(contexts.draw_table), cases=3),
        Part("logits of a thousand", 2, with_teacher(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "loss gradient": Wrong(
            with_policy(gradient=lambda p, x, teacher: x[:, None] * (p - teacher)),
            "The sign is turned round: this is the gradient of the loss -J_MLE, which one descends. J_MLE is to grow.",
        ),
        "questions forgotten": Wrong(
            with_policy(gradient=lambda p, x, teacher: teacher - p),
            "Each row is right for its question alone. A question that is seldom asked has little say in J_MLE: p(x) is "
            "missing.",
        ),
        "questions equally often": Wrong(
            with_policy(gradient=lambda p, x, teacher: (teacher - p) / len(x)),
            "You averaged over the questions as if all were asked equally often. Each counts with its own p(x).",
        ),
        "questions added up": Wrong(
            with_policy(gradient=lambda p, x, teacher: x @ (teacher - p)),
            "You added the rows of all questions. Each question has logits of its own here, so the gradient has a row for "
            "each.",
        ),
        "own samples": Wrong(
            with_policy(gradient=lambda p, x, teacher: x[:, None] * (p - p)),
            "Your gradient is 0 everywhere, as if the answers came from the policy itself: its mean score is 0. In J_MLE "
            "the answers are the teacher's.",
        ),
        "own logit only": Wrong(
            with_policy(gradient=lambda p, x, teacher: x[:, None] * teacher * (1 - p)),
            "You counted for each logit only its own answer. Every other answer of that question lowers it too, by π(k|x), "
            "because the probabilities sum to one.",
        ),
        "normaliser forgotten": Wrong(
            with_policy(gradient=lambda p, x, teacher: x[:, None] * teacher),
            "You differentiated the logit alone. log π is that logit minus the log of the sum of exponentials, and the "
            "second part depends on every logit of the row.",
        ),
        "logarithm left out": Wrong(
            with_policy(gradient=lambda p, x, t: x[:, None] * p * (t - (p * t).sum(axis=1, keepdims=True))),
            "This is the gradient of the sum of teacher times π, without the logarithm. The logarithm divides each term by "
            "its π.",
        ),
        "derivative by the probabilities": Wrong(
            with_policy(gradient=lambda p, x, teacher: x[:, None] * (teacher / p)),
            "You differentiated by the probabilities: 1/π for each answer. The question asks for the logits, and each logit "
            "moves all probabilities of its row.",
        ),
        "the objective itself": Wrong(
            objective_itself,
            "This is J_MLE itself, one number. Its gradient was asked for: one number for each logit.",
        ),
        "likeliest answer": Wrong(
            with_policy(gradient=lambda p, x, t: x[:, None] * (np.eye(t.shape[1])[t.argmax(axis=1)] - p)),
            "You put 1 at the teacher's most likely answer and 0 elsewhere. The teacher gives the other answers too, each "
            "with its own probability.",
        ),
        "transposed": Wrong(
            with_policy(gradient=lambda p, x, teacher: (x[:, None] * (teacher - p)).T),
            "The numbers are right, but rows and columns are exchanged: row x belongs to question x, column k to answer k.",
        ),
        "softmax over the table": Wrong(with_policy(contexts.over_the_table), contexts.OVER_THE_TABLE),
        "softmax over the questions": Wrong(with_policy(contexts.over_the_questions), contexts.OVER_THE_QUESTIONS),
        "no maximum subtracted": Wrong(with_policy(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_policy(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
)
