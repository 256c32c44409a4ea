"""Reproducible execution of notebooks: the stored outputs are made by this one command, and made again byte for byte.

What would change from run to run is taken out or fixed: the kernel (always this interpreter), the folder (an empty one,
as in Colab), threads, hash seed, execution times, the ids of widgets, the addresses of objects. Only the notebooks'
maintainer needs nbclient; a learner does not.
"""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from rlhw import repository
from rlhw.notebook_rules import VIEW, WIDGETS, identifiers, images, verify
from rlhw.repository import as_text, set_repository, setup_cell, write_atomically

__all__ = ["NotebookError", "execute", "main_execute", "main_verify", "set_repository", "setup_cell", "verify"]

CELL_SECONDS = 300
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")


class NotebookError(RuntimeError):
    """A notebook that cannot be executed; the message names the notebook, the cell and the last line of its error."""


def execute(path: Path, threads: int = 1) -> bool:
    """Execute a notebook in a fresh kernel and store its outputs; True when the file's bytes changed.

    `threads` is what BLAS may use: stored outputs are made with 1, and tests hold that 2 make the same.
    Raises NotebookError when a cell fails or takes longer than five minutes; the file is then left as it was.
    """
    for needed in ("nbclient", "nbformat", "ipykernel"):
        if find_spec(needed) is None:
            raise ModuleNotFoundError(f"executing notebooks needs {needed}: run pip install 'rlhw[dev]'")
    import nbformat

    path = Path(path)
    if repository.is_homework(path):
        raise NotebookError(f"{path}: is homework, which holds stubs and no outputs: run rlhw homework build")
    before = path.read_text(encoding="utf8")
    if problems := list(identifiers(json.loads(before))):
        raise NotebookError(f"{path}: {problems[0]}")
    notebook = nbformat.reads(before, as_version=4)
    _forget(notebook)
    _run(notebook, path, threads)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _without_addresses(cell.outputs)
            _carry_alt_text(cell)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    shown = _keep_shown_widgets(notebook)
    after = _with_stable_ids(nbformat.writes(notebook), shown, path.name)
    # An unchanged file keeps its time, so that the book does not build its page again.
    if after != before:
        write_atomically(path, after)
    return after != before


def main_execute(paths: Sequence[str | Path] = ()) -> int:
    """Execute and verify notebooks (all by default), a line each; 0 when all went well, 1 otherwise."""
    failures, chosen = 0, _chosen(paths, repository.executed_notebooks)
    for number, path in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {path} ", end="", flush=True)
        start = time.monotonic()
        try:
            outcome = "rewritten" if execute(path) else "unchanged"
            problems = verify(path)
        except (NotebookError, OSError, ValueError) as error:
            outcome, problems = "FAILED", [str(error)]
        print(f"{outcome} ({time.monotonic() - start:.1f} s)")
        _print_problems(problems)
        failures += bool(problems)
    return 1 if failures else 0


def main_verify(paths: Sequence[str | Path] = ()) -> int:
    """Verify notebooks (all by default), a line each and one for every problem; 0 when there is none, 1 otherwise."""
    failures = 0
    for path in _chosen(paths, repository.notebooks):
        problems = verify(path)
        print(f"{path} {'FAILED' if problems else 'ok'}")
        _print_problems(problems)
        failures += bool(problems)
    return 1 if failures else 0


def _chosen(paths: Sequence[str | Path], default: Callable[[Path], list[Path]]) -> list[Path]:
    """The notebooks asked for, or by default those of the course that the current folder is in."""
    here = Path.cwd()
    chosen = [Path(path) for path in paths] or default(repository.root_of(here))
    if missing := [str(path) for path in chosen if not path.is_file()]:
        raise FileNotFoundError(f"no such notebook: {', '.join(missing)}")
    if not chosen:
        raise FileNotFoundError(f"no notebook in the folder notebooks of {repository.root_of(here)}")
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in chosen]


def _print_problems(problems: list[str]) -> None:
    for problem in problems:
        print(f"    {problem}")


def _forget(notebook) -> None:
    """Take out what an earlier execution left."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.get("mystnb", {}).get("image", {}).pop("alt", None)


def _environment(threads: int, folder: str) -> dict[str, str]:
    """Variables of the kernel: what could change an output is fixed, what the user has set for Python is left out."""
    fixed = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    fixed |= {"PYTHONHASHSEED": "0", "MPLBACKEND": "module://matplotlib_inline.backend_inline", "LC_ALL": "C.UTF-8"}
    # Stored outputs are those of the tiny scale on the CPU; IPYTHONDIR keeps the user's start-up files out.
    fixed |= {"RLHW_SCALE": "tiny", "CUDA_VISIBLE_DEVICES": "", "IPYTHONDIR": folder}
    if matplotlib := find_spec("matplotlib"):
        fixed["MATPLOTLIBRC"] = str(Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc")
    left_out = ("PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONINSPECT")
    return {name: value for name, value in os.environ.items() if name not in left_out} | fixed


def _run(notebook, path: Path, threads: int) -> None:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # Without folders to look in, "python3" is the kernel of this interpreter and not one that the user has registered.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    # Output arrives in pieces cut at random moments: coalesce_streams joins them.
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as settings:
        with client.setup_kernel(cleanup_kc=True, env=_environment(threads, settings), cwd=folder):
            for index, cell in enumerate(notebook.cells):
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    raise NotebookError(f"{path}, cell {cell.id}: {error.ename}: {error.evalue}") from None
                except CellTimeoutError:
                    raise NotebookError(f"{path}, cell {cell.id}: took longer than {CELL_SECONDS} s") from None
                except DeadKernelError:
                    raise NotebookError(f"{path}, cell {cell.id}: the kernel died") from None
            client.set_widgets_metadata()
        if left := sorted(item.name for item in Path(folder).iterdir()):
            raise NotebookError(f"{path}: leaves files behind ({', '.join(left)}); keep a notebook's data in memory")


def _without_addresses(value):
    """The outputs with every `at 0x7f…` made `at 0x0`; images are left as they are."""
    if isinstance(value, str):
        return ADDRESS.sub("at 0x0", value)
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    if isinstance(value, dict):
        kept = {key: item if key.startswith("image/") else _without_addresses(item) for key, item in value.items()}
        return type(value)(kept)
    return value


def _carry_alt_text(cell) -> None:
    """Copy an image's alt text from the output to the cell, where the page's renderer looks for it."""
    for _, alt in images(cell):
        if alt:
            cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = alt


def _keep_shown_widgets(notebook) -> list[str]:
    """Keep the saved state of the widgets that are shown and of what these refer to; return their ids in that order.

    A layout's unset traits are left out: the page and Jupyter fill them with the same defaults.
    """
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    waiting = [output.data[VIEW]["model_id"] for output in outputs if VIEW in output.get("data", {})]
    shown = []
    while waiting:
        model = waiting.pop(0)
        if model in state and model not in shown:
            shown.append(model)
            waiting += re.findall(r"IPY_MODEL_(\w+)", json.dumps(state[model]))
    for model in list(state):
        if model not in shown:
            del state[model]
        elif state[model]["model_module"] == "@jupyter-widgets/base":
            traits = state[model]["state"]
            state[model]["state"] = {name: value for name, value in traits.items() if value is not None}
    if not state:
        notebook.metadata.pop("widgets", None)
    return shown


def _with_stable_ids(text: str, shown: list[str], name: str) -> str:
    """Replace the random ids of widgets by ones that depend on the notebook's name and the order they appear in."""
    for number, model in enumerate(shown):
        text = text.replace(model, hashlib.sha256(f"{name}:{number}".encode()).hexdigest()[:32])
    return as_text(json.loads(text))
