"""Each slip of the book is refuted by a number: the page, the card and the measurement agree, and a slip made right is caught."""

import functools
import importlib
import re
from pathlib import Path

import pytest

from benchmarks import slips
from rlhw import cards

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "benchmarks").glob("slips_*.py"))
CHAPTERS = {
    path.stem.removeprefix("slips_"): importlib.import_module(f"benchmarks.{path.stem}").SLIPS for path in FILES
}
CASES = [(chapter, name) for chapter, every in CHAPTERS.items() for name in every]


def stated(chapter: str) -> list[str]:
    """The slips on the chapter's page, as metric names."""
    (page,) = (ROOT / "book").glob(f"{chapter}_*.md")
    return [
        name.replace("-", "_") for name in re.findall(r"^```\{slip\} (\S+)$", page.read_text(encoding="utf8"), re.M)
    ]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_page_and_measurements_name_the_same_slips(chapter):
    assert sorted(stated(chapter)) == sorted(CHAPTERS[chapter])
    assert sorted(cards.read(f"slips_{chapter}")["metrics"]) == sorted(CHAPTERS[chapter])


@functools.cache
def measured_right(chapter: str, name: str) -> float:
    """The right form's number, measured once for all tests of this file."""
    slip = CHAPTERS[chapter][name]
    return slip.measure(slip.right)


@pytest.mark.parametrize(("chapter", "name"), CASES)
def test_slip_is_refuted_by_the_number_on_its_card(chapter, name):
    slip = CHAPTERS[chapter][name]
    wrong, right = slip.measure(slip.wrong), measured_right(chapter, name)
    entry = cards.read(f"slips_{chapter}")["metrics"][name]
    assert wrong == pytest.approx(entry["value"], rel=1e-6, abs=1e-9)
    assert right == pytest.approx(entry["known"], rel=1e-6, abs=1e-9)
    assert slips.refuted(wrong, right)


@pytest.mark.parametrize(("chapter", "name"), CASES)
def test_slip_made_right_is_no_longer_refuted(chapter, name):
    # The control. That a second measurement gives the same number is shown above: it is held against the card's.
    assert not slips.refuted(measured_right(chapter, name), cards.read(f"slips_{chapter}")["metrics"][name]["known"])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_page_quotes_the_card_of_each_slip(chapter):
    (page,) = (ROOT / "book").glob(f"{chapter}_*.md")
    text = page.read_text(encoding="utf8")
    for name in CHAPTERS[chapter]:
        label = name.replace("_", "-")
        (body,) = re.findall(rf"^```\{{slip\}} {label}\n(.*?)^```$", text, re.M | re.S)
        assert f"{{card}}`slips_{chapter} {name} " in body, f"slip-{label} shows no number of its card"
