"""Two processes take the same steps as one: each training loop under torch.distributed, gloo, with DDP and with FSDP."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("two_processes.py")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
LOOPS = ("bc", "reward", "dpo", "grpo", "ppo")


def run(path: Path, *launch: str, mode: str = "") -> dict[str, torch.Tensor]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *launch, str(SCRIPT), str(path), *([mode] if mode else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return load_file(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("processes")
    return {
        "one": run(folder / "one"),
        "two": run(folder / "two", *LAUNCH),
        "sharded": run(folder / "sharded", *LAUNCH, mode="sharded"),
        "uneven": run(folder / "uneven", *LAUNCH, mode="uneven"),
        "mutant": run(folder / "mutant", *LAUNCH, mode="alone"),
        "uneven mutant": run(folder / "uneven mutant", *LAUNCH, mode="uneven-alone"),
    }


def differences(one: dict, other: dict, loop: str) -> list[str]:
    """Weights that differ by more than 1e-9, figures (some of them float32) by more than 1e-5, of size 1 or relative."""
    found = []
    names = sorted(name for name in one if name.startswith(f"{loop}/"))
    assert names == sorted(name for name in other if name.startswith(f"{loop}/")) != []
    for name in names:
        tolerance = 1e-5 if "/figures." in name else 1e-9
        if not torch.allclose(one[name], other[name], rtol=tolerance, atol=tolerance):
            found.append(name)
    return found


@pytest.mark.parametrize("loop", LOOPS)
def test_two_processes_equal_one(runs, loop):
    """Three steps with different numbers of real tokens in the two."""
    assert differences(runs["one"], runs["two"], loop) == []


@pytest.mark.parametrize("loop", LOOPS)
def test_sharded_processes_equal_one(runs, loop):
    """FSDP: weights, gradients and the optimizer's state lie in pieces."""
    assert differences(runs["one"], runs["sharded"], loop) == []


@pytest.mark.parametrize("loop", ["bc", "dpo"])
def test_unequal_shares_equal_one_process(runs, loop):
    """Four prompts and two. The control: an engine that lets each divide by its own count takes another step."""
    assert differences(runs["one"], runs["uneven"], loop) == []
    assert any("/policy." in name for name in differences(runs["one"], runs["uneven mutant"], loop))


def test_an_engine_that_reduces_nothing_is_found(runs):
    """The control. Whitened advantages, and β that follows the KL, are then those of one process alone."""
    found = differences(runs["one"], runs["mutant"], "ppo")
    assert any(name.startswith("ppo/policy.") for name in found)
