"""The page and the notebook say of each patient what the cases say, and their pictures' words give nothing away."""

import json
import re
from pathlib import Path

import pytest

from rlhw.clinic import NAMES
from rlhw.clinic.cases import CASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "clinic.md").read_text(encoding="utf8")
CELLS = json.loads((ROOT / "notebooks" / "clinic.ipynb").read_text(encoding="utf8"))["cells"]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def part(number):
    """The patient's part of the page."""
    return PAGE.split(f"### Patient {number}\n")[1].split("\n### ")[0]


@cases
def test_the_page_has_the_hints_the_diagnosis_and_the_patch(case):
    text = part(case.number)
    for said in (
        *case.hints,
        case.cure,
        case.story,
        f"{case.name[1:]}**: {case.shows}.",
        f":pyobject: {case.wrong.__name__}",
    ):
        assert said in text
    assert f"`{case.patch}`" in text
    open_text = text.split("{dropdown} The diagnosis")[0]
    assert case.name.lower() not in open_text.lower(), "the name stands where everybody sees it"


@cases
def test_the_notebook_has_the_answer_folded_and_asks_with_a_wrong_name(case):
    cells = {cell["id"]: "".join(cell["source"]) for cell in CELLS}
    folded = cells[f"answer-{case.number:02}"]
    assert folded.startswith("<details>\n")
    assert f"**{case.name}**: {case.shows}." in folded
    assert case.cure in folded
    guess = re.match(r'guess = "(.+)"', cells[f"guess-{case.number:02}"])[1]
    assert guess in NAMES
    assert guess != case.name


@cases
def test_the_alt_text_of_the_page_names_no_bug(case):
    alt = re.search(r":alt: (.+)", part(case.number))[1]
    assert len(alt.split()) >= 20
    assert not any(name.lower() in alt.lower() for name in NAMES)
    assert (ROOT / "book" / "figures" / f"clinic_{case.number:02}.svg").is_file()
