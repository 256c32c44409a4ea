"""A student's answers, called from the judging side while they run in a sandboxed process.

Threat model. The student's code owns the worker: it may write any bytes at any time, never answer, die, fork, eat memory, and
wants (1) points for wrong answers, (2) the hidden inputs or the grader's secret, carried out of this machine or into a file,
(3) to stop or crash the grader, (4) to harm other submissions. What is done against it, here:

- The worker only ever gets arguments and only ever gives values (`values`: base types in JSON). Verdicts, expected results and
  the secret stay in this process, so a reply can't be better than a right answer.
- Each request has a nonce of 128 random bits that its reply must repeat; a reply written in advance is worthless. Bytes that
  come unasked, a second line, a broken line: the worker is killed.
- Reads never block: each request has a deadline, each reply a length. All requests together have `seconds_in_all`, and a
  question that had its worker killed twice isn't asked again, so that it can't use up the time of the others. Seconds in
  which a worker could run and waited for a core do not count, up to `seconds_in_all` once more.
- A worker is killed with all its children (see `sandbox`), and the next one starts from the answer cells alone. It also keeps
  running after a well-formed reply that says "error": such a reply is no more suspect than one that holds a value, and a
  student whose functions raise needn't pay for a new worker each time.
- What a student's code writes reaches no sentence of ours: the reasons below are all that is ever said.

Against (2) and (4), while the code runs, stands the sandbox.
"""

import time
from collections import Counter
from collections.abc import Mapping

from rlhw.grading import values
from rlhw.grading.conversation import SENTENCES, AnswerFailed, Worker
from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox

__all__ = ["SENTENCES", "AnswerFailed", "Answers", "RemoteFunction"]
# Killed this often over one question, a worker isn't started for that question again.
STRIKES = 2
# On a busy machine a request may take so many times its seconds longer, as far as the answer only waited for a core.
PATIENCE = 4


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
        self._next: Worker | None = None  # Started, and not yet greeted.
        self._ran: dict[str, str] = {}
        self._out: dict[str, str] = {}
        self._strikes: Counter[str] = Counter()
        self._used, self._granted, self._starts = 0.0, 0.0, 0

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Start a worker without waiting for it: the first question then finds it there."""
        if self._worker is None and self._next is None:
            self._next = Worker(self.sandbox, self.limits)

    def close(self) -> None:
        """Kill the worker. Asked again, another one starts."""
        for worker in (self._worker, self._next):
            if worker is not None:
                worker.kill()
        self._worker, self._next, self._ran = None, None, {}

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
        self._worker, self._next, self._ran = self._next or Worker(self.sandbox, self.limits), None, {}
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
        worker, began = self._worker, time.monotonic()
        # The others on this machine are not the answer's fault. But an answer can be the others: what it may wait has an end.
        patience = min(PATIENCE * seconds, self.limits.seconds_in_all - self._granted)
        try:
            reply = worker.ask(min(seconds, left), patience, **request)
            if not isinstance(reply.get("outcome"), str):
                raise AnswerFailed("died")
            return reply
        except AnswerFailed as failure:
            self.close()
            if failure.reason == "timeout" and left < seconds:
                raise AnswerFailed("time_up") from None
            raise
        finally:
            self._granted += worker.granted
            self._used += time.monotonic() - began - worker.granted
