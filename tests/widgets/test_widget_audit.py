"""Each widget of the package under the same questions: the keyboard's way, names, one voice, nothing that moves."""

import json

import pytest
from conftest import INLINE
from package_widgets import made, widget_classes
from playwright.sync_api import Browser, Page
from twins import WIDGETS

from rlhw.widgets.base import Widget
from rlhw.widgets.labelling import Labelling
from rlhw.widgets.softmax_policy import SoftmaxPolicy

pytestmark = pytest.mark.browser
each = pytest.mark.parametrize("widget", widget_classes(), ids=lambda widget: widget.__name__)

# Controls in the order in which they stand, a number each; of a group of radio buttons the chosen one stands for all.
NUMBER = """() => {
  const all = [...document.querySelectorAll(".rlhw-widget, .rlhw-widget :is(input, button, summary, select, a[href], [tabindex])")];
  const reached = all.filter((node) => node.tabIndex >= 0 && node.checkVisibility() && !(node.type === "radio" && !node.checked));
  reached.forEach((node, i) => { node.dataset.number = i; });
  return reached.length;
}"""
NOW = """() => {
  const node = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
  return [node.id || Number(node.dataset.number), (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none"];
}"""
# What a control is and what it holds; what it is called by assistive technology is axe's question, in test_widget_pages.
HELD = """(i) => {
  const node = document.querySelector(`[data-number="${i}"]`);
  const kind = node.type || node.localName;
  const held = { checkbox: node.checked, summary: node.parentElement.open }[kind] ?? node.value;
  const rank = kind === "radio" ? [...document.getElementsByName(node.name)].findIndex((one) => one.checked) : null;
  return [kind, rank ?? held, Boolean(node.max) && node.max === node.value, node.getAttribute("aria-disabled") === "true"];
}"""
MOVING = """() => [
  ...document.getAnimations().map((one) => `animation ${one.animationName ?? one.transitionProperty}`),
  ...[...document.querySelectorAll(".rlhw-widget, .rlhw-widget *")].flatMap((node) => [null, "::before", "::after"]
    .map((part) => getComputedStyle(node, part))
    .filter((style) => style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0))
    .map(() => `${node.localName} moves`)),
]"""
# Pictures are drawn when something changes: nothing asks for the next frame or ticks once they stand.
COUNT = """() => {
  window.frames_asked = 0;
  for (const name of ["requestAnimationFrame", "setInterval"]) {
    const ask = window[name];
    window[name] = (...what) => { window.frames_asked += 1; return ask.apply(window, what); };
  }
}"""


def opened(page: Page, write_page, state: dict, style: str = "") -> Page:
    """The widget between two links, all of it unfolded."""
    body = (
        f'<a href="#" id="before">before</a>{INLINE.format(json.dumps(state))}<a href="#" id="after">after</a>{style}'
    )
    page.goto(write_page(body).as_uri())
    page.wait_for_selector(".rlhw-words")
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    return page


def walk(page: Page, key: str, start: str, steps: int) -> list:
    """What has the focus after each press of the key, up to `steps` presses or the next link."""
    page.focus(start)
    found = []
    while len(found) < steps and (not found or isinstance(found[-1][0], int)):
        page.keyboard.press(key)
        found.append(page.evaluate(NOW))
    return found


def keyboard_problems(page: Page) -> list[str]:
    """Controls that Tab does not reach in their order, that trap the focus, or that do not show it."""
    count = page.evaluate(NUMBER)
    forth, back = walk(page, "Tab", "#before", count + 3), walk(page, "Shift+Tab", "#after", count + 3)
    problems = []
    if [where for where, _ in forth] != [*range(count), "after"]:
        problems.append(f"Tab goes {[where for where, _ in forth]}")
    if [where for where, _ in back] != [*reversed(range(count)), "before"]:
        problems.append(f"Shift+Tab goes {[where for where, _ in back]}")
    return problems + [f"control {where} does not show the focus" for where, shown in forth if not shown]


# Buttons after the sliders, which they set; choices last, since they may take other controls away.
# A frame and a table that take keys of their own: test_labelling_page, test_gridworld_widget.
OWN_KEYS = {("Labelling", "div"), ("Gridworld", "td")}
KEYS = {
    "range": "ArrowRight",
    "number": "ArrowUp",
    "button": "Enter",
    "checkbox": "Space",
    "radio": "ArrowLeft",
    "summary": "Space",
}


def unanswered(page: Page, widget: type[Widget]) -> list[str]:
    """Controls that a press of their key leaves as they were."""
    found = []
    kinds = [page.evaluate(HELD, number)[0] for number in range(page.evaluate(NUMBER))]
    for number in sorted(range(len(kinds)), key=lambda number: [*KEYS, kinds[number]].index(kinds[number])):
        kind, before, at_end, disabled = page.evaluate(HELD, number)
        if kind not in KEYS:
            assert (widget.__name__, kind) in OWN_KEYS
            continue
        whole = page.locator(".rlhw-widget").inner_html()
        page.evaluate("(i) => document.querySelector(`[data-number='${i}']`).focus()", number)
        page.keyboard.press("ArrowLeft" if at_end else KEYS[kind])
        changed = (
            page.locator(".rlhw-widget").inner_html() != whole
            if kind == "button"
            else page.evaluate(HELD, number)[1] != before
        )
        found += [] if changed or disabled else [f"{kind} {number} does not answer {KEYS[kind]}"]
    return found


def test_the_list_is_that_of_the_package():
    assert set(widget_classes()) == {*WIDGETS, Labelling}, (
        "name a new widget in twins.py: its other tests go by that list"
    )


@each
def test_keyboard_voice_and_motion(widget: type[Widget], write_page, same_page: Page):
    same_page.emulate_media(reduced_motion="reduce")
    page = opened(same_page, write_page, made(widget).page_state())
    page.evaluate(COUNT)
    assert page.evaluate(MOVING) == []
    assert keyboard_problems(page) == []
    assert page.evaluate(NUMBER) >= 1
    assert page.locator("[aria-live=polite], [role=status], [role=alert], [aria-live=assertive]").count() == 1
    assert page.locator("[role=alert], [aria-live=assertive]").count() == 0
    assert page.evaluate("frames_asked") == 0
    assert unanswered(page, widget) == []


BAD = {
    "Tab goes": '<script>document.addEventListener("keydown", (event) => '
    '{ if (event.target === document.querySelectorAll("input")[1]) event.preventDefault(); })</script>',
    "does not show the focus": "<style>.rlhw-widget :focus-visible { outline: none !important }</style>",
}


@pytest.mark.parametrize("problem", BAD)
def test_a_trap_and_an_unseen_focus_are_found(problem, write_page, browser: Browser):
    """The control."""
    page = browser.new_page()
    opened(page, write_page, SoftmaxPolicy().page_state(), BAD[problem])
    assert any(problem in sentence for sentence in keyboard_problems(page))
    page.close()


def test_motion_is_found(write_page, browser: Browser):
    """The control."""
    page = browser.new_page()
    style = "<style>.rlhw-words { transition: color 1s } @keyframes a { to { top: 1px } } .rlhw-title { animation: a 1s }</style>"
    opened(page, write_page, SoftmaxPolicy().page_state(), style)
    assert {"animation a", "p moves"} <= set(page.evaluate(MOVING))
    page.close()
