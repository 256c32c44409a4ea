"""Run by test_labelling_killed.py: children that label as the page does, killed at random moments.

A child acknowledges each step on a pipe once the widget shows what comes after it, which is when a person would see it.
"""

import io
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from rlhw import labelling
from rlhw.preferences import files, read_jsonl

PAIRS = [(f"prompt {number}", "a" * (701 * number % 9001), "b") for number in range(1, 4000)]
CHOICES = ("first", "second", "tie")


class InPieces(io.FileIO):
    """A disk that takes a few bytes at a time, slowly: a kill then finds the process writing more often than not."""

    def write(self, data: bytes) -> int:
        time.sleep(0.001)
        return super().write(data[:701])


def slow_open(path, mode="r", buffering=-1):
    return InPieces(path, mode) if "a" in mode and buffering == 0 else open(path, mode, buffering)


def buffered(path, comparison) -> None:
    """The control: what a plain open, write does, and the file never closed."""
    global kept_open
    if kept_open is None:
        kept_open = open(path, "ab")  # noqa: SIM115
    kept_open.write(files.line_of(comparison))


kept_open = None


def label_forever(path: Path, pipe: int, seed: int) -> None:
    """Answer as the page would: mostly a choice, at times a skip or a step back."""
    rng, widget = random.Random(seed), labelling.label(PAIRS, path, "ann")
    while True:
        shown = widget._shown
        kind = rng.choices(["choose", "skip", "undo"], [8, 1, 1 if shown["can_undo"] else 0])[0]
        choice = rng.choice(CHOICES)
        message = {"kind": kind, "turn": shown["turn"], "choice": choice, "seconds": 1.0}
        widget._handle_custom_msg(message, [])
        after = widget._shown
        assert after["turn"] == shown["turn"] + 1, after["said"]
        # What is seen: the pair that was labelled, or the one that is shown again.
        about = after if kind == "undo" else shown
        os.write(pipe, json.dumps([kind, about["pair"]["prompt"], choice]).encode() + b"\n")


def steps_until_killed(path: Path, rng: random.Random) -> list[list[str]]:
    """What one child acknowledged before it was killed; an acknowledgement that broke off is none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            label_forever(path, writing, rng.randrange(2**32))
        finally:
            os._exit(1)
    os.close(writing)
    first = os.read(reading, 1)
    time.sleep(rng.uniform(0.0, 0.06))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with open(reading, "rb") as pipe:
        steps = [json.loads(line) for line in (first + pipe.read()).split(b"\n")[:-1]]
    assert os.WIFSIGNALED(status), "the child ended by itself"
    return steps


def kill_again_and_again(folder: Path, times: int, seed: int) -> dict[str, int]:
    """Kills, acknowledged steps, how often a line was torn, and how many labels were lost or came back: until harm is done."""
    rng, path = random.Random(seed), folder / "labels.jsonl"
    expected: dict[str, str] = {}
    found = {"kills": 0, "steps": 0, "torn": 0, "harmed": 0}
    while found["kills"] < times and not found["harmed"]:
        steps = steps_until_killed(path, rng)
        for kind, prompt, choice in steps:
            if kind == "choose":
                expected[prompt] = choice
            elif kind == "undo":
                expected.pop(prompt, None)
        before = path.read_bytes() if path.exists() else b""
        labelling.label(PAIRS[:1], path, "somebody else")  # whoever labels next sets a torn line aside
        after = path.read_bytes() if path.exists() else b""
        labels = {c.prompt: c.choice for c in read_jsonl(path)} if path.exists() else {}
        different = expected.keys() ^ labels.keys() | {p for p in expected if labels.get(p) != expected[p]}
        # The step that the kill cut short has happened or not: one label, given or taken back, may be there or not.
        found["harmed"] = max(0, len(different) - 1)
        expected = labels
        found["kills"] += 1
        found["steps"] += len(steps)
        found["torn"] += before != after
    return found


if __name__ == "__main__":
    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["40"])[0])
    for name in ("whole", "in pieces", "buffered"):
        (folder / name).mkdir()
    whole = kill_again_and_again(folder / "whole", times, seed)
    files.open = slow_open
    pieces = kill_again_and_again(folder / "in pieces", times, seed)
    labelling.session.append_jsonl = buffered
    print(
        json.dumps(
            {"whole": whole, "in pieces": pieces, "buffered": kill_again_and_again(folder / "buffered", 40, seed)}
        )
    )
