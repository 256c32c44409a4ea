"""Every door is tried from inside each sandbox and, as a control, without one; then what a dead worker leaves behind."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import doors
import numpy as np
import pytest
import walls

from rlhw.grading import confine, probe, sandbox
from rlhw.grading.remote import AnswerFailed, Answers
from rlhw.grading.sandbox import Limits, NoSandbox, Sandbox

ROOT = os.geteuid() == 0
NAMES = [door.__name__ for door in doors.DOORS]


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    with walls.to_find_out(tmp_path_factory.mktemp("outside")) as found:
        yield found


@pytest.fixture(scope="module")
def control(facts) -> dict[str, bool]:
    return walls.without_walls(facts)


@pytest.fixture(scope="module", params=["bwrap", "unshare"])
def confined(request, require) -> Sandbox:
    require(request.param, "it confines the students' code")
    return sandbox.find(ways=(request.param,))


@pytest.fixture(scope="module")
def found(confined, facts) -> dict[str, bool]:
    return walls.within(confined, facts)


@pytest.mark.parametrize("door", NAMES)
def test_a_door_that_is_open_outside_is_shut_inside(door, control, found):
    if ROOT or getattr(doors, door) not in doors.ROOT_ONLY:
        assert control[door], "nobody gets through this door: it shows nothing"
    assert not found[door]


INSIDE = """
import os, time

def descriptors():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").split(":")[0])
        except OSError:
            pass  # the listing's own
    return sorted(found)

def daemon():
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild == 0:
            time.sleep(600)
        os.write(theirs, str(grandchild).encode())
        os._exit(0)
    return int(os.read(ours, 20))

def files(folder):
    return sorted(os.listdir(folder))

def writable():
    # A student could be the owner of these files: the grader that a student runs at home is.
    places = ["/", "/dev", "/worker.py", os.__file__, *(f"/packages/{name}" for name in os.listdir("/packages"))]
    return [place for place in places if not os.statvfs(place).f_flag & os.ST_RDONLY]

def environment():
    return sorted(os.environ)

def identity():
    return os.getuid(), os.getgid(), os.getgroups()

def cpu_seconds():
    return time.process_time()
"""


@pytest.fixture(scope="module")
def inside(confined):
    with Answers({"inside": INSIDE}, confined, Limits(seconds_per_call=30.0)) as answers:
        yield lambda name, *arguments: answers.get("inside", name)(*arguments)


def test_it_sees_its_own_few_files(inside):
    own = {*("dev", "etc", "student", "lib", "lib64", "packages", "proc", "tmp", "usr", "worker.py")}
    assert set(inside("files", "/")) <= own | {Path(sys.base_prefix).parts[1]}
    # What bwrap and the script put into /dev: nothing with blocks, no terminal of ours.
    usual = {*("null", "zero", "full", "random", "urandom", "tty", "shm", "pts", "ptmx"), "console"}
    assert set(inside("files", "/dev")) <= usual | {"fd", "stdin", "stdout", "stderr", "core"}
    assert "numpy" in inside("files", "/packages")
    # `rlhw` came along in no package's folder, and no .pth names where it is.
    assert not [name for name in inside("files", "/packages") if "rlhw" in name or name.endswith(".pth")]


def test_it_gets_no_descriptor_of_the_grader(confined):
    with open(__file__) as opened, Answers({"inside": INSIDE}, confined) as answers:
        os.set_inheritable(opened.fileno(), True)
        # Nothing to read, nowhere to write, and the protocol.
        assert answers.get("inside", "descriptors")() == ["/dev/null"] * 3 + ["pipe"] * 2


def test_it_gets_no_variable_of_the_grader(inside):
    own = {"HOME", "LANG", "LC_CTYPE", "PWD", "OLDPWD", *confine.ENVIRONMENT}
    assert set(inside("environment")) <= own


def test_all_but_its_scratch_folders_is_read_only(inside):
    assert inside("writable") == []
    assert not os.statvfs(np.__file__).f_flag & os.ST_RDONLY, "here it is the sandbox that makes it so"


def test_it_is_nobody(inside):
    uid, gid, groups = inside("identity")
    # 0 is how nobody is called in the namespace that `unshare` makes.
    outside = 65534 if ROOT else os.getuid()
    assert uid in (0, outside)
    assert {gid, *groups} <= {0, 65534, os.getgid()}


def test_a_worker_replies_within_a_third_of_a_second(inside):
    # Nearly all of it is numpy's import.
    assert inside("cpu_seconds") < 0.35


@pytest.mark.slow
def test_torch_is_there(confined):
    # Imported when the worker starts: what takes that long in a cell would be cut off.
    with Answers({"q": "import torch\nx = torch.ones(3)"}, confined, Limits(seconds_per_cell=1)) as answers:
        assert answers.get("q", "x").tolist() == [1.0, 1.0, 1.0]


def test_nothing_outlives_a_killed_worker(confined):
    with Answers({"inside": INSIDE}, confined) as answers:
        answers.get("inside", "daemon")()
        pids = walls.family(answers._worker.process.pid)
    assert len(pids) >= 3
    assert walls.alive(pids) == []


def test_without_a_sandbox_a_daemon_outlives_it():
    with Answers({"inside": INSIDE}, walls.bare()) as answers:
        daemon = answers.get("inside", "daemon")()
    assert walls.alive([daemon], seconds=0.3) == [daemon]
    os.kill(daemon, signal.SIGKILL)


GRADER = """
import json, sys, time
sys.path.insert(0, {tests!r})
import walls
from rlhw.grading.remote import Answers
from rlhw.grading.sandbox import Sandbox
answers = Answers({{"inside": {inside!r}}}, Sandbox.from_dict(json.loads({sandbox!r})))
answers.get("inside", "daemon")()
print(json.dumps(walls.family(answers._worker.process.pid)), flush=True)
time.sleep(60)
"""


def test_nothing_outlives_a_killed_grader(confined):
    program = GRADER.format(tests=str(walls.DOORS.parent), inside=INSIDE, sandbox=json.dumps(confined.as_dict()))
    environment = {**os.environ, "PYTHONPATH": str(walls.CHECKOUT)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as grader:
        pids = json.loads(grader.stdout.readline())
        assert len(walls.alive(pids, seconds=0)) >= 3
        grader.kill()
    assert walls.alive(pids) == []


def test_two_at_once_have_their_processes_each(confined):
    hold = "import os, signal\ndef hold():\n    return [os.fork() or signal.pause() for _ in range(4)] != []\n"
    with Answers({"q": hold}, confined) as one, Answers({"q": hold}, confined) as other:
        assert one.get("q", "hold")()
        assert other.get("q", "hold")()
        # The limit stands: a worker with four children has no room for as many again.
        with pytest.raises(AnswerFailed, match="stopped with an error"):
            one.get("q", "hold")()


# --- Choosing one


def without(argv: tuple[str, ...], start: str) -> tuple[str, ...]:
    """A command with the arguments left out that start so."""
    return tuple(argument for argument in argv if not argument.startswith(start))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wall", "says"),
    [
        ("--nproc", "any number of processes"),
        ("--as=", "any amount of memory"),
        ("--fsize", "any size"),
    ],
)
def test_a_sandbox_without_one_of_its_limits_is_refused(confined, wall, says):
    probe.proven(confined, Limits())
    with pytest.raises(NoSandbox, match=says):
        probe.proven(replace(confined, argv=without(confined.argv, wall)), Limits())


def test_a_sandbox_that_only_looks_like_one_is_refused():
    with pytest.raises(NoSandbox, match="code in it"):
        probe.proven(replace(walls.bare(), name="bwrap"), Limits())
    assert {"secrets", "files", "others", "privileges"} <= set(probe.try_doors(walls.bare(), Limits()))


def test_a_bwrap_that_shows_a_folder_too_many_is_refused(require):
    require("bwrap", "it confines the students' code")
    found = sandbox.find(ways=("bwrap",))
    last = len(found.argv) - found.argv[::-1].index("--remount-ro") - 1
    shown = (*found.argv[:last], "--ro-bind", "/etc", "/etc", *found.argv[last:])
    with pytest.raises(NoSandbox, match="code in it can read every file"):
        probe.proven(replace(found, argv=shown), Limits())


def test_one_that_does_not_start_is_refused():
    with pytest.raises(NoSandbox, match="its worker does not start"):
        probe.proven(Sandbox("bwrap", ("/bin/false",)), Limits())


def test_without_bwrap_there_is_unshare_and_without_both_nothing(monkeypatch, require):
    require("unshare", "it confines the students' code")
    missing = {"bwrap"}
    path_of = confine.tool

    def tool(name: str) -> str:
        if name in missing:
            raise NoSandbox(f"the command {name} is missing.")
        return path_of(name)

    monkeypatch.setattr(confine, "tool", tool)
    assert sandbox.find().name == "unshare"
    missing.add("unshare")
    with pytest.raises(NoSandbox, match=r"apt install bubblewrap.*--disposable"):
        sandbox.find()


def test_it_goes_through_json(confined):
    again = Sandbox.from_dict(json.loads(json.dumps(confined.as_dict())))
    assert again == confined
    with Answers({"q": "x = 1"}, again, Limits(**json.loads(json.dumps(Limits().as_dict())))) as answers:
        assert answers.get("q", "x") == 1
