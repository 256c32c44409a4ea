"""Question hw2-clipped-loss: PPO's loss over a batch, and its gradient."""

import numpy as np

from rlhw.exercises.forms import all_close, as_lists, recipes
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import numerical_gradient

TEXT = r"""
N answers of at most T tokens were drawn from an older policy $\pi_{\text{old}}$. $A_t$ is the advantage of token $y_t$,
and $\rho_t = \pi(y_t\mid x, y_{<t})/\pi_{\text{old}}(y_t\mid x, y_{<t})$. PPO makes

$\min\bigl(\rho_t A_t,\ \operatorname{clamp}(\rho_t, 1-\varepsilon, 1+\varepsilon)\,A_t\bigr)$

large, where the clamp replaces a ratio above $1+\varepsilon$ by $1+\varepsilon$ and one below $1-\varepsilon$ by
$1-\varepsilon$. The loss of the batch is minus the mean of that over *all tokens of all answers together*: each token
weighs the same, in a long answer and in a short one.

Write `clipped_loss(logprobs, old_logprobs, advantages, mask, clip)`. The first three arrays have N rows and T columns:
the log-probabilities of the tokens under the new and the old policy, and the advantages. The mask is True at the
tokens of answers, False at the padding, where anything may stand, nan too. `clip` is $\varepsilon$. Return two things:
the loss, one number, and its gradient with respect to `logprobs`, N rows and T columns, 0 at the padding. (No ratio lies
exactly at a corner.)

Before you write: for which ratios and which signs of the advantage is a token's gradient 0?

Worked: $\varepsilon = 0.2$, one answer, ratios (1.5, 1.5), advantages (2, -2). The surrogates are 2.4 and -3, so the
loss is 0.3, and the gradient (0, 1.5).
"""

STUB = """
def clipped_loss(logprobs, old_logprobs, advantages, mask, clip):
    ...
    return loss, gradient
"""


def clipped_loss(logprobs, old_logprobs, advantages, mask, clip):
    ratio = np.exp(np.where(mask, logprobs - old_logprobs, 0.0))
    advantages = np.where(mask, advantages, 0.0)
    clamped = np.clip(ratio, 1 - clip, 1 + clip)
    loss = -np.minimum(ratio * advantages, clamped * advantages).sum() / mask.sum()
    # Where the clamped one is the smaller, a small move changes nothing. The ratio's own derivative is the ratio.
    moves = ratio * advantages <= clamped * advantages
    return loss, np.where(moves, -ratio * advantages, 0.0) / mask.sum()


def clipped_loss_by_loop(logprobs, old_logprobs, advantages, mask, clip):
    import math

    count, total, gradient = int(mask.sum()), 0.0, np.zeros(mask.shape).tolist()
    for n, t in zip(*np.nonzero(mask), strict=True):
        ratio, advantage = math.exp(logprobs[n, t] - old_logprobs[n, t]), float(advantages[n, t])
        if advantage > 0 and ratio > 1 + clip:
            total -= (1 + clip) * advantage
        elif advantage < 0 and ratio < 1 - clip:
            total -= (1 - clip) * advantage
        else:
            total -= ratio * advantage
            gradient[n][t] = -ratio * advantage / count
    return total / count, gradient


def clipped_loss_of_chosen_tokens(logprobs, old_logprobs, advantages, mask, clip):
    ratio, a = np.exp(logprobs[mask]) / np.exp(old_logprobs[mask]), advantages[mask]
    losses = np.maximum(-a * ratio, -a * ratio.clip(1 - clip, 1 + clip))
    gradient = np.zeros(mask.shape)
    gradient[mask] = -a * ratio * np.where(a > 0, ratio < 1 + clip, ratio > 1 - clip) / len(a)
    return [losses.mean(), gradient]


def chosen(array, mask):
    return np.where(mask, array, 0.0)


def copied(array, mask):
    result = np.zeros(mask.shape)
    result[mask] = array[mask]
    return result


def ratio_of(new, old):
    return np.exp(new - old)


def ratio_of_probabilities(new, old):
    return np.exp(new) / np.exp(old)


def minimum(ratio, advantages, clip):
    return np.minimum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)


def by_cases(ratio, advantages, clip):
    return np.where(advantages > 0, np.minimum(ratio, 1 + clip), np.maximum(ratio, 1 - clip)) * advantages


def open_tokens(ratio, advantages, clip):
    return np.where(advantages > 0, ratio < 1 + clip, ratio > 1 - clip)


def where_it_moves(ratio, advantages, clip):
    moved = 1.0 + 1e-9
    return minimum(ratio * moved, advantages, clip) != minimum(ratio, advantages, clip)


def slope(ratio, advantages, is_open):
    return -ratio * advantages * is_open


def all_tokens(losses, mask):
    return losses.sum() / mask.sum()


def all_weights(mask):
    return np.full(mask.shape, 1.0 / mask.sum())


def variant(
    clean=chosen,
    ratio=ratio_of,
    surrogate=minimum,
    is_open=open_tokens,
    slope=slope,
    mean=all_tokens,
    weights=all_weights,
):
    """Loss and gradient in steps, each of which is done in several ways, right or wrong."""

    def answer(logprobs, old_logprobs, advantages, mask, clip):
        rho = ratio(clean(logprobs, mask), clean(old_logprobs, mask))
        gain = clean(advantages, mask)
        gradient = slope(rho, gain, is_open(rho, gain, clip)) * weights(mask)
        return mean(-surrogate(rho, gain, clip), mask), gradient

    return answer


def inside_only(ratio, advantages, clip):
    return np.abs(ratio - 1) < clip


def mean_of_means(losses, mask):
    return (losses.sum(axis=1) / mask.sum(axis=1)).mean()


def weights_of_means(mask):
    return np.broadcast_to(1.0 / (len(mask) * mask.sum(axis=1, keepdims=True)), mask.shape)


def product_in_the_loss(logprobs, old_logprobs, advantages, mask, clip):
    ratio = np.exp(logprobs - old_logprobs)
    loss = -(minimum(ratio, advantages, clip) * mask).sum() / mask.sum()
    return loss, clipped_loss(logprobs, old_logprobs, advantages, mask, clip)[1]


def log_clamped(ratio, advantages, clip):
    return np.minimum(ratio * advantages, np.exp(np.clip(np.log(ratio), -clip, clip)) * advantages)


def maximum(ratio, advantages, clip):
    return np.maximum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)


def surrogate_itself(*arguments):
    loss, gradient = clipped_loss(*arguments)
    return -loss, -gradient


def draw(rng, far):
    """Ratios inside the clip; or on all sides of it, never near a corner, with advantages of both signs on each side."""
    tokens, clip = 6, float(rng.uniform(0.15, 0.3))
    lengths = rng.permutation([2, 4, 6])
    mask = np.arange(tokens) < lengths[:, None]
    old_logprobs = -rng.uniform(0.9, 3.0, mask.shape)
    ratio = 1 + rng.uniform(-0.9, 0.9, mask.shape) * clip
    advantages = rng.choice([-1.0, 1.0], mask.shape) * rng.uniform(0.3, 2.0, mask.shape)
    if far:
        # Below, below, inside, inside, above, above; each with both signs.
        sides = np.array([1 - 1.6 * clip, 1 - 2 * clip, 1 - 0.5 * clip, 1 + 0.5 * clip, 1 + 1.6 * clip, 1 + 2 * clip])
        order = rng.permutation(12)
        ratio[mask] = np.tile(sides, 2)[order] * rng.uniform(0.97, 1.03, 12)
        advantages[mask] = np.abs(advantages[mask]) * np.resize([1.0, -1.0, -1.0, 1.0, 1.0, -1.0], 12)[order]
        advantages[mask] *= np.repeat([1.0, -1.0], 6)[order]
    return old_logprobs + np.log(ratio), old_logprobs, advantages, mask, clip


def draw_nan(rng):
    logprobs, old_logprobs, advantages, mask, clip = draw(rng, True)
    return *(np.where(mask, array, np.nan) for array in (logprobs, old_logprobs, advantages)), mask, clip


def expected(logprobs, old_logprobs, advantages, mask, clip):
    """Token by token, by cases, in extended precision; the gradient by differences."""
    old, gains = old_logprobs[mask].astype(np.longdouble), advantages[mask].astype(np.longdouble)

    def loss(new):
        total = 0.0
        for ratio, gain in zip(np.exp(new.astype(np.longdouble) - old), gains, strict=True):
            total -= (min(ratio, 1 + clip) if gain > 0 else max(ratio, 1 - clip)) * gain
        return float(total / len(old))

    gradient = np.zeros(mask.shape)
    gradient[mask] = numerical_gradient(loss, logprobs[mask])
    return loss(logprobs[mask]), gradient


RIGHT = {
    "model": clipped_loss,
    "loop over tokens": clipped_loss_by_loop,
    "chosen tokens": clipped_loss_of_chosen_tokens,
    **recipes(
        variant,
        {"where": chosen, "copy": copied},
        {"difference": ratio_of, "quotient": ratio_of_probabilities},
        {"minimum": minimum, "cases": by_cases},
        {"signs": open_tokens, "where it moves": where_it_moves},
    ),
    "as lists": as_lists(clipped_loss),
}

QUESTION = Question(
    name="hw2-clipped-loss",
    title="PPO's loss and its gradient",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (minus the mean over all tokens of the smaller of ρA and the clamped ρ times A, its gradient with respect "
        "to the new log-probabilities: -ρA over the number of tokens, or 0 where the clamped one is smaller). Yours differs."
    ),
    expected=expected,
    parts=(
        Part("ratios inside the clip", 2, lambda rng: draw(rng, False)),
        Part("ratios on all sides", 4, lambda rng: draw(rng, True)),
        Part("nan at the padding", 2, draw_nan),
    ),
    right=RIGHT,
    wrong={
        "surrogate itself": Wrong(
            surrogate_itself,
            "Both have the wrong sign: this is what PPO makes large. A loss is made small.",
        ),
        "gradient upwards": Wrong(
            variant(slope=lambda ratio, gain, is_open: ratio * gain * is_open),
            "Your loss is right, and your gradient points the other way: it is that of the surrogate.",
        ),
        "ratio left out": Wrong(
            variant(slope=lambda ratio, gain, is_open: -gain * is_open),
            "Your gradient is minus the advantage. The derivative of ρ with respect to the new log-probability is ρ itself, "
            "not 1.",
        ),
        "clamped in the gradient": Wrong(
            variant(is_open=lambda ratio, gain, clip: np.clip(ratio, 1 - clip, 1 + clip) / ratio),
            "Your gradient holds the clamped ratio. Where the clamp holds the ratio it does not move at all; elsewhere the "
            "ratio itself belongs there.",
        ),
        "gradient never 0": Wrong(
            variant(is_open=lambda ratio, gain, clip: np.ones_like(ratio)),
            "No token's gradient is 0 in your result. Where the clamped product is the smaller one, it does not move.",
        ),
        "gradient 0 outside": Wrong(
            variant(is_open=inside_only),
            "You cut the gradient off for every ratio outside. A token that has moved the wrong way (ρ above with A < 0, ρ "
            "below with A > 0) must still be pulled back.",
        ),
        "no minimum": Wrong(
            variant(surrogate=lambda ratio, gain, clip: np.clip(ratio, 1 - clip, 1 + clip) * gain, is_open=inside_only),
            "You clamp every ratio and left the minimum out. A token that has moved the wrong way then costs no more, and is "
            "never pulled back.",
        ),
        "maximum": Wrong(
            variant(
                surrogate=maximum,
                is_open=lambda ratio, gain, clip: ~open_tokens(ratio, gain, clip) | inside_only(ratio, gain, clip),
            ),
            "You took the larger of the two products. The smaller one is the careful estimate.",
        ),
        "no clip": Wrong(
            variant(
                surrogate=lambda ratio, gain, clip: ratio * gain, is_open=lambda ratio, gain, clip: np.ones_like(ratio)
            ),
            "ε has no part in your result: the ratio is never clamped.",
        ),
        "logarithm clamped": Wrong(
            variant(surrogate=log_clamped),
            "You clamped the logarithm of the ratio between -ε and ε. The ratio itself is clamped, between 1 - ε and 1 + ε.",
        ),
        "mean of means": Wrong(
            variant(mean=mean_of_means, weights=weights_of_means),
            "You averaged each answer first, and then the answers: tokens of short answers weigh more. All tokens were to "
            "weigh the same.",
        ),
        "divided by all places": Wrong(
            variant(mean=lambda losses, mask: losses.mean(), weights=lambda mask: 1.0 / mask.size),
            "You divided by N times T: the padding was counted among the tokens.",
        ),
        "gradient of the sum": Wrong(
            variant(weights=lambda mask: 1.0),
            "Your loss is a mean and your gradient that of a sum: divide it by the number of tokens.",
        ),
        "ratio upside down": Wrong(
            variant(ratio=lambda new, old: np.exp(old - new)),
            "Your ratio is upside down: the new policy stands above.",
        ),
        "masked by a product in the loss": Wrong(
            product_in_the_loss,
            "Your gradient is right, and your loss is nan: nan stands at the padding, and 0 times nan is nan. Choose with "
            "np.where.",
        ),
        "masked by a product": Wrong(
            lambda logprobs, old, advantages, mask, clip: variant(clean=lambda array, mask: array * mask)(
                logprobs, old, advantages, mask, clip
            ),
            "Right for numbers, but nan may stand at the padding, and 0 times nan is nan. Choose with np.where.",
        ),
    },
    agrees=all_close,
)
