"""Question ch2-baseline-bias: what a baseline that peeks does."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
A baseline that looks at the sampled arm subtracts `peeking[y]` from the reward of arm $y$. Return the bias that
this adds to the expected update, $\mathbb E[(r_y - b_y)\,g] - \mathbb E[r_y\,g]$, where $g = \mathbf 1_y - p$ and
$y\sim p$: an array of K numbers. (The rewards drop out.)
"""

STUB = """
def baseline_bias(logits, peeking):
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    ...
"""


def baseline_bias(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    scores = np.eye(len(p)) - p
    return -(p * peeking) @ scores


def baseline_bias_by_loop(logits, peeking):
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    p = [np.exp(logit - largest) / total for logit in logits]
    bias = np.zeros(len(p))
    for y in range(len(p)):
        for k in range(len(p)):
            component = 1.0 - p[k] if k == y else -p[k]
            bias[k] -= p[y] * peeking[y] * component
    return bias


def baseline_bias_by_algebra(logits, peeking):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    return p * (p @ peeking - peeking)


def sign_flipped(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return (p * peeking) @ (np.eye(len(p)) - p)


def always_zero(logits, peeking):
    return np.zeros(len(logits))


def own_arm_only(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return -p * peeking


def probability_left_out(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return p @ peeking - peeking


def plain_mean(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return -p * (peeking - np.mean(peeking))


def arms_equally_weighted(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return -(peeking[:, None] * (np.eye(len(p)) - p)).mean(axis=0)


def policy_counted_twice(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return -(p**2 * peeking) @ (np.eye(len(p)) - p)


def score_left_out(logits, peeking):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    return -(p @ peeking)


def draw(rng):
    arms = int(rng.integers(3, 6))
    return rng.standard_normal(arms), rng.standard_normal(arms)


def expected(logits, peeking):
    """Minus the gradient of the mean of the baseline, its numbers held fixed: E[b g] is a policy gradient with b as reward."""
    return -numerical_gradient(lambda z: float(probabilities_of(z) @ peeking), logits)


RIGHT = {
    "model": baseline_bias,
    "loop": baseline_bias_by_loop,
    "algebra": baseline_bias_by_algebra,
}

QUESTION = Question(
    name="ch2-baseline-bias",
    title="What a baseline that peeks does",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The bias is minus the expectation of baseline times score, a vector with one number an arm. Yours differs.",
    expected=expected,
    parts=(Part("any baseline", 8, draw),),
    right=RIGHT,
    wrong={
        "sign flipped": Wrong(
            sign_flipped,
            "The size is right, but the sign is turned round: the baseline is subtracted from the reward, so its "
            "part comes in with a minus.",
        ),
        "always zero": Wrong(
            always_zero,
            "You answered that a baseline adds nothing. That holds for one that does not know the sampled arm; "
            "this one does, so it may not be pulled out of the expectation.",
        ),
        "own arm only": Wrong(
            own_arm_only,
            "You counted for each arm only the case that it is drawn itself. When another arm is drawn the score "
            "has a component here too, and it is negative.",
        ),
        "probability left out": Wrong(
            probability_left_out,
            "You have the baseline's difference from its mean. How much of it reaches an arm's component also "
            "depends on how often that arm is drawn.",
        ),
        "plain mean": Wrong(
            plain_mean,
            "You compared the baseline with its plain mean over the arms. Its mean under the policy is what comes"
            " out of the expectation, and your components do not sum to 0.",
        ),
        "arms equally weighted": Wrong(
            arms_equally_weighted,
            "You averaged over the arms with equal weights. The arm is sampled from the policy, so the "
            "expectation has the policy's weights.",
        ),
        "policy counted twice": Wrong(
            policy_counted_twice,
            "Each arm's term carries its probability twice. Once is enough: the expectation brings it in.",
        ),
        "score left out": Wrong(
            score_left_out,
            "This is minus the mean of the baseline, one number. In the update the baseline multiplies the score,"
            " so the bias has one component for each arm.",
        ),
    },
)
