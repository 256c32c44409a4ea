"""Code that honest students put around a right answer. `$f` is the name of the function that is asked for."""

LISTS = """
original_$f = $f

def $f(*arguments):
    def plain(value):
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        return [plain(entry) for entry in value] if isinstance(value, tuple | list) else value
    return plain(original_$f(*arguments))
"""

TORCH = """
original_$f = $f

def $f(*arguments):
    import torch
    def through(value):
        return torch.as_tensor(value).clone().numpy() if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
    found = original_$f(*map(through, arguments))
    return tuple(map(through, found)) if isinstance(found, tuple) else through(found)
"""

TALKS = """
original_$f = $f

def $f(*arguments):
    import sys, warnings, logging
    print("$f was called with", *arguments)
    print({"ok": True, "value": 1.0})
    sys.stderr.write("progress 100 %\\r")
    warnings.warn("this may be slow", stacklevel=1)
    logging.getLogger("mine").warning("a warning")
    print("[" * 2000)
    return original_$f(*arguments)
"""

CLASSES = """
import functools
from dataclasses import dataclass

@dataclass
class Answer_$f:
    calls: int = 0

    def ask(self, *arguments):
        self.calls += 1
        return self.function(*arguments)

Answer_$f.function = staticmethod($f)
$f = functools.partial(Answer_$f().ask)
"""

IN_PLACE = """
original_$f = $f

def $f(*arguments):
    found = original_$f(*arguments)
    for array in arguments:
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            array[...] = -1.0
        elif isinstance(array, list):
            array.clear()
    return found
"""

NOTEBOOK_STYLE = """
%matplotlib inline
import rlhw
import math, random, itertools, collections, sys, os, time, typing
import numpy
np.random.seed(0); random.seed(0)
sys.setrecursionlimit(5000)
"""

CHECKS_ITSELF = """
import rlhw
rlhw.check("anything", $f, "a part")
"""
