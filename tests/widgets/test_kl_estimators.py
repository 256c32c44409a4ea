"""KLEstimators on a page: its numbers against an enumeration that knows nothing of the widget, its switch, its sample."""

import math
import re

import numpy as np
import pytest
from conftest import saved_widgets
from playwright.sync_api import Page, expect

from rlhw.widgets.kl_estimators import DRAWS, KLEstimators

pytestmark = pytest.mark.browser

P, Q = (0.5, 0.4, 0.14), (0.1, 0.6, 0.22)
KL, OFF, DEVIATION, SAMPLED = range(4)


def shown(page: Page) -> dict[str, list[float]]:
    """The numbers of each row of the table."""
    rows = (row.inner_text().split("\t") for row in page.locator("tbody tr").all())
    return {name: [float(cell.replace("−", "-")) for cell in cells if cell.strip()] for name, *cells in rows}


def enumerated(estimate) -> tuple[float, float]:
    """Mean and standard deviation of an estimate of (p, q) under p, by the definition."""
    p, q = (np.array(law) / sum(law) for law in (P, Q))
    values = [estimate(p[i], q[i]) for i in range(3)]
    middle = sum(p[i] * values[i] for i in range(3))
    return middle, math.sqrt(sum(p[i] * (values[i] - middle) ** 2 for i in range(3)))


ESTIMATES = {
    "k₁": lambda p, q: math.log(p / q),
    "k₂": lambda p, q: math.log(p / q) ** 2 / 2,
    "k₃": lambda p, q: q / p - 1 - math.log(q / p),
    "k₃ upside down": lambda p, q: p / q - 1 - math.log(p / q),
}


@pytest.fixture
def page(write_page, browser_page: Page) -> Page:
    widget = KLEstimators(p=P, q=Q, samples=DRAWS)
    browser_page.goto(write_page(saved_widgets({"one": {"state": widget.page_state()}}, ["one"])).as_uri())
    return browser_page


def test_means_and_deviations_are_those_of_the_enumeration(page):
    rows = shown(page)
    kl, _ = enumerated(ESTIMATES["k₁"])
    assert rows.pop("KL(p‖q)") == pytest.approx([kl], abs=6e-4)
    assert set(rows) == {"k₁", "k₂", "k₃"}
    for name, row in rows.items():
        mean, scatter = enumerated(ESTIMATES[name])
        assert row[:3] == pytest.approx([mean, mean - kl, scatter], abs=6e-4)
        assert abs(row[SAMPLED] - mean) < 4 * scatter / math.sqrt(DRAWS)  # false alarm 6e-5
    assert rows["k₁"][OFF] == rows["k₃"][OFF] == 0 != rows["k₂"][OFF]


def test_upside_down_has_chi_squared_less_the_kl(page):
    """The switch by keyboard; what it shows is the slip's mean, and the sentence says so."""
    before = shown(page)
    switch = page.get_by_label("k₃ with its ratio upside down")
    switch.press("Space")
    expect(switch).to_be_checked()
    rows = shown(page)
    p, q = (np.array(law) / sum(law) for law in (P, Q))
    chi = float(np.sum((p - q) ** 2 / q))
    kl, _ = enumerated(ESTIMATES["k₁"])
    assert rows["k₃ upside down"][:3:2] == pytest.approx(enumerated(ESTIMATES["k₃ upside down"]), abs=6e-4)
    assert rows["k₃ upside down"][KL] == pytest.approx(chi - kl, abs=6e-4)
    assert rows["k₁"] == before["k₁"]
    assert page.locator(".rlhw-key.rlhw-third").all_inner_texts() == ["k₃ upside down"] * 2
    expect(page.locator(".rlhw-words")).to_contain_text(f"χ² − KL = {chi:.3f} − {kl:.3f} = {chi - kl:.3f}")


def test_equal_laws_have_a_kl_of_nothing_and_no_scatter(page):
    for y, weight in zip("₁₂₃", P, strict=True):
        slider = page.get_by_label(f"q: weight of y{y}")
        slider.fill(str(weight))
    for row in shown(page).values():
        assert row == [0.0] * len(row)
    assert not re.search("NaN|Infinity|undefined", page.locator(".rlhw-widget").inner_html())


def test_fewer_samples_are_the_first_of_the_same(page):
    picture = page.locator("svg[role=img]").last
    expect(picture).to_have_attribute("aria-label", re.compile(f"over {DRAWS} samples"))
    samples = page.get_by_label("samples N")
    samples.press("Home")
    expect(samples).to_have_value("10")
    uniforms = np.random.default_rng(0).random(DRAWS)[:10]
    p, q = (np.array(law) / sum(law) for law in (P, Q))
    drawn = np.searchsorted(np.cumsum(p), uniforms, side="right")
    assert shown(page)["k₁"][SAMPLED] == pytest.approx(np.log(p / q)[drawn].mean(), abs=6e-4)
