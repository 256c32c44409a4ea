"""Seconds until the first widget of each page can be used: `python -m benchmarks.widgets_audit` writes its card, `widgets`.

From the start of the navigation until the page's first widget is drawn and has answered a key: one of its controls takes the
focus and a press, and what the widget shows is another. Pages are those of the last `make book`, by http from this machine,
each load in a new window with an empty cache; the median of 5. Prints each figure beside its bound, and ends with exit
status 1 when one is SHORT.
"""

import sys
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from benchmarks.first_paint import BOOK, chromium, pages
from benchmarks.house import bounded
from rlhw import cards
from tests.browser.serving import Site, served

MOST_SECONDS = 1.5
LOADS = 5
DESKTOP = {"width": 1280, "height": 800}
MARKS = ("application/x-rlhw-widget+json", "application/vnd.jupyter.widget-view+json")
# Runs in the page from its first moment on: as soon as the first widget stands, a control of it gets the focus.
WATCH = """() => {
  const look = () => {
    const widget = document.querySelector(".rlhw-widget");
    if (!widget?.querySelector(".rlhw-words")) { setTimeout(look, 5); return; }
    window.audit_drawn = performance.now();
    const control = widget.querySelector("input[type=range], input, button");
    if (!control?.checkVisibility()) { window.audit_answered = window.audit_drawn; return; } // labelling
    const shown = () => [...widget.querySelectorAll("svg, td, output, input")]
      .map((node) => node.getAttribute("aria-label") + node.textContent + node.value).join();
    const before = shown();
    control.focus();
    window.audit_ready = true;
    new MutationObserver(() => { if (shown() !== before) window.audit_answered ??= performance.now(); })
      .observe(widget, { subtree: true, childList: true, characterData: true, attributes: true });
  };
  look();
}"""


def with_widgets(book: Path) -> list[str]:
    """The pages on which a widget stands."""
    return [name for name in pages(book) if any(mark in (book / name).read_text(encoding="utf-8") for mark in MARKS)]


def interactive(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds until the first widget of the page is drawn, and until it has answered a key."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(url, wait_until="commit")
    # Once a frame: a page that is asked every few milliseconds from outside while it loads may not come to answer at all.
    page.wait_for_function("window.audit_ready || window.audit_answered")
    if page.evaluate("window.audit_ready"):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("window.audit_answered")
    answered, drawn = page.evaluate("[window.audit_answered, window.audit_drawn]")
    context.close()
    return drawn / 1000, answered / 1000


def measure(browser: Browser, site: Site) -> dict[str, dict]:
    """The metrics of every page with a widget."""
    drawn, answered = {}, {}
    for name in with_widgets(site.folder):
        loads = [interactive(browser, site.url(name)) for _ in range(LOADS)]
        drawn[name], answered[name] = (median(times) for times in zip(*loads, strict=True))
        print(f"{name}: drawn after {drawn[name]:.2f} s, answers after {answered[name]:.2f} s", flush=True)
    worst = max(answered, key=answered.__getitem__)
    each = {name.removesuffix(".html").replace("/", "_"): within(name, seconds) for name, seconds in answered.items()}
    return {
        "slowest": within(f"until the slowest page's first widget answers a key ({worst})", answered[worst]),
        "slowest_drawn": cards.metric("until the slowest page's first widget is drawn", max(drawn.values()), unit="s"),
        "pages": cards.metric("pages with a widget", len(answered)),
    } | each


def within(meaning: str, seconds: float) -> dict:
    """A metric in seconds beside the bound."""
    return bounded(meaning, seconds, f"< {MOST_SECONDS:g} s", seconds < MOST_SECONDS, "s")


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    with chromium() as browser, served(BOOK) as site:
        metrics = measure(browser, site)
    cards.write(
        "widgets", "Until the first widget of a page answers a key", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.widgets_audit",
        modules=["benchmarks.widgets_audit", "book._ext.first_paint", "book._ext.widget_directive", "rlhw.widgets"],
    )  # fmt: skip
    return 0 if cards.report("widgets") else 1


if __name__ == "__main__":
    sys.exit(main())
