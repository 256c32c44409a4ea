"""What the tests of the sandbox share: facts about this process to be found out, and other users to be."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

import rlhw
from rlhw.grading import worker
from rlhw.grading.remote import Answers
from rlhw.grading.sandbox import Limits, Sandbox

DOORS = Path(__file__).with_name("doors.py")
CHECKOUT = Path(rlhw.__file__).parents[1]


@contextmanager
def to_find_out(folder: Path) -> Iterator[dict]:
    """Facts for the doors: a file, an open descriptor, a server, a process, an environment, all with one secret."""
    secret = secrets.token_hex(8)
    canary = folder / "canary"
    canary.write_text(secret)
    canary.chmod(0o644)
    environment = {**os.environ, "RLHW_CANARY": secret}
    with (
        canary.open() as opened,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as named,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment) as sleeper,
    ):
        os.set_inheritable(opened.fileno(), True)
        named.bind(f"\0rlhw-{secret}")
        named.listen(9)
        os.environ["RLHW_CANARY"] = secret
        try:
            yield {
                **Limits().as_dict(),
                "secret": secret,
                "canary": str(canary.resolve()),
                "folder": str(folder),
                "opened": str(canary.resolve()),
                "fd": opened.fileno(),
                "port": server.getsockname()[1],
                "abstract": f"rlhw-{secret}",
                "sleeper": sleeper.pid,
                "reference": rlhw.__file__,
                "packages": [str(CHECKOUT), *sys.path],
            }
        finally:
            del os.environ["RLHW_CANARY"]
            sleeper.kill()


def bare() -> Sandbox:
    """The worker without a sandbox."""
    packages = str(Path(np.__file__).parents[1])
    return Sandbox("none", (sys.executable, "-I", "-S", "-B", worker.__file__, packages, "1000000"))


def family(pid: int) -> list[int]:
    """A process and all that come of it."""
    found = [pid]
    for known in found:
        with suppress(OSError):
            for task in Path(f"/proc/{known}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def alive(pids: list[int], seconds: float = 5.0) -> list[int]:
    """Those that still run after so long; returns as soon as there are none. Zombies run no more."""
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def without_walls(facts: dict) -> dict[str, bool]:
    """Door -> open, in an ordinary process that inherits what an ordinary process does."""
    command = [sys.executable, str(DOORS), json.dumps(facts)]
    done = subprocess.run(command, pass_fds=[facts["fd"]], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def within(sandbox: Sandbox, facts: dict) -> dict[str, bool]:
    """Door -> open, in a sandbox."""
    limits = Limits(seconds_per_call=30.0)
    with Answers({"doors": DOORS.read_text()}, sandbox, limits) as answers:
        return answers.get("doors", "tried")({**facts, "sandbox": sandbox.name})


def as_seen_by_others(command: list[str], uid: int = 0, private: Path | None = None) -> list[str]:
    """A command with Python and this checkout where every user reaches them, as `uid`. Root's home is closed to others.

    With `private`, its folders take the place of the checkout's of the same names. (Not the whole: Python may lie in there.)
    """
    shown: list[str] = []
    for path in dict.fromkeys(map(Path, (sys.base_prefix, sys.prefix, CHECKOUT))):
        closed = [parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001]
        if closed:
            # Whole, as folders that bwrap makes on the way are closed too.
            top = str(closed[0] / path.relative_to(closed[0]).parts[0])
            shown += ["--perms", "0755", "--tmpfs", str(closed[0]), "--ro-bind", top, top]
    if private is not None:
        shown += [part for own in private.iterdir() for part in ("--ro-bind", str(own), str(CHECKOUT / own.name))]
        # Another checkout, which Python's packages point to.
        others = {Path(place, "rlhw") for place in sys.path} - {CHECKOUT / "rlhw"}
        shown += [part for other in others if other.is_dir() for part in ("--tmpfs", str(other))]
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"] if uid else []
    return ["bwrap", "--dev-bind", "/", "/", *shown, "--", *drop, *command]
