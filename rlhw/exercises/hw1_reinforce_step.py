"""Question hw1-reinforce-step: one sampled step of REINFORCE, with several questions and a baseline for each."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
One sampled step of ascent on $J_{\text{RL}}$ with a baseline. `u` holds two numbers in [0, 1). The first draws the
question $x$ from `question_probs`, $X$ probabilities: it is the first $x$ whose cumulative probability exceeds `u[0]`. In
the same way `u[1]` draws the answer $y$ from the policy $\pi(\cdot\mid x)$, the softmax of row $x$ of `logits` (should
rounding leave none, it is the last). The answer earns `rewards[x, y]`. The logits move by `lr` along weight times score,
where the weight is the reward minus the baseline of this question, `b[x]`; `b` holds $X$ numbers.

Write `reinforce_step(logits, question_probs, rewards, u, lr, b)`; return the table of new logits, $X$ rows and $K$ columns.

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, rewards $\bigl((9, 9), (1, 3)\bigr)$,
`u` = (0.3, 0.6), `lr` = 0.1, `b` = (9, 2). The question is 1, the answer is 1, the weight is $3 - 2 = 1$, and the new logits
are $\bigl((0, 0), (-0.05, 0.05)\bigr)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def reinforce_step(logits, question_probs, rewards, u, lr, b):
    ...
"""


def reinforce_step(logits, question_probs, rewards, u, lr, b):
    x = min(np.searchsorted(np.cumsum(question_probs), u[0], side="right"), len(question_probs) - 1)
    policy = np.exp(logits[x] - logits[x].max())
    policy = policy / policy.sum()
    y = min(np.searchsorted(np.cumsum(policy), u[1], side="right"), len(policy) - 1)
    score = -policy
    score[y] += 1.0
    new = logits.copy()
    new[x] += lr * (rewards[x, y] - b[x]) * score
    return new


def by_loop(logits, question_probs, rewards, u, lr, b):
    def draw(probabilities, number):
        reached = 0.0
        for index in range(len(probabilities)):
            reached += probabilities[index]
            if reached > number:
                return index
        return len(probabilities) - 1

    x = draw(question_probs, u[0])
    weights = [np.exp(logit - max(logits[x])) for logit in logits[x]]
    p = [weight / sum(weights) for weight in weights]
    y = draw(p, u[1])
    new = [list(row) for row in logits]
    for k in range(len(p)):
        new[x][k] += lr * (rewards[x][y] - b[x]) * ((k == y) - p[k])
    return new


def by_one_hot_tables(logits, question_probs, rewards, u, lr, b):
    x = min(int(np.sum(np.cumsum(question_probs) <= u[0])), len(question_probs) - 1)
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    y = min(int(np.sum(np.cumsum(policy[x]) <= u[1])), logits.shape[1] - 1)
    asked = np.eye(len(logits))[x]
    answered = np.eye(logits.shape[1])[y]
    weights = asked * (rewards[:, y] - b)
    return logits + lr * weights[:, None] * (answered - policy)


def by_argmax(logits, question_probs, rewards, u, lr, b):
    x = np.argmax(np.cumsum(question_probs) > u[0])
    p = np.exp(logits[x] - logits[x].max())
    p /= p.sum()
    y = np.argmax(np.cumsum(p) > u[1])
    push = lr * (rewards[x, y] - b[x])
    logits[x] -= push * p
    logits[x, y] += push
    return logits


def only_row(logits, x, step):
    table = np.zeros(logits.shape)
    table[x] = step
    return table


def variant(
    question=lambda question_probs, u: contexts.first_above(question_probs, u[0]),
    answer=lambda p, u: contexts.first_above(p, u[1]),
    softmax=contexts.policy,
    score=lambda p, y: np.eye(len(p))[y] - p,
    weight=lambda r, b, x, y, p, question_probs: r[x, y] - b[x],
    move=lambda logits, x, step, lr: logits + lr * only_row(logits, x, step),
):
    """A step in six decisions, each of which a wrong answer takes in a way of its own."""

    def step(logits, question_probs, rewards, u, lr, b):
        x = question(question_probs, u)
        p = softmax(logits[x])
        y = answer(p, u)
        return move(logits, x, weight(rewards, b, x, y, p, question_probs) * score(p, y), lr)

    return step


def baseline_outside(logits, question_probs, rewards, u, lr, b):
    x = contexts.first_above(question_probs, u[0])
    p = contexts.policy(logits[x])
    y = contexts.first_above(p, u[1])
    return logits + lr * only_row(logits, x, rewards[x, y] * (np.eye(len(p))[y] - p) - b[x])


def with_whole_table(softmax):
    """The step as a table that is 0 in the other rows, where a nan of the softmax stays: nan times 0 is nan."""
    return variant(
        softmax=softmax,
        move=lambda logits, x, step, lr: logits + lr * only_row(logits, x, step) + 0.0 * softmax(logits),
    )


def best_answer(logits, question_probs, rewards, u, lr, b):
    x = contexts.first_above(question_probs, u[0])
    y = int(np.argmax(rewards[x]))
    step = (rewards[x, y] - b[x]) * (np.eye(logits.shape[1])[y] - contexts.policy(logits[x]))
    return logits + lr * only_row(logits, x, step)


def every_row_by_its_own(logits, question_probs, rewards, u, lr, b):
    x, p = contexts.first_above(question_probs, u[0]), contexts.policy(logits)
    y = contexts.first_above(p[x], u[1])
    return logits + lr * (rewards[x, y] - b[x]) * (np.eye(logits.shape[1])[y] - p)


def exact_step(logits, question_probs, rewards, u, lr, b):
    p = contexts.policy(logits)
    return logits + lr * question_probs[:, None] * p * (rewards - (p * rewards).sum(axis=1, keepdims=True))


def draw_step(rng, draw):
    """Numbers with which each slip leads to another question or another answer, so that none is right by luck."""
    while True:
        logits, question_probs = draw(rng)
        u = rng.random((200, 2))
        first, second = u.T
        x = contexts.drawn(question_probs, first)
        p = contexts.policy(logits)[x]
        telling = contexts.not_the_largest(logits)[x]
        telling &= contexts.clear(question_probs, first) & contexts.clear(p, second)
        telling &= contexts.all_differ(contexts.drawn(p, second), contexts.drawn(p, first), p.argmax(axis=1))
        telling &= contexts.drawn(p, second) != contexts.uniformly(logits.shape[1], second)
        if len(logits) > 1:
            telling &= x != contexts.drawn(question_probs, second)
            telling &= (x != contexts.uniformly(len(logits), first)) & (x > 0)
        if telling.any():
            # Rewards and baselines of either sign, neither near 0 nor near each other, and the answer drawn is not the best
            # one: every slip shows.
            rewards = rng.choice([-1.0, 1.0], logits.shape) * rng.uniform(1.0, 2.0, logits.shape)
            b = rng.choice([-1.0, 1.0], len(logits)) * rng.uniform(0.3, 0.8, len(logits))
            n = telling.argmax()
            if rewards[x[n]].argmax() == contexts.drawn(p[n], second[n : n + 1])[0]:
                rewards[x[n]] *= -1.0
            return logits, question_probs, rewards, u[n], float(rng.uniform(0.2, 0.8)), b


def with_numbers(draw):
    return lambda rng: draw_step(rng, draw)


def expected(logits, question_probs, rewards, u, lr, b):
    """The numbers draw question and answer by adding up; the score is a difference quotient over the whole table."""
    x = contexts.first_above(question_probs, u[0])
    y = contexts.first_above(np.exp(contexts.log_policy(logits[x])), u[1])
    return logits + lr * (rewards[x, y] - b[x]) * contexts.slope(lambda log_policy: log_policy[:, x, y], logits)


RIGHT = {
    "model": reinforce_step,
    "loop": by_loop,
    "tables of ones and zeros": by_one_hot_tables,
    "in place": by_argmax,
    **{way: variant(softmax=softmax) for way, softmax in contexts.WAYS.items()},
    **contexts.written_as(reinforce_step),
}

QUESTION = Question(
    name="hw1-reinforce-step",
    title="One sampled step of REINFORCE",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "The new logits are the old ones, plus, in the row of the question that u[0] draws, lr times (reward - b[x]) times "
        "the score of the answer that u[1] draws from the policy. Yours differ."
    ),
    expected=expected,
    parts=(
        Part("one question", 3, with_numbers(contexts.draw_single), cases=3),
        Part("several questions", 3, with_numbers(contexts.draw_table), cases=3),
        Part("logits of a thousand", 2, with_numbers(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "baseline ignored": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: r[x, y]),
            "Your step is the same for every b: the baseline was left out of the weight.",
        ),
        "baseline added": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: r[x, y] + b[x]),
            "You added the baseline to the reward. The weight is how far the reward lies above it: the difference.",
        ),
        "baseline outside": Wrong(
            baseline_outside,
            "You subtracted the baseline from the gradient, from each of its components. It belongs into the weight, which "
            "multiplies the score.",
        ),
        "baseline of another question": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: r[x, y] - b[0]),
            "You subtracted the baseline of question 0 whatever question was drawn. Each question has its own: b[x].",
        ),
        "mean of the baselines": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: r[x, y] - b.mean()),
            "You subtracted the mean of all baselines. The one that belongs to the drawn question is b[x].",
        ),
        "value subtracted": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: r[x, y] - p @ r[x]),
            "You computed a baseline of your own, the value of the question. A good one; but the one handed in as b is to "
            "be subtracted.",
        ),
        "cloning": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: 1.0),
            "Your step does not know the reward: with weight 1 every answer of one's own is praised, and in the mean "
            "nothing is learnt.",
        ),
        "descending": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: b[x] - r[x, y]),
            "An answer that earned more than its baseline became less likely. J_RL is to grow: the sign is turned round.",
        ),
        "no step size": Wrong(
            variant(move=lambda logits, x, step, lr: logits + only_row(logits, x, step)),
            "The direction is right, the length is not: the move has to be multiplied by lr.",
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
            variant(weight=lambda r, b, x, y, p, question_probs: question_probs[x] * (r[x, y] - b[x])),
            "You multiplied the step by p(x). Drawing the question has already counted that probability once.",
        ),
        "policy counted twice": Wrong(
            variant(weight=lambda r, b, x, y, p, question_probs: p[y] * (r[x, y] - b[x])),
            "You multiplied the step by π(y|x). Drawing the answer from the policy has already counted that probability.",
        ),
        "one number for both": Wrong(
            variant(answer=lambda p, u: contexts.first_above(p, u[0])),
            "You drew the answer with u[0]. That number draws the question, and the answer must not depend on it: u[1] is "
            "there for the answer.",
        ),
        "numbers exchanged": Wrong(
            variant(
                question=lambda question_probs, u: contexts.first_above(question_probs, u[1]),
                answer=lambda p, u: contexts.first_above(p, u[0]),
            ),
            "The two numbers are exchanged: u[0] draws the question, u[1] the answer.",
        ),
        "questions equally often": Wrong(
            variant(question=lambda question_probs, u: int(u[0] * len(question_probs))),
            "You drew the question as if all were asked equally often. Each comes with its own probability p(x).",
        ),
        "answers equally often": Wrong(
            variant(answer=lambda p, u: int(u[1] * len(p))),
            "You drew the answer as if all were equally likely. The policy gives each with a probability of its own.",
        ),
        "best answer": Wrong(
            best_answer,
            "You took the answer with the greatest reward. REINFORCE learns the reward of the answer that was drawn, and of "
            "no other.",
        ),
        "exact gradient": Wrong(
            exact_step,
            "This is a step along the exact gradient, by sums. Asked for is a sampled one: u draws one question and one "
            "answer.",
        ),
        "likeliest answer": Wrong(
            variant(answer=lambda p, u: int(np.argmax(p))),
            "You took the policy's most likely answer whatever u[1] is. REINFORCE has to try the others too: u[1] draws.",
        ),
        "normaliser forgotten": Wrong(
            variant(score=lambda p, y: np.eye(len(p))[y]),
            "You moved the answer's logit by lr times weight and stopped there. The score is 1_y - π: the probabilities of "
            "the row are still to be taken off.",
        ),
        "own logit only": Wrong(
            variant(score=lambda p, y: np.eye(len(p))[y] * (1.0 - p[y])),
            "You moved the logit of the answer only. The other answers of that question move too, each by its probability, "
            "the other way.",
        ),
        "a row of nan": Wrong(variant(softmax=contexts.without_maximum), contexts.NAN_ROW),
        "no maximum subtracted": Wrong(with_whole_table(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_whole_table(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
)
