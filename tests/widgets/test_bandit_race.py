"""BanditRace on a page: its numbers against rlhw.bandits.play, its bound against the definition, its steps by keyboard."""

import math
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.widgets.bandit_race import BanditRace

pytestmark = pytest.mark.browser

MEANS, PULLS, RUNS, SEED = (0.55, 0.3, 0.7, 0.5), 260, 6, 3
OPTIONS = {
    "means": [*MEANS, 0.5, 0.5, 0.5], "arms": 4, "pulls": PULLS, "runs": RUNS, "seed": SEED, "epsilon": 0.2, "c": 0.5,
}  # fmt: skip


def shown(page: Page) -> dict[str, list[float]]:
    """The numbers of each row of the table."""
    rows = (row.inner_text().split("\t") for row in page.locator("tbody tr").all())
    return {
        name: [float(cell.replace("−", "-").strip(" %")) for cell in cells if cell.strip()] for name, *cells in rows
    }


def simulated(epsilon: float, c: float) -> tuple[float, float, float]:
    """Mean regret, its standard error and the share of the best arm, by a loop that knows nothing of the widget."""
    costs, hits = [], 0
    for run in range(RUNS):
        rng = np.random.RandomState(1000 * SEED + run)
        totals, counts = np.zeros(4), np.zeros(4)
        for t in range(PULLS):
            if np.any(counts == 0):
                best = counts == 0
            else:
                bound = totals / counts + c * np.sqrt(math.log(t) / counts)
                best = bound == bound.max()
            arm = rng.choice(4, p=epsilon / 4 + (1 - epsilon) * best / best.sum())
            totals[arm] += rng.random_sample() < MEANS[arm]
            counts[arm] += 1
        costs.append(counts @ (max(MEANS) - np.array(MEANS)))
        hits += counts[np.argmax(MEANS)]
    return float(np.mean(costs)), float(np.std(costs, ddof=1) / math.sqrt(RUNS)), 100 * hits / RUNS / PULLS


@pytest.fixture
def show(write_page, browser_page: Page):
    def on_page(**options) -> Page:
        browser_page.goto(write_page(one_page(BanditRace(**OPTIONS | options))).as_uri())
        return browser_page

    return on_page


def test_the_race_on_the_page_is_the_one_that_python_plays(show):
    rows = shown(show(greedy=True))
    for name, rule in {"ε-greedy": (0.2, 0.0), "UCB": (0.0, 0.5), "greedy": (0.0, 0.0)}.items():
        regret, error, best = simulated(*rule)
        assert rows[name] == pytest.approx([regret, error, best], abs=0.51), name
        assert rows[name][:2] == pytest.approx([regret, error], abs=0.051), name
    assert len({tuple(row) for row in rows.values()}) == 4


def test_c_log_t_is_the_sum_of_gaps_over_divergences(show):
    page = show()
    best = max(MEANS)
    constant = sum(
        (best - p) / (p * math.log(p / best) + (1 - p) * math.log((1 - p) / (1 - best))) for p in MEANS if p < best
    )
    upside_down = sum(
        (best - p) / (best * math.log(best / p) + (1 - best) * math.log((1 - best) / (1 - p)))
        for p in MEANS
        if p < best
    )
    assert abs(constant - upside_down) > 0.2, "the direction of the divergence shows"
    assert shown(page)["C log t"] == pytest.approx([constant * math.log(PULLS)], abs=0.051)
    expect(page.locator(".rlhw-words")).to_contain_text(
        f"with C = {constant:.1f}: here {constant * math.log(PULLS):.1f},"
    )


def test_the_race_is_stepped_by_keyboard(show):
    page = show(pulls=1990)
    pulls = page.get_by_label("pulls t")
    one, ten, end = (page.get_by_role("button", name=name) for name in ("1 pull", "10 pulls", "run to the end"))
    page.get_by_role("button", name="1 pull", exact=True).press("Enter")
    expect(pulls).to_have_value("1991")
    ten.press("Space")
    expect(pulls).to_have_value("2000")
    expect(end).to_have_attribute("aria-disabled", "true")
    end.press("Enter")
    expect(pulls).to_have_value("2000")
    page.get_by_role("button", name="back to the start").press("Enter")
    expect(pulls).to_have_value("1")
    expect(end).to_have_attribute("aria-disabled", "false")
    beliefs = page.locator("svg[role=img]").nth(1)
    for t in range(2, 5):
        one.first.press("Enter")
        expect(beliefs).to_have_attribute("aria-label", re.compile(f"The first run after {t} pulls"))
    label = beliefs.get_attribute("aria-label")
    assert re.findall(r"UCB (says [\d.]+ after 1)\b", label), "UCB has pulled each of the four arms once"
    assert "UCB has not pulled it" not in label
    end.press("Enter")
    expect(page.locator(".rlhw-words")).to_contain_text("After 2000 pulls")


def test_without_exploration_the_rule_is_the_greedy_one(show):
    page = show(greedy=True, epsilon=0.01)
    words = page.locator(".rlhw-words")
    expect(words).to_contain_text("ε-greedy goes on paying ε times the mean gap, 0.0019 a pull, for ever.")
    page.get_by_label("ε of ε-greedy").press("Home")
    expect(words).to_contain_text("a run that believes in a wrong arm may stay there for ever")
    rows = shown(page)
    assert rows["ε-greedy"] == rows["greedy"] != rows["UCB"]
    page.get_by_label("c of UCB").press("Home")
    assert shown(page)["UCB"] == rows["greedy"]
    page.get_by_label("greedy as well").press("Space")
    assert "greedy" not in shown(page)
    expect(page.locator(".rlhw-key.rlhw-third").first).to_be_hidden()


def test_arms_luck_and_the_scale_of_time_are_the_readers_to_set(show):
    page = show()
    before, curves = shown(page), page.locator("svg[role=img]").first
    label, drawing = curves.get_attribute("aria-label"), curves.inner_html()
    page.get_by_label("time in powers of ten").press("Space")
    assert curves.get_attribute("aria-label") == label
    assert curves.inner_html() != drawing
    page.locator("summary").press("Enter")
    page.get_by_label("seed").press("ArrowRight")
    after = shown(page)
    assert after["C log t"] == before["C log t"]
    assert after["UCB"] != before["UCB"]
    page.get_by_role("button", name="two arms, close").press("Enter")
    expect(page.get_by_label("mean of arm 2")).to_have_value("0.6")
    expect(page.get_by_label("mean of arm 3")).to_be_hidden()
    page.get_by_label("mean of arm 2").press("ArrowLeft")
    page.get_by_label("mean of arm 2").press("ArrowLeft")
    expect(page.locator(".rlhw-words")).to_contain_text("All arms pay the same")
    assert all(row[0] == 0 for row in shown(page).values())
