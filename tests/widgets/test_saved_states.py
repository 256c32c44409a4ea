"""What older releases saved still opens: with the JavaScript of today, and with the JavaScript it was saved with."""

import json
from pathlib import Path

import pytest
from package_widgets import widget_classes
from playwright.sync_api import Browser, Page
from save_states import LEFT_OUT, WITH_JAVASCRIPT, show

pytestmark = pytest.mark.browser

FILES = sorted(Path(__file__).parent.glob("saved_*.json"))
SAVED = {
    f"{name} of {path.stem.removeprefix('saved_').replace('_', '.')}": entry
    for path in FILES
    for name, entry in json.loads(path.read_text(encoding="utf-8")).items()
}
TODAY = {widget.__name__: widget for widget in widget_classes()}
each = pytest.mark.parametrize("case", SAVED)


def now(case: str, **changes: object) -> dict:
    """The saved traits under the JavaScript of today; a change to None takes a trait away."""
    widget = TODAY[case.partition(" of ")[0]]
    state = {name: value for name, value in SAVED[case]["state"].items() if name not in LEFT_OUT} | changes
    return {"_esm": widget._esm, "_css": widget._css} | {
        name: value for name, value in state.items() if value is not None
    }


def test_every_widget_of_the_first_release_is_among_them():
    assert {case.partition(" of ")[0] for case in SAVED} <= set(TODAY), "a widget is gone that saved states are of"
    assert len([case for case in SAVED if case.endswith(" of 0.1.0")]) >= 18


@each
def test_the_javascript_of_today_shows_the_same_and_ignores_what_it_does_not_know(case, same_page: Page):
    assert show(same_page, now(case, of_tomorrow={"a": 1})) == SAVED[case]["shown"]


@each
def test_a_trait_that_is_missing_is_as_it_starts(case, same_page: Page):
    """Saved before an option existed: neither its value nor its range is there."""
    widget, entry = TODAY[case.partition(" of ")[0]], SAVED[case]
    names = [name for name in widget.option_names() if name in entry["state"]]
    starts = {name: json.loads(json.dumps(widget.class_traits()[name].default_value)) for name in names}
    as_saved = all(entry["state"][name] == value for name, value in starts.items())
    expected = entry["shown"] if as_saved else show(same_page, now(case, **starts))
    gone = dict.fromkeys(names) | {"_ranges": {} if names else None}
    assert show(same_page, now(case, **gone)) == expected


def test_without_the_completion_a_missing_trait_shows(browser: Browser):
    """The control."""
    case, page = f"{WITH_JAVASCRIPT} of 0.1.0", browser.new_page()
    state = now(case, shift=None)
    broken = state | {"_esm": state["_esm"].replace("complete(model);", "")}
    assert broken != state
    assert show(page, state) == SAVED[case]["shown"]
    with pytest.raises(AssertionError, match="could not be shown"):
        show(page, broken)
    page.close()


def test_the_host_of_today_brings_the_javascript_of_then_to_life(same_page: Page):
    """A saved notebook carries its own: what that asks of the host (get, set, on, off, save_changes) must stay."""
    old = SAVED[f"{WITH_JAVASCRIPT} of 0.1.0"]
    assert "DEFAULTS" not in old["state"]["_esm"], "it is the JavaScript of then"
    assert show(same_page, old["state"]) == old["shown"]
    same_page.get_by_label("add to both").press("End")
    assert "first is worth 7.60" in same_page.locator("svg[role=img]").first.get_attribute("aria-label")
