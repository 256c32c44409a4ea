"""The attack suite: what an attack is made of, the fence's own controls, and both columns run for real (slow)."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import attack_ours
from benchmarks.attack_scene import Canaries, disguises, leaks, set_up
from tests.grading.attacks import ATTACKS, HONEST, PROBES, check_of
from tests.grading.attacks.scene import POINTS

ROOT = Path(__file__).resolve().parents[2]
# Each part of the list, by a word in the names of the attacks that stand for it.
LISTED = (
    "check-edited", "check-removed", "check-doubled", "check-saved", "check-cleared", "hook-print", "hook-json", "hook-numpy",
    "hook-rlhw", "hook-traceback", "conftest", "pytest-ini", "sitecustomize", "answer-imported", "answer-searched",
    "forged-message", "read-files", "read-environment", "answer-in-frames", "sys-exit", "os-exit", "kills-parent", "fork-bomb",
    "memory-bomb", "output-flood", "endless-cell", "endless-call", "disk-fill", "daemon", "network", "symlink",
    "zip-traversal", "json-bomb", "kernelspec", "html-in-prose", "csv-formula", "ansi-printed", "lying-array",
    "lying-nonfinite", "lying-complex", "wrong-shape-broadcast",
)  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return set_up(tmp_path_factory.mktemp("scene") / "root", "hw2", Canaries.fresh(), "token")


def test_everything_listed_is_tried():
    names = [attack.name for attack in ATTACKS]
    assert set(LISTED) <= set(names)
    assert len(names) >= 40
    assert len(HONEST) >= 12
    everybody = [submission.student or submission.name for submission in (*ATTACKS, *PROBES, *HONEST)]
    assert len(set(everybody)) == len(everybody)


def test_no_attack_holds_a_right_answer(scene):
    """Each notebook that an attack hands in differs from the solved one in every answer; else points would prove nothing."""
    solved = {cell["id"]: cell["source"] for cell in scene.solved["cells"] if cell["id"].endswith("-answer")}
    asked = {check_of(cell)[0] for cell in scene.notebook["cells"] if check_of(cell)}
    machine = {source for name, source in solved.items() if name.removesuffix("-answer") in asked}
    assert len(machine) == len(asked)
    for attack in ATTACKS:
        if attack.gain != POINTS or attack.whole or attack.name == "other-assignment":
            continue
        made = attack.hand_in(scene)
        sources = {cell["source"] for cell in made.notebook["cells"]}
        assert not machine & sources, attack.name


@pytest.mark.parametrize("shift", range(5))
def test_a_leak_is_seen_in_every_disguise(shift):
    import base64

    word = Canaries.fresh().secret
    text = ("x" * shift + word + "yy").encode()
    for form in (text, text[::-1], text.hex().encode(), base64.b64encode(text)):
        assert leaks(b"before " + form + b" after", [word]) == [word]
    assert leaks(b"nothing " * 50, [word]) == []
    assert len(disguises(word)) == 6


def test_what_acts_and_what_leaks_is_found_where_it_is_planted(scene, tmp_path):
    """The measures of our column, with a grader's output that we make: each finds what is there, and nothing elsewhere."""
    canaries, out = Canaries.fresh(), tmp_path / "out"
    (out / "feedback").mkdir(parents=True)
    seen = {
        "stopped": "",
        "code": 0,
        "survivors": [],
        "processes": 1,
        "heard": [],
        "outer_bytes": 0,
        "inner_bytes": 0,
        "tmp_bytes": 0,
    }
    attacks = {attack.name: attack for attack in ATTACKS}

    def graded():
        return attack_ours.Graded(scene, canaries, seen, b"", out, [], [])

    (out / "grades.csv").write_text('"\'=HYPERLINK",-1.5\n')
    (out / "feedback" / "a.html").write_text("&lt;script&gt;document.title='graded'&lt;/script&gt;")
    assert not attack_ours.told(graded())
    assert not attack_ours.acts(attacks["html-in-prose"].raw, graded())
    assert not attack_ours.acts(attacks["csv-formula"].raw, graded())
    (out / "grades.csv").write_text('"=HYPERLINK",-1.5\n')
    (out / "feedback" / "a.html").write_text("<script>document.title='graded'</script>")
    (out / "feedback" / "b.html").write_text(f"{canaries.environment[::-1]} {attacks['bidi-in-name'].raw}")
    assert attack_ours.told(graded()) == ["feedback/b.html"]
    assert "acts in grades.csv" in attack_ours.acts(attacks["csv-formula"].raw, graded())
    assert "acts in feedback/a.html" in attack_ours.acts(attacks["html-in-prose"].raw, graded())
    assert "acts in feedback/b.html" in attack_ours.acts(attacks["bidi-in-name"].raw, graded())
    seen |= {"code": 4, "survivors": ["token-daemon 60"], "processes": 4000, "heard": ["network"]}
    faults = " ".join(attack_ours.of_the_run(graded()))
    assert all(
        word in faults
        for word in ("ended with 4", "processes are left", "4000 processes", "connected", "feedback/b.html")
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_attack_gains_anything(require, tmp_path):
    require("bwrap", "student code runs in bubblewrap")
    require("unshare", "the attacks run behind a fence of namespaces")
    # `make attacks`, with its card elsewhere: a test changes no file of the checkout.
    program = f"from pathlib import Path; from rlhw import cards; cards.FOLDER = Path({str(tmp_path)!r}); "
    program += "from benchmarks import attacks; raise SystemExit(attacks.main())"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert run.stdout.rstrip().endswith(f"{len(ATTACKS)} attacks gained 0, {len(HONEST)} honest full")
    assert [path.name for path in tmp_path.iterdir()] == ["attacks.json"]


def test_a_handful_gains_nothing(require, tmp_path):
    """Two quick ones of two kinds, under our grader only, and one honest submission; the slow tests take all."""
    require("bwrap", "student code runs in bubblewrap")
    require("unshare", "the attacks run behind a fence of namespaces")
    names = ("hook-numpy", "network")
    chosen = [attack for attack in ATTACKS if attack.name in names]
    honest = [entry for entry in HONEST if entry.name == "partly-hw2-gae"]
    graded = attack_ours.grade(tmp_path / "ours", "hw2", [*chosen, *honest])
    assert attack_ours.of_the_run(graded) == []
    assert {attack.name: attack_ours.gain(attack, graded) for attack in chosen} == dict.fromkeys(names, "")
    assert [attack_ours.short_of(entry, graded) for entry in honest] == [""]
