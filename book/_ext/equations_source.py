"""The display equations of the book, read out of its Markdown, and the record of the checks that passed.

Plain Python without Sphinx: the Sphinx extension `checked_equations` and the pytest plugin `tests/equations.py`
both stand on this file, so that the page and the test suite speak of the same equations.
The Markdown is read by MyST's own parser, so that what counts as display mathematics here counts in the build too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils.parsers.rst.directives.misc import TestDirective
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser

WAYS = ("symbolic", "enumeration", "finite difference", "closed form", "simulation")
SYNTAX = {"amsmath", "colon_fence", "deflist", "dollarmath", "fieldlist", "substitution", "tasklist"}
# The bodies of these directives are not Markdown. In any other directive a `$$` is read as a formula.
LITERAL = {"bibliography", "code", "code-block", "code-cell", "eval-rst", "literalinclude", "mermaid",
           "parsed-literal", "raw", "sourcecode", "tableofcontents", "toctree"}  # fmt: skip
LABEL = re.compile(r"(eq|def)-[a-z0-9]+(-[a-z0-9]+)*")
NUMBERED = re.compile(r"\\begin\{(equation|align|alignat|flalign|gather|multline|eqnarray)\*?\}|\\(label|tag)\b")
CLAIMS = re.compile(
    r"(?<!:)=|[<>]|\\(leq?|leqslant|geq?|geqslant|neq?|equiv|approx|simeq|propto|implies|iff|Rightarrow|"
    r"Leftrightarrow|Longrightarrow|coloneqq)(?![A-Za-z])"
)
BRACKETS = re.compile(r"\\begin\{cases\}|\\end\{cases\}|\\[{}|]|[_^]\s*\{|\\.|[(\[{}\])]")


@dataclass(frozen=True)
class Equation:
    """One labelled display equation: where it stands (`page` is relative to the book's parent folder) and its LaTeX."""

    label: str
    latex: str
    page: str
    line: int

    @property
    def is_definition(self) -> bool:
        return self.label.startswith("def-")

    @property
    def sha256(self) -> str:
        return fingerprint(self.latex)

    @property
    def place(self) -> str:
        return f"{self.page}, line {self.line}"


def fingerprint(latex: str) -> str:
    """sha256 of the LaTeX without its comments and with every run of whitespace made one space."""
    bare = re.sub(r"(?<!\\)((?:\\\\)*)%.*", r"\1", latex)
    return hashlib.sha256(" ".join(bare.split()).encode()).hexdigest()


def stated(folder: Path | str) -> dict[str, Equation]:
    """All labelled display equations of the Markdown pages below `folder`, by label; the first where two share it."""
    return _survey(Path(folder))[0]


def problems(folder: Path | str) -> list[str]:
    """One sentence for each display equation below `folder` that is unlabelled, mislabelled or breaks a rule."""
    equations, faults = _survey(Path(folder))
    return faults + _definition_problems(equations)


def read_record(path: Path | str) -> dict[str, dict[str, Any]]:
    """The record of the checks that passed: label -> sha256, way, rejects, test. No file: an empty record."""
    if not Path(path).is_file():
        return {}
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if all({"sha256", "way", "rejects", "test"} <= entry.keys() for entry in record.values()):
            return record
    except (ValueError, AttributeError):
        pass
    raise ValueError(f"{path} is not a record of checked equations: run `pytest -m equation --accept-equations` anew")


def _survey(folder: Path) -> tuple[dict[str, Equation], list[str]]:
    equations: dict[str, Equation] = {}
    faults: list[str] = []
    parser = create_md_parser(MdParserConfig(enable_extensions=SYNTAX, dmath_double_inline=True), RendererHTML)
    for path in sorted(folder.rglob("*.md")):
        if any(part.startswith("_") for part in path.relative_to(folder).parts):
            continue  # _assets holds other people's READMEs
        page = path.relative_to(folder.parent).as_posix()
        for label, latex, line in _display_maths(parser, path.read_text(encoding="utf-8"), 0):
            equation = Equation(label, latex.strip(), page, line)
            fault = _fault(equation, equations.get(label))
            if fault:
                faults.append(f"{equation.place}: {fault}")
            elif label:
                equations[label] = equation
    return equations, faults


def _fault(equation: Equation, twin: Equation | None) -> str | None:
    if equation.label == "$$":
        return "`$$` stands inside a paragraph or is not closed: begin it after an empty line, close it and label it."
    if equation.label == "amsmath":
        return "an AMS environment stands outside `$$`: write `$$ \\begin{aligned} … \\end{aligned} $$ (eq-name)`."
    if not equation.label:
        return "this display equation has no label: close it with `$$ (eq-name)`, or `$$ (def-name)` if it defines."
    if not LABEL.fullmatch(equation.label):
        return f"the label '{equation.label}' must be eq-name or def-name in lower case, digits and hyphens."
    if twin is not None:
        return f"the label '{equation.label}' is taken by the equation on {twin.place}: choose another name."
    numbered = NUMBERED.search(equation.latex)
    if numbered:
        return f"'{equation.label}' holds {numbered.group()}: the number comes from the label behind `$$`; use aligned."
    return None


def _display_maths(parser: MarkdownIt, text: str, offset: int) -> Iterator[tuple[str, str, int]]:
    """(label, LaTeX, line) of each display formula; the label is empty, 'amsmath' or '$$' where the form is wrong."""
    for token in parser.parse(text):
        line = offset + (token.map[0] if token.map else 0) + 1
        if token.type in {"math_block", "math_block_label"}:
            yield token.info, token.content, line
        elif token.type == "amsmath":
            yield "amsmath", token.content, line
        elif token.type in {"fence", "colon_fence"}:
            yield from _fenced(parser, token, line)
        elif token.type == "inline":
            yield from (("$$", child.content, line) for child in token.children or [] if _is_stray(child))


def _is_stray(child: Token) -> bool:
    return child.type == "math_inline_double" or (child.type == "text" and "$$" in child.content)


def _fenced(parser: MarkdownIt, token: Token, line: int) -> Iterator[tuple[str, str, int]]:
    name, _, argument = token.info.strip().partition(" ")
    is_directive = name.startswith("{") and name.endswith("}")
    if name[1:-1] in LITERAL or not (is_directive or token.type == "colon_fence"):
        return
    if not is_directive:
        yield from _display_maths(parser, token.content, line)
        return
    # MyST, too, puts an empty line before a nested `:::`, lest it pass for an option.
    guard = "\n" if token.content.startswith(":::") else ""
    # docutils' TestDirective accepts every option, which is what a reader of unknown directives needs.
    parts = parse_directive_text(TestDirective, argument, guard + token.content)
    if name == "{math}":
        label = parts.options.get("label") or parts.options.get("name") or ""
        yield label, "\n\n".join([*parts.arguments, "\n".join(parts.body)]), line
    else:
        yield from _display_maths(parser, "\n".join(parts.body), line + parts.body_offset - len(guard))


def _definition_problems(equations: Mapping[str, Equation]) -> list[str]:
    """A definition is the first appearance of its left-hand side, has one `:=` and claims nothing else."""
    faults = []
    seen: dict[str, Equation] = {}
    for equation in equations.values():
        surface = _surface(equation.latex)
        side = _left_side(equation.latex, surface)
        if equation.is_definition:
            claim = CLAIMS.search(surface)
            if equation.latex.count(":=") != 1 or ":=" not in surface:
                faults.append(f"{equation.place}: the definition '{equation.label}' must hold exactly one `:=`.")
            elif claim:
                faults.append(
                    f"{equation.place}: the definition '{equation.label}' also claims something "
                    f"(`{claim.group()}`): state that as an equation `eq-…` of its own, with a check."
                )
            elif side in seen:
                faults.append(
                    f"{equation.place}: '{equation.label}' defines what already stands on the left of "
                    f"'{seen[side].label}' ({seen[side].place}): only a first appearance is a definition."
                )
        elif ":=" in surface:
            faults.append(f"{equation.place}: '{equation.label}' holds `:=`: a definition bears the label `def-…`.")
        if side:
            seen.setdefault(side, equation)
    return faults


def _surface(latex: str) -> str:
    """The formula with blanks for what stands in brackets, subscripts and cases: `\\Pr(A = a)` claims nothing."""
    shown = list(latex)
    depth, last = 0, 0
    hiding: list[bool] = []  # for each open brace: does it hide what it holds? A macro's argument doesn't.
    for match in BRACKETS.finditer(latex):
        before = depth
        sign = "".join(match.group().split())
        if sign in {"{", "_{", "^{"}:
            hiding.append(sign != "{")
            depth += hiding[-1]
        elif sign == "}":
            depth -= bool(hiding) and hiding.pop()
        elif sign in {"(", "[", r"\{", r"\begin{cases}"}:
            depth += 1
        elif sign in {")", "]", r"\}", r"\end{cases}"}:
            depth = max(0, depth - 1)
        first = last if before else match.start()
        stop = match.end() if before or depth else first
        shown[first:stop] = " " * (stop - first)
        last = match.end()
    return "".join(shown)


def _left_side(latex: str, surface: str) -> str:
    sign = re.search(r":?=", surface)
    return re.sub(r"\\begin\{\w+\*?\}|[&\s]", "", latex[: sign.start()]) if sign else ""
