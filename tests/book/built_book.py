"""The fixture `built_book`: the book, built once for a whole test run by whoever asks first.

Loaded as a plugin in tests/conftest.py, so that tests in every folder share it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Our extensions are modules beside the pages, not a package.
sys.path.insert(0, str(ROOT / "book" / "_ext"))

# A page with less text than this has lost its content.
LEAST_BYTES = 5000
ALWAYS = ("index.html", "404.html", "search.html", "genindex.html", "searchindex.js")


def pages_of_the_toc() -> list[str]:
    """Return the pages that ``_toc.yml`` promises, without suffix."""
    import check_config
    import yaml

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    names = []
    for entry in check_config.toc_entries(toc):
        names += [str(entry[key]) for key in ("root", "file") if key in entry]
    return names


def build(target: Path) -> Path:
    """Build the book below ``target`` from stored outputs, every warning an error. Return the folder of the pages."""
    runner = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(ROOT), "--path-output", str(target), "-W", "-n", "--keep-going"]
    done = subprocess.run(
        [sys.executable, "-c", runner, *options], capture_output=True, text=True, cwd=target, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    assert done.returncode == 0, "the book does not build:\n" + "\n".join(complaints or done.stderr.splitlines()[-15:])
    return target / "_build" / "html"


def assert_whole(html: Path) -> None:
    """Fail where a page that should be there is missing or empty."""
    for name in ALWAYS:
        assert (html / name).is_file(), f"the book has no {name}"
        assert (html / name).stat().st_size > 0, f"{name} is empty"
    for name in pages_of_the_toc():
        page = html / f"{name}.html"
        assert page.is_file(), f"_toc.yml promises {name}, but the book has no such page"
        assert page.stat().st_size > LEAST_BYTES, f"the page {name} is all but empty"


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages. Built once, also with several workers.

    ``RLHW_BOOK`` names a ready one instead. So does what ``make book`` has just built from nothing, of the same sources.
    """
    import built_from

    given = os.environ.get("RLHW_BOOK")
    ready = Path(given).resolve() if given else built_from.ready(ROOT)
    if ready:
        assert_whole(ready)
        return ready
    base = tmp_path_factory.getbasetemp()
    # With xdist each worker has a folder of its own below one that they share.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    target = shared / "book"
    target.mkdir(exist_ok=True)
    html = target / "_build" / "html"
    with (shared / "book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        verdict = target / "built"
        if not verdict.exists():
            try:
                build(target)
                assert_whole(html)
            except AssertionError as error:
                verdict.write_text(str(error), encoding="utf-8")
                raise
            verdict.write_text("", encoding="utf-8")
        failure = verdict.read_text(encoding="utf-8")
    assert not failure, failure
    return html
