"""A student's answers, called from the judging side while they run in a sandboxed process.

Threat model. The student's code owns the worker: it may write any bytes at any time, never answer, die, fork, eat memory, and
wants (1) points for wrong answers, (2) the hidden inputs or the grader's secret, carried out of this machine or into a file,
(3) to stop or crash the grader, (4) to harm other submissions. What is done against it, here:

- The worker only ever gets arguments and only ever gives values (`values`: base types in JSON). Verdicts, expected results and
  the secret stay in this process, so a reply can't be better than a right answer.
- Each request has a nonce of 128 random bits that its reply must repeat; a reply written in advance is worthless. Bytes that
  come unasked, a second line, a broken line: the worker is killed.
- Reads never block: each request has a deadline, each reply a length. All requests together have `seconds_in_all`, and a
  question that had its worker killed twice isn't asked again, so that it can't use up the time of the others.
- A worker is killed with all its children (see `sandbox`), and the next one starts from the answer cells alone. It also keeps
  running after a well-formed reply that says "error": such a reply is no more suspect than one that holds a value, and a
  student whose functions raise needn't pay for a new worker each time.
- What a student's code writes reaches no sentence of ours: the reasons below are all that is ever said.

Against (2) and (4), while the code runs, stands the sandbox.
"""

import json
import os
import secrets
import select
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rlhw.grading import values
from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox

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
# Killed this often over one question, a worker isn't started for that question again.
STRIKES = 2
# Seconds between two looks at the memory of a worker that takes its time.
LOOK_EVERY = 0.1
_PIPE_BYTES = 1 << 16


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

    def ask(self, seconds: int | float, **request: object) -> dict:
        """Send a request and return the reply's fields without the nonce. AnswerFailed: timeout, died, too_large, not_plain."""
        nonce = secrets.token_hex(16)
        line = self._exchange(json.dumps({"nonce": nonce, **request}).encode() + b"\n", time.monotonic() + seconds)
        try:
            reply = values.read(line)
        except values.NotPlain:
            raise AnswerFailed("not_plain") from None
        if not isinstance(reply, dict) or reply.pop("nonce", None) != nonce or not set(reply) <= {"outcome", "value"}:
            raise AnswerFailed("died")
        return reply

    def _exchange(self, request: bytes, deadline: int | float) -> bytes:
        if self._waiting():
            raise AnswerFailed("died")
        reply = bytearray()
        poll = select.poll()
        poll.register(self.back, select.POLLIN)
        poll.register(self.to, select.POLLOUT)
        looked = time.monotonic()
        while not reply.endswith(b"\n"):
            now = time.monotonic()
            if now >= deadline:
                raise AnswerFailed("timeout")
            if now >= looked + LOOK_EVERY:
                if memory_of(self.process.pid) > self.limits.memory:
                    raise AnswerFailed("died")
                looked = time.monotonic()
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


def memory_of(pid: int) -> int:
    """Bytes that a process and all that come of it hold: each has its own limit, together they could fill the machine."""
    total, family = 0, [str(pid)]
    while family:
        process = Path("/proc", family.pop())
        # Who ends meanwhile holds nothing.
        with suppress(OSError):
            lines = (process / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))) << 10
            for task in (process / "task").iterdir():
                family += (task / "children").read_text().split()
    return total


class RemoteFunction:
    """A function in an answer cell. Called with base types, it returns base types, or raises AnswerFailed."""

    def __init__(self, answers: "Answers", question: str, name: str):
        self._answers, self._question, self._name = answers, question, name

    def __call__(self, *arguments: object) -> object:
        return self._answers.call(self._question, self._name, arguments)


class Answers:
    """The answer cells of one submission, question -> source, in the notebook's order. A context manager.

    A cell is run when its question, or a later one, is first asked for: as in a notebook that is run from the top, a check
    sees what the cells up to its own have made.
    """

    def __init__(self, cells: Mapping[str, str], sandbox: Sandbox, limits: Limits | None = None):
        self.cells, self.sandbox, self.limits = dict(cells), sandbox, limits or Limits()
        self._order = list(self.cells)
        # Imported before the cells run, on our time: it takes seconds.
        self._torch = any("torch" in source for source in self.cells.values())
        self._wanted = 0
        self._worker: Worker | None = None
        self._ran: dict[str, str] = {}
        self._out: dict[str, str] = {}
        self._strikes: Counter[str] = Counter()
        self._used, self._starts = 0.0, 0

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker. Asked again, another one starts."""
        if self._worker is not None:
            self._worker.kill()
            self._worker, self._ran = None, {}

    def get(self, question: str, name: str) -> object:
        """What `name` was bound to when the question's cell had run: a RemoteFunction, a value, or None where unbound.

        AnswerFailed: cell_error or cell_timeout where it is the cell's fault, died, too_large, not_plain, time_up.
        """
        if question not in self.cells:
            return None
        reply = self._ask(question, kind="get", name=name)
        if reply["outcome"] == "function":
            return RemoteFunction(self, question, name)
        if reply["outcome"] == "missing":
            if self._ran[question] == "error":
                raise AnswerFailed("cell_error")
            return None
        return self._value(reply)

    def call(self, question: str, name: str, arguments: tuple) -> object:
        """The value of `name(*arguments)`. AnswerFailed with any reason of SENTENCES."""
        encoded = [values.encode(argument) for argument in arguments]
        return self._value(self._ask(question, kind="call", name=name, arguments=encoded))

    def _value(self, reply: dict) -> object:
        if reply["outcome"] == "value" and "value" in reply:
            try:
                return values.decode(reply["value"])
            except values.NotPlain:
                self.close()
                raise AnswerFailed("not_plain") from None
        if reply["outcome"] in ("error", "not_plain", "too_large"):
            raise AnswerFailed(reply["outcome"])
        self.close()
        raise AnswerFailed("died")

    def _ask(self, question: str, **request: object) -> dict:
        self._wanted = max(self._wanted, self._order.index(question) + 1)
        while not self._run_cells():
            pass
        if question in self._out:
            raise AnswerFailed(self._out[question])
        try:
            return self._timed(self.limits.seconds_per_call, question=question, **request)
        except AnswerFailed as failure:
            self._strikes[question] += 1
            if self._strikes[question] >= STRIKES:
                self._out[question] = failure.reason
            raise

    def _run_cells(self) -> bool:
        """Run the cells that this worker hasn't run. False after one had its worker killed: it is left out from then on."""
        if self._worker is None:
            self._start()
        for question in self._order[: self._wanted]:
            if question in self._ran or question in self._out:
                continue
            try:
                reply = self._timed(
                    self.limits.seconds_per_cell, kind="cell", question=question, source=self.cells[question]
                )
            except AnswerFailed as failure:
                if failure.reason == "time_up":
                    raise
                self._out[question] = "cell_timeout" if failure.reason == "timeout" else failure.reason
                return False
            self._ran[question] = "done" if reply["outcome"] == "done" else "error"
        return True

    def _start(self) -> None:
        if self._starts > self.limits.restarts:
            raise AnswerFailed("time_up")
        self._starts += 1
        began = time.monotonic()
        self._worker, self._ran = Worker(self.sandbox, self.limits), {}
        try:
            # No student's code has run yet: if this fails it is the sandbox.
            self._worker.ask(self.limits.seconds_to_start, kind="hello", torch=self._torch)
        except AnswerFailed:
            self.close()
            raise NoSandbox("its worker does not start.") from None
        # The first start is on us.
        if self._starts > 1:
            self._used += time.monotonic() - began

    def _timed(self, seconds: int | float, **request: object) -> dict:
        left = self.limits.seconds_in_all - self._used
        if left <= 0:
            raise AnswerFailed("time_up")
        began = time.monotonic()
        try:
            reply = self._worker.ask(min(seconds, left), **request)
            if not isinstance(reply.get("outcome"), str):
                raise AnswerFailed("died")
            return reply
        except AnswerFailed as failure:
            self.close()
            if failure.reason == "timeout" and left < seconds:
                raise AnswerFailed("time_up") from None
            raise
        finally:
            self._used += time.monotonic() - began
