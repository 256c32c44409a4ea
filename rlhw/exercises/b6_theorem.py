"""Question b6-theorem: the policy gradient of a small world, exactly."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
A world of S states and A actions: `transitions[s, a, s']` is the probability to get from `s` to `s'` by `a`,
`rewards[s, a]` is what `a` pays in `s`, `gamma` the discount (below 1), `start[s]` the probability to begin in `s`. The
policy is a softmax of the row of logits of each state. Return the exact gradient of $J = \sum_s p_0(s)\,v_\pi(s)$ in the
logits, a table of S rows and A columns: discounted visits times probability times advantage. The first lines give the
policy, its chain $P_\pi$ and its rewards; what is left are two linear systems and a product.
"""

STUB = """
def policy_gradient(transitions, rewards, gamma, start, logits):
    policy = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = policy / policy.sum(axis=1, keepdims=True)
    chain = np.einsum("sa,sat->st", policy, transitions)
    earned = (policy * rewards).sum(axis=1)
    ...
"""


def policy_gradient(transitions, rewards, gamma, start, logits):
    policy = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = policy / policy.sum(axis=1, keepdims=True)
    chain = np.einsum("sa,sat->st", policy, transitions)
    earned = (policy * rewards).sum(axis=1)
    matrix = np.eye(len(start)) - gamma * chain
    values = np.linalg.solve(matrix, earned)
    visits = np.linalg.solve(matrix.T, start)
    advantages = rewards + gamma * transitions @ values - values[:, None]
    return visits[:, None] * policy * advantages


def by_the_gradient_of_v(transitions, rewards, gamma, start, logits):
    """The proof as a program: a Bellman equation for the gradient of v in each logit."""
    policy = np.array([probabilities_of(row) for row in logits])
    chain = np.einsum("sa,sat->st", policy, transitions)
    inverse = np.linalg.inv(np.eye(len(start)) - gamma * chain)
    q = rewards + gamma * transitions @ inverse @ (policy * rewards).sum(axis=1)
    gradient = np.zeros(logits.shape)
    for s, a in np.ndindex(*logits.shape):
        first = np.zeros(len(start))
        first[s] = policy[s, a] * (q[s, a] - policy[s] @ q[s])
        gradient[s, a] = start @ inverse @ first
    return gradient.tolist()


def variant(
    visits="start", advantages=lambda q, v, policy, r: q - v[:, None], weight=lambda d, policy: d * policy, sign=1.0
):
    """The theorem, of which a wrong answer does one factor in a way of its own."""

    def answer(transitions, rewards, gamma, start, logits):
        policy = np.exp(logits - logits.max(axis=1, keepdims=True))
        policy = policy / policy.sum(axis=1, keepdims=True)
        chain = np.einsum("sa,sat->st", policy, transitions)
        matrix = np.eye(len(start)) - gamma * chain
        values = np.linalg.solve(matrix, (policy * rewards).sum(axis=1))
        counts = {
            "start": lambda: np.linalg.solve(matrix.T, start),
            "not transposed": lambda: np.linalg.solve(matrix, start),
            "none": lambda: start,
            "all alike": lambda: np.ones(len(start)),
            "normalised": lambda: (1 - gamma) * np.linalg.solve(matrix.T, start),
            "in the long run": lambda: np.linalg.matrix_power(chain, 4096).T @ start,
        }[visits]()
        q = rewards + gamma * transitions @ values
        return sign * weight(counts[:, None], policy) * advantages(q, values, policy, rewards)

    return answer


def draw(rng):
    states, actions = int(rng.integers(3, 5)), int(rng.integers(2, 4))
    transitions = rng.dirichlet(np.ones(states), size=(states, actions))
    return (
        transitions,
        rng.standard_normal((states, actions)) + 1.0,
        float(rng.uniform(0.5, 0.8)),
        rng.dirichlet(np.ones(states)),
        rng.standard_normal((states, actions)),
    )


def expected(transitions, rewards, gamma, start, logits):
    """Central differences of J, which is added up step by step in time."""

    def earned(z):
        policy = np.array([probabilities_of(row) for row in z])
        chain, paid = np.einsum("sa,sat->st", policy, transitions), np.sum(policy * rewards, axis=1)
        law, total = start, 0.0
        for t in range(150):
            total += gamma**t * float(law @ paid)
            law = law @ chain
        return total

    return numerical_gradient(earned, logits, step=1e-5)


QUESTION = Question(
    name="b6-theorem",
    title="The policy gradient, exactly",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The gradient is d(s) π(a|s) A(s, a), with discounted visits d from the start. Yours differs.",
    expected=expected,
    parts=(Part("any world and policy", 8, draw, cases=3),),
    right={"model": policy_gradient, "the proof as a program": by_the_gradient_of_v},
    wrong={
        "start law for the visits": Wrong(
            variant("none"),
            "You weighed the states with the start law. States that are reached later count too, each time with a "
            "further factor gamma: solve for the visits.",
        ),
        "states all alike": Wrong(
            variant("all alike"),
            "You left the visits out: a state where the policy hardly ever is has as much weight as the start.",
        ),
        "matrix not transposed": Wrong(
            variant("not transposed"),
            "You solved for the visits with the matrix of the values. Visits flow forwards, from the start: d (I - γP) = "
            "start with d as a row, so take the transposed matrix.",
        ),
        "visits normalised": Wrong(
            variant("normalised"),
            "Your visits sum to one. As a direction that is fine; the gradient of J has visits that sum to 1/(1-γ).",
        ),
        "visits of the long run": Wrong(
            variant("in the long run"),
            "You weighed the states as they are visited in the long run. That belongs to another objective, the reward a "
            "step; this J is discounted from the start.",
        ),
        "action values for advantages": Wrong(
            variant(advantages=lambda q, v, policy, r: q),
            "You took q in the place of the advantage. For the sum over actions of q ∇π that is right, but for a softmax "
            "π q is not yet q ∇π: the policy's average has to be subtracted.",
        ),
        "rewards only": Wrong(
            variant(advantages=lambda q, v, policy, r: r - (policy * r).sum(axis=1, keepdims=True)),
            "You counted only what the action pays at once. What it leads to belongs to its action value.",
        ),
        "probability forgotten": Wrong(
            variant(weight=lambda d, policy: d + 0 * policy),
            "The probability of the action is missing. (Without it, and without the visits, you would have the direction of "
            "the natural gradient.)",
        ),
        "probability twice": Wrong(
            variant(weight=lambda d, policy: d * policy**2),
            "The probability stands there twice: ∇π is π ∇log π, and one of the two is in that already.",
        ),
        "sign flipped": Wrong(
            variant(sign=-1.0),
            "The sign is turned round: this is the gradient of a loss -J. J is to be made large.",
        ),
        "plain mean subtracted": Wrong(
            variant(advantages=lambda q, v, policy, r: q - q.mean(axis=1, keepdims=True)),
            "You subtracted the plain mean of the action values. The value of a state is their mean under the policy.",
        ),
    },
)
