"""Tries a sandbox's doors from inside, as a student's code would, before anything is graded in it.

The probe is an answer cell like any other, so it also shows that a worker starts and replies.
"""

import os
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import rlhw
from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox

SOURCE = Path(__file__).with_name("probe_cell.py")
# The probe is our own code: that the machine is busy is no reason to refuse the sandbox.
PATIENT = 120.0
# What an open door means, and whether the second user may have it open.
DOORS = {
    "secrets": ("can read what must stay closed: make it readable for its owner only (chmod -R go= {path})", False),
    "privileges": ("has privileges, or can gain some", False),
    "processes": ("can start any number of processes", False),
    "memory": ("can take any amount of memory", False),
    "file size": ("can write a file of any size", False),
    "namespaces": ("can make namespaces of its own", True),
    "files": ("can read every file of this machine that is open to everybody", True),
    "network": ("can reach the network", True),
    "others": ("sees which other processes run", True),
    "writing": ("can write into folders that are open to everybody, as many files as it likes", True),
}


def proven(sandbox: Sandbox, limits: Limits) -> Sandbox:
    """The sandbox with its open doors named. NoSandbox where it does not start, or a door is open that must not be."""
    found = try_doors(sandbox, limits)
    may = sandbox.name == "second user"
    for door in found:
        sentence, bearable = DOORS[door]
        if not (may and bearable):
            path = Path(rlhw.__file__).parent
            raise NoSandbox(f"code in it {sentence.format(path=path)}.")
    return replace(sandbox, open_doors=tuple(f"A student's code {DOORS[door][0]}." for door in found))


def try_doors(sandbox: Sandbox, limits: Limits) -> list[str]:
    """The keys of DOORS that are open. NoSandbox where the worker does not start or does not say."""
    from rlhw.grading.remote import AnswerFailed, Answers

    with tempfile.TemporaryDirectory(prefix="rlhw-probe-") as folder, socket.create_server(("127.0.0.1", 0)) as server:
        os.chmod(folder, 0o755)
        canary = Path(folder, "canary")
        canary.write_text("canary")
        canary.chmod(0o644)
        outside = {
            # Every copy of the library that this process could import, too.
            "secrets": [rlhw.__file__, str(SOURCE), *(str(Path(place, "rlhw", "__init__.py")) for place in sys.path)],
            "files": [str(canary), "/etc/passwd"],
            "port": server.getsockname()[1],
            "pid": os.getpid(),
            "started": started(os.getpid()),
            "limits": limits.as_dict(),
        }
        patient = replace(limits, seconds_per_call=PATIENT, seconds_per_cell=PATIENT, seconds_in_all=2 * PATIENT)
        try:
            with Answers({"probe": SOURCE.read_text()}, sandbox, patient) as answers:
                found = answers.get("probe", "open_doors")(outside)
        except (AnswerFailed, TypeError) as failure:
            raise NoSandbox(f"it starts, but its probe failed ({failure}).") from None
    if not isinstance(found, list) or not set(found) <= set(DOORS):
        raise NoSandbox("it starts, but its probe failed.")
    return found


def started(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its number, what tells it from all others."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
