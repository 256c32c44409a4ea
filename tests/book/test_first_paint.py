"""What stands before a page's first paint: style rules that no element can match go, scripts wait for the text."""

from __future__ import annotations

import re

import first_paint
import pytest
from first_paint import Known, can_match, hurry, slim

PAGE = "<article class=\"bd-article tex2jax\"><span class='mark'></span></article>"
SCRIPT = 'node.classList.add("shown"); other.className = "tip-" + side;'
KNOWN = Known([PAGE], [SCRIPT])


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("p > a:hover", True),
        (".bd-article .mark", True),
        (".bd-article .gone", False),
        ("div.mark.gone", False),
        (".shown::before", True),
        (".tip-left", True),  # a script may put this name together
        (".ti-left", False),
        (".mark:not(.gone)", True),  # true of an element without that class
        (":is(.gone, .mark:not(.a, .b)) p", True),
        ('a[href$=".gone"]', True),
        (r".mark\:lg", False),
    ],
)
def test_a_selector_matches_only_where_all_its_classes_are_known(selector, matches):
    assert can_match(selector, KNOWN) is matches


WHOLE = """@charset "UTF-8";
/*! Licence: kept; so says {its author}. */
.gone,.mark{color:red;content:"}"}
/* an aside { */ .gone .mark{color:blue}
@media print{.gone{display:none}.shown{display:block}}
@media screen{.gone{margin:0}}
@font-face{font-family:X;src:url("x.woff2")}
@keyframes gone{from{top:0}to{top:1px}}
.else:is(.mark, .gone){top:0}
a,b{left:0}"""
SLIM = """@charset "UTF-8";
/*! Licence: kept; so says {its author}. */.mark{color:red;content:"}"}
@media print{.shown{display:block}}
@font-face{font-family:X;src:url("x.woff2")}
@keyframes gone{from{top:0}to{top:1px}}
a,b{left:0}"""


def test_of_a_style_sheet_the_rules_of_use_stay_in_order():
    assert slim(WHOLE, KNOWN) == SLIM
    assert slim(SLIM, KNOWN) == SLIM


HEAD = """<head><script data-cfasync="false">
    document.documentElement.dataset.mode = localStorage.getItem("mode") || "auto";
    document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
</script>
<link rel="preload" as="script" href="b.js" />
<script src="_static/documentation_options.js?v=1"></script>
<script src="_static/copybutton.js?v=2"></script>
<script>let words = 1;</script>
<script defer="defer" src="_static/page.js"></script>
<script src="../_static/searchtools.js"></script>
<script src="../_static/language_data.js"></script>
<script src="../searchindex.js"></script></head><body><script src="late.js"></script></body>"""


def test_scripts_wait_until_the_text_is_there():
    page = hurry(HEAD)
    assert re.findall(r"<script[^>]*>", page) == [
        '<script data-cfasync="false">',
        '<script src="_static/documentation_options.js?v=1">',  # inline scripts read its constant
        '<script defer="defer" src="_static/copybutton.js?v=2">',
        "<script>",
        '<script defer="defer" src="_static/page.js">',
        '<script src="late.js">',
    ]
    assert "preload" not in page
    assert '|| "auto";\n' in page  # the mode
    assert page.count('"(prefers-color-scheme: dark)"') == 1
    assert hurry(page) == page, "a page that a later build does not write anew stays as it is"


def test_the_search_page_keeps_its_index():
    assert re.findall(r"[\w.]+js", hurry(HEAD, search=True)) == re.findall(r"[\w.]+js", HEAD.replace("b.js", ""))


def before_paint(page: str) -> tuple[list[str], list[str]]:
    """The style sheets and the scripts that a browser waits for before it shows anything of the page."""
    head = page.partition("</head>")[0]
    scripts = [tag for tag in re.findall(r"<script\b[^>]*>", head) if "src=" in tag and "defer" not in tag]
    names = [re.search(r'src="[^"]*?([\w-]+\.js)', tag)[1] for tag in scripts]
    return re.findall(r'href="(?:\.\./)*(_static/[^"?]+\.css)', head), names


MOST_BYTES = 250_000


def test_little_stands_before_the_first_paint(built_book):
    assert before_paint(HEAD)[1] == [
        "documentation_options.js", "copybutton.js", "searchtools.js", "language_data.js", "searchindex.js",
    ]  # fmt: skip
    for path in [*built_book.glob("book/*.html"), *built_book.glob("notebooks/*.html")]:
        sheets, scripts = before_paint(path.read_text(encoding="utf-8"))
        assert scripts == ["documentation_options.js"], path.name
        assert len(sheets) > 5
        weight = sum((built_book / sheet).stat().st_size for sheet in sheets)
        assert weight < MOST_BYTES, f"{path.name} waits for {weight} bytes of style sheets"


def test_a_style_sheet_s_address_changes_with_it(built_book):
    page = (built_book / "book" / "index.html").read_text(encoding="utf-8")
    found = dict(re.findall(r'([\w.-]+\.css)\?v=(\w+)"', page))
    sheet = next((built_book / "_static").rglob("pydata-sphinx-theme.css")).read_bytes()
    assert found["pydata-sphinx-theme.css"] == first_paint.hashlib.sha256(sheet).hexdigest()[:8]
    assert b"Bootstrap" in sheet[:200], "licences stay"
