"""A labeller killed without warning, again and again, at moments that no run before had: what was acknowledged is on the disk."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked, so that a kill finds them at work at once")
@pytest.mark.parametrize(("times", "torn"), [(12, 0), pytest.param(40, 5, marks=pytest.mark.slow)])
def test_no_acknowledged_label_is_lost_and_the_file_is_whole(tmp_path, times, torn):
    seed = random.SystemRandom().randrange(2**32)
    script = Path(__file__).with_name("killed_labelling.py")
    done = subprocess.run([sys.executable, script, tmp_path, str(seed), str(times)], capture_output=True, text=True)
    said = f"seed {seed}: {done.stdout}{done.stderr[-3000:]}"
    assert done.returncode == 0, said
    found = json.loads(done.stdout)
    for way in ("whole", "in pieces"):
        assert (found[way]["kills"], found[way]["harmed"]) == (times, 0), said
        assert found[way]["steps"] >= times, said
    assert found["in pieces"]["torn"] > torn, f"hardly a kill found the process writing; {said}"
    assert found["buffered"]["harmed"] > 0, f"the control: a buffer loses what was acknowledged; {said}"
