"""Write ``404.html`` at the root of the site: what a host shows where no page is.

The page stands alone: a host serves it at any depth, so it can link neither styles nor pages by a relative path.
A few lines of script find the site's root from the address that was asked for.
"""

from __future__ import annotations

import html
import os
from pathlib import Path

from sphinx.application import Sphinx

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Page not found · {title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.15rem/1.6 Georgia, "Times New Roman", serif; max-width: 34rem; margin: 16vh auto; padding: 0 1.25rem; }}
h1 {{ font-size: 1.7rem; font-weight: 600; }}
a {{ color: #1f5f99; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181d; color: #d8dee6; }} a {{ color: #8ec3f2; }} }}
</style>
</head>
<body>
<main>
<h1>This page does not exist</h1>
<p>The address may have changed, or the chapter is planned and not written yet.</p>
<p><a id="home" href="/">Go to the first page of the book</a></p>
</main>
<script>
(function () {{
  var path = window.location.pathname;
  var cut = path.search(/\\/(book|notebooks|_static|_sources|_downloads)(\\/|$)/);
  var first = path.split("/")[1];
  var root = cut >= 0 ? path.slice(0, cut + 1)
    : /\\.github\\.io$/.test(window.location.hostname) && first ? "/" + first + "/" : "/";
  document.getElementById("home").href = window.location.protocol === "file:" ? "index.html" : root;
}})();
</script>
</body>
</html>
"""


def write_not_found(app: Sphinx, exception: Exception | None) -> None:
    """Write the page when an HTML build has ended well."""
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / "404.html"
    draft = target.with_suffix(".tmp")
    draft.write_text(PAGE.format(title=html.escape(app.config.html_title or "")), encoding="utf-8")
    os.replace(draft, target)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("build-finished", write_not_found)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
