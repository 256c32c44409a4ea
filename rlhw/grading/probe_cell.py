"""Answer cell of the probe: runs inside a sandbox and says which doors are open. See `probe`."""

import ctypes
import mmap
import os
import signal
import socket

import numpy as np

NEW_USER = 0x10000000


def readable(path):
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def network(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        return True
    except OSError:
        return False


def privileges():
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return any(int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")) or status["NoNewPrivs"].strip() != "1"


def sees(pid, started):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19] == started
    except OSError:
        return False


def forks(limit):
    children = []
    try:
        while len(children) <= limit:
            child = os.fork()
            if child == 0:
                while True:
                    signal.pause()
            children.append(child)
        return True
    except OSError:
        return False
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


def memory(limit):
    try:
        mmap.mmap(-1, limit + 1, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        return True
    except OSError:
        return False


def uncounted(size):
    """Shared memory of System V, which outlives its process and counts for none."""
    libc = ctypes.CDLL(None)
    found = libc.shmget(0, ctypes.c_size_t(size), 0o1600)
    return found != -1 and libc.shmctl(found, 0, None) == 0


def file_size(folder, limit):
    path = os.path.join(folder, f"rlhw-{os.getpid()}")
    try:
        with open(path, "wb") as file:
            os.ftruncate(file.fileno(), limit + 1)
        return True
    except OSError:
        return False
    finally:
        if os.path.exists(path):
            os.unlink(path)


def namespaces():
    child = os.fork()
    if child == 0:
        os._exit(ctypes.CDLL(None).unshare(NEW_USER) != 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def writes(folder):
    path = os.path.join(folder, f"rlhw-{os.getpid()}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.unlink(path)
        return True
    except OSError:
        return False


def writable(paths):
    """Whether one of them, ours or not, is mounted for writing."""
    return any(not os.statvfs(path).f_flag & os.ST_RDONLY for path in paths)


def open_doors(outside):
    """Names of the open doors, as in `probe.DOORS`."""
    limits = outside["limits"]
    places = ("/", "/dev", "/etc", "/home", "/packages", "/proc", "/root", "/run", "/usr/lib", "/var/tmp", "/work")
    # Without namespaces /tmp is the machine's own.
    shared = sees(outside["pid"], outside["started"])
    tried = {
        "secrets": any(map(readable, outside["secrets"])),
        "privileges": privileges(),
        "processes": forks(limits["processes"]),
        "memory": memory(limits["memory"]) or uncounted(4096),
        "file size": file_size("/tmp", limits["file_bytes"]),
        "namespaces": namespaces(),
        "files": any(map(readable, outside["files"])),
        "network": network(outside["port"]),
        "others": shared,
        "writing": any(map(writes, (*places, *(["/tmp"] if shared else []))))
        or writable(("/", os.__file__, np.__file__)),
    }
    return [door for door, is_open in tried.items() if is_open]
