"""FSDP: two processes, each with a part of every model, against one, in all five trainings; files of one kind; taken up again."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pipeline_samples import FEW_STEPS
from safetensors.torch import load_file
from small_models import gpt2

from rlhw import checkpoint
from rlhw.language_model import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(__file__).with_name("sharded_jobs.py")
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
VERBS = ("bc", "reward", "dpo", "ppo", "grpo")


def run(*command: str, sharded: bool) -> str:
    """What a command prints, on two processes with shards, or on one."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    environment |= {"ACCELERATE_USE_FSDP": "true"} if sharded else {}
    launch = TWO if sharded else ()
    done = subprocess.run(
        [sys.executable, *launch, *command], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A run of one process, one in shards, and one in shards that was stopped after two steps: it goes on in shards, and, copied,
    on one process."""
    base = tmp_path_factory.mktemp("sharded")
    found = {name: base / name for name in ("one", "two", "resumed", "moved")}
    run(str(SCRIPT), str(found["one"]), "99", sharded=False)
    said = run(str(SCRIPT), str(found["two"]), "99", sharded=True)
    assert "2 processes, each with a part of every model" in said
    for name in ("resumed", "moved"):
        if name == "resumed":
            run(str(SCRIPT), str(found[name]), "2", sharded=True)
            subprocess.run(["cp", "-r", str(found["resumed"]), str(found["moved"])], check=True)
        run(str(SCRIPT), str(found[name]), "99", sharded=name == "resumed")
    return found


def apart(one: Path, other: Path) -> float:
    """The greatest distance of two models, and of their newest checkpoints: weights, moments, counts of steps."""
    distances = []
    for files in (
        [folder / "model" / "model.safetensors" for folder in (one, other)],
        [checkpoint.latest(folder) for folder in (one, other)],
    ):
        first, second = map(load_file, files)
        assert first.keys() == second.keys()
        distances += [float((first[name].double() - second[name].double()).abs().max()) for name in first]
    return max(distances)


@pytest.mark.parametrize("verb", VERBS)
def test_shards_take_the_steps_of_one_process(folders, verb):
    """To 1e-6, in float64 and with Adam; figures to 1e-6 too, but for accuracies: rounding decides between equal answers."""
    assert apart(folders["one"] / verb, folders["two"] / verb) < 1e-6
    curves = [json.loads((folders[name] / verb / "done.json").read_text())["curve"] for name in ("one", "two")]
    assert len(curves[0]) == (3 if verb == "reward" else 4), "the reward model stops early"
    for step, again in zip(*curves, strict=True):
        for name in step.keys() - {"accuracy"}:
            assert math.isclose(step[name], again[name], rel_tol=1e-6, abs_tol=1e-6), name


@pytest.mark.parametrize("verb", VERBS)
def test_a_sharded_training_is_taken_up_again(folders, verb):
    """In shards bit for bit, by one process to 1e-6: the file is whole. The control: the first model is far away."""
    assert apart(folders["two"] / verb, folders["resumed"] / verb) == 0
    assert apart(folders["two"] / verb, folders["moved"] / verb) < 1e-6
    if verb != "reward":
        trained, first = load(folders["two"] / verb / "model")[0].state_dict(), gpt2(1).state_dict()
        assert max(float((trained[name] - first[name]).abs().max()) for name in first) > 1e-2


def test_a_loss_scale_works_on_shards(folders, tmp_path):
    """A power of two changes nothing (1e-6). One at which float64 overflows is halved by both processes at the same steps."""
    for power in ("20", "1023"):
        run(str(SCRIPT), str(tmp_path / power), "99", power, sharded=True)
    for verb in VERBS:
        small, large = (json.loads((tmp_path / power / verb / "done.json").read_text()) for power in ("20", "1023"))
        assert small["skipped"] == 0
        assert apart(tmp_path / "20" / verb, folders["two"] / verb) < 1e-6
        assert large["skipped"] > 0
        assert [math.log2(step["loss_scale"]) for step in large["curve"]][-1] == 1023 - large["skipped"]
        assert large["curve"][0]["grad_norm"] == 0 or verb in ("ppo", "grpo"), "there it is a mean over several updates"


def test_the_whole_pipeline_runs_in_shards_in_bf16(tmp_path):
    """The main process alone writes the report, with whole models, while the other waits."""
    out = tmp_path / "run"
    few = [*FEW_STEPS, "--clone.posts", "72", "--compare.prompts", "16", "--precision", "bf16", "--out", str(out)]
    said = run("-m", "rlhw", "run", *few, sharded=True)
    assert said.count("each with a part of every model; models are called in bf16.") == 1
    assert said.count("report: ") == 1
    weights = {
        stage: load_file(out / stage / "model" / "model.safetensors") for stage in ("clone", "ppo", "grpo", "dpo")
    }
    name = "transformer.h.1.mlp.c_fc.weight"
    assert len({float(one[name].double().sum()) for one in weights.values()}) == 4
    assert all(
        one[name].shape == weights["clone"][name].shape and torch.isfinite(one[name]).all() for one in weights.values()
    )
