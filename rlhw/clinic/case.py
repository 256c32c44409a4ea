"""A patient: one name of the library with something wrong in its place, and what is known about it."""

import contextlib
import difflib
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rlhw.clinic.readings import Ward


@dataclass(frozen=True)
class Case:
    """number, name: of the patient and of its bug. ward: the run it is seen in. patch: "module:name", the one thing replaced;
    wrong: what stands there instead. law: raises AssertionError while the patch is in place, and holds without it.

    symptoms: reading -> "higher" or "lower" than the healthy run's, all others are the same; measure: the reading that tells
    most. hints: three, from vague to nearly telling. shows: what one sees, wherever the bug is. cure: one line. story: where
    it comes from.
    """

    number: int
    name: str
    ward: Ward
    patch: str
    wrong: Callable
    law: Callable[[], None]
    symptoms: dict[str, str]
    measure: str
    hints: tuple[str, str, str]
    shows: str
    cure: str
    story: str


@contextlib.contextmanager
def in_place(patch: str, wrong: Callable) -> Iterator[None]:
    """Put `wrong` in the place of "module:name", and what stood there back again, whatever happens in between."""
    module_name, name = patch.split(":")
    module = importlib.import_module(module_name)
    right = getattr(module, name)
    setattr(module, name, wrong)
    try:
        yield
    finally:
        setattr(module, name, right)


def sentence(law: Callable[[], None]) -> str:
    """What a law says against the library as it is at this moment; "" when it holds."""
    try:
        law()
    except AssertionError as error:
        return str(error)
    return ""


def difference(case: Case) -> str:
    """The patch as a diff of sources, in the form of `diff -u`."""
    module_name, name = case.patch.split(":")
    right = inspect.getsource(getattr(importlib.import_module(module_name), name))
    wrong = inspect.getsource(case.wrong).replace(f"def {case.wrong.__name__}(", f"def {name}(", 1)
    lines = [text.splitlines(keepends=True) for text in (right, wrong)]
    return "".join(difflib.unified_diff(*lines, fromfile=case.patch, tofile=f"{case.patch}, patient {case.number}"))
