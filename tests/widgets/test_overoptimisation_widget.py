"""What Overoptimisation shows, held against the card, the library's fit, and the data it was given."""

import math
import re

import numpy as np
import pytest
from conftest import saved_widgets
from playwright.sync_api import Page, expect

from rlhw import cards
from rlhw.overoptimisation import best_of_n_form, fit_form, peak_best_of_n, peak_rl, rl_form
from rlhw.widgets.overoptimisation import DATA, FARTHEST, SIZES, Overoptimisation

FORMS = {"best_of_n": (best_of_n_form, peak_best_of_n), "rl": (rl_form, peak_rl)}
every_curve = pytest.mark.parametrize(("way", "size"), [(way, size) for way in FORMS for size in SIZES])


def distances(way: str, size: str) -> np.ndarray:
    return np.sqrt(np.array(DATA[way][size]["kl"]))


@every_curve
def test_the_points_are_whole_and_the_median_lies_between_the_ends(way, size):
    curve = DATA[way][size]
    names = {"kl", "gold", "gold_low", "gold_high", "learned"} | ({"n"} if way == "best_of_n" else set())
    assert names <= set(curve)
    assert len({len(curve[name]) for name in names}) == 1
    for low, gold, high in zip(curve["gold_low"], curve["gold"], curve["gold_high"], strict=True):
        assert low <= gold <= high
    assert min(curve["kl"]) >= 0
    assert max(curve["kl"]) <= FARTHEST**2
    assert all(math.isfinite(number) for name in names for number in curve[name])


@every_curve
def test_the_coefficients_are_the_least_square_ones_of_these_points(way, size):
    a, b, _ = fit_form(FORMS[way][0], distances(way, size), np.array(DATA[way][size]["gold"]))
    assert [DATA["fits"][way][size]["a"], DATA["fits"][way][size]["b"]] == pytest.approx([a, b], abs=2e-3)


def test_both_ways_have_the_same_sizes_and_the_card_is_there():
    assert tuple(DATA["rl"]) == SIZES
    assert cards.read(DATA["card"])["name"] == "goodhart"


def opened(page: Page, write_page, widget: Overoptimisation) -> Page:
    page.goto(write_page(saved_widgets({"one": {"state": widget.page_state()}}, ["one"])).as_uri())
    return page


@pytest.mark.browser
@pytest.mark.parametrize("way", FORMS)
def test_the_table_says_what_the_library_says(way, write_page, browser_page: Page):
    form, peak = FORMS[way]
    page = opened(browser_page, write_page, Overoptimisation(way=way))
    rows = [row.inner_text().replace("−", "-").split() for row in page.locator("tbody tr").all()]
    assert [row[0] for row in rows] == list(SIZES)
    for (size, a, b, fit, turns, end), fits in zip(rows, DATA["fits"][way].values(), strict=True):
        d, gold = distances(way, size), np.array(DATA[way][size]["gold"])
        values = form(d, fits["a"], fits["b"])
        explained = 1 - np.sum((gold - values) ** 2) / np.sum((gold - gold.mean()) ** 2)
        assert [float(a), float(b), float(fit), float(end)] == pytest.approx(
            [fits["a"], fits["b"], explained, gold[-1]], abs=5.1e-3
        )
        where = peak(fits["a"], fits["b"])
        expected = f"{where**2:.2f}" if where <= d.max() else "none" if where == math.inf else "beyond"
        assert turns == expected


@pytest.mark.browser
def test_a_reader_chooses_and_stops_by_keyboard(write_page, browser_page: Page):
    page = opened(browser_page, write_page, Overoptimisation(way="best_of_n", size=SIZES[0]))
    words, note = page.locator(".rlhw-words"), page.locator(".rlhw-note").first
    expect(note).to_contain_text("Computed beforehand")
    expect(note).to_contain_text("how: card goodhart.")
    expect(words).to_contain_text("Optimised by best of n")
    page.get_by_label("best of n", exact=True).press("ArrowRight")
    expect(words).to_contain_text("Optimised by reinforcement learning")
    page.get_by_label(SIZES[0], exact=True).press("ArrowRight")
    expect(page.get_by_label(SIZES[1], exact=True)).to_be_checked()
    stop = page.get_by_label("stop at d = √KL").first
    stop.press("Home")
    expect(words).to_contain_text("Stopped at d = 0.00, a KL of 0.00 nats, it says a gold reward of 0.00")
    stop.press("End")
    expect(words).to_have_text(re.compile(r"is farther than what was measured|Stopped at"))
    picture = page.locator("svg[role=img]").first
    before = picture.inner_html()
    page.get_by_label("against d = √KL").press("Space")
    expect(page.locator("svg[role=img]").first).to_contain_text("√nats")
    assert picture.inner_html() != before
