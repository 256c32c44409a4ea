"""Question hw1-rl-gradient: the gradient of the expected reward, over several questions."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Questions, policy and logits as before: row $x$ of the logits $z$ belongs to question $x$, which is asked with
probability $p(x)$, and $\pi(y\mid x)$ is the softmax of that row. Nobody shows answers now; the answer $y$ to the question
$x$ earns the reward $r(x, y)$. REINFORCE climbs

$J_{\text{RL}} = \sum_x p(x) \sum_y \pi(y\mid x)\,r(x, y).$

Derive its gradient with respect to all the logits and write it as `rl_gradient(logits, question_probs, rewards)`: exactly,
by sums, not by sampling. `rewards` has $X$ rows and $K$ columns. Return an array of the same shape: entry $(x, k)$ is
$\partial J_{\text{RL}}/\partial z_{xk}$.

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, rewards $\bigl((1, 0), (2, 2)\bigr)$. The
gradient is $\bigl((\frac1{16}, -\frac1{16}), (0, 0)\bigr)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def rl_gradient(logits, question_probs, rewards):
    ...
"""


def rl_gradient(logits, question_probs, rewards):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    values = (policy * rewards).sum(axis=1, keepdims=True)
    return question_probs[:, None] * policy * (rewards - values)


def by_loop(logits, question_probs, rewards):
    gradient = np.zeros(logits.shape)
    for x in range(logits.shape[0]):
        p = np.exp(logits[x] - max(logits[x]))
        p = p / p.sum()
        for y in range(logits.shape[1]):
            for k in range(logits.shape[1]):
                score = 1.0 - p[k] if k == y else -p[k]
                gradient[x, k] += question_probs[x] * p[y] * rewards[x, y] * score
    return gradient


def by_einsum(logits, question_probs, rewards):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    scores = np.eye(logits.shape[1])[None, :, :] - policy[:, None, :]
    return np.einsum("x,xy,xy,xyk->xk", question_probs, policy, rewards, scores)


def by_jacobian(logits, question_probs, rewards):
    rows = []
    for z, p_x, r in zip(logits, question_probs, rewards, strict=True):
        p = np.exp(z - z.max())
        p = p / p.sum()
        jacobian = np.diag(p) - np.outer(p, p)
        rows.append(p_x * jacobian @ r)
    return np.array(rows)


def by_complex_step(logits, question_probs, rewards):
    centred = logits - logits.max(axis=1, keepdims=True)
    gradient = np.zeros(logits.shape)
    for index in np.ndindex(logits.shape):
        moved = centred.astype(complex)
        moved[index] += 1e-30j
        policy = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
        gradient[index] = (question_probs[:, None] * policy * rewards).sum().imag / 1e-30
    return gradient


def by_any_baseline(logits, question_probs, rewards):
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    advantages = rewards - rewards.mean(axis=1, keepdims=True)
    gradient = policy * advantages
    gradient -= policy * gradient.sum(axis=1, keepdims=True)
    gradient *= question_probs[:, None]
    return gradient


def mean_of(p, rewards):
    return (p * rewards).sum(axis=1, keepdims=True)


def with_policy(
    softmax=contexts.policy, gradient=lambda p, x, rewards: x[:, None] * p * (rewards - mean_of(p, rewards))
):
    """The gradient from π, p(x) and the rewards; each wrong answer does one of the two steps in a way of its own."""
    return lambda logits, question_probs, rewards: gradient(softmax(logits), question_probs, rewards)


def twice(p, x, rewards):
    return x[:, None] * p * (p * rewards - mean_of(p, p * rewards))


def answers_equally_often(p, x, rewards):
    return x[:, None] * (rewards / p.shape[1] - p * rewards.mean(axis=1, keepdims=True))


def expected(logits, question_probs, rewards):
    """Central differences of the objective."""
    return contexts.slope(
        lambda log_policy: np.einsum("x,xy,nxy->n", question_probs, rewards, np.exp(log_policy)), logits
    )


def with_rewards(draw):
    def draw_case(rng):
        logits, question_probs = draw(rng)
        return logits, question_probs, 0.5 + rng.standard_normal(logits.shape)

    return draw_case


RIGHT = {
    "model": rl_gradient,
    "loop": by_loop,
    "einsum over the scores": by_einsum,
    "Jacobian of the softmax": by_jacobian,
    "complex-step derivative": by_complex_step,
    "another baseline, in place": by_any_baseline,
    **{way: with_policy(softmax) for way, softmax in contexts.WAYS.items()},
    **contexts.written_as(rl_gradient),
}

QUESTION = Question(
    name="hw1-rl-gradient",
    title="The gradient of the expected reward",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Entry (x, k) is how J_RL changes with the logit of answer k to question x. Yours differs from the difference quotient.",
    expected=expected,
    parts=(
        Part("one question", 3, with_rewards(contexts.draw_single), cases=3),
        Part("several questions", 3, with_rewards(contexts.draw_table), cases=3),
        Part("logits of a thousand", 2, with_rewards(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "gradient of a loss": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * p * (mean_of(p, rewards) - rewards)),
            "The sign is turned round: answers that earn more than the mean are made less likely. J_RL is to grow.",
        ),
        "questions forgotten": Wrong(
            with_policy(gradient=lambda p, x, rewards: p * (rewards - mean_of(p, rewards))),
            "Each row is right for its question alone. p(x) is missing: a question that is seldom asked moves J_RL little.",
        ),
        "questions equally often": Wrong(
            with_policy(gradient=lambda p, x, rewards: p * (rewards - mean_of(p, rewards)) / len(x)),
            "You averaged over the questions as if all were asked equally often. Each counts with its own p(x).",
        ),
        "questions added up": Wrong(
            with_policy(gradient=lambda p, x, rewards: x @ (p * (rewards - mean_of(p, rewards)))),
            "You added the rows of all questions. Each question has logits of its own here, so the gradient has a row for "
            "each.",
        ),
        "law held constant": Wrong(
            with_policy(gradient=lambda p, x, rewards: 0.0 * rewards),
            "Your gradient is 0 everywhere: you took the derivative of the reward, which does not depend on the logits. "
            "What depends on them is the probability of each answer.",
        ),
        "policy counted twice": Wrong(
            with_policy(gradient=twice),
            "π is counted twice. The sum of r ∇π has no π in front; it becomes an expectation only when ∇π is replaced by "
            "π ∇log π.",
        ),
        "own logit only": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * p * rewards * (1 - p)),
            "You counted for each logit only its own answer. When another answer is drawn the score has a component here "
            "too, and it is negative.",
        ),
        "normaliser forgotten": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * p * rewards),
            "The score of an answer is 1_y - π, and you took 1_y alone. So the mean reward is missing from your brackets, "
            "and a row does not sum to 0.",
        ),
        "one value for all": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * p * (rewards - x @ mean_of(p, rewards))),
            "You compared each reward with the mean over all questions. What the policy earns at this one question is what "
            "counts: the probabilities of its answers sum to one.",
        ),
        "plain mean subtracted": Wrong(
            with_policy(
                gradient=lambda p, x, rewards: x[:, None] * p * (rewards - rewards.mean(axis=1, keepdims=True))
            ),
            "You compared each reward with the plain mean of its row. The mean that comes out of the derivative is weighted "
            "by the policy.",
        ),
        "answers equally often": Wrong(
            with_policy(gradient=answers_equally_often),
            "You averaged over the answers as if each were given equally often. The policy gives them with its own "
            "probabilities, and the expectation has these weights.",
        ),
        "policy left out": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * (rewards - mean_of(p, rewards))),
            "These are the advantages, times p(x). A logit moves J_RL as much as its answer is likely: π is missing in front.",
        ),
        "policy in front twice": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * p**2 * (rewards - mean_of(p, rewards))),
            "Your brackets are right, but π stands in front of them twice. Once is enough, and then each row sums to 0.",
        ),
        "scores not weighted": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * (rewards - p * rewards.sum(axis=1, keepdims=True))),
            "You added reward times score over the answers without weights. The sum is an expectation: each answer counts "
            "with its probability π.",
        ),
        "rewards as a teacher": Wrong(
            with_policy(gradient=lambda p, x, rewards: x[:, None] * (rewards - p)),
            "You put the rewards where the teacher's probabilities stand in the gradient of cloning. The answers are the "
            "policy's own here, so each term carries its π.",
        ),
        "the objective itself": Wrong(
            with_policy(gradient=lambda p, x, rewards: float(x @ (p * rewards).sum(axis=1))),
            "This is J_RL itself, one number. Its gradient was asked for: one number for each logit.",
        ),
        "softmax over the table": Wrong(with_policy(contexts.over_the_table), contexts.OVER_THE_TABLE),
        "softmax over the questions": Wrong(with_policy(contexts.over_the_questions), contexts.OVER_THE_QUESTIONS),
        "no maximum subtracted": Wrong(with_policy(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_policy(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
)
