"""What a run on a GPU needs is said before its start: counted without the Hub, and refused in words where there is no GPU."""

import re
from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, GPT2Config, GPT2LMHeadModel

from rlhw import cli
from rlhw.language_model import load
from rlhw.pipeline import memory
from rlhw.pipeline.memory import config_of, estimate, parameters_of
from rlhw.pipeline.settings import FULL, Settings


@pytest.fixture
def no_hub(monkeypatch):
    """Whoever asks the Hub for a configuration fails."""

    def refuse(*given, **what):
        raise AssertionError(f"the network was tried for {given}")

    monkeypatch.setattr(AutoConfig, "from_pretrained", refuse)


def test_gpt2_has_124_439_808_parameters_and_no_hub_is_asked(no_hub):
    assert parameters_of(config_of("gpt2")) == 124_439_808
    with pytest.raises(AssertionError, match="the network was tried"):
        config_of("someone/another-model")


def test_parameters_are_counted_as_a_model_has_them():
    tiny, _ = load("tiny")
    assert parameters_of(config_of("tiny")) == sum(parameter.numel() for parameter in tiny.parameters())
    config = GPT2Config(n_layer=3, n_embd=20, n_head=2, vocab_size=31, n_positions=17)
    assert parameters_of(config) == sum(parameter.numel() for parameter in GPT2LMHeadModel(config).parameters())


def needs(settings: Settings) -> dict[str, tuple[float, float]]:
    return estimate(settings, config_of(settings.model))


LARGER = {
    "context": (replace(FULL, context=1000), {"clone", "reward", "ppo", "grpo", "dpo"}),
    "max_new_tokens": (replace(FULL, max_new_tokens=128, clone=replace(FULL.clone, answers=1)), {"ppo", "grpo"}),
    "ppo.minibatch": (replace(FULL, ppo=replace(FULL.ppo, minibatch=16)), {"ppo"}),
    "ppo.answers": (replace(FULL, ppo=replace(FULL.ppo, answers=8)), {"ppo"}),
    "grpo.minibatch": (replace(FULL, grpo=replace(FULL.grpo, minibatch=None)), {"grpo"}),
    "clone.micro_batch": (replace(FULL, clone=replace(FULL.clone, micro_batch=None)), {"clone"}),
    "reward.micro_batch": (replace(FULL, reward=replace(FULL.reward, micro_batch=32)), {"reward"}),
    "dpo.micro_batch": (replace(FULL, dpo=replace(FULL.dpo, micro_batch=9)), {"dpo"}),
}


@pytest.mark.parametrize("name", LARGER)
def test_more_at_once_needs_more(name):
    settings, stages = LARGER[name]
    before, after = needs(FULL), needs(settings)
    grown = {stage for stage in before if after[stage][1] > before[stage][1]}
    assert stages <= grown
    if "." in name:
        assert grown == stages
    assert {stage: one[0] for stage, one in after.items()} == {stage: one[0] for stage, one in before.items()}


def test_a_shared_trunk_needs_less_and_a_larger_model_more():
    shared = needs(replace(FULL, ppo=replace(FULL.ppo, shared=True)))["ppo"]
    assert shared[0] < needs(FULL)["ppo"][0]
    assert shared[1] < needs(FULL)["ppo"][1]
    assert all(needs(replace(FULL, model="tiny"))[stage] < needs(FULL)[stage] for stage in needs(FULL))


def test_no_gpu_at_full_scale_is_one_line_with_gigabytes_and_what_to_turn_down(no_hub, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["run", "--scale", "full", "--out", str(tmp_path / "run")]) == 2
    said, told = capsys.readouterr().err, needs(FULL)
    assert said.startswith("rlhw: --device cuda: this run needs a GPU with about ")
    assert said.count("\n") == 1
    total = max(sum(one) for one in told.values()) + memory.FIXED
    assert float(re.search(r"about (\d+\.\d) GB", said)[1]) == pytest.approx(total / 1e9, abs=0.05)
    assert max(told, key=lambda stage: sum(told[stage])) in said
    for setting in (
        "--ppo.minibatch",
        "--grpo.minibatch",
        "--clone.micro-batch",
        "--context",
        "--ppo.shared",
        "--scale tiny",
    ):
        assert setting in said
    assert list(tmp_path.iterdir()) == []


class Card:
    """A GPU of so many bytes."""

    def __init__(self, total_memory: int) -> None:
        self.total_memory = total_memory


def test_a_gpu_that_cannot_hold_the_weights_is_refused_and_a_larger_one_told_of(no_hub, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    sizes, said = [int(2e9), int(80e9)], []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card(sizes[0]))
    with pytest.raises(
        ValueError, match=r"^--device cuda: the GPU has 2\.0 GB, and weights and optimizer alone take \d\.\d GB"
    ):
        memory.check(FULL, said.append)
    assert said == []
    del sizes[0]
    memory.check(FULL, said.append)
    assert len(said) == 1
    assert "the GPU has 80.0 GB" in said[0]


@pytest.mark.parametrize("device", ["cuda:1", "gpu", "mps"])
def test_another_device_is_refused_before_anything_is_made(device, monkeypatch, tmp_path, capsys):
    """accelerate would have taken the first GPU in place of the second one, and said nothing."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cli.main(["run", "--device", device, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"rlhw: device must be cpu or cuda; got '{device}'.")
    assert "CUDA_VISIBLE_DEVICES" in said
    assert list(tmp_path.iterdir()) == []


def test_on_the_cpu_the_small_forum_says_nothing_and_full_scale_something():
    said = []
    memory.check(Settings(), said.append)
    assert said == []
    memory.check(replace(FULL, device="cpu", model="tiny"), said.append)
    assert len(said) == 1
    assert re.search(r"^On the CPU a run of this scale takes about \d+\.\d GB of memory", said[0])


def test_full_scale_fits_16_gb_by_the_estimate():
    """No stage is above 13 GB. The controls: whole batches at once, and rollouts of four times as many prompts, are not."""
    assert max(sum(need) for need in needs(FULL).values()) + memory.FIXED < 13e9
    for larger in (
        replace(FULL, reward=replace(FULL.reward, micro_batch=None)),
        replace(FULL, ppo=replace(FULL.ppo, prompts=96)),
        replace(FULL, grpo=replace(FULL.grpo, minibatch=None)),
    ):
        assert max(sum(need) for need in needs(larger).values()) + memory.FIXED > 16e9


def test_answers_of_a_large_model_are_measured_in_smaller_pieces():
    """Keys and values (float32) and logits of so many answers take 4 GB at most, by hand; the shipped model's are not cut."""
    assert memory.at_once(Settings(), config_of("tiny")) == 512
    one = 2 * 12 * 768 * 4 * FULL.context + (2 + 4 + 4) * 50257 * FULL.max_new_tokens
    found = memory.at_once(FULL, config_of("gpt2"))
    assert found * one <= 4e9 < (found + 1) * one


@pytest.mark.parametrize("verb", ["bc", "reward", "ppo", "dpo", "grpo"])
def test_one_training_is_estimated_too(verb, monkeypatch, tmp_path, capsys):
    online = ["--reward", "gold"] if verb in ("ppo", "grpo") else []
    train = [
        "train",
        verb,
        "--model",
        "tiny",
        "--data",
        "forum",
        *online,
        "--device",
        "cuda",
        "--out",
        str(tmp_path / "run"),
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(train) == 2
    said = capsys.readouterr().err
    assert said.startswith("rlhw: --device cuda: this run needs a GPU with about ")
    assert said.rstrip().endswith("or --context.")
    assert "minibatch" in said or "micro-batch" in said
    assert "--scale" not in said
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card(int(1e9)))
    assert cli.main(train) == 2
    assert "the GPU has 1.0 GB, and weights and optimizer alone take" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_may_not_be_enough_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    said = []
    for size in (10e9, 16e9):
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, size=size: Card(int(size)))
        memory.check(FULL, said.append)
    assert ["That may not be enough" in sentence for sentence in said] == [True, False]
