"""`rlhw label export` and `rlhw label import`: pairs to a Label Studio server, labels back, and what they are worth."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rlhw.preferences import (
    Comparison,
    Share,
    agreement,
    from_label_studio,
    labelling_time,
    last_labels,
    length_bias,
    position_bias,
    read_export,
    read_pairs,
    to_label_studio,
    write_jsonl,
)
from rlhw.preferences.files import write_whole

NEXT = """In Label Studio create a project, put the text of {config} under Settings > Labeling Interface > Code, and import {tasks}.
When the labels are there, export the project as JSON and run: rlhw label import EXPORT.json --out labels.jsonl"""


def export_pairs(pairs: str, out: str, *, ties: bool = False, say: Callable[[str], None] = print) -> None:
    """Write config.xml and tasks.json of a Label Studio project into the folder `out`, and say what to do with them.

    ValueError where one of both is there already, FileNotFoundError and ValueError as `read_pairs`; then nothing is written.
    """
    found = read_pairs(pairs)
    config, tasks = to_label_studio(found, ties=ties)
    folder = Path(out)
    files = {
        folder / "config.xml": config,
        folder / "tasks.json": json.dumps(tasks, ensure_ascii=False, indent=1) + "\n",
    }
    if there := [path for path in files if path.exists()]:
        raise ValueError(f"{there[0]} is there already; name another folder, or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for path, text in files.items():
            write_whole(path, [text.encode("utf8")])
    except OSError:
        for path in files:
            path.unlink(missing_ok=True)
        raise
    say(f"{len(found)} pairs in {folder}")
    say(NEXT.format(config=folder / "config.xml", tasks=folder / "tasks.json"))


def import_labels(export: str, out: str, *, force: bool = False, say: Callable[[str], None] = print) -> None:
    """Write the comparisons of a Label Studio export to `out`, the last label of each annotator for a pair, and say what they are.

    ValueError where `out` is there and `force` is not set, and where the export holds no comparison; what `read_export` and
    `from_label_studio` raise. Then nothing is written.
    """
    path = Path(out)
    if path.exists() and not force:
        raise ValueError(f"{path} is there already; name another file, or say --force to replace it.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.absolute().parent} for {path.name}; make it first.")
    imported = from_label_studio(read_export(export))
    labels, replaced = last_labels(imported.comparisons)
    if not labels:
        raise ValueError(f"{export} holds no comparison that could be kept: {imported}")
    write_jsonl(path, labels)
    say(f"{len(labels)} comparisons in {path}")
    for line in report(labels, imported.left_out, replaced):
        say(f"  {line}")


def report(labels: Sequence[Comparison], left_out: Counter[str], replaced: int) -> Iterator[str]:
    """What imported labels are worth, a line each: what was left out, who agrees, which answers they lean to, how long it took."""
    empty = sum(not (label.first and label.second) for label in labels)
    yield f"left out: {sum(left_out.values())} annotations or tasks"
    for reason, count in left_out.most_common():
        yield f"  {count} × {reason.removesuffix('.')}"
    yield f"replaced by a later label of the same annotator: {replaced}"
    yield f"with an empty answer: {empty}; ties: {sum(label.choice == 'tie' for label in labels)}"
    people = Counter("no name" if label.annotator is None else repr(label.annotator) for label in labels)
    yield f"annotators: {', '.join(f'{name} gave {count}' for name, count in sorted(people.items()))}"
    yield f"agreement: {_or_why(lambda: _agreement(labels))}"
    yield f"longer answer chosen: {_or_why(lambda: _share(length_bias(labels)))}"
    yield f"answer 1 chosen: {_or_why(lambda: _share(position_bias(labels)))}"
    yield f"seconds a label: {_or_why(lambda: _seconds(labels))}"


def _or_why(figure: Callable[[], str]) -> str:
    """A figure in words, or the reason why there is none: an import is not refused for what it cannot measure."""
    try:
        return figure()
    except ValueError as error:
        return f"not known: {error}"


def _agreement(labels: Sequence[Comparison]) -> str:
    found = agreement(labels)
    return f"{found.raw:.2f} of {found.items} pairs that several labelled, {found.statistic}'s kappa {found.kappa:.2f}"


def _share(found: Share) -> str:
    return f"{found.count} of {found.total}, {found.share:.2f} (95 % interval {found.low:.2f} to {found.high:.2f})"


def _seconds(labels: Sequence[Comparison]) -> str:
    time = labelling_time(labels)
    return f"median {time.median:.1f}, half of them {time.lower:.1f} to {time.upper:.1f}; {time.untimed} without a time"
