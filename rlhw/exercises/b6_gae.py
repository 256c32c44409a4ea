"""Question b6-gae: advantages along one episode that may have been cut."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
One episode of T steps, or a piece of one: `rewards` holds $r_0,\dots,r_{T-1}$, and `values` T + 1 numbers, what the critic
says of $s_0,\dots,s_T$. Where the episode has ended the last of them is 0. Where it was only *cut* it is the critic's guess
of what is still to come, and it counts. Return the T advantages $\hat A_t = \sum_{l\ge 0} (\gamma\lambda)^l\,\delta_{t+l}$
up to the last step, with $\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)$. (In chapter 6 `values` has only T entries, and
after the last the value is 0.)
"""

STUB = """
def gae(rewards, values, gamma, lam):
    errors = rewards + gamma * values[1:] - values[:-1]
    ...
"""


def gae(rewards, values, gamma, lam):
    errors = rewards + gamma * values[1:] - values[:-1]
    advantages, later = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        later = errors[t] + gamma * lam * later
        advantages[t] = later
    return advantages


def by_a_table(rewards, values, gamma, lam):
    errors = rewards + gamma * values[1:] - values[:-1]
    steps = np.arange(len(rewards))
    return np.triu((gamma * lam) ** np.abs(steps - steps[:, None])) @ errors


def by_returns(rewards, values, gamma, lam):
    """The λ-return less the value."""
    found, after = [], values[-1]
    for t in range(len(rewards) - 1, -1, -1):
        after = rewards[t] + gamma * ((1 - lam) * values[t + 1] + lam * after)
        found.append(after - values[t])
    return found[::-1]


def variant(
    ahead=lambda values: values[1:],
    now=lambda values: values[:-1],
    discount=lambda gamma, lam: gamma,
    decay=lambda gamma, lam: gamma * lam,
    finish=lambda advantages, values: advantages,
    backwards=True,
):
    """GAE, of which a wrong answer does one step in a way of its own."""

    def answer(rewards, values, gamma, lam):
        errors = rewards + discount(gamma, lam) * ahead(values) - now(values)
        advantages, later = np.zeros(len(rewards)), 0.0
        for t in reversed(range(len(rewards))) if backwards else range(len(rewards)):
            later = errors[t] + decay(gamma, lam) * later
            advantages[t] = later
        return finish(advantages, values)

    return answer


def draw(ended):
    def one(rng):
        steps = int(rng.integers(4, 8))
        values = rng.standard_normal(steps + 1) + 1.0
        if ended:
            values[-1] = 0.0
        return rng.standard_normal(steps), values, float(rng.uniform(0.8, 0.95)), float(rng.uniform(0.4, 0.8))

    return one


def expected(rewards, values, gamma, lam):
    """The average of the n-step estimates, weight by weight."""
    steps = len(rewards)
    found = np.zeros(steps)
    for t in range(steps):
        for n in range(1, steps - t + 1):
            weight = (1 - lam) * lam ** (n - 1) if n < steps - t else lam ** (n - 1)
            seen = sum(gamma**k * rewards[t + k] for k in range(n)) + gamma**n * values[t + n]
            found[t] += weight * (seen - values[t])
    return found


QUESTION = Question(
    name="b6-gae",
    title="Advantages of an episode that may be cut",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="A_t = δ_t + γλ A_{t+1} from the last step backwards, with the last of the T + 1 values in the last δ. Yours differs.",
    expected=expected,
    parts=(Part("episodes that ended", 3, draw(True)), Part("episodes that were cut", 4, draw(False))),
    right={"model": gae, "table of weights": by_a_table, "by returns, as a list": by_returns},
    wrong={
        "cut taken for an end": Wrong(
            variant(ahead=lambda values: np.append(values[1:-1], 0.0)),
            "Right where the episode ended. Where it was cut you took 0 for what is still to come: the last value belongs "
            "into the last δ.",
        ),
        "one step": Wrong(
            variant(decay=lambda gamma, lam: 0.0),
            "That is δ alone, the case λ = 0. The later δ belong to the advantage too.",
        ),
        "gamma alone": Wrong(
            variant(decay=lambda gamma, lam: gamma),
            "You let the later δ fade by γ only, so λ has no effect: this is the return less the value, the case λ = 1.",
        ),
        "lambda alone": Wrong(
            variant(decay=lambda gamma, lam: lam),
            "You let the later δ fade by λ only. One step further costs γ as well.",
        ),
        "next value not discounted": Wrong(
            variant(discount=lambda gamma, lam: 1.0),
            "In δ the next value is to be multiplied by γ.",
        ),
        "lambda in delta": Wrong(
            variant(discount=lambda gamma, lam: gamma * lam),
            "You multiplied the next value in δ by λ too. λ says how fast later δ fade; δ itself does not know it.",
        ),
        "forwards": Wrong(
            variant(backwards=False),
            "You went forwards, so each advantage holds the δ of earlier steps. A choice is judged by what comes after it.",
        ),
        "value added": Wrong(
            variant(finish=lambda advantages, values: advantages + values[:-1]),
            "You added the values at the end: that is the λ-return, which the critic learns from. The advantage was asked "
            "for.",
        ),
        "value not subtracted": Wrong(
            variant(now=lambda values: 0 * values[:-1]),
            "In δ the value of the state itself is not subtracted: what was expected is no merit of the action.",
        ),
        "next state's value subtracted": Wrong(
            variant(ahead=lambda values: values[:-1], now=lambda values: values[1:]),
            "In δ the two values have changed places.",
        ),
        "own delta fades": Wrong(
            lambda rewards, values, gamma, lam: gamma * lam * gae(rewards, values, gamma, lam),
            "All are multiplied by γλ once too often: the step's own δ counts in full.",
        ),
    },
)
