"""The auditor is proved on broken pages first: a page without fault has no problem, and each fault is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_audit import QUESTIONS, audit, audit_loading, audit_theme
from serving import PROJECT, Site, on_disk, served

GOOD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A good page</title><link rel="icon" href="data:,">
<script>document.documentElement.dataset.theme = localStorage.getItem("theme");</script>
<style>
body { margin: 1rem; background: #fff; color: #222 }
a { color: #0b4f9e }
[data-theme=dark] body { background: #111; color: #eee }
[data-theme=dark] a { color: #9cf }
img { background: #fff }
@media print { .bd-sidebar-primary { display: none } }
</style>
<!-- head -->
</head>
<body>
<a href="#start">Skip to the text</a>
<nav class="bd-sidebar-primary" aria-label="Chapters"><a href="other.html">The other page</a></nav>
<main id="start">
<h1>Policy gradient</h1>
<p>A page that is long enough to count as a page, with a formula
<span class="math"><mjx-container><mjx-math>x</mjx-math></mjx-container></span> that is typeset.</p>
<h2>A picture</h2>
<img src="dot.svg" alt="A blue dot" width="20" height="20">
<svg role="img" aria-label="A line" width="20" height="20"><path d="M0 0L20 20" stroke="black"/></svg>
<div style="overflow-x: auto" tabindex="0" role="region" aria-label="A wide table">
<table style="width: 500px"><tr><td>It scrolls in its box.</td></tr></table></div>
<label>Learning rate <input type="range"></label>
<pre>code may hold $$ and \\( as it likes</pre>
<!-- body -->
</main>
</body>
</html>
"""
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="9" fill="#05c"/></svg>'

# What is put into the good page, and the words of the sentence that must name it.
FAULTS = {
    "link to a CDN": ('<script src="https://cdn.example/lib.js"></script>', "request to another host: https://cdn.ex"),
    "style sheet of another host": ('<link rel="stylesheet" href="https://cdn.example/a.css">', "another host"),
    "no alt text": ('<img src="dot.svg">', "the picture dot.svg has no alt text"),
    "file name as alt text": ('<img src="dot.svg" alt="dot.svg">', "dot.svg has a file name for an alt text"),
    "drawing without a name": (
        '<svg role="img" width="9" height="9"></svg>',
        "the drawing <svg> with role=img has no name",
    ),
    "console error": ('<script>console.error("the widget gave up")</script>', "console error: the widget gave up"),
    "thrown exception": ('<script>throw new Error("no such arm")</script>', "uncaught exception: no such arm"),
    "late exception": (
        '<script>setTimeout(() => { throw new Error("too late") }, 100)</script>',
        "exception: too late",
    ),
    "lost promise": ('<script>Promise.reject(new Error("no module"))</script>', "uncaught exception: no module"),
    "wide table": (
        '<table id="wide" style="width: 500px"><tr><td>wide</td></tr></table>',
        "the widest part is <table#wide>",
    ),
    "maths as text": ('<span class="math">\\(a^2\\)</span>', "the formula “\\(a^2\\)” is not typeset"),
    "raw dollars": ("<p>the score $$1_y - p$$ is</p>", "raw LaTeX stands in the text: “the score $$1_y - p$$"),
    "raw inline maths": ("<p>the rate $\\alpha$ is</p>", "raw LaTeX stands in the text: “the rate"),
    "maths with an error": (
        '<span class="math"><mjx-container><mjx-merror data-mjx-error="Undefined control sequence \\foo">x</mjx-merror>'
        "</mjx-container></span>",
        "a formula has an error: Undefined control sequence \\foo",
    ),
    "low contrast": ('<p style="color: #888; background: #999">pale words</p>', "(serious, color-contrast)"),
    "formula that only a mouse can scroll": (
        '<div style="width: 99px"><span class="math"><mjx-container style="display: block; overflow-x: auto">'
        '<mjx-math style="display: inline-block; width: 700px">x</mjx-math></mjx-container></span></div>',
        "(serious, scrollable-region-focusable)",
    ),
    "pale formula": (
        '<span class="math" style="color: #bbb"><mjx-container><mjx-math>x</mjx-math></mjx-container></span>',
        "(serious, color-contrast)",
    ),
    "pale word in code": (
        '<style>.k { color: #ddd }</style><pre>x <span class="k">if</span> <span class="n">y</span> else z</pre>',
        "(serious, color-contrast)",
    ),
    "code that only a mouse can scroll": (
        '<div style="width: 99px"><pre style="overflow-x: auto"><span class="k">return</span> '
        f'<span class="n">{"x" * 99}</span></pre></div>',
        "(serious, scrollable-region-focusable)",
    ),
    "link without a name in code": (
        '<pre><span class="k">if</span> <a href="#start"><span class="n"></span></a><span class="n">y</span></pre>',
        "(serious, link-name)",
    ),
    "forbidden words for a word of code": (
        '<pre><span class="k">if</span> <span class="n" role="img">y</span></pre>',
        "(serious, role-img-alt)",
    ),
    "input without label": ('<input type="text">', "(critical, label)"),
    "file that is not there": ('<script src="lost.js"></script>', "failed request: {address}lost.js"),
    "picture that is not there": ('<img src="lost.png" alt="A plot">', "the picture lost.png does not show"),
    "two main landmarks": ("</main><main>second", "2 main landmarks"),
    "skipped heading": ("<h4>Too deep</h4>", "the heading <h4> “Too deep” of level 4 follows one of level 2"),
    "second title": ("<h1>Another</h1>", "2 headings of level 1"),
    "hidden focus": ("<style>a:focus { outline: none }</style>", "looks the same with and without the focus"),
    "link out of sight": (
        "<style>a { position: absolute; left: -999px }</style>",
        "the Tab key reaches <a> “Skip to the text”, which is out of sight",
    ),
    "restless page": ("<style>p { transition-duration: 0.01ms }</style>", "has transitions for a reader who asked for"),
    "side bar on paper": (
        "<style>@media print { .bd-sidebar-primary { display: block !important } }</style>",
        "on paper the side bar <nav.bd-sidebar-primary>",
    ),
    "wide on paper": (
        "<style>@media print { h2 { width: 900px } }</style>",
        "on paper the page is",
    ),
}
DARK_FAULTS = {
    "low contrast": ("<style>[data-theme=dark] h2 { color: #222 }</style>", "(serious, color-contrast)"),
    "figure without card": (
        "<style>[data-theme=dark] img { background: none }</style>",
        "in the dark theme the picture “A blue dot” has no white card behind it",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Pages to write into."""
    path = tmp_path_factory.mktemp("pages")
    (path / "dot.svg").write_text(DOT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pages(folder: Path) -> Iterator[Site]:
    """The same folder by http."""
    with served(folder) as site:
        yield site


def write(folder: Path, fault: str = "") -> str:
    """The good page with `fault` in it; hands back its name, a new one each time: a cache knows names and seconds."""
    name = f"page-{len(list(folder.iterdir()))}.html"
    (folder / name).write_text(GOOD.replace("<!-- body -->", fault), encoding="utf-8")
    return name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_good_page_has_no_problem(folder, pages, page_of, theme):
    assert audit(page_of(theme), pages.url(write(folder))) == []


def test_good_page_has_no_problem_of_loading_and_its_files_are_known(folder, pages, page_of):
    loaded, name = set(), write(folder)
    assert audit_loading(page_of(), pages.url(name), loaded) == []
    assert loaded == {pages.url(name), pages.url("dot.svg")}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_good_page_has_no_problem_of_theme(folder, pages, page_of, theme):
    assert audit_theme(page_of(theme), pages.url(write(folder))) == []


def test_good_page_has_no_problem_from_disk(folder, page_of):
    assert audit_loading(page_of(), on_disk(folder).url(write(folder))) == []


CODE = """<dl><dt class="sig">f(<em class="p"><span class="n">x</span></em>, <em class="p"><span class="n">y</span>
<a href="#start">link</a></em>)</dt></dl>
<pre><span></span><span class="k">if</span> <span id="here"><span class="n">x</span>:</span> <span class="c">the rest</span></pre>
<p><span class="math"><mjx-container><mjx-math>x</mjx-math></mjx-container></span> <code>a <span class="pre">b</span></code></p>"""


def test_what_is_folded_for_axe_is_smaller_reads_the_same_and_comes_back(folder, pages, page_of):
    reader = page_of()
    reader.goto(pages.url(write(folder, CODE)))
    reader.evaluate(QUESTIONS)
    count, text, whole = "document.querySelectorAll('*').length", "document.body.innerText", "document.body.innerHTML"
    before = {asked: reader.evaluate(asked) for asked in (count, text, whole)}
    kept = reader.evaluate(
        "pageAudit.foldCode([document.querySelector('.c')]), "
        "[...document.querySelectorAll('pre *, dt *, code *')].map((element) => element.outerHTML)"
    )
    assert kept == [
        '<em class="p">y\n<a href="#start">link</a></em>', '<a href="#start">link</a>', '<span id="here">x:</span>',
        '<span class="c">the rest</span>',
    ]  # fmt: skip
    assert reader.evaluate(text) == before[text]
    reader.evaluate("pageAudit.unfold(), pageAudit.foldFormulas(), pageAudit.foldCode(), pageAudit.unfold()")
    assert {asked: reader.evaluate(asked) for asked in before} == before


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_named(folder, pages, page_of, name):
    fault, words = FAULTS[name]
    found = audit(page_of(), pages.url(write(folder, fault)))
    assert any(words.format(address=pages.address) in sentence for sentence in found), found
    assert len(found) <= 2, found  # the fault, and at most its second face: nothing else is blamed


@pytest.mark.parametrize("name", DARK_FAULTS)
def test_fault_of_the_dark_theme_is_named(folder, pages, page_of, name):
    fault, words = DARK_FAULTS[name]
    url = pages.url(write(folder, fault))
    assert [words in sentence for sentence in audit_theme(page_of("dark"), url)] == [True]
    assert audit_theme(page_of("light"), url) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ('<img src="http://127.0.0.1:9/dot.svg" alt="A dot">', "request to another host: http://127.0.0.1:9/dot.svg"),
        ('<script src="lost.js"></script>', "failed request: file:///"),
        ('<script type="module" src="dot.svg"></script>', "console error: Access to script"),
    ],
)
def test_fault_is_named_from_disk(folder, page_of, fault, words):
    found = audit_loading(page_of(), on_disk(folder).url(write(folder, fault)))
    assert any(words in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("name", "page", "words"), [("nothing", "", "no title"), ("no_words", "<main></main>", "the page is empty")]
)
def test_empty_page_is_named(folder, pages, page_of, name, page, words):
    # A name of its own for each: of a file that changes within a second the browser keeps the first version.
    (folder / f"{name}.html").write_text(page, encoding="utf-8")
    assert any(words in sentence for sentence in audit(page_of(), pages.url(f"{name}.html")))


def test_broken_links_are_named(folder, pages):
    page = write(folder)
    origin = pages.address.removesuffix(PROJECT)
    good = [pages.url(page + "#start"), "https://elsewhere.example/"]
    bad = {
        pages.url("lost.html"): "leads to no file",
        pages.url(page + "#lost"): "leads to no anchor",
        origin + "/" + page: "leads to no file",
        pages.url("../outside.html"): "leads to no file",
    }
    assert pages.broken(good) == []
    for link, words in bad.items():
        assert [words in sentence for sentence in pages.broken([link])] == [True]


def test_weight_counts_each_file_once(folder, pages):
    light = pages.gzip_weight([pages.url("dot.svg")])
    assert 50 < light < 2 * len(DOT)
    assert pages.gzip_weight([pages.url("dot.svg"), pages.url("dot.svg?v=1"), "https://cdn.example/a.js"]) == light
