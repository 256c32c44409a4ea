"""`rlhw run`: the settings from the command line, progress bars on the terminal, and what was reached."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import tyro
from tqdm import tqdm

from rlhw.pipeline import Progress, run
from rlhw.pipeline.settings import Settings

SHARES = ("ppo_share", "grpo_share", "dpo_share")


@dataclass(frozen=True)
class Command(Settings):
    """Clone, compare, learn a reward, optimise it with PPO, GRPO and DPO, and report.

    model: "tiny", or a folder whose tokenizer knows the words of the small forum. out: the folder of the run. beta: the price of
    a nat of KL, in units of the reward. gold: optimise the gold reward itself. resume: go on with the run in --out. until: stop
    after this stage.
    """

    resume: bool = False
    until: Literal["clone", "compare", "reward", "ppo", "grpo", "dpo", "report"] = "report"


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say, and print where the report is."""
    command = tyro.cli(Command, args=list(arguments), prog="rlhw run")
    settings = Settings(**{one.name: getattr(command, one.name) for one in fields(Settings)})
    run(settings, resume=command.resume, until=command.until, progress=_bar)
    if command.until == "report":
        summary = json.loads((settings.out / "summary.json").read_text(encoding="utf8"))
        print("share of the attainable gain:", ", ".join(f"{name} {summary[name]:.2f}" for name in SHARES))
        print(f"report: {settings.out / 'report.html'}")
    return 0


def _bar(stage: str) -> Progress:
    """A progress bar of one stage, with the loss or the objective of the last step."""

    def shown(steps: Iterable[dict], start: int, total: int) -> Iterator[dict]:
        with tqdm(total=total, initial=start, desc=f"{stage:8}", unit="step") as bar:
            for figures in steps:
                name = "objective" if "objective" in figures else "loss"
                bar.set_postfix_str(f"{name} {figures[name]:.3f}", refresh=False)
                bar.update()
                yield figures

    return shown
