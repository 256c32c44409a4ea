"""One sandboxed process and the conversation with it: a line of JSON there, a line of JSON back, or a reason why not.

`remote` says against whom. Nothing here waits for the process longer than the deadline, or reads more than the limit.
"""

import json
import os
import secrets
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from rlhw.grading import values
from rlhw.grading.confine import SCRATCH
from rlhw.grading.sandbox import Limits, Sandbox

SENTENCES = {
    "error": "the function stopped with an error",
    "timeout": "the function took too long",
    "died": "the process that ran the code stopped, or sent what it must not send",
    "too_large": "the function returned too much",
    "not_plain": "what was returned is not made of numbers, text, lists, tuples, dicts and arrays of real numbers",
    "time_up": "the time for the whole submission was used up",
    "cell_error": "the answer cell stopped with an error (of packages, only numpy and torch can be imported)",
    "cell_timeout": "the answer cell took too long",
}
# Seconds between two looks at what a worker takes: memory, and how long it has waited for a core.
LOOK_EVERY = 0.1
_PIPE_BYTES = 1 << 16
# What the kernel holds for a file in memory, its name included.
FILE_BYTES = 1 << 10


class AnswerFailed(Exception):
    """A student's code gave no usable value: `reason` is a key of SENTENCES, `sentence` is ours."""

    def __init__(self, reason: str):
        self.reason, self.sentence = reason, SENTENCES[reason]
        super().__init__(self.sentence)


class Worker:
    """One sandboxed process and the conversation with it. Any AnswerFailed from `ask` means that it must be killed."""

    def __init__(self, sandbox: Sandbox, limits: Limits):
        self.limits, self.sandbox = limits, sandbox
        command, pipe = sandbox.command(), subprocess.PIPE
        # A session of its own: no terminal, and a process group to kill. Of our files only these three are handed on.
        self.process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            env=sandbox.environment,
            cwd="/",
            start_new_session=True,
            close_fds=True,
        )
        self.to, self.back = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.to, False)
        os.set_blocking(self.back, False)
        self._looked, self._waits = time.monotonic(), 0.0
        # Seconds that the last request was given because the worker waited for a core.
        self.granted = 0.0

    def ask(self, seconds: int | float, patience: int | float = 0, **request: object) -> dict:
        """Send a request and return the reply's fields without the nonce. AnswerFailed: timeout, died, too_large, not_plain.

        Up to `patience` seconds do not count in which the worker could have run and the machine was busy with others.
        """
        nonce = secrets.token_hex(16)
        line = self._exchange(json.dumps({"nonce": nonce, **request}).encode() + b"\n", seconds, patience)
        try:
            reply = values.read(line)
        except values.NotPlain:
            raise AnswerFailed("not_plain") from None
        if not isinstance(reply, dict) or reply.pop("nonce", None) != nonce or not set(reply) <= {"outcome", "value"}:
            raise AnswerFailed("died")
        return reply

    def _exchange(self, request: bytes, seconds: int | float, patience: int | float) -> bytes:
        self.granted, began = 0.0, time.monotonic()
        if self._waiting():
            raise AnswerFailed("died")
        reply = bytearray()
        poll = select.poll()
        poll.register(self.back, select.POLLIN)
        poll.register(self.to, select.POLLOUT)
        while not reply.endswith(b"\n"):
            now = time.monotonic()
            # Also across requests: children that eat memory need not wait until one takes its time.
            if now >= self._looked + LOOK_EVERY:
                self.granted = min(patience, self.granted + self._look(now, began))
            deadline = began + seconds + self.granted
            if now >= deadline:
                raise AnswerFailed("timeout")
            ready = dict(poll.poll(1 + int(1000 * min(deadline - now, LOOK_EVERY))))
            if self.to in ready:
                request = request[self._send(request) :]
                if not request:
                    poll.unregister(self.to)
            if self.back in ready:
                piece = self._receive()
                # An answer to half a question, or something after the end of the line.
                if request or b"\n" in piece[:-1]:
                    raise AnswerFailed("died")
                reply += piece
                if len(reply) > self.limits.reply_bytes:
                    raise AnswerFailed("too_large")
        return bytes(reply)

    def _look(self, now: float, began: float) -> float:
        """Seconds of this request, since the last look, that the worker waited for a core. AnswerFailed over its memory."""
        memory, waits = taken_by(self.process.pid)
        if memory > self.limits.memory:
            raise AnswerFailed("died")
        # Several processes wait at once, but not for longer than has passed.
        grown = min(max(0.0, waits - self._waits), now - max(self._looked, began))
        self._looked, self._waits = now, waits
        return grown

    def _waiting(self) -> bool:
        """Whether there is something to read, the end included, though nothing was asked."""
        poll = select.poll()
        poll.register(self.back, select.POLLIN)
        return bool(poll.poll(0))

    def _send(self, request: bytes) -> int:
        try:
            return os.write(self.to, request[:_PIPE_BYTES])
        except BlockingIOError:
            return 0
        except OSError:
            raise AnswerFailed("died") from None

    def _receive(self) -> bytes:
        try:
            piece = os.read(self.back, _PIPE_BYTES)
        except BlockingIOError:
            return b""
        if not piece:
            raise AnswerFailed("died")
        return piece

    def kill(self) -> None:
        """End the process and every process that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin = self.process.stdin.close()
        self.process.stdout = self.process.stdout.close()
        self.sandbox.sweep()


def taken_by(pid: int) -> tuple[int, float]:
    """(bytes held, seconds waited for a core) of a process and all that come of it, together.

    Each has its own limit of memory, and together they could fill the machine. So could files in their scratch folders that
    hold nothing: no size counts them. Where the kernel keeps no account of waiting it is 0.
    """
    held, waited, files, family = 0, 0, {}, [str(pid)]
    while family:
        process = Path("/proc", family.pop())
        # Who ends meanwhile holds nothing.
        with suppress(OSError):
            lines = (process / "status").read_text().splitlines()
            held += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))) << 10
            for task in (process / "task").iterdir():
                family += (task / "children").read_text().split()
                with suppress(FileNotFoundError):
                    waited += int((task / "schedstat").read_text().split()[1])
            files |= _files_of(process)
    return held + FILE_BYTES * sum(files.values()), waited / 1e9


def _files_of(process: Path) -> dict[int, int]:
    """device -> number of files, of the scratch folders that this process sees and we don't. OSError where they can't be seen."""
    found = {}
    for place in SCRATCH:
        with suppress(FileNotFoundError):
            device = os.stat(f"{process}/root{place}").st_dev
            if not os.path.exists(place) or device != os.stat(place).st_dev:
                volume = os.statvfs(f"{process}/root{place}")
                found[device] = volume.f_files - volume.f_ffree
    return found
