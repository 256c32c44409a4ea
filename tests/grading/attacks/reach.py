"""Attacks that reach out of their process: signals to others, connections, files outside."""

from .exhaust import START
from .scene import DENIAL, FILE, HANG, NETWORK, cell

STOPS_ITS_PARENT = (
    START
    + """
import os
import signal

started()
for number in (os.getppid(), os.getpid()):
    os.kill(number, signal.SIGSTOP)
$function = None
"""
)

KILLS_ITS_PARENT = """
import os
import signal

parent = os.getppid()
for number in (parent, -parent):
    try:
        os.kill(number, signal.SIGKILL)
    except OSError:
        pass
"""

KILLS_ALL = """
import os
import signal

for number in range(2, 400):
    if number != os.getpid():
        try:
            os.kill(number, signal.SIGKILL)
        except OSError:
            pass
"""

CONNECTS = """
import socket
import urllib.request

for address in ("127.0.0.1", "localhost", "::1"):
    try:
        with socket.create_connection((address, $port), timeout=1) as line:
            line.sendall(b"$slug")
        break
    except OSError:
        pass
$function = None
"""

ABSTRACT = """
import socket

try:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\\0$token")
        line.sendall(b"$slug")
except OSError:
    pass
$function = None
"""

WRITES = """
import os
import shutil
import subprocess

for write in (
    lambda: open(r"$mark", "w").write("here"),
    lambda: subprocess.run(["sh", "-c", "echo here > '$mark'"]),
    lambda: os.symlink("/etc/passwd", r"$mark"),
    lambda: shutil.copy(__file__, r"$mark"),
):
    try:
        write()
    except Exception:
        pass
$function = None
"""

REMOVES = """
import os
import shutil

for path in (r"$outside", r"$submissions", r"$home"):
    try:
        for name in os.listdir(path):
            shutil.rmtree(os.path.join(path, name), ignore_errors=True)
        open(r"$mark", "w").close()
    except OSError:
        pass
$function = None
"""

REACH = (
    cell("stops-parent", "stops its parent and itself", HANG, STOPS_ITS_PARENT),
    cell("kills-parent", "kills its parent, and its parent's group", DENIAL, KILLS_ITS_PARENT),
    cell("kills-all", "kills every process it may", DENIAL, KILLS_ALL),
    cell("network", "connects to a port of this machine", NETWORK, CONNECTS),
    cell("abstract-socket", "connects to a socket that has no file", NETWORK, ABSTRACT),
    cell("writes", "writes a file outside, in four ways", FILE, WRITES),
    cell("removes", "removes the submissions and the grader's home", FILE, REMOVES),
)  # fmt: skip
