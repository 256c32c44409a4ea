"""The table that pairs each exported function of the widgets' JavaScript with its twin in Python.

`points` draws arguments off any grid, extreme ones among them. 1e-12 relative holds; `floor` is the absolute difference
that rounding explains where a result is a difference of larger numbers: some units of the last place of those.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlhw.widgets.baseline_estimates import BaselineEstimates
from rlhw.widgets.softmax_policy import SoftmaxPolicy

WIDGETS = (SoftmaxPolicy, BaselineEstimates)
RELATIVE = 1e-12
LAST_PLACES = 1e-14


@dataclass(frozen=True)
class Twin:
    points: Callable[[np.random.Generator], tuple]
    floor: Callable[..., float] = lambda *arguments: 0.0


def logits(rng: np.random.Generator) -> list[float]:
    """Two to five logits: half of them within the sliders' range, half so far apart that some p underflow to tiny."""
    width = 4.0 if rng.random() < 0.5 else float(rng.uniform(5, 300))
    return rng.uniform(-width, width, size=rng.integers(2, 6)).tolist()


def numbers(rng: np.random.Generator, count: int) -> list[float]:
    return (rng.standard_normal(count) * 10 ** rng.uniform(-2, 2)).tolist()


def actions(rng: np.random.Generator, arms: int, count: int = 20) -> list[int]:
    return rng.integers(0, arms, size=count).tolist()


def policy(rng: np.random.Generator) -> tuple:
    return (logits(rng),)


def policy_action(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, int(rng.integers(len(s)))


def policy_actions_weights(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, actions(rng, len(s)), numbers(rng, 20)


def policy_rewards(rng: np.random.Generator) -> tuple:
    s = logits(rng)
    return s, numbers(rng, len(s))


def policy_rewards_baseline(rng: np.random.Generator) -> tuple:
    return *policy_rewards(rng), float(rng.normal())


def policy_rewards_actions_baseline(rng: np.random.Generator) -> tuple:
    s, rewards = policy_rewards(rng)
    return s, rewards, actions(rng, len(s)), float(rng.normal())


def largest(*values: object) -> float:
    return LAST_PLACES * float(np.max(np.abs(np.concatenate([np.ravel(value) for value in values]))))


TWINS = {
    # exp of a large negative number is subnormal below 1e-300: there the last places are lost on both sides
    "softmax": Twin(policy, lambda s: 1e-300),
    "score": Twin(policy_action, lambda s, action: LAST_PLACES),
    "weightedScores": Twin(policy_actions_weights, lambda s, y, weights: largest(weights)),
    "exactGradient": Twin(policy_rewards, lambda s, rewards: largest(rewards)),
    "sampleActions": Twin(lambda rng: (logits(rng), rng.random(100).tolist())),
    "reinforceEstimates": Twin(policy_rewards_actions_baseline, lambda s, r, y, b: largest(r, b)),
    "squaredScoreNorms": Twin(policy, lambda s: LAST_PLACES),
    "gradientVariance": Twin(policy_rewards_baseline, lambda s, r, b: largest(np.square(r), b * b)),
    "optimalBaseline": Twin(policy_rewards, lambda s, rewards: largest(rewards)),
    "mean": Twin(lambda rng: (numbers(rng, 57),), largest),
    "variance": Twin(lambda rng: (numbers(rng, 57),), lambda values: largest(np.square(values))),
    "cumulativeSum": Twin(lambda rng: (numbers(rng, 57),), lambda values: 57 * largest(values)),
    "dot": Twin(lambda rng: (numbers(rng, 5), numbers(rng, 5)), lambda a, b: largest(np.multiply(a, b))),
}


def function(address: str) -> Callable:
    """The Python function with the address "module:name"."""
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name)


def in_python(address: str, points: list[tuple]) -> list:
    """What the twin answers at each of the points; lists become arrays on the way in."""
    twin = function(address)
    return [twin(*(np.array(part) if isinstance(part, list) else part for part in point)) for point in points]


def differences(name: str, points: list[tuple], ours: list, theirs: list) -> list[str]:
    """A sentence for each point at which the two sides differ by more than the tolerance."""
    wrong = []
    for point, left, right in zip(points, ours, theirs, strict=True):
        close = np.shape(left) == np.shape(right) and np.allclose(
            left, right, rtol=RELATIVE, atol=TWINS[name].floor(*point), equal_nan=False
        )
        if not close:
            wrong.append(f"{name}{point}: JavaScript {left}, Python {right}")
    return wrong
