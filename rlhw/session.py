"""What the setup cell and the last cell of a notebook call: what this session is, and how its exercises stand.

Only the standard library is loaded until something else is needed: torch costs seconds and is loaded only where a GPU
is to be looked at, or the full scale is asked for.
"""

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import rlhw
from rlhw.pipeline.capability import capability_advice

SCALES = ("tiny", "full")
PACKAGES = ("numpy", "scipy", "sympy", "matplotlib", "ipywidgets", "anywidget", "torch", "transformers")
# What a driver leaves in the file system: an NVIDIA card, and one behind Windows' Linux.
DEVICE_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")
CALL = re.compile(r"^\s*(?:\w+\s*=\s*)?rlhw\.check\(\s*[\"']([\w-]+)[\"']", re.M)


def setup() -> None:
    """Print versions, scale and device, and set the plot style.

    RLHW_SCALE chooses the scale: tiny (the default: minutes on two CPU cores, offline) or full (GPT-2 on one GPU).
    Raises ValueError for any other value, RuntimeError where the full scale lacks torch or a GPU that torch can use.
    """
    chosen = scale()
    print(f"rlhw {rlhw.__version__}, scale {chosen}, Python {platform.python_version()}")
    print(", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))))
    for line in device_report(chosen):
        print(line)
    from rlhw import plots

    plots.style()


def scale() -> str:
    """The scale of this session: `tiny` or `full`."""
    chosen = os.environ.get("RLHW_SCALE", "tiny")
    if chosen not in SCALES:
        raise ValueError(f"RLHW_SCALE must be tiny or full, not {chosen!r}: set it before rlhw.setup()")
    return chosen


def device_report(chosen: str) -> list[str]:
    """Lines about the device that will be used; torch is imported only if there is a reason to."""
    if chosen == "tiny" and not _gpu_in_sight():
        return ["device: CPU"]
    if find_spec("torch") is None:
        if chosen == "full":
            raise RuntimeError("RLHW_SCALE=full needs torch: run pip install 'rlhw[lm]', or unset RLHW_SCALE")
        return ["device: CPU (a GPU is here, but torch is not installed: pip install 'rlhw[lm]' to use it)"]
    import torch

    if not torch.cuda.is_available():
        if chosen == "full":
            raise RuntimeError(
                "RLHW_SCALE=full needs a GPU that torch can use, and there is none: in Colab choose Runtime > Change "
                "runtime type > GPU; elsewhere check nvidia-smi and that torch is a CUDA build; or unset RLHW_SCALE"
            )
        return ["device: CPU (a GPU is here, but torch cannot use it: check nvidia-smi and that torch is a CUDA build)"]
    capability = torch.cuda.get_device_capability()
    line = f"device: {torch.cuda.get_device_name()}, compute capability {capability[0]}.{capability[1]}"
    if advice := capability_advice(capability, torch.cuda.get_arch_list(), torch.__version__):
        if chosen == "full":
            raise RuntimeError(f"{line}; {advice}")
        return [line, f"  {advice}"]
    offer = [] if chosen == "full" else ["  For the large runs set RLHW_SCALE=full before rlhw.setup()."]
    return [line, *offer]


def check_notebook() -> None:
    """Print how the exercises of this session stand: passed, not passed, or not run yet.

    In Colab the notebook itself says which exercises it has. Elsewhere its file is out of reach from the kernel: only
    those whose check cell was run are known, and the last line says how to run the whole notebook.

    Of homework every part is listed and judged anew, as its answer stands now and by the right check: in Colab where the
    notebook is homework, elsewhere where one of its checks was run.
    """
    from rlhw.exercises import session_verdicts

    document = notebook_document()
    if lines := _homework_lines(document):
        print("\n".join(lines))
        return
    asked = checks_in(document)
    for name in [*asked, *(name for name in session_verdicts if name not in asked)]:
        verdict = session_verdicts.get(name)
        print(f"{name}: {'not run yet' if verdict is None else 'passed' if verdict.passed else 'not passed'}")
    passed = sum(verdict.passed for verdict in session_verdicts.values())
    if document is not None:
        print(f"{passed} of {len(set(asked) | set(session_verdicts))} exercises passed.")
        return
    print(f"{passed} of the {len(session_verdicts)} exercises checked in this session passed.")
    if "google.colab" in sys.modules:
        print("Colab did not hand out this notebook, so exercises that were not run yet are not listed.")
    else:
        print("To run the whole notebook from top to bottom: pytest --nbval-lax your_notebook.ipynb")


def _homework_lines(document: dict | None) -> list[str]:
    """The report of homework; nothing where this session has none."""
    from rlhw.exercises import session_parts
    from rlhw.homework import report

    return report.lines(document, session_parts, namespace())


def namespace() -> dict[str, object]:
    """The names that the learner's cells have bound."""
    # Not imported: where no IPython is loaded there are no cells.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell.user_ns if shell else vars(sys.modules["__main__"])


def notebook_document() -> dict | None:
    """The notebook of this session where it can be had, which is in Colab only; None elsewhere."""
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import _message

        answer = _message.blocking_request("get_ipynb", timeout_sec=20)
    except Exception:
        # The request is Colab's own and undocumented: however it fails, the verdicts are still worth printing.
        return None
    return answer.get("ipynb") if isinstance(answer, dict) else None


def checks_in(notebook: dict | None) -> list[str]:
    """The exercises whose check a notebook's code cells call, in their order, each once."""
    cells = (notebook or {}).get("cells", [])
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return list(dict.fromkeys(name for source in sources for name in CALL.findall(source)))


def _gpu_in_sight() -> bool:
    """Whether a driver's device node is here and CUDA_VISIBLE_DEVICES does not hide it."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and any(Path(node).exists() for node in DEVICE_NODES)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
