"""The line under a notebook's title: open it in Colab, download it, read the theory.

The repository's address stands in ``_config.yml`` alone. As long as it is not set (its host ends in ``.invalid``)
the line says so in words; a link that leads nowhere is never shown.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

NOT_SET = "Colab: the repository's address is not set yet"
ELSEWHERE = "Colab: only opens notebooks that are hosted on GitHub"


def colab_link(repository: str, branch: str, document: str) -> tuple[str, str | None]:
    """Return the words and the address (None where there is none) that open a notebook in Colab.

    ``document`` is the notebook's path in the repository, without its suffix.
    """
    parts = urlsplit(repository or "")
    host = (parts.hostname or "").lower()
    if not host or host == "invalid" or host.endswith(".invalid"):
        return NOT_SET, None
    if host not in ("github.com", "www.github.com"):
        return ELSEWHERE, None
    owner_and_name = parts.path.strip("/").removesuffix(".git")
    address = f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/{quote(document)}.ipynb"
    return "Open in Colab", address


def links(app: Sphinx, document: str) -> nodes.paragraph:
    """Return the line of links for one notebook."""
    options = app.config.html_theme_options
    line = nodes.paragraph(classes=["notebook-links"])
    words, address = colab_link(options.get("repository_url", ""), options.get("repository_branch", "main"), document)
    if address:
        line += nodes.reference("", words, refuri=address, internal=False)
    else:
        line += nodes.inline("", words, classes=["notebook-colab-missing"])
    name = document.rsplit("/", 1)[-1]
    line += nodes.Text(" · ")
    download = addnodes.download_reference("", "", reftarget=f"/{document}.ipynb", refdoc=document)
    download += nodes.inline("", f"Download {name}.ipynb")
    line += download
    theory = f"book/{name}"
    if theory in app.env.found_docs:
        line += nodes.Text(" · ")
        link = addnodes.pending_xref(
            "", refdomain="std", reftype="doc", reftarget=f"/{theory}", refdoc=document, refexplicit=True, refwarn=True
        )
        link += nodes.inline("", "Read the theory")
        line += link
    return line


def add_links(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line under the title of every page that is a notebook."""
    document = app.env.docname
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None or not str(app.env.doc2path(document)).endswith(".ipynb"):
        return
    title.parent.insert(title.parent.index(title) + 1, links(app, document))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    # Before Sphinx collects the files to be downloaded (priority 500).
    app.connect("doctree-read", add_links, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
