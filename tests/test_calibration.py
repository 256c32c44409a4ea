"""Accuracy and calibration of scores: by hand, against scikit-learn, and on models whose calibration is known."""

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from small_models import random_wins

from rlhw.calibration import Calibration, calibration, check_counts, check_wins, pair_accuracy, votes_won

SCORES = torch.tensor([[0.3, -1.2, 0.8], [2.0, 2.0, -0.4], [-3.0, 0.1, 0.4], [0.0, 0.7, 0.9]], dtype=torch.double)


def whole_votes(prompts=4, answers=3, seed=0):
    return (5 * random_wins(prompts, answers, seed)).round()


def check_accuracy(accuracy):
    """Vote by vote; equal scores count one half."""
    for scores, wins in ((SCORES, random_wins(4, 3)), (SCORES.roll(1, 0), whole_votes())):
        right = total = 0.0
        for b in range(4):
            for i in range(3):
                for j in range(3):
                    total += float(wins[b, i, j])
                    right += float(wins[b, i, j]) * float(np.heaviside(float(scores[b, i] - scores[b, j]), 0.5))
        assert accuracy(scores, wins) == pytest.approx(right / total, abs=1e-12)
    assert accuracy(torch.zeros(2, 2), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]] * 2)) == 0.5


def differences(scores):
    return scores[:, :, None] - scores[:, None, :]


WRONG_ACCURACIES = {
    "ties count as right": lambda s, w: float((w * (differences(s) >= 0)).sum() / w.sum()),
    "ties count as wrong": lambda s, w: float((w * (differences(s) > 0)).sum() / w.sum()),
    "the lower score": lambda s, w: 1 - pair_accuracy(s, w),
    "prompts weigh the same": lambda s, w: float(np.mean([pair_accuracy(s[[b]], w[[b]]) for b in range(len(s))])),
    "majority of each pair": lambda s, w: pair_accuracy(s, (w > w.mT).double() + (w == w.mT) / 2),
    "first pair only": lambda s, w: pair_accuracy(s[:, :2], w[:, :2, :2]),
}


def test_accuracy():
    check_accuracy(pair_accuracy)
    assert votes_won(SCORES, whole_votes())[1] == whole_votes().sum()


@pytest.mark.parametrize("name", WRONG_ACCURACIES)
def test_a_wrong_accuracy_is_rejected(name):
    with pytest.raises(AssertionError):
        check_accuracy(WRONG_ACCURACIES[name])


def test_a_score_that_is_not_a_number_agrees_with_nothing():
    assert pair_accuracy(torch.full((1, 2), torch.nan), torch.tensor([[[0.0, 3.0], [1.0, 0.0]]])) == 0.0


def one_row_a_vote(scores, wins):
    """Each vote as scikit-learn takes it: the probability of the higher score, and whether the vote went to it."""
    probabilities, labels = [], []
    for b, i, j in np.ndindex(*wins.shape):
        higher = float(scores[b, i] - scores[b, j])
        if i != j and higher != 0:
            probabilities += [1 / (1 + np.exp(-abs(higher)))] * int(wins[b, i, j])
            labels += [int(higher > 0)] * int(wins[b, i, j])
    return np.array(labels), np.array(probabilities)


def check_calibration(fn):
    """Against scikit-learn, over the upper half of its bins; and whatever order the answers stand in."""
    scores = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    wins = whole_votes(30, 4, seed=1)
    labels, probabilities = one_row_a_vote(scores, wins)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=14)
    got = fn(scores, wins, 7)
    np.testing.assert_allclose(got.predicted, predicted, atol=1e-12)
    np.testing.assert_allclose(got.observed, observed, atol=1e-12)
    counts, _ = np.histogram(probabilities, bins=np.linspace(0.5, 1, 8))
    np.testing.assert_allclose(got.counts, counts[counts > 0], atol=1e-12)
    error = (np.abs(observed - predicted) * counts[counts > 0]).sum() / counts.sum()
    assert got.error == pytest.approx(error, abs=1e-12)
    order = [2, 0, 3, 1]
    again = fn(scores[:, order], wins[:, order][:, :, order], 7)
    np.testing.assert_allclose(again.observed, got.observed, atol=1e-12)
    assert again.error == pytest.approx(got.error, abs=1e-12)


def in_given_order(scores, wins, bins):
    """The usual slip: P(first over second) as the answers stand. With the chosen one first every vote is for the first."""
    i, j = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1)
    probability = torch.sigmoid(scores[:, i] - scores[:, j]).flatten()
    first, votes = wins[:, i, j].flatten(), (wins + wins.mT)[:, i, j].flatten()
    index = (probability * 2 * bins).long()
    rows = [index == number for number in range(bins, 2 * bins)]
    counts = torch.stack([votes[row].sum() for row in rows])
    predicted = torch.stack([(votes * probability)[row].sum() for row in rows]) / counts
    observed = torch.stack([first[row].sum() for row in rows]) / counts
    return Calibration(predicted, observed, counts, 0.0)


def scaled(**changes):
    def fn(scores, wins, bins):
        return calibration(scores * changes.get("by", 1.0), wins * 1.0, bins + changes.get("more", 0))

    return fn


WRONG_CALIBRATIONS = {
    "answers in the given order": in_given_order,
    "twice the difference": scaled(by=2.0),
    "sign flipped, votes not": lambda s, w, bins: calibration(s, w.mT, bins),
    "another number of bins": scaled(more=1),
    "each pair counts once": lambda s, w, bins: calibration(s, w / (w + w.mT).clamp(min=1), bins),
}


def test_calibration_agrees_with_scikit_learn():
    check_calibration(calibration)


@pytest.mark.parametrize("name", WRONG_CALIBRATIONS)
def test_a_wrong_calibration_is_rejected(name):
    with pytest.raises(AssertionError):
        check_calibration(WRONG_CALIBRATIONS[name])


def test_the_annotators_own_scores_are_calibrated_and_bolder_ones_are_not():
    """Votes in the exact shares σ(s_i - s_j): nothing is left to sampling."""
    scores = 1.5 * torch.randn(40, 5, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    wins = torch.sigmoid(differences(scores)) * (1 - torch.eye(5))
    exact = calibration(scores, wins)
    assert exact.error < 1e-12
    assert float(exact.counts.sum()) == pytest.approx(40 * 10, abs=1e-9)
    bold = calibration(3 * scores, wins)
    assert bold.error > 0.1
    assert (bold.observed <= bold.predicted).all()
    assert pair_accuracy(3 * scores, wins) == pytest.approx(pair_accuracy(scores, wins), abs=1e-12)


def test_a_constant_model_says_one_half_and_is_right():
    result = calibration(torch.zeros(3, 2), torch.tensor([[[0.0, 2.0], [1.0, 0.0]]] * 3), bins=4)
    assert (result.predicted.tolist(), result.observed.tolist(), result.counts.tolist()) == ([0.5], [0.5], [9.0])
    assert result.error == 0.0


def test_a_certain_model_falls_in_the_last_bin():
    result = calibration(torch.tensor([[800.0, -800.0]]), torch.tensor([[[0.0, 1.0], [3.0, 0.0]]]), bins=3)
    assert (result.predicted.tolist(), result.observed.tolist(), result.error) == ([1.0], [0.25], 0.75)


def wins_with(place, value):
    wins = whole_votes() + 1 - torch.eye(3)
    wins[place] = value
    return wins


BAD = {
    "negative": (wins_with((2, 0, 1), -1.0), "wins: prompt 2 has a count of votes that is negative or not finite"),
    "not a number": (wins_with((1, 0, 1), torch.nan), "wins: prompt 1 has a count of votes that is negative or not finite"),
    "infinite": (wins_with((3, 0, 1), torch.inf), "wins: prompt 3 has a count of votes that is"),
    "over itself": (wins_with((3, 1, 1), 1.0), "wins: prompt 3 has votes of a candidate over itself"),
    "no votes": (wins_with(0, 0.0), "wins: prompt 0 has no votes; leave it out"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_votes_that_cannot_be_are_refused(case):
    wins, sentence = BAD[case]
    for check in (check_counts, check_wins):
        with pytest.raises(ValueError, match=sentence):
            check(wins)


def test_a_data_set_must_prefer_something():
    with pytest.raises(ValueError, match="wins is empty"):
        check_wins(torch.zeros(0, 2, 2))
    tie, first = torch.tensor([[[0.0, 0.5], [0.5, 0.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    with pytest.raises(ValueError, match="wins holds ties only: a constant score fits them best"):
        check_wins(tie.repeat(3, 1, 1))
    check_counts(tie)
    check_wins(first.repeat(3, 1, 1))
    check_wins(torch.cat([tie, first]))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: calibration(SCORES, whole_votes(), bins=0), "bins must be 1 or more; got 0"),
        (lambda: calibration(SCORES, 0 * whole_votes()), "wins holds no votes"),
        (lambda: calibration(SCORES * torch.nan, whole_votes()), "scores must be finite"),
        (lambda: pair_accuracy(SCORES, 0 * whole_votes()), "wins holds no votes"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
