"""Attacks on grading, under plain nbval and under ours: `python -m benchmarks.attacks` writes results/attacks.json.

Prints a line for each attack with what it gains in both columns, a line for each honest submission that did not get exactly
its points, and ends "N attacks gained 0, M honest full". An attack that gains nothing under plain nbval proves nothing: it
is named, and the exit status is 1, as it is for whatever gets through. What plain nbval lets through is kept between runs in
_build/attacks, for as long as nothing that it depends on changes.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import attack_ours, attack_plain
from rlhw import cards
from tests.grading.attacks import ATTACKS, HONEST, PROBES, Attack

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "_build" / "attacks" / "plain.json"
LEAST = 30


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 0 when all attacks gained nothing under ours and something under plain nbval."""
    asked = parsed(arguments)
    start = time.perf_counter()
    attacks = [attack for attack in ATTACKS if not asked.only or attack.name in asked.only]
    probes = [probe for probe in PROBES if not asked.only or probe.name in asked.only]
    folder = Path(tempfile.mkdtemp(prefix="attacks-", dir=asked.scratch))
    # What an attack leaves behind is looked into by whoever wants to; a run that went well leaves nothing.
    plain = dict.fromkeys([attack.name for attack in attacks], "not tried")
    if asked.column != "ours":
        plain = plain_column(attacks, folder, asked.assignment)
    ours, faults, short = {}, [], {}
    if asked.column != "plain":
        graded = attack_ours.grade(folder / "ours", asked.assignment, [*attacks, *probes, *HONEST])
        ours = {attack.name: attack_ours.gain(attack, graded) for attack in [*attacks, *probes]}
        faults = attack_ours.of_the_run(graded)
        short = {honest.name: attack_ours.short_of(honest, graded) for honest in HONEST}
    through = told(attacks, probes, plain, ours, faults, short)
    idle = [name for name, gained in plain.items() if not gained]
    gained, full = sum(map(bool, ours.values())) + len(faults), sum(not missing for missing in short.values())
    if asked.column == "both" and not asked.only:
        card(plain, gained, full, len(probes), time.perf_counter() - start)
    for name in idle:
        print(f"{name}: gains nothing under plain nbval, so it proves nothing")
    if through or idle or full < len(short):
        print(f"GOT THROUGH: {', '.join(through) or 'nothing'}; {full} of {len(short)} honest full (see {folder})")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(attacks)} attacks gained 0, {full} honest full")
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], help="these attacks, and all honest submissions"
    )
    parser.add_argument("--column", choices=("both", "plain", "ours"), default="both")
    parser.add_argument("--assignment", default="hw2")
    parser.add_argument("--scratch", default=None, help="where the folders are made (default: the system's)")
    asked = parser.parse_args(arguments)
    known = {attack.name for attack in (*ATTACKS, *PROBES)}
    if unknown := sorted(set(asked.only) - known):
        parser.error(f"there is no attack {', '.join(unknown)}. There are: {', '.join(sorted(known))}")
    return asked


def plain_column(attacks: list[Attack], folder: Path, assignment: str) -> dict[str, str]:
    """What each gains under plain nbval, from the last run where nothing has changed since."""
    key = state_of(assignment)
    kept = json.loads(KEPT.read_text(encoding="utf8")) if KEPT.is_file() else {}
    known = kept["gains"] if kept.get("key") == key else {}

    def tried(attack: Attack) -> tuple[str, str]:
        if not known.get(attack.name):
            root = folder / "plain" / attack.name
            known[attack.name] = attack_plain.gain(attack, root, assignment)
            if known[attack.name]:
                shutil.rmtree(root, ignore_errors=True)
        return attack.name, known[attack.name]

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        found = dict(pool.map(tried, attacks))
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    draft = KEPT.with_suffix(".part")
    draft.write_text(json.dumps({"key": key, "gains": known}), encoding="utf8")
    os.replace(draft, KEPT)
    return found


def state_of(assignment: str) -> str:
    """A hash of all that the plain column depends on."""
    folders = ("tests/grading/attacks", "rlhw/exercises", "rlhw/homework")
    files = [path for name in folders for path in sorted((ROOT / name).glob("*.py"))]
    files += [ROOT / "benchmarks" / f"attack_{name}.py" for name in ("fence", "plain", "scene")]
    digest = hashlib.sha256(f"{assignment} {platform.python_version()}".encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def told(attacks, probes, plain, ours, faults, short) -> list[str]:
    """Print the table and return the names of what got through."""
    for attack in attacks:
        print(
            f"{attack.name:24} {attack.tries}: plain {plain[attack.name] or 'nothing'}, ours {ours.get(attack.name) or '0'}"
        )
    for probe in probes:
        if ours.get(probe.name):
            print(f"{probe.name:24} {probe.tries}: ours {ours[probe.name]}")
    for fault in faults:
        print(f"the run: {fault}")
    for name, missing in short.items():
        if missing:
            print(f"honest {name}: {missing}")
    return [name for name, gained in ours.items() if gained] + (["the run"] if faults else [])


def card(plain: dict[str, str], gained: int, full: int, probes: int, seconds: float) -> None:
    """Write the card; a bad number stays on it."""
    count = sum(map(bool, plain.values()))
    metrics = {
        "attacks": cards.metric(
            "attacks that gain something under plain nbval", count, unit="1", bound=f">= {LEAST}", met=count >= LEAST
        ),
        "idle": cards.metric("attacks that gain nothing there", len(plain) - count, unit="1", bound="0", met=count == len(plain)),
        "gained": cards.metric(
            "gains under rlhw grade, probes and the run as a whole included", gained, unit="1", bound="0", met=not gained
        ),
        "probes": cards.metric("further probes of the grader, without a counterpart in plain nbval", probes, unit="1"),
        "honest": cards.metric(
            "honest submissions that got exactly their points", full, unit="1", bound=f"all {len(HONEST)}", met=full == len(HONEST)
        ),
    }  # fmt: skip
    cards.write(
        "attacks", "Attacks on grading, under plain nbval and under rlhw grade", metrics, seconds=seconds,
        command="python -m benchmarks.attacks", modules=["rlhw.grading", "rlhw.homework", "benchmarks.attacks"],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
