"""Show a page's text early on a slow network: nothing stands before it that it can do without.

The theme asks for 320 kB of search index on every page, has its scripts wait one for the other before the text, and
sends 600 kB of style sheets, most of them rules for icons and parts that no page of this book has. Done when the build
has ended, since only the finished pages say which rules are of use: scripts wait until the page has been read, the search
index stands on the search page alone, and a rule goes that asks for a class which no page and no script knows.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

SEARCH = re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
PRELOAD = re.compile(r'\s*<link rel="preload" as="script"[^>]*>')
# Inline scripts read DOCUMENTATION_OPTIONS at once, so its file (300 bytes) does not wait.
WAITS = re.compile(r"<script(?![^>]*\b(?:defer|async)\b)(?=[^>]*\bsrc=)(?![^>]*documentation_options\.js)")
# The theme says "auto" until its script has come, and colours are for "light" and "dark" only.
AUTO = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
AT_ONCE = """document.documentElement.dataset.theme = { light: "light", dark: "dark" }[localStorage.getItem("mode")]
      || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");"""

CLASSES = re.compile(r"""\bclass=(?:"([^"]*)"|'([^']*)')""")
INLINE = re.compile(r"<script\b[^>]*>([^<]+)</script>")
WORD = re.compile(r"[A-Za-z_][\w-]*")
# A comment, a string, an opening or closing brace, or the end of a statement.
MARK = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{};]", re.DOTALL)
COMMENT = re.compile(r"/\*(?!!).*?\*/", re.DOTALL)  # "/*!" begins a licence, which stays
ARGUMENTS = re.compile(r"\([^()]*\)|\[[^\]]*\]")
CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
GROUPS = ("@media", "@supports", "@container", "@layer")


def hurry(page: str, search: bool = False) -> str:
    """A page's HTML in which no script stands before its text; on the search page the search scripts stay as they are."""
    head, end, body = page.partition("</head>")
    if search:
        return PRELOAD.sub("", head).replace(AUTO, AT_ONCE) + end + body
    head = WAITS.sub('<script defer="defer"', PRELOAD.sub("", SEARCH.sub("", head)))
    return head.replace(AUTO, AT_ONCE) + end + body


class Known:
    """The classes that elements may have: those of the pages, and whatever is a word in a script.

    A script may also put a name together: `"tooltip-" + side`. So a word that ends in a hyphen knows all that begin so.
    """

    def __init__(self, pages: list[str], scripts: list[str]) -> None:
        words = {word for script in scripts for word in WORD.findall(script)}
        self.names = words | {
            name for page in pages for found in CLASSES.findall(page) for name in "".join(found).split()
        }
        self.beginnings = tuple(word for word in words if word.endswith("-") and len(word) > 2)

    def __contains__(self, name: str) -> bool:
        return name in self.names or name.startswith(self.beginnings)


def statements(css: str) -> Iterator[tuple[str, str | None]]:
    """(what stands before the braces, what stands between them) of each rule; (text, None) of a statement without any."""
    depth = start = inside = 0
    for mark in MARK.finditer(css):
        kind = mark.group()
        if kind == "{":
            depth += 1
            inside = mark.end() if depth == 1 else inside
        elif kind == "}":
            depth -= 1
            if depth == 0:
                yield css[start : inside - 1].strip(), css[inside : mark.start()]
                start = mark.end()
        elif kind == ";" and depth == 0:
            yield css[start : mark.end()].strip(), None
            start = mark.end()


def selectors(prelude: str) -> list[str]:
    """The selectors of a rule, parted at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in prelude:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def can_match(selector: str, known: Known) -> bool:
    """Whether all classes are known that an element must have; what stands in brackets, as in :not(…), asks for none."""
    while (bare := ARGUMENTS.sub("", selector)) != selector:
        selector = bare
    return all(re.sub(r"\\(.)", r"\1", name) in known for name in CLASS.findall(selector))


def slim(css: str, known: Known) -> str:
    """The style sheet without the rules that no element can match; the others in their order, word for word."""
    kept = []
    for prelude, block in statements(COMMENT.sub("", css)):
        licence = "".join(re.findall(r"/\*!.*?\*/", prelude, re.DOTALL))
        name = re.sub(r"/\*!.*?\*/", "", prelude, flags=re.DOTALL).strip()
        if block is None:
            kept.append(prelude)
        elif name.startswith(GROUPS):
            inner = slim(block, known)
            kept.append(f"{licence}{name}{{{inner}}}" if inner else licence)
        elif name.startswith("@"):
            kept.append(f"{licence}{name}{{{block}}}")
        else:
            useful = [one for one in selectors(name) if can_match(one, known)]
            kept.append(f"{licence}{','.join(useful)}{{{block}}}" if useful else licence)
    return "\n".join(filter(None, kept))


def write(path: Path, text: str) -> None:
    """Put the text into the file at one stroke."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def paint_early(app: Sphinx, exception: Exception | None) -> None:
    """Mend pages and style sheets when a build has ended well; Sphinx lays out the whole style sheets at every build."""
    if exception is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    static = output / "_static"
    paths = [path for path in sorted(output.rglob("*.html")) if static not in path.parents]
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    scripts = [path.read_text(encoding="utf-8") for path in static.rglob("*.js")]
    scripts += [text for page in pages.values() for text in INLINE.findall(page)]
    known = Known(list(pages.values()), scripts)
    digests = {}
    for sheet in sorted(static.rglob("*.css")):
        text = slim(sheet.read_text(encoding="utf-8"), known)
        write(sheet, text)
        digests[sheet.name] = hashlib.sha256(text.encode()).hexdigest()[:8]
    # A browser keeps a style sheet as long as its address stays the same.
    address = re.compile(rf"({'|'.join(map(re.escape, digests))})\?[\w=]+\"")
    for path, page in pages.items():
        mended = address.sub(
            lambda found: f'{found[1]}?v={digests[found[1]]}"', hurry(page, path.name == "search.html")
        )
        if mended != page:
            write(path, mended)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", paint_early, priority=900)  # the theme writes a style sheet at that moment, too
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
