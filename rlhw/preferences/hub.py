"""Preference data sets of the Hugging Face Hub, or of a local folder or file of the same form, with the columns named."""

import os
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rlhw.preferences.comparison import Choice, Import, Record, gather
from rlhw.preferences.formats import from_trl

if TYPE_CHECKING:
    from datasets import Dataset

READERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
FORMS = ({"chosen", "rejected"}, {"prompt", "chosen", "rejected"}, {"prompt", "first", "second", "choice"})
CHOICES: dict[Hashable, Choice] = {"first": "first", "second": "second", "tie": "tie"}
UNKNOWN_CHOICE = "choice is not among choices"


def from_hub(
    name: str,
    *,
    split: str = "train",
    config: str | None = None,
    prompt: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
    first: str | None = None,
    second: str | None = None,
    choice: str | None = None,
    choices: Mapping[Hashable, Choice] = CHOICES,
) -> Import:
    """The comparisons of a data set, its columns named one by one: nothing is guessed.

    name: a folder or a .jsonl, .json or .parquet file here, else a Hub id "owner/name"; split may be a slice, "train[:1000]".
    Columns: chosen and rejected, with prompt or (TRL's implicit form) without; or prompt, first, second and choice, whose
    values `choices` translates, {0: "first", 1: "second"}. Rows that hold no comparison are left out and counted.

    Raises FileNotFoundError for an id that is gone, ConnectionError where the Hub is out of reach, ModuleNotFoundError without
    `datasets`; ValueError for a column, split or config that there is not, and when no row gives a comparison.

        from_hub("trl-lib/tldr-preference", prompt="prompt", chosen="chosen", rejected="rejected", split="train[:1000]")
    """
    named = {
        "prompt": prompt,
        "chosen": chosen,
        "rejected": rejected,
        "first": first,
        "second": second,
        "choice": choice,
    }
    columns = {key: column for key, column in named.items() if column is not None}
    if set(columns) not in FORMS:
        raise ValueError(
            "columns must be chosen= and rejected=, with or without prompt=, or prompt=, first=, second= and choice=; "
            f"got {', '.join(columns) or 'none'}."
        )
    data = load_split(name, config, split)
    if missing := [column for column in columns.values() if column not in data.column_names]:
        raise ValueError(f"'{name}' has no column '{missing[0]}'; it has {', '.join(data.column_names)}.")
    data = data.select_columns(list(dict.fromkeys(columns.values())))
    rows = ({key: row[column] for key, column in columns.items()} for row in data)
    imported = from_trl(rows) if "chosen" in columns else gather(_translated(rows, choices))
    if not imported.comparisons:
        raise ValueError(f"'{name}', split '{split}', holds no comparison in these columns: {imported}")
    return imported


def _translated(rows: Iterator[Record], choices: Mapping[Hashable, Choice]) -> Iterator[Record | str]:
    for row in rows:
        value = row["choice"]
        known = isinstance(value, Hashable) and value in choices
        yield row | {"choice": choices[value]} if known else UNKNOWN_CHOICE


def load_split(name: str, config: str | None, split: str) -> "Dataset":
    """The split of a data set, with the progress bars of `datasets` put back as they were."""
    try:
        import datasets
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "name: data sets are read by the package `datasets`; python -m pip install 'rlhw[lm]'."
        ) from None
    path = Path(name)
    if not os.path.exists(name) and (path.suffix in READERS or name.count("/") != 1):
        raise FileNotFoundError(f"'{name}' is no folder or file here, and no Hub id of the form 'owner/name'.")
    if path.is_file() and path.suffix not in READERS:
        raise ValueError(f"name: '{name}' must end in {', '.join(READERS)}; other files are not read.")
    source, files = (READERS[path.suffix], str(path)) if path.is_file() else (name, None)
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(source, config, data_files=files, split=split)
    except FileNotFoundError as error:
        why = "it holds no data" if path.exists() else "there is no such data set on the Hub, or it is gone or private"
        raise FileNotFoundError(f"'{name}' cannot be read: {why} ({_first_line(error)}).") from None
    except ConnectionError as error:
        raise ConnectionError(
            f"'{name}' could not be fetched, because the Hub was not reached ({_first_line(error)}); "
            "check the network, or give a local folder or file."
        ) from None
    except Exception as error:  # what a reader of foreign files raises is no fixed list
        raise ValueError(f"'{name}' could not be read: {_first_line(error)}.") from None
    finally:
        if bars:
            datasets.enable_progress_bars()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200].rstrip(".! ")
