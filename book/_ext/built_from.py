"""What a finished book was built from: `_build/built_from`, so that the tests need not build what lies there already.

The stamp is a hash of every file that a build can read and of the installed packages. It is written only where a build
may stand for the tests' own: from nothing, with every warning an error, missing references included, and no warning given.
A build on top of an older one leaves no stamp, since Sphinx may keep a page whose sources in `rlhw` have changed.
"""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

STAMP = "built_from"
FOLDERS = ("book", "notebooks", "results", "rlhw", "benchmarks", "tests")
FILES = ("_config.yml", "_toc.yml", "pyproject.toml", "requirements.txt", "CITATION.cff", "CHANGELOG.md")


def fingerprint(root: Path) -> str:
    """Return the hash of what a build of the book at `root` depends on: files by name and bytes, packages by version."""
    found = hashlib.sha256(platform.python_version().encode())
    packages = {f"{package.metadata['Name']}=={package.version}" for package in metadata.distributions()}
    found.update("\n".join(sorted(packages)).encode())
    listed = [root / name for name in FILES] + [
        path for folder in FOLDERS for path in sorted((root / folder).rglob("*"))
    ]
    for path in listed:
        inside = path.relative_to(root)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            found.update(f"\n{inside.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return found.hexdigest()


def ready(root: Path) -> Path | None:
    """Return the folder of pages at `root` if they are what a build from nothing would make now; else None."""
    pages, stamp = root / "_build" / "html", root / "_build" / STAMP
    if not (stamp.is_file() and pages.is_dir()):
        return None
    return pages if stamp.read_text(encoding="utf-8") == fingerprint(root) else None


def take_away(app: Sphinx) -> None:
    """Before a build: no stamp. What it will be built from is remembered, if it is built from nothing and strictly."""
    stamp = Path(app.outdir).parent / STAMP
    stamp.unlink(missing_ok=True)
    from_nothing = not any(Path(app.outdir).rglob("*.html"))
    # Told to keep going, Sphinx counts warnings to the end and fails then.
    strict = (app.warningiserror or app.keep_going) and app.config.nitpicky
    app.built_from = fingerprint(Path(app.srcdir)) if from_nothing and strict else ""


def leave(app: Sphinx, exception: Exception | None) -> None:
    """After a build without a warning: the stamp. Where Sphinx no longer counts warnings there is none."""
    if app.built_from and exception is None and getattr(app, "_warncount", 1) == 0:
        (Path(app.outdir).parent / STAMP).write_text(app.built_from, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; last of all, for what others do at the end belongs to the pages."""
    app.connect("builder-inited", take_away, priority=999)
    app.connect("build-finished", leave, priority=999)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
