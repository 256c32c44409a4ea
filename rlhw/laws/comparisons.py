"""Laws of losses on comparisons: Bradley-Terry on pairs, Plackett-Luce on rankings, and all pairs of K candidates."""

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from rlhw.laws.oracles import Array, assert_close, gradient_of, numerical_gradient


def minus_log_sigmoid(x: float | Array) -> float | Array:
    """log(1 + exp(-x)), in extended precision: the surprise at a choice of which x are the log-odds."""
    return np.logaddexp(0.0, -np.asarray(x, dtype=np.longdouble)).astype(float)


def check_bradley_terry_loss(bradley_terry_loss: Callable) -> None:
    """-log sigmoid(chosen - rejected - margin); its gradient; a shift of both scores changes nothing; gaps of a thousand."""
    rng = np.random.default_rng(7)
    for scale in (0.5, 3.0):
        chosen, rejected = scale * rng.standard_normal((2, 6)) + 1.0
        loss = bradley_terry_loss(chosen, rejected)
        law = "the loss is minus the log of the sigmoid of the chosen score less the rejected one"
        assert_close(loss, minus_log_sigmoid(chosen - rejected), law)
        both_ways = np.exp(-loss) + np.exp(-bradley_terry_loss(rejected, chosen))
        assert_close(both_ways, np.ones(6), "the probabilities of choosing either of the two sum to one")
        law = "a number added to both scores changes nothing"
        assert_close(bradley_terry_loss(chosen + 5.0, rejected + 5.0), loss, law)
        law = "the margin is taken off the gap between the scores"
        assert_close(bradley_terry_loss(chosen, rejected, 0.7), minus_log_sigmoid(chosen - rejected - 0.7), law)
        weights = rng.standard_normal(6)
        slope = -weights * np.exp(-minus_log_sigmoid(rejected + 0.7 - chosen))
        for argument, expected in ((0, slope), (1, -slope)):
            gradient = gradient_of(bradley_terry_loss, chosen, rejected, 0.7, weights=weights, argument=argument)
            law = "the gradient is minus the probability of the other choice, and its opposite for the rejected"
            assert_close(gradient, expected, law, tolerance=1e-7)
    far = bradley_terry_loss(np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0]))
    assert_close(far, np.array([0.0, 2000.0]), "scores a thousand away from each other are no danger")
    gradient = gradient_of(
        bradley_terry_loss, np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0]), weights=np.ones(2)
    )
    assert_close(gradient, np.array([0.0, -1.0]), "the gradient far out is zero or minus one", tolerance=1e-5)


def surprise_at(scores: Array, ranking: Array) -> float:
    """-log of the product of softmaxes over what is left, best first, in extended precision."""
    ordered = np.asarray(scores, dtype=np.longdouble)[ranking]
    return float(sum(np.logaddexp.reduce(ordered[place:]) - ordered[place] for place in range(len(ordered))))


def check_plackett_luce_loss(plackett_luce_loss: Callable) -> None:
    """-log of a product of choices, each a softmax over what is left: over all K! rankings the probabilities sum to one."""
    rng = np.random.default_rng(8)
    for candidates in (1, 2, 3, 4):
        scores = 1.5 * rng.standard_normal(candidates) + 2.0
        rankings = np.array(list(permutations(range(candidates))))
        rows = np.tile(scores, (len(rankings), 1))
        loss = plackett_luce_loss(rows, rankings)
        assert_close(np.exp(-loss).sum(), 1.0, "the probabilities of all rankings sum to one")
        expected = np.array([surprise_at(scores, ranking) for ranking in rankings])
        law = "a ranking's probability is a product of choices, best first, each a softmax over what is left"
        assert_close(loss, expected, law)
        assert_close(
            plackett_luce_loss(rows - 700.0, rankings), expected, "a number added to all scores changes nothing"
        )
        mixed = rng.standard_normal(rows.shape)
        weights = rng.standard_normal(len(rankings))

        def total(x: Array, rankings: Array = rankings, weights: Array = weights) -> float:
            return float(sum(w * surprise_at(s, r) for w, s, r in zip(weights, x, rankings, strict=True)))

        law = "the gradient goes to the scores of the row's own candidates"
        gradient = gradient_of(plackett_luce_loss, mixed, rankings, weights=weights)
        assert_close(gradient, numerical_gradient(total, mixed), law, tolerance=1e-7)
    pair = plackett_luce_loss(np.array([[0.3, 1.1]]), np.array([[1, 0]]))
    assert_close(pair, minus_log_sigmoid(np.array([0.8])), "with two candidates it is Bradley-Terry")
    far = plackett_luce_loss(np.array([[2000.0, 0.0, -1000.0]]), np.array([[2, 1, 0]]))
    assert_close(far, np.array([5000.0]), "scores a thousand away from each other are no danger")


def votes(seed: int = 9) -> Iterator[tuple[Array, Array]]:
    """Scores "B K" and wins "B K K": each pair judged once, then several judges, ties of a half each and pairs left out."""
    rng = np.random.default_rng(seed)
    for candidates in (2, 3, 4):
        above = np.triu(np.ones((candidates, candidates)), 1)
        once = above * rng.integers(2, size=(5, candidates, candidates))
        several = rng.integers(4, size=(5, candidates, candidates)) + 0.5 * (rng.random((5, 1, 1)) < 0.5)
        several[:, 0, 1] += 1.0  # no prompt goes without a vote
        for wins in (once + np.swapaxes(above - once, 1, 2), several * (1 - np.eye(candidates))):
            yield 2.0 * rng.standard_normal((5, candidates)) + 1.0, wins


def mean_surprise(scores: Array, wins: Array) -> float:
    """Over the votes of one prompt, one by one: the mean of -log sigmoid(the winner's score - the loser's)."""
    pairs = [(i, j) for i in range(len(scores)) for j in range(len(scores)) if i != j]
    total = sum(wins[i, j] * minus_log_sigmoid(scores[i] - scores[j]) for i, j in pairs)
    return float(total / sum(wins[i, j] for i, j in pairs))


def check_pairwise_loss(pairwise_loss: Callable) -> None:
    """The mean over a prompt's votes of Bradley-Terry; each pair judged once has weight 1/C(K, 2); ties count half each."""
    rng = np.random.default_rng(10)
    for scores, wins in votes():
        expected = np.array([mean_surprise(s, w) for s, w in zip(scores, wins, strict=True)])
        loss = pairwise_loss(scores, wins)
        law = "the loss is the mean, over a prompt's votes, of minus the log-sigmoid of the winner's lead"
        assert_close(loss, expected, law)
        assert_close(
            pairwise_loss(scores + 5.0, wins), loss, "a number added to all scores of a prompt changes nothing"
        )
        assert_close(pairwise_loss(scores, 3.0 * wins), loss, "three judges of one mind weigh as much as one")
        weights = rng.standard_normal(len(scores))

        def total(x: Array, wins: Array = wins, weights: Array = weights) -> float:
            return float(sum(a * mean_surprise(s, w) for a, s, w in zip(weights, x, wins, strict=True)))

        gradient = gradient_of(pairwise_loss, scores, wins, weights=weights)
        assert_close(gradient.sum(axis=1), np.zeros(5), "the gradient over a prompt's candidates sums to zero")
        assert_close(gradient, numerical_gradient(total, scores), "the gradient is that of the loss", tolerance=1e-7)
    tie = pairwise_loss(np.array([[0.4, 1.9]]), np.array([[[0.0, 0.5], [0.5, 0.0]]]))
    law = "a tie counts half for either"
    assert_close(tie, minus_log_sigmoid(np.array([[1.5], [-1.5]])).mean(axis=0), law)
    far = pairwise_loss(np.array([[1000.0, -1000.0]]), np.array([[[0.0, 1.0], [3.0, 0.0]]]))
    assert_close(far, np.array([1500.0]), "scores a thousand away from each other are no danger")
