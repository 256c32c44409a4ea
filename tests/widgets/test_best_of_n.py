"""BestOfN on a page: its numbers against an enumeration of all n-tuples of answers, and against the frontier's own property."""

import itertools
import math
import re

import numpy as np
import pytest
from conftest import saved_widgets
from playwright.sync_api import Page, expect

from rlhw.widgets.best_of_n import BestOfN

pytestmark = pytest.mark.browser

WEIGHTS, N = (0.3, 0.25, 0.2, 0.1, 0.07), 3
DIFFERENT, TIED = (0.2, 1.3, 0.9, 2.6, -0.4), (1.0, 0.0, 1.0, 2.0, 0.0)


def enumerated(rewards: tuple[float, ...]) -> np.ndarray:
    """The law of the best of N answers over all N-tuples, ties broken evenly among the tuple's best draws."""
    p, law = np.array(WEIGHTS) / sum(WEIGHTS), np.zeros(5)
    for drawn in itertools.product(range(5), repeat=N):
        best = [i for i in drawn if rewards[i] == max(rewards[j] for j in drawn)]
        for i in best:
            law[i] += p[list(drawn)].prod() / len(best)
    return law


def numbers(text: str) -> list[float]:
    return [float(cell.replace("−", "-")) for cell in text.split("\t")[1:] if cell.strip()]


@pytest.fixture
def show(write_page, browser_page: Page):
    def on_page(rewards: tuple[float, ...], n: int = N) -> Page:
        state = BestOfN(weights=WEIGHTS, rewards=rewards, n=n).page_state()
        browser_page.goto(write_page(saved_widgets({"one": {"state": state}}, ["one"])).as_uri())
        return browser_page

    return on_page


@pytest.mark.parametrize("rewards", [DIFFERENT, TIED], ids=["no ties", "ties"])
def test_law_reward_and_kl_are_those_of_the_enumeration(rewards, show):
    page, law = show(rewards), enumerated(rewards)
    p = np.array(WEIGHTS) / sum(WEIGHTS)
    reference, best, star, _ = [numbers(row.inner_text()) for row in page.locator("tbody tr").all()]
    kl, reward = float(law @ np.log(law / p)), float(law @ np.array(rewards))
    assert best == pytest.approx([kl, reward, reward - p @ rewards], abs=6e-4)
    assert reference == pytest.approx([0, p @ rewards], abs=6e-4)
    # no law earns more at so much KL than π*: not the best of n, and not a random one
    assert star[0] == best[0]
    assert star[1] > best[1]
    label = page.locator("svg[role=img]").first.get_attribute("aria-label")
    shown = {name: float(value) for name, value in re.findall(r"([A-E]), worth [−\d.]+: [\d.]+, ([\d.]+),", label)}
    assert [shown[name] for name in "ABCDE"] == pytest.approx(law, abs=6e-3)


def test_the_frontier_s_policy_is_a_tilt_of_the_reference_with_that_kl(show):
    page = show(DIFFERENT)
    beta, earned = map(
        float, re.search(r"β = ([\d.]+) earns ([\d.]+):", page.locator(".rlhw-words").inner_text()).groups()
    )
    p = np.array(WEIGHTS) / sum(WEIGHTS)
    star = p * np.exp(np.array(DIFFERENT) / beta)
    star /= star.sum()
    law = enumerated(DIFFERENT)
    assert star @ np.log(star / p) == pytest.approx(law @ np.log(law / p), abs=2e-3)
    assert star @ DIFFERENT == pytest.approx(earned, abs=2e-3)


def test_with_ties_the_formula_says_too_much(show):
    page = show(TIED)
    page.get_by_label("samples n").press("End")
    expect(page.locator(".rlhw-words")).to_contain_text("with 3 different rewards among them")
    rows = [numbers(row.inner_text()) for row in page.locator("tbody tr").all()]
    formula = math.log(64) - 63 / 64
    assert rows[3] == pytest.approx([formula], abs=6e-4)
    assert rows[1][0] < formula - 0.5
    page.get_by_label("samples n").press("Home")
    expect(page.locator(".rlhw-words")).to_have_text(re.compile("The best of one sample is the reference itself"))


def test_a_button_sets_the_rewards_and_a_slider_changes_one(show):
    page = show(DIFFERENT)
    page.get_by_role("button", name="two levels").press("Enter")
    expect(page.locator(".rlhw-words")).to_contain_text("with 2 different rewards among them")
    page.locator("summary").press("Enter")
    page.get_by_label("reward of C").press("End")
    expect(page.locator(".rlhw-words")).to_contain_text("with 3 different rewards among them")
    expect(page.get_by_label("weight of E")).to_be_visible()
