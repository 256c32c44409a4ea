"""Mechanical mutants: one operator, comparison, number, keyword or name changed in the source of a function with a law.

The changes are cosmic-ray's (extra `dev`), and `Neighbour` below adds names (max for min) and @. Left out, because they
kill themselves and would flatter the share: shifts and bit operators on numbers, `is` for ==. Left out, because no
caller could tell: docstrings, annotations, the words of an error. Guards (`if …: raise`) count: see `promises.py`. Those
that survive are named in `survivors.py`, each with its reason.

Each mutant runs in a worker process from its own source: nothing imported is touched, and what does not end is stopped.
"""

import ast
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import chain, count, groupby
from operator import attrgetter
from pathlib import Path

SECONDS, PIECE = 60.0, 20  # how long a mutant may run; how many of one law a worker takes at a time
ARITHMETIC, BITS = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}, {"BitOr", "BitAnd", "BitXor"}
# VariableReplacer and VariableInserter draw at random; RemoveDecorator finds nothing inside a function of ours.
NOT_USED = ("VariableReplacer", "VariableInserter", "RemoveDecorator")


@dataclass(frozen=True)
class Mutant:
    """`source` is the whole module with one change, on `line` of `function` ("module:name")."""

    law: str
    address: str
    function: str
    line: str
    source: str

    @property
    def key(self) -> str:
        """How `survivors.py` names it."""
        return f"{self.function} | {self.line}"


class Neighbour:
    """A cosmic-ray operator: a name for the one it is mistaken for, and * for @."""

    PAIRS = (
        ("max", "min"), ("maximum", "minimum"), ("argmax", "argmin"), ("sum", "mean"), ("cumsum", "cumprod"),
        ("all", "any"), ("zeros_like", "ones_like"), ("log", "exp"), ("sqrt", "square"), ("@", "*"),
    )  # fmt: skip
    SWAP = dict(PAIRS) | {right: left for left, right in PAIRS if left != "@"}

    def mutation_positions(self, node: object) -> Iterator[tuple]:
        if getattr(node, "value", None) in self.SWAP and node.parent.type != "decorator":
            yield node.start_pos, node.end_pos

    def mutate(self, node: object, index: int) -> object:
        node.value = self.SWAP[node.value]
        return node


@cache
def operators() -> list:
    """The operators in use, from cosmic-ray's list of all and our own."""
    from cosmic_ray.plugins import get_operator, operator_names

    def wanted(name: str) -> bool:
        kind, *ends = name.removeprefix("core/").split("_")
        if kind == "ReplaceBinaryOperator":
            return set(ends) <= ARITHMETIC or set(ends) <= BITS
        return kind not in NOT_USED and not {"Is", "IsNot"} & set(ends)

    return [get_operator(name)() for name in operator_names() if wanted(name)] + [Neighbour()]


class _Meaning(ast.NodeTransformer):
    """Drops what no caller can tell: docstrings, annotations, the words of an error."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return node


def meaning(source: str) -> str | None:
    """What the code says, layout and words left out; None when it is not Python."""
    try:
        return ast.dump(_Meaning().visit(ast.parse(source)))
    except SyntaxError:
        return None


def changes(source: str) -> Iterator[tuple[str, str]]:
    """Every change of one function's source that means something new: (the changed line, the changed source)."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    seen = {meaning(source), None}
    nodes = list(ast_nodes(get_ast(source)))
    for operator in operators():
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            changed = mutate_code(source, operator, occurrence)
            if (says := meaning(changed)) not in seen:
                seen.add(says)
                pairs = zip(source.splitlines(), changed.splitlines(), strict=True)
                yield next(" ".join(new.split()) for old, new in pairs if old != new), changed


def functions_of(source: str) -> dict[str, str]:
    """The source of each function at the top of a module, and under a class's name that of its `forward`."""
    definitions = {}
    for node in ast.parse(source).body:
        methods = node.body if isinstance(node, ast.ClassDef) else []
        found = [part for part in methods if isinstance(part, ast.FunctionDef) and part.name == "forward"]
        for part in [node] if isinstance(node, ast.FunctionDef) else found:
            definitions[node.name] = ast.get_source_segment(source, part)
    return definitions


def called_by(name: str, functions: dict[str, str]) -> list[str]:
    """The function and all that it calls in its module, directly or through others."""
    found = [name]
    for function in found:
        names = {node.id for node in ast.walk(ast.parse(functions[function])) if isinstance(node, ast.Name)}
        found += [other for other in functions if other in names and other not in found]
    return found


def mutants(subjects: dict[str, str], workers: int = 1) -> Iterator[Mutant]:
    """The mutants of each law's function, and of what it calls in its module that has no law; each counted once.

    Listing the changes of some hundred functions takes half a minute; several workers share it.
    """
    places, done = [], set(subjects.values())
    for law, address in subjects.items():
        module, name = address.split(":")
        source = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
        functions = functions_of(source)
        own = [name, *(f for f in called_by(name, functions) if f"{module}:{f}" not in done)]
        done |= {f"{module}:{f}" for f in own}
        places += [(law, address, f"{module}:{function}", source, functions[function]) for function in own]
    several = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) if workers > 1 else nullcontext()
    with several as pool:
        found = (pool.map if pool else map)(_listed, [own for *_, own in places])
        for (law, address, function, source, own), lines in zip(places, found, strict=True):
            for line, changed in lines:
                yield Mutant(law, address, function, line, source.replace(own, changed))


def _listed(source: str) -> list[tuple[str, str]]:
    """`changes`, for a worker to hand back."""
    return list(changes(source))


def from_source(address: str, source: str) -> Callable:
    """The function at "module:name", with `source` in place of the module's file; nothing imported is touched."""
    module, name = address.split(":")
    namespace = {"__name__": module}
    exec(compile(source, f"<mutant of {module}>", "exec"), namespace)
    return namespace[name]


def run(mutants: Iterable[Mutant], seconds: float = SECONDS) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what killed it: "law: …", an error of its own, "time: …"; "" when it survives."""
    worker, pipe = None, None
    try:
        for mutant in mutants:
            if worker is None:
                worker, pipe = _start()
            pipe.send(mutant)
            pipe.recv()  # it has imported what it needs: from here on the clock is fair
            outcome = f"time: it had not come to an end after {seconds:g} seconds"
            if pipe.poll(seconds):
                try:
                    yield mutant, pipe.recv()
                    continue
                except EOFError:
                    outcome = "crash: it took its process down"
            worker.kill()
            worker = None
            yield mutant, outcome
    finally:
        if worker is not None:
            worker.kill()
            worker.join()


def run_side_by_side(mutants: Iterable[Mutant], workers: int | None = None) -> list[tuple[Mutant, str]]:
    """`run` with several workers, one a core unless said otherwise; on a screen it tells how many mutants are done.

    Whoever is free takes the next few of a law; the laws with the most mutants come first. The outcomes are in the mutants' order.
    """
    groups = [list(group) for _, group in groupby(mutants, key=attrgetter("law"))]
    done, total = count(1), sum(map(len, groups))
    largest = sorted(groups, key=len, reverse=True)
    pieces = [group[start : start + PIECE] for group in largest for start in range(0, len(group), PIECE)]
    waiting = iter(pieces)  # shared: each takes what the others have not taken

    def work(_: int) -> dict[int, tuple[Mutant, str]]:
        found = {}
        for mutant, outcome in run(chain.from_iterable(waiting)):
            found[id(mutant)] = mutant, outcome
            if sys.stderr.isatty():
                print(f"\r{next(done)} of {total} mechanical mutants", end="", file=sys.stderr, flush=True)
        return found

    with ThreadPoolExecutor(workers := workers or os.cpu_count() or 1) as pool:
        outcomes = {place: outcome for found in pool.map(work, range(workers)) for place, outcome in found.items()}
    return [outcomes[id(mutant)] for group in groups for mutant in group]


def _start() -> tuple:
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    worker = context.Process(target=_work, args=(other,), daemon=True)
    worker.start()
    other.close()
    pipe.recv()
    return worker, pipe


def _work(pipe) -> None:
    """The worker: holds each mutant that arrives to its law and its promises."""
    # Tensors here are small, and other workers may run beside this one: more threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # LAPACK prints what it thinks of a mutant's NaN, from Fortran, past Python's own streams.
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    from rlhw.mutants import broken_law, load

    known = set()
    pipe.send("ready")
    while True:
        mutant = pipe.recv()
        if mutant.law not in known:
            # Our own function first: it brings in what the law needs (torch takes seconds), and its time is not counted.
            broken_law(mutant.law, load(mutant.address), ours=True)
            known.add(mutant.law)
        pipe.send("ready")
        try:
            fn = from_source(mutant.address, mutant.source)
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")
            continue
        pipe.send(broken_law(mutant.law, fn, ours=True))
