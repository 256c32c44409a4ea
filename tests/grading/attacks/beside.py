"""Attacks by files that lie beside the notebook: what pytest, Python and Jupyter pick up from a folder."""

import json

from .scene import DENIAL, FILE, POINTS, Attack, HandIn

REPORT = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""

FAKE_RLHW = """
def check(name, answer, part="", variant=""):
    print(f"{name}, {part}: ok")

def setup():
    pass

check_notebook = setup
"""

SITE = """
import builtins
import re

say = builtins.print
rosy = lambda word: re.sub(r": (not yet|no answer).*", ": ok", str(word), flags=re.S)
builtins.print = lambda *words, **more: say(*map(rosy, words), **more)
"""


def wrong(hand: HandIn) -> None:
    hand.call("return 0.0")


def conftest(hand: HandIn) -> None:
    wrong(hand)
    hand.beside("conftest.py", REPORT)


def collect_only(hand: HandIn) -> None:
    wrong(hand)
    hand.beside("pytest.ini", "[pytest]\naddopts = --collect-only\n")


def pyproject(hand: HandIn) -> None:
    wrong(hand)
    hand.beside("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "--collect-only"\n')


def plugin(hand: HandIn) -> None:
    wrong(hand)
    hand.beside("pytest.ini", "[pytest]\naddopts = -p helpful\npythonpath = .\n")
    hand.beside("helpful.py", REPORT)


def sanitize(hand: HandIn) -> None:
    """nbval's own option makes all outputs alike before it compares them."""
    wrong(hand)
    hand.beside("tox.ini", "[pytest]\naddopts = --nbval-sanitize-with=same.cfg\n")
    hand.beside("same.cfg", "[all]\nregex: (?s).+\nreplace: same\n")


def sitecustomize(hand: HandIn) -> None:
    wrong(hand)
    hand.beside("sitecustomize.py", SITE)
    hand.beside("usercustomize.py", SITE)
    hand.beside("conftest.py", "import os, pathlib\nos.environ['PYTHONPATH'] = str(pathlib.Path(__file__).parent)\n")


def shadow(hand: HandIn) -> None:
    """Modules beside the notebook, where a kernel looks before it looks at what is installed."""
    hand.call("return None")
    hand.beside("matplotlib.py", SITE)
    hand.beside("rlhw.py", FAKE_RLHW)
    hand.beside("rlhw/__init__.py", FAKE_RLHW)


def shadow_standard(hand: HandIn) -> None:
    """Modules that the grader's own programs import: any of them would run in it."""
    wrong(hand)
    for name in ("nbval", "pytest", "json", "numpy", "tqdm", "ipykernel", "IPython", "trusted"):
        hand.beside(f"{name}.py", "open(r'$mark', 'w').write('beside')\n")
    hand.beside(
        "conftest.py", "import sys\nsys.path.insert(0, r'$folder')\nsys.modules.pop('tqdm', None)\nimport tqdm\n"
    )


def kernelspec(hand: HandIn) -> None:
    """The notebook names a kernel that lies beside it; its command is anything."""
    wrong(hand)
    command = f"echo kernel > '{hand.mark}'; exec python -m ipykernel_launcher -f \"$0\""
    spec = {"argv": ["sh", "-c", command, "{connection_file}"], "display_name": "Python 3", "language": "python"}
    for place in ("kernels/evil", "share/jupyter/kernels/evil", ".local/share/jupyter/kernels/evil"):
        path = hand.folder / place / "kernel.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(spec))
    hand.beside("conftest.py", "import os, pathlib\nos.environ['JUPYTER_PATH'] = str(pathlib.Path(__file__).parent)\n")
    hand.notebook["metadata"]["kernelspec"] = {"name": "evil", "display_name": "Python 3", "language": "python"}


def ends_the_grader(hand: HandIn) -> None:
    """os._exit(0) in the grading process, and in the answer: status 0 says that all is well."""
    hand.answer("import os\nos._exit(0)\n")
    hand.beside("conftest.py", "import os\nos._exit(0)\n")


def exits(hand: HandIn) -> None:
    hand.answer("import sys\nsys.exit(0)\n")
    hand.beside(
        "conftest.py", "import pytest\n\ndef pytest_collection_finish():\n    pytest.exit('done', returncode=0)\n"
    )


def ignores_the_others(hand: HandIn) -> None:
    wrong(hand)
    hand.beside(
        "conftest.py",
        "def pytest_collection_modifyitems(items):\n    items[:] = [x for x in items if r'$folder' in str(x.path)]\n",
    )


def kernelspec_at_home(hand: HandIn) -> None:
    """The answer leaves a kernel in the grader's home that stands in for Python in every later submission."""
    hand.answer("""
        import os, pathlib
        home = pathlib.Path(os.environ.get("HOME", r"$home"))
        for folder in (home, pathlib.Path(r"$home")):
            try:
                path = folder / ".local/share/jupyter/kernels/python3"
                path.mkdir(parents=True, exist_ok=True)
                (path / "kernel.json").write_text('{"argv": ["true"], "display_name": "x", "language": "python"}')
                startup = folder / ".ipython/profile_default/startup"
                startup.mkdir(parents=True, exist_ok=True)
                (startup / "00.py").write_text("import builtins")
            except OSError:
                pass
        $function = None
    """)


BESIDE = (
    Attack("conftest", "a conftest.py reports every test as passed", POINTS, conftest),
    Attack("pytest-ini", "a pytest.ini collects and runs nothing", POINTS, collect_only),
    Attack("pyproject", "a pyproject.toml does", POINTS, pyproject),
    Attack("pytest-plugin", "a pytest.ini loads a plugin that lies beside it", POINTS, plugin),
    Attack("sanitize-with", "a tox.ini has nbval make all outputs alike", POINTS, sanitize),
    Attack("sitecustomize", "a sitecustomize.py changes print in every Python", POINTS, sitecustomize),
    Attack("shadow-rlhw", "an rlhw.py and a matplotlib.py lie beside the notebook", POINTS, shadow),
    Attack("shadow-libraries", "modules named as those that the grader imports", FILE, shadow_standard),
    Attack("kernelspec", "the notebook names a kernel that lies beside it", FILE, kernelspec),
    Attack("kernelspec-at-home", "the answer leaves a kernel in the grader's home", FILE, kernelspec_at_home),
    Attack("os-exit", "os._exit(0) in the grader and in the answer", POINTS, ends_the_grader),
    Attack("sys-exit", "sys.exit(0) in the answer, pytest.exit beside it", POINTS, exits),
    Attack("ignore-others", "a conftest.py has the other submissions ignored", DENIAL, ignores_the_others),
)  # fmt: skip
