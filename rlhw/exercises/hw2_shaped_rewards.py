"""Question hw2-shaped-rewards: token rewards, measured against the human's answer, and for answers that were cut."""

import numpy as np

from rlhw.exercises.forms import as_lists, from_the_last_row, is_close, recipes, row_by_row
from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
PPO gives every token a reward of its own. N prompts have K answers each, of at most T tokens. At each token $y_t$ of an
answer the policy pays for leaving the reference there:
$-\beta\log\frac{\pi(y_t\mid x, y_{<t})}{\pi_{\text{ref}}(y_t\mid x, y_{<t})}$. At the answer's *last* token one more
reward comes on top:

- where `ended[n, k]` is True (the answer wrote its end mark): its score `scores[n, k]` less `human_scores[n]`, the score
  of what a person answered to the same prompt. So 0 means: as good as the person.
- where it is False, the answer was cut, and a score of half an answer means nothing. In place of that difference it gets
  `cut_reward`, a fixed number.

Write `shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward)`. `scores` and `ended`
have N rows and K columns, `human_scores` N numbers; `logprobs`, `ref_logprobs` and `mask` have the shape (N, K, T). The
mask is True at the tokens of an answer, which come first, and False at the padding. Return rewards of the shape
(N, K, T), 0 at the padding. The log-probabilities at the padding and the score of a cut answer may be nan.

Worked: $\beta = 0.1$, log-probabilities (-1, -1) and (-2, -2), score 2, the person's 0.5, `cut_reward` -1. The rewards
are (-0.1, 1.4) if the answer ended, and (-0.1, -1.1) if it was cut.
"""

STUB = """
def shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    last = mask.sum(axis=-1) - 1  # the place of each answer's last token
    ...
"""


def shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    last = mask.sum(axis=-1) - 1
    rewards = np.where(mask, -beta * (logprobs - ref_logprobs), 0.0)
    n, k = np.indices(last.shape)
    rewards[n, k, last] += np.where(ended, scores - human_scores[:, None], cut_reward)
    return rewards


def shaped_rewards_by_loop(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    rewards = np.zeros(mask.shape).tolist()
    for n in range(len(scores)):
        for k in range(len(scores[n])):
            places = np.flatnonzero(mask[n, k])
            for t in places:
                rewards[n][k][t] = beta * float(ref_logprobs[n, k, t] - logprobs[n, k, t])
            rewards[n][k][places[-1]] += float(scores[n, k] - human_scores[n]) if ended[n, k] else cut_reward
    return rewards


def shaped_rewards_without_an_index(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    at_last = mask & (np.cumsum(mask, axis=2) == mask.sum(axis=2, keepdims=True))
    paid = (scores.T - human_scores).T
    paid[~ended] = cut_reward
    return at_last * paid[:, :, None] - beta * np.nan_to_num((logprobs - ref_logprobs) * mask)


def by_where(scores, human, ended, cut):
    return np.where(ended, scores - human[:, None], cut)


def by_copy(scores, human, ended, cut):
    paid = np.full(scores.shape, cut)
    paid[ended] = (scores - human[:, None])[ended]
    return paid


def at_last(paid, mask):
    rewards = np.zeros(mask.shape)
    np.put_along_axis(rewards, mask.sum(axis=-1, keepdims=True) - 1, paid[..., None], axis=-1)
    return rewards


def where_nothing_follows(paid, mask):
    follows = np.concatenate([mask[..., 1:], np.zeros_like(mask[..., :1])], axis=-1)
    return np.where(mask & ~follows, paid[..., None], 0.0)


def prices(logprobs, ref_logprobs, mask, beta):
    return np.where(mask, beta * (logprobs - ref_logprobs), 0.0)


def prices_by_copy(logprobs, ref_logprobs, mask, beta):
    price = np.zeros(mask.shape)
    price[mask] = beta * logprobs[mask] - beta * ref_logprobs[mask]
    return price


def variant(pay=by_where, place=at_last, price=prices, join=lambda paid, price: paid - price):
    """Rewards in four steps, each of which is done in several ways, right or wrong."""

    def answer(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
        paid = pay(scores, human_scores, ended, cut_reward)
        return join(place(paid, mask), price(logprobs, ref_logprobs, mask, beta))

    return answer


def at_column(column):
    def place(paid, mask):
        rewards = np.zeros(mask.shape)
        np.put_along_axis(rewards, column(mask), paid[..., None], axis=-1)
        return rewards

    return place


def cut_without_a_price(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    rewards = shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward)
    return np.where(where_nothing_follows(np.where(ended, 0.0, 1.0), mask) > 0, cut_reward, rewards)


def price_at_the_end(logprobs, ref_logprobs, mask, beta):
    return at_last(prices(logprobs, ref_logprobs, mask, beta).sum(axis=-1), mask)


def draw(rng, cut):
    """Two pads or more behind each answer, two tokens or more; no price, score or difference is near 0."""
    shape, tokens = (int(rng.integers(2, 4)), int(rng.integers(2, 4))), 7
    lengths = rng.integers(2, tokens - 1, shape)
    mask = np.arange(tokens) < lengths[..., None]
    ref_logprobs = -rng.uniform(0.7, 3.0, mask.shape)
    logprobs = ref_logprobs + rng.choice([-1.0, 1.0], mask.shape) * rng.uniform(0.1, 0.6, mask.shape)
    scores, human_scores = rng.uniform(1.0, 3.0, shape), rng.uniform(-1.6, -0.4, shape[0])
    ended = np.ones(shape, dtype=bool)
    if cut:
        ended = rng.permutation(np.arange(ended.size) % 2 == 0).reshape(shape)
        # Of the cut answers one has a number for a score, which means nothing, the others nan.
        scores.flat[np.flatnonzero(~ended)[1:]] = np.nan
        logprobs, ref_logprobs = np.where(mask, logprobs, np.nan), np.where(mask, ref_logprobs, np.nan)
    return (
        scores,
        human_scores,
        ended,
        logprobs,
        ref_logprobs,
        mask,
        float(rng.uniform(0.05, 0.6)),
        -float(rng.uniform(2, 4)),
    )


def expected(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    """What an answer is worth when it is stopped after t tokens, and by how much each token changes that."""
    rewards = np.zeros(mask.shape)
    for n, k in np.ndindex(scores.shape):
        length, worth = int(mask[n, k].sum()), 0.0
        end = scores[n, k] - human_scores[n] if ended[n, k] else cut_reward
        for t in range(1, length + 1):
            leaving = float(logprobs[n, k, :t].sum() - ref_logprobs[n, k, :t].sum())
            now = (end if t == length else 0.0) - beta * leaving
            rewards[n, k, t - 1] = now - worth
            worth = now
    return rewards


RIGHT = {
    "model": shaped_rewards,
    "loop, as lists": shaped_rewards_by_loop,
    "without an index": shaped_rewards_without_an_index,
    **recipes(
        variant,
        {"where": by_where, "copy": by_copy},
        {"put": at_last, "nothing follows": where_nothing_follows},
        {"prices": prices, "prices copied": prices_by_copy},
    ),
    "as lists": as_lists(shaped_rewards),
    "row by row": row_by_row(shaped_rewards, 6),
    "from the last row": from_the_last_row(shaped_rewards, 6),
}

QUESTION = Question(
    name="hw2-shaped-rewards",
    title="Rewards of tokens, and of answers that were cut",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Minus β times the log-ratio of policy to reference at each token, and on top at the last one the score less the "
        "person's, or the fixed reward of a cut answer. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("answers that ended", 2, lambda rng: draw(rng, False)),
        Part("cut answers and nan", 2, lambda rng: draw(rng, True)),
    ),
    right=RIGHT,
    wrong={
        "paid for leaving": Wrong(
            variant(join=lambda paid, price: paid + price),
            "The penalty has its sign flipped: you pay the policy for leaving the reference.",
        ),
        "person forgotten": Wrong(
            variant(pay=lambda scores, human, ended, cut: np.where(ended, scores, cut)),
            "The score of the person's answer has no part in your rewards.",
        ),
        "person added": Wrong(
            variant(pay=lambda scores, human, ended, cut: np.where(ended, scores + human[:, None], cut)),
            "You added the score of the person's answer. An answer as good as the person's should get 0.",
        ),
        "person of the whole batch": Wrong(
            variant(pay=lambda scores, human, ended, cut: np.where(ended, scores - human.mean(), cut)),
            "You subtracted the mean of the persons' scores. Each prompt has a person's answer of its own.",
        ),
        "cut answers scored": Wrong(
            variant(pay=lambda scores, human, ended, cut: scores - human[:, None]),
            "You scored the cut answers like the others. The score of half an answer means nothing: they get the fixed reward.",
        ),
        "cut less the person": Wrong(
            variant(pay=lambda scores, human, ended, cut: np.where(ended, scores, cut) - human[:, None]),
            "You subtracted the person's score from the fixed reward of cut answers too. They get it as it is.",
        ),
        "cut on top of the score": Wrong(
            variant(pay=lambda scores, human, ended, cut: scores - human[:, None] + np.where(ended, 0.0, cut)),
            "You gave cut answers the fixed reward and their score too. It comes in place of the score.",
        ),
        "cut in place of the price": Wrong(
            cut_without_a_price,
            "At the last token of a cut answer the fixed reward replaced the penalty too. It comes on top.",
        ),
        "ended read upside down": Wrong(
            variant(pay=lambda scores, human, ended, cut: np.where(ended, cut, scores - human[:, None])),
            "You read `ended` upside down: the answers that wrote their end mark get the fixed reward.",
        ),
        "cut chosen by a product": Wrong(
            variant(pay=lambda scores, human, ended, cut: ended * (scores - human[:, None]) + ~ended * cut),
            "Right for numbers, but the score of a cut answer may be nan, and 0 times nan is nan. Choose with np.where.",
        ),
        "last column": Wrong(
            variant(place=at_column(lambda mask: np.full((*mask.shape[:2], 1), mask.shape[2] - 1))),
            "You put the score into the last column. In a shorter answer that is a pad, and no token is paid for it.",
        ),
        "one token late": Wrong(
            variant(place=at_column(lambda mask: mask.sum(axis=-1, keepdims=True))),
            "You put the score at the first pad. The last token stands one place earlier: places are counted from 0.",
        ),
        "at every token": Wrong(
            variant(place=lambda paid, mask: np.where(mask, paid[..., None], 0.0)),
            "Every token of an answer gets the score. It is paid once, at the last one.",
        ),
        "all at the end": Wrong(
            variant(price=price_at_the_end),
            "The sums are right, but you charge all of the penalty at the last token. Each token pays for itself.",
        ),
        "price overwritten": Wrong(
            variant(join=lambda paid, price: np.where(paid != 0, paid, -price)),
            "At the last token the score replaced the penalty. It comes on top.",
        ),
        "no beta": Wrong(
            variant(price=lambda logprobs, ref_logprobs, mask, beta: prices(logprobs, ref_logprobs, mask, 1.0)),
            "β has no part in your penalty.",
        ),
        "masked by a product": Wrong(
            variant(price=lambda logprobs, ref_logprobs, mask, beta: beta * (logprobs - ref_logprobs) * mask),
            "Right for numbers, but log-probabilities at the padding may be nan, and 0 times nan is nan. Choose with "
            "np.where.",
        ),
    },
    agrees=is_close,
)
