"""Question ch6-gae: advantages of tokens."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
Tokens are counted from 0 here. Before each token $t$ a critic says what it expects the answer to earn from there on,
its value $V_t$. Then the token is written and earns $r_t$. The critic was off by $\delta_t = r_t + \gamma V_{t+1} -
V_t$. The advantage of a token joins its own $\delta$ with those that follow, each step further counting for less:

$A_t = \delta_t + \gamma\lambda\,\delta_{t+1} + (\gamma\lambda)^2\,\delta_{t+2} + \dots$ up to the answer's last token.

After the last token nothing more can be earned: there the value is 0, and it does not matter whether the answer ended
or was cut.

Write `gae(rewards, values, mask, gamma, lam)` for N answers at once. All three arrays have N rows and T columns, column
t of `values` is $V_t$ and column t of `rewards` is $r_t$. The mask is True at the tokens of an answer, which come first
in its row, and False at the padding behind them; what stands in `rewards` and `values` there means nothing. Return two
arrays of N rows and T columns, both 0 at the padding: the advantages, and the returns $A_t + V_t$ that the critic is
trained on.
"""

STUB = """
def gae(rewards, values, mask, gamma, lam):
    advantages = np.zeros(rewards.shape)
    ...
    return advantages, returns
"""


def gae(rewards, values, mask, gamma, lam):
    rewards, values = np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)
    advantages = np.zeros(rewards.shape)
    advantage = next_value = 0.0
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = delta + gamma * lam * advantage
        advantages[:, t] = advantage
        next_value = values[:, t]
    returns = advantages + values
    return advantages, returns


def gae_by_matrix(rewards, values, mask, gamma, lam):
    rewards, values = np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)
    following = np.pad(values[:, 1:], ((0, 0), (0, 1)))
    steps = np.arange(rewards.shape[1])[:, None] - np.arange(rewards.shape[1])
    weights = np.where(steps >= 0, (gamma * lam) ** np.maximum(steps, 0), 0.0)
    advantages = (rewards + gamma * following - values) @ weights
    return advantages, advantages + values


def gae_by_returns(rewards, values, mask, gamma, lam):
    """Row by row, from the λ-return G_t = r_t + γ ((1 - λ) V_{t+1} + λ G_{t+1})."""
    advantages, returns = np.zeros(mask.shape), np.zeros(mask.shape)
    for n, length in enumerate(mask.sum(axis=1)):
        target = later = 0.0
        for t in range(length - 1, -1, -1):
            target = rewards[n, t] + gamma * ((1 - lam) * later + lam * target)
            later = values[n, t]
            returns[n, t], advantages[n, t] = target, target - later
    return [advantages.tolist(), returns.tolist()]


def zeros_at_pads(rewards, values, mask):
    return np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)


def next_value(values, mask):
    return np.pad(values[:, 1:], ((0, 0), (0, 1)))


def variant(
    prepare=zeros_at_pads,
    following=next_value,
    delta=lambda reward, later, value, gamma, lam: reward + gamma * later - value,
    decay=lambda gamma, lam: gamma * lam,
    finish=lambda advantages, values, rewards, mask, gamma: (advantages, advantages + values),
):
    """GAE in five steps, each of which a wrong answer does in a way of its own."""

    def answer(rewards, values, mask, gamma, lam):
        rewards, values = prepare(rewards, values, mask)
        deltas = delta(rewards, following(values, mask), values, gamma, lam)
        return finish(backwards(deltas, decay(gamma, lam)), values, rewards, mask, gamma)

    return answer


def backwards(deltas, decay):
    """A_t = δ_t + decay · A_{t+1}."""
    advantages, advantage = np.zeros(deltas.shape), 0.0
    for t in reversed(range(deltas.shape[1])):
        advantage = deltas[:, t] + decay * advantage
        advantages[:, t] = advantage
    return advantages


def forwards(rewards, values, mask, gamma, lam):
    rewards, values = zeros_at_pads(rewards, values, mask)
    deltas = rewards + gamma * next_value(values, mask) - values
    advantages = np.where(mask, backwards(deltas[:, ::-1], gamma * lam)[:, ::-1], 0.0)
    return advantages, advantages + values


def last_value_again(values, mask):
    ends = mask & ~np.pad(mask[:, 1:], ((0, 0), (0, 1)))
    return np.where(ends, values, next_value(values, mask))


def as_they_are(rewards, values, mask):
    return rewards, values


def by_a_product(rewards, values, mask):
    return rewards * mask, values * mask


def mask_at_the_end(advantages, values, rewards, mask, gamma):
    return np.where(mask, advantages, 0.0), np.where(mask, advantages + values, 0.0)


def values_of_pads(rewards, values, mask, gamma, lam):
    deltas = np.where(mask, rewards + gamma * next_value(values, mask) - values, 0.0)
    return mask_at_the_end(backwards(deltas, gamma * lam), values, rewards, mask, gamma)


def draw_full(rng):
    """Answers of one length: no padding. γ and λ far from 1, from 0 and from each other."""
    shape = int(rng.integers(3, 6)), int(rng.integers(5, 9))
    rewards, values = rng.standard_normal(shape), 0.6 + 1.5 * rng.standard_normal(shape)
    return rewards, values, np.ones(shape, dtype=bool), float(rng.uniform(0.85, 0.95)), float(rng.uniform(0.5, 0.8))


def draw_padded(rng):
    """At least one pad in each row, two tokens or more; at the padding stand numbers like all others."""
    rewards, values, mask, gamma, lam = draw_full(rng)
    answers, tokens = mask.shape
    lengths = rng.integers(2, tokens, answers)
    lengths[:2] = 2, tokens - 1
    return rewards, values, np.arange(tokens) < rng.permutation(lengths)[:, None], gamma, lam


def draw_nan(rng):
    rewards, values, mask, gamma, lam = draw_padded(rng)
    return np.where(mask, rewards, np.nan), np.where(mask, values, np.nan), mask, gamma, lam


def expected(rewards, values, mask, gamma, lam):
    """The average of the n-step estimators: weight (1 - λ) λ^(n-1) for each, and what is left for the longest."""
    advantages, returns = np.zeros(mask.shape), np.zeros(mask.shape)
    for n, t in zip(*np.nonzero(mask), strict=True):
        steps = int(mask[n].sum()) - int(t)
        for k in range(1, steps + 1):
            earned = sum(gamma**i * rewards[n, t + i] for i in range(k))
            foreseen = gamma**k * values[n, t + k] if k < steps else 0.0
            weight = (1 - lam) * lam ** (k - 1) if k < steps else lam ** (k - 1)
            returns[n, t] += weight * (earned + foreseen)
        advantages[n, t] = returns[n, t] - values[n, t]
    return advantages, returns


def agrees(got, known):
    try:
        (advantages, returns), (true_advantages, true_returns) = got, known
    except (TypeError, ValueError):
        return False
    return close(advantages, true_advantages) and close(returns, true_returns)


RIGHT = {
    "model": gae,
    "matrix of weights": gae_by_matrix,
    "returns first, as lists": gae_by_returns,
}

QUESTION = Question(
    name="ch6-gae",
    title="Advantages of tokens",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (advantages, returns), with A_t = δ_t + γλ A_{t+1} from the last token backwards, returns A_t + V_t, "
        "and 0 at the padding. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("answers of one length", 3, draw_full),
        Part("numbers at the padding", 3, draw_padded),
        Part("nan at the padding", 2, draw_nan),
    ),
    right=RIGHT,
    wrong={
        "forwards": Wrong(
            forwards,
            "You went from the first token to the last, so each advantage holds the δ of earlier tokens. A token is "
            "to be judged by what comes after it: go backwards.",
        ),
        "value after the end": Wrong(
            variant(following=last_value_again),
            "At the last token you took its own value for what is still to come. After it comes nothing: the next "
            "value is 0.",
        ),
        "values of pads": Wrong(
            values_of_pads,
            "At the last token you took the value in the next column for what is still to come. In a shorter answer "
            "that is the number at a pad, and it means nothing.",
        ),
        "mask forgotten": Wrong(
            variant(as_they_are),
            "The mask has no part in your result: where answers are shorter, the padding is counted as more tokens.",
        ),
        "masked afterwards": Wrong(
            variant(as_they_are, finish=mask_at_the_end),
            "The padding is 0 in your result, but the mask came too late: what stands at the pads was carried "
            "backwards into the answer before.",
        ),
        "returns at pads": Wrong(
            lambda rewards, values, *rest: (gae(rewards, values, *rest)[0], gae(rewards, values, *rest)[0] + values),
            "Your advantages are right. The returns at the padding are not 0: there the values still stand that mean "
            "nothing.",
        ),
        "masked by a product": Wrong(
            variant(by_a_product),
            "Right for numbers at the padding, but 0 times nan is nan, and it is carried backwards. Choose with "
            "np.where instead of multiplying by it.",
        ),
        "lambda alone": Wrong(
            variant(decay=lambda gamma, lam: lam),
            "You let the later δ fade by λ only. A step further costs γ as well, as in any sum of later rewards.",
        ),
        "gamma alone": Wrong(
            variant(decay=lambda gamma, lam: gamma),
            "You let the later δ fade by γ only: then the values in between cancel and λ has no effect. This is the "
            "return less the value, the case λ = 1.",
        ),
        "one step": Wrong(
            variant(decay=lambda gamma, lam: 0.0),
            "Your advantage is δ alone, the case λ = 0. The δ of the later tokens belong to it too.",
        ),
        "next value not discounted": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + later - value),
            "In δ the next value is to be multiplied by γ: it speaks of rewards that come one step later.",
        ),
        "lambda in delta": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + gamma * lam * later - value),
            "You multiplied the next value in δ by λ too. λ says only how fast the later δ fade; δ itself does not "
            "know it.",
        ),
        "own value kept": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + gamma * later),
            "You did not subtract V from reward and next value. What was expected before the token is no merit of the "
            "token.",
        ),
        "returns are advantages": Wrong(
            variant(finish=lambda advantages, *_: (advantages, advantages)),
            "Your advantages are right, and you returned them twice. The critic is to learn what is still earned, not "
            "how much more it is than the critic said.",
        ),
        "returns of rewards": Wrong(
            variant(finish=lambda advantages, values, rewards, mask, gamma: (advantages, backwards(rewards, gamma))),
            "Your advantages are right. Your returns are the discounted sums of the rewards, as for λ = 1; A + V was "
            "asked for.",
        ),
        "returned the wrong way": Wrong(
            variant(finish=lambda advantages, values, *_: (advantages + values, advantages)),
            "Both arrays are right, but they come in the wrong order. Advantages first, then returns.",
        ),
        "values exchanged": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + value - gamma * later),
            "In δ the two values have the wrong signs: the next one is what the token led to, its own is what was "
            "expected.",
        ),
        "own delta fades": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: gamma * lam * (reward + gamma * later - value)),
            "All your δ are multiplied by γλ once too often. The token's own δ counts in full; the next one is the "
            "first to fade.",
        ),
    },
    agrees=agrees,
)
