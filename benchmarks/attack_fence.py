"""A fence around one command: `fenced` starts this file's `main` in namespaces of its own.

Inside, the whole disk is read-only but for one folder, the network is a loopback of its own, and this program is the first
process: when it ends, all others do. It says what the command left behind. Standard library only: it runs before anything.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# More processes than any grader has, and a size that none should reach: what passes them is stopped at once.
MOST_PROCESSES, MOST_BYTES = 300, 5 * 2**28
STEP = 0.05
START = "import runpy, sys; runpy.run_path(sys.argv[1])['main']()"


def fenced(job: dict, report: Path) -> dict:
    """Run a job behind the fence and return what was seen.

    `job`: command (argv), cwd, env, folder (the only one that can be written to), limit (seconds), mark (a file that says
    when an endless attack begins) and grace (seconds that it gets from then on), token, port. Raises RuntimeError with what
    `unshare` says where there are no namespaces.
    """
    path = report.with_suffix(".job.json")
    path.write_text(json.dumps(job | {"report": str(report)}), encoding="utf8")
    kinds = ["--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net", "--ipc"]
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    command = ["unshare", *user, *kinds, sys.executable, "-I", "-c", START, __file__, str(path)]
    with counted() as enter:
        run = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, preexec_fn=enter)
    if not report.is_file():
        raise RuntimeError(f"no fence could be put up: {run.stderr.decode(errors='replace')[-500:]}")
    return json.loads(report.read_text(encoding="utf8"))


@contextlib.contextmanager
def counted() -> Iterator[Callable[[], None]]:
    """A control group that holds so many processes and no more, where the machine lets us make one; entered by a call."""
    group = Path("/sys/fs/cgroup/pids") / f"fence-{os.getpid()}-{threading.get_ident()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(2 * MOST_PROCESSES))
    except OSError:
        yield lambda: None
        return
    try:
        yield lambda: (group / "cgroup.procs").write_text("0") and None
    finally:
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def close_off(folder: str) -> None:
    """Only `folder` stays writable, /dev/shm, /var/tmp and its tmp are new and small, and loopback is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    bind, remount, read_only, private = 4096, 32, 1, 1 << 18 | 1 << 14

    def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        if libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode() or None):
            raise OSError(ctypes.get_errno(), f"mount {target}")

    mount("none", "/", "", private)
    mount(folder, folder, "", bind)
    # A program that does not look at TMPDIR falls back on /var/tmp where it cannot write to /tmp.
    for place in ("/dev/shm", "/var/tmp", f"{folder}/tmp"):
        mount("tmpfs", place, "tmpfs", 0, "size=1g,mode=1777")
    mount("none", "/", "", bind | remount | read_only)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 1 | 64, b""))  # SIOCSIFFLAGS: up and running


def listen(port: int, token: str, heard: list[str]) -> None:
    """Note the first words of whoever connects to the port, or to the socket without a file."""
    doors = [socket.create_server(("127.0.0.1", port)), socket.socket(socket.AF_UNIX)]
    doors[1].bind(f"\0{token}")
    doors[1].listen()

    def wait(door: socket.socket) -> None:
        while True:
            line, _ = door.accept()
            line.settimeout(1)
            with contextlib.suppress(OSError):
                heard.append(line.recv(100).decode(errors="replace"))
            line.close()

    for door in doors:
        threading.Thread(target=wait, args=(door,), daemon=True).start()


def processes() -> list[tuple[int, int, bool, str]]:
    """(id, resident bytes, in namespaces of its own, command) of every other process."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and entry != "1":
            try:
                status = dict(line.split(":", 1) for line in Path(f"/proc/{entry}/status").read_text().splitlines())
                words = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (OSError, ValueError):
                continue
            if status["State"].strip().startswith("Z"):
                continue
            size = int(status.get("VmRSS", "0 kB").split()[0]) * 1024
            found.append((int(entry), size, len(status.get("NSpid", "1").split()) > 1, words))
    return found


def watch(run: subprocess.Popen, job: dict, seen: dict) -> None:
    """Until the command ends or must be stopped. `seen` takes the peaks, and the reason where it was stopped."""
    start, begun = time.monotonic(), None
    while run.poll() is None:
        alive = processes()
        seen["processes"] = max(seen["processes"], len(alive))
        for _, size, inner, _ in alive:
            which = "inner_bytes" if inner else "outer_bytes"
            seen[which] = max(seen[which], size)
        for place in (f"{job['folder']}/tmp", "/dev/shm", "/var/tmp"):
            state = os.statvfs(place)
            seen["tmp_bytes"] = max(seen["tmp_bytes"], (state.f_blocks - state.f_bfree) * state.f_frsize)
        now = time.monotonic()
        begun = begun or (now if job.get("mark") and os.path.exists(job["mark"]) else None)
        over = begun and now - begun > job["grace"]
        if len(alive) > MOST_PROCESSES or seen["outer_bytes"] > MOST_BYTES or now - start > job["limit"] or over:
            seen["stopped"] = (
                "processes" if len(alive) > MOST_PROCESSES else "memory" if seen["outer_bytes"] > MOST_BYTES else "time"
            )
            break
        time.sleep(STEP)
    seen["seconds"] = round(time.monotonic() - start, 2)


def survivors(token: str) -> list[str]:
    """Commands with the token in them that are alive though the grading is over."""
    return [words for _, _, _, words in processes() if token in words]


def main() -> None:
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf8"))
    if os.getpid() != 1:
        raise SystemExit("this program is the first process of a namespace: start it by `fenced`")
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    close_off(job["folder"])
    heard: list[str] = []
    listen(job["port"], job["token"], heard)
    seen = {"processes": 0, "inner_bytes": 0, "outer_bytes": 0, "tmp_bytes": 0, "stopped": ""}
    with open(job["output"], "wb") as output:
        run = subprocess.Popen(
            job["command"], cwd=job["cwd"], env=job["env"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)),
        )  # fmt: skip
        watch(run, job, seen)
    # What an honest grader is still putting away gets a moment.
    if not seen["stopped"]:
        time.sleep(0.3)
    seen["survivors"] = survivors(job["token"] + "-")
    for _ in range(20):
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        time.sleep(0.01)
    seen |= {"code": run.wait(), "heard": heard}
    Path(job["report"]).write_text(json.dumps(seen), encoding="utf8")
