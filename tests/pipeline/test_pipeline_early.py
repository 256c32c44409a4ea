"""Early stopping: whole prompts held out, the best weights at the end, also of a training that was killed and taken up again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_models import random_batch, random_wins
from small_rollouts import small_gpt2
from tiny_models import tokenizer

from rlhw import checkpoint
from rlhw.batches import PLAIN, Batch
from rlhw.pipeline import jobs
from rlhw.pipeline.early import MEASURED, HeldOut, apart
from rlhw.pipeline.folder import Job, silent
from rlhw.pipeline.host import Host
from rlhw.pipeline.settings import Cloning, Reward
from rlhw.reward_model import RewardModel, pairwise_loss, score_batches

ALONE = Host(PLAIN, torch.device("cpu"))
# Votes that say nothing: what is learned of them is luck, and the loss on other prompts rises soon.
SETTINGS = Reward(epochs=3.0, size=8, rate=0.02, patience=2, measure_every=10)


def votes() -> tuple[Batch, torch.Tensor]:
    return random_batch(60, 3, seed=1), random_wins(60, 3, seed=1).float()


def prompts_of(batch: Batch, rows: torch.Tensor) -> set[tuple]:
    return {tuple(batch.prompts[i][batch.prompt_mask[i]].tolist()) for i in rows.tolist()}


def check_apart(fn) -> None:
    """Every row once, and no prompt on both sides, though each stands in three rows."""
    batch = random_batch(40, 1, seed=5, longest_prompt=12)
    rows = torch.arange(40).repeat(3)
    batch = batch.rows(rows)
    learned, held = fn(batch, 0)
    assert sorted(torch.cat([learned, held]).tolist()) == list(range(120))
    assert not prompts_of(batch, learned) & prompts_of(batch, held)
    assert 0 < len(held) < 40


def test_prompts_are_held_out_whole():
    check_apart(apart)
    for mutant in (
        lambda batch, seed: (torch.arange(6, 120), torch.arange(6)),
        lambda batch, seed: (torch.arange(120), torch.arange(6)),
    ):
        with pytest.raises(AssertionError):
            check_apart(mutant)


def test_who_is_held_out_depends_on_the_seed_and_no_more_than_512_are_measured():
    batch = random_batch(200, 1, seed=5, longest_prompt=12)
    assert apart(batch, 0)[1].tolist() == apart(batch, 0)[1].tolist() != apart(batch, 1)[1].tolist()
    many = batch.rows(torch.arange(200).repeat(60))
    learned, held = apart(many, 0)
    assert len(held) == MEASURED
    assert not prompts_of(many, learned) & prompts_of(many, held)


def test_too_few_prompts_are_one_sentence():
    with pytest.raises(
        ValueError, match=r"^patience: 2 prompts are too few to hold any out; give --patience 0, or more"
    ):
        apart(random_batch(2, 1, seed=3), 0)


class Killed(Exception):
    """Not caught by anything in a job."""


def killed_after(count: int):
    def shown(steps, start, total):
        for number, figures in enumerate(steps, start):
            if number == count:
                raise Killed
            yield figures

    return shown


def learn(folder: Path, settings: Reward = SETTINGS, progress=silent) -> dict:
    return jobs.reward(Job(folder, ALONE, 3, progress), small_gpt2(1).base_model, tokenizer(), votes(), settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict]:
    """A training that is measured after each of its steps."""
    folder = tmp_path_factory.mktemp("early") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SAVE_EVERY", 1)
        return folder, learn(folder, replace(SETTINGS, measure_every=1))


def held_out_loss(model: RewardModel) -> float:
    batch, wins = votes()
    _, held = apart(batch, 3)
    return float(pairwise_loss(score_batches(model, [batch.rows(held)]), wins[held]).mean())


def test_it_stops_and_ends_with_the_best_weights(whole):
    """Losses to 1e-6. The control: those of the newest checkpoint are worse."""
    folder, done = whole
    losses = [step["held_out"] for step in done["curve"]]
    assert len(losses) < 21, "it stops before its steps are taken"
    assert done["best_step"] == losses.index(min(losses)) + 1 == len(losses) - 2
    assert held_out_loss(RewardModel.from_pretrained(folder / "model")) == pytest.approx(min(losses), abs=1e-6)
    last = RewardModel(small_gpt2(1).base_model)
    checkpoint.load(checkpoint.latest(folder), model=last)
    assert held_out_loss(last) > min(losses) + 1e-4


@pytest.mark.parametrize("after", ["the best step", "the newest"])
def test_a_training_that_was_killed_ends_as_a_whole_one_does(whole, tmp_path, monkeypatch, after):
    """Bit for bit, killed right after the best weights were written and once the loss has risen. A mutant forgets them."""
    monkeypatch.setattr(jobs, "SAVE_EVERY", 1)
    settings, steps = replace(SETTINGS, measure_every=1), len(whole[1]["curve"])
    with pytest.raises(Killed):
        learn(
            tmp_path / "killed",
            settings,
            killed_after(whole[1]["best_step"] if after == "the best step" else steps - 1),
        )
    shutil.copytree(tmp_path / "killed", tmp_path / "mutant")
    done = learn(tmp_path / "killed", settings)
    assert done["curve"] == whole[1]["curve"]
    assert done["best_step"] == whole[1]["best_step"]
    files = [load_file(folder / "model" / "model.safetensors") for folder in (whole[0], tmp_path / "killed")]
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])
    if after == "the newest":
        monkeypatch.setattr(HeldOut, "take_up", lambda self, state: None)
        assert learn(tmp_path / "mutant", settings)["best_step"] != whole[1]["best_step"]


def test_cloning_stops_early_too(tmp_path, monkeypatch):
    """At a rate that is far too high the first measurement stays the best. Patience 0: nothing is held out, all steps are taken."""
    monkeypatch.setattr(jobs, "SAVE_EVERY", 1)
    settings = Cloning(steps=8, size=8, rate=3.0, patience=2, measure_every=1)
    job = Job(tmp_path / "bc", ALONE, 3)
    done = jobs.bc(job, small_gpt2(1), tokenizer(), votes()[0], settings)
    assert [len(done["curve"]), done["best_step"]] == [3, 1]
    assert all("held_out" in step for step in done["curve"])
    plain = jobs.bc(
        Job(tmp_path / "plain", ALONE, 3), small_gpt2(1), tokenizer(), votes()[0], replace(settings, patience=0)
    )
    assert len(plain["curve"]) == 8
    assert "best_step" not in plain
    assert not (tmp_path / "plain" / "best").exists()


def test_measurements_fall_on_checkpoints(tmp_path):
    """Every 15 steps is every 20: a resumed training must know the best weights that its checkpoint tells of."""
    settings = Cloning(steps=40, size=2, rate=1e-3, patience=5, measure_every=15)
    done = jobs.bc(Job(tmp_path, ALONE, 3), small_gpt2(1), tokenizer(), votes()[0], settings)
    assert [i for i, step in enumerate(done["curve"], 1) if "held_out" in step] == [20, 40]
    record = checkpoint.safe_open(checkpoint.latest(tmp_path), "pt").metadata()["record"]
    assert json.loads(record)["state"]["held_out"]["step"] == 40
