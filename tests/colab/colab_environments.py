"""Environments that imitate Colab's image, kept outside the repository so that only the first run pays for them.

Two are needed, because no interpreter here has both Colab's Python and a torch without CUDA:
(a) "image": Python 3.13 and the list without torch and what needs it, for notebooks that leave torch alone;
(b) "torch": Python 3.11 and the list with torch 2.13.0 (a CPU build) in place of its own, for all notebooks.

A cached environment never holds rlhw. Each test makes a `child` of it: an empty environment that sees the packages of
its parent, so that what pip does there is seen and thrown away.
"""

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIST = HERE / "colab-2026-08.txt"
# Pinning the list's setuptools beside torch makes pip choose another torch, with several GB of CUDA packages.
LEFT_OUT = {"image": {"torch", "accelerate", "peft"}, "torch": {"torch", "pip", "setuptools"}}
INSTEAD = {"image": [], "torch": ["torch==2.13.0"]}
PYTHON = {"image": "3.13", "torch": "3.11"}


def require(condition: object, reason: str) -> None:
    """Skip with the reason on a machine that lacks something; fail where CI promised to have it."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def listed() -> dict[str, str]:
    """The snapshot of Colab's image: name -> version."""
    lines = [line.strip() for line in LIST.read_text(encoding="utf8").splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def interpreter(version: str) -> Path | None:
    """A Python of this version: on PATH, or one that pyenv installed. None where there is none."""
    name = f"python{version}"
    candidates = [shutil.which(name), *sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/{name}"), reverse=True)]
    for candidate in filter(None, candidates):
        # pyenv's shims exist for versions that are not switched on: only an answer counts.
        answer = subprocess.run([candidate, "-c", "print('here')"], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == "here":
            return Path(candidate)
    return None


def requirements(kind: str) -> list[str]:
    """What pip is asked for in the environment of this kind."""
    return [f"{name}=={version}" for name, version in listed().items() if name not in LEFT_OUT[kind]] + INSTEAD[kind]


def wheels_needed() -> list[str]:
    """What building and installing rlhw may fetch: the build backend and the dependencies of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    return project["build-system"]["requires"] + project["project"]["dependencies"]


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Run a command and fail with its last lines if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{(done.stdout + done.stderr)[-3000:]}"
    return done


def environment(kind: str) -> Path:
    """The cached environment of this kind, made if it is not there yet; a broken attempt leaves nothing behind."""
    python = interpreter(PYTHON[kind])
    require(python, f"Python {PYTHON[kind]} is needed to imitate Colab: install it (for example with pyenv)")
    wanted = requirements(kind)
    key = hashlib.sha256("\n".join([str(python), *wanted, *wheels_needed()]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("RLHW_CACHE") or Path.home() / ".cache" / "rlhw")
    folder = cache / f"colab-{kind}-{key}"
    # `complete` is written last: a venv cannot be moved into place, since its scripts hold its path.
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run(python, "-m", "venv", folder)
        pip = [folder / "bin" / "python", "-m", "pip"]
        # Compiling all of torch beforehand takes longer than compiling what is imported.
        run(*pip, "install", "-q", "--no-compile", *wanted)
        # Fetched once, so that the setup cell's own pip finds everything without a network, build isolation included.
        run(*pip, "download", "-q", "-d", folder / "wheels", *wheels_needed())
        (folder / "complete").touch()
    return folder


def child(parent: Path, folder: Path) -> Path:
    """An empty environment in `folder` that sees the parent's packages; returns its Python."""
    parent_python = parent / "bin" / "python"
    run(parent_python, "-m", "venv", "--without-pip", folder)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    python = folder / "bin" / "python"
    parent_packages = run(parent_python, "-c", where).stdout.strip()
    own_packages = Path(run(python, "-c", where).stdout.strip())
    (own_packages / "parent.pth").write_text(f"import site; site.addsitedir({parent_packages!r})\n", encoding="utf8")
    return python


def surroundings(parent: Path, **more: str) -> dict[str, str]:
    """Environment variables: the stub of google.colab, pip without network, no user settings."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "RLHW_"))}
    return (
        mine
        | {
            "PYTHONPATH": str(HERE / "stub"),
            "PYTHONNOUSERSITE": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(parent / "wheels"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "OMP_NUM_THREADS": "1",
        }
        | more
    )
