"""The speed comparisons do the same on both sides, and are void where they do not. Toy sizes; no time is looked at."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmarks import gpu, speed, speed_ours
from benchmarks.speed import COMPARISONS, compare, disagreements, entries
from benchmarks.speed_setup import Clock, Run
from benchmarks.speed_trl import pairs, quiet_folder
from rlhw import cards, dpo
from rlhw.language_model import generate
from rlhw.logprobs import response_logprobs

SETUP = replace(gpu.toy(), bf16=False, first_loss=1e-4, held_out_loss=0.02)
TRAINED = [name for name in COMPARISONS if not name.startswith("sampling")]


@pytest.fixture(scope="module")
def theirs():
    """The data of each comparison, and TRL's run of it."""
    found = {}
    with quiet_folder() as folder:
        for name, comparison in COMPARISONS.items():
            data = comparison.data(SETUP, 0)
            found[name] = data, comparison.theirs(SETUP, data, folder)
    return found


def faults(name, theirs, setup=SETUP):
    data, run = theirs[name]
    return disagreements(COMPARISONS[name].ours(setup, data), run, SETUP)


@pytest.mark.parametrize("name", COMPARISONS)
def test_both_sides_do_the_same(theirs, name):
    data, run = theirs[name]
    ours = COMPARISONS[name].ours(SETUP, data)
    assert disagreements(ours, run, SETUP) == []
    if name in TRAINED:
        assert ours.count == run.count
        assert float(ours.witnesses["first-step loss"]) == pytest.approx(
            float(run.witnesses["first-step loss"]), abs=1e-5
        )


@pytest.mark.parametrize("name", TRAINED)
def test_another_learning_rate_is_seen_in_the_held_out_loss(theirs, name):
    # A tenth of the rate hardly moves the toy's losses on votes it has not seen; ten times the rate does.
    rate = SETUP.rate / 10 if name == "cloning" else 10 * SETUP.rate
    (fault,) = faults(name, theirs, replace(SETUP, rate=rate))
    assert fault.startswith("held-out loss")


@pytest.mark.parametrize("name", ["dpo", "dpo_pairs"])
def test_means_over_tokens_are_seen_in_the_first_loss(theirs, name, monkeypatch):
    def mean_logprobs(model, batch):
        return response_logprobs(model, batch).sum(-1) / batch.response_mask.sum(-1)

    monkeypatch.setattr(dpo, "sequence_logprobs", mean_logprobs)
    assert any(fault.startswith("first-step loss") for fault in faults(name, theirs))


def test_votes_turned_round_are_seen_in_the_first_loss(theirs):
    data, run = theirs["reward"]
    batch, wins = data.train
    ours = speed_ours.reward(SETUP, replace(data, train=(batch, wins.mT.contiguous())))
    assert any(fault.startswith("first-step loss") for fault in disagreements(ours, run, SETUP))


def test_another_temperature_is_seen_in_the_answers(theirs, monkeypatch):
    monkeypatch.setattr(speed_ours, "generate", partial(generate, temperature=0.5))
    assert any(fault.startswith("log-probability a token") for fault in faults("sampling", theirs))


def test_answers_cut_short_are_seen_in_the_length(theirs):
    found = faults("sampling", theirs, replace(SETUP, max_new_tokens=SETUP.max_new_tokens // 2))
    assert any(fault.startswith("length") for fault in found)


def test_the_rows_are_the_votes():
    data = COMPARISONS["dpo"].data(SETUP, 3)
    batch, wins = data.train
    rows = pairs(batch, wins)
    assert len(rows) == 6 * len(wins) == 6 * SETUP.steps * data.size
    # Six rows a prompt, in the prompts' order, so that equal slices of both are the same batches.
    prompts = [row[real].tolist() for row, real in zip(batch.prompts, batch.prompt_mask, strict=True)]
    assert [row["prompt_ids"] for row in rows] == [prompt for prompt in prompts for _ in range(6)]
    assert {row[kind][-1] for row in rows for kind in ("chosen_ids", "rejected_ids")} == {gpu.EOS}


def runs(ours, theirs):
    """Two runs of these witnesses."""
    return [
        Run(1, Clock("cpu"), {name: torch.tensor(value) for name, value in side.items()}) for side in (ours, theirs)
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "count"),
    [
        ({"first-step loss": 0.7}, {"first-step loss": 0.70005}, 0),
        ({"first-step loss": 0.7}, {"first-step loss": 0.7002}, 1),
        ({"first-step loss": float("nan")}, {"first-step loss": 0.7}, 1),
        ({"held-out loss": -0.50}, {"held-out loss": -0.505}, 0),
        ({"held-out loss": -0.50}, {"held-out loss": -0.52}, 1),
        ({"length": [5.0, 7.0, 6.0, 9.0]}, {"length": [6.0, 6.0, 5.0, 9.5]}, 0),
        ({"length": [5.0, 7.0, 6.0, 9.0]}, {"length": [7.0, 9.1, 8.0, 11.1]}, 1),
    ],
)
def test_the_conditions_are_those_that_are_stated(ours, theirs, count):
    assert len(disagreements(*runs(ours, theirs), SETUP)) == count


def outcome(ratio, *faults):
    return speed.Outcome(100 * ratio, 100.0, 0.0, 0.0, list(faults))


@pytest.mark.parametrize(("ratios", "met"), [([1.0, 2.1, 2.0, 3.0, 1.9], True), ([1.9, 1.9, 1.9, 3.0, 3.0], False)])
def test_the_median_of_the_seeds_is_held_against_the_bound(ratios, met):
    found = entries("dpo", COMPARISONS["dpo"], [outcome(ratio) for ratio in ratios], 2.0)
    assert found["dpo"]["met"] == met
    assert found["dpo_theirs"]["value"] == 100


# Each makes the whole benchmark's models and data.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("ratio", "faults", "status", "word", "written"),
    [(2.5, [], 0, "met", True), (1.5, [], 1, "SHORT", True), (2.5, ["length: no"], 1, "VOID", False)],
)
def test_the_benchmark_says_how_it_ended(tmp_path, monkeypatch, capsys, ratio, faults, status, word, written):
    monkeypatch.setattr("sys.argv", ["speed"])
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(speed, "all_seeds", lambda *_: [outcome(ratio, *faults) for _ in speed.SEEDS])
    assert speed.main() == status
    assert word in capsys.readouterr().out
    assert (tmp_path / "speed.json").exists() == written
    if written:
        assert [name for name, entry in cards.read("speed")["metrics"].items() if "bound" in entry] == [
            name for name, comparison in COMPARISONS.items() if comparison.bounded
        ]


def test_both_sides_run_under_bf16_too(capfd):
    setup = replace(gpu.toy(), steps=1)
    with quiet_folder() as folder:
        found = compare(COMPARISONS["reward_pairs"], setup, 1, folder)
    assert found.faults == []
    assert capfd.readouterr() == ("", "")
