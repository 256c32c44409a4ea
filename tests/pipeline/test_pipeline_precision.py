"""16 bits: what is chosen where, and a loss scale with which gradients that would vanish in fp16 are those of float32."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_models import random_batch
from small_rollouts import small_gpt2
from tiny_models import tokenizer
from torch import nn

from rlhw import checkpoint, cli
from rlhw.batches import PLAIN
from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.pipeline import jobs
from rlhw.pipeline.folder import Job, silent
from rlhw.pipeline.host import Host, host
from rlhw.pipeline.precision import LossScale, chosen
from rlhw.pipeline.settings import Cloning


def gpu(
    monkeypatch, bf16: bool, capability: tuple[int, int] = (7, 5), architectures: tuple[str, ...] = ("sm_75",)
) -> None:
    """A GPU as torch describes it."""
    answers = {
        "is_available": lambda: True, "is_bf16_supported": lambda including_emulation: bf16,
        "get_device_name": lambda device=None: "Tesla T4", "get_device_capability": lambda: capability,
        "get_arch_list": lambda: list(architectures),
    }  # fmt: skip
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)


CHOICES = [
    ("auto", None, "cpu", False, "float32"), ("bf16", None, "cpu", False, "bf16"), ("auto", "bf16", "cpu", False, "bf16"),
    ("auto", None, "cuda", True, "bf16"), ("auto", None, "cuda", False, "fp16"), ("auto", "no", "cuda", True, "float32"),
    ("fp16", "bf16", "cuda", False, "fp16"), ("float32", None, "cuda", True, "float32"), ("fp16", None, "cuda", True, "fp16"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "told", "device", "bf16", "wanted"), CHOICES)
def test_what_is_asked_for_comes_first_then_what_accelerate_was_told(monkeypatch, asked, told, device, bf16, wanted):
    gpu(monkeypatch, bf16)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if told is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
    assert chosen(asked, device) == wanted


REFUSED = [
    (
        "bf16",
        None,
        "cuda",
        r"^precision: bf16 was asked for, and this GPU \(Tesla T4\) does not .*--precision fp16 or float32",
    ),
    ("auto", "bf16", "cuda", r"^ACCELERATE_MIXED_PRECISION: bf16 was asked for, and this GPU .*--mixed_precision fp16"),
    ("fp16", None, "cpu", r"^precision: fp16 needs a GPU; on the CPU take --precision float32, or bf16"),
    ("auto", "fp8", "cuda", r"^ACCELERATE_MIXED_PRECISION: 'fp8' is not known here"),
]


@pytest.mark.parametrize(("asked", "told", "device", "sentence"), REFUSED)
def test_what_a_device_has_not_is_refused_and_never_replaced(monkeypatch, asked, told, device, sentence):
    gpu(monkeypatch, bf16=False)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if told is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
    with pytest.raises(ValueError, match=sentence):
        host(device, asked)


def test_a_gpu_newer_than_torch_is_one_sentence(monkeypatch, tmp_path, capsys):
    gpu(monkeypatch, True, capability=(12, 0), architectures=("sm_80", "sm_90"))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: type("Card", (), {"total_memory": 16e9}))
    for command in (["run"], ["train", "bc", "--model", "tiny", "--data", "forum"]):
        assert cli.main([*command, "--device", "cuda", "--out", str(tmp_path / "run")]) == 2
        said = capsys.readouterr().err
        assert said.startswith("rlhw: device: Tesla T4, compute capability 12.0; torch ")
        assert "is too old for this GPU: it supports up to 9.0" in said
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


class Small(nn.Module):
    """y = w · x in fp16, times a small number: the gradient of y is 1e-9, and 0 in fp16."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 4)

    def loss(self, half: bool) -> torch.Tensor:
        x = torch.linspace(0.5, 1.5, 24).view(3, 8)
        with torch.autocast("cpu", torch.float16, enabled=half):
            return 1e-9 * self.layer(x).float().square().sum()


def gradients(engine, half: bool) -> list[torch.Tensor]:
    model = Small()
    engine.backward(model.loss(half))
    engine.clip_grad_norm_(model.parameters(), 1e9)
    return [parameter.grad for parameter in model.parameters()]


def test_gradients_that_vanish_in_fp16_are_those_of_float32_with_a_scale():
    """To 1 part in 200: fp16 has 11 bits. The control: without a scale all of them are 0."""
    wanted, scaled = gradients(PLAIN, False), gradients(LossScale(PLAIN, first=2.0**24), True)
    for right, found in zip(wanted, scaled, strict=True):
        torch.testing.assert_close(found, right, rtol=5e-3, atol=0)
        assert right.abs().min() > 0
    assert all(bool((gradient == 0).all()) for gradient in gradients(PLAIN, True))


def three_steps(engine) -> tuple[list[dict], dict[str, torch.Tensor]]:
    model = small_gpt2(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    batches = [random_batch(4, 2, seed=seed) for seed in range(3)]
    figures = list(train_bc(model, batches, optimizer, CloningConfig(micro_batch=2), engine=engine))
    return figures, model.state_dict()


class ClipsFirst(LossScale):
    """A mutant: what is clipped is the gradient of the scaled loss."""

    def clip_grad_norm_(self, parameters, max_norm):
        return self.engine.clip_grad_norm_(parameters, max_norm)


def test_in_float32_a_scale_changes_no_bit():
    plain, weights = three_steps(PLAIN)
    for scale in (2.0, 2.0**16):
        figures, found = three_steps(LossScale(PLAIN, first=scale))
        assert figures == plain
        assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert three_steps(ClipsFirst(PLAIN))[0] != plain


def overflowing(scale: LossScale, model: nn.Module, loss: float) -> tuple[float, bool]:
    """(norm, whether the weights moved) of one step whose gradient is `loss` times the scale, in fp16."""
    optimizer, before = torch.optim.AdamW(model.parameters(), lr=0.1), model.weight.detach().clone()
    optimizer.zero_grad()
    scale.backward((model(torch.ones(1, 1)) * loss).sum())
    # What a backward pass through fp16 leaves of a gradient that is too large for it.
    model.weight.grad = model.weight.grad.half().float()
    norm = scale.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(norm), not torch.equal(before, model.weight)


def test_a_step_that_overflows_changes_nothing_and_halves_the_scale_until_none_does():
    scale, model = LossScale(PLAIN, first=2.0**17, patience=3), nn.Linear(1, 1, bias=False)
    seen = []
    for _ in range(6):
        seen.append((*overflowing(scale, model, 1.0), scale.scale))
    # 65536 is above 65504, the greatest number of fp16. Three steps that are taken double the scale again.
    assert seen == [
        (0.0, False, 2.0**16), (0.0, False, 2.0**15), (1.0, True, 2.0**15), (1.0, True, 2.0**15), (1.0, True, 2.0**16),
        (0.0, False, 2.0**15),
    ]  # fmt: skip
    assert scale.skipped == 3


def test_what_is_not_finite_at_any_scale_stops_the_training():
    model = small_gpt2(1)

    class Broken(LossScale):
        def backward(self, loss):
            super().backward(loss * float("inf"))

    optimizer, scale = torch.optim.AdamW(model.parameters(), lr=0.01), Broken(PLAIN, first=4.0)
    batches = [random_batch(4, 2, seed=seed) for seed in range(9)]
    with pytest.raises(FloatingPointError, match=r"gradient's norm of step 3 is (nan|inf): that step was not taken"):
        list(train_bc(model, batches, optimizer, CloningConfig(), engine=scale))
    assert scale.skipped == 2


class Half(Host):
    """A GPU without bf16, played by the CPU: models are called in fp16, as accelerate has them called."""

    def wrap(self, model: nn.Module, learns: bool = True) -> nn.Module:
        forward = model.forward

        def called(*given, **what):
            with torch.autocast("cpu", torch.float16):
                return forward(*given, **what)

        model.forward = called
        return model


class Killed(Exception):
    """Not caught by anything in a job."""


def stopped(steps, start, total):
    for number, figures in enumerate(steps):
        if number == 3:
            raise Killed
        yield figures


def clone(folder: Path, first: float, progress=silent, kind: type = Half) -> dict:
    engine = LossScale(PLAIN, first=first, patience=2) if kind is Half else PLAIN
    settings = Cloning(steps=6, size=4, rate=0.01)
    return jobs.bc(
        Job(folder, kind(engine, torch.device("cpu")), 3, progress),
        small_gpt2(1),
        tokenizer(),
        random_batch(12, 2),
        settings,
    )


def test_the_scale_is_taken_up_with_the_training(tmp_path, monkeypatch):
    """Bit for bit, from a scale at which the first steps overflow. The control: begun anew it is another one."""
    monkeypatch.setattr(jobs, "SAVE_EVERY", 1)
    whole = clone(tmp_path / "whole", 2.0**18)
    assert whole["skipped"] >= 2
    assert [step["loss_scale"] for step in whole["curve"]] != [2.0**18] * 6
    assert [step["grad_norm"] for step in whole["curve"][:2]] == [0.0, 0.0]
    with pytest.raises(Killed):
        clone(tmp_path / "killed", 2.0**18, stopped)
    with monkeypatch.context() as patch:
        patch.setattr(LossScale, "begin", lambda self, state=None, begin=LossScale.begin: begin(self))
        (tmp_path / "forgets").mkdir()
        for file in (tmp_path / "killed").iterdir():
            (tmp_path / "forgets" / file.name).write_bytes(file.read_bytes())
        forgets = clone(tmp_path / "forgets", 2.0**18)
    resumed = clone(tmp_path / "killed", 2.0**18)
    assert resumed["curve"] == whole["curve"] != forgets["curve"]
    assert resumed["skipped"] == whole["skipped"]
    files = [load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])


def test_a_training_in_fp16_is_that_of_float32_to_its_digits(tmp_path):
    """Losses of six steps to 1 part in 100; the last ones have fallen by more."""
    half, plain = clone(tmp_path / "half", 2.0**10), clone(tmp_path / "plain", 1.0, kind=Host)
    losses = [[step["loss"] for step in one["curve"]] for one in (half, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0] != losses[1]
    assert losses[1][-1] < 0.95 * losses[1][0]
    record = checkpoint.latest(tmp_path / "half")
    assert (
        json.loads(checkpoint.safe_open(record, "pt").metadata()["record"])["state"]["loss_scale"]["scale"] == 2.0**13
    )


def test_the_optimizer_is_one_kernel_on_a_gpu_alone(monkeypatch):
    """A stub: AdamW itself refuses parameters that are not where it says."""
    given = []
    monkeypatch.setattr(
        torch.optim, "AdamW", lambda groups, **what: given.append(what["fused"]) or torch.optim.SGD(groups)
    )
    for device in ("cuda", "cpu"):
        jobs._optimizer(Host(PLAIN, torch.device(device)), [{"params": [nn.Parameter(torch.ones(1))], "lr": 0.1}], 5, 1)
    assert given == [True, None]
