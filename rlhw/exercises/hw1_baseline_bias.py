"""Question hw1-baseline-bias: what a baseline b(x, y) does to the expected update, over several questions."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The sampled update of REINFORCE draws a question $x$ with probability $p(x)$ and an answer $y$ with probability
$\pi(y\mid x)$, the softmax of row $x$ of the logits. It is the weight times the score $\nabla\log\pi(y\mid x)$, a table
with a row for each of $X$ questions and a column for each answer; only row $x$ of the score is not 0. Someone subtracts from
the reward a baseline $b(x, y)$ that may look at the answer. Write `baseline_bias(logits, question_probs, baseline)`: the
bias that this brings into the expected update,

$\mathbb E\bigl[(r(x, y) - b(x, y))\,\nabla\log\pi(y\mid x)\bigr] - \mathbb E\bigl[r(x, y)\,\nabla\log\pi(y\mid x)\bigr],$

where the expectations are over questions and answers. The rewards drop out. `baseline` has $X$ rows and $K$ columns, and
so has the result.

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, and the baseline $\bigl((1, 0), (5,
5)\bigr)$. In the second row it does not look at the answer. The bias is $\bigl((-\frac1{16}, \frac1{16}), (0, 0)\bigr)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def baseline_bias(logits, question_probs, baseline):
    ...
"""


def baseline_bias(logits, question_probs, baseline):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    mean = (policy * baseline).sum(axis=1, keepdims=True)
    return question_probs[:, None] * policy * (mean - baseline)


def by_loop(logits, question_probs, baseline):
    bias = np.zeros(logits.shape)
    for x in range(logits.shape[0]):
        p = np.exp(logits[x] - max(logits[x]))
        p = p / p.sum()
        for y in range(logits.shape[1]):
            score = -p
            score[y] += 1.0
            bias[x] -= question_probs[x] * p[y] * baseline[x, y] * score
    return bias


def by_einsum(logits, question_probs, baseline):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    scores = np.eye(logits.shape[1])[None, :, :] - policy[:, None, :]
    return -np.einsum("xyk,xy,xy,x->xk", scores, baseline, policy, question_probs)


def by_two_updates(logits, question_probs, baseline):
    """The expected update with some rewards and this baseline, less the one without it."""
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))

    def update(weights):
        joint = question_probs[:, None] * policy * weights
        return joint - policy * joint.sum(axis=1, keepdims=True)

    rewards = np.ones(baseline.shape)
    return update(rewards - baseline) - update(rewards)


def by_covariance(logits, question_probs, baseline):
    rows = []
    for z, p_x, b in zip(logits, question_probs, baseline, strict=True):
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        rows.append(-p_x * (np.diag(p) - np.outer(p, p)) @ b)
    return np.array(rows)


def in_place(logits, question_probs, baseline):
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    baseline -= (logits * baseline).sum(axis=1, keepdims=True)
    baseline *= -logits
    baseline *= question_probs[:, None]
    return baseline


def mean_of(p, baseline):
    return (p * baseline).sum(axis=1, keepdims=True)


def with_policy(softmax=contexts.policy, bias=lambda p, x, b: x[:, None] * p * (mean_of(p, b) - b)):
    """The bias from π, p(x) and the baseline; each wrong answer does one of the two steps in a way of its own."""
    return lambda logits, question_probs, baseline: bias(softmax(logits), question_probs, baseline)


def answers_equally_often(p, x, baseline):
    return x[:, None] * (p * baseline.mean(axis=1, keepdims=True) - baseline / p.shape[1])


def expected(logits, question_probs, baseline):
    """Minus the slope of the mean of the baseline, its numbers held fixed: E[b ∇log π] is a policy gradient with reward b."""
    return contexts.slope(
        lambda log_policy: -np.einsum("x,xy,nxy->n", question_probs, baseline, np.exp(log_policy)), logits
    )


def with_baseline(draw):
    def draw_case(rng):
        logits, question_probs = draw(rng)
        return logits, question_probs, 0.5 + rng.standard_normal(logits.shape)

    return draw_case


RIGHT = {
    "model": baseline_bias,
    "loop": by_loop,
    "einsum over the scores": by_einsum,
    "difference of two updates": by_two_updates,
    "covariance matrix": by_covariance,
    "in place": in_place,
    **{way: with_policy(softmax) for way, softmax in contexts.WAYS.items()},
    **contexts.written_as(baseline_bias),
}

QUESTION = Question(
    name="hw1-baseline-bias",
    title="What a baseline that looks at the answer does",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The bias is minus the expectation, over questions and answers, of baseline times score. Yours differs.",
    expected=expected,
    parts=(
        Part("one question", 2, with_baseline(contexts.draw_single), cases=3),
        Part("several questions", 3, with_baseline(contexts.draw_table), cases=3),
        Part("logits of a thousand", 1, with_baseline(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "sign turned round": Wrong(
            with_policy(bias=lambda p, x, b: x[:, None] * p * (b - mean_of(p, b))),
            "The size is right, the sign is not. The baseline is subtracted from the reward, so its part comes in with a "
            "minus.",
        ),
        "always zero": Wrong(
            with_policy(bias=lambda p, x, b: 0.0 * p),
            "You answered that a baseline adds nothing. That holds for b(x); this one looks at the answer, so it can't be "
            "taken out of the expectation over the answers.",
        ),
        "questions forgotten": Wrong(
            with_policy(bias=lambda p, x, b: p * (mean_of(p, b) - b)),
            "Each row is right for its question alone. p(x) is missing: the expectation goes over the questions too.",
        ),
        "questions equally often": Wrong(
            with_policy(bias=lambda p, x, b: p * (mean_of(p, b) - b) / len(x)),
            "You averaged over the questions as if all were asked equally often. Each counts with its own p(x).",
        ),
        "questions added up": Wrong(
            with_policy(bias=lambda p, x, b: x @ (p * (mean_of(p, b) - b))),
            "You added the rows of all questions. A question's score moves its own row of logits only, so the bias has a "
            "row for each.",
        ),
        "own answer only": Wrong(
            with_policy(bias=lambda p, x, b: -x[:, None] * p * b),
            "You counted for each logit only the case that its own answer is drawn, with the score 1. When another answer "
            "is drawn this logit's score is -π, not 0.",
        ),
        "only the mean is taken off": Wrong(
            with_policy(bias=lambda p, x, b: -x[:, None] * p * mean_of(p, b)),
            "Your baseline is its mean under the policy and the score 1_y: both halves are simpler than they are. The "
            "baseline of each answer multiplies that answer's own score.",
        ),
        "one mean for all questions": Wrong(
            with_policy(bias=lambda p, x, b: x[:, None] * p * (x @ mean_of(p, b) - b)),
            "You compared with the mean of the baseline over all questions. The score of a question's answers sums to 0 for "
            "each question by itself.",
        ),
        "plain mean": Wrong(
            with_policy(bias=lambda p, x, b: x[:, None] * p * (b.mean(axis=1, keepdims=True) - b)),
            "You compared the baseline with its plain mean over the answers. The mean that comes out of the expectation is "
            "the policy's, and your rows do not sum to 0.",
        ),
        "answers equally often": Wrong(
            with_policy(bias=answers_equally_often),
            "You averaged over the answers as if each were given equally often. They are drawn from the policy, and the "
            "expectation has its weights.",
        ),
        "policy left out": Wrong(
            with_policy(bias=lambda p, x, b: x[:, None] * (mean_of(p, b) - b)),
            "You have the baseline's difference from its mean. How much of it reaches a logit also depends on how often "
            "that answer is drawn.",
        ),
        "diagonal only": Wrong(
            with_policy(bias=lambda p, x, b: -x[:, None] * p * b * (1 - p)),
            "You counted for each logit only the case that its own answer is drawn. When another answer is drawn this "
            "logit's score is -π, and that answer's baseline multiplies it.",
        ),
        "one number": Wrong(
            with_policy(bias=lambda p, x, b: -float((x[:, None] * p * b).sum())),
            "This is minus the mean of the baseline, one number. The score is missing: it makes a table of X rows and K "
            "columns.",
        ),
        "policy counted twice": Wrong(
            with_policy(bias=lambda p, x, b: x[:, None] * p * (mean_of(p, p * b) - p * b)),
            "Each answer's term carries its probability twice. Once is enough: the expectation brings it in.",
        ),
        "softmax over the table": Wrong(with_policy(contexts.over_the_table), contexts.OVER_THE_TABLE),
        "softmax over the questions": Wrong(with_policy(contexts.over_the_questions), contexts.OVER_THE_QUESTIONS),
        "no maximum subtracted": Wrong(with_policy(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_policy(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
)
