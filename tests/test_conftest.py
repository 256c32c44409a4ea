"""What conftest.py promises: shapes of rlhw are checked in the tests, and missing tools fail where CI is set."""

import subprocess
import sys

import jaxtyping
import numpy as np
import pytest

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
