"""The laws of comparisons accept what others have written (torch, scipy, choix), and reject wrong gradients."""

import choix
import numpy as np
import pytest
import scipy.special
import torch
from torch.nn import functional

from rlhw import laws
from rlhw.laws import comparisons


def choix_pair(chosen, rejected, margin=0.0):
    """choix knows no margin: it is taken off the chosen item's strength."""
    pairs = zip(chosen - margin, rejected, strict=True)
    return np.array([-choix.log_likelihood_pairwise([(0, 1)], np.array(pair)) for pair in pairs])


def choix_ranking(scores, ranking):
    rows = zip(scores, ranking, strict=True)
    return np.array([-choix.log_likelihood_rankings([tuple(order)], row) for row, order in rows])


def choix_votes(scores, wins):
    """Every vote counts twice, so that ties are one vote each way; then the mean over the votes."""
    losses = []
    for row, counts in zip(scores, wins, strict=True):
        data = [(i, j) for i, j in np.ndindex(counts.shape) for _ in range(round(2 * counts[i, j]))]
        losses.append(-choix.log_likelihood_pairwise(data, row) / len(data))
    return np.array(losses)


def plackett_luce_by_cross_entropy(scores, ranking):
    """One classification among all candidates a stage; those that are gone have no weight left."""
    total, gone = 0.0, torch.zeros_like(scores, dtype=torch.bool)
    for stage in ranking.T:
        total = total + functional.cross_entropy(scores.masked_fill(gone, -torch.inf), stage, reduction="none")
        gone = gone.scatter(1, stage[:, None], True)
    return total


def binary(scores, wins):
    """torch's binary classification of who is preferred, each pair of candidates weighed by its votes."""
    leads = scores[:, :, None] - scores[:, None]
    losses = functional.binary_cross_entropy_with_logits(leads, torch.ones_like(leads), weight=wins, reduction="none")
    return losses.sum((1, 2)) / wins.sum((1, 2))


def binary_pair(chosen, rejected, margin=0.0):
    return functional.binary_cross_entropy_with_logits(
        chosen - rejected - margin, torch.ones_like(chosen), reduction="none"
    )


OTHERS = {
    "check_bradley_terry_loss": [
        choix_pair,
        laws.as_numpy(binary_pair),
        lambda c, r, margin=0.0: -scipy.special.log_expit(c - r - margin),
    ],
    "check_plackett_luce_loss": [choix_ranking, laws.as_numpy(plackett_luce_by_cross_entropy)],
    "check_pairwise_loss": [choix_votes, laws.as_numpy(binary)],
}


@pytest.mark.parametrize("law", OTHERS)
def test_the_laws_accept_other_peoples_functions(law):
    for fn in OTHERS[law]:
        getattr(laws, law)(fn)


WRONG_GRADIENTS = {
    "the rejected score held fast": (
        "check_bradley_terry_loss",
        lambda c, r, margin=0.0: binary_pair(c, r.detach(), margin),
        "the gradient is minus the probability of the other choice",
    ),
    "a log that underflows, its value mended": (
        "check_bradley_terry_loss",
        lambda c, r, margin=0.0: torch.nan_to_num(-(c - r - margin).sigmoid().log(), posinf=2000.0),
        "the gradient far out",
    ),
    "the rest of a stage held fast": (
        "check_plackett_luce_loss",
        lambda s, order: plackett_luce_by_cross_entropy(s.detach(), order) - (s - s.detach()).sum(-1),
        "the gradient goes to the scores of the row's own candidates",
    ),
    "the loser held fast": (
        "check_pairwise_loss",
        lambda s, w: binary(s, w).detach() + (s - s.detach())[:, 0],
        "the gradient over a prompt's candidates sums to zero",
    ),
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_the_laws_see_wrong_gradients(name):
    law, fn, sentence = WRONG_GRADIENTS[name]
    with pytest.raises(AssertionError, match=sentence):
        getattr(laws, law)(laws.as_numpy(fn))


def test_a_pair_judged_once_weighs_one_over_k_choose_two():
    """Ouyang et al. (2022), equation 1, in its own words: the mean over all pairs of the winner's lead."""
    scores, wins = next((s, w) for s, w in comparisons.votes() if s.shape[1] == 4)
    assert (wins.sum((1, 2)) == 6).all()
    assert (wins + wins.swapaxes(1, 2) + np.eye(4) == 1).all(), "each pair is judged once"
    for row, counts in zip(scores, wins, strict=True):
        leads = [row[i] - row[j] for i, j in np.argwhere(counts)]
        expected = -sum(scipy.special.log_expit(leads)) / 6
        assert comparisons.mean_surprise(row, counts) == pytest.approx(expected, abs=1e-12)


def test_votes_are_not_special():
    cases = list(comparisons.votes())
    assert {scores.shape[1] for scores, _ in cases} == {2, 3, 4}
    every = np.concatenate([wins.flatten() for _, wins in cases])
    assert set(np.unique(every % 1)) == {0.0, 0.5}, "ties among them"
    totals = [wins + wins.swapaxes(1, 2) + np.eye(len(wins[0])) for _, wins in cases]
    assert any((total == 0).any() for total in totals), "pairs that nobody judged among them"
    assert any((wins > 1).any() for _, wins in cases), "several judges among them"
    assert all(wins.sum((1, 2)).min() >= 1 for _, wins in cases)
