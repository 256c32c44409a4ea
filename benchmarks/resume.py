"""Runs killed with SIGKILL and resumed: `python -m benchmarks.resume` writes results/resume.json (a few minutes).

Small runs of all seven stages, their files hashed. Runs that were killed ten times within each stage, at random moments and in
the middle of a write of each kind, must end with the hashes of a run that nobody touched; resumes that forget something, and
another seed, must not. Prints each figure beside its bound and ends with exit status 1 when one is SHORT. With any option the
figures are printed as JSON, and no card is written.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

# What a run imports late is imported before the children are forked.
import matplotlib.backends.backend_svg  # noqa: F401
import torch

import rlhw.pipeline.report
import rlhw.pipeline.stages  # noqa: F401
from benchmarks import killing
from benchmarks.killing import Aim, Kill
from benchmarks.run_hashes import fingerprints
from benchmarks.sabotage import SABOTAGES, fill_with_zeros, write_in_place
from rlhw import cards, checkpoint
from rlhw.language_model import load
from rlhw.pipeline.settings import DPO, GRPO, PPO, STAGES, Clone, Compare, Evaluate, Reward, Settings

# Twelve steps in each stage that trains, so that ten moments fall on different ones.
SETTINGS = Settings(
    clone=Clone(posts=144, answers=2, steps=12, size=12), compare=Compare(prompts=24), reward=Reward(epochs=4.0, size=8),
    ppo=PPO(rollouts=12, prompts=4, answers=2), grpo=GRPO(rollouts=12, prompts=4, answers=2), dpo=DPO(epochs=4.0, size=8),
    evaluate=Evaluate(posts=4, answers=2, samples=8), max_new_tokens=10,
)  # fmt: skip
# A run is killed so many times in each stage; more runs than twice what that takes are not tried.
KILLS, KILLS_A_RUN = 10, 2
# The write of this checkpoint is the one that a stage is killed in before its resume is sabotaged.
HALFWAY = 4


@dataclass
class Trial:
    """The runs of one trial: where they live, what a whole one left, and what was found so far."""

    folder: Path
    stages: tuple[str, ...]
    rng: random.Random
    hashes: dict[str, str] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    aimed: list[tuple[str, str]] = field(default_factory=list)
    runs: dict[str, bool] = field(default_factory=dict)
    slowed: bool = False

    def settings(self, name: str) -> Settings:
        return replace(SETTINGS, out=self.folder / name)

    def same(self, name: str) -> bool:
        """Hold what a run left against the whole run, say what differs, and remove it."""
        found = fingerprints(self.folder / name, self.stages)
        differ = sorted(key for key in self.hashes.keys() | found.keys() if self.hashes.get(key) != found.get(key))
        verdict = f"{len(differ)} hashes differ: {', '.join(differ[:5])}" if differ else "all hashes are equal"
        print(f"{name}: {verdict}", file=sys.stderr)
        shutil.rmtree(self.folder / name)
        return not differ


def whole_run(trial: Trial) -> dict[str, float]:
    """A run that nobody touches gives the hashes; a second one, with the slow disk, how long each stage takes then."""
    killing.whole(trial.settings("whole"), until=trial.stages[-1], slow=False)
    trial.hashes |= fingerprints(trial.folder / "whole", trial.stages)
    killing.whole(trial.settings("slow"), until=trial.stages[-1])
    return killing.stage_seconds(trial.folder / "slow", trial.stages)


def kill_at_random(trial: Trial, kills: int, seconds: dict[str, float]) -> None:
    """Runs killed at random moments, until so many kills have landed in each stage."""
    for number in range(2 * -(-kills // KILLS_A_RUN)):
        landed = Counter(kill.stage for kill in trial.kills)
        wanted = {stage: min(KILLS_A_RUN, kills - landed[stage]) for stage in trial.stages if landed[stage] < kills}
        if not wanted:
            break
        name = f"random_{number}"
        trial.kills += killing.killed_at_random(trial.settings(name), wanted, seconds, trial.stages[-1], trial.rng)
        trial.runs[name] = trial.same(name)


def sabotaged(trial: Trial) -> dict[str, bool]:
    """Whether each sabotage of each training stage shows, when that stage is killed halfway and resumed."""
    found = {}
    for stage in (stage for stage in trial.stages if stage in killing.TRAINED):
        killing.copy_without(trial.folder / "whole", stage, trial.folder / "halfway")
        killing.killed_at(trial.settings("halfway"), stage, Aim(killing.DRAFTS["checkpoint"], HALFWAY))
        own = {key: value for key, value in trial.hashes.items() if key.startswith(f"{stage}/")}
        for sabotage in (None, *SABOTAGES):
            shutil.copytree(trial.folder / "halfway", trial.folder / "resumed")
            killing.whole(trial.settings("resumed"), until=stage, slow=False, sabotage=sabotage)
            model = f"{stage}/model/model.safetensors"
            other = fingerprints(trial.folder / "resumed", (stage,))
            name = f"{stage}, {sabotage.__name__ if sabotage else 'honest'}"
            found[name] = other == own if sabotage is None else other[model] != own[model]
            print(f"{name}: {'as it should be' if found[name] else 'NOT AS IT SHOULD BE'}", file=sys.stderr)
            shutil.rmtree(trial.folder / "resumed")
        shutil.rmtree(trial.folder / "halfway")
    return found


def written_in_place(trial: Trial) -> list[str]:
    """What a resume says to a checkpoint without the rename, killed in the middle: as it is, and filled up with zeros."""
    settings, said = trial.settings("in_place"), []
    killing.killed_at(settings, "clone", Aim("step_00000004.safetensors"), write_in_place)
    for damage in (lambda path: None, fill_with_zeros):
        damage(checkpoint.latest(settings.out / "clone"))
        try:
            killing.whole(settings, until="clone", slow=False)
            said.append("it was taken for whole")
        except RuntimeError as error:
            said.append(str(error))
        print(f"written in place: {said[-1]}", file=sys.stderr)
    return said


def another_seed(trial: Trial) -> bool:
    """Whether a run with another seed leaves another model, checkpoint and curve."""
    settings = replace(trial.settings("seed"), seed=SETTINGS.seed + 1)
    killing.whole(settings, until="clone", slow=False)
    other = fingerprints(settings.out, ("clone",))
    names = [name for name in other if name.endswith(("model.safetensors", "done.json", "wte.weight", "record"))]
    return all(other[name] != trial.hashes[name] for name in names)


def measure(stages: tuple[str, ...], kills: int, moments: int) -> dict[str, dict]:
    """All figures of the card."""
    torch.set_num_threads(1)
    # Fills the tables that transformers makes at its first load, once for all children.
    load(SETTINGS.model)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder).resolve(), stages, random.Random(moments))
        seconds = whole_run(trial)
        trial.slowed = trial.same("slow")
        kill_at_random(trial, kills, seconds)
        trial.aimed += killing.killed_in_writes(trial.settings("aimed"), stages, trial.rng)
        trial.runs["aimed"] = trial.same("aimed")
        return figures(trial, kills, sabotaged(trial), written_in_place(trial), another_seed(trial))


def figures(trial: Trial, kills: int, sabotages: dict[str, bool], said: list[str], other: bool) -> dict[str, dict]:
    """What the trial found, each figure with its bound."""
    landed = Counter(kill.stage for kill in trial.kills)
    least = min(landed[stage] for stage in trial.stages)
    steps = [
        {kill.step for kill in trial.kills if kill.stage == stage} for stage in trial.stages if stage in killing.TRAINED
    ]
    honest = [fine for name, fine in sabotages.items() if name.endswith("honest")]
    mutants = [fine for name, fine in sabotages.items() if not name.endswith("honest")]
    return {
        "kills": cards.metric(
            f"kills at random moments within a stage, the least of {len(trial.stages)} stages", least, bound=f">= {kills}",
            met=least >= kills,
        ),
        "all_kills": cards.metric("kills at random moments, all stages", len(trial.kills)),
        "steps": cards.metric("different last saved steps that they found, the least of the trained stages", min(map(len, steps))),
        "random_writes": cards.metric("of them in the middle of a write", sum(bool(kill.drafts) for kill in trial.kills)),
        **_writes(trial),
        "hashes": cards.metric("hashes compared for each run: files, tensors of checkpoints, curves", len(trial.hashes)),
        "equal": _all("runs killed and resumed that end with the hashes of a whole one", list(trial.runs.values())),
        "slowed": _all("runs with the slow disk, not killed, that do", [trial.slowed]),
        "honest": _all("stages killed halfway and resumed that do", honest),
        "mutants": _all("the same stages with another model when the resume forgets moments, schedule or data", mutants),
        "refused": _all("checkpoints cut by a kill for want of a rename, and refused", ["is damaged" in one for one in said]),
        "seed": _all("runs with another seed and other hashes", [other]),
    }  # fmt: skip


def _writes(trial: Trial) -> dict[str, dict]:
    """For each kind of write: the stages in which an aimed kill found it half done."""
    metrics = {}
    for kind, name in killing.DRAFTS.items():
        stages = [stage for stage in trial.stages if kind in killing.kinds(stage)]
        if stages:
            more = sum(kind in kill.drafts for kill in trial.kills)
            metrics[f"writes_{kind}"] = _all(
                f"stages with an aimed kill that left {name}", [(stage, kind) in trial.aimed for stage in stages],
                note=f"so did {more} of the kills at random moments",
            )  # fmt: skip
    return metrics


def _all(meaning: str, outcomes: list[bool], **more: object) -> dict:
    """How often it was so; it must be always."""
    return cards.metric(meaning, sum(outcomes), bound=f"all {len(outcomes)}", met=all(outcomes), **more)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, help=f"random kills in each stage; {KILLS} without it")
    parser.add_argument("--until", choices=STAGES, help="the last stage")
    parser.add_argument("--moments", type=int, help="seed of the random moments; 0 without it")
    given = parser.parse_args()
    start = time.perf_counter()
    stages = STAGES[: STAGES.index(given.until or STAGES[-1]) + 1]
    metrics = measure(stages, given.kills or KILLS, given.moments or 0)
    if (given.kills, given.until, given.moments) != (None, None, None):
        print(json.dumps(metrics, indent=1))
        return 0 if all(entry.get("met", True) for entry in metrics.values()) else 1
    cards.write(
        "resume", "Runs killed with SIGKILL and resumed, beside a run that nobody touched", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.resume",
        modules=[
            "benchmarks.killing", "benchmarks.resume", "benchmarks.run_hashes", "benchmarks.sabotage", "rlhw.batches",
            "rlhw.behavior_cloning", "rlhw.checkpoint", "rlhw.dpo", "rlhw.grpo", "rlhw.pipeline", "rlhw.ppo", "rlhw.preferences",
            "rlhw.reward_model", "rlhw.rollouts", "rlhw.saving", "rlhw.training",
        ],
    )  # fmt: skip
    return 0 if cards.report("resume") else 1


if __name__ == "__main__":
    sys.exit(main())
