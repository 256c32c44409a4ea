"""Question hw1-cloning-step: one sampled step of behavior cloning, with several questions."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
One sampled step of ascent on $J_{\text{MLE}}$. `u` holds two numbers in [0, 1). The first draws the question $x$ from
`question_probs`, $X$ probabilities: it is the first $x$ whose cumulative probability exceeds `u[0]`. In the same way
`u[1]` draws the answer $y$ from row $x$ of `teacher`, the teacher's probabilities (should rounding leave none, it is the
last). Then the logits, a table of $X$ rows and $K$ columns, move by `lr` along the score: the gradient of
$\log\pi(y\mid x)$ with respect to all logits, where $\pi(y\mid x)$ is the softmax of row $x$.

Write `cloning_step(logits, question_probs, teacher, u, lr)`; return the table of new logits.

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, a teacher with rows $(1, 0)$ and
$(\frac12, \frac12)$, `u` = (0.3, 0.6), `lr` = 0.2. The question is 1, the answer is 1, and the new logits are
$\bigl((0, 0), (-0.1, 0.1)\bigr)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def cloning_step(logits, question_probs, teacher, u, lr):
    ...
"""


def cloning_step(logits, question_probs, teacher, u, lr):
    x = min(np.searchsorted(np.cumsum(question_probs), u[0], side="right"), len(question_probs) - 1)
    y = min(np.searchsorted(np.cumsum(teacher[x]), u[1], side="right"), len(teacher[x]) - 1)
    policy = np.exp(logits[x] - logits[x].max())
    policy = policy / policy.sum()
    score = -policy
    score[y] += 1.0
    new = logits.copy()
    new[x] += lr * score
    return new


def by_loop(logits, question_probs, teacher, u, lr):
    def draw(probabilities, number):
        reached = 0.0
        for index in range(len(probabilities)):
            reached += probabilities[index]
            if reached > number:
                return index
        return len(probabilities) - 1

    x = draw(question_probs, u[0])
    y = draw(teacher[x], u[1])
    new = [list(row) for row in logits]
    total = sum(np.exp(logit - max(logits[x])) for logit in logits[x])
    for k in range(len(logits[x])):
        happened = 1.0 if k == y else 0.0
        new[x][k] += lr * (happened - np.exp(logits[x][k] - max(logits[x])) / total)
    return new


def by_one_hot_tables(logits, question_probs, teacher, u, lr):
    x = min(int(np.sum(np.cumsum(question_probs) <= u[0])), len(question_probs) - 1)
    y = min(int(np.sum(np.cumsum(teacher[x]) <= u[1])), teacher.shape[1] - 1)
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    asked = np.eye(len(logits))[x]
    answered = np.eye(logits.shape[1])[y]
    return logits + lr * asked[:, None] * (answered[None, :] - policy)


def by_argmax(logits, question_probs, teacher, u, lr):
    x = np.argmax(np.cumsum(question_probs) > u[0])
    y = np.argmax(np.cumsum(teacher, axis=1)[x] > u[1])
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    logits[x] -= lr * policy[x]
    logits[x, y] += lr
    return logits


def by_complex_step(logits, question_probs, teacher, u, lr):
    x = min(np.searchsorted(np.cumsum(question_probs), u[0], side="right"), len(question_probs) - 1)
    y = min(np.searchsorted(np.cumsum(teacher[x]), u[1], side="right"), len(teacher[x]) - 1)
    new = logits.copy()
    centred = logits[x] - logits[x].max()
    for k in range(len(centred)):
        moved = centred.astype(complex)
        moved[k] += 1e-30j
        log_policy = moved[y] - np.log(np.exp(moved).sum())
        new[x, k] += lr * log_policy.imag / 1e-30
    return new


def every_row_by_its_own(logits, question_probs, teacher, u, lr):
    x, p = contexts.first_above(question_probs, u[0]), contexts.policy(logits)
    y = contexts.first_above(teacher[x], u[1])
    return logits + lr * (np.eye(logits.shape[1])[y] - p)


def exact_step(logits, question_probs, teacher, u, lr):
    return logits + lr * question_probs[:, None] * (teacher - contexts.policy(logits))


def only_row(logits, x, step):
    table = np.zeros(logits.shape)
    table[x] = step
    return table


def variant(
    question=lambda question_probs, u: contexts.first_above(question_probs, u[0]),
    answer=lambda row, teacher_row, u: contexts.first_above(teacher_row, u[1]),
    softmax=contexts.policy,
    score=lambda p, y, teacher_row: np.eye(len(p))[y] - p,
    weight=lambda question_probs, teacher, x, y: 1.0,
    move=lambda logits, x, step, lr: logits + lr * only_row(logits, x, step),
):
    """A step in six decisions, each of which a wrong answer takes in a way of its own."""

    def step(logits, question_probs, teacher, u, lr):
        x = question(question_probs, u)
        p = softmax(logits[x])
        y = answer(p, teacher[x], u)
        return move(logits, x, weight(question_probs, teacher, x, y) * score(p, y, teacher[x]), lr)

    return step


def with_whole_table(softmax):
    """The step as a table that is 0 in the other rows, where a nan of the softmax stays: nan times 0 is nan."""
    return variant(
        softmax=softmax,
        move=lambda logits, x, step, lr: logits + lr * only_row(logits, x, step) + 0.0 * softmax(logits),
    )


def draw_step(rng, draw):
    """Numbers with which each slip leads to another question or another answer, so that none is right by luck."""
    while True:
        logits, question_probs = draw(rng, fewest=4)
        # Of two questions one is the likeliest, or the one that u[0] draws when both are equally likely: no number tells all.
        if len(logits) == 2:
            continue
        teacher = 0.8 * rng.dirichlet(np.ones(logits.shape[1]), len(logits)) + 0.2 / logits.shape[1]
        u = rng.random((200, 2))
        first, second = u.T
        x, exchanged = contexts.drawn(question_probs, first), contexts.drawn(question_probs, second)
        rows = teacher[x]
        telling = contexts.not_the_largest(logits)[x]
        telling &= contexts.clear(question_probs, first) & contexts.clear(rows, second)
        telling &= contexts.all_differ(
            contexts.drawn(rows, second),
            contexts.drawn(rows, first),
            contexts.drawn(contexts.policy(logits)[x], second),
            rows.argmax(axis=1),
        )
        equally = contexts.uniformly(logits.shape[1], second)
        telling &= contexts.drawn(rows, second) != equally
        if len(logits) == 1:
            # Enough in one part to tell this slip from answers of the policy.
            telling &= contexts.drawn(contexts.policy(logits)[x], second) != equally
        if len(logits) > 1:
            telling &= x != contexts.uniformly(len(logits), first)
            likeliest = np.full(len(u), question_probs.argmax())
            telling &= (x != exchanged) & (x != likeliest)
            other_answers = contexts.drawn(teacher[exchanged], first), contexts.drawn(teacher[likeliest], second)
            telling &= (exchanged != likeliest) | (other_answers[0] != other_answers[1])
        if telling.any():
            return logits, question_probs, teacher, u[telling.argmax()], float(rng.uniform(0.2, 0.8))


def with_numbers(draw):
    return lambda rng: draw_step(rng, draw)


def expected(logits, question_probs, teacher, u, lr):
    """The numbers draw question and answer by adding up; the score is a difference quotient over the whole table."""
    x = contexts.first_above(question_probs, u[0])
    y = contexts.first_above(teacher[x], u[1])
    return logits + lr * contexts.slope(lambda log_policy: log_policy[:, x, y], logits)


RIGHT = {
    "model": cloning_step,
    "loop": by_loop,
    "tables of ones and zeros": by_one_hot_tables,
    "in place": by_argmax,
    "complex-step derivative": by_complex_step,
    **{way: variant(softmax=softmax) for way, softmax in contexts.WAYS.items()},
    **contexts.written_as(cloning_step),
}

QUESTION = Question(
    name="hw1-cloning-step",
    title="One sampled step of cloning",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "The new logits are the old ones, plus, in the row of the question that u[0] draws, lr times the score of the "
        "answer that the teacher gives for u[1]. Yours differ."
    ),
    expected=expected,
    parts=(
        Part("one question", 3, with_numbers(contexts.draw_single), cases=3),
        Part("several questions", 3, with_numbers(contexts.draw_table), cases=3),
        Part("logits of a thousand", 2, with_numbers(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "drawn from the policy": Wrong(
            variant(answer=lambda p, teacher_row, u: contexts.first_above(p, u[1])),
            "The answer was drawn from the policy. In cloning it comes from the teacher's row of that question; under the "
            "policy the mean score is 0.",
        ),
        "teacher's score": Wrong(
            variant(score=lambda p, y, teacher_row: np.eye(len(p))[y] - teacher_row),
            "Question and answer are drawn well, but from the answer you took off the teacher's probabilities. It is "
            "log π that is differentiated.",
        ),
        "no step size": Wrong(
            variant(move=lambda logits, x, step, lr: logits + only_row(logits, x, step)),
            "The direction is right, the length is not: the move has to be multiplied by lr.",
        ),
        "descending": Wrong(
            variant(move=lambda logits, x, step, lr: logits - lr * only_row(logits, x, step)),
            "The logits moved away from the teacher's answer. J_MLE is to grow: go along the score, not against it.",
        ),
        "only the change": Wrong(
            variant(move=lambda logits, x, step, lr: lr * only_row(logits, x, step)),
            "You returned the change of the logits. Asked for are the logits after it.",
        ),
        "only the row": Wrong(
            variant(move=lambda logits, x, step, lr: logits[x] + lr * step),
            "You returned the row of the question that was asked. The whole table is asked for, with the other rows as "
            "they were.",
        ),
        "every row moves": Wrong(
            variant(move=lambda logits, x, step, lr: logits + lr * step),
            "You moved the logits of every question. An answer to one question says nothing about the others: only row x "
            "of the score is not 0.",
        ),
        "every row by its own policy": Wrong(
            every_row_by_its_own,
            "You took the score as 1_y - π in every row. The log-probability of an answer to x depends on the logits of x "
            "alone, so the other rows of its score are 0.",
        ),
        "question counted twice": Wrong(
            variant(weight=lambda question_probs, teacher, x, y: question_probs[x]),
            "You multiplied the step by p(x). Drawing the question has already counted that probability once.",
        ),
        "teacher counted twice": Wrong(
            variant(weight=lambda question_probs, teacher, x, y: teacher[x, y]),
            "You multiplied the score by the teacher's probability of the answer. Drawing the answer has already counted "
            "it.",
        ),
        "one number for both": Wrong(
            variant(answer=lambda p, teacher_row, u: contexts.first_above(teacher_row, u[0])),
            "You drew the answer with u[0]. That number draws the question, and the answer must not depend on it: u[1] is "
            "there for the answer.",
        ),
        "numbers exchanged": Wrong(
            variant(
                question=lambda question_probs, u: contexts.first_above(question_probs, u[1]),
                answer=lambda p, teacher_row, u: contexts.first_above(teacher_row, u[0]),
            ),
            "The two numbers are exchanged: u[0] draws the question, u[1] the answer.",
        ),
        "questions equally often": Wrong(
            variant(question=lambda question_probs, u: int(u[0] * len(question_probs))),
            "You drew the question as if all were asked equally often. Each comes with its own probability p(x).",
        ),
        "answers equally often": Wrong(
            variant(answer=lambda p, teacher_row, u: int(u[1] * len(teacher_row))),
            "You drew the answer as if all were equally likely. The teacher gives each with a probability of its own.",
        ),
        "likeliest question": Wrong(
            variant(question=lambda question_probs, u: int(np.argmax(question_probs))),
            "You took the most frequent question whatever u[0] is. Then the others would never be taught.",
        ),
        "likeliest answer": Wrong(
            variant(answer=lambda p, teacher_row, u: int(np.argmax(teacher_row))),
            "You took the teacher's most likely answer whatever u[1] is. Then the rarer ones would never be taught.",
        ),
        "expected step": Wrong(
            variant(score=lambda p, y, teacher_row: teacher_row - p),
            "This is the mean of the step over the teacher's answers to that question: a good step, but not a sampled one. "
            "Only the answer that u[1] draws counts.",
        ),
        "exact gradient": Wrong(
            exact_step,
            "This is a step along the exact gradient, by sums. Asked for is a sampled one: u draws one question and one "
            "answer.",
        ),
        "own logit only": Wrong(
            variant(score=lambda p, y, teacher_row: np.eye(len(p))[y] * (1.0 - p[y])),
            "You moved the logit of the answer only. The other answers of that question go down, each by lr times its "
            "probability.",
        ),
        "normaliser forgotten": Wrong(
            variant(score=lambda p, y, teacher_row: np.eye(len(p))[y]),
            "You raised the answer's logit by lr and stopped there. The score is 1_y - π: the probabilities of the row are "
            "still to be taken off.",
        ),
        "a row of nan": Wrong(variant(softmax=contexts.without_maximum), contexts.NAN_ROW),
        "no maximum subtracted": Wrong(with_whole_table(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_whole_table(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
)
