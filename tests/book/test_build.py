"""The built book: every page is there, stands without a network, speaks its pictures, and fits together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import offline_pages
import pytest
from alt_text import RAW_ALT, RAW_IMAGE
from book.built_book import ROOT, assert_whole, pages_of_the_toc
from bs4 import BeautifulSoup, Tag

VENDOR = ROOT / "book" / "_assets" / "vendor"


def pages(book: Path) -> list[Path]:
    """The book's pages, without what lies among the static files."""
    return [page for page in sorted(book.rglob("*.html")) if "_static" not in page.relative_to(book).parts]


@dataclass(frozen=True)
class Found:
    """What the tests want to know of a page. To parse one takes a second, and its tree as much memory as a small model."""

    anchors: set[str]
    links: list[str]  # of its content, without side bars
    fetched: list[str]  # scripts, pictures, style sheets, icons
    search_fields: tuple[int, int]  # in the side bar, elsewhere
    unread: list[str]


def classes_around(tag: Tag) -> set[str]:
    """The classes of all elements that this one stands in. (A CSS selector looks at every element of the page for that.)"""
    return {name for parent in tag.parents for name in parent.get("class") or []}


def read(text: str) -> Found:
    """Parse a page, once."""
    soup = BeautifulSoup(text, "html.parser")
    fetched = [tag.get("src") for tag in soup.find_all(["script", "img", "source", "iframe"])]
    fetched += [tag.get("href") for tag in soup.find_all("link") if "canonical" not in (tag.get("rel") or [])]
    content = (soup.find("main") or soup).find_all("a", href=True)
    around = [classes_around(field) for field in soup.find_all(class_="search-button-field")]
    return Found(
        anchors={tag["id"] for tag in soup.find_all(id=True)},
        links=[link["href"] for link in content],
        fetched=[address for address in fetched if address],
        search_fields=(
            sum("bd-sidebar-primary" in classes for classes in around),
            sum(not classes.isdisjoint({"navbar-persistent--container", "bd-header"}) for classes in around),
        ),
        unread=unread_markup(soup),  # last, for it takes the tree apart
    )


@pytest.fixture(scope="module")
def parsed(built_book) -> dict[Path, Found]:
    """What stands on each page of the book."""
    return {page: read(page.read_text(encoding="utf-8")) for page in pages(built_book)}


def test_every_promised_page_is_there(built_book):
    assert_whole(built_book)


def test_only_promised_pages_are_there(built_book):
    made = {page.relative_to(built_book).with_suffix("").as_posix() for page in pages(built_book)}
    own = {name for name in made if name.startswith(("book/", "notebooks/"))}
    assert own == set(pages_of_the_toc())


def unread_markup(soup: BeautifulSoup) -> list[str]:
    """Roles and directives that stand on a page as they were typed: `{card}`, `{eq}`, ```{figure}."""
    for own_language in [*soup.find_all(["code", "pre", "script", "style"]), *soup.find_all(class_="math")]:
        own_language.decompose()
    return re.findall(r"\{[a-z:-]+\}(?:`|\s|$)", soup.get_text())


def test_no_markup_is_left_unread(parsed):
    assert read("<td>{card}`slips_01 x</td>").unread == ["{card}`"]
    assert read("<td><code>{card}</code> and a set {0, 1}</td>").unread == []
    assert {page.name: found.unread for page, found in parsed.items() if found.unread} == {}


def test_no_page_fetches_from_another_host(built_book):
    found = {page.name: offline_pages.external_requests(page.read_text(encoding="utf-8")) for page in pages(built_book)}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_no_style_sheet_fetches_from_another_host(built_book):
    styles = list((built_book / "_static").rglob("*.css"))
    assert len(styles) > 3
    for style in styles:
        assert offline_pages.external_requests(style.read_text(encoding="utf-8")) == [], style.name


def test_what_pages_fetch_is_in_the_book(parsed):
    assert read('<img src="a.svg"><link rel="icon" href="b.svg"><link rel="canonical" href="c">').fetched == [
        "a.svg",
        "b.svg",
    ]
    for page, found in parsed.items():
        for address in found.fetched:
            parts = urlsplit(address)
            if parts.scheme == "data" or not parts.path:
                continue
            assert (page.parent / unquote(parts.path)).resolve().exists(), f"{page.name} asks for {address}"


def test_links_inside_the_book_lead_somewhere(parsed):
    assert read('<nav><a href="n"></a></nav><main id="m"><a href="a#b"></a></main>').links == ["a#b"]
    anchors = {page.resolve(): found.anchors for page, found in parsed.items()}
    for page, found in parsed.items():
        for href in found.links:
            parts = urlsplit(href)
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            assert target.exists(), f"{page.name} links {href}"
            if parts.fragment and target in anchors:
                assert unquote(parts.fragment) in anchors[target], f"{page.name} links {href}"


def test_every_picture_has_words(built_book):
    for page in pages(built_book):
        for tag in RAW_IMAGE.findall(page.read_text(encoding="utf-8")):
            assert RAW_ALT.search(tag), f"{page.name} shows {tag}"


def test_scripts_that_reach_outside_are_gone(built_book):
    for page in pages(built_book):
        text = page.read_text(encoding="utf-8")
        for word in ("thebe", "require.js", "embed-amd", "html-manager", "cdn.jsdelivr", "unpkg.com", "fontawesome.js"):
            assert word not in text, f"{page.name} still names {word}"


def test_one_search_box_a_page(built_book, parsed):
    field = '<div class="{}"><p><button class="btn search-button-field"></button></p></div>'
    assert read(field.format("bd-sidebar-primary bd-sidebar") + field.format("bd-header")).search_fields == (1, 1)
    fields = {name: parsed[built_book / f"{name}.html"].search_fields for name in pages_of_the_toc()}
    assert {name: count for name, count in fields.items() if count != (1, 0)} == {}


def test_the_search_index_knows_the_chapters(built_book):
    index = (built_book / "searchindex.js").read_text(encoding="utf-8")
    for name in pages_of_the_toc():
        assert f'"{name}"' in index


def test_the_favicon_is_ours(built_book):
    first = (built_book / "book" / "index.html").read_text(encoding="utf-8")
    assert re.search(r'rel="icon" href="\.\./_static/favicon\.svg"', first) or "favicon.svg" in first
    assert (built_book / "_static" / "favicon.svg").is_file()


@pytest.mark.parametrize("name", [name for name in pages_of_the_toc() if name.startswith("notebooks/")])
def test_a_notebook_page_has_its_line_of_links(built_book, name):
    soup = BeautifulSoup((built_book / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    line = soup.select_one("p.notebook-links")
    assert line is not None
    assert "Colab" in line.get_text()
    download = line.select_one("a.download")
    copy = (built_book / name).parent / unquote(download["href"])
    assert copy.read_bytes() == (ROOT / f"{name}.ipynb").read_bytes()


def test_every_chapter_of_the_map_has_a_link(built_book):
    soup = BeautifulSoup((built_book / "book" / "index.html").read_text(encoding="utf-8"), "html.parser")
    entries = soup.select(".course-map li")
    assert len(entries) == 18
    assert [entry.get_text() for entry in entries if entry.select_one("a") is None] == []


def test_every_module_of_the_library_has_its_place_on_one_of_the_api_pages():
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("api*.md"))]
    listed = re.findall(r"automodule:: (rlhw[\w.]*)", "".join(pages))
    shown = set(listed)
    assert len(listed) == len(shown), "a module stands twice"
    for module in shown - {"rlhw"}:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), f"the API pages show {module}"
    subjects = {f"rlhw.{path.stem}" for path in (ROOT / "rlhw").glob("*.py") if not path.stem.startswith("_")}
    # Tools of the maintainer, read in their source.
    inside = {"rlhw.cli", "rlhw.notebook_rules", "rlhw.repository", "rlhw.same_model"}
    assert subjects - shown - inside == set()


def test_vendored_code_has_its_licence_beside_it():
    folders = [folder for folder in VENDOR.iterdir() if folder.is_dir()]
    assert len(folders) >= 2
    for folder in folders:
        assert (folder / "LICENSE").read_text(encoding="utf-8").strip(), f"{folder.name} has no licence"


def test_the_map_of_pages_counts_what_is_missing(tmp_path):
    """The guard of the first test, on a book whose pages got lost."""
    with pytest.raises(AssertionError, match=r"the book has no index\.html"):
        assert_whole(tmp_path)
    for name in ("index.html", "404.html", "search.html", "genindex.html", "searchindex.js"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(AssertionError, match="the book has no such page"):
        assert_whole(tmp_path)
