"""The repository's address: it stands in `_config.yml`, and one command carries it to wherever else it is needed."""

import json
import os
import re
import tempfile
from pathlib import Path

import rlhw

CONFIG = "_config.yml"
CARRIERS = ("README.md", "CITATION.cff", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "pyproject.toml")
SETUP_MARK = "# Setup: run this cell first."
# Between `repository:` and its `url:` stand only indented lines, comments and blank lines: the block ends elsewhere.
_URL_LINE = re.compile(r"^(repository:[^\n]*\n(?:(?:[ \t][^\n]*|#[^\n]*)?\n)*?[ \t]+url:[ \t]*)([^\s#]+)", re.M)
_VALID = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~-]+)+")

_UNSET_CELL = """\
{mark} It uses the rlhw that is installed.
import importlib.util

if importlib.util.find_spec("rlhw") is None:
    raise RuntimeError(
        "rlhw is not installed, and this copy of the course does not say where to get it: the address of its "
        "repository is not set. Run `pip install .` in the course's folder, then run this cell again."
    )

import rlhw

rlhw.setup()"""

_SET_CELL = """\
{mark} Where rlhw is missing, as in Colab, it installs it.
import importlib.util

if importlib.util.find_spec("rlhw") is None:
    %pip install -q "rlhw @ git+{url}@v{version}"
    importlib.invalidate_caches()

import rlhw

rlhw.setup()"""


def validate(url: str) -> str:
    """The address as it is, or a ValueError that says which form it must have."""
    if not _VALID.fullmatch(url) or url.endswith(".git"):
        raise ValueError(
            f"URL must look like https://host/owner/name, without a trailing slash, .git, quotes or spaces; got {url!r}"
        )
    return url


def is_set(url: str) -> bool:
    """False for a host that ends in .invalid: such a name can never resolve (RFC 2606), so it means "not known yet"."""
    return not url.split("/")[2].split(":")[0].endswith(".invalid")


def root_of(path: Path) -> Path:
    """The folder that holds `_config.yml`: `path` or the nearest one above it."""
    for folder in (path.resolve(), *path.resolve().parents):
        if (folder / CONFIG).is_file():
            return folder
    raise FileNotFoundError(f"no {CONFIG} in or above {path}: run this inside a checkout of the course")


def address(root: Path) -> str:
    """The repository's address, as `_config.yml` states it."""
    config = root / CONFIG
    found = _URL_LINE.search(config.read_text(encoding="utf8"))
    if not found:
        raise ValueError(f"{config} has no line `url:` under `repository:`; add one with the repository's address")
    return validate(found[2].strip("\"'"))


def setup_cell(url: str, version: str = rlhw.__version__) -> str:
    """The source of the setup cell, identical in all notebooks.

    Where rlhw is missing it is installed from the tag of this version; while the address is not set, the cell says
    so instead, and nothing is ever installed from somewhere unknown. Raises ValueError for an address of a wrong form.
    """
    text = _SET_CELL if is_set(validate(url)) else _UNSET_CELL
    return text.format(mark=SETUP_MARK, url=url, version=version)


def notebooks(root: Path) -> list[Path]:
    """Every notebook of the course, homework included, in the order of its name."""
    return sorted(path for path in root.glob("notebooks/**/*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def executed_notebooks(root: Path) -> list[Path]:
    """The notebooks that are executed and hold what they print: all but homework."""
    return [path for path in notebooks(root) if not is_homework(path)]


def is_homework(path: Path) -> bool:
    """Whether a notebook is homework: it is built, with stubs and without outputs, and never executed in place."""
    return path.parent.name == "homework"


def set_repository(url: str, root: Path | None = None) -> list[Path]:
    """Write the address into `_config.yml`, every setup cell, and the other files that carry the old one.

    `root` is the course's folder; by default the one that the current folder is in. Everything is worked out before the
    first file is written. Returns the files that changed; raises ValueError when the address has a wrong form or a
    notebook has no setup cell.
    """
    root = root or root_of(Path.cwd())
    new, old = validate(url), address(root)
    config = root / CONFIG
    texts = {config: _URL_LINE.sub(lambda found: found[1] + new, config.read_text(encoding="utf8"))}
    for path in notebooks(root):
        texts[path] = _with_setup_cell(path, setup_cell(new))
    for path in filter(Path.is_file, (root / name for name in CARRIERS)):
        # Not followed by more of a name: https://host/me/rlhw must not match inside https://host/me/rlhw-notes.
        texts[path] = re.sub(re.escape(old) + r"(?![\w~-])", lambda _: new, path.read_text(encoding="utf8"))
    changed = [path for path, text in texts.items() if text != path.read_text(encoding="utf8")]
    for path in changed:
        write_atomically(path, texts[path])
    return changed


def first_code_cell(notebook: dict) -> dict | None:
    """The cell that must be the setup cell."""
    return next((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), None)


def _with_setup_cell(path: Path, source: str) -> str:
    notebook = json.loads(path.read_text(encoding="utf8"))
    cell = first_code_cell(notebook)
    if cell is None or not "".join(cell["source"]).startswith(SETUP_MARK):
        raise ValueError(f"{path}: the first code cell is not the setup cell (it begins with {SETUP_MARK!r})")
    cell["source"] = source.splitlines(keepends=True)
    return as_text(notebook)


def as_text(notebook: dict) -> str:
    """A notebook as nbformat writes it, so that a file has the same bytes whichever command wrote it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Replace a file at once: whoever reads it sees the old text or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf8", newline="\n") as file:
            file.write(text)
        # mkstemp makes a private file: keep the mode that the file had, or the usual one.
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
