"""What all tests share: the equations plugin, shapes checked at run time, no window for figures, missing tools."""

import gc
import importlib
import os
import shutil
import sys

import pytest
import thinned_shapes

pytest_plugins = ["equations", "book.built_book", "browser.headless", "browser.weights", "notebooks.mutant_table"]

os.environ["MPLBACKEND"] = "Agg"
# numba, below quantecon, tells OpenMP how many threads there are, and torch has the same OpenMP: with two of them in each of two
# workers every later test would take up to fifteen times as long.
THREADS = os.environ.get("OMP_NUM_THREADS", "")
if THREADS:
    os.environ["NUMBA_NUM_THREADS"] = THREADS

# pytest itself loads our plugin, and with it the package: neither has a shape.
WITHOUT_SHAPES = {"rlhw", "rlhw.nbval_plugin"}


def too_early(modules) -> list[str]:
    """The modules of rlhw among these whose shapes would go unchecked."""
    return sorted(name for name in modules if name.split(".")[0] == "rlhw" and name not in WITHOUT_SHAPES)


if found := too_early(sys.modules):
    raise RuntimeError(f"{', '.join(found)} imported before tests/conftest.py: their shapes would go unchecked.")
# Before the hook, unchecked: nothing in the small forum has a shape, and some hundred thousand posts are drawn of it.
importlib.import_module("rlhw.tiny_tldr")
# Every other annotation of rlhw, shapes included, is checked as long as the tests run.
thinned_shapes.install("rlhw")


# Seven thousand tests and the libraries below them are collected once and never die: the garbage collector, which would walk
# through them again and again, waits until they are there and then leaves them alone.
gc.disable()


def pytest_collection_finish():
    """What is there now stays to the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Each test checks the first calls of each function anew."""
    thinned_shapes.calls.clear()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """No test leaves torch with more threads than the run was given. Last, when stand-ins for torch are gone again."""
    torch = sys.modules.get("torch")
    if THREADS and torch is not None and (found := torch.get_num_threads()) != int(THREADS):
        torch.set_num_threads(int(THREADS))
        pytest.fail(f"{item.name} leaves torch with {found} threads instead of {THREADS}.", pytrace=False)


def path_of(tool: str, reason: str) -> str:
    """Path of a command that a test needs. Where it is missing the test is skipped at home and fails in CI.

    `reason` says what the command is needed for: `path_of("node", "it runs the widgets' JavaScript")`.
    """
    path = shutil.which(tool)
    if path is None:
        sentence = f"The command '{tool}' is missing: {reason}. Install it and put it on the PATH."
        if os.environ.get("CI"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    return path


@pytest.fixture(scope="session")
def require():
    """`path_of` as a fixture: a plain import of `conftest` would be ambiguous, other folders have one too."""
    return path_of


@pytest.fixture
def own_precision():
    """accelerate takes its precision once a process: for this test it forgets the one of earlier tests, and then has it again."""
    from accelerate.state import AcceleratorState, PartialState

    kept = [(state._shared_state, dict(state._shared_state)) for state in (PartialState, AcceleratorState)]
    for shared, _ in kept:
        shared.clear()
    yield
    for shared, before in kept:
        shared.clear()
        shared.update(before)
