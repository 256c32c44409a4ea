"""A process that has pytest, nbval, the kernel and rlhw loaded, and forks itself for each notebook: `python -I nbval_server.py`.

One line of JSON a job on stdin, one line of JSON on stdout when it has ended. Each job gets two fresh copies of this process: one
is nbval's kernel, the other runs pytest. No student code runs in either; what they save is two seconds of imports a notebook.
Both are killed at the end of the job, when its time is up, and when the process that asked has gone.
"""

import ctypes
import gc
import json
import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
OPTIONS = ("-p", "nbval.plugin", "-p", "no:cacheprovider", "--noconftest", "-c", "/dev/null", "--nbval-lax")
OPTIONS += ("--nbval-current-env", "--color=no", "-p", "no:unraisableexception", "-p", "no:threadexception")
PRELOADED = ("pytest", "nbval.plugin", "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.debugger", "psutil")
PRELOADED += (
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "rlhw.grading.trusted",
)
NOTEBOOK = "graded.ipynb"

PR_SET_PDEATHSIG = 1


class Outcomes:
    """A pytest plugin: what came of each cell, by the cell's id. Names of nbval's items differ from version to version."""

    def __init__(self) -> None:
        self.by_cell: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Give every report the id of its cell."""
        for item in items:
            item.user_properties.append(("cell", item.cell["id"]))

    def pytest_runtest_logreport(self, report: object) -> None:
        """A cell has passed when its call has, and its setup."""
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            self.by_cell[dict(report.user_properties)["cell"]] = report.outcome


class Kernel:
    """nbval's kernel: the copy of this process that waits for its orders, seen as jupyter_client sees a Popen."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, orders: int) -> None:
        self.pid, self._orders, self._handle = pid, orders, os.pidfd_open(pid)

    def launch(self, command: list[str], cwd: str | None = None, env: dict | None = None, **other: object) -> "Kernel":
        """Stands where jupyter_client would start `command`: its last words name the connection file."""
        order = {"file": command[-1], "cwd": cwd, "env": dict(os.environ if env is None else env)}
        os.write(self._orders, json.dumps(order).encode() + b"\n")
        os.close(self._orders)
        return self

    def poll(self) -> int | None:
        """None while it runs."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended."""
        select.select([self._handle], [], [], timeout)
        return 0

    def send_signal(self, number: int) -> None:
        """To this process only."""
        signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """At once, and it has ended when this returns: jupyter_client would look again only after a tenth of a second."""
        self.send_signal(signal.SIGKILL)
        self.wait(timeout=1.0)

    def terminate(self) -> None:
        """Likewise: there is nothing to tidy up in a kernel of ours."""
        self.kill()


def preload() -> None:
    """Import once what every job needs, and let pytest and nbval load what they load on the way to the first cell."""
    sys.path.insert(0, ROOT)
    # The kernel looks for a debugger, and would load it each time.
    sys.modules["debugpy"] = None
    for module in PRELOADED:
        import_module(module)
    exercises, nbformat, pytest = map(import_module, ("rlhw.exercises", "nbformat", "pytest"))
    for name in exercises.names():
        if name.startswith("hw"):
            exercises.question(name)
    with tempfile.TemporaryDirectory() as folder:
        empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])
        nbformat.write(empty, Path(folder, NOTEBOOK))
        here = (f"--rootdir={folder}", f"--confcutdir={folder}")
        pytest.main([*OPTIONS, "--collect-only", "-qq", *here, str(Path(folder, NOTEBOOK))])
    # What is here stays as it is: a copy that collects garbage need not touch it, and so need not copy its pages.
    gc.collect()
    gc.freeze()


def run_kernel(orders: int, ordering: int) -> None:
    """Wait for the connection file, then be an IPython kernel."""
    os.close(ordering)  # The other end is pytest's: when that has gone there are no orders to wait for.
    with open(orders, "rb") as file:
        order = json.loads(file.readline() or b"null")
    if order is None:
        return
    _settle(order["env"], order["cwd"])
    # The sandbox opens while jupyter_client and IPython greet each other.
    import_module("rlhw.grading.trusted").prepare()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=["-f", order["file"], "--HistoryManager.enabled=False"])


def run_pytest(job: dict, kernel: Kernel) -> None:
    """Run nbval on the job's notebook, and write what came of each cell beside it."""
    _settle(job["environment"], job["folder"])
    import jupyter_client.provisioning.local_provisioner as provisioner
    import pytest

    provisioner.launch_kernel = kernel.launch
    outcomes = Outcomes()
    limit = f"--nbval-cell-timeout={job['cell_seconds']}"
    # From inside the folder: pytest gives a meaning to "::" and "[" in a path. It would list every folder above this one too.
    pytest.main([*OPTIONS, limit, "--rootdir=.", "--confcutdir=.", NOTEBOOK], plugins=[outcomes])
    Path(job["outcomes"]).write_text(json.dumps(outcomes.by_cell), encoding="utf8")


def _settle(environment: dict[str, str], folder: str) -> None:
    """This environment and no other, this folder, and nothing to read from or to write to."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def fork(run: Callable, *arguments: object) -> int:
    """A copy of this process in a session of its own that does this and ends; its process id. It dies when this process does."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            run(*arguments)
        finally:
            os._exit(0)
    return pid


def serve_one(job: dict) -> str:
    """Run one job; "ended", "time is up" or, when nobody waits for it any more, "abandoned"."""
    orders, ordering = os.pipe()
    kernel = fork(run_kernel, orders, ordering)
    os.close(orders)
    tester = fork(lambda: run_pytest(job, Kernel(kernel, ordering)))
    os.close(ordering)
    handle = os.pidfd_open(tester)
    try:
        # A job at a time: what can be read from stdin meanwhile is its end.
        ready = select.select([handle, 0], [], [], job["seconds"])[0]
        return "ended" if handle in ready else "abandoned" if ready else "time is up"
    finally:
        os.close(handle)
        for pid in (tester, kernel):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        # Its kernel was killed, and could not do it itself.
        import_module("rlhw.grading.sandbox").Sandbox.from_dict(job["sandbox"]).sweep(kernel)


def main() -> None:
    """Serve jobs until stdin ends."""
    answers = os.dup(1)  # What pytest prints goes elsewhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    preload()
    # Read without a buffer: the next job must not be taken out of the pipe while one runs.
    with open(0, "rb", buffering=0, closefd=False) as asked:
        while line := asked.readline():
            ended = serve_one(json.loads(line))
            if ended == "abandoned":
                return
            os.write(answers, json.dumps({"ended": ended}).encode() + b"\n")


if __name__ == "__main__":
    main()
