"""The command lines that put a worker into a sandbox. `sandbox` says what they are for."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from rlhw.grading.sandbox import UID, Limits, NoSandbox, Sandbox
from rlhw.grading.visible import PACKAGES, WORKER, Visible, visible

NOBODY = "65534"
HOME = "/student"
SCRATCH = ("/dev/shm", "/tmp", HOME)
ENVIRONMENT = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    # One thread: several would fight over the cores with the other jobs, and count as processes.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def tool(name: str) -> str:
    """Path of a system command. NoSandbox where it is missing."""
    path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin")
    if path is None:
        raise NoSandbox(f"the command {name} is missing.")
    return path


def bwrap(limits: Limits) -> Sandbox:
    """The sandbox made by bubblewrap 0.8 or newer."""
    seen, bubblewrap, prlimit = visible(), tool("bwrap"), tool("prlimit")
    binds = {prlimit: prlimit, **seen.binds}
    outer: list[str] = []
    if os.geteuid() == 0:
        outer = [bubblewrap, "--dev-bind", "/", "/", "--perms", "0755", "--tmpfs", "/tmp"]
        for number, path in enumerate(binds.values()):
            outer += ["--ro-bind", path, f"/tmp/{number}"]
        outer += ["--unshare-pid", "--die-with-parent", "--", *_as_user(NOBODY)]
        binds = {place: f"/tmp/{number}" for number, place in enumerate(binds)}
    inner = [bubblewrap, *_walls(), *_files(binds, seen, limits), "--chdir", HOME, "--"]
    return Sandbox("bwrap", (*outer, *inner, *_worker(seen.python, limits)))


def unshare(limits: Limits) -> Sandbox:
    """The sandbox made by util-linux alone: two scripts put up the same files."""
    seen = visible()
    tools = {path: path for path in map(tool, ("prlimit", "setpriv", "umount"))}
    binds = {**tools, **seen.binds}
    shell, separate = tool("sh"), [tool("setpriv"), "--pdeathsig", "KILL", "--", tool("unshare")]
    outer: list[str] = []
    if os.geteuid() == 0:
        outer = [*separate, "--mount", "--pid", "--fork", "--kill-child", "--", shell, "-euc", REACHABLE, "sh"]
        outer += [*binds.values(), "--", *_as_user(NOBODY)]
        binds = {place: f"/sys/{number}" for number, place in enumerate(binds)}
    namespaces = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"]
    inner = [*separate, *namespaces, "--fork", "--kill-child", "--", shell, "-euc", WALLS, "sh"]
    inner += [str(limits.file_bytes)]
    for place, path in binds.items():
        inner += ["bind", path, place]
    for place, target in seen.links.items():
        inner += ["link", target, place]
    for place in seen.hidden:
        inner += ["hide", "-", place]
    for place in SCRATCH:
        inner += ["scratch", "-", place]
    inner += ["--", tool("setpriv"), "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
    return Sandbox("unshare", (*outer, *inner, *_worker(seen.python, limits)), environment=dict(ENVIRONMENT))


def second_user(limits: Limits) -> Sandbox:
    """No namespaces: the worker as another user, who owns nothing and whose processes are all ended with it."""
    seen = visible()
    folder = Path(tempfile.mkdtemp(prefix="rlhw-worker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    for place, path in seen.binds.items():
        # Links to numpy and torch alone, and a copy of the worker: the library itself must be closed to that user.
        if place.startswith(f"{PACKAGES}/"):
            (folder / Path(place).name).symlink_to(path)
    program = folder / "worker.py"
    program.write_bytes(Path(seen.binds[WORKER]).read_bytes())
    program.chmod(0o644)
    drop = _as_user(UID)
    argv = (*drop, *_worker(seen.python, limits, str(folder), str(program)))
    end_all = (*drop, tool("sh"), "-c", "kill -KILL -1")
    return Sandbox("second user", argv, environment={**ENVIRONMENT, "HOME": "/nonexistent"}, end_all=end_all)


def _worker(python: str, limits: Limits, packages: str = PACKAGES, program: str = WORKER) -> list[str]:
    """The worker under its limits. CPU seconds only back up the deadlines, should the grader itself be stopped."""
    caps = (
        f"--nproc={limits.processes}",
        f"--as={limits.memory}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        f"--cpu={int(limits.seconds_in_all) + 30}",
        "--core=0",
    )
    return [tool("prlimit"), *caps, "--", python, "-I", "-S", "-B", program, packages, str(limits.reply_bytes)]


def _as_user(uid: str) -> list[str]:
    """Without privileges, for good. A change of user drops the signal that comes at the parent's death: it is set anew."""
    drop = [tool("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all"]
    return [*drop, "--bounding-set=-all", "--no-new-privs", "--pdeathsig", "KILL", "--"]


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
    for place in SCRATCH:
        files += ["--size", str(limits.file_bytes), "--tmpfs", place]
    # bwrap's own tmpfs are writable and know no size.
    return [*files, "--remount-ro", "/dev", "--remount-ro", "/"]


# As root: what the second script binds is put where an ordinary user reaches it. /sys, because nothing needed lies under it.
REACHABLE = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 none /sys
mkdir /sys/kernel
number=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "/sys/$number"; else : > "/sys/$number"; fi
  mount --bind "$1" "/sys/$number"
  number=$((number + 1))
  shift
done
shift
exec "$@"
"""

# A new root that holds what the arguments name and nothing else; the old one is taken away; then the worker, without
# capabilities, in a user namespace that can't make others.
WALLS = """
root=/sys/kernel
size=$1
shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$root"
mkdir "$root/proc" "$root/dev"
mount -t proc -o nosuid,nodev,noexec none "$root/proc"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
while [ "$1" != -- ]; do
  place="$root$3"
  case "$1" in
    bind)
      if [ -d "$2" ]; then mkdir -p "$place"; else mkdir -p "${place%/*}"; : > "$place"; fi
      mount --bind -o ro,nosuid,nodev "$2" "$place" ;;
    link) ln -s "$2" "$place" ;;
    hide) mount -t tmpfs -o ro,size=4k none "$place" ;;
    scratch) mkdir -p "$place"; mount -t tmpfs -o "nosuid,nodev,mode=755,size=$size" none "$place" ;;
  esac
  shift 3
done
shift
echo 0 > "$root/proc/sys/user/max_user_namespaces"
mount -o remount,ro none "$root"
cd "$root"
pivot_root . .
umount -l .
cd /student
exec "$@"
"""
