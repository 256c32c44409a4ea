"""Formulas wait for the widgets: page.js has MathJax run once they are drawn, then sets a few formulas at a time."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FORMULAS = 30
# Takes longer to be drawn than any script takes to be read.
WIDGET = """export default { async render({ el }) {
  await new Promise((resume) => setTimeout(resume, 200));
  el.append("drawn");
  events.push("widget");
} };"""
# Stands for MathJax: notes when it is run, and with how many places it is asked to set formulas.
MATHJAX = """events.push("MathJax");
MathJax.startup = { promise: Promise.resolve() };
MathJax.typesetPromise = async (places) => { events.push(places.length); };"""


def written(folder: Path, kind: str) -> str:
    """The address of a page with a widget and formulas, one of them in an output, and MathJax as a script of this kind."""
    shutil.copy(ROOT / "book/_assets/widget_host.js", folder)
    shutil.copy(ROOT / "book/_assets/page.js", folder)
    (folder / "mathjax.js").write_text(MATHJAX, encoding="utf-8")
    formulas = '<span class="math">x</span>' * (FORMULAS - 1) + '<p class="output_area"><span class="math">y</span></p>'
    (folder / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
        "<script>window.events = []; window.MathJax = { startup: { typeset: false } };</script>"
        f'<script defer src="widget_host.js"></script><script defer type="{kind}" src="mathjax.js"></script>'
        f'<script defer src="page.js"></script><main>{formulas}</main>'
        f'<script type="application/x-rlhw-widget+json">{json.dumps({"_esm": WIDGET})}</script>',
        encoding="utf-8",
    )
    return (folder / "page.html").as_uri()


def test_widgets_are_drawn_before_mathjax_runs(tmp_path: Path, browser_page: Page):
    browser_page.goto(written(tmp_path, "text/x-mathjax"))
    # The promise that stands there from the start is kept with the last formula.
    browser_page.evaluate("MathJax.startup.promise")
    first, second, *parts = browser_page.evaluate("events")
    assert [first, second] == ["widget", "MathJax"]
    assert sum(parts) == FORMULAS
    assert max(parts) <= 12


def test_an_ordinary_script_would_not_wait(tmp_path: Path, browser_page: Page):
    browser_page.goto(written(tmp_path, "text/javascript"))
    browser_page.wait_for_function("events.length === 2")
    assert browser_page.evaluate("events") == ["MathJax", "widget"]


def test_the_book_loads_mathjax_that_way():
    assert "      type: text/x-mathjax\n" in (ROOT / "_config.yml").read_text(encoding="utf-8")
