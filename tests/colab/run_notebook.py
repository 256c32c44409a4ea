"""Run a notebook's cells in this interpreter's kernel, in the current folder; print the outputs, stop at an error."""

import sys

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


def main(path: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    # kernel_dirs: "python3" is then this interpreter, whatever kernels the machine's user has registered.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(notebook, km=manager, timeout=300)
    try:
        client.execute(cleanup_kc=True)
    finally:
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                print(output.get("text") or output.get("data", {}).get("text/plain", ""))


if __name__ == "__main__":
    main(sys.argv[1])
