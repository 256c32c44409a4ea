"""The real commands: `python -m torch.distributed.run -m rlhw train` on two processes against one, `accelerate launch`, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pipeline_samples import FEW_STEPS, comparisons, texts, write_lines
from safetensors.torch import load_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
VERBS = ("bc", "reward", "dpo", "ppo", "grpo")
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# Each process has three prompts of a batch, with other numbers of real tokens.
SIZE = "6"


def environment() -> dict[str, str]:
    without = {key: value for key, value in os.environ.items() if key not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
    return without | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}


def rlhw(*arguments: str, launch: tuple[str, ...] = (), seconds: float = 400) -> subprocess.CompletedProcess:
    """The command to its end; when it takes longer, its processes are ended, those that it started too."""
    command = [sys.executable, *launch, "-m", "rlhw", *arguments]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # The launcher ends its workers, which have groups of their own, when it is asked to end itself.
        process.terminate()
        process.communicate(timeout=60)
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, said)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> dict[str, list[str]]:
    """Two steps of each training, with a reward model that was trained before."""
    folder = tmp_path_factory.mktemp("files")
    files = {
        "texts": write_lines(folder / "texts.jsonl", texts(12)),
        "data": write_lines(folder / "data.jsonl", comparisons(12)),
    }
    common = ["--model", "tiny"]
    votes = ["--data", files["data"], "--epochs", "1", "--size", SIZE]
    online = ["--data", files["texts"], "--rollouts", "2", "--prompts", SIZE, "--answers", "2", "--max-new-tokens", "6"]
    online += ["--reward", str(folder / "reward" / "model")]
    found = {
        "bc": ["bc", *common, "--data", files["texts"], "--steps", "2", "--size", SIZE],
        "reward": ["reward", *common, *votes],
        "dpo": ["dpo", *common, *votes],
        "ppo": ["ppo", *common, *online],
        "grpo": ["grpo", *common, *online],
    }
    done = rlhw("train", *found["reward"], "--out", str(folder / "reward"))
    assert done.returncode == 0, done.stderr[-2000:]
    return found


def differences(one: Path, other: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """How far apart all weights are, but for the keys' biases, and those.

    A softmax does not feel a bias that all keys share: its gradient is 0, and nothing but rounding errors is left of it.
    """
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    weights, biases = [], []
    for name in first:
        apart = (first[name] - second[name]).abs()
        if name.endswith("attn.c_attn.bias"):
            query, key, value = apart.chunk(3)
            biases.append(key)
            apart = torch.cat([query, value])
        weights.append(apart.flatten())
    return torch.cat(weights), torch.cat(biases)


@pytest.fixture(scope="module", params=VERBS)
def runs(request, arguments, tmp_path_factory) -> tuple[str, dict[str, Path]]:
    """The same two steps by one process and by two, and those of another seed."""
    verb, folder = request.param, tmp_path_factory.mktemp(request.param)
    launches = {"one": ((), "4"), "two": (TWO, "4"), "other": ((), "5")}
    for name, (launch, seed) in launches.items():
        done = rlhw("train", *arguments[verb], "--seed", seed, "--out", str(folder / name), launch=launch)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("model: ") == 1, "the main process alone says where the model is"
        assert done.stdout.count("data: ") == (verb in ("reward", "dpo"))
    return verb, {name: folder / name for name in launches}


def test_two_processes_train_the_model_of_one(runs):
    """All but one weight in a thousand agree to 1e-5. Where a gradient is as small as its rounding error (float32), Adam makes a
    step of the error, of up to 1e-3: there weights agree to 2e-4. The keys' biases, whose gradients are below Adam's ε of 1e-8,
    agree to no more than that step. In float64 and with SGD all agree to 1e-9: test_two_processes.py."""
    apart, biases = differences(runs[1]["one"], runs[1]["two"])
    assert apart.max() < 2e-4
    assert (apart > 1e-5).double().mean() < 1e-3
    assert biases.max() < 2e-3
    control, _ = differences(runs[1]["one"], runs[1]["other"])
    assert control.max() > 2e-4
    assert (control > 1e-5).double().mean() > 0.1


def test_two_processes_say_of_a_step_what_one_does(runs):
    """Figures agree to 1e-4 of themselves. At π = π_ref rounding errors decide DPO's accuracy, as there is nothing else."""
    verb, folders = runs
    curves = [json.loads((folders[name] / "done.json").read_text(encoding="utf8"))["curve"] for name in ("one", "two")]
    if verb == "dpo":
        for curve in curves:
            del curve[0]["accuracy"]
    for step, again in zip(*curves, strict=True):
        assert again == pytest.approx(step, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("verb", "part"), [("bc", "--micro-batch"), ("ppo", "--minibatch")])
def test_two_processes_go_through_their_prompts_in_pieces(arguments, tmp_path, verb, part):
    done = rlhw("train", *arguments[verb], part, "2", "--out", str(tmp_path / "two"), launch=TWO)
    assert done.returncode == 0, done.stderr[-2000:]


def test_prompts_that_cannot_be_shared_equally_are_refused(arguments, tmp_path):
    """One process would have more pieces than the other, and wait for it for ever."""
    odd = ["5" if word == SIZE else word for word in arguments["bc"]]
    done = rlhw("train", *odd, "--micro-batch", "2", "--out", str(tmp_path / "two"), launch=TWO)
    assert done.returncode != 0
    assert "rlhw: size and prompts must be multiples of the 2 processes" in done.stderr


def test_accelerate_launch(arguments, tmp_path):
    """One process: on the CPU its launcher starts no more, whatever it is told."""
    launch = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1")
    done = rlhw("train", *arguments["bc"], "--out", str(tmp_path / "run"), launch=launch)
    assert done.returncode == 0, done.stderr[-2000:]
    plain = rlhw("train", *arguments["bc"], "--out", str(tmp_path / "plain"))
    assert plain.returncode == 0
    assert [float(apart.max()) for apart in differences(tmp_path / "run", tmp_path / "plain")] == [0.0, 0.0]


def begun(folder: Path, stage: str) -> tuple[subprocess.Popen, list[str]]:
    """A run in a process of its own, in the middle of a stage."""
    few = [*FEW_STEPS, "--clone.posts", "72", "--compare.prompts", "16", "--ppo.rollouts", "40"]
    command = [sys.executable, "-m", "rlhw", "run", *few, "--out", str(folder)]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Where these tests run in the background Ctrl-C is ignored, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    end = time.monotonic() + 300
    while not list((folder / stage).glob("step_*")):
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < end
        time.sleep(0.02)
    return process, command


def test_ctrl_c_in_the_middle_of_a_stage_keeps_what_was_finished(tmp_path):
    """Exit code 130 and one sentence; --resume goes on, and the models are those of a run that nobody stopped."""
    process, command = begun(tmp_path / "run", "ppo")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.endswith("rlhw: stopped; what was finished is kept.\n")
    assert "Traceback" not in said
    assert (tmp_path / "run" / "reward" / "done.json").is_file()
    assert not (tmp_path / "run" / "ppo" / "done.json").exists()
    assert not (tmp_path / "run" / "ppo" / "model").exists()
    kept = len(list((tmp_path / "run" / "ppo").glob("step_*")))
    assert 1 <= kept <= 2
    resumed = subprocess.run(
        [*command, "--resume"], env=environment(), capture_output=True, text=True, timeout=400, check=False
    )
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert (tmp_path / "run" / "report.html").is_file()
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.endswith(".part")]
    whole = [str(tmp_path / "whole") if word == str(tmp_path / "run") else word for word in command]
    assert subprocess.run(whole, env=environment(), capture_output=True, timeout=400, check=False).returncode == 0
    for stage in ("ppo", "grpo", "dpo"):
        one, other = (load_file(tmp_path / name / stage / "model" / "model.safetensors") for name in ("run", "whole"))
        assert all(torch.equal(one[name], other[name]) for name in one)
