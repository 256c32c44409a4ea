"""Question hw2-kwise: all comparisons of several rankings, with ties and with answers that are missing."""

import numpy as np

from rlhw.exercises.forms import as_lists, from_the_last_row, is_close, recipes, row_by_row
from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws.comparisons import mean_surprise

TEXT = r"""
To each of B prompts up to K answers were given, and a person ranked them. `places[b, i]` is the place of answer $i$ of
prompt $b$: 1 is the best, and answers of which none is better than the other share a place. So the places (2, 1, 2)
say that answer 1 beat both others, which tied. Not every prompt has K answers: `mask[b, i]` is False where there is
none, and what stands there in `places` and `scores` means nothing. Every prompt has two answers or more.

A ranking of $K_b$ answers makes $\binom{K_b}2$ comparisons, one of each two answers. With $\Delta$ the score of one
answer less that of the other and $\sigma(\Delta) = 1/(1 + e^{-\Delta})$, a comparison that the first won costs
$-\log\sigma(\Delta)$, and a tie, half a vote for each, costs $-\frac12\log\sigma(\Delta) - \frac12\log\sigma(-\Delta)$.

Write `kwise_loss(scores, places, mask)`, all three with B rows and K columns: return B numbers, for each prompt the sum
of its comparisons' costs times $1/\binom{K_b}2$, in nats. (With equal scores it is $\log 2$, whatever the places are.)

Worked: scores (0, 1), places (1, 1): $\frac12\cdot 0.3133 + \frac12\cdot 1.3133 = 0.8133$. With the places (2, 1) it is
0.3133, with (1, 2) it is 1.3133.
"""

STUB = """
def kwise_loss(scores, places, mask):
    ...
"""


def kwise_loss(scores, places, mask):
    losses = []
    for score, place, there in zip(scores, places, mask, strict=True):
        score, place = score[there], place[there]
        i, j = np.triu_indices(len(score), k=1)
        share = (1 + np.sign(place[j] - place[i])) / 2  # 1 where i won, 0 where j won, a half for a tie
        difference = score[i] - score[j]
        costs = share * np.logaddexp(0.0, -difference) + (1 - share) * np.logaddexp(0.0, difference)
        losses.append(costs.mean())
    return np.array(losses)


def kwise_loss_by_loop(scores, places, mask):
    import math

    result = []
    for b in range(len(scores)):
        total, comparisons = 0.0, 0
        for i in range(len(scores[b])):
            for j in range(i):
                if mask[b, i] and mask[b, j]:
                    comparisons += 1
                    i_wins = 1 / (1 + math.exp(scores[b, j] - scores[b, i]))
                    if places[b, i] == places[b, j]:
                        total -= (math.log(i_wins) + math.log(1 - i_wins)) / 2
                    else:
                        total -= math.log(i_wins if places[b, i] < places[b, j] else 1 - i_wins)
        result.append(total / comparisons)
    return result


def kwise_loss_by_table(scores, places, mask):
    both = mask[:, :, None] & mask[:, None, :] & ~np.eye(mask.shape[1], dtype=bool)
    difference = np.where(both, scores[:, :, None] - scores[:, None, :], 0.0)
    better, worse = places[:, :, None] < places[:, None, :], places[:, :, None] > places[:, None, :]
    wins = np.where(both, better + 0.5 * ~(better | worse), 0.0)
    count = mask.sum(axis=1)
    return (wins * np.logaddexp(0.0, -difference)).sum(axis=(1, 2)) * 2 / (count * (count - 1))


def upper(there):
    return np.triu_indices(int(there.sum()), k=1)


def in_both_orders(there):
    i, j = upper(there)
    return np.append(i, j), np.append(j, i)


def shares(place, i, j):
    return (1 + np.sign(place[j] - place[i])) / 2


def half_and_whole(place, i, j):
    return 1.0 * (place[i] < place[j]) + 0.5 * (place[i] == place[j])


def cost(difference, share):
    return share * np.logaddexp(0.0, -difference) + (1 - share) * np.logaddexp(0.0, difference)


def cost_by_slope(difference, share):
    return np.logaddexp(0.0, -difference) + (1 - share) * difference


def mean(costs, answers):
    return costs.sum() / len(costs)


def variant(pairs=upper, share=shares, cost=cost, weigh=mean, keep=lambda mask: mask):
    """Prompt by prompt in four steps, each of which is done in several ways, right or wrong."""

    def answer(scores, places, mask):
        losses = []
        for score, place, there in zip(scores, places, keep(mask), strict=True):
            score, place = score[there], place[there]
            i, j = pairs(there)
            losses.append(weigh(cost(score[i] - score[j], share(place, i, j)), len(score)))
        return np.array(losses)

    return answer


def ties_left_out(scores, places, mask):
    losses = []
    for score, place, there in zip(scores, places, mask, strict=True):
        i, j = upper(there)
        share = shares(place[there], i, j)
        costs = cost(score[there][i] - score[there][j], share)[share != 0.5]
        losses.append(costs.sum() / max(len(costs), 1))
    return np.array(losses)


def ranking_for_places(scores, places, mask):
    """Reads a row of places as the numbers of the answers, the best first."""
    losses = []
    for score, place, there in zip(scores, places, mask, strict=True):
        ordered = score[there][np.argsort(np.argsort(place[there], kind="stable"))]
        i, j = upper(there)
        losses.append(np.logaddexp(0.0, ordered[j] - ordered[i]).mean())
    return np.array(losses)


def weight_of_all_columns(scores, places, mask):
    count, k = mask.sum(axis=1), mask.shape[1]
    return kwise_loss(scores, places, mask) * count * (count - 1) / (k * (k - 1))


def neighbours(there):
    return np.arange(int(there.sum()) - 1), np.arange(1, int(there.sum()))


def draw(rng, ties, missing):
    """Three to five prompts of six columns. Places read as a ranking must say something else, and so must the order."""
    prompts, k = int(rng.integers(3, 6)), 6
    scores = 1.5 * rng.standard_normal((prompts, k))
    places = np.array([rng.permutation([3, 1, 2, 1, 3, 2] if ties else np.arange(1, k + 1)) for _ in range(prompts)])
    mask = np.ones((prompts, k), dtype=bool)
    if missing:
        for row in mask:
            row[rng.permutation(k)[: int(rng.integers(1, 3))]] = False
        places = np.where(mask, places, rng.integers(0, 9, places.shape))
    return scores, places, mask


def expected(scores, places, mask):
    """From the table of votes of each prompt, one comparison at a time, in extended precision."""
    losses = []
    for b, there in enumerate(map(np.flatnonzero, mask)):
        place = places[b, there]
        wins = [[float(here < other) + 0.5 * float(here == other) for other in place] for here in place]
        losses.append(mean_surprise(scores[b, there], np.array(wins) * (1 - np.eye(len(there)))))
    return np.array(losses)


RIGHT = {
    "model": kwise_loss,
    "loop": kwise_loss_by_loop,
    "table": kwise_loss_by_table,
    **recipes(
        variant,
        {"each pair once": upper, "both orders": in_both_orders},
        {"sign": shares, "half and whole": half_and_whole},
        {"two terms": cost, "slope": cost_by_slope},
    ),
    "as a list": as_lists(kwise_loss),
    "row by row": row_by_row(kwise_loss, 3),
    "from the last row": from_the_last_row(kwise_loss_by_table, 3),
}

QUESTION = Question(
    name="hw2-kwise",
    title="Rankings with ties and missing answers",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "For each prompt: every two answers that are there are compared once, the better place won, a tie is half a vote "
        "for each, and the sum is divided by the number of comparisons. Yours differs."
    ),
    expected=expected,
    parts=(
        Part("full rankings", 2, lambda rng: draw(rng, False, False)),
        Part("ties", 2, lambda rng: draw(rng, True, False)),
        Part("missing answers", 2, lambda rng: draw(rng, True, True)),
    ),
    right=RIGHT,
    wrong={
        "worst first": Wrong(
            variant(share=lambda place, i, j: 1 - shares(place, i, j)),
            "Winner and loser are exchanged: place 1 is the best, and a good model's loss must be small.",
        ),
        "ranking for places": Wrong(
            ranking_for_places,
            "You read the places as a ranking, a list of answers with the best one first. `places[b, i]` is the place of "
            "answer i.",
        ),
        "order of the numbers": Wrong(
            variant(share=lambda place, i, j: 1.0),
            "You took the answer with the smaller number for the winner each time. Who won stands in `places`.",
        ),
        "summed": Wrong(
            variant(weigh=lambda costs, answers: costs.sum()),
            "You added the comparisons up. A prompt with more answers would weigh more: their number grows like the square "
            "of K.",
        ),
        "divided by answers": Wrong(
            variant(weigh=lambda costs, answers: costs.sum() / answers),
            "You divided the sum by the number of answers. It has more terms than that: how many?",
        ),
        "averaged twice": Wrong(
            variant(weigh=lambda costs, answers: costs.mean() / len(costs)),
            "You divided by the number of comparisons twice. The weight 1/C(K,2) belongs to a sum; a mean has it already.",
        ),
        "ordered pairs": Wrong(
            variant(weigh=lambda costs, answers: costs.mean() / 2),
            "You have half of what it should be: K(K - 1) counts each two answers in both orders.",
        ),
        "neighbours": Wrong(
            variant(pairs=neighbours),
            "You compared only answers that stand side by side. Of any two answers one won, or they tied.",
        ),
        "ties to the first": Wrong(
            variant(share=lambda place, i, j: 1.0 * (place[i] <= place[j])),
            "Where two answers share a place you let the one with the smaller number win. A tie is half a vote for each.",
        ),
        "ties to the second": Wrong(
            variant(share=lambda place, i, j: 1.0 * (place[i] < place[j])),
            "Where two answers share a place you let the one with the larger number win. A tie is half a vote for each.",
        ),
        "ties left out": Wrong(
            ties_left_out,
            "You left the ties out. A tie says something: it costs least where both scores are equal.",
        ),
        "ties for free": Wrong(
            variant(cost=lambda difference, share: cost(difference, share) * (share != 0.5)),
            "Your ties cost nothing, but are counted. A tie costs the mean of what both outcomes would cost.",
        ),
        "ties twice": Wrong(
            variant(cost=lambda difference, share: cost(difference, share) * (1 + (share == 0.5))),
            "You gave both answers of a tie a whole vote. It is one vote, half for each.",
        ),
        "mask ignored": Wrong(
            variant(keep=np.ones_like),
            "The mask has no part in your result: what stands where there is no answer was compared too.",
        ),
        "weight of all columns": Wrong(
            weight_of_all_columns,
            "You divided by C(K,2) with K the number of columns. A prompt with fewer answers has fewer comparisons.",
        ),
        "one number": Wrong(
            lambda scores, places, mask: kwise_loss(scores, places, mask).mean(),
            "You averaged over the prompts. One number for each of the B prompts was asked for.",
        ),
    },
    agrees=is_close,
)
