"""The command lines that put a worker into a sandbox. `sandbox` says what they are for."""

import os
import shutil

from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox
from rlhw.grading.visible import PACKAGES, WORKER, Visible, visible

NOBODY = 65534
HOME = "/home/student"
ENVIRONMENT = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    # One thread: several would fight over the cores with the other jobs, and count as processes.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_NO_PRIVILEGES = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")


def tool(name: str) -> str:
    """Path of a system command. NoSandbox where it is missing."""
    path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin")
    if path is None:
        raise NoSandbox(f"the command {name} is missing.")
    return path


def worker(python: str, limits: Limits, packages: str = PACKAGES, program: str = WORKER) -> list[str]:
    """The worker under its limits."""
    # CPU seconds only back up the deadlines, should the grader itself be stopped.
    seconds = int(limits.seconds_in_all) + 10
    caps = (
        f"--nproc={limits.processes}",
        f"--as={limits.memory}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        f"--cpu={seconds}",
        "--core=0",
    )
    return [tool("prlimit"), *caps, "--", python, "-I", "-S", "-B", program, packages, str(limits.reply_bytes)]


def bwrap(limits: Limits) -> Sandbox:
    """The sandbox made by bubblewrap 0.8 or newer."""
    seen, bubblewrap, prlimit = visible(), tool("bwrap"), tool("prlimit")
    binds = {prlimit: prlimit, **seen.binds}
    outer: list[str] = []
    if os.geteuid() == 0:
        outer = [bubblewrap, "--dev-bind", "/", "/", "--perms", "0755", "--tmpfs", "/tmp"]
        for number, path in enumerate(binds.values()):
            outer += ["--ro-bind", path, f"/tmp/{number}"]
        drop = [tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", *_NO_PRIVILEGES]
        outer += ["--unshare-pid", "--die-with-parent", "--", *drop, "--"]
        binds = {place: f"/tmp/{number}" for number, place in enumerate(binds)}
    inner = [bubblewrap, *_walls(), *_files(binds, seen, limits), "--chdir", HOME, "--"]
    return Sandbox("bwrap", (*outer, *inner, *worker(seen.python, limits)))


def _walls() -> list[str]:
    walls = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    walls += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        walls += ["--setenv", name, value]
    return walls


def _files(binds: dict[str, str], seen: Visible, limits: Limits) -> list[str]:
    files: list[str] = []
    for place, path in binds.items():
        files += ["--ro-bind", path, place]
    for place, target in seen.links.items():
        files += ["--symlink", target, place]
    for place in seen.hidden:
        files += ["--tmpfs", place, "--remount-ro", place]
    files += ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/tmp", HOME):
        files += ["--size", str(limits.file_bytes), "--tmpfs", place]
    # bwrap's own tmpfs are writable and know no size.
    return [*files, "--remount-ro", "/dev", "--remount-ro", "/"]
