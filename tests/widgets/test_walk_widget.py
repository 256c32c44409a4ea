"""Walk on a page: its values and errors against plain loops, move by move, and its buttons by keyboard."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.widgets.walk import EPISODES, RUNS, Walk

pytestmark = pytest.mark.browser


def walks(run: int, states: int, count: int) -> list[list[int]]:
    """Walks from the middle, by numpy's old generator, a uniform number a move."""
    draw, found = np.random.RandomState(run).random_sample, []
    for _ in range(count):
        walk = [(states + 1) // 2]
        while 0 < walk[-1] <= states:
            walk.append(walk[-1] + (1 if draw() >= 0.5 else -1))
        found.append(walk)
    return found


def paid(walk: list[int], values: list[float]) -> int:
    return 1 if walk[-1] == len(values) - 1 else 0


def td(walk: list[int], values: list[float], step: float, n: int, moves: int) -> list[float]:
    """A clock ticks with each move; the visit of n ticks ago is updated. After the end it ticks on until all had their turn."""
    values, end = list(values), len(walk) - 1
    for clock in range(1, moves + 1 if moves < end else end + n):
        if (visit := clock - n) >= 0:
            now = min(clock, end)
            target = values[walk[now]] + (paid(walk, values) if now == end else 0)
            values[walk[visit]] += step * (target - values[walk[visit]])
    return values


def monte_carlo(walk: list[int], values: list[float], step: float) -> list[float]:
    values = list(values)
    for state in walk[:-1]:
        values[state] = (1 - step) * values[state] + step * paid(walk, values)
    return values


def learned(run: int, states: int, step: float, n: int, episodes: int, moves: int) -> tuple[list[float], list[float]]:
    """The values of TD and of Monte Carlo at this moment."""
    first = second = [0.0, *[0.5] * states, 0.0]
    *done, walk = walks(run, states, episodes + 1)
    for one in done:
        first, second = td(one, first, step, n, len(one)), monte_carlo(one, second, step)
    return td(walk, first, step, n, moves), monte_carlo(walk, second, step) if moves >= len(walk) - 1 else second


def error(values: list[float]) -> float:
    states = len(values) - 2
    return float(np.sqrt(np.mean([(values[s] - s / (states + 1)) ** 2 for s in range(1, states + 1)])))


def rows(page: Page) -> dict[str, list[float]]:
    cells = (row.split("\t") for row in page.locator("tbody tr").all_inner_texts())
    return {name: [float(cell) for cell in rest if cell.strip()] for name, *rest in cells}


def agrees(page: Page, *moment: float) -> None:
    """The table shows the exact values and what both learners know."""
    values, shown = learned(*moment), rows(page)
    states = len(values[0]) - 2
    assert list(shown) == [*map(str, range(1, states + 1)), "error"]
    assert shown.pop("error") == pytest.approx([error(one) for one in values], abs=5.1e-4)
    for state, row in enumerate(shown.values(), start=1):
        assert row == pytest.approx([state / (states + 1), *(one[state] for one in values)], abs=5.1e-4)


@pytest.mark.parametrize("n", [1, 2, 8])
@pytest.mark.parametrize(("run", "states", "episodes"), [(6, 5, 1), (17, 11, 30)])
def test_the_values_are_those_of_plain_loops_at_every_move(n, run, states, episodes, write_page, browser_page: Page):
    widget = Walk(step_size=0.3, n=n, run=run, states=states, episodes=episodes, moves=0)
    browser_page.goto(write_page(one_page(widget)).as_uri())
    length = len(walks(run, states, episodes + 1)[-1]) - 1
    move = browser_page.get_by_role("button", name="one move")
    for moves in range(min(length, 7) + 1):
        agrees(browser_page, run, states, 0.3, n, episodes, moves)
        move.press("Enter")
    expect(browser_page.get_by_label("moves of the next walk")).to_have_attribute("max", re.compile(r"\d+"))


def test_td_learns_at_every_move_and_monte_carlo_at_the_end(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Walk())).as_uri())
    widget = Walk()
    walk = walks(widget.run, 5, 2)[-1]
    assert walk == [3, 4, 5, 4, 5, 6]
    agrees(browser_page, widget.run, 5, 0.1, 1, 1, 2)
    words, one = browser_page.locator(".rlhw-words"), browser_page.get_by_role("button", name="one move")
    expect(words).to_contain_text(
        "Move 2 of walk 2 leads from 4 to 5 and pays 0. TD moves V(4) towards V(5) = 0.550 by"
    )
    expect(words).to_contain_text("Monte Carlo waits for the end of the walk.")
    before = rows(browser_page)
    one.press("Enter")
    one.press("Enter")
    now = rows(browser_page)
    assert [now[state][2] for state in "12345"] == [before[state][2] for state in "12345"]
    assert [now[state][1] for state in "12345"] != [before[state][1] for state in "12345"]
    browser_page.get_by_role("button", name="to the end of the walk").press("Enter")
    expect(words).to_contain_text(
        "Walk 2 ends after 5 moves on the right and pays 1. With its last move TD changes V(5)."
    )
    expect(words).to_contain_text("moves all it saw (V(3), V(4), V(5)) towards 1, once for each visit.")
    agrees(browser_page, widget.run, 5, 0.1, 1, 1, 5)
    one.press("Enter")  # the next walk begins
    expect(browser_page.get_by_label("finished walks")).to_have_value("2")
    agrees(browser_page, widget.run, 5, 0.1, 1, 2, 1)
    path = browser_page.locator("svg[role=img]").nth(1)
    assert path.get_attribute("aria-label").startswith("Walk 3, 1 move downwards: 3, ")
    browser_page.get_by_role("button", name="ten walks").press("Space")
    agrees(browser_page, widget.run, 5, 0.1, 1, 12, 0)
    expect(words).to_contain_text("Walk 13 begins in state 3: nothing to learn from yet.")
    browser_page.get_by_role("button", name="start again").press("Space")
    agrees(browser_page, widget.run, 5, 0.1, 1, 0, 0)


def test_more_steps_than_the_walks_have_are_monte_carlo(write_page, browser_page: Page):
    run = next(run for run in range(1, RUNS + 1) if max(map(len, walks(run, 5, 4))) <= 17)
    browser_page.goto(write_page(one_page(Walk(run=run, episodes=4, moves=0, n=16))).as_uri())
    assert all(row[-1] == row[-2] for row in rows(browser_page).values())
    browser_page.get_by_label("16", exact=True).press("ArrowLeft")
    browser_page.get_by_label("8", exact=True).press("ArrowLeft")
    expect(browser_page.get_by_label("4", exact=True)).to_be_checked()
    agrees(browser_page, run, 5, 0.1, 4, 4, 0)
    assert any(row[-1] != row[-2] for row in rows(browser_page).values())
    browser_page.get_by_role("button", name="one move").press("Enter")
    expect(browser_page.locator(".rlhw-words")).to_contain_text("TD waits, too: it looks 4 moves ahead.")


@pytest.mark.parametrize("step", [0.05, 0.2])
def test_the_mean_error_is_that_of_fifty_runs(step, write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Walk(step_size=step, run=9, episodes=EPISODES, moves=0))).as_uri())
    finished = [learned(run, 5, step, 1, EPISODES, 0) for run in range(1, RUNS + 1)]
    means = [np.mean([error(both[i]) for both in finished]) for i in (0, 1)]
    label = browser_page.locator("svg[role=img]").last.get_attribute("aria-label")
    shown = [float(mean) for mean in re.findall(r"([\d.]+) on average over 50 runs after 100 walks", label)]
    assert shown == pytest.approx(means, abs=5.1e-4)
    assert means[0] < means[1]  # the same step is worse for Monte Carlo, which takes it with more noise
    own = [float(one) for one in re.findall(r"([\d.]+) now", label)]
    assert own == pytest.approx([error(one) for one in finished[8]], abs=5.1e-4)


def test_each_is_best_at_a_step_of_its_own():
    """What the widget says below its table: with 5 states and 100 walks."""
    steps = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
    found = np.array([[[*map(error, learned(run, 5, step, 1, EPISODES, 0))] for run in range(1, 21)] for step in steps])
    best = [steps[at] for at in found.mean(axis=1).argmin(axis=0)]
    assert best[1] < best[0]


def test_another_run_walks_elsewhere_and_the_mean_stays(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Walk(episodes=20, moves=0))).as_uri())
    label = browser_page.locator("svg[role=img]").last
    mean = re.findall(r"[\d.]+ on average", label.get_attribute("aria-label"))
    before = rows(browser_page)
    browser_page.get_by_label("run", exact=True).press("ArrowRight")
    assert rows(browser_page) != before
    agrees(browser_page, 7, 5, 0.1, 1, 20, 0)
    assert re.findall(r"[\d.]+ on average", label.get_attribute("aria-label")) == mean
    browser_page.get_by_label("5", exact=True).press("ArrowLeft")
    agrees(browser_page, 7, 3, 0.1, 1, 20, 0)
