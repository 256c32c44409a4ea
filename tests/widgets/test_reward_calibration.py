"""What RewardCalibration shows, held against the annotator's own law and the library's measures of the same votes."""

import hashlib
import math

import pytest
import torch

from benchmarks.reward_calibration import BINS, DATA, MODELS, PAIRS, as_scores, gold_margins, held_out
from rlhw import cards
from rlhw.calibration import calibration, pair_accuracy
from rlhw.language_model import load
from rlhw.reward_model import pairwise_loss
from rlhw.widgets.reward_calibration import DATA as SHOWN
from rlhw.widgets.reward_calibration import RewardCalibration


@pytest.fixture(scope="module")
def votes() -> torch.Tensor:
    return torch.tensor(SHOWN["votes"], dtype=torch.double)


@pytest.fixture(scope="module")
def pairs():
    return held_out(load("tiny")[1])


def margins(name: str) -> torch.Tensor:
    return torch.tensor(SHOWN["margins"][name], dtype=torch.double)


def wins_of(votes: torch.Tensor) -> torch.Tensor:
    """Votes for the first of two as wins "B 2 2"."""
    wins = torch.zeros(len(votes), 2, 2, dtype=torch.double)
    wins[:, 0, 1], wins[:, 1, 0] = votes, 1 - votes
    return wins


def test_the_pairs_are_held_out_and_their_votes_are_the_annotator_s(pairs, votes):
    data, wins = pairs
    assert all(post.split == "evaluation" for post in data.posts)
    assert wins[:, 0, 1].tolist() == votes.tolist()
    assert (gold_margins(data) - margins("annotator")).abs().max() <= 0.5e-3 + 1e-9
    assert len(votes) == PAIRS


def strays(votes: torch.Tensor, law: torch.Tensor) -> float:
    """Σ (vote - p) in its standard deviations under the law p of each vote."""
    return float((votes - law).sum().abs() / (law * (1 - law)).sum().sqrt())


def test_the_votes_follow_the_annotator_s_margins_and_not_their_opposite(votes):
    """The sum of (vote - p) on the side of the better one stays within 4 standard deviations: false alarm 6e-5."""
    gold = margins("annotator")
    better = torch.where(gold > 0, votes, 1 - votes)
    assert strays(better, gold.abs().sigmoid()) < 4
    assert strays(1 - better, gold.abs().sigmoid()) > 4
    assert strays(better, (4 * gold).abs().sigmoid()) > 4, "a wrong temperature would pass"


def test_the_card_is_what_the_library_measures_on_these_data(votes):
    metrics, wins = cards.read("reward_calibration")["metrics"], wins_of(votes)
    assert hashlib.sha256(DATA.read_bytes()).hexdigest() in metrics["pairs"]["note"]
    assert metrics["pairs"]["value"] == len(votes)
    for name in MODELS:
        scores = as_scores(margins(name))
        assert metrics[f"error_{name}"]["value"] == pytest.approx(calibration(scores, wins, BINS).error, abs=1e-12)
        assert metrics[f"loss_{name}"]["value"] == pytest.approx(pairwise_loss(scores, wins).mean().item(), abs=1e-12)
        assert metrics[f"accuracy_{name}"]["value"] == pytest.approx(pair_accuracy(scores, wins), abs=1e-12)
    assert DATA.stat().st_size < 60_000


def test_the_widget_has_something_to_show(votes):
    """The overfit model is surer than right. Dividing its margins mends its calibration; its loss stays a coin's."""
    metrics, wins = cards.read("reward_calibration")["metrics"], wins_of(votes)

    def loss(name: str, by: float) -> float:
        return pairwise_loss(as_scores(margins(name) / by), wins).mean().item()

    assert metrics["training_overfit"]["value"] < 0.05
    assert metrics["loss_overfit"]["value"] > math.log(2) > metrics["loss_many"]["value"]
    assert metrics["error_overfit"]["value"] > 3 * metrics["error_many"]["value"]
    assert metrics["accuracy_many"]["value"] > metrics["accuracy_overfit"]["value"] + 0.1
    end = RewardCalibration.ranges()["temperature"]["max"]
    assert calibration(as_scores(margins("overfit") / end), wins, BINS).error < 0.1
    assert math.log(2) - 0.01 < loss("overfit", end) < math.log(2)
    assert loss("annotator", 1) < min(loss("annotator", 0.75), loss("annotator", 1.25))
