"""Question hw2-gae: advantages of tokens, of answers that ended and of answers that were cut."""

import numpy as np

from rlhw.exercises.forms import all_close, as_lists, from_the_last_row, recipes, row_by_row
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
There are N answers of at most T tokens, the tokens counted from 0. Before token $t$ of an answer a critic expects that
the answer will earn $V_t$ from there on; then the token earns $r_t$. With a discount $\gamma$ the critic was off by
$\delta_t = r_t + \gamma V_{t+1} - V_t$, and the advantage of the token is

$A_t = \delta_t + \gamma\lambda\,\delta_{t+1} + (\gamma\lambda)^2\,\delta_{t+2} + \dots$ up to the last token of the answer.

What stands for $V_{t+1}$ at the *last* token? In chapter 6 always 0. Here it depends:

- where `ended[n]` is True, answer n has written its end mark. Nothing more can be earned: the value is 0.
- where it is False, the answer was cut. It would have gone on, and what it would still have earned is expected to be
  `final_values[n]`.

Write `gae(rewards, values, final_values, ended, mask, gamma, lam)`. `rewards`, `values` and `mask` have N rows and T
columns; the mask is True at the tokens of an answer, which come first in its row, and False at the padding. What
stands at the padding means nothing, and neither does the final value of an answer that ended; nan may stand at both.
Return two arrays of N rows and T columns, both 0 at the padding: the advantages, and the returns $A_t + V_t$.

Worked: $\gamma = 0.8$, $\lambda = 0.5$, rewards (0, 1), values (0.5, 0.25). If the answer ended, $\delta = (-0.3,
0.75)$ and the advantages are (0, 0.75). If it was cut and its final value is 0.5, $\delta = (-0.3, 1.15)$ and they are
(0.16, 1.15).
"""

STUB = """
def gae(rewards, values, final_values, ended, mask, gamma, lam):
    advantages = np.zeros(rewards.shape)
    ...
    return advantages, returns
"""


def gae(rewards, values, final_values, ended, mask, gamma, lam):
    rewards, values = np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)
    last = mask.sum(axis=1) - 1
    following = np.pad(values[:, 1:], ((0, 0), (0, 1)))
    following[np.arange(len(last)), last] = np.where(ended, 0.0, final_values)
    deltas = np.where(mask, rewards + gamma * following - values, 0.0)
    advantages, advantage = np.zeros(rewards.shape), 0.0
    for t in reversed(range(rewards.shape[1])):
        advantage = deltas[:, t] + gamma * lam * advantage
        advantages[:, t] = advantage
    return advantages, advantages + values


def gae_by_loop(rewards, values, final_values, ended, mask, gamma, lam):
    advantages, returns = np.zeros(mask.shape), np.zeros(mask.shape)
    for n, length in enumerate(mask.sum(axis=1)):
        next_value, advantage = (0.0 if ended[n] else final_values[n]), 0.0
        for t in range(length - 1, -1, -1):
            advantage = rewards[n, t] + gamma * next_value - values[n, t] + gamma * lam * advantage
            next_value = values[n, t]
            advantages[n, t], returns[n, t] = advantage, advantage + values[n, t]
    return advantages, returns


def gae_by_returns(rewards, values, final_values, ended, mask, gamma, lam):
    # G_t = r_t + gamma ((1 - lambda) V_{t+1} + lambda G_{t+1}); beyond the end both are the final value.
    advantages, returns = np.zeros(mask.shape).tolist(), np.zeros(mask.shape).tolist()
    for n, length in enumerate(mask.sum(axis=1)):
        target = later = 0.0 if ended[n] else float(final_values[n])
        for t in range(length - 1, -1, -1):
            target = float(rewards[n, t]) + gamma * ((1 - lam) * later + lam * target)
            later = float(values[n, t])
            returns[n][t], advantages[n][t] = target, target - later
    return [advantages, returns]


def gae_by_a_column_more(rewards, values, final_values, ended, mask, gamma, lam):
    steps, (answers, tokens) = mask.sum(axis=1), mask.shape
    longer = np.concatenate([np.where(mask, values, 0.0), np.zeros((answers, 1))], axis=1)
    for n in range(answers):
        longer[n, steps[n]] = 0.0 if ended[n] else final_values[n]
    deltas = np.where(mask, np.where(mask, rewards, 0.0) + gamma * longer[:, 1:] - longer[:, :-1], 0.0)
    weights = np.array([[(gamma * lam) ** (s - t) if s >= t else 0.0 for t in range(tokens)] for s in range(tokens)])
    advantages = deltas @ weights
    return advantages, np.where(mask, advantages + longer[:, :-1], 0.0)


def last_of(mask):
    return mask & ~np.pad(mask[:, 1:], ((0, 0), (0, 1)))


def next_in_row(values):
    return np.pad(values[:, 1:], ((0, 0), (0, 1)))


def clean(rewards, values, mask):
    return np.where(mask, rewards, 0.0), np.where(mask, values, 0.0)


def by_where(values, beyond, mask):
    return np.where(last_of(mask), beyond[:, None], next_in_row(values))


def by_index(values, beyond, mask):
    following = next_in_row(values)
    for n, length in enumerate(mask.sum(axis=1)):
        following[n, length - 1] = beyond[n]
    return following


def by_sum(values, beyond, mask):
    return next_in_row(values) + last_of(mask) * beyond[:, None]


def backwards(deltas, decay):
    advantages, advantage = np.zeros(deltas.shape), 0.0
    for t in reversed(range(deltas.shape[1])):
        advantage = deltas[:, t] + decay * advantage
        advantages[:, t] = advantage
    return advantages


def by_solving(deltas, decay):
    steps = deltas.shape[1]
    return np.linalg.solve(np.eye(steps) - decay * np.eye(steps, k=1), deltas.T).T


def by_powers(deltas, decay):
    return sum(decay**k * np.pad(deltas[:, k:], ((0, 0), (0, k))) for k in range(deltas.shape[1]))


def variant(
    following=by_where,
    summing=backwards,
    prepare=clean,
    beyond=lambda final, ended: np.where(ended, 0.0, final),
    delta=lambda reward, later, value, gamma, lam: reward + gamma * later - value,
    decay=lambda gamma, lam: gamma * lam,
    returned=lambda advantages, values, mask: (advantages, advantages + values),
):
    """GAE in steps, each of which is done in several ways, right or wrong."""

    def answer(rewards, values, final_values, ended, mask, gamma, lam):
        rewards, values = prepare(rewards, values, mask)
        bootstrap = beyond(final_values, ended)
        deltas = delta(rewards, following(values, bootstrap, mask), values, gamma, lam)
        deltas = np.where(mask, deltas, 0.0) if prepare is clean else deltas
        return returned(summing(deltas, decay(gamma, lam)), values, mask)

    return answer


def own_value_again(values, beyond, mask):
    return np.where(last_of(mask), values, next_in_row(values))


def at_the_last_column(values, beyond, mask):
    return np.concatenate([values[:, 1:], beyond[:, None]], axis=1)


def no_mask(rewards, values, final_values, ended, mask, gamma, lam):
    return gae(rewards, values, final_values, ended, np.ones_like(mask), gamma, lam)


def shorter_is_ended(rewards, values, final_values, ended, mask, gamma, lam):
    return gae(rewards, values, final_values, ~mask[:, -1], mask, gamma, lam)


def rewards_to_go(rewards, values, final_values, ended, mask, gamma, lam):
    advantages, _ = gae(rewards, values, final_values, ended, mask, gamma, lam)
    # With λ = 1 the values cancel: what is left of A + V are the rewards.
    return advantages, gae(rewards, values, final_values, ended, mask, gamma, 1.0)[1]


def forwards(deltas, decay):
    return backwards(deltas[:, ::-1], decay)[:, ::-1]


def values_of_pads_and_last_column(rewards, values, final_values, ended, mask, gamma, lam):
    following = at_the_last_column(values, np.where(ended, 0.0, final_values), mask)
    deltas = np.where(mask, rewards + gamma * following - values, 0.0)
    return masked(backwards(deltas, gamma * lam), values, mask)


def values_of_pads(rewards, values, final_values, ended, mask, gamma, lam):
    deltas = np.where(mask, rewards + gamma * next_in_row(values) - values, 0.0)
    return masked(backwards(deltas, gamma * lam), values, mask)


def final_as_reward(rewards, values, final_values, ended, mask, gamma, lam):
    earned = rewards + last_of(mask) * np.where(ended, 0.0, final_values)[:, None]
    return gae(earned, values, 0.0 * final_values, np.ones_like(ended), mask, gamma, lam)


def masked(advantages, values, mask):
    return np.where(mask, advantages, 0.0), np.where(mask, advantages + values, 0.0)


def masked_late(rewards, values, final_values, ended, mask, gamma, lam):
    following = by_where(values, np.where(ended, 0.0, final_values), mask)
    return masked(backwards(rewards + gamma * following - values, gamma * lam), values, mask)


def by_a_product(rewards, values, final_values, ended, mask, gamma, lam):
    return variant(prepare=lambda *_: (rewards * mask, values * mask), beyond=lambda final, ended: final * ~ended)(
        rewards, values, final_values, ended, mask, gamma, lam
    )


def returns_at_pads(rewards, values, *rest):
    advantages, _ = gae(rewards, values, *rest)
    return advantages, advantages + values


def draw(rng, full):
    """N answers, some ended and some cut, numbers at the padding. γ and λ far from 1, from 0 and from each other.

    Either all fill their rows; or one does, which was cut, and of the shorter ones some ended and some were cut.
    """
    answers, tokens = int(rng.integers(3, 6)), int(rng.integers(5, 9))
    rewards, values = rng.standard_normal((answers, tokens)), 0.6 + 1.5 * rng.standard_normal((answers, tokens))
    final_values = rng.choice([-1.0, 1.0], answers) * rng.uniform(0.5, 2.0, answers)
    lengths, order = rng.integers(2, tokens, answers), rng.permutation(answers)
    lengths[: answers if full else 1], ended = tokens, np.arange(answers) % 2 == 1
    mask = np.arange(tokens) < lengths[order][:, None]
    gamma, lam = float(rng.uniform(0.85, 0.95)), float(rng.uniform(0.5, 0.8))
    return rewards, values, final_values, ended[order], mask, gamma, lam


def draw_nan(rng):
    rewards, values, final_values, ended, mask, gamma, lam = draw(rng, False)
    rewards, values = np.where(mask, rewards, np.nan), np.where(mask, values, np.nan)
    return rewards, values, np.where(ended, np.nan, final_values), ended, mask, gamma, lam


def expected(rewards, values, final_values, ended, mask, gamma, lam):
    """The average of the n-step estimators: weight (1 - λ) λ^(n-1) for each, and what is left for the longest."""
    advantages, returns = np.zeros(mask.shape), np.zeros(mask.shape)
    for n, t in zip(*np.nonzero(mask), strict=True):
        steps = int(mask[n].sum()) - int(t)
        for k in range(1, steps + 1):
            earned = sum(gamma**i * rewards[n, t + i] for i in range(k))
            after = values[n, t + k] if k < steps else 0.0 if ended[n] else final_values[n]
            weight = (1 - lam) * lam ** (k - 1) if k < steps else lam ** (k - 1)
            returns[n, t] += weight * (earned + gamma**k * after)
        advantages[n, t] = returns[n, t] - values[n, t]
    return advantages, returns


RIGHT = {
    "model": gae,
    "loop": gae_by_loop,
    "returns first, as lists": gae_by_returns,
    "a column more": gae_by_a_column_more,
    **recipes(
        variant,
        {"where": by_where, "index": by_index, "sum": by_sum},
        {"backwards": backwards, "linear equations": by_solving, "powers": by_powers},
    ),
    "as lists": as_lists(gae),
    "row by row": row_by_row(gae, 5),
    "from the last row": from_the_last_row(gae_by_loop, 5),
}

QUESTION = Question(
    name="hw2-gae",
    title="Advantages of answers that ended or were cut",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (advantages, returns): A_t = δ_t + γλ A_{t+1} from the last token backwards, where the value after the "
        "last token is 0 or the final value; returns A_t + V_t; 0 at the padding. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("full rows", 3, lambda rng: draw(rng, True)),
        Part("answers of any length", 3, lambda rng: draw(rng, False)),
        Part("nan at the padding", 2, draw_nan),
    ),
    right=RIGHT,
    wrong={
        "always ended": Wrong(
            variant(beyond=lambda final, ended: np.zeros(len(final))),
            "You took 0 for the value after every answer's last token. An answer that was cut would have gone on: its "
            "final value stands there.",
        ),
        "never ended": Wrong(
            variant(beyond=lambda final, ended: final),
            "You took the final value also for answers that ended. After the end mark nothing more can be earned.",
        ),
        "the wrong way round": Wrong(
            variant(beyond=lambda final, ended: np.where(ended, final, 0.0)),
            "You read `ended` the wrong way round: the final value belongs to the answers that were cut, not to those "
            "that ended.",
        ),
        "at the last column": Wrong(
            variant(following=at_the_last_column),
            "You put the final value behind the last column. In a shorter answer the last token stands further left, "
            "and its next value is then what stands at the first pad.",
        ),
        "pads and last column": Wrong(
            values_of_pads_and_last_column,
            "Right where an answer fills its row. The final value stands behind the last column, and a shorter answer took the "
            "number at its first pad for what is still to come.",
        ),
        "shorter is ended": Wrong(
            shorter_is_ended,
            "You took each answer that fills its row for cut, and each shorter one for ended. `ended` says which ended: an "
            "answer may write its end mark in the last column, and may be cut before.",
        ),
        "no mask": Wrong(
            no_mask,
            "The mask has no part in your result: you went through all T columns of every answer.",
        ),
        "own value again": Wrong(
            variant(following=own_value_again),
            "At the last token you took its own value once more for what is still to come.",
        ),
        "values of pads": Wrong(
            values_of_pads,
            "At the last token you took the value in the next column for what is still to come. That is the number at a "
            "pad, and it means nothing.",
        ),
        "final value as a reward": Wrong(
            final_as_reward,
            "You added the final value to the last reward as it is. It speaks of what comes one step later: γ belongs in "
            "front of it.",
        ),
        "masked late": Wrong(
            masked_late,
            "The padding is 0 in your result, but the mask came too late: what stands at the pads was carried backwards "
            "into the answer before.",
        ),
        "masked by a product": Wrong(
            by_a_product,
            "Right for numbers, but 0 times nan is nan, and it is carried backwards. Choose with np.where instead of "
            "multiplying.",
        ),
        "returns at pads": Wrong(
            returns_at_pads,
            "Your advantages are right. The returns at the padding are not 0: there the values still stand that mean "
            "nothing.",
        ),
        "forwards": Wrong(
            variant(summing=forwards),
            "You went from the first token to the last, so each advantage holds the δ of earlier tokens. A token is to be "
            "judged by what comes after it: go backwards.",
        ),
        "lambda alone": Wrong(
            variant(decay=lambda gamma, lam: lam),
            "You let the later δ fade by λ only. A step further costs γ as well.",
        ),
        "gamma alone": Wrong(
            variant(decay=lambda gamma, lam: gamma),
            "You let the later δ fade by γ only: then the values in between cancel and λ has no effect.",
        ),
        "next value not discounted": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + later - value),
            "In δ the next value is to be multiplied by γ, the final value too: both speak of later rewards.",
        ),
        "lambda in delta": Wrong(
            variant(delta=lambda reward, later, value, gamma, lam: reward + gamma * lam * later - value),
            "You multiplied the next value in δ by λ too. λ says only how fast the later δ fade; δ itself does not know it.",
        ),
        "returns are advantages": Wrong(
            variant(returned=lambda advantages, values, mask: (advantages, advantages)),
            "Your advantages are right, and you returned them twice. The critic is to learn A + V.",
        ),
        "rewards to go": Wrong(
            rewards_to_go,
            "Your advantages are right. Your returns are the discounted rewards to go, which A + V is only where λ is 1.",
        ),
        "returned the wrong way": Wrong(
            variant(returned=lambda advantages, values, mask: (advantages + values, advantages)),
            "Both arrays are right, but they come in the wrong order. Advantages first, then returns.",
        ),
    },
    agrees=all_close,
)
