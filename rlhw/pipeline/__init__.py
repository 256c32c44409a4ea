"""The whole loop: clone -> compare -> reward model -> PPO, GRPO and DPO -> report; every stage can be resumed.

settings   what a run can be told, one small dataclass a stage
host       one process on the CPU, a GPU, several processes
folder     finished stages, training that is killed and taken up again
jobs       the five trainings: model and data in, a folder with the trained model out
forum      the small forum: demonstrations, votes, gold reward
texts      posts with summaries of people, from a file or the Hub
data       which of the two, and comparisons as the trainers take them
stages     what a run does, stage by stage
sampled    answers to held-out posts, and what is measured on them
attained   J*, the frontier, shares
report     what came of it: report.html and summary.json, with its drawings
memory     what a run on a GPU needs, and a sentence where it runs out
precision  float32, bf16, or fp16 with a loss scale
capability whether torch knows a GPU
sharded    a part of every model on each of several processes
early      early stopping on prompts held out
command    `rlhw run`
training   `rlhw train bc|reward|ppo|dpo|grpo`
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rlhw.pipeline.settings import STAGES, Settings

if TYPE_CHECKING:
    from rlhw.pipeline.stages import Run

AGAIN = (
    "what was finished is kept, and the same words with --resume go on from there; micro-batches and the settings of stages "
    "that have not begun may be other ones then"
)


def run(
    settings: Settings,
    *,
    resume: bool = False,
    until: str = "report",
    progress: Callable[[str], Callable] | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict:
    """Run all stages up to `until` in the folder `settings.out`, and return what each left behind: {"clone": …, …}.

    A stage that is done is not done again; one that was interrupted goes on from its newest checkpoint, and the models are
    then those of an uninterrupted run, bit for bit on one kind of processor. progress(stage) gives what shows the steps, and
    say(sentence) tells the user something; both are silent by default.
    Raises ValueError, before anything is written, for a folder of another run, for a GPU that is not there, and for settings
    that cannot be.
    """
    if until not in STAGES:
        raise ValueError(f"until must be one of {', '.join(STAGES)}; got {until!r}.")
    settings.check()
    # The settings are read before torch is loaded, so that what is wrong with them is said at once.
    from rlhw.pipeline import memory, stages
    from rlhw.pipeline.folder import finished, open_run, silent, write_whole
    from rlhw.pipeline.host import host, is_main

    say = say if is_main() else str
    memory.check(settings, say)
    here = host(settings.device, settings.precision)
    if here.accelerator is not None:
        say(here.words)
    folder = open_run(settings.out, settings.as_json(), resume, here)
    results = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        place = folder / stage
        place.mkdir(exist_ok=True)
        done = finished(place)
        here.wait()
        if done is None:
            shown = silent if progress is None else progress(stage)
            # Nothing is learned in a report: one process writes it, with whole models, for parts would wait for the others.
            alone = stage == "report"
            done = _work(
                stage,
                stages.Run(settings, folder, here.alone() if alone else here, shown, say),
                alone and not here.main,
            )
            if here.main:
                write_whole(place / "done.json", json.dumps(done))
            here.wait()
        results[stage] = done
    return results


def _work(stage: str, here: "Run", leaves: bool) -> dict:
    """What a stage leaves behind, with its seconds; a process that leaves it to another has nothing to add."""
    from rlhw.pipeline import memory, report, stages

    start = time.perf_counter()
    work = report.write if stage == "report" else getattr(stages, stage)
    with memory.enough(stage, memory.SMALLER[stage], AGAIN):
        done = {} if leaves else work(here)
    if done.get("skipped"):
        here.say(f"{stage}: {done['skipped']} steps were not taken, because a gradient was too large for fp16.")
    return {"seconds": time.perf_counter() - start} | done
