"""`rlhw train`: each of the five trainings on files of one's own, taken up again, and refused."""

import json
from pathlib import Path

import pytest
import torch
from pipeline_samples import comparisons, texts, write_lines
from safetensors.torch import load_file
from small_models import gpt2

from rlhw import cli
from rlhw.language_model import load
from rlhw.pipeline import command, training
from rlhw.reward_model import RewardModel


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    found = {
        "texts": write_lines(folder / "texts.jsonl", texts(12)),
        "prompts": write_lines(folder / "prompts.jsonl", [{"prompt": one["prompt"]} for one in texts(12, seed=2)]),
        "data": write_lines(folder / "data.jsonl", comparisons(8)),
        "reward": str(folder / "reward" / "model"),
    }
    assert cli.main(["train", *verbs(found)["reward"], "--out", str(folder / "reward")]) == 0
    return found


def verbs(files: dict[str, str]) -> dict[str, list[str]]:
    """The arguments of two steps of each training."""
    common = ["--model", "tiny", "--seed", "4"]
    online = [
        "--rollouts",
        "2",
        "--prompts",
        "4",
        "--answers",
        "2",
        "--reward",
        files["reward"],
        "--max-new-tokens",
        "6",
    ]
    return {
        "bc": ["bc", *common, "--data", files["texts"], "--steps", "2", "--size", "4"],
        "reward": ["reward", *common, "--data", files["data"], "--epochs", "1", "--size", "4"],
        "dpo": ["dpo", *common, "--data", files["data"], "--epochs", "1", "--size", "4"],
        "ppo": ["ppo", *common, "--data", files["prompts"], *online],
        "grpo": ["grpo", *common, "--data", files["prompts"], *online],
    }


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("verb", ["bc", "reward", "dpo", "ppo", "grpo"])
def test_each_verb_trains_and_says_where_the_model_is(files, tmp_path, capsys, verb):
    out = tmp_path / "out"
    assert cli.main(["train", *verbs(files)[verb], "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"model: {out / 'model'}\n")
    if verb in ("reward", "dpo"):
        assert (
            "data: 8 comparisons; 0 replaced by a later label of the same annotator; 0 too long for context=160" in said
        )
    assert len(json.loads((out / "done.json").read_text(encoding="utf8"))["curve"]) == 2
    if verb == "reward":
        assert RewardModel.from_pretrained(out / "model").trunk.config.n_layer == 3
    else:
        before, after = load("tiny")[0].state_dict(), load(out / "model")[0].state_dict()
        assert not torch.equal(before["transformer.wte.weight"], after["transformer.wte.weight"])
    assert cli.main(["train", *verbs(files)[verb], "--out", str(out)]) == 2
    assert "is not empty; give another folder, or --resume" in capsys.readouterr().err
    assert cli.main(["train", *verbs(files)[verb], "--out", str(out), "--resume"]) == 0


class Killed(Exception):
    """Not caught by anything in a training."""


def stopped(name: str):
    """A progress bar that stops before the second step."""

    def shown(steps, start, total):
        for number, figures in enumerate(steps):
            if number == 1:
                raise Killed
            yield figures

    return shown


@pytest.mark.parametrize("verb", ["ppo", "bc"])
def test_a_training_that_was_stopped_ends_as_a_whole_one_does(files, tmp_path, monkeypatch, verb):
    """Bit for bit. PPO resumes from its first rollout; bc, which keeps every tenth step, begins anew."""
    arguments = ["train", *verbs(files)[verb]]
    assert cli.main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(training, "bar", stopped)
        with pytest.raises(Killed):
            cli.main([*arguments, "--out", str(tmp_path / "killed")])
    assert not (tmp_path / "killed" / "model").exists()
    assert [path.name for path in (tmp_path / "killed").glob("step_*")] == (
        ["step_00000001.safetensors"] if verb == "ppo" else []
    )
    assert cli.main([*arguments, "--out", str(tmp_path / "killed"), "--resume"]) == 0
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert cli.main([*arguments, "--seed", "5", "--out", str(tmp_path / "other")]) == 0
    assert not same(weights(tmp_path / "whole"), weights(tmp_path / "other")), "the control: another seed"


def test_what_cannot_be_is_refused_in_one_line(files, tmp_path, capsys):
    out, bc, ppo = ["--out", str(tmp_path / "out")], verbs(files)["bc"], verbs(files)["ppo"]
    foreign = tmp_path / "foreign"
    RewardModel(gpt2(1).base_model).save_pretrained(foreign)
    wrong = {
        "train: give one of bc, reward, ppo, dpo, grpo": ["cook", *out],
        "train: give one of": [],
        "--resume: there is no run in": [*bc, *out, "--resume"],
        "size must be from 1 to the 12 rows": [*bc, "--size", "13", *out],
        "size must be 1 or more": [*bc, "--size", "0", *out],
        "gold knows the small forum alone": [*ppo, "--reward", "gold", *out],
        "reward: its model has a vocabulary of": [*ppo, "--reward", str(foreign), *out],
        "no model can be read at": [*ppo, "--reward", str(tmp_path), *out],
        "more than max_length=": [*ppo, "--context", "20", *out],
        "--device cuda: this run needs a GPU with about": [*bc, "--device", "cuda", *out],
    }
    for number, (sentence, arguments) in enumerate(wrong.items()):
        arguments = [str(tmp_path / f"out {number}") if word == out[1] else word for word in arguments]
        assert cli.main(["train", *arguments]) == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert said.startswith("rlhw: ")
        assert said.count("\n") == 1


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_lists_the_verbs_with_what_they_are(asked, capsys):
    assert cli.main(["train", asked]) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: rlhw train VERB [OPTIONS]\n")
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")] == list(training.VERBS)
    assert "  dpo     DPO, IPO or KTO; the model is its own reference\n" in said


def test_a_folder_of_another_training_is_not_taken_up(files, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["train", *verbs(files)["bc"], *out]) == 0
    for verb in ("reward", "dpo", "grpo", "ppo"):
        assert cli.main(["train", *verbs(files)[verb], *out, "--resume"]) == 2
        assert "was begun with" in capsys.readouterr().err
    assert cli.main(["train", *verbs(files)["bc"], "--rate", "0.5", *out, "--resume"]) == 2
    assert "was begun with rate=0.002, and 0.5 is asked for now" in capsys.readouterr().err


def test_a_mistyped_file_can_be_mended_in_the_same_folder(files, tmp_path):
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["train", *verbs(files)["bc"], "--data", "nothing.jsonl", *out]) == 2
    assert cli.main(["train", *verbs(files)["bc"], *out]) == 0


def test_data_forum_needs_no_file(tmp_path, monkeypatch):
    """The teacher's summaries, posts of the small forum, and its gold reward."""
    monkeypatch.setattr(training.Clone, "posts", 8)
    out = [["--out", str(tmp_path / name)] for name in ("bc", "grpo")]
    small = ["--model", "tiny", "--data", "forum"]
    assert cli.main(["train", "bc", *small, "--steps", "1", "--size", "4", *out[0]]) == 0
    online = ["--reward", "gold", "--rollouts", "1", "--prompts", "2", "--answers", "2", "--max-new-tokens", "4"]
    assert cli.main(["train", "grpo", *small, *online, *out[1]]) == 0
    assert command.bar is training.bar
