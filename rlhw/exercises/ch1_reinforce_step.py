"""Question ch1-reinforce-step: one step of REINFORCE."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient, probabilities_of

TEXT = r"""
One sampled step of ascent on $J_{\text{RL}}$. The number `u` in [0, 1) draws $y$ from the policy itself, the
softmax of `logits`: the first $y$ whose cumulative probability exceeds `u`. The answer earns `rewards[y]`. The
weight of its score is that reward minus `baseline`, a number. Return the new logits after a step of size
`step_size`.
"""

STUB = """
def reinforce_step(logits, rewards, u, step_size, baseline):
    ...
"""


def reinforce_step(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = np.searchsorted(np.cumsum(p), u, side="right")
    y = min(y, len(p) - 1)
    one_hot = np.zeros(len(p))
    one_hot[y] = 1.0
    weight = rewards[y] - baseline
    return logits + step_size * weight * (one_hot - p)


def reinforce_step_by_loop(logits, rewards, u, step_size, baseline):
    largest = max(logits)
    total = sum(np.exp(logit - largest) for logit in logits)
    p = [np.exp(logit - largest) / total for logit in logits]
    answer = len(p) - 1
    reached = 0.0
    for y in range(len(p)):
        reached += p[y]
        if reached > u:
            answer = y
            break
    moved = []
    for k in range(len(p)):
        gradient = 1.0 - p[k] if k == answer else -p[k]
        moved.append(logits[k] + step_size * (rewards[answer] - baseline) * gradient)
    return np.array(moved)


def reinforce_step_by_log_softmax(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    y = min(int((np.cumsum(p) <= u).sum()), len(p) - 1)
    push = step_size * (rewards[y] - baseline)
    new = logits - push * p
    new[y] += push
    return new


def baseline_ignored(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + step_size * rewards[y] * (np.eye(len(p))[y] - p)


def baseline_added(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + step_size * (rewards[y] + baseline) * (np.eye(len(p))[y] - p)


def descending(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits - step_size * (rewards[y] - baseline) * (np.eye(len(p))[y] - p)


def no_step_size(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + (rewards[y] - baseline) * (np.eye(len(p))[y] - p)


def policy_counted_twice(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + step_size * p[y] * (rewards[y] - baseline) * (np.eye(len(p))[y] - p)


def greedy_arm(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = np.argmax(p)
    return logits + step_size * (rewards[y] - baseline) * (np.eye(len(p))[y] - p)


def reward_of_every_arm(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return logits + step_size * (rewards - baseline) * (np.eye(len(p))[y] - p)


def sampled_logit_only(logits, rewards, u, step_size, baseline):
    p = np.exp(logits - np.max(logits))
    p = p / p.sum()
    y = min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    new = logits.copy()
    new[y] += step_size * (rewards[y] - baseline)
    return new


def draw(rng):
    arms = int(rng.integers(3, 6))
    rewards, baseline = rng.standard_normal(arms), float(rng.normal())
    return rng.standard_normal(arms), rewards, float(rng.random()), float(rng.uniform(0.1, 0.9)), baseline


def expected(logits, rewards, u, step_size, baseline):
    p = probabilities_of(logits)
    action = next(y for y in range(len(p)) if u < sum(p[: y + 1]) or y == len(p) - 1)
    slope = numerical_gradient(lambda z: float(np.log(probabilities_of(z)[action])), logits)
    return logits + step_size * (rewards[action] - baseline) * slope


RIGHT = {
    "model": reinforce_step,
    "loop": reinforce_step_by_loop,
    "log-softmax": reinforce_step_by_log_softmax,
}

QUESTION = Question(
    name="ch1-reinforce-step",
    title="One step of REINFORCE",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The step is step_size times (reward of the sampled answer minus baseline) times its score. Yours differs.",
    expected=expected,
    parts=(Part("sampled steps", 8, draw, cases=16),),
    right=RIGHT,
    wrong={
        "baseline ignored": Wrong(
            baseline_ignored,
            "The weight is the whole reward: the baseline has no effect on your step. It leaves the mean of the "
            "step alone, but each single step changes with it.",
        ),
        "baseline added": Wrong(
            baseline_added,
            "The baseline was added to the reward. It is what the reward is measured against, so a reward equal "
            "to it should give a weight of 0.",
        ),
        "descending": Wrong(
            descending,
            "After a reward above the baseline your step makes that answer less likely. J_RL is to grow, so good "
            "answers are pushed up.",
        ),
        "no step size": Wrong(
            no_step_size,
            "Weight and direction are right, but the step has its full length whatever the step size says.",
        ),
        "policy counted twice": Wrong(
            policy_counted_twice,
            "The score is multiplied by p_y although y was drawn from p. The draw has already put that "
            "probability in, so it is counted twice.",
        ),
        "greedy arm": Wrong(
            greedy_arm,
            "Your answer is always the most likely arm, so u plays no part. REINFORCE tries the others too, each "
            "as often as the policy gives it.",
        ),
        "reward of every arm": Wrong(
            reward_of_every_arm,
            "Each component was weighted by its own arm's reward. Only the reward of the sampled answer is known,"
            " and that one number weighs the whole score.",
        ),
        "sampled logit only": Wrong(
            sampled_logit_only,
            "The weight was added straight to the sampled logit. It has to multiply the score, which moves the "
            "other logits too and moves a likely arm less.",
        ),
    },
)
