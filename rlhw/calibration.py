"""Votes: whether they can teach an order, how many of them a reward model agrees with, and whether its probabilities mean
what they say.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def check_counts(wins: Float[Tensor, "B K K"]) -> None:
    """Raise ValueError, naming the prompt, where wins[b, i, j], the votes for i over j, cannot be counts of votes.

    That is where one is negative or not finite, a candidate has votes over itself, or a prompt has no votes at all.
    """
    faults = {
        "a count of votes that is negative or not finite": (~wins.isfinite() | (wins < 0)).any(-1).any(-1),
        "votes of a candidate over itself": wins.diagonal(dim1=-2, dim2=-1).ne(0).any(-1),
        "no votes": wins.sum((-1, -2)) == 0,
    }
    for fault, rows in faults.items():
        if rows.any():
            raise ValueError(f"wins: prompt {int(rows.nonzero()[0])} has {fault}; leave it out, or mend its votes.")


def check_wins(wins: Float[Tensor, "B K K"]) -> None:
    """Raise ValueError when the votes of a whole data set cannot teach an order: it is empty, or all of them are ties.

    Also for what `check_counts` refuses. That the chosen answer always stands first is no fault: a score does not depend on
    where its answer stands.
    """
    if len(wins) == 0:
        raise ValueError("wins is empty: there are no votes to learn from.")
    check_counts(wins)
    if torch.equal(wins, wins.mT):
        raise ValueError("wins holds ties only: a constant score fits them best; collect votes that prefer an answer.")


def votes_won(scores: Float[Tensor, "B K"], wins: Float[Tensor, "B K K"]) -> tuple[Tensor, Tensor]:
    """(votes for the higher score, all votes); where two scores are equal their votes count one half."""
    differences = scores[:, :, None] - scores[:, None, :]
    return (wins * ((differences > 0) + (differences == 0) / 2)).sum(), wins.sum()


def pair_accuracy(scores: Float[Tensor, "B K"], wins: Float[Tensor, "B K K"]) -> float:
    """The share of votes that went to the answer with the higher score; equal scores count one half, as a coin would.

    No model exceeds the annotators' Bayes accuracy but by luck of the sample. With n independent votes its standard error is
    √(p(1 - p)/n): state n beside it. A NaN among the scores agrees with no vote. Raises ValueError when there are no votes.

    >>> pair_accuracy(torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.0, 3.0], [1.0, 0.0]]]))
    0.75
    """
    right, votes = votes_won(scores, wins)
    if votes == 0:
        raise ValueError("wins holds no votes: there is nothing to agree with.")
    return float(right / votes)


@dataclass(frozen=True)
class Calibration:
    """A reliability curve of M bins that hold votes: mean `predicted` probability, `observed` share, `counts` of votes.

    error: the expected calibration error, the mean of abs(observed - predicted) over all votes, in probability.
    """

    predicted: Float[Tensor, " M"]
    observed: Float[Tensor, " M"]
    counts: Float[Tensor, " M"]
    error: float


def calibration(scores: Float[Tensor, "B K"], wins: Float[Tensor, "B K K"], bins: int = 10) -> Calibration:
    """Predicted probability σ(abs(s_i - s_j)) of the answer with the higher score against the share of votes it got.

    Each pair stands once, on the side of the higher score, in one of `bins` equal bins of [½, 1]: with the answers in the
    data's order, the chosen one first, every vote would be "for the first" and no model looked calibrated. At equal scores
    half the votes count for either. Raises ValueError when bins < 1, when there are no votes, or a score is not finite.
    Source: Guo et al. (2017).
    """
    if bins < 1:
        raise ValueError(f"bins must be 1 or more; got {bins}.")
    if not scores.isfinite().all():
        raise ValueError("scores must be finite; a model that gives NaN has no probabilities.")
    i, j = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1, device=scores.device)
    differences = (scores[:, i] - scores[:, j]).flatten().double()
    first, second = wins[:, i, j].flatten().double(), wins[:, j, i].flatten().double()
    votes = first + second
    if votes.sum() == 0:
        raise ValueError("wins holds no votes: there is nothing to compare the probabilities with.")
    agreed = torch.where(differences > 0, first, second).where(differences != 0, votes / 2)
    probability = differences.abs().sigmoid()
    index = ((probability - 0.5) * 2 * bins).long().clamp(max=bins - 1)

    def total(values: Tensor) -> Tensor:
        return torch.zeros(bins, dtype=torch.double, device=values.device).index_add(0, index, values)

    counts = total(votes)
    full = counts > 0
    predicted, observed = (total(v)[full] / counts[full] for v in (votes * probability, agreed))
    counts = counts[full]
    return Calibration(predicted, observed, counts, float(counts @ (observed - predicted).abs() / counts.sum()))
