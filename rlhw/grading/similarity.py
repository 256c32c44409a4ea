"""Answers that resemble each other, or code of ours, more than independent work does: a list for a person to look at.

Two ways of resembling are looked for. *Word for word*: the names count too, and nine tenths of the shorter answer stand in the
other. *Renamed*: names don't count, and two thirds do; but only passages count that few students of the run have, because what many
write is what the question suggests. (MOSS draws the same line, and has its price too: code that more than a tenth of a
class copied and renamed is not seen here, unless it is ours.) An answer with little of its own is not judged alone: such answers
are judged together, all short ones of a student at once. No entry is a proof, and nothing is subtracted from any grade.
"""

import ast
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
from scipy import sparse

import rlhw
from rlhw import exercises
from rlhw.grading import fingerprints, tables
from rlhw.grading.names import shown

# Measured in tests/grading/test_similarity.py on the right answers of all questions. Of some 150 pairs that answer one question in
# two ways none passes 0.65, the closest has 0.59; renamed and with two lines exchanged, 99 in 100 are found.
WORD_FOR_WORD, RENAMED = 0.9, 0.65
# So many fingerprints must be an answer's own before it is judged: some forty tokens beyond the stub. Below, ways of answering a
# question are too alike by themselves.
LEAST = 15
# A passage that more students have than this part of them (and more than FEW) is the question's own.
COMMON, FEW = 0.1, 3
# Nobody looks at more. A class that hands in one text gives tens of thousands, and the first thousand say so.
MOST = 1000
SHORT = "short answers together"
# Places in the package that hold no code to copy from.
_LEFT_OUT = frozenset({"exercises", "homework", "grading", "widgets", "clinic", "mutants"})

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pair:
    """A student's answer and another's, or a reference (`reference` is True; then `second` is its name).

    `score` is the part of the smaller one that stands in the other, `shared` the fingerprints that they share. Lines are those of
    the answer cells, counted from 1.
    """

    first: str
    second: str
    question: str
    score: float
    shared: int
    word_for_word: bool
    reference: bool
    first_lines: Ranges = ()
    second_lines: Ranges = ()


def compare(sources: Mapping[str, Mapping[str, str]], references: Mapping[str, str]) -> list[Pair]:
    """The pairs that resemble each other, the most alike first, at most MOST. `sources`: student -> question -> source."""
    students = sorted(sources)
    asked = sorted({question for answers in sources.values() for question in answers})
    kept = {
        names: {name: fingerprints.of(references[name], names).kept for name in sorted(references)}
        for names in (True, False)
    }
    stubs = {name: exercises.question(name).stub for name in set(asked) & set(exercises.names())}
    pairs: list[Pair] = []
    short: dict[str, set[int]] = {student: set() for student in students}
    for number, question in enumerate(asked):
        stub = stubs.get(question, "")
        for names in (True, False):
            prints = {
                student: fingerprints.of(sources[student][question], names, stub).kept
                for student in students
                if question in sources[student]
            }
            if not names:
                prints = _rare(prints, len(students))
                for student, own in prints.items():
                    if len(own) < LEAST:
                        # The number of the question keeps like passages of two questions apart.
                        short[student] |= {own_hash ^ (number + 1) for own_hash in own}
            pairs += _found(prints, kept[names], question, names)
    pairs += _found(short, {}, SHORT, False)
    return [_with_lines(pair, sources, references) for pair in sorted(_best(pairs), key=_order)[:MOST]]


def _rare(prints: dict[str, frozenset[int]], students: int) -> dict[str, frozenset[int]]:
    counts: dict[int, int] = {}
    for own in prints.values():
        for found in own:
            counts[found] = counts.get(found, 0) + 1
    most = max(FEW, COMMON * students)
    return {student: frozenset(found for found in own if counts[found] <= most) for student, own in prints.items()}


def _found(
    prints: Mapping[str, Iterable[int]], references: Mapping[str, frozenset[int]], question: str, names: bool
) -> list[Pair]:
    """Pairs over the threshold, by one product of matrices: rows are answers, columns fingerprints."""
    students = [student for student, own in prints.items() if len(own) >= LEAST]
    others = [name for name, own in references.items() if len(own) >= LEAST]
    if not students:
        return []
    column = {found: place for place, found in enumerate(sorted({f for student in students for f in prints[student]}))}
    matrix = _matrix([prints[student] for student in students], column)
    targets = sparse.vstack([matrix, _matrix([references[name] for name in others], column)])
    sizes = np.array([len(prints[student]) for student in students])
    target_sizes = np.concatenate([sizes, np.array([len(references[name]) for name in others], dtype=int)])
    shared = (matrix @ targets.T).tocoo()
    score = shared.data / np.minimum(sizes[shared.row], target_sizes[shared.col])
    over = (score >= (WORD_FOR_WORD if names else RENAMED)) & (shared.row < shared.col)
    labels = [*students, *others]
    return [
        Pair(labels[a], labels[b], question, round(float(s), 3), int(count), names, bool(b >= len(students)))
        for a, b, s, count in zip(shared.row[over], shared.col[over], score[over], shared.data[over], strict=True)
    ]


def _matrix(prints: list[Iterable[int]], column: dict[int, int]) -> sparse.csr_matrix:
    places = [[column[found] for found in own if found in column] for own in prints]
    ends = np.cumsum([0, *map(len, places)])
    columns = np.array([place for row in places for place in row], dtype=np.int32)
    return sparse.csr_matrix((np.ones(len(columns), dtype=np.int32), columns, ends), shape=(len(prints), len(column)))


def _best(pairs: list[Pair]) -> list[Pair]:
    """One entry for two answers: word for word before renamed. Of the references that one answer resembles, the closest."""
    best: dict[tuple, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: (not pair.word_for_word, *_order(pair))):
        best.setdefault((pair.first, "" if pair.reference else pair.second, pair.reference, pair.question), pair)
    return list(best.values())


def _order(pair: Pair) -> tuple:
    return (-pair.score, -pair.shared, pair.first, pair.second, pair.question)


def _with_lines(pair: Pair, sources: Mapping[str, Mapping[str, str]], references: Mapping[str, str]) -> Pair:
    if pair.question == SHORT:
        return pair
    names = pair.word_for_word
    first = fingerprints.of(sources[pair.first][pair.question], names)
    second = fingerprints.of(references[pair.second] if pair.reference else sources[pair.second][pair.question], names)
    return Pair(**{**vars(pair), "first_lines": _lines(first, second), "second_lines": _lines(second, first)})


def _lines(own: fingerprints.Fingerprints, other: fingerprints.Fingerprints) -> Ranges:
    ranges: list[list[int]] = []
    for start, end in own.lines[np.isin(own.hashes, other.hashes)].tolist():
        if ranges and start <= ranges[-1][1] + 1:
            ranges[-1][1] = max(ranges[-1][1], end)
        else:
            ranges.append([start, end])
    return tuple((start, end) for start, end in ranges)


def references() -> dict[str, str]:
    """Name -> source of all functions of `rlhw`, and of the right answers to all its questions."""
    package, found = Path(rlhw.__file__).parent, {}
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] not in _LEFT_OUT:
            module = ".".join(["rlhw", *inside.with_suffix("").parts]).removesuffix(".__init__")
            found.update(_functions(path.read_text(encoding="utf8"), module))
    for name in exercises.names():
        for key, answer in exercises.question(name).right.items():
            # The source of a function made by another says little of what it does.
            if inspect.isfunction(answer) and "<" not in answer.__qualname__:
                found[f"{name}, right answer '{key}'"] = dedent(inspect.getsource(answer))
    return found


def _functions(source: str, module: str) -> dict[str, str]:
    return {
        f"{module}.{node.name}": ast.get_source_segment(source, node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


def write(pairs: Iterable[Pair], path: Path) -> None:
    """Write `similarity.csv`: a row for each pair, in order."""
    header = ("student", "and", "question", "score", "shared", "how", "lines", "lines of the other")
    rows = (
        (
            shown(pair.first),
            pair.second if pair.reference else shown(pair.second),
            pair.question,
            pair.score,
            pair.shared,
            "word for word" if pair.word_for_word else "renamed",
            _as_text(pair.first_lines),
            _as_text(pair.second_lines),
        )
        for pair in pairs
    )
    tables.write(path, header, rows)


def _as_text(ranges: Ranges) -> str:
    # A word before the numbers: a spreadsheet takes 3-8 for a day.
    return ", ".join(f"line {start}" if start == end else f"lines {start} to {end}" for start, end in ranges)
