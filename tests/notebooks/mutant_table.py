"""The table of library mutants at the end of a run: a pytest plugin. Tests report a line as property `library mutant`.

tests/conftest.py names it, because under xdist the process that prints reads no other conftest.
"""

PROPERTY = "library mutant"


def pytest_terminal_summary(terminalreporter):
    """One line for each mutant of the library: the notebook, the edit, and which cells nbval then fails."""
    rows = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            rows += [value for name, value in getattr(report, "user_properties", []) if name == PROPERTY]
    if not rows:
        return
    terminalreporter.section("a wrong library must fail the notebooks")
    for notebook, edit, verdict in sorted(rows):
        terminalreporter.write_line(f"{notebook:28} {edit:60} {verdict}")
