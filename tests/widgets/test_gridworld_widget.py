"""Gridworld on a page: values, arrows and distances against linear algebra, and a reader who edits rewards by keyboard."""

import itertools
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.dynamic_programming import policy_iteration
from rlhw.widgets.gridworld import LAYOUT, LONGEST, REWARDS, Gridworld
from rlhw.worlds import gridworld

pytestmark = pytest.mark.browser

PLACES = [(i, j) for i, row in enumerate(LAYOUT) for j, sign in enumerate(row) if sign != "#"]
INSIDE = [state for state, (i, j) in enumerate(PLACES) if LAYOUT[i][j] == "."]
MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


def swept(rewards: tuple, gamma: float, slip: float, sweeps: int) -> tuple[list[float], list[set[str]], float]:
    """Values, best moves and the last sweep's greatest change, cell by cell from the rules of the game."""

    def entered(place: tuple[int, int], move: str) -> int:
        to = (place[0] + MOVES[move][0], place[1] + MOVES[move][1])
        return PLACES.index(to if to in PLACES else place)

    def worth(state: int, move: str, values: list[float]) -> float:
        across = ("left", "right") if move in ("up", "down") else ("up", "down")
        ends = [
            (1 - slip, entered(PLACES[state], move)),
            *((slip / 2, entered(PLACES[state], side)) for side in across),
        ]
        return sum(chance * (rewards[after] + gamma * values[after]) for chance, after in ends)

    values, change = [0.0] * 18, 0.0
    for _ in range(sweeps):
        old, values = values, list(values)
        for state in INSIDE:
            values[state] = max(worth(state, move, old) for move in MOVES)
        change = max(abs(new - before) for new, before in zip(values, old, strict=True))
    moves = [{move: worth(state, move, values) for move in MOVES} for state in range(18)]
    best = [{move for move in each if each[move] > max(each.values()) - 1e-9} for each in moves]
    return values, best, change


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def cells(page: Page) -> dict[tuple[int, int], str]:
    """What is spoken of each cell that is no wall."""
    found = {}
    for label in page.get_by_role("gridcell").evaluate_all("(all) => all.map((one) => one.ariaLabel)"):
        place, said = label.split(": ")
        row, column = map(int, re.fullmatch(r"row (\d), column (\d)", place).groups())
        if said != "wall":
            found[row - 1, column - 1] = said
    return found


def agrees(page: Page, rewards: tuple, gamma: float, slip: float, sweeps: int) -> None:
    values, best, _ = swept(rewards, gamma, slip, sweeps)
    spoken = cells(page)
    assert list(spoken) == PLACES
    for state, (i, j) in enumerate(PLACES):
        said = spoken[i, j]
        reward, value = re.search(r"entering it earns (\S+)$", said).group(1), re.match(r"value (\S+),", said)
        assert number(reward) == rewards[state]
        if LAYOUT[i][j] == "G":
            assert said.startswith("an end;")
            continue
        assert number(value.group(1)) == pytest.approx(values[state], abs=0.0051)
        wanted = set() if len(best[state]) == 4 else best[state]
        assert {move for move in MOVES if re.search(rf"\b{move}\b", said)} == wanted
        assert ("all moves as good" in said) == (not wanted)


@pytest.mark.parametrize("sweeps", [0, 1, 3, 7])
@pytest.mark.parametrize(("gamma", "slip"), [(0.9, 0.2), (0.7, 0.0), (0.98, 0.6)])
def test_each_cell_says_its_value_and_its_best_moves(sweeps, gamma, slip, write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Gridworld(gamma=gamma, slip=slip, sweeps=sweeps))).as_uri())
    agrees(browser_page, REWARDS, gamma, slip, sweeps)
    grid = browser_page.get_by_role("grid")
    assert grid.get_attribute("aria-label").startswith(f"The grid after {sweeps} sweep")
    assert [grid.get_by_role("row").count(), grid.get_by_role("gridcell").count()] == [4, 20]


def table(page: Page) -> list[list[float]]:
    rows = page.locator("figure ~ table tbody tr").all_inner_texts()
    return [[number(cell) for cell in row.split("\t")[1:]] for row in rows]


def test_a_sweep_changes_no_more_than_contraction_allows(write_page, browser_page: Page):
    """Against v* of policy iteration, which solves linear equations; one sweep a press."""
    browser_page.goto(write_page(one_page(Gridworld(sweeps=0))).as_uri())
    mdp = gridworld(LAYOUT, gamma=0.9, step_reward=0.0, slip=0.2, cell_rewards=np.array(REWARDS, float))
    star, _, _ = policy_iteration(mdp)
    first = swept(REWARDS, 0.9, 0.2, 1)[2]
    for k in range(1, 6):
        browser_page.get_by_role("button", name="one sweep").press("Enter")
        values, best, change = swept(REWARDS, 0.9, 0.2, k)
        distance = np.abs(star - values).max()
        (now, slowest), (off, bound) = table(browser_page)
        assert [now, off] == pytest.approx([change, distance], abs=5.1e-4)
        assert [slowest, bound] == pytest.approx([0.9 ** (k - 1) * first, 9 * change], abs=5.1e-4)
        assert change <= slowest + 5.1e-4
        assert distance <= bound + 5.1e-4
    q = mdp.rewards + 0.9 * mdp.transitions @ star
    right = sum(all(q[s, list(MOVES).index(move)] > q[s].max() - 1e-9 for move in best[s]) for s in INSIDE)
    expect(browser_page.locator(".rlhw-words")).to_contain_text(f"best ones in {right} of 16 cells.")
    assert 0 < right < 16


def test_until_settled_no_value_is_off_by_more_than_a_thousandth(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Gridworld(sweeps=0))).as_uri())
    sweep, settle, again, _ = browser_page.locator(".rlhw-row button").all()
    expect(again).to_have_attribute("aria-disabled", "true")
    settle.press("Space")
    expect(settle).to_have_attribute("aria-disabled", "true")
    k = next(k for k in itertools.count(1) if 9 * swept(REWARDS, 0.9, 0.2, k)[2] <= 0.001)
    way = browser_page.get_by_label("sweeps k")
    expect(way).to_have_value(str(k))
    agrees(browser_page, REWARDS, 0.9, 0.2, k)
    words = browser_page.locator(".rlhw-words")
    expect(words).to_contain_text(f"Settled after {k} sweeps: no value is off by more than 0.001.")
    expect(words).to_contain_text("The greedy moves are the best ones in all 16 cells.")
    sweep.press("Enter")
    way.press("End")
    expect(way).to_have_value(str(k))
    way.press("ArrowLeft")
    expect(browser_page.locator("output").nth(2)).to_have_text(str(k - 1))
    again.press("Enter")
    expect(words).to_contain_text("No sweep yet")
    agrees(browser_page, REWARDS, 0.9, 0.2, 0)


def test_a_reward_for_ever_makes_the_sweeps_as_slow_as_can_be(write_page, browser_page: Page):
    """In a corner, without slip, bumping into the wall earns it again at every step: v = r / (1 - γ)."""
    rewards = (2, *[0] * 17)
    browser_page.goto(write_page(one_page(Gridworld(rewards=rewards, gamma=0.8, slip=0, sweeps=7))).as_uri())
    (change, slowest), (distance, bound) = table(browser_page)
    assert change == slowest == pytest.approx(2 * 0.8**6, abs=5.1e-4)
    assert distance == bound == pytest.approx(2 * 0.8**7 / 0.2, abs=5.1e-4)
    browser_page.get_by_role("button", name="until settled").press("Enter")
    assert cells(browser_page)[0, 0].startswith("value 10.00, best moves up or left;")


def test_a_reader_edits_a_reward_by_keyboard(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Gridworld(sweeps=4))).as_uri())
    browser_page.get_by_role("button", name="start again").focus()
    for key in ("Tab", "Tab"):  # past the last button into the grid: one stop, wherever the reader is in it
        browser_page.keyboard.press(key)
    focused = "document.activeElement.ariaLabel ?? document.activeElement.type"
    assert browser_page.evaluate(focused).startswith("row 1, column 1: ")
    for key in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowDown", "ArrowRight"):  # the edge holds
        browser_page.keyboard.press(key)
    assert browser_page.evaluate(focused).startswith("row 3, column 2: ")
    assert browser_page.locator("td[tabindex='0']").count() == 1

    browser_page.keyboard.press("Enter")
    field = browser_page.get_by_role("spinbutton")
    expect(field).to_be_focused()
    expect(browser_page.get_by_label("reward of entering row 3, column 2 (−10 to 10)")).to_be_focused()
    browser_page.keyboard.type("-3.5")
    browser_page.keyboard.press("Enter")
    edited = list(REWARDS)
    edited[PLACES.index((2, 1))] = -3.5
    agrees(browser_page, tuple(edited), 0.9, 0.2, 4)
    assert browser_page.evaluate(focused).startswith("row 3, column 2: ")

    browser_page.keyboard.press("ArrowRight")
    browser_page.keyboard.type("7")  # a digit begins the edit at once
    expect(field).to_be_focused()
    expect(field).to_have_value("7")
    edited[PLACES.index((2, 2))] = 7
    agrees(browser_page, tuple(edited), 0.9, 0.2, 4)

    field.fill("70")
    expect(field).to_have_attribute("aria-invalid", "true")
    agrees(browser_page, tuple(edited), 0.9, 0.2, 4)
    browser_page.keyboard.press("Escape")
    expect(field).to_have_value("7")
    assert field.get_attribute("aria-invalid") is None

    browser_page.get_by_role("button", name="restore the rewards").press("Enter")
    agrees(browser_page, REWARDS, 0.9, 0.2, 4)
    expect(field).to_have_value("0")


def test_a_click_chooses_a_cell_and_a_wall_has_no_reward(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(Gridworld())).as_uri())
    field = browser_page.get_by_role("spinbutton")
    browser_page.get_by_role("gridcell", name="row 1, column 5").click()
    expect(field).to_have_value("5")
    field.fill("-4")
    assert cells(browser_page)[0, 4] == "an end; entering it earns −4"
    browser_page.get_by_role("gridcell", name="row 2, column 2: wall").click()
    expect(field).to_be_disabled()
    browser_page.keyboard.type("5")
    assert [number(said.rsplit(" ", 1)[1]) for said in cells(browser_page).values()] == [*REWARDS[:4], -4, *REWARDS[5:]]


def test_the_longest_number_of_sweeps_settles_the_slowest_world():
    """Rewards lie within 10 and γ within 0.99, so sweep k changes 10 γᵏ⁻¹ at most."""
    gamma = Gridworld.ranges()["gamma"]["max"]
    assert gamma / (1 - gamma) * 10 * gamma ** (LONGEST - 1) <= 0.001
