"""A book that was built already is used by the tests only where a build from nothing would make the same."""

from __future__ import annotations

import io
from pathlib import Path

import built_from
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small book with what a fingerprint looks at."""
    for name, text in {
        "_config.yml": "title: A book\n",
        "index.md": "# A page\n",
        "rlhw/module.py": "x = 1\n",
        "rlhw/__pycache__/module.pyc": "compiled",
        "book/page.md": "---\norphan: true\n---\n# Another\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def build(root: Path, **settings: object) -> None:
    """Build as `make book` does: warnings are errors, all are shown, references must lead somewhere."""
    config = {"extensions": ["myst_nb", "built_from"], "nb_execution_mode": "off", "nitpicky": True}
    config |= {"exclude_patterns": ["_build"], "html_theme": "basic", "nb_ipywidgets_js": {}}
    out = root / "_build" / "html"
    with docutils_namespace():
        app = Sphinx(
            root, None, out, root / "_build" / ".doctrees", "html", config | settings, status=None,
            warning=io.StringIO(), warningiserror=True, keep_going=True, parallel=0,
        )  # fmt: skip
        app.build()


def test_a_strict_build_from_nothing_may_be_used(root):
    assert built_from.ready(root) is None
    build(root)
    assert built_from.ready(root) == root / "_build" / "html"
    (root / "rlhw" / "__pycache__" / "module.pyc").write_text("compiled anew", encoding="utf-8")
    (root / "rlhw" / ".hidden").write_text("an editor's", encoding="utf-8")
    assert built_from.ready(root) == root / "_build" / "html"


@pytest.mark.parametrize("name", ["_config.yml", "rlhw/module.py", "rlhw/new.py", "book/page.md"])
def test_another_source_means_another_book(root, name):
    build(root)
    (root / name).write_text("# changed\n", encoding="utf-8")
    assert built_from.ready(root) is None


def test_a_file_taken_away_or_renamed_means_another_book(root):
    build(root)
    (root / "rlhw" / "module.py").rename(root / "rlhw" / "other.py")
    assert built_from.ready(root) is None


def test_another_package_means_another_book(root, monkeypatch):
    build(root)
    monkeypatch.setattr(built_from.metadata, "distributions", list)
    assert built_from.ready(root) is None


def test_a_build_on_top_of_another_may_not_be_used(root):
    build(root)
    build(root)
    assert built_from.ready(root) is None


def test_a_build_with_a_warning_may_not_be_used(root):
    (root / "index.md").write_text("# A page\n\n[nowhere](nowhere.md)\n", encoding="utf-8")
    build(root)
    assert (root / "_build" / "html" / "index.html").is_file()
    assert built_from.ready(root) is None


def test_a_lenient_build_may_not_be_used(root):
    build(root, nitpicky=False)
    assert built_from.ready(root) is None


def test_a_build_that_was_broken_off_may_not_be_used(root, monkeypatch):
    monkeypatch.setattr("sphinx.builders.html.StandaloneHTMLBuilder.write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(root)
    assert built_from.ready(root) is None
