"""How a refusal is held to its form: an error of its kind whose sentence begins with the argument's name."""

from collections.abc import Callable


def refuses(argument: str, *calls: Callable[[], object], kind: type[Exception] = ValueError) -> None:
    """AssertionError unless each call raises a ValueError (or this kind) whose sentence begins with the argument's name."""
    for number, call in enumerate(calls):
        try:
            call()
        except kind as error:
            message = str(error)
            assert message.startswith(argument), f"the refusal must begin with {argument}: {message!r}"
            assert message.endswith("."), f"the refusal must be a whole sentence: {message!r}"
        else:
            raise AssertionError(f"bad {argument} must be refused with {kind.__name__}; case {number} gets through.")
