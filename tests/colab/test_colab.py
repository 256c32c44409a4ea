"""Colab, imitated: its packages, its google.colab, an empty folder. Minutes the first time, then from a cache."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from colab_environments import HERE, ROOT, child, environment, listed, run, surroundings

import rlhw
from rlhw import exercises
from rlhw.repository import as_text, notebooks, setup_cell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

URL = "https://code.example.org/someone/rlhw"
UNSET = "https://repository.invalid/rlhw"
SOURCES = ("rlhw", "results", "pyproject.toml", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    return next(folder.glob("rlhw-*.whl"))


@pytest.fixture(scope="session", params=["image", "torch"])
def installed(request, wheel, tmp_path_factory):
    """(kind, Python of an imitated Colab that has rlhw, the variables it runs under)."""
    parent = environment(request.param)
    python = child(parent, tmp_path_factory.mktemp(request.param) / "venv")
    variables = surroundings(parent)
    run(python, "-m", "pip", "install", "-q", wheel, env=variables)
    return request.param, python, variables


@pytest.fixture
def bare(tmp_path):
    """(Python of an imitated Colab without rlhw, the variables it runs under)."""
    parent = environment("image")
    return child(parent, tmp_path / "bare"), surroundings(parent)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Variables that make git read the made-up address from a local repository, whose tag is this version's."""
    work = tmp_path_factory.mktemp("served") / "rlhw"
    work.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, work)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["tag", f"v{rlhw.__version__}"]):
        run(*git, *command, cwd=work)
    bare_repository = work.with_suffix(".git")
    run("git", "clone", "-q", "--bare", work, bare_repository)
    return rewritten(bare_repository)


def rewritten(repository: Path) -> dict[str, str]:
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
    }


def execute(python: Path, notebook: Path, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess:
    """Run a notebook in that Python's kernel from an empty folder, which must stay empty."""
    empty = folder / "content"
    empty.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(python), str(HERE / "run_notebook.py"), str(notebook)],
        cwd=empty,
        env=variables | {"STUB_NOTEBOOK": str(notebook)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(empty.iterdir()) == [], "the notebook leaves files behind"
    return done


def needs_torch(notebook: Path) -> bool:
    """Whether a code cell imports torch, transformers, or a module or folder of rlhw that imports torch."""
    package = ROOT / "rlhw"
    heavy = [path for path in package.rglob("*.py") if re.search(r"^(import|from) torch", path.read_text(), re.M)]
    subjects = {path.relative_to(package).parts[0].removesuffix(".py") for path in heavy}
    names = "|".join(["torch", "transformers", *sorted(subjects)])
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return bool(re.search(rf"^\s*(?:import|from)\b.*\b(?:{names})\b", code, re.M))


def of_sources(folder: Path, *sources: str) -> Path:
    """A notebook of these code cells."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [empty | {"id": f"c{number}", "source": source} for number, source in enumerate(sources)]
    path = folder / "made.ipynb"
    path.write_text(as_text({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf8")
    return path


def would_install(python: Path, variables: dict[str, str], *wanted: object) -> dict[str, str]:
    """What pip would install for these: name -> version."""
    command = [python, "-m", "pip", "install", "-q", "--dry-run", "--report", "-", *wanted]
    report = json.loads(run(*command, env=variables).stdout)
    found = [entry["metadata"] for entry in report["install"]]
    return {metadata["name"].lower().replace("-", "_"): metadata["version"] for metadata in found}


def present(python: Path) -> dict[str, str]:
    """The packages that this Python finds: name -> version."""
    freeze = json.loads(run(python, "-m", "pip", "list", "--format=json").stdout)
    return {entry["name"].lower().replace("-", "_"): entry["version"] for entry in freeze}


def test_the_imitation_has_the_listed_versions():
    python = environment("image") / "bin" / "python"
    found = present(python)
    wrong = {name: found.get(name) for name, version in listed().items() if found.get(name) not in (version, None)}
    assert wrong == {}
    assert "rlhw" not in found
    assert {"numpy", "ipywidgets", "matplotlib", "sympy"} <= set(found)


@pytest.mark.parametrize("kind", ["image", "torch"])
def test_the_wheel_upgrades_nothing(kind, wheel, tmp_path):
    parent = environment(kind)
    python, variables = child(parent, tmp_path / "venv"), surroundings(parent)
    before = present(python)
    fetched = would_install(python, variables, wheel)
    assert "rlhw" in fetched
    assert set(fetched) & set(before) == set(), "an upgrade of a loaded package breaks Colab's runtime"
    # The control: newer versions are within pip's reach, and a dependency that asks for one is seen.
    assert "numpy" in would_install(python, variables, wheel, f"numpy>{before['numpy']}")


@pytest.mark.parametrize("path", notebooks(ROOT), ids=lambda path: path.name)
def test_each_notebook_runs(installed, path, tmp_path):
    kind, python, variables = installed
    if kind == "image" and needs_torch(path):
        return  # it runs in the environment that has torch
    done = execute(python, path, tmp_path, variables)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"rlhw {rlhw.__version__}, scale tiny" in done.stdout


def test_rlhw_missing_and_no_address_gives_a_sentence_and_installs_nothing(bare, tmp_path):
    python, variables = bare
    before = present(python)
    done = execute(python, of_sources(tmp_path, setup_cell(UNSET)), tmp_path, variables)
    assert done.returncode != 0
    assert "the address of its repository is not set" in " ".join(done.stderr.split())
    assert present(python) == before


def test_rlhw_missing_and_an_address_installs_this_version_and_nothing_else_changes(bare, served, tmp_path):
    python, variables = bare
    before = present(python)
    name = exercises.names()[0]
    asks = f'if False:\n    rlhw.check("{name}", None)\nrlhw.check_notebook()'
    notebook = of_sources(tmp_path, setup_cell(URL), asks)
    done = execute(python, notebook, tmp_path, variables | served)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"rlhw {rlhw.__version__}, scale tiny" in done.stdout
    assert f"{name}: not run yet" in done.stdout
    after = present(python)
    assert after["rlhw"] == rlhw.__version__
    assert {package: after[package] for package in before} == before


def test_an_address_that_does_not_answer_stops_the_notebook(bare, tmp_path):
    python, variables = bare
    nowhere = rewritten(tmp_path / "nothing.git")
    done = execute(python, of_sources(tmp_path, setup_cell(URL)), tmp_path, variables | nowhere)
    assert done.returncode != 0
    assert "No module named 'rlhw'" in done.stderr
    assert "nothing.git" in done.stdout + done.stderr
    assert "rlhw" not in present(python)


def test_rlhw_present_runs_no_pip(installed, tmp_path):
    """The address answers nothing here, and a pip that ran would say so."""
    _, python, variables = installed
    nowhere = rewritten(tmp_path / "nothing.git")
    done = execute(python, of_sources(tmp_path, setup_cell(URL)), tmp_path, variables | nowhere)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "nothing.git" not in done.stdout + done.stderr
    assert f"rlhw {rlhw.__version__}, scale tiny" in done.stdout


def test_anywidget_finds_the_imitated_colab(installed):
    """The control of the stub: without it a widget's way through Colab would go untested."""
    _, python, variables = installed
    program = (
        "import anywidget, google.colab.output as output; "
        "anywidget.AnyWidget(_esm='')._repr_mimebundle_(); print(output._widgets._installed_url)"
    )
    assert run(python, "-c", program, env=variables).stdout.startswith("stub:")


def test_the_labelling_widget_speaks_through_that_kernel(installed, tmp_path):
    """Messages of a page, each answered once the label is on the disk."""
    _, python, variables = installed
    labels, pairs = tmp_path / "labels.jsonl", tmp_path / "pairs.jsonl"
    pairs.write_text(
        '{"prompt": "p", "answer1": "a", "answer2": "b"}\n{"prompt": "q", "answer1": "c", "answer2": "d"}\n'
    )
    chosen = [("choose", 0, "first"), ("undo", 1, None), ("choose", 2, "second"), ("choose", 3, "tie")]
    messages = [{"kind": kind, "turn": turn, "choice": choice, "seconds": 2.5} for kind, turn, choice in chosen]
    spoken = "\n".join(map(json.dumps, [{"kind": "hello"}, *messages])) + "\n"
    command = [python, ROOT / "tests/widgets/kernel_bridge.py", labels, pairs]
    done = subprocess.run(
        command, input=spoken, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = [json.loads(line) for line in done.stdout.splitlines()[2:]]
    assert [state["labelled"] for state in shown] == [0, 1, 0, 1, 2]
    found = [json.loads(line) for line in labels.read_text().splitlines()]
    assert [(label["prompt"], label["choice"]) for label in found] == [("p", "second"), ("q", "tie")]


def test_what_needs_torch_is_told_from_the_imports(tmp_path):
    assert needs_torch(of_sources(tmp_path, "x = 1", "import numpy\nfrom torch import nn"))
    assert needs_torch(of_sources(tmp_path, "from rlhw.clinic.drawing import alt"))
    assert not needs_torch(of_sources(tmp_path, "# import torch\nx = 'torch'", "from rlhw import bandits"))
