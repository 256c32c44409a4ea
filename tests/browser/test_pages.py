"""Every page of the built book, as readers meet it: light, dark, wide, narrow, by http, from disk and on paper."""

import json
import os
from pathlib import Path

import pytest
import yaml
from page_audit import ask, audit, audit_loading, audit_theme, listening, open_page
from serving import PROJECT, served
from weights import PROPERTY

ROOT = Path(__file__).parents[2]
NOT_CHAPTERS = {
    "404.html": "stands in no table of contents; test_not_found_page opens it where a host would show it",
    "genindex.html": "an index that Sphinx makes and no page links to; its links are checked by Sphinx",
    "index.html": "leads on to the book's first page; test_address_of_the_site follows it",
    "prf-prf.html": "an index that sphinx-proof makes and no page links to",
    "py-modindex.html": "an index that Sphinx makes and no page links to",
    "search.html": "has no content of its own; test_search uses it",
}
# A word of the first chapter's first lines.
SEARCHED = "softmax"
COLAB_NOT_SET = "Colab: the repository's address is not set yet"
MOST_BYTES = 1_500_000


def table_of_contents() -> Path:
    """The _toc.yml of the book under test."""
    given = os.environ.get("RLHW_BOOK")
    beside = Path(given).resolve().parents[1] / "_toc.yml" if given else ROOT / "_toc.yml"
    return beside if beside.exists() else ROOT / "_toc.yml"


def chapters(entry: object) -> list[str]:
    """The pages that a table of contents names, in its order, as paths of HTML files."""
    if isinstance(entry, list):
        return [page for part in entry for page in chapters(part)]
    if not isinstance(entry, dict):
        return []
    own = [entry[key] for key in ("root", "file") if key in entry]
    pages = [name.removesuffix(".md").removesuffix(".ipynb") + ".html" for name in own]
    return pages + [page for key in ("parts", "chapters", "sections") for page in chapters(entry.get(key))]


PAGES = chapters(yaml.safe_load(table_of_contents().read_text(encoding="utf-8")))
NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/")]
# In `make test` each page is loaded, and these stand for their kinds where a look takes long: for what axe, a phone, the dark
# and a disk make of them. `make test-slow` looks at every page so.
FEW = ("book/index.html", "book/06_ppo.html", "notebooks/01_policy_gradient.html", "book/glossary.html")
FEW_FIRST = [page if page in FEW else pytest.param(page, marks=pytest.mark.slow) for page in PAGES]


def sentences(problems: list[str]) -> str:
    """Problems as the message of a failed test."""
    return "\n".join(["", *problems])


def test_every_page_is_audited(book):
    assert "RLHW_BOOK" in os.environ or set(FEW) <= set(PAGES)
    built = {path.relative_to(book).as_posix() for path in book.rglob("*.html")}
    built = {page for page in built if not page.startswith(("_static/", "_sources/", "_downloads/"))}
    assert len(PAGES) == len(set(PAGES)) > 0
    assert set(PAGES) - built == set(), "pages of _toc.yml that were not built"
    assert built - set(PAGES) - set(NOT_CHAPTERS) == set(), (
        "built pages that are neither in _toc.yml nor excused by name"
    )


class TestLoading:
    """Every page by http: files, errors, links, structure, pictures, maths. xdist keeps a class together; classes run side by
    side.
    """

    @pytest.mark.parametrize("page", PAGES)
    def test_page(self, page_of, web, page, record_property):
        reader, loaded = page_of("light"), set()
        problems = audit_loading(reader, web.url(page), loaded)
        assert ask(reader, "theme") == ["light"]
        problems += web.broken(ask(reader, "links"))
        icons = ask(reader, "icons")
        problems += [f"the icon leads to no file: {icon}" for icon in icons if web.file(icon) is None]
        problems += [] if icons else ["the page names no icon"]
        weight = web.gzip_weight(loaded)
        record_property(PROPERTY, (page, weight))
        if weight > MOST_BYTES:
            problems.append(f"the page weighs {weight} bytes after gzip; at most {MOST_BYTES} are allowed")
        assert not problems, sentences(problems)


class TestLight:
    """The whole audit, by http: axe's rules wide and narrow, contrast, keyboard, phone and paper."""

    @pytest.mark.parametrize("page", FEW_FIRST)
    def test_page(self, page_of, web, page):
        problems = audit(page_of("light"), web.url(page))
        assert not problems, sentences(problems)


class TestDark:
    """What depends on the theme, by http."""

    @pytest.mark.parametrize("page", FEW_FIRST)
    def test_page(self, page_of, web, page):
        reader = page_of("dark")
        problems = audit_theme(reader, web.url(page))
        assert ask(reader, "theme") == ["dark"]
        assert not problems, sentences(problems)


class TestFromDisk:
    """What depends on the place that a page is read from."""

    @pytest.mark.parametrize("page", FEW_FIRST)
    def test_page(self, page_of, disk, page):
        reader = page_of()
        problems = audit_loading(reader, disk.url(page)) + disk.broken(ask(reader, "links"))
        assert not problems, sentences(problems)


@pytest.mark.parametrize("place", ["web", "disk"])
def test_search(request, page_of, place):
    site, reader = request.getfixturevalue(place), page_of()
    with listening(reader, site.address) as heard:
        open_page(reader, site.url("search.html"))
        field = reader.locator("main input[name=q]")
        field.fill(SEARCHED)
        field.press("Enter")
        results = reader.locator("#search-results ul.search li a")
        results.first.wait_for()
        # Sphinx lists one result after the other and says when it has finished.
        reader.get_by_text("Search finished").wait_for()
        addresses = results.evaluate_all("(links) => links.map((link) => link.href)")
    problems = heard.problems + site.broken(addresses)
    assert len(addresses) > 0
    assert not problems, sentences(problems)


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_notebook_page_leads_to_colab_and_to_its_file(page_of, web, page):
    reader = page_of()
    open_page(reader, web.url(page))
    links = ask(reader, "links")
    downloads = {web.file(link) for link in links if link.endswith(".ipynb") and link.startswith(web.address)}
    assert len(downloads) > 0, "no link leads to the notebook's file"
    assert None not in downloads, "a link to a notebook's file leads to no file"
    names = {path.name for path in downloads}
    assert Path(page).with_suffix(".ipynb").name in names
    assert all(json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4 for path in downloads)
    colab = [link for link in links if link.startswith("https://colab.research.google.com/")]
    if not colab:
        assert COLAB_NOT_SET in reader.locator("main").inner_text()
    assert not any(".invalid" in link for link in colab), "a link to Colab holds an address that is not set"


def test_address_of_the_site(page_of, web):
    reader = page_of()
    reader.goto(web.address)
    reader.wait_for_url(web.url(PAGES[0]))


# Where a host would show the page: lost chapters of a project's site, and any lost address of a site of its own.
LOST = [(PROJECT, "book/lost.html"), (PROJECT, "notebooks/deep/lost.html"), ("/", "lost.html"), ("/", "deep/lost.html")]


@pytest.mark.parametrize(("prefix", "lost"), LOST)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_not_found_page(book, page_of, prefix, lost, theme):
    with served(book, prefix) as site:
        reader, url = page_of(theme), site.url(lost)
        problems = [problem for problem in audit(reader, url) if not problem.startswith(f"failed request: {url} ")]
        links = ask(reader, "links")
        assert len(links) > 0, "the page for lost addresses leads nowhere"
        problems += site.broken(links)
    assert not problems, sentences(problems)


def test_not_found_page_from_disk(page_of, disk):
    reader = page_of()
    problems = audit_loading(reader, disk.url("404.html")) + disk.broken(ask(reader, "links"))
    assert not problems, sentences(problems)
