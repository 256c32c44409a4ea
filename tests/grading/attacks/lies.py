"""Attacks by what is returned: objects that look different to whoever compares them, and arrays that cannot be."""

from .scene import MEMORY, POINTS, Attack, HandIn, call

# The comparison keeps what it expects in a local variable, some frames up from the object that it looks at.
EXPECTED = """
import sys
import numpy as np

def wanted(*names):
    frame = sys._getframe(1)
    while frame:
        for name in names:
            if frame.f_code.co_name in ("close", "assert_close", "agrees") and name in frame.f_locals:
                return frame.f_locals[name]
        frame = frame.f_back
    return None
"""

ARRAY = (
    EXPECTED
    + """
class Lie:
    def __array__(self, dtype=None, copy=None):
        found = wanted("expected")
        return np.zeros(1) if found is None else np.array(found, dtype=float)

"""
)

NUMBERS = (
    EXPECTED
    + """
class NonFinite(float):
    place = 0
    def __float__(self):
        flat = np.ravel(np.asarray(wanted("expected"), dtype=float))
        NonFinite.place = (NonFinite.place + 1) % max(flat.size, 1)
        return float(flat[NonFinite.place - 1])

class Complex(complex):
    place = 0
    def __float__(self):
        flat = np.ravel(np.asarray(wanted("expected"), dtype=float))
        Complex.place = (Complex.place + 1) % max(flat.size, 1)
        return float(flat[Complex.place - 1])

def filled(kind, shape, start):
    kind.place = 0
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = kind(start)
    return array

"""
)

SUBCLASS = (
    EXPECTED
    + """
class Looks(np.ndarray):
    def __array_ufunc__(self, *arguments, **named):
        return np.zeros(1)

class Lazy:
    def __init__(self):
        self.looks = 0

    def __array__(self, dtype=None, copy=None):
        self.looks += 1
        found = wanted("expected")
        return np.array(found if self.looks % 2 else 0.0, dtype=float)

"""
)

EQUAL = (
    EXPECTED
    + """
class Equal(str):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__

class Votes:
    def __float__(self):
        return float(wanted("expected"))

class Rows(list):
    def __len__(self):
        return len(wanted("true_rows"))

    def __iter__(self):
        return iter([(Equal(), Equal(), Equal(), Votes(), Votes())] * len(wanted("true_rows")))

class Dictionary(dict):
    def items(self):
        return wanted("true_left_out").items()

"""
)

GENERATOR = (
    EXPECTED
    + """
def lazy():
    yield from wanted("known")

class Changing:
    def __iter__(self):
        return iter(wanted("known"))

"""
)


def pairs(body: str, before: str):
    """An attack on the question whose answer is rows of texts and a dictionary."""

    def build(hand: HandIn) -> None:
        hand.call(body, before, hand.scene.pairs, "comparisons")

    return build


LIES = (
    call("lying-array", "an object whose __array__ reads what is expected", POINTS, "return [Lie(), Lie()]", ARRAY),
    call("lying-nonfinite", "an object array of infinite floats that turn right when looked at", POINTS,
         "return [filled(NonFinite, np.shape(arguments[0]), float('inf')) for _ in range(2)]", NUMBERS),
    call("lying-complex", "an array of complex numbers that turn real and right", POINTS,
         "return [filled(Complex, np.shape(arguments[0]), 1j) for _ in range(2)]", NUMBERS),
    call("lying-changing", "objects that change at each look", POINTS, "return [Lazy(), Lazy()]", SUBCLASS),
    Attack("lying-equal", "texts equal to everything, in a list and a dictionary that say what is expected", POINTS,
           pairs("return Rows(), Dictionary()", EQUAL)),
    Attack("lying-generator", "a generator that reads what is expected while it is read", POINTS,
           pairs("return lazy()", GENERATOR)),
    Attack("lying-iterable", "an object that reads what is expected when it is gone through", POINTS,
           pairs("return Changing()", GENERATOR)),
    call("wrong-shape-broadcast", "a broadcast array of another shape that takes 3 GB when converted", MEMORY,
         "return [np.broadcast_to(np.int8(0), (19_000, 19_000))] * 2", "import numpy as np\n"),
)  # fmt: skip
