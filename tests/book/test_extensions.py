"""Our extensions, each on a page that shows what it is for and on one that it must refuse."""

from __future__ import annotations

import json

import notebook_links
import offline_pages
import page_fixes
import plain_docstrings
import pytest
from small_book import SmallBook

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="


def notebook(alt: str | None) -> str:
    """A notebook with one picture in its output."""
    metadata = {} if alt is None else {"mystnb": {"image": {"alt": alt}}}
    output = {"output_type": "display_data", "data": {"image/png": PIXEL, "text/plain": "a figure"}, "metadata": {}}
    code = {"cell_type": "code", "id": "b", "metadata": metadata, "source": "1", "execution_count": 1}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A notebook"},
        code | {"outputs": [output]},
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells})


# Alt text


@pytest.mark.parametrize(
    "text",
    [
        "![](dot.png)",
        "```{figure} dot.png\nA caption\n```",
        "```{image} dot.png\n```",
        '<p><img src="dot.png"></p>',
        '<img src="dot.png" alt=" ">',
    ],
)
def test_a_picture_without_alt_text_is_refused_with_page_and_line(tmp_path, text):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "dot.png").write_bytes(b"")
    book = SmallBook(tmp_path, {"index.md": f"# Title\n\nWords.\n\n{text}\n"}, ["alt_text"])
    (warning,) = book.warnings
    assert "index.md:5: WARNING: " in warning
    assert "has no alt text: say in its alt text what is to be seen on it" in warning


@pytest.mark.parametrize(
    "text",
    ["![A dot](dot.png)", "```{figure} dot.png\n:alt: A dot\n\nA caption\n```", '<img alt="A dot" src="dot.png">'],
)
def test_a_picture_with_alt_text_is_accepted(tmp_path, text):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "dot.png").write_bytes(b"")
    assert SmallBook(tmp_path, {"index.md": f"# Title\n\n{text}\n"}, ["alt_text"]).warnings == []


def test_a_notebooks_picture_needs_alt_text_too(tmp_path):
    spoken = SmallBook(tmp_path / "spoken", {"index.ipynb": notebook("A dot")}, ["alt_text"])
    assert spoken.warnings == []
    assert 'alt="A dot"' in spoken.page()
    (warning,) = SmallBook(tmp_path / "silent", {"index.ipynb": notebook(None)}, ["alt_text"]).warnings
    assert "index.ipynb" in warning
    assert "rlhw.plots.show(figure, alt=" in warning


# Notebook links


@pytest.mark.parametrize(
    ("repository", "words", "address"),
    [
        ("https://repository.invalid/rlhw", notebook_links.NOT_SET, None),
        ("", notebook_links.NOT_SET, None),
        ("https://git.example.org/a/b", notebook_links.ELSEWHERE, None),
        ("https://github.com.evil.org/a/b", notebook_links.ELSEWHERE, None),
        (
            "https://github.com/owner/course.git",
            "Open in Colab",
            "https://colab.research.google.com/github/owner/course/blob/main/notebooks/01_a.ipynb",
        ),
    ],
)
def test_colab_is_offered_only_where_the_address_can_be_opened(repository, words, address):
    assert notebook_links.colab_link(repository, "main", "notebooks/01_a") == (words, address)


def test_a_notebook_page_links_its_file_and_its_theory(tmp_path):
    pages = {
        "index.md": "# Title\n\n```{toctree}\nnotebooks/01_a\nbook/01_a\n```\n",
        "notebooks/01_a.ipynb": notebook("A dot"),
        "book/01_a.md": "# Theory\n",
    }
    # The basic theme knows no options for repositories: the address then counts as not set.
    book = SmallBook(tmp_path, pages, ["notebook_links"])
    page = book.page("notebooks/01_a")
    assert book.warnings == []
    assert notebook_links.NOT_SET.replace("'", "’") in page or notebook_links.NOT_SET in page
    assert 'href="../book/01_a.html"' in page
    assert (book.html / "_downloads").is_dir()
    assert "01_a.ipynb" in page


# Pages without a network, and mends


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        "<script defer src='//cdn.example.org/a.js'></script>",
        '<link rel="stylesheet" href="https://cdn.example.org/a.css">',
        '<link href="https://cdn.example.org/a.css" rel="stylesheet">',
        '<img alt="A dot" src="http://example.org/a.png">',
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>@font-face { src: url(https://example.org/a.woff2) }</style>",
    ],
)
def test_what_a_browser_would_fetch_elsewhere_is_found(text):
    assert len(offline_pages.external_requests(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://example.org">a link to follow</a>',
        '<script src="../_static/a.js"></script>',
        '<img alt="A dot" src="data:image/png;base64,AA==">',
    ],
)
def test_what_stays_here_is_left_alone(text):
    assert offline_pages.external_requests(text) == []


def test_a_page_that_would_fetch_something_is_one_warning(tmp_path):
    text = '# Title\n\n<script src="https://cdn.example.org/a.js"></script>\n'
    (warning,) = SmallBook(tmp_path, {"index.md": text}, ["offline_pages"]).warnings
    assert "index.html fetches https://cdn.example.org/a.js when it is opened" in warning


def test_tables_scroll_in_a_region_of_their_own_and_code_takes_the_keyboard():
    theme = '<div class="pst-scrollable-table-container"><table class="table"><tr><td>1</td></tr></table></div>'
    plain = '<table border="1"><tr><td>2</td></tr></table>'
    mended = page_fixes.mend(f'<p>a</p>{theme}<p>b</p>{plain}<pre><span></span>code</pre><pre tabindex="0">x</pre>')
    assert mended.count('<div class="table-scroll" tabindex="0" role="region"') == 2
    assert 'aria-label="Table 1"' in mended
    assert 'aria-label="Table 2"' in mended
    assert mended.count("<div") == mended.count("</div>") == 2
    assert mended.count('<pre tabindex="0">') == 2


def test_the_not_found_page_stands_alone(tmp_path):
    book = SmallBook(tmp_path, {"index.md": "# Title\n"}, ["not_found"], html_title="A <b> & c")
    page = book.page("404")
    assert "A &lt;b&gt; &amp; c" in page
    assert '<link rel="icon" href="data:,">' in page
    assert "src=" not in page
    assert offline_pages.external_requests(page) == []


# Docstrings


def test_docstrings_are_shown_as_they_are_written():
    lines = ["The score of |A| arms, v_pi and a*b; see `softmax`.", "", "    p_y / q_", "", ">>> 1 + 1", "2"]
    shown = plain_docstrings.readable(lines)
    assert shown[0] == r"The score of \|A\| arms, v\_pi and a\*b; see ``softmax``."
    assert shown[2:6] == ["::", "", "        p_y / q_", ""]
    assert shown[6:8] == [">>> 1 + 1", "2"]


def test_types_in_signatures_are_short_and_shapes_stay():
    text = "(logits: jaxtyping.Float[numpy.ndarray, 'A b.c'], rng: numpy.random._generator.Generator) -> float"
    assert plain_docstrings.short_names(text) == "(logits: Float[ndarray, 'A b.c'], rng: Generator) -> float"
