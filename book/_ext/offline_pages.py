"""Keep every page readable without a network: drop the scripts that stock pages fetch from elsewhere.

Two things would reach outside. The theme stack adds thebe (live kernels), which we do not use, and some extensions
register the same inline script twice, which throws "already declared" in the console. Everything else that a page
needs is vendored in ``book/_assets``. What is left over is looked for when the build has ended: a script, style,
picture, font or frame with an address on another host is a warning, and so fatal under ``-W``.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# Elements that a browser fetches by itself. Links (<a href>) are for the reader to follow and may lead anywhere.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed|track|input)\b[^>]*?\bsrc(?:set)?\s*=\s*[\"']?\s*((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?=[^>]*\brel\s*=\s*[\"']?(?:stylesheet|preload|modulepreload|icon|shortcut|preconnect|dns-prefetch|manifest))"
    r"[^>]*?\bhref\s*=\s*[\"']?\s*((?:https?:)?//[^\"'\s>]+)"
    r"|(?:@import\s+|url\()\s*[\"']?((?:https?:)?//[^\"')\s;]+)",
    re.IGNORECASE,
)


def external_requests(text: str) -> list[str]:
    """Return the addresses on other hosts that a browser would fetch when it opens this HTML or CSS text."""
    return [next(filter(None, found)) for found in FETCHED.findall(text)]


def keep_local_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    """Drop thebe and scripts that stand twice from the page's list of scripts, in place."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        body = (getattr(script, "attributes", None) or {}).get("body") or ""
        name = str(getattr(script, "filename", "") or "")
        if "THEBE_JS_URL" in body or name.split("?")[0].endswith("sphinx-thebe.js"):
            continue
        if (name or body) and (name, body) in seen:
            continue
        seen.add((name, body))
        kept.append(script)
    context["script_files"][:] = kept
    styles = context.get("css_files", [])
    styles[:] = [style for style in styles if "sphinx-thebe" not in str(getattr(style, "filename", style))]


def refuse_external_requests(app: Sphinx, exception: Exception | None) -> None:
    """Warn for each page that would fetch something from another host."""
    if exception is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    for page in sorted(output.rglob("*.html")):
        if "_static" in page.relative_to(output).parts:
            continue
        for address in external_requests(page.read_text(encoding="utf-8")):
            logger.warning(
                "%s fetches %s when it is opened: put a copy into book/_assets/vendor and link that.",
                page.relative_to(output).as_posix(),
                address,
            )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", keep_local_scripts, priority=999)
    app.connect("build-finished", refuse_external_requests)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
