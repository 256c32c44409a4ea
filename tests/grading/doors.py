"""Ways out of a process, one function each: True means that it got through.

The same text runs as an answer cell in a sandbox, where every function must come to nothing, and as a program without one,
`python doors.py FACTS`, where every function must get through: a door that is shut for everybody shows nothing.
"""

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE = 0x4206
NEW_USER, NEW_MOUNTS = 0x10000000, 0x20000


def reads_a_file(facts):
    with open(facts["canary"]) as file:
        return file.read() == facts["secret"]


def reads_the_users(facts):
    with open("/etc/passwd") as file:
        return "root" in file.read()


def reads_through_a_link(facts):
    link = os.path.join(tempfile.mkdtemp(dir="/tmp"), "link")
    os.symlink(facts["canary"], link)
    with open(link) as file:
        return file.read() == facts["secret"]


def finds_the_reference(facts):
    with open(facts["reference"]) as file:
        return "def " in file.read()


def imports_the_reference(facts):
    sys.path += facts["packages"]
    sys.modules.pop("rlhw", None)
    import rlhw.laws

    return bool(rlhw.laws)


def has_the_environment(facts):
    return facts["secret"] in os.environ.values()


def reads_an_environment(facts):
    with open(f"/proc/{facts['sleeper']}/environ") as file:
        return facts["secret"] in file.read()


def has_an_open_file(facts):
    # Of the descriptors, those that point to what the grader has open.
    return any(os.path.realpath(f"/proc/self/fd/{name}") == facts["opened"] for name in os.listdir("/proc/self/fd"))


def signals_another(facts):
    os.kill(facts["sleeper"], 0)
    return True


def traces_another(facts):
    # A tracer that ends lets go.
    return LIBC.ptrace(SEIZE, facts["sleeper"], 0, 0) == 0


def traces_a_child(facts):
    child = os.fork()
    if child == 0:
        signal.pause()
    traced = LIBC.ptrace(SEIZE, child, 0, 0) == 0
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return traced


def connects(facts):
    socket.create_connection(("127.0.0.1", facts["port"]), timeout=1).close()
    return True


def sends_a_datagram(facts):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", facts["port"])) == 1


def connects_by_name(facts):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + facts["abstract"])
        return True


def writes_a_file(facts):
    with open(os.path.join(facts["folder"], "written"), "w") as file:
        return file.write("x") == 1


def writes_beside_the_devices(facts):
    place = "/dev" if os.geteuid() == 0 or "sandbox" in facts else facts["folder"]
    path = os.path.join(place, f"rlhw-door-{os.getpid()}")
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)
    return True


def writes_a_large_file(facts):
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        os.ftruncate(file.fileno(), facts["file_bytes"] + 1)
    return True


def fills_the_disk(facts):
    # Small files, many of them: only a sized file system stops these.
    folder, piece = tempfile.mkdtemp(dir="/tmp"), b"x" * (1 << 20)
    try:
        for number in range(2 * facts["file_bytes"] >> 20):
            with open(os.path.join(folder, str(number)), "wb") as file:
                file.write(piece)
        return True
    finally:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))


def takes_memory(facts):
    mmap.mmap(-1, facts["memory"] + 1, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    return True


def takes_shared_memory(facts):
    found = LIBC.shmget(0, ctypes.c_size_t(4096), 0o1600)
    return found != -1 and LIBC.shmctl(found, 0, None) == 0


def takes_a_memory_file(facts):
    os.close(os.memfd_create("x"))
    return True


def forks_on(facts):
    children = []
    try:
        while len(children) <= facts["processes"]:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
        return True
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def opens_many_files(facts):
    opened = []
    try:
        while len(opened) <= facts["open_files"]:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        return True
    finally:
        for number in opened:
            os.close(number)


def dumps_core(facts):
    # Not whether it would now: whether it may allow itself to.
    resource.setrlimit(resource.RLIMIT_CORE, (1, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return True


def makes_a_user_namespace(facts):
    child = os.fork()
    if child == 0:
        os._exit(LIBC.unshare(NEW_USER) != 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def mounts(facts):
    # In namespaces of its own, as any user may without a sandbox.
    child = os.fork()
    if child == 0:
        LIBC.unshare(NEW_USER | NEW_MOUNTS)
        os._exit(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def runs_a_shell(facts):
    return subprocess.run(["/bin/sh", "-c", "true"], check=False).returncode == 0


# Only root gets through these even without a sandbox.


def makes_a_device(facts):
    path = f"/tmp/rlhw-device-{os.getpid()}"
    os.mknod(path, 0o020600, os.makedev(1, 3))
    os.unlink(path)
    return True


def changes_the_kernel(facts):
    return os.access("/proc/sys/kernel/core_pattern", os.W_OK)


def becomes_root(facts):
    # Root of a user namespace may be root in name only: what counts is what it may do.
    os.setuid(0)
    with open("/proc/self/status") as file:
        return any(int(line.split()[1], 16) for line in file if line.startswith(("CapPrm", "CapEff", "CapBnd")))


ROOT_ONLY = (makes_a_device, changes_the_kernel, becomes_root)
DOORS = (
    *(reads_a_file, reads_the_users, reads_through_a_link, finds_the_reference, imports_the_reference),
    *(has_the_environment, reads_an_environment, has_an_open_file, signals_another, traces_another, traces_a_child),
    *(connects, sends_a_datagram, connects_by_name, writes_a_file, writes_beside_the_devices, writes_a_large_file),
    *(fills_the_disk, takes_memory, takes_shared_memory, takes_a_memory_file, forks_on, opens_many_files, dumps_core),
    *(makes_a_user_namespace, mounts, runs_a_shell),
    *ROOT_ONLY,
)


def tried(facts):
    """Door -> whether it is open."""
    found = {}
    for door in DOORS:
        try:
            found[door.__name__] = bool(door(facts))
        except Exception:
            found[door.__name__] = False
    return found


if __name__ == "__main__":
    print(json.dumps(tried(json.loads(sys.argv[1]))))
