"""Notebook 04 holds our kappas against two other libraries; where one is missing it says so and goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.annotation import ANNOTATORS, label, probabilities, teacher_pairs
from rlhw import laws

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks/04_human_preferences.ipynb"
PRINTED = "Fleiss' kappa of all three"


def cell(name: str) -> str:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf8"))["cells"]
    return next("".join(one["source"]) for one in cells if one["id"] == name)


@pytest.fixture(scope="module")
def before():
    """The names that the cell finds: labels of three annotators."""
    pairs, rng = teacher_pairs(40, seed=8, split="train"), np.random.default_rng(8)
    names = ("lapsing", "wordy", "left")
    labels = [one for name in names for one in label(pairs, probabilities(ANNOTATORS[name], pairs), name, rng)]
    return {"full": False, "labels": labels, "laws": laws}


def test_kappas_are_held_against_both_libraries(before, capsys):
    exec(cell("kappa"), dict(before))
    assert f"{PRINTED}: ours and statsmodels' agree" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["sklearn", "statsmodels"])
def test_without_one_of_them_the_cell_says_so_and_goes_on(before, capsys, monkeypatch, missing):
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    exec(cell("kappa"), dict(before))
    printed = capsys.readouterr().out
    assert "not both installed" in printed
    assert f"{PRINTED}: 0." in printed
    assert "agree" not in printed
