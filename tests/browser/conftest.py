"""The built book as a site, and readers' windows, for the browser tests.

RLHW_BOOK may name a folder of built pages; without it the book is built by the fixture `built_book`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from serving import Site, on_disk, served

TIMEOUT_MS = 20_000


def pytest_collection_modifyitems(items):
    """Every test of this folder needs Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def book(request) -> Path:
    """The folder of built pages."""
    given = os.environ.get("RLHW_BOOK")
    if not given:
        return Path(request.getfixturevalue("built_book"))
    if not Path(given).is_dir():
        pytest.fail(f"RLHW_BOOK names no folder: {given}; build the book, or unset the variable")
    return Path(given)


@pytest.fixture(scope="module")
def page_of(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """The window of a reader with the theme "light" or "dark", used again for each page that the module visits.

    The choice is stored as the theme's own switch stores it, and the system's colour scheme agrees.
    """
    windows: dict[str, Page] = {}

    def window(theme: str = "light") -> Page:
        if theme not in windows or windows[theme].is_closed():
            context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
            context.set_default_timeout(TIMEOUT_MS)
            context.add_init_script(f"for (const key of ['mode', 'theme']) localStorage.setItem(key, '{theme}');")
            windows[theme] = context.new_page()
        return windows[theme]

    yield window
    for page in windows.values():
        page.context.close()


@pytest.fixture(scope="module")
def web(book: Path) -> Iterator[Site]:
    """The book by http."""
    with served(book) as site:
        yield site


@pytest.fixture(scope="module")
def disk(book: Path) -> Site:
    """The book from disk."""
    return on_disk(book)
