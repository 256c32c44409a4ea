"""What goes wrong on the way, each in one sentence: memory that runs out, a data set that is gone, settings that changed."""

import json
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
import torch
import transformers
from pipeline_samples import FEW_STEPS, comparisons, texts, write_lines
from safetensors.torch import load_file

from rlhw import cli
from rlhw.batches import PLAIN
from rlhw.pipeline import AGAIN, jobs, memory
from rlhw.pipeline.folder import open_run
from rlhw.pipeline.host import Host
from rlhw.pipeline.settings import Settings

TINY = ["run", "--clone.posts", "72", *FEW_STEPS, "--until", "clone"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    return {
        "texts": write_lines(folder / "texts.jsonl", texts(60)), "data": write_lines(folder / "data.jsonl", comparisons(20)),
    }  # fmt: skip


def refused(arguments: list[str], capsys) -> str:
    """What a command says that ends with exit code 2: one line, the last one."""
    assert cli.main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rlhw: ")]
    assert len(lines) == 1
    return lines[0]


def out_of_memory_after(steps: int, error: Exception):
    """A loop of behavior cloning that has memory for so many steps."""

    def train(*given, loop=jobs.train_bc, **what):
        for number, figures in enumerate(loop(*given, **what)):
            if number == steps:
                raise error
            yield figures

    return train


ERRORS = {
    "CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "CPU": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    ),
    "Python": MemoryError(),
    "CUDA itself": torch.AcceleratorError("CUDA error: out of memory"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_out_of_memory_is_one_sentence(kind):
    words = r"^out of memory in clone: turn down --clone.micro-batch; what was finished is kept, and"
    with pytest.raises(OSError, match=words), memory.enough("clone", memory.SMALLER["clone"], AGAIN):
        raise ERRORS[kind]


OTHERS = [
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    torch.distributed.DistBackendError("NCCL error: unhandled system error"), NotImplementedError(), RecursionError(),
]  # fmt: skip


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_other_errors_are_not_called_out_of_memory(error):
    """All of them are a RuntimeError of some kind, as torch's own error of memory is."""
    with pytest.raises(type(error)), memory.enough("clone", memory.SMALLER["clone"], AGAIN):
        raise error


def test_a_run_that_was_out_of_memory_goes_on_in_smaller_pieces(tmp_path, monkeypatch, capsys):
    """The weights are those of a run that always had memory, to 1e-5: a batch in pieces is the same batch."""
    monkeypatch.setattr(jobs, "SAVE_EVERY", 1)
    out = ["--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "train_bc", out_of_memory_after(1, ERRORS["CUDA"]))
        assert refused([*TINY, *out], capsys).startswith(
            "rlhw: out of memory in clone: turn down --clone.micro-batch; what"
        )
    assert (tmp_path / "run" / "clone" / "step_00000001.safetensors").is_file()
    assert cli.main([*TINY, *out, "--resume", "--clone.micro-batch", "4"]) == 0
    assert cli.main([*TINY, "--out", str(tmp_path / "whole")]) == 0
    one, other = (load_file(tmp_path / name / "clone" / "model" / "model.safetensors") for name in ("run", "whole"))
    # The keys' biases have gradients of rounding errors alone.
    assert all(
        torch.allclose(one[name], other[name], atol=1e-5) for name in one if not name.endswith("attn.c_attn.bias")
    )


def test_another_error_is_not_taken_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "train_bc", out_of_memory_after(0, RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        cli.main([*TINY, "--out", str(tmp_path / "run")])


def test_out_of_memory_in_one_training(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "train_bc", out_of_memory_after(0, ERRORS["CUDA"]))
    train = ["train", "bc", "--model", "tiny", "--data", files["texts"], "--steps", "1", "--size", "4"]
    said = refused([*train, "--out", str(tmp_path / "out")], capsys)
    assert said.startswith("rlhw: out of memory in train bc: turn down --micro-batch; its checkpoints are kept")


def taken_up(out: Path, now: Settings) -> dict:
    open_run(out, now.as_json(), True, Host(PLAIN, torch.device("cpu")))
    return json.loads((out / "settings.json").read_text(encoding="utf8"))


def test_settings_of_stages_that_have_not_begun_may_change(tmp_path):
    """The clone is done and PPO has a checkpoint; GRPO and DPO have folders with nothing in them."""
    begun, alone = Settings(), Host(PLAIN, torch.device("cpu"))
    open_run(tmp_path, begun.as_json(), False, alone)
    for stage in ("clone", "ppo", "grpo"):
        (tmp_path / stage).mkdir()
    (tmp_path / "clone" / "done.json").write_text("{}")
    (tmp_path / "ppo" / "step_00000001.safetensors").write_text("")
    for now in (
        change(begun, "grpo.prompts", 4),
        change(begun, "evaluate.posts", 9),
        change(begun, "clone.micro_batch", 2),
    ):
        assert taken_up(tmp_path, now) == json.loads(now.as_json())
        open_run(tmp_path, begun.as_json(), True, alone)
    for name, value in (("ppo.prompts", 4), ("clone.steps", 3), ("beta", 0.5), ("context", 100)):
        with pytest.raises(ValueError, match=rf"^--resume: the run in .* was begun with {name}="):
            taken_up(tmp_path, change(begun, name, value))
    assert taken_up(tmp_path, begun) == json.loads(begun.as_json())


def change(settings: Settings, name: str, value: object) -> Settings:
    """The settings with one changed, which may be of a stage."""
    stage, _, rest = name.partition(".")
    return replace(settings, **{stage: replace(getattr(settings, stage), **{rest: value}) if rest else value})


GONE = {
    "gone": (datasets.exceptions.DatasetNotFoundError("Dataset 'away/gone' doesn't exist on the Hub or cannot be accessed."),
             "'away/gone' cannot be read: there is no such data set on the Hub, or it is gone or private"),
    "no network": (ConnectionError("Couldn't reach 'away/gone' on the Hub (OfflineModeIsEnabled)"),
                   "'away/gone' could not be fetched, because the Hub was not reached"),
}  # fmt: skip


@pytest.mark.parametrize("why", GONE)
@pytest.mark.parametrize("setting", ["data", "texts"])
def test_a_data_set_that_is_not_to_be_had_is_found_before_anything_is_trained(
    setting, why, files, tmp_path, monkeypatch, capsys
):
    def load(*given, **what):
        raise GONE[why][0]

    monkeypatch.setattr(datasets, "load_dataset", load)
    given = files | {setting: "away/gone"}
    arguments = ["run", "--scale", "full", "--device", "cpu", "--model", "tiny", "--context", "160", *FEW_STEPS]
    arguments += [word for name, file in given.items() for word in (f"--{name}", file)]
    said = refused([*arguments, "--out", str(tmp_path / "run")], capsys)
    assert said.startswith(f"rlhw: --{setting}: {GONE[why][1]}")
    assert said.endswith("; or give a .jsonl file of your own.")
    assert not list((tmp_path / "run").rglob("step_*"))
    verb = ["dpo"] if setting == "data" else ["bc"]
    said = refused(["train", *verb, "--model", "tiny", "--data", "away/gone", "--out", str(tmp_path / "one")], capsys)
    assert GONE[why][1] in said
    assert said.endswith("; or give a .jsonl file of your own.")


def test_a_model_that_is_gone_is_found_before_anything_is_written(files, tmp_path, monkeypatch, capsys):
    """At full scale and in one training; the Hub is played by its library's error."""

    def load(*given, **what):
        raise OSError("away/gone is not a local folder and is not a valid model identifier")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", load)
    full = ["run", "--scale", "full", "--device", "cpu", "--texts", files["texts"], "--data", files["data"]]
    said = refused([*full, "--model", "away/gone", "--out", str(tmp_path / "run")], capsys)
    assert said == "rlhw: model: 'away/gone' is no folder with a model here, and not to be had from the Hub."
    train = ["train", "bc", "--model", "away/gone", "--data", files["texts"], "--out", str(tmp_path / "one")]
    said = refused(train, capsys)
    assert said.startswith(
        "rlhw: name_or_path: 'away/gone' is no folder here and not to be had from the Hub: no such model"
    )
    assert not list(tmp_path.rglob("step_*"))


def test_every_stage_has_a_way_down():
    assert set(memory.SMALLER) == set(memory.estimate(Settings(), memory.config_of("tiny"))) | {"compare"}
