"""Writing files and folders so that they are there whole or not at all, and quietly."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until the disk has what was written: a rename that comes before it could name an empty file after a crash."""
    if path.is_dir() and os.name != "posix":
        return  # Windows opens no folders, and needs no flush of them.
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A folder that is there whole or not at all: fill the one handed out; it gets its name when the block ends well.

    For what is saved as several files: `with whole_folder("policy") as draft: model.save_pretrained(draft)`. A folder that
    had the name is replaced; for an instant it stands beside as `.<name>.old`. An error in the block leaves it as it was.
    """
    path = Path(path)
    draft, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for file in [*draft.rglob("*"), draft]:
            flush(file)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            os.replace(path, old)
        os.replace(draft, path)
        flush(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no reports of transformers on stderr within the block, as a notebook keeps them; afterwards all is
    as it was.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    bars, hub_bars_off, level = logging.is_progress_bar_enabled(), are_progress_bars_disabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        (disable_progress_bars if hub_bars_off else enable_progress_bars)()
