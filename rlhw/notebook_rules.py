"""What a notebook of the course must be before it is committed; each rule gives one sentence for each breach."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rlhw.repository import address, as_text, first_code_cell, is_homework, root_of, setup_cell

WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 400_000
FENCED = re.compile(r"^[ \t]*(```+|~~~+)[^\n{]*\n.*?^[ \t]*\1[ \t]*$", re.M | re.S)
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
MYST = {
    "a directive": re.compile(r"^[ \t]*(?:`{3,}|~{3,}|:{3,})[ \t]*\{", re.M),
    "a ::: block": re.compile(r"^[ \t]*:{3,}[ \t]*$", re.M),
    "a target": re.compile(r"^[ \t]*\([^()\s]+\)=[ \t]*$", re.M),
    "a comment": re.compile(r"^%", re.M),
}
# A folder of somebody's machine. Preceded by a letter or slash it is part of an address on the web.
MACHINE_PATH = re.compile(
    r"(?<![\w/.:])/(?:home|Users|root|tmp|work|opt|usr|var|mnt|private|content)/[\w.~-]|\b[A-Z]:\\+Users\b"
)
IMAGE_WITHOUT_ALT = re.compile(r"<img\b(?![^>]*\balt\s*=\s*[\"'][^\"'])[^>]*>", re.I)
MARKDOWN_WITHOUT_ALT = re.compile(r"!\[\s*\]\(")


def verify(path: Path) -> list[str]:
    """The problems of a notebook, a sentence each; an empty list when it may be committed."""
    path = Path(path)
    try:
        notebook = json.loads(path.read_text(encoding="utf8"))
        if notebook["nbformat"] != 4:
            return ["is not in notebook format 4: save it with a current Jupyter"]
        problems = [*_whole(notebook, path), *identifiers(notebook), *_setup(notebook, path)]
        if is_homework(path):
            return problems + list(_homework(notebook, path))
        for cell in notebook["cells"]:
            rules = (_code, _outputs, _images) if cell["cell_type"] == "code" else (_markdown,)
            problems += [f"cell {cell.get('id')}: {problem}" for rule in rules for problem in rule(cell)]
        return problems + list(_exercises(notebook)) + list(_executed_in_order(notebook)) + list(_widgets(notebook))
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        return [f"is not a notebook ({type(error).__name__}: {error}): save it again from Jupyter"]


def identifiers(notebook: dict) -> Iterator[str]:
    """Missing and repeated cell ids."""
    counts = Counter(cell.get("id") for cell in notebook["cells"])
    if missing := counts.pop(None, 0):
        yield f"{missing} cell(s) have no id: save it in notebook format 4.5"
    for name, count in counts.items():
        if count > 1:
            yield f"{count} cells have the id {name!r}: give each its own"


def images(cell: dict) -> Iterator[tuple[str, str | None]]:
    """The images among a code cell's outputs: (MIME type, alt text or None)."""
    for output in cell.get("outputs", []):
        for mime in output.get("data", {}):
            if mime.startswith("image/"):
                yield mime, output.get("metadata", {}).get(mime, {}).get("alt")


def _text(lines: str | list[str]) -> str:
    return "".join(lines)


def _whole(notebook: dict, path: Path) -> Iterator[str]:
    if (size := path.stat().st_size) > MAX_BYTES:
        yield f"has {size:,} bytes, more than {MAX_BYTES:,}: draw fewer or simpler figures"
    if (name := notebook["metadata"].get("kernelspec", {}).get("name")) != "python3":
        yield f"has the kernel {name!r} instead of 'python3': run rlhw notebooks execute"


def _setup(notebook: dict, path: Path) -> Iterator[str]:
    cell = first_code_cell(notebook)
    if cell is None or _text(cell["source"]) != setup_cell(address(root_of(path))):
        yield "the first code cell is not the setup cell: run rlhw notebooks set-repository with _config.yml's address"
    elif "nbval-ignore-output" not in cell["metadata"].get("tags", []):
        yield "the setup cell lacks the tag nbval-ignore-output: it prints versions, which differ between machines"


def _code(cell: dict) -> Iterator[str]:
    if not _text(cell["source"]).strip():
        yield "is an empty code cell: delete it"
    elif cell.get("execution_count") is None:
        yield "was not executed: run rlhw notebooks execute"


def _outputs(cell: dict) -> Iterator[str]:
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            yield f"holds an error ({output['ename']}): mend the cell and run rlhw notebooks execute"
            continue
        if output.get("name") == "stderr":
            yield f"wrote to stderr ({_text(output['text']).strip()[:60]!r}): silence the warning at its source"
        texts = [_text(value) for mime, value in output.get("data", {}).items() if mime.startswith("text/")]
        for text in [*texts, _text(output.get("text", ""))]:
            if found := MACHINE_PATH.search(text):
                yield f"shows a path of this machine ({text[found.start() :][:40]!r}): print a name instead"


def _images(cell: dict) -> Iterator[str]:
    shown = list(images(cell))
    alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
    if any(not (text or "").strip() for _, text in shown):
        yield 'shows an image without alt text: use rlhw.plots.show(figure, alt="…")'
    elif shown and alt != shown[-1][1]:
        yield "has an alt text that the page does not get: run rlhw notebooks execute"
    if len(shown) > 1:
        yield "shows several images, and the page has one alt text a cell: split it"
    for output in cell["outputs"]:
        if IMAGE_WITHOUT_ALT.search(_text(output.get("data", {}).get("text/html", ""))):
            yield "shows an <img> without alt text: give it one"


def _markdown(cell: dict) -> Iterator[str]:
    """Colab knows neither MyST nor numbered equations: notebooks hold plain Markdown and inline mathematics."""
    text = _text(cell["source"])
    for name, pattern in MYST.items():
        if found := pattern.search(FENCED.sub("", text)):
            yield f"holds {name} of MyST ({found[0].strip()!r}), which Colab shows as it is: use plain Markdown"
    prose = FENCED.sub("", text)
    for span in CODE_SPAN.finditer(prose):
        # A role is a code span with {name} right before it: {eq}`score`.
        if role := re.search(r"\{[A-Za-z][\w:.+-]*\}$", prose[: span.start()]):
            yield f"holds a role of MyST ({role[0]}), which Colab shows as it is: use a plain link"
    if "$$" in CODE_SPAN.sub("", prose):
        yield "holds $$: equations stand in the chapter, where they are checked; use inline $…$ here"
    if MARKDOWN_WITHOUT_ALT.search(prose) or IMAGE_WITHOUT_ALT.search(prose):
        yield "holds an image without alt text: write ![what it shows](…)"


def _exercises(notebook: dict) -> Iterator[str]:
    """A cell tagged exercise:NAME holds the text of the question in rlhw, and a later cell checks it."""
    code = "\n".join(_text(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    for cell in notebook["cells"]:
        for tag in cell["metadata"].get("tags", []):
            if not tag.startswith("exercise:"):
                continue
            from rlhw import exercises

            name = tag.removeprefix("exercise:")
            if name not in exercises.names():
                yield f"cell {cell.get('id')}: there is no exercise {name!r} in rlhw.exercises"
            elif _text(cell["source"]) != exercises.markdown(name):
                yield f"cell {cell.get('id')}: differs from rlhw.exercises.markdown({name!r}): copy that text here"
            if not re.search(rf"rlhw\.check\(\s*[\"']{re.escape(name)}[\"']", code):
                yield f'cell {cell.get("id")}: no code cell calls rlhw.check("{name}", …)'


def _homework(notebook: dict, path: Path) -> Iterator[str]:
    """Homework holds stubs and no outputs, and nothing that its source in rlhw does not say."""
    from rlhw import homework
    from rlhw.homework import build

    for cell in notebook["cells"]:
        if cell.get("outputs") or cell.get("execution_count"):
            yield f"cell {cell.get('id')}: was executed: run rlhw homework build"
        if found := MACHINE_PATH.search(text := _text(cell["source"])):
            yield f"cell {cell.get('id')}: names a path of this machine ({text[found.start() :][:40]!r})"
        if cell["cell_type"] == "markdown":
            yield from (f"cell {cell.get('id')}: {problem}" for problem in _markdown(cell))
    name = notebook["metadata"].get("rlhw", {}).get("assignment")
    if name not in homework.names():
        yield f"says that it is the assignment {name!r}; there are: {', '.join(homework.names())}"
    elif as_text(notebook) != as_text(build.student(homework.assignment(name), url=address(root_of(path)))):
        yield f"is not what its source says: edit that, and run rlhw homework build {name}"


def _executed_in_order(notebook: dict) -> Iterator[str]:
    counts = [cell.get("execution_count") for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # A cell that was not executed has its own sentence.
    if None not in counts and counts != list(range(1, len(counts) + 1)):
        yield "its cells were not executed once each from top to bottom: run rlhw notebooks execute"


def _widgets(notebook: dict) -> Iterator[str]:
    state = notebook["metadata"].get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(VIEW)
            if view and view["model_id"] not in state:
                yield f"cell {cell.get('id')}: shows a widget whose state is not saved: run rlhw notebooks execute"
