"""What makes `pytest --nbval-lax my_homework.ipynb` judge by the right checks: a plugin of pytest, registered as
`rlhw-homework`, so that `-p no:rlhw-homework` switches it off.

Of a notebook that is homework, nbval is handed a copy in which every check is the assignment's own: an edited, removed,
skipped or re-saved check makes no difference. The summary names each part, its points, and what was put right. Every other
notebook, and every run without nbval, is left alone. pytest loads this module in every run of everybody who has rlhw, so
it imports nothing but the standard library and pytest until a homework notebook is met.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

# Under this name a check's report carries which part of which notebook it judged: reports travel between processes.
PROPERTY, SAID = "rlhw homework", "rlhw said"
# Every homework notebook holds one of these: our metadata, or the first line of an answer. Whether it is homework in
# truth is asked only when it is collected.
SIGNS = re.compile(r'"rlhw"\s*:\s*\{|#\s*answer:|<!--\s*answer:')
OUTCOMES = pytest.StashKey[dict]()


def pytest_configure(config: pytest.Config) -> None:
    """What the reports of this run will say, by notebook: filled as they come in."""
    config.stash[OUTCOMES] = {}
    config.pluginmanager.register(Reports(config.stash[OUTCOMES]), "rlhw-homework-reports")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Iterator[None]:
    """Put our collector in the place of nbval's, for a notebook that is homework."""
    collectors = yield
    theirs = [found for found in collectors if type(found).__module__ == "nbval.plugin"]
    if not theirs or not _has_signs(file_path):
        return collectors
    return [_collector(found) if found in theirs else found for found in collectors]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Lay what a check printed into its report, for the summary."""
    if call.when == "call" and (mark := dict(item.user_properties).get(PROPERTY)):
        item.user_properties.append((SAID, _said(item, mark["title"])))
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of each homework notebook."""
    for path, seen in sorted(config.stash[OUTCOMES].items()):
        terminalreporter.section(f"homework {seen['assignment']}: {path}")
        for line in _table(seen):
            terminalreporter.write_line(line)


class Reports:
    """Gathers what the checks' reports say. With several processes they all arrive in the one that prints."""

    def __init__(self, notebooks: dict) -> None:
        self.notebooks = notebooks

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part has passed when nothing about its check failed, was skipped or was expected to fail."""
        properties = dict(report.user_properties)
        if (mark := properties.get(PROPERTY)) is None:
            return
        seen = self.notebooks.setdefault(mark["path"], {**mark["notebook"], "outcomes": {}})
        outcome = seen["outcomes"].setdefault(mark["title"], {"passed": [], "said": ""})
        outcome["passed"].append(report.outcome == "passed" and not hasattr(report, "wasxfail"))
        outcome["said"] = properties.get(SAID, outcome["said"])


def _has_signs(path: Path) -> bool:
    """Whether the file may be homework. One that cannot be read is nbval's to report."""
    try:
        return bool(SIGNS.search(path.read_text(encoding="utf8")))
    except (OSError, UnicodeDecodeError):
        return False


def _collector(found: pytest.File) -> pytest.File:
    """nbval's own collector, which is handed the restored notebook in place of the file's."""
    from nbval import plugin

    class HomeworkFile(plugin.IPyNbFile):
        def collect(self) -> list[pytest.Item]:
            restored = _restored(self.path)
            if restored is None:
                return list(super().collect())
            notebook = plugin.nbformat.reads(json.dumps(restored.notebook), as_version=4)
            with patch.object(plugin.nbformat, "read", lambda *_, **__: notebook):
                items = list(super().collect())
            if self.nb is not notebook:
                raise self.CollectError("This nbval reads notebooks in a way that rlhw does not know: update rlhw.")
            _mark(items, self.nodeid, restored)
            return items

    return HomeworkFile.from_parent(found.parent, path=found.path)


def _restored(path: Path):
    """The notebook with the assignment's checks; None when it is no homework, or no JSON, which nbval reports."""
    from rlhw.homework import restore

    try:
        notebook = json.loads(path.read_text(encoding="utf8"))
    except (ValueError, RecursionError):
        return None
    found = restore.recognize(notebook)
    return restore.restore(notebook, *found) if found else None


def _mark(items: list[pytest.Item], path: str, restored) -> None:
    """Write onto each check which part of which notebook it judges."""
    notebook = {
        "assignment": restored.assignment.name,
        "people": restored.assignment.people,
        "parts": [[part.title, part.points] for part in restored.parts],
        "remarks": list(restored.remarks),
    }
    titles = {part.cell: part.title for part in restored.parts}
    for item in items:
        if title := titles.get(item.cell.get("id")):
            item.user_properties.append((PROPERTY, {"path": path, "title": title, "notebook": notebook}))


def _said(item: pytest.Item, title: str) -> str:
    """What a check printed of its part, or the error that it ended in, on one line."""
    for output in item.test_outputs or []:
        for line in output.get("text", "").splitlines():
            if line.startswith(f"{title}: "):
                return line.removeprefix(f"{title}: ")
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}".splitlines()[0]
    return ""


def _table(seen: dict) -> list[str]:
    """A line a part, the sum, and what was put right."""
    lines, earned = [], 0
    for title, points in seen["parts"]:
        outcome = seen["outcomes"].get(title, {"passed": [], "said": "was not run"})
        passed = bool(outcome["passed"]) and all(outcome["passed"])
        earned += points if passed else 0
        head = f"{'passed' if passed else 'FAILED'}  {points if passed else 0} of {points}  {title}"
        lines.append(head if passed or not outcome["said"] else f"{head}: {outcome['said']}")
    more = f" People give up to {seen['people']} more." if seen["people"] else ""
    lines.append(f"{earned} of {sum(points for _, points in seen['parts'])} points from the checks.{more}")
    return lines + seen["remarks"]
