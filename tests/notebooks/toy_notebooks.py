"""A course of one small notebook, for the tests of what makes, checks and rewrites notebooks."""

import json
from pathlib import Path

from rlhw.repository import as_text, setup_cell

UNSET = "https://repository.invalid/rlhw"
CONFIG = f"""\
title: A toy
repository:  # the only place
  # until it is known

  url: {UNSET}  # (RFC 2606)
  branch: main
"""

PRINTS = """\
import numpy as np

from rlhw import policy_gradient

probabilities = policy_gradient.softmax(np.log([1.0, 2.0, 1.0]))
print("probabilities", probabilities.round(3))
print("score", policy_gradient.score(np.log([1.0, 2.0, 1.0]), action=1).round(3))
object()"""

DRAWS = """\
import matplotlib.pyplot as plt
from IPython.display import display

figure, axes = plt.subplots()
axes.plot(np.cumsum(np.random.default_rng(0).normal(size=(60, 60)) @ np.ones(60)))
display(figure, metadata={"image/png": {"alt": "A random walk of sixty steps."}})
plt.close(figure)"""

SLIDES = """\
import ipywidgets

unseen = ipywidgets.IntSlider(description="unseen")
ipywidgets.VBox([ipywidgets.IntSlider(3, description="step"), ipywidgets.Label("steps")])"""


def code(name: str, source: str, *tags: str) -> dict:
    """A code cell that was not executed."""
    metadata = {"tags": list(tags)} if tags else {}
    empty = {"cell_type": "code", "execution_count": None, "outputs": []}
    return empty | {"id": name, "metadata": metadata, "source": source.splitlines(keepends=True)}


def markdown(name: str, source: str, *tags: str) -> dict:
    """A Markdown cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": source.splitlines(keepends=True)}


def bare(*cells: dict) -> dict:
    """A notebook of these cells only: without the setup cell a kernel starts in half the time."""
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def toy(*more: dict, url: str = UNSET) -> dict:
    """A notebook with a title, the setup cell, text and numbers, and whatever cells are added."""
    cells = [
        markdown("title", '# A toy\n\nIts policy is $p_i = e^{s_i} / \\sum_j e^{s_j}$, see `f"{x}"`.'),
        code("setup", setup_cell(url), "nbval-ignore-output"),
        code("numbers", PRINTS),
    ]
    return bare(*cells, *more)


def write_course(root: Path, notebook: dict, name: str = "01_toy.ipynb") -> Path:
    """A folder with `_config.yml` and one notebook; returns the notebook's path."""
    path = root / "notebooks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "_config.yml").write_text(CONFIG, encoding="utf8")
    path.write_text(as_text(notebook), encoding="utf8")
    return path


def change(path: Path, edit) -> None:
    """Load a notebook, let `edit` change it in place, and store it."""
    notebook = json.loads(path.read_text(encoding="utf8"))
    edit(notebook)
    path.write_text(as_text(notebook), encoding="utf8")
