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
whose doors are open. Limits (prlimit) stand in all three.
"""

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache

WAYS = ("bwrap", "unshare", "second user")


class NoSandbox(RuntimeError):
    """There is no sandbox in which a student's code could be run. One sentence says what to do."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds are wall clock; `memory` is address space in bytes, of each process.

    `restarts` bounds how often the worker of one submission is started anew, `seconds_in_all` all its requests together.
    """

    seconds_per_call: float = 2.0
    seconds_per_cell: float = 5.0
    seconds_in_all: float = 30.0
    seconds_to_start: float = 20.0
    restarts: int = 30
    memory: int = 2 << 30
    processes: int = 16
    open_files: int = 128
    file_bytes: int = 16 << 20
    reply_bytes: int = 1_000_000

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Sandbox:
    """A way to start the worker: `argv`, with the protocol on its standard input and output.

    `open_doors` are sentences about what this kind leaves open, for the grader to print. `uid` is the second user, 0 where
    namespaces end all processes.
    """

    name: str
    argv: tuple[str, ...]
    open_doors: tuple[str, ...] = ()
    uid: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        """What to execute."""
        return list(self.argv)

    def sweep(self) -> None:
        """Kill what a dead worker left behind. With namespaces the kernel has done so already."""

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "Sandbox":
        """Back from JSON."""
        return cls(**{**data, "argv": tuple(data["argv"]), "open_doors": tuple(data["open_doors"])})


def find(disposable: bool = False, limits: Limits | None = None) -> Sandbox:
    """The strongest sandbox that this machine has, proven by a probe. NoSandbox says in a sentence what is missing."""
    from rlhw.grading import confine, probe

    limits = limits or Limits()
    for build in (confine.bwrap, ):
        try:
            sandbox = build(limits)
            probe.prove(sandbox, limits)
            return sandbox
        except NoSandbox as reason:
            why = reason
    raise NoSandbox(f"no sandbox: {why} Install bubblewrap (apt install bubblewrap).")
