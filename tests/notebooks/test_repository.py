"""The repository's address stands in `_config.yml`; one command carries it everywhere, or changes nothing at all."""

import shutil
from pathlib import Path

import pytest
from toy_notebooks import CONFIG, UNSET, bare, code, toy, write_course

import rlhw
from rlhw import repository
from rlhw.repository import address, set_repository, setup_cell

ROOT = Path(__file__).parents[2]
URL = "https://code.example.org/someone/rlhw"


@pytest.fixture
def root(tmp_path):
    write_course(tmp_path, toy())
    write_course(tmp_path, toy(), "homework/hw1.ipynb")
    (tmp_path / "README.md").write_text(f"Clone {UNSET}.\nNot {UNSET}-notes, {UNSET}/issues\n", encoding="utf8")
    (tmp_path / "CITATION.cff").write_text(f"url: {UNSET}\n", encoding="utf8")
    return tmp_path


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_address_reaches_every_place(root):
    changed = set_repository(URL, root)
    assert {path.name for path in changed} == {"_config.yml", "01_toy.ipynb", "hw1.ipynb", "README.md", "CITATION.cff"}
    assert address(root) == URL
    assert (root / "_config.yml").read_text(encoding="utf8") == CONFIG.replace(UNSET, URL)
    assert (root / "CITATION.cff").read_text(encoding="utf8") == f"url: {URL}\n"
    assert (root / "README.md").read_text(encoding="utf8") == f"Clone {URL}.\nNot {UNSET}-notes, {URL}/issues\n"
    for path in repository.notebooks(root):
        assert f"git+{URL}@v{rlhw.__version__}" in path.read_text(encoding="utf8")
        assert UNSET not in path.read_text(encoding="utf8")


def test_there_and_back_changes_no_byte_and_a_second_time_writes_nothing(root):
    before = bytes_of(root)
    set_repository(URL, root)
    assert set_repository(URL, root) == []
    set_repository(UNSET, root)
    assert bytes_of(root) == before


@pytest.mark.parametrize(
    "url",
    [
        "http://host.org/me/rlhw",
        "https://host.org/me/rlhw/",
        "https://host.org/me/rlhw.git",
        "https://host.org/me/rl hw",
        'https://host.org/me/"rlhw',
        "https://host.org/me/'rlhw",
        "https://host.org/me/rlhw\n",
        "https://host.org/{me}/rlhw",
        "https://host.org",
        "git@host.org:me/rlhw",
        "",
    ],
)
def test_an_address_of_another_form_is_refused_and_nothing_written(root, url):
    before = bytes_of(root)
    with pytest.raises(ValueError, match="URL must look like https://host/owner/name"):
        set_repository(url, root)
    assert bytes_of(root) == before


def test_a_notebook_without_setup_cell_stops_everything(root):
    write_course(root, bare(code("first", "1")), "02_bad.ipynb")
    before = bytes_of(root)
    with pytest.raises(ValueError, match=r"02_bad.ipynb: the first code cell is not the setup cell"):
        set_repository(URL, root)
    assert bytes_of(root) == before


@pytest.mark.parametrize("text", ["title: x\n", "repository:\n  branch: main\nhtml:\n  url: https://a.org/b\n"])
def test_a_config_without_address_gets_a_sentence(tmp_path, text):
    (tmp_path / "_config.yml").write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match="has no line `url:` under `repository:`"):
        address(tmp_path)


def test_outside_a_checkout_one_sentence_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="run this inside a checkout of the course"):
        repository.root_of(tmp_path / "notebooks" / "a.ipynb")


def test_an_unset_address_never_reaches_pip():
    cell = setup_cell("https://anything.invalid/x", "9.9.9")
    assert "pip install ." in cell
    assert "%pip" not in cell
    assert "invalid" not in cell
    assert '%pip install -q "rlhw @ git+https://host.org/x@v9.9.9"' in setup_cell("https://host.org/x", "9.9.9")
    assert "%pip" in setup_cell("https://host.org/invalid.invalid", "1")


def test_atomic_writing_keeps_the_old_text_and_no_rest_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf8")
    path.chmod(0o640)
    repository.write_atomically(path, "new")
    assert (path.read_text(encoding="utf8"), path.stat().st_mode & 0o777) == ("new", 0o640)
    monkeypatch.setattr(repository.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        repository.write_atomically(path, "newer")
    assert [item.read_text(encoding="utf8") for item in tmp_path.iterdir()] == ["new"]


def test_the_real_course_says_one_address_everywhere(tmp_path):
    """Set another address in a copy: the old one is then nowhere, so no place was forgotten."""
    old = address(ROOT)
    texts = [ROOT / name for name in (repository.CONFIG, *repository.CARRIERS)]
    for path in [*filter(Path.is_file, texts), *repository.notebooks(ROOT), *ROOT.glob("book/**/*.md")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    before = bytes_of(tmp_path)
    set_repository(old, tmp_path)
    assert bytes_of(tmp_path) == before, "run `rlhw notebooks set-repository` with the address in _config.yml"
    set_repository(URL, tmp_path)
    assert [path.name for path, text in bytes_of(tmp_path).items() if old in text.decode()] == []
