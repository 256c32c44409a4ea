"""Question ch1-cloning-step: one step of behavior cloning."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
One sampled step of ascent on $J_{\text{MLE}}$. The uniform number `u` in [0, 1) draws the answer from the
*teacher's* probabilities, an array of K numbers: it is the first $y$ whose cumulative probability exceeds `u`. Then
the logits move by `step_size` along the score of that answer under the student's policy, the softmax of `logits`.
Return the new logits.
"""

STUB = """
def cloning_step(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    ...
"""


def cloning_step(logits, teacher, u, step_size):
    y = np.searchsorted(np.cumsum(teacher), u, side="right")
    y = min(y, len(teacher) - 1)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    one_hot = np.zeros(len(p))
    one_hot[y] = 1.0
    return logits + step_size * (one_hot - p)


def cloning_step_by_loop(logits, teacher, u, step_size):
    answer = len(teacher) - 1
    reached = 0.0
    for y in range(len(teacher)):
        reached += teacher[y]
        if reached > u:
            answer = y
            break
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    moved = []
    for k in range(len(logits)):
        gradient = -np.exp(logits[k] - largest) / total
        if k == answer:
            gradient += 1.0
        moved.append(logits[k] + step_size * gradient)
    return np.array(moved)


def cloning_step_by_log_softmax(logits, teacher, u, step_size):
    y = min(int((np.cumsum(teacher) <= u).sum()), len(teacher) - 1)
    log_p = logits - np.logaddexp.reduce(logits)
    new = logits - step_size * np.exp(log_p)
    new[y] += step_size
    return new


def drawn_from_policy(logits, teacher, u, step_size):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + step_size * (np.eye(len(p))[y] - p)


def score_under_teacher(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    return logits + step_size * (np.eye(len(teacher))[y] - teacher)


def no_step_size(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return logits + np.eye(len(p))[y] - p


def descending(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return logits - step_size * (np.eye(len(p))[y] - p)


def only_the_step(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return step_size * (np.eye(len(p))[y] - p)


def likeliest_answer(logits, teacher, u, step_size):
    y = np.argmax(teacher)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return logits + step_size * (np.eye(len(p))[y] - p)


def expected_step(logits, teacher, u, step_size):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return logits + step_size * (teacher - p)


def weighted_by_teacher(logits, teacher, u, step_size):
    y = min(np.searchsorted(np.cumsum(teacher), u, side="right"), len(teacher) - 1)
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return logits + step_size * teacher[y] * (np.eye(len(p))[y] - p)


def draw(rng):
    arms = int(rng.integers(3, 6))
    return rng.standard_normal(arms), rng.dirichlet(np.ones(arms)), float(rng.random()), float(rng.uniform(0.1, 0.9))


def expected(logits, teacher, u, step_size):
    action = next(y for y in range(len(teacher)) if u < sum(teacher[: y + 1]) or y == len(teacher) - 1)
    return logits + step_size * numerical_gradient(lambda z: float(np.log(probabilities_of(z)[action])), logits)


RIGHT = {
    "model": cloning_step,
    "loop": cloning_step_by_loop,
    "log-softmax": cloning_step_by_log_softmax,
}

QUESTION = Question(
    name="ch1-cloning-step",
    title="One step of behavior cloning",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The new logits are the old ones plus step_size times the score of the answer that the teacher gives for u. Yours differ.",
    expected=expected,
    parts=(Part("sampled steps", 8, draw, cases=16),),
    right=RIGHT,
    wrong={
        "drawn from policy": Wrong(
            drawn_from_policy,
            "The answer was drawn from the student's own policy. In cloning it comes from the teacher; under the "
            "student the mean score is 0, so nothing would be learnt on average.",
        ),
        "score under teacher": Wrong(
            score_under_teacher,
            "The answer is drawn well, but the score was taken under the teacher's probabilities. The student's "
            "logits are the ones that move, so it is the student's policy that is differentiated.",
        ),
        "no step size": Wrong(
            no_step_size,
            "The direction is right, but the length is not: the step size was left out of the move.",
        ),
        "descending": Wrong(
            descending,
            "The logits moved away from the teacher's answer and made it less likely. J_MLE is to grow, so this "
            "is a step of ascent.",
        ),
        "only the step": Wrong(
            only_the_step,
            "You returned the change of the logits. The question asks for the logits after the change.",
        ),
        "likeliest answer": Wrong(
            likeliest_answer,
            "You took the teacher's most likely answer whatever u is. Then the rarer answers would never be "
            "taught: let u choose among them by their probabilities.",
        ),
        "expected step": Wrong(
            expected_step,
            "This is the mean of the step over all the teacher's answers, a good step but not a sampled one. Here"
            " u picks a single answer, and only its score is used.",
        ),
        "weighted by teacher": Wrong(
            weighted_by_teacher,
            "The score was multiplied by the teacher's probability of the answer. Drawing the answer has already "
            "counted that probability once.",
        ),
    },
)
