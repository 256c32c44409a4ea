"""Shapes and types of rlhw, checked while the tests run: of each function its first calls in a test, later one in many.

To check a call costs a hundred times what a small function takes, and to check a function that is defined in a function
costs milliseconds each time. A loop of a million steps shows its shapes at the beginning; one that changes later is still
met now and then.
"""

import dataclasses
import functools
import inspect
from collections import Counter
from collections.abc import Callable

import jaxtyping

# (so many first calls, then one in so many)
OF_A_MODULE, IN_A_FUNCTION = (100, 100), (3, 1000)
# Calls so far in this test, by the code of the function: one that is defined anew in each call is still the same.
calls: Counter = Counter()


def due(code: object, first: int, every: int) -> bool:
    """Count a call, and say whether it is to be checked."""
    calls[code] += 1
    return calls[code] <= first or calls[code] % every == 0


def thinned(jaxtyped: Callable) -> Callable:
    """`jaxtyping.jaxtyped`, which is asked for a checked function at the first call that is due, and not for every call."""

    def decorator(fn: object = None, *, typechecker: Callable) -> object:
        if fn is None:
            return functools.partial(decorator, typechecker=typechecker)
        if inspect.isclass(fn):
            if dataclasses.is_dataclass(fn) and not hasattr(fn.__init__, "__wrapped__"):
                fn.__init__ = decorator(fn.__init__, typechecker=typechecker)
            return fn
        code, made = fn.__code__, []
        often = IN_A_FUNCTION if "<locals>" in fn.__qualname__ else OF_A_MODULE

        @functools.wraps(fn)
        def called(*args: object, **kwargs: object) -> object:
            __tracebackhide__ = True
            if not due(code, *often):
                return fn(*args, **kwargs)
            if not made:
                made.append(jaxtyped(fn, typechecker=typechecker))
            return made[0](*args, **kwargs)

        return called

    return decorator


def install(package: str) -> None:
    """Check what is imported of this package from now on: the hook decorates by the public name `jaxtyping.jaxtyped`."""
    jaxtyping.jaxtyped = thinned(jaxtyping.jaxtyped)
    jaxtyping.install_import_hook(package, "beartype.beartype")
