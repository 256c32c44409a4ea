"""Question ch5-kwise: all comparisons of one ranking."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws.comparisons import mean_surprise

TEXT = r"""
A person ranked the $K$ answers to one prompt. `ranking` holds the numbers of the answers, counted from 0, the best
one first; `scores` holds a score for each answer, `scores[0]` for answer 0. The ranking stands for $\binom K2$
comparisons: of any two answers, the one that comes earlier in it won.

Write `kwise_loss(scores, ranking)`: the mean, over all these comparisons, of $-\log\sigma(\Delta)$, where $\Delta$ is
the score of the winner less that of the loser and $\sigma(\Delta) = 1/(1 + e^{-\Delta})$. So each comparison of this
prompt has the weight $1/\binom K2$. Return one number. (With equal scores it is $\log 2$, whatever $K$ is.)
"""

STUB = """
def kwise_loss(scores, ranking):
    ...
"""


def kwise_loss(scores, ranking):
    ordered = scores[ranking]
    winner, loser = np.triu_indices(len(ordered), k=1)
    return np.logaddexp(0.0, ordered[loser] - ordered[winner]).mean()


def kwise_loss_by_loop(scores, ranking):
    total, comparisons = 0.0, 0
    for place, winner in enumerate(ranking):
        for loser in ranking[place + 1 :]:
            total -= np.log(1.0 / (1.0 + np.exp(-(scores[winner] - scores[loser]))))
            comparisons += 1
    return total / comparisons


def kwise_loss_by_algebra(scores, ranking):
    # -log sigma(a - b) = log(e^a + e^b) - a: the first part does not know who won.
    k = len(scores)
    together = np.logaddexp(scores[:, None], scores)
    either = (together.sum() - np.trace(together)) / 2
    wins = np.empty(k)
    wins[ranking] = np.arange(k)[::-1]
    return (either - wins @ scores) / (k * (k - 1) / 2)


def losses_of(scores, ranking):
    ordered = scores[ranking]
    winner, loser = np.triu_indices(len(ordered), k=1)
    return np.logaddexp(0.0, ordered[loser] - ordered[winner])


def summed(scores, ranking):
    return losses_of(scores, ranking).sum()


def divided_by_answers(scores, ranking):
    return losses_of(scores, ranking).sum() / len(scores)


def averaged_twice(scores, ranking):
    losses = losses_of(scores, ranking)
    return losses.mean() / len(losses)


def mean_of_the_square(scores, ranking):
    return losses_of(scores, ranking).sum() / len(scores) ** 2


def ordered_pairs(scores, ranking):
    return losses_of(scores, ranking).sum() / (len(scores) * (len(scores) - 1))


def neighbours_only(scores, ranking):
    ordered = scores[ranking]
    return np.logaddexp(0.0, ordered[1:] - ordered[:-1]).mean()


def best_against_the_rest(scores, ranking):
    ordered = scores[ranking]
    return np.logaddexp(0.0, ordered[1:] - ordered[0]).mean()


def plackett_luce(scores, ranking):
    ordered = scores[ranking]
    return sum(np.logaddexp.reduce(ordered[place:]) - ordered[place] for place in range(len(ordered)))


def worst_first(scores, ranking):
    return losses_of(scores, ranking[::-1]).mean()


def ranking_as_places(scores, ranking):
    return losses_of(scores, np.argsort(ranking)).mean()


def ranking_ignored(scores, ranking):
    return losses_of(scores, np.arange(len(scores))).mean()


def draw(rng):
    """K is 4 or more, as C(3, 2) = 3 = K; the ranking read as places must be another ranking."""
    while True:
        ranking = rng.permutation(int(rng.integers(4, 8)))
        if not np.array_equal(ranking, np.argsort(ranking)):
            return 1.5 * rng.standard_normal(len(ranking)), ranking


def expected(scores, ranking):
    """From the table of wins, one comparison at a time, in extended precision."""
    place = {int(answer): number for number, answer in enumerate(ranking)}
    k = len(scores)
    wins = np.array([[float(place[i] < place[j]) for j in range(k)] for i in range(k)])
    return mean_surprise(scores, wins)


RIGHT = {
    "model": kwise_loss,
    "loop": kwise_loss_by_loop,
    "algebra": kwise_loss_by_algebra,
}

QUESTION = Question(
    name="ch5-kwise",
    title="All comparisons of one ranking",
    stars=3,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Every two answers are compared once, the earlier in the ranking won, and all comparisons weigh the same. Yours differs.",
    expected=expected,
    parts=(Part("any ranking", 6, draw, cases=8),),
    right=RIGHT,
    wrong={
        "summed": Wrong(
            summed,
            "You added the comparisons up. So a prompt with more answers would weigh more, and much more: the number of "
            "comparisons grows like the square of K.",
        ),
        "divided by answers": Wrong(
            divided_by_answers,
            "You divided the sum by the number of answers. It has more terms than that when K is above 3: how many?",
        ),
        "averaged twice": Wrong(
            averaged_twice,
            "You divided by the number of comparisons twice. That weight belongs to a sum over the comparisons; a mean "
            "has it already.",
        ),
        "mean of the square": Wrong(
            mean_of_the_square,
            "You averaged over a K by K table. Only the entries of a winner against a loser are comparisons; the "
            "diagonal and the other half are none.",
        ),
        "ordered pairs": Wrong(
            ordered_pairs,
            "You have half of what it should be: you divided by K(K - 1), which counts each two answers in both orders.",
        ),
        "neighbours only": Wrong(
            neighbours_only,
            "You compared only neighbours in the ranking. The best answer also won against the third, and against all after it.",
        ),
        "best against the rest": Wrong(
            best_against_the_rest,
            "You compared only the best answer with the others. The ranking also says who won among the others.",
        ),
        "plackett luce": Wrong(
            plackett_luce,
            "This is the loss of Plackett and Luce, in which a ranking is a row of choices out of what is left. It "
            "equals the loss over pairs only for K = 2.",
        ),
        "worst first": Wrong(
            worst_first,
            "Winner and loser are exchanged: the ranking has the best answer first, and a good model's loss must be small.",
        ),
        "ranking as places": Wrong(
            ranking_as_places,
            "You read ranking[i] as the place of answer i. It is the other way round: ranking[0] is the number of the "
            "best answer.",
        ),
        "ranking ignored": Wrong(
            ranking_ignored,
            "You took the answers in the order of their numbers, as if answer 0 were the best. Who won stands in the ranking.",
        ),
    },
)
