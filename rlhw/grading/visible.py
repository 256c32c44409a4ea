"""What a sandboxed worker needs to see of this machine, and no more: libraries, Python's own, numpy and torch.

An allow-list. It is built from the packages' own records, so that nothing else that lies beside them (this library with its
reference solutions, trl, an editable install's .pth) comes along.
"""

import importlib.metadata
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhw.grading.sandbox import NoSandbox

WANTED = ("numpy", "torch")
PACKAGES = "/packages"
WORKER = "/worker.py"
# Where the loader and the C library are, and with a Python of the distribution the rest of it.
LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")


@dataclass(frozen=True)
class Visible:
    """What to show. `binds` maps a place in the sandbox to a path here; `links` are symlinks to make; `hidden` are folders
    inside the binds to cover with nothing; `python` is the interpreter."""

    python: str
    binds: dict[str, str]
    links: dict[str, str]
    hidden: tuple[str, ...]


def visible() -> Visible:
    """What the worker needs on this machine. NoSandbox where numpy can't be found among the installed packages."""
    python = str(Path(sys.executable).resolve())
    folders = [Path(place) for place in LIBRARIES if Path(place).is_dir() and not Path(place).is_symlink()]
    base = Path(sys.base_prefix).resolve()
    for place in (base / "lib", Path(sys.base_exec_prefix).resolve() / "lib", Path(sysconfig.get_path("stdlib"))):
        if place.is_dir() and not any(place.is_relative_to(folder) for folder in folders):
            folders.append(place)
    shown = {str(folder): str(folder) for folder in folders}
    shown |= {path: path for path in (python, "/etc/ld.so.cache") if Path(path).is_file() and path not in shown}
    links = {place: str(Path(place).readlink()) for place in LIBRARIES if Path(place).is_symlink()}
    shown |= {f"{PACKAGES}/{place.name}": str(place) for place in packages(WANTED)}
    shown[WORKER] = str(Path(__file__).with_name("worker.py"))
    return Visible(python, shown, links, tuple(_other_packages(folders)))


def packages(wanted: tuple[str, ...]) -> list[Path]:
    """Files and folders of the wanted distributions that are installed, and of all that they require."""
    found: dict[str, list[Path]] = {}
    queue = list(wanted)
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = _top_level(distribution)
        # Extras are what nobody asked for; other markers are not evaluated: what they name is there or is not.
        queue += [re.match(r"[\w.-]+", line)[0] for line in distribution.requires or () if "extra ==" not in line]
    if not found.get("numpy"):
        raise NoSandbox("numpy can't be found among the installed packages: install it with pip.")
    return sorted({place for places in found.values() for place in places})


def _top_level(distribution: Any) -> list[Path]:
    # Not said to be the standard library's Distribution: where importlib_metadata has been imported, it answers instead.
    record = distribution.read_text("RECORD")
    if record:
        names = {line.split(",")[0].split("/")[0].strip('"') for line in record.splitlines()}
    else:
        names = {*(distribution.read_text("top_level.txt") or distribution.metadata["Name"]).split()}
    places = [Path(distribution.locate_file(name)) for name in sorted(names)]
    # A .pth file would be run, ".." leads to commands, __pycache__ is shared with others, and records are not imported.
    wanted = [place for place in places if place.name not in ("", "..", "__pycache__")]
    wanted = [place for place in wanted if place.suffix not in (".pth", ".dist-info", ".egg-info")]
    return [place for place in wanted if place.exists() and place.parent.resolve() == places[0].parent.resolve()]


def _other_packages(folders: list[Path]) -> list[str]:
    patterns = ("python*/site-packages", "python*/dist-packages", "site-packages", "dist-packages")
    return sorted({str(path) for folder in folders for pattern in patterns for path in folder.glob(pattern)})
