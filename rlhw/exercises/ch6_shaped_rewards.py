"""Question ch6-shaped-rewards: the reward of each token."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
For PPO every token needs a reward of its own. At each token $y_t$ of an answer the policy pays the price of leaving
the reference there, $-\beta\log\frac{\pi(y_t\mid x, y_{<t})}{\pi_{\text{ref}}(y_t\mid x, y_{<t})}$. The reward model's
score of the whole answer comes on top of that at the answer's last token. Worked: with $\beta = 0.1$, the
log-probabilities $(-1, -1)$ under the policy and $(-2, -2)$ under the reference, and the score 2, the two rewards are
$-0.1$ and $2 - 0.1 = 1.9$.

Write `shaped_rewards(scores, logprobs, ref_logprobs, mask, beta)`. `scores` holds the scores of N answers;
`logprobs`, `ref_logprobs` and `mask` have N rows and T columns, and the mask is True at the tokens of an answer, which
come first in its row, and False at the padding behind them. Every answer has at least one token. Return N rows and T
columns of rewards, 0 at the padding. The log-probabilities at the padding mean nothing; nan may stand there.
"""

STUB = """
def shaped_rewards(scores, logprobs, ref_logprobs, mask, beta):
    last = mask.sum(axis=1) - 1  # the column of each answer's last token
    ...
"""


def shaped_rewards(scores, logprobs, ref_logprobs, mask, beta):
    last = mask.sum(axis=1) - 1
    rewards = np.where(mask, -beta * (logprobs - ref_logprobs), 0.0)
    rewards[np.arange(len(scores)), last] += scores
    return rewards


def shaped_rewards_by_loop(scores, logprobs, ref_logprobs, mask, beta):
    rewards = [[0.0] * mask.shape[1] for _ in scores]
    for n, score in enumerate(scores):
        places = np.flatnonzero(mask[n])
        for t in places:
            rewards[n][t] = beta * (ref_logprobs[n, t] - logprobs[n, t])
        rewards[n][places[-1]] += score
    return rewards


def shaped_rewards_without_an_index(scores, logprobs, ref_logprobs, mask, beta):
    nothing_follows = ~np.pad(mask[:, 1:], ((0, 0), (0, 1)))
    at_last = scores[:, None] * (mask & nothing_follows)
    return at_last - beta * np.nan_to_num((logprobs - ref_logprobs) * mask)


def token_prices(logprobs, ref_logprobs, mask, beta):
    return np.where(mask, beta * (logprobs - ref_logprobs), 0.0)


def at_column(scores, mask, columns):
    rewards = np.zeros(mask.shape)
    rewards[np.arange(len(scores)), columns] = scores
    return rewards


def at_the_last_token(scores, mask):
    return at_column(scores, mask, mask.sum(axis=1) - 1)


def paid_for_leaving(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) + token_prices(logprobs, ref_logprobs, mask, beta)


def last_column(scores, logprobs, ref_logprobs, mask, beta):
    return at_column(scores, mask, -1) - token_prices(logprobs, ref_logprobs, mask, beta)


def first_pad(scores, logprobs, ref_logprobs, mask, beta):
    return at_column(scores, mask, mask.sum(axis=1)) - token_prices(logprobs, ref_logprobs, mask, beta)


def one_token_early(scores, logprobs, ref_logprobs, mask, beta):
    return at_column(scores, mask, mask.sum(axis=1) - 2) - token_prices(logprobs, ref_logprobs, mask, beta)


def score_at_every_token(scores, logprobs, ref_logprobs, mask, beta):
    return np.where(mask, scores[:, None], 0.0) - token_prices(logprobs, ref_logprobs, mask, beta)


def score_shared_out(scores, logprobs, ref_logprobs, mask, beta):
    share = scores / mask.sum(axis=1)
    return np.where(mask, share[:, None], 0.0) - token_prices(logprobs, ref_logprobs, mask, beta)


def price_overwritten(scores, logprobs, ref_logprobs, mask, beta):
    rewards = -token_prices(logprobs, ref_logprobs, mask, beta)
    rewards[np.arange(len(scores)), mask.sum(axis=1) - 1] = scores
    return rewards


def all_at_the_end(scores, logprobs, ref_logprobs, mask, beta):
    price = token_prices(logprobs, ref_logprobs, mask, beta).sum(axis=1)
    return at_the_last_token(scores - price, mask)


def price_averaged(scores, logprobs, ref_logprobs, mask, beta):
    price = token_prices(logprobs, ref_logprobs, mask, beta) / mask.sum(axis=1, keepdims=True)
    return at_the_last_token(scores, mask) - price


def beta_on_the_score_too(scores, logprobs, ref_logprobs, mask, beta):
    return beta * at_the_last_token(scores, mask) - token_prices(logprobs, ref_logprobs, mask, beta)


def no_beta(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - token_prices(logprobs, ref_logprobs, mask, 1.0)


def no_reference(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - np.where(mask, beta * logprobs, 0.0)


def no_logarithm(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - np.where(mask, beta * np.exp(logprobs - ref_logprobs), 0.0)


def pads_pay(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - beta * (logprobs - ref_logprobs)


def masked_by_a_product(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - mask * beta * (logprobs - ref_logprobs)


def never_paid(scores, logprobs, ref_logprobs, mask, beta):
    return at_the_last_token(scores, mask) - np.maximum(token_prices(logprobs, ref_logprobs, mask, beta), 0.0)


def price_of_the_prefix(scores, logprobs, ref_logprobs, mask, beta):
    prices = token_prices(logprobs, ref_logprobs, mask, beta).cumsum(axis=1)
    return at_the_last_token(scores, mask) - np.where(mask, prices, 0.0)


def draw(rng):
    """Two pads or more in each row, two tokens or more, lengths that differ; no price and no score is near 0."""
    answers, tokens = int(rng.integers(3, 6)), int(rng.integers(6, 9))
    lengths = rng.integers(2, tokens - 1, answers)
    lengths[:2] = 2, tokens - 2
    mask = np.arange(tokens) < rng.permutation(lengths)[:, None]
    ref_logprobs = -rng.uniform(0.7, 3.0, mask.shape)
    logprobs = ref_logprobs + rng.choice([-1.0, 1.0], mask.shape) * rng.uniform(0.1, 0.6, mask.shape)
    scores = rng.choice([-1.0, 1.0], answers) * rng.uniform(1.0, 3.0, answers)
    return scores, logprobs, ref_logprobs, mask, float(rng.uniform(0.05, 0.6))


def draw_nan(rng):
    scores, logprobs, ref_logprobs, mask, beta = draw(rng)
    return scores, np.where(mask, logprobs, np.nan), np.where(mask, ref_logprobs, np.nan), mask, beta


def expected(scores, logprobs, ref_logprobs, mask, beta):
    """What an answer is worth when it is stopped after t tokens, and by how much each token changes that."""
    rewards = np.zeros(mask.shape)
    for n, score in enumerate(scores):
        length, worth = int(mask[n].sum()), 0.0
        for t in range(1, length + 1):
            leaving = float(logprobs[n, :t].sum() - ref_logprobs[n, :t].sum())
            now = (score if t == length else 0.0) - beta * leaving
            rewards[n, t - 1] = now - worth
            worth = now
    return rewards


RIGHT = {
    "model": shaped_rewards,
    "loop, as lists": shaped_rewards_by_loop,
    "without an index": shaped_rewards_without_an_index,
}

QUESTION = Question(
    name="ch6-shaped-rewards",
    title="The reward of each token",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Minus β times the log-ratio of policy to reference at each token, and the score on top at the last one. Each "
        "row sums to the score less β times the log-ratio of the whole answer. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("numbers at the padding", 4, draw),
        Part("nan at the padding", 2, draw_nan),
    ),
    right=RIGHT,
    wrong={
        "paid for leaving": Wrong(
            paid_for_leaving,
            "The price has the wrong sign: a token that the policy likes more than the reference does earns "
            "something. So the policy is paid for running away from its reference.",
        ),
        "last column": Wrong(
            last_column,
            "You put the score into the last column of the array. For every answer that was filled up, that is a pad.",
        ),
        "first pad": Wrong(
            first_pad,
            "You put the score one place too late, on the first pad: columns are counted from 0.",
        ),
        "one token early": Wrong(
            one_token_early,
            "You put the score one place too early, at the token before the last. The score is known when the last "
            "token, the end mark where there is one, has been written.",
        ),
        "score at every token": Wrong(
            score_at_every_token,
            "Every token gets the whole score. Summed over an answer that pays the score as often as there are "
            "tokens, and a long answer is paid more for the same.",
        ),
        "score shared out": Wrong(
            score_shared_out,
            "You shared the score out among the tokens. The sum is right, but the score comes when the answer is "
            "complete: all of it at the last token.",
        ),
        "price overwritten": Wrong(
            price_overwritten,
            "At the last token the score took the place of the price. It comes on top: the last token may leave the "
            "reference too.",
        ),
        "all at the end": Wrong(
            all_at_the_end,
            "Each row has the right sum, but the whole price is paid at the last token. Each token should pay for "
            "itself, so that one can see which of them left the reference.",
        ),
        "price averaged": Wrong(
            price_averaged,
            "You divided the prices by the number of tokens. The KL of whole answers is the sum over their tokens; "
            "with means a long answer may leave the reference at a discount.",
        ),
        "beta on the score too": Wrong(
            beta_on_the_score_too,
            "You multiplied the score by β as well. β is the price of a nat of KL; the score is paid in full.",
        ),
        "no beta": Wrong(
            no_beta,
            "β is missing: every nat costs 1 in your rewards, whatever β says.",
        ),
        "no reference": Wrong(
            no_reference,
            "The reference has no part in your rewards. You charge for the policy's own log-probability, and that is "
            "a reward for entropy.",
        ),
        "no logarithm": Wrong(
            no_logarithm,
            "You charge for the ratio of the probabilities. Its logarithm is asked for: a token on which both agree "
            "costs nothing.",
        ),
        "pads pay": Wrong(
            pads_pay,
            "There are rewards at the padding. Pads are no tokens of the answer: their reward is 0.",
        ),
        "masked by a product": Wrong(
            masked_by_a_product,
            "Right for numbers at the padding, but 0 times nan is nan. Choose with the mask (np.where) instead of "
            "multiplying by it.",
        ),
        "never paid": Wrong(
            never_paid,
            "You cut the price off at 0. A KL is never negative, but it is a mean; the log-ratio of a single token "
            "may well be negative, and the token is paid for it.",
        ),
        "price of the prefix": Wrong(
            price_of_the_prefix,
            "You charge each token for all tokens up to it, so that an early one is paid for again and again. Each "
            "pays for its own log-ratio once.",
        ),
    },
)
