"""What conftest.py promises: shapes of rlhw are checked in the tests, and missing tools fail where CI is set."""

import subprocess
import sys
from dataclasses import dataclass

import jaxtyping
import numpy as np
import pytest
import thinned_shapes
from beartype import beartype
from jaxtyping import Float

from rlhw.policy_gradient import score

TABLE = np.zeros((2, 3))


def test_a_wrong_shape_is_refused_in_the_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        score(TABLE, 0)


def test_without_the_hook_shapes_are_not_checked():
    """The positive control: it is the hook that refuses, not the function."""
    program = "import numpy as np; from rlhw.policy_gradient import score; score(np.zeros((2, 3)), 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "TypeCheckError" not in done.stderr


@jaxtyping.jaxtyped(typechecker=beartype)
def first(row: Float[np.ndarray, " places"]) -> object:
    """As the hook decorates a function of rlhw."""
    return row[0]


def test_in_a_long_loop_the_first_calls_are_checked_and_later_one_in_a_hundred():
    def refused():
        try:
            first(TABLE)
        except jaxtyping.TypeCheckError:
            return True
        return False

    assert [call for call in range(1, 401) if refused()] == [*range(1, 101), 200, 300, 400]
    thinned_shapes.calls.clear()
    assert refused(), "the next test begins anew"


def test_functions_in_functions_methods_and_dataclasses_are_checked_too():
    checked = []

    def jaxtyped(fn, typechecker):
        def told(*args, **kwargs):
            checked.append(fn.__name__)
            return fn(*args, **kwargs)

        return told

    mark = thinned_shapes.thinned(jaxtyped)(typechecker=None)

    @mark
    @dataclass
    class Pair:
        one: int

        @property
        @mark
        def twice(self):
            return 2 * self.one

    for number in range(1000):
        assert Pair(number).twice == 2 * number
    assert checked.count("__init__") == checked.count("twice") == 4, "three first calls, and the thousandth"


def test_what_is_imported_too_early_is_named(request):
    conftest = next(
        plugin for plugin in request.config.pluginmanager.get_plugins() if hasattr(plugin, "WITHOUT_SHAPES")
    )
    assert conftest.too_early(["rlhw", "rlhw.nbval_plugin", "rlhwx", "numpy"]) == []
    assert conftest.too_early(["rlhw", "rlhw.laws", "rlhw.bandits"]) == ["rlhw.bandits", "rlhw.laws"]


def test_a_missing_tool_skips_at_home_and_fails_in_ci(monkeypatch, require):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="'no-such-tool' is missing: it plays the piano"):
        require("no-such-tool", "it plays the piano")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="'no-such-tool' is missing: it plays the piano"):
        require("no-such-tool", "it plays the piano")
    assert require(sys.executable, "it runs Python") == sys.executable
