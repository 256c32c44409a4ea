"""Attacks that exhaust or outlive: endless, many, large, stopped, killed. The runner keeps each inside a fence of its own."""

from .scene import DISK, HANG, MEMORY, PROCESS, call, cell

# The runner waits until this mark stands before it calls something endless: a slow start is no hang.
START = """
def started():
    try:
        open(r"$mark", "w").close()
    except OSError:
        pass

"""

DAEMON = """
import os

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["$token-$slug", "60"])
        os._exit(0)

daemon()
$function = None
"""

HOLDS_THE_PIPE = (
    START
    + """
import os

def $function(*arguments, **named):
    started()
    if os.fork() == 0:
        os.setsid()
        os.execv("/bin/sleep", ["$token-$slug", "60"])
    return 0.0
"""
)

# No more than 400, each of them another program at once: children that go on forking a Python of 100 MB keep a kernel busy
# for minutes after they are killed, and where this is tried other people work.
FORK_BOMB = """
import os

for _ in range(400):
    try:
        if os.fork() == 0:
            os.execv("/bin/sleep", ["$token-$slug", "30"])
    except OSError:
        pass
"""

MEMORY_BOMB = """
blocks = []
while len(blocks) < 64:
    blocks.append(b"x" * (64 << 20))
$function = None
"""

FLOOD = """
import sys

for _ in range(600):
    sys.stdout.write("x" * (1 << 20))
$function = None
"""

FLOOD_IN_CALL = """
import os
line = b"x" * (1 << 20)
for _ in range(600):
    print(line.decode())
return 0.0
"""

# 400 MB at the most, so that this can be tried where other people work.
DISK_FILL = """
import os
import tempfile

left = 400
for folder in (".", r"$outside", tempfile.gettempdir(), "/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), "/"):
    try:
        for number in range(400):
            with open(os.path.join(folder, f"$token-$slug-{number}"), "wb") as file:
                while left and file.tell() < 200 << 20:
                    file.write(b"x" * (1 << 20))
                    left -= 1
    except OSError:
        pass
$function = None
"""

INTERRUPTED = (
    START
    + """
import time

started()
while True:
    try:
        while True:
            time.sleep(0.1)
    except BaseException:
        pass
"""
)

DEAF = (
    START
    + """
import signal
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
started()
while True:
    time.sleep(1)
"""
)

DESTRUCTOR = (
    START
    + """
class Last:
    def __del__(self):
        started()
        while True:
            pass

last = Last()
del last
$function = None
"""
)

BACKTRACKING = (
    START
    + """
import re

started()
re.match("(a|a)*b", "a" * 60)
"""
)

CLOSES = (
    START
    + """
import os

def $function(*arguments, **named):
    started()
    for number in range(3, 256):
        try:
            os.close(number)
        except OSError:
            pass
    os.closerange(0, 3)
    return 0.0
"""
)

EXHAUST = (
    cell("fork-bomb", "forks 400 processes", PROCESS, FORK_BOMB),
    cell("daemon", "a child of a child in a session of its own stays", PROCESS, DAEMON),
    cell("child-holds-pipe", "a child that keeps the pipes open, left behind by each call", PROCESS, HOLDS_THE_PIPE),
    cell("memory-bomb", "4 GB in blocks", MEMORY, MEMORY_BOMB),
    cell("output-flood", "600 MB printed by a cell", MEMORY, FLOOD),
    call("output-flood-in-call", "600 MB printed by a call", MEMORY, FLOOD_IN_CALL),
    cell("disk-fill", "fills every folder it can write to", DISK, DISK_FILL),
    cell("endless-cell", "an answer cell without end", HANG, START + "started()\nwhile True:\n    pass\n"),
    call("endless-call", "a function without end", HANG, "started()\nwhile True:\n    pass", START),
    call("endless-power", "one instruction that takes for ever", HANG, "started()\nreturn 10 ** 10 ** 9", START),
    cell("endless-regex", "a pattern that backtracks for ever", HANG, BACKTRACKING),
    cell("endless-destructor", "a destructor without end", HANG, DESTRUCTOR),
    cell("uninterruptible", "an endless loop that catches what would interrupt it", HANG, INTERRUPTED),
    cell("deaf", "ignores every signal that can be ignored", HANG, DEAF),
    call("sleeper", "a function that sleeps", HANG, "started()\nimport time\ntime.sleep(3600)", START),
    cell("closes-files", "closes every open file in the midst of a call", HANG, CLOSES),
)  # fmt: skip
