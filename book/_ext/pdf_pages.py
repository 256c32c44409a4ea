"""What `make pdf` must know of the built pages before it prints them: their order, titles, sections, and who links where."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of ``_toc.yml``: the page's name without suffix, how deep it stands (the first page: 0), its part's caption."""

    name: str
    depth: int
    part: str


@dataclasses.dataclass(frozen=True)
class Page:
    """A built page: its entry, its title, its sections as (id, title), and every place it links to as (file, fragment)."""

    entry: Entry
    title: str
    sections: tuple[tuple[str, str], ...]
    links: frozenset[tuple[Path, str]]


def reading_order(toc: dict) -> list[Entry]:
    """Return the pages of a parsed ``_toc.yml`` in the order of reading."""

    def below(entries: list[dict], depth: int, part: str) -> Iterator[Entry]:
        for entry in entries:
            if "file" in entry:
                yield Entry(str(entry["file"]), depth, part)
            yield from below(entry.get("sections", []), depth + 1, part)

    order = [Entry(str(toc["root"]), 0, "")]
    parts = toc.get("parts") or [{"chapters": toc.get("chapters", [])}]
    for part in parts:
        order += below(part["chapters"], 1, str(part.get("caption", "")))
    return order


def place(address: str) -> tuple[Path, str] | None:
    """Return the file and the fragment that a ``file:`` address names; None for an address elsewhere."""
    parts = urlsplit(address)
    return (Path(unquote(parts.path)), unquote(parts.fragment)) if parts.scheme == "file" else None


def words(heading: Tag) -> str:
    """Return a heading's words: no mark to link to it, no LaTeX delimiters."""
    text = "".join(part for part in heading.strings if not part.find_parent("a", class_="headerlink"))
    return " ".join(re.sub(r"\\[()]", "", text).split())


def read_page(folder: Path, entry: Entry) -> Page:
    """Read one page of the book built into ``folder``; FileNotFoundError, in one sentence, where it is not there."""
    path = folder / f"{entry.name}.html"
    if not path.is_file():
        raise FileNotFoundError(
            f"The page {entry.name} is in _toc.yml, but not in {folder}: build the book anew (make book)."
        )
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one(".bd-article") or soup
    title = article.find("h1")
    sections = [
        (str(section["id"]), words(section.h2))
        for section in article.find_all("section", id=True)
        if (heading := section.find(re.compile("^h[1-6]$"), recursive=False)) and heading.name == "h2"
    ]
    base = path.resolve().as_uri()
    links = (place(urljoin(base, link["href"])) for link in article.find_all("a", href=True))
    return Page(entry, words(title) if title else entry.name, tuple(sections), frozenset(filter(None, links)))


def targets(pages: list[Page], folder: Path) -> dict[str, list[str]]:
    """Return, for each page's name, the ids that a link or the outline leads to, sorted."""
    files = {(folder / f"{page.entry.name}.html").resolve(): page.entry.name for page in pages}
    wanted = {page.entry.name: {identity for identity, _ in page.sections} for page in pages}
    for page in pages:
        for file, fragment in page.links:
            if fragment and file in files:
                wanted[files[file]].add(fragment)
    return {name: sorted(ids) for name, ids in wanted.items()}
