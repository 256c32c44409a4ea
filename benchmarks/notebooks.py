"""Seconds of the notebooks, and whether pages print what cards hold: `python -m benchmarks.notebooks` writes its card, `notebooks`.

Each notebook runs in an empty folder on one thread, the start of its kernel counted. The pages are those of the last `make book`.
Prints each figure beside its bound, and ends with exit status 1 when one is SHORT. About seven minutes.
"""

import html
import json
import re
import sys
import tempfile
import time

from benchmarks.chapters import ROOT, processor_seconds
from benchmarks.house import bounded
from rlhw import cards

MOST_OF_ALL, MOST_SECONDS, MOST_OF_BACKGROUND, MOST_OF_ONE = 480, 360, 120, 40
TRAINING = (
    "02_reinforce_bandit", "03_behavior_cloning", "04_human_preferences", "05_reward_model", "06_ppo", "07_dpo", "08_how_good",
    "09_without_a_critic",
)  # fmt: skip
ROLE = re.compile(r"\{card\}`([^`|]+)`")
PRINTED = re.compile(r'<span class="card-number">(.*?)</span>')


def names() -> list[str]:
    """The notebooks there are."""
    return sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def seconds_of_all() -> dict[str, dict]:
    """Processor seconds of each notebook, and the sums over the walk (with the clinic) and over the background."""
    metrics, walk, background = {}, 0.0, 0.0
    for name in names():
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, str(ROOT / "tests/colab/run_notebook.py"), str(ROOT / f"notebooks/{name}.ipynb")]
            seconds = processor_seconds(run, folder)
        if name.startswith("b"):
            background += seconds
        else:
            walk += seconds
        metrics[f"seconds_{name}"] = bounded(
            f"notebooks/{name}.ipynb", seconds, f"< {MOST_OF_ONE} s", seconds < MOST_OF_ONE, "s"
        )
        print(f"{name}: {seconds:.1f} s", flush=True)
    total = walk + background
    sums = {
        "all": bounded("all notebooks, on one thread", total, f"< {MOST_OF_ALL} s", total < MOST_OF_ALL, "s"),
        "seconds": bounded(
            "notebooks of the walk and the clinic", walk, f"< {MOST_SECONDS} s", walk < MOST_SECONDS, "s"
        ),
        "background": bounded(
            "notebooks of the background", background, f"< {MOST_OF_BACKGROUND} s", background < MOST_OF_BACKGROUND, "s"
        ),
    }
    return sums | metrics


def known_answers() -> dict[str, dict]:
    """Training notebooks that hold a cell tagged known-answer."""
    tagged = 0
    for name in TRAINING:
        cells = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf8"))["cells"]
        tagged += any("known-answer" in cell["metadata"].get("tags", []) for cell in cells)
    there = len(TRAINING)
    return {
        "known_answers": bounded(
            "training notebooks with a cell tagged known-answer", tagged, f"= {there}", tagged == there
        )
    }


def printed_numbers(source: str, page: str) -> tuple[list[str], list[str]]:
    """(what the cards say, what the built page prints), in the order of the page, of each number quoted from a card."""
    said = [cards.value(*reference.split()) for reference in ROLE.findall(source)]
    return said, [html.unescape(text) for text in PRINTED.findall(page)]


def quoted() -> dict[str, dict]:
    """Over all pages: numbers quoted from cards, and those that are printed otherwise than the card has them."""
    count = wrong = 0
    for path in sorted((ROOT / "book").glob("*.md")):
        source, page = path.read_text(encoding="utf8"), ROOT / f"_build/html/book/{path.stem}.html"
        if not ROLE.search(source):
            continue
        if not page.is_file():
            raise FileNotFoundError(f"there is no {page.relative_to(ROOT)}; run `make book` first.")
        said, printed = printed_numbers(source, page.read_text(encoding="utf8"))
        count += len(said)
        wrong += len(said) != len(printed) or sum(a != b for a, b in zip(said, printed, strict=False))
    return {
        "quoted": cards.metric("numbers that the pages quote from cards", count),
        "misquoted": bounded("numbers printed otherwise than their card has them", wrong, "= 0", wrong == 0),
    }


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    metrics = quoted() | known_answers() | seconds_of_all()
    cards.write(
        "notebooks", "What the notebooks take, and what the pages quote", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.notebooks", modules=["benchmarks.notebooks"],
    )  # fmt: skip
    return 0 if cards.report("notebooks") else 1


if __name__ == "__main__":
    sys.exit(main())
