"""Print pages of the built book with Chromium: what stands on a sheet is decided by `print.css` and `pdf_page.js`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_CHROMIUM = (
    "Chromium prints the pages, and none was found: install it (Debian, Ubuntu: make system) and put it on the PATH."
)
NO_PLAYWRIGHT = "Playwright drives Chromium, and it is not installed: run `make book`, which installs what is needed."
# A4's width less the margins of print.css (24 mm on either side), in CSS pixels.
PAPER_WIDTH = round((210 - 48) / 25.4 * 96)
PREPARE = (Path(__file__).parent / "pdf_page.js").read_text(encoding="utf-8")
# No name is ever looked up: a page that asks for another host fails at once.
FLAGS = ["--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
# A page takes seconds; where many programs share the cores, much longer.
TIMEOUT_MS = 180_000

# Resolves to what keeps the page from being printed, once everything on it has been drawn.
FINISHED = """async () => {
  for (const image of document.images) image.loading = "eager";
  await globalThis.MathJax?.startup?.promise;
  await document.fonts.ready;
  // MathJax took its size from whatever letters stood on the page when it ran; now the book's own are there.
  await (globalThis.MathJax?.startup?.document?.rerenderPromise?.() ?? globalThis.MathJax?.startup?.document?.rerender());
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  const widgets = 'script[type="application/x-rlhw-widget+json"], script[type="application/vnd.jupyter.widget-view+json"]';
  const drawn = () => [...document.querySelectorAll(widgets)].every((script) =>
    script.nextElementSibling?.matches(".rlhw-widget, .rlhw-widget-problem"));
  for (let tries = 0; !drawn() && tries < 200; tries += 1) await new Promise((go) => setTimeout(go, 50));
  const found = [...document.images].filter((image) => !image.naturalWidth).map((image) => `no picture ${image.src}`);
  if (!drawn() || document.querySelector(".rlhw-widget-problem:not(noscript *)")) found.push("a widget that is not shown");
  if (document.querySelector("mjx-merror, .MathJax_Error")) found.push("a formula that MathJax cannot set");
  return found;
}"""


class CannotPrint(Exception):
    """Printing is impossible; the message is one sentence for the reader."""


def chromium() -> str:
    """Return the path of a Chromium, or raise CannotPrint."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise CannotPrint(NO_CHROMIUM)
    return found


@contextmanager
def printer() -> Iterator[Callable[[Path, str, list[str]], bytes]]:
    """Start Chromium and hand out ``print_page(file, name, targets)``, which returns a page's PDF or raises CannotPrint."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise CannotPrint(NO_PLAYWRIGHT) from None
    program = chromium()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        except Error as error:
            raise CannotPrint(f"Chromium at {program} does not start: {error.message.splitlines()[0]}.") from None
        tab = browser.new_page(
            viewport={"width": PAPER_WIDTH, "height": 1000}, color_scheme="light", reduced_motion="reduce"
        )
        tab.emulate_media(media="print")
        tab.set_default_timeout(TIMEOUT_MS)

        def print_page(file: Path, name: str, targets: list[str]) -> bytes:
            try:
                tab.goto(file.resolve().as_uri(), wait_until="load")
                if problems := tab.evaluate(FINISHED):
                    raise CannotPrint(
                        f"The page {name} cannot be printed, for it has {problems[0]}: build the book anew (make book)."
                    )
                tab.evaluate(PREPARE, {"name": name, "targets": targets})
                return tab.pdf(format="A4", prefer_css_page_size=True, print_background=True)
            except Error as error:
                # Chromium was killed, say, or the page took too long.
                said = error.message.splitlines()[0].rstrip(".")
                raise CannotPrint(
                    f"Chromium did not print the page {name}: {said}. Run the same command again."
                ) from None

        try:
            yield print_page
        finally:
            browser.close()
