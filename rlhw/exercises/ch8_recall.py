"""Question ch8-recall: three questions from earlier chapters."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Give three numbers, to six decimals or as a formula. (1) An annotator with temperature $\tau = 0.5$ compares an answer of
reward 1.2 with one of reward 0.4. With which probability is the first preferred? (2) A reference gives two answers the
probabilities 0.5 and 0.5, a policy 0.7 and 0.3. What is $\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}})$, in nats?
(3) A token's ratio is $\rho = 1.5$, its advantage $A = 2$, and $\epsilon = 0.2$. What is PPO's clipped surrogate there,
the number that is made large?
"""

STUB = """
answer = None  # such as (1.0, 2.0, 3.0)
"""


def expected():
    """By odds, by a sum over the answers, and by trying both branches of the minimum."""
    odds = np.exp(1.2 / 0.5) / np.exp(0.4 / 0.5)
    kl = sum(p * (np.log(p) - np.log(q)) for p, q in ((0.7, 0.5), (0.3, 0.5)))
    return odds / (1 + odds), kl, sorted([1.5 * 2, 1.2 * 2])[0]


FIRST, SECOND, THIRD = 1 / (1 + np.exp(-1.6)), 0.7 * np.log(1.4) + 0.3 * np.log(0.6), 2.4

RIGHT = {
    "computed": (
        1 / (1 + np.exp(-(1.2 - 0.4) / 0.5)),
        0.7 * np.log(0.7 / 0.5) + 0.3 * np.log(0.3 / 0.5),
        min(3.0, 2.4),
    ),
    "typed": (0.832018, 0.082283, 2.4),
    "array": np.array([FIRST, SECOND, THIRD]),
}

QUESTION = Question(
    name="ch8-recall",
    title="Three questions from earlier chapters",
    stars=1,
    minutes=5,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one of the three differs. (1) The logistic function of the margin over the temperature. (2) The mean of "
        "log(policy/reference) under the policy. (3) The smaller of two products."
    ),
    expected=expected,
    parts=(Part("three numbers", 3, cases=1),),
    right=RIGHT,
    wrong={
        "no temperature": Wrong(
            (1 / (1 + np.exp(-0.8)), SECOND, THIRD),
            "In question 1 the temperature is missing: the margin is divided by it first.",
        ),
        "times the temperature": Wrong(
            (1 / (1 + np.exp(-0.4)), SECOND, THIRD),
            "In question 1 you multiplied by the temperature. A low temperature makes choices surer: divide.",
        ),
        "the second": Wrong(
            (1 - FIRST, SECOND, THIRD),
            "In question 1 you gave the probability of the worse answer.",
        ),
        "turned round": Wrong(
            (FIRST, 0.5 * np.log(0.5 / 0.7) + 0.5 * np.log(0.5 / 0.3), THIRD),
            "In question 2 you averaged under the reference: that is KL(reference, policy). The policy stands first, so the "
            "mean is taken under the policy.",
        ),
        "bits": Wrong(
            (FIRST, SECOND / np.log(2), THIRD),
            "In question 2 you took the logarithm to base 2. A nat is counted with the natural one.",
        ),
        "sign": Wrong(
            (FIRST, -SECOND, THIRD),
            "In question 2 your divergence is negative, which none can be: the policy belongs into the numerator.",
        ),
        "not clipped": Wrong(
            (FIRST, SECOND, 3.0),
            "In question 3 nothing is clipped. The ratio is above 1 + epsilon and the advantage is positive.",
        ),
        "loss": Wrong(
            (FIRST, SECOND, -2.4),
            "In question 3 you gave the loss. The surrogate is what is made large.",
        ),
        "ratio alone": Wrong(
            (FIRST, SECOND, 1.2),
            "In question 3 you gave the clipped ratio. It still has to be multiplied by the advantage.",
        ),
    },
)
