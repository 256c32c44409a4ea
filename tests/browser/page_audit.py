"""The audit of one page in a browser: what a reader on a phone, off the network or with a screen reader stumbles over.

`audit(page, url)` returns sentences, one a problem; an empty list means that nothing was found. The questions about
the page's content are asked inside the page by page_audit.js. Nothing is requested from any network: axe-core (the
checker of accessibility) travels in the package axe-playwright-python.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
QUESTIONS = (Path(__file__).parent / "page_audit.js").read_text(encoding="utf-8").rstrip().rstrip(";")
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# A4 between margins of 1 cm, in CSS pixels.
PAPER = {"width": 718, "height": 1000}

SETTLED = """async () => {
  if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
  await document.fonts.ready;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  await frame();
}"""
RUN_AXE = """async (contrast) => {
  pageAudit.foldFormulas();
  const looks = contrast ? pageAudit.looks() : [];
  pageAudit.foldCode(looks);
  const options = { resultTypes: ["violations"], preload: false };
  const { violations } = contrast
    ? await axe.run({ include: looks }, { ...options, runOnly: ["color-contrast"] })
    : await axe.run(document, { ...options, rules: { "color-contrast": { enabled: false } } });
  pageAudit.unfold();
  const grave = violations.filter((found) => ["serious", "critical"].includes(found.impact));
  return grave.map(({ id, impact, help, nodes }) => ({
    id, impact, help,
    places: nodes.map((node) => node.target.flat().join(" ")),
    reason: [...nodes[0].all, ...nodes[0].none, ...nodes[0].any].map((check) => check.message)[0],
  }));
}"""


@dataclass
class Heard:
    """What a page said (problems, as sentences) and asked for (addresses) while somebody listened."""

    problems: list[str] = field(default_factory=list)
    requested: set[str] = field(default_factory=set)


def is_allowed(address: str, home: str) -> bool:
    """Whether a page at `home` may ask for `address`: its own host by http; files from disk; data and blobs always."""
    there, here = urlsplit(address), urlsplit(home)
    if there.scheme in ("data", "blob", "about"):
        return True
    return (there.scheme, there.netloc) == (here.scheme, here.netloc)


@contextmanager
def listening(page: Page, home: str) -> Iterator[Heard]:
    """Collects errors and requests of `page` while the block runs; `home` is the address of the page itself."""
    heard = Heard()

    def on_console(message):
        # A file that fails to load is named by its request below; the console's own sentence names no address.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            heard.problems.append(f"console error: {message.text}")

    def on_request(request):
        heard.requested.add(request.url.partition("#")[0])
        if not is_allowed(request.url, home):
            heard.problems.append(f"request to another host: {request.url}")

    def on_request_failed(request):
        # Another host and a bad status are named already.
        if is_allowed(request.url, home) and not any(request.url in problem for problem in heard.problems):
            heard.problems.append(f"failed request: {request.url} ({request.failure})")

    def on_response(response):
        if response.status >= 400:
            heard.problems.append(f"failed request: {response.url} (status {response.status})")

    handlers = {
        "console": on_console,
        "pageerror": lambda error: heard.problems.append(f"uncaught exception: {error}"),
        "request": on_request,
        "requestfailed": on_request_failed,
        "response": on_response,
        "websocket": lambda socket: heard.problems.append(f"request to another host: {socket.url}"),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    try:
        yield heard
    finally:
        for event, handler in handlers.items():
            page.remove_listener(event, handler)


def ask(page: Page, question: str) -> list[str]:
    """The answer of one function of page_audit.js, as sentences."""
    return page.evaluate(f"({QUESTIONS}).{question}()")


def open_page(page: Page, url: str) -> None:
    """Opens `url` and waits until maths, fonts and layout have settled."""
    page.goto(url, wait_until="load")
    page.evaluate(SETTLED)


def leave(page: Page) -> None:
    """Leaves the page that was looked at before, so that nothing late of it is heard as this one's."""
    page.goto("about:blank")


def resize(page: Page, size: dict[str, int]) -> None:
    """Gives the window another size and waits for the layout."""
    page.set_viewport_size(size)
    page.evaluate(SETTLED)


def accessibility(page: Page, contrast: bool) -> list[str]:
    """What axe-core calls serious or critical, a sentence a rule, with the first three places.

    `contrast` asks for the contrast of each look of text on the page; otherwise all other rules are asked.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    page.evaluate(QUESTIONS)
    found = []
    for violation in page.evaluate(RUN_AXE, contrast):
        places = ", ".join(violation["places"][:3])
        more = len(violation["places"]) - 3
        places += f" and {more} more" if more > 0 else ""
        found.append(
            f"accessibility ({violation['impact']}, {violation['id']}): {violation['help']}; "
            f"at {places}: {violation['reason']}"
        )
    return found


def keyboard(page: Page) -> list[str]:
    """One press of the Tab key on a fresh page reaches a link that shows the focus."""
    page.keyboard.press("Tab")
    return ask(page, "focus")


def on_paper(page: Page) -> list[str]:
    """The page as printed: no side bars, nothing wider than the paper."""
    page.emulate_media(media="print")
    try:
        resize(page, PAPER)
        return ask(page, "paper")
    finally:
        page.emulate_media(media="null")


def audit(page: Page, url: str) -> list[str]:
    """Everything: loading, structure, pictures, maths, keyboard, accessibility, contrast, phone and paper.

    The page's context decides the theme.
    """
    leave(page)
    with listening(page, url) as heard:
        page.set_viewport_size(DESKTOP)
        open_page(page, url)
        found = keyboard(page)
        for question in ("structure", "pictures", "mathematics", "figuresInDark", "motion", "overflow"):
            found += ask(page, question)
        found += accessibility(page, contrast=True) + accessibility(page, contrast=False)
        resize(page, PHONE)
        narrow = ask(page, "overflow") + accessibility(page, contrast=False)
        found += [f"at {PHONE['width']} px: {sentence}" for sentence in narrow if sentence not in found]
        found += on_paper(page)
    return list(dict.fromkeys(heard.problems + found))


def audit_theme(page: Page, url: str) -> list[str]:
    """The part that depends on the theme: loading, focus, pictures, contrast and width (half the time of `audit`)."""
    leave(page)
    with listening(page, url) as heard:
        page.set_viewport_size(DESKTOP)
        open_page(page, url)
        found = keyboard(page) + ask(page, "figuresInDark") + accessibility(page, contrast=True)
        resize(page, PHONE)
        found += [f"at {PHONE['width']} px: {sentence}" for sentence in ask(page, "overflow")]
    return list(dict.fromkeys(heard.problems + found))


def audit_loading(page: Page, url: str, loaded: set[str] | None = None) -> list[str]:
    """The part that depends on where a page is read from: requests, errors, structure, pictures, maths and width.

    `loaded`, if given, receives the addresses of all files that were asked for.
    """
    leave(page)
    with listening(page, url) as heard:
        page.set_viewport_size(DESKTOP)
        open_page(page, url)
        found = [
            sentence
            for question in ("structure", "pictures", "mathematics", "overflow")
            for sentence in ask(page, question)
        ]
    if loaded is not None:
        # The browser's memory answers for some fonts without a request; its own list has them.
        loaded |= heard.requested | set(
            page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
        )
    return list(dict.fromkeys(heard.problems + found))
