"""What the setup cell prints and refuses, and what the last cell of a notebook reports."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

import rlhw
from rlhw import exercises, session


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """A machine without a GPU, where the user has set nothing and has answered nothing."""
    for name in ("RLHW_SCALE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "DEVICE_NODES", ())
    monkeypatch.setattr(exercises, "session_verdicts", {})
    monkeypatch.setattr(exercises, "session_parts", {})
    for name in [name for name in sys.modules if name.split(".")[0] == "google"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A machine with a device node; returns a function that says which torch it has."""
    node = tmp_path / "nvidia0"
    node.touch()
    monkeypatch.setattr(session, "DEVICE_NODES", (str(node),))

    def install(available=True, capability=(9, 0), architectures=("sm_80", "sm_90")):
        cuda = SimpleNamespace(
            is_available=lambda: available,
            get_device_capability=lambda: capability,
            get_device_name=lambda: "Toy GPU",
            get_arch_list=lambda: list(architectures),
        )
        torch = ModuleType("torch")
        torch.cuda, torch.__version__ = cuda, "2.13.0"
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(session, "find_spec", lambda name: name)

    return install


def test_setup_prints_what_runs_and_sets_the_style(capsys):
    import matplotlib.pyplot as plt

    from rlhw.plots import STYLE

    with plt.rc_context():
        rlhw.setup()
        assert plt.rcParams["axes.prop_cycle"] == STYLE["axes.prop_cycle"]
    first, packages, device = capsys.readouterr().out.splitlines()
    python = ".".join(map(str, sys.version_info[:3]))
    assert first == f"rlhw {rlhw.__version__}, scale tiny, Python {python}"
    assert packages.startswith("numpy ")
    assert "matplotlib " in packages
    assert device == "device: CPU"


@pytest.mark.parametrize("wrong", ["medium", "", "TINY"])
def test_another_scale_is_an_error(monkeypatch, wrong):
    monkeypatch.setenv("RLHW_SCALE", wrong)
    with pytest.raises(ValueError, match=f"RLHW_SCALE must be tiny or full, not '{wrong}'"):
        rlhw.setup()


def test_full_scale_never_falls_back(gpu, monkeypatch):
    monkeypatch.setattr(session, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="RLHW_SCALE=full needs torch"):
        session.device_report("full")
    gpu(available=False)
    with pytest.raises(RuntimeError, match="needs a GPU that torch can use, and there is none"):
        session.device_report("full")
    gpu(capability=(12, 0))
    with pytest.raises(RuntimeError, match=r"too old for this GPU: it supports up to 9\.0"):
        session.device_report("full")
    gpu()
    assert session.device_report("full") == ["device: Toy GPU, compute capability 9.0"]


def test_tiny_scale_says_what_it_sees(gpu, monkeypatch):
    monkeypatch.setattr(session, "find_spec", lambda name: None)
    assert "torch is not installed" in session.device_report("tiny")[0]
    gpu(available=False)
    assert "torch cannot use it" in session.device_report("tiny")[0]
    gpu(capability=(12, 0))
    assert "Install a newer torch" in session.device_report("tiny")[1]
    gpu()
    assert "RLHW_SCALE=full" in session.device_report("tiny")[1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert session.device_report("tiny") == ["device: CPU"]


@pytest.mark.parametrize(
    ("capability", "architectures", "words"),
    [
        ((8, 6), ["sm_80"], None),
        ((8, 9), ["sm_80", "sm_86", "sm_90"], None),
        ((12, 0), ["sm_90", "compute_90"], None),
        ((9, 0), ["sm_90a"], None),
        ((10, 0), ["sm_80", "sm_90"], "supports up to 9.0. Install a newer"),
        ((8, 0), ["sm_86", "sm_90"], "begins at 8.6. Install an older"),
        ((7, 0), ["sm_75", "compute_80"], "begins at 7.5. Install an older"),
        ((7, 5), [], "too old for this GPU"),
    ],
)
def test_capability_advice(capability, architectures, words):
    advice = session.capability_advice(capability, architectures, "2.13.0")
    assert advice is None if words is None else words in advice


def notebook(*sources):
    return {"cells": [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]}


def verdict(passed):
    return SimpleNamespace(passed=passed)


def test_check_notebook_outside_colab_reports_this_session(capsys):
    exercises.session_verdicts |= {"one": verdict(True), "two": verdict(False)}
    rlhw.check_notebook()
    assert capsys.readouterr().out.splitlines() == [
        "one: passed",
        "two: not passed",
        "1 of the 2 exercises checked in this session passed.",
        "To run the whole notebook from top to bottom: pytest --nbval-lax your_notebook.ipynb",
    ]


@pytest.fixture
def colab(monkeypatch):
    """Colab's kernel; returns a function that sets what its front end answers."""
    names = ("google", "google.colab", "google.colab._message")
    packages = {name: ModuleType(name) for name in names}
    packages["google.colab"]._message = packages["google.colab._message"]
    for name, package in packages.items():
        monkeypatch.setitem(sys.modules, name, package)

    def answers(reply):
        def blocking_request(request_type, request="", timeout_sec=5, parent=None):
            if isinstance(reply, Exception):
                raise reply
            return reply if request_type == "get_ipynb" else None

        packages["google.colab._message"].blocking_request = blocking_request

    return answers


def test_check_notebook_in_colab_knows_what_was_not_run(colab, capsys):
    asked = notebook('rlhw.check("one", f)', 'x = 1\nverdict = rlhw.check(\n  "two", g)', '# rlhw.check("no", h)')
    asked["cells"].append({"cell_type": "markdown", "source": ['rlhw.check("neither", f)']})
    colab({"ipynb": asked})
    exercises.session_verdicts |= {"one": verdict(True), "extra": verdict(False)}
    rlhw.check_notebook()
    assert capsys.readouterr().out.splitlines() == [
        "one: passed",
        "two: not run yet",
        "extra: not passed",
        "1 of 3 exercises passed.",
    ]


@pytest.mark.parametrize("reply", [None, {}, ConnectionError("front end is gone")])
def test_check_notebook_says_so_when_colab_does_not_answer(colab, capsys, reply):
    colab(reply)
    exercises.session_verdicts["one"] = verdict(True)
    rlhw.check_notebook()
    assert capsys.readouterr().out.splitlines() == [
        "one: passed",
        "1 of the 1 exercises checked in this session passed.",
        "Colab did not hand out this notebook, so exercises that were not run yet are not listed.",
    ]


def test_a_real_verdict_fits_the_report(capsys):
    from rlhw.exercises.question import Verdict

    exercises.session_verdicts["one"] = Verdict("one", True, "right", 1, 1, {})
    rlhw.check_notebook()
    assert capsys.readouterr().out.startswith("one: passed\n")
