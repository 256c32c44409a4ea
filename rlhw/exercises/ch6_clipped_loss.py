"""Question ch6-clipped-loss: PPO's loss at each token."""

import math

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
Tokens were drawn from an older policy $\pi_{\text{old}}$, and $A_t$ is the advantage of token $y_t$. With
$\rho_t = \pi(y_t\mid x, y_{<t})/\pi_{\text{old}}(y_t\mid x, y_{<t})$ PPO makes the clipped surrogate large,

$\min\bigl(\rho_t A_t,\ \operatorname{clamp}(\rho_t, 1-\varepsilon, 1+\varepsilon)\,A_t\bigr),$

where the clamp replaces a ratio above $1+\varepsilon$ by $1+\varepsilon$ and one below $1-\varepsilon$ by
$1-\varepsilon$. Worked: for $\varepsilon = 0.2$, $\rho = 1.5$ and $A = 2$ it is the smaller one of 3 and 2.4: 2.4.

An optimizer makes a loss small. Write `clipped_loss(logprobs, old_logprobs, advantages, clip)`: the loss of each of T
tokens, from the log-probabilities of the tokens under the new and the old policy, their advantages, and $\varepsilon$
in `clip`. All three arrays have T numbers; return T numbers.
"""

STUB = """
def clipped_loss(logprobs, old_logprobs, advantages, clip):
    ...
"""


def clipped_loss(logprobs, old_logprobs, advantages, clip):
    ratio = np.exp(logprobs - old_logprobs)
    clamped = np.clip(ratio, 1 - clip, 1 + clip)
    return -np.minimum(ratio * advantages, clamped * advantages)


def clipped_loss_by_cases(logprobs, old_logprobs, advantages, clip):
    losses = []
    for new, old, advantage in zip(logprobs, old_logprobs, advantages, strict=True):
        ratio = math.exp(new - old)
        bounded = min(ratio, 1 + clip) if advantage > 0 else max(ratio, 1 - clip)
        losses.append(-bounded * advantage)
    return losses


def clipped_loss_by_maximum(logprobs, old_logprobs, advantages, clip):
    ratio = np.exp(logprobs) / np.exp(old_logprobs)
    losses = np.stack([-advantages * ratio, -advantages * ratio.clip(1 - clip, 1 + clip)])
    return losses.max(axis=0)


def ratio_of(logprobs, old_logprobs):
    return np.exp(logprobs - old_logprobs)


def surrogate(ratio, advantages, clip):
    return np.minimum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)


def maximum(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.maximum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)


def surrogate_itself(logprobs, old_logprobs, advantages, clip):
    return surrogate(ratio_of(logprobs, old_logprobs), advantages, clip)


def ratio_upside_down(logprobs, old_logprobs, advantages, clip):
    return -surrogate(ratio_of(old_logprobs, logprobs), advantages, clip)


def logarithm_for_ratio(logprobs, old_logprobs, advantages, clip):
    return -surrogate(logprobs - old_logprobs, advantages, clip)


def logarithm_clipped(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    clamped = np.exp(np.clip(logprobs - old_logprobs, -clip, clip))
    return -np.minimum(ratio * advantages, clamped * advantages)


def no_minimum(logprobs, old_logprobs, advantages, clip):
    return -np.clip(ratio_of(logprobs, old_logprobs), 1 - clip, 1 + clip) * advantages


def no_clip(logprobs, old_logprobs, advantages, clip):
    return -ratio_of(logprobs, old_logprobs) * advantages


def clipped_above_only(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.minimum(ratio * advantages, np.minimum(ratio, 1 + clip) * advantages)


def minimum_of_ratios(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.minimum(ratio, np.clip(ratio, 1 - clip, 1 + clip)) * advantages


def clipped_around_zero(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.minimum(ratio * advantages, np.clip(ratio, -clip, clip) * advantages)


def probabilities_subtracted(logprobs, old_logprobs, advantages, clip):
    return -surrogate(np.exp(logprobs) - np.exp(old_logprobs), advantages, clip)


def quotient_of_logarithms(logprobs, old_logprobs, advantages, clip):
    return -surrogate(logprobs / old_logprobs, advantages, clip)


def no_old_policy(logprobs, old_logprobs, advantages, clip):
    return -advantages * logprobs


def zero_outside(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.where(np.abs(ratio - 1) <= clip, ratio * advantages, 0.0)


def smaller_by_a_factor(logprobs, old_logprobs, advantages, clip):
    ratio = ratio_of(logprobs, old_logprobs)
    return -np.minimum(ratio * advantages, np.clip(ratio, 1 / (1 + clip), 1 + clip) * advantages)


def averaged(logprobs, old_logprobs, advantages, clip):
    return -surrogate(ratio_of(logprobs, old_logprobs), advantages, clip).mean()


def draw_near(rng):
    """Ratios within the clip, in both ways of measuring it; four tokens with advantages of either sign."""
    clip = float(rng.uniform(0.15, 0.35))
    count = int(rng.integers(4, 8))
    log_ratio = rng.choice([-1.0, 1.0], count) * rng.uniform(0.2, 0.9, count) * math.log1p(clip)
    return _tokens(rng, log_ratio, clip)


def draw_far(rng):
    """All four corners (ratio above or below the clip, advantage of either sign), then some tokens between them."""
    clip = float(rng.uniform(0.15, 0.35))
    beyond = rng.uniform(1.4, 3.0, 4) * np.array([math.log1p(clip), math.log1p(clip), *[math.log1p(-clip)] * 2])
    between = rng.uniform(0.2, 0.9, int(rng.integers(1, 4))) * math.log1p(clip)
    return _tokens(rng, np.concatenate([beyond, between]), clip)


def _tokens(rng, log_ratio, clip):
    old = -rng.uniform(1.5, 3.0, len(log_ratio))
    signs = np.resize([1.0, -1.0], len(log_ratio))
    order = rng.permutation(len(log_ratio))
    # The first one is far above 1 + ε, so that a bound on the product is never right.
    advantages = signs * np.append(rng.uniform(2.0, 3.0), rng.uniform(0.5, 2.0, len(log_ratio) - 1))
    return (old + log_ratio)[order], old[order], advantages[order], clip


def expected(logprobs, old_logprobs, advantages, clip):
    """By the slope: the loss is -A at ρ = 1 and falls or rises by A a unit of ρ, until ρ has gone ε the way A wants it."""
    losses = []
    for new, old, advantage in zip(logprobs.tolist(), old_logprobs.tolist(), advantages.tolist(), strict=True):
        moved = math.expm1(new - old)
        wanted = moved if advantage > 0 else -moved
        losses.append(-advantage - abs(advantage) * min(wanted, clip))
    return np.array(losses)


RIGHT = {
    "model": clipped_loss,
    "cases, as a list": clipped_loss_by_cases,
    "maximum of two losses": clipped_loss_by_maximum,
}

QUESTION = Question(
    name="ch6-clipped-loss",
    title="PPO's loss at each token",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Minus the smaller one of ratio times advantage and clamped ratio times advantage, for each token. Yours "
        "differs: try ρ = 1.5 and ρ = 0.5 with A = 2 and A = -2 by hand."
    ),
    expected=expected,
    parts=(
        Part("ratios near 1", 3, draw_near),
        Part("ratios beyond the clip", 5, draw_far),
    ),
    right=RIGHT,
    wrong={
        "maximum": Wrong(
            maximum,
            "You took the larger one of the two. (That is also what the smaller one of the two losses gives: minus "
            "turns the order round.) Then a step that has gone too far still counts, and one that went the wrong way "
            "does not.",
        ),
        "surrogate itself": Wrong(
            surrogate_itself,
            "This is the surrogate, which is to grow. The optimizer makes a loss small: what does it lack?",
        ),
        "ratio upside down": Wrong(
            ratio_upside_down,
            "Your ratio is upside down, old policy over new. At ρ = 1 the loss is the same, but its gradient has the "
            "other sign.",
        ),
        "logarithm for ratio": Wrong(
            logarithm_for_ratio,
            "You used the difference of the log-probabilities as the ratio. It is the logarithm of the ratio: 0, not "
            "1, where both policies agree.",
        ),
        "logarithm clipped": Wrong(
            logarithm_clipped,
            "You clamped the logarithm of the ratio to ±ε. The ratio itself is to be clamped: e to the power ε is "
            "more than 1 + ε.",
        ),
        "no minimum": Wrong(
            no_minimum,
            "You used the clamped ratio everywhere. Then a token that went the wrong way (A above 0 and ρ below 1 - "
            "ε, or A below 0 and ρ above 1 + ε) has gradient zero too, and nothing brings it back.",
        ),
        "no clip": Wrong(
            no_clip,
            "This is the ratio times the advantage, without a clip: nothing stops a step that has gone too far.",
        ),
        "clipped above only": Wrong(
            clipped_above_only,
            "You clamped from above only. For a negative advantage the policy goes too far downwards, below 1 - ε.",
        ),
        "minimum of ratios": Wrong(
            minimum_of_ratios,
            "You took the minimum of the two ratios and multiplied by the advantage afterwards. For a negative "
            "advantage that is the larger one of the two products.",
        ),
        "clipped around zero": Wrong(
            clipped_around_zero,
            "You clamped the ratio to lie between -ε and ε. It moves around 1: between which numbers should it lie?",
        ),
        "probabilities subtracted": Wrong(
            probabilities_subtracted,
            "You subtracted the old probability from the new one. The ratio is a quotient, 1 where both agree.",
        ),
        "quotient of logarithms": Wrong(
            quotient_of_logarithms,
            "You divided one log-probability by the other. The ratio of the probabilities is asked for: what becomes "
            "of a quotient in logarithms?",
        ),
        "no old policy": Wrong(
            no_old_policy,
            "This is REINFORCE's loss: the old policy and the clip have no part in it. At ρ = 1 its gradient is the "
            "same, and only there.",
        ),
        "averaged": Wrong(
            averaged,
            "The numbers are right, but you averaged them. The loss of each token was asked for: how to sum and "
            "divide is the caller's choice.",
        ),
        "zero outside": Wrong(
            zero_outside,
            "You dropped all tokens with ratios beyond the clip. What becomes zero there is the gradient, and only "
            "where the ratio has gone the way that the advantage wants.",
        ),
        "smaller by a factor": Wrong(
            smaller_by_a_factor,
            "You clamped from below at 1/(1 + ε). That is as far from 1 as 1 + ε in logarithms, but the lower bound "
            "of the surrogate is 1 - ε.",
        ),
    },
)
