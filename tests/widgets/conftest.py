"""Windows for the widgets' tests, and plain pages to put widgets on."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
HOST = ROOT / "book/_assets/widget_host.js"
INLINE = '<script type="application/x-rlhw-widget+json">{}</script>'
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


WIDE = {"width": 1000, "height": 900}
# Each widget's place stands behind its script, and is filled some time after the page has loaded.
DRAWN = """() => [...document.querySelectorAll("script[data-shown]")]
  .every((script) => script.nextElementSibling.hasChildNodes())"""


def waiting(page: Page) -> Callable:
    """`page.goto` that returns when the widgets are drawn: on a busy machine that is long after the page has loaded."""
    load = page.goto

    def goto(*where: object, **how: object) -> object:
        answer = load(*where, **how)
        page.wait_for_function(DRAWN)
        return answer

    return goto


def listened_to(browser: Browser) -> tuple[Page, list[str]]:
    """A window, and the errors that pages in it have or report, as they come."""
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto = waiting(page)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("requestfailed", lambda request: problems.append(f"request failed: {request.url}"))
    return page, problems


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """An empty window; the test fails when a page in it has an error or reports one."""
    page, problems = listened_to(browser)
    yield page
    page.context.close()
    assert problems == []


@pytest.fixture(scope="module")
def kept_window(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """The window of `same_page`."""
    page, problems = listened_to(browser)
    yield page, problems
    page.context.close()


@contextmanager
def emptied(page: Page, problems: list[str]) -> Iterator[Page]:
    """The window, empty and wide. At the end what it shows is asked for its errors, and not what it showed before."""
    page.goto("about:blank")
    page.set_viewport_size(WIDE)
    problems.clear()
    yield page
    assert problems == []


@pytest.fixture
def same_page(kept_window: tuple[Page, list[str]]) -> Iterator[Page]:
    """As `browser_page`, for tests that only load a page and look: one window for all, a process less to start each time."""
    with emptied(*kept_window) as page:
        yield page


@pytest.fixture
def write_page(tmp_path: Path) -> Callable[..., Path]:
    """write_page(body, theme="light") writes a page with the host script and hands back its path."""
    shutil.copy(HOST, tmp_path / "widget_host.js")

    def write(body: str, theme: str = "light") -> Path:
        dark = "background:#121212;color:#eee" if theme == "dark" else "background:#fff;color:#111"
        path = tmp_path / "page.html"
        path.write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>A page</title>'
            '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">'
            f'<script defer src="widget_host.js"></script></head><body style="{dark}"><main><h1>A page</h1>{body}'
            "</main></body></html>",
            encoding="utf-8",
        )
        return path

    return write


def saved_widgets(states: dict[str, dict], views: list[str]) -> str:
    """What a notebook's page holds: the saved state of its widgets and a script for each view."""

    def script(kind: str, data: object) -> str:
        return f'<script type="{kind}">{json.dumps(data).replace("<", chr(92) + "u003c")}</script>'

    state = {"version_major": 2, "version_minor": 0, "state": states}
    return script(STATE, state) + "".join(script(VIEW, {"model_id": view, "version_major": 2}) for view in views)
