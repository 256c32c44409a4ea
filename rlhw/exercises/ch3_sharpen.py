"""Question ch3-sharpen: what a lower temperature earns."""

from decimal import Decimal, localcontext

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
A policy gives K answers the probabilities $p_k > 0$, and answer $k$ earns the reward $r_k$. Sampling at another
temperature draws answers from the law proportional to $p_k$ to the power 1 / `temperature`: the policy itself at 1,
sharper below, flatter above. Write `sharpened_reward(probabilities, rewards, temperature)`: the expected reward of an
answer that is sampled so, computed exactly, by a sum over the answers. Return one number.

It must also be right for a temperature of 0.0005, where each of these powers is smaller than any number that the
computer knows.
"""

STUB = """
def sharpened_reward(probabilities, rewards, temperature):
    ...
"""


def sharpened_reward(probabilities, rewards, temperature):
    log_weights = np.log(probabilities) / temperature
    weights = np.exp(log_weights - np.max(log_weights))
    return float(weights @ rewards / weights.sum())


def sharpened_reward_by_ratio(probabilities, rewards, temperature):
    weights = (probabilities / np.max(probabilities)) ** (1.0 / temperature)
    return float(np.average(rewards, weights=weights))


def sharpened_reward_by_loop(probabilities, rewards, temperature):
    total = 0.0
    for k in range(len(probabilities)):
        others = 0.0
        for j in range(len(probabilities)):
            others += np.exp((np.log(probabilities[j]) - np.log(probabilities[k])) / temperature)
        total += rewards[k] / others
    return float(total)


def powers_underflow(probabilities, rewards, temperature):
    weights = probabilities ** (1.0 / temperature)
    return float(weights @ rewards / weights.sum())


def temperature_upside_down(probabilities, rewards, temperature):
    weights = probabilities**temperature
    return float(weights @ rewards / weights.sum())


def not_normalised(probabilities, rewards, temperature):
    return float(probabilities ** (1.0 / temperature) @ rewards)


def probabilities_as_logits(probabilities, rewards, temperature):
    weights = np.exp((probabilities - np.max(probabilities)) / temperature)
    return float(weights @ rewards / weights.sum())


def base_two(probabilities, rewards, temperature):
    log_weights = np.log2(probabilities) / temperature
    weights = np.exp(log_weights - np.max(log_weights))
    return float(weights @ rewards / weights.sum())


def likeliest_answer(probabilities, rewards, temperature):
    return float(rewards[np.argmax(probabilities)])


def best_reward(probabilities, rewards, temperature):
    return float(np.max(rewards))


def temperature_ignored(probabilities, rewards, temperature):
    return float(probabilities @ rewards)


def reward_divided(probabilities, rewards, temperature):
    return float(probabilities @ rewards / temperature)


def tilted_by_reward(probabilities, rewards, temperature):
    log_weights = np.log(probabilities) + rewards / temperature
    weights = np.exp(log_weights - np.max(log_weights))
    return float(weights @ rewards / weights.sum())


def draw(rng):
    answers = int(rng.integers(3, 7))
    temperature = float(rng.uniform(0.3, 0.8) if rng.random() < 0.6 else rng.uniform(1.3, 2.5))
    return rng.dirichlet(np.full(answers, 2.0)), _rewards(rng, answers), temperature


def draw_cold(rng):
    """Two answers so nearly equal that even this temperature leaves a choice between them."""
    answers, temperature = int(rng.integers(3, 7)), float(rng.uniform(0.0003, 0.0007))
    rest = -rng.uniform(0.3, 1.5, size=answers - 2)
    log_weights = np.array([0.0, -temperature * rng.uniform(0.3, 1.5), *rest])
    weights = np.exp(rng.permutation(log_weights))
    return weights / weights.sum(), _rewards(rng, answers), temperature


def _rewards(rng, answers):
    # No two alike: each is a place of its own in a line, and a little luck.
    return rng.permutation(answers) + rng.uniform(-0.4, 0.4, size=answers) - 1.3


def expected(probabilities, rewards, temperature):
    """The powers themselves, in decimal numbers of 50 digits, among which none is too small."""
    with localcontext() as context:
        context.prec = 50
        weights = [Decimal(float(p)) ** (1 / Decimal(float(temperature))) for p in probabilities]
        earned = sum(weight * Decimal(float(reward)) for weight, reward in zip(weights, rewards, strict=True))
        return float(earned / sum(weights))


RIGHT = {
    "model": sharpened_reward,
    "ratio to the likeliest": sharpened_reward_by_ratio,
    "loop": sharpened_reward_by_loop,
}

QUESTION = Question(
    name="ch3-sharpen",
    title="What a lower temperature earns",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The weights are the powers of p, made to sum to one; the answer is the mean of the rewards with them. Yours differs.",
    expected=expected,
    parts=(
        Part("moderate temperatures", 5, draw, cases=8),
        Part("temperatures near 0", 3, draw_cold),
    ),
    right=RIGHT,
    wrong={
        "powers underflow": Wrong(
            powers_underflow,
            "Right for moderate temperatures, but near 0 all your powers are 0, and 0 divided by 0 is nan. Only "
            "ratios of the powers matter: scale them before they vanish.",
        ),
        "temperature upside down": Wrong(
            temperature_upside_down,
            "The exponent is upside down: your law grows flatter as the temperature falls. Near 0 it should keep "
            "only the likeliest answers.",
        ),
        "not normalised": Wrong(
            not_normalised,
            "You raised the probabilities to a power and left it at that. They no longer sum to one.",
        ),
        "probabilities as logits": Wrong(
            probabilities_as_logits,
            "You divided the probabilities by the temperature and put them through a softmax. A softmax expects "
            "logits, and at temperature 1 yours does not give p back.",
        ),
        "base two": Wrong(
            base_two,
            "You took logarithms to one base and powers of another: they do not undo each other, and at "
            "temperature 1 you do not get p back.",
        ),
        "likeliest answer": Wrong(
            likeliest_answer,
            "This is the reward of the likeliest answer, the limit at temperature 0. At any other temperature the "
            "other answers still have a share.",
        ),
        "best reward": Wrong(
            best_reward,
            "This is the best reward of all. A lower temperature knows nothing of rewards: it prefers what the "
            "policy finds likely, good or bad.",
        ),
        "temperature ignored": Wrong(
            temperature_ignored,
            "This is what the policy earns at temperature 1. Your number does not change with the temperature.",
        ),
        "reward divided": Wrong(
            reward_divided,
            "You divided the reward by the temperature. It changes how often each answer comes, not what it earns.",
        ),
        "tilted by reward": Wrong(
            tilted_by_reward,
            "You made answers likelier by their rewards. That policy would have to know them; sampling at another "
            "temperature looks at the probabilities only.",
        ),
    },
)
