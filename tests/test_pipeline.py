"""The whole loop, with settings of a few steps: what it leaves behind, and that an interrupted run ends as a whole one does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rlhw import cli
from rlhw.pipeline import run
from rlhw.pipeline.settings import DPO, GRPO, PPO, STAGES, Clone, Compare, Evaluate, Reward, Settings
from rlhw.preferences import read_jsonl

SMALL = Settings(
    clone=Clone(posts=72, steps=3), compare=Compare(prompts=16), reward=Reward(epochs=2.0, size=8),
    ppo=PPO(rollouts=3, prompts=4), grpo=GRPO(rollouts=3, prompts=4, answers=4), dpo=DPO(epochs=2.0, size=8),
    evaluate=Evaluate(posts=4, answers=2, samples=8), max_new_tokens=10,
)  # fmt: skip
MODELS = ("clone", "reward", "ppo", "grpo", "dpo")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{stage}/{name}": tensor
        for stage in MODELS
        for name, tensor in load_file(folder / stage / "model" / "model.safetensors").items()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "whole"
    run(replace(SMALL, out=folder))
    return folder


def test_every_stage_leaves_what_it_should(whole):
    summary = json.loads((whole / "summary.json").read_text(encoding="utf8"))
    wanted = {"cloning_gap", "reward_share", "ppo_share", "grpo_share", "dpo_share", "jstar", "jstar_se", "seconds"}
    assert wanted <= summary.keys()
    assert summary["seconds"].keys() == {*STAGES} - {"report"}
    curves = {stage: json.loads((whole / stage / "done.json").read_text(encoding="utf8"))["curve"] for stage in MODELS}
    assert {stage: len(curve) for stage, curve in curves.items()} == {
        "clone": 3, "reward": 4, "ppo": 3, "grpo": 3, "dpo": 4,
    }  # fmt: skip
    comparisons = read_jsonl(whole / "compare" / "comparisons.jsonl")
    assert {comparison.annotator for comparison in comparisons} == {"simulated"}
    page = (whole / "report.html").read_text(encoding="utf8")
    assert page.count("<article>") == 50
    assert "<script" not in page


class Killed(Exception):
    """What ends a run in these tests: not caught by anything in it."""


def test_a_run_interrupted_in_every_stage_ends_as_a_whole_one_does(whole, tmp_path):
    """One run, stopped after two steps of each stage and resumed each time: every weight is the same, bit for bit."""
    settings, stopped = replace(SMALL, out=tmp_path / "run"), []

    def progress(name):
        def shown(steps, start, total):
            for number, figures in enumerate(steps):
                if name in MODELS and name not in stopped and number == 2:
                    stopped.append(name)
                    raise Killed
                yield figures

        return shown

    for times in range(len(MODELS)):
        with pytest.raises(Killed):
            run(settings, resume=times > 0, progress=progress)
    run(settings, resume=True, until="dpo")
    assert sorted(stopped) == sorted(MODELS)
    one, other = weights(whole), weights(tmp_path / "run")
    # The first name, in the stages' order, says where the fault is.
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_another_seed_gives_other_weights(whole, tmp_path):
    """The control of the comparison above."""
    run(replace(SMALL, out=tmp_path / "run", seed=1), until="clone")
    one, other = weights(whole)["clone/transformer.h.0.mlp.c_fc.weight"], load_file(
        tmp_path / "run" / "clone" / "model" / "model.safetensors"
    )["transformer.h.0.mlp.c_fc.weight"]  # fmt: skip
    assert not torch.equal(one, other)


def test_a_run_killed_while_it_wrote_its_settings_can_begin_again(tmp_path):
    """Otherwise it could neither begin, for something is there, nor be resumed, for there are no settings."""
    (tmp_path / "settings.json.part").write_text('{"beta": 0.', encoding="utf8")
    assert set(run(replace(SMALL, out=tmp_path), until="clone")) == {"clone"}
    assert not (tmp_path / "settings.json.part").exists()


def test_what_cannot_be_is_refused_in_one_sentence(whole, tmp_path, capsys):
    wrong = {
        "is not empty": ["--out", str(whole)],
        "there is no run": ["--out", str(tmp_path / "nothing"), "--resume"],
        "was begun with clone.posts=72": ["--out", str(whole), "--resume"],
        "seed must be from 0 to 2**32 - 1": ["--out", str(tmp_path / "seed"), "--seed", "-1"],
        "beta must be above 0": ["--out", str(tmp_path / "beta"), "--beta", "0"],
    }
    for sentence, arguments in wrong.items():
        assert cli.main(["run", *arguments]) == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert said.startswith("rlhw: ")
        assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == []
