"""Misspelt keys and entries without a file are refused, each in one sentence that names the cure."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import check_config
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

CONFIG = {"title": "A book", "execute": {"execute_notebooks": "off"}, "sphinx": {"config": {"language": "en"}}}
TOC = {"format": "jb-book", "root": "index", "parts": [{"caption": "One", "chapters": [{"file": "first"}]}]}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book without a fault."""
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(TOC), encoding="utf-8")
    for name in ("index.md", "first.ipynb"):
        (tmp_path / name).write_text("# A page\n", encoding="utf-8")
    return tmp_path


def test_our_own_files_are_accepted():
    assert check_config.problems_of(ROOT) == []


def test_a_faultless_book_is_accepted(book):
    assert check_config.problems_of(book) == []


@pytest.mark.parametrize(
    ("change", "key", "closest"),
    [
        ({"titel": "x"}, "titel", "title"),
        ({"html": {"favikon": "x.svg"}}, "html.favikon", "favicon"),
        ({"execute": {"execute_notebook": "off"}}, "execute.execute_notebook", "execute_notebooks"),
        ({"sphinx": {"local_extension": {}}}, "sphinx.local_extension", "local_extensions"),
        ({"sphinx": {"config": {"nb_ipywidget_js": {}}}}, "sphinx.config.nb_ipywidget_js", "nb_ipywidgets_js"),
        (
            {"sphinx": {"config": {"html_theme_options": {"navbar_persistant": []}}}},
            "sphinx.config.html_theme_options.navbar_persistant",
            "navbar_persistent",
        ),
        ({"html": {"comments": {"hypotesis": True}}}, "html.comments.hypotesis", "hypothesis"),
    ],
)
def test_an_unknown_key_is_named_with_the_closest_known_one(change, key, closest):
    (sentence,) = check_config.config_problems(CONFIG | change)
    assert sentence == f"_config.yml: nobody reads the key '{key}'; the closest known key is '{closest}'."


def test_a_section_that_holds_no_keys_is_refused():
    (sentence,) = check_config.config_problems(CONFIG | {"html": "favicon.svg"})
    assert "'html' must hold keys of its own" in sentence


def test_a_key_that_stands_twice_is_refused(book):
    (book / "_config.yml").write_text("title: One\nauthor: A\ntitle: Two\n", encoding="utf-8")
    (sentence,) = check_config.problems_of(book)
    assert sentence == "_config.yml, line 3: the key 'title' stands twice: keep one of the two."


def test_yaml_that_cannot_be_read_is_refused(book):
    (book / "_toc.yml").write_text("root: [index\n", encoding="utf-8")
    (sentence,) = check_config.problems_of(book)
    assert sentence.startswith("_toc.yml, line ")


def test_an_entry_without_a_file_is_named(book):
    (book / "first.ipynb").unlink()
    (sentence,) = check_config.problems_of(book)
    assert sentence == "_toc.yml: 'first' has no file; write first.md or first.ipynb, or take the entry out."


def test_an_entry_that_stands_twice_is_named():
    toc = TOC | {"parts": [{"chapters": [{"file": "first", "sections": [{"file": "first.ipynb"}]}]}]}
    sentences = check_config.toc_problems(toc, Path("/nowhere"))
    assert "_toc.yml: 'first.ipynb' stands twice; keep the entry where readers should meet it." in sentences


def test_an_unknown_key_of_the_toc_is_named():
    toc = {"format": "jb-book", "root": "index", "chapter": []}
    sentences = check_config.toc_problems(toc, ROOT / "book")
    assert sentences == ["_toc.yml: nobody reads the key 'chapter'; the closest known key is 'chapters'."]


def test_files_that_are_not_there_are_named(tmp_path):
    sentences = check_config.problems_of(tmp_path)
    assert len(sentences) == 2
    assert all("there is no such file" in sentence for sentence in sentences)


def test_the_command_ends_with_one_and_prints_only_sentences(book):
    (book / "_config.yml").write_text("titel: A book\n", encoding="utf-8")
    script = shutil.copy(ROOT / "book" / "_ext" / "check_config.py", book / "check_config.py")
    done = subprocess.run([sys.executable, script, str(book)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["_config.yml: nobody reads the key 'titel'; the closest known key is 'title'."]
