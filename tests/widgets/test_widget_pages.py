"""Widgets on pages without a kernel: the host script, from disk and by http; keyboard, speech, themes, axe."""

import functools
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import STATE, emptied, saved_widgets
from playwright.sync_api import Page, expect
from twins import WIDGETS

from rlhw.widgets.aligned_tokens import DATA as ALIGNED
from rlhw.widgets.aligned_tokens import AlignedTokens
from rlhw.widgets.bandit_race import BanditRace
from rlhw.widgets.baseline_estimates import BaselineEstimates
from rlhw.widgets.best_of_n import BestOfN
from rlhw.widgets.bradley_terry import BradleyTerry
from rlhw.widgets.clipped_surrogate import ClippedSurrogate
from rlhw.widgets.dpo_loss import DPOLoss
from rlhw.widgets.gae_weights import GAEWeights
from rlhw.widgets.gridworld import LONGEST, Gridworld
from rlhw.widgets.importance_weights import ImportanceWeights
from rlhw.widgets.kl_estimators import KLEstimators
from rlhw.widgets.overoptimisation import FARTHEST, SIZES, Overoptimisation
from rlhw.widgets.reward_calibration import RewardCalibration
from rlhw.widgets.softmax_policy import SoftmaxPolicy
from rlhw.widgets.tilted_policy import TiltedPolicy
from rlhw.widgets.token_by_token import EXAMPLES, TokenByToken
from rlhw.widgets.walk import EPISODES, Walk

pytestmark = pytest.mark.browser

INLINE = '<script type="application/x-rlhw-widget+json">{}</script>'
OUTSIDE = """() => [...document.querySelectorAll("svg text")].filter((text) => {
  const [box, picture] = [text.getBoundingClientRect(), text.closest("svg[role=img]").getBoundingClientRect()];
  return box.left < picture.left - 1 || box.right > picture.right + 1;
}).map((text) => text.textContent)"""
EXECUTE = """
import json, sys, nbformat
from nbclient import NotebookClient
cells = ["from rlhw.widgets.softmax_policy import SoftmaxPolicy\\nwidget = SoftmaxPolicy()\\nwidget", "widget",
         "from rlhw.widgets.baseline_estimates import BaselineEstimates\\nBaselineEstimates()"]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
json.dump([notebook.metadata.widgets, [cell.outputs[-1].data for cell in notebook.cells]], sys.stdout)
"""


def one_page(widget) -> str:
    return saved_widgets({"one": {"state": widget.page_state()}}, ["one"])


@pytest.fixture(scope="module")
def notebook_page() -> str:
    """The widgets of a notebook executed a moment ago, as a page holds them: two views of one, one of another."""
    run = subprocess.run([sys.executable, "-c", EXECUTE], capture_output=True, text=True, check=True)
    widgets, outputs = json.loads(run.stdout)
    views = [data["application/vnd.jupyter.widget-view+json"]["model_id"] for data in outputs]
    assert outputs[0]["text/plain"].startswith("SoftmaxPolicy(logits=[")
    return saved_widgets(widgets[STATE]["state"], views)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """serve(path) hands back an http address of the page."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda path: f"http://127.0.0.1:{server.server_port}/{path.name}"
        server.shutdown()


@pytest.mark.parametrize("way", ["disk", "http"])
def test_widgets_of_an_executed_notebook_live_on_a_page(way, notebook_page, write_page, serve, browser_page: Page):
    path = write_page(notebook_page)
    browser_page.goto(path.as_uri() if way == "disk" else serve(path))
    widgets = browser_page.locator(".rlhw-widget")
    expect(widgets).to_have_count(3)
    first, second = widgets.nth(0), widgets.nth(1)
    slider = first.get_by_label("logit z₁", exact=True)
    picture, words = first.locator("svg[role=img]").first, first.locator(".rlhw-words")
    before = [picture.get_attribute("aria-label"), picture.inner_html(), words.inner_text()]

    slider.focus()
    slider.press("ArrowRight")
    expect(slider).to_have_value("0.9")
    expect(first.locator("output").first).to_have_text("0.90")
    assert picture.get_attribute("aria-label") != before[0]
    assert picture.inner_html() != before[1]
    expect(words).not_to_have_text(before[2])
    # two views of one model share its state
    expect(second.get_by_label("logit z₁", exact=True)).to_have_value("0.9")
    assert second.locator("svg[role=img]").first.get_attribute("aria-label") == picture.get_attribute("aria-label")


def test_a_page_that_names_the_host_twice_shows_a_widget_once(write_page, browser_page: Page):
    again = '<script defer src="widget_host.js?v=2"></script>'
    browser_page.goto(write_page(one_page(SoftmaxPolicy()) + again).as_uri())
    expect(browser_page.locator(".rlhw-words")).to_have_count(1)


def test_the_words_wait_until_the_reader_pauses(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(BaselineEstimates())).as_uri())
    words = browser_page.locator(".rlhw-words")
    expect(words).to_contain_text("b = 0.50")
    # six steps at once: on a busy machine six presses can take longer than a pause
    browser_page.evaluate("""() => {
      window.spoken = 0;
      new MutationObserver(() => { window.spoken += 1; }).observe(
        document.querySelector(".rlhw-words"), { childList: true });
      const slider = document.querySelector("input[type=range]");
      for (let step = 0; step < 6; step++) { slider.stepUp(); slider.dispatchEvent(new Event("input")); }
    }""")
    expect(browser_page.locator("output").first).to_have_text("0.80")
    expect(words).to_contain_text("b = 0.80")
    assert browser_page.evaluate("window.spoken") == 1
    assert words.get_attribute("aria-live") == "polite"
    assert browser_page.locator("[aria-live=polite]").count() == 1


def test_choice_step_and_buttons_work_by_keyboard(write_page, browser_page: Page):
    body = one_page(SoftmaxPolicy()) + f"<h2>Second</h2>{INLINE.format(json.dumps(BaselineEstimates().page_state()))}"
    browser_page.goto(write_page(body).as_uri())
    expect(browser_page.get_by_label("step size η")).to_be_hidden()
    browser_page.get_by_label("show one ascent step").press("Space")
    expect(browser_page.get_by_label("step size η")).to_be_visible()
    browser_page.get_by_label("arm 2", exact=True).press("ArrowRight")
    expect(browser_page.locator(".rlhw-words").first).to_contain_text("Arm 3 was sampled")
    expect(browser_page.locator(".rlhw-words").first).to_contain_text("A step of 1.0 with reward 1.0 raises")
    browser_page.get_by_role("button", name="b = b*").press("Enter")
    rows = browser_page.locator("tbody tr").all_inner_texts()
    assert rows[1].split()[-1] == rows[3].split()[-1], "at b* the variance is the least one"
    assert rows[0].split()[-1] != rows[1].split()[-1]


def redrawn(before: str, after: str) -> bool:
    """Whether two pictures differ by more than the tenth of a pixel that coordinates are rounded to."""
    numbers = r"-?\d+\.?\d*"
    if re.sub(numbers, "#", before) != re.sub(numbers, "#", after):
        return True
    pairs = zip(re.findall(numbers, before), re.findall(numbers, after), strict=True)
    return any(abs(float(one) - float(two)) > 0.11 for one, two in pairs)


def test_the_same_number_on_both_rewards_changes_their_place_only(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(BradleyTerry())).as_uri())
    rewards, curve, loss = browser_page.locator("svg[role=img]").all()
    table = browser_page.locator("tbody")
    before = [curve.inner_html(), loss.inner_html(), table.inner_text()]
    shift = browser_page.get_by_label("add to both")
    shift.press("End")
    expect(shift).to_have_value("5")
    expect(rewards).to_have_attribute(
        "aria-label", re.compile("first is worth 7.60, the second 6.90; the margin is .0.70")
    )
    assert [text.split() for text in table.all_inner_texts()] == [before[2].split()]
    assert [curve.get_attribute("aria-label"), loss.get_attribute("aria-label")] == [
        "The probability that the first is preferred, against the margin, at temperature 0.50: 0.802 at margin +0.70.",
        "The loss of either vote against the margin. At +0.70 a vote for the first costs 0.220 nats, a vote for the "
        "second 1.620; with equal rewards each costs 0.693.",
    ]
    assert not redrawn(before[0], curve.inner_html())
    assert not redrawn(before[1], loss.inner_html())
    expect(browser_page.locator(".rlhw-words")).to_contain_text("That 5.00 was added to both changes none of this.")
    browser_page.get_by_label("temperature τ").press("ArrowRight")
    assert redrawn(before[0], curve.inner_html())


def test_a_reader_walks_through_a_summary_by_keyboard(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(TokenByToken(post=0, position=1))).as_uri())
    now, walk = browser_page.locator(".rlhw-now"), browser_page.get_by_label("token t")
    tokens = [entry["word"] for entry in EXAMPLES[0]["steps"]]
    expect(now).to_have_text(tokens[0])
    walk.press("ArrowRight")
    expect(now).to_have_text(tokens[1])
    on, back = browser_page.get_by_role("button", name="next"), browser_page.get_by_role("button", name="previous")
    on.press("Enter")
    on.press("Space")
    expect(now).to_have_text(tokens[3])
    back.press("Enter")
    expect(now).to_have_text(tokens[2])
    walk.press("End")
    expect(now).to_have_text("(end)")
    expect(on).to_have_attribute("aria-disabled", "true")
    on.press("Enter")
    expect(now).to_have_text("(end)")
    expect(browser_page.locator(".rlhw-words")).to_contain_text(f"Token {len(tokens)} of {len(tokens)} is (end).")
    # the third summary is shorter: the reader stands at its end
    browser_page.get_by_label("1", exact=True).press("ArrowRight")
    browser_page.get_by_label("2", exact=True).press("ArrowRight")
    length = len(EXAMPLES[2]["steps"])
    assert length < len(tokens)
    expect(walk).to_have_value(str(length))
    expect(now).to_have_text("(end)")
    expect(browser_page.locator(".rlhw-words")).to_contain_text(f"Token {length} of {length} is (end).")
    walk.press("Home")
    expect(back).to_have_attribute("aria-disabled", "true")


def test_the_running_sum_on_the_page_is_that_of_the_data(write_page, browser_page: Page):
    example = EXAMPLES[1]
    browser_page.goto(write_page(one_page(TokenByToken(post=1, position=3))).as_uri())
    shown = [row.split()[-4:] for row in browser_page.locator("tbody tr").all_inner_texts()]
    for law, cells in enumerate(shown):
        parts = [entry["logprobs"][law] for entry in example["steps"]]
        expected = [parts[2], sum(parts[:3]), sum(parts)]
        assert [float(cell.replace("−", "-")) for cell in cells[:3]] == pytest.approx(expected, abs=0.0051)


def test_no_temperature_changes_the_accuracy(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(RewardCalibration())).as_uri())

    def columns() -> list[tuple]:
        return list(zip(*[row.split()[-3:] for row in browser_page.locator("tbody tr").all_inner_texts()], strict=True))

    errors, losses, accuracies = columns()
    assert losses[-1] == "0.693"
    browser_page.get_by_label("divide the margins by").press("End")
    now = columns()
    assert now[2] == accuracies
    assert now[0][:3] != errors[:3]
    assert now[1][:3] != losses[:3]
    picture = browser_page.locator("svg[role=img]").first
    before = picture.get_attribute("aria-label")
    browser_page.get_by_label("votes, overfit").press("ArrowRight")
    assert picture.get_attribute("aria-label") != before
    expect(browser_page.locator(".rlhw-words")).to_contain_text("the accuracy is the same", ignore_case=True)
    bins = len(re.findall("predicted", picture.get_attribute("aria-label")))
    browser_page.get_by_label("bins", exact=True).press("End")
    assert len(re.findall("predicted", picture.get_attribute("aria-label"))) > bins


@pytest.mark.parametrize("widget", [TokenByToken, RewardCalibration], ids=lambda widget: widget.__name__)
def test_what_was_computed_beforehand_says_so(widget, write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(widget())).as_uri())
    note = browser_page.locator(".rlhw-note")
    name = widget.__module__.rpartition(".")[2]
    expect(note).to_contain_text("omputed beforehand")
    expect(note).to_contain_text(f"how: card {name}.")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_axe_finds_nothing(theme, widget, write_page, same_page: Page):
    same_page.goto(write_page(one_page(widget()), theme).as_uri())
    expect(same_page.locator(".rlhw-words")).to_be_visible()
    for box in same_page.locator("input[type=checkbox]").all():
        box.check()
    for details in same_page.locator("summary").all():
        details.click()
    found = Axe().run(same_page).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found] == []


def test_axe_finds_a_slider_that_lost_its_label(write_page, browser_page: Page):
    """The guard itself: a widget without labels does not pass."""
    browser_page.goto(write_page(one_page(SoftmaxPolicy())).as_uri())
    expect(browser_page.locator(".rlhw-words")).to_be_visible()
    browser_page.evaluate("document.querySelectorAll('.rlhw-slider label span').forEach((node) => node.remove())")
    assert "label" in {one["id"] for one in Axe().run(browser_page).response["violations"]}


EXTREMES = [
    KLEstimators(p=[1, 0.02, 0.02], q=[0.02, 0.02, 1], samples=10),
    KLEstimators(p=[1, 0.02, 0.02], q=[0.02, 0.02, 1], samples=400, upside_down=True),
    *(Overoptimisation(way=way, size=size, root=way == "rl", stop=0) for way in ("rl", "best_of_n") for size in SIZES),
    *(Overoptimisation(way=way, size=SIZES[0], stop=FARTHEST) for way in ("rl", "best_of_n")),
    *(
        AlignedTokens(post=post, answer=who, position=place)
        for post, example in enumerate(ALIGNED["examples"])
        for who, one in example["answers"].items()
        for place in (1, len(one["steps"]))
    ),
    BestOfN(n=64, weights=[1, 0.01, 0.01, 0.01, 0.01], rewards=[-1, 4, -1, -1, -1]),
    BestOfN(n=64, weights=[0.01, 1, 1, 1, 1], rewards=[-1, 4, 4, 4, 4]),
    BestOfN(n=1, rewards=[-1, -1, -1, -1, -1]),
    BestOfN(n=64, rewards=[4, 4, 4, 4, 4]),
    KLEstimators(p=[0.02, 0.02, 0.02], q=[1, 1, 1], samples=400),
    SoftmaxPolicy(logits=[4, -4, -4], action=1, show_step=True, step_size=4, reward=-2),
    BaselineEstimates(baseline=3, samples=10),
    BaselineEstimates(logits=[4, -4], rewards=[3, -3], baseline=-3, samples=240),
    BaselineEstimates(rewards=[0, 0, 0], baseline=0),
    BradleyTerry(first=5, second=-2, temperature=0.05, shift=-5),
    BradleyTerry(first=-2, second=5, temperature=0.05, shift=5),
    BradleyTerry(first=5, second=5, temperature=3, shift=5),
    BradleyTerry(first=-2, second=-2, temperature=3, shift=-5),
    *(TokenByToken(post=post, position=1) for post in range(len(EXAMPLES))),
    *(TokenByToken(post=post, position=len(example["steps"])) for post, example in enumerate(EXAMPLES)),
    RewardCalibration(reward_model="overfit", bins=20, temperature=0.25),
    RewardCalibration(reward_model="many", bins=2, temperature=60),
    RewardCalibration(reward_model="annotator", bins=20, temperature=0.25),
    *(ClippedSurrogate(ratio=r, advantage=a, clip=c) for r in (0.02, 2) for a in (-2, 2) for c in (0.05, 0.5)),
    ClippedSurrogate(advantage=0),
    *(GAEWeights(gamma=1, lam=lam, steps=steps) for lam in (0, 1) for steps in (1, 8)),
    GAEWeights(gamma=0.5, lam=1, steps=8, score=3, rewards=[1] * 8, values=[-3] * 8),
    GAEWeights(gamma=1, lam=0.95, steps=8, score=-3, rewards=[-1] * 8, values=[3] * 8),
    GAEWeights(score=0, rewards=[0] * 8, values=[0] * 8),
    TiltedPolicy(beta=0.05, weights=[0, 10, 10, 0.5], rewards=[3, -3, -3, 3]),
    TiltedPolicy(beta=4, weights=[0.5, 10, 10, 10, 10], rewards=[3, -3, -3, -3, -3]),
    TiltedPolicy(beta=0.05, weights=[0, 0, 0, 0, 1], rewards=[3, -3, -3, -3, -3]),
    TiltedPolicy(beta=0.05, weights=[0, 0, 0, 0], rewards=[0, 0, 0, 0]),
    TiltedPolicy(beta=0.05, rewards=[3, 3, 3, 3, -3]),
    *(
        DPOLoss(loss=loss, beta=beta, chosen=one, rejected=-one, smoothing=0)
        for loss in ("dpo", "ipo")
        for beta in (0.05, 1)
        for one in (-5, 5)
    ),
    DPOLoss(beta=1, chosen=0, rejected=0, smoothing=0.4),
    *(
        BanditRace(epsilon=one, c=2 * one, greedy=one == 1, arms=arms, pulls=pulls, runs=runs, log_time=runs == 1)
        for one in (0, 1)
        for arms in (2, 7)
        for pulls, runs in ((1, 1), (2000, 5))
    ),
    BanditRace(means=[0.95] * 7, arms=7, greedy=True, pulls=7),
    BanditRace(means=[0.05, 0.95, 0.05, 0.05, 0.05, 0.05, 0.05], arms=7, c=2, pulls=12, log_time=True),
    *(ImportanceWeights(target=pi, behavior=mu, horizon=t) for pi in (0, 1) for mu in (0, 0.05, 1) for t in (1, 30)),
    ImportanceWeights(target=0.95, behavior=0.05, horizon=30, episodes=1, rewards=[-2, 2]),
    ImportanceWeights(target=0.3, behavior=0.5, horizon=17, episodes=100, rewards=[0, 0]),
    ImportanceWeights(target=0.6, behavior=0, horizon=5),
    Gridworld(rewards=[10] * 18, gamma=0.99, slip=0, sweeps=LONGEST),
    Gridworld(rewards=[-10] * 18, gamma=0.99, slip=0.8, sweeps=LONGEST),
    Gridworld(rewards=[0] * 18, gamma=0.5, sweeps=LONGEST),
    Gridworld(gamma=0.5, slip=0, sweeps=0),
    Walk(states=11, n=16, step_size=0.5, run=50, episodes=EPISODES, moves=1000),
    Walk(states=11, n=1, step_size=0.01, run=1, episodes=0, moves=0),
    Walk(states=5, n=16, episodes=0, moves=1),
]


@pytest.mark.parametrize("kind", WIDGETS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("width", [390, 1000])
def test_at_the_ends_of_the_ranges_no_text_leaves_its_picture(width, kind, write_page, same_page: Page):
    """All settings of a widget on one page: to load one takes longer than to draw ten."""
    states = {str(n): {"state": w.page_state()} for n, w in enumerate(EXTREMES) if isinstance(w, kind)}
    assert states, "each widget has ends"
    same_page.set_viewport_size({"width": width, "height": 800})
    same_page.goto(write_page(saved_widgets(states, list(states))).as_uri())
    expect(same_page.locator(".rlhw-words:visible")).to_have_count(len(states))
    assert same_page.evaluate(OUTSIDE) == []
    drawn = same_page.locator(".rlhw-widget").all()
    found = dict(zip(states, (widget.inner_html() for widget in drawn), strict=True))
    assert [n for n, text in found.items() if re.search("NaN|Infinity|undefined", text)] == []


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_a_phone_shows_the_whole_widget(widget, write_page, same_page: Page):
    same_page.set_viewport_size({"width": 390, "height": 800})
    same_page.goto(write_page(one_page(widget())).as_uri())
    expect(same_page.locator(".rlhw-words")).to_be_visible()
    assert same_page.evaluate("document.documentElement.scrollWidth") <= 390
    assert same_page.evaluate(OUTSIDE) == []
    sizes = same_page.evaluate(
        "[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height)"
    )
    assert min(sizes) > 11, "text keeps its size on a phone"


def test_in_the_window_of_many_tests_each_hears_its_own_errors(write_page, kept_window):
    """The guard of `same_page`."""
    with pytest.raises(AssertionError, match="no such arm"), emptied(*kept_window) as page:
        page.goto(write_page("<script>throw new Error('no such arm')</script>").as_uri())
    with emptied(*kept_window) as page:
        page.goto(write_page("").as_uri())


THEMES = {
    "book": "document.documentElement.dataset.theme = 'dark'",
    "colab": "document.documentElement.setAttribute('theme', 'dark')",
    "jupyterlab": "document.body.dataset.jpThemeLight = 'false'",
    "vscode": "document.body.dataset.vscodeThemeKind = 'vscode-dark'",
}


@pytest.mark.parametrize("place", [*THEMES, "system", "light book, dark system"])
def test_dark_is_understood_in_every_place(place, write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(SoftmaxPolicy())).as_uri())
    surface = "getComputedStyle(document.querySelector('.rlhw-widget')).backgroundColor"
    expect(browser_page.locator(".rlhw-words")).to_be_visible()
    light = browser_page.evaluate(surface)
    assert light == "rgb(255, 255, 255)"
    if place == "light book, dark system":
        browser_page.emulate_media(color_scheme="dark")
        assert browser_page.evaluate(surface) == light
        return
    browser_page.evaluate("document.documentElement.removeAttribute('data-theme')")
    if place == "system":
        browser_page.emulate_media(color_scheme="dark")
    else:
        browser_page.evaluate(THEMES[place])
    assert browser_page.evaluate(surface) == "rgb(22, 25, 29)"


BAD = {
    "its saved state is not on this page": saved_widgets({}, ["gone"]),
    "its saved state has no JavaScript": saved_widgets({"one": {"state": {"value": 1}}}, ["one"]),
    "its JavaScript does not load": saved_widgets({"one": {"state": {"_esm": "export default {"}}}, ["one"]),
    "its JavaScript has no render function": saved_widgets({"one": {"state": {"_esm": "export default 3"}}}, ["one"]),
    "it stopped while drawing (no luck)": saved_widgets(
        {"one": {"state": {"_esm": 'export default { render() { throw new Error("no luck"); } }'}}}, ["one"]
    ),
    "its data on this page is damaged": INLINE.format("{ not json"),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_broken_widget_says_so_in_its_place(reason, write_page, browser_page: Page):
    """And the widget beside it works."""
    good = INLINE.format(json.dumps(SoftmaxPolicy().page_state()))
    browser_page.goto(write_page(BAD[reason] + good).as_uri())
    problem = browser_page.locator(".rlhw-widget-problem")
    expect(problem).to_have_attribute("role", "alert")
    assert re.fullmatch(
        r"This widget could not be shown: .*\. Reload the page, or run it in the notebook\.", problem.inner_text()
    )
    assert reason in problem.inner_text()
    expect(browser_page.locator(".rlhw-widget svg[role=img]")).to_have_count(2)
