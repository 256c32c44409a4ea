"""The losses of a reward model: each against enumeration by hand, its gradient against central differences."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from small_models import random_wins
from torch.nn.functional import logsigmoid

from rlhw.laws import numerical_gradient, torch_gradient
from rlhw.reward_model import bradley_terry_loss, pairwise_loss, plackett_luce_loss

SCORES = torch.tensor([[0.3, -1.2, 0.8, 0.1], [2.0, 0.5, -0.4, -3.1], [-3.0, 0.1, 0.4, 1.7]], dtype=torch.double)


def assert_gradient(loss, scores):
    """The automatic gradient of a weighted sum of the rows' losses, against central differences."""
    weights = torch.linspace(0.5, 2.0, len(scores), dtype=torch.double)

    def objective(x):
        return (weights * loss(torch.as_tensor(x))).sum()

    numerical = numerical_gradient(lambda x: float(objective(x)), scores.numpy())
    np.testing.assert_allclose(torch_gradient(objective, scores.numpy()), numerical, atol=1e-7)


def check_bradley_terry(loss):
    """By the logistic law; where exp overflows; and a margin asks for more than a win."""
    for chosen, rejected, margin in ((0.3, -1.2, 0.0), (-1.0, 2.5, 0.0), (0.7, 0.7, 0.4), (1.0, 0.2, 1.5)):
        expected = math.log1p(math.exp(-(chosen - rejected - margin)))
        got = loss(*torch.tensor([[chosen], [rejected]], dtype=torch.double), margin)
        assert got.tolist() == pytest.approx([expected], abs=1e-12)
    far = loss(torch.tensor([-2000.0, 2000.0]), torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert far.tolist() == [2000.0, 0.0]


def naive(chosen, rejected, margin):
    return -torch.log(torch.sigmoid(chosen - rejected - margin))


WRONG_BRADLEY_TERRY = {
    "chosen and rejected swapped": lambda c, r, m: bradley_terry_loss(r, c, m),
    "sign flipped": lambda c, r, m: -bradley_terry_loss(c, r, m),
    "margin added": lambda c, r, m: bradley_terry_loss(c, r, -m),
    "margin forgotten": lambda c, r, m: bradley_terry_loss(c, r),
    "log of a sigmoid that underflows": naive,
    "hinge": lambda c, r, m: torch.relu(m - c + r),
    "mean over the rows": lambda c, r, m: bradley_terry_loss(c, r, m).mean()[None].expand(len(c)),
    "base two": lambda c, r, m: bradley_terry_loss(c, r, m) / math.log(2),
}


def test_bradley_terry():
    check_bradley_terry(bradley_terry_loss)
    assert_gradient(lambda x: bradley_terry_loss(x[:, 0], x[:, 1], 0.3), SCORES)


@pytest.mark.parametrize("name", WRONG_BRADLEY_TERRY)
def test_a_wrong_bradley_terry_loss_is_rejected(name):
    with pytest.raises(AssertionError):
        check_bradley_terry(WRONG_BRADLEY_TERRY[name])


def check_plackett_luce(loss):
    """One choice after the other, for each of the 4! rankings; their probabilities sum to one; K = 2 is Bradley-Terry."""
    total = torch.zeros(3, dtype=torch.double)
    for ranking in permutations(range(4)):
        got = loss(SCORES, torch.tensor([ranking] * 3))
        for row, scores in zip(got, SCORES.tolist(), strict=True):
            left, probability = list(ranking), 1.0
            while left:
                probability *= math.exp(scores[left[0]]) / sum(math.exp(scores[k]) for k in left)
                left.pop(0)
            assert float(row) == pytest.approx(-math.log(probability), abs=1e-10)
        total += torch.exp(-got)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    two = loss(SCORES[:, :2], torch.tensor([[1, 0]] * 3))
    np.testing.assert_allclose(two, bradley_terry_loss(SCORES[:, 1], SCORES[:, 0]), atol=1e-12)


def among_all(scores, ranking):
    ordered = scores.gather(-1, ranking)
    return (ordered.logsumexp(-1, keepdim=True) - ordered)[:, :-1].sum(-1)


WRONG_PLACKETT_LUCE = {
    "worst first": lambda s, ranking: plackett_luce_loss(s, ranking.flip(-1)),
    "ranks taken for indices": lambda s, ranking: plackett_luce_loss(s, ranking.argsort(-1)),
    "each chosen among all": among_all,
    "only the best": lambda s, ranking: s.logsumexp(-1) - s.gather(-1, ranking)[:, 0],
    "mean over the places": lambda s, ranking: plackett_luce_loss(s, ranking) / s.shape[-1],
    "sum over neighbours": lambda s, ranking: -logsigmoid(-s.gather(-1, ranking).diff(dim=-1)).sum(-1),
}


def test_plackett_luce():
    check_plackett_luce(plackett_luce_loss)
    assert_gradient(lambda x: plackett_luce_loss(x, torch.tensor([[2, 0, 3, 1], [0, 1, 2, 3], [3, 1, 0, 2]])), SCORES)


@pytest.mark.parametrize("name", WRONG_PLACKETT_LUCE)
def test_a_wrong_plackett_luce_loss_is_rejected(name):
    with pytest.raises(AssertionError):
        check_plackett_luce(WRONG_PLACKETT_LUCE[name])


def check_pairwise(loss):
    """Vote by vote; where each pair is judged once it is the mean over the C(K, 2) pairs; unequal votes weigh by count."""
    for wins in (random_wins(3, 4), random_wins(3, 4).round(decimals=1), torch.ones(3, 4, 4).double().triu(1)):
        expected = []
        for scores, votes in zip(SCORES.tolist(), wins.tolist(), strict=True):
            pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
            terms = [votes[i][j] * math.log1p(math.exp(scores[j] - scores[i])) for i, j in pairs]
            expected.append(sum(terms) / sum(votes[i][j] for i, j in pairs))
        assert loss(SCORES, wins).tolist() == pytest.approx(expected, abs=1e-12)
    two = loss(SCORES[:, :2], torch.tensor([[[0.0, 3.0], [0.0, 0.0]]] * 3).double())
    np.testing.assert_allclose(two, bradley_terry_loss(SCORES[:, 0], SCORES[:, 1]), atol=1e-12)


def all_terms(scores, wins):
    return -wins * logsigmoid(scores[:, :, None] - scores[:, None, :])


WRONG_PAIRWISE = {
    "not divided": lambda s, w: all_terms(s, w).sum((-1, -2)),
    "divided by all K²": lambda s, w: all_terms(s, w).mean((-1, -2)),
    "divided by C(K, 2), whatever the votes": lambda s, w: all_terms(s, w).sum((-1, -2)) / math.comb(s.shape[1], 2),
    "losers for winners": lambda s, w: pairwise_loss(s, w.mT),
    "one triangle only": lambda s, w: pairwise_loss(s, w.triu(1)),
    "majority instead of votes": lambda s, w: pairwise_loss(s, (w > w.mT).double()),
    "divided by the votes of the batch": lambda s, w: all_terms(s, w).sum((-1, -2)) / w.sum() * len(s),
}


def test_pairwise():
    check_pairwise(pairwise_loss)
    assert_gradient(lambda x: pairwise_loss(x, random_wins(3, 4)), SCORES)
    np.testing.assert_allclose(pairwise_loss(0 * SCORES, random_wins(3, 4)), math.log(2), atol=1e-12)


@pytest.mark.parametrize("name", WRONG_PAIRWISE)
def test_a_wrong_pairwise_loss_is_rejected(name):
    with pytest.raises(AssertionError):
        check_pairwise(WRONG_PAIRWISE[name])


def test_a_shift_for_each_prompt_changes_no_loss_and_a_scale_does():
    shifted = SCORES + torch.tensor([[5.0], [-2.0], [0.7]])
    ranking = torch.tensor([[2, 0, 3, 1]] * 3)
    losses = (
        lambda s: bradley_terry_loss(s[:, 0], s[:, 1], 0.2),
        lambda s: plackett_luce_loss(s, ranking),
        lambda s: pairwise_loss(s, random_wins(3, 4)),
    )
    for loss in losses:
        np.testing.assert_allclose(loss(shifted), loss(SCORES), atol=1e-12)
        assert (loss(2 * SCORES) - loss(SCORES)).abs().min() > 1e-3


def test_pairs_are_a_composite_likelihood_equal_to_plackett_luce_only_at_two():
    ranking = torch.tensor([[0, 1, 2, 3]] * 3)
    pairs = math.comb(4, 2) * pairwise_loss(SCORES, torch.ones(3, 4, 4).double().triu(1))
    assert (pairs - plackett_luce_loss(SCORES, ranking)).abs().min() > 0.01


@pytest.mark.parametrize("row", [[0, 1, 2, 2], [1, 2, 3, 4]])
def test_a_ranking_that_is_none_is_refused(row):
    with pytest.raises(ValueError, match="ranking must hold each candidate's index once in every row, best first"):
        plackett_luce_loss(SCORES, torch.tensor([row] * 3))


def test_a_prompt_without_votes_is_refused():
    with pytest.raises(ValueError, match="wins: prompt 1 has no votes; leave it out, or mend its votes"):
        pairwise_loss(SCORES, random_wins(3, 4) * torch.tensor([1.0, 0.0, 1.0])[:, None, None])
