"""The judging side: processes that break the protocol in every way it can be broken, then answers in a real sandbox."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rlhw.grading import conversation, sandbox
from rlhw.grading.conversation import SENTENCES, Worker, taken_by
from rlhw.grading.remote import AnswerFailed, Answers, RemoteFunction
from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox

# A process that greets as it should. What it does when it is asked more is the test's; `reply` is an honest reply's line.
START = """
import json, os, sys, time
ask = lambda: json.loads(sys.stdin.buffer.readline())
def reply(request, **more):
    return json.dumps({"nonce": request["nonce"], "outcome": "value", "value": 1, **more}).encode() + b"\\n"
def say(line):
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""
QUICK = Limits(seconds_per_call=1.0, reply_bytes=10_000)


@pytest.fixture
def talk() -> Iterator[Callable]:
    """Starts a process that runs a text, asks it once, and returns the reply or the reason why there is none."""
    started: list[Worker] = []

    def asked(text: str, seconds: float = 5.0, **request: object) -> dict | str:
        worker = Worker(Sandbox("fake", (sys.executable, "-I", "-S", "-c", START + text)), QUICK)
        started.append(worker)
        if "# greets" in text:
            time.sleep(0.3)
        try:
            return worker.ask(seconds, **(request or {"kind": "hello"}))
        except AnswerFailed as failure:
            return failure.reason

    yield asked
    for worker in started:
        worker.kill()


def test_an_honest_reply_is_taken(talk):
    assert talk("say(reply(ask()))") == {"outcome": "value", "value": 1}
    assert talk("line = reply(ask())\nfor byte in line:\n    say(bytes([byte]))") == {"outcome": "value", "value": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ask()", "died"),
        ("ask(); os.kill(os.getpid(), 9)", "died"),
        ("ask(); time.sleep(60)", "timeout"),
        ("request = ask()\nwhile True:\n    say(b' ')\n    time.sleep(0.01)", "timeout"),
        ("ask()\nwhile True: say(b' ' * 1000)", "too_large"),
        ("say(reply(ask(), value='x' * 10_000))", "too_large"),
        ("say(reply(ask(), nonce='0' * 32))", "died"),
        ("say(reply(ask(), nonce=None))", "died"),
        ("say(reply(ask(), more=1))", "died"),
        ("line = reply(ask()); say(line + line)", "died"),
        ("say(reply(ask()) + b' ')", "died"),
        ("ask(); say(b'[]\\n')", "died"),
        ("ask(); say(b'\\n')", "not_plain"),
        ("ask(); say(b'\\xff\\n')", "not_plain"),
        ("ask(); say(b'[' * 5000 + b'\\n')", "not_plain"),
        ("ask(); say(b'9' * 5000 + b'\\n')", "not_plain"),
        # What comes unasked: # greets first, or leaves before it is asked.
        ("say(b'{}\\n'); say(reply(ask()))  # greets", "died"),
        ("sys.exit()  # greets", "died"),
    ],
)
def test_a_process_that_breaks_the_protocol(talk, text, reason):
    limit = 0.5 if reason == "timeout" else 20.0
    began = time.monotonic()
    assert talk(text, limit) == reason
    assert time.monotonic() - began < 15.0


def test_who_does_not_listen_does_not_hold_up_the_grader(talk):
    # More than a pipe holds: a blocking write would wait for ever.
    assert talk("time.sleep(60)", 0.5, kind="call", arguments=["x" * 300_000]) == "timeout"
    assert talk("say(reply(ask()))", 20.0, kind="call", arguments=["x" * 300_000])["outcome"] == "value"
    assert talk("sys.stdin.buffer.read(10); say(b'{}\\n')", 20.0, kind="call", arguments=["x" * 300_000]) == "died"


def test_every_request_has_a_nonce_of_its_own(talk):
    text = "request = ask(); say(reply(request, value=request['nonce']))"
    assert talk(text)["value"] != talk(text)["value"]


def test_no_sentence_holds_a_word_of_the_students(talk):
    failure = AnswerFailed("error")
    assert str(failure) == failure.sentence == SENTENCES["error"]
    with pytest.raises(KeyError):
        AnswerFailed("what the student wrote")


@pytest.mark.parametrize("outcome", ["done", "function", "hello", "value", 1, None])
def test_a_reply_that_is_none_to_its_question(outcome):
    line = f"{{'nonce': ask()['nonce'], 'outcome': {outcome!r}}}"
    text = f"say(reply(ask()))\nwhile True:\n    line = {line}\n"
    fake = Sandbox(
        "fake", (sys.executable, "-I", "-S", "-c", START + text + "    say(json.dumps(line).encode() + b'\\n')")
    )
    answers = Answers({"q": ""}, fake, QUICK)
    with answers, pytest.raises(AnswerFailed) as failure:
        answers.call("q", "f", ())
    assert failure.value.reason == "died"


def test_a_sandbox_that_starts_no_worker_is_the_graders_trouble():
    with Answers({"q": ""}, Sandbox("fake", ("/bin/false",))) as answers, pytest.raises(NoSandbox):
        answers.get("q", "f")


def test_memory_is_counted_over_all_children():
    text = "child = os.fork()\nheld = bytearray(os.urandom(50 << 20))\nsay(b'x')\ntime.sleep(60)"
    worker = Worker(Sandbox("fake", (sys.executable, "-I", "-S", "-c", START + text)), QUICK)
    until = time.monotonic() + 20.0
    while taken_by(worker.process.pid)[0] < 95 << 20 and time.monotonic() < until:
        time.sleep(0.05)
    assert 95 << 20 < taken_by(worker.process.pid)[0] < 180 << 20
    worker.kill()
    assert taken_by(worker.process.pid) == (0, 0.0)


def test_children_are_counted_across_requests_that_take_no_time(monkeypatch):
    text = (
        "held = None if os.fork() else bytearray(os.urandom(60 << 20))\n"
        "while True:\n    say(reply(ask())) if held is None else time.sleep(60)"
    )
    small = Limits(memory=50 << 20)

    def asked_for_two_seconds() -> str:
        worker, until = Worker(Sandbox("fake", (sys.executable, "-I", "-S", "-c", START + text)), small), 2.0
        began = time.monotonic()
        try:
            while time.monotonic() < began + until:
                worker.ask(5.0, kind="hello")
                time.sleep(0.01)
        except AnswerFailed as failure:
            return failure.reason
        finally:
            worker.kill()
        return "nothing"

    assert asked_for_two_seconds() == "died"
    monkeypatch.setattr(conversation, "LOOK_EVERY", 1000.0)
    assert asked_for_two_seconds() == "nothing"


@pytest.fixture
def crowded() -> Iterator[int]:
    """A core on which four others run all the time."""
    core = min(os.sched_getaffinity(0))
    endless = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    command = [sys.executable, "-I", "-S", "-c", endless]
    # Each in a session of its own, as a worker is: some kernels share a core out between sessions.
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) for _ in range(4)]
    for other in others:
        other.stdout.readline()  # It has started.
    yield core
    for other in others:
        other.kill()
        other.wait()
        other.stdout.close()


def test_to_wait_for_a_core_is_not_to_take_long(crowded):
    """Four tenths of a second of work take about two seconds where four others work too."""
    text = (
        f"request = ask()\nos.sched_setaffinity(0, {{{crowded}}})\nuntil = time.process_time() + 0.4\n"
        "while time.process_time() < until: pass\nsay(reply(request))"
    )
    came = {}
    for patience in (0, 30):
        worker = Worker(Sandbox("fake", (sys.executable, "-I", "-S", "-c", START + text)), QUICK)
        try:
            # Python has to start within them too.
            came[patience] = worker.ask(1.0, patience, kind="hello")["outcome"]
        except AnswerFailed as failure:
            came[patience] = failure.reason
        worker.kill()
    assert came == {0: "timeout", 30: "value"}
    # How much it had to be given depends on what else the machine does.
    assert 0 < worker.granted < 30


@pytest.mark.parametrize("doing", ["time.sleep(60)", "while True: pass"])
def test_patience_is_for_waiting_only(doing):
    worker = Worker(Sandbox("fake", (sys.executable, "-I", "-S", "-c", f"{START}ask()\n{doing}")), QUICK)
    began = time.monotonic()
    with pytest.raises(AnswerFailed) as failure:
        worker.ask(0.5, 8, kind="hello")
    worker.kill()
    assert failure.value.reason == "timeout"
    # An endless loop may have had to wait; it was given that and no more.
    assert time.monotonic() - began < 0.5 + worker.granted + 2.0
    assert worker.granted <= 8


def test_what_a_submission_may_wait_has_an_end(monkeypatch):
    """A worker that always says that it waited: what it is given in all is the seconds of a submission."""
    monkeypatch.setattr(Worker, "_look", lambda self, now, began: 100.0)
    monkeypatch.setattr(conversation, "LOOK_EVERY", 0.0)
    text = "say(json.dumps({'nonce': ask()['nonce'], 'outcome': 'done'}).encode() + b'\\n')\nask()\ntime.sleep(60)"
    fake = Sandbox("fake", (sys.executable, "-I", "-S", "-c", START + text))
    began = time.monotonic()
    with Answers({"q": "", "r": "", "s": ""}, fake, Limits(seconds_per_cell=0.3, seconds_in_all=0.9)) as answers:
        for question in "qrs":
            with pytest.raises(AnswerFailed):
                answers.get(question, "f")
    assert time.monotonic() - began < 10.0
    assert answers._granted <= 0.9


# --- In a real sandbox


@pytest.fixture(scope="module")
def confined(require) -> Sandbox:
    require("bwrap", "it confines the students' code")
    return sandbox.find(ways=("bwrap",))


CELLS = {
    "first": "def double(x):\n    return 2 * x\n\nlabels = ['a', 'b']\ndef helper():\n    return 1",
    "second": "def second():\n    return helper()\ndef helper():\n    return 2",
    "broken": "def early():\n    return 'bound'\n1/0\ndef late():\n    return 1",
    "hostile": "import os\ndef leave():\n    os._exit(0)\ndef turn():\n    while True:\n        pass\ndef raises():\n    1/0",
    "last": "def count(x, mask):\n    return {'sum': x[mask].sum(), 'shape': x.shape}",
}


@pytest.fixture
def answers(confined) -> Iterator[Answers]:
    with Answers(CELLS, confined, Limits(seconds_per_call=0.5)) as found:
        yield found


def reason(function: Callable, *arguments: object) -> str:
    """Why a call fails."""
    with pytest.raises(AnswerFailed) as failure:
        function(*arguments)
    return failure.value.reason


def test_functions_and_values(answers):
    double = answers.get("first", "double")
    assert isinstance(double, RemoteFunction)
    assert double(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert double((1, 2)) == (1, 2, 1, 2)
    assert answers.get("first", "labels") == ["a", "b"]
    assert answers.get("first", "unknown") is None
    assert answers.get("no such question", "double") is None
    # As in a notebook run from the top: the second cell has not yet been run.
    assert answers.get("first", "helper")() == 1
    assert answers.get("second", "second")() == 2
    got = answers.get("last", "count")(np.array([1.0, 2.0, 4.0]), np.array([True, False, True]))
    assert got == {"sum": 5.0, "shape": (3,)}


def test_what_a_broken_cell_made_counts(answers):
    assert answers.get("broken", "early")() == "bound"
    assert reason(answers.get, "broken", "late") == "cell_error"


def test_an_argument_that_has_no_form_is_our_mistake(answers):
    with pytest.raises(TypeError, match="complex"):
        answers.get("first", "double")(1j)


def test_after_an_error_the_worker_goes_on_and_after_a_death_another_does(answers):
    double, leave = answers.get("first", "double"), answers.get("hostile", "leave")
    pid = answers._worker.process.pid
    assert reason(answers.get("hostile", "raises")) == "error"
    assert double(1) == 2
    assert answers._worker.process.pid == pid
    assert reason(leave) == "died"
    assert double(1) == 2
    assert answers._worker.process.pid != pid


def test_a_question_that_kills_workers_does_not_use_up_the_others(answers):
    turn, leave = answers.get("hostile", "turn"), answers.get("hostile", "leave")
    assert [reason(turn), reason(leave)] == ["timeout", "died"]
    began = time.monotonic()
    assert [reason(turn) for _ in range(50)] == ["died"] * 50
    assert time.monotonic() - began < 1.0
    assert answers.get("last", "count")(np.array([1.0]), np.array([True]))["sum"] == 1.0


def test_a_cell_without_an_end_is_left_out(confined):
    cells = {
        "good": "x = 1",
        "endless": "while True:\n    pass",
        "leaves": "import os\nos._exit(0)",
        "after": "y = x + 1",
    }
    with Answers(cells, confined, Limits(seconds_per_cell=0.5)) as found:
        assert found.get("after", "y") == 2
        assert reason(found.get, "endless", "x") == "cell_timeout"
        assert reason(found.get, "leaves", "x") == "died"
        assert found.get("good", "x") == 1


def test_the_time_for_all_is_bounded(confined):
    slow = {f"q{n}": "import time\ndef f():\n    time.sleep(0.4)\n    return 1" for n in range(4)}
    with Answers(slow, confined, Limits(seconds_in_all=1.0)) as found:
        reasons = []
        for name in slow:
            try:
                found.get(name, "f")()
            except AnswerFailed as failure:
                reasons.append(failure.reason)
    assert reasons
    assert set(reasons) == {"time_up"}
    assert len(reasons) < len(slow)


def test_the_number_of_workers_is_bounded(confined):
    cells = {f"q{n}": "import os\nos._exit(0)" for n in range(6)}
    with Answers(cells, confined, Limits(restarts=2)) as found:
        assert reason(found.get, "q1", "f") == "died"
        assert reason(found.get, "q5", "f") == "time_up"


def test_a_reply_is_as_long_as_it_may_be(confined):
    with Answers({"q": "def f(n):\n    return 'x' * n"}, confined, Limits(reply_bytes=1000)) as found:
        assert found.get("q", "f")(900) == "x" * 900
        # The worker, started with the usual limit, sends it; this side does not take it.
        assert reason(found.get("q", "f"), 2000) == "too_large"


def test_forged_replies_gain_nothing(confined):
    # The worker's own file for replies, found among the descriptors, and a line that says what the student likes.
    forge = (
        "import os\n"
        "def f(x):\n"
        "    for name in os.listdir('/proc/self/fd'):\n"
        "        try:\n"
        '            os.write(int(name), b\'{"nonce": "\' + b\'0\' * 32 + b\'", "outcome": "value", "value": true}\\n\')\n'
        "        except OSError:\n"
        "            pass\n"
        "    return x\n"
    )
    with Answers({"q": forge}, confined) as found:
        assert reason(found.get("q", "f"), 1) == "died"


def test_recursion_and_memory_come_to_a_reason(confined):
    cell = (
        "import sys\n"
        "def deep(n):\n    return deep(n + 1)\n"
        "def deeper(n=0):\n    sys.setrecursionlimit(10**9)\n    return list(map(deeper, [n]))\n"
        "def wide():\n    return len(bytearray(3 << 30))\n"
        "def nested():\n    x = []\n    for _ in range(10**5):\n        x = [x]\n    return x\n"
    )
    with Answers({"q": cell}, confined, Limits(seconds_per_call=10.0)) as found:
        assert reason(found.get("q", "deep"), 0) == "error"
        assert reason(found.get("q", "wide")) == "error"
        assert reason(found.get("q", "nested")) == "not_plain"
        assert reason(found.get("q", "deeper")) == "died"


@pytest.mark.slow
def test_children_that_fill_the_memory_together_are_stopped(confined):
    cell = "import os, time\ndef f():\n    os.fork()\n    os.fork()\n    x = b'x' * (150 << 20)\n    time.sleep(60)"
    with Answers({"q": cell}, confined, Limits(seconds_per_call=30.0, memory=400 << 20)) as found:
        began = time.monotonic()
        assert reason(found.get("q", "f")) == "died"
        assert time.monotonic() - began < 20.0
    with Answers({"q": cell}, confined, Limits(seconds_per_call=2.0)) as found:
        assert reason(found.get("q", "f")) == "timeout"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/student"])
def test_empty_files_count_as_memory(confined, place):
    body = f"    for n in range(10**9):\n        os.close(os.open(f'{place}/{{n}}', os.O_CREAT | os.O_WRONLY))"
    cell = f"import os\ndef f():\n{body}"
    with Answers({"q": cell}, confined, Limits(seconds_per_call=30.0, memory=100 << 20)) as found:
        began = time.monotonic()
        assert reason(found.get("q", "f")) == "died"
        assert time.monotonic() - began < 25.0
    # The control: it is not for the memory of its process.
    with Answers({"q": cell}, confined, Limits(seconds_per_call=1.0, memory=2 << 30)) as found:
        assert reason(found.get("q", "f")) == "timeout"


def test_a_reply_goes_through_json_twice_unchanged(answers):
    value = {"x": [0.1, (1, None), {"k": True}], 3: np.array([[1, 2]])}
    got = answers.get("first", "double")([value])[1]
    assert json.dumps(got["x"]) == json.dumps(value["x"])
    assert got[3].tolist() == [[1, 2]]
