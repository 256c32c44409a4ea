"""Pages look the same with the style sheets that `first_paint` has thinned as with whole ones: every computed style."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser.test_pages import FEW
from page_audit import open_page
from playwright.sync_api import Page
from serving import Site, served

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "pydata_sphinx_theme",
    "sphinx_book_theme",
    "sphinx_design",
    "myst_nb",
    "sphinx_togglebutton",
    "sphinx_proof",
)
# Of each element outside of formulas, its own style and those of what stands before and after it; variables come in no order.
STYLES = """() => [...document.querySelectorAll("body, body *:not(mjx-container *)")].map((element) =>
  [null, "::before", "::after"].map((part) => {
    const style = getComputedStyle(element, part);
    if (part && style.content === "none") return "";
    return [...style].filter((name) => !name.startsWith("--")).map((name) => style.getPropertyValue(name)).join(";");
  }).join("|"))"""


def styles(page: Page, url: str) -> list[str]:
    open_page(page, url)
    page.wait_for_function("document.documentElement.dataset.theme !== 'auto'")
    return [text.replace(url.partition("/rlhw/")[0], "") for text in page.evaluate(STYLES)]


@contextmanager
def with_sheets(book: Path, folder: Path, change: Callable[[str], str] = str) -> Iterator[Site]:
    """The book with the style sheets that its packages and book/_assets have, whole; `change` may alter each."""
    homes = [Path(home) for name in PACKAGES for home in importlib.util.find_spec(name).submodule_search_locations]
    whole = {path.name: path for home in [*homes, ROOT / "book/_assets"] for path in home.rglob("*.css")}
    shutil.copytree(book, folder, dirs_exist_ok=True)
    replaced = 0
    for sheet in (folder / "_static").rglob("*.css"):
        if sheet.name in whole:
            text = whole[sheet.name].read_text(encoding="utf-8")
            replaced += len(text)
            sheet.write_text(change(text), encoding="utf-8")
    assert replaced > 400_000
    with served(folder) as site:
        yield site


@pytest.fixture(scope="module")
def whole(book: Path, tmp_path_factory) -> Iterator[Site]:
    with with_sheets(book, tmp_path_factory.mktemp("whole")) as site:
        yield site


def differing(thin: list[str], whole: list[str]) -> list[int]:
    return [i for i, (one, other) in enumerate(zip(thin, whole, strict=True)) if one != other]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FEW)
def test_every_element_looks_as_with_whole_style_sheets(page_of, web, whole, name, theme):
    thin = styles(page_of(theme), web.url(name))
    assert len(thin) > 300
    assert differing(thin, styles(page_of(theme), whole.url(name))) == []


def test_one_rule_less_is_seen(page_of, book, web, tmp_path):
    """The control of the comparison."""
    with with_sheets(book, tmp_path, lambda css: css.replace("text-underline-offset: 0.16em", "")) as site:
        assert differing(styles(page_of(), web.url(FEW[0])), styles(page_of(), site.url(FEW[0])))
