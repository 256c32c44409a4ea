"""The wheel, installed where there is no checkout: it runs, and finds everything that it needs."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a fresh interpreter is asked, in an empty folder; it prints one line a fact.
FACTS = """
import importlib.metadata, pathlib, rlhw
from rlhw import cards, exercises, widgets
from rlhw.widgets.softmax_policy import SoftmaxPolicy
package = pathlib.Path(rlhw.__file__).parent
print("package", package)
print("version", importlib.metadata.version("rlhw"))
print("cards", *sorted(cards.names()))
print("questions", *exercises.names())
print("widgets", *sorted(path.name for path in package.glob("widgets/*.mjs")))
print("computed", *sorted(path.name for path in package.glob("widgets/*.json")))
print("tiny", *sorted(path.name for path in package.glob("tiny/*")))
print("typed", (package / "py.typed").is_file())
print("shown", len(SoftmaxPolicy()._esm) > 1000)
"""
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("rlhw-*.whl")
    print(f"\n{path.name}: {path.stat().st_size / 1024:.0f} KiB")
    return path


def ask(python: Path, folder: Path) -> dict[str, list[str]]:
    """The facts that the installed package tells of itself, asked in an empty folder, away from this environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    answer = subprocess.run(
        [str(python), "-W", "error", "-c", FACTS], cwd=folder, env=clean, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()}


def assert_complete(python: Path, folder: Path) -> None:
    """The installed package is the one in this venv, and holds what the checkout holds."""
    import rlhw
    from rlhw import exercises

    facts = ask(python, folder)
    assert Path(facts["package"][0]).is_relative_to(folder.resolve()), "the checkout answered, not the wheel"
    assert facts["version"] == [rlhw.__version__]
    assert facts["cards"] == sorted(path.stem for path in (ROOT / "results").glob("*.json") if path.stem != "equations")
    assert facts["questions"] == exercises.names()
    assert facts["widgets"] == sorted(path.name for path in (ROOT / "rlhw/widgets").glob("*.mjs"))
    assert facts["computed"] == sorted(path.name for path in (ROOT / "rlhw/widgets").glob("*.json"))
    assert facts["tiny"] == sorted(path.name for path in (ROOT / "rlhw/tiny").iterdir())
    assert facts["typed"] == ["True"]
    assert facts["shown"] == ["True"]
    empty = folder / "empty"
    empty.mkdir()
    helped = subprocess.run([str(python.parent / "rlhw"), "--help"], cwd=empty, capture_output=True, text=True)
    assert helped.returncode == 0, helped.stderr
    assert helped.stdout.startswith("usage: rlhw")


def test_the_wheel_holds_the_library_and_its_licences_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith("rlhw") for name in names), "the wheel would install something beside rlhw"
    for needed in ("LICENSE", "NOTICE", "METADATA"):
        assert any(name.endswith(needed) for name in names), f"{needed} is missing from the wheel"
    assert not [name for name in names if name.endswith((".pyc", ".ipynb")) or "/tests/" in name]


def test_the_wheel_stays_small(wheel):
    """Eight megabytes are the promise (benchmarks/wheel.py); half of it leaves room for the chapters to come."""
    assert wheel.stat().st_size < 4 * MEGABYTE


def test_the_installed_wheel_runs_and_finds_its_data(wheel, tmp_path):
    python = make_venv(tmp_path / "venv", with_pip=False)
    # This environment lends the packages that rlhw depends on; its .pth files, rlhw's own among them, are not read.
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    purelib = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    (Path(purelib) / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-compile"]
    installed = subprocess.run([*install, "--force-reinstall", str(wheel)], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    assert_complete(python, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_brings_all_that_it_needs(wheel, tmp_path):
    python = make_venv(tmp_path / "venv", with_pip=True)
    installed = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", str(wheel)], capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr
    assert_complete(python, tmp_path)


def make_venv(folder: Path, with_pip: bool) -> Path:
    """The Python of a new, empty virtual environment."""
    venv.create(folder, with_pip=with_pip, symlinks=os.name != "nt")
    return folder / "bin" / "python"
