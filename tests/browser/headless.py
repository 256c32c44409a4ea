"""The fixture `browser`: a headless Chromium for the tests of pages and widgets.

Loaded as a plugin in tests/conftest.py, so that tests in every folder share it.
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

# Debian's package with the engine and without the windows around it opens a page in two thirds of the others' time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is ever looked up: a page that asks for another host fails at once, here as on a machine with a network.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


# Playwright keeps an event loop running in this thread while it is up, and asyncio.run() (notebooks) fails meanwhile.
# So the browser lives as long as one module's tests, not as long as the session.
@pytest.fixture(scope="module")
def browser(require) -> Iterator[Browser]:
    """A headless Chromium; without one the tests are skipped at home and fail where CI is set."""
    program = next(filter(None, map(shutil.which, NAMES)), None) or require("chromium", "it opens pages and widgets")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()
