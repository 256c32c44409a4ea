"""What a release's widgets save and show, kept so that later releases can be held against it.

`python tests/widgets/save_states.py`, once at each release, writes tests/widgets/saved_<version>.json: for each widget its
synced traits without JavaScript and style, and the words, pictures' labels and table cells that a page shows of them. Of one
widget it keeps JavaScript and style as well: an old page's host must bring these to life.
"""

import json
import shutil
import tempfile
from pathlib import Path

from package_widgets import made, widget_classes
from playwright.sync_api import Page, sync_playwright

import rlhw
from rlhw.widgets.base import Widget

FOLDER = Path(__file__).parent
HOST = FOLDER.parents[1] / "book/_assets/widget_host.js"
WITH_JAVASCRIPT = "BradleyTerry"
LEFT_OUT = {"_esm", "_css", "_anywidget_id"}
SHOWN = """() => {
  const texts = (selector, read) => [...document.querySelectorAll(`.rlhw-widget ${selector}`)].map(read);
  return {
    words: texts(".rlhw-words", (node) => node.textContent),
    pictures: texts("svg[role=img]", (node) => node.getAttribute("aria-label")),
    cells: texts("td", (node) => node.textContent),
    controls: texts("input", (node) => node.value),
  };
}"""


def show(page: Page, state: dict) -> dict:
    """What a page shows of a widget in this state; an error in it is an AssertionError."""
    text = json.dumps(state).replace("<", "\\u003c")
    page.goto("about:blank")
    page.set_content(f'<main><script type="application/x-rlhw-widget+json">{text}</script></main>')
    page.add_script_tag(content=HOST.read_text(encoding="utf-8"))
    page.wait_for_selector(".rlhw-words, .rlhw-widget-problem")
    problem = page.locator(".rlhw-widget-problem")
    assert problem.count() == 0, problem.inner_text()
    return page.evaluate(SHOWN)


def saved(page: Page, widget: type[Widget]) -> dict:
    """One widget's traits and what is shown of them."""
    state = json.loads(json.dumps(made(widget).page_state()))
    kept = {name: value for name, value in state.items() if widget.__name__ == WITH_JAVASCRIPT or name not in LEFT_OUT}
    return {"state": kept, "shown": show(page, state)}


def main() -> None:
    """Write the file of this version; one that is there already is a release's and stays."""
    path = FOLDER / f"saved_{rlhw.__version__.replace('.', '_')}.json"
    if path.exists():
        raise SystemExit(f"{path.name} is there already: it holds what version {rlhw.__version__} saved, and stays.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        entries = {widget.__name__: saved(page, widget) for widget in widget_classes()}
        browser.close()
    lines = [f"{json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in entries.items()]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=FOLDER, delete=False) as draft:
        draft.write("{\n" + ",\n".join(lines) + "\n}\n")
    Path(draft.name).chmod(0o644)
    Path(draft.name).replace(path)


if __name__ == "__main__":
    main()
