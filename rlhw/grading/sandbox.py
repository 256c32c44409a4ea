"""Where a student's code runs: what is closed to it, what each kind of sandbox leaves open, and which kind this machine has.

Threat model: see `remote`. The code in here may be any program that numpy's Python can be made to run, machine code included;
what holds it is the kernel. It must not read a file of this machine (the secret, other submissions, the reference solutions),
nor the environment; reach a network or another process; write outside its own few megabytes; outlive its worker; or use more
than its share of processes and memory.

- `bwrap` (bubblewrap): namespaces for users, processes, network, mounts, IPC and host name, no further user namespaces, no
  capabilities. The file system is an allow-list: the C library, Python's standard library, numpy and torch, read-only, and
  sized scratch folders. As root an outer bwrap first makes Python reachable and drops to an unprivileged user, because
  limits on processes do not bind root; from there on it is the command of an ordinary user.
- `unshare` (util-linux): the same allow-list and namespaces, put up by a short shell script.
- `second user`: no namespaces, as in most containers. Only as root, and only where the caller says that the machine is
  disposable: `open_doors` says what stays open.

A sandbox that only looks like one is worse than none: `find` runs a probe in it that tries the doors, and takes no sandbox
whose doors are open. In all three stand limits (prlimit) and a filter of system calls, which the worker puts on before the
first cell runs: no sockets, no memory that no limit counts, no namespaces.

What is left: the kernel itself. Who finds a hole in Linux that an unprivileged process can use is out.
"""

import os
import subprocess
from dataclasses import asdict, dataclass, field

WAYS = ("bwrap", "unshare", "second user")
# Replaced by the second user's number when the worker is started.
UID = "{uid}"


class NoSandbox(RuntimeError):
    """There is no sandbox in which a student's code could be run. One sentence says what to do."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds are wall clock, less those in which it waited for a core; sizes are in bytes.

    `memory` bounds the address space of each process, and what all of them hold together. `seconds_in_all` is for all
    requests and restarts of a submission, `restarts` how often its worker is started anew.
    """

    seconds_per_call: int | float = 2.0
    seconds_per_cell: int | float = 4.0
    seconds_in_all: int | float = 30.0
    seconds_to_start: int | float = 60.0
    restarts: int = 20
    memory: int = 2 << 30
    processes: int = 8
    open_files: int = 128
    file_bytes: int = 16 << 20
    reply_bytes: int = 1_000_000

    def as_dict(self) -> dict:
        """For JSON; `Limits(**data)` is the way back."""
        return asdict(self)


@dataclass(frozen=True)
class Sandbox:
    """A way to start the worker: `argv`, with the protocol on its standard input and output.

    `open_doors` are sentences about what this kind leaves open, for the grader to print. `end_all` is what kills the children
    that a dead worker left behind, empty where the kernel ends them with their namespace.
    """

    name: str
    argv: tuple[str, ...]
    open_doors: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    end_all: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """What to execute."""
        return _with_uid(self.argv)

    def sweep(self, pid: int | None = None) -> None:
        """Kill what a dead worker left behind: this process's own, or those that the process with this id had."""
        if self.end_all:
            subprocess.run(_with_uid(self.end_all, pid), env={}, check=False, capture_output=True)

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "Sandbox":
        """Back from JSON."""
        return cls(**{**data, **{name: tuple(data[name]) for name in ("argv", "open_doors", "end_all")}})


def _with_uid(argv: tuple[str, ...], pid: int | None = None) -> list[str]:
    # One second user a grading process, so that ending one worker's children does not end another's.
    return [part.replace(UID, str(20_000 + (pid or os.getpid()) % 40_000)) for part in argv]


def find(disposable: bool = False, limits: Limits | None = None, ways: tuple[str, ...] = WAYS) -> Sandbox:
    """The first of `ways` that this machine has, proven by a probe. NoSandbox says in a sentence what is missing.

    The second user is tried only as root and with `disposable`: this machine may be thrown away afterwards.
    """
    from rlhw.grading import confine, probe

    limits = limits or Limits()
    builders = {"bwrap": confine.bwrap, "unshare": confine.unshare}
    if disposable and os.geteuid() == 0:
        builders["second user"] = confine.second_user
    reasons = []
    for way in ways:
        if way not in builders:
            continue
        try:
            return probe.proven(builders[way](limits), limits)
        except NoSandbox as reason:
            reasons.append(f"{way}: {reason}")
    advice = "Install bubblewrap 0.8 or newer (apt install bubblewrap)"
    if not disposable:
        advice += "; as root on a machine that may be thrown away, say --disposable"
    raise NoSandbox(f"there is no sandbox for the students' code ({'; '.join(reasons) or 'none was tried'}). {advice}.")
