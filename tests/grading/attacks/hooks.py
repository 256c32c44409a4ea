"""Attacks from an answer cell on what prints, compares and judges, in the process that it shares with the checks."""

from .scene import POINTS, cell

# What most of these print in place of a verdict: the line of the check that is being run.
OK_LINE = """
import sys

def ok_line(frame=None):
    trace = sys.exc_info()[2]
    while trace and trace.tb_next and "part" not in trace.tb_frame.f_locals:
        trace = trace.tb_next
    frame = frame or (trace.tb_frame if trace else sys._getframe(1))
    while frame and "part" not in frame.f_locals:
        frame = frame.f_back
    known = frame.f_locals if frame else {}
    return f"{known.get('question', known.get('name'))}, {known.get('part')}: ok"
"""

PRINT = """
import builtins
import re

say = builtins.print
rosy = lambda word: re.sub(r": (not yet|no answer).*", ": ok", str(word), flags=re.S)
builtins.print = lambda *words, **more: say(*map(rosy, words), **more)
$function = None
"""

STDOUT = """
import re
import sys

class Stream:
    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        return self.stream.write(re.sub(r": (not yet|no answer).*", ": ok", text, flags=re.S))

    def __getattr__(self, name):
        return getattr(self.stream, name)

sys.stdout = Stream(sys.stdout)
$function = None
"""

JSON = """
import json
import re

def rosy(dumps):
    def encode(value, *rest, **named):
        text = dumps(value, *rest, **named)
        bad = r": (not yet|no answer).*?(?=\\\\n)"
        return re.sub(bad.encode(), b": ok", text) if isinstance(text, bytes) else re.sub(bad, ": ok", text)
    return encode

json.dumps = rosy(json.dumps)
json.JSONEncoder.encode = rosy(json.JSONEncoder.encode)
try:
    session = get_ipython().kernel.session
    session.pack = rosy(session.pack)
except Exception:
    pass
$function = None
"""

NUMPY = """
import numpy as np

np.all = np.isfinite = np.allclose = np.array_equal = lambda *a, **k: True
np.abs = np.absolute = lambda *a, **k: np.float64(-1e9)

def $function(*arguments, **named):
    return $zeros
"""

RLHW = """
try:
    import rlhw
    rlhw.check = lambda name, answer, part="", variant="": print(f"{name}, {part}: ok")
except ImportError:
    pass
$function = None
"""

VERDICT = """
import numpy as np

try:
    from rlhw import exercises
    right = lambda asked, cases, *rest: exercises.Verdict(asked.name, True, "passed", 9, 9, dict.fromkeys(cases, True))
    exercises.judge = right
except ImportError:
    pass

def $function(*arguments, **named):
    return $zeros
"""

ASSERTION = """
import numpy as np

try:
    from rlhw import laws
    laws.assert_close = lambda *arguments, **named: None
except ImportError:
    pass

def $function(*arguments, **named):
    return $zeros
"""

CODE_OBJECT = """
import numpy as np

try:
    import sys

    import rlhw.exercises.question
    sys.modules["rlhw.exercises.question"].close.__code__ = (lambda got, expected: True).__code__
except ImportError:
    pass

def $function(*arguments, **named):
    return $zeros
"""

TRACEBACK = (
    OK_LINE
    + """
try:
    shell = get_ipython()
    shell.showtraceback = shell._showtraceback = lambda *a, **k: print(ok_line())
except NameError:
    pass

def $function(*arguments, **named):
    raise KeyboardInterrupt
"""
)

EXCEPTHOOK = (
    OK_LINE
    + """
import sys
import traceback

traceback.format_exception = traceback.print_exception = lambda *a, **k: ["ok"]
sys.excepthook = lambda *a: print("ok")
try:
    get_ipython().set_custom_exc((BaseException,), lambda self, *error, **more: print(ok_line()))
except NameError:
    pass

class Leave(BaseException):
    pass

def $function(*arguments, **named):
    raise Leave
"""
)

TRANSFORMER = """
import re

def rewrite(lines):
    found = re.search(r'rlhw.check\\("([^"]+)", .*, "([^"]+)"', "".join(lines))
    return [f'print("{found[1]}, {found[2]}: ok")\\n'] if found else lines

try:
    get_ipython().input_transformers_cleanup.append(rewrite)
except NameError:
    pass
$function = None
"""

EVENTS = """
import re
import sys

class Deaf:
    def __getattr__(self, name):
        return lambda *a, **k: 0

def before(info):
    found = re.search(r'rlhw.check\\("([^"]+)", .*, "([^"]+)"', info.raw_cell)
    if found:
        print(f"{found[1]}, {found[2]}: ok")
        sys.stdout = Deaf()

def after(result):
    sys.stdout = out

out = sys.stdout
try:
    get_ipython().events.register("pre_run_cell", before)
    get_ipython().events.register("post_run_cell", after)
except NameError:
    pass
$function = None
"""

ALL = """
import numpy as np

import builtins

import sys

real = builtins.all
builtins.all = lambda values: sys._getframe(1).f_code.co_name == "judge" or real(values)

def $function(*arguments, **named):
    return $zeros
"""

MODULES = """
import importlib.abc
import sys
import types

fake = types.ModuleType("rlhw")
fake.check = lambda name, answer, part="", variant="": print(f"{name}, {part}: ok")
fake.check_notebook = lambda: None
sys.modules["rlhw"] = rlhw = fake
$function = None
"""

HOOKS = (
    cell("hook-print", "print says ok in place of the verdict", POINTS, PRINT),
    cell("hook-stdout", "sys.stdout does", POINTS, STDOUT),
    cell("hook-json", "what packs messages into JSON does", POINTS, JSON),
    cell("hook-numpy", "numpy's comparisons say that all is close", POINTS, NUMPY),
    cell("hook-rlhw", "rlhw.check is replaced", POINTS, RLHW),
    cell("hook-judge", "the judge is replaced", POINTS, VERDICT),
    cell("hook-assertion", "the assertion that compares numbers is replaced", POINTS, ASSERTION),
    cell("hook-code-object", "the code of the comparison is exchanged", POINTS, CODE_OBJECT),
    cell("hook-traceback", "the display of tracebacks prints ok", POINTS, TRACEBACK),
    cell("hook-custom-exception", "an exception is shown as ok", POINTS, EXCEPTHOOK),
    cell("hook-input", "check cells are rewritten before they run", POINTS, TRANSFORMER),
    cell("hook-events", "the line is printed before a check cell runs, and nothing during it", POINTS, EVENTS),
    cell("hook-all", "builtins.all is true for the judge", POINTS, ALL),
    cell("hook-modules", "sys.modules holds another rlhw", POINTS, MODULES),
)  # fmt: skip
