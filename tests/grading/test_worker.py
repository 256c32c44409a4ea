"""The worker on its own, without a sandbox: cells, names and calls, and what a student's code can't take from it."""

import array
import ast
import collections
import decimal
import fractions
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import walls

from rlhw.exercises.question import close
from rlhw.grading import values
from rlhw.grading import worker as its_module

PROGRAM = Path(its_module.__file__)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable]:
    """Starts workers, and ends them after the last test."""
    started: list[subprocess.Popen] = []

    def one() -> Callable:
        process = subprocess.Popen(walls.bare().command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
        started.append(process)

        def ask(kind: str, question: str = "q", **fields: object) -> dict | str:
            request = {"nonce": "n", "kind": kind, "question": question, **fields}
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            return {**json.loads(line), "nonce": "n"} if line else "gone"

        return ask

    yield one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def shared(start) -> Callable:
    """A worker for tests that leave it running: cells under a question of their own."""
    ask = start()
    assert ask("hello", torch=False) == {"nonce": "n", "outcome": "done"}
    return ask


def value(reply: dict) -> object:
    assert reply["outcome"] == "value", reply
    return reply["value"]


def test_it_imports_the_standard_library_and_numpy_only():
    names = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        assert not isinstance(node, ast.ImportFrom)
    assert names - set(sys.stdlib_module_names) == {"numpy", "torch"}


def test_cells_share_one_namespace_that_has_numpy(shared):
    assert shared("cell", "one", source="a = np.ones(2)")["outcome"] == "done"
    assert shared("cell", "two", source="import math\ndef f(x):\n    return a + x")["outcome"] == "done"
    reply = shared("call", "two", name="f", arguments=[2.0])
    assert value(reply) == {"array": {"dtype": "float64", "shape": [2], "data": [3.0, 3.0]}}


def test_a_name_is_what_it_was_when_its_own_cell_had_run(shared):
    shared("cell", "first", source="def g():\n    return 1")
    shared("cell", "second", source="def g():\n    return 2")
    assert value(shared("call", "first", name="g", arguments=[])) == 1
    assert value(shared("call", "second", name="g", arguments=[])) == 2


def test_what_a_name_is_bound_to(shared):
    shared("cell", "names", source="x, f, nothing, later = 3, len, None, ...")
    got = {name: shared("get", "names", name=name) for name in ("x", "f", "nothing", "later", "unknown")}
    assert [reply["outcome"] for reply in got.values()] == ["value", "function", "value", "value", "missing"]
    assert [got[name]["value"] for name in ("x", "nothing", "later")] == [3, None, None]


def test_a_cell_that_stops_keeps_what_it_had_made(shared):
    assert shared("cell", "half", source="y = 5\n1/0\nz = 6")["outcome"] == "error"
    assert value(shared("get", "half", name="y")) == 5
    assert shared("get", "half", name="z")["outcome"] == "missing"


@pytest.mark.parametrize(
    "body",
    [
        "1/0",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "import sys; sys.exit('words')",
        "return f()",
        "raise type('E', (BaseException,), {'__str__': lambda self: 1/0})()",
        "return (lambda: (yield))().throw(GeneratorExit)",
        "return type('L', (list,), {'__iter__': lambda self: 1/0})([1])",
    ],
)
def test_whatever_is_raised_comes_to_one_word(shared, body):
    shared("cell", body, source=f"def f(*a):\n    {body}")
    assert shared("call", body, name="f", arguments=["hidden"]) == {"nonce": "n", "outcome": "error"}


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [("1j", "not_plain"), ("{1}", "not_plain"), ("np.zeros(10**7)", "too_large"), ("'x' * 10**6", "too_large")],
)
def test_what_can_not_be_sent(shared, expression, outcome):
    shared("cell", expression, source=f"def f():\n    return {expression}")
    assert shared("call", expression, name="f", arguments=[]) == {"nonce": "n", "outcome": outcome}


AT_HOME = {
    "range(3)": True,
    "collections.deque([0, 1, 2])": True,
    "array.array('d', [0, 1, 2])": True,
    "[decimal.Decimal(0), fractions.Fraction(1), np.float32(2)]": True,
    "np.ma.masked_array([0, 1, 2], [False] * 3)": True,
    "np.arange(3, dtype=object)": True,
    "np.arange(3, dtype=np.float16)": True,
    "np.ma.masked_array([0, 1, 5], [False, False, True])": False,
    "['0', '1', '2']": False,
    "{0, 1, 2}": False,
    "np.asmatrix([0, 1, 2])": False,
    "np.arange(3) + 0j": False,
    "b'012'": False,
    "object()": False,
}


@pytest.mark.parametrize("expression", AT_HOME)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::numpy.exceptions.ComplexWarning")
def test_what_counts_at_home_counts_here(shared, expression):
    """The same forms of 0, 1, 2 as `close` takes where the function is called directly, and no others."""
    imports = "import array, collections, decimal, fractions"
    shared("cell", expression, source=f"{imports}\ndef f():\n    return {expression}")
    reply = shared("call", expression, name="f", arguments=[])
    tools = {"np": np, "array": array, "collections": collections, "decimal": decimal, "fractions": fractions}
    assert close(eval(expression, tools), [0, 1, 2]) is AT_HOME[expression]
    got = values.decode(reply["value"]) if reply["outcome"] == "value" else None
    assert close(got, [0, 1, 2]) is AT_HOME[expression]


def test_outputs_may_come_from_a_generator(shared):
    source = "def f(n):\n    return (k * k for k in range(n))\ndef g():\n    while True: yield 1\n"
    source += "def z():\n    return zip('a', [1])"
    shared("cell", "generator", source=source)
    assert value(shared("call", "generator", name="f", arguments=[3])) == [0, 1, 4]
    assert value(shared("call", "generator", name="z", arguments=[])) == [{"tuple": ["a", 1]}]
    assert shared("call", "generator", name="g", arguments=[])["outcome"] == "too_large"


def test_printing_and_reading_reach_nobody(shared):
    writes = "import os\nprint('x' * 10**6)\nos.write(1, b'{}')\nos.write(2, b'x')\nos.system('echo x')\n"
    source = writes + "try:\n    input()\nexcept EOFError:\n    read = True"
    assert shared("cell", "prints", source=source)["outcome"] == "done"
    assert value(shared("get", "prints", name="read")) is True


def test_lines_for_ipython_are_left_out(shared):
    source = "%matplotlib inline\n!pip install x\nremainder = 7 % 4\nlong = (7\n%4)"
    assert shared("cell", "magic", source=source)["outcome"] == "error", "a line that starts so is no line of Python"
    assert shared("cell", "magic", source=source.partition("\nlong")[0])["outcome"] == "done"
    assert value(shared("get", "magic", name="remainder")) == 3
    assert shared("cell", "python", source="x = (7\n%4)")["outcome"] == "done", "what compiles is left as it is"


@pytest.mark.parametrize(
    "line", ["%%time", "?np.sum", "np.sum?", "np.sum??", "def g():\n    %time 1", "if True:\n\t!ls"]
)
def test_other_lines_for_ipython(shared, line):
    with pytest.raises(SyntaxError):
        compile(line, "here", "exec")
    assert shared("cell", line, source=f"{line}\nshown = display(1)")["outcome"] == "done"
    assert value(shared("get", line, name="shown")) is None


def test_rlhw_is_a_name_with_nothing_in_it(shared):
    source = (
        "import rlhw\nrlhw.check('hw2-gae', 1)\ndef f():\n    return rlhw.dpo.loss(1.0)\ndef g():\n    return rlhw.dpo"
    )
    assert shared("cell", "cheat", source=source)["outcome"] == "done"
    assert value(shared("call", "cheat", name="f", arguments=[])) is None
    assert shared("call", "cheat", name="g", arguments=[])["outcome"] == "not_plain"
    assert shared("cell", "from", source="from rlhw.dpo import loss")["outcome"] == "error"


def test_a_cell_that_changes_the_workers_tools_changes_its_own_replies(start):
    ask = start()
    ask(
        "cell",
        source='import json, builtins\njson.dumps = lambda reply: \'{"nonce": "forged"}\'\nbuiltins.print = None',
    )
    assert ask("get", name="x") == {"nonce": "n"}


def test_the_process_may_end_at_any_time(start):
    ask = start()
    ask("cell", source="import os\ndef f():\n    os._exit(0)")
    assert ask("call", name="f", arguments=[]) == "gone"


# The call's number is x86_64's own; aarch64 and those that came later share one.
CLONE = 56 if its_module.platform.machine() == "x86_64" else 220
REFUSED = {
    "socket": "import socket\nsocket.socket(socket.AF_UNIX)",
    "memory file": "import os\nos.memfd_create('x')",
    "user namespace": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "clone into one": f"import ctypes\nassert ctypes.CDLL(None).syscall({CLONE}, 0x10000000 | 17, 0, 0, 0, 0) >= 0",
    "shared memory": "import ctypes\nassert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
    "tracing": "import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0",
}


@pytest.mark.parametrize("call", REFUSED)
def test_the_kernel_refuses_what_answers_never_need(shared, call):
    control = subprocess.run(
        [sys.executable, "-c", REFUSED[call]], capture_output=True, text=True, timeout=30, check=False
    )
    assert control.returncode == 0, control.stderr
    assert shared("cell", call, source=REFUSED[call])["outcome"] == "error"


def test_the_filter_does_not_come_off(shared):
    # Another filter can only refuse more; of two, the stricter holds.
    child = "    try:\n        os.memfd_create('x')\n    except OSError:\n        os._exit(7)\n    os._exit(0)\n"
    source = f"import os\nif os.fork() == 0:\n{child}came = os.waitstatus_to_exitcode(os.wait()[1])"
    assert shared("cell", "child", source=source)["outcome"] == "done"
    assert value(shared("get", "child", name="came")) == 7


def test_numpy_is_the_same_as_ours(shared):
    shared("cell", "version", source="version = np.__version__")
    assert value(shared("get", "version", name="version")) == np.__version__
