"""pytest plugin: every display equation of the book is checked by a test that also rejects wrong forms of it.

    @pytest.mark.equation("eq-score", way="finite difference")
    def test_score(equation):
        equation.holds(laws.check_score, policy_gradient.score)
        equation.rejects("sign flipped", laws.check_score, lambda logits, action: -score(logits, action))

What passed is compared with `results/equations.json`, from which the pages draw their marks: a formula, a way or a list
of rejected forms that differs from the record fails the test until it is reviewed and `--accept-equations` is given.
A complete run (the whole suite, or `-m equation`) fails unless as many equations are checked as are stated.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_ext"))
from equations_source import WAYS, Equation, read_record, stated

BOOK, TESTS, RECORD = "book", "tests", "results/equations.json"
ACCEPT = "run `pytest -m equation --accept-equations`"
PROPERTY = "equations"  # name of the user property in which a report carries the record of what its test checked


class EquationCheck:
    """What the fixture `equation` hands to a test: it runs the check on the right form and on wrong ones."""

    def __init__(self) -> None:
        self.held: list[Callable[..., Any]] = []
        self.rejecting: list[Callable[..., Any]] = []
        self.rejected: list[str] = []

    def holds(self, check: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        """Run `check(*arguments, **keywords)` on the right form; it raises AssertionError if the equation is wrong."""
        check(*arguments, **keywords)
        self.held.append(check)

    def rejects(self, wrong_form: str, check: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        """Run the same check on a wrong form, named in words ("sign flipped"): it must raise AssertionError."""
        if not wrong_form.strip() or wrong_form in self.rejected:
            pytest.fail(f"Name each wrong form, and each one once: '{wrong_form}'.", pytrace=False)
        try:
            check(*arguments, **keywords)
        except AssertionError:
            self.rejected.append(wrong_form)
            self.rejecting.append(check)
        except Exception as error:
            kind = type(error).__name__
            sentence = f"The wrong form '{wrong_form}' crashes the check ({kind}): a check rejects by AssertionError."
            raise pytest.fail.Exception(sentence, pytrace=False) from error
        else:
            pytest.fail(f"The wrong form '{wrong_form}' passes the check: the check is too weak.", pytrace=False)

    def gap(self) -> str | None:
        """What is missing before this counts as a check, in one sentence."""
        if not self.held:
            return "It checks no right form: call equation.holds(check, right_form)."
        if not self.rejected:
            return 'It rejects no wrong form: call equation.rejects("sign flipped", check, wrong_form).'
        if not all(check in self.held for check in self.rejecting):
            return "It rejects a wrong form with a check that no right form has passed: give `holds` the same check."
        return None


@pytest.fixture
def equation() -> EquationCheck:
    """Runs the check of an equation on its right form and on named wrong ones."""
    return EquationCheck()


def pytest_addoption(parser: pytest.Parser) -> None:
    sentence = f"write what the passed equation tests checked into {RECORD} (after you have read formula and test)"
    parser.addoption("--accept-equations", action="store_true", help=sentence)


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.pluginmanager.register(Ledger(config), "equations-ledger")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


class Ledger:
    """One run of the suite: which equations its tests checked, held against what is stated and what is on record."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.accept = config.option.accept_equations
        self.equations = {k: v for k, v in stated(config.rootpath / BOOK).items() if not v.is_definition}
        self.record = {} if self.accept else read_record(config.rootpath / RECORD)
        self.marked = {label for label, _ in marked(config.rootpath / TESTS)}
        self.tests: dict[str, set[str]] = {}  # label -> the collected tests that bear it
        self.reached: set[str] = set()
        self.passed: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("equation"):
                self.tests.setdefault(str(marker.args[:1]), set()).add(item.nodeid.split("[")[0])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        markers = list(item.iter_markers("equation"))
        uses = "equation" in getattr(item, "fixturenames", ())
        if bool(markers) != uses:
            pytest.fail("The fixture and the marker `equation` go together: this test has one of them.", pytrace=False)
        entries = {}
        for marker in markers:
            fault = marker_problem(marker, self.equations) or self._second_test(marker)
            if fault:
                pytest.fail(fault, pytrace=False)
            label, test = marker.args[0], item.nodeid.split("[")[0]
            entries[label] = {"sha256": self.equations[label].sha256, **marker.kwargs, "rejects": [], "test": test}
        if entries:
            item.user_properties.append((PROPERTY, entries))

    def _second_test(self, marker: pytest.Mark) -> str | None:
        tests = sorted(self.tests.get(str(marker.args[:1]), ()))
        return f"'{marker.args[0]}' has two tests, {' and '.join(tests)}: keep one." if len(tests) > 1 else None

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Iterator[None]:
        """After the test itself has passed: is it a check, and is it the one on record?"""
        result = yield
        entries = dict(pyfuncitem.user_properties).get(PROPERTY, {})
        check = pyfuncitem.funcargs.get("equation")
        if entries and check.gap():
            pytest.fail(check.gap(), pytrace=False)
        sentences = []
        for label, entry in entries.items():
            entry["rejects"] = check.rejected
            if not self.accept:
                sentences.append(difference(label, entry, self.record, self.equations[label].place))
        if any(sentences):
            pytest.fail("\n".join(filter(None, sentences)), pytrace=False)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Under xdist the workers' reports arrive here, in the controller, with their properties."""
        entries = dict(report.user_properties).get(PROPERTY, {})
        self.reached |= entries.keys()
        if report.when == "call" and report.passed:
            self.passed |= entries

    def faults(self) -> list[str]:
        """In a complete run: one sentence for each stated equation that no passed test checked."""
        options = self.config.option
        tests = self.config.rootpath / TESTS
        named = any((self.config.invocation_params.dir / argument).resolve() == tests for argument in self.config.args)
        suite = named or self.config.args_source is not self.config.ArgsSource.ARGS or options.markexpr == "equation"
        if not suite or options.collectonly or self.marked - self.reached:
            return []
        return [
            f"'{label}' ({equation.place}) has no passed check: "
            + ("its test did not pass." if label in self.reached else f'mark a test with equation("{label}", way="…").')
            for label, equation in self.equations.items()
            if label not in self.passed
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self.config, "workerinput"):
            return
        if self.accept:
            path = self.config.rootpath / RECORD
            try:
                record = read_record(path)
            except ValueError:
                record = {}
            keep = self.equations.keys() & self.marked
            write_record(path, {label: entry for label, entry in (record | self.passed).items() if label in keep})
        if self.faults() and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for sentence in self.faults():
            terminalreporter.write_line(sentence, red=True)
        outside = len(self.marked - self.reached)
        note = f" ({outside} not part of this run)" if outside else ""
        terminalreporter.write_line(f"equations: {len(self.equations)} stated, {len(self.passed)} checked{note}")


def marker_problem(marker: pytest.Mark, equations: dict[str, Equation]) -> str | None:
    """What is wrong with `@pytest.mark.equation("eq-name", way=…, false_alarm=…)`, in one sentence."""
    label = marker.args[0] if len(marker.args) == 1 else None
    way, rate = marker.kwargs.get("way"), marker.kwargs.get("false_alarm")
    if not isinstance(label, str) or not marker.kwargs.keys() <= {"way", "false_alarm"}:
        return 'Write the marker as @pytest.mark.equation("eq-name", way="…"), with one label a marker.'
    if label.startswith("def-"):
        return f"'{label}' is a definition: it states nothing that a test could check."
    if label not in equations:
        return f"The marker names '{label}', which no page of {BOOK}/ states: mend the label or state the equation."
    if way not in WAYS:
        return f"The way of '{label}' is {way!r}: choose one of {', '.join(WAYS)}."
    if way == "simulation" and not (isinstance(rate, float) and 0 < rate < 1):
        return f"The simulation that checks '{label}' must state its false-alarm rate: false_alarm=1e-6."
    if way != "simulation" and rate is not None:
        return f"'{label}' is checked by {way}, which raises no false alarm: drop false_alarm."
    return None


def difference(label: str, now: dict[str, Any], record: dict[str, Any], place: str) -> str | None:
    """How the check of an equation differs from the record, and what to do, in one sentence."""
    before = record.get(label)
    if before is None:
        return f"'{label}' ({place}) is not in {RECORD} yet: read the formula against {now['test']}, then {ACCEPT}."
    if before["sha256"] != now["sha256"]:
        return (
            f"The formula '{label}' ({place}) has changed since {before['test']} checked it: "
            f"read formula, test and code against one another, mend what no longer agrees, then {ACCEPT}."
        )
    keys = [key for key in now | before if before.get(key) != now.get(key)]
    if keys:
        changes = "; ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in keys)
        return f"The check of '{label}' ({place}) differs from the record ({changes}): review it, then {ACCEPT}."
    return None


def marked(folder: Path) -> Iterator[tuple[str, str]]:
    """(label, file) of each equation marker in the test files, read from their source without importing them."""
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        # Every process of a run asks this of all test files: most hold no such word.
        for node in ast.walk(ast.parse(text)) if "equation" in text else ():
            named = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "equation"
            if named and ast.unparse(node.func) == "pytest.mark.equation":
                literal = node.args and isinstance(node.args[0], ast.Constant)
                yield (str(node.args[0].value) if literal else ast.unparse(node)), path.relative_to(folder).as_posix()


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record in a stable order, by way of a temporary file, so that it is never half there."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(dict(sorted(record.items())), indent=2, ensure_ascii=False) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
