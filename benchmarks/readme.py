"""The numbers in README.md: `python -m benchmarks.readme` writes them anew from the result cards.

They stand between two comments, and nowhere else in that file; a test compares them with the cards. A card that is missing or of
an older version is said in its row.
"""

import os
import sys
from pathlib import Path

from rlhw import cards

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- numbers: python -m benchmarks.readme -->", "<!-- end of numbers -->"
# What, the card, its metric, how it is printed, and what it is held against.
ROWS = (
    ("Cloning: the student's loss above the teacher's entropy", "cloning", "share_43200", "{:.1f} %", "0 %: no student is below"),
    ("Reward model: share of what the best possible judge gains over guessing", "reward_model", "share_27648", "{:.2f}", "1"),
    ("PPO: share of what the best policy there is would gain", "learning", "ppo", "{:.2f}", "1"),
    ("GRPO: the same", "learning", "grpo", "{:.2f}", "1"),
    ("DPO: the same", "learning", "dpo", "{:.2f}", "1"),
    ("Best of 16: the same", "learning", "best_of_16", "{:.2f}", "1"),
    ("The whole loop, `rlhw run`, on two cores", "whole_run", "seconds", "{:.0f} s", "under 300 s"),
    ("Notebooks of the walk and the clinic, processor time on one thread", "notebooks", "seconds", "{:.0f} s", "under 360 s"),
    ("Notebooks of the background, the same", "notebooks", "background", "{:.0f} s", "under 120 s"),
)  # fmt: skip


def line(what: str, name: str, metric: str, form: str, against: str) -> str:
    """One row: the value with its least and greatest over seeds, where there are any."""
    try:
        entry, stale = cards.read(name)["metrics"][metric], cards.stale(name)
    except (OSError, LookupError, ValueError):
        return f"| {what} | not measured: the card `{name}` cannot be read | {against} |"
    shown = form.format(entry["value"])
    if "low" in entry:
        shown += f" ({form.format(entry['low'])} to {form.format(entry['high'])})"
    return f"| {what} | {shown}{', on an older version' if stale else ''} | {against} |"


def table() -> str:
    """The table as Markdown, between its two comments."""
    head = ["| what | measured (median of 5 seeds, least, greatest) | known answer or bound |", "| --- | --- | --- |"]
    return "\n".join([START, "", *head, *(line(*row) for row in ROWS), "", END])


def renewed(text: str) -> str:
    """The README with this table in the place of the old one. ValueError when it has not exactly one place for it."""
    if text.count(START) != 1 or text.count(END) != 1:
        raise ValueError(f"README.md must hold '{START}' and '{END}' once each; the numbers stand between them.")
    before, rest = text.split(START)
    return before + table() + rest.split(END)[1]


def main() -> int:
    """Write the file at one stroke."""
    draft = README.with_suffix(".md.part")
    draft.write_text(renewed(README.read_text(encoding="utf8")), encoding="utf8")
    os.replace(draft, README)
    print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
