"""What the source of a cell names, read and never run."""

import ast
import warnings
from dataclasses import dataclass

CHECKS = ("check", "check_notebook")


@dataclass(frozen=True)
class Names:
    """The names that a cell binds anywhere in it, those that it uses, and the packages that it needs.

    `rlhw` is needed by whom uses more of it than its checks: an `import rlhw` alone needs nothing.
    """

    bound: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()


def names_of(source: str) -> Names:
    """The names in a cell's source; none where it is no Python.

    >>> names = names_of("import numpy as np\\ndef f(x):\\n    return np.exp(x) + shift")
    >>> sorted(names.bound), sorted(names.used)
    (['f', 'np', 'x'], ['np', 'shift', 'x'])
    """
    bound, used, packages = set(), set(), set()
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            modules = [f"{node.module}."] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            packages |= {module.split(".")[0] for module in modules if module != "rlhw"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rlhw":
            packages |= set() if node.attr in CHECKS else {"rlhw"}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return Names(frozenset(bound), frozenset(used), frozenset(packages))


def called_checks(source: str) -> list[tuple[str, str]]:
    """(question, part) of each call of `rlhw.check` in a cell that does nothing else; none for any other cell.

    >>> called_checks('rlhw.check("hw2-gae", gae, "no padding")')
    [('hw2-gae', 'no padding')]
    >>> called_checks('gae = None; rlhw.check("hw2-gae", gae, "no padding")')
    []
    """
    body = _parsed(source).body
    calls = [node.value for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    if len(calls) < len(body) or any(ast.unparse(call.func) != "rlhw.check" for call in calls):
        return []
    return [(_text(call, 0, "question"), _text(call, 2, "part")) for call in calls]


def _text(call: ast.Call, position: int, keyword: str) -> str:
    given = call.args[position] if len(call.args) > position else None
    given = given or next((named.value for named in call.keywords if named.arg == keyword), None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""


def _parsed(source: str) -> ast.Module:
    # Lines that only IPython knows (%magic, !command) bind nothing that matters here.
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    try:
        with warnings.catch_warnings():
            # Such as "\\p" in a string: whoever runs the cell is told, and here nobody asked.
            warnings.simplefilter("ignore")
            return ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])
