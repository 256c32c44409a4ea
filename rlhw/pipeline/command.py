"""`rlhw run`: the settings from the command line, progress bars on the terminal, and what was reached."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import tyro
from tqdm import tqdm

from rlhw.pipeline import run
from rlhw.pipeline.settings import FULL, Settings


@dataclass(frozen=True)
class Command(Settings):
    """Clone, compare, learn a reward, optimise it with PPO, GRPO and DPO, and report.

    scale: tiny is the small forum, on the CPU, offline, in minutes; full is GPT-2 on posts of people, on a GPU. It sets all
    other defaults. model: what is cloned first: "tiny", a folder, or a name of the Hub. data: comparisons: "simulated" (small
    forum only), a .jsonl file, a Label Studio export (.json), or a data set of the Hub. texts: at full scale the posts with
    summaries: a .jsonl file or a data set of the Hub. out: the folder of the run. device: cpu or cuda. beta: the price of a nat
    of KL, in units of the reward. gold: optimise the gold reward itself. context: tokens of a post and its answer together.
    max_new_tokens: an answer is cut there. resume: go on with the run in --out. until: stop after this stage.
    """

    resume: bool = False
    until: Literal["clone", "compare", "reward", "ppo", "grpo", "dpo", "report"] = "report"


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say, and print where the report is."""
    defaults = {one.name: getattr(FULL, one.name) for one in fields(Settings)} if _scale(arguments) == "full" else {}
    command = tyro.cli(Command, args=list(arguments), prog="rlhw run", default=Command(**defaults))
    settings = Settings(**{one.name: getattr(command, one.name) for one in fields(Settings)})
    run(settings, resume=command.resume, until=command.until, progress=bar, say=print)
    from rlhw.pipeline.host import is_main

    if command.until == "report" and is_main():
        summary = json.loads((settings.out / "summary.json").read_text(encoding="utf8"))
        shares = [f"{name} {row['share'][0]:.2f}" for name, row in summary["policies"].items() if "share" in row]
        print(f"share of the attainable gain in {summary['judge']} reward: {', '.join(shares)}")
        print(f"report: {settings.out / 'report.html'}")
    return 0


def _scale(arguments: Sequence[str]) -> str:
    """The scale alone, for the defaults of everything else."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--scale", default="tiny")
    return parser.parse_known_args(list(arguments))[0].scale


def bar(stage: str) -> Callable[[Iterable[dict], int, int], Iterator[dict]]:
    """A progress bar of one stage, with the loss or the objective of the last step."""

    def shown(steps: Iterable[dict], start: int, total: int) -> Iterator[dict]:
        with tqdm(total=total, initial=start, desc=f"{stage:8}", unit="step") as line:
            for figures in steps:
                name = "objective" if "objective" in figures else "loss"
                line.set_postfix_str(f"{name} {figures[name]:.3f}", refresh=False)
                line.update()
                yield figures

    return shown
