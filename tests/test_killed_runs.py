"""Runs killed with SIGKILL and resumed end as a whole one does, hash by hash; and what the hashes see."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.run_hashes import fingerprints
from rlhw import checkpoint

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_runs_killed_at_random_moments_end_as_a_whole_one():
    """`python -m benchmarks.resume` with fewer kills, at moments that no run before had; what it prints names their seed."""
    moments = random.SystemRandom().randrange(2**32)
    command = [sys.executable, "-m", "benchmarks.resume", "--kills", "4", "--moments", str(moments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    said = f"seed of the moments: {moments}\n{done.stderr[-4000:]}{done.stdout}"
    assert done.returncode == 0, said
    found = {name: entry["value"] for name, entry in json.loads(done.stdout).items()}
    assert found["kills"] == 4, said
    # Two random runs or more, and the one that is killed in its writes.
    assert found["equal"] >= 3, said
    assert {name: value for name, value in found.items() if name.startswith("writes_")} == {
        "writes_checkpoint": 5, "writes_model": 5, "writes_done": 7, "writes_replaced": 5,
        "writes_comparisons": 1, "writes_summary": 1, "writes_report": 1,
    }, said  # fmt: skip
    # The checks can fail: five stages with three sabotaged resumes each, two damaged files, another seed.
    assert (found["mutants"], found["refused"], found["seed"]) == (15, 2, 1), said


def left_by_a_run(folder: Path, weight: float = 1.0, loss: float = 0.5, seconds: float = 3.0) -> dict[str, str]:
    """The hashes of a folder with what a stage leaves."""
    place = folder / "clone"
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(weight)
    state = {"curve": [{"loss": loss}], "seconds": seconds, "place": str(folder)}
    checkpoint.save(place, 1, model=model, state=state)
    (place / "model").mkdir()
    (place / "model" / "config.json").write_text("{}", encoding="utf8")
    (place / "done.json").write_text(json.dumps(state), encoding="utf8")
    return fingerprints(folder, ("clone",))


def test_hashes_see_weights_and_figures_and_neither_times_nor_places(tmp_path):
    torch.manual_seed(0)
    whole = left_by_a_run(tmp_path / "whole")
    tensors = {f"clone/step_00000001.safetensors/model/{name}" for name in ("weight", "bias")}
    records = {"clone/step_00000001.safetensors/record", "clone/done.json"}
    assert whole.keys() == tensors | records | {"clone/model/config.json"}

    def differ(name, **changes):
        torch.manual_seed(0)
        other = left_by_a_run(tmp_path / name, **changes)
        return {key for key in whole if other[key] != whole[key]}

    assert differ("again", seconds=4.0) == set()
    assert differ("weight", weight=1.0000001) == {"clone/step_00000001.safetensors/model/weight"}
    assert differ("figure", loss=0.5000000000000001) == records
