"""How equations are read out of the Markdown, what is refused there, and what stands on the built page."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from equations_source import fingerprint, problems, stated

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = ROOT / "book" / "_ext"


@pytest.fixture
def book(tmp_path):
    """`book(text)` writes one page and gives the folder."""

    def write(text: str) -> Path:
        (tmp_path / "book").mkdir(exist_ok=True)
        (tmp_path / "book" / "01_toy.md").write_text(text, encoding="utf-8")
        return tmp_path / "book"

    return write


NESTED = """---
key: front matter
---
# Title

$$ a = 1 $$ (eq-one)

::::{prf:theorem} Its title
:label: thm-x

:::{prf:proof}
$$
\\begin{aligned}
b &= 2
\\end{aligned}
$$ (eq-two)
:::
::::

- item

  $$ c = 3 $$ (eq-three)

> :::{admonition} A title
> ```{math}
> ---
> label: eq-four
> ---
> d = 4
> ```
> :::

````{note}
```{math} e = 5
:label: eq-five
```
````
"""


def test_equations_are_found_wherever_they_stand(book):
    found = {label: (e.latex, e.page, e.line) for label, e in stated(book(NESTED)).items()}
    assert found == {
        "eq-one": ("a = 1", "book/01_toy.md", 6),
        "eq-two": ("\\begin{aligned}\nb &= 2\n\\end{aligned}", "book/01_toy.md", 12),
        "eq-three": ("c = 3", "book/01_toy.md", 22),
        "eq-four": ("d = 4", "book/01_toy.md", 25),
        "eq-five": ("e = 5", "book/01_toy.md", 34),
    }
    assert problems(book(NESTED)) == []


@pytest.mark.parametrize(
    "text",
    [
        "```python\n$$ a = 1 $$\n```\n",
        "    $$ a = 1 $$ (eq-indented-code)\n",
        "<!--\n$$ a = 1 $$\n-->\n",
        "% $$ a = 1 $$\n",
        "`$$ a = 1 $$` and $a = 1$\n",
        "```{code-block} latex\n$$ a = 1 $$\n```\n",
    ],
)
def test_code_and_comments_state_nothing(book, text):
    assert (stated(book(text)), problems(book(text))) == ({}, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("$$ a = 1 $$\n", "has no label"),
        ("```{math}\na = 1\n```\n", "has no label"),
        (":::{note}\n$$ a = 1 $$\n:::\n", "has no label"),
        ("$$ a = 1 $$ (score)\n", "the label 'score' must be eq-name or def-name"),
        ("$$ a = 1 $$ (eq-Score)\n", "the label 'eq-Score' must be eq-name or def-name"),
        ("\\begin{align}\na = 1\n\\end{align}\n", "an AMS environment stands outside"),
        ("$$ a = 1 \\label{x} $$ (eq-a)\n", "'eq-a' holds \\label"),
        ("$$ a = 1 \\tag{x} $$ (eq-a)\n", "'eq-a' holds \\tag"),
        ("$$\n\\begin{align}\na = 1\n\\end{align}\n$$ (eq-a)\n", "'eq-a' holds \\begin{align}"),
        ("Text goes on\n$$ a = 1 $$ (eq-a)\n", "stands inside a paragraph"),
        ("$$\na = 1\n\nText\n", "or is not closed"),
        ("$$ a = 1 $$ (eq-a)\n\n$$ b = 1 $$ (eq-a)\n", "is taken by the equation on book/01_toy.md, line 1"),
        ("$$ a := 1 $$ (eq-a)\n", "a definition bears the label"),
        ("$$ a = 1 $$ (def-a)\n", "must hold exactly one `:=`"),
        ("$$ a := b := 1 $$ (def-a)\n", "must hold exactly one `:=`"),
        ("$$ a := 1 = b $$ (def-a)\n", "also claims something (`=`)"),
        ("$$ a := \\underbrace{1 = b}_{c} $$ (def-a)\n", "also claims something (`=`)"),
        ("$$ a := b \\le 1 $$ (def-a)\n", "also claims something (`\\le`)"),
        ("$$ \\begin{aligned} a &:= b \\\\ &= c \\end{aligned} $$ (def-a)\n", "also claims something"),
        ("$$ q(a) = 1 $$ (eq-q)\n\n$$ q( a ) := 2 $$ (def-q)\n", "what already stands on the left of 'eq-q'"),
        ("$$ q(a) := 1 $$ (def-q)\n\n$$ q(a) := 2 $$ (def-q-again)\n", "only a first appearance is a definition"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_sentence(book, text, sentence):
    (only,) = problems(book(text))
    assert re.match(r"book/01_toy\.md, line \d+: ", only)
    assert sentence in only


@pytest.mark.parametrize(
    "latex",
    [
        "q(a) := \\mathbb{E}\\left[R \\mid A = a\\right]",
        "J := \\sum_{t = 0}^{n = 3} \\frac{r_{t=1}}{2}",
        "d(y) := \\begin{cases} 1 & y = a \\\\ 0 & y \\neq a \\end{cases}",
        "S := \\{x : x \\ge 0\\}",
        "p \\leftarrow 1 := 2",
    ],
)
def test_a_definition_may_condition_index_and_distinguish_cases(book, latex):
    assert problems(book(f"$$ {latex} $$ (def-a)\n")) == []


def test_the_fingerprint_sees_signs_and_not_layout():
    assert fingerprint("a =\n  b % c") == fingerprint(" a = b ")
    assert fingerprint("a = b \\% c") != fingerprint("a = b \\% d")
    assert fingerprint("a = b") != fingerprint("a = -b")


PAGE = "# Page\n\n$$ a = 1 $$ (eq-a)\n\n$$ b := 1 $$ (def-b)\n"
ENTRY = {"sha256": fingerprint("a = 1"), "way": "symbolic", "rejects": ["sign & <factor>"], "test": "tests/t.py::t"}


@pytest.fixture
def build(book, tmp_path):
    """`build(text)` builds a book of that page and the table, warnings being errors: (exit status, messages, pages)."""

    def run(text: str, **files: str) -> tuple[int, str, dict[str, str]]:
        folder = book(text)
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / "equations.json").write_text(json.dumps({"eq-a": ENTRY}), encoding="utf-8")
        (folder / "checked_equations.md").write_text("# Table\n\n```{checked-equations}\n```\n", encoding="utf-8")
        (tmp_path / "index.md").write_text("# Index\n\n```{toctree}\n:glob:\nbook/*\n```\n", encoding="utf-8")
        (tmp_path / "conf.py").write_text(
            f"import sys; sys.path.insert(0, {str(EXTENSIONS)!r})\n"
            "extensions = ['myst_parser', 'sphinx.ext.mathjax', 'checked_equations']\n"
            "myst_enable_extensions = ['dollarmath', 'colon_fence']\n",
            encoding="utf-8",
        )
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
        options = ["-q", "-W", "-n", "--keep-going"]
        command = [sys.executable, "-m", "sphinx", *options, str(tmp_path), str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, check=False)
        pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "book").glob("*.html")}
        return done.returncode, done.stderr, pages

    return run


def test_a_checked_equation_bears_a_mark_that_leads_to_its_row(build):
    status, messages, pages = build(PAGE)
    assert (status, messages) == (0, "")
    (mark,) = re.findall(r'<a class="[^"]*checked-equation-mark"[^>]*>', pages["01_toy"])
    assert 'href="checked_equations.html#check-eq-a"' in mark
    assert 'aria-label="checked: how this equation is checked"' in mark
    assert pages["01_toy"].count('id="equation-eq-a"') == 1
    table = pages["checked_equations"]
    assert re.search(r'<tr [^>]*id="check-eq-a"', table)
    assert 'href="01_toy.html#equation-eq-a">(1)</a>' in table
    assert "sign &amp; &lt;factor&gt;" in table
    assert "Checked equations: 1 (1 symbolic)." in table


def test_the_build_refuses_what_is_not_checked(build):
    """An edited formula, one without check, two faults of the Markdown and a formula that is not from Markdown."""
    status, messages, pages = build(
        "# Page\n\n$$ a = 2 $$ (eq-a)\n\n$$ b = 1 $$ (eq-unchecked)\n",
        **{"02_faults.md": "# Faults\n\n$$ c = 1 $$\n\n$$ 2 = d := 1 $$ (def-d)\n"},
        **{"other.rst": "Other\n=====\n\n.. math:: a = 1\n"},
    )
    assert status == 1
    warnings = sorted(line.split("WARNING: ")[1] for line in messages.splitlines() if "WARNING: " in line)
    expected = [
        "'eq-a' has changed since tests/t.py::t checked it",
        "'eq-unchecked' has no passed check",
        "A display equation without a label",
        "book/02_faults.md, line 3: this display equation has no label",
        "book/02_faults.md, line 5: the definition 'def-d' also claims something",
    ]
    assert [sentence[: len(start)] for sentence, start in zip(warnings, expected, strict=True)] == expected
    assert "checked-equation-mark" not in pages["01_toy"]
