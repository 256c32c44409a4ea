"""Stored outputs are no decoration: with one wrong line in the library, nbval fails each notebook."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_notebooks import change, toy, write_course

from rlhw import notebooks, repository

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIGN = ("policy_gradient.py", "indicator - softmax(logits)", "softmax(logits) - indicator")

# notebook -> edits of the library (file, text that stands in it exactly once, what to write instead); a run of nbval each
EDITS = {
    "01_policy_gradient.ipynb": [
        ("symbolic.py", "z[i]) - (sp.Integer(int(i == y))", "z[i]) + (sp.Integer(int(i == y))")
    ],
    "02_reinforce_bandit.ipynb": [("policy_gradient.py", "weights[:, None] * (np.eye", "-weights[:, None] * (np.eye")],
    "03_behavior_cloning.ipynb": [("logprobs.py", "(model, batch)[:, :, :-1]", "(model, batch)[:, :, 1:]")],
    "04_human_preferences.ipynb": [
        (
            "preferences/annotators.py",
            "(observed - expected) / (1 - expected)",
            "(observed - expected) / (1 + expected)",
        )
    ],
    "05_reward_model.ipynb": [("reward_model.py", "wins * logsigmoid(differences)", "wins * logsigmoid(-differences)")],
    "06_ppo.ipynb": [("ppo.py", "delta + gamma * lam * advantage", "delta + gamma * advantage")],
    "07_dpo.ipynb": [
        ("dpo.py", "beta) - implicit_reward(rejected, ref_rejected", "beta) + implicit_reward(rejected, ref_rejected")
    ],
    "08_how_good.ipynb": [("evaluation.py", "upper**n - lower**n, p", "upper**n - lower, p")],
    "09_without_a_critic.ipynb": [
        ("grpo.py", "rewards.mean(-1, keepdim=True)) * k / (k - 1)", "rewards.mean(-1, keepdim=True)) * k / k"),
        ("dialogue.py", "keep = 1 - error - repair", "keep = 1 - error + repair"),
    ],
    "10_scaling_out.ipynb": [
        ("scaling.py", "/ total", "/ len(counts)"),
        ("behavior_cloning.py", "/ mean_answers", "/ len(mask)"),
    ],
    "b1_bandits.ipynb": [("regret.py", "np.sum(gaps[worse] / divergences[worse])", "np.sum(1 / divergences[worse])")],
    "b2_decision_processes.ipynb": [
        (
            "dynamic_programming.py",
            "mdp.rewards + mdp.gamma * mdp.transitions @ v",
            "mdp.gamma * (mdp.rewards + mdp.transitions @ v)",
        )
    ],
    "b3_prediction.ipynb": [("temporal_difference.py", "(1 - lam) * values[..., t + 1]", "values[..., t + 1]")],
    "b4_control.ipynb": [
        ("control.py", "return rewards + gamma * next_q.max(axis=1)", "return rewards + next_q.max(axis=1)"),
        (
            "off_policy.py",
            "return discounted_return(weights * rewards, gamma)",
            "return discounted_return(rewards, gamma)",
        ),
    ],
    "b5_function_approximation.ipynb": [
        ("function_approximation.py", "features - gamma * next_features)", "features + gamma * next_features)"),
        ("linear_learning.py", "ratio[..., None] * (error", "(error"),
    ],
    "b6_actor_critic.ipynb": [("actor_critic.py", "weights = gamma ** np.arange(", "weights = 1.0 ** np.arange(")],
    "clinic.ipynb": [("ppo.py", "torch.where(mask, -beta", "torch.where(mask, beta")],
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A toy notebook, executed, in a folder of its own."""
    path = write_course(tmp_path_factory.mktemp("course"), toy())
    notebooks.execute(path)
    return path


def library(folder: Path, edit: tuple[str, str, str] | None) -> Path:
    """A copy of rlhw and its cards in `folder`, with one edit; returns the folder to put on the path."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "rlhw", folder / "rlhw", ignore=ignore)
    shutil.copytree(ROOT / "results", folder / "results")
    if edit:
        name, old, new = edit
        path = folder / "rlhw" / name
        text = path.read_text(encoding="utf8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in rlhw/{name}: mend the table of edits"
        path.write_text(text.replace(old, new), encoding="utf8")
    return folder


def failing_cells(notebook: Path, library_path: Path) -> list[str]:
    """Run nbval on a copy of the notebook beside this library; the numbers of the cells that it fails."""
    copy = library_path / notebook.name
    shutil.copy(notebook, copy)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={library_path}"]
    options = [
        "-p",
        "nbval.plugin",
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=120",
        "-q",
        "--tb=no",
        "-rf",
    ]
    options += [f"--nbval-sanitize-with={HERE / 'sanitize.cfg'}"]
    environment = os.environ | {"PYTHONPATH": str(library_path), "OMP_NUM_THREADS": "1"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [*command, *options, copy.name], cwd=library_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    cells = re.findall(r"^FAILED \S+::(?:Cell )?(\S+)", done.stdout, re.M)
    assert bool(cells) == bool(done.returncode), done.stdout[-2000:]
    return cells


def verdict(cells: list[str]) -> str:
    return f"fails {len(cells)} cell(s)" if cells else "PASSES"


def test_nbval_sees_a_wrong_library_and_passes_the_right_one(course, tmp_path):
    assert failing_cells(course, library(tmp_path / "right", None)) == []
    assert len(failing_cells(course, library(tmp_path / "wrong", SIGN))) == 1


def test_a_notebook_that_shows_nothing_would_be_noticed(course, tmp_path):
    """The control: a notebook that prints nothing passes with the wrong library, which fails the test below."""
    silent = tmp_path / "02_silent.ipynb"
    shutil.copy(course, silent)
    change(silent, lambda notebook: notebook["cells"][2].update(source=["pass"], outputs=[]))
    assert failing_cells(silent, library(tmp_path / "wrong", SIGN)) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", repository.executed_notebooks(ROOT), ids=lambda path: path.name)
def test_each_notebook_fails_with_a_wrong_library(path, tmp_path, record_property):
    """That each passes with the right one `make test` shows; that a copy of the library is as good, the test below."""
    assert EDITS.get(path.name), f"add an edit of the library that {path.name} must notice"
    for number, edit in enumerate(EDITS[path.name]):
        cells = failing_cells(path, library(tmp_path / str(number), edit))
        record_property("library mutant", (path.name, f"{edit[0]}: {edit[2]}", verdict(cells)))
        assert cells, f"{path.name} passes although rlhw/{edit[0]} says {edit[2]!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_policy_gradient.ipynb", "08_how_good.ipynb"])
def test_a_copy_of_the_right_library_fails_nothing(name, tmp_path):
    assert failing_cells(ROOT / "notebooks" / name, library(tmp_path / "right", None)) == []
