"""The notebooks' way at the full scale, walked with small local files on the CPU: RLHW_SCALE=full, no Hub, no GPU.

A first cell puts small settings in the place of `rlhw.pipeline.settings.FULL` and passes over the search for a GPU; every
other cell is the notebook's own. So what a GPU would do is not tested here, but each line of the path is run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline.pipeline_samples import comparisons, texts, write_lines

from rlhw.repository import as_text, notebooks

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "tests/colab/run_notebook.py"
PREAMBLE = """\
import dataclasses

import rlhw.session
from rlhw.pipeline import settings

rlhw.session.device_report = lambda chosen: ["device: CPU, in the place of a GPU"]
small = settings.Settings(
    scale="full", model="tiny", device="cpu", context=160, max_new_tokens=12, texts={texts!r}, data={data!r},
    clone=settings.Clone(posts=64, answers=1, steps=3, size=8, rate=1e-3, micro_batch=4),
    reward=settings.Reward(epochs=0.5, size=8, rate=1e-3, micro_batch=4), dpo=settings.DPO(epochs=0.5, size=8, micro_batch=4),
    ppo=settings.PPO(rollouts=2, prompts=8, answers=2),
    evaluate=settings.Evaluate(posts=4, answers=2, samples=8, most=16),
)
changed = {{field.name for field in dataclasses.fields(small) if getattr(small, field.name) != getattr(settings.FULL, field.name)}}
assert changed >= {{"model", "device", "texts", "data"}}
settings.FULL = small
"""


def source(notebook: Path) -> str:
    """The code of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def has_full_scale(notebook: Path) -> bool:
    """Whether a notebook takes other settings at the full scale; the others are the same at both."""
    return "FULL" in source(notebook)


def walk(notebook: Path, folder: Path, texts_file: str, data_file: str) -> subprocess.CompletedProcess:
    """Run a notebook from an empty folder, behind the preamble."""
    document = json.loads(notebook.read_text(encoding="utf8"))
    first = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "id": "preamble"}
    document["cells"].insert(0, first | {"source": PREAMBLE.format(texts=texts_file, data=data_file)})
    path = folder / notebook.name
    path.write_text(as_text(document), encoding="utf8")
    empty = folder / "empty"
    empty.mkdir()
    environment = os.environ | {"RLHW_SCALE": "full", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(RUN), str(path)]
    done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
    assert list(empty.iterdir()) == [], "the notebook leaves files behind"
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("files")
    return write_lines(folder / "texts.jsonl", texts(200)), write_lines(folder / "data.jsonl", comparisons(80))


def test_the_training_notebooks_have_a_full_scale():
    found = [path.name for path in notebooks(ROOT) if has_full_scale(path)]
    names = ("03_behavior_cloning", "04_human_preferences", "05_reward_model", "06_ppo", "07_dpo", "08_how_good")
    assert {f"{name}.ipynb" for name in names} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize("path", list(filter(has_full_scale, notebooks(ROOT))), ids=lambda path: path.name)
def test_notebook_runs_at_the_full_scale(path, files, tmp_path):
    done = walk(path, tmp_path, *files)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert "scale full" in done.stdout
    assert "device: CPU, in the place of a GPU" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", list(filter(has_full_scale, notebooks(ROOT))), ids=lambda path: path.name)
def test_the_files_are_really_read(path, files, tmp_path):
    """The control: with a file of posts that is not there a notebook that reads it must stop."""
    done = walk(path, tmp_path, str(tmp_path / "nothing.jsonl"), str(tmp_path / "nothing.jsonl"))
    assert done.returncode != 0
    assert "nothing.jsonl" in done.stdout + done.stderr
