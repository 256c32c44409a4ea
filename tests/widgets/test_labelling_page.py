"""The page of `rlhw.labelling.label` in Chromium: with Python in this process, with a real kernel, and without any."""

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import saved_widgets
from playwright.sync_api import Locator, Page, expect

from rlhw.labelling import label
from rlhw.preferences import Comparison, read_jsonl, write_pairs
from rlhw.widgets.labelling import Labelling

pytestmark = pytest.mark.browser

HTML = '<img src="data:," onerror="window.harmed = true"><b>Who?</b>'
CLOSING = "</div><script>window.harmed = true</script>"
PAIRS = [(HTML, "I.\n  You.", CLOSING), ("Why?", "", "Because."), ("Where?", "Here.", "There.")]

# A model as a front end has it: what is sent goes to Python, its answer becomes the state. While
# `held` is a list, what is sent waits in it.
SHOW = """async ([esm, css, shown]) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const listeners = new Set();
  window.sent = [];
  window.held = null;
  const deliver = (state) => { window.model.shown = state; [...listeners].forEach((call) => call()); };
  window.model = {
    shown,
    get: (name) => (name === "_shown" ? window.model.shown : undefined),
    on: (name, call) => { if (name === "change:_shown") listeners.add(call); },
    off: (name, call) => listeners.delete(call),
    send: async (message) => {
      window.sent.push(message);
      if (window.held) window.held.push(message); else deliver(await window.toPython(message));
    },
  };
  window.release = async () => {
    const held = window.held;
    window.held = null;
    for (const message of held) deliver(await window.toPython(message));
  };
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  window.view = async (id) => {
    const el = document.createElement("div");
    el.id = id;
    document.querySelector("main").append(el);
    return (await import(address)).default.render({ model: window.model, el });
  };
  window.end = await window.view("labelling");
  window.listening = () => listeners.size;
}"""
FIELD = '<p><label>Notes <input id="notes"></label></p>'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.jsonl"


@pytest.fixture
def show(write_page, browser_page: Page, path: Path) -> Callable[..., Page]:
    """show(pairs) puts the widget on a page; Python answers from this process."""

    def on_page(pairs=PAIRS, theme: str = "light") -> Page:
        widget = label(pairs, path, "ann")

        def answer(message: dict) -> dict:
            widget._handle_custom_msg(message, [])
            return widget._shown

        browser_page.goto(write_page(FIELD, theme).as_uri())
        browser_page.expose_function("toPython", answer)
        state = widget.page_state()
        browser_page.evaluate(SHOW, [state["_esm"], state["_css"], state["_shown"]])
        return browser_page

    return on_page


def texts(page: Page | Locator) -> list[str]:
    return [node.text_content() for node in page.locator(".rlhw-text").all()]


def words(page: Page | Locator) -> Locator:
    return page.get_by_role("status")


def test_keys_and_buttons_label_skip_and_go_back(show, path):
    page = show()
    expect(words(page)).to_have_text("Nothing is labelled yet. 0 of 3 labelled, 0 skipped.")
    widget = page.locator("#labelling")
    widget.focus()
    page.keyboard.press("ArrowRight")
    expect(words(page)).to_have_text("Saved: answer 2 is better. 1 of 3 labelled, 0 skipped.")
    page.keyboard.press("s")
    expect(words(page)).to_have_text("Skipped: nothing was saved. 1 of 3 labelled, 1 skipped.")
    page.keyboard.press("u")
    expect(words(page)).to_have_text("Back at the pair that was skipped. 1 of 3 labelled, 0 skipped.")
    page.get_by_role("button", name="tie").click()
    expect(words(page)).to_have_text("Saved: a tie. 2 of 3 labelled, 0 skipped.")
    page.keyboard.press("T")  # the button has the focus, and with it the widget
    expect(words(page)).to_contain_text("Saved: a tie. That was the last pair.")
    expect(page.get_by_role("group", name="prompt")).to_be_hidden()
    page.get_by_role("button", name="undo").press("Enter")
    expect(words(page)).to_contain_text("Taken back: labels.jsonl no longer holds this label.")
    page.get_by_role("button", name="answer 1 is better").press("Space")
    expect(words(page)).to_contain_text("3 of 3 labelled, 0 skipped.")
    found = read_jsonl(path)
    assert [(c.prompt, c.choice) for c in found] == [(HTML, "second"), ("Why?", "tie"), ("Where?", "first")]
    assert all(0 < c.seconds < 60 for c in found)


def test_left_arrow_and_the_seconds_of_each_label(show, path):
    page = show()
    expect(page.get_by_role("button", name="tie")).to_be_visible()
    page.locator("#labelling").focus()
    page.wait_for_timeout(1200)
    page.keyboard.press("ArrowLeft")
    expect(words(page)).to_contain_text("1 of 3")
    page.keyboard.press("ArrowLeft")
    expect(words(page)).to_contain_text("2 of 3")
    first, second = read_jsonl(path)
    assert (first.choice, second.choice) == ("first", "first")
    assert first.seconds > 1.1 > second.seconds, "the clock starts anew with each pair"


def test_texts_are_shown_as_texts(show):
    page = show()
    assert texts(page) == list(PAIRS[0])
    page.locator("#labelling").press("s")
    expect(words(page)).to_contain_text("1 skipped")
    assert texts(page) == ["Why?", "(empty)", "Because."]
    assert page.evaluate("window.harmed") is None
    assert page.locator("#labelling img, #labelling script").count() == 0


def test_nothing_new_is_shown_until_python_has_answered(show, path):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    page.evaluate("window.held = []")
    widget = page.locator("#labelling")
    widget.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="skip").dispatch_event("click")
    assert texts(page) == list(PAIRS[0])
    expect(widget).to_have_attribute("aria-busy", "true")
    assert [b.get_attribute("aria-disabled") for b in page.get_by_role("button").all()] == ["true"] * 5
    sent = [message for message in page.evaluate("window.sent") if message["kind"] != "hello"]
    assert [(m["kind"], m["choice"], m["turn"]) for m in sent] == [("choose", "first", 0)], "the first key counts"
    assert not path.exists()
    expect(words(page)).to_contain_text("Python has not answered yet, so this is not saved", timeout=8000)
    assert texts(page) == list(PAIRS[0])
    page.evaluate("window.release()")
    expect(words(page)).to_have_text("Saved: answer 1 is better. 1 of 3 labelled, 0 skipped.")
    assert texts(page)[0] == "Why?"
    assert [c.choice for c in read_jsonl(path)] == ["first"]
    expect(widget).to_have_attribute("aria-busy", "false")


def test_keys_typed_elsewhere_and_keys_with_others_held_are_not_taken(show):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    notes = page.locator("#notes")
    notes.focus()
    page.keyboard.type("stu")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type("x")
    expect(notes).to_have_value("stxu")
    page.locator("#labelling").focus()
    for held in ("Control", "Alt", "Meta", "Shift"):
        page.keyboard.press(f"{held}+ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    assert [message["kind"] for message in page.evaluate("window.sent")] == ["hello"]


def test_a_key_counts_once_and_goes_no_further(show, path):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    page.evaluate("window.beyond = []; document.addEventListener('keydown', (event) => window.beyond.push(event.key))")
    page.locator("#labelling").focus()
    page.keyboard.down("ArrowLeft")
    expect(words(page)).to_contain_text("1 of 3")
    page.keyboard.down("ArrowLeft")
    page.keyboard.down("ArrowLeft")
    page.keyboard.up("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("window.beyond") == ["ArrowUp"]
    assert len(read_jsonl(path)) == 1


def test_a_refusal_is_said_and_the_pair_stays(show, path):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    path.mkdir()
    page.locator("#labelling").press("t")
    expect(words(page)).to_have_text(
        "Not saved: labels.jsonl cannot be written (Is a directory). Nothing in it is lost; mend this and try again. "
        "0 of 3 labelled, 0 skipped."
    )
    assert texts(page) == list(PAIRS[0])
    path.rmdir()
    page.locator("#labelling").press("t")
    expect(words(page)).to_contain_text("Saved: a tie. 1 of 3")


def test_two_views_of_one_widget_label_each_pair_once(show, path):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    page.evaluate("window.view('second').then(() => null)")
    other = page.locator("#second")
    expect(other.get_by_role("button", name="skip")).to_be_visible()
    page.evaluate("window.held = []")
    page.locator("#labelling").press("ArrowLeft")
    other.press("ArrowRight")
    page.evaluate("window.release()")
    for view in (page.locator("#labelling"), other):
        expect(words(view)).to_have_text("Saved: answer 1 is better. 1 of 3 labelled, 0 skipped.")
        assert texts(view)[0] == "Why?"
    assert [c.choice for c in read_jsonl(path)] == ["first"]


def test_a_view_that_is_closed_listens_no_more(show):
    page = show()
    assert page.evaluate("window.listening()") == 1
    page.evaluate("window.end()")
    assert page.evaluate("window.listening()") == 0
    page.locator("#labelling").press("t")
    assert [message["kind"] for message in page.evaluate("window.sent")] == ["hello"]


def test_a_page_without_a_kernel_says_so_instead_of_dead_buttons(write_page, browser_page: Page, path):
    state = label(PAIRS, path, "ann").page_state()
    browser_page.goto(write_page(saved_widgets({"one": {"state": state}}, ["one"])).as_uri())
    expect(words(browser_page)).to_contain_text(
        "Labelling needs a running kernel, and none answers here.", timeout=8000
    )
    expect(browser_page.get_by_role("button")).to_have_count(0)
    assert texts(browser_page) == list(PAIRS[0]), "what would be asked is shown"
    browser_page.locator(".rlhw-widget").press("ArrowLeft")
    assert not path.exists()
    assert Axe().run(browser_page).response["violations"] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ended", [False, True])
def test_axe_finds_nothing(theme, ended, show):
    page = show(PAIRS, theme)
    expect(words(page)).to_contain_text("0 of 3")
    for skipped in range(1, 4 if ended else 2):
        page.locator("#labelling").press("s")
        expect(words(page)).to_contain_text(f"{skipped} skipped")
    found = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found] == []


def test_axe_finds_a_button_without_a_name(show):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    page.evaluate("document.querySelector('#labelling button').replaceChildren()")
    assert "button-name" in {one["id"] for one in Axe().run(page).response["violations"]}


LONG = ("a word " * 300 + "\n" + "w" * 400, "b" * 500, "short")


def test_a_phone_shows_answers_below_each_other_and_nothing_leaves_the_page(show):
    page = show([LONG])
    expect(words(page)).to_contain_text("0 of 1")
    answers = page.locator(".rlhw-answers .rlhw-shown")
    for width, beside in ((1000, True), (390, False)):
        page.set_viewport_size({"width": width, "height": 800})
        one, other = (answers.nth(i).bounding_box() for i in (0, 1))
        assert (one["y"] == other["y"]) is beside
        assert beside or other["y"] >= one["y"] + one["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_is_reached_by_tab_and_shows_its_focus(show):
    page = show()
    expect(words(page)).to_contain_text("0 of 3")
    page.locator("#notes").focus()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["labelling", "←answer 1 is better", "→answer 2 is better", "ttie", "sskip", "uundo"]
    assert page.locator("[role=status]").count() == 1


@pytest.fixture
def kernel(tmp_path: Path, path: Path):
    """(what the widget sent when it was made, a function that hands a message to the kernel, the kernel's process)."""
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    script = Path(__file__).with_name("kernel_bridge.py")
    command = [sys.executable, script, path, tmp_path / "pairs.jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bridge:
        state, pid = json.loads(bridge.stdout.readline()), int(bridge.stdout.readline())

        def answer(message: dict) -> dict | None:
            print(json.dumps(message), file=bridge.stdin, flush=True)
            return json.loads(bridge.stdout.readline())

        yield state, answer, pid
        bridge.stdin.close()


def test_a_real_kernel_labels_what_the_page_asks_and_its_death_loses_nothing(
    kernel, write_page, browser_page: Page, path
):
    state, answer, pid = kernel
    browser_page.goto(write_page("").as_uri())
    browser_page.expose_function("toPython", answer)
    browser_page.evaluate(SHOW, [state["_esm"], state["_css"], state["_shown"]])
    expect(words(browser_page)).to_have_text("Nothing is labelled yet. 0 of 3 labelled, 0 skipped.")
    widget = browser_page.locator("#labelling")
    for number, (key, choice) in enumerate([("ArrowLeft", "first"), ("t", "tie")], 1):
        widget.press(key)
        expect(words(browser_page)).to_contain_text(f"{number} of 3 labelled")
        assert [c.choice for c in read_jsonl(path)][-1] == choice
    browser_page.evaluate("window.held = []")
    os.kill(pid, signal.SIGKILL)
    widget.press("ArrowRight")
    expect(words(browser_page)).to_contain_text("Python has not answered yet, so this is not saved", timeout=8000)
    assert texts(browser_page)[0] == "Where?"
    assert [Comparison(*PAIRS[i], c, "ann") for i, c in ((0, "first"), (1, "tie"))] == [
        Comparison(c.prompt, c.first, c.second, c.choice, c.annotator) for c in read_jsonl(path)
    ]


# JavaScript that is wrong in one way each, and what of the tests above then fails.
WRONG = {
    "does not wait for Python": ("!state.waiting &&", "", test_nothing_new_is_shown_until_python_has_answered),
    "shows markup": ("text.textContent = words", "text.innerHTML = words", test_texts_are_shown_as_texts),
    "takes keys with others held": (
        "event.ctrlKey || event.altKey ||", "", test_keys_typed_elsewhere_and_keys_with_others_held_are_not_taken,
    ),
    "takes keys typed elsewhere": (
        'el.addEventListener("keydown"', 'document.addEventListener("keydown"',
        test_keys_typed_elsewhere_and_keys_with_others_held_are_not_taken,
    ),
    "lets keys go on": ("event.stopPropagation();", "", test_a_key_counts_once_and_goes_no_further),
    "counts a key held down": ("if (!event.repeat) ", "", test_a_key_counts_once_and_goes_no_further),
    "starts no clock": ("since: performance.now() }", "since: 0 }", test_left_arrow_and_the_seconds_of_each_label),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_javascript_is_found(name, show, path, monkeypatch):
    right, wrong, test = WRONG[name]
    assert right in Labelling._esm
    monkeypatch.setattr(Labelling, "_esm", Labelling._esm.replace(right, wrong))
    arguments = {"show": show, "path": path}
    with pytest.raises(AssertionError):
        test(**{word: arguments[word] for word in inspect.signature(test).parameters})
