"""Sandboxes as an ordinary user, as a second user, and from a folder with a space in its name: each in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import doors
import pytest
import walls

pytestmark = pytest.mark.slow
NOBODY = 65534

# Finds a sandbox in the ways it is told, tries every door in it, and says what it found.
PROGRAM = """
import json, os, sys, tempfile, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import walls
from rlhw.grading.remote import Answers
from rlhw.grading.sandbox import NoSandbox, find
DAEMON = '''
import os, time
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
'''
said = {"uid": os.getuid()}
try:
    sandbox = find(disposable=True, ways=(sys.argv[2],))
    said |= {"name": sandbox.name, "open_doors": sandbox.open_doors}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with walls.to_find_out(Path(folder)) as facts:
            said["found"] = walls.within(sandbox, facts)
            said["control"] = walls.without_walls(facts)
    with Answers({"q": DAEMON}, sandbox) as answers:
        daemon = answers.get("q", "daemon")()
        pids = walls.family(answers._worker.process.pid)
    said["left"] = walls.alive(pids + [daemon] * (sandbox.name == "second user"))
except NoSandbox as reason:
    said["refused"] = str(reason)
print(json.dumps(said))
"""


def run(command: list[str], checkout: Path = walls.CHECKOUT) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def program(way: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(walls.DOORS.parent), way]


def needs_root(require) -> None:
    if os.geteuid() != 0:
        pytest.skip("Only root can become another user.")
    require("bwrap", "it shows root's files to other users")


@pytest.mark.parametrize("way", ["bwrap", "unshare"])
def test_an_ordinary_user_has_the_same_walls(way, require):
    needs_root(require)
    said = run(walls.as_seen_by_others(program(way), uid=NOBODY))
    assert said["uid"] == NOBODY
    assert said["name"] == way
    assert said["open_doors"] == said["left"] == []
    for door in doors.DOORS:
        assert said["control"][door.__name__] or door in doors.ROOT_ONLY, door.__name__
        assert not said["found"][door.__name__], door.__name__


def test_a_second_user_is_refused_where_he_can_read_the_solutions(require):
    needs_root(require)
    said = run(walls.as_seen_by_others(program("second user")))
    assert "chmod -R go=" in said["refused"]


# What this machine's other users may do as well; each stands in `open_doors` in words.
OPEN_TO_USERS = {"reads_a_file", "reads_the_users", "reads_through_a_link", "runs_a_shell", "fills_the_disk"}


def test_a_second_user_is_shut_off_from_root_alone(require, tmp_path):
    needs_root(require)
    private = tmp_path / "private"
    for name in ("rlhw", "results", "tests"):
        shutil.copytree(walls.CHECKOUT / name, private / name, ignore=shutil.ignore_patterns("__pycache__"))
        (private / name).chmod(0o700)
    said = run(walls.as_seen_by_others(program("second user"), private=private))
    assert said["name"] == "second user"
    assert said["left"] == []
    assert {door for door, is_open in said["found"].items() if is_open} == OPEN_TO_USERS
    words = " ".join(said["open_doors"])
    for word in ("read every file", "other processes", "write into folders"):
        assert word in words
    assert "network" not in words


def test_without_root_or_leave_there_is_no_second_user():
    from rlhw.grading.sandbox import NoSandbox, find

    with pytest.raises(NoSandbox, match="none was tried"):
        find(ways=("second user",))


def test_a_folder_with_a_space_in_its_name(require, tmp_path):
    require("bwrap", "it confines the students' code")
    checkout = tmp_path / "with space"
    shutil.copytree(walls.CHECKOUT / "rlhw", checkout / "rlhw", ignore=shutil.ignore_patterns("__pycache__"))
    for way in ("bwrap", "unshare"):
        assert run(program(way), checkout)["name"] == way
