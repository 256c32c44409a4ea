"""The table of page weights at the end of a run: a pytest plugin. Tests report a weight as the property `page weight`.

tests/conftest.py names it, because under xdist the process that prints reads no other conftest.
"""

PROPERTY = "page weight"


def pytest_terminal_summary(terminalreporter):
    """One line a page, heaviest first; properties travel from the workers to the process that prints."""
    weights = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            weights.update(value for name, value in getattr(report, "user_properties", []) if name == PROPERTY)
    if not weights:
        return
    terminalreporter.section("page weights: all files that a page loads, after gzip")
    for page, weight in sorted(weights.items(), key=lambda entry: -entry[1]):
        terminalreporter.write_line(f"{weight / 1000:8.0f} kB  {page}")
