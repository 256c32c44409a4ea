"""Question hw1-value-and-advantage: what the policy earns at a question, and what an answer earns beyond it."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
The value of a question $x$ is what the policy earns there on average, and the advantage of an answer is what it earns
beyond that:

$V(x) = \sum_y \pi(y\mid x)\,r(x, y), \qquad A(x, y) = r(x, y) - V(x).$

Write `value_and_advantage(logits, rewards)`. Both arrays have a row for each of $X$ questions and a column for each
answer; $\pi(y\mid x)$ is the softmax of row $x$ of the logits. Return the pair of $V$, $X$ numbers, and $A$, an array of
the shape of `rewards`.

Example: one question, two answers, logits $(0, \log 3)$, rewards $(4, 0)$. Then $\pi = (\frac14, \frac34)$, the value is
1, and the advantages are $(3, -1)$.

One question's logits may be near $1000$ and another's near $-1000$.
"""

STUB = """
def value_and_advantage(logits, rewards):
    ...
    return values, advantages
"""


def value_and_advantage(logits, rewards):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    values = (policy * rewards).sum(axis=1)
    advantages = rewards - values[:, None]
    return values, advantages


def by_loop(logits, rewards):
    values, advantages = [], []
    for z, r in zip(logits, rewards, strict=True):
        weights = [np.exp(logit - max(z)) for logit in z]
        value = 0.0
        for weight, reward in zip(weights, r, strict=True):
            value += weight / sum(weights) * reward
        values.append(value)
        advantages.append([reward - value for reward in r])
    return values, advantages


def by_einsum(logits, rewards):
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    values = np.einsum("xy,xy->x", policy, rewards)
    return [values, rewards - np.expand_dims(values, 1)]


def by_average(logits, rewards):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    values = np.average(rewards, axis=1, weights=weights)
    return values, (rewards.T - values).T


def by_diagonal(logits, rewards):
    p = np.exp(logits - np.max(logits, axis=1).reshape(-1, 1))
    p /= np.sum(p, axis=1).reshape(-1, 1)
    values = np.diag(p @ rewards.T)
    return values, rewards - np.repeat(values, rewards.shape[1]).reshape(rewards.shape)


def in_place(logits, rewards):
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    values = (logits * rewards).sum(axis=1)
    rewards -= values[:, np.newaxis]
    return values, rewards


def mean_of(p, rewards):
    return (p * rewards).sum(axis=1)


def with_policy(softmax=contexts.policy, value=mean_of, advantage=lambda p, r, v: r - v[:, None], pair=tuple):
    """The pair from π and the rewards; each wrong answer does one step in a way of its own."""

    def answer(logits, rewards):
        p = softmax(logits)
        values = value(p, rewards)
        return pair((values, advantage(p, rewards, values)))

    return answer


def over_all_questions(p, rewards):
    return np.full(len(p), mean_of(p, rewards).mean())


def standardised(p, rewards, values):
    return (rewards - values[:, None]) / rewards.std(axis=1, keepdims=True)


def expected(logits, rewards):
    """The value as a slope: V(x) is the derivative of log E[exp(t r)] by t at 0."""
    log_policy, step = contexts.log_policy(logits), 1e-5
    up, down = (np.log(np.exp(log_policy + t * rewards).sum(axis=1)) for t in (step, -step))
    values = (up - down) / (2 * step)
    return values, np.stack([rewards[:, k] - values for k in range(rewards.shape[1])], axis=1)


def with_rewards(draw):
    def draw_case(rng):
        logits, _ = draw(rng)
        return logits, 0.5 + rng.standard_normal(logits.shape)

    return draw_case


def agrees(got, known):
    try:
        (values, advantages), (true_values, true_advantages) = got, known
    except (TypeError, ValueError):
        return False
    return close(values, true_values) and close(advantages, true_advantages)


RIGHT = {
    "model": value_and_advantage,
    "loop, as lists": by_loop,
    "einsum, a list of two": by_einsum,
    "weighted average": by_average,
    "diagonal of a product": by_diagonal,
    "in place": in_place,
    **{way: with_policy(softmax) for way, softmax in contexts.WAYS.items()},
    "nested lists": with_policy(pair=lambda pair: [part.tolist() for part in pair]),
    "tuples": with_policy(pair=lambda pair: (tuple(pair[0]), tuple(map(tuple, pair[1])))),
}

QUESTION = Question(
    name="hw1-value-and-advantage",
    title="Value and advantage",
    stars=1,
    minutes=8,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Return (values, advantages): V(x) is the policy's mean reward at question x, and A(x, y) = r(x, y) - V(x). Yours differs.",
    expected=expected,
    parts=(
        Part("ordinary logits", 3, with_rewards(contexts.draw_table), cases=3),
        Part("logits of a thousand", 1, with_rewards(contexts.draw_large), cases=3),
    ),
    right=RIGHT,
    wrong={
        "plain mean": Wrong(
            with_policy(value=lambda p, rewards: rewards.mean(axis=1)),
            "Your value is the plain mean of the rewards and does not know the policy. An answer that is given more often "
            "counts for more.",
        ),
        "best reward": Wrong(
            with_policy(value=lambda p, rewards: rewards.max(axis=1)),
            "Your value is the reward of the best answer. The value is what this policy earns, which gives other answers "
            "too.",
        ),
        "likeliest answer": Wrong(
            with_policy(value=lambda p, rewards: rewards[np.arange(len(p)), p.argmax(axis=1)]),
            "Your value is the reward of the policy's most likely answer. It gives the other answers too, each with its "
            "probability.",
        ),
        "one value for all questions": Wrong(
            with_policy(value=over_all_questions),
            "You gave all questions the same value. An easy question is worth more than a hard one: the mean is taken over "
            "the answers of one question.",
        ),
        "advantage turned round": Wrong(
            with_policy(advantage=lambda p, rewards, values: values[:, None] - rewards),
            "Your values are right, but your advantages are V - r: they praise the answers that earn less than usual.",
        ),
        "advantages are rewards": Wrong(
            with_policy(advantage=lambda p, rewards, values: rewards),
            "Your values are right, and you returned the rewards as they are. The advantage is what is left when the value "
            "is taken off.",
        ),
        "times the policy": Wrong(
            with_policy(advantage=lambda p, rewards, values: p * (rewards - values[:, None])),
            "Your values are right. Your advantages are multiplied by π: that is the gradient for the logits, one step "
            "further.",
        ),
        "standardised": Wrong(
            with_policy(advantage=standardised),
            "Your values are right. You divided the advantages by the spread of the rewards; the definition does not.",
        ),
        "values as a column": Wrong(
            with_policy(pair=lambda pair: (pair[0][:, None], pair[1])),
            "The numbers are right, but your values are a table of one column, shape (X, 1). Return X numbers, shape (X,).",
        ),
        "rewards times logits": Wrong(
            with_policy(lambda logits: logits),
            "You weighted the rewards with the logits. Weights are probabilities: take the softmax of each row first.",
        ),
        "wrong order": Wrong(
            with_policy(pair=lambda pair: pair[::-1]),
            "Both arrays are right, but they come in the wrong order. Values first, then advantages.",
        ),
        "policy left as weights": Wrong(
            with_policy(lambda logits: np.exp(logits - logits.max(axis=1, keepdims=True))),
            "Your probabilities do not sum to one: the exponentials have still to be divided by their sum.",
        ),
        "softmax over the table": Wrong(with_policy(contexts.over_the_table), contexts.OVER_THE_TABLE),
        "softmax over the questions": Wrong(with_policy(contexts.over_the_questions), contexts.OVER_THE_QUESTIONS),
        "no maximum subtracted": Wrong(with_policy(contexts.without_maximum), contexts.OVERFLOWS),
        "maximum of the table": Wrong(with_policy(contexts.whole_maximum), contexts.WHOLE_MAXIMUM),
    },
    agrees=agrees,
)
