"""ImportanceWeights on a page: variances against all episodes, estimates against a simulation, coverage in words."""

import itertools
import math
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.widgets.importance_weights import ImportanceWeights

pytestmark = pytest.mark.browser

PI, MU, REWARDS, HORIZON, EPISODES, SEED = 0.75, 0.4, (1.2, -0.5), 7, 12, 5
OPTIONS = {
    "target": PI, "behavior": MU, "rewards": REWARDS, "horizon": HORIZON, "episodes": EPISODES, "seed": SEED,
}  # fmt: skip


def shown(page: Page) -> dict[str, list[float]]:
    """The numbers of each row of the table: mean and sd, exactly, and of what was drawn."""
    rows = (row.inner_text().split("\t") for row in page.locator("tbody tr").all())
    return {name: [float(re.sub("≈ ", "", cell).replace("−", "-")) for cell in cells] for name, *cells in rows}


def ratio(first: bool) -> float:
    return PI / MU if first else (1 - PI) / (1 - MU)


def enumerated() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every sequence of actions: its probability, its weight, its return, its per-decision estimate."""
    rows = []
    for actions in itertools.product((True, False), repeat=HORIZON):
        chance, weight, paid, each = 1.0, 1.0, 0.0, 0.0
        for first in actions:
            chance *= MU if first else 1 - MU
            weight *= ratio(first)
            paid += REWARDS[0] if first else REWARDS[1]
            each += weight * (REWARDS[0] if first else REWARDS[1])
        rows.append((chance, weight, paid, each))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def simulated() -> np.ndarray:
    """The three estimates "100 3" from the numbers that RandomState gives."""
    first = np.random.RandomState(SEED).random_sample((100, EPISODES, HORIZON)) < MU
    weights = np.cumprod(np.where(first, ratio(True), ratio(False)), axis=2)
    rewards = np.where(first, *REWARDS)
    last, paid = weights[:, :, -1], rewards.sum(axis=2)
    weighted = (last * paid).sum(1) / last.sum(1)
    return np.stack([(last * paid).mean(1), weighted, (weights * rewards).sum(2).mean(1)], axis=1)


@pytest.fixture
def show(write_page, browser_page: Page):
    def on_page(**options) -> Page:
        browser_page.goto(write_page(one_page(ImportanceWeights(**OPTIONS | options))).as_uri())
        return browser_page

    return on_page


def test_means_and_deviations_are_those_of_all_episodes(show):
    page, (chance, weight, paid, each) = show(), enumerated()
    value = HORIZON * (PI * REWARDS[0] + (1 - PI) * REWARDS[1])
    variances = [
        chance @ (weight * paid - value) ** 2,
        chance @ (weight * (paid - value)) ** 2,
        chance @ (each - value) ** 2,
    ]
    rows = list(shown(page).values())
    assert chance @ weight == pytest.approx(1)
    for row, variance in zip(rows, variances, strict=True):
        assert row[:2] == pytest.approx([value, math.sqrt(variance / EPISODES)], abs=5.1e-3)
    assert rows[1][1] < rows[2][1] < rows[0][1]
    moment = PI**2 / MU + (1 - PI) ** 2 / (1 - MU)
    spread = chance @ (weight - 1) ** 2
    assert moment**HORIZON - 1 == pytest.approx(spread)
    words = page.locator(".rlhw-words")
    expect(words).to_contain_text(
        f"the variance {moment:.3f}⁷ − 1 = {spread:.0f}: of 12 episodes about {12 / (1 + spread):.2f} count."
    )
    heavy = weight > 1
    many, carried = 100 * chance[heavy].sum(), 100 * (chance * weight)[heavy].sum()
    expect(words).to_contain_text(f"the {many:.0f} % that weigh more than 1 carry {carried:.0f} % of the mean")


def test_the_estimates_drawn_are_those_of_numpy_s_numbers(show):
    for row, column in zip(shown(show()).values(), simulated().T, strict=True):
        assert row[2:] == pytest.approx([column.mean(), column.std()], abs=5.1e-3)


def test_one_step_makes_the_three_nearly_one(show):
    """With T = 1 there is nothing to decide before the end: the per-decision estimate is the ordinary one."""
    page = show()
    horizon = page.get_by_label("steps T")
    horizon.press("Home")
    expect(horizon).to_have_value("1")
    rows = shown(page)
    assert rows["per decision"] == rows["ordinary"] != rows["weighted"]
    count = page.locator("svg[role=img]").nth(1)
    label = count.get_attribute("aria-label")
    horizon.press("End")
    assert count.get_attribute("aria-label") != label
    assert "at 30" in count.get_attribute("aria-label")


def test_policies_that_agree_need_no_weights(show):
    page = show(behavior=PI)
    expect(page.locator(".rlhw-words")).to_contain_text("every weight is 1, all 12 episodes count")
    rows = list(shown(page).values())
    assert rows[0] == rows[1] == rows[2]


def test_lost_coverage_is_said_in_words(show):
    page = show(horizon=3)
    words = page.locator(".rlhw-words")
    expect(words).to_contain_text("has the mean 1")
    page.get_by_label("μ(1) of the behavior").press("End")
    expect(words).to_contain_text(
        "Coverage is lost: the behavior policy never takes action 2, which the target takes with"
    )
    expect(words).to_contain_text(f"The mean weight is 0.75³ = {0.75**3:.2f} instead of 1")
    rows = [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]
    assert [row[1:3] for row in rows] == [["–", "–"]] * 3
    assert float(rows[0][3]) == pytest.approx(0.75**3 * 3 * 1.2, abs=5.1e-3)
    assert float(rows[0][4]) == 0.0, "nothing in the data shows it"
    expect(page.locator("svg[role=img]").nth(1)).to_have_attribute("aria-label", re.compile("never takes action 2"))
    # what the target never does need not be covered
    page.get_by_label("π(1) of the target").press("End")
    expect(words).to_contain_text("The policies agree")


def test_where_no_weight_is_above_zero_there_is_no_weighted_estimate(show):
    page = show(target=0, behavior=0.5, horizon=4, episodes=3)
    first = np.random.RandomState(SEED).random_sample((100, 3, 4)) < 0.5
    none = int((first.any(axis=2)).all(axis=1).sum())
    assert none > 10
    expect(page.locator(".rlhw-words")).to_contain_text(f"In {none} of 100 repetitions no weight is above 0")
    assert not re.search("NaN|Infinity", page.locator("main").inner_html())


def test_rewards_and_seed_are_set_by_keyboard(show):
    page = show()
    before = shown(page)
    page.locator("summary").press("Enter")
    page.get_by_label("seed").press("ArrowRight")
    after = shown(page)
    assert [row[:2] for row in after.values()] == [row[:2] for row in before.values()]
    assert [row[2:] for row in after.values()] != [row[2:] for row in before.values()]
    page.get_by_label("reward of action 1").press("ArrowRight")
    assert shown(page)["ordinary"][0] == pytest.approx(HORIZON * (PI * 1.3 - (1 - PI) * 0.5), abs=5.1e-3)
