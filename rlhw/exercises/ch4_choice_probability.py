"""Question ch4-choice-probability: an annotator with habits."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import probabilities_of

TEXT = r"""
A simulated annotator is shown two answers and chooses one. It works like this. Each answer is worth its reward plus
`length_bias` for each of its words. The first answer's lead in worth, divided by `temperature`, is the log-odds
(the logarithm of the odds) of choosing the first, for somebody who does not mind which side an answer stands on. This
one does: add `position_bias` to the log-odds. The logistic function, 1 / (1 + exp(-log-odds)), turns them into a probability.
Finally, with probability `lapse` the annotator does not look at all and tosses a fair coin.

Finish `choice_probability`, which returns the probability that the first answer is chosen. `rewards` and `words` are
arrays of two numbers, first and second answer. It must also be right for an annotator who is so sure that the odds
are larger than any number that the computer knows.
"""

STUB = """
def choice_probability(rewards, words, temperature, lapse, length_bias, position_bias):
    better = rewards[0] - rewards[1]
    longer = words[0] - words[1]
    ...
"""


def choice_probability(rewards, words, temperature, lapse, length_bias, position_bias):
    better = rewards[0] - rewards[1]
    longer = words[0] - words[1]
    log_odds = (better + length_bias * longer) / temperature + position_bias
    looking = 1.0 / (1.0 + np.exp(-log_odds))
    return float(lapse * 0.5 + (1.0 - lapse) * looking)


def choice_probability_by_softmax(rewards, words, temperature, lapse, length_bias, position_bias):
    utilities = (rewards + length_bias * words) / temperature
    utilities[0] += position_bias
    chances = np.exp(utilities - utilities.max())
    chances = chances / chances.sum()
    return float(((1.0 - lapse) * chances + lapse / 2)[0])


def choice_probability_by_tanh(rewards, words, temperature, lapse, length_bias, position_bias):
    lead = np.diff(rewards + length_bias * words)[0] / -temperature
    return float(0.5 + 0.5 * (1.0 - lapse) * np.tanh((lead + position_bias) / 2))


def log_odds_of(rewards, words, temperature, length_bias, position_bias):
    lead = rewards[0] - rewards[1] + length_bias * (words[0] - words[1])
    return lead / temperature + position_bias


def sigmoid(x):
    return 0.5 * (1.0 + np.tanh(x / 2))


def temperature_multiplied(rewards, words, temperature, lapse, length_bias, position_bias):
    log_odds = log_odds_of(rewards, words, 1.0 / temperature, length_bias, position_bias)
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(log_odds))


def position_divided_too(rewards, words, temperature, lapse, length_bias, position_bias):
    log_odds = log_odds_of(rewards, words, temperature, length_bias, position_bias / temperature)
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(log_odds))


def length_not_divided(rewards, words, temperature, lapse, length_bias, position_bias):
    log_odds = log_odds_of(rewards, words, temperature, length_bias * temperature, position_bias)
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(log_odds))


def length_turned_round(rewards, words, temperature, lapse, length_bias, position_bias):
    log_odds = log_odds_of(rewards, words, temperature, -length_bias, position_bias)
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(log_odds))


def position_turned_round(rewards, words, temperature, lapse, length_bias, position_bias):
    log_odds = log_odds_of(rewards, words, temperature, length_bias, -position_bias)
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(log_odds))


def lapse_never_first(rewards, words, temperature, lapse, length_bias, position_bias):
    return float((1.0 - lapse) * sigmoid(log_odds_of(rewards, words, temperature, length_bias, position_bias)))


def lapse_always_first(rewards, words, temperature, lapse, length_bias, position_bias):
    return float(lapse + (1.0 - lapse) * sigmoid(log_odds_of(rewards, words, temperature, length_bias, position_bias)))


def lapse_turns_round(rewards, words, temperature, lapse, length_bias, position_bias):
    looking = sigmoid(log_odds_of(rewards, words, temperature, length_bias, position_bias))
    return float(lapse * (1.0 - looking) + (1.0 - lapse) * looking)


def coin_added(rewards, words, temperature, lapse, length_bias, position_bias):
    return float(lapse / 2 + sigmoid(log_odds_of(rewards, words, temperature, length_bias, position_bias)))


def second_answer(rewards, words, temperature, lapse, length_bias, position_bias):
    looking = sigmoid(-log_odds_of(rewards, words, temperature, length_bias, position_bias))
    return float(lapse / 2 + (1.0 - lapse) * looking)


def ratio_for_difference(rewards, words, temperature, lapse, length_bias, position_bias):
    worth = rewards + length_bias * words
    return float(lapse / 2 + (1.0 - lapse) * sigmoid(worth[0] / worth[1] / temperature + position_bias))


def exponential_overflows(rewards, words, temperature, lapse, length_bias, position_bias):
    odds = np.exp(log_odds_of(rewards, words, temperature, length_bias, position_bias))
    return float(lapse / 2 + (1.0 - lapse) * odds / (1.0 + odds))


def either(rng, low, high):
    """A number away from 0, of either sign."""
    return float(rng.uniform(low, high) * rng.choice([-1.0, 1.0]))


def draw(rng):
    first, length_bias, words = float(rng.normal()), either(rng, 0.02, 0.05), int(rng.integers(8, 20))
    rewards = np.array([first, first + either(rng, 0.2, 0.8)])
    lengths = np.array([words, words + int(rng.integers(3, 8) * rng.choice([-1, 1]))])
    return (
        rewards,
        lengths,
        float(rng.uniform(0.3, 0.7)),
        float(rng.uniform(0.05, 0.3)),
        length_bias,
        either(rng, 0.2, 0.8),
    )


def draw_sure(rng):
    """The first answer is better by far more than a thousand temperatures."""
    _, lengths, _, lapse, length_bias, position_bias = draw(rng)
    second = float(rng.normal())
    rewards = np.array([second + float(rng.uniform(1.5, 3.0)), second])
    return rewards, lengths, float(rng.uniform(0.0004, 0.0009)), lapse, length_bias, position_bias


def expected(rewards, words, temperature, lapse, length_bias, position_bias):
    """Four things can happen: the annotator looks or not, and chooses first or second; add up those that end in the first."""
    first, second = (float(r) + length_bias * int(n) for r, n in zip(rewards, words, strict=True))
    lead = np.array([(first - second) / temperature + position_bias, 0.0])
    looks = probabilities_of(lead - lead.max())
    coin = probabilities_of(np.zeros(2))
    return float(np.array([1 - lapse, lapse]) @ np.array([looks[0], coin[0]]))


RIGHT = {
    "model": choice_probability,
    "softmax": choice_probability_by_softmax,
    "hyperbolic tangent": choice_probability_by_tanh,
}

QUESTION = Question(
    name="ch4-choice-probability",
    title="An annotator with habits",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Work out the log-odds first, then the probability of somebody who looks, then mix in the coin. Yours differs.",
    expected=expected,
    parts=(
        Part("annotators with doubts", 4, draw, cases=8),
        Part("an annotator who is sure", 2, draw_sure),
    ),
    right=RIGHT,
    wrong={
        "temperature multiplied": Wrong(
            temperature_multiplied,
            "Your annotator grows surer with the temperature. A high temperature means much noise, and choices "
            "near one half.",
        ),
        "position divided too": Wrong(
            position_divided_too,
            "You divided the position bias by the temperature as well. It is a number of log-odds already; only "
            "the lead in worth is divided.",
        ),
        "length not divided": Wrong(
            length_not_divided,
            "You divided only the rewards by the temperature. The words belong to what an answer is worth, so "
            "they are divided with them.",
        ),
        "length turned round": Wrong(
            length_turned_round,
            "The length bias works the wrong way round: with a positive one the longer answer gains.",
        ),
        "position turned round": Wrong(
            position_turned_round,
            "The position bias works the wrong way round: with a positive one the first answer gains.",
        ),
        "lapse never first": Wrong(
            lapse_never_first,
            "An annotator who does not look never chooses the first answer here. A fair coin does, half the time.",
        ),
        "lapse always first": Wrong(
            lapse_always_first,
            "An annotator who does not look always chooses the first answer here. A fair coin does, half the time.",
        ),
        "lapse turns round": Wrong(
            lapse_turns_round,
            "With probability lapse your annotator chooses the opposite. Whoever chooses the opposite has looked; "
            "a coin does not know which answer is the better.",
        ),
        "coin added": Wrong(
            coin_added,
            "You added the coin's share without taking it away from the rest: your two answers' probabilities sum "
            "to more than one.",
        ),
        "second answer": Wrong(
            second_answer,
            "This is the probability that the second answer is chosen.",
        ),
        "ratio for difference": Wrong(
            ratio_for_difference,
            "You divided one answer's worth by the other's. Worth may be negative or near 0, and only its "
            "difference means anything: adding 1 to both must change nothing.",
        ),
        "exponential overflows": Wrong(
            exponential_overflows,
            "Right for annotators with doubts, but when the exponential overflows, infinity divided by infinity is"
            " nan. The logistic function can be written so that this does not happen.",
        ),
    },
)
