"""The whole loop: clone -> compare -> reward model -> PPO, GRPO and DPO -> report; every stage can be resumed.

settings   what a run can be told, one small dataclass a stage
folder     finished stages, training that is killed and taken up again
forum      the small forum: demonstrations, votes, gold reward, J*
stages     what is done
report     what came of it: report.html and summary.json
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator

from rlhw.pipeline import report, stages
from rlhw.pipeline.folder import finished, open_run, write_whole
from rlhw.pipeline.settings import STAGES, Settings

Progress = Callable[[Iterable, int, int], Iterator]


def silent(steps: Iterable, start: int, total: int) -> Iterator:
    """No progress is shown."""
    yield from steps


def run(
    settings: Settings,
    *,
    resume: bool = False,
    until: str = "report",
    progress: Callable[[str], Progress] = lambda stage: silent,
) -> dict:
    """Run all stages up to `until` in the folder `settings.out`, and return what each left behind: {"clone": …, …}.

    A stage that is done is not done again; one that was interrupted goes on from its newest checkpoint, and the models are
    then those of an uninterrupted run, bit for bit on one kind of processor. progress(stage) gives what shows the steps.
    Raises ValueError, before anything is written, for a folder of another run, and for a beta or a seed that
    cannot be.
    """
    if until not in STAGES:
        raise ValueError(f"until must be one of {', '.join(STAGES)}; got {until!r}.")
    settings.check()
    folder = open_run(settings, resume)
    results = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        place = folder / stage
        place.mkdir(exist_ok=True)
        done = finished(place)
        if done is None:
            start = time.perf_counter()
            work = report.write if stage == "report" else getattr(stages, stage)
            done = work(stages.Run(settings, folder, progress(stage)))
            done = {"seconds": time.perf_counter() - start} | done
            write_whole(place / "done.json", json.dumps(done))
        results[stage] = done
    return results
